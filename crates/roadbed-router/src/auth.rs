//! How clients prove who they are: anonymous, ticket, or as the driver decides.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytestring::ByteString;
use roadbed_core::auth::Secret;
use roadbed_core::message::RawDict;

use crate::names::ShardId;

/// The tickets of a realm: who may join with which ticket, and in which role.
///
/// ```
/// use roadbed_router::TicketTable;
///
/// let table = TicketTable::new().principal("joe", "secret!!!", "user");
/// assert_eq!(format!("{table:?}"), r#"TicketTable(["joe"])"#);
/// ```
#[derive(Clone, Default)]
pub struct TicketTable {
    /// Shared: a handshake under way keeps the table it began with.
    principals: Arc<BTreeMap<ByteString, Principal>>,
}

#[derive(Clone)]
struct Principal {
    ticket: Secret,
    authrole: ByteString,
}

impl TicketTable {
    /// A table without anybody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a principal, or replaces it.
    #[must_use]
    pub fn principal(
        mut self,
        authid: impl Into<ByteString>,
        ticket: impl Into<Secret>,
        authrole: impl Into<ByteString>,
    ) -> Self {
        let principal = Principal { ticket: ticket.into(), authrole: authrole.into() };
        Arc::make_mut(&mut self.principals).insert(authid.into(), principal);
        self
    }

    /// The role of `authid`, if `ticket` is right. For somebody unknown a comparison is made all the
    /// same, so that the time it takes does not tell.
    pub(crate) fn check(&self, authid: &str, ticket: &str) -> Option<ByteString> {
        match self.principals.get(authid) {
            Some(principal) => principal.ticket.matches(ticket).then(|| principal.authrole.clone()),
            None => {
                let _ = Secret::from("").matches(ticket);
                None
            }
        }
    }
}

impl fmt::Debug for TicketTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.principals.keys().map(|name| &**name).collect();
        f.debug_tuple("TicketTable").field(&names).finish()
    }
}

/// One way into a realm.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AuthMethod {
    /// `anonymous`: anybody, in this role, under a name that the router makes up.
    Anonymous {
        /// The role that anonymous clients are given.
        authrole: ByteString,
    },
    /// `ticket`: a secret from a table (advanced profile, "ticket-based authentication").
    Ticket(TicketTable),
    /// The driver decides: [`RouterEvent::Authenticate`](crate::RouterEvent::Authenticate).
    Dynamic {
        /// The method by which clients ask for it, such as `ticket`.
        method: ByteString,
    },
}

impl AuthMethod {
    /// Its name in `authmethods`.
    pub fn name(&self) -> &str {
        match self {
            Self::Anonymous { .. } => "anonymous",
            Self::Ticket(_) => "ticket",
            Self::Dynamic { method } => method,
        }
    }
}

/// The ways into a realm, the router's favourite first. The first one that a client offers is used;
/// a client that offers none is taken to offer `anonymous`.
///
/// ```
/// use roadbed_router::{Authentication, TicketTable};
///
/// let table = TicketTable::new().principal("joe", "secret!!!", "user");
/// let authentication = Authentication::new().ticket(table).anonymous("guest");
/// assert_eq!(authentication.methods().len(), 2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Authentication {
    methods: Vec<AuthMethod>,
}

impl Authentication {
    /// No way in at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets anybody in, in this role.
    #[must_use]
    pub fn anonymous(self, authrole: impl Into<ByteString>) -> Self {
        self.method(AuthMethod::Anonymous { authrole: authrole.into() })
    }

    /// Lets in who presents a ticket of this table. Refused on transports that others can read, unless
    /// [`RouterConfig::allow_insecure_ticket`](crate::RouterConfig::allow_insecure_ticket) is set.
    #[must_use]
    pub fn ticket(self, table: TicketTable) -> Self {
        self.method(AuthMethod::Ticket(table))
    }

    /// Asks the driver about clients that offer `method`.
    #[must_use]
    pub fn dynamic(self, method: impl Into<ByteString>) -> Self {
        self.method(AuthMethod::Dynamic { method: method.into() })
    }

    /// Adds a way in, after those already there.
    #[must_use]
    pub fn method(mut self, method: AuthMethod) -> Self {
        self.methods.push(method);
        self
    }

    /// The ways in, the favourite first.
    pub fn methods(&self) -> &[AuthMethod] {
        &self.methods
    }
}

/// The way into a realm.
pub(crate) struct Way<'l> {
    pub(crate) authentication: &'l Authentication,
    pub(crate) shard: ShardId,
    /// Whether the realm is always there; otherwise it is made for its first session.
    pub(crate) is_listed: bool,
}

/// Who a peer is: the answer to [`RouterEvent::Authenticate`](crate::RouterEvent::Authenticate) that
/// lets it in.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Who it is.
    pub authid: ByteString,
    /// The role it is given.
    pub authrole: ByteString,
    /// Who vouches for it, as WELCOME tells.
    pub authprovider: ByteString,
    /// What else WELCOME tells.
    pub authextra: Option<RawDict>,
}

impl Grant {
    /// A grant by the provider `dynamic`.
    pub fn new(authid: impl Into<ByteString>, authrole: impl Into<ByteString>) -> Self {
        Self {
            authid: authid.into(),
            authrole: authrole.into(),
            authprovider: ByteString::from_static("dynamic"),
            authextra: None,
        }
    }
}

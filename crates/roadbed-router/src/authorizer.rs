//! Who may do what: the seam between a realm and its policy.

use core::fmt;
use std::sync::Arc;

use roadbed_core::error::uris;
use roadbed_core::message::MessageType;
use roadbed_core::options::{CallOptions, PublishOptions, RegisterOptions, SubscribeOptions};
use roadbed_core::uri::{MatchPolicy, Uri};

use crate::identity::SessionInfo;
use crate::names::AuthorizationId;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Verb {
    /// CALL.
    Call,
    /// PUBLISH.
    Publish,
    /// SUBSCRIBE.
    Subscribe,
    /// REGISTER.
    Register,
}

impl Verb {
    /// Returns its name: `call`, `publish`, `subscribe` or `register`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
            Self::Register => "register",
        }
    }

    pub(crate) const fn message_type(self) -> MessageType {
        match self {
            Self::Call => MessageType::Call,
            Self::Publish => MessageType::Publish,
            Self::Subscribe => MessageType::Subscribe,
            Self::Register => MessageType::Register,
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The options of a request, by its verb.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum AccessOptions<'a> {
    /// Of CALL.
    Call(&'a CallOptions),
    /// Of PUBLISH.
    Publish(&'a PublishOptions),
    /// Of SUBSCRIBE.
    Subscribe(&'a SubscribeOptions),
    /// Of REGISTER.
    Register(&'a RegisterOptions),
}

/// A request that a session makes, as an [`Authorizer`] sees it. The router has checked its URI, its options and its
/// payload; whether there is such a procedure or topic it has not.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Access<'a> {
    /// Who asks.
    pub session: &'a SessionInfo,
    /// What for.
    pub verb: Verb,
    /// The procedure or topic, or a pattern of them.
    pub uri: &'a Uri,
    /// How the URI matches; [`MatchPolicy::Exact`] for CALL and PUBLISH.
    pub match_policy: MatchPolicy,
    /// The options of the request.
    pub options: AccessOptions<'a>,
}

impl<'a> Access<'a> {
    pub(crate) fn new(session: &'a SessionInfo, uri: &'a Uri, options: AccessOptions<'a>) -> Self {
        let (verb, match_policy) = match options {
            AccessOptions::Call(_) => (Verb::Call, None),
            AccessOptions::Publish(_) => (Verb::Publish, None),
            AccessOptions::Subscribe(options) => (Verb::Subscribe, options.match_policy),
            AccessOptions::Register(options) => (Verb::Register, options.match_policy),
        };
        Self { session, verb, uri, match_policy: match_policy.unwrap_or_default(), options }
    }
}

/// Whether a request is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The ERROR that the request is answered with, if it is not.
    pub(crate) error: Option<Uri>,
    pub(crate) is_for_role: bool,
}

impl Verdict {
    /// Returns the verdict that the request is carried out.
    pub const fn allow() -> Self {
        Self { error: None, is_for_role: false }
    }

    /// Returns the verdict that the request is answered with ERROR `wamp.error.not_authorized`.
    pub fn deny() -> Self {
        Self::deny_with(uris::NOT_AUTHORIZED.clone())
    }

    /// Returns the verdict that the request is answered with an ERROR of this URI; what is no URI is replaced by
    /// `wamp.error.not_authorized`.
    pub const fn deny_with(error: Uri) -> Self {
        Self { error: Some(error), is_for_role: false }
    }

    /// Says that the verdict depends on nothing but the session's realm and authrole, the verb, the URI and how it
    /// matches. The router may keep it then, and neither ask the authorizer nor the driver again for as long as
    /// [`forget_verdicts`](crate::Router::forget_verdicts) is not called. It keeps the last
    /// [`Limits::kept_verdicts`](roadbed_core::limits::Limits) of each realm.
    #[must_use]
    pub const fn for_role(mut self) -> Self {
        self.is_for_role = true;
        self
    }
}

/// What an [`Authorizer`] says to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// It knows.
    Decided(Verdict),
    /// The driver is to decide: [`RouterEvent::Authorize`](crate::RouterEvent::Authorize). Later requests of the
    /// session wait meanwhile.
    Ask,
}

impl From<Verdict> for Authorization {
    fn from(verdict: Verdict) -> Self {
        Self::Decided(verdict)
    }
}

/// Decides which requests of sessions are carried out: CALL, PUBLISH, SUBSCRIBE and REGISTER. It is not asked where a
/// verdict [for the role](Verdict::for_role) is known. The router stands still meanwhile, so it must not block, nor
/// panic. For equal requests at equal times it should say the same; what it needs to look up elsewhere it leaves to
/// the driver, with [`Authorization::Ask`].
///
/// Functions are authorizers:
///
/// ```
/// use roadbed_core::uri::Uri;
/// use roadbed_router::{Access, Authentication, Authorization, RouterConfig, Verb, Verdict};
///
/// /// Guests only listen.
/// fn authorize(access: &Access<'_>) -> Authorization {
///     match (&*access.session.authrole, access.verb) {
///         ("admin", _) | (_, Verb::Subscribe) => Verdict::allow().into(),
///         ("user", Verb::Register) => Authorization::Ask,
///         _ => Verdict::deny().into(),
///     }
/// }
///
/// let config = RouterConfig::new()
///     .realm(Uri::new("realm1")?, Authentication::new().anonymous("guest"))
///     .authorizer(authorize);
/// # config.check()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Authorizer: Send + Sync {
    /// Says whether a request is carried out.
    fn authorize(&self, access: &Access<'_>) -> Authorization;
}

impl<F> Authorizer for F
where
    F: Fn(&Access<'_>) -> Authorization + Send + Sync,
{
    fn authorize(&self, access: &Access<'_>) -> Authorization {
        self(access)
    }
}

impl fmt::Debug for dyn Authorizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorizer")
    }
}

/// A request that the driver has to decide on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AuthorizationRequest {
    /// Names this question in the answer.
    pub id: AuthorizationId,
    /// Who asks.
    pub session: Arc<SessionInfo>,
    /// What for.
    pub verb: Verb,
    /// The procedure or topic, or a pattern of them.
    pub uri: Uri,
    /// How the URI matches.
    pub match_policy: MatchPolicy,
}

//! How a router is configured.

use std::sync::Arc;

use bytestring::ByteString;
use roadbed_core::limits::{Limits, LimitsError};
use roadbed_core::uri::{Uri, UriError, UriRules};

use crate::auth::Authentication;
use crate::authorizer::Authorizer;
use crate::names::ShardId;
use crate::uris::{Names, check};

/// A realm: its name, the ways into it, and what may be done there.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RealmConfig {
    /// Its name.
    pub uri: Uri,
    /// Who may join, and how.
    pub authentication: Authentication,
    /// What payloads may hold; `None`: as [`RouterConfig::payloads`] says.
    pub payloads: Option<PayloadPolicy>,
    /// Who decides on requests; `None`: as [`RouterConfig::authorizer`] says.
    pub authorizer: Option<Arc<dyn Authorizer>>,
    /// The index of the shard that serves it, modulo their number; `None`: the realms are dealt out in turn.
    pub shard: Option<usize>,
}

impl RealmConfig {
    /// Makes a realm that leaves the rest to the router's configuration.
    pub const fn new(uri: Uri, authentication: Authentication) -> Self {
        Self { uri, authentication, payloads: None, authorizer: None, shard: None }
    }

    /// Sets [`RealmConfig::payloads`].
    #[must_use]
    pub fn payloads(mut self, policy: PayloadPolicy) -> Self {
        self.payloads = Some(policy);
        self
    }

    /// Sets [`RealmConfig::authorizer`].
    #[must_use]
    pub fn authorizer(mut self, authorizer: impl Authorizer + 'static) -> Self {
        self.authorizer = Some(Arc::new(authorizer));
        self
    }

    /// Sets [`RealmConfig::shard`].
    #[must_use]
    pub const fn shard(mut self, index: usize) -> Self {
        self.shard = Some(index);
        self
    }

    /// The shard of a realm that is `index` in the list of them.
    pub(crate) fn shard_of(&self, index: usize, shards: usize) -> ShardId {
        ShardId(self.shard.unwrap_or(index).checked_rem(shards).unwrap_or(0))
    }
}

/// Which payloads a realm carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PayloadPolicy {
    /// What one serializer allows passes between peers of that serializer, read by nobody. Peers whose libraries
    /// are stricter than the router may close their connection over it.
    #[default]
    Pass,
    /// Only what JSON, MessagePack and CBOR can all say
    /// ([`Payload::check_portable`](roadbed_core::payload::Payload::check_portable)). Anything else is refused for
    /// its request with `wamp.error.invalid_payload`. Every payload is looked through for that.
    Portable,
}

/// What a [`Router`](crate::Router) is made with. Nothing is open unless it is said so: a realm needs at
/// least one way in.
///
/// ```
/// use roadbed_core::uri::Uri;
/// use roadbed_router::{Authentication, RouterConfig};
///
/// let config = RouterConfig::new()
///     .realm(Uri::new("realm1")?, Authentication::new().anonymous("guest"))
///     .default_realm(Uri::new("realm1")?);
/// config.check()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RouterConfig {
    /// The realms that are always there.
    pub realms: Vec<RealmConfig>,
    /// How clients get into realms that are not listed. Such a realm is made when the first client joins
    /// and goes when the last one leaves. `None`: realms that are not listed do not exist.
    pub auto_create: Option<Authentication>,
    /// The realm of clients that leave the choice to the router (HELLO with realm `null`).
    pub default_realm: Option<Uri>,
    /// Limits and deadlines. [`Limits::output_size`] is the budget of a peer's outgoing queue.
    pub limits: Limits,
    /// What topics, procedures and realms may look like.
    pub uri_rules: UriRules,
    /// Whether request ids that are not sequential end the session. The specification asks for it; clients
    /// that draw ids at random are in use, so the default is `false`.
    pub strict_ids: bool,
    /// Whether tickets are accepted over transports that others can read.
    pub allow_insecure_ticket: bool,
    /// What payloads may hold in realms that do not say it themselves, those made on demand among them.
    pub payloads: PayloadPolicy,
    /// Who decides on requests in realms that do not say it themselves, those made on demand among them; `None`:
    /// sessions may do everything.
    pub authorizer: Option<Arc<dyn Authorizer>>,
    /// What WELCOME says about the router's software; `None`: nothing.
    pub agent: Option<ByteString>,
}

impl Default for RouterConfig {
    fn default() -> Self {
        Self {
            realms: Vec::new(),
            auto_create: None,
            default_realm: None,
            limits: Limits::default(),
            uri_rules: UriRules::default(),
            strict_ids: false,
            allow_insecure_ticket: false,
            payloads: PayloadPolicy::default(),
            authorizer: None,
            agent: Some(ByteString::from_static(concat!("roadbed-", env!("CARGO_PKG_VERSION")))),
        }
    }
}

impl RouterConfig {
    /// No realm, default limits, loose URIs, lenient ids.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a realm.
    #[must_use]
    pub fn realm(mut self, uri: Uri, authentication: Authentication) -> Self {
        self.realms.push(RealmConfig::new(uri, authentication));
        self
    }

    /// Adds a realm with everything that can be said about one.
    #[must_use]
    pub fn realm_config(mut self, realm: RealmConfig) -> Self {
        self.realms.push(realm);
        self
    }

    /// Sets [`RouterConfig::payloads`].
    #[must_use]
    pub fn payloads(mut self, policy: PayloadPolicy) -> Self {
        self.payloads = policy;
        self
    }

    /// Sets [`RouterConfig::authorizer`].
    #[must_use]
    pub fn authorizer(mut self, authorizer: impl Authorizer + 'static) -> Self {
        self.authorizer = Some(Arc::new(authorizer));
        self
    }

    /// Makes realms on demand.
    #[must_use]
    pub fn auto_create(mut self, authentication: Authentication) -> Self {
        self.auto_create = Some(authentication);
        self
    }

    /// Sets [`RouterConfig::default_realm`].
    #[must_use]
    pub fn default_realm(mut self, realm: Uri) -> Self {
        self.default_realm = Some(realm);
        self
    }

    /// Sets [`RouterConfig::limits`].
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets [`RouterConfig::uri_rules`].
    #[must_use]
    pub fn uri_rules(mut self, rules: UriRules) -> Self {
        self.uri_rules = rules;
        self
    }

    /// Sets [`RouterConfig::strict_ids`].
    #[must_use]
    pub fn strict_ids(mut self, strict: bool) -> Self {
        self.strict_ids = strict;
        self
    }

    /// Sets [`RouterConfig::allow_insecure_ticket`].
    #[must_use]
    pub fn allow_insecure_ticket(mut self, allow: bool) -> Self {
        self.allow_insecure_ticket = allow;
        self
    }

    /// Sets [`RouterConfig::agent`].
    #[must_use]
    pub fn agent(mut self, agent: impl Into<ByteString>) -> Self {
        self.agent = Some(agent.into());
        self
    }

    /// Checks everything; call it before the router is made.
    ///
    /// # Errors
    /// [`ConfigError`] names the first thing that is wrong.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.limits.check()?;
        for (index, realm) in self.realms.iter().enumerate() {
            if self.realms.iter().take(index).any(|other| other.uri == realm.uri) {
                return Err(ConfigError::DuplicateRealm(realm.uri.clone()));
            }
            self.check_realm(realm)?;
        }
        if let Some(authentication) = &self.auto_create {
            check_authentication(authentication, None)?;
        }
        if let Some(uri) = &self.default_realm {
            self.check_uri(uri)?;
        }
        match &self.default_realm {
            Some(default) if self.auto_create.is_none() && self.find_realm(default).is_none() => {
                Err(ConfigError::NoDefaultRealm(default.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Shares the configuration.
    pub fn into_shared(self) -> Arc<Self> {
        Arc::new(self)
    }

    /// Checks a realm that is to be added.
    pub(crate) fn check_realm(&self, realm: &RealmConfig) -> Result<(), ConfigError> {
        self.check_uri(&realm.uri)?;
        check_authentication(&realm.authentication, Some(&realm.uri))
    }

    fn check_uri(&self, uri: &Uri) -> Result<(), ConfigError> {
        check(uri, Names::Resource(self.uri_rules), &self.limits)
            .map_err(|error| ConfigError::RealmUri { uri: uri.clone(), error })
    }

    fn find_realm(&self, uri: &Uri) -> Option<&RealmConfig> {
        self.realms.iter().find(|realm| realm.uri == *uri)
    }
}

fn check_authentication(authentication: &Authentication, realm: Option<&Uri>) -> Result<(), ConfigError> {
    let methods = authentication.methods();
    if methods.is_empty() {
        return Err(ConfigError::NoWayIn(realm.cloned()));
    }
    for (index, method) in methods.iter().enumerate() {
        if methods.iter().take(index).any(|other| other.name() == method.name()) {
            return Err(ConfigError::DuplicateMethod(ByteString::from(method.name())));
        }
    }
    Ok(())
}

/// What is wrong with a [`RouterConfig`].
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A limit outside its range.
    #[error(transparent)]
    Limits(#[from] LimitsError),
    /// A realm whose name breaks the rules in force.
    #[error("realm {uri}: {error}")]
    RealmUri {
        /// The name.
        uri: Uri,
        /// What is wrong with it.
        error: UriError,
    },
    /// Two realms of the same name.
    #[error("realm {0} stands twice")]
    DuplicateRealm(Uri),
    /// A realm that nobody can join; `None` stands for the realms made on demand.
    #[error("there is no authentication method for realm {}", .0.as_ref().map_or("(on demand)", Uri::as_str))]
    NoWayIn(Option<Uri>),
    /// Two ways into a realm under the same name.
    #[error("authentication method {0} stands twice")]
    DuplicateMethod(ByteString),
    /// The default realm does not exist.
    #[error("the default realm {0} does not exist")]
    NoDefaultRealm(Uri),
}

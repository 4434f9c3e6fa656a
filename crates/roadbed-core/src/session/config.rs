//! How a client joins.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytestring::ByteString;

use crate::auth::{Credential, Secret};
use crate::error::ConfigError;
use crate::limits::Limits;
use crate::message::RawDict;
use crate::role::{Feature, Role, Roles};
use crate::transport::LivenessConfig;
use crate::uri::{MAX_URI_LENGTH, MatchPolicy, Uri, UriRules};

/// The roles of a client and the features honoured today.
const HONOURED: [(Role, &[Feature]); 4] = [
    (Role::Subscriber, &[Feature::SubscriptionRevocation]),
    (Role::Publisher, &[Feature::PublisherExclusion]),
    (Role::Caller, &[Feature::CallCanceling]),
    (Role::Callee, &[Feature::CallCanceling, Feature::RegistrationRevocation]),
];

/// Keys of HELLO's details that have a field here.
const RESERVED_KEYS: [&str; 6] = ["roles", "agent", "authid", "authrole", "authmethods", "authextra"];

/// How a client joins: realm, roles, credentials, limits.
///
/// ```
/// use roadbed_core::session::ClientConfig;
/// use roadbed_core::uri::Uri;
///
/// let config = ClientConfig::new(Uri::new("realm1")?).authid("joe").ticket("secret!!!").build()?;
/// assert_eq!(config.offered_methods(), ["ticket"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientConfig {
    /// The realm to join; `None` leaves the choice to the router.
    pub realm: Option<Uri>,
    /// The roles announced. Default: all four client roles, with the features implemented.
    pub roles: Roles,
    /// The name and version announced. Default `roadbed/` and the version of this crate.
    pub agent: ByteString,
    /// Whom the client wants to be.
    pub authid: Option<ByteString>,
    /// The role it wants to be given.
    pub authrole: Option<ByteString>,
    /// What the client authenticates with, best first. Default: nothing, which routers take for
    /// anonymous.
    pub credentials: Vec<Credential>,
    /// Methods that the application answers itself, offered after those of `credentials`: the challenge
    /// comes as [`SessionEvent::Challenge`](super::SessionEvent::Challenge).
    pub external_auth_methods: Vec<ByteString>,
    /// `authextra` of HELLO.
    pub authextra: Option<RawDict>,
    /// More keys for HELLO's details.
    pub hello_extra: RawDict,
    /// Bounds and deadlines.
    pub limits: Limits,
    /// When a [`Connection`](crate::connection::Connection) pings its router.
    pub liveness: LivenessConfig,
    /// Whether INVOCATION ids have to be sequential. Default false: deployed routers number them
    /// otherwise.
    pub strict_ids: bool,
    /// Whether the application has to accept each WELCOME (or veto it). Default false.
    pub confirm_welcome: bool,
    /// Whether the transport stays after GOODBYE, for another `join`. Default false: it closes.
    pub stay_attached: bool,
    /// Whether a ticket may go over a transport that others can read. Default false.
    pub allow_insecure_ticket: bool,
}

macro_rules! setters {
    ($($name:ident: $type:ty),* $(,)?) => {$(
        #[doc = concat!("Sets [`ClientConfig::", stringify!($name), "`].")]
        #[must_use]
        pub fn $name(mut self, value: $type) -> Self {
            self.$name = value;
            self
        }
    )*};
}

impl ClientConfig {
    /// Joins `realm`, with every default.
    pub fn new(realm: Uri) -> Self {
        Self { realm: Some(realm), ..Self::without_realm() }
    }

    /// Joins the realm that the router chooses, with every default.
    pub fn without_realm() -> Self {
        Self {
            realm: None,
            roles: Self::honoured_roles(),
            agent: ByteString::from_static(concat!("roadbed/", env!("CARGO_PKG_VERSION"))),
            authid: None,
            authrole: None,
            credentials: Vec::new(),
            external_auth_methods: Vec::new(),
            authextra: None,
            hello_extra: RawDict::default(),
            limits: Limits::default(),
            liveness: LivenessConfig::default(),
            strict_ids: false,
            confirm_welcome: false,
            stay_attached: false,
            allow_insecure_ticket: false,
        }
    }

    setters! {
        realm: Option<Uri>, roles: Roles, credentials: Vec<Credential>,
        external_auth_methods: Vec<ByteString>, authextra: Option<RawDict>, hello_extra: RawDict,
        limits: Limits, liveness: LivenessConfig, strict_ids: bool, confirm_welcome: bool,
        stay_attached: bool, allow_insecure_ticket: bool,
    }

    /// Sets [`ClientConfig::agent`].
    #[must_use]
    pub fn agent(mut self, agent: impl Into<ByteString>) -> Self {
        self.agent = agent.into();
        self
    }

    /// Sets [`ClientConfig::authid`].
    #[must_use]
    pub fn authid(mut self, authid: impl Into<ByteString>) -> Self {
        self.authid = Some(authid.into());
        self
    }

    /// Sets [`ClientConfig::authrole`].
    #[must_use]
    pub fn authrole(mut self, authrole: impl Into<ByteString>) -> Self {
        self.authrole = Some(authrole.into());
        self
    }

    /// Offers to come in as anybody, after what was offered before.
    #[must_use]
    pub fn anonymous(mut self) -> Self {
        self.credentials.push(Credential::Anonymous);
        self
    }

    /// Offers a ticket, after what was offered before. It needs an authid.
    #[must_use]
    pub fn ticket(mut self, ticket: impl Into<Secret>) -> Self {
        self.credentials.push(Credential::Ticket(ticket.into()));
        self
    }

    /// Offers a method that the application answers itself, after what was offered before.
    #[must_use]
    pub fn external_auth_method(mut self, method: impl Into<ByteString>) -> Self {
        self.external_auth_methods.push(method.into());
        self
    }

    /// Every client role with the features that this crate honours.
    pub fn honoured_roles() -> Roles {
        HONOURED.iter().fold(Roles::NONE, |roles, (role, features)| roles.with(*role, features))
    }

    /// The names of the methods offered in HELLO, best first.
    pub fn offered_methods(&self) -> Vec<ByteString> {
        let built_in = self.credentials.iter().map(|credential| ByteString::from_static(credential.method()));
        built_in.chain(self.external_auth_methods.iter().cloned()).collect()
    }

    /// Checks the configuration and makes it shareable.
    ///
    /// # Errors
    /// [`ConfigError`] names the first thing that cannot work.
    pub fn build(self) -> Result<Arc<Self>, ConfigError> {
        self.check()?;
        Ok(Arc::new(self))
    }

    /// Checks that every limit is in its range, that what is announced is implemented, and that the
    /// credentials are complete.
    ///
    /// # Errors
    /// [`ConfigError`] names the first thing that cannot work.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.limits.check()?;
        if let Some(realm) = &self.realm {
            let checked = realm.check(UriRules::Loose, MatchPolicy::Exact, MAX_URI_LENGTH);
            checked.map_err(ConfigError::Realm)?;
        }
        self.check_roles()?;
        let needy = self.credentials.iter().find(|credential| credential.needs_authid());
        if let (Some(credential), None) = (needy, &self.authid) {
            return Err(ConfigError::AuthidMissing(String::from(credential.method())));
        }
        let mut methods = self.offered_methods();
        methods.sort();
        if let Some([method, _]) = methods.windows(2).find(|pair| matches!(pair, [a, b] if a == b)) {
            return Err(ConfigError::DuplicateMethod(String::from(&**method)));
        }
        match self.hello_extra.keys().find(|key| RESERVED_KEYS.contains(key)) {
            Some(key) => Err(ConfigError::ReservedKey(String::from(key))),
            None => Ok(()),
        }
    }

    fn check_roles(&self) -> Result<(), ConfigError> {
        if self.roles.is_empty() {
            return Err(ConfigError::NoRole);
        }
        for role in self.roles.iter() {
            let Some((_, honoured)) = HONOURED.iter().find(|(known, _)| *known == role) else {
                return Err(ConfigError::ForeignRole(role));
            };
            if let Some(feature) = self.roles.features(role).find(|feature| !honoured.contains(feature)) {
                return Err(ConfigError::FeatureNotHonoured { role, feature });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> ClientConfig {
        ClientConfig::new(Uri::from_static("realm1"))
    }

    #[test]
    fn what_cannot_work_is_named() {
        config().check().unwrap();
        ClientConfig::without_realm().check().unwrap();
        let progress = Roles::NONE.with(Role::Caller, &[Feature::ProgressiveCallResults]);
        let mut reserved = RawDict::default();
        reserved.set("roles", &1).unwrap();
        for (config, error) in [
            (config().realm(Some(Uri::from_static("a b"))), "the realm is no URI: "),
            (config().roles(Roles::NONE), "no role is announced"),
            (
                config().roles(Roles::NONE.with(Role::Broker, &[])),
                "the broker role belongs to the other side",
            ),
            (config().roles(progress), "progressive_call_results of the caller role is not implemented"),
            (config().ticket("t"), "authentication method \"ticket\" needs an authid"),
            (config().anonymous().anonymous(), "authentication method \"anonymous\" is offered twice"),
            (config().hello_extra(reserved), "key \"roles\" is set by a field of its own"),
            (config().limits(Limits::default().depth(0)), "limit depth is 0"),
        ] {
            let text = alloc::string::ToString::to_string(&config.build().unwrap_err());
            assert!(text.starts_with(error), "{text}");
        }
    }

    #[test]
    fn methods_are_offered_in_order() {
        let config = config().authid("joe").ticket("t").anonymous().external_auth_method("x_otp");
        assert_eq!(config.offered_methods(), ["ticket", "anonymous", "x_otp"]);
    }
}

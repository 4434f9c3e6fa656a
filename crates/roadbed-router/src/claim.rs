//! What a client claims in HELLO, and what follows from it.

use std::sync::Arc;

use bytestring::ByteString;
use roadbed_core::error::uris;
use roadbed_core::id::SessionId;
use roadbed_core::message::{Challenge, Hello, RawDict, Welcome, WelcomeDetails};
use roadbed_core::role::{Feature, Role, Roles};
use roadbed_core::transport::TransportDetails;
use roadbed_core::uri::Uri;

use crate::auth::Way;
use crate::auth::{AuthMethod, Grant};
use crate::config::RouterConfig;
use crate::events::{AuthenticationRequest, Response};
use crate::identity::SessionInfo;
use crate::names::{DecisionId, PeerId, ShardId};
use crate::text::{detach_text, short_text};

/// What a client said in HELLO, as far as it is needed later. Nothing of it is proven.
pub(crate) struct Claim {
    pub(crate) realm: Uri,
    /// Whether the realm has a configuration; otherwise it is made for its first session.
    pub(crate) is_listed: bool,
    /// Where the realm is.
    pub(crate) shard: ShardId,
    /// Whether the router chose the realm.
    is_realm_assigned: bool,
    roles: Roles,
    agent: Option<ByteString>,
    pub(crate) authid: Option<ByteString>,
    authrole: Option<ByteString>,
    authextra: Option<RawDict>,
    pub(crate) method: AuthMethod,
}

/// Why a peer is not let in.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) reason: Uri,
    pub(crate) message: ByteString,
}

impl Refusal {
    pub(crate) fn new(reason: &Uri, message: impl Into<ByteString>) -> Self {
        Self { reason: reason.clone(), message: message.into() }
    }

    pub(crate) fn no_realm(realm: &Uri) -> Self {
        Self::new(&uris::NO_SUCH_REALM, short_text(&format!("realm {realm} does not exist")))
    }

    pub(crate) fn shutdown() -> Self {
        Self::new(&uris::SYSTEM_SHUTDOWN, "the router shuts down")
    }
}

/// What follows from what a peer or the driver said.
pub(crate) enum Verdict {
    /// Send CHALLENGE and wait for AUTHENTICATE.
    Challenge(Box<Claim>, Challenge),
    /// Ask the driver.
    Ask(Box<Claim>, Option<Response>),
    /// Let the peer in.
    Join(Box<Claim>, Grant),
    /// Send ABORT.
    Refuse(Refusal),
}

impl Claim {
    /// The claim of a peer that the driver vouches for.
    pub(crate) fn trusted(hello: &Hello, realm: Uri, way: &Way<'_>, roles: Roles) -> Self {
        let method = AuthMethod::Dynamic { method: ByteString::from_static("trusted") };
        Self::new(hello, realm, way, roles, method)
    }

    pub(crate) fn new(hello: &Hello, realm: Uri, way: &Way<'_>, roles: Roles, method: AuthMethod) -> Self {
        let details = &hello.details;
        Self {
            realm,
            is_listed: way.is_listed,
            shard: way.shard,
            is_realm_assigned: hello.realm.is_none(),
            roles,
            agent: details.agent.as_deref().map(short_text),
            authid: details.authid.as_ref().map(detach_text),
            authrole: details.authrole.as_ref().map(detach_text),
            // Only the driver has a use for it.
            authextra: details
                .authextra
                .as_ref()
                .filter(|_| matches!(method, AuthMethod::Dynamic { .. }))
                .map(RawDict::detach),
            method,
        }
    }

    /// The question to the driver.
    pub(crate) fn question(
        &self,
        decision: DecisionId,
        transport: &Arc<TransportDetails>,
        response: Option<Response>,
    ) -> AuthenticationRequest {
        AuthenticationRequest {
            decision,
            realm: self.realm.clone(),
            method: self.method(),
            authid: self.authid.clone(),
            authrole: self.authrole.clone(),
            authextra: self.authextra.clone(),
            transport: Arc::clone(transport),
            response,
        }
    }

    /// The name of the method in use.
    pub(crate) fn method(&self) -> ByteString {
        ByteString::from(self.method.name())
    }

    /// The session of a peer that is let in, and the WELCOME that tells it.
    pub(crate) fn welcome(
        self,
        peer: PeerId,
        id: SessionId,
        grant: Grant,
        config: &RouterConfig,
    ) -> (SessionInfo, Welcome) {
        let authmethod = self.method();
        let info = SessionInfo {
            id,
            peer,
            realm: self.realm,
            authid: grant.authid,
            authrole: grant.authrole,
            authmethod,
            authprovider: grant.authprovider,
            agent: self.agent,
            roles: self.roles,
        };
        let mut details = WelcomeDetails::default();
        details.realm = self.is_realm_assigned.then(|| info.realm.clone());
        details.roles = Some(announced());
        details.agent = config.agent.clone();
        details.authid = Some(info.authid.clone());
        details.authrole = Some(info.authrole.clone());
        details.authmethod = Some(info.authmethod.clone());
        details.authprovider = Some(info.authprovider.clone());
        details.authextra = grant.authextra;
        let welcome = Welcome { session: info.id, details: details.into() };
        (info, welcome)
    }
}

/// What this router honours today.
fn announced() -> Roles {
    Roles::NONE
        .with(Role::Broker, &[Feature::SubscriberBlackwhiteListing, Feature::PublisherExclusion])
        .with(Role::Dealer, &[Feature::CallCanceling])
}

/// What WELCOME can do without, for peers that accept only small messages: one more step each time.
pub(crate) const SHORTER: [fn(&mut WelcomeDetails); 5] = [
    |details| details.agent = None,
    |details| {
        details.authprovider = None;
        details.authmethod = None;
    },
    |details| details.roles = Some(Roles::NONE.with(Role::Broker, &[]).with(Role::Dealer, &[])),
    |details| {
        details.authid = None;
        details.authrole = None;
    },
    |details| details.authextra = None,
];

//! Everything before WELCOME: HELLO, the choice of a method, proof, refusal.
//!
//! The gate knows no session and no table of a realm. What it lets through is a [`SessionInfo`]; what
//! it keeps for a peer is a [`Gated`].

use std::sync::Arc;

use bytestring::ByteString;
use roadbed_core::error::uris;
use roadbed_core::id::SessionId;
use roadbed_core::message::{Authenticate, Challenge, Hello, HelloDetails, RawDict, Welcome, WelcomeDetails};
use roadbed_core::role::{Feature, Role, Roles};
use roadbed_core::transport::TransportDetails;
use roadbed_core::uri::Uri;

use crate::auth::{AuthMethod, Authentication, Grant};
use crate::config::RouterConfig;
use crate::events::{AuthenticationRequest, Response};
use crate::ids::{Random, SessionIds};
use crate::names::{DecisionId, PeerId};
use crate::session::SessionInfo;
use crate::text::{detach_text, short_text};
use crate::uris::{Names, check};

/// What a client said in HELLO, as far as it is needed later. Nothing of it is proven.
pub(crate) struct Claim {
    pub(crate) realm: Uri,
    /// Whether the router chose the realm.
    is_realm_assigned: bool,
    roles: Roles,
    agent: Option<ByteString>,
    authid: Option<ByteString>,
    authrole: Option<ByteString>,
    authextra: Option<RawDict>,
    method: AuthMethod,
}

/// What the gate waits for.
pub(crate) enum Gated {
    /// HELLO.
    Hello(After),
    /// AUTHENTICATE.
    Proof(Box<Claim>),
    /// The driver's answer to a question.
    Decision(Box<Claim>),
}

/// What came before the HELLO that is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Nothing: it is the first.
    Nothing,
    /// GOODBYE.
    Goodbye,
    /// A HELLO that was refused.
    Refusal,
}

/// Why a peer is not let in.
pub(crate) struct Refusal {
    pub(crate) reason: Uri,
    pub(crate) message: ByteString,
}

impl Refusal {
    pub(crate) fn new(reason: &Uri, message: impl Into<ByteString>) -> Self {
        Self { reason: reason.clone(), message: message.into() }
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

/// What leads into the realms, and the ids of those let in.
pub(crate) struct Gate {
    config: Arc<RouterConfig>,
    pub(crate) ids: SessionIds,
}

impl Gate {
    pub(crate) fn new(config: Arc<RouterConfig>, random: Random) -> Self {
        Self { config, ids: SessionIds::new(random) }
    }

    /// The realm that HELLO asks for; or why it cannot be had. Where the path of the WebSocket leads to a
    /// realm, no other can be joined.
    pub(crate) fn realm(&self, hello: &Hello, transport: &TransportDetails) -> Result<Uri, Refusal> {
        let bound = transport.request.as_ref().and_then(|request| request.realm());
        match (bound, &hello.realm) {
            (Some(bound), None) => return Ok(bound.clone()),
            (Some(bound), Some(realm)) if bound != realm => {
                let message = "the path of this connection leads to another realm";
                return Err(Refusal::new(&uris::NO_SUCH_REALM, message));
            }
            _ => {}
        }
        let Some(realm) = &hello.realm else {
            let message = "the router chooses no realm for clients that name none";
            let missing = || Refusal::new(&uris::NO_SUCH_REALM, message);
            return self.config.default_realm.clone().ok_or_else(missing);
        };
        match check(realm, Names::Resource(self.config.uri_rules), &self.config.limits) {
            Ok(()) => Ok(realm.detach()),
            Err(error) => Err(Refusal::new(&uris::INVALID_URI, format!("realm: {error}"))),
        }
    }

    /// HELLO for a realm that exists, or can be made.
    pub(crate) fn hello(
        &mut self,
        hello: &Hello,
        realm: Uri,
        roles: Roles,
        authentication: &Authentication,
        transport: &TransportDetails,
    ) -> Verdict {
        let details = &hello.details;
        if let Err(refusal) = self.check_identities(details) {
            return Verdict::Refuse(refusal);
        }
        let method =
            match self.choose(&details.authmethods, details.authid.is_some(), authentication, transport) {
                Ok(method) => method.clone(),
                Err(refusal) => return Verdict::Refuse(refusal),
            };
        let claim = Box::new(Claim::new(hello, realm, roles, method));
        match &claim.method {
            AuthMethod::Anonymous { authrole } => {
                let grant = Grant {
                    authid: self.ids.token(),
                    authrole: authrole.clone(),
                    authprovider: ByteString::from_static("static"),
                    authextra: None,
                };
                Verdict::Join(claim, grant)
            }
            // Somebody unknown is challenged as well: the answer must not tell who exists.
            AuthMethod::Ticket(_) => {
                let method = ByteString::from_static("ticket");
                Verdict::Challenge(claim, Challenge { method, extra: RawDict::default() })
            }
            AuthMethod::Dynamic { .. } => Verdict::Ask(claim, None),
        }
    }

    /// Identities are kept until WELCOME, and shown to the driver: they are as short as names are.
    fn check_identities(&self, details: &HelloDetails) -> Result<(), Refusal> {
        let limit = self.config.limits.identity_length;
        let methods = details.authmethods.iter().flatten().map(|method| ("an authmethod", method));
        let names = [("authid", &details.authid), ("authrole", &details.authrole)];
        let names = names.into_iter().filter_map(|(what, name)| Some((what, name.as_ref()?))).chain(methods);
        for (what, name) in names {
            if name.len() > limit {
                let text = format!("{what} has {} bytes, the limit identity_length is {limit}", name.len());
                return Err(Refusal::new(&uris::INVALID_ARGUMENT, text));
            }
        }
        Ok(())
    }

    /// AUTHENTICATE, after CHALLENGE.
    pub(crate) fn authenticate(&self, claim: Box<Claim>, proof: &Authenticate) -> Verdict {
        let AuthMethod::Ticket(table) = &claim.method else {
            let signature = detach_text(proof.signature.as_text());
            return Verdict::Ask(claim, Some(Response { signature, extra: proof.extra.detach() }));
        };
        let authid = claim.authid.clone().unwrap_or_default();
        match table.check(&authid, &proof.signature) {
            Some(authrole) => {
                let authprovider = ByteString::from_static("static");
                Verdict::Join(claim, Grant { authid, authrole, authprovider, authextra: None })
            }
            None => Verdict::Refuse(Refusal::new(&uris::AUTHENTICATION_DENIED, "the ticket is not valid")),
        }
    }

    /// Draws the session of a peer that is let in, and says WELCOME to it.
    pub(crate) fn welcome(&mut self, peer: PeerId, claim: Claim, grant: Grant) -> (SessionInfo, Welcome) {
        let info = SessionInfo {
            id: self.ids.draw(),
            peer,
            realm: claim.realm,
            authid: grant.authid,
            authrole: grant.authrole,
            authmethod: ByteString::from(claim.method.name()),
            authprovider: grant.authprovider,
            agent: claim.agent,
            roles: claim.roles,
        };
        let mut details = WelcomeDetails::default();
        details.realm = claim.is_realm_assigned.then(|| info.realm.clone());
        details.roles = Some(announced());
        details.agent = self.config.agent.clone();
        details.authid = Some(info.authid.clone());
        details.authrole = Some(info.authrole.clone());
        details.authmethod = Some(info.authmethod.clone());
        details.authprovider = Some(info.authprovider.clone());
        details.authextra = grant.authextra;
        let welcome = Welcome { session: info.id, details: details.into() };
        (info, welcome)
    }

    /// The session ended: its id may be drawn again.
    pub(crate) fn release(&mut self, session: SessionId) {
        self.ids.release(session);
    }

    /// The first way in that the client offers and that its transport is fit for.
    fn choose<'a>(
        &self,
        offered: &Option<Vec<ByteString>>,
        has_authid: bool,
        authentication: &'a Authentication,
        transport: &TransportDetails,
    ) -> Result<&'a AuthMethod, Refusal> {
        let offered = offered.as_deref().unwrap_or_default();
        let offers = |name: &str| {
            if offered.is_empty() { name == "anonymous" } else { offered.iter().any(|offer| *offer == name) }
        };
        let is_private = transport.is_private() || self.config.allow_insecure_ticket;
        let mut obstacle = None;
        for method in authentication.methods().iter().filter(|method| offers(method.name())) {
            if method.name() != "ticket" {
                return Ok(method);
            }
            if !is_private {
                obstacle = Some("a ticket must not be sent over a transport that others can read");
            } else if !has_authid && matches!(method, AuthMethod::Ticket(_)) {
                obstacle = Some("a ticket needs an authid");
            } else {
                return Ok(method);
            }
        }
        if let Some(obstacle) = obstacle {
            return Err(Refusal::new(&uris::NO_MATCHING_AUTH_METHOD, obstacle));
        }
        if offered.iter().all(|offer| *offer == "anonymous") {
            let message = "anonymous clients are not accepted here";
            return Err(Refusal::new(&uris::AUTHENTICATION_REQUIRED, message));
        }
        let message = "none of the offered authentication methods is accepted here";
        Err(Refusal::new(&uris::NO_MATCHING_AUTH_METHOD, message))
    }
}

impl Claim {
    /// The claim of a peer that the driver vouches for.
    pub(crate) fn trusted(hello: &Hello, realm: Uri, roles: Roles) -> Self {
        let method = AuthMethod::Dynamic { method: ByteString::from_static("trusted") };
        Self::new(hello, realm, roles, method)
    }

    fn new(hello: &Hello, realm: Uri, roles: Roles, method: AuthMethod) -> Self {
        let details = &hello.details;
        Self {
            realm,
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
            method: ByteString::from(self.method.name()),
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

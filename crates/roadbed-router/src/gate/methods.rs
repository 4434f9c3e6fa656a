//! Which realm HELLO leads to, and which authentication method is used there.

use bytestring::ByteString;
use roadbed_core::error::uris;
use roadbed_core::message::{Authenticate, Challenge, Hello, HelloDetails, RawDict};
use roadbed_core::role::Roles;
use roadbed_core::transport::TransportDetails;
use roadbed_core::uri::Uri;

use crate::auth::Way;
use crate::auth::{AuthMethod, Authentication, Grant};
use crate::claim::{Claim, Refusal, Verdict};
use crate::config::RouterConfig;
use crate::events::Response;
use crate::text::detach_text;
use crate::uris::{Names, check};

/// The realm that HELLO asks for; or why it cannot be had. Where the path of the WebSocket leads to a
/// realm, no other can be joined.
pub(super) fn realm(
    config: &RouterConfig,
    hello: &Hello,
    transport: &TransportDetails,
) -> Result<Uri, Refusal> {
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
        return config.default_realm.clone().ok_or_else(missing);
    };
    match check(realm, Names::Resource(config.uri_rules), &config.limits) {
        Ok(()) => Ok(realm.detach()),
        Err(error) => Err(Refusal::new(&uris::INVALID_URI, format!("realm: {error}"))),
    }
}

/// HELLO for a realm that exists, or can be made.
pub(super) fn hello(
    config: &RouterConfig,
    hello: &Hello,
    realm: Uri,
    roles: Roles,
    way: &Way<'_>,
    transport: &TransportDetails,
) -> Verdict {
    let details = &hello.details;
    if let Err(refusal) = check_identities(config, details) {
        return Verdict::Refuse(refusal);
    }
    let has_authid = details.authid.is_some();
    let method = match choose(config, &details.authmethods, has_authid, way.authentication, transport) {
        Ok(method) => method.clone(),
        Err(refusal) => return Verdict::Refuse(refusal),
    };
    let claim = Box::new(Claim::new(hello, realm, way, roles, method));
    match &claim.method {
        AuthMethod::Anonymous { authrole } => {
            let grant = Grant {
                // The lobby draws it.
                authid: ByteString::new(),
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

/// AUTHENTICATE, after CHALLENGE.
pub(super) fn authenticate(claim: Box<Claim>, proof: &Authenticate) -> Verdict {
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

/// Identities are kept until WELCOME, and shown to the driver: they are as short as names are.
fn check_identities(config: &RouterConfig, details: &HelloDetails) -> Result<(), Refusal> {
    let limit = config.limits.identity_length;
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

/// The first way in that the client offers and that its transport is fit for.
fn choose<'a>(
    config: &RouterConfig,
    offered: &Option<Vec<ByteString>>,
    has_authid: bool,
    authentication: &'a Authentication,
    transport: &TransportDetails,
) -> Result<&'a AuthMethod, Refusal> {
    let offered = offered.as_deref().unwrap_or_default();
    let offers = |name: &str| {
        if offered.is_empty() { name == "anonymous" } else { offered.iter().any(|offer| *offer == name) }
    };
    let is_private = transport.is_private() || config.allow_insecure_ticket;
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

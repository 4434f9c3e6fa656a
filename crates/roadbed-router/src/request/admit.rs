//! The first step of a request: what can be said about it without looking at any table.

use roadbed_core::error::{PayloadError, ProtocolViolation, ViolationKind, uris};
use roadbed_core::id::RequestId;
use roadbed_core::message::{MessageType, PassThru};
use roadbed_core::options::{InvokePolicy, RegisterOptions};
use roadbed_core::payload::Payload;
use roadbed_core::uri::{MatchPolicy, Uri};

use super::{Action, Denial, Request};
use crate::config::{PayloadPolicy, RouterConfig};
use crate::context::Context;
use crate::keys::SessionKey;
use crate::stats::count;
use crate::uris::{Names, check};

impl Context<'_> {
    /// Admits a request of a session: its id and order, its URI and options, its payload, and the limits of the
    /// session that need no table. A violation ends the session.
    pub(crate) fn admit(
        &mut self,
        key: SessionKey,
        id: RequestId,
        request: &Request,
    ) -> Result<Result<(), Box<Denial>>, ProtocolViolation> {
        let kind = request.verb().message_type();
        let Some(session) = self.sessions.get_mut(key) else {
            return Ok(Err(Denial::new(&uris::CANCELED, "the session has ended")));
        };
        let is_call = if let Action::Call(options) = &request.action {
            if options.progress == Some(true) {
                let feature = ViolationKind::NotAnnounced("progressive_call_invocations");
                return Err(ProtocolViolation::new(Some(kind), feature));
            }
            session.check_fresh(id)?;
            true
        } else {
            false
        };
        session.begin(kind, id, self.config.strict_ids)?;
        if let Err(denial) =
            check_content(self.config, self.payloads, &request.action, &request.uri, &request.payload)?
        {
            return Ok(Err(denial));
        }
        let limit = self.config.limits.pending_calls;
        if is_call && session.open_calls() >= limit {
            count(&mut self.out.counters.calls_unavailable);
            return Ok(Err(Denial::limit("pending_calls", limit)));
        }
        Ok(Ok(()))
    }
}

/// Checks what a request says, of any origin.
pub(crate) fn check_content(
    config: &RouterConfig,
    payloads: PayloadPolicy,
    action: &Action,
    uri: &Uri,
    payload: &Payload,
) -> Result<Result<(), Box<Denial>>, ProtocolViolation> {
    // A reserved name can be called and subscribed to, but not taken.
    let is_reserved_allowed = matches!(action, Action::Call(_) | Action::Subscribe(_));
    let check_uri = || check_uri(config, uri, is_reserved_allowed);
    let check_payload = |what| check_payload(payloads, payload).map_err(|error| Denial::payload(what, error));
    Ok(match action {
        Action::Call(options) => {
            check_passthru(MessageType::Call, &options.passthru)?;
            check_uri()
                .and_then(|()| check_disclosure(options.disclose_me, "callers"))
                .and_then(|()| check_payload("call"))
        }
        Action::Publish(options) => {
            check_passthru(MessageType::Publish, &options.passthru)?;
            check_uri()
                .and_then(|()| check_disclosure(options.disclose_me, "publishers"))
                .and_then(|()| check_payload("publication"))
        }
        Action::Subscribe(options) => match options.match_policy {
            Some(policy @ (MatchPolicy::Prefix | MatchPolicy::Wildcard)) => {
                let text = format!("option match: {} is not supported by this router", policy.name());
                Err(Denial::new(&uris::OPTION_NOT_ALLOWED, text))
            }
            _ => check_uri(),
        },
        Action::Register(options) => match unsupported(options) {
            Some(text) => Err(Denial::new(&uris::OPTION_NOT_ALLOWED, text)),
            None => check_uri(),
        },
    })
}

/// Nobody is disclosed who asks for it.
fn check_disclosure(disclose_me: Option<bool>, who: &str) -> Result<(), Box<Denial>> {
    if disclose_me != Some(true) {
        return Ok(());
    }
    let text = format!("{who} are not disclosed by this router");
    Err(Denial::new(&uris::OPTION_DISALLOWED_DISCLOSE_ME, text))
}

/// Checks a URI. `wamp.…` names are the specification's: nobody publishes or registers them.
fn check_uri(config: &RouterConfig, uri: &Uri, is_reserved_allowed: bool) -> Result<(), Box<Denial>> {
    let names = Names::Resource(config.uri_rules);
    if let Err(error) = check(uri, names, &config.limits) {
        return Err(Denial::new(&uris::INVALID_URI, error.to_string()));
    }
    if !is_reserved_allowed && (*uri == "wamp" || uri.as_str().starts_with("wamp.")) {
        return Err(Denial::new(&uris::INVALID_URI, "URIs that begin with wamp are reserved"));
    }
    Ok(())
}

/// Checks that a payload may travel in a realm.
pub(crate) fn check_payload(policy: PayloadPolicy, payload: &Payload) -> Result<(), PayloadError> {
    match policy {
        PayloadPolicy::Pass => payload.check(),
        PayloadPolicy::Portable => payload.check_portable(),
    }
}

/// Sealed payloads were not announced by this router, so nobody may send them to it.
pub(crate) fn check_passthru(message: MessageType, passthru: &PassThru) -> Result<(), ProtocolViolation> {
    let Some(set) = passthru.attributes() else { return Ok(()) };
    let is_ppt = set.ppt_scheme.is_some()
        || set.ppt_serializer.is_some()
        || set.ppt_cipher.is_some()
        || set.ppt_keyid.is_some();
    let is_enc = set.enc_algo.is_some() || set.enc_key.is_some() || set.enc_serializer.is_some();
    let feature = match (is_ppt, is_enc) {
        (true, _) => "payload_passthru_mode",
        (false, true) => "payload_transparency",
        (false, false) => return Ok(()),
    };
    Err(ProtocolViolation::new(Some(message), ViolationKind::NotAnnounced(feature)))
}

/// The option of REGISTER that this router does not support and must not pass over: the callee would
/// get invocations that it did not ask for, or not those it did.
fn unsupported(options: &RegisterOptions) -> Option<String> {
    let name = match options {
        RegisterOptions { match_policy: Some(MatchPolicy::Prefix | MatchPolicy::Wildcard), .. } => {
            "match other than exact"
        }
        RegisterOptions { invoke: Some(invoke), .. } if *invoke != InvokePolicy::Single => {
            "invoke other than single"
        }
        RegisterOptions { concurrency: Some(_), .. } => "concurrency",
        RegisterOptions { force_reregister: Some(true), .. } => "force_reregister",
        RegisterOptions { disclose_caller: Some(true), .. } => "disclose_caller",
        _ => return None,
    };
    Some(format!("option {name} is not supported by this router"))
}

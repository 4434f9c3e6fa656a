//! From HELLO to WELCOME: what the gate decides is carried out here.

use std::sync::Arc;

use roadbed_core::error::{CloseReason, ProtocolViolation, uris};
use roadbed_core::message::{Hello, Message, MessageType};
use roadbed_core::role::{Role, Roles};
use roadbed_core::time::Timestamp;

use super::Router;
use crate::auth::Grant;
use crate::events::{NotAwaited, RouterEvent};
use crate::gate::{After, Claim, Gated, Refusal, Verdict};
use crate::keys::PeerKey;
use crate::names::DecisionId;
use crate::peer::{Asked, Stage};
use crate::stats::count;
use crate::text::short_text;

/// A client has at least one of these (basic profile, "Client: Role and Feature Announcement").
const CLIENT_ROLES: [Role; 4] = [Role::Publisher, Role::Subscriber, Role::Caller, Role::Callee];

impl Router {
    /// The claim that the driver decided on, and its peer.
    pub(super) fn decided(
        &mut self,
        now: Timestamp,
        decision: DecisionId,
    ) -> Result<(PeerKey, Box<Claim>), NotAwaited> {
        self.advance(now);
        let key = self.key(decision.peer).ok_or(NotAwaited)?;
        let peer = self.peers.get_mut(key).ok_or(NotAwaited)?;
        if peer.round != decision.round {
            return Err(NotAwaited);
        }
        match std::mem::replace(&mut peer.stage, Stage::Ended) {
            Stage::Gated(Gated::Decision(claim)) => Ok((key, claim)),
            other => {
                peer.stage = other;
                Err(NotAwaited)
            }
        }
    }

    /// A message before WELCOME.
    pub(super) fn gated(&mut self, key: PeerKey, message: Message) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        let Stage::Gated(gated) = std::mem::replace(&mut peer.stage, Stage::Ended) else { return };
        match (gated, message) {
            (Gated::Hello(after), Message::Hello(hello)) => {
                if after != After::Nothing {
                    peer.begin_share(self.config.limits.handshake_timeout, &mut self.out);
                }
                self.hello(key, &hello);
            }
            (Gated::Proof(claim), Message::Authenticate(proof)) => {
                let verdict = self.gate.authenticate(claim, &proof);
                self.apply(key, verdict);
            }
            (_, Message::Abort(abort)) => self.aborted(key, &abort),
            (gated, Message::Unknown(_)) => {
                peer.stage = Stage::Gated(gated);
                count(&mut self.out.counters.ignored_messages);
            }
            (gated, other) => {
                let message_type = other.message_type().unwrap_or(MessageType::Hello);
                let has_just_left = matches!(gated, Gated::Hello(After::Goodbye));
                if has_just_left && self.crosses(message_type) {
                    if let Some(peer) = self.peers.get_mut(key) {
                        peer.stage = Stage::Gated(gated);
                    }
                    return;
                }
                let state = "before the session was established";
                self.violated(key, ProtocolViolation::unexpected(message_type, state));
            }
        }
    }

    fn hello(&mut self, key: PeerKey, hello: &Hello) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        peer.asked = Some(Box::new(Asked::new(hello, self.config.limits.uri_length)));
        let is_client = |roles: &Roles| CLIENT_ROLES.iter().any(|&role| roles.has(role));
        let Some(roles) = hello.details.roles.filter(is_client) else {
            let state = "without a role of a client";
            self.violated(key, ProtocolViolation::unexpected(MessageType::Hello, state));
            return;
        };
        let realm = match self.gate.realm(hello, &peer.transport) {
            Ok(realm) => realm,
            Err(refusal) => return self.apply(key, Verdict::Refuse(refusal)),
        };
        let trusted = peer.trusted.as_deref().cloned();
        let existing = self.realm_keys.get(&realm).and_then(|&slot| self.realms.get(slot));
        let authentication = match existing {
            Some(realm) => Some(&realm.authentication),
            None => self.config.auto_create.as_ref(),
        };
        let verdict = match (authentication, trusted) {
            (Some(_), Some(grant)) => Verdict::Join(Box::new(Claim::trusted(hello, realm, roles)), grant),
            (Some(authentication), None) => {
                self.gate.hello(hello, realm, roles, authentication, &peer.transport)
            }
            (None, _) => {
                let message = format!("realm {realm} does not exist");
                Verdict::Refuse(Refusal::new(&uris::NO_SUCH_REALM, short_text(&message)))
            }
        };
        self.apply(key, verdict);
    }

    pub(super) fn apply(&mut self, key: PeerKey, verdict: Verdict) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        match verdict {
            Verdict::Challenge(claim, challenge) => match self.out.reply(peer.queue, challenge) {
                Ok(()) => {
                    peer.stage = Stage::Gated(Gated::Proof(claim));
                    peer.resume_share(&mut self.out);
                }
                Err(_) => {
                    let refusal = Refusal::new(&uris::AUTHENTICATION_FAILED, "the challenge cannot be sent");
                    self.refuse(key, refusal, CloseReason::Local);
                }
            },
            Verdict::Ask(claim, response) => {
                peer.round = peer.round.saturating_add(1);
                peer.pause_share(self.config.limits.decision_timeout, &mut self.out);
                let decision = DecisionId { peer: peer.id, round: peer.round };
                let question = claim.question(decision, &peer.transport, response);
                peer.stage = Stage::Gated(Gated::Decision(claim));
                self.out.events.push_back(RouterEvent::Authenticate(Box::new(question)));
            }
            Verdict::Join(claim, grant) => self.join(key, *claim, grant),
            Verdict::Refuse(refusal) => self.turn_away(key, refusal),
        }
    }

    /// Establishes a session. It enters the tables of its realm only after WELCOME is queued.
    fn join(&mut self, key: PeerKey, claim: Claim, grant: Grant) {
        let slot = match self.realm_keys.get(&claim.realm) {
            Some(&slot) => slot,
            None => self.open_realm(claim.realm.clone(), true),
        };
        let Some(peer) = self.peers.get_mut(key) else { return };
        let (info, welcome) = self.gate.welcome(peer.id, claim, grant);
        let info = Arc::new(info);
        if !self.out.welcome(peer.queue, welcome) {
            self.gate.release(info.id);
            self.close_realm_if_done(slot);
            let refusal = Refusal::new(&uris::AUTHENTICATION_FAILED, "the peer does not accept WELCOME");
            return self.refuse(key, refusal, CloseReason::Local);
        }
        let Some(realm) = self.realms.get_mut(slot) else { return };
        let session = realm.attach_joined(Arc::clone(&info), peer.queue);
        peer.asked = None;
        peer.stage = Stage::Joined { realm: slot, session };
        peer.clear_deadline(&mut self.out);
        count(&mut self.out.counters.joined);
        let transport = Arc::clone(&peer.transport);
        self.out.events.push_back(RouterEvent::Joined { peer: peer.id, session: info, transport });
    }
}

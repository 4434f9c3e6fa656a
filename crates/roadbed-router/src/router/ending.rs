//! How sessions and peers end.

use std::sync::Arc;

use bytestring::ByteString;
use roadbed_core::error::{CloseReason, Deadline, ProtocolViolation, uris};
use roadbed_core::message::{Abort, CloseDetails, Goodbye, Message, MessageType, Sparse};
use roadbed_core::payload::Payload;
use roadbed_core::time::Timestamp;
use roadbed_core::uri::Uri;

use super::Router;
use crate::events::RouterEvent;
use crate::gate::{After, Gated, Refusal};
use crate::keys::PeerKey;
use crate::peer::{Asked, Peer, Stage};
use crate::stats::count;
use crate::text::short_text;

impl Router {
    /// A peer said GOODBYE. It is answered once, and may say HELLO again on the same transport.
    pub(super) fn left(&mut self, key: PeerKey, goodbye: &Goodbye) {
        let reason = CloseReason::Goodbye {
            reason: goodbye.reason.detach(),
            message: goodbye.details.message.as_deref().map(short_text),
            by_peer: true,
        };
        self.end_session(key, reason);
        let Some(peer) = self.peers.get_mut(key) else { return };
        let answer = Goodbye { details: Sparse::EMPTY, reason: uris::GOODBYE_AND_OUT.clone() };
        let _ = self.out.reply(peer.queue, answer);
        peer.stage = Stage::Gated(Gated::Hello(After::Goodbye));
        let at = self.out.now.saturating_add(self.config.limits.rejoin_timeout);
        peer.set_deadline(at, Deadline::Rejoin, &mut self.out);
    }

    /// A message of a peer that was sent GOODBYE: its own GOODBYE is the answer, even when the two crossed.
    pub(super) fn leaving(&mut self, key: PeerKey, message: &Message) {
        if !matches!(message, Message::Goodbye(_) | Message::Abort(_)) {
            return;
        }
        let Some(peer) = self.peers.get_mut(key) else { return };
        if let Stage::Leaving(reason) = std::mem::replace(&mut peer.stage, Stage::Ended) {
            peer.clear_deadline(&mut self.out);
            self.out.finish(peer.queue, reason, false);
        }
    }

    /// A peer sent ABORT. That is never answered.
    pub(super) fn aborted(&mut self, key: PeerKey, abort: &Abort) {
        let reason = CloseReason::Abort {
            reason: abort.reason.detach(),
            message: abort.details.message.as_deref().map(short_text),
            payload: Box::default(),
        };
        self.end_session(key, reason.clone());
        self.end_peer(key, reason, true);
    }

    /// A peer sent an ABORT that cannot be read.
    pub(super) fn unreadable_abort(&mut self, key: PeerKey, violation: ProtocolViolation) {
        count(&mut self.out.counters.violations);
        let reason = CloseReason::PeerViolation(violation);
        self.end_session(key, reason.clone());
        self.end_peer(key, reason, true);
    }

    /// Counts a message that belongs to the session which its client has just left: the handler of an invocation
    /// may end while the session is leaving. Says whether it can be one.
    pub(super) fn crosses(&mut self, message: MessageType) -> bool {
        let counters = &mut self.out.counters;
        match message {
            MessageType::Yield | MessageType::Error => count(&mut counters.late_answers),
            MessageType::Cancel => count(&mut counters.late_cancels),
            MessageType::EventReceived => count(&mut counters.ignored_messages),
            _ => return false,
        }
        true
    }

    /// A peer broke the protocol.
    pub(super) fn violated(&mut self, key: PeerKey, violation: ProtocolViolation) {
        count(&mut self.out.counters.violations);
        let text = short_text(&violation.to_string());
        let reason = CloseReason::PeerViolation(violation);
        if self.end_session(key, reason.clone()) {
            self.abort(key, &uris::PROTOCOL_VIOLATION, text);
            self.end_peer(key, reason, false);
        } else {
            self.refuse(key, Refusal::new(&uris::PROTOCOL_VIOLATION, text), reason);
        }
    }

    /// Refuses a HELLO that breaks no rule. The peer may try again on the same transport, a few times.
    pub(super) fn turn_away(&mut self, key: PeerKey, refusal: Refusal) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        peer.refusals = peer.refusals.saturating_add(1);
        let limit = u32::try_from(self.config.limits.join_attempts).unwrap_or(u32::MAX);
        if peer.refusals >= limit {
            return self.refuse(key, refusal, CloseReason::Local);
        }
        peer.stage = Stage::Gated(Gated::Hello(After::Refusal));
        let at = self.out.now.saturating_add(self.config.limits.rejoin_timeout);
        peer.set_deadline(at, Deadline::Rejoin, &mut self.out);
        self.say_no(key, refusal);
    }

    /// Sends ABORT to a peer that has no session, and closes it.
    pub(super) fn refuse(&mut self, key: PeerKey, refusal: Refusal, reason: CloseReason) {
        self.say_no(key, refusal);
        self.end_peer(key, reason, false);
    }

    fn say_no(&mut self, key: PeerKey, refusal: Refusal) {
        let Refusal { reason: uri, message } = refusal;
        count(&mut self.out.counters.refused);
        self.abort(key, &uri, short_text(&message));
        if let Some(Peer { id: peer, transport, asked, .. }) = self.peers.get_mut(key) {
            let (peer, transport) = (*peer, Arc::clone(transport));
            let Asked { realm, authid } = asked.take().map(|asked| *asked).unwrap_or_default();
            let message = short_text(&message);
            self.out.inform(|| RouterEvent::Refused { peer, transport, realm, authid, reason: uri, message });
        }
    }

    fn abort(&mut self, key: PeerKey, reason: &Uri, message: ByteString) {
        let Some(peer) = self.peers.get(key) else { return };
        let words = [(Some(message), reason), (None, reason), (None, &uris::AUTHENTICATION_FAILED)];
        for (message, reason) in words {
            let (details, reason) = (close_details(message), reason.clone());
            let abort = Abort { details, reason, payload: Payload::EMPTY };
            if self.out.reply(peer.queue, abort).is_ok() {
                return;
            }
        }
    }

    /// Nothing from this peer counts any more; what is queued goes out, or is dropped, then `Close`.
    pub(super) fn end_peer(&mut self, key: PeerKey, reason: CloseReason, discard: bool) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        peer.stage = Stage::Ended;
        peer.clear_deadline(&mut self.out);
        self.out.finish(peer.queue, reason, discard);
    }

    /// Ends the session of a peer, if it has one, and says whether it had: the one path for GOODBYE, ABORT,
    /// violations, lost transports, stalled peers, kills and the shutdown. Afterwards no table mentions it.
    pub(super) fn end_session(&mut self, key: PeerKey, reason: CloseReason) -> bool {
        let Some(peer) = self.peers.get_mut(key) else { return false };
        let Stage::Joined { realm: slot, session } = peer.stage else { return false };
        peer.stage = Stage::Ended;
        let (id, transport) = (peer.id, Arc::clone(&peer.transport));
        let Some(realm) = self.realms.get_mut(slot) else { return true };
        if let Some(session) = realm.end(session, &mut self.out) {
            self.gate.release(session.id);
            self.out.events.push_back(RouterEvent::Left { peer: id, session, transport, reason });
        }
        self.close_realm_if_done(slot);
        true
    }

    pub(super) fn say_goodbye(&mut self, key: PeerKey, reason: &Uri, message: &str, deadline: Timestamp) {
        self.let_leave(key);
        let message = short_text(message);
        let close =
            CloseReason::Goodbye { reason: reason.clone(), message: Some(message.clone()), by_peer: false };
        if !self.end_session(key, close.clone()) {
            match self.peers.get(key) {
                // Its last session ended in good order, and no other was asked for: there is nothing to abort.
                Some(peer) if peer.is_between_sessions() => self.end_peer(key, CloseReason::Local, false),
                Some(peer) if matches!(peer.stage, Stage::Gated(_)) => {
                    self.refuse(key, Refusal { reason: reason.clone(), message }, CloseReason::Local);
                }
                _ => {}
            }
            return;
        }
        let Some(peer) = self.peers.get_mut(key) else { return };
        for (message, reason) in [(Some(message), reason), (None, reason), (None, &uris::KILLED)] {
            let (details, reason) = (close_details(message), reason.clone());
            if self.out.reply(peer.queue, Goodbye { details, reason }).is_ok() {
                break;
            }
        }
        peer.stage = Stage::Leaving(close);
        peer.set_deadline(deadline, Deadline::Goodbye, &mut self.out);
    }

    /// Gives a peer that is on its way out no longer than until `deadline`, for its answer to GOODBYE or
    /// for taking what is queued for it.
    pub(super) fn hurry(&mut self, key: PeerKey, deadline: Timestamp) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        if matches!(peer.stage, Stage::Leaving(_)) && peer.deadline().is_some_and(|(at, _)| at > deadline) {
            peer.set_deadline(deadline, Deadline::Goodbye, &mut self.out);
        }
        self.out.hurry(peer.queue, deadline);
    }

    /// A deadline of a peer's session passed.
    pub(super) fn expired(&mut self, key: PeerKey, why: Deadline) {
        let close = CloseReason::Timeout(why);
        match why {
            Deadline::Join => {
                let message = "no session was established in time";
                self.refuse(key, Refusal::new(&uris::TIMEOUT, message), close);
            }
            Deadline::Decision => {
                let message = "it was not decided in time who you are";
                self.refuse(key, Refusal::new(&uris::AUTHENTICATION_FAILED, message), close);
            }
            Deadline::Goodbye => {
                self.end_peer(key, close.clone(), false);
                if let Some(peer) = self.peers.get(key) {
                    self.out.force(peer.queue, close);
                }
            }
            _ => self.end_peer(key, close, false),
        }
    }

    /// A peer takes nothing of what is queued for it.
    pub(super) fn stalled(&mut self, key: PeerKey) {
        count(&mut self.out.counters.stalled);
        let reason = CloseReason::Timeout(Deadline::Stalled);
        self.end_session(key, reason.clone());
        let Some(peer) = self.peers.get_mut(key) else { return };
        peer.stage = Stage::Ended;
        peer.clear_deadline(&mut self.out);
        self.out.force(peer.queue, reason);
    }

    /// Does what realms and queues ask for. That may ask for more.
    pub(super) fn close_overrun(&mut self) {
        while let Some(effect) = self.out.effects.pop_front() {
            self.carry_out(effect);
        }
    }
}

/// What goes with a reason. A peer that accepts only small messages is told less, rather than nothing.
fn close_details(message: Option<ByteString>) -> Sparse<CloseDetails> {
    let mut details = CloseDetails::default();
    details.message = message;
    details.into()
}

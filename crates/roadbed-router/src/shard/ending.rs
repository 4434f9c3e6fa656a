//! How sessions end.

use std::sync::Arc;

use bytestring::ByteString;
use roadbed_core::error::{CloseReason, Deadline, ProtocolViolation, uris};
use roadbed_core::message::{Abort, CloseDetails, Goodbye, Message, Sparse};
use roadbed_core::payload::Payload;
use roadbed_core::time::Timestamp;
use roadbed_core::uri::Uri;

use super::Shard;
use super::seat::Stage;
use crate::events::RouterEvent;
use crate::keys::SeatKey;
use crate::stats::count;
use crate::text::short_text;

impl Shard {
    /// The transport of a peer ended, whoever ended it, or its session did as the peer asked. The session, if there
    /// still is one, ends with it, what is queued is dropped, and the seat is free.
    pub(crate) fn leave(&mut self, now: Timestamp, key: SeatKey, reason: CloseReason) {
        self.advance(now);
        self.end_session(key, reason);
        self.vacate(key);
        self.drained();
        self.carry_out();
    }

    /// A peer said GOODBYE. It is answered once, and may say HELLO again on the same transport.
    pub(super) fn left(&mut self, key: SeatKey, goodbye: &Goodbye) {
        let reason = CloseReason::Goodbye {
            reason: goodbye.reason.detach(),
            message: goodbye.details.message.as_deref().map(short_text),
            by_peer: true,
        };
        self.end_session(key, reason);
        let Some(seat) = self.seats.get_mut(key) else { return };
        let answer = Goodbye { details: Sparse::EMPTY, reason: uris::GOODBYE_AND_OUT.clone() };
        let _ = self.out.reply(seat.queue, answer);
        seat.stage = Stage::Left;
        self.out.leave(seat.queue);
    }

    /// A message of a peer that was sent GOODBYE: its own GOODBYE is the answer, even when the two crossed.
    pub(super) fn leaving(&mut self, key: SeatKey, message: &Message) {
        if !matches!(message, Message::Goodbye(_) | Message::Abort(_)) {
            return;
        }
        let Some(seat) = self.seats.get_mut(key) else { return };
        if let Stage::Leaving(reason) = std::mem::replace(&mut seat.stage, Stage::Ended) {
            seat.clear_deadline(&mut self.out);
            self.out.finish(seat.queue, reason, false);
        }
    }

    /// A peer sent ABORT. That is never answered.
    pub(super) fn aborted(&mut self, key: SeatKey, abort: &Abort) {
        let reason = CloseReason::Abort {
            reason: abort.reason.detach(),
            message: abort.details.message.as_deref().map(short_text),
            payload: Box::default(),
        };
        self.end_session(key, reason.clone());
        self.end_seat(key, reason, true);
    }

    /// A peer sent an ABORT that cannot be read.
    pub(super) fn unreadable_abort(&mut self, key: SeatKey, violation: ProtocolViolation) {
        count(&mut self.out.counters.violations);
        let reason = CloseReason::PeerViolation(violation);
        self.end_session(key, reason.clone());
        self.end_seat(key, reason, true);
    }

    /// A peer broke the protocol.
    pub(super) fn violated(&mut self, key: SeatKey, violation: ProtocolViolation) {
        count(&mut self.out.counters.violations);
        let text = short_text(&violation.to_string());
        let reason = CloseReason::PeerViolation(violation);
        if !self.end_session(key, reason.clone()) {
            return;
        }
        if let Some(seat) = self.seats.get(key) {
            for message in [Some(text), None] {
                let (details, reason) = (close_details(message), uris::PROTOCOL_VIOLATION.clone());
                if self.out.reply(seat.queue, Abort { details, reason, payload: Payload::EMPTY }).is_ok() {
                    break;
                }
            }
        }
        self.end_seat(key, reason, false);
    }

    /// Nothing from this peer counts any more; what is queued goes out, or is dropped, then `Close`.
    pub(super) fn end_seat(&mut self, key: SeatKey, reason: CloseReason, discard: bool) {
        let Some(seat) = self.seats.get_mut(key) else { return };
        seat.stage = Stage::Ended;
        seat.clear_deadline(&mut self.out);
        self.out.finish(seat.queue, reason, discard);
    }

    /// Ends the session of a peer, if it has one, and says whether it had: the one path for GOODBYE, ABORT,
    /// violations, lost transports, stalled peers, kills and the shutdown. Afterwards no table mentions it.
    pub(super) fn end_session(&mut self, key: SeatKey, reason: CloseReason) -> bool {
        let Some(seat) = self.seats.get_mut(key) else { return false };
        let Stage::Joined { realm: slot, session } = seat.stage else { return false };
        seat.stage = Stage::Ended;
        let (peer, transport) = (seat.peer, Arc::clone(&seat.transport));
        let Some(realm) = self.realms.get_mut(slot) else { return true };
        if let Some(session) = realm.end(session, &mut self.out) {
            self.ids.release(session.id);
            self.out.events.push_back(RouterEvent::Left { peer, session, transport, reason });
        }
        self.close_realm_if_done(slot);
        true
    }

    /// Ends the session of a seat with GOODBYE. The peer has until `deadline` for its answer.
    pub(super) fn say_goodbye(&mut self, key: SeatKey, reason: &Uri, message: &str, deadline: Timestamp) {
        self.let_leave(key);
        let message = short_text(message);
        let close =
            CloseReason::Goodbye { reason: reason.clone(), message: Some(message.clone()), by_peer: false };
        if !self.end_session(key, close.clone()) {
            // It has ended by itself; what it waits for is not another one.
            if let Some(seat) = self.seats.get_mut(key).filter(|seat| matches!(seat.stage, Stage::Left)) {
                seat.stage = Stage::Ended;
                self.out.close_instead(seat.queue, CloseReason::Local);
            }
            return;
        }
        let Some(seat) = self.seats.get_mut(key) else { return };
        for (message, reason) in [(Some(message), reason), (None, reason), (None, &uris::KILLED)] {
            let (details, reason) = (close_details(message), reason.clone());
            if self.out.reply(seat.queue, Goodbye { details, reason }).is_ok() {
                break;
            }
        }
        seat.stage = Stage::Leaving(close);
        seat.set_deadline(key, deadline, &mut self.out);
    }

    /// Gives a peer that is on its way out no longer than until `deadline`, for its answer to GOODBYE or
    /// for taking what is queued for it.
    pub(super) fn hurry(&mut self, key: SeatKey, deadline: Timestamp) {
        let Some(seat) = self.seats.get_mut(key) else { return };
        if matches!(seat.stage, Stage::Leaving(_)) && seat.deadline().is_some_and(|at| at > deadline) {
            seat.set_deadline(key, deadline, &mut self.out);
        }
        self.out.hurry(seat.queue, deadline);
    }

    /// A peer did not answer GOODBYE in time.
    pub(super) fn unanswered(&mut self, key: SeatKey) {
        let close = CloseReason::Timeout(Deadline::Goodbye);
        self.end_seat(key, close.clone(), false);
        if let Some(seat) = self.seats.get(key) {
            self.out.force(seat.queue, close);
        }
    }

    /// A peer takes nothing of what is queued for it.
    pub(super) fn stalled(&mut self, key: SeatKey) {
        count(&mut self.out.counters.stalled);
        let reason = CloseReason::Timeout(Deadline::Stalled);
        self.end_session(key, reason.clone());
        let Some(seat) = self.seats.get_mut(key) else { return };
        seat.stage = Stage::Ended;
        seat.clear_deadline(&mut self.out);
        self.out.force(seat.queue, reason);
    }
}

/// What goes with a reason. A peer that accepts only small messages is told less, rather than nothing.
pub(crate) fn close_details(message: Option<ByteString>) -> Sparse<CloseDetails> {
    let mut details = CloseDetails::default();
    details.message = message;
    details.into()
}

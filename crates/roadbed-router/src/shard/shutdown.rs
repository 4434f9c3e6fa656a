//! The end of a router: sessions without calls first, the others when their calls have ended.

use std::collections::BTreeSet;
use std::time::Duration;

use roadbed_core::error::uris;
use roadbed_core::message::{Message, MessageType};
use roadbed_core::time::Timestamp;

use super::Shard;
use super::seat::Stage;
use crate::keys::{RealmKey, SeatKey, SessionKey};

/// How long after the deadline of a [shutdown](crate::Router::shutdown) those may take to say GOODBYE whose calls had
/// not ended by then.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);

/// So often it is looked who has no calls any more, where looking takes long.
const LOOK: Duration = Duration::from_millis(20);
/// With as many sessions it is looked after every message.
const FEW: usize = 64;
/// What peers are told.
const TEXT: &str = "the router shuts down";

/// Sessions whose calls may still end.
#[derive(Debug)]
pub(super) struct Drain {
    seats: BTreeSet<SeatKey>,
    /// Until when.
    deadline: Timestamp,
    /// When to look again.
    look_at: Timestamp,
}

impl Shard {
    /// Shuts the shard down, see [`Router::shutdown`](crate::Router::shutdown).
    pub fn shutdown(&mut self, now: Timestamp, deadline: Timestamp) {
        self.advance(now);
        self.is_shut_down = true;
        self.called.extend(std::mem::take(&mut self.waiting));
        let keys: Vec<SeatKey> = self.seats.iter().map(|(key, _)| key).collect();
        let mut busy = BTreeSet::new();
        for key in keys {
            self.give_up_waiting(key, TEXT);
            if self.has_calls(key) {
                busy.insert(key);
            } else {
                self.say_goodbye(key, &uris::SYSTEM_SHUTDOWN, TEXT, deadline);
                self.hurry(key, deadline);
            }
        }
        let earlier = self.drain.take().map_or(deadline, |drain| drain.deadline.min(deadline));
        if !busy.is_empty() {
            let look_at = self.out.now.saturating_add(LOOK).min(earlier);
            self.drain = Some(Drain { seats: busy, deadline: earlier, look_at });
            self.look();
        }
        self.carry_out();
    }

    /// When to look at those whose calls may still end.
    pub(super) fn drain_at(&self) -> Option<Timestamp> {
        self.drain.as_ref().map(|drain| drain.look_at)
    }

    /// Something happened that may have ended calls.
    pub(super) fn drained(&mut self) {
        if self.drain.as_ref().is_some_and(|drain| drain.seats.len() <= FEW || drain.look_at <= self.out.now)
        {
            self.look();
        }
    }

    /// Answers a request that comes too late. Gives the message back if it is none.
    pub(super) fn refuse_new(
        &mut self,
        realm: RealmKey,
        session: SessionKey,
        message: Message,
    ) -> Option<Message> {
        if !self.is_shut_down {
            return Some(message);
        }
        let (message_type, request) = match &message {
            Message::Call(call) => (MessageType::Call, call.request),
            Message::Register(register) => (MessageType::Register, register.request),
            Message::Subscribe(subscribe) => (MessageType::Subscribe, subscribe.request),
            _ => return Some(message),
        };
        if let Some(realm) = self.realms.get_mut(realm) {
            realm.refuse(session, message_type, request, &uris::SYSTEM_SHUTDOWN, TEXT, &mut self.out);
        }
        None
    }

    fn look(&mut self) {
        let Some(mut drain) = self.drain.take() else { return };
        let (now, deadline) = (self.out.now, drain.deadline);
        let is_over = deadline <= now;
        if is_over {
            // Callers first: what their callees leave behind would look like a cancellation.
            for &key in &drain.seats {
                self.give_up_calls(key);
            }
        }
        let until = if is_over { now.saturating_add(SHUTDOWN_GRACE) } else { deadline };
        let seats = std::mem::take(&mut drain.seats);
        for key in seats {
            if self.has_calls(key) && !is_over {
                drain.seats.insert(key);
            } else {
                self.say_goodbye(key, &uris::SYSTEM_SHUTDOWN, TEXT, until);
            }
        }
        if !drain.seats.is_empty() {
            drain.look_at = now.saturating_add(LOOK).min(deadline);
            self.drain = Some(drain);
        }
    }

    fn has_calls(&self, key: SeatKey) -> bool {
        let Some(Stage::Joined { realm, session }) = self.seats.get(key).map(|seat| &seat.stage) else {
            return false;
        };
        self.realms.get(*realm).is_some_and(|realm| realm.has_calls(*session))
    }

    fn give_up_calls(&mut self, key: SeatKey) {
        let Some(Stage::Joined { realm, session }) = self.seats.get(key).map(|seat| &seat.stage) else {
            return;
        };
        let (realm, session) = (*realm, *session);
        if let Some(realm) = self.realms.get_mut(realm) {
            realm.give_up_calls(session, &uris::SYSTEM_SHUTDOWN, TEXT, &mut self.out);
        }
    }
}

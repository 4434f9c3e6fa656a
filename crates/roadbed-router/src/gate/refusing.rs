//! How a peer without session is refused, and what the lobby is told of it.

use std::sync::Arc;

use bytestring::ByteString;
use roadbed_core::error::{CloseReason, Deadline, ProtocolViolation, uris};
use roadbed_core::message::{Abort, Hello};
use roadbed_core::payload::Payload;
use roadbed_core::time::Timestamp;
use roadbed_core::uri::Uri;

use super::{After, Gate, Stage};
use crate::claim::Refusal;
use crate::events::{Outgoing, RouterEvent};
use crate::lobby::Lobby;
use crate::shard::close_details;
use crate::stats::{Counters, count};
use crate::text::short_text;

/// What a peer asked for in HELLO, cut to a bounded size. Nothing of it is proven.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    realm: Option<Uri>,
    authid: Option<ByteString>,
}

impl Asked {
    pub(super) fn new(hello: &Hello, uri_length: usize) -> Self {
        Self {
            realm: hello.realm.as_ref().filter(|realm| realm.as_str().len() <= uri_length).map(Uri::detach),
            authid: hello.details.authid.as_deref().map(short_text),
        }
    }
}

/// What happened at a gate since it last visited the lobby.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) counters: Counters,
    events: Vec<RouterEvent>,
    /// The question to the driver does not stand any more.
    is_withdrawn: bool,
}

impl Gate {
    pub(super) fn notes(&mut self) -> &mut Notes {
        self.notes.get_or_insert_default()
    }

    /// Tells the lobby what happened.
    pub(super) fn tell(&mut self, lobby: &mut Lobby) {
        let Some(notes) = self.notes.take() else { return };
        lobby.add(&notes.counters);
        notes.events.into_iter().for_each(|event| lobby.inform(event));
        if notes.is_withdrawn {
            lobby.withdraw(self.id);
        }
    }

    /// The peer sent ABORT. That is never answered.
    pub(super) fn aborted(&mut self, abort: &Abort) {
        let reason = CloseReason::Abort {
            reason: abort.reason.detach(),
            message: abort.details.message.as_deref().map(short_text),
            payload: Box::default(),
        };
        self.withdraw();
        self.close(reason, true);
    }

    /// The peer sent an ABORT that cannot be read.
    pub(super) fn unreadable_abort(&mut self, violation: ProtocolViolation) {
        count(&mut self.notes().counters.violations);
        self.withdraw();
        self.close(CloseReason::PeerViolation(violation), true);
    }

    /// The peer broke the protocol.
    pub(super) fn violated(&mut self, violation: ProtocolViolation) {
        count(&mut self.notes().counters.violations);
        let text = short_text(&violation.to_string());
        let reason = CloseReason::PeerViolation(violation);
        self.refuse(Refusal::new(&uris::PROTOCOL_VIOLATION, text), reason);
    }

    /// Refuses a HELLO that breaks no rule. The peer may try again on the same transport, a few times.
    pub(super) fn turn_away(&mut self, now: Timestamp, refusal: Refusal) {
        self.refusals = self.refusals.saturating_add(1);
        let limit = u32::try_from(self.config.limits.join_attempts).unwrap_or(u32::MAX);
        if self.refusals >= limit {
            return self.refuse(refusal, CloseReason::Local);
        }
        self.say_no(refusal);
        self.stage = Stage::Hello(After::Refusal);
        self.deadline = Some((now.saturating_add(self.config.limits.rejoin_timeout), Deadline::Rejoin));
    }

    /// Sends ABORT to a peer that has no session, and closes it.
    pub(super) fn refuse(&mut self, refusal: Refusal, reason: CloseReason) {
        self.withdraw();
        self.say_no(refusal);
        self.close(reason, false);
    }

    /// The router shuts down. A peer whose last session ended in good order, and that asked for no other, is closed
    /// without a word: there is nothing to abort.
    pub(super) fn shut_down(&mut self) {
        match self.stage {
            Stage::Seated(..) | Stage::Ended => {}
            Stage::Hello(After::Goodbye | After::Refusal) => self.close(CloseReason::Local, false),
            _ => self.refuse(Refusal::shutdown(), CloseReason::Local),
        }
    }

    fn withdraw(&mut self) {
        if matches!(self.stage, Stage::Decision(_)) {
            self.notes().is_withdrawn = true;
        }
    }

    fn say_no(&mut self, refusal: Refusal) {
        let Refusal { reason, message } = refusal;
        let message = short_text(&message);
        self.abort(&reason, message.clone());
        let Asked { realm, authid } = self.asked.take().map(|asked| *asked).unwrap_or_default();
        let (peer, transport) = (self.id, Arc::clone(&self.transport));
        let notes = self.notes();
        count(&mut notes.counters.refused);
        notes.events.push(RouterEvent::Refused { peer, transport, realm, authid, reason, message });
    }

    fn abort(&mut self, reason: &Uri, message: ByteString) {
        let words = [(Some(message), reason), (None, reason), (None, &uris::AUTHENTICATION_FAILED)];
        let aborts = words.into_iter().map(|(message, reason)| {
            let (details, reason) = (close_details(message), reason.clone());
            Abort { details, reason, payload: Payload::EMPTY }
        });
        let encoded = aborts.into_iter().find_map(|abort| self.encode(abort));
        self.output.extend(encoded.map(Outgoing::Message));
    }
}

//! What turns a peer's transport into messages and back: a link, or nothing at all.

use roadbed_core::link::{Link, LinkEvent};
use roadbed_core::serializer::Encoded;
use roadbed_core::time::Timestamp;

use super::whole::Whole;

// Nearly every port has a link.
#[allow(clippy::large_enum_variant)]
pub(super) enum Framing {
    /// Bytes: RawSocket or WebSocket.
    Link(Link),
    /// Whole messages.
    Whole(Whole),
}

macro_rules! either {
    ($self:ident, $framing:ident => $call:expr) => {
        match $self {
            Framing::Link($framing) => $call,
            Framing::Whole($framing) => $call,
        }
    };
}

impl Framing {
    pub(super) fn send(&mut self, now: Timestamp, message: Encoded) {
        match self {
            // It fails only when the transport has ended, which is reported soon: the router knows what the peer accepts.
            Self::Link(link) => drop(link.send(now, &message)),
            Self::Whole(whole) => whole.send(message),
        }
    }

    pub(super) fn close(&mut self, now: Timestamp) {
        either!(self, framing => framing.close(now));
    }

    pub(super) fn handle_lost(&mut self, now: Timestamp) {
        match self {
            Self::Link(link) => link.handle_lost(now),
            Self::Whole(whole) => whole.handle_lost(),
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Timestamp) {
        either!(self, framing => framing.handle_timeout(now));
    }

    pub(super) fn poll_event(&mut self) -> Option<LinkEvent> {
        either!(self, framing => framing.poll_event())
    }

    pub(super) fn set_receive_limit(&mut self, bytes: usize) {
        either!(self, framing => framing.set_receive_limit(bytes));
    }

    pub(super) fn set_paused(&mut self, now: Timestamp, is_paused: bool) {
        match self {
            Self::Link(link) if is_paused => link.pause(),
            Self::Link(link) => link.resume(now),
            Self::Whole(whole) => whole.set_paused(is_paused),
        }
    }

    /// Nobody pings where messages come whole: whoever carries them notices an end.
    pub(super) fn activate_liveness(&mut self, now: Timestamp) {
        if let Self::Link(link) = self {
            link.activate_liveness(now);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        either!(self, framing => framing.poll_timeout())
    }

    pub(super) fn wants_input(&self) -> bool {
        either!(self, framing => framing.wants_input())
    }

    pub(super) fn is_open(&self) -> bool {
        either!(self, framing => framing.is_open())
    }

    pub(super) fn room(&self) -> usize {
        either!(self, framing => framing.room())
    }

    /// How much output is taken at most before it is fetched, where that is bounded beside the transport.
    pub(super) const fn window(&self) -> usize {
        match self {
            Self::Link(_) => usize::MAX,
            Self::Whole(whole) => whole.window(),
        }
    }

    pub(super) fn is_between_batches(&self) -> bool {
        matches!(self, Self::Link(link) if link.is_between_batches())
    }

    pub(super) fn queued(&self) -> usize {
        either!(self, framing => framing.queued())
    }

    pub(super) fn last_message_size(&self) -> usize {
        either!(self, framing => framing.last_message_size())
    }
}

//! What a shard keeps for a peer that has joined one of its realms: the session, the queue, and how both end.

use std::sync::Arc;

use roadbed_core::error::CloseReason;
use roadbed_core::time::Timestamp;
use roadbed_core::transport::TransportDetails;

use crate::keys::{QueueKey, RealmKey, SeatKey, SessionKey};
use crate::names::PeerId;
use crate::queue::Outbox;
use crate::timers::{TimerId, TimerKey};

/// Where the session of a seat stands.
pub(crate) enum Stage {
    /// In a realm.
    Joined { realm: RealmKey, session: SessionKey },
    /// It was sent GOODBYE; only its answer counts.
    Leaving(CloseReason),
    /// It said GOODBYE. What it was sent before goes out, then the seat is free.
    Left,
    /// It was sent its last message; nothing from it counts.
    Ended,
}

pub(crate) struct Seat {
    pub(crate) peer: PeerId,
    pub(crate) queue: QueueKey,
    pub(crate) transport: Arc<TransportDetails>,
    pub(crate) stage: Stage,
    /// When the answer to GOODBYE has to be there, and the timer of that.
    goodbye: Option<(Timestamp, TimerId)>,
}

impl Seat {
    /// A seat without session.
    pub(crate) fn new(peer: PeerId, queue: QueueKey, transport: Arc<TransportDetails>) -> Self {
        Self { peer, queue, transport, stage: Stage::Ended, goodbye: None }
    }

    /// When the answer to GOODBYE has to be there.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.goodbye.map(|(at, _)| at)
    }

    /// The timer of [`deadline`](Self::deadline).
    pub(crate) fn timer(&self) -> Option<TimerId> {
        self.goodbye.map(|(_, timer)| timer)
    }

    pub(crate) fn set_deadline(&mut self, key: SeatKey, at: Timestamp, out: &mut Outbox) {
        self.clear_deadline(out);
        self.goodbye = Some((at, out.timers.set(at, TimerKey::Goodbye(key))));
    }

    pub(crate) fn clear_deadline(&mut self, out: &mut Outbox) {
        if let Some((_, timer)) = self.goodbye.take() {
            out.timers.cancel(timer);
        }
    }

    /// The deadline passed, and its timer is gone.
    pub(crate) fn take_deadline(&mut self) -> bool {
        self.goodbye.take().is_some()
    }
}

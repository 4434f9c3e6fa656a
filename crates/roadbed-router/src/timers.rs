//! Deadlines of all peers, in order.

use std::collections::BTreeSet;

use roadbed_core::time::Timestamp;

use crate::names::PeerId;

/// What a deadline is for. A peer has at most one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TimerKind {
    /// HELLO, AUTHENTICATE, a decision, GOODBYE or a new HELLO is awaited.
    Session,
    /// Queued output has to move.
    Stall,
}

#[derive(Default)]
pub(crate) struct Timers {
    set: BTreeSet<(Timestamp, PeerId, TimerKind)>,
}

impl Timers {
    pub(crate) fn set(&mut self, at: Timestamp, peer: PeerId, kind: TimerKind) {
        self.set.insert((at, peer, kind));
    }

    pub(crate) fn cancel(&mut self, at: Timestamp, peer: PeerId, kind: TimerKind) {
        self.set.remove(&(at, peer, kind));
    }

    pub(crate) fn contains(&self, at: Timestamp, peer: PeerId, kind: TimerKind) -> bool {
        self.set.contains(&(at, peer, kind))
    }

    /// The earliest deadline.
    pub(crate) fn first(&self) -> Option<(Timestamp, PeerId, TimerKind)> {
        self.set.first().copied()
    }

    /// Takes the earliest deadline that passed.
    pub(crate) fn pop(&mut self, now: Timestamp) -> Option<(PeerId, TimerKind)> {
        let &(at, peer, kind) = self.set.first()?;
        if at > now {
            return None;
        }
        self.set.pop_first();
        Some((peer, kind))
    }

    pub(crate) fn len(&self) -> usize {
        self.set.len()
    }
}

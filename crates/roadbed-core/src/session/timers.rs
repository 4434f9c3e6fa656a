//! The deadlines of a session.

use alloc::collections::BTreeSet;
use core::time::Duration;

use crate::error::Deadline;
use crate::id::{CallId, RequestId};
use crate::time::Timestamp;

/// What a time-out is for; for logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeoutReason {
    /// The session or the connection ends.
    Deadline(Deadline),
    /// A call's own deadline.
    Call(CallId),
    /// The transport looks whether the peer still lives.
    Liveness,
    /// The closed connection stops waiting for its output to be fetched.
    Linger,
}

/// The deadline of the session's phase, and those of its calls.
#[derive(Debug, Default)]
pub(super) struct Timers {
    phase: Option<(Timestamp, Deadline)>,
    /// The peer's share of the time to join that is left, while an answer of ours is awaited.
    join_left: Duration,
    calls: BTreeSet<(Timestamp, RequestId)>,
}

impl Timers {
    /// Starts the deadline of a phase, in place of another one.
    pub(super) fn start(&mut self, deadline: Deadline, at: Timestamp) {
        self.phase = Some((at, deadline));
    }

    pub(super) fn stop(&mut self) {
        self.phase = None;
    }

    /// It is our turn: the peer's deadline stands still, and ours begins.
    pub(super) fn pause_join(&mut self, now: Timestamp, decision: Duration) {
        if let Some((at, Deadline::Join)) = self.phase {
            self.join_left = at.saturating_since(now);
        }
        self.start(Deadline::Decision, now.saturating_add(decision));
    }

    /// It is the peer's turn again.
    pub(super) fn resume_join(&mut self, now: Timestamp) {
        self.start(Deadline::Join, now.saturating_add(self.join_left));
    }

    /// Changes a call's deadline from one time to another.
    pub(super) fn set_call(&mut self, id: RequestId, from: Option<Timestamp>, to: Option<Timestamp>) {
        if let Some(from) = from {
            self.calls.remove(&(from, id));
        }
        if let Some(to) = to {
            self.calls.insert((to, id));
        }
    }

    pub(super) fn clear_calls(&mut self) {
        self.calls.clear();
    }

    /// The phase's deadline, if it has passed; it is stopped.
    pub(super) fn expired_phase(&mut self, now: Timestamp) -> Option<Deadline> {
        self.phase.take_if(|(at, _)| *at <= now && *at < Timestamp::MAX).map(|(_, deadline)| deadline)
    }

    /// A call whose deadline has passed; its deadline is gone.
    pub(super) fn expired_call(&mut self, now: Timestamp) -> Option<RequestId> {
        let first = self.calls.first().filter(|(at, _)| *at <= now && *at < Timestamp::MAX)?;
        let first = *first;
        self.calls.remove(&first);
        Some(first.1)
    }

    /// The next deadline, and what it is for.
    pub(super) fn next(&self, epoch: u32) -> Option<(Timestamp, TimeoutReason)> {
        let phase = self.phase.map(|(at, deadline)| (at, TimeoutReason::Deadline(deadline)));
        let call = self.calls.first();
        let call = call.map(|&(at, id)| (at, TimeoutReason::Call(CallId::new(epoch, id))));
        let first = phase.into_iter().chain(call).min_by_key(|(at, _)| *at);
        first.filter(|(at, _)| *at < Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_peers_time_stands_still_while_it_is_our_turn() {
        let mut timers = Timers::default();
        timers.start(Deadline::Join, Timestamp::ZERO + 30 * SECOND);
        timers.pause_join(Timestamp::ZERO + 10 * SECOND, 5 * SECOND);
        assert_eq!(timers.expired_phase(Timestamp::ZERO + 14 * SECOND), None);
        timers.resume_join(Timestamp::ZERO + 14 * SECOND);
        assert_eq!(timers.expired_phase(Timestamp::ZERO + 33 * SECOND), None);
        assert_eq!(timers.expired_phase(Timestamp::ZERO + 34 * SECOND), Some(Deadline::Join));
        assert_eq!(timers.next(1), None);
    }

    #[test]
    fn a_deadline_at_the_end_of_time_never_fires() {
        let mut timers = Timers::default();
        timers.start(Deadline::Goodbye, Timestamp::MAX);
        timers.set_call(RequestId::MIN, None, Some(Timestamp::MAX));
        assert_eq!(timers.next(1), None);
        assert_eq!(timers.expired_phase(Timestamp::MAX), None);
        assert_eq!(timers.expired_call(Timestamp::MAX), None);
    }
}

//! What a router counts.

/// What is there now, and what happened since the router was made.
///
/// The first group returns to zero when every peer has detached; the second only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RouterStats {
    /// Peers attached.
    pub peers: usize,
    /// Sessions joined.
    pub sessions: usize,
    /// Realms, those of the configuration included.
    pub realms: usize,
    /// Subscriptions, each shared by all its subscribers.
    pub subscriptions: usize,
    /// Subscribers of all subscriptions.
    pub subscribers: usize,
    /// Registrations.
    pub registrations: usize,
    /// Calls that wait for an answer; each is one invocation.
    pub calls: usize,
    /// Invocations that callees have not answered though no caller waits for them any more: the call was canceled, or
    /// its caller left. They count against `Limits::pending_invocations`.
    pub abandoned: usize,
    /// Requests that the driver decides on.
    pub questions: usize,
    /// Requests that wait for a decision: those that are decided on, and those behind them.
    pub waiting: usize,
    /// Deadlines that run.
    pub timers: usize,
    /// Messages in the outgoing queues.
    pub queued_messages: usize,
    /// Bytes in the outgoing queues, 64 for each message included.
    pub queued_bytes: usize,
    /// Events for the driver that wait to be polled.
    pub queued_events: usize,
    /// What happened so far.
    pub counters: Counters,
}

/// What happened since a router was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Sessions established.
    pub joined: u64,
    /// Peers refused before they had a session.
    pub refused: u64,
    /// Connections that the driver refused before they became peers, as it has a limit on them.
    pub connections_refused: u64,
    /// Connections whose RawSocket or WebSocket handshake was refused: the origin, the path, the subprotocol, or no
    /// such handshake at all.
    pub handshakes_refused: u64,
    /// Peers that broke the protocol.
    pub violations: u64,
    /// Peers closed because they took nothing of what was queued for them.
    pub stalled: u64,
    /// Requests that their session was not allowed to make, or that were not decided on in time.
    pub denied: u64,
    /// Publications that were accepted.
    pub publications: u64,
    /// Publications that were refused without an answer, since none was asked for.
    pub publications_refused: u64,
    /// Events queued.
    pub events: u64,
    /// Events dropped because the receiver is too slow.
    pub events_dropped: u64,
    /// Events dropped because they are larger than the receiver accepts.
    pub events_too_large: u64,
    /// Events dropped because their payload has no counterpart in the receiver's serializer.
    pub events_undeliverable: u64,
    /// Calls passed to a callee.
    pub invocations: u64,
    /// Calls refused because a limit was reached or the callee is too slow.
    pub calls_unavailable: u64,
    /// Answers of callees that could not be passed on, as an error's URI was none or an option unsuitable; the
    /// callers were told. Answers that only the caller's serializer or size limit stands against are not counted.
    pub answers_refused: u64,
    /// Answers to invocations that had ended already, or whose session had.
    pub late_answers: u64,
    /// Progressive results that nobody had asked for.
    pub progress_dropped: u64,
    /// CANCEL for calls that had ended already, were canceled before, or whose session had ended.
    pub late_cancels: u64,
    /// Messages of unknown types, and of types that the router does not use.
    pub ignored_messages: u64,
}

impl RouterStats {
    /// Adds the figures of another part of the same router.
    pub fn add(&mut self, other: &Self) {
        let sums = [
            (&mut self.peers, other.peers),
            (&mut self.sessions, other.sessions),
            (&mut self.realms, other.realms),
            (&mut self.subscriptions, other.subscriptions),
            (&mut self.subscribers, other.subscribers),
            (&mut self.registrations, other.registrations),
            (&mut self.calls, other.calls),
            (&mut self.abandoned, other.abandoned),
            (&mut self.questions, other.questions),
            (&mut self.waiting, other.waiting),
            (&mut self.timers, other.timers),
            (&mut self.queued_messages, other.queued_messages),
            (&mut self.queued_bytes, other.queued_bytes),
            (&mut self.queued_events, other.queued_events),
        ];
        for (sum, part) in sums {
            *sum = sum.saturating_add(part);
        }
        self.counters.add(&other.counters);
    }
}

impl Counters {
    /// Adds what was counted in another part of the same router.
    pub fn add(&mut self, other: &Self) {
        let Self {
            joined,
            refused,
            connections_refused,
            handshakes_refused,
            violations,
            stalled,
            denied,
            publications,
            publications_refused,
            events,
            events_dropped,
            events_too_large,
            events_undeliverable,
            invocations,
            calls_unavailable,
            answers_refused,
            late_answers,
            progress_dropped,
            late_cancels,
            ignored_messages,
        } = *other;
        for (sum, part) in [
            (&mut self.joined, joined),
            (&mut self.refused, refused),
            (&mut self.connections_refused, connections_refused),
            (&mut self.handshakes_refused, handshakes_refused),
            (&mut self.violations, violations),
            (&mut self.stalled, stalled),
            (&mut self.denied, denied),
            (&mut self.publications, publications),
            (&mut self.publications_refused, publications_refused),
            (&mut self.events, events),
            (&mut self.events_dropped, events_dropped),
            (&mut self.events_too_large, events_too_large),
            (&mut self.events_undeliverable, events_undeliverable),
            (&mut self.invocations, invocations),
            (&mut self.calls_unavailable, calls_unavailable),
            (&mut self.answers_refused, answers_refused),
            (&mut self.late_answers, late_answers),
            (&mut self.progress_dropped, progress_dropped),
            (&mut self.late_cancels, late_cancels),
            (&mut self.ignored_messages, ignored_messages),
        ] {
            *sum = sum.saturating_add(part);
        }
    }
}

/// Adds one.
pub(crate) fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}

//! The outgoing queues, one a peer, and what is said to all of them.
//!
//! A queue counts the bytes of its encoded messages, and [`MESSAGE_COST`] for each of them. Events and
//! invocations are only queued within the budget. Replies always are; a peer that lets them pile up is
//! not read any more, and closed when it drains nothing or at [`OVERRUN_FACTOR`] times the budget.

use core::time::Duration;
use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use roadbed_core::error::{CloseReason, PayloadError};
use roadbed_core::message::Message;
use roadbed_core::serializer::{Encoded, Serializer};
use roadbed_core::time::Timestamp;

use crate::effects::Effect;
use crate::events::{Outgoing, RouterEvent};
use crate::fanout::{Fanout, Refused};
use crate::keys::{QueueKey, SeatKey};
use crate::names::PeerId;
use crate::slab::Slab;
use crate::stats::Counters;
use crate::tables::Relax;
use crate::timers::{TimerId, TimerKey, Timers};

/// Bytes that a queued message counts beyond its encoding: its place in the queue.
pub const MESSAGE_COST: usize = 64;
/// How often the budget a queue of replies may grow to before its peer is closed.
pub const OVERRUN_FACTOR: usize = 4;
/// How long a peer over its budget may go without taking a byte, and how long a peer that is closed may
/// take for what is still queued. As the router does not see the
/// moment in which a byte is taken, up to twice that can pass.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Small encodings share allocations of this many bytes.
const ARENA_CHUNK: usize = 16 << 10;
/// An arena with less room than this begins a new chunk.
const ARENA_ROOM: usize = 512;
/// Encodings that wait behind this many others are copied into the queue's own memory: a slow peer
/// must not pin a shared chunk, or a read buffer, for each small message.
const REHOME_AFTER: usize = 32;
/// Larger chunks are about all of the buffer that they came in.
const OWN_MEMORY: usize = 256 << 10;
/// Chunks of the queue's own memory.
const HOME_CHUNK: usize = 4 << 10;
/// Events that wait for the driver, above which those that only inform are dropped.
const EVENT_BACKLOG: usize = 1024;

/// The queue of one peer.
struct Queue {
    peer: PeerId,
    seat: SeatKey,
    serializer: Serializer,
    max_receive: usize,
    entries: VecDeque<Encoded>,
    bytes: usize,
    /// Memory of its own, used while the queue is long.
    home: BytesMut,
    /// What comes behind the last entry.
    end: Option<Outgoing>,
    /// The end is [`Outgoing::Left`]: there is no hurry, as long as the peer takes something.
    is_left: bool,
    is_closed: bool,
    /// Whether the transport is to be dropped without waiting for it to take anything more.
    is_forced: bool,
    is_ready: bool,
    /// The timer at which the peer is closed unless it drains.
    stall: Option<TimerId>,
    has_drained: bool,
    is_overrun: bool,
}

/// Every outgoing queue, and the other outputs of a router.
pub(crate) struct Outbox {
    queues: Slab<QueueKey, Queue>,
    ready: VecDeque<QueueKey>,
    arena: BytesMut,
    budget: usize,
    /// The same for all queues together.
    total_budget: usize,
    /// Bytes in all queues.
    total: usize,
    /// Queues with something in them.
    busy: usize,
    pub(crate) now: Timestamp,
    pub(crate) timers: Timers<TimerKey>,
    pub(crate) events: VecDeque<RouterEvent>,
    pub(crate) counters: Counters,
    /// Requests that the driver decides on.
    pub(crate) questions: usize,
    /// What the realms ask of the shard.
    pub(crate) effects: VecDeque<Effect>,
    /// The driver has enough events to take: those that only inform are dropped.
    pub(crate) is_congested: bool,
}

impl Outbox {
    pub(crate) fn new(budget: usize, total_budget: usize, now: Timestamp) -> Self {
        Self {
            queues: Slab::new(),
            ready: VecDeque::new(),
            arena: BytesMut::new(),
            budget,
            total_budget,
            total: 0,
            busy: 0,
            now,
            timers: Timers::default(),
            events: VecDeque::new(),
            counters: Counters::default(),
            questions: 0,
            effects: VecDeque::new(),
            is_congested: false,
        }
    }

    /// Opens a queue.
    pub(crate) fn open(
        &mut self,
        peer: PeerId,
        seat: SeatKey,
        serializer: Serializer,
        max_receive: usize,
    ) -> QueueKey {
        self.queues.insert(Queue {
            peer,
            seat,
            serializer,
            max_receive,
            entries: VecDeque::new(),
            bytes: 0,
            home: BytesMut::new(),
            end: None,
            is_left: false,
            is_closed: false,
            is_forced: false,
            is_ready: false,
            stall: None,
            has_drained: false,
            is_overrun: false,
        })
    }

    /// Drops a queue and what is in it.
    pub(crate) fn remove(&mut self, key: QueueKey) {
        self.discard(key);
        if let Some(queue) = self.queues.remove(key)
            && let Some(stall) = queue.stall
        {
            self.timers.cancel(stall);
        }
        if self.queues.is_empty() {
            self.ready.clear();
            self.arena = BytesMut::new();
        }
        self.ready.relax();
    }

    /// Makes room for small encodings. Called while none is held, so that a chunk whose messages are all
    /// gone is used again.
    pub(crate) fn prepare_arena(&mut self) {
        if self.arena.capacity().saturating_sub(self.arena.len()) < ARENA_ROOM {
            self.arena.reserve(ARENA_CHUNK);
        }
    }

    /// Queues an event that several peers receive; encodings are shared. Prepare the arena before the
    /// first of them.
    pub(crate) fn event(&mut self, key: QueueKey, event: &mut Fanout) -> Result<(), Refused> {
        let Some(queue) = self.queues.get(key) else { return Err(Refused::Closed) };
        if queue.is_closed {
            return Err(Refused::Closed);
        }
        let encoded = event.encode(queue.serializer, queue.max_receive, &mut self.arena)?;
        self.push_within_budget(key, encoded)
    }

    /// Checks that an event can be carried to a peer. What that costs is not paid again when it is queued.
    pub(crate) fn try_event(&mut self, key: QueueKey, event: &mut Fanout) -> Result<(), PayloadError> {
        match self
            .queues
            .get(key)
            .map(|queue| event.encode(queue.serializer, queue.max_receive, &mut self.arena))
        {
            Some(Err(Refused::Payload(error))) => Err(error),
            _ => Ok(()),
        }
    }

    /// Queues an INVOCATION or INTERRUPT, unless the callee is over its budget.
    pub(crate) fn invocation(&mut self, key: QueueKey, message: impl Into<Message>) -> Result<(), Refused> {
        let encoded = self.encode(key, &message.into())?;
        self.push_within_budget(key, encoded)
    }

    /// Queues a reply, whatever is queued already.
    pub(crate) fn reply(&mut self, key: QueueKey, message: impl Into<Message>) -> Result<(), Refused> {
        let encoded = self.encode(key, &message.into())?;
        let budget = self.budget;
        let Some(queue) = self.queues.get_mut(key) else { return Err(Refused::Closed) };
        queue.fits(&encoded)?;
        let (cost, is_first) = queue.push(encoded);
        self.total = self.total.saturating_add(cost);
        self.busy = self.busy.saturating_add(usize::from(is_first));
        if queue.bytes > budget.saturating_mul(OVERRUN_FACTOR) && !queue.is_overrun {
            queue.is_overrun = true;
            self.effects.push_back(Effect::Overrun(queue.seat));
        }
        self.queued(key);
        Ok(())
    }

    /// Ends a queue: what is in it goes out, then `Close`. With `discard` only `Close` is left.
    pub(crate) fn finish(&mut self, key: QueueKey, reason: CloseReason, discard: bool) {
        if discard {
            self.discard(key);
        }
        let Some(queue) = self.queues.get_mut(key) else { return };
        if discard && std::mem::take(&mut queue.is_left) {
            queue.end = Some(Outgoing::Close(reason.clone()));
        }
        self.end(key, Outgoing::Close(reason));
    }

    /// Drops what is in a queue.
    fn discard(&mut self, key: QueueKey) {
        let Some(queue) = self.queues.get_mut(key) else { return };
        self.total = self.total.saturating_sub(queue.bytes);
        self.busy = self.busy.saturating_sub(usize::from(!queue.entries.is_empty()));
        queue.entries = VecDeque::new();
        queue.bytes = 0;
        queue.home = BytesMut::new();
    }

    /// Ends a queue whose session has ended and whose transport stays: what is in it goes out, then `Left`.
    pub(crate) fn leave(&mut self, key: QueueKey) {
        if let Some(queue) = self.queues.get_mut(key).filter(|queue| !queue.is_closed) {
            queue.is_left = true;
            self.end(key, Outgoing::Left);
        }
    }

    /// The transport of a queue that was [left](Self::leave) is to be closed after all.
    pub(crate) fn close_instead(&mut self, key: QueueKey, reason: CloseReason) {
        if let Some(queue) =
            self.queues.get_mut(key).filter(|queue| matches!(queue.end, Some(Outgoing::Left)))
        {
            queue.is_left = false;
            queue.end = Some(Outgoing::Close(reason));
        }
    }

    fn end(&mut self, key: QueueKey, end: Outgoing) {
        let Some(queue) = self.queues.get_mut(key) else { return };
        if !queue.is_closed {
            queue.is_closed = true;
            queue.end = Some(end);
            // From now on there is a time for all of it.
            if let Some(stall) = queue.stall.take() {
                self.timers.cancel(stall);
            }
        }
        self.queued(key);
    }

    /// Leaves a queue that is closed no longer than until `deadline` to run empty.
    pub(crate) fn hurry(&mut self, key: QueueKey, deadline: Timestamp) {
        let Some(queue) = self.queues.get_mut(key).filter(|queue| queue.is_closed) else { return };
        if let Some(stall) = queue.stall.filter(|&stall| self.timers.at(stall) > Some(deadline)) {
            self.timers.cancel(stall);
            queue.stall = Some(self.timers.set(deadline, TimerKey::Queue(queue.seat)));
        }
    }

    /// Ends a queue whose peer takes nothing any more.
    pub(crate) fn force(&mut self, key: QueueKey, reason: CloseReason) {
        self.finish(key, reason, true);
        if let Some(queue) = self.queues.get_mut(key) {
            queue.is_forced = true;
        }
    }

    /// The next thing for a peer.
    pub(crate) fn poll(&mut self, key: QueueKey) -> Option<Outgoing> {
        let budget = self.budget;
        let queue = self.queues.get_mut(key)?;
        let outgoing = match queue.entries.pop_front() {
            Some(encoded) => {
                let cost = cost(&encoded);
                queue.bytes = queue.bytes.saturating_sub(cost);
                self.total = self.total.saturating_sub(cost);
                self.busy = self.busy.saturating_sub(usize::from(queue.entries.is_empty()));
                queue.has_drained = true;
                Outgoing::Message(encoded)
            }
            None => queue.end.take()?,
        };
        if queue.entries.is_empty() {
            queue.home = BytesMut::new();
        }
        queue.entries.relax();
        let is_calm = if queue.is_closed { queue.entries.is_empty() } else { queue.bytes <= budget };
        if is_calm && let Some(stall) = queue.stall.take() {
            self.timers.cancel(stall);
        }
        Some(outgoing)
    }

    /// The end of a queue that is empty otherwise.
    pub(crate) fn poll_end(&mut self, key: QueueKey) -> Option<Outgoing> {
        let queue = self.queues.get_mut(key).filter(|queue| queue.entries.is_empty())?;
        queue.end.take()
    }

    /// The next peer with something in its queue.
    pub(crate) fn poll_ready(&mut self) -> Option<PeerId> {
        while let Some(key) = self.ready.pop_front() {
            if let Some(queue) = self.queues.get_mut(key) {
                queue.is_ready = false;
                return Some(queue.peer);
            }
        }
        None
    }

    /// Whether the peer may go on making requests.
    pub(crate) fn wants_input(&self, key: QueueKey) -> bool {
        let is_within = |queue: &Queue| queue.bytes <= self.budget && !self.is_over_share(queue.bytes);
        self.queues.get(key).is_some_and(|queue| !queue.is_closed && is_within(queue))
    }

    pub(crate) fn must_drop(&self, key: QueueKey) -> bool {
        self.queues.get(key).is_some_and(|queue| queue.is_forced)
    }

    /// The serializer of a peer.
    pub(crate) fn serializer(&self, key: QueueKey) -> Serializer {
        self.queues.get(key).map_or(Serializer::Json, |queue| queue.serializer)
    }

    /// The stall deadline of a peer passed. Says whether it is to be dropped: it drained nothing, or
    /// not all in the time after its last message.
    pub(crate) fn has_stalled(&mut self, key: QueueKey) -> bool {
        let now = self.now;
        let Some(queue) = self.queues.get_mut(key) else { return false };
        queue.stall = None;
        if (queue.is_closed && !queue.is_left) || !queue.has_drained {
            return true;
        }
        queue.has_drained = false;
        let at = now.saturating_add(STALL_TIMEOUT);
        queue.stall = Some(self.timers.set(at, TimerKey::Queue(queue.seat)));
        false
    }

    /// Tells the driver something that it may miss without harm.
    pub(crate) fn inform(&mut self, event: impl FnOnce() -> RouterEvent) {
        if !self.is_congested && self.events.len() < EVENT_BACKLOG {
            self.events.push_back(event());
        }
    }

    /// Messages and bytes in all queues.
    pub(crate) fn totals(&self) -> (usize, usize) {
        self.queues.iter().fold((0, 0), |(messages, bytes): (usize, usize), (_, queue)| {
            (messages.saturating_add(queue.entries.len()), bytes.saturating_add(queue.bytes))
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.queues.len()
    }

    /// Checks that every queue counts what it holds.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (key, queue) in self.queues.iter() {
            let bytes = queue.entries.iter().map(cost).fold(0, usize::saturating_add);
            if bytes != queue.bytes {
                return Err(format!(
                    "{:?} counts {} queued bytes, it holds {bytes}",
                    queue.peer, queue.bytes
                ));
            }
            let has_output = !queue.entries.is_empty() || queue.end.is_some();
            if queue.is_ready && !self.ready.contains(&key) {
                return Err(format!(
                    "{:?} is marked ready and not listed (output: {has_output})",
                    queue.peer
                ));
            }
            if queue.stall.is_some_and(|stall| self.timers.at(stall).is_none()) {
                return Err(format!("{:?} has a stall deadline without timer", queue.peer));
            }
        }
        let (_, bytes) = self.totals();
        let busy = self.queues.iter().filter(|(_, queue)| !queue.entries.is_empty()).count();
        if (bytes, busy) != (self.total, self.busy) {
            let (total, counted) = (self.total, self.busy);
            return Err(format!("{bytes} bytes wait in {busy} queues, {total} in {counted} are counted"));
        }
        Ok(())
    }

    fn encode(&mut self, key: QueueKey, message: &Message) -> Result<Encoded, Refused> {
        let Some(queue) = self.queues.get(key) else { return Err(Refused::Closed) };
        if queue.is_closed {
            return Err(Refused::Closed);
        }
        let (serializer, limit) = (queue.serializer, queue.max_receive);
        self.prepare_arena();
        serializer.encode_within(message, limit, &mut self.arena).map_err(|error| match error {
            PayloadError::TooLarge { size, limit } => Refused::TooLarge { size, limit },
            error => Refused::Payload(error),
        })
    }

    fn push_within_budget(&mut self, key: QueueKey, encoded: Encoded) -> Result<(), Refused> {
        let (limit, added) = (self.budget, cost(&encoded));
        let (busy, total_budget) = (self.busy, self.total_budget);
        let Some(queue) = self.queues.get_mut(key) else { return Err(Refused::Closed) };
        queue.fits(&encoded)?;
        // One message is always taken, or a large one could never be.
        if queue.bytes > 0 {
            let bytes = queue.bytes.saturating_add(added);
            if bytes > limit {
                return Err(Refused::Full { queued: queue.bytes, limit });
            }
            if self.total.saturating_add(added) > self.total_budget && bytes > share(total_budget, busy) {
                return Err(Refused::AllFull { queued: self.total, limit: self.total_budget });
            }
        }
        let (cost, is_first) = queue.push(encoded);
        self.total = self.total.saturating_add(cost);
        self.busy = self.busy.saturating_add(usize::from(is_first));
        self.queued(key);
        Ok(())
    }

    fn is_over_share(&self, bytes: usize) -> bool {
        self.total > self.total_budget && bytes > share(self.total_budget, self.busy)
    }

    /// Names a peer to the driver, which then asks about it anew.
    pub(crate) fn name(&mut self, key: QueueKey) {
        let Some(queue) = self.queues.get_mut(key) else { return };
        if !queue.is_ready {
            queue.is_ready = true;
            self.ready.push_back(key);
        }
    }

    /// Lists a queue that has output, and watches it when it is too full or has to run empty.
    fn queued(&mut self, key: QueueKey) {
        self.name(key);
        let Some(queue) = self.queues.get_mut(key) else { return };
        let is_watched = queue.bytes > self.budget || (queue.is_closed && !queue.entries.is_empty());
        if is_watched && queue.stall.is_none() {
            let at = self.now.saturating_add(STALL_TIMEOUT);
            queue.stall = Some(self.timers.set(at, TimerKey::Queue(queue.seat)));
            queue.has_drained = false;
        }
        if !is_watched && let Some(stall) = queue.stall.take() {
            self.timers.cancel(stall);
        }
    }
}

impl Queue {
    fn fits(&self, encoded: &Encoded) -> Result<(), Refused> {
        let (size, limit) = (encoded.len(), self.max_receive);
        if size > limit { Err(Refused::TooLarge { size, limit }) } else { Ok(()) }
    }

    /// Says what it costs, and whether it is the only message.
    fn push(&mut self, encoded: Encoded) -> (usize, bool) {
        let (cost, is_first) = (cost(&encoded), self.entries.is_empty());
        self.bytes = self.bytes.saturating_add(cost);
        let encoded = if self.entries.len() < REHOME_AFTER { encoded } else { self.rehome(&encoded) };
        self.entries.push_back(encoded);
        (cost, is_first)
    }

    /// Copies the smaller chunks of an encoding into memory that only this queue uses.
    fn rehome(&mut self, encoded: &Encoded) -> Encoded {
        let mut copy = |chunk: &Bytes| {
            if chunk.len() > OWN_MEMORY {
                return chunk.clone();
            }
            if chunk.len() > ARENA_CHUNK {
                return Bytes::copy_from_slice(chunk);
            }
            if self.home.capacity() < chunk.len() {
                self.home.reserve(chunk.len().max(HOME_CHUNK));
            }
            self.home.extend_from_slice(chunk);
            self.home.split().freeze()
        };
        match encoded.chunks() {
            [chunk] => Encoded::from(copy(chunk)),
            chunks => Encoded::chained(chunks.iter().map(copy).collect::<Vec<_>>()),
        }
    }
}

/// What each of so many queues may hold where all of them together hold too much.
fn share(total_budget: usize, busy: usize) -> usize {
    total_budget.checked_div(busy).unwrap_or(total_budget)
}

fn cost(encoded: &Encoded) -> usize {
    encoded.len().saturating_add(MESSAGE_COST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::PeerKey;
    use crate::slab::Slab;

    /// A queue counts the bytes of its messages, so the buffers that they came in must not live on with them.
    #[test]
    fn what_waits_in_a_long_queue_has_memory_of_its_own() {
        let mut out = Outbox::new(usize::MAX, usize::MAX, Timestamp::ZERO);
        let peer = PeerId(Slab::<PeerKey, ()>::new().insert(()));
        let seat = Slab::<SeatKey, ()>::new().insert(());
        let key = out.open(peer, seat, Serializer::Cbor, usize::MAX);
        let buffer = Bytes::from(vec![7; 1 << 20]);
        for size in [100, ARENA_CHUNK + 1, OWN_MEMORY, OWN_MEMORY + 1] {
            for _ in 0..REHOME_AFTER {
                out.push_within_budget(key, Encoded::from(buffer.slice(1..=size))).unwrap();
            }
        }
        let mut shared = Vec::new();
        while let Some(Outgoing::Message(message)) = out.poll(key) {
            if buffer.as_ptr_range().contains(&message.to_bytes().as_ptr()) {
                shared.push(message.len());
            }
        }
        let expected = [vec![100; REHOME_AFTER], vec![OWN_MEMORY + 1; REHOME_AFTER]].concat();
        assert_eq!(shared, expected);
    }
}

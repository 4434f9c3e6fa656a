//! The state behind a router's lock: the router, and a link for each connection.

use std::collections::HashMap;
use std::task::Waker;
use std::time::Duration;

use bytes::BytesMut;
use futures_channel::oneshot;
use roadbed_core::link::{Link, LinkEvent};
use roadbed_core::time::Timestamp;
use roadbed_core::transport::TransportDetails;
use roadbed_router::{Outgoing, PeerId, Router, RouterEvent};
use slab::Slab;

use super::admission::{Admission, Place};
use crate::guard::Sleeper;

/// When those that there is no room for may try again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// What is done when the lock is free again.
#[derive(Default)]
pub(super) struct After {
    pub(super) wakers: Vec<Waker>,
    /// An event to be told, and then all that follow: nobody else is telling.
    pub(super) event: Option<RouterEvent>,
    pub(super) empty: Vec<oneshot::Sender<()>>,
}

/// Everything that changes in a router.
pub(super) struct State {
    pub(super) router: Router,
    slots: Slab<Slot>,
    peers: HashMap<PeerId, usize>,
    room: Admission,
    /// Whose driver also sleeps for the router's own deadlines. There is one whenever there is a peer.
    timekeeper: Option<usize>,
    empty: Vec<oneshot::Sender<()>>,
    /// Whether somebody wants to be told of events, and whether a thread is at it.
    telling: Telling,
}

/// Who tells the observer of events. They stay in the router, which bounds them, until one thread takes
/// them one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Telling {
    /// There is no observer.
    Never,
    /// Whoever finds an event tells it.
    Free,
    /// A thread is at it, and will tell the new ones too.
    Busy,
}

/// A connection.
pub(super) struct Slot {
    pub(super) link: Link,
    pub(super) details: TransportDetails,
    place: Place,
    /// Its name in the router, once the transport's handshake is done.
    peer: Option<PeerId>,
    /// The last event was reported.
    pub(super) has_ended: bool,
    /// It was given up: nothing is left to wait for.
    pub(super) is_lost: bool,
    reader: Sleeper,
    writer: Sleeper,
    /// What the writer sleeps for beside the end: output, and a time.
    wants_output: bool,
    until: Option<Timestamp>,
}

impl State {
    pub(super) fn new(router: Router, is_observed: bool, max_connections: Option<usize>) -> Self {
        let telling = if is_observed { Telling::Free } else { Telling::Never };
        Self {
            router,
            slots: Slab::new(),
            peers: HashMap::new(),
            room: Admission::new(max_connections),
            timekeeper: None,
            empty: Vec::new(),
            telling,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// A connection was accepted, or made inside of this process.
    pub(super) fn insert(
        &mut self,
        mut link: Link,
        details: TransportDetails,
        is_ours: bool,
        now: Timestamp,
    ) -> usize {
        let place = if is_ours { Place::Free } else { self.room.enter() };
        let is_lost = place == Place::Outside;
        if matches!(place, Place::Refused | Place::Outside) {
            self.router.connection_refused();
            link.refuse(RETRY_AFTER);
        }
        if is_lost {
            link.handle_lost(now);
        }
        self.slots.insert(Slot {
            link,
            details,
            place,
            peer: None,
            has_ended: false,
            is_lost,
            reader: Sleeper::default(),
            writer: Sleeper::default(),
            wants_output: false,
            until: None,
        })
    }

    pub(super) fn get(&mut self, key: usize) -> Option<&mut Slot> {
        self.slots.get_mut(key)
    }

    /// The driver of a connection is gone.
    pub(super) fn remove(&mut self, key: usize, now: Timestamp, after: &mut After) {
        if let Some(slot) = self.slots.get_mut(key) {
            slot.link.handle_lost(now);
            self.take_events(key, now);
        }
        if let Some(slot) = self.slots.try_remove(key) {
            self.room.leave(slot.place);
        }
        self.hand_over(key, after);
        if self.slots.is_empty() {
            self.slots = Slab::new();
            after.empty.append(&mut self.empty);
        }
    }

    /// Ready when no connection is left.
    pub(super) fn wait_until_empty(&mut self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        if self.slots.is_empty() {
            // It has just been created, so it takes what it is sent.
            let _ = sender.send(());
        } else {
            self.empty.push(sender);
        }
        receiver
    }

    /// Breaks every connection.
    pub(super) fn lose_all(&mut self, now: Timestamp, after: &mut After) {
        let keys: Vec<usize> = self.slots.iter().map(|(key, _)| key).collect();
        for key in keys {
            if let Some(slot) = self.slots.get_mut(key) {
                slot.is_lost = true;
                slot.link.handle_lost(now);
            }
            self.take_events(key, now);
            self.rouse(key, after);
        }
    }

    /// Bytes were read.
    pub(super) fn feed(&mut self, key: usize, now: Timestamp, input: &mut BytesMut) {
        loop {
            let Some(slot) = self.slots.get_mut(key) else { return };
            if slot.link.wants_input() {
                slot.link.handle_input(now, input);
            }
            if !self.take_event(key, now) {
                return;
            }
            // WELCOME has to be seen before the next message: it raises the limit on that.
            self.pull(key, now);
        }
    }

    /// Takes what a link has found to the router.
    pub(super) fn take_events(&mut self, key: usize, now: Timestamp) {
        while self.take_event(key, now) {
            self.pull(key, now);
        }
    }

    /// Takes one event of a link to the router; `false` when there is none.
    fn take_event(&mut self, key: usize, now: Timestamp) -> bool {
        let Some(slot) = self.slots.get_mut(key) else { return false };
        let Some(event) = slot.link.poll_event() else { return false };
        match (event, slot.peer) {
            (LinkEvent::Open { serializer, max_send, request }, _) => {
                let mut details = slot.details.clone();
                details.request = request;
                let peer = self.router.attach(now, serializer, max_send, details);
                slot.peer = Some(peer);
                self.peers.insert(peer, key);
            }
            (LinkEvent::Message(message), Some(peer)) => self.router.handle_message(now, peer, message),
            (LinkEvent::Violation(violation), Some(peer)) => {
                self.router.handle_violation(now, peer, violation);
            }
            (LinkEvent::Closed { reason }, peer) => {
                slot.has_ended = true;
                slot.peer = None;
                if let Some(peer) = peer {
                    self.peers.remove(&peer);
                    self.router.detach(now, peer, reason);
                }
            }
            // Nothing comes before Open.
            _ => {}
        }
        true
    }

    /// Takes what the router has for a peer to its link, while that has room.
    pub(super) fn pull(&mut self, key: usize, now: Timestamp) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        let Some(peer) = slot.peer else { return };
        let link = &mut slot.link;
        if self.router.must_drop(peer) {
            slot.is_lost = true;
            link.handle_lost(now);
        }
        while link.is_writable() {
            match self.router.poll_outgoing(peer) {
                Some(Outgoing::Message(message)) => {
                    // Messages over the peer's limit never leave the router.
                    let _ = link.send(now, &message);
                }
                Some(Outgoing::Close(_)) => link.close(now),
                None => break,
            }
        }
        link.set_receive_limit(self.router.receive_limit(peer));
        if self.router.wants_input(peer) {
            link.resume(now);
        } else {
            link.pause();
        }
    }

    /// Runs what is due: the timers of a link, and those of the router.
    pub(super) fn run_timers(&mut self, key: usize, now: Timestamp) {
        if let Some(slot) = self.slots.get_mut(key) {
            slot.link.handle_timeout(now);
        }
        if self.router.poll_timeout().is_some_and(|at| at <= now) {
            self.router.handle_timeout(now);
        }
        self.take_events(key, now);
        self.pull(key, now);
    }

    /// The reader of a connection has nothing to do until there is room.
    pub(super) fn reader_sleeps(&mut self, key: usize, waker: &Waker) {
        if let Some(slot) = self.slots.get_mut(key) {
            slot.reader.sleep(waker);
        }
    }

    /// The writer of a connection has nothing to do until the time returned, or until something changes.
    pub(super) fn writer_sleeps(
        &mut self,
        key: usize,
        waker: &Waker,
        wants_output: bool,
    ) -> Option<Timestamp> {
        let is_timekeeper = *self.timekeeper.get_or_insert(key) == key;
        let router = if is_timekeeper { self.router.poll_timeout() } else { None };
        let slot = self.slots.get_mut(key)?;
        slot.writer.sleep(waker);
        slot.wants_output = wants_output;
        slot.until = slot.link.poll_timeout().into_iter().chain(router).min();
        slot.until
    }

    /// The task that both halves of a connection belong to is running.
    pub(super) fn awake(&mut self, key: usize, waker: &Waker) {
        if let Some(slot) = self.slots.get_mut(key) {
            slot.writer.awake(waker);
            slot.reader.awake(waker);
        }
    }

    /// Another driver has to look after the router's deadlines.
    pub(super) fn hand_over(&mut self, key: usize, after: &mut After) {
        if self.timekeeper != Some(key) {
            return;
        }
        self.timekeeper = None;
        let other = self.slots.iter_mut().find(|(other, slot)| *other != key && !slot.has_ended);
        if let Some((_, other)) = other {
            // It takes the duty when it goes back to sleep; if it is awake, it will.
            after.wakers.extend(other.writer.rouse());
        }
    }

    /// After any change: finds out who has something to do now.
    pub(super) fn settle(&mut self, now: Timestamp, after: &mut After) {
        while let Some(peer) = self.router.poll_ready() {
            let Some(&key) = self.peers.get(&peer) else { continue };
            self.pull(key, now);
            // A link that was closed or dropped over it may have ended.
            self.take_events(key, now);
            self.rouse(key, after);
        }
        match self.telling {
            Telling::Never => while self.router.poll_event().is_some() {},
            Telling::Free => {
                after.event = self.router.poll_event();
                if after.event.is_some() {
                    self.telling = Telling::Busy;
                }
            }
            Telling::Busy => {}
        }
        let Some(keeper) = self.timekeeper else { return };
        let due = self.router.poll_timeout();
        let Some(slot) = self.slots.get_mut(keeper) else { return };
        if due.is_some_and(|at| slot.until.is_none_or(|until| at < until)) {
            after.wakers.extend(slot.writer.rouse());
        }
    }

    /// The next event to be told, by the one thread that tells; `None` ends its turn.
    pub(super) fn next_to_tell(&mut self) -> Option<RouterEvent> {
        let event = self.router.poll_event();
        if event.is_none() {
            self.telling = Telling::Free;
        }
        event
    }

    /// Wakes the halves of a connection that have something to do.
    pub(super) fn rouse(&mut self, key: usize, after: &mut After) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        if slot.writer.is_asleep() {
            let has_output = slot.wants_output && slot.link.queued() > 0;
            let is_early = match (slot.link.poll_timeout(), slot.until) {
                (Some(at), Some(until)) => at < until,
                (at, until) => until.is_none() && at.is_some(),
            };
            if has_output || slot.has_ended || is_early {
                after.wakers.extend(slot.writer.rouse());
            }
        }
        if slot.reader.is_asleep() && (slot.has_ended || slot.link.wants_input()) {
            after.wakers.extend(slot.reader.rouse());
        }
    }
}

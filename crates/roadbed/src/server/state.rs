//! The state behind a router's lock: the router, and how its connections are reached.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::Waker;

use futures_channel::oneshot;
use roadbed_core::time::Timestamp;
use roadbed_router::{PeerId, Router, RouterEvent};
use slab::Slab;

use super::admission::{Admission, Place};
use super::mailbox::{Mail, Mailbox};
use crate::guard::Sleeper;

/// What is done when every lock is free again.
#[derive(Default)]
pub(super) struct After {
    pub(super) wakers: Vec<Waker>,
    /// Wakers that others replaced, and that may own their tasks.
    pub(super) replaced: Vec<Waker>,
    /// An event to be told, and then all that follow: nobody else is telling.
    pub(super) event: Option<RouterEvent>,
    pub(super) empty: Vec<oneshot::Sender<()>>,
    /// The router has a deadline, and no task that waits for it.
    pub(super) starts_timer: bool,
}

impl After {
    /// Adds what another change brought about.
    pub(super) fn add(&mut self, mut other: Self) {
        self.wakers.append(&mut other.wakers);
        self.replaced.append(&mut other.replaced);
        // Only one of them can have one: whoever takes an event is the one who tells.
        self.event = self.event.take().or(other.event);
        self.empty.append(&mut other.empty);
        self.starts_timer |= other.starts_timer;
    }
}

/// Everything that changes in a router.
pub(super) struct State {
    pub(super) router: Router,
    connections: Slab<Arc<Mailbox>>,
    /// The mailboxes of those that are peers.
    peers: HashMap<PeerId, Arc<Mailbox>>,
    room: Admission,
    empty: Vec<oneshot::Sender<()>>,
    /// Whether somebody wants to be told of events, and whether a thread is at it.
    telling: Telling,
    timer: TimerState,
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

/// The task that waits for the router's own deadlines.
#[derive(Default)]
struct TimerState {
    is_running: bool,
    sleeper: Sleeper,
    until: Option<Timestamp>,
}

impl State {
    pub(super) fn new(router: Router, is_observed: bool, max_connections: Option<usize>) -> Self {
        let telling = if is_observed { Telling::Free } else { Telling::Never };
        Self {
            router,
            connections: Slab::new(),
            peers: HashMap::new(),
            room: Admission::new(max_connections),
            empty: Vec::new(),
            telling,
            timer: TimerState::default(),
        }
    }

    /// How many connections there are.
    pub(super) fn len(&self) -> usize {
        self.connections.len()
    }

    /// A connection was accepted, or made inside of this process.
    pub(super) fn insert(&mut self, mailbox: &Arc<Mailbox>, is_ours: bool) -> (usize, Place) {
        let place = if is_ours { Place::Free } else { self.room.enter() };
        (self.connections.insert(Arc::clone(mailbox)), place)
    }

    /// The name of a connection in the router changed.
    pub(super) fn rename(&mut self, before: Option<PeerId>, after: Option<PeerId>, mailbox: &Arc<Mailbox>) {
        if let Some(peer) = before {
            self.peers.remove(&peer);
        }
        if let Some(peer) = after {
            self.peers.insert(peer, Arc::clone(mailbox));
        }
        if self.peers.is_empty() {
            self.peers = HashMap::new();
        }
    }

    /// A connection has ended, and is only being closed.
    pub(super) fn retire(&mut self, place: Place) -> Place {
        self.room.retire(place)
    }

    /// The driver of a connection is gone.
    pub(super) fn remove(&mut self, key: usize, place: Place, after: &mut After) {
        if self.connections.try_remove(key).is_some() {
            self.room.leave(place);
        }
        if self.connections.is_empty() {
            self.connections = Slab::new();
            after.empty.append(&mut self.empty);
            // Nothing is left to wait for.
            if self.router.poll_timeout().is_none() {
                after.wakers.extend(self.timer.sleeper.rouse());
            }
        }
    }

    /// Ready when no connection is left.
    pub(super) fn wait_until_empty(&mut self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        if self.connections.is_empty() {
            // It has just been created, so it takes what it is sent.
            let _ = sender.send(());
        } else {
            self.empty.push(sender);
        }
        receiver
    }

    /// Breaks every connection.
    pub(super) fn lose_all(&mut self, after: &mut After) {
        let mail = Mail { is_ready: false, is_lost: true };
        after.wakers.extend(self.connections.iter().filter_map(|(_, mailbox)| mailbox.post(mail)));
    }

    /// Tells the drivers of the peers that the router names, but not that of `but`.
    pub(super) fn post(&mut self, but: Option<PeerId>, after: &mut After) {
        let mail = Mail { is_ready: true, is_lost: false };
        while let Some(peer) = self.router.poll_ready() {
            if Some(peer) != but
                && let Some(mailbox) = self.peers.get(&peer)
            {
                after.wakers.extend(mailbox.post(mail));
            }
        }
    }

    /// After any change: finds out who has something to do now. `but` has just exchanged, and knows.
    pub(super) fn settle(&mut self, but: Option<PeerId>, after: &mut After) {
        self.post(but, after);
        match self.telling {
            Telling::Never => {
                while self.router.poll_event().is_some() {}
                // That may let peers be read again, the one that has just exchanged included.
                self.post(None, after);
            }
            Telling::Free => {
                after.event = self.router.poll_event();
                if after.event.is_some() {
                    self.telling = Telling::Busy;
                }
            }
            Telling::Busy => {}
        }
        let Some(at) = self.router.poll_timeout() else { return };
        if !self.timer.is_running {
            self.timer.is_running = true;
            self.timer.until = None;
            after.starts_timer = true;
        } else if self.timer.until.is_some_and(|until| at < until) {
            after.wakers.extend(self.timer.sleeper.rouse());
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

    /// The thread that tells stops before its time. What is left is told after the next change.
    pub(super) fn stop_telling(&mut self) {
        if matches!(self.telling, Telling::Busy) {
            self.telling = Telling::Free;
        }
    }

    /// Runs the router's deadlines that are due. Says when the next one is, for which `waker` sleeps; `None` ends the
    /// timer's task.
    pub(super) fn run_timers(
        &mut self,
        now: Timestamp,
        waker: &Waker,
        after: &mut After,
    ) -> Option<Timestamp> {
        if self.router.poll_timeout().is_some_and(|at| at <= now) {
            self.router.handle_timeout(now);
        }
        self.timer.until = self.router.poll_timeout();
        match self.timer.until {
            Some(_) => after.replaced.extend(self.timer.sleeper.sleep(waker)),
            None => self.timer.is_running = false,
        }
        self.timer.until
    }

    /// The timer's task is gone before its time, or the router is: whom to wake, if anybody.
    pub(super) fn stop_timer(&mut self) -> Option<Waker> {
        self.timer.is_running = false;
        self.timer.sleeper.rouse()
    }
}

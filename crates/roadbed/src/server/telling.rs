//! How the observer hears of events: one at a time, in the order in which they happened, with no lock held.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use roadbed_router::RouterEvent;

use super::after::After;
use super::{Observer, RouterHandle};
use crate::guard::Guarded;

/// The events of a router that wait for its observer, and whether a thread is telling them.
pub(super) struct Telling {
    observer: Option<Arc<Observer>>,
    /// While as many wait, peers without session are not read.
    limit: usize,
    waiting: Guarded<Waiting>,
    is_congested: AtomicBool,
    /// Events wait, and no thread tells them.
    is_abandoned: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<RouterEvent>,
    is_being_told: bool,
}

impl Telling {
    pub(super) fn new(observer: Option<Arc<Observer>>, limit: usize) -> Self {
        Self {
            observer,
            limit,
            waiting: Guarded::new(Waiting::default()),
            is_congested: AtomicBool::new(false),
            is_abandoned: AtomicBool::new(false),
        }
    }

    /// Whether very many events wait.
    pub(super) fn is_congested(&self) -> bool {
        self.is_congested.load(Ordering::SeqCst)
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.with(|waiting, (): &mut ()| waiting.events.len()).0
    }

    /// Takes the events of a lobby or a shard, which is locked: so they stay in order. The first of them is to be told,
    /// if no thread is at it.
    pub(super) fn collect(&self, poll: impl FnMut() -> Option<RouterEvent>, after: &mut After) {
        let mut events = std::iter::from_fn(poll);
        if self.observer.is_none() {
            events.for_each(drop);
            return;
        }
        let first = events.next();
        if first.is_none() && !self.is_abandoned.load(Ordering::SeqCst) {
            return;
        }
        let ((), ()) = self.waiting.with(|waiting, (): &mut ()| {
            waiting.events.extend(first.into_iter().chain(events));
            if waiting.events.len() >= self.limit {
                self.is_congested.store(true, Ordering::SeqCst);
            }
            if !waiting.is_being_told {
                after.event = waiting.events.pop_front();
                waiting.is_being_told = after.event.is_some();
                self.is_abandoned.store(false, Ordering::SeqCst);
            }
        });
    }

    /// The next event, for the thread that tells; `None` ends its turn. Also says whether many waited, and do so no
    /// longer.
    fn next(&self) -> (Option<RouterEvent>, bool) {
        let (next, ()) = self.waiting.with(|waiting, (): &mut ()| {
            let event = waiting.events.pop_front();
            waiting.is_being_told = event.is_some();
            if waiting.events.capacity() > 64 && waiting.events.len() < waiting.events.capacity() >> 3 {
                waiting.events.shrink_to(waiting.events.len() * 2);
            }
            let is_calm =
                waiting.events.len() <= self.limit / 2 && self.is_congested.swap(false, Ordering::SeqCst);
            (event, is_calm)
        });
        next
    }

    /// The thread that tells stops before its time, with this event untold. What is left is told after the next change.
    fn stop(&self, untold: Option<RouterEvent>) {
        let ((), ()) = self.waiting.with(|waiting, (): &mut ()| {
            untold.into_iter().for_each(|event| waiting.events.push_front(event));
            waiting.is_being_told = false;
            self.is_abandoned.store(true, Ordering::SeqCst);
        });
    }
}

/// The turn to tell the observer, which one thread has at a time. Dropped before there is nothing left to tell, as when
/// a waker panics, it is given up.
pub(super) struct Turn<'a> {
    router: &'a RouterHandle,
    /// The event to be told first.
    first: Option<RouterEvent>,
    is_over: bool,
}

impl<'a> Turn<'a> {
    pub(super) fn new(router: &'a RouterHandle, first: RouterEvent) -> Self {
        Self { router, first: Some(first), is_over: false }
    }

    /// Tells the observer what happened, one event after the other, until nothing is left to tell. Others
    /// that find something to tell meanwhile leave it to this thread, so the order is kept.
    pub(super) fn tell(mut self) {
        let telling = &self.router.0.telling;
        let Some(observer) = &telling.observer else { return };
        let mut next = self.first.take();
        while let Some(event) = next {
            // What the observer left behind is its owner's affair.
            let _ = catch_unwind(AssertUnwindSafe(|| observer(self.router, event)));
            let is_calm;
            (next, is_calm) = telling.next();
            self.is_over = next.is_none();
            if is_calm {
                // Peers that waited for this to be told are read again.
                let mut after = After::default();
                self.router.decongest(&mut after);
                // No event is among it: this thread has the turn, or leaves it to whoever finds the next one.
                self.router.carry_out(after);
            }
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.router.0.telling.stop(self.first.take());
        }
    }
}

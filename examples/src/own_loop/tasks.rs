//! Tasks and timers, for handlers and for whatever else runs beside the connections.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use roadbed::core::time::Timestamp;
use roadbed::runtime::{Task, Timer};

use super::{Shared, lock};

/// The tasks of the loop. They are polled by its thread, and only when they were woken.
#[derive(Default)]
pub(super) struct Tasks {
    tasks: BTreeMap<u64, (Task, Waker)>,
    last_id: u64,
}

/// Wakes one task.
struct Waking {
    shared: Arc<Shared>,
    id: u64,
}

impl Wake for Waking {
    fn wake(self: Arc<Self>) {
        lock(&self.shared.woken).push(self.id);
        self.shared.rouse();
    }
}

impl Tasks {
    /// Polls new tasks, and those that were woken; `false` when there are none.
    pub(super) fn run(&mut self, shared: &Arc<Shared>, new: Vec<Task>) -> bool {
        let mut ready = std::mem::take(&mut *lock(&shared.woken));
        for task in new {
            self.last_id += 1;
            let waker = Waker::from(Arc::new(Waking { shared: Arc::clone(shared), id: self.last_id }));
            self.tasks.insert(self.last_id, (task, waker));
            ready.push(self.last_id);
        }
        // Woken twice is polled once.
        ready.sort_unstable();
        ready.dedup();
        let has_moved = !ready.is_empty();
        for id in ready {
            let Some((task, waker)) = self.tasks.get_mut(&id) else { continue };
            if task.as_mut().poll(&mut Context::from_waker(waker)).is_ready() {
                self.tasks.remove(&id);
            }
        }
        has_moved
    }
}

/// Who is woken when.
#[derive(Default)]
pub(super) struct Timers {
    due: BTreeMap<(Timestamp, u64), Waker>,
    last_id: u64,
}

/// Wakes those whose time has come, and says when the next one's will.
pub(super) fn fire(shared: &Shared) -> Option<Timestamp> {
    let now = shared.clock.now();
    loop {
        let waker = {
            let mut timers = lock(&shared.timers);
            match timers.due.first_key_value() {
                Some(((at, _), _)) if *at <= now => timers.due.pop_first().map(|(_, waker)| waker),
                next => return next.map(|((at, _), _)| *at),
            }
        };
        waker.into_iter().for_each(Waker::wake);
    }
}

pub(super) fn timer(shared: &Arc<Shared>) -> Box<dyn Timer> {
    let id = {
        let mut timers = lock(&shared.timers);
        timers.last_id += 1;
        timers.last_id
    };
    Box::new(Alarm { shared: Arc::clone(shared), id, set: None })
}

struct Alarm {
    shared: Arc<Shared>,
    id: u64,
    /// What it is set to.
    set: Option<Timestamp>,
}

impl Timer for Alarm {
    fn poll_at(&mut self, cx: &mut Context<'_>, at: Timestamp) -> Poll<()> {
        let mut timers = lock(&self.shared.timers);
        if let Some(before) = self.set.take() {
            timers.due.remove(&(before, self.id));
        }
        if self.shared.clock.now() >= at {
            return Poll::Ready(());
        }
        timers.due.insert((at, self.id), cx.waker().clone());
        self.set = Some(at);
        let is_first = timers.due.first_key_value().is_some_and(|((_, id), _)| *id == self.id);
        drop(timers);
        if is_first {
            // The loop may sleep for longer; if this is its own thread, it looks before it sleeps.
            self.shared.rouse();
        }
        Poll::Pending
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(at) = self.set {
            lock(&self.shared.timers).due.remove(&(at, self.id));
        }
    }
}

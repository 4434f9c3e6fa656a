//! A deterministic runtime for tests of this workspace: one thread, tasks in the order in which they were woken, and
//! a clock that moves only when nothing else can. No part of the public interface.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use roadbed_core::time::Timestamp;

use crate::runtime::{Runtime, Task, Timer};

/// The runtime; clones are the same one.
#[derive(Clone, Default)]
pub struct Sim(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    now: Timestamp,
    tasks: BTreeMap<usize, Option<Task>>,
    ready: VecDeque<usize>,
    timers: BTreeMap<(Timestamp, usize), Waker>,
    last_id: usize,
}

struct Waking {
    sim: Sim,
    id: usize,
}

impl Wake for Waking {
    fn wake(self: Arc<Self>) {
        let mut inner = self.sim.0.lock().unwrap();
        if !inner.ready.contains(&self.id) {
            inner.ready.push_back(self.id);
        }
    }
}

/// The id under which the future of `block_on` is woken.
const MAIN: usize = 0;

impl Sim {
    /// The same, as adapters give it to connections.
    pub fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::new(self.clone())
    }

    /// Tasks that have not ended.
    pub fn tasks(&self) -> usize {
        self.0.lock().unwrap().tasks.len()
    }

    fn waker(&self, id: usize) -> Waker {
        Waker::from(Arc::new(Waking { sim: self.clone(), id }))
    }

    /// Runs the next task; `false` when none is ready.
    pub fn step(&self) -> bool {
        let (id, task) = {
            let mut inner = self.0.lock().unwrap();
            let Some(id) = inner.ready.pop_front() else { return false };
            (id, inner.tasks.get_mut(&id).and_then(Option::take))
        };
        let Some(mut task) = task else { return true };
        let waker = self.waker(id);
        let poll = task.as_mut().poll(&mut Context::from_waker(&waker));
        let finished = {
            let mut inner = self.0.lock().unwrap();
            match poll {
                Poll::Ready(()) => {
                    inner.tasks.remove(&id);
                    Some(task)
                }
                Poll::Pending => inner.tasks.insert(id, Some(task)).flatten(),
            }
        };
        drop(finished);
        true
    }

    /// Runs until nothing is ready; the clock stands still.
    pub fn settle(&self) {
        for _ in 0..1_000_000 {
            if !self.step() {
                return;
            }
        }
        panic!("the tasks never come to rest");
    }

    /// Moves the clock to the next timer; `false` when there is none.
    pub fn advance(&self) -> bool {
        let waker = {
            let mut inner = self.0.lock().unwrap();
            let Some(((at, _), waker)) = inner.timers.pop_first() else { return false };
            inner.now = inner.now.max(at);
            waker
        };
        waker.wake();
        true
    }

    /// Lets time pass, with everything that happens in it.
    pub fn pass(&self, span: std::time::Duration) {
        let until = self.now() + span;
        self.settle();
        while self.0.lock().unwrap().timers.first_key_value().is_some_and(|((at, _), _)| *at <= until) {
            self.advance();
            self.settle();
        }
        let mut inner = self.0.lock().unwrap();
        inner.now = inner.now.max(until);
    }

    /// Moves the clock at once, as after a stop of the whole process: everything that is due by then is woken, what was
    /// due last comes first, and nothing has run yet.
    pub fn jump(&self, span: std::time::Duration) {
        let due = {
            let mut inner = self.0.lock().unwrap();
            inner.now = inner.now + span;
            let now = inner.now;
            let later = inner.timers.split_off(&(now.next(), 0));
            std::mem::replace(&mut inner.timers, later)
        };
        due.into_values().rev().for_each(Waker::wake);
    }

    /// Drops every task.
    pub fn kill_tasks(&self) {
        let tasks = std::mem::take(&mut self.0.lock().unwrap().tasks);
        drop(tasks);
    }

    /// Runs `future` to its end, and lets time pass when nothing else can happen.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        let waker = self.waker(MAIN);
        let mut cx = Context::from_waker(&waker);
        let start = self.now();
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return output;
            }
            loop {
                let is_woken = {
                    let mut inner = self.0.lock().unwrap();
                    let before = inner.ready.len();
                    inner.ready.retain(|id| *id != MAIN);
                    inner.ready.len() < before
                };
                if is_woken {
                    break;
                }
                assert!(self.step() || self.advance(), "nothing will ever happen again");
                // Pings never end.
                let passed = self.now().saturating_since(start);
                assert!(passed.as_secs() < 86_400, "it takes more than a day");
            }
        }
    }

    /// Polls `future` once, then runs at most `steps` tasks.
    pub fn poll_once<F: Future + ?Sized>(&self, future: Pin<&mut F>, steps: usize) -> Poll<F::Output> {
        let waker = self.waker(MAIN);
        let poll = future.poll(&mut Context::from_waker(&waker));
        for _ in 0..steps {
            self.step();
        }
        poll
    }
}

impl Runtime for Sim {
    fn now(&self) -> Timestamp {
        self.0.lock().unwrap().now
    }

    fn utc(&self) -> roadbed_core::time::UnixMicros {
        Default::default()
    }

    fn seed(&self) -> [u8; 32] {
        let mut inner = self.0.lock().unwrap();
        inner.last_id += 1;
        [u8::try_from(inner.last_id % 251).unwrap(); 32]
    }

    fn spawn(&self, task: Task) {
        let mut inner = self.0.lock().unwrap();
        inner.last_id += 1;
        let id = inner.last_id;
        inner.tasks.insert(id, Some(task));
        inner.ready.push_back(id);
    }

    fn timer(&self) -> Box<dyn Timer> {
        let mut inner = self.0.lock().unwrap();
        inner.last_id += 1;
        Box::new(SimTimer { sim: self.clone(), id: inner.last_id, set: None })
    }
}

struct SimTimer {
    sim: Sim,
    id: usize,
    set: Option<Timestamp>,
}

impl Timer for SimTimer {
    fn poll_at(&mut self, cx: &mut Context<'_>, at: Timestamp) -> Poll<()> {
        let mut inner = self.sim.0.lock().unwrap();
        if let Some(before) = self.set.take() {
            inner.timers.remove(&(before, self.id));
        }
        if inner.now >= at {
            return Poll::Ready(());
        }
        inner.timers.insert((at, self.id), cx.waker().clone());
        self.set = Some(at);
        Poll::Pending
    }
}

impl Drop for SimTimer {
    fn drop(&mut self) {
        if let Some(at) = self.set {
            self.sim.0.lock().unwrap().timers.remove(&(at, self.id));
        }
    }
}

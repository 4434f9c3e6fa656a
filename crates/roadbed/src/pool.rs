//! Threads for tasks that may block, each for as long as it likes.
//!
//! A task never waits for another one to end: where tasks are queued, a thread is on its way to them. It may
//! find the queue empty, because a thread that was done came first; so many short tasks need few threads,
//! and tasks that block get one each. A thread without work waits a while for more before it ends.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::park::block_on;
use crate::runtime::Task;

/// How long a thread waits for work.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many threads wait for work at most; others end when they are done.
const MAX_IDLE: usize = 32;

/// The threads, and what they have to do.
#[derive(Default)]
pub(crate) struct Pool(Mutex<State>);

#[derive(Default)]
struct State {
    queue: VecDeque<Task>,
    /// Who waits for work; the last one to come is the first one to be called.
    idle: Vec<Arc<Seat>>,
    /// A thread is on its way to the queue. Before it takes up a task it sends for the next one, if there is
    /// more to do: so one at a time is enough, and however long tasks take, none waits for them.
    is_coming: bool,
    threads: usize,
}

/// Where a thread waits.
struct Seat {
    thread: Thread,
    is_called: AtomicBool,
}

/// How a thread comes to the queue.
enum Call {
    Idle(Arc<Seat>),
    New,
}

impl State {
    /// Sends for a thread, if none is on its way.
    fn call(&mut self) -> Option<Call> {
        if std::mem::replace(&mut self.is_coming, true) {
            return None;
        }
        let Some(seat) = self.idle.pop() else {
            self.threads += 1;
            return Some(Call::New);
        };
        seat.is_called.store(true, Ordering::Relaxed);
        Some(Call::Idle(seat))
    }
}

impl Pool {
    /// Runs a task to its end. When the operating system has no threads left, it waits for one of ours; when
    /// there is none at all, it is dropped.
    pub(crate) fn run(self: &Arc<Self>, task: Task) {
        let mut state = self.lock();
        state.queue.push_back(task);
        let call = state.call();
        drop(state);
        self.carry_out(call);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn carry_out(self: &Arc<Self>, call: Option<Call>) {
        match call {
            None => {}
            Some(Call::Idle(seat)) => seat.thread.unpark(),
            Some(Call::New) => {
                let pool = Arc::clone(self);
                if thread::Builder::new().name("roadbed-task".into()).spawn(move || pool.work()).is_ok() {
                    return;
                }
                let mut state = self.lock();
                state.is_coming = false;
                state.threads -= 1;
                let lost =
                    if state.threads == 0 { std::mem::take(&mut state.queue) } else { VecDeque::new() };
                drop(state);
                drop(lost);
            }
        }
    }

    /// The life of a thread.
    fn work(self: &Arc<Self>) {
        let seat = Arc::new(Seat { thread: thread::current(), is_called: AtomicBool::new(false) });
        let mut state = self.lock();
        loop {
            state.is_coming = false;
            while let Some(task) = state.queue.pop_front() {
                let call = if state.queue.is_empty() { None } else { state.call() };
                drop(state);
                self.carry_out(call);
                // What panicked was reported, and is dropped with the task.
                let _ = catch_unwind(AssertUnwindSafe(|| block_on(task)));
                state = self.lock();
            }
            if state.idle.len() >= MAX_IDLE {
                break;
            }
            state.idle.push(Arc::clone(&seat));
            drop(state);
            seat.wait();
            state = self.lock();
            // Both were decided under the lock.
            if !seat.is_called.swap(false, Ordering::Relaxed) {
                state.idle.retain(|other| !Arc::ptr_eq(other, &seat));
                break;
            }
        }
        state.threads -= 1;
    }
}

impl Seat {
    /// Waits for a call, but not for long.
    fn wait(&self) {
        let until = Instant::now() + PATIENCE;
        while !self.is_called.load(Ordering::Relaxed) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            thread::park_timeout(left);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::mpsc;

    use super::*;

    /// More than any of this takes.
    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn a_task_that_blocks_keeps_no_other_one_waiting() {
        let pool = Arc::new(Pool::default());
        let (release, (done, results)) = (Arc::new(Mutex::new(())), mpsc::channel());
        let held = release.lock().unwrap();
        for number in 0..100 {
            let (release, done) = (Arc::clone(&release), done.clone());
            pool.run(Box::pin(async move {
                if number % 2 == 0 {
                    drop(release.lock());
                }
                done.send(number).unwrap();
            }));
        }
        let quick: HashSet<i32> = (0..50).map(|_| results.recv_timeout(LONG).unwrap()).collect();
        assert!(quick.iter().all(|number| number % 2 == 1));
        assert!(pool.lock().threads >= 50);
        drop(held);
        (0..50).for_each(|_| assert_eq!(results.recv_timeout(LONG).unwrap() % 2, 0));
    }

    #[test]
    fn one_task_after_the_other_needs_one_thread_or_two() {
        let pool = Arc::new(Pool::default());
        let (done, results) = mpsc::channel();
        let mut threads = HashSet::new();
        for _ in 0..1000 {
            let done = done.clone();
            pool.run(Box::pin(async move { done.send(thread::current().id()).unwrap() }));
            threads.insert(results.recv_timeout(LONG).unwrap());
        }
        // A thread may not be back yet when the next task comes.
        assert!(threads.len() <= 4, "{} threads", threads.len());
    }

    #[test]
    fn threads_end_when_there_is_nothing_to_do() {
        let pool = Arc::new(Pool::default());
        let (ready, barrier) = (mpsc::channel(), Arc::new(std::sync::Barrier::new(MAX_IDLE + 9)));
        for _ in 0..MAX_IDLE + 8 {
            let (ready, barrier) = (ready.0.clone(), Arc::clone(&barrier));
            pool.run(Box::pin(async move {
                barrier.wait();
                ready.send(()).unwrap();
            }));
        }
        // All of them at once, each in a thread.
        barrier.wait();
        (0..MAX_IDLE + 8).for_each(|_| ready.1.recv_timeout(LONG).unwrap());
        let begin = Instant::now();
        // They hold the pool while they live.
        while Arc::strong_count(&pool) > 1 {
            assert!(begin.elapsed() < LONG, "{} threads are left", pool.lock().threads);
            assert!(pool.lock().idle.len() <= MAX_IDLE);
            thread::sleep(Duration::from_millis(5));
        }
        let state = pool.lock();
        assert_eq!((state.threads, state.idle.len(), state.queue.len()), (0, 0, 0));
    }

    #[test]
    fn a_task_that_panics_takes_no_thread_with_it() {
        let pool = Arc::new(Pool::default());
        let (done, results) = mpsc::channel();
        pool.run(Box::pin(async { panic!("on purpose") }));
        pool.run(Box::pin(async move { done.send(()).unwrap() }));
        results.recv_timeout(LONG).unwrap();
    }
}

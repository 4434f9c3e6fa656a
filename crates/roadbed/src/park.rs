//! Waiting for a future in a thread that has nothing else to do.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use roadbed_core::time::Timestamp;

use crate::blocking::alarms::Alarms;
use crate::error::{Error, WAIT_IN_TASK};
use crate::runtime::{Runtime, SystemClock, Timer};

/// Unparks one thread.
struct Unpark {
    thread: Thread,
    is_woken: AtomicBool,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// The current thread, to be woken as a task is.
pub(crate) struct Parker {
    unpark: Arc<Unpark>,
    pub(crate) waker: Waker,
}

impl Parker {
    pub(crate) fn new() -> Self {
        let unpark = Arc::new(Unpark { thread: thread::current(), is_woken: AtomicBool::new(false) });
        Self { waker: Waker::from(Arc::clone(&unpark)), unpark }
    }

    /// Sleeps until woken, or `span` has passed. A wake-up between two calls counts for the second.
    pub(crate) fn park(&self, span: Option<Duration>) {
        if !self.unpark.is_woken.swap(false, Ordering::Acquire) {
            match span {
                Some(span) => thread::park_timeout(span),
                None => thread::park(),
            }
            self.unpark.is_woken.swap(false, Ordering::Acquire);
        }
    }

    /// Sleeps for `span`, or less. A wake-up meanwhile counts for the next call of [`park`](Self::park).
    pub(crate) fn doze(&self, span: Duration) {
        thread::park_timeout(span);
    }
}

thread_local! {
    /// When the future that runs in this thread wants to be polled again, at the latest.
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };

    /// What wakes that future.
    static PARKED: RefCell<Option<Waker>> = const { RefCell::new(None) };
}

/// Runs a future in this thread.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let parker = Parker::new();
    let mut cx = Context::from_waker(&parker.waker);
    // A future may run another one to its end in its own poll.
    let outer = DEADLINE.take();
    let outer_waker = PARKED.replace(Some(parker.waker.clone()));
    let output = loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            break output;
        }
        let deadline = DEADLINE.take();
        parker.park(deadline.map(|at| at.saturating_duration_since(Instant::now())));
    };
    DEADLINE.set(outer);
    PARKED.set(outer_waker);
    output
}

/// Runs a future in this thread, if it may wait for connections of `runtime`.
pub(crate) fn wait_for<T>(
    runtime: &dyn Runtime,
    future: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    may_wait(runtime)?;
    block_on(future)
}

/// Fails where the calling thread may not wait for connections of `runtime`. Every wait asks first, whether it would
/// have to wait or not: otherwise it would fail only sometimes.
pub(crate) fn may_wait(runtime: &dyn Runtime) -> Result<(), Error> {
    if runtime.may_wait() { Ok(()) } else { Err(Error::WaitInTask) }
}

/// As [`wait_for`], where what comes has no place for an error.
///
/// # Panics
/// If this thread may not wait.
#[track_caller]
pub(crate) fn wait_or_panic<F: Future>(runtime: &dyn Runtime, future: F) -> F::Output {
    assert!(runtime.may_wait(), "{WAIT_IN_TASK}");
    block_on(future)
}

/// Polls in this thread for at most `span`. `None`: nothing came in time.
///
/// # Errors
/// [`Error::WaitInTask`] if this thread may not wait.
pub(crate) fn wait_within<T>(
    runtime: &dyn Runtime,
    span: Duration,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Result<Option<T>, Error> {
    may_wait(runtime)?;
    let until = Instant::now().checked_add(span);
    let parker = Parker::new();
    let mut cx = Context::from_waker(&parker.waker);
    loop {
        if let Poll::Ready(output) = poll(&mut cx) {
            return Ok(Some(output));
        }
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(None);
        }
        parker.park(left);
    }
}

/// A timer for futures that run in a thread of their own, and for those that any other runtime polls.
#[derive(Debug)]
pub(crate) struct ThreadTimer {
    clock: SystemClock,
    alarms: Arc<Alarms>,
    /// The alarm that is set for a task of another runtime.
    set: Option<(Instant, u64)>,
}

impl ThreadTimer {
    pub(crate) fn new(clock: SystemClock, alarms: Arc<Alarms>) -> Self {
        Self { clock, alarms, set: None }
    }

    fn take_back(&mut self) {
        if let Some(key) = self.set.take() {
            self.alarms.take_back(key);
        }
    }
}

impl Timer for ThreadTimer {
    fn poll_at(&mut self, cx: &mut Context<'_>, at: Timestamp) -> Poll<()> {
        self.take_back();
        if self.clock.now() >= at {
            return Poll::Ready(());
        }
        let at = self.clock.instant(at);
        if PARKED.with_borrow(|parked| parked.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()))) {
            DEADLINE.set(Some(DEADLINE.get().map_or(at, |other| other.min(at))));
        } else {
            self.set = Some(self.alarms.set(at, cx.waker().clone()));
        }
        Poll::Pending
    }
}

impl Drop for ThreadTimer {
    fn drop(&mut self) {
        self.take_back();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    /// Neither an executor nor a future between it and the timer has to know of them.
    #[test]
    fn a_timer_wakes_whoever_polls_it() {
        let (clock, alarms) = (SystemClock::start(), Arc::<Alarms>::default());
        for span in [Duration::from_millis(30), Duration::from_millis(10)] {
            let mut timer = ThreadTimer::new(clock, Arc::clone(&alarms));
            let at = clock.now() + span;
            let unpark = Arc::new(Unpark { thread: thread::current(), is_woken: AtomicBool::new(false) });
            let waker = Waker::from(Arc::clone(&unpark));
            assert!(
                timer.poll_at(&mut Context::from_waker(&waker), at + Duration::from_secs(60)).is_pending()
            );
            assert!(timer.poll_at(&mut Context::from_waker(&waker), at).is_pending());
            let start = Instant::now();
            while !unpark.is_woken.load(Ordering::Acquire) {
                assert!(start.elapsed() < Duration::from_secs(20), "it is not woken");
                thread::park_timeout(Duration::from_secs(20));
            }
            assert!(clock.now() >= at);
            // In a thread of its own it needs nobody.
            let at = clock.now() + span;
            block_on(poll_fn(|cx| timer.poll_at(cx, at)));
            assert!(clock.now() >= at && timer.set.is_none());
        }
    }
}

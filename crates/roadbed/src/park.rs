//! Waiting for a future in a thread that has nothing else to do.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use roadbed_core::time::Timestamp;

use crate::runtime::{SystemClock, Timer};

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
}

/// Runs a future in this thread.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let parker = Parker::new();
    let mut cx = Context::from_waker(&parker.waker);
    // A future may run another one to its end in its own poll.
    let outer = DEADLINE.take();
    let output = loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            break output;
        }
        let deadline = DEADLINE.take();
        parker.park(deadline.map(|at| at.saturating_duration_since(Instant::now())));
    };
    DEADLINE.set(outer);
    output
}

/// A timer for futures that run in a thread of their own.
#[derive(Debug)]
pub(crate) struct ThreadTimer(pub(crate) SystemClock);

impl Timer for ThreadTimer {
    fn poll_at(&mut self, _: &mut Context<'_>, at: Timestamp) -> Poll<()> {
        if self.0.now() >= at {
            return Poll::Ready(());
        }
        let at = self.0.instant(at);
        DEADLINE.set(Some(DEADLINE.get().map_or(at, |other| other.min(at))));
        Poll::Pending
    }
}

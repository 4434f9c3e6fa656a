//! Time, tasks and randomness.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use roadbed::core::time::Timestamp;
use roadbed::runtime::{Runtime, Task, Timer};
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep_until};

/// Times too far off for tokio's clock are so far away.
const FAR: Duration = Duration::from_secs(365 * 86_400);

/// More than tokio lets a task do before it has to yield, which is 128 operations.
const BUDGET: usize = 1024;

/// The services of a tokio runtime.
///
/// Its clock is tokio's, so that tests may pause it.
#[derive(Clone)]
pub struct Tokio {
    handle: Handle,
    origin: Instant,
}

impl Tokio {
    /// The runtime that this is called in.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub fn current() -> Self {
        Self::on(Handle::current())
    }

    /// A runtime, from anywhere.
    pub fn on(handle: Handle) -> Self {
        let origin = {
            let _inside = handle.enter();
            Instant::now()
        };
        Self { handle, origin }
    }

    /// A time of ours on tokio's clock.
    fn instant(&self, at: Timestamp) -> Instant {
        let since = at.saturating_since(Timestamp::ZERO);
        self.origin.checked_add(since).unwrap_or_else(|| Instant::now() + FAR)
    }
}

impl Runtime for Tokio {
    fn now(&self) -> Timestamp {
        Timestamp::ZERO + self.origin.elapsed()
    }

    fn seed(&self) -> [u8; 32] {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).expect("the operating system has randomness");
        seed
    }

    fn spawn(&self, task: Task) {
        drop(self.handle.spawn(task));
    }

    fn may_wait(&self) -> bool {
        // Only what runs in a task, or in `block_on`, has a budget that can be used up: neither a thread that may block nor one
        // outside has.
        let mut cx = Context::from_waker(Waker::noop());
        Handle::try_current().is_err()
            || (0..BUDGET).all(|_| pin!(tokio::task::consume_budget()).poll(&mut cx).is_ready())
    }

    fn timer(&self) -> Box<dyn Timer> {
        Box::new(Alarm { runtime: self.clone(), sleep: None, at: Timestamp::ZERO })
    }
}

impl fmt::Debug for Tokio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokio").field("now", &self.now()).finish_non_exhaustive()
    }
}

/// A timer that is only set when its time changes.
struct Alarm {
    runtime: Tokio,
    sleep: Option<Pin<Box<Sleep>>>,
    at: Timestamp,
}

impl Timer for Alarm {
    fn poll_at(&mut self, cx: &mut Context<'_>, at: Timestamp) -> Poll<()> {
        let sleep = match &mut self.sleep {
            Some(sleep) => {
                if self.at != at {
                    sleep.as_mut().reset(self.runtime.instant(at));
                }
                sleep
            }
            None => {
                let _inside = self.runtime.handle.enter();
                self.sleep.insert(Box::pin(sleep_until(self.runtime.instant(at))))
            }
        };
        self.at = at;
        sleep.as_mut().poll(cx)
    }
}

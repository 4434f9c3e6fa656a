//! Time, tasks and randomness.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use roadbed::core::time::Timestamp;
use roadbed::runtime::{Runtime, SystemClock, Task, Timer};

/// The services of `async-io`, and an executor for tasks.
#[derive(Clone)]
pub struct AsyncIo {
    clock: SystemClock,
    spawn: Arc<dyn Fn(Task) + Send + Sync>,
}

impl AsyncIo {
    /// Gives tasks to `spawn`, which has to run them to their end.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use roadbed_async_std::AsyncIo;
    ///
    /// # fn example(executor: Arc<async_executor::Executor<'static>>) {
    /// let runtime = AsyncIo::new(move |task| executor.spawn(task).detach());
    /// # }
    /// ```
    pub fn new(spawn: impl Fn(Task) + Send + Sync + 'static) -> Self {
        Self { clock: SystemClock::start(), spawn: Arc::new(spawn) }
    }

    /// Tasks run in async-std's executor.
    #[cfg(feature = "async-std")]
    pub fn async_std() -> Self {
        Self::new(|task| drop(async_std::task::spawn(task)))
    }

    /// Tasks run in smol's global executor.
    #[cfg(feature = "smol")]
    pub fn smol() -> Self {
        Self::new(|task| smol::spawn(task).detach())
    }
}

/// What the free functions of this crate use: async-std's executor, if that is there, and else smol's.
#[cfg(any(feature = "async-std", feature = "smol"))]
impl Default for AsyncIo {
    fn default() -> Self {
        #[cfg(feature = "async-std")]
        return Self::async_std();
        #[cfg(not(feature = "async-std"))]
        return Self::smol();
    }
}

impl Runtime for AsyncIo {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn seed(&self) -> [u8; 32] {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).expect("the operating system has randomness");
        seed
    }

    fn spawn(&self, task: Task) {
        (self.spawn)(task);
    }

    fn timer(&self) -> Box<dyn Timer> {
        Box::new(Alarm { clock: self.clock, timer: async_io::Timer::never(), at: None })
    }
}

impl fmt::Debug for AsyncIo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncIo").field("clock", &self.clock).finish_non_exhaustive()
    }
}

/// A timer that is only set when its time changes.
struct Alarm {
    clock: SystemClock,
    timer: async_io::Timer,
    /// What it is set to; `None` once that has come.
    at: Option<Timestamp>,
}

impl Timer for Alarm {
    fn poll_at(&mut self, cx: &mut Context<'_>, at: Timestamp) -> Poll<()> {
        if self.clock.now() >= at {
            return Poll::Ready(());
        }
        if self.at != Some(at) {
            self.timer.set_at(self.clock.instant(at));
            self.at = Some(at);
        }
        let fired = Pin::new(&mut self.timer).poll(cx);
        fired.map(|_| self.at = None)
    }
}

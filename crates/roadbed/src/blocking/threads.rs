//! The standard library as a runtime.

use std::fmt;
use std::thread;

use roadbed_core::time::Timestamp;

use crate::park::{ThreadTimer, block_on};
use crate::runtime::{Runtime, SystemClock, Task, Timer};

/// The services of the standard library: its clocks, and a thread for each task.
///
/// Randomness is the only thing the standard library does not have; `seed` gives it.
pub struct Threads {
    clock: SystemClock,
    seed: fn() -> [u8; 32],
}

impl Threads {
    /// With a function that asks the operating system for random bytes.
    pub fn new(seed: fn() -> [u8; 32]) -> Self {
        Self { clock: SystemClock::start(), seed }
    }
}

impl Runtime for Threads {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn seed(&self) -> [u8; 32] {
        (self.seed)()
    }

    fn spawn(&self, task: Task) {
        // A task that gets no thread is dropped, and whoever waits for it is told so by that.
        let _ = thread::Builder::new().spawn(move || block_on(task));
    }

    fn timer(&self) -> Box<dyn Timer> {
        Box::new(ThreadTimer(self.clock))
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threads").field("clock", &self.clock).finish_non_exhaustive()
    }
}

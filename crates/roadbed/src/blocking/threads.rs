//! The standard library as a runtime.

use std::fmt;
use std::sync::Arc;

use roadbed_core::time::Timestamp;

use super::alarms::Alarms;
use crate::park::ThreadTimer;
use crate::pool::Pool;
use crate::runtime::{Runtime, SystemClock, Task, Timer};

/// The services of the standard library: its clocks, and threads for tasks.
///
/// Tasks may block: none waits for another one. Threads are used again, and end after a second without work.
///
/// Randomness is the only thing the standard library does not have; `seed` gives it.
pub struct Threads {
    clock: SystemClock,
    seed: fn() -> [u8; 32],
    pool: Arc<Pool>,
    /// For tasks that another runtime polls.
    alarms: Arc<Alarms>,
}

impl Threads {
    /// With a function that asks the operating system for random bytes.
    pub fn new(seed: fn() -> [u8; 32]) -> Self {
        Self { clock: SystemClock::start(), seed, pool: Arc::default(), alarms: Arc::default() }
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
        self.pool.run(task);
    }

    fn tasks_may_block(&self) -> bool {
        true
    }

    fn timer(&self) -> Box<dyn Timer> {
        Box::new(ThreadTimer::new(self.clock, Arc::clone(&self.alarms)))
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threads").field("clock", &self.clock).finish_non_exhaustive()
    }
}

//! Where time and randomness come from: the core asks for both and takes neither.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use roadbed_core::time::{Timestamp, UnixMicros};

/// A monotonic clock that starts at zero.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Microseconds since the start.
    pub fn now(self) -> Timestamp {
        Timestamp::ZERO + self.0.elapsed()
    }
}

/// The wall clock.
pub fn utc() -> UnixMicros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMicros::from_micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// A seed from the operating system's generator.
///
/// # Panics
/// When the operating system has no randomness to give.
pub fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).expect("the operating system has randomness");
    seed
}

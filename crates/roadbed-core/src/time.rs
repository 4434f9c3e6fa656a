//! Time as an argument: the core never reads a clock.
//!
//! Monotonic time is a [`Timestamp`] counted from an origin the driver chooses (usually the moment it
//! started); wall-clock time is a [`UnixMicros`]. Tests start both at zero.

use core::fmt;
use core::ops::Add;
use core::time::Duration;

/// A point in monotonic time: microseconds since the driver's own origin.
///
/// Arithmetic saturates, so no input can make it overflow.
///
/// ```
/// use core::time::Duration;
/// use roadbed_core::time::Timestamp;
///
/// let start = Timestamp::ZERO;
/// let later = start + Duration::from_millis(5);
/// assert_eq!(later.as_micros(), 5_000);
/// assert_eq!(later.saturating_since(start), Duration::from_millis(5));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The driver's origin.
    pub const ZERO: Self = Self(0);
    /// The latest time that can be named; a deadline there never fires.
    pub const MAX: Self = Self(u64::MAX);

    /// A time given in microseconds since the origin.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the origin.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time elapsed since `earlier`, or zero when `earlier` is later.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// This time plus `span`, at most [`Timestamp::MAX`].
    pub fn saturating_add(self, span: Duration) -> Self {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// The next representable instant. `poll_timeout` uses it to stay strictly in the future.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        self.saturating_add(span)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// Wall-clock time: microseconds since the Unix epoch, always given by the driver.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct UnixMicros(u64);

impl UnixMicros {
    /// A wall-clock time given in microseconds since 1970-01-01T00:00:00Z.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub const fn as_micros(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(Timestamp::MAX + Duration::MAX, Timestamp::MAX);
        assert_eq!(Timestamp::ZERO.saturating_since(Timestamp::MAX), Duration::ZERO);
        assert_eq!(Timestamp::MAX.next(), Timestamp::MAX);
    }

    #[test]
    fn debug_reads_as_seconds() {
        assert_eq!(alloc::format!("{:?}", Timestamp::from_micros(1_000_042)), "1.000042s");
    }
}

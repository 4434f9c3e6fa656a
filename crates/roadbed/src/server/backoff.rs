//! What to do when no connection could be accepted.

use std::io;
use std::time::Duration;

/// The first pause, and the longest: each is twice the one before.
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(1);

/// How a listener goes on after accepting failed: the same on every runtime.
///
/// Some failures are those of one peer that is gone already; the next one is accepted at once. Others, such
/// as too many open files, would come again at once, so a listener pauses: 10 ms, and twice as long each time
/// up to 1 s, until a connection is accepted.
///
/// ```
/// use std::io;
/// use std::time::Duration;
///
/// use roadbed::server::Backoff;
///
/// let mut backoff = Backoff::new();
/// assert_eq!(backoff.failed(&io::ErrorKind::ConnectionAborted.into()), None);
/// assert_eq!(backoff.failed(&io::ErrorKind::OutOfMemory.into()), Some(Duration::from_millis(10)));
/// assert_eq!(backoff.failed(&io::ErrorKind::OutOfMemory.into()), Some(Duration::from_millis(20)));
/// backoff.accepted();
/// assert_eq!(backoff.failed(&io::ErrorKind::OutOfMemory.into()), Some(Duration::from_millis(10)));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    next: Duration,
}

impl Backoff {
    /// Nothing has failed yet.
    pub const fn new() -> Self {
        Self { next: SHORTEST }
    }

    /// A connection was accepted.
    pub const fn accepted(&mut self) {
        self.next = SHORTEST;
    }

    /// None was: how long to wait before the next attempt, or `None` to make it at once.
    pub fn failed(&mut self, error: &io::Error) -> Option<Duration> {
        use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, NotConnected};
        if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted | NotConnected) {
            return None;
        }
        let pause = self.next;
        self.next = LONGEST.min(pause * 2);
        Some(pause)
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_second_and_begin_anew() {
        let full = io::Error::from_raw_os_error(24);
        let mut backoff = Backoff::default();
        let pauses: Vec<u128> =
            std::iter::from_fn(|| backoff.failed(&full)).map(|pause| pause.as_millis()).take(9).collect();
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        backoff.accepted();
        assert_eq!(backoff.failed(&full), Some(SHORTEST));
    }

    #[test]
    fn a_peer_that_is_gone_holds_up_nobody() {
        use io::ErrorKind::{
            ConnectionAborted, ConnectionReset, Interrupted, NotConnected, PermissionDenied,
        };
        let mut backoff = Backoff::new();
        for kind in [ConnectionAborted, ConnectionReset, Interrupted, NotConnected] {
            assert_eq!(backoff.failed(&kind.into()), None, "{kind:?}");
        }
        // Nor does it count.
        assert_eq!(backoff.failed(&PermissionDenied.into()), Some(SHORTEST));
    }
}

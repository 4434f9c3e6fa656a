//! What an adapter brings: a clock, timers, tasks, randomness and a byte stream.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::BytesMut;
use roadbed_core::time::{Timestamp, UnixMicros};

/// A task for [`Runtime::spawn`].
pub type Task = Pin<Box<dyn Future<Output = ()> + Send + 'static>>;

/// The services of a runtime that handles and drivers use.
///
/// One value serves any number of connections. All times of its connections are on its one clock.
pub trait Runtime: Send + Sync + 'static {
    /// The time on a clock that never goes back.
    fn now(&self) -> Timestamp;

    /// The wall clock.
    fn utc(&self) -> UnixMicros {
        SystemClock::utc()
    }

    /// 32 bytes from the operating system's generator, new for each call.
    fn seed(&self) -> [u8; 32];

    /// Runs a task to its end, beside the caller.
    fn spawn(&self, task: Task);

    /// A timer for one driver.
    fn timer(&self) -> Box<dyn Timer>;

    /// Whether tasks may block, because none of them waits for another one's thread. Then hooks are run as tasks; by
    /// default they run in the task that drives the connection.
    fn tasks_may_block(&self) -> bool {
        false
    }

    /// Whether the calling thread may wait for a connection that this runtime drives. `false` in a task of the runtime,
    /// which would keep the driver from running: then every `wait()` fails at once. By default `true`.
    fn may_wait(&self) -> bool {
        true
    }
}

/// A timer that is set anew all the time.
pub trait Timer: Send + 'static {
    /// Ready once `at` has come, on the clock of [`Runtime::now`]; until then the task of `cx` is woken
    /// at that time. Every call replaces the one before, and most ask for the same time again: make
    /// that cheap. A timer may be asked again after it was ready.
    fn poll_at(&mut self, cx: &mut Context<'_>, at: Timestamp) -> Poll<()>;
}

/// A connected stream of bytes that does not block: TCP, a Unix socket, a pipe.
///
/// Whether a method is pending or not is independent of the other ones: a driver reads and writes in
/// the same poll.
pub trait ByteStream: Send + Unpin + 'static {
    /// Reads once, at most as many bytes as `buffer` has spare capacity for, behind what is in it. 0
    /// means that the peer ended its side.
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>>;

    /// Writes once, some of `bytes`, and says how many.
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;

    /// As [`poll_write`](Self::poll_write), from two buffers, of which the first is not empty. By default it
    /// writes some of the first one.
    fn poll_write_both(
        &mut self,
        cx: &mut Context<'_>,
        first: &[u8],
        _second: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write(cx, first)
    }

    /// Ends our side, as TCP does with FIN: what was written still arrives.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// The clocks of the standard library, for adapters whose runtime has none of its own.
///
/// ```
/// use roadbed::runtime::SystemClock;
///
/// let clock = SystemClock::start();
/// let later = clock.now() + std::time::Duration::from_millis(5);
/// assert!(clock.instant(later) > std::time::Instant::now());
/// ```
#[derive(Clone, Copy)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock that begins at zero now.
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// The time since the start.
    pub fn now(&self) -> Timestamp {
        Timestamp::ZERO + self.origin.elapsed()
    }

    /// The same time on the standard library's clock; times too far off to be named there are a year
    /// away.
    pub fn instant(&self, at: Timestamp) -> Instant {
        const YEAR: std::time::Duration = std::time::Duration::from_secs(365 * 86_400);
        let since = at.saturating_since(Timestamp::ZERO);
        self.origin.checked_add(since).unwrap_or_else(|| Instant::now() + YEAR)
    }

    /// The wall clock.
    pub fn utc() -> UnixMicros {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixMicros::from_micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }
}

impl fmt::Debug for SystemClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SystemClock").field(&self.now()).finish()
    }
}

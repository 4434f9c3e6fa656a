//! The time by which certificates are judged: the caller's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use roadbed_core::time::{Timestamp, UnixMicros};
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

/// What rustls is told when it asks for the time. Each connection has its own, so that connections at
/// different times can share a configuration.
#[derive(Debug)]
struct Seconds(AtomicU64);

impl TimeProvider for Seconds {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0.load(Ordering::Relaxed))))
    }
}

/// The wall clock of a connection: what the caller said it was, and what has passed since then.
#[derive(Debug)]
pub(crate) struct Clock {
    seconds: Arc<Seconds>,
    utc: UnixMicros,
    /// When it was `utc`.
    at: Timestamp,
}

impl Clock {
    pub(crate) fn new(now: Timestamp, utc: UnixMicros) -> Self {
        let clock = Self { seconds: Arc::new(Seconds(AtomicU64::new(0))), utc, at: now };
        clock.observe(now);
        clock
    }

    /// For a configuration of rustls.
    pub(crate) fn provider(&self) -> Arc<dyn TimeProvider> {
        Arc::clone(&self.seconds) as Arc<dyn TimeProvider>
    }

    /// Time has passed.
    pub(crate) fn observe(&self, now: Timestamp) {
        let since = now.saturating_since(self.at).as_secs();
        let seconds = (self.utc.as_micros() / 1_000_000).saturating_add(since);
        self.seconds.0.store(seconds, Ordering::Relaxed);
    }

    /// The wall clock was corrected.
    pub(crate) fn set_utc(&mut self, now: Timestamp, utc: UnixMicros) {
        (self.at, self.utc) = (now, utc);
        self.observe(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_as_the_caller_says() {
        let at = Timestamp::from_micros;
        let mut clock = Clock::new(at(5), UnixMicros::from_micros(100_000_000));
        let provider = clock.provider();
        let seconds = || provider.current_time().unwrap().as_secs();
        assert_eq!(seconds(), 100);
        clock.observe(at(7_000_005));
        assert_eq!(seconds(), 107);
        clock.set_utc(at(7_000_005), UnixMicros::from_micros(50_000_000));
        assert_eq!(seconds(), 50);
        clock.observe(at(8_000_005));
        assert_eq!(seconds(), 51);
        clock.observe(at(0));
        assert_eq!(seconds(), 50);
    }
}

//! Liveness: finds peers that vanished without closing, by pinging them after silence.

use core::time::Duration;

use crate::time::Timestamp;

/// When a transport pings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum LivenessMode {
    /// Ping peers that are known to answer. WebSocket peers have to; on RawSocket some implementations drop the
    /// connection on a PING, so there it begins when the peer pings first or the owner calls
    /// `activate_liveness`.
    #[default]
    Auto,
    /// Ping every peer.
    On,
    /// Never ping. The peer's pings are answered all the same.
    Off,
}

/// Liveness settings of a transport.
///
/// The peer is pinged after `idle` of silence and again `retry` later, and is taken for gone `grace` after
/// that: by default at 30, 60 and 90 seconds. Any byte received starts the count anew.
///
/// ```
/// use core::time::Duration;
/// use roadbed_core::transport::{LivenessConfig, LivenessMode};
///
/// let config = LivenessConfig::default().mode(LivenessMode::On).idle(Duration::from_secs(10));
/// assert_eq!(config.grace, Duration::from_secs(30));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LivenessConfig {
    /// When to ping. Default [`LivenessMode::Auto`].
    pub mode: LivenessMode,
    /// Silence before the first ping. Default 30 s.
    pub idle: Duration,
    /// Time between the first and the second ping. Default 30 s.
    pub retry: Duration,
    /// Time between the second ping and giving up. Default 30 s.
    pub grace: Duration,
}

impl Default for LivenessConfig {
    fn default() -> Self {
        let step = Duration::from_secs(30);
        Self { mode: LivenessMode::Auto, idle: step, retry: step, grace: step }
    }
}

impl LivenessConfig {
    /// Sets [`LivenessConfig::mode`].
    #[must_use]
    pub fn mode(mut self, mode: LivenessMode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets [`LivenessConfig::idle`].
    #[must_use]
    pub fn idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// Sets [`LivenessConfig::retry`].
    #[must_use]
    pub fn retry(mut self, retry: Duration) -> Self {
        self.retry = retry;
        self
    }

    /// Sets [`LivenessConfig::grace`].
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }
}

/// What the owner of a [`Liveness`] has to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LivenessAction {
    /// Send a ping.
    Ping,
    /// Give the peer up. The timer has stopped.
    Gone,
}

/// The timer. Each step counts from the moment the one before was taken, not from the last byte: after a
/// suspend of the whole machine a peer still gets its pings and the time to answer them.
#[derive(Debug)]
pub(crate) struct Liveness {
    config: LivenessConfig,
    open: bool,
    active: bool,
    suspended: bool,
    pings: u8,
    due: Timestamp,
    last: Timestamp,
}

impl Liveness {
    pub(crate) fn new(config: LivenessConfig) -> Self {
        Self {
            config,
            open: false,
            active: config.mode == LivenessMode::On,
            suspended: false,
            pings: 0,
            due: Timestamp::MAX,
            last: Timestamp::ZERO,
        }
    }

    /// Records the time of a call and returns it, or the latest one seen should `now` lie before that.
    pub(crate) fn observe(&mut self, now: Timestamp) -> Timestamp {
        self.last = self.last.max(now);
        self.last
    }

    /// The latest time seen.
    pub(crate) const fn last(&self) -> Timestamp {
        self.last
    }

    /// The handshake is done: pings may be sent from now on.
    pub(crate) fn open(&mut self, now: Timestamp) {
        self.open = true;
        self.restart(now);
    }

    /// The transport is closed.
    pub(crate) fn stop(&mut self) {
        self.open = false;
    }

    /// The peer answers pings: begin, if the mode is `Auto`.
    pub(crate) fn activate(&mut self, now: Timestamp) {
        let now = self.observe(now);
        if self.config.mode == LivenessMode::Auto && !self.active {
            self.active = true;
            self.restart(now);
        }
    }

    /// Bytes arrived.
    pub(crate) fn heard(&mut self, now: Timestamp) {
        self.restart(now);
    }

    /// Nobody reads, so silence says nothing about the peer.
    pub(crate) fn suspend(&mut self) {
        self.suspended = true;
    }

    /// Somebody reads again.
    pub(crate) fn resume(&mut self, now: Timestamp) {
        let now = self.observe(now);
        if self.suspended {
            self.suspended = false;
            self.restart(now);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        let running = self.open && self.active && !self.suspended && self.due < Timestamp::MAX;
        running.then(|| self.due.max(self.last.next()))
    }

    pub(crate) fn handle_timeout(&mut self, now: Timestamp) -> Option<LivenessAction> {
        self.poll_timeout()?;
        let now = self.observe(now);
        if now < self.due {
            return None;
        }
        let wait = match self.pings {
            0 => self.config.retry,
            1 => self.config.grace,
            _ => {
                self.stop();
                return Some(LivenessAction::Gone);
            }
        };
        self.pings = self.pings.saturating_add(1);
        self.due = now.saturating_add(wait);
        Some(LivenessAction::Ping)
    }

    fn restart(&mut self, now: Timestamp) {
        self.pings = 0;
        self.due = self.observe(now).saturating_add(self.config.idle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: u64) -> Timestamp {
        Timestamp::from_micros(secs * 1_000_000)
    }

    fn on() -> Liveness {
        let mut liveness = Liveness::new(LivenessConfig::default().mode(LivenessMode::On));
        liveness.open(at(0));
        liveness
    }

    #[test]
    fn pings_at_30_and_60_and_gives_up_at_90() {
        let mut liveness = on();
        for (time, action) in
            [(30, LivenessAction::Ping), (60, LivenessAction::Ping), (90, LivenessAction::Gone)]
        {
            assert_eq!(liveness.poll_timeout(), Some(at(time)));
            assert_eq!(liveness.handle_timeout(at(time - 1)), None);
            assert_eq!(liveness.handle_timeout(at(time)), Some(action));
            assert_eq!(liveness.handle_timeout(at(time)), None);
        }
        assert_eq!(liveness.poll_timeout(), None);
        assert_eq!(liveness.handle_timeout(at(1_000)), None);
    }

    #[test]
    fn any_byte_starts_over() {
        let mut liveness = on();
        liveness.handle_timeout(at(30));
        liveness.handle_timeout(at(60));
        liveness.heard(at(89));
        assert_eq!(liveness.poll_timeout(), Some(at(119)));
        assert_eq!(liveness.handle_timeout(at(119)), Some(LivenessAction::Ping));
        assert_eq!(liveness.poll_timeout(), Some(at(149)));
    }

    #[test]
    fn a_late_timer_still_leaves_time_to_answer() {
        let mut liveness = on();
        assert_eq!(liveness.handle_timeout(at(10_000)), Some(LivenessAction::Ping));
        assert_eq!(liveness.poll_timeout(), Some(at(10_030)));
    }

    #[test]
    fn auto_waits_for_activation_and_off_never_runs() {
        let mut auto = Liveness::new(LivenessConfig::default());
        auto.open(at(0));
        assert_eq!(auto.poll_timeout(), None);
        auto.activate(at(100));
        assert_eq!(auto.poll_timeout(), Some(at(130)));
        auto.activate(at(110));
        assert_eq!(auto.poll_timeout(), Some(at(130)));

        let mut early = Liveness::new(LivenessConfig::default());
        early.activate(at(0));
        assert_eq!(early.poll_timeout(), None);
        early.open(at(1));
        assert_eq!(early.poll_timeout(), Some(at(31)));

        let mut off = Liveness::new(LivenessConfig::default().mode(LivenessMode::Off));
        off.open(at(0));
        off.activate(at(0));
        assert_eq!((off.poll_timeout(), off.handle_timeout(at(500))), (None, None));
    }

    #[test]
    fn suspended_time_does_not_count() {
        let mut liveness = on();
        liveness.handle_timeout(at(30));
        liveness.suspend();
        assert_eq!((liveness.poll_timeout(), liveness.handle_timeout(at(500))), (None, None));
        liveness.resume(at(600));
        assert_eq!(liveness.poll_timeout(), Some(at(630)));
        liveness.resume(at(610));
        assert_eq!(liveness.poll_timeout(), Some(at(630)));
    }

    #[test]
    fn the_deadline_is_always_later_than_the_last_time_seen() {
        let zero = LivenessConfig::default().mode(LivenessMode::On).idle(Duration::ZERO);
        let mut liveness = Liveness::new(zero.retry(Duration::ZERO).grace(Duration::ZERO));
        liveness.open(at(5));
        let mut actions = 0;
        let mut now = at(5);
        while let Some(due) = liveness.poll_timeout() {
            assert!(due > now);
            now = due;
            actions += usize::from(liveness.handle_timeout(now).is_some());
        }
        assert_eq!(actions, 3);

        let mut late = on();
        late.observe(at(45));
        assert!(late.poll_timeout().unwrap() > at(45));
        // Time given backwards is taken as standing still.
        assert_eq!(late.observe(at(2)), at(45));
    }

    #[test]
    fn an_endless_wait_has_no_deadline() {
        let config = LivenessConfig::default().mode(LivenessMode::On).idle(Duration::MAX);
        let mut liveness = Liveness::new(config);
        liveness.open(at(0));
        assert_eq!(liveness.poll_timeout(), None);
    }
}

//! When to connect anew: a policy, the machine that counts, and the errors that end it. There is no clock
//! in here, and no randomness but a seed.

use std::time::Duration;

use roadbed_core::error::uris;

use crate::error::Error;

/// When a [`Client`](super::Client) connects anew, and when it gives up. A plain value:
///
/// | setting | default | meaning |
/// |---|---|---|
/// | [`first`](Self::first) | 500 ms | the delay after the first failure, or after a session that lasted |
/// | [`factor`](Self::factor) | 2 | how much longer each delay is than the one before |
/// | [`longest`](Self::longest) | 30 s | what delays grow to |
/// | [`jitter`](Self::jitter) | 0.5 | the share of each delay that is drawn at random: between half of it and all of it |
/// | [`attempts`](Self::attempts) | `None` | how many attempts in a row may fail; `None`: any number |
/// | [`reset_after`](Self::reset_after) | 30 s | a session that lasted so long makes everything before it forgotten |
///
/// A session that ends sooner counts as an attempt that failed, so a router that lets clients in and drops
/// them at once is not hammered. The first connection is no exception: it is tried as often as any other.
///
/// Where a router or proxy says in `Retry-After` when to come back, the delay is at least that long, but no longer than
/// `longest`; up to the share of `jitter` is added to it.
///
/// What makes no difference however often it is tried ends the client at once:
///
/// | retried | given up |
/// |---|---|
/// | the connection was refused, reset, lost, or timed out; the name is not known (yet) | the operating system does not permit or know the address |
/// | the router is shutting down, closes the realm, or is full | refused credentials, no such realm, a session that was killed |
/// | a gateway answers 429 or 502 to 504; a proxy answers 5xx | any other HTTP answer but the right one |
/// | | TLS where it is not spoken, none where it is required, another protocol; a certificate that is not accepted |
/// | silence: no WELCOME, no PONG | a peer that breaks the protocol or speaks another one |
/// | `on_join` failed as others may not be there yet, such as `wamp.error.no_such_procedure` | `on_join` failed for want of permission, or with anything but a WAMP error |
/// | | an address or configuration that cannot work; a hook's veto; a session that this side left |
/// | a RawSocket router has no room: error 4 | any other error of RawSocket's handshake |
///
/// [`ClientBuilder::retry_if`](super::ClientBuilder::retry_if) decides otherwise where that does not fit.
///
/// ```
/// use std::time::Duration;
/// use roadbed::client::RetryPolicy;
///
/// let policy = RetryPolicy::new().first(Duration::from_millis(100)).longest(Duration::from_secs(5)).jitter(0.0);
/// let mut backoff = policy.backoff([7; 32]);
/// let delays: Vec<_> = (0..8).filter_map(|_| backoff.failed()).map(|delay| delay.as_millis()).collect();
/// assert_eq!(delays, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct RetryPolicy {
    first: Duration,
    factor: f64,
    longest: Duration,
    jitter: f64,
    attempts: Option<u32>,
    reset_after: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::new()
    }
}

impl RetryPolicy {
    /// Every default.
    pub const fn new() -> Self {
        Self {
            first: Duration::from_millis(500),
            factor: 2.0,
            longest: Duration::from_secs(30),
            jitter: 0.5,
            attempts: None,
            reset_after: Duration::from_secs(30),
        }
    }

    /// One attempt, and no other.
    pub const fn never() -> Self {
        Self { attempts: Some(1), ..Self::new() }
    }

    /// Sets the delay after the first failure.
    pub const fn first(mut self, delay: Duration) -> Self {
        self.first = delay;
        self
    }

    /// Sets how much longer each delay is than the one before. Below 1, or no number, it counts as 1.
    pub const fn factor(mut self, factor: f64) -> Self {
        self.factor = if factor >= 1.0 { factor } else { 1.0 };
        self
    }

    /// Sets what delays grow to.
    pub const fn longest(mut self, delay: Duration) -> Self {
        self.longest = delay;
        self
    }

    /// Sets the share of each delay that is drawn at random, from 0 (none) to 1 (all). It keeps clients
    /// that lost the same router from coming back in the same moment.
    pub const fn jitter(mut self, share: f64) -> Self {
        self.jitter = if share >= 1.0 {
            1.0
        } else if share >= 0.0 {
            share
        } else {
            0.0
        };
        self
    }

    /// Sets how many attempts in a row may fail; `None`: any number. 0 counts as 1.
    pub const fn attempts(mut self, attempts: Option<u32>) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets how long a session has to last for everything before it to be forgotten.
    pub const fn reset_after(mut self, span: Duration) -> Self {
        self.reset_after = span;
        self
    }

    /// The machine that keeps to this policy. All its randomness comes from `seed`.
    pub fn backoff(self, seed: [u8; 32]) -> Backoff {
        let random = seed.chunks_exact(8).fold(0, |sum: u64, part| {
            let part = part.try_into().map_or(0, u64::from_le_bytes);
            sum.rotate_left(17) ^ part
        });
        Backoff { policy: self, failures: 0, next: self.first.min(self.longest), random }
    }
}

/// Counts failures, and says how long to wait after each.
#[derive(Clone, Debug)]
pub struct Backoff {
    policy: RetryPolicy,
    failures: u32,
    /// The next delay, before jitter.
    next: Duration,
    random: u64,
}

impl Backoff {
    /// An attempt failed. After which delay to try again; `None` when there were enough attempts.
    pub fn failed(&mut self) -> Option<Duration> {
        self.failures = self.failures.saturating_add(1);
        if self.policy.attempts.is_some_and(|attempts| self.failures >= attempts) {
            return None;
        }
        Some(self.delay())
    }

    /// A session ended that lasted for `span`. After which delay to try again.
    pub fn ended(&mut self, span: Duration) -> Option<Duration> {
        if span < self.policy.reset_after {
            return self.failed();
        }
        self.failures = 0;
        self.next = self.policy.first.min(self.policy.longest);
        Some(self.delay())
    }

    /// Stretches a delay to what the router has asked for with `Retry-After`: at least so long, drawn out by jitter, so
    /// that those who were sent away together do not come back together, but never beyond the longest delay.
    pub fn heed(&mut self, delay: Duration, asked: Duration) -> Duration {
        let spread = 1.0 + self.policy.jitter * self.draw();
        let asked = Duration::try_from_secs_f64(asked.as_secs_f64() * spread).unwrap_or(Duration::MAX);
        asked.min(self.policy.longest).max(delay)
    }

    /// How many attempts failed in a row.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    fn delay(&mut self) -> Duration {
        let nominal = self.next;
        let longer = Duration::try_from_secs_f64(nominal.as_secs_f64() * self.policy.factor);
        self.next = longer.unwrap_or(Duration::MAX).min(self.policy.longest);
        let share = 1.0 - self.policy.jitter * self.draw();
        Duration::try_from_secs_f64(nominal.as_secs_f64() * share).map_or(nominal, |delay| delay.min(nominal))
    }

    /// A number from 0 up to 1, by the generator SplitMix64.
    fn draw(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        // The upper half is as even as the whole, and has an exact float.
        f64::from(u32::try_from(mixed >> 32).unwrap_or(0)) / (f64::from(u32::MAX) + 1.0)
    }
}

/// Whether connecting anew may lead further than an attempt that ended like this.
pub(super) fn may_help(error: &Error) -> bool {
    match error.root() {
        // What a hook asked of a session that was joined.
        Error::Wamp(answer) => {
            let for_good = [
                &uris::NOT_AUTHORIZED,
                &uris::AUTHORIZATION_DENIED,
                &uris::AUTHORIZATION_REQUIRED,
                &uris::INVALID_ARGUMENT,
                &uris::INVALID_URI,
                &uris::INVALID_PAYLOAD,
                &uris::PAYLOAD_SIZE_EXCEEDED,
                &uris::FEATURE_NOT_SUPPORTED,
                &uris::OPTION_NOT_ALLOWED,
                &uris::OPTION_DISALLOWED_DISCLOSE_ME,
                &uris::DISCLOSE_ME_NOT_ALLOWED,
            ];
            !for_good.into_iter().any(|uri| *uri == answer.uri)
        }
        error => error.is_retryable(),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use bytes::BytesMut;
    use roadbed_core::auth::AuthError;
    use roadbed_core::error::{CloseReason, ConfigError, Deadline, WampError};
    use roadbed_core::time::Timestamp;
    use roadbed_core::transport::HttpConnect;
    use roadbed_core::uri::Uri;

    use super::*;
    use crate::error::{Operation, TimedOut, Veto};
    use crate::url::UrlError;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn delays(policy: RetryPolicy, count: usize) -> Vec<Option<u128>> {
        let mut backoff = policy.backoff([1; 32]);
        (0..count).map(|_| backoff.failed().map(|delay| delay.as_millis())).collect()
    }

    #[test]
    fn the_table_of_delays() {
        let plain = RetryPolicy::new().jitter(0.0);
        let table: [(RetryPolicy, &[u128]); 6] = [
            (plain, &[500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]),
            (plain.first(millis(10)).factor(3.0).longest(millis(100)), &[10, 30, 90, 100, 100]),
            (plain.factor(1.0), &[500, 500, 500]),
            (plain.factor(0.1), &[500, 500, 500]),
            (plain.factor(f64::NAN), &[500, 500, 500]),
            (plain.first(Duration::MAX).longest(millis(7)), &[7, 7, 7]),
        ];
        for (policy, expected) in table {
            let expected: Vec<_> = expected.iter().copied().map(Some).collect();
            assert_eq!(delays(policy, expected.len()), expected, "{policy:?}");
        }
    }

    #[test]
    fn no_delay_is_too_long_to_be_counted() {
        let policy = RetryPolicy::new().jitter(0.0).factor(f64::INFINITY).longest(Duration::MAX);
        let mut backoff = policy.backoff([0; 32]);
        assert_eq!(backoff.failed(), Some(millis(500)));
        for _ in 0..1000 {
            assert_eq!(backoff.failed(), Some(Duration::MAX));
        }
        let none = RetryPolicy::new().first(Duration::ZERO).factor(f64::INFINITY);
        assert_eq!(none.backoff([0; 32]).failed(), Some(Duration::ZERO));
    }

    #[test]
    fn what_the_router_asks_for_is_heeded_within_bounds() {
        let policy = RetryPolicy::new().jitter(0.0).longest(millis(10_000));
        for (delay, asked, expected) in [
            (500, 3000, 3000),
            (4000, 3000, 4000),
            (500, 60_000, 10_000),
            (500, 0, 500),
            (10_000, 60_000, 10_000),
        ] {
            let heeded = policy.backoff([0; 32]).heed(millis(delay), millis(asked));
            assert_eq!(heeded, millis(expected), "{delay} {asked}");
        }
        let mut backoff = policy.backoff([0; 32]);
        assert_eq!(backoff.heed(millis(500), Duration::from_secs(u64::MAX)), millis(10_000));
        let mut backoff = policy.jitter(0.5).backoff([3; 32]);
        let heeded: Vec<_> = (0..200).map(|_| backoff.heed(millis(1), millis(1000))).collect();
        assert!(heeded.iter().all(|delay| (millis(1000)..=millis(1500)).contains(delay)), "{heeded:?}");
        assert!(heeded.iter().max().unwrap().saturating_sub(*heeded.iter().min().unwrap()) > millis(400));
    }

    #[test]
    fn attempts_run_out() {
        let plain = RetryPolicy::new().jitter(0.0);
        for (attempts, retries) in [(Some(0), 0), (Some(1), 0), (Some(2), 1), (Some(5), 4), (None, 9)] {
            let given = delays(plain.attempts(attempts), 9);
            assert_eq!(given.iter().filter(|delay| delay.is_some()).count(), retries, "{attempts:?}");
            assert!(given.iter().skip(retries).all(Option::is_none));
        }
        assert_eq!(RetryPolicy::never().backoff([0; 32]).failed(), None);
    }

    #[test]
    fn a_session_that_lasted_makes_it_all_forgotten() {
        let policy = RetryPolicy::new().jitter(0.0).attempts(Some(3)).reset_after(millis(1000));
        let mut backoff = policy.backoff([0; 32]);
        assert_eq!(backoff.failed(), Some(millis(500)));
        assert_eq!((backoff.ended(millis(999)), backoff.failures()), (Some(millis(1000)), 2));
        assert_eq!((backoff.ended(millis(1000)), backoff.failures()), (Some(millis(500)), 0));
        assert_eq!((backoff.failed(), backoff.failed()), (Some(millis(1000)), Some(millis(2000))));
        assert_eq!(backoff.ended(millis(10)), None);
    }

    #[test]
    fn jitter_stays_in_its_bounds_and_fills_them() {
        for (jitter, share) in
            [(0.0, 0.0), (0.25, 0.25), (1.0, 1.0), (7.0, 1.0), (-1.0, 0.0), (f64::NAN, 0.0)]
        {
            let policy = RetryPolicy::new().factor(1.0).first(millis(1000)).jitter(jitter);
            let mut backoff = policy.backoff([3; 32]);
            let given: Vec<_> = (0..2000).filter_map(|_| backoff.failed()).collect();
            let (least, most) = (*given.iter().min().unwrap(), *given.iter().max().unwrap());
            let lowest = Duration::from_secs_f64(1.0 - share);
            assert!(least >= lowest && most <= millis(1000), "{jitter}: {least:?} {most:?}");
            assert!(least <= lowest + millis(10) && most >= millis(990), "{jitter}: {least:?} {most:?}");
        }
    }

    #[test]
    fn the_seed_is_all_the_randomness() {
        let of = |seed| delays_of(RetryPolicy::new().backoff(seed));
        let mut last = [0; 32];
        last[31] = 1;
        assert_eq!(of([1; 32]), of([1; 32]));
        assert_ne!(of([1; 32]), of([2; 32]));
        assert_ne!(of([0; 32]), of(last));
    }

    fn delays_of(mut backoff: Backoff) -> Vec<Option<Duration>> {
        (0..20).map(|_| backoff.failed()).collect()
    }

    #[test]
    fn what_is_retried_and_what_is_not() {
        let ended = |reason: CloseReason| Error::from(reason);
        let abort = |reason: &Uri| {
            ended(CloseReason::Abort { reason: reason.clone(), message: None, payload: Box::default() })
        };
        let goodbye = |reason: &Uri, by_peer| {
            ended(CloseReason::Goodbye { reason: reason.clone(), message: None, by_peer })
        };
        let answer = |uri: &Uri| Error::from(WampError::new(uri.clone()));
        let io = |kind: io::ErrorKind| Error::from(io::Error::from(kind));
        let refused = |status: u16| {
            let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n");
            let mut connect = HttpConnect::new("router", 80).unwrap();
            Error::Proxy(connect.read(Timestamp::ZERO, &mut BytesMut::from(&*answer)).unwrap_err())
        };
        let retried = [
            io(io::ErrorKind::ConnectionRefused),
            io(io::ErrorKind::ConnectionReset),
            io(io::ErrorKind::TimedOut),
            io(io::ErrorKind::NotFound),
            io(io::ErrorKind::AddrNotAvailable),
            io(io::ErrorKind::NetworkUnreachable),
            TimedOut::new(Operation::Call, None, None).into(),
            ended(CloseReason::Eof),
            ended(CloseReason::Timeout(Deadline::Join)),
            ended(CloseReason::Timeout(Deadline::Liveness)),
            abort(&uris::SYSTEM_SHUTDOWN),
            abort(&uris::UNAVAILABLE),
            goodbye(&uris::SYSTEM_SHUTDOWN, true),
            goodbye(&uris::CLOSE_REALM, true),
            refused(502),
            answer(&uris::NO_SUCH_PROCEDURE),
            answer(&uris::PROCEDURE_ALREADY_EXISTS),
            answer(&uris::UNAVAILABLE),
        ];
        for error in retried {
            assert!(may_help(&error), "{error}");
        }
        let given_up = [
            io(io::ErrorKind::PermissionDenied),
            io(io::ErrorKind::Unsupported),
            abort(&uris::NO_SUCH_REALM),
            abort(&uris::AUTHENTICATION_DENIED),
            abort(&uris::AUTHENTICATION_FAILED),
            abort(&uris::NO_MATCHING_AUTH_METHOD),
            abort(&uris::NOT_AUTHORIZED),
            abort(&uris::PROTOCOL_VIOLATION),
            goodbye(&uris::KILLED, true),
            goodbye(&uris::CLOSE_REALM, false),
            goodbye(&uris::SYSTEM_SHUTDOWN, false),
            ended(CloseReason::CannotAuthenticate(AuthError::NotOffered("wampcra".into()))),
            ended(CloseReason::Local),
            refused(407),
            answer(&uris::NOT_AUTHORIZED),
            answer(&uris::INVALID_ARGUMENT),
            Error::Vetoed(Veto::new("no")),
            Error::Config(ConfigError::Host("a b".into())),
            Error::Url(UrlError::NoSerializer),
            Error::Canceled,
        ];
        for error in given_up {
            assert!(!may_help(&error), "{error}");
        }
    }
}

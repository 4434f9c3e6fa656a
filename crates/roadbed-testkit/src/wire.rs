//! One direction of a byte stream, under fake time.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use roadbed_core::time::Timestamp;

use crate::chunks::random_len;
use crate::rng::Rng;

/// In how many pieces a [`Wire`] delivers what was written to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pieces {
    /// Each write arrives as one read.
    #[default]
    AsWritten,
    /// Everything that has arrived is one read.
    Coalesced,
    /// One byte a read.
    Bytewise,
    /// Reads of random length, which join writes and cut them.
    Random,
}

/// What a [`Wire`] does to the bytes on their way. The default: no delay, pieces as they were written.
///
/// ```
/// use std::time::Duration;
/// use roadbed_testkit::{Conditions, Pieces};
///
/// let modem = Conditions::new().latency(Duration::from_millis(150)).bandwidth(7_000).pieces(Pieces::Random);
/// # let _ = modem;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conditions {
    /// How long every byte is under way.
    pub latency: Duration,
    /// Up to this much longer, drawn anew for each write. The order is kept.
    pub jitter: Duration,
    /// The time between two reads, at least.
    pub pause: Duration,
    /// Bytes a second; `None` for no bound.
    pub bandwidth: Option<u64>,
    /// Bytes under way above which the writer has to wait. Default 256 KiB.
    pub window: usize,
    /// In how many pieces it arrives.
    pub pieces: Pieces,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            latency: Duration::ZERO,
            jitter: Duration::ZERO,
            pause: Duration::ZERO,
            bandwidth: None,
            window: 256 << 10,
            pieces: Pieces::AsWritten,
        }
    }
}

macro_rules! setters {
    ($($name:ident: $type:ty => $value:expr),* $(,)?) => {$(
        #[doc = concat!("Sets [`Conditions::", stringify!($name), "`].")]
        #[must_use]
        pub fn $name(mut self, $name: $type) -> Self {
            self.$name = $value;
            self
        }
    )*};
}

impl Conditions {
    /// The default.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        latency: Duration => latency, jitter: Duration => jitter, pause: Duration => pause,
        bandwidth: u64 => Some(bandwidth), window: usize => window, pieces: Pieces => pieces,
    }
}

/// What a read from a [`Wire`] gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// Some bytes, at least one.
    Data(Bytes),
    /// The end of the stream. Nothing follows.
    Eof,
}

/// One direction of a byte stream: what is [written](Self::write) can be [read](Self::read) later, as the
/// [`Conditions`] have it. Nothing is lost or reordered, unless the wire is cut.
///
/// ```
/// use std::time::Duration;
/// use roadbed_core::time::Timestamp;
/// use roadbed_testkit::{Conditions, Read, Wire};
///
/// let now = Timestamp::ZERO;
/// let mut wire = Wire::new(1, Conditions::new().latency(Duration::from_millis(20)));
/// wire.write(now, "hello".into());
/// wire.finish(now);
/// assert_eq!(wire.read(now), None);
/// let later = wire.next_read().unwrap();
/// assert_eq!(later, now + Duration::from_millis(20));
/// assert_eq!(wire.read(later), Some(Read::Data("hello".into())));
/// assert_eq!(wire.read(later), Some(Read::Eof));
/// assert_eq!(wire.read(later), None);
/// ```
#[derive(Clone, Debug)]
pub struct Wire {
    conditions: Conditions,
    rng: Rng,
    /// What is under way; an empty one is the end of the stream.
    segments: VecDeque<(Timestamp, Bytes)>,
    /// Bytes under way.
    queued: usize,
    /// When the bandwidth is free for the next write.
    free_at: Timestamp,
    /// When the last write arrives: none overtakes it.
    arrives_at: Timestamp,
    /// When the next read is possible, for the pause.
    read_at: Timestamp,
    is_stalled: bool,
    /// Bytes until the cut.
    left: Option<usize>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// The writer has ended the stream; it is still to be read.
    Finished,
    /// The reader has seen the end.
    Ended,
    /// Everything vanishes.
    Swallowing,
}

impl Wire {
    /// A wire. What it draws at random depends on `seed`.
    pub fn new(seed: u64, conditions: Conditions) -> Self {
        Self {
            conditions,
            rng: Rng::new(seed),
            segments: VecDeque::new(),
            queued: 0,
            free_at: Timestamp::ZERO,
            arrives_at: Timestamp::ZERO,
            read_at: Timestamp::ZERO,
            is_stalled: false,
            left: None,
            state: State::Open,
        }
    }

    /// Changes the conditions for what is written from now on; pieces, pause and window at once.
    pub fn set_conditions(&mut self, conditions: Conditions) {
        self.conditions = conditions;
    }

    /// The conditions.
    pub const fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// Whether the writer may go on: fewer bytes are under way than the window holds, and the stream has
    /// not ended. A write beyond that is accepted all the same.
    pub fn is_writable(&self) -> bool {
        match self.state {
            State::Open => self.queued < self.conditions.window,
            State::Swallowing => true,
            State::Finished | State::Ended => false,
        }
    }

    /// Writes. After the end it does nothing.
    pub fn write(&mut self, now: Timestamp, bytes: Bytes) {
        if self.state != State::Open || bytes.is_empty() {
            return;
        }
        self.queued = self.queued.saturating_add(bytes.len());
        self.push(now, bytes);
    }

    /// Ends the stream after what was written.
    pub fn finish(&mut self, now: Timestamp) {
        if self.state == State::Open {
            self.state = State::Finished;
            self.push(now, Bytes::new());
        }
    }

    fn push(&mut self, now: Timestamp, bytes: Bytes) {
        if let Some(bandwidth) = self.conditions.bandwidth {
            let micros = (bytes.len() as u64).saturating_mul(1_000_000).checked_div(bandwidth);
            self.free_at = self.free_at.max(now) + Duration::from_micros(micros.unwrap_or(0));
        }
        let jitter = u64::try_from(self.conditions.jitter.as_micros()).unwrap_or(u64::MAX);
        let jitter = Duration::from_micros(self.rng.below(jitter.saturating_add(1)));
        let at = self.free_at.max(now) + self.conditions.latency + jitter;
        self.arrives_at = self.arrives_at.max(at);
        self.segments.push_back((self.arrives_at, bytes));
    }

    /// Delivers nothing until [`resume`](Self::resume). The writer may fill the window meanwhile.
    pub fn stall(&mut self) {
        self.is_stalled = true;
    }

    /// Delivers again.
    pub fn resume(&mut self) {
        self.is_stalled = false;
    }

    /// Whether [`stall`](Self::stall) is in force.
    pub const fn is_stalled(&self) -> bool {
        self.is_stalled
    }

    /// The stream ends now, also while stalled; what is under way is lost.
    pub fn cut(&mut self, now: Timestamp) {
        if matches!(self.state, State::Open | State::Finished) {
            self.segments.clear();
            self.segments.push_back((now, Bytes::new()));
            (self.queued, self.is_stalled) = (0, false);
            self.state = State::Finished;
        }
    }

    /// The stream ends when `bytes` more have been read, whatever is written.
    pub fn cut_after(&mut self, bytes: usize) {
        self.left = Some(bytes);
    }

    /// From now on everything vanishes, without an end of the stream: a pulled cable. The writer does not
    /// notice.
    pub fn black_hole(&mut self) {
        if self.state != State::Ended {
            self.segments.clear();
            self.queued = 0;
            self.state = State::Swallowing;
        }
    }

    /// Bytes under way.
    pub const fn queued(&self) -> usize {
        self.queued
    }

    /// Whether the reader has seen the end of the stream.
    pub fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// When [`read`](Self::read) will give something; `None` when nothing is under way or the wire stalls.
    pub fn next_read(&self) -> Option<Timestamp> {
        if self.is_stalled {
            return None;
        }
        if self.left == Some(0) && matches!(self.state, State::Open | State::Finished) {
            return Some(self.read_at);
        }
        self.segments.front().map(|(at, _)| self.read_at.max(*at))
    }

    /// Reads what has arrived at `now`: one piece.
    pub fn read(&mut self, now: Timestamp) -> Option<Read> {
        if self.next_read()? > now {
            return None;
        }
        let wish = match self.conditions.pieces {
            Pieces::AsWritten => self.segments.front().map_or(0, |(_, bytes)| bytes.len()),
            Pieces::Coalesced => usize::MAX,
            Pieces::Bytewise => 1,
            Pieces::Random => random_len(&mut self.rng),
        };
        let bytes = self.take(now, wish.min(self.left.unwrap_or(usize::MAX)));
        if bytes.is_empty() {
            self.segments.clear();
            (self.queued, self.state) = (0, State::Ended);
            return Some(Read::Eof);
        }
        self.queued = self.queued.saturating_sub(bytes.len());
        self.left = self.left.map(|left| left.saturating_sub(bytes.len()));
        self.read_at = now + self.conditions.pause;
        Some(Read::Data(bytes))
    }

    /// Up to `wish` bytes of what has arrived; none at the end of the stream.
    fn take(&mut self, now: Timestamp, wish: usize) -> Bytes {
        let mut taken = BytesMut::new();
        while let Some((at, bytes)) = self.segments.front_mut() {
            let room = wish.saturating_sub(taken.len());
            if *at > now || bytes.is_empty() || room == 0 {
                break;
            }
            let part = bytes.split_to(room.min(bytes.len()));
            if bytes.is_empty() {
                self.segments.pop_front();
            }
            if taken.is_empty() && part.len() == wish {
                return part;
            }
            taken.extend_from_slice(&part);
        }
        taken.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(millis: u32) -> Timestamp {
        Timestamp::ZERO + millis * MS
    }

    /// Everything that can be read at `now`.
    fn drain(wire: &mut Wire, now: Timestamp) -> (Vec<Bytes>, bool) {
        let mut pieces = Vec::new();
        while let Some(read) = wire.read(now) {
            match read {
                Read::Data(bytes) => pieces.push(bytes),
                Read::Eof => return (pieces, true),
            }
        }
        (pieces, false)
    }

    #[test]
    fn pieces_are_cut_and_joined_as_told() {
        for (pieces, expected) in [
            (Pieces::AsWritten, vec!["ab", "cde"]),
            (Pieces::Coalesced, vec!["abcde"]),
            (Pieces::Bytewise, vec!["a", "b", "c", "d", "e"]),
        ] {
            let mut wire = Wire::new(1, Conditions::new().pieces(pieces));
            wire.write(at(0), "ab".into());
            wire.write(at(0), "cde".into());
            assert_eq!(wire.queued(), 5);
            assert_eq!(drain(&mut wire, at(0)).0, expected, "{pieces:?}");
            assert_eq!(wire.queued(), 0);
        }
        let random = || {
            let mut wire = Wire::new(7, Conditions::new().pieces(Pieces::Random));
            wire.write(at(0), Bytes::from(vec![1; 100_000]));
            drain(&mut wire, at(0)).0
        };
        assert_eq!(random(), random());
        assert!(random().len() > 2);
    }

    #[test]
    fn delays_add_up_and_keep_the_order() {
        let mut wire = Wire::new(1, Conditions::new().latency(10 * MS).bandwidth(1_000));
        wire.write(at(0), "12345".into());
        wire.write(at(0), "6".into());
        assert_eq!(wire.next_read(), Some(at(15)));
        assert_eq!(drain(&mut wire, at(15)).0, ["12345"]);
        assert_eq!(wire.next_read(), Some(at(16)));
        let mut jittery = Wire::new(1, Conditions::new().jitter(10 * MS));
        for byte in "abcdefgh".bytes() {
            jittery.write(at(0), vec![byte].into());
        }
        assert_eq!(drain(&mut jittery, at(10)).0.concat(), b"abcdefgh");
    }

    #[test]
    fn a_pause_spreads_reads_over_time() {
        let mut wire = Wire::new(1, Conditions::new().pause(MS).pieces(Pieces::Bytewise));
        wire.write(at(0), "abc".into());
        assert_eq!(drain(&mut wire, at(0)).0, ["a"]);
        assert_eq!(wire.next_read(), Some(at(1)));
        assert_eq!(drain(&mut wire, at(9)).0, ["b"]);
    }

    #[test]
    fn a_stalled_wire_fills_its_window() {
        let mut wire = Wire::new(1, Conditions::new().window(4));
        wire.stall();
        wire.write(at(0), "abcd".into());
        assert!(!wire.is_writable());
        assert_eq!((wire.next_read(), wire.read(at(5))), (None, None));
        wire.resume();
        assert_eq!(drain(&mut wire, at(5)).0, ["abcd"]);
        assert!(wire.is_writable());
    }

    #[test]
    fn cuts_lose_what_they_say() {
        let mut wire = Wire::new(1, Conditions::new().latency(MS));
        wire.write(at(0), "lost".into());
        wire.cut(at(0));
        wire.write(at(0), "ignored".into());
        assert_eq!(drain(&mut wire, at(0)), (vec![], true));
        assert!(wire.is_ended() && !wire.is_writable());

        let mut wire = Wire::new(1, Conditions::new());
        wire.cut_after(3);
        wire.write(at(0), "abcd".into());
        assert_eq!(drain(&mut wire, at(0)), (vec!["abc".into()], true));

        let mut wire = Wire::new(1, Conditions::new());
        wire.write(at(0), "abcd".into());
        wire.black_hole();
        wire.write(at(0), "efgh".into());
        wire.finish(at(0));
        assert_eq!((drain(&mut wire, at(9)), wire.next_read()), ((vec![], false), None));
        assert!(wire.is_writable() && wire.queued() == 0);
    }
}

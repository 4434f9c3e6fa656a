//! One direction of a byte stream, under fake time.

mod conditions;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use roadbed_core::time::Timestamp;

pub use self::conditions::{Conditions, Pieces};
use crate::chunks::random_len;
use crate::rng::Rng;

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

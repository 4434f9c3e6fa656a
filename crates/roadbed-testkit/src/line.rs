//! What lies between two ends, and the order in which they do things.

use bytes::BytesMut;
use roadbed_core::time::Timestamp;

use crate::end::End;
use crate::rng::Rng;
use crate::transcript::Transcript;
use crate::wire::{Conditions, Read, Wire};

/// Rounds without a byte read after which something is taken to run in circles.
const IDLE_ROUNDS: usize = 10_000;

/// A way for bytes, with what its reader has not consumed yet.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) wire: Wire,
    buffer: BytesMut,
    /// The reader stopped consuming: it has to be asked again when it wants input.
    is_held: bool,
    /// The end of the stream was read and is still to be told.
    has_eof: bool,
}

impl Lane {
    fn new(wire: Wire) -> Self {
        Self { wire, buffer: BytesMut::new(), is_held: false, has_eof: false }
    }

    fn next_read(&self, reader: &dyn End) -> Option<Timestamp> {
        self.wire.next_read().filter(|_| reader.is_finished() || reader.wants_input())
    }

    /// The reader reads once. Says what came of it.
    fn read(&mut self, now: Timestamp, reader: &mut dyn End) -> Progress {
        if !reader.wants_input() {
            if reader.is_finished() {
                // Read and drop, until the other side has ended its stream too.
                return Progress::from_bytes(self.wire.read(now).is_some());
            }
            self.is_held = true;
            return Progress::None;
        }
        if self.is_held {
            let before = self.buffer.len();
            reader.handle_input(now, &mut self.buffer);
            self.is_held = !reader.wants_input();
            return Progress::from_bytes(self.buffer.len() < before).max(Progress::Other);
        }
        if self.has_eof {
            self.has_eof = false;
            reader.handle_eof(now);
            return Progress::Other;
        }
        match self.wire.read(now) {
            None => return Progress::None,
            Some(Read::Eof) => self.has_eof = true,
            Some(Read::Data(bytes)) => {
                self.buffer.extend_from_slice(&bytes);
                reader.handle_input(now, &mut self.buffer);
                self.is_held = !reader.wants_input();
            }
        }
        Progress::Bytes
    }
}

/// What a round did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Progress {
    None,
    Other,
    Bytes,
}

impl Progress {
    pub(crate) fn from_other(any: bool) -> Self {
        if any { Self::Other } else { Self::None }
    }

    fn from_bytes(any: bool) -> Self {
        if any { Self::Bytes } else { Self::None }
    }
}

/// Counts rounds in which nothing is read.
#[derive(Debug, Default)]
pub(crate) struct Circles(usize);

impl Circles {
    /// Whether to go on.
    ///
    /// # Panics
    /// When there seems to be no end.
    #[track_caller]
    pub(crate) fn go_on(&mut self, progress: Progress) -> bool {
        self.0 = if progress == Progress::Other { self.0 + 1 } else { 0 };
        assert!(self.0 < IDLE_ROUNDS, "{IDLE_ROUNDS} rounds without a byte read: something runs in circles");
        progress != Progress::None
    }
}

/// The two ways between a client and its router.
#[derive(Debug)]
pub(crate) struct Line {
    /// From client to router.
    pub(crate) up: Lane,
    /// From router to client.
    pub(crate) down: Lane,
}

impl Line {
    pub(crate) fn new(rng: &mut Rng, conditions: &Conditions) -> Self {
        let mut lane = || Lane::new(Wire::new(rng.next_u64(), conditions.clone()));
        Self { up: lane(), down: lane() }
    }

    /// Both ends do one round of what they can do at `now`.
    pub(crate) fn round(
        &mut self,
        now: Timestamp,
        client: &mut dyn End,
        router: &mut dyn End,
        log: &mut Log<'_>,
    ) -> Progress {
        let progress = pass(now, client, &mut self.down, &mut self.up.wire, log, "client");
        progress.max(pass(now, router, &mut self.up, &mut self.down.wire, log, "router"))
    }

    /// When bytes arrive next.
    pub(crate) fn next_read(&self, client: &dyn End, router: &dyn End) -> Option<Timestamp> {
        earlier(self.up.next_read(router), self.down.next_read(client))
    }

    /// The stream breaks in both directions.
    pub(crate) fn reset(&mut self, now: Timestamp, client: &mut dyn End, router: &mut dyn End) {
        self.up.wire.black_hole();
        self.down.wire.black_hole();
        client.handle_lost(now);
        router.handle_lost(now);
    }
}

/// Where bytes are recorded.
pub(crate) struct Log<'a> {
    pub(crate) transcript: Option<&'a mut Transcript>,
    /// The number of the line.
    pub(crate) line: usize,
}

pub(crate) fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    a.into_iter().chain(b).min()
}

/// What one end can do: timers, writing, reading.
fn pass(
    now: Timestamp,
    end: &mut dyn End,
    incoming: &mut Lane,
    outgoing: &mut Wire,
    log: &mut Log<'_>,
    side: &str,
) -> Progress {
    let mut any = false;
    if end.poll_timeout().is_some_and(|at| at <= now) {
        end.handle_timeout(now);
        let next = end.poll_timeout();
        assert!(next.is_none_or(|at| at > now), "{side}: at {now:?} the next time-out is {next:?}");
        any = true;
    }
    any |= end.take_events();
    while outgoing.is_writable() {
        let Some(bytes) = end.poll_transmit() else { break };
        assert!(!bytes.is_empty(), "{side}: nothing is to be written");
        if let Some(transcript) = &mut log.transcript {
            transcript.bytes(&format!("{now:?} {side} {}", log.line), &bytes);
        }
        outgoing.write(now, bytes);
        any = true;
        // The end may have waited for its output to be fetched.
        end.take_events();
    }
    if end.is_finished() {
        outgoing.finish(now);
    }
    let read = incoming.read(now, end);
    any |= end.take_events();
    read.max(Progress::from_other(any))
}

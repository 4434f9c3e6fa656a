//! A driver's end, driven by hand: as a loop does it, and with the rules for sleeping checked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use bytes::{Bytes, BytesMut};
use roadbed::drive::{Drive, Output, Room};
use roadbed_core::time::Timestamp;

/// Rounds after which nothing new can come by itself.
const MANY: usize = 10_000;

/// Whether a sleeper was woken.
#[derive(Debug, Default)]
pub(super) struct Flag(AtomicBool);

impl Flag {
    /// Whether it was, since this was asked last.
    pub(super) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A driver's end and its two halves.
pub(super) struct Driven<D> {
    drive: Arc<D>,
    /// What was read and not taken.
    input: BytesMut,
    /// What the network holds.
    arriving: BytesMut,
    reader: Arc<Flag>,
    writer: Arc<Flag>,
    /// The reading half was not welcome, and nothing was done since that could change it.
    reader_waits: bool,
    /// The writing half has nothing to do until then.
    writer_sleeps: Option<Option<Timestamp>>,
    is_eof: bool,
    has_ended: bool,
}

impl<D: Drive> Driven<D> {
    pub(super) fn new(drive: D) -> Self {
        Self {
            drive: Arc::new(drive),
            input: BytesMut::new(),
            arriving: BytesMut::new(),
            reader: Arc::default(),
            writer: Arc::default(),
            reader_waits: false,
            writer_sleeps: None,
            is_eof: false,
            has_ended: false,
        }
    }

    pub(super) const fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Whether everything that came was taken.
    pub(super) fn is_quiet(&self) -> bool {
        self.input.is_empty() && self.arriving.is_empty()
    }

    /// The network brings bytes.
    pub(super) fn arrive(&mut self, bytes: &[u8]) {
        self.arriving.extend_from_slice(bytes);
    }

    /// Reads what is welcome. Whether anything was.
    pub(super) fn read(&mut self) -> bool {
        let mut any = false;
        for _ in 0..MANY {
            let left = self.input.len();
            let slept = self.reader_waits && !self.reader.take();
            let waker = Waker::from(Arc::clone(&self.reader));
            let room = self.drive.room(&mut self.input, &waker);
            assert!(!slept || room == Room::Wait, "the reading half was not woken for {room:?}");
            self.reader_waits = room == Room::Wait;
            if self.input.len() < left {
                self.stir();
                any = true;
            }
            let Room::Read(count) = room else { return any };
            assert!(count > 0, "reading nothing");
            if self.arriving.is_empty() || self.is_eof {
                return any;
            }
            let count = count.min(self.arriving.len());
            let bytes = self.arriving.split_to(count);
            self.input.extend_from_slice(&bytes);
            self.drive.feed(&mut self.input);
            self.stir();
            any = true;
        }
        panic!("reading never ends");
    }

    /// Fetches what is to be written, and judges deadlines.
    pub(super) fn write(&mut self, now: Timestamp) -> Vec<Bytes> {
        let mut written = Vec::new();
        for round in 0..MANY {
            let waker = Waker::from(Arc::clone(&self.writer));
            let was_woken = self.writer.take();
            let slept = matches!(self.writer_sleeps, Some(at) if at.is_none_or(|at| at > now)) && !was_woken;
            self.writer_sleeps = None;
            match self.drive.output(true, &waker) {
                Output::Write(bytes) => {
                    assert!(!slept, "the writing half was not woken for {} bytes", bytes.len());
                    assert!(!bytes.is_empty(), "an empty write");
                    written.push(bytes);
                    written.extend(self.drive.more());
                }
                Output::Idle(Some(at)) if at <= now => {
                    assert!(round < 100 + written.len(), "a deadline that has passed and stays");
                    self.drive.expire();
                }
                Output::Idle(at) => {
                    self.writer_sleeps = Some(at);
                    return written;
                }
                Output::End | Output::Drop => {
                    assert!(!slept || self.has_ended, "the writing half was not woken for the end");
                    self.has_ended = true;
                    return written;
                }
            }
        }
        panic!("writing never ends");
    }

    /// The network takes nothing: only timers run.
    pub(super) fn stuck(&mut self) {
        let waker = Waker::from(Arc::clone(&self.writer));
        let output = self.drive.output(false, &waker);
        assert!(!matches!(output, Output::Write(_)), "written what could not be");
        self.has_ended |= !matches!(output, Output::Idle(_));
        self.stir();
    }

    /// The peer ended its side. What the network still holds is read before, as far as that is welcome.
    pub(super) fn eof(&mut self) {
        self.read();
        if !self.is_eof && !self.has_ended {
            self.is_eof = true;
            self.drive.eof(&mut self.input);
            self.stir();
        }
    }

    pub(super) fn lost(&mut self) {
        self.drive.lost();
        self.stir();
    }

    pub(super) fn broke(&mut self) {
        self.drive.broke(std::io::ErrorKind::ConnectionReset.into());
        self.stir();
    }

    /// What no loop would do: bytes that were not asked for, and ends twice.
    pub(super) fn abuse(&mut self, bytes: &[u8], what: usize) {
        match what {
            0 => {
                self.input.extend_from_slice(bytes);
                self.drive.feed(&mut self.input);
            }
            1 => self.drive.eof(&mut self.input),
            2 => drop(self.drive.more()),
            3 => drop(self.drive.expects_more()),
            _ => self.drive.expire(),
        }
        self.stir();
    }

    /// Something was done that may concern both halves.
    fn stir(&mut self) {
        self.reader_waits = false;
        self.writer_sleeps = None;
    }
}

//! The two threads of a connection.

use std::io;
use std::net::Shutdown;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::{Buf, Bytes};
use roadbed_core::time::Timestamp;

use super::Socket;
use super::reading::{Reading, is_timeout};
use super::timekeeper::Timekeeper;
use crate::drive::{Drive, LINGER, Output};
use crate::park::Parker;
use crate::runtime::Runtime;

/// How long a write may take before the writer counts as stuck, and another thread keeps the time. A
/// deadline that falls into it is noticed at its end.
const PATIENCE: Duration = Duration::from_millis(100);

/// Writes after which deadlines are looked at, however much there is to write.
const WRITES: u32 = 64;

/// Drives a connection over a socket, in two threads that end when the socket can be closed. While a write
/// waits for the peer longer than a moment, there is a third.
///
/// # Errors
/// What the operating system says of a second handle of the socket, or of the threads.
pub fn start<D: Drive, S: Socket>(drive: D, socket: S, runtime: Arc<dyn Runtime>) -> io::Result<()> {
    let drive = Arc::new(drive);
    let input = socket.duplicate()?;
    let is_timed = socket.set_write_timeout(Some(PATIENCE)).is_ok();
    let (ready, writer_is_there) = std::sync::mpsc::channel();
    let reading = Arc::new(Reading::default());
    let (for_reader, of_reader) = (Arc::clone(&drive), Arc::clone(&reading));
    let spawned = Arc::clone(&drive);
    thread::Builder::new().spawn(move || {
        let parker = Parker::new();
        // The reader wakes the writer when it is done; if it is gone, so is the connection.
        let _ = ready.send(parker.waker.clone());
        let timekeeper = Timekeeper::new(Arc::clone(&reading));
        let mut writer = Writer { drive, socket, runtime, reading, parker, is_timed, timekeeper };
        writer.run();
        writer.linger();
    })?;
    let reader = thread::Builder::new().spawn(move || {
        of_reader.run(&*for_reader, input);
        of_reader.end();
        // Dropped before the writer is told that nothing is left to wait for.
        drop(for_reader);
        if let Ok(writer) = writer_is_there.recv() {
            writer.wake();
        }
    });
    reader.map(drop).inspect_err(|_| spawned.lost())
}

/// The thread that writes and keeps the time.
struct Writer<D, S> {
    drive: Arc<D>,
    socket: S,
    runtime: Arc<dyn Runtime>,
    reading: Arc<Reading>,
    parker: Parker,
    /// Whether a write returns after [`PATIENCE`].
    is_timed: bool,
    timekeeper: Timekeeper,
}

impl<D: Drive, S: Socket> Writer<D, S> {
    /// Writes until the end of the connection.
    fn run(&mut self) {
        let mut writes = 0_u32;
        loop {
            match self.drive.output(true, &self.parker.waker) {
                Output::Write(bytes) => {
                    if let Err(error) = self.write(bytes) {
                        self.drive.broke(error);
                        return self.hear_out();
                    }
                    writes = writes.wrapping_add(1);
                    if writes.is_multiple_of(WRITES) {
                        // Much to write does not put deadlines off.
                        self.drive.expire();
                    }
                }
                Output::Idle(at) => self.idle(at),
                Output::End => return,
                Output::Drop => {
                    let _ = self.socket.shutdown(Shutdown::Both);
                    return;
                }
            }
        }
    }

    /// Sleeps until this time, and judges what is due then.
    fn idle(&self, at: Option<Timestamp>) {
        let left = at.map(|at| at.saturating_since(self.runtime.now()));
        if left.is_some_and(|left| left.is_zero()) {
            self.reading.let_it_go_first(&self.socket, &self.parker);
            self.drive.expire();
        } else {
            self.parker.park(left);
        }
    }

    /// A write failed, and the peer may have said why: its last words are read until it has ended its side, but not for
    /// long. Nobody takes what there is to write.
    fn hear_out(&self) {
        let until = self.runtime.now() + LINGER;
        loop {
            match self.drive.output(true, &self.parker.waker) {
                // However much there is to write.
                Output::Write(_) | Output::Idle(_) if until <= self.runtime.now() => {
                    self.drive.lost();
                    break;
                }
                Output::Write(_) => {}
                Output::Idle(at) => self.idle(at.into_iter().chain([until]).min()),
                Output::End | Output::Drop => break,
            }
        }
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Writes all of `bytes`. While the peer takes nothing, the timekeeper has the time, and shuts the
    /// socket down if it runs out.
    fn write(&mut self, bytes: Bytes) -> io::Result<()> {
        if !self.is_timed {
            self.timekeeper.take_over(&self.drive, &self.socket, &self.runtime)?;
        }
        let result = self.write_all(bytes);
        if self.timekeeper.is_on() {
            self.timekeeper.hand_back();
            self.is_timed = self.is_timed && self.socket.set_write_timeout(Some(PATIENCE)).is_ok();
        }
        result
    }

    fn write_all(&mut self, mut bytes: Bytes) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.socket.write(&bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => bytes.advance(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if is_timeout(&error) => {}
                Err(error) => return Err(error),
            }
            if !bytes.is_empty() && !self.timekeeper.is_on() {
                self.timekeeper.take_over(&self.drive, &self.socket, &self.runtime)?;
                // The timekeeper ends a write that waits too long. A timeout that stays only costs something.
                let _ = self.socket.set_write_timeout(None);
            }
        }
        Ok(())
    }

    /// Ends our side, and waits until the peer has ended its own, but not for long. Then the reader is
    /// freed, and the socket closes with the last handle of it.
    fn linger(self) {
        let _ = self.socket.shutdown(Shutdown::Write);
        let until = self.runtime.now() + LINGER;
        while !self.reading.is_done() {
            let left = until.saturating_since(self.runtime.now());
            if left.is_zero() {
                break;
            }
            self.parker.park(Some(left));
        }
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

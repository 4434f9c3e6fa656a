//! The two threads of a connection.

use std::io;
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};

use super::Socket;
use super::timekeeper::Timekeeper;
use crate::drive::{Drive, LINGER, Output, Room};
use crate::park::Parker;
use crate::runtime::Runtime;

/// What is read at once of what nobody wants any more.
const DISCARD: usize = 4096;

/// How long a write may take before the writer counts as stuck, and another thread keeps the time. A
/// deadline that falls into it is noticed at its end.
const PATIENCE: Duration = Duration::from_millis(100);

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
    let has_read = Arc::new(AtomicBool::new(false));
    let (for_reader, reader_is_done) = (Arc::clone(&drive), Arc::clone(&has_read));
    let spawned = Arc::clone(&drive);
    thread::Builder::new().spawn(move || {
        let parker = Parker::new();
        // The reader wakes the writer when it is done; if it is gone, so is the connection.
        let _ = ready.send(parker.waker.clone());
        let mut writer = Writer { drive, socket, runtime, parker, is_timed, timekeeper: Timekeeper::new() };
        writer.run();
        writer.linger(&has_read);
    })?;
    let reader = thread::Builder::new().spawn(move || {
        read(&*for_reader, input);
        reader_is_done.store(true, Ordering::Release);
        // Dropped before the writer is told that nothing is left to wait for.
        drop(for_reader);
        if let Ok(writer) = writer_is_there.recv() {
            writer.wake();
        }
    });
    reader.map(drop).inspect_err(|_| spawned.lost())
}

/// Reads until the peer has ended its side, or the socket is closed.
fn read<D: Drive, S: Socket>(drive: &D, mut socket: S) {
    let parker = Parker::new();
    let mut input = BytesMut::new();
    let mut is_eof = false;
    loop {
        let room = match drive.room(&mut input, &parker.waker) {
            Room::Wait => {
                parker.park(None);
                continue;
            }
            // What is left is the writer's.
            _ if is_eof => return,
            Room::Read(room) => room,
            Room::Discard => {
                input.clear();
                DISCARD
            }
        };
        let filled = input.len();
        input.resize(filled + room, 0);
        let result = socket.read(input.get_mut(filled..).unwrap_or_default());
        input.truncate(filled + result.as_ref().map_or(0, |count| *count));
        match result {
            Ok(0) => {
                is_eof = true;
                drive.eof(&mut input);
            }
            Ok(_) => drive.feed(&mut input),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => {
                drive.lost();
                // The writer may wait for a peer that is gone.
                let _ = socket.shutdown(Shutdown::Both);
                return;
            }
        }
    }
}

/// The thread that writes and keeps the time.
struct Writer<D, S> {
    drive: Arc<D>,
    socket: S,
    runtime: Arc<dyn Runtime>,
    parker: Parker,
    /// Whether a write returns after [`PATIENCE`].
    is_timed: bool,
    timekeeper: Timekeeper,
}

impl<D: Drive, S: Socket> Writer<D, S> {
    /// Writes until the end of the connection.
    fn run(&mut self) {
        loop {
            match self.drive.output(true, &self.parker.waker) {
                Output::Write(bytes) => {
                    if self.write(bytes).is_err() {
                        self.drive.lost();
                        let _ = self.socket.shutdown(Shutdown::Both);
                        return;
                    }
                }
                Output::Idle(at) => self.parker.park(at.map(|at| at.saturating_since(self.runtime.now()))),
                Output::End => return,
                Output::Drop => {
                    let _ = self.socket.shutdown(Shutdown::Both);
                    return;
                }
            }
        }
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
    fn linger(self, has_read: &AtomicBool) {
        let _ = self.socket.shutdown(Shutdown::Write);
        let until = self.runtime.now() + LINGER;
        while !has_read.load(Ordering::Acquire) {
            let left = until.saturating_since(self.runtime.now());
            if left.is_zero() {
                break;
            }
            self.parker.park(Some(left));
        }
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

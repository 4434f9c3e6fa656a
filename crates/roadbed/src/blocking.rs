//! Connections without a runtime: two threads each, one that reads and one that writes and keeps the time.
//!
//! Neither looks at anything at intervals: the reader sleeps in its read, the writer until there is output
//! or a deadline has come. Only while the peer takes nothing of what is written, and a write cannot be
//! woken, the writer looks once a second whether a deadline has been set meanwhile.

use std::fmt;
use std::io;
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use roadbed_core::time::Timestamp;
use roadbed_core::transport::TransportDetails;

use crate::client::{Attempt, Attempts, Connect, Session};
use crate::drive::{Drive, LINGER, Output, Room, Tunnel};
use crate::error::Error;
use crate::park::{Parker, ThreadTimer, block_on};
use crate::runtime::{Runtime, SystemClock, Task, Timer};
use crate::url::Address;

/// What is read at once of what nobody wants any more.
const DISCARD: usize = 4096;

/// How long a write may wait before the writer looks at the time.
const STALLED: Duration = Duration::from_millis(1024);

/// A connected socket whose calls wait. Its two ends may be used from two threads.
pub trait Socket: Send + Sized + 'static {
    /// The same socket once more.
    ///
    /// # Errors
    /// What the operating system says.
    fn duplicate(&self) -> io::Result<Self>;

    /// Reads once; 0 means that the peer ended its side.
    ///
    /// # Errors
    /// What the operating system says.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes once, and says how many bytes.
    ///
    /// # Errors
    /// What the operating system says; `WouldBlock` or `TimedOut` when the write timeout has passed and
    /// nothing was written.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// How long a write may wait; `None`: for ever.
    ///
    /// # Errors
    /// What the operating system says.
    fn set_write_timeout(&self, span: Option<Duration>) -> io::Result<()>;

    /// Ends one side or both; a read that waits returns then.
    ///
    /// # Errors
    /// What the operating system says.
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;
}

/// How a blocking adapter opens connections.
pub trait BlockingConnector: Send + Sync + 'static {
    /// A connected socket.
    type Socket: Socket;

    /// The services that handles and drivers use, usually [`Threads`].
    fn runtime(&self) -> Arc<dyn Runtime>;

    /// Connects, and says what is known of the peer.
    ///
    /// # Errors
    /// Why there is no connection.
    fn open(&self, address: &Address) -> io::Result<(Self::Socket, TransportDetails)>;
}

impl<C: BlockingConnector> Connect<C> {
    /// Connects and joins; waits for it in this thread.
    ///
    /// # Errors
    /// Why there is no session.
    pub fn wait(self) -> Result<Session, Error> {
        let mut attempts = Attempts::new(&self.urls, &self.settings)?;
        loop {
            match self.attempt_waiting(attempts.now()) {
                Err(error) if attempts.retry(&error) => {}
                result => return result,
            }
        }
    }

    fn attempt_waiting(&self, attempt: &Attempt) -> Result<Session, Error> {
        let runtime = self.connector.runtime();
        let (socket, details) = self.connector.open(attempt.address())?;
        let (joining, driver) = attempt.open(&self.settings, Arc::clone(&runtime), details)?;
        match attempt.tunnel()? {
            Some(connect) => start(Tunnel::new(driver, connect), socket, runtime)?,
            None => start(driver, socket, runtime)?,
        }
        joining.wait()
    }
}

/// The services of the standard library: its clocks, and a thread for each task.
///
/// Randomness is the only thing the standard library does not have; `seed` gives it.
pub struct Threads {
    clock: SystemClock,
    seed: fn() -> [u8; 32],
}

impl Threads {
    /// With a function that asks the operating system for random bytes.
    pub fn new(seed: fn() -> [u8; 32]) -> Self {
        Self { clock: SystemClock::start(), seed }
    }
}

impl Runtime for Threads {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn seed(&self) -> [u8; 32] {
        (self.seed)()
    }

    fn spawn(&self, task: Task) {
        // A task that gets no thread is dropped, and whoever waits for it is told so by that.
        let _ = thread::Builder::new().spawn(move || block_on(task));
    }

    fn timer(&self) -> Box<dyn Timer> {
        Box::new(ThreadTimer(self.clock))
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threads").field("clock", &self.clock).finish_non_exhaustive()
    }
}

/// Drives a connection over a socket, in two threads that end when the socket can be closed.
///
/// # Errors
/// What the operating system says of a second handle of the socket, or of the threads.
pub fn start<D: Drive, S: Socket>(drive: D, socket: S, runtime: Arc<dyn Runtime>) -> io::Result<()> {
    let drive = Arc::new(drive);
    let input = socket.duplicate()?;
    let (ready, writer_is_there) = std::sync::mpsc::channel();
    let has_read = Arc::new(AtomicBool::new(false));
    let (for_reader, reader_is_done) = (Arc::clone(&drive), Arc::clone(&has_read));
    let spawned = Arc::clone(&drive);
    thread::Builder::new().spawn(move || {
        let parker = Parker::new();
        // The reader wakes the writer when it is done; if it is gone, so is the connection.
        let _ = ready.send(parker.waker.clone());
        let mut writer = Writer { drive, socket, runtime, parker, timeout: None };
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
    /// The write timeout in force.
    timeout: Option<Duration>,
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

    /// Writes all of `bytes`, and keeps the time while the peer takes nothing.
    fn write(&mut self, mut bytes: Bytes) -> io::Result<()> {
        while !bytes.is_empty() {
            let at = match self.drive.output(false, &self.parker.waker) {
                Output::Idle(at) => at,
                // What is left is written like the rest, but not for ever.
                Output::End | Output::Write(_) => Some(self.runtime.now() + LINGER),
                Output::Drop => return Err(io::ErrorKind::ConnectionAborted.into()),
            };
            self.wait_until(at)?;
            match self.socket.write(&bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => bytes.advance(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    let output = self.drive.output(false, &self.parker.waker);
                    if matches!(output, Output::End | Output::Drop) {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Lets the next write wait about until `at`, but not longer than [`STALLED`]. A power of two stays the
    /// same from call to call.
    fn wait_until(&mut self, at: Option<Timestamp>) -> io::Result<()> {
        let left = at.map_or(STALLED, |at| at.saturating_since(self.runtime.now()).min(STALLED));
        let exponent = left.as_millis().max(1).ilog2();
        let timeout = Duration::from_millis(1 << exponent);
        if self.timeout != Some(timeout) {
            self.socket.set_write_timeout(Some(timeout))?;
            self.timeout = Some(timeout);
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

//! Who keeps the time while the writer cannot: a thread of its own, started when it is needed first.

use std::io;
use std::net::Shutdown;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};

use roadbed_core::time::Timestamp;

use super::Socket;
use super::reading::Reading;
use crate::drive::{Drive, LINGER, Output};
use crate::park::Parker;
use crate::runtime::Runtime;

/// The writer's end of it. Dropped, the thread ends.
pub(super) struct Timekeeper {
    reading: Arc<Reading>,
    watch: Arc<Watch>,
    thread: Option<Thread>,
    /// Whether it is the thread's turn.
    is_on: bool,
}

/// Whose turn it is. The lock is held over everything that the thread asks of the driver, so that
/// afterwards the writer has the last word on whom the driver wakes.
struct Watch(Mutex<Turn>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// The writer's.
    Writer,
    /// The thread's: the writer is stuck.
    Thread,
    /// Nobody's any more.
    Over,
}

impl Watch {
    fn turn(&self) -> MutexGuard<'_, Turn> {
        // Under the lock the driver may run hooks; a panic in one leaves no turn undone.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Timekeeper {
    /// Nobody is needed yet.
    pub(super) fn new(reading: Arc<Reading>) -> Self {
        Self { reading, watch: Arc::new(Watch(Mutex::new(Turn::Writer))), thread: None, is_on: false }
    }

    /// Takes over: the writer is stuck, or may be. When the connection has to end nevertheless, `socket` is
    /// shut down.
    pub(super) fn take_over<D: Drive, S: Socket>(
        &mut self,
        drive: &Arc<D>,
        socket: &S,
        runtime: &Arc<dyn Runtime>,
    ) -> io::Result<()> {
        self.is_on = true;
        *self.watch.turn() = Turn::Thread;
        if let Some(thread) = &self.thread {
            thread.unpark();
            return Ok(());
        }
        let (drive, socket, runtime) = (Arc::clone(drive), socket.duplicate()?, Arc::clone(runtime));
        let (watch, reading) = (Arc::clone(&self.watch), Arc::clone(&self.reading));
        let keep = move || watch.keep(&*drive, &socket, &*runtime, &reading);
        self.thread = Some(thread::Builder::new().spawn(keep)?.thread().clone());
        Ok(())
    }

    /// Whether it has taken over.
    pub(super) const fn is_on(&self) -> bool {
        self.is_on
    }

    /// Gives the time back: the writer is there again.
    pub(super) fn hand_back(&mut self) {
        if std::mem::take(&mut self.is_on) {
            *self.watch.turn() = Turn::Writer;
        }
    }
}

impl Drop for Timekeeper {
    fn drop(&mut self) {
        *self.watch.turn() = Turn::Over;
        if let Some(thread) = &self.thread {
            thread.unpark();
        }
    }
}

impl Watch {
    /// Judges deadlines whenever it is the thread's turn.
    fn keep<D: Drive, S: Socket>(&self, drive: &D, socket: &S, runtime: &dyn Runtime, reading: &Reading) {
        let parker = Parker::new();
        // What is left when the connection ends is written like the rest, but not for ever.
        let mut flushed_by: Option<Timestamp> = None;
        // The reader had its turn since the time came.
        let mut is_due = false;
        loop {
            let at = {
                let turn = self.turn();
                match *turn {
                    Turn::Over => return,
                    Turn::Writer => None,
                    Turn::Thread => {
                        if std::mem::take(&mut is_due) {
                            drive.expire();
                        }
                        match drive.output(false, &parker.waker) {
                            Output::Idle(at) => at,
                            Output::End | Output::Write(_) => {
                                let now = runtime.now();
                                let by = *flushed_by.get_or_insert(now + LINGER);
                                if by <= now {
                                    break;
                                }
                                Some(by)
                            }
                            Output::Drop => break,
                        }
                    }
                }
            };
            let left = at.map(|at| at.saturating_since(runtime.now()));
            if left.is_some_and(|left| left.is_zero()) {
                reading.let_it_go_first(socket, &parker);
                is_due = true;
            } else {
                parker.park(left);
            }
        }
        // The writer finds out by the failure of its write.
        let _ = socket.shutdown(Shutdown::Both);
    }
}

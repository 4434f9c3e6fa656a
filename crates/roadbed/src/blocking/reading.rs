//! The thread of a connection that reads, and what the other threads know of it.

use std::io;
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::BytesMut;

use super::Socket;
use crate::drive::{Drive, Room};
use crate::park::Parker;

/// What is read at once of what nobody wants any more.
const DISCARD: usize = 4096;

/// How long to wait before the reader is looked at again.
const MOMENT: Duration = Duration::from_millis(1);

/// How often that is done at most.
const MOMENTS: u32 = 100;

/// What the reader is doing.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// It has read something and hands it in.
    is_busy: AtomicBool,
    /// It is not to read for now: what lies in the socket stays there.
    is_paused: AtomicBool,
    is_done: AtomicBool,
}

impl Reading {
    /// Whether nothing more comes of the reader.
    pub(super) fn is_done(&self) -> bool {
        self.is_done.load(Ordering::Acquire)
    }

    pub(super) fn end(&self) {
        self.is_done.store(true, Ordering::Release);
    }

    /// Lets the reader have its turn, before a deadline is judged: after a stop of the process, the answer may lie in
    /// the socket, and threads come back in any order. A reader that is not to read is not waited for.
    pub(super) fn let_it_go_first<S: Socket>(&self, socket: &S, parker: &Parker) {
        for _ in 0..MOMENTS {
            if self.is_done() || self.is_paused.load(Ordering::Acquire) {
                return;
            }
            parker.doze(MOMENT);
            if !self.is_busy.load(Ordering::Acquire) && !socket.has_input() {
                return;
            }
        }
    }

    /// Reads until the peer has ended its side, or the socket is closed.
    pub(super) fn run<D: Drive, S: Socket>(&self, drive: &D, mut socket: S) {
        let parker = Parker::new();
        let mut input = BytesMut::new();
        let mut is_eof = false;
        loop {
            let room = match drive.room(&mut input, &parker.waker) {
                Room::Wait => {
                    self.is_busy.store(false, Ordering::Release);
                    self.is_paused.store(true, Ordering::Release);
                    parker.park(None);
                    self.is_paused.store(false, Ordering::Release);
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
            if input.is_empty() {
                // While this thread waits in its read, it keeps no more than that needs: what is left of the buffer of
                // a large message would keep all of it alive.
                input = BytesMut::new();
            }
            let filled = input.len();
            input.resize(filled + room, 0);
            self.is_busy.store(false, Ordering::Release);
            let result = socket.read(input.get_mut(filled..).unwrap_or_default());
            self.is_busy.store(true, Ordering::Release);
            input.truncate(filled + result.as_ref().map_or(0, |count| *count));
            match result {
                Ok(0) => {
                    is_eof = true;
                    drive.eof(&mut input);
                }
                Ok(_) => drive.feed(&mut input),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A timeout that the socket came with ends nothing; nor does one that does not block at all.
                Err(error) if is_timeout(&error) => parker.doze(MOMENT),
                Err(error) => {
                    drive.broke(error);
                    drive.lost();
                    // The writer may wait for a peer that is gone.
                    let _ = socket.shutdown(Shutdown::Both);
                    return;
                }
            }
        }
    }
}

/// Whether nothing was read or written in time.
pub(super) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::{Arc, Mutex};
    use std::task::Waker;
    use std::thread;

    use super::*;
    use crate::drive::Output;

    /// A connection that does not want to read, on a socket that always has something.
    #[derive(Clone, Default)]
    struct Full {
        looks: Arc<AtomicUsize>,
        reader: Arc<Mutex<Option<Waker>>>,
        is_over: Arc<AtomicBool>,
    }

    impl Drive for Full {
        fn room(&self, _: &mut BytesMut, waker: &Waker) -> Room {
            if self.is_over.load(Ordering::Acquire) {
                return Room::Discard;
            }
            *self.reader.lock().unwrap() = Some(waker.clone());
            Room::Wait
        }

        fn feed(&self, _: &mut BytesMut) {}

        fn eof(&self, _: &mut BytesMut) {}

        fn lost(&self) {}

        fn expire(&self) {}

        fn output(&self, _: bool, _: &Waker) -> Output {
            Output::Idle(None)
        }
    }

    impl Socket for Full {
        fn duplicate(&self) -> io::Result<Self> {
            Ok(self.clone())
        }

        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }

        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn has_input(&self) -> bool {
            self.looks.fetch_add(1, Ordering::Relaxed);
            true
        }

        fn shutdown(&self, _: Shutdown) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_is_not_to_read_is_not_waited_for() {
        let (reading, full) = (Arc::new(Reading::default()), Full::default());
        let (reader, drive) = (Arc::clone(&reading), full.clone());
        let thread = thread::spawn(move || reader.run(&drive, drive.clone()));
        while !reading.is_paused.load(Ordering::Acquire) {
            thread::yield_now();
        }
        reading.let_it_go_first(&full, &Parker::new());
        assert_eq!(full.looks.load(Ordering::Relaxed), 0);
        full.is_over.store(true, Ordering::Release);
        let waker = full.reader.lock().unwrap().take();
        waker.into_iter().for_each(Waker::wake);
        thread.join().unwrap();
    }
}

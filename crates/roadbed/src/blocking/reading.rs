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

/// What a reader's buffer may have to spare while the thread waits for a peer that sends little.
const SPARE: usize = 4096;

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
        // What is read into: filled with zeros once, not before each read. What was read is copied.
        let mut scratch = Vec::new();
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
            if scratch.len() < room || scratch.len() > SPARE.max(2 * room) {
                scratch = vec![0; room];
            }
            self.is_busy.store(false, Ordering::Release);
            let result = socket.read(scratch.get_mut(..room).unwrap_or_default());
            self.is_busy.store(true, Ordering::Release);
            let count = result.as_ref().map_or(0, |count| *count);
            input.extend_from_slice(scratch.get(..count).unwrap_or_default());
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

    /// A connection that wants so much at a time, on a socket that gives a byte and marks the rest of the room.
    #[derive(Clone)]
    struct Marking {
        rooms: Arc<Mutex<Vec<usize>>>,
        read: Arc<Mutex<Vec<(usize, usize)>>>,
    }

    impl Drive for Marking {
        fn room(&self, _: &mut BytesMut, _: &Waker) -> Room {
            self.rooms.lock().unwrap().pop().map_or(Room::Discard, Room::Read)
        }

        fn feed(&self, input: &mut BytesMut) {
            assert_eq!(&input[..], [7]);
            input.clear();
        }

        fn eof(&self, _: &mut BytesMut) {}

        fn lost(&self) {}

        fn expire(&self) {}

        fn output(&self, _: bool, _: &Waker) -> Output {
            Output::Idle(None)
        }
    }

    impl Socket for Marking {
        fn duplicate(&self) -> io::Result<Self> {
            Ok(self.clone())
        }

        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            let zeros = room.iter().filter(|byte| **byte == 0).count();
            self.read.lock().unwrap().push((room.len(), zeros));
            room.fill(7);
            if self.rooms.lock().unwrap().is_empty() { Ok(0) } else { Ok(1) }
        }

        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn has_input(&self) -> bool {
            true
        }

        fn shutdown(&self, _: Shutdown) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nothing_is_filled_with_zeros_twice() {
        let rooms = [2048, 2048, 4096, 2048, 65_536, 65_536, 60_000, 2048, 2048];
        let marking =
            Marking { rooms: Arc::new(Mutex::new(rooms.into_iter().rev().collect())), read: Arc::default() };
        Reading::default().run(&marking, marking.clone());
        let read = marking.read.lock().unwrap();
        let filled: Vec<_> = read.iter().map(|&(_, zeros)| zeros).collect();
        // Filled anew when more is wanted, and when much less is: a thread that waits keeps little.
        assert_eq!(filled[..9], [2048, 0, 4096, 0, 65_536, 0, 0, 2048, 0], "{read:?}");
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

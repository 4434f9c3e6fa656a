//! One connection: both halves of its [`Drive`] over a socket that does not block.

use std::io;
use std::net::Shutdown;

use bytes::{Buf, Bytes, BytesMut};
use roadbed::core::time::Timestamp;
use roadbed::drive::{Drive, LINGER, Output, Room};

use super::Turn;
use crate::stream::Socket;

/// Reads of one turn, after which others get theirs.
const READS: usize = 16;

/// The largest read buffer that an idle connection keeps.
const IDLE_BUFFER: usize = 4096;

/// How much to read at once of what nobody wants any more.
const DISCARD: usize = 4096;

pub(super) struct Peer {
    drive: Box<dyn Drive>,
    socket: Socket,
    input: BytesMut,
    /// What is left to be written.
    output: Bytes,
    is_eof: bool,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// Flushing, ending our side, discarding the peer's; not longer than this.
    Closing {
        until: Timestamp,
        is_shut: bool,
    },
    Done,
}

impl Peer {
    pub(super) fn new(drive: Box<dyn Drive>, socket: Socket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let (input, output) = (BytesMut::new(), Bytes::new());
        Ok(Self { drive, socket, input, output, is_eof: false, stage: Stage::Open })
    }

    /// Does what can be done without waiting; `false` when the socket can be closed.
    pub(super) fn step(&mut self, turn: &mut Turn) -> bool {
        if self.stage == Stage::Open && self.read(turn).and_then(|()| self.write(turn)).is_err() {
            self.drive.lost();
            self.stage = Stage::Done;
        }
        if let Stage::Closing { until, .. } = self.stage
            && (self.close(turn).is_err() || turn.now >= until)
        {
            self.stage = Stage::Done;
        }
        self.stage != Stage::Done
    }

    /// Reads what is there, and welcome.
    fn read(&mut self, turn: &mut Turn) -> io::Result<()> {
        for _ in 0..READS {
            let Room::Read(room) = self.drive.room(&mut self.input, &turn.waker) else { return Ok(()) };
            if self.is_eof {
                return Ok(());
            }
            match unless_pending(self.socket.read_some(&mut self.input, room))? {
                None => {
                    if self.input.is_empty() && self.input.capacity() > IDLE_BUFFER {
                        self.input = BytesMut::new();
                    }
                    return Ok(());
                }
                Some(0) => {
                    self.is_eof = true;
                    self.drive.eof(&mut self.input);
                }
                Some(_) => self.drive.feed(&mut self.input),
            }
            turn.has_moved = true;
        }
        Ok(())
    }

    /// Writes what there is, and asks for the next deadline.
    fn write(&mut self, turn: &mut Turn) -> io::Result<()> {
        let mut can_write = true;
        loop {
            if can_write && !self.output.is_empty() {
                can_write = self.flush(turn)?;
                continue;
            }
            match self.drive.output(can_write, &turn.waker) {
                Output::Write(bytes) => self.output = bytes,
                Output::Idle(at) => {
                    turn.until(at);
                    return Ok(());
                }
                Output::End => {
                    self.stage = Stage::Closing { until: turn.now + LINGER, is_shut: false };
                    return Ok(());
                }
                Output::Drop => {
                    self.stage = Stage::Done;
                    return Ok(());
                }
            }
        }
    }

    /// Writes once of what is left; `false` when the socket takes no more for now.
    fn flush(&mut self, turn: &mut Turn) -> io::Result<bool> {
        match unless_pending(self.socket.write_some(&self.output))? {
            None => Ok(false),
            Some(0) => Err(io::ErrorKind::WriteZero.into()),
            Some(count) => {
                self.output.advance(count);
                turn.has_moved = true;
                Ok(true)
            }
        }
    }

    /// The end of the stream, in order: flush, end our side, wait for the peer to end its own.
    fn close(&mut self, turn: &mut Turn) -> io::Result<()> {
        let Stage::Closing { until, is_shut } = self.stage else { return Ok(()) };
        turn.until(Some(until));
        while !self.output.is_empty() && self.flush(turn)? {}
        if self.output.is_empty() && !is_shut {
            self.socket.end(Shutdown::Write);
            self.stage = Stage::Closing { until, is_shut: true };
        }
        for _ in 0..READS {
            if self.is_eof {
                break;
            }
            self.input.clear();
            match unless_pending(self.socket.read_some(&mut self.input, DISCARD))? {
                None => return Ok(()),
                Some(count) => self.is_eof = count == 0,
            }
            turn.has_moved = true;
        }
        if self.is_eof && self.output.is_empty() {
            self.stage = Stage::Done;
        }
        Ok(())
    }
}

/// `None` when the socket is not ready.
fn unless_pending(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

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
    /// The next deadline; when it has come, it is judged after what can be read was read.
    due: Option<Timestamp>,
    /// A write failed: what the peer has said before is read until this time.
    deaf_until: Option<Timestamp>,
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
        Ok(Self {
            drive,
            socket,
            input: BytesMut::new(),
            output: Bytes::new(),
            is_eof: false,
            due: None,
            deaf_until: None,
            stage: Stage::Open,
        })
    }

    /// Does what can be done without waiting; `false` when the socket can be closed.
    pub(super) fn step(&mut self, turn: &mut Turn) -> bool {
        if self.stage == Stage::Open {
            match self.read(turn) {
                Ok(()) => self.write(turn),
                Err(error) => {
                    self.drive.broke(error);
                    self.lose();
                }
            }
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

    /// Judges what is due, after all that can be read was read; writes what there is, and asks for the next deadline.
    fn write(&mut self, turn: &mut Turn) {
        if self.due.is_some_and(|at| at <= turn.now) {
            self.drive.expire();
        }
        let mut can_write = true;
        loop {
            if can_write && !self.output.is_empty() {
                match self.flush(turn) {
                    Ok(has_written) => can_write = has_written,
                    // The peer may have said why: that is read before the end.
                    Err(error) => {
                        self.drive.broke(error);
                        self.output = Bytes::new();
                        self.deaf_until = Some(turn.now + LINGER);
                        turn.has_moved = true;
                    }
                }
                continue;
            }
            match self.drive.output(can_write, &turn.waker) {
                // Nobody takes it any more.
                Output::Write(_) if self.deaf_until.is_some() => {}
                Output::Write(bytes) => self.output = bytes,
                Output::Idle(at) => return self.idle(turn, at),
                Output::End if self.deaf_until.is_none() => {
                    self.stage = Stage::Closing { until: turn.now + LINGER, is_shut: false };
                    return;
                }
                Output::End | Output::Drop => {
                    self.stage = Stage::Done;
                    return;
                }
            }
        }
    }

    /// Waits for a deadline of the connection, and for the end of listening to a peer that reads nothing.
    fn idle(&mut self, turn: &mut Turn, at: Option<Timestamp>) {
        if self.deaf_until.is_some_and(|until| until <= turn.now) {
            return self.lose();
        }
        // What is due is judged in a later turn, when the socket was looked at again. A machine names no deadline that is
        // not later than what it has seen, so it is kept until then, however often it is asked meanwhile.
        self.due = at.map(|at| self.due.filter(|due| *due > turn.now).map_or(at, |due| due.min(at)));
        turn.until(self.due);
        turn.until(self.deaf_until);
    }

    fn lose(&mut self) {
        self.drive.lost();
        self.stage = Stage::Done;
    }

    /// Writes once of what is left; `false` when the socket takes no more for now.
    fn flush(&mut self, turn: &mut Turn) -> io::Result<bool> {
        match unless_pending(self.socket.write_some(&self.output))? {
            None => Ok(false),
            Some(0) => Err(io::ErrorKind::WriteZero.into()),
            Some(count) => {
                self.output.advance(count);
                if self.output.is_empty() {
                    // Empty as it is, it would keep alive what it was a part of.
                    self.output = Bytes::new();
                }
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

//! Both halves of a driver as one future.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use roadbed_core::time::Timestamp;

use super::{Drive, LINGER, MOMENT, Output, Room};
use crate::runtime::{ByteStream, Runtime, Timer};

/// Reads and writes of one poll, after which other tasks get their turn.
const BUDGET: usize = 64;

/// Output up to this size may be the envelope of a large payload, which is written together with it.
const ENVELOPE: usize = 4096;

/// What is read at once of what nobody wants any more.
const DISCARD: usize = 4096;

/// A connection over a stream, driven to its end: spawn it, or poll it beside something else.
///
/// It reads and writes in the same poll, so neither side ever waits for the other. When a write fails, it reads on for
/// a while: the peer may have said why it does not read any more. (Linux keeps what was received before a reset; other
/// systems may drop it, and then the reason is lost.) Dropped before its end, it takes the connection with it: whoever
/// waits for an answer gets an error.
pub struct Run<D: Drive, S> {
    drive: Arc<D>,
    stream: S,
    runtime: Arc<dyn Runtime>,
    timer: Box<dyn Timer>,
    /// The time the timer is set to. Deadlines that move away are left to fire: one idle wake-up costs
    /// less than setting the timer for every call.
    armed: Option<Armed>,
    /// A deadline has come, and is judged when nothing is left to read.
    is_due: bool,
    /// The last turn was too short for all there was to do, and deadlines were not judged.
    is_late: bool,
    input: BytesMut,
    /// What is left to be written, and what comes behind it.
    output: Bytes,
    next: Bytes,
    is_eof: bool,
    /// A write failed: reading goes on until this time.
    deaf_until: Option<Timestamp>,
    /// Others had their turn since the last write.
    has_yielded: bool,
    stage: Stage,
}

/// What the timer is set to.
#[derive(Clone, Copy, Debug)]
struct Armed {
    /// What it is set for. It may have passed by then: being late once does not put it off again.
    deadline: Timestamp,
    at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// Flushing, ending our side, discarding the peer's; not longer than this.
    Closing {
        until: Timestamp,
        is_shut: bool,
    },
    Done,
}

/// What one step came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Progress,
    Pending,
    /// Others first.
    Yield,
}

impl<D: Drive, S: ByteStream> Run<D, S> {
    /// Drives `drive` over `stream`.
    pub fn new(drive: Arc<D>, stream: S, runtime: Arc<dyn Runtime>) -> Self {
        let timer = runtime.timer();
        Self {
            drive,
            stream,
            runtime,
            timer,
            armed: None,
            is_due: false,
            is_late: false,
            input: BytesMut::new(),
            output: Bytes::new(),
            next: Bytes::new(),
            is_eof: false,
            deaf_until: None,
            has_yielded: false,
            stage: Stage::Open,
        }
    }

    /// Reads once, if that is welcome.
    fn read(&mut self, cx: &mut Context<'_>) -> Step {
        let room = match self.drive.room(&mut self.input, cx.waker()) {
            Room::Read(room) => room,
            Room::Wait => return Step::Pending,
            // The writing half is told the same.
            Room::Discard => return Step::Pending,
        };
        if self.is_eof {
            return Step::Pending;
        }
        self.input.reserve(room);
        match self.stream.poll_read(cx, &mut self.input) {
            Poll::Pending => {
                // An idle connection keeps no buffer.
                if self.input.is_empty() {
                    self.input = BytesMut::new();
                }
                Step::Pending
            }
            Poll::Ready(Ok(0)) => {
                self.is_eof = true;
                self.drive.eof(&mut self.input);
                Step::Progress
            }
            Poll::Ready(Ok(_)) => {
                self.drive.feed(&mut self.input);
                Step::Progress
            }
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => Step::Progress,
            Poll::Ready(Err(error)) => {
                self.drive.broke(error);
                self.lose()
            }
        }
    }

    /// Judges what is due, once nothing is left to read.
    fn expire(&mut self, has_read: bool) {
        if self.is_due && !has_read {
            self.is_due = false;
            self.drive.expire();
        }
    }

    /// Writes once, or waits for the next deadline.
    fn write(&mut self, cx: &mut Context<'_>) -> Step {
        if self.output.is_empty() {
            // Once a write, as there may always be more to read.
            if self.drive.expects_more() && !self.has_yielded {
                self.has_yielded = true;
                return Step::Yield;
            }
            self.has_yielded = false;
            match self.drive.output(true, cx.waker()) {
                // Nobody takes it any more, however much there is.
                Output::Write(_) if self.is_past_hearing() => return self.lose(),
                Output::Write(_) if self.deaf_until.is_some() => return Step::Progress,
                Output::Write(bytes) => self.output = bytes,
                Output::Idle(at) => return self.idle(cx, at),
                Output::End if self.deaf_until.is_some() => return self.done(),
                Output::End => return self.close(),
                Output::Drop => return self.done(),
            }
            if self.output.len() <= ENVELOPE {
                self.next = self.drive.more().unwrap_or_default();
            }
        }
        match self.flush(cx) {
            Poll::Ready(Ok(0)) => self.go_deaf(io::ErrorKind::WriteZero.into()),
            Poll::Ready(Ok(_)) => Step::Progress,
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => Step::Progress,
            Poll::Ready(Err(error)) => self.go_deaf(error),
            Poll::Pending => match self.drive.output(false, cx.waker()) {
                Output::Idle(at) => self.idle(cx, at),
                Output::End | Output::Write(_) => self.close(),
                Output::Drop => self.done(),
            },
        }
    }

    /// Writes some of what is left.
    fn flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let written = if self.next.is_empty() {
            self.stream.poll_write(cx, &self.output)
        } else {
            self.stream.poll_write_both(cx, &self.output, &self.next)
        };
        if let Poll::Ready(Ok(count)) = written {
            let first = count.min(self.output.len());
            self.output.advance(first);
            if self.output.is_empty() {
                self.output = std::mem::take(&mut self.next);
                self.output.advance(count - first);
            }
            if self.output.is_empty() {
                // Empty as it is, it would keep alive what it was a part of.
                self.output = Bytes::new();
            }
        }
        written
    }

    /// A write failed. What the peer has said before is still read.
    fn go_deaf(&mut self, error: io::Error) -> Step {
        self.drive.broke(error);
        (self.output, self.next) = (Bytes::new(), Bytes::new());
        self.deaf_until = Some(self.runtime.now() + LINGER);
        Step::Progress
    }

    /// Waits for the deadline `at` of the connection, and for the end of listening to a peer that reads nothing.
    fn idle(&mut self, cx: &mut Context<'_>, at: Option<Timestamp>) -> Step {
        let step = self.sleep(cx, at.into_iter().chain(self.deaf_until).min());
        if self.is_past_hearing() { self.lose() } else { step }
    }

    /// Whether the time is over that a peer which reads nothing is listened to.
    fn is_past_hearing(&self) -> bool {
        self.deaf_until.is_some_and(|until| until <= self.runtime.now())
    }

    /// Waits for `at`.
    fn sleep(&mut self, cx: &mut Context<'_>, at: Option<Timestamp>) -> Step {
        if let Some(deadline) = at
            && self.armed.is_none_or(|armed| deadline < armed.deadline)
        {
            // Who comes late, because the thread was busy or stopped, first lets the runtime look at the stream.
            let at = deadline.max(self.runtime.now() + MOMENT);
            self.armed = Some(Armed { deadline, at });
        }
        let Some(armed) = self.armed else { return Step::Pending };
        if self.timer.poll_at(cx, armed.at).is_pending() {
            return Step::Pending;
        }
        self.armed = None;
        self.is_due = true;
        Step::Progress
    }

    fn close(&mut self) -> Step {
        self.armed = None;
        self.stage = Stage::Closing { until: self.runtime.now() + LINGER, is_shut: false };
        Step::Progress
    }

    fn lose(&mut self) -> Step {
        self.drive.lost();
        self.done()
    }

    /// The end of the stream, in order: flush, end our side, wait for the peer to end its own.
    fn closing(&mut self, cx: &mut Context<'_>, until: Timestamp, is_shut: bool) -> Step {
        let mut step = Step::Pending;
        if !self.output.is_empty() {
            match self.flush(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(count)) if count > 0 => step = Step::Progress,
                Poll::Ready(_) => return self.done(),
            }
        } else if !is_shut {
            match self.stream.poll_shutdown(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => {
                    self.stage = Stage::Closing { until, is_shut: true };
                    step = Step::Progress;
                }
                Poll::Ready(Err(_)) => return self.done(),
            }
        } else if self.is_eof {
            return self.done();
        }
        if !self.is_eof {
            self.input.clear();
            self.input.reserve(DISCARD);
            match self.stream.poll_read(cx, &mut self.input) {
                Poll::Pending => {}
                Poll::Ready(Ok(0)) => {
                    self.is_eof = true;
                    step = Step::Progress;
                }
                Poll::Ready(Ok(_)) => step = Step::Progress,
                Poll::Ready(Err(_)) => return self.done(),
            }
        }
        if self.timer.poll_at(cx, until).is_ready() { self.done() } else { step }
    }

    fn done(&mut self) -> Step {
        self.stage = Stage::Done;
        Step::Progress
    }
}

impl<D: Drive, S: ByteStream> Future for Run<D, S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        for _ in 0..BUDGET {
            let step = match this.stage {
                Stage::Done => return Poll::Ready(()),
                Stage::Closing { until, is_shut } => this.closing(cx, until, is_shut),
                Stage::Open => {
                    let read = this.read(cx);
                    if this.stage != Stage::Open {
                        continue;
                    }
                    this.expire(read == Step::Progress);
                    // What was read may have made something to write; and only after that it is clear
                    // how long to sleep.
                    let write = this.write(cx);
                    if read == Step::Progress && write == Step::Pending { read } else { write }
                }
            };
            match step {
                Step::Progress => {}
                Step::Pending => {
                    this.is_late = false;
                    return Poll::Pending;
                }
                Step::Yield => break,
            }
        }
        if !this.has_yielded && this.stage == Stage::Open {
            // Neither much to read nor much to write puts deadlines off. But one more turn comes first: after a stop of
            // the process, the runtime has yet to find out that there is something to read.
            this.is_due |= this.is_late;
            this.expire(false);
            this.is_late = !this.is_late;
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<D: Drive, S> Drop for Run<D, S> {
    fn drop(&mut self) {
        if self.stage == Stage::Open {
            self.drive.lost();
        }
    }
}

impl<D: Drive, S> fmt::Debug for Run<D, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("stage", &self.stage).finish_non_exhaustive()
    }
}

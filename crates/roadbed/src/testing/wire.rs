//! A stream that can be slowed down, stopped and broken.

use std::io;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;

use crate::memory::Pipe;
use crate::runtime::ByteStream;

#[derive(Default)]
struct Faults {
    /// Nothing is written, or read.
    is_stalled: bool,
    is_deaf: bool,
    is_broken: bool,
    /// Bytes of one read or write at most.
    limit: Option<usize>,
    /// Between two reads, and two writes, others get their turn.
    is_trickling: bool,
    has_paused: [bool; 2],
    wakers: Vec<Waker>,
}

/// What one does to the stream.
pub(crate) struct Wire(Arc<Mutex<Faults>>);

/// The stream.
pub(crate) struct Tampered {
    pipe: Pipe,
    faults: Arc<Mutex<Faults>>,
}

impl Wire {
    pub(crate) fn around(pipe: Pipe) -> (Self, Tampered) {
        let faults = Arc::default();
        (Self(Arc::clone(&faults)), Tampered { pipe, faults })
    }

    pub(crate) fn stall(&self, is_stalled: bool) {
        self.change(|faults| faults.is_stalled = is_stalled);
    }

    pub(crate) fn deafen(&self, is_deaf: bool) {
        self.change(|faults| faults.is_deaf = is_deaf);
    }

    pub(crate) fn break_off(&self) {
        self.change(|faults| faults.is_broken = true);
    }

    pub(crate) fn limit(&self, bytes: usize) {
        self.change(|faults| faults.limit = Some(bytes));
    }

    /// So many bytes at a time, and whatever else is to be done in between.
    pub(crate) fn trickle(&self, bytes: usize) {
        self.change(|faults| (faults.limit, faults.is_trickling) = (Some(bytes), true));
    }

    /// As fast as can be again.
    pub(crate) fn hurry(&self) {
        self.change(|faults| (faults.limit, faults.is_trickling) = (None, false));
    }

    fn change(&self, change: impl FnOnce(&mut Faults)) {
        let wakers = {
            let mut faults = self.0.lock().unwrap();
            change(&mut faults);
            std::mem::take(&mut faults.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Tampered {
    /// How many bytes may go in this direction; pending while none may.
    fn poll(
        &self,
        cx: &Context<'_>,
        direction: usize,
        is_held: impl Fn(&Faults) -> bool,
    ) -> Poll<io::Result<usize>> {
        let mut faults = self.faults.lock().unwrap();
        if faults.is_broken {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        faults.wakers.push(cx.waker().clone());
        if is_held(&faults) {
            return Poll::Pending;
        }
        if faults.is_trickling {
            faults.has_paused[direction] = !faults.has_paused[direction];
            if faults.has_paused[direction] {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(faults.limit.unwrap_or(usize::MAX)))
    }
}

impl ByteStream for Tampered {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        match self.poll(cx, 0, |faults| faults.is_deaf) {
            Poll::Ready(Ok(usize::MAX)) => self.pipe.poll_read(cx, buffer),
            Poll::Ready(Ok(limit)) => {
                let mut part = BytesMut::with_capacity(limit);
                let poll = self.pipe.poll_read(cx, &mut part);
                buffer.extend_from_slice(&part);
                poll
            }
            other => other,
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.poll(cx, 1, |faults| faults.is_stalled) {
            Poll::Ready(Ok(limit)) => self.pipe.poll_write(cx, &bytes[..bytes.len().min(limit)]),
            other => other,
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pipe.poll_shutdown(cx)
    }
}

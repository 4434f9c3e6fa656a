//! A stream that can be slowed down, stopped and broken.

use std::io;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use roadbed_core::message::Message;
use roadbed_core::serializer::Serializer;

use crate::memory::Pipe;
use crate::runtime::ByteStream;

#[derive(Default)]
struct Faults {
    /// Nothing is written, or read.
    is_stalled: bool,
    is_deaf: bool,
    is_broken: bool,
    refuses_writes: bool,
    /// Bytes of one read or write at most.
    limit: Option<usize>,
    /// Between two reads, and two writes, others get their turn.
    is_trickling: bool,
    has_paused: [bool; 2],
    wakers: Vec<Waker>,
    edits: Option<Edits>,
}

/// What becomes of the messages that the router sends.
#[derive(Default)]
struct Edits {
    /// Messages of these types do not arrive.
    forgets: Vec<u16>,
    held: Vec<BytesMut>,
    /// What came, up to the last whole frame, and what arrives.
    raw: BytesMut,
    ready: BytesMut,
}

impl Edits {
    fn sort(&mut self) {
        while let Some(header) = self.raw.first_chunk::<4>() {
            let length = usize::try_from(u32::from_be_bytes(*header) & 0x00ff_ffff).unwrap() + 4;
            if self.raw.len() < length {
                return;
            }
            let frame = self.raw.split_to(length);
            // The message is a short list in CBOR or MessagePack, and begins with its type.
            let kind = match frame.get(5..8) {
                Some([0x19, high, low]) => u16::from_be_bytes([*high, *low]),
                Some([0x18, kind, _] | [kind, ..]) => u16::from(*kind),
                _ => 0,
            };
            let is_message = frame[0] & 7 == 0;
            if is_message && self.forgets.contains(&kind) {
                self.held.push(frame);
            } else {
                self.ready.unsplit(frame);
            }
        }
    }
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

    /// Writes fail, and reads do not.
    pub(crate) fn refuse_writes(&self) {
        self.change(|faults| faults.refuses_writes = true);
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

    /// From now on messages of these types do not arrive. The connection is joined, and all that was sent has
    /// arrived.
    pub(crate) fn forget(&self, kinds: &[u16]) {
        self.change(|faults| faults.edits.get_or_insert_default().forgets = kinds.to_vec());
    }

    /// What did not arrive arrives now.
    pub(crate) fn remember(&self) {
        self.change(|faults| {
            let edits = faults.edits.get_or_insert_default();
            edits.forgets.clear();
            for frame in std::mem::take(&mut edits.held) {
                edits.ready.unsplit(frame);
            }
        });
    }

    /// How many messages did not arrive.
    pub(crate) fn forgotten(&self) -> usize {
        self.0.lock().unwrap().edits.as_ref().map_or(0, |edits| edits.held.len())
    }

    /// The router says this, too.
    pub(crate) fn say(&self, message: &Message, serializer: Serializer) {
        let mut frame = BytesMut::from(&[0; 4][..]);
        serializer.encode(message, &mut frame).unwrap();
        let length = u32::try_from(frame.len() - 4).unwrap();
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.change(|faults| faults.edits.get_or_insert_default().ready.unsplit(frame));
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

impl Tampered {
    fn read(&mut self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        let mut faults = self.faults.lock().unwrap();
        let Some(edits) = &mut faults.edits else {
            drop(faults);
            return self.pipe.poll_read(cx, buffer);
        };
        while edits.ready.is_empty() {
            edits.raw.reserve(64 << 10);
            match self.pipe.poll_read(cx, &mut edits.raw) {
                Poll::Ready(Ok(count)) if count > 0 => edits.sort(),
                other => return other,
            }
        }
        let count = edits.ready.len().min(buffer.capacity() - buffer.len());
        buffer.extend_from_slice(&edits.ready.split_to(count));
        Poll::Ready(Ok(count))
    }
}

impl ByteStream for Tampered {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        match self.poll(cx, 0, |faults| faults.is_deaf) {
            Poll::Ready(Ok(usize::MAX)) => self.read(cx, buffer),
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
        if self.faults.lock().unwrap().refuses_writes {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        match self.poll(cx, 1, |faults| faults.is_stalled) {
            Poll::Ready(Ok(limit)) => self.pipe.poll_write(cx, &bytes[..bytes.len().min(limit)]),
            other => other,
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pipe.poll_shutdown(cx)
    }
}

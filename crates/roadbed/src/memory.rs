//! A stream inside this process: two ends, each of which reads what the other writes.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, BytesMut};

use crate::guard::{Guarded, Sleeper};
use crate::runtime::ByteStream;

/// One direction of a pipe.
#[derive(Debug, Default)]
struct Direction {
    bytes: VecDeque<u8>,
    /// Nothing more is written, or read.
    is_ended: bool,
    reader: Sleeper,
    writer: Sleeper,
}

/// One end of an in-memory stream; see [`pipe`].
#[derive(Debug)]
pub struct Pipe {
    input: Arc<Guarded<Direction>>,
    output: Arc<Guarded<Direction>>,
    capacity: usize,
}

/// Two connected ends, each holding at most `capacity` bytes for the other to read.
///
/// ```
/// use roadbed::memory::pipe;
/// use roadbed::runtime::ByteStream;
/// use std::task::{Context, Poll, Waker};
///
/// let (mut here, mut there) = pipe(1024);
/// let mut cx = Context::from_waker(Waker::noop());
/// assert!(matches!(here.poll_write(&mut cx, b"hello"), Poll::Ready(Ok(5))));
/// let mut buffer = bytes::BytesMut::with_capacity(64);
/// assert!(matches!(there.poll_read(&mut cx, &mut buffer), Poll::Ready(Ok(5))));
/// assert_eq!(buffer, "hello");
/// ```
pub fn pipe(capacity: usize) -> (Pipe, Pipe) {
    let capacity = capacity.max(1);
    let (one, other) = <(Arc<Guarded<Direction>>, Arc<Guarded<Direction>>)>::default();
    let here = Pipe { input: Arc::clone(&one), output: Arc::clone(&other), capacity };
    (here, Pipe { input: other, output: one, capacity })
}

impl Default for Guarded<Direction> {
    fn default() -> Self {
        Self::new(Direction::default())
    }
}

/// What to do with a waker when the lock is free.
enum Then {
    Wake(Option<Waker>),
    /// Another one replaced it.
    Drop(#[expect(dead_code, reason = "only dropped")] Option<Waker>),
}

impl Guarded<Direction> {
    /// Lets `act` at the direction, and does what it returns.
    fn change<R>(&self, act: impl FnOnce(&mut Direction) -> (R, Then)) -> R {
        let ((result, then), ()) = self.with(|direction, (): &mut ()| act(direction));
        if let Then::Wake(Some(waker)) = then {
            waker.wake();
        }
        result
    }
}

impl ByteStream for Pipe {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        self.input.change(|direction| {
            let room = buffer.capacity() - buffer.len();
            let count = room.min(direction.bytes.len());
            if count == 0 && !direction.is_ended {
                return (Poll::Pending, Then::Drop(direction.reader.sleep(cx.waker())));
            }
            let mut left = count;
            while left > 0 {
                let (front, _) = direction.bytes.as_slices();
                let part = front.len().min(left);
                buffer.extend_from_slice(front.get(..part).unwrap_or_default());
                direction.bytes.advance(part);
                left -= part;
            }
            (Poll::Ready(Ok(count)), Then::Wake(direction.writer.rouse()))
        })
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let capacity = self.capacity;
        self.output.change(|direction| {
            if direction.is_ended {
                return (Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())), Then::Wake(None));
            }
            let count = bytes.len().min(capacity - direction.bytes.len());
            if count == 0 {
                return (Poll::Pending, Then::Drop(direction.writer.sleep(cx.waker())));
            }
            direction.bytes.extend(bytes.iter().take(count));
            (Poll::Ready(Ok(count)), Then::Wake(direction.reader.rouse()))
        })
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.output.change(|direction| {
            direction.is_ended = true;
            (Poll::Ready(Ok(())), Then::Wake(direction.reader.rouse()))
        })
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        for direction in [&self.input, &self.output] {
            let wakers = direction.change(|direction| {
                direction.is_ended = true;
                ((direction.reader.rouse(), direction.writer.rouse()), Then::Wake(None))
            });
            wakers.0.into_iter().chain(wakers.1).for_each(Waker::wake);
        }
    }
}

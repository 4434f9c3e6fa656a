//! What a read costs.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use futures_io::{AsyncRead, AsyncWrite};
use roadbed::runtime::ByteStream;
use roadbed_async_std::Stream;

/// Gives one byte a read, and leaves a mark in the rest of the room.
struct Marking {
    rooms: Vec<usize>,
    refilled: usize,
}

impl AsyncRead for Marking {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let known = self.rooms.iter().copied().max().unwrap_or(0).min(room.len());
        self.refilled += room[..known].iter().filter(|byte| **byte != 7).count();
        self.rooms.push(room.len());
        room.fill(7);
        Poll::Ready(Ok(1))
    }
}

impl AsyncWrite for Marking {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn nothing_is_filled_with_zeros_twice() {
    let mut marking = Marking { rooms: Vec::new(), refilled: 0 };
    for size in [64 << 10, 2048, 300, 64 << 10, 1 << 20] {
        // Each connection has a buffer of its own; the scratch is the thread's.
        let mut buffer = BytesMut::with_capacity(size);
        let stream = std::mem::replace(&mut marking, Marking { rooms: Vec::new(), refilled: 0 });
        let shared = Arc::new(Mutex::new(stream));
        let mut stream = Stream::new(Shared(Arc::clone(&shared)));
        let read = stream.poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer);
        assert!(matches!(read, Poll::Ready(Ok(1))));
        assert_eq!(&buffer[..], [7]);
        drop(stream);
        marking = Arc::into_inner(shared).unwrap().into_inner().unwrap();
    }
    assert_eq!(marking.rooms, [65_536, 2048, 300, 65_536, 65_536]);
    assert_eq!(marking.refilled, 0);
}

/// A stream that can be looked at afterwards.
struct Shared(Arc<Mutex<Marking>>);

impl AsyncRead for Shared {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.lock().unwrap()).poll_read(cx, room)
    }
}

impl AsyncWrite for Shared {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.lock().unwrap()).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock().unwrap()).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock().unwrap()).poll_close(cx)
    }
}

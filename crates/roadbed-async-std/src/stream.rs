//! Sockets as streams of bytes.

use std::cell::Cell;
use std::fmt;
use std::io::{self, IoSlice};
use std::net::{Shutdown, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_io::Async;
use bytes::BytesMut;
use futures_io::{AsyncRead, AsyncWrite};
use roadbed::core::transport::TransportDetails;
use roadbed::runtime::ByteStream;
use socket2::{SockRef, TcpKeepalive};

/// Silence after which the kernel asks a TCP peer for a sign of life, and how long it waits until it asks
/// again. After three such spans without one the connection is broken.
const SILENCE: Duration = Duration::from_secs(30);

/// How much is read at once.
const READ: usize = 64 * 1024;

/// A read of so much is likely to be followed by another one at once.
const STREAM: usize = 16 * 1024;

thread_local! {
    /// What a thread reads into. `AsyncRead` wants its buffer filled in beforehand, so this one is filled with zeros
    /// once, and what is read is copied out of it: that costs less than filling the room for a large message in before
    /// each small one.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// A stream of `futures-io`, as drivers use it.
pub struct Stream {
    kind: Kind,
    /// The last read left room, so it took all there was: there is nothing until the socket says so.
    is_drained: bool,
}

enum Kind {
    Tcp(Async<TcpStream>),
    #[cfg(unix)]
    Unix(Async<UnixStream>),
    Other(Box<dyn Duplex>),
}

impl Stream {
    /// Any stream of bytes that reads and writes as `futures-io` has it. Its `poll_close` has to end the
    /// writing side; that of [`Async`] does not.
    pub fn new(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self::of(Kind::Other(Box::new(stream)))
    }

    /// A TCP connection. Its options are set: no delay, and a peer that is gone is noticed after 90 s.
    ///
    /// # Errors
    /// What the operating system says; the connection may be gone already.
    pub fn tcp(stream: Async<TcpStream>) -> io::Result<(Self, TransportDetails)> {
        stream.get_ref().set_nodelay(true)?;
        let socket = SockRef::from(&stream);
        // Closing is to lose nothing, whatever the socket came with.
        socket.set_linger(None)?;
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(SILENCE).with_interval(SILENCE))?;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        socket.set_tcp_user_timeout(Some(3 * SILENCE))?;
        let peer = stream.get_ref().peer_addr()?;
        let details = TransportDetails::tcp(peer.to_string(), peer.ip().to_canonical().is_loopback());
        Ok((Self::of(Kind::Tcp(stream)), details))
    }

    /// A Unix socket.
    #[cfg(unix)]
    pub fn unix(stream: Async<UnixStream>) -> (Self, TransportDetails) {
        (Self::of(Kind::Unix(stream)), TransportDetails::local())
    }

    const fn of(kind: Kind) -> Self {
        Self { kind, is_drained: false }
    }

    /// Waits until there is something to read, where that can be known without reading.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.kind {
            Kind::Tcp(stream) => stream.poll_readable(cx),
            #[cfg(unix)]
            Kind::Unix(stream) => stream.poll_readable(cx),
            Kind::Other(_) => Poll::Ready(Ok(())),
        }
    }

    fn duplex(&mut self) -> Pin<&mut dyn Duplex> {
        match &mut self.kind {
            Kind::Tcp(stream) => Pin::new(stream),
            #[cfg(unix)]
            Kind::Unix(stream) => Pin::new(stream),
            Kind::Other(stream) => Pin::new(stream),
        }
    }
}

impl ByteStream for Stream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        if self.is_drained {
            ready!(self.poll_readable(cx))?;
        }
        let room = (buffer.capacity() - buffer.len()).min(READ);
        // Taken, as a stream may read from another one of this kind. It has its length already, but the first time.
        let mut scratch = SCRATCH.take();
        scratch.resize(READ, 0);
        let result = self.duplex().poll_read(cx, scratch.get_mut(..room).unwrap_or_default());
        let count = if let Poll::Ready(Ok(count)) = result { count } else { 0 };
        buffer.extend_from_slice(scratch.get(..count).unwrap_or_default());
        SCRATCH.set(scratch);
        // Much at a time is a stream of it, and trying again costs less than waiting to be told.
        self.is_drained = count < room.min(STREAM);
        result
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.duplex().poll_write(cx, bytes)
    }

    fn poll_write_both(
        &mut self,
        cx: &mut Context<'_>,
        first: &[u8],
        second: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.duplex().poll_write_vectored(cx, &[IoSlice::new(first), IoSlice::new(second)])
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.kind {
            Kind::Tcp(stream) => Poll::Ready(stream.get_ref().shutdown(Shutdown::Write)),
            #[cfg(unix)]
            Kind::Unix(stream) => Poll::Ready(stream.get_ref().shutdown(Shutdown::Write)),
            Kind::Other(stream) => Pin::new(stream).poll_close(cx),
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

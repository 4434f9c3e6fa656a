//! Sockets as streams of bytes.

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use roadbed::core::transport::TransportDetails;
use roadbed::runtime::ByteStream;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

/// Silence after which the kernel asks a TCP peer for a sign of life, and how long it waits until it asks
/// again. After three such spans without one the connection is broken.
const SILENCE: Duration = Duration::from_secs(30);

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// A tokio stream, as drivers use it: bytes are read straight into their buffers.
pub struct Stream(Box<dyn Duplex>);

impl Stream {
    /// Any stream of bytes of tokio's.
    pub fn new(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self(Box::new(stream))
    }

    /// A TCP connection. Its options are set: no delay, and a peer that is gone is noticed after 90 s.
    ///
    /// # Errors
    /// What the operating system says; the connection may be gone already.
    pub fn tcp(stream: TcpStream) -> io::Result<(Self, TransportDetails)> {
        stream.set_nodelay(true)?;
        let socket = SockRef::from(&stream);
        // Closing is to lose nothing, whatever the socket came with.
        socket.set_linger(None)?;
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(SILENCE).with_interval(SILENCE))?;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        socket.set_tcp_user_timeout(Some(3 * SILENCE))?;
        let peer = stream.peer_addr()?;
        let details = TransportDetails::tcp(peer.to_string(), peer.ip().to_canonical().is_loopback());
        Ok((Self::new(stream), details))
    }

    /// A Unix socket.
    #[cfg(unix)]
    pub fn unix(stream: UnixStream) -> (Self, TransportDetails) {
        (Self::new(stream), TransportDetails::local())
    }
}

impl ByteStream for Stream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        // Nothing is kept in this future while it is pending, so a new one each time is as good.
        pin!(self.0.read_buf(buffer)).poll(cx)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_both(
        &mut self,
        cx: &mut Context<'_>,
        first: &[u8],
        second: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, &[IoSlice::new(first), IoSlice::new(second)])
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

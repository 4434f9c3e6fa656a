//! What the loops need of a socket, the same for TCP and Unix sockets.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use bytes::BytesMut;
use roadbed_core::transport::TransportDetails;

/// A blocking socket.
pub trait Stream: Read + Write + Send + Sized + 'static {
    /// The same socket once more, for another thread.
    ///
    /// # Errors
    /// What the operating system says.
    fn duplicate(&self) -> io::Result<Self>;

    /// How long a read may wait; `None`: as long as it takes.
    ///
    /// # Errors
    /// What the operating system says.
    fn wait_at_most(&self, wait: Option<Duration>) -> io::Result<()>;

    /// Ends one or both directions.
    fn end(&self, how: Shutdown);

    /// Who is at the other end, and how well the way there is protected.
    fn details(&self) -> TransportDetails;
}

impl Stream for TcpStream {
    fn duplicate(&self) -> io::Result<Self> {
        self.try_clone()
    }

    fn wait_at_most(&self, wait: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(wait)
    }

    fn end(&self, how: Shutdown) {
        // The peer may have closed first; there is nothing left to do then.
        let _ = self.shutdown(how);
    }

    fn details(&self) -> TransportDetails {
        match self.peer_addr() {
            Ok(peer) => TransportDetails::tcp(peer.to_string(), peer.ip().is_loopback()),
            Err(_) => TransportDetails::tcp("unknown", false),
        }
    }
}

impl Stream for UnixStream {
    fn duplicate(&self) -> io::Result<Self> {
        self.try_clone()
    }

    fn wait_at_most(&self, wait: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(wait)
    }

    fn end(&self, how: Shutdown) {
        let _ = self.shutdown(how);
    }

    fn details(&self) -> TransportDetails {
        TransportDetails::local()
    }
}

/// Reads once, at most `room` bytes, to the end of `buffer`; 0 means that the peer has ended its side.
///
/// # Errors
/// What the operating system says.
pub fn read_some(stream: &mut impl Read, buffer: &mut BytesMut, room: usize) -> io::Result<usize> {
    let filled = buffer.len();
    buffer.resize(filled + room, 0);
    let result = stream.read(&mut buffer[filled..]);
    buffer.truncate(filled + result.as_ref().copied().unwrap_or(0));
    result
}

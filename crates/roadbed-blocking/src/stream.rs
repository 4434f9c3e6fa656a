//! Sockets as the two threads of a connection use them.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::Duration;

use roadbed::blocking::Socket;
use roadbed::core::transport::TransportDetails;
use socket2::{SockRef, TcpKeepalive};

/// Silence after which the kernel asks a TCP peer for a sign of life, and how long it waits until it asks
/// again. After three such spans without one the connection is broken.
const SILENCE: Duration = Duration::from_secs(30);

/// A connected socket.
#[derive(Debug)]
pub struct Stream(Kind);

#[derive(Debug)]
enum Kind {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Stream {
    /// A TCP connection. Its options are set: no delay, and a peer that is gone is noticed after 90 s.
    ///
    /// # Errors
    /// What the operating system says; the connection may be gone already.
    pub fn tcp(stream: TcpStream) -> io::Result<(Self, TransportDetails)> {
        stream.set_nodelay(true)?;
        let socket = SockRef::from(&stream);
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(SILENCE).with_interval(SILENCE))?;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        socket.set_tcp_user_timeout(Some(3 * SILENCE))?;
        let peer = stream.peer_addr()?;
        let details = TransportDetails::tcp(peer.to_string(), peer.ip().to_canonical().is_loopback());
        Ok((Self(Kind::Tcp(stream)), details))
    }

    /// A Unix socket.
    #[cfg(unix)]
    pub fn unix(stream: UnixStream) -> (Self, TransportDetails) {
        (Self(Kind::Unix(stream)), TransportDetails::local())
    }
}

/// Does the same with whichever socket it is.
macro_rules! either {
    ($self:ident, $stream:ident => $do:expr) => {
        match &$self.0 {
            Kind::Tcp($stream) => $do,
            #[cfg(unix)]
            Kind::Unix($stream) => $do,
        }
    };
}

impl Socket for Stream {
    fn duplicate(&self) -> io::Result<Self> {
        match &self.0 {
            Kind::Tcp(stream) => stream.try_clone().map(Kind::Tcp).map(Self),
            #[cfg(unix)]
            Kind::Unix(stream) => stream.try_clone().map(Kind::Unix).map(Self),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        either!(self, stream => (&mut &*stream).read(buffer))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        either!(self, stream => (&mut &*stream).write(bytes))
    }

    fn set_write_timeout(&self, span: Option<Duration>) -> io::Result<()> {
        either!(self, stream => stream.set_write_timeout(span))
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        either!(self, stream => stream.shutdown(how))
    }
}

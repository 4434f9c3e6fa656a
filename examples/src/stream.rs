//! What the loops need of a socket, the same for TCP and Unix sockets.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use bytes::BytesMut;
use roadbed_core::transport::TransportDetails;

/// A blocking socket.
#[derive(Debug)]
pub enum Socket {
    /// A TCP connection.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
}

impl Socket {
    /// Connects to `rs://host:port` or `unix:path`.
    ///
    /// # Errors
    /// What the operating system says, or that the address is neither of these.
    pub fn connect(url: &str) -> io::Result<Self> {
        if let Some(address) = url.strip_prefix("rs://") {
            let stream = TcpStream::connect(address)?;
            // Messages are small and waited for; the kernel must not wait for more of them.
            stream.set_nodelay(true)?;
            return Ok(Self::Tcp(stream));
        }
        match url.strip_prefix("unix:") {
            Some(path) => UnixStream::connect(path).map(Self::Unix),
            None => Err(io::Error::new(io::ErrorKind::InvalidInput, "expected rs://host:port or unix:path")),
        }
    }

    /// The same socket once more, for another thread.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn duplicate(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(stream) => stream.try_clone().map(Self::Tcp),
            Self::Unix(stream) => stream.try_clone().map(Self::Unix),
        }
    }

    /// How long a write may make no progress before it fails.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn write_at_most(&self, wait: Duration) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_write_timeout(Some(wait)),
            Self::Unix(stream) => stream.set_write_timeout(Some(wait)),
        }
    }

    /// How long a read may wait; `None`: as long as it takes.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn wait_at_most(&self, wait: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(wait),
            Self::Unix(stream) => stream.set_read_timeout(wait),
        }
    }

    /// Whether reads and writes wait; where they do not, they fail with `WouldBlock` instead.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn set_nonblocking(&self, is_nonblocking: bool) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_nonblocking(is_nonblocking),
            Self::Unix(stream) => stream.set_nonblocking(is_nonblocking),
        }
    }

    /// Ends one or both directions. The peer may have been first; then there is nothing left to do.
    pub fn end(&self, how: Shutdown) {
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(how),
            Self::Unix(stream) => stream.shutdown(how),
        };
    }

    /// Who is at the other end, and how well the way there is protected.
    pub fn details(&self) -> TransportDetails {
        match self {
            Self::Tcp(stream) => match stream.peer_addr() {
                Ok(peer) => TransportDetails::tcp(peer.to_string(), peer.ip().is_loopback()),
                Err(_) => TransportDetails::tcp("unknown", false),
            },
            Self::Unix(_) => TransportDetails::local(),
        }
    }

    /// Reads once, at most `room` bytes, to the end of `buffer`; 0 means that the peer has ended its side.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn read_some(&mut self, buffer: &mut BytesMut, room: usize) -> io::Result<usize> {
        let filled = buffer.len();
        buffer.resize(filled + room, 0);
        let unread = &mut buffer[filled..];
        let result = match self {
            Self::Tcp(stream) => stream.read(unread),
            Self::Unix(stream) => stream.read(unread),
        };
        buffer.truncate(filled + result.as_ref().copied().unwrap_or(0));
        result
    }

    /// Writes once, and says how many bytes.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    /// Writes all of `bytes`, however long that takes.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(bytes),
            Self::Unix(stream) => stream.write_all(bytes),
        }
    }
}

/// A listening socket.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket.
    Unix(UnixListener),
}

impl Listener {
    /// Listens at `rs://host:port` (port 0: any free one) or `unix:path` (which must not exist).
    ///
    /// # Errors
    /// What the operating system says, or that the address is neither of these.
    pub fn bind(url: &str) -> io::Result<Self> {
        match (url.strip_prefix("rs://"), url.strip_prefix("unix:")) {
            (Some(address), _) => TcpListener::bind(address).map(Self::Tcp),
            (_, Some(path)) => UnixListener::bind(path).map(Self::Unix),
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "expected rs://host:port or unix:path")),
        }
    }

    /// The address to connect to.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn url(&self) -> io::Result<String> {
        match self {
            Self::Tcp(listener) => Ok(format!("rs://{}", listener.local_addr()?)),
            Self::Unix(listener) => {
                let address = listener.local_addr()?;
                let path = address.as_pathname().unwrap_or(std::path::Path::new(""));
                Ok(format!("unix:{}", path.display()))
            }
        }
    }

    /// Whether [`accept`](Self::accept) waits; where it does not, it fails with `WouldBlock` instead.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn set_nonblocking(&self, is_nonblocking: bool) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => listener.set_nonblocking(is_nonblocking),
            Self::Unix(listener) => listener.set_nonblocking(is_nonblocking),
        }
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn accept(&self) -> io::Result<Socket> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                Ok(Socket::Tcp(stream))
            }
            Self::Unix(listener) => listener.accept().map(|(stream, _)| Socket::Unix(stream)),
        }
    }
}

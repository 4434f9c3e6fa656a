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
    /// A TCP connection. Its options are set, whatever they were: reads wait as long as it takes, no delay, and a peer
    /// that is gone is noticed after 90 s.
    ///
    /// # Errors
    /// What the operating system says; the connection may be gone already.
    pub fn tcp(stream: TcpStream) -> io::Result<(Self, TransportDetails)> {
        stream.set_nodelay(true)?;
        let socket = SockRef::from(&stream);
        wait_for_ever(&socket)?;
        // Closing is to lose nothing, whatever the socket came with.
        socket.set_linger(None)?;
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(SILENCE).with_interval(SILENCE))?;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        socket.set_tcp_user_timeout(Some(3 * SILENCE))?;
        let peer = stream.peer_addr()?;
        let details = TransportDetails::tcp(peer.to_string(), peer.ip().to_canonical().is_loopback());
        Ok((Self(Kind::Tcp(stream)), details))
    }

    /// A Unix socket. Reads wait as long as it takes, whatever its options were.
    #[cfg(unix)]
    pub fn unix(stream: UnixStream) -> (Self, TransportDetails) {
        // Of a socket that cannot be changed the first read will say why.
        let _ = wait_for_ever(&SockRef::from(&stream));
        (Self(Kind::Unix(stream)), TransportDetails::local())
    }
}

/// Takes back what would end a read early.
fn wait_for_ever(socket: &SockRef<'_>) -> io::Result<()> {
    socket.set_nonblocking(false)?;
    socket.set_read_timeout(None)
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

    #[cfg(unix)]
    fn has_input(&self) -> bool {
        let mut buffer = [std::mem::MaybeUninit::uninit(); 1];
        let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
        either!(self, stream => SockRef::from(stream).recv_with_flags(&mut buffer, flags)).is_ok()
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        either!(self, stream => stream.shutdown(how))
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const SHORT: Duration = Duration::from_millis(10);

    /// A read waits although the socket came with options that end it early; and what is there is seen.
    fn reads_wait(mut here: Stream, mut there: impl Write + Send + 'static) {
        assert!(!here.has_input());
        let writing = std::thread::spawn(move || {
            std::thread::sleep(5 * SHORT);
            there.write_all(b"x").unwrap();
            there
        });
        assert_eq!(here.read(&mut [0; 8]).unwrap(), 1);
        let mut there = writing.join().unwrap();
        there.write_all(b"y").unwrap();
        #[cfg(unix)]
        while !here.has_input() {}
        assert_eq!(here.read(&mut [0; 8]).unwrap(), 1);
    }

    #[test]
    fn options_that_a_socket_came_with_do_no_harm() {
        for is_nonblocking in [false, true] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(SHORT)).unwrap();
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
            stream.set_nonblocking(is_nonblocking).unwrap();
            let same = stream.try_clone().unwrap();
            let (stream, _) = Stream::tcp(stream).unwrap();
            assert_eq!(SockRef::from(&same).linger().unwrap(), None);
            reads_wait(stream, there);
            #[cfg(unix)]
            {
                let (stream, there) = UnixStream::pair().unwrap();
                stream.set_read_timeout(Some(SHORT)).unwrap();
                stream.set_nonblocking(is_nonblocking).unwrap();
                reads_wait(Stream::unix(stream).0, there);
            }
        }
    }
}

//! Opening connections.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
#[cfg(unix)]
use std::time::Instant;

use roadbed::blocking::{BlockingConnector, Threads};
use roadbed::client::{ClientBuilder, Connect};
use roadbed::core::transport::TransportDetails;
use roadbed::runtime::Runtime;
use roadbed::url::Address;

#[cfg(unix)]
use socket2::{Domain, SockAddr, Socket, Type};

use crate::Stream;

/// How long one address may take to answer, before the next one of its host is tried. Looking up a name takes as long
/// as the operating system lets it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait until a Unix socket whose listener is busy is tried again.
#[cfg(unix)]
const PAUSE: Duration = Duration::from_millis(20);

/// Connects to a router at an [address](roadbed::url) such as `ws://host:port/path` or `unix:path`: set what is needed,
/// and `wait()` for it.
///
/// ```no_run
/// use roadbed_blocking::roadbed::core::serializer::Serializer;
///
/// # fn main() -> Result<(), roadbed_blocking::roadbed::Error> {
/// let session = roadbed_blocking::connect("unix:/run/wamp.sock")
///     .realm("realm1")
///     .serializer(Serializer::Cbor)
///     .wait()?;
/// # Ok(()) }
/// ```
pub fn connect(url: impl Into<String>) -> Connect<Sockets> {
    Connect::new(Sockets, url)
}

/// A [`Client`](roadbed::client::Client) of a router at an [address](roadbed::url): set what is needed, and start it.
/// It connects anew when its session is lost. A thread watches over it, beside those of its connection.
///
/// ```no_run
/// # fn main() -> Result<(), roadbed_blocking::roadbed::Error> {
/// let client = roadbed_blocking::client("rs://127.0.0.1:8080").realm("realm1").start()?;
/// let session = client.session().wait()?;
/// # Ok(()) }
/// ```
pub fn client(url: impl Into<String>) -> ClientBuilder {
    connect(url).into_client_on_threads()
}

/// The services that connections use: threads, the clocks of the standard library, and randomness.
pub fn threads() -> Arc<dyn Runtime> {
    static THREADS: LazyLock<Arc<Threads>> = LazyLock::new(|| Arc::new(Threads::new(seed)));
    Arc::clone(&*THREADS) as Arc<dyn Runtime>
}

fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).expect("the operating system has randomness");
    seed
}

/// Opens TCP and Unix sockets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sockets;

impl BlockingConnector for Sockets {
    type Socket = Stream;

    fn runtime(&self) -> Arc<dyn Runtime> {
        threads()
    }

    fn open(&self, address: &Address) -> io::Result<(Stream, TransportDetails)> {
        match address {
            Address::Tcp { host, port } => {
                let mut result = Err(io::Error::new(io::ErrorKind::NotFound, "the host has no address"));
                for address in (host.as_str(), *port).to_socket_addrs()? {
                    match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).and_then(Stream::tcp) {
                        Ok(opened) => return Ok(opened),
                        Err(error) => result = Err(error),
                    }
                }
                result
            }
            #[cfg(unix)]
            Address::Unix(path) => unix(path).map(Stream::unix),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

/// Connects to a Unix socket. When its listener has no room for one more, that is tried again and again, for a while.
#[cfg(unix)]
fn unix(path: &std::path::Path) -> io::Result<std::os::unix::net::UnixStream> {
    let address = SockAddr::unix(path)?;
    let until = Instant::now() + CONNECT_TIMEOUT;
    loop {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // Otherwise it would wait for room without end.
        socket.set_nonblocking(true)?;
        match socket.connect(&address) {
            Ok(()) => {
                socket.set_nonblocking(false)?;
                return Ok(socket.into());
            }
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            Err(_) if Instant::now() >= until => return Err(io::ErrorKind::TimedOut.into()),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    #[test]
    fn a_listener_without_room_is_waited_for() {
        let path = std::env::temp_dir().join(format!("roadbed-{}-full.sock", std::process::id()));
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        socket.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        socket.listen(1).unwrap();
        let listener = UnixListener::from(socket);
        // As many as there is room for.
        let mut waiting = Vec::new();
        loop {
            let one = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
            one.set_nonblocking(true).unwrap();
            match one.connect(&SockAddr::unix(&path).unwrap()) {
                Ok(()) => waiting.push(UnixStream::from(one)),
                Err(error) => break assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        let connecting = {
            let path = path.clone();
            std::thread::spawn(move || unix(&path).map(drop))
        };
        // It is refused at first, or comes when there is room: in either case it gets in.
        std::thread::sleep(3 * PAUSE);
        for _ in 0..=waiting.len() {
            drop(listener.accept().unwrap());
        }
        connecting.join().unwrap().unwrap();
        std::fs::remove_file(path).unwrap();
    }
}

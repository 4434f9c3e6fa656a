//! Opening connections.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use roadbed::blocking::{BlockingConnector, Threads};
use roadbed::client::{ClientBuilder, Connect};
use roadbed::core::transport::TransportDetails;
use roadbed::runtime::Runtime;
use roadbed::url::Address;

use crate::Stream;

/// How long one address may take to answer, before the next one of its host is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Connects to a router at an [address](roadbed::url) such as `ws://host:port/path` or `unix:path`: set what is needed, and
/// `wait()` for it.
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
            Address::Unix(path) => std::os::unix::net::UnixStream::connect(path).map(Stream::unix),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

//! Opening connections.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use async_io::{Async, Timer};
use roadbed::client::{ClientBuilder, Connect, Connector};
use roadbed::core::transport::TransportDetails;
use roadbed::runtime::Runtime;
use roadbed::url::Address;

#[cfg(unix)]
use socket2::{Domain, SockAddr, Socket, Type};

use crate::{AsyncIo, Stream};

/// How long a name may take to be looked up, and one address to answer, before the next one of its host is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait until a Unix socket whose listener is busy is tried again.
#[cfg(unix)]
const PAUSE: Duration = Duration::from_millis(20);

/// Connects to a router at an [address](roadbed::url) such as `ws://host:port/path` or `unix:path`: set what is needed,
/// and await it.
///
/// ```no_run
/// use roadbed_async_std::roadbed::core::serializer::Serializer;
///
/// # async fn example() -> Result<(), roadbed_async_std::roadbed::Error> {
/// let session = roadbed_async_std::connect("unix:/run/wamp.sock")
///     .realm("realm1")
///     .serializer(Serializer::Cbor)
///     .await?;
/// # Ok(()) }
/// ```
#[cfg(any(feature = "async-std", feature = "smol"))]
pub fn connect(url: impl Into<String>) -> Connect<Sockets> {
    connect_on(AsyncIo::default(), url)
}

/// As [`connect`](crate::connect), with tasks where `runtime` runs them.
pub fn connect_on(runtime: AsyncIo, url: impl Into<String>) -> Connect<Sockets> {
    Connect::new(Sockets(runtime), url)
}

/// A [`Client`](roadbed::client::Client) of a router at an [address](roadbed::url): set what is needed, and start it.
/// It connects anew when its session is lost.
///
/// ```no_run
/// # async fn example() -> Result<(), roadbed_async_std::roadbed::Error> {
/// let client = roadbed_async_std::client("rs://127.0.0.1:8080").realm("realm1").start()?;
/// let session = client.session().await?;
/// # Ok(()) }
/// ```
#[cfg(any(feature = "async-std", feature = "smol"))]
pub fn client(url: impl Into<String>) -> ClientBuilder {
    connect(url).into_client()
}

/// As [`client`](crate::client), with tasks where `runtime` runs them.
pub fn client_on(runtime: AsyncIo, url: impl Into<String>) -> ClientBuilder {
    connect_on(runtime, url).into_client()
}

/// Opens TCP and Unix sockets.
#[derive(Clone, Debug)]
pub struct Sockets(AsyncIo);

impl Connector for Sockets {
    type Stream = Stream;

    fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::new(self.0.clone())
    }

    async fn open(&self, address: &Address) -> io::Result<(Stream, TransportDetails)> {
        match address.clone() {
            Address::Tcp { host, port } => {
                let mut result = Err(io::Error::new(io::ErrorKind::NotFound, "the host has no address"));
                for address in in_time(resolve(host, port)).await? {
                    let connecting = Async::<TcpStream>::connect(address);
                    match in_time(connecting).await.and_then(Stream::tcp) {
                        Ok(opened) => return Ok(opened),
                        Err(error) => result = Err(error),
                    }
                }
                result
            }
            #[cfg(unix)]
            Address::Unix(path) => in_time(unix(&path)).await.map(Stream::unix),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

/// Connects to a Unix socket. When its listener has no room for one more, that is tried again and again.
#[cfg(unix)]
async fn unix(path: &std::path::Path) -> io::Result<Async<std::os::unix::net::UnixStream>> {
    let address = SockAddr::unix(path)?;
    loop {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        match socket.connect(&address) {
            Ok(()) => return Async::new(socket.into()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => drop(Timer::after(PAUSE).await),
            Err(error) => return Err(error),
        }
    }
}

/// The addresses of a host.
async fn resolve(host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![(address, port).into()]);
    }
    // The resolver of the operating system blocks, and so it gets a thread, which its pool keeps.
    blocking::unblock(move || Ok((host.as_str(), port).to_socket_addrs()?.collect())).await
}

async fn in_time<T>(connecting: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = async {
        Timer::after(CONNECT_TIMEOUT).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    futures_lite::future::or(connecting, late).await
}

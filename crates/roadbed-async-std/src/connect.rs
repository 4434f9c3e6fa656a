//! Opening connections.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;

use async_io::Async;
use roadbed::client::{ClientBuilder, Connect, Connector, open_in_time};
use roadbed::core::transport::TransportDetails;
use roadbed::runtime::Runtime;
use roadbed::url::Address;

#[cfg(unix)]
use socket2::{Domain, SockAddr, Socket, Type};

use crate::{AsyncIo, Stream};

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
                for address in open_in_time(&self.0, || resolve(host.clone(), port)).await? {
                    let opened = open_in_time(&self.0, || Async::<TcpStream>::connect(address)).await;
                    match opened.and_then(Stream::tcp) {
                        Ok(opened) => return Ok(opened),
                        Err(error) => result = Err(error),
                    }
                }
                result
            }
            #[cfg(unix)]
            Address::Unix(path) => {
                let address = SockAddr::unix(path)?;
                let connect = || std::future::ready(unix(&address));
                open_in_time(&self.0, connect).await.map(Stream::unix)
            }
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

/// Connects to a Unix socket. What connects is in the backlog of its listener at once, or there is no room for it.
#[cfg(unix)]
fn unix(address: &SockAddr) -> io::Result<Async<std::os::unix::net::UnixStream>> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(address)?;
    Async::new(socket.into())
}

/// The addresses of a host.
async fn resolve(host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![(address, port).into()]);
    }
    // The resolver of the operating system blocks, and so it gets a thread, which its pool keeps.
    blocking::unblock(move || Ok((host.as_str(), port).to_socket_addrs()?.collect())).await
}

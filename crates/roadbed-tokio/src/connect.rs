//! Opening connections.

use std::io;
use std::sync::Arc;

use roadbed::client::{ClientBuilder, Connect, Connector, open_in_time};
use roadbed::core::transport::TransportDetails;
use roadbed::runtime::Runtime;
use roadbed::url::Address;
use tokio::net::{TcpStream, lookup_host};

use crate::{Stream, Tokio};

/// Connects to a router at an [address](roadbed::url) such as `ws://host:port/path` or `unix:path`: set what is needed,
/// and await it. That has to be in a runtime of tokio's, as for its sockets.
///
/// ```no_run
/// use roadbed_tokio::roadbed::core::serializer::Serializer;
///
/// # async fn example() -> Result<(), roadbed_tokio::roadbed::Error> {
/// let session = roadbed_tokio::connect("unix:/run/wamp.sock")
///     .realm("realm1")
///     .serializer(Serializer::Cbor)
///     .await?;
/// # Ok(()) }
/// ```
pub fn connect(url: impl Into<String>) -> Connect<Sockets> {
    Connect::new(Sockets, url)
}

/// A [`Client`](roadbed::client::Client) of a router at an [address](roadbed::url): set what is needed, and start it.
/// It connects anew when its session is lost. Starting it has to be in a runtime of tokio's.
///
/// ```no_run
/// use roadbed_tokio::roadbed::client::RetryPolicy;
/// use std::time::Duration;
///
/// # async fn example() -> Result<(), roadbed_tokio::roadbed::Error> {
/// let client = roadbed_tokio::client("rs://127.0.0.1:8080")
///     .realm("realm1")
///     .retry(RetryPolicy::new().longest(Duration::from_secs(5)))
///     .start()?;
/// let session = client.session().await?;
/// # Ok(()) }
/// ```
pub fn client(url: impl Into<String>) -> ClientBuilder {
    connect(url).into_client()
}

/// Opens TCP and Unix sockets on the runtime that it is used in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sockets;

impl Connector for Sockets {
    type Stream = Stream;

    fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::new(Tokio::current())
    }

    async fn open(&self, address: &Address) -> io::Result<(Stream, TransportDetails)> {
        let runtime = Tokio::current();
        match address {
            Address::Tcp { host, port } => {
                let mut result = Err(io::Error::new(io::ErrorKind::NotFound, "the host has no address"));
                for address in open_in_time(&runtime, || lookup_host((host.as_str(), *port))).await? {
                    let opened = open_in_time(&runtime, || TcpStream::connect(address)).await;
                    match opened.and_then(Stream::tcp) {
                        Ok(opened) => return Ok(opened),
                        Err(error) => result = Err(error),
                    }
                }
                result
            }
            #[cfg(unix)]
            Address::Unix(path) => {
                let connect = || tokio::net::UnixStream::connect(path);
                open_in_time(&runtime, connect).await.map(Stream::unix)
            }
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

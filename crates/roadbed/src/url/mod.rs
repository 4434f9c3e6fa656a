//! Addresses as text: where to connect to, what to speak there, and through which proxy.
//!
//! | URL | transport | port when none is named |
//! |---|---|---|
//! | `ws://host:port/path?query` | WebSocket over TCP | 80 |
//! | `wss://host:port/path?query` | WebSocket over TLS | 443 |
//! | `rs://host:port` | RawSocket over TCP | 8080 |
//! | `rss://host:port` | RawSocket over TLS | 8080 |
//! | `ws+unix:socket:/path?query` | WebSocket over a Unix socket; from the first colon on it is the request's path, `/` when there is none | |
//! | `unix:socket` | RawSocket over a Unix socket | |
//!
//! An IPv6 address stands in brackets, with a zone behind `%25`: `ws://[fe80::1%25eth0]/`. The zone is not sent. An
//! empty port, as in `ws://host:/`, is the usual one.
//!
//! `wss://` and `rss://` are spoken over TLS or not at all.
//!
//! The parameter `serializer` is ours in every one of them: it names the only serializer to use,
//! `ws://localhost/ws?tenant=7&serializer=json`, and is not sent. A server that wants a parameter of that name
//! gets it when a letter is percent-encoded, as in `%73erializer`. The rest of a query goes to the server as it is.

mod error;
mod parse;
mod proxy;

use std::fmt;
use std::path::PathBuf;

use roadbed_core::serializer::Serializer;

pub use error::UrlError;
pub use proxy::Proxy;

/// A parsed address.
///
/// ```
/// use roadbed::core::serializer::Serializer;
/// use roadbed::url::{Address, Url};
///
/// let url: Url = "rs://[::1]:9000?serializer=cbor".parse()?;
/// assert_eq!(url.address(), &Address::Tcp { host: "::1".into(), port: 9000 });
/// assert_eq!(url.serializer(), Some(Serializer::Cbor));
///
/// let url: Url = "wss://example.com/ws?tenant=7&serializer=json".parse()?;
/// assert_eq!(url.address(), &Address::Tcp { host: "example.com".into(), port: 443 });
/// assert_eq!(url.request().unwrap().target(), "/ws?tenant=7");
/// assert!(url.is_secure());
///
/// let url: Url = "ws+unix:/run/wamp.sock:/ws".parse()?;
/// assert_eq!(url.address(), &Address::Unix("/run/wamp.sock".into()));
/// # Ok::<(), roadbed::url::UrlError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    address: Address,
    is_secure: bool,
    request: Option<Request>,
    serializer: Option<Serializer>,
}

/// What a WebSocket URL says beyond an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    host: String,
    target: String,
}

/// Where to connect to, or to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Address {
    /// A TCP port.
    Tcp {
        /// A name or an IP address, without brackets. An IPv6 address may have a zone, as the operating system writes
        /// it: `fe80::1%eth0`.
        host: String,
        /// The port.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

impl Url {
    /// Where to connect to.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// Whether TLS is spoken, and nothing without it.
    pub const fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// The only serializer to use, if one is named.
    pub const fn serializer(&self) -> Option<Serializer> {
        self.serializer
    }

    /// What a WebSocket begins with; `None` for RawSocket.
    pub const fn request(&self) -> Option<&Request> {
        self.request.as_ref()
    }

    /// Whether others than this machine can read along: neither TLS nor a Unix socket.
    pub(crate) const fn is_exposed(&self) -> bool {
        !self.is_secure && matches!(self.address, Address::Tcp { .. })
    }

    const fn scheme(&self) -> &'static str {
        match (&self.address, &self.request, self.is_secure) {
            (Address::Tcp { .. }, None, false) => "rs",
            (Address::Tcp { .. }, None, true) => "rss",
            (Address::Tcp { .. }, Some(_), false) => "ws",
            (Address::Tcp { .. }, Some(_), true) => "wss",
            (Address::Unix(_), None, _) => "unix",
            (Address::Unix(_), Some(_), _) => "ws+unix",
        }
    }
}

impl Request {
    /// The header `Host`: the host, and the port unless it is the usual one. `localhost` on Unix sockets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The path and the query.
    pub fn target(&self) -> &str {
        &self.target
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = self.request.as_ref().map_or("", |request| &request.target);
        match &self.address {
            Address::Tcp { .. } => write!(f, "{}://{}{target}", self.scheme(), Authority(&self.address))?,
            Address::Unix(path) if target.is_empty() => write!(f, "{}:{}", self.scheme(), path.display())?,
            Address::Unix(path) => write!(f, "{}:{}:{target}", self.scheme(), path.display())?,
        }
        match self.serializer {
            Some(serializer) => {
                let mark = if target.contains('?') { '&' } else { '?' };
                write!(f, "{mark}serializer={serializer}")
            }
            None => Ok(()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { .. } => write!(f, "rs://{}", Authority(self)),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A host without the zone of an IPv6 address.
pub(crate) fn without_zone(host: &str) -> &str {
    match host.split_once('%') {
        Some((address, _)) if address.contains(':') => address,
        _ => host,
    }
}

/// Host and port of a TCP address.
struct Authority<'a>(&'a Address);

impl fmt::Display for Authority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Address::Tcp { host, port } if host.contains(':') => {
                write!(f, "[{}]:{port}", host.replace('%', "%25"))
            }
            Address::Tcp { host, port } => write!(f, "{host}:{port}"),
            Address::Unix(_) => Ok(()),
        }
    }
}

//! Addresses as text, and which serializer to speak there.
//!
//! | URL | transport |
//! |---|---|
//! | `rs://host:port` | RawSocket over TCP; the port may be left out, and is 8080 then |
//! | `unix:path` | RawSocket over a Unix socket |
//!
//! A parameter names the only serializer to use: `rs://localhost:8080?serializer=json`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use roadbed_core::error::{CloseReason, ViolationKind};
use roadbed_core::serializer::Serializer;
use roadbed_core::transport::{HandshakeError, RawSocketError, TransportError};

use crate::error::Error;

/// The port of `rs://` URLs that name none.
const DEFAULT_PORT: u16 = 8080;

/// A parsed address.
///
/// ```
/// use roadbed::core::serializer::Serializer;
/// use roadbed::url::{Address, Url};
///
/// let url: Url = "rs://[::1]:9000?serializer=cbor".parse()?;
/// assert_eq!(url.address(), &Address::Tcp { host: "::1".into(), port: 9000 });
/// assert_eq!(url.serializer(), Some(Serializer::Cbor));
/// assert_eq!("unix:/run/wamp.sock".parse::<Url>()?.to_string(), "unix:/run/wamp.sock");
/// # Ok::<(), roadbed::url::UrlError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    address: Address,
    serializer: Option<Serializer>,
}

/// Where to connect to, or to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Address {
    /// A TCP port.
    Tcp {
        /// A name or an IP address, without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// Neither `rs://` nor `unix:`.
    #[error("{0:?} begins with neither rs:// nor unix:")]
    Scheme(String),
    /// No host, or no path.
    #[error("{0:?} names no place to connect to")]
    Empty(String),
    /// What follows the host is no port.
    #[error("{0:?} is no port")]
    Port(String),
    /// A parameter that is not known, or not with this value.
    #[error("parameter {0:?} is not known")]
    Parameter(String),
    /// Nothing to choose a serializer from.
    #[error("no serializer is allowed")]
    NoSerializer,
}

impl Url {
    /// Where to connect to.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// The only serializer to use, if one is named.
    pub const fn serializer(&self) -> Option<Serializer> {
        self.serializer
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let (place, parameters) = text.split_once('?').unwrap_or((text, ""));
        let address = if let Some(place) = place.strip_prefix("rs://") {
            parse_tcp(place.strip_suffix('/').unwrap_or(place))?
        } else if let Some(path) = place.strip_prefix("unix:") {
            Address::Unix(PathBuf::from(path))
        } else {
            return Err(UrlError::Scheme(text.to_owned()));
        };
        let is_empty = match &address {
            Address::Tcp { host, .. } => host.is_empty(),
            Address::Unix(path) => path == Path::new(""),
        };
        if is_empty {
            return Err(UrlError::Empty(text.to_owned()));
        }
        let mut serializer = None;
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            let named = parameter.strip_prefix("serializer=").and_then(Serializer::from_id);
            serializer = Some(named.ok_or_else(|| UrlError::Parameter(parameter.to_owned()))?);
        }
        Ok(Self { address, serializer })
    }
}

fn parse_tcp(place: &str) -> Result<Address, UrlError> {
    // The colons of an IPv6 address are no port's, and so it stands in brackets.
    let (host, rest) = match place.strip_prefix('[').and_then(|place| place.split_once(']')) {
        Some((host, rest)) => (host, rest),
        None => place.split_at(place.rfind(':').unwrap_or(place.len())),
    };
    let port = match rest.strip_prefix(':') {
        Some(port) => port.parse().map_err(|_| UrlError::Port(port.to_owned()))?,
        None if rest.is_empty() => DEFAULT_PORT,
        None => return Err(UrlError::Port(rest.to_owned())),
    };
    Ok(Address::Tcp { host: host.to_owned(), port })
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)?;
        match self.serializer {
            Some(serializer) => write!(f, "?serializer={serializer}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "rs://[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "rs://{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Which serializer to ask for, attempt after attempt: a RawSocket client names exactly one, and a router
/// that does not have it closes the connection.
///
/// ```
/// use roadbed::core::serializer::Serializer;
/// use roadbed::url::Attempts;
///
/// let url = "rs://localhost".parse()?;
/// let attempts = Attempts::new(&url, &[Serializer::MsgPack, Serializer::Json])?;
/// assert_eq!(attempts.serializer(), Serializer::MsgPack);
/// # Ok::<(), roadbed::url::UrlError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Attempts {
    /// The one to ask for now, and those after it.
    now: Serializer,
    rest: std::vec::IntoIter<Serializer>,
}

impl Attempts {
    /// Tries the serializers in this order; or only the one that the URL names.
    ///
    /// # Errors
    /// [`UrlError::NoSerializer`] when there is none.
    pub fn new(url: &Url, preference: &[Serializer]) -> Result<Self, UrlError> {
        let all = url.serializer.map_or_else(|| preference.to_vec(), |named| vec![named]);
        let mut rest = all.into_iter();
        let now = rest.next().ok_or(UrlError::NoSerializer)?;
        Ok(Self { now, rest })
    }

    /// The serializer to ask for now.
    pub const fn serializer(&self) -> Serializer {
        self.now
    }

    /// Whether to connect once more, with the next serializer, after an attempt that ended in `error`.
    pub fn retry(&mut self, error: &Error) -> bool {
        if !refuses_serializer(error) {
            return false;
        }
        match self.rest.next() {
            Some(next) => {
                self.now = next;
                true
            }
            None => false,
        }
    }
}

fn refuses_serializer(error: &Error) -> bool {
    let Error::Ended(reason) = error else { return false };
    let CloseReason::PeerViolation(violation) = &**reason else { return false };
    let ViolationKind::Transport(TransportError::RawSocket(error)) = violation.kind() else { return false };
    matches!(
        error,
        RawSocketError::Refused(HandshakeError::SerializerUnsupported)
            | RawSocketError::SerializerMismatch { .. }
    )
}

#[cfg(test)]
mod tests {
    use roadbed_core::error::{CloseReason, ProtocolViolation};

    use super::*;

    #[test]
    fn what_is_an_address_and_what_is_none() {
        let tcp = |host: &str, port| Ok(Address::Tcp { host: host.into(), port });
        let unix = |path: &str| Ok(Address::Unix(path.into()));
        for (text, expected) in [
            ("rs://localhost:9000", tcp("localhost", 9000)),
            ("rs://localhost", tcp("localhost", 8080)),
            ("rs://127.0.0.1:80/", tcp("127.0.0.1", 80)),
            ("rs://[::1]", tcp("::1", 8080)),
            ("unix:/run/a b.sock", unix("/run/a b.sock")),
            ("unix:a?serializer=json", unix("a")),
            ("rs://:80", Err(UrlError::Empty("rs://:80".into()))),
            ("unix:", Err(UrlError::Empty("unix:".into()))),
            ("rs://a:b", Err(UrlError::Port("b".into()))),
            ("rs://a:65536", Err(UrlError::Port("65536".into()))),
            ("rs://[::1]x", Err(UrlError::Port("x".into()))),
            ("ws://a", Err(UrlError::Scheme("ws://a".into()))),
            ("", Err(UrlError::Scheme(String::new()))),
            ("rs://a?serializer=xml", Err(UrlError::Parameter("serializer=xml".into()))),
            ("rs://a?x=1", Err(UrlError::Parameter("x=1".into()))),
        ] {
            assert_eq!(text.parse::<Url>().map(|url| url.address), expected, "{text:?}");
        }
    }

    #[test]
    fn addresses_are_written_as_they_are_read() {
        for text in ["rs://[::1]:9000?serializer=cbor", "rs://localhost:80", "unix:/run/wamp.sock"] {
            assert_eq!(text.parse::<Url>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn only_a_refused_serializer_is_a_reason_for_another_attempt() {
        let refused = |error: RawSocketError| -> Error {
            CloseReason::PeerViolation(ProtocolViolation::from(TransportError::from(error))).into()
        };
        let unsupported = refused(RawSocketError::Refused(HandshakeError::SerializerUnsupported));
        let url = "rs://a".parse().unwrap();
        let mut attempts = Attempts::new(&url, &[Serializer::Cbor, Serializer::Json]).unwrap();
        assert!(!attempts.retry(&CloseReason::Eof.into()));
        assert!(!attempts.retry(&refused(RawSocketError::Refused(HandshakeError::ConnectionLimit))));
        assert!(attempts.retry(&unsupported));
        assert_eq!(attempts.serializer(), Serializer::Json);
        assert!(!attempts.retry(&unsupported));
        let named = "rs://a?serializer=msgpack".parse().unwrap();
        let mut attempts = Attempts::new(&named, &Serializer::ALL).unwrap();
        assert_eq!(attempts.serializer(), Serializer::MsgPack);
        assert!(!attempts.retry(&unsupported));
        assert_eq!(Attempts::new(&url, &[]).unwrap_err(), UrlError::NoSerializer);
    }
}

//! Settings of the two ends.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use bytestring::ByteString;

#[cfg(feature = "deflate")]
use super::DeflateConfig;
use super::http::{is_host, is_token_byte};
use super::{OriginPolicy, Subprotocol};
use crate::error::ConfigError;
use crate::limits::Limits;
use crate::serializer::Serializer;
use crate::transport::LivenessConfig;
use crate::uri::Uri;

/// Headers that the handshake writes itself, and those that would change how its bytes are read.
const RESERVED: &[&str] =
    &["host", "upgrade", "connection", "origin", "content-length", "transfer-encoding", "te", "trailer"];

/// What a WebSocket client asks for.
///
/// ```
/// use roadbed_core::serializer::Serializer;
/// use roadbed_core::transport::websocket::{Subprotocol, WebSocketClientConfig};
///
/// let config = WebSocketClientConfig::new("example.com:8080", "/ws?tenant=7")?
///     .subprotocols(&[Subprotocol::plain(Serializer::Cbor), Subprotocol::plain(Serializer::Json)])
///     .header("Authorization", "Bearer 4711")?;
/// assert!(config.header("Host", "other").is_err());
/// # Ok::<(), roadbed_core::error::ConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebSocketClientConfig {
    pub(super) host: ByteString,
    pub(super) target: ByteString,
    pub(super) origin: Option<ByteString>,
    pub(super) headers: Vec<(ByteString, ByteString)>,
    /// What to speak, the favourite first; the server chooses. Without any, none is asked for, which no
    /// WAMP router accepts. Default: every serializer in the order of [`Serializer::PREFERENCE`], one message at a
    /// time.
    pub subprotocols: Arc<[Subprotocol]>,
    /// Whether and how to compress. Default: not.
    #[cfg(feature = "deflate")]
    pub deflate: Option<DeflateConfig>,
    /// Bytes of the largest message to receive, decompressed. Default: that of [`Limits::message_size`].
    pub max_receive: usize,
    /// Bytes of the largest message to send, before compression. A WebSocket peer does not say what it accepts, and
    /// closes the connection over a message that is too large for it; `None` takes it to accept what this end
    /// accepts, so that both ends with one configuration never do that to each other. Default: `None`.
    pub max_send: Option<usize>,
    /// Liveness pings.
    pub liveness: LivenessConfig,
}

impl WebSocketClientConfig {
    /// The defaults, to a server of this name. `host` is the value of the header `Host`: a name or an address, IPv6
    /// in brackets, and the port unless it is the usual one. `target` is the path, with a query or without.
    ///
    /// # Errors
    /// [`ConfigError::Host`], [`ConfigError::RequestTarget`].
    pub fn new(host: &str, target: &str) -> Result<Self, ConfigError> {
        if host.is_empty() || !is_host(host) {
            return Err(ConfigError::Host(host.to_string()));
        }
        if !is_target(target) {
            return Err(ConfigError::RequestTarget(target.to_string()));
        }
        Ok(Self {
            host: host.into(),
            target: target.into(),
            origin: None,
            headers: Vec::new(),
            subprotocols: Arc::from(Serializer::PREFERENCE.map(Subprotocol::plain)),
            #[cfg(feature = "deflate")]
            deflate: None,
            max_receive: Limits::default().message_size,
            max_send: None,
            liveness: LivenessConfig::default(),
        })
    }

    /// Sets [`WebSocketClientConfig::subprotocols`].
    #[must_use]
    pub fn subprotocols(mut self, subprotocols: &[Subprotocol]) -> Self {
        self.subprotocols = Arc::from(subprotocols);
        self
    }

    /// The origin to name. Browsers always name theirs; others need not.
    ///
    /// # Errors
    /// [`ConfigError::Header`] when it cannot stand in a header.
    pub fn origin(mut self, origin: &str) -> Result<Self, ConfigError> {
        check_value("Origin", origin)?;
        self.origin = Some(origin.into());
        Ok(self)
    }

    /// One more header, such as `Authorization`. Cookies are sent in one header, however many of them are given
    /// (RFC 6265, section 5.4).
    ///
    /// # Errors
    /// [`ConfigError::Header`] for a name or value that cannot stand in a header, and for headers that
    /// the handshake writes itself; `Origin` is [`origin`](Self::origin).
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, ConfigError> {
        check_name(name)?;
        check_value(name, value)?;
        let value = value.trim();
        let mut headers = self.headers.iter_mut();
        match headers
            .find(|(known, _)| name.eq_ignore_ascii_case("cookie") && known.eq_ignore_ascii_case(name))
        {
            Some((_, cookies)) => *cookies = [&**cookies, "; ", value].concat().into(),
            None => self.headers.push((name.into(), value.into())),
        }
        Ok(self)
    }

    /// One more cookie. Its value is sent as it is: percent-encode it if the server expects that.
    ///
    /// # Errors
    /// [`ConfigError::Header`] for a name or value that cannot stand in a cookie (RFC 6265, section 4.1.1).
    pub fn cookie(self, name: &str, value: &str) -> Result<Self, ConfigError> {
        let is_value = |byte: u8| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token_byte) || !value.bytes().all(is_value) {
            return Err(ConfigError::Header(String::from("Cookie")));
        }
        self.header("Cookie", &[name, "=", value].concat())
    }

    /// Sets [`WebSocketClientConfig::deflate`].
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn deflate(mut self, deflate: DeflateConfig) -> Self {
        self.deflate = Some(deflate);
        self
    }

    /// Sets [`WebSocketClientConfig::max_receive`].
    #[must_use]
    pub fn max_receive(mut self, bytes: usize) -> Self {
        self.max_receive = bytes;
        self
    }

    /// Sets [`WebSocketClientConfig::max_send`].
    #[must_use]
    pub fn max_send(mut self, bytes: usize) -> Self {
        self.max_send = Some(bytes);
        self
    }

    /// Sets [`WebSocketClientConfig::liveness`].
    #[must_use]
    pub fn liveness(mut self, liveness: LivenessConfig) -> Self {
        self.liveness = liveness;
        self
    }
}

/// Without query and values of headers: they may hold secrets.
impl fmt::Debug for WebSocketClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| &**name).collect();
        f.debug_struct("WebSocketClientConfig")
            .field("host", &self.host)
            .field("path", &self.target.split('?').next())
            .field("origin", &self.origin)
            .field("headers", &names)
            .field("subprotocols", &self.subprotocols)
            .field("max_receive", &self.max_receive)
            .field("max_send", &self.max_send)
            .field("liveness", &self.liveness)
            .finish_non_exhaustive()
    }
}

/// What a WebSocket server accepts. Every connection of a listener shares one.
///
/// ```
/// use roadbed_core::transport::websocket::{OriginPolicy, PathRule, WebSocketServerConfig};
/// use roadbed_core::uri::Uri;
///
/// let config = WebSocketServerConfig::default()
///     .origins(OriginPolicy::allow(["https://example.com"])?)
///     .path(PathRule::new("/ws")?)
///     .path(PathRule::new("/admin")?.realm(Uri::new("com.example.admin")?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WebSocketServerConfig {
    /// What is on offer; the client's order decides. Without any, clients that ask for none are accepted, as test
    /// suites do. Default: all.
    pub subprotocols: Arc<[Subprotocol]>,
    /// The pages that are let in. Default: those of the server's own origin.
    pub origins: OriginPolicy,
    /// The paths at which there is something. Default: none, and that means all.
    pub paths: Vec<PathRule>,
    /// TLS ends at a proxy in front of this server: its own origin begins with `https`, even though its
    /// transport is not secure. Default: no.
    pub behind_tls: bool,
    /// Whether and how to accept offers to compress. Default: not.
    #[cfg(feature = "deflate")]
    pub deflate: Option<DeflateConfig>,
    /// As [`WebSocketClientConfig::max_receive`].
    pub max_receive: usize,
    /// As [`WebSocketClientConfig::max_send`].
    pub max_send: Option<usize>,
    /// Liveness pings.
    pub liveness: LivenessConfig,
}

impl Default for WebSocketServerConfig {
    fn default() -> Self {
        Self {
            subprotocols: Arc::from(Subprotocol::ALL),
            origins: OriginPolicy::default(),
            paths: Vec::new(),
            behind_tls: false,
            #[cfg(feature = "deflate")]
            deflate: None,
            max_receive: Limits::default().message_size,
            max_send: None,
            liveness: LivenessConfig::default(),
        }
    }
}

impl WebSocketServerConfig {
    /// Sets [`WebSocketServerConfig::subprotocols`].
    #[must_use]
    pub fn subprotocols(mut self, subprotocols: &[Subprotocol]) -> Self {
        self.subprotocols = Arc::from(subprotocols);
        self
    }

    /// Sets [`WebSocketServerConfig::origins`].
    #[must_use]
    pub fn origins(mut self, origins: OriginPolicy) -> Self {
        self.origins = origins;
        self
    }

    /// Adds a path; from then on those not added are refused with status 404.
    #[must_use]
    pub fn path(mut self, rule: PathRule) -> Self {
        self.paths.push(rule);
        self
    }

    /// Sets [`WebSocketServerConfig::behind_tls`].
    #[must_use]
    pub fn behind_tls(mut self, is_behind: bool) -> Self {
        self.behind_tls = is_behind;
        self
    }

    /// Sets [`WebSocketServerConfig::deflate`].
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn deflate(mut self, deflate: DeflateConfig) -> Self {
        self.deflate = Some(deflate);
        self
    }

    /// Sets [`WebSocketServerConfig::max_receive`].
    #[must_use]
    pub fn max_receive(mut self, bytes: usize) -> Self {
        self.max_receive = bytes;
        self
    }

    /// Sets [`WebSocketServerConfig::max_send`].
    #[must_use]
    pub fn max_send(mut self, bytes: usize) -> Self {
        self.max_send = Some(bytes);
        self
    }

    /// Sets [`WebSocketServerConfig::liveness`].
    #[must_use]
    pub fn liveness(mut self, liveness: LivenessConfig) -> Self {
        self.liveness = liveness;
        self
    }
}

/// Something to be found at a path. Paths are compared byte by byte, without decoding percent signs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PathRule {
    pub(super) path: ByteString,
    /// The only realm that clients can join here. Default: any.
    pub realm: Option<Uri>,
}

impl PathRule {
    /// A path, which begins with a slash and has no query.
    ///
    /// # Errors
    /// [`ConfigError::RequestTarget`] when it is none.
    pub fn new(path: &str) -> Result<Self, ConfigError> {
        match is_target(path) && !path.contains('?') {
            true => Ok(Self { path: path.into(), realm: None }),
            false => Err(ConfigError::RequestTarget(path.to_string())),
        }
    }

    /// Sets [`PathRule::realm`].
    #[must_use]
    pub fn realm(mut self, realm: Uri) -> Self {
        self.realm = Some(realm);
        self
    }
}

fn is_target(target: &str) -> bool {
    target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

fn check_name(name: &str) -> Result<(), ConfigError> {
    let lower = name.to_ascii_lowercase();
    let is_reserved = RESERVED.contains(&&*lower) || lower.starts_with("sec-websocket-");
    if name.is_empty() || !name.bytes().all(is_token_byte) || is_reserved {
        return Err(ConfigError::Header(String::from(name)));
    }
    Ok(())
}

/// The error names the header only: the value may be a secret.
fn check_value(name: &str, value: &str) -> Result<(), ConfigError> {
    if value.bytes().all(|byte| byte == b'\t' || !byte.is_ascii_control()) {
        return Ok(());
    }
    Err(ConfigError::Header(String::from(name)))
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn nothing_slips_into_the_request() {
        let config = WebSocketClientConfig::new("h", "/").unwrap();
        for (name, value) in [
            ("", "x"),
            ("A B", "x"),
            ("A:", "x"),
            ("A\r\nB", "x"),
            ("A", "x\r\nHost: y"),
            ("A", "x\ny"),
            ("A", "x\0"),
            ("host", "x"),
            ("Upgrade", "x"),
            ("CONNECTION", "x"),
            ("Origin", "x"),
            ("Sec-WebSocket-Key", "x"),
            ("sec-websocket-whatever", "x"),
            ("Content-Length", "1"),
            ("Transfer-Encoding", "chunked"),
        ] {
            let error = config.clone().header(name, value).unwrap_err();
            assert_eq!(error, ConfigError::Header(name.into()), "{name:?}: {value:?}");
        }
        assert!(config.clone().origin("http://a\r\nX: y").is_err());
        for host in ["", "a b", "a/b", "a\r\n", "user@a", "\u{e4}"] {
            assert_eq!(WebSocketClientConfig::new(host, "/"), Err(ConfigError::Host(host.into())));
        }
        for target in ["", "ws", "/a b", "/a#b", "/\r\n", "/\u{e4}"] {
            let error = ConfigError::RequestTarget(target.into());
            assert_eq!(WebSocketClientConfig::new("h", target), Err(error));
        }
        for path in ["", "ws", "/a?b", "/a b"] {
            assert_eq!(PathRule::new(path), Err(ConfigError::RequestTarget(path.into())));
        }
    }

    #[test]
    fn cookies_come_in_one_header() {
        let config = WebSocketClientConfig::new("h", "/").unwrap();
        let config = config.cookie("a", "1").unwrap().header("X", "y").unwrap();
        let config = config.header("cookie", "b=2; c=3").unwrap().cookie("d", "").unwrap();
        let expected = [("Cookie", "a=1; b=2; c=3; d="), ("X", "y")];
        assert_eq!(config.headers, expected.map(|(name, value)| (name.into(), value.into())));
        for (name, value) in [
            ("", "1"),
            ("a b", "1"),
            ("a=", "1"),
            ("a", "1; b=2"),
            ("a", "1 2"),
            ("a", "\""),
            ("a", "\u{e4}"),
        ] {
            assert_eq!(
                config.clone().cookie(name, value),
                Err(ConfigError::Header("Cookie".into())),
                "{name}={value}"
            );
        }
    }

    /// One order wherever nothing is said.
    #[test]
    fn serializers_are_asked_for_in_the_order_of_preference() {
        let config = WebSocketClientConfig::new("h", "/").unwrap();
        let names: Vec<_> = config.subprotocols.iter().map(|subprotocol| subprotocol.name()).collect();
        assert_eq!(names, ["wamp.2.msgpack", "wamp.2.cbor", "wamp.2.json"]);
    }

    #[test]
    fn debug_shows_no_secret() {
        let config = WebSocketClientConfig::new("h", "/ws?secret1").unwrap();
        let text = format!("{:?}", config.header("Cookie", "secret2").unwrap());
        assert!(text.contains("/ws") && text.contains("Cookie") && !text.contains("secret"), "{text}");
    }
}

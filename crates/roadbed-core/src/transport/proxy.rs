//! A client's way through an HTTP proxy: CONNECT (RFC 9110, section 9.3.6), before any transport.

use alloc::string::{String, ToString};
use core::fmt;

use base64ct::{Base64, Encoding};
use bytes::{Buf, Bytes, BytesMut};
use bytestring::ByteString;

use super::websocket::http::{Head, HeadFinder, check_answer, is_host};
use super::websocket::{HeadError, MAX_HEAD};
use crate::error::ConfigError;

/// Answers that only announce the real one before a client gives up.
const MAX_INTERIM: u8 = 4;

/// Asks an HTTP proxy for a tunnel: send [`request`](Self::request), [`read`](Self::read) until the tunnel is
/// there, then speak through it as if the proxy were not there.
///
/// ```
/// use bytes::BytesMut;
/// use roadbed_core::transport::HttpConnect;
///
/// let mut connect = HttpConnect::new("example.com", 443)?.credentials("joe", "secret!!!")?;
/// assert!(connect.request().starts_with(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n"));
/// let mut input = BytesMut::from("HTTP/1.1 200 Connection established\r\n\r\n");
/// assert!(connect.read(&mut input)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct HttpConnect {
    authority: String,
    authorization: Option<String>,
    finder: HeadFinder,
    interim: u8,
}

/// Why there is no tunnel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// What the proxy answered is no HTTP.
    #[error("the proxy's answer: {0}")]
    Head(#[from] HeadError),
    /// The proxy refused: 407 when it wants other credentials, 403 when it does not connect to that place.
    #[error("the proxy refused: {status} {reason}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The reason phrase of the status line, cut short.
        reason: ByteString,
    },
    /// The proxy ended the stream before it answered.
    #[error("the proxy closed the connection after {received} bytes of its answer")]
    Truncated {
        /// Bytes of the answer that arrived.
        received: usize,
    },
}

impl HttpConnect {
    /// A tunnel to this host, a name or an address without brackets, and port.
    ///
    /// # Errors
    /// [`ConfigError::Host`] when `host` cannot be one.
    pub fn new(host: &str, port: u16) -> Result<Self, ConfigError> {
        if host.is_empty() || !is_host(host) || host.contains(['[', ']']) {
            return Err(ConfigError::Host(host.to_string()));
        }
        let authority = match host.contains(':') {
            true => alloc::format!("[{host}]:{port}"),
            false => alloc::format!("{host}:{port}"),
        };
        Ok(Self { authority, authorization: None, finder: HeadFinder::default(), interim: 0 })
    }

    /// Who asks, by the scheme `Basic` (RFC 7617). The proxy can read it, and without TLS to the proxy so can
    /// those in between.
    ///
    /// # Errors
    /// [`ConfigError::Header`] for a user with a colon, which would end the name.
    pub fn credentials(mut self, user: &str, password: &str) -> Result<Self, ConfigError> {
        if user.contains(':') {
            return Err(ConfigError::Header(String::from("Proxy-Authorization")));
        }
        let pair = [user, ":", password].concat();
        self.authorization = Some(Base64::encode_string(pair.as_bytes()));
        Ok(self)
    }

    /// The request to send, before anything else.
    pub fn request(&self) -> Bytes {
        let Self { authority, .. } = self;
        let mut request = alloc::format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
        if let Some(authorization) = &self.authorization {
            request.extend(["Proxy-Authorization: Basic ", authorization, "\r\n"]);
        }
        request.push_str("\r\n");
        Bytes::from(request)
    }

    /// Reads the answer: whether the tunnel is there. Pass the same buffer every time, only appended to. The
    /// head of the answer is consumed, and nothing behind it.
    ///
    /// # Errors
    /// [`ProxyError`]; nothing can be done with the connection then.
    pub fn read(&mut self, input: &mut BytesMut) -> Result<bool, ProxyError> {
        loop {
            check_answer(input)?;
            let Some(len) = self.finder.find(input)? else { return Ok(false) };
            self.finder = HeadFinder::default();
            let (_, line) = Head::response(input.get(..len).unwrap_or_default())?;
            input.advance(len);
            match line.status {
                // Content-Length means nothing here: what follows is the tunnel's.
                200..300 => return Ok(true),
                100..200 if line.status != 101 && self.interim < MAX_INTERIM => {
                    self.interim = self.interim.saturating_add(1);
                }
                status => return Err(ProxyError::Refused { status, reason: line.reason }),
            }
        }
    }

    /// The error for a stream that ends before the answer, with what is left in the buffer.
    pub fn truncated(&self, buffered: usize) -> ProxyError {
        ProxyError::Truncated { received: buffered.min(MAX_HEAD) }
    }
}

/// Without the credentials.
impl fmt::Debug for HttpConnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpConnect").field("authority", &self.authority).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn requests() {
        for (host, port, authority) in [
            ("example.com", 443, "example.com:443"),
            ("::1", 80, "[::1]:80"),
            ("10.0.0.1", 8080, "10.0.0.1:8080"),
        ] {
            let request = HttpConnect::new(host, port).unwrap().request();
            assert_eq!(request, format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
        }
        for host in ["", "a b", "a\r\nX: y", "a/b", "[::1]", "user@a"] {
            assert_eq!(HttpConnect::new(host, 1).unwrap_err(), ConfigError::Host(host.into()));
        }
    }

    #[test]
    fn credentials_are_sent_and_not_shown() {
        // The example of RFC 7617, section 2.
        let connect = HttpConnect::new("a", 1).unwrap().credentials("Aladdin", "open sesame").unwrap();
        let request = String::from_utf8(connect.request().to_vec()).unwrap();
        assert!(request.contains("\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"));
        assert!(!format!("{connect:?}").contains("QWxh"));
        assert!(HttpConnect::new("a", 1).unwrap().credentials("a:b", "").is_err());
    }

    fn read(answer: &str) -> (Result<bool, ProxyError>, BytesMut) {
        let mut input = BytesMut::from(answer);
        (HttpConnect::new("a", 1).unwrap().read(&mut input), input)
    }

    #[test]
    fn answers() {
        let refused = |status, reason: &str| Err(ProxyError::Refused { status, reason: reason.into() });
        let malformed = |what| Err(ProxyError::Head(HeadError::Malformed { what }));
        for (answer, expected) in [
            ("HTTP/1.1 200 Connection established\r\n\r\n", Ok(true)),
            ("HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n", Ok(true)),
            ("HTTP/1.1 204\r\n\r\n", Ok(true)),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", Ok(true)),
            ("HTTP/1.1 100 Continue\r\n\r\n", Ok(false)),
            ("", Ok(false)),
            (
                "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
                refused(407, "Proxy Authentication Required"),
            ),
            ("HTTP/1.1 403 Forbidden\r\n\r\n", refused(403, "Forbidden")),
            ("HTTP/1.1 101 Switching\r\n\r\n", refused(101, "Switching")),
            ("HTTP/1.1 302 Found\r\nLocation: x\r\n\r\n", refused(302, "Found")),
            ("\x05\x00\r\n\r\n", malformed("the version")),
            ("HTTP/1.1 200 OK\n\n", malformed("the end of a line")),
        ] {
            assert_eq!(read(answer).0, expected, "{answer:?}");
        }
        let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(9);
        assert_eq!(read(&interim).0, refused(100, "Continue"));
        let endless = format!("HTTP/1.1 200 {}", "x".repeat(MAX_HEAD));
        assert_eq!(read(&endless).0, Err(ProxyError::Head(HeadError::TooLarge { limit: MAX_HEAD })));
    }

    #[test]
    fn every_split_leaves_what_follows() {
        let answer = "HTTP/1.1 100 \r\n\r\nHTTP/1.1 200 OK\r\nVia: x\r\n\r\n\x16\x03";
        for cut in 0..=answer.len() {
            let mut connect = HttpConnect::new("a", 1).unwrap();
            let mut input = BytesMut::from(&answer[..cut]);
            let is_there = connect.read(&mut input).unwrap();
            assert_eq!(is_there, cut >= answer.len() - 2, "{cut}");
            let truncated = connect.truncated(input.len());
            assert_eq!(truncated, ProxyError::Truncated { received: input.len() });
            input.extend_from_slice(&answer.as_bytes()[cut..]);
            assert!(is_there || connect.read(&mut input).unwrap());
            assert_eq!(input, "\x16\x03");
        }
    }
}

//! A client's way through an HTTP proxy: CONNECT (RFC 9110, section 9.3.6), before any transport.

use alloc::string::{String, ToString};
use core::fmt;

use base64ct::{Base64, Encoding};
use bytes::{Bytes, BytesMut};

use super::websocket::http::{Answer, AnswerReader, is_host};
use super::websocket::{HeadError, MAX_HEAD, Refusal};
use crate::error::ConfigError;
use crate::time::Timestamp;

/// Asks an HTTP proxy for a tunnel: send [`request`](Self::request), [`read`](Self::read) until the tunnel is
/// there, then speak through it as if the proxy were not there.
///
/// ```
/// use bytes::BytesMut;
/// use roadbed_core::time::Timestamp;
/// use roadbed_core::transport::HttpConnect;
///
/// let mut connect = HttpConnect::new("example.com", 443)?.credentials("joe", "secret!!!")?;
/// assert!(connect.request().starts_with(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n"));
/// let mut input = BytesMut::from("HTTP/1.1 200 Connection established\r\n\r\n");
/// assert!(connect.read(Timestamp::ZERO, &mut input)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct HttpConnect {
    authority: String,
    authorization: Option<String>,
    answer: AnswerReader,
}

/// Why there is no tunnel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// What the proxy answered is no HTTP.
    #[error("the proxy's answer: {0}")]
    Head(#[from] HeadError),
    /// The proxy refused: 407 when it wants other credentials, 403 when it does not connect to that place.
    #[error("the proxy refused: {0}")]
    Refused(Refusal),
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
        Ok(Self { authority, authorization: None, answer: AnswerReader::default() })
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
    /// head of the answer is consumed, and nothing behind it. The text of a refusal is waited for, until
    /// [`poll_timeout`](Self::poll_timeout) or the end of the stream.
    ///
    /// # Errors
    /// [`ProxyError`]; nothing can be done with the connection then.
    pub fn read(&mut self, now: Timestamp, input: &mut BytesMut) -> Result<bool, ProxyError> {
        // Content-Length means nothing where there is a tunnel: what follows is the tunnel's.
        match self.answer.read(now, input, |status| (200..300).contains(&status))? {
            Answer::More => Ok(false),
            Answer::Wanted(..) => Ok(true),
            Answer::Refused(refusal) => Err(ProxyError::Refused(refusal)),
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout): while the text of a refusal is waited for.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.answer.poll_timeout()
    }

    /// The refusal, when its text has been waited for long enough.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Option<ProxyError> {
        self.answer.handle_timeout(now).map(ProxyError::Refused)
    }

    /// The error for a stream that ends before the tunnel is there, with what is left in the buffer.
    pub fn handle_eof(&mut self, buffered: usize) -> ProxyError {
        let truncated = ProxyError::Truncated { received: buffered.min(MAX_HEAD) };
        self.give_up().unwrap_or(truncated)
    }

    /// The refusal whose text is waited for, with as much of it as there is: nothing more comes.
    pub fn give_up(&mut self) -> Option<ProxyError> {
        self.answer.give_up().map(ProxyError::Refused)
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

    const T0: Timestamp = Timestamp::ZERO;

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

    /// What came of an answer behind which the stream ends.
    fn read(answer: &str) -> String {
        let run = |cut: usize| {
            let mut connect = HttpConnect::new("a", 1).unwrap();
            let mut input = BytesMut::from(&answer[..cut]);
            let mut result = connect.read(T0, &mut input);
            if let Ok(false) = result {
                input.extend_from_slice(&answer.as_bytes()[cut..]);
                result = connect.read(T0, &mut input);
            }
            match result {
                Ok(true) => String::from("open"),
                Ok(false) => connect.handle_eof(input.len()).to_string(),
                Err(error) => error.to_string(),
            }
        };
        let whole = run(answer.len());
        for cut in 0..answer.len() {
            assert_eq!(run(cut), whole, "{answer:?}, cut at {cut}");
        }
        whole
    }

    #[test]
    fn answers() {
        for (answer, expected) in [
            ("HTTP/1.1 200 Connection established\r\n\r\n", "open"),
            ("HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n", "open"),
            ("HTTP/1.1 204\r\n\r\n", "open"),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "open"),
            ("HTTP/1.1 100 Continue\r\n\r\n", "the proxy closed the connection after 0 bytes of its answer"),
            ("HTTP/1.1 2", "the proxy closed the connection after 10 bytes of its answer"),
            (
                "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
                "the proxy refused: 407 Proxy Authentication Required",
            ),
            ("HTTP/1.1 403 Forbidden\r\n\r\n", "the proxy refused: 403 Forbidden"),
            ("HTTP/1.1 101 Switching\r\n\r\n", "the proxy refused: 101 Switching"),
            (
                "HTTP/1.1 403 Forbidden\r\nContent-Length: 11\r\n\r\ngo away now",
                "the proxy refused: 403 Forbidden: go away now",
            ),
            (
                "HTTP/1.1 502 Bad Gateway\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nno r\r\n5\r\noute.\r\n0\r\n\r\n",
                "the proxy refused: 502 Bad Gateway: no route.",
            ),
            ("\x05\x00\r\n\r\n", "the proxy's answer: the HTTP head is malformed: the version"),
            ("\x15\x03", "the proxy's answer: it is TLS, not HTTP"),
            ("HTTP/1.1 200 OK\n\n", "the proxy's answer: the HTTP head is malformed: the end of a line"),
        ] {
            assert_eq!(read(answer), expected, "{answer:?}");
        }
        let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(9);
        assert_eq!(read(&interim), "the proxy refused: 100 Continue");
        let endless = format!("HTTP/1.1 200 {}", "x".repeat(MAX_HEAD));
        let mut connect = HttpConnect::new("a", 1).unwrap();
        let too_large = ProxyError::Head(HeadError::TooLarge { limit: MAX_HEAD });
        assert_eq!(connect.read(T0, &mut BytesMut::from(&*endless)), Err(too_large));
    }

    #[test]
    fn a_text_that_does_not_come_is_waited_for_a_moment() {
        let mut connect = HttpConnect::new("a", 1).unwrap();
        let mut input =
            BytesMut::from("HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\nContent-Length: 9\r\n\r\nwho");
        assert_eq!(connect.read(T0, &mut input), Ok(false));
        let until = connect.poll_timeout().unwrap();
        assert_eq!(connect.handle_timeout(T0), None);
        let Some(ProxyError::Refused(refusal)) = connect.handle_timeout(until) else { panic!("refused") };
        assert_eq!((refusal.status(), &**refusal.text()), (407, "who"));
        assert_eq!(refusal.header("Proxy-Authenticate"), Some("Basic"));
    }

    #[test]
    fn every_split_leaves_what_follows() {
        let answer = "HTTP/1.1 100 \r\n\r\nHTTP/1.1 200 OK\r\nVia: x\r\n\r\n\x16\x03";
        for cut in 0..=answer.len() {
            let mut connect = HttpConnect::new("a", 1).unwrap();
            let mut input = BytesMut::from(&answer[..cut]);
            let is_there = connect.read(T0, &mut input).unwrap();
            assert_eq!(is_there, cut >= answer.len() - 2, "{cut}");
            input.extend_from_slice(&answer.as_bytes()[cut..]);
            assert!(is_there || connect.read(T0, &mut input).unwrap());
            assert_eq!(input, "\x16\x03");
        }
    }
}

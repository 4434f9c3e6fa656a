//! The request that asked for an upgrade: what authentication can see of it.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::{fmt, str};

use super::head::{Head, HeadError, RequestParts, Span};
use crate::transport::websocket::UpgradeError;
use crate::uri::Uri;

/// The HTTP request by which a WebSocket client asked for its upgrade. Nothing in it is proven: anything but a
/// browser can send whatever it likes.
///
/// Paths and header values are as they were sent; only [`query_value`](Self::query_value) decodes. `Debug` shows
/// the path and the names of the headers, as query and values may hold secrets.
///
/// ```
/// use roadbed_core::transport::websocket::UpgradeRequest;
///
/// let head = b"GET /ws?token=a%20b HTTP/1.1\r\nHost: example.com\r\nCookie: id=7; theme=dark\r\n\r\n";
/// let request = UpgradeRequest::parse(head)?;
/// assert_eq!((request.path(), request.host()), ("/ws", "example.com"));
/// assert_eq!(request.query_value("token").as_deref(), Some("a b"));
/// assert_eq!(request.cookie("id"), Some("7"));
/// # Ok::<(), roadbed_core::transport::websocket::UpgradeError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct UpgradeRequest {
    head: Head,
    path: Span,
    query: Option<Span>,
    host: Span,
    realm: Option<Uri>,
}

/// A head of a request whose target and host nobody has looked at yet.
pub(in crate::transport::websocket) struct RawRequest {
    head: Head,
    parts: RequestParts,
}

impl RawRequest {
    pub(in crate::transport::websocket) fn read(head: &[u8]) -> Result<Self, HeadError> {
        let (head, parts) = Head::request(head)?;
        Ok(Self { head, parts })
    }

    pub(in crate::transport::websocket) fn method(&self) -> &str {
        self.head.text(self.parts.method)
    }

    /// The minor version of HTTP/1.
    pub(in crate::transport::websocket) const fn version(&self) -> u8 {
        self.parts.version
    }

    pub(in crate::transport::websocket) fn parse(self) -> Result<UpgradeRequest, UpgradeError> {
        let Self { head, parts: RequestParts { target, version, .. } } = self;
        let (authority, path, query) = split_target(head.text(target)).ok_or(UpgradeError::Target)?;
        let header = head.single("host").map_err(|()| UpgradeError::Host)?;
        let header = match header.map(str::from_utf8) {
            // Only HTTP/1.1 asks for the header.
            None if version == 0 => "",
            Some(Ok(host)) if is_host(host) => host,
            _ => return Err(UpgradeError::Host),
        };
        // RFC 9112, section 3.2.2: the absolute form of a target overrides the header.
        let host = authority.unwrap_or(header);
        let (path, query, host) = (head.span(path), query.map(|query| head.span(query)), head.span(host));
        Ok(UpgradeRequest { head, path, query, host, realm: None })
    }
}

impl UpgradeRequest {
    /// Reads a whole head: the request line, headers, and the empty line behind them. For transports of one's
    /// own that are reached through HTTP, and for tests; [`WebSocketServerConfig`] says what a server checks
    /// beyond that.
    ///
    /// [`WebSocketServerConfig`]: crate::transport::websocket::WebSocketServerConfig
    ///
    /// # Errors
    /// [`UpgradeError`] `Head`, `Target` or `Host`.
    pub fn parse(head: &[u8]) -> Result<Self, UpgradeError> {
        RawRequest::read(head)?.parse()
    }

    /// Sets [`UpgradeRequest::realm`].
    #[must_use]
    pub fn with_realm(mut self, realm: Option<Uri>) -> Self {
        self.realm = realm;
        self
    }

    /// The path, percent-encoded as it was sent. It begins with a slash.
    pub fn path(&self) -> &str {
        // The absolute form may leave the path out.
        Some(self.head.text(self.path)).filter(|path| !path.is_empty()).unwrap_or("/")
    }

    /// What follows the question mark, percent-encoded as it was sent.
    pub fn query(&self) -> Option<&str> {
        self.query.map(|query| self.head.text(query))
    }

    /// The first value of this name in the query, read as forms are written: `+` is a space, `%41` an A.
    /// `None` when the name is not there, or its value is no UTF-8; broken percent-encodings stay as they are.
    pub fn query_value(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut pairs = self.query()?.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let (_, value) = pairs.find(|(key, _)| decode(key).is_some_and(|key| key == name))?;
        decode(value)
    }

    /// The host that the client means to speak to, with the port if it named one. Empty when it named none.
    pub fn host(&self) -> &str {
        self.head.text(self.host)
    }

    /// Where the page comes from that asks. Only browsers can be trusted to say so, and always do.
    pub fn origin(&self) -> Option<&str> {
        self.header("origin")
    }

    /// The first header of this name, in whatever case, if its value is UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.values(name).next().and_then(|value| str::from_utf8(value).ok())
    }

    /// All headers in their order. Values may hold any bytes but control characters.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.head.fields()
    }

    /// The value of the first cookie of this name. Case counts; quotes around it are left out.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// All cookies, as far as they are UTF-8, in their order.
    pub fn cookies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.head
            .values("cookie")
            .filter_map(|value| str::from_utf8(value).ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| {
                let value = value.trim();
                let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
                (name.trim(), quoted.unwrap_or(value))
            })
    }

    /// The realm that the path leads to, if the server's configuration says so. A router lets the client
    /// join no other.
    pub const fn realm(&self) -> Option<&Uri> {
        self.realm.as_ref()
    }

    pub(in crate::transport::websocket) const fn head(&self) -> &Head {
        &self.head
    }
}

/// Authority, path and query of a target in origin or absolute form (RFC 9112, section 3.2).
fn split_target(target: &str) -> Option<(Option<&str>, &str, Option<&str>)> {
    if !target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return None;
    }
    let (place, query) = match target.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (target, None),
    };
    if place.starts_with('/') {
        return Some((None, place, query));
    }
    let (scheme, rest) = place.split_once("://")?;
    if !["http", "https", "ws", "wss"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    (!authority.is_empty() && is_host(authority)).then_some((Some(authority), path, query))
}

/// Whether this can be a host with or without a port. It may be empty. Which host it is does not matter here.
pub(in crate::transport) fn is_host(host: &str) -> bool {
    host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=:[]".contains(&byte))
}

fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        let digits = match (byte, behind) {
            (b'%', &[high, low, ref behind @ ..]) => hex(high).zip(hex(low)).map(|pair| (pair, behind)),
            _ => None,
        };
        decoded.push(match (digits, byte) {
            (Some(((high, low), behind)), _) => {
                rest = behind;
                high << 4 | low
            }
            (None, b'+') => b' ',
            (None, byte) => byte,
        });
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Without values: cookies, authorization and queries are often as good as passwords.
impl fmt::Debug for UpgradeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers().map(|(name, _)| name).collect();
        f.debug_struct("UpgradeRequest")
            .field("path", &self.path())
            .field("host", &self.host())
            .field("origin", &self.origin())
            .field("realm", &self.realm)
            .field("headers", &names)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use proptest::prelude::*;

    use super::*;

    fn request(target: &str, headers: &str) -> Result<UpgradeRequest, UpgradeError> {
        UpgradeRequest::parse(format!("GET {target} HTTP/1.1\r\n{headers}\r\n").as_bytes())
    }

    #[test]
    fn targets() {
        for (target, expected) in [
            ("/", Some(("/", None, "h:1"))),
            ("/ws?", Some(("/ws", Some(""), "h:1"))),
            ("/a%2Fb?x=?y&/", Some(("/a%2Fb", Some("x=?y&/"), "h:1"))),
            ("http://other:80/ws?x", Some(("/ws", Some("x"), "other:80"))),
            ("HTTPS://other", Some(("/", None, "other"))),
            ("ws://other?x=1", Some(("/", Some("x=1"), "other"))),
            ("//other/ws", Some(("//other/ws", None, "h:1"))),
            ("*", None),
            ("other:443", None),
            ("ftp://other/", None),
            ("http:///ws", None),
            ("http://user@other/", None),
            ("/a#b", None),
            ("ws", None),
        ] {
            let found = request(target, "Host: h:1\r\n");
            let found = found.as_ref().map(|request| (request.path(), request.query(), request.host()));
            assert_eq!(found.ok(), expected, "{target}");
        }
        assert_eq!(request("*", "Host: h\r\n").err(), Some(UpgradeError::Target));
    }

    #[test]
    fn exactly_one_host() {
        for (headers, is_right) in [
            ("Host: example.com\r\n", true),
            ("Host:\r\n", true),
            ("Host: [::1]:8080\r\n", true),
            ("", false),
            ("Host: a\r\nHost: a\r\n", false),
            ("Host: a, b\r\n", false),
            ("Host: a b\r\n", false),
            ("Host: user@a\r\n", false),
            ("Host: a/b\r\n", false),
            ("Host: \u{e4}\r\n", false),
        ] {
            assert_eq!(request("/", headers).err(), (!is_right).then_some(UpgradeError::Host), "{headers:?}");
        }
        assert_eq!(UpgradeRequest::parse(b"GET / HTTP/1.0\r\n\r\n").unwrap().host(), "");
    }

    #[test]
    fn values_of_a_query() {
        let request =
            request("/?a=1&a=2&b&c=x+y%2Bz&%64=%C3%A9&e=%FF&f=%4&g=100%&h==&%FF=1", "Host: h\r\n").unwrap();
        for (name, value) in [
            ("a", Some("1")),
            ("b", Some("")),
            ("c", Some("x y+z")),
            ("d", Some("é")),
            ("e", None),
            ("f", Some("%4")),
            ("g", Some("100%")),
            ("h", Some("=")),
            ("i", None),
        ] {
            assert_eq!(request.query_value(name).as_deref(), value, "{name}");
        }
    }

    #[test]
    fn cookies_of_all_headers() {
        let request =
            request("/", "Host: h\r\nCookie: a=1; b=\"2\";c = 3;;d\r\ncookie: a=4; e=x=y\r\n").unwrap();
        let cookies: Vec<_> = request.cookies().collect();
        assert_eq!(cookies, [("a", "1"), ("b", "2"), ("c", "3"), ("a", "4"), ("e", "x=y")]);
        assert_eq!((request.cookie("a"), request.cookie("A")), (Some("1"), None));
    }

    #[test]
    fn debug_shows_no_secret() {
        let headers = "Host: h\r\nCookie: secret1\r\nAuthorization: secret2\r\nX-Token: secret3\r\n";
        let text = format!("{:?}", request("/ws?secret4", headers).unwrap());
        assert!(text.contains("\"/ws\"") && text.contains("Authorization"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(text in "\\PC{0,20}") {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let decoded = decode(&encoded);
            prop_assert_eq!(decoded.as_deref(), Some(&text[..]));
        }

        #[test]
        fn decoding_takes_whatever_comes(text in "[%0-9A-F+a]{0,20}") {
            if let Some(decoded) = decode(&text) {
                prop_assert!(decoded.len() <= text.len());
            }
        }
    }
}

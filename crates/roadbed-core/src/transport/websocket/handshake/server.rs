//! The end that accepts.

use alloc::string::String;
use alloc::sync::Arc;
use core::str;
use core::time::Duration;

use bytes::{Buf, Bytes, BytesMut};

use super::super::http::{HeadFinder, RawRequest, Response, Status, UpgradeRequest, excerpt};
use super::super::{HeadError, Subprotocol, UpgradeError, WebSocketServerConfig};
use super::{Agreed, DeflateConfig, DeflateParams, accept, extension};
use crate::uri::Uri;

/// What a browser is shown at `/`.
const PAGE: &str = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>WAMP router</title></head>\n\
    <body><h1>WAMP router</h1><p>This is a router for the <a href=\"https://wamp-proto.org\">Web Application \
    Messaging Protocol</a>. Connect to it with a WAMP client over WebSocket.</p></body></html>\n";
/// Bytes of what a client sent that are told in errors.
const MAX_EXCERPT: usize = 128;

/// The handshake of the end that accepts: [`read`](Self::read) until the request is there, then send the answer.
///
/// ```
/// use bytes::BytesMut;
/// use roadbed_core::transport::websocket::{ServerHandshake, ServerStep};
///
/// let mut handshake = ServerHandshake::new(Default::default());
/// let mut input = BytesMut::from("GET /ws HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
///     Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
///     Sec-WebSocket-Protocol: wamp.2.json\r\n\r\nframes");
/// let ServerStep::Upgraded { request, response, .. } = handshake.read(&mut input) else { panic!() };
/// assert_eq!(request.path(), "/ws");
/// assert!(response.starts_with(b"HTTP/1.1 101 "));
/// assert_eq!(input, "frames"); // what follows the head is left
/// ```
#[derive(Debug)]
pub struct ServerHandshake {
    config: Arc<WebSocketServerConfig>,
    is_secure: bool,
    finder: HeadFinder,
}

/// What follows from the bytes read.
#[derive(Debug)]
pub enum ServerStep {
    /// The head is not whole: read on.
    More,
    /// Send the response; frames follow.
    Upgraded {
        /// What both ends agreed on.
        agreed: Agreed,
        /// The request, for authentication.
        request: Arc<UpgradeRequest>,
        /// The answer to send.
        response: Bytes,
    },
    /// Send the response and close.
    Answered {
        /// The answer to send.
        response: Bytes,
        /// What was wrong; `None` when somebody only looked at the page.
        error: Option<UpgradeError>,
    },
}

/// A request that was in order.
struct Accepted {
    agreed: Agreed,
    realm: Option<Uri>,
    response: Bytes,
}

impl ServerHandshake {
    /// A handshake with these settings.
    pub fn new(config: Arc<WebSocketServerConfig>) -> Self {
        Self { config, is_secure: false, finder: HeadFinder::default() }
    }

    /// Whether the transport below is TLS; it decides what the own origin is. Default: no.
    pub fn set_secure(&mut self, is_secure: bool) {
        self.is_secure = is_secure;
    }

    /// The answer for a connection that is not wanted now: 503, to be tried again after so long. It can be sent
    /// without reading the request; `why` is told to the client.
    pub fn refuse(why: &str, retry_after: Duration) -> Bytes {
        let body = [why, "\n"].concat();
        Response::text(Status::Unavailable, body).retry_after(retry_after.as_secs().max(1)).encode()
    }

    /// The answer for a connection on which there is no WebSocket to be had, whatever the request says.
    pub(crate) fn turn_away(error: &UpgradeError) -> Bytes {
        Response::text(status(error), [&*reply(error), "\n"].concat()).encode()
    }

    /// Reads the request. Pass the same buffer every time, only appended to. The head is consumed, and
    /// nothing behind it. After anything but [`ServerStep::More`] the handshake is over.
    pub fn read(&mut self, input: &mut BytesMut) -> ServerStep {
        // Whoever speaks something else may never end a line, and would wait as long as it is let.
        if let Some(error) = not_http(input) {
            return self.refused(error, false);
        }
        let len = match self.finder.find(input) {
            Ok(Some(len)) => len,
            Ok(None) => return ServerStep::More,
            Err(error) => return self.refused(error.into(), false),
        };
        let read = RawRequest::read(input.get(..len).unwrap_or_default());
        input.advance(len);
        let raw = match read {
            Ok(raw) => raw,
            Err(error) => return self.refused(error.into(), false),
        };
        let (is_head, version) = match raw.method() {
            "GET" => (false, raw.version()),
            "HEAD" => (true, raw.version()),
            method => {
                let method = excerpt(method.as_bytes(), MAX_EXCERPT);
                return self.refused(UpgradeError::Method { method }, false);
            }
        };
        let request = match raw.parse() {
            Ok(request) => request,
            Err(error) => return self.refused(error, is_head),
        };
        match self.accept(&request, is_head, version) {
            Ok(Some(Accepted { agreed, realm, response })) => {
                ServerStep::Upgraded { agreed, request: Arc::new(request.with_realm(realm)), response }
            }
            Ok(None) => {
                let response = Response::html(PAGE).bodiless(is_head).encode();
                ServerStep::Answered { response, error: None }
            }
            Err(error) => self.refused(error, is_head),
        }
    }

    /// `None` is for those who only look. HEAD does, whatever else it asks for.
    fn accept(
        &self,
        request: &UpgradeRequest,
        is_head: bool,
        version: u8,
    ) -> Result<Option<Accepted>, UpgradeError> {
        let head = request.head();
        let rule = self.config.paths.iter().find(|rule| rule.path == request.path());
        if is_head || !head.has_element("upgrade", "websocket") {
            return match request.path() {
                "/" => Ok(None),
                _ if rule.is_some() => Err(UpgradeError::NoUpgrade),
                path => Err(UpgradeError::Path { path: excerpt(path.as_bytes(), MAX_EXCERPT) }),
            };
        }
        let wrong = |what| UpgradeError::Request { what };
        if version == 0 {
            return Err(wrong("its version is HTTP/1.0"));
        }
        if !head.has_element("connection", "upgrade") {
            return Err(wrong("Connection does not name upgrade"));
        }
        // The bytes behind the head are frames, so it must not announce others.
        if head.values("transfer-encoding").next().is_some()
            || head.values("content-length").any(|length| length != b"0")
        {
            return Err(wrong("it has a body"));
        }
        if head.single("sec-websocket-version") != Ok(Some(b"13")) {
            return Err(UpgradeError::Version);
        }
        let key = head.single("sec-websocket-key").ok().flatten().filter(|key| accept::is_key(key));
        let key = key.ok_or(UpgradeError::Key)?;
        if rule.is_none() && !self.config.paths.is_empty() {
            return Err(UpgradeError::Path { path: excerpt(request.path().as_bytes(), MAX_EXCERPT) });
        }
        self.check_origin(request)?;
        let subprotocol = self.subprotocol(request)?;
        let deflate = extension::accept(head.values("sec-websocket-extensions"), self.deflate())?;
        let response = upgraded(&accept::accept(key), subprotocol, deflate.as_ref());
        let agreed = Agreed { subprotocol, deflate: deflate.map(|(params, _)| params) };
        Ok(Some(Accepted { agreed, realm: rule.and_then(|rule| rule.realm.clone()), response }))
    }

    fn check_origin(&self, request: &UpgradeRequest) -> Result<(), UpgradeError> {
        let is_secure = self.is_secure || self.config.behind_tls;
        let admits = |origin: &str| self.config.origins.admits(origin, request.host(), is_secure);
        match request.head().single("origin") {
            Ok(None) => Ok(()),
            Ok(Some(origin)) if str::from_utf8(origin).is_ok_and(admits) => Ok(()),
            Ok(Some(origin)) => Err(UpgradeError::Origin { origin: excerpt(origin, MAX_EXCERPT) }),
            Err(()) => Err(UpgradeError::Request { what: "Origin is there twice" }),
        }
    }

    /// The first of the client's subprotocols that is on offer.
    fn subprotocol(&self, request: &UpgradeRequest) -> Result<Option<Subprotocol>, UpgradeError> {
        let offered = &*self.config.subprotocols;
        if offered.is_empty() {
            return Ok(None);
        }
        let find = |name: &[u8]| offered.iter().find(|subprotocol| subprotocol.name().as_bytes() == name);
        match request.head().elements("sec-websocket-protocol").find_map(find) {
            Some(&subprotocol) => Ok(Some(subprotocol)),
            None => {
                let requested = request.head().values("sec-websocket-protocol").next().unwrap_or_default();
                let requested = excerpt(requested, MAX_EXCERPT);
                Err(UpgradeError::NoCommonSubprotocol { requested })
            }
        }
    }

    fn deflate(&self) -> Option<&DeflateConfig> {
        #[cfg(feature = "deflate")]
        return self.config.deflate.as_ref();
        #[cfg(not(feature = "deflate"))]
        None
    }

    fn refused(&self, error: UpgradeError, is_bodiless: bool) -> ServerStep {
        let mut text = match &error {
            UpgradeError::NoCommonSubprotocol { .. } => self.offered(),
            other => reply(other),
        };
        text.push('\n');
        let response = Response::text(status(&error), text).bodiless(is_bodiless).encode();
        ServerStep::Answered { response, error: Some(error) }
    }

    fn offered(&self) -> String {
        let mut text = String::from("None of the subprotocols asked for is spoken here. On offer are");
        for (number, subprotocol) in self.config.subprotocols.iter().enumerate() {
            text.extend([if number == 0 { " " } else { ", " }, subprotocol.name()]);
        }
        text.push('.');
        text
    }
}

fn status(error: &UpgradeError) -> Status {
    Status::from_code(error.status().unwrap_or(400))
}

/// What the client is told. Of what it sent nothing is told back: a proxy in between might take it for something else.
fn reply(error: &UpgradeError) -> String {
    let text = match error {
        UpgradeError::NoUpgrade => "Connect here with a WAMP client over WebSocket.",
        UpgradeError::Path { .. } => "Nothing is found at this path.",
        UpgradeError::Method { .. } => "Only GET and HEAD are understood here.",
        UpgradeError::Origin { .. } => "Pages of this origin are not allowed to connect.",
        UpgradeError::Version => "Only version 13 of WebSocket is spoken here.",
        UpgradeError::Tls => "This port does not speak TLS: connect with ws:// or rs://.",
        UpgradeError::NoTls => "This port speaks TLS only: connect with wss:// or https://.",
        UpgradeError::NoHttp => "This port speaks RawSocket only: connect with rs://.",
        other => return alloc::format!("{other}."),
    };
    text.into()
}

/// A request begins with a letter, or with an empty line that does not count (RFC 9112, section 2.2).
fn not_http(input: &[u8]) -> Option<UpgradeError> {
    match input.first()? {
        0x16 => Some(UpgradeError::Tls),
        octet if octet.is_ascii_alphabetic() || *octet == b'\r' => None,
        _ => Some(HeadError::Malformed { what: "the first line" }.into()),
    }
}

fn upgraded(
    accept: &str,
    subprotocol: Option<Subprotocol>,
    deflate: Option<&(DeflateParams, String)>,
) -> Bytes {
    let mut response = String::from(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ",
    );
    response.push_str(accept);
    if let Some(subprotocol) = subprotocol {
        response.extend(["\r\nSec-WebSocket-Protocol: ", subprotocol.name()]);
    }
    if let Some((_, answer)) = deflate {
        response.extend(["\r\nSec-WebSocket-Extensions: ", answer]);
    }
    response.push_str("\r\n\r\n");
    Bytes::from(response)
}

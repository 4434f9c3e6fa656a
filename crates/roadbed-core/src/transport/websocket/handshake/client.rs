//! The end that connects.

use alloc::string::String;
use alloc::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use bytestring::ByteString;

use super::super::http::{Head, HeadFinder, StatusLine, check_answer, excerpt};
use super::super::{Subprotocol, UpgradeError, WebSocketClientConfig};
use super::{Agreed, DeflateConfig, accept, extension};

/// Bytes of the body of a refusal that are told.
const MAX_TEXT: usize = 256;
/// Answers that only announce the real one (status 100 to 199, but 101) before a client gives up.
const MAX_INTERIM: u8 = 4;
const MAX_SUBPROTOCOL: usize = 64;

/// The handshake of the end that connects: its request, then [`read`](Self::read) until the answer is there.
///
/// ```
/// use bytes::BytesMut;
/// use roadbed_core::serializer::Serializer;
/// use roadbed_core::transport::websocket::{ClientHandshake, WebSocketClientConfig};
///
/// let config = WebSocketClientConfig::new("example.com", "/ws")?;
/// let mut handshake = ClientHandshake::new(&config, *b"the sample nonce");
/// assert!(handshake.request().starts_with(b"GET /ws HTTP/1.1\r\nHost: example.com\r\n"));
///
/// let mut input = BytesMut::from("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
///     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: wamp.2.cbor\r\n\r\n");
/// let agreed = handshake.read(&mut input)?.unwrap();
/// assert_eq!(agreed.subprotocol.unwrap().serializer, Serializer::Cbor);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ClientHandshake {
    request: Bytes,
    accept: String,
    subprotocols: Arc<[Subprotocol]>,
    deflate: Option<DeflateConfig>,
    finder: HeadFinder,
    interim: u8,
}

impl ClientHandshake {
    /// A handshake with these settings. The nonce is random; it keeps caches in between from answering.
    pub fn new(config: &WebSocketClientConfig, nonce: [u8; 16]) -> Self {
        #[cfg(feature = "deflate")]
        let deflate = config.deflate;
        #[cfg(not(feature = "deflate"))]
        let deflate = None;
        let key = accept::key(&nonce);
        Self {
            request: write_request(config, &key, deflate.as_ref()),
            accept: accept::accept(key.as_bytes()),
            subprotocols: config.subprotocols.clone(),
            deflate,
            finder: HeadFinder::default(),
            interim: 0,
        }
    }

    /// The request to send, before anything else.
    pub fn request(&self) -> Bytes {
        self.request.clone()
    }

    /// Reads the answer: `None` while it is not whole. Pass the same buffer every time, only appended to. The
    /// head of the answer is consumed, and nothing behind it.
    ///
    /// # Errors
    /// [`UpgradeError`]: `Head`, `Refused`, `Answer`, `SubprotocolMismatch`, `NoSubprotocol`, `Extensions`,
    /// `ExtensionMismatch`. Nothing can be done with the connection then.
    pub fn read(&mut self, input: &mut BytesMut) -> Result<Option<Agreed>, UpgradeError> {
        loop {
            check_answer(input)?;
            let Some(len) = self.finder.find(input)? else { return Ok(None) };
            self.finder = HeadFinder::default();
            let (head, line) = Head::response(input.get(..len).unwrap_or_default())?;
            input.advance(len);
            match line.status {
                101 => return self.check(&head, &line).map(Some),
                100..200 if self.interim < MAX_INTERIM => self.interim = self.interim.saturating_add(1),
                _ => {
                    let text = excerpt(input, MAX_TEXT);
                    return Err(UpgradeError::Refused { status: line.status, reason: line.reason, text });
                }
            }
        }
    }

    fn check(&self, head: &Head, line: &StatusLine) -> Result<Agreed, UpgradeError> {
        let wrong = |what| UpgradeError::Answer { what };
        if line.version == 0 {
            return Err(wrong("its version is HTTP/1.0"));
        }
        if !head.has_element("upgrade", "websocket") {
            return Err(wrong("Upgrade does not name websocket"));
        }
        if !head.has_element("connection", "upgrade") {
            return Err(wrong("Connection does not name upgrade"));
        }
        if head.single("sec-websocket-accept") != Ok(Some(self.accept.as_bytes())) {
            return Err(wrong("Sec-WebSocket-Accept does not fit the key"));
        }
        let deflate = extension::read_answer(head.values("sec-websocket-extensions"), self.deflate.as_ref())?;
        Ok(Agreed { subprotocol: self.subprotocol(head)?, deflate })
    }

    fn subprotocol(&self, head: &Head) -> Result<Option<Subprotocol>, UpgradeError> {
        let Ok(answered) = head.single("sec-websocket-protocol") else {
            return Err(UpgradeError::Answer { what: "Sec-WebSocket-Protocol is there twice" });
        };
        let Some(answered) = answered else {
            return if self.subprotocols.is_empty() { Ok(None) } else { Err(UpgradeError::NoSubprotocol) };
        };
        let mut asked = self.subprotocols.iter().copied();
        match asked.find(|subprotocol| subprotocol.name().as_bytes() == answered) {
            Some(subprotocol) => Ok(Some(subprotocol)),
            None => Err(UpgradeError::SubprotocolMismatch { answered: excerpt(answered, MAX_SUBPROTOCOL) }),
        }
    }
}

impl core::fmt::Debug for ClientHandshake {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ClientHandshake").field("subprotocols", &self.subprotocols).finish_non_exhaustive()
    }
}

fn write_request(config: &WebSocketClientConfig, key: &str, deflate: Option<&DeflateConfig>) -> Bytes {
    let mut request = String::new();
    let mut push = |parts: &[&str]| request.extend(parts.iter().copied());
    push(&["GET ", &config.target, " HTTP/1.1\r\nHost: ", &config.host, "\r\n"]);
    push(&["Upgrade: websocket\r\nConnection: Upgrade\r\n"]);
    push(&["Sec-WebSocket-Key: ", key, "\r\nSec-WebSocket-Version: 13\r\n"]);
    for (number, subprotocol) in config.subprotocols.iter().enumerate() {
        push(&[if number == 0 { "Sec-WebSocket-Protocol: " } else { ", " }, subprotocol.name()]);
    }
    if !config.subprotocols.is_empty() {
        push(&["\r\n"]);
    }
    if let Some(deflate) = deflate {
        push(&["Sec-WebSocket-Extensions: ", &extension::offer(deflate), "\r\n"]);
    }
    let origin = config.origin.iter().map(|origin| (ByteString::from_static("Origin"), origin.clone()));
    for (name, value) in origin.chain(config.headers.iter().cloned()) {
        push(&[&name, ": ", &value, "\r\n"]);
    }
    push(&["\r\n"]);
    Bytes::from(request)
}

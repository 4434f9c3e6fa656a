//! The end that connects.

use alloc::string::String;
use alloc::sync::Arc;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

use super::super::http::{Answer, AnswerReader, Head, StatusLine, excerpt};
use super::super::{HeadError, Subprotocol, UpgradeError, WebSocketClientConfig};
use super::{Agreed, DeflateConfig, accept, extension};
use crate::time::Timestamp;

const MAX_SUBPROTOCOL: usize = 64;

/// The handshake of the end that connects: its request, then [`read`](Self::read) until the answer is there.
///
/// ```
/// use bytes::BytesMut;
/// use roadbed_core::serializer::Serializer;
/// use roadbed_core::time::Timestamp;
/// use roadbed_core::transport::websocket::{ClientHandshake, WebSocketClientConfig};
///
/// let config = WebSocketClientConfig::new("example.com", "/ws")?;
/// let mut handshake = ClientHandshake::new(&config, *b"the sample nonce");
/// assert!(handshake.request().starts_with(b"GET /ws HTTP/1.1\r\nHost: example.com\r\n"));
///
/// let mut input = BytesMut::from("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
///     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: wamp.2.cbor\r\n\r\n");
/// let agreed = handshake.read(Timestamp::ZERO, &mut input)?.unwrap();
/// assert_eq!(agreed.subprotocol.unwrap().serializer, Serializer::Cbor);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ClientHandshake {
    request: Bytes,
    accept: String,
    subprotocols: Arc<[Subprotocol]>,
    deflate: Option<DeflateConfig>,
    answer: AnswerReader,
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
            answer: AnswerReader::default(),
        }
    }

    /// The request to send, before anything else.
    pub fn request(&self) -> Bytes {
        self.request.clone()
    }

    /// Reads the answer: `None` while it is not whole. Pass the same buffer every time, only appended to. The
    /// head of the answer is consumed, and of what follows an upgrade nothing. The text of a refusal is waited for,
    /// until [`poll_timeout`](Self::poll_timeout) or the end of the stream.
    ///
    /// # Errors
    /// [`UpgradeError`]: `Head`, `Refused`, `Answer`, `WantsTls`, `SubprotocolMismatch`, `NoSubprotocol`,
    /// `Extensions`, `ExtensionMismatch`. Nothing can be done with the connection then.
    pub fn read(&mut self, now: Timestamp, input: &mut BytesMut) -> Result<Option<Agreed>, UpgradeError> {
        match self.answer.read(now, input, |status| status == 101) {
            Ok(Answer::More) => Ok(None),
            Ok(Answer::Wanted(head, line)) => self.check(&head, &line).map(Some),
            Ok(Answer::Refused(refusal)) => Err(UpgradeError::Refused(refusal)),
            Err(HeadError::Tls) => Err(UpgradeError::WantsTls),
            Err(error) => Err(error.into()),
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout): while the text of a refusal is waited for.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.answer.poll_timeout()
    }

    /// The refusal, when its text has been waited for long enough.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Option<UpgradeError> {
        self.answer.handle_timeout(now).map(UpgradeError::Refused)
    }

    /// The refusal whose text is waited for, with as much of it as there is: nothing more comes.
    pub fn give_up(&mut self) -> Option<UpgradeError> {
        self.answer.give_up().map(UpgradeError::Refused)
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

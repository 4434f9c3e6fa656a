//! Streams, made and read without the code under test, but for what compresses: that is tried against
//! others elsewhere.

use bytes::{Bytes, BytesMut};
use roadbed_core::limits::Limits;
use roadbed_core::message::Message;
use roadbed_core::serializer::{Encoded, Serializer};
use roadbed_core::time::Timestamp;
use roadbed_core::transport::websocket::{
    DeflateParams, MessageEvent, MessageKind, MessageStream, MessageStreamConfig, ServerHandshake,
    ServerStep, WebSocketServerConfig,
};
use roadbed_testkit::Carrier;

use crate::wire::{list, text};

/// What the clients of these streams mask with.
const KEY: [u8; 4] = [0xA5, 0x00, 0x5A, 0xFF];

/// The message that `json` is.
///
/// # Panics
/// When it is none.
#[track_caller]
pub fn message(json: &str) -> Message {
    let message = Serializer::Json.decode(&Bytes::copy_from_slice(json.as_bytes()), &Limits::default());
    message.unwrap_or_else(|violation| panic!("{json}: {violation}"))
}

/// The handshake of either end of a RawSocket: messages up to 16 MiB, in this serializer.
pub fn handshake(serializer: Serializer) -> Vec<u8> {
    Framing::rawsocket(serializer).request()
}

/// A RawSocket frame with the message that `json` is, carried over to `serializer`.
#[track_caller]
pub fn frame(serializer: Serializer, json: &str) -> Vec<u8> {
    Framing::rawsocket(serializer).message(json)
}

/// How one end of a connection writes.
#[derive(Clone, Copy, Debug)]
pub struct Framing {
    /// What it speaks.
    pub carrier: Carrier,
    /// In which serializer.
    pub serializer: Serializer,
    /// Whether it is the client: on WebSocket it masks.
    pub is_client: bool,
}

impl Framing {
    /// Either end of a RawSocket.
    pub const fn rawsocket(serializer: Serializer) -> Self {
        Self { carrier: Carrier::RawSocket, serializer, is_client: true }
    }

    /// What a client says first. Messages up to 16 MiB are welcome.
    pub fn request(self) -> Vec<u8> {
        if !self.carrier.is_websocket() {
            return vec![0x7F, 0xF0 | self.serializer.rawsocket_id(), 0, 0];
        }
        let extensions = match self.carrier.is_compressed() {
            true => "Sec-WebSocket-Extensions: permessage-deflate\r\n",
            false => "",
        };
        let subprotocol = self.carrier.subprotocol(self.serializer).name();
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: router.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{extensions}\
             Sec-WebSocket-Protocol: {subprotocol}\r\n\r\n"
        );
        request.into_bytes()
    }

    /// What a server answers to a request: the same on RawSocket, whatever was asked.
    ///
    /// # Panics
    /// When the request is none that is let in.
    pub fn answer(self, request: &[u8]) -> Vec<u8> {
        if !self.carrier.is_websocket() {
            return self.request();
        }
        let mut config = WebSocketServerConfig::default();
        if self.carrier.is_compressed() {
            config = config.deflate(Default::default());
        }
        let mut handshake = ServerHandshake::new(config.into());
        match handshake.read(&mut BytesMut::from(request)) {
            ServerStep::Upgraded { response, .. } => response.to_vec(),
            other => panic!("{}: {other:?}", request.escape_ascii()),
        }
    }

    /// The message that `json` is, carried over to the serializer.
    #[track_caller]
    pub fn message(self, json: &str) -> Vec<u8> {
        let mut body = BytesMut::new();
        match self.serializer.encode(&message(json), &mut body) {
            Ok(()) => self.body(&body),
            Err(error) => panic!("{json}: {error}"),
        }
    }

    /// A message of a type that is not known.
    pub fn unknown(self, message_type: u64) -> Vec<u8> {
        self.body(&list([message_type.into(), text("from the future")]).encode(self.serializer))
    }

    /// A message with any body; in batched mode, in a batch of its own.
    pub fn body(self, body: &[u8]) -> Vec<u8> {
        self.bodies(&[body])
    }

    /// Messages with any bodies: in one batch, or one by one where there are none.
    pub fn bodies(self, bodies: &[&[u8]]) -> Vec<u8> {
        if !self.carrier.is_batched() {
            return bodies.iter().flat_map(|body| self.data(body)).collect();
        }
        let records = bodies.iter().flat_map(|body| match self.serializer {
            Serializer::Json => [*body, &[0x1E][..]].concat(),
            _ => [&u32::try_from(body.len()).expect("a short message").to_be_bytes()[..], *body].concat(),
        });
        self.data(&records.collect::<Vec<u8>>())
    }

    fn data(self, body: &[u8]) -> Vec<u8> {
        if !self.carrier.is_websocket() {
            return self.frame(0, body);
        }
        let (first, kind) = match self.serializer {
            Serializer::Json => (0x81, MessageKind::Text),
            _ => (0x82, MessageKind::Binary),
        };
        if !self.carrier.is_compressed() {
            return self.frame(first, body);
        }
        // One who has said nothing before refers to nothing, so such a frame may stand anywhere.
        let mut writer = self.stream(self.is_client);
        writer.send(Timestamp::ZERO, kind, &Encoded::from(Bytes::copy_from_slice(body))).expect("it is open");
        std::iter::from_fn(|| writer.poll_transmit()).flatten().collect()
    }

    /// A PING.
    pub fn ping(self, body: &[u8]) -> Vec<u8> {
        self.frame(if self.carrier.is_websocket() { 0x89 } else { 1 }, body)
    }

    /// A Close frame with this code; on RawSocket, nothing.
    pub fn close(self, code: u16) -> Vec<u8> {
        if self.carrier.is_websocket() { self.frame(0x88, &code.to_be_bytes()) } else { Vec::new() }
    }

    /// Any frame that begins with this octet.
    pub fn frame(self, first: u8, body: &[u8]) -> Vec<u8> {
        if !self.carrier.is_websocket() {
            let mut frame = u32::try_from(body.len()).expect("a short frame").to_be_bytes().to_vec();
            frame[0] = first;
            frame.extend_from_slice(body);
            return frame;
        }
        let mask = if self.is_client { 0x80 } else { 0 };
        let length = (body.len() as u64).to_be_bytes();
        let mut frame = match body.len() {
            0..126 => vec![first, mask | length[7]],
            126..65_536 => [&[first, mask | 126], &length[6..]].concat(),
            _ => [&[first, mask | 127], &length[..]].concat(),
        };
        if self.is_client {
            frame.extend_from_slice(&KEY);
            frame.extend(body.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
        } else {
            frame.extend_from_slice(body);
        }
        frame
    }

    fn stream(self, is_client: bool) -> MessageStream {
        let deflate = self.carrier.is_compressed().then(DeflateParams::default);
        let config = MessageStreamConfig::default().max_receive(16 << 20).deflate(deflate).compress_from(1);
        match is_client {
            true => MessageStream::client(&config, [5; 32], Timestamp::ZERO),
            false => MessageStream::server(&config, Timestamp::ZERO),
        }
    }
}

/// What an end wrote, sorted by kind. PONGs may overtake messages, so how the two kinds are mixed depends on
/// when output is fetched, as it does which messages share a batch; within a kind the order does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The handshake.
    pub handshake: Vec<u8>,
    /// The bodies of messages, as text with escapes.
    pub messages: Vec<String>,
    /// Type and body of the other frames.
    pub control: Vec<(u8, Vec<u8>)>,
    /// What is left of a frame that was cut off.
    pub rest: Vec<u8>,
}

impl Written {
    /// Sorts a stream that begins with a handshake, and was written in this way.
    pub fn parse(stream: &[u8], framing: Framing) -> Self {
        match framing.carrier {
            Carrier::RawSocket => Self::rawsocket(stream),
            _ => Self::websocket(stream, framing),
        }
    }

    fn rawsocket(stream: &[u8]) -> Self {
        let (handshake, mut rest) = stream.split_at(stream.len().min(4));
        let mut written = Self { handshake: handshake.to_vec(), ..Self::default() };
        while let Some(([kind, length @ ..], body)) = rest.split_first_chunk::<4>() {
            let length = length.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
            let Some((body, after)) = body.split_at_checked(length) else { break };
            match kind {
                0 => written.messages.push(body.escape_ascii().to_string()),
                kind => written.control.push((*kind, body.to_vec())),
            }
            rest = after;
        }
        written.rest = rest.to_vec();
        written
    }

    fn websocket(stream: &[u8], framing: Framing) -> Self {
        let head = stream.windows(4).position(|end| end == b"\r\n\r\n").map_or(stream.len(), |at| at + 4);
        let (handshake, mut rest) = stream.split_at(head);
        let mut written = Self { handshake: handshake.to_vec(), ..Self::default() };
        let mut reader = framing.stream(!framing.is_client);
        while let Some((frame, mut body)) = split_frame(rest) {
            rest = &rest[frame.len()..];
            if frame[0] & 0x08 != 0 {
                let key = if framing.is_client { &frame[2..6] } else { &[0; 4] };
                body.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
                written.control.push((frame[0], body));
                continue;
            }
            reader.handle_input(Timestamp::ZERO, &mut BytesMut::from(frame));
            match reader.poll_event() {
                Some(MessageEvent::Message { body, .. }) if framing.carrier.is_batched() => {
                    written.messages.extend(split_batch(&body, framing.serializer));
                }
                Some(MessageEvent::Message { body, .. }) => {
                    written.messages.push(body.escape_ascii().to_string());
                }
                other => panic!("{}: {other:?}", frame.escape_ascii()),
            }
        }
        written.rest = rest.to_vec();
        written
    }
}

/// The first frame, whole, and its body, which may be masked.
fn split_frame(stream: &[u8]) -> Option<(&[u8], Vec<u8>)> {
    let second = *stream.get(1)?;
    let number = |bytes: &[u8]| bytes.iter().fold(0_usize, |number, byte| number << 8 | usize::from(*byte));
    let (size, length) = match second & 0x7F {
        126 => (4, number(stream.get(2..4)?)),
        127 => (10, number(stream.get(2..10)?)),
        length => (2, usize::from(length)),
    };
    let start = size + if second & 0x80 != 0 { 4 } else { 0 };
    let body = stream.get(start..start + length)?.to_vec();
    Some((&stream[..start + length], body))
}

fn split_batch(batch: &[u8], serializer: Serializer) -> Vec<String> {
    if serializer == Serializer::Json {
        let records = batch.strip_suffix(&[0x1E]).expect("a record ends");
        return records.split(|byte| *byte == 0x1E).map(|body| body.escape_ascii().to_string()).collect();
    }
    let (mut rest, mut bodies) = (batch, Vec::new());
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let (body, behind) = behind.split_at(u32::from_be_bytes(*length) as usize);
        bodies.push(body.escape_ascii().to_string());
        rest = behind;
    }
    bodies
}

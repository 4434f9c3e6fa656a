//! WebSocket frames, both ends, through [`MessageStream`].
//!
//! * How a stream is cut into reads changes neither the messages nor the Close frame.
//! * No message exceeds the limit, compressed or not.
//! * What one of our ends sends, the other gets; what of it was damaged on the way ends in an error or in
//!   a message, within the limit.
//! * tungstenite makes the same of the same frames.

use std::io::{Cursor, Read, Write};

use bytes::{Bytes, BytesMut};
use roadbed_core::serializer::Encoded;
use roadbed_core::time::Timestamp;
use roadbed_core::transport::websocket::{
    DeflateParams, MessageEvent, MessageKind, MessageStream, MessageStreamConfig,
};
use roadbed_core::transport::{TransportClose, TransportRole};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, WebSocket};

use crate::check_text;
use crate::source::Source;

const NOW: Timestamp = Timestamp::ZERO;
const KEY: [u8; 4] = [0x5A, 0x00, 0xC7, 0x81];
/// Undelivered events of one call: the bound of the stream, and `Closed`.
const MAX_EVENTS: usize = 65;

/// Frames of a server, read by a client.
pub fn websocket_client(data: &[u8]) {
    frames(TransportRole::Client, data);
}

/// Frames of a client, read by a server.
pub fn websocket_server(data: &[u8]) {
    frames(TransportRole::Server, data);
}

fn make(role: TransportRole, config: &MessageStreamConfig) -> MessageStream {
    match role {
        TransportRole::Client => MessageStream::client(config, [7; 32], NOW),
        TransportRole::Server => MessageStream::server(config, NOW),
    }
}

fn params(source: &mut Source<'_>) -> DeflateParams {
    let (flags, bits) = (source.byte(), source.byte());
    DeflateParams {
        client_no_context_takeover: flags & 1 == 1,
        server_no_context_takeover: flags & 2 == 2,
        client_max_window_bits: 9 + bits % 7,
        server_max_window_bits: 9 + bits / 7 % 7,
    }
}

fn frames(role: TransportRole, data: &[u8]) {
    let mut source = Source::new(data);
    let limit = source.choose(&[1 << 20, 16, 600]);
    let mut config = MessageStreamConfig::default().max_receive(limit);
    if source.flag() {
        config = config.deflate(Some(params(&mut source)));
    }
    let is_raw = source.flag();
    let cuts = source.bytes(8).to_vec();
    let stream = if is_raw { source.rest().to_vec() } else { build(role, &mut source, false) };
    let whole = read(make(role, &config), limit, &stream, &[]);
    assert_eq!(read(make(role, &config), limit, &stream, &cuts), whole, "cut into pieces of {cuts:?} octets");
    assert_eq!(read(make(role, &config), limit, &stream, &[0]), whole, "octet by octet");
}

/// Frames from decisions: first octets and payloads. `role` is the end that reads them. Those that are `mild`
/// have only Close frames with codes that may be sent.
pub(crate) fn build(role: TransportRole, source: &mut Source<'_>, is_mild: bool) -> Vec<u8> {
    let mut stream = Vec::new();
    while !source.is_empty() {
        let mut first =
            source.choose(&[0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8A, 0x88, 0xC1, 0x42, 0xFF]);
        if first == 0xFF {
            first = source.byte();
        }
        let mut body = source.bytes(200).to_vec();
        if is_mild && first & 0x0F == 8 {
            body = [1000_u16, 1001, 1011, 3000, 4999][body.len() % 5].to_be_bytes().to_vec();
        }
        frame(role, first, &body, &mut stream);
    }
    stream
}

fn frame(reader: TransportRole, first: u8, body: &[u8], out: &mut Vec<u8>) {
    let masked = if reader == TransportRole::Server { 0x80 } else { 0 };
    out.push(first);
    match u8::try_from(body.len()) {
        Ok(short @ ..=125) => out.push(masked | short),
        _ => {
            out.push(masked | 126);
            out.extend(u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    if masked == 0 {
        return out.extend(body);
    }
    out.extend(KEY);
    out.extend(body.iter().zip(KEY.iter().cycle()).map(|(octet, key)| octet ^ key));
}

/// What a stream makes of bytes in pieces of so many octets, one more than given, in turn, and of their end;
/// and what it says last: its Close frame, if it sends one. How many PONGs there are depends on the pieces.
fn read(
    mut stream: MessageStream,
    limit: usize,
    bytes: &[u8],
    cuts: &[u8],
) -> (Vec<MessageEvent>, Option<Vec<u8>>) {
    let (mut events, mut sent, mut input) = (vec![], vec![], BytesMut::new());
    let mut rest = bytes;
    for turn in 0.. {
        let len = cuts.get(turn % cuts.len().max(1)).map_or(rest.len(), |&cut| usize::from(cut) + 1);
        let (piece, behind) = rest.split_at(len.min(rest.len()));
        rest = behind;
        input.extend_from_slice(piece);
        loop {
            stream.handle_input(NOW, &mut input);
            let has_stalled = !stream.wants_input();
            let before = events.len();
            drain(&mut stream, limit, &mut events, &mut sent);
            assert!(events.len() - before <= MAX_EVENTS, "{} events of one call", events.len() - before);
            if !has_stalled || is_closed(&events) {
                break;
            }
        }
        let hint = stream.input_hint();
        assert!(hint >= 1 && hint <= (64 << 10).max(2 * input.len()), "a hint of {hint}");
        assert!(input.len() <= limit.max(125) + 14, "{} bytes are left", input.len());
        if rest.is_empty() {
            break;
        }
    }
    stream.handle_eof(NOW);
    stream.close(NOW, 1000, "");
    drain(&mut stream, limit, &mut events, &mut sent);
    assert!(is_closed(&events) && !stream.wants_input() && !stream.is_open() && !stream.is_closing());
    assert!(stream.poll_timeout().is_none() && stream.queued() == 0);
    let close = last_frame(&sent).filter(|(first, _)| *first == 0x88).map(|(_, body)| body);
    (events, close)
}

fn drain(stream: &mut MessageStream, limit: usize, events: &mut Vec<MessageEvent>, sent: &mut Vec<u8>) {
    while let Some(event) = stream.poll_event() {
        assert!(!is_closed(events), "{event:?} after Closed");
        match &event {
            MessageEvent::Message { kind, body } => {
                assert!(body.len() <= limit);
                assert!(*kind == MessageKind::Binary || std::str::from_utf8(body).is_ok());
            }
            MessageEvent::Closed { reason: TransportClose::Failed(error) } => check_text(error),
            _ => {}
        }
        events.push(event);
    }
    while let Some(bytes) = stream.poll_transmit() {
        assert!(!bytes.is_empty(), "an empty write");
        sent.extend_from_slice(&bytes);
    }
}

fn is_closed(events: &[MessageEvent]) -> bool {
    matches!(events.last(), Some(MessageEvent::Closed { .. }))
}

/// Walks over control frames; only those are sent here.
fn last_frame(mut sent: &[u8]) -> Option<(u8, Vec<u8>)> {
    let mut last = None;
    while let [first, second, rest @ ..] = sent {
        let (key, rest) = match rest.split_first_chunk::<4>() {
            Some((key, rest)) if second & 0x80 != 0 => (*key, rest),
            _ => ([0; 4], rest),
        };
        let (body, rest) = rest.split_at(usize::from(second & 0x7F));
        let body = body.iter().zip(key.iter().cycle()).map(|(octet, key)| octet ^ key).collect();
        last = Some((*first, body));
        sent = rest;
    }
    last
}

/// Compressed messages, from one of our ends to the other: whole, and damaged.
pub fn websocket_deflate(data: &[u8]) {
    let mut source = Source::new(data);
    let limit = source.choose(&[1 << 20, 64, 1000]);
    let config = MessageStreamConfig::default()
        .max_receive(limit)
        .deflate(Some(params(&mut source)))
        .compress_from(source.below(40));
    let to = if source.flag() { TransportRole::Client } else { TransportRole::Server };
    let from = if to == TransportRole::Client { TransportRole::Server } else { TransportRole::Client };
    let damage = source.flag().then(|| (source.below(1 << 12), source.byte()));
    let cuts = source.bytes(8).to_vec();
    let (mut sender, mut expected, mut fits) = (make(from, &config), vec![], true);
    while !source.is_empty() {
        let (times, body) = (1 + source.below(60), source.bytes(100));
        let body = Bytes::from(body.repeat(times));
        fits &= body.len() <= limit;
        sender.send(NOW, MessageKind::Binary, &Encoded::from(body.clone())).expect("it is open");
        expected.push(MessageEvent::Message { kind: MessageKind::Binary, body });
    }
    let mut stream: Vec<u8> = std::iter::from_fn(|| sender.poll_transmit()).flatten().collect();
    if let Some((at, bits)) = damage.filter(|_| !stream.is_empty()) {
        let at = at % stream.len();
        stream[at] ^= bits;
        fits &= bits == 0;
    }
    let whole = read(make(to, &config), limit, &stream, &[]);
    assert_eq!(read(make(to, &config), limit, &stream, &cuts), whole, "cut into pieces of {cuts:?} octets");
    if fits {
        expected.push(MessageEvent::Closed { reason: TransportClose::Eof });
        assert_eq!(whole.0, expected);
    }
}

/// A stream of frames, to us and to tungstenite; and what we send, to tungstenite.
pub fn websocket_peer(data: &[u8]) {
    let mut source = Source::new(data);
    let role = if source.flag() { TransportRole::Client } else { TransportRole::Server };
    if source.flag() {
        return said(role, source);
    }
    let stream = build(role, &mut source, true);
    let limit = 300;
    let (events, _) =
        read(make(role, &MessageStreamConfig::default().max_receive(limit)), limit, &stream, &[]);
    let (messages, end) = theirs(role, limit, &stream);
    let ours: Vec<Message> = events.iter().filter_map(as_theirs).collect();
    assert_eq!(ours, messages, "we ended with {:?}, tungstenite with {end:?}", events.last());
    match (events.last(), end) {
        (Some(MessageEvent::Closed { reason: TransportClose::Peer { code, .. } }), End::Close(theirs)) => {
            assert_eq!(*code, theirs);
        }
        (Some(MessageEvent::Closed { reason: TransportClose::Failed(error) }), End::Fault) => {
            assert!(!error.is_truncation(), "tungstenite found a fault");
        }
        (Some(MessageEvent::Closed { reason: TransportClose::Failed(error) }), End::Eof) => {
            assert!(error.is_truncation(), "tungstenite found no fault: {error}");
        }
        (Some(MessageEvent::Closed { reason: TransportClose::Eof }), End::Eof) => {}
        (ours, theirs) => panic!("we ended with {ours:?}, tungstenite with {theirs:?}"),
    }
}

/// Messages, PONGs and a Close frame of ours, as tungstenite reads them.
fn said(role: TransportRole, mut source: Source<'_>) {
    let mut stream = make(role, &MessageStreamConfig::default());
    let mut expected = vec![];
    let code = source.choose(&[1000, 1001, 1011, 4000]);
    while !source.is_empty() {
        let kind = source.choose(&[MessageKind::Text, MessageKind::Binary]);
        let body: Vec<u8> = source.bytes(300).iter().map(|octet| octet & 0x7F).collect();
        let body = body.repeat(source.choose(&[1, 1, 2, 400]));
        let event = MessageEvent::Message { kind, body: Bytes::from(body.clone()) };
        expected.extend(as_theirs(&event));
        stream.send(NOW, kind, &Encoded::from(Bytes::from(body))).expect("it is open");
    }
    stream.close(NOW, code, "enough");
    let sent: Vec<u8> = std::iter::from_fn(|| stream.poll_transmit()).flatten().collect();
    let reader = if role == TransportRole::Client { TransportRole::Server } else { TransportRole::Client };
    let (messages, end) = theirs(reader, 1 << 20, &sent);
    assert_eq!(messages, expected);
    assert_eq!(end, End::Close(Some(code)));
}

fn as_theirs(event: &MessageEvent) -> Option<Message> {
    match event {
        MessageEvent::Message { kind: MessageKind::Text, body } => {
            Some(Message::text(String::from_utf8_lossy(body).into_owned()))
        }
        MessageEvent::Message { body, .. } => Some(Message::binary(body.clone())),
        _ => None,
    }
}

/// How tungstenite ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Close(Option<u16>),
    Eof,
    Fault,
}

/// What tungstenite makes of a stream and of its end.
fn theirs(role: TransportRole, limit: usize, stream: &[u8]) -> (Vec<Message>, End) {
    let role = match role {
        TransportRole::Client => Role::Client,
        TransportRole::Server => Role::Server,
    };
    let config = WebSocketConfig::default().max_message_size(Some(limit)).max_frame_size(Some(limit));
    let mut socket = WebSocket::from_raw_socket(OneWay(Cursor::new(stream.to_vec())), role, Some(config));
    let mut messages = vec![];
    loop {
        match socket.read() {
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => messages.push(message),
            Ok(Message::Close(frame)) => return (messages, End::Close(frame.map(|frame| frame.code.into()))),
            Ok(_) => {}
            Err(tungstenite::Error::Protocol(
                tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            )) => return (messages, End::Eof),
            Err(tungstenite::Error::Io(_) | tungstenite::Error::ConnectionClosed) => {
                return (messages, End::Eof);
            }
            Err(_) => return (messages, End::Fault),
        }
    }
}

/// A stream that is read, and what is written to it forgotten.
struct OneWay(Cursor<Vec<u8>>);

impl Read for OneWay {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(room)
    }
}

impl Write for OneWay {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

//! [`WebSocket`] from the first byte of HTTP on, both roles, with WAMP on top.
//!
//! * How a stream is cut into reads changes neither the messages nor how it ends.
//! * `Open` comes first and once, `Closed` last and once; no message exceeds the limit.
//! * Whatever arrives can be given to a serializer, and what that reads can be sent back.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use roadbed_core::limits::Limits;
use roadbed_core::serializer::{Encoded, Serializer};
use roadbed_core::time::Timestamp;
use roadbed_core::transport::websocket::{ServerHandshake, ServerStep, WebSocket};
use roadbed_core::transport::{TransportEvent, TransportRole};

use crate::source::Source;
use crate::speech::Speech;
use crate::{check_text, frames};

const NOW: Timestamp = Timestamp::ZERO;

/// An end of a WebSocket, with the bytes that it reads.
pub fn websocket_socket(data: &[u8]) {
    let mut source = Source::new(data);
    let role = source.choose(&[TransportRole::Server, TransportRole::Client]);
    let speech = Speech::choose(&mut source);
    let serializer = source.choose(&Serializer::ALL);
    let limit = source.choose(&[1 << 20, 16, 600]);
    let is_raw = source.flag();
    let cuts = source.bytes(8).to_vec();
    let make = || make(role, speech, serializer, limit);
    let head = head(role, speech, serializer);
    let stream = match is_raw {
        true => source.rest().to_vec(),
        false => [head, frames::build(role, &mut source, false)].concat(),
    };
    let whole = read(make(), limit, &stream, &[]);
    assert_eq!(read(make(), limit, &stream, &cuts), whole, "cut into pieces of {cuts:?} octets");
    assert_eq!(read(make(), limit, &stream, &[0]), whole, "octet by octet");
}

fn make(role: TransportRole, speech: Speech, serializer: Serializer, limit: usize) -> WebSocket {
    match role {
        TransportRole::Client => {
            WebSocket::client(&speech.client_config(serializer).max_receive(limit).max_send(1 << 20), [7; 32])
        }
        TransportRole::Server => {
            WebSocket::server(Arc::new(speech.server_config().max_receive(limit).max_send(1 << 20)))
        }
    }
}

/// The handshake that the end reads.
fn head(role: TransportRole, speech: Speech, serializer: Serializer) -> Vec<u8> {
    let mut client = make(TransportRole::Client, speech, serializer, 600);
    let request = client.poll_transmit().unwrap_or_default();
    if role == TransportRole::Server {
        return request.to_vec();
    }
    let mut handshake = ServerHandshake::new(Arc::new(speech.server_config()));
    match handshake.read(&mut BytesMut::from(&request[..])) {
        ServerStep::Upgraded { response, .. } => response.to_vec(),
        other => panic!("our own client is refused: {other:?}"),
    }
}

/// The events of bytes in pieces of so many octets, one more than given, and of their end.
fn read(mut socket: WebSocket, limit: usize, bytes: &[u8], cuts: &[u8]) -> Vec<TransportEvent> {
    let (mut events, mut input, mut rest) = (vec![], BytesMut::new(), bytes);
    for turn in 0.. {
        let len = cuts.get(turn % cuts.len().max(1)).map_or(rest.len(), |&cut| usize::from(cut) + 1);
        let (piece, behind) = rest.split_at(len.min(rest.len()));
        rest = behind;
        input.extend_from_slice(piece);
        loop {
            let before = (input.len(), events.len());
            socket.handle_input(NOW, &mut input);
            drain(&mut socket, limit, &mut events);
            if before == (input.len(), events.len()) {
                break;
            }
        }
        assert!(socket.input_hint() >= 1);
        assert!(socket.poll_timeout().is_none_or(|at| at > NOW), "a timeout in the past");
        if rest.is_empty() {
            break;
        }
    }
    socket.handle_eof(NOW);
    socket.close(NOW);
    socket.handle_timeout(NOW + Duration::from_secs(5));
    drain(&mut socket, limit, &mut events);
    let ends = events.iter().filter(|event| matches!(event, TransportEvent::Closed { .. })).count();
    assert!(ends == 1 && matches!(events.last(), Some(TransportEvent::Closed { .. })), "{events:?}");
    assert!(!socket.wants_input() && !socket.is_open() && !socket.is_closing() && socket.queued() == 0);
    assert_eq!(socket.poll_timeout(), None);
    events
}

fn drain(socket: &mut WebSocket, limit: usize, events: &mut Vec<TransportEvent>) {
    while let Some(event) = socket.poll_event() {
        match &event {
            TransportEvent::Open { serializer, max_send } => {
                assert!(events.is_empty() && Some(*serializer) == socket.serializer());
                assert_eq!(*max_send, socket.max_send());
            }
            TransportEvent::Message(body) => {
                assert!(!events.is_empty() && body.len() <= limit + 4, "{} bytes", body.len());
                answer(socket, body);
            }
            _ => {}
        }
        events.push(event);
    }
    while let Some(bytes) = socket.poll_transmit() {
        assert!(!bytes.is_empty(), "an empty write");
    }
}

/// What a serializer reads is sent back.
fn answer(socket: &mut WebSocket, body: &bytes::Bytes) {
    let Some(serializer) = socket.serializer() else { return };
    match serializer.decode(body, &Limits::default()) {
        Ok(message) => {
            let mut back = BytesMut::new();
            if serializer.encode(&message, &mut back).is_ok() {
                let _ = socket.send(NOW, &Encoded::from(back.freeze()));
            }
        }
        Err(violation) => check_text(&violation),
    }
}

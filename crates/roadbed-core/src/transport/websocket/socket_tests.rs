//! WebSocket as WAMP's transport: both ends, from the first byte of HTTP on.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use super::*;
use crate::serializer::{BatchError, Encoded, Serializer};
use crate::time::Timestamp;
use crate::transport::{TransportClose, TransportError, TransportEvent};

const NOW: Timestamp = Timestamp::ZERO;
const KEY: [u8; 4] = [9, 0, 0xFF, 1];

fn client_with(subprotocols: &[Subprotocol]) -> WebSocket {
    let config = WebSocketClientConfig::new("example.com", "/ws").unwrap().subprotocols(subprotocols);
    WebSocket::client(&config, [5; 32])
}

fn server() -> WebSocket {
    WebSocket::server(Arc::new(WebSocketServerConfig::default()))
}

fn request(subprotocol: &str) -> Vec<u8> {
    alloc::format!(
        "GET /ws HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: {subprotocol}\r\n\r\n"
    )
    .into_bytes()
}

fn frame(first: u8, body: &[u8]) -> Vec<u8> {
    let len = u8::try_from(body.len()).unwrap();
    assert!(len < 126);
    let masked = body.iter().zip(KEY.iter().cycle()).map(|(octet, key)| octet ^ key);
    [first, 0x80 | len].into_iter().chain(KEY).chain(masked).collect()
}

fn events(end: &mut WebSocket) -> Vec<TransportEvent> {
    core::iter::from_fn(|| end.poll_event()).collect()
}

fn output(end: &mut WebSocket) -> Vec<u8> {
    core::iter::from_fn(|| end.poll_transmit()).flatten().collect()
}

fn encoded(body: &[u8]) -> Encoded {
    Encoded::from(Bytes::copy_from_slice(body))
}

fn message(body: &[u8]) -> TransportEvent {
    TransportEvent::Message(Bytes::copy_from_slice(body))
}

fn open(serializer: Serializer) -> TransportEvent {
    TransportEvent::Open { serializer, max_send: 1 << 20 }
}

fn failed(error: impl Into<WebSocketError>) -> TransportEvent {
    TransportEvent::Closed { reason: TransportClose::Failed(TransportError::WebSocket(error.into())) }
}

/// What a server makes of a stream in pieces that end at `cuts`, and of its end. Every message is answered.
fn run(stream: &[u8], cuts: impl IntoIterator<Item = usize>) -> (Vec<TransportEvent>, String) {
    let mut server = server();
    let (mut seen, mut sent, mut input, mut start) = (vec![], vec![], BytesMut::new(), 0);
    for cut in cuts.into_iter().chain([stream.len()]) {
        input.extend_from_slice(&stream[start..cut]);
        start = cut;
        loop {
            server.handle_input(NOW, &mut input);
            let (has_stalled, before) = (!server.wants_input(), seen.len());
            while let Some(event) = server.poll_event() {
                if let TransportEvent::Message(body) = &event {
                    let _ = server.send(NOW, &Encoded::from(body.clone()));
                    sent.extend(output(&mut server));
                }
                seen.push(event);
            }
            if !has_stalled || seen.len() == before {
                break;
            }
        }
        sent.extend(output(&mut server));
    }
    server.handle_eof(NOW);
    server.close(NOW);
    seen.extend(events(&mut server));
    sent.extend(output(&mut server));
    assert_eq!(seen.iter().filter(|event| matches!(event, TransportEvent::Closed { .. })).count(), 1);
    assert!(!server.wants_input() && !server.is_open() && !server.is_closing() && server.queued() == 0);
    (seen, alloc::string::ToString::to_string(&sent.escape_ascii()))
}

#[test]
fn how_a_stream_is_cut_does_not_matter() {
    let plain = [
        request("wamp.2.json"),
        frame(0x81, b"[1]"),
        frame(0x01, b"[2,\"\xE2\x82"),
        frame(0x89, b"?"),
        frame(0x80, b"\xAC\"]"),
        frame(0x88, b"\x03\xE8"),
    ]
    .concat();
    let batched = [
        request("wamp.2.cbor.batched"),
        frame(0x82, b"\0\0\0\x02ab\0\0\0\x01c"),
        frame(0x82, b"\0\0\0\x01d"),
        frame(0x89, b"?"),
        frame(0x82, b"\0\0\0\x01e\0\0\0\x00\0\0\0\x01f"),
        frame(0x82, b"\0\0\0\x01g"),
    ]
    .concat();
    let wrong = [request("wamp.2.msgpack"), frame(0x82, b"\x90"), frame(0x81, b"text")].concat();
    let page = b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n".to_vec();
    let none = request("mqtt");
    let peer = |code| TransportEvent::Closed { reason: TransportClose::Peer { code, reason: "".into() } };
    let requested = "mqtt".into();
    for (stream, expected) in [
        (
            plain,
            vec![open(Serializer::Json), message(b"[1]"), message("[2,\"€\"]".as_bytes()), peer(Some(1000))],
        ),
        (
            batched,
            vec![
                open(Serializer::Cbor),
                message(b"ab"),
                message(b"c"),
                message(b"d"),
                message(b"e"),
                failed(BatchError::EmptyMessage { index: 1 }),
            ],
        ),
        (
            wrong,
            vec![
                open(Serializer::MsgPack),
                message(b"\x90"),
                failed(FrameError::Kind { found: MessageKind::Text }),
            ],
        ),
        (page, vec![peer(None)]),
        (none, vec![failed(UpgradeError::NoCommonSubprotocol { requested })]),
    ] {
        let whole = run(&stream, []);
        assert_eq!(whole.0, expected);
        for cut in 0..=stream.len() {
            assert_eq!(run(&stream, [cut]), whole, "cut at {cut}");
        }
        assert_eq!(run(&stream, 0..stream.len()), whole);
    }
}

#[test]
fn eof_at_every_offset() {
    let stream = [request("wamp.2.json"), frame(0x81, b"[1]"), frame(0x88, b"")].concat();
    let head = request("wamp.2.json").len();
    for end in 0..=stream.len() {
        for cuts in [vec![], (0..end).collect()] {
            let (seen, _) = run(&stream[..end], cuts);
            let Some(TransportEvent::Closed { reason }) = seen.last() else { panic!("no end") };
            match reason {
                TransportClose::Failed(error) => {
                    assert!(error.is_truncation() && end != head, "{end}: {error}");
                    let is_head = matches!(error, TransportError::WebSocket(_));
                    assert_eq!(is_head, end < head, "{end}: {error}");
                }
                TransportClose::Eof => assert!(end == head || end == head + 9, "{end}"),
                TransportClose::Peer { .. } => assert_eq!(end, stream.len()),
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Moves bytes until nothing moves, one at a time.
fn carry(client: &mut WebSocket, server: &mut WebSocket) {
    let (mut up, mut down) = (BytesMut::new(), BytesMut::new());
    loop {
        let (to_server, to_client) = (output(client), output(server));
        if to_server.is_empty() && to_client.is_empty() {
            return;
        }
        for octet in to_server {
            up.extend_from_slice(&[octet]);
            server.handle_input(NOW, &mut up);
        }
        for octet in to_client {
            down.extend_from_slice(&[octet]);
            client.handle_input(NOW, &mut down);
        }
    }
}

#[test]
fn both_ends_in_every_subprotocol() {
    for subprotocol in Subprotocol::ALL {
        let (mut client, mut server) = (client_with(&[subprotocol]), server());
        assert_eq!(client.send(NOW, &encoded(b"early")), Err(TransportError::NotOpen));
        carry(&mut client, &mut server);
        assert_eq!(events(&mut client), [open(subprotocol.serializer)]);
        assert_eq!(events(&mut server), [open(subprotocol.serializer)]);
        let messages: Vec<Vec<u8>> = (1..40).map(|number| vec![b'0'; number * 30]).collect();
        for body in &messages {
            client.send(NOW, &encoded(body)).unwrap();
            server.send(NOW, &encoded(body)).unwrap();
        }
        let expected: Vec<_> = messages.iter().map(|body| message(body)).collect();
        carry(&mut client, &mut server);
        assert_eq!((events(&mut client), events(&mut server)), (expected.clone(), expected));
        // In a batch, the last words come before the Close frame as well.
        client.send(NOW, &encoded(b"bye")).unwrap();
        client.close(NOW);
        assert!(client.is_closing());
        carry(&mut client, &mut server);
        assert_eq!(events(&mut server), [message(b"bye")]);
    }
}

#[test]
fn batches_hold_many_messages_in_one_frame() {
    let (mut client, mut server) = (client_with(&[Subprotocol::batched(Serializer::Json)]), server());
    carry(&mut client, &mut server);
    events(&mut server);
    for body in ["[1]", "[2]", "[3]"] {
        server.send(NOW, &encoded(body.as_bytes())).unwrap();
    }
    assert_eq!(server.queued(), 12);
    assert_eq!(output(&mut server), b"\x81\x0C[1]\x1E[2]\x1E[3]\x1E");
    // A peer that ends its messages with 0x18 is answered in kind.
    let mut input = BytesMut::from(&frame(0x81, b"[4]\x18")[..]);
    server.handle_input(NOW, &mut input);
    assert_eq!(events(&mut server), [message(b"[4]")]);
    server.send(NOW, &encoded(b"[5]")).unwrap();
    assert_eq!(output(&mut server), b"\x81\x04[5]\x18");
    // Large ones go out by themselves, and nothing exceeds what may be sent.
    let large = vec![b'0'; 20_000];
    server.send(NOW, &encoded(b"[6]")).unwrap();
    server.send(NOW, &encoded(&large)).unwrap();
    let sent = output(&mut server);
    assert_eq!((&sent[..6], sent[6..9].to_vec()), (&b"\x81\x04[6]\x18"[..], vec![0x81, 126, 78]));
    // Limits are those of messages: what a batch takes on top is not counted.
    let (limit, size) = (1 << 20, (1 << 20) + 1);
    assert_eq!(server.max_send(), limit);
    assert_eq!(server.send(NOW, &encoded(&vec![0; size])), Err(TransportError::TooLarge { size, limit }));
    server.send(NOW, &encoded(&vec![b'0'; limit])).unwrap();
    assert_eq!(output(&mut server).len(), 10 + limit + 1);
}

#[test]
fn the_client_chooses_and_both_compress() {
    let wish = [Subprotocol::plain(Serializer::Cbor), Subprotocol::plain(Serializer::Json)];
    let config = WebSocketClientConfig::new("h", "/").unwrap().subprotocols(&wish);
    let accepted = WebSocketServerConfig::default();
    #[cfg(feature = "deflate")]
    let (config, accepted) =
        (config.deflate(DeflateConfig::default()), accepted.deflate(DeflateConfig::default()));
    let (mut client, mut server) =
        (WebSocket::client(&config, [1; 32]), WebSocket::server(Arc::new(accepted)));
    carry(&mut client, &mut server);
    assert_eq!(client.subprotocol(), Some(wish[0]));
    assert_eq!(events(&mut server), [open(Serializer::Cbor)]);
    client.send(NOW, &encoded(&[7; 5000])).unwrap();
    #[cfg(feature = "deflate")]
    assert!(client.queued() < 100);
    carry(&mut client, &mut server);
    assert_eq!(events(&mut server), [message(&[7; 5000])]);
}

#[test]
fn equal_seeds_give_equal_bytes_and_others_do_not() {
    let bytes = |seed: u8| {
        let config = WebSocketClientConfig::new("h", "/").unwrap();
        output(&mut WebSocket::client(&config, [seed; 32]))
    };
    assert_eq!(bytes(1), bytes(1));
    assert_ne!(bytes(1), bytes(2));
}

/// While messages of a batch wait to be taken nothing is read, so the peer's silence says nothing.
#[test]
fn liveness_stands_still_while_a_batch_waits() {
    let second = core::time::Duration::from_secs(1);
    let mut server = server();
    let batch = frame(0x82, b"\0\0\0\x02ab\0\0\0\x01c");
    let mut input = BytesMut::from(&[request("wamp.2.cbor.batched"), batch].concat()[..]);
    for _ in 0..2 {
        server.handle_input(NOW, &mut input);
        while server.poll_event().is_some_and(|event| event != message(b"ab")) {}
    }
    assert!(!server.wants_input());
    assert_eq!(server.poll_timeout(), None, "nothing to wait for");
    server.handle_timeout(NOW + second * 1000);
    assert_eq!(events(&mut server), [message(b"c")], "it is not given up");
    assert!(server.wants_input());
    server.handle_input(NOW + second * 1000, &mut input);
    assert_eq!(server.poll_timeout(), Some(NOW + second * 1030), "the silence counts from here");
    // Taken at once, nobody notices that there was anything to wait for.
    input.extend_from_slice(&frame(0x82, b"\0\0\0\x02ab\0\0\0\x01c"));
    server.handle_input(NOW + second * 1010, &mut input);
    assert_eq!(events(&mut server).len(), 2);
    assert_eq!(server.poll_timeout(), Some(NOW + second * 1040), "it goes on by itself");
}

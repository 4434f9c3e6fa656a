use std::time::Duration;

use bytes::{Bytes, BytesMut};
use roadbed_core::limits::Limits;
use roadbed_core::link::LinkConfig;
use roadbed_core::message::{Abort, Message};
use roadbed_core::serializer::Serializer;
use roadbed_core::time::{Timestamp, UnixMicros};
use roadbed_core::transport::TransportDetails;
use roadbed_core::transport::websocket::{Subprotocol, UpgradeRequest, WebSocketServerConfig};
use roadbed_core::uri::Uri;

use super::Port;
use crate::{Authentication, ConnectionRefusal, Grant, Router, RouterConfig, RouterEvent, TicketTable};

const T0: Timestamp = Timestamp::ZERO;
const HELLO: &str = r#"[1,"realm1",{"agent":"roadbed/0.1.0","roles":{"publisher":{}}}]"#;
const OTHER: &str = r#"[1,"realm1",{"agent":"other","roles":{"publisher":{}}}]"#;

fn router() -> Router {
    let table = TicketTable::new().principal("joe", "secret!!!", "user");
    let config = RouterConfig::new()
        .realm(Uri::from_static("realm1"), Authentication::new().anonymous("guest"))
        .realm(Uri::from_static("closed"), Authentication::new().ticket(table));
    config.check().unwrap();
    Router::new(config.into_shared(), [7; 32], T0, UnixMicros::default())
}

fn links() -> LinkConfig {
    LinkConfig::default().websocket(WebSocketServerConfig::default())
}

fn details() -> TransportDetails {
    TransportDetails::tcp("192.0.2.1:4711", false)
}

fn frame(message: &str) -> Vec<u8> {
    [&u32::try_from(message.len()).unwrap().to_be_bytes()[..], message.as_bytes()].concat()
}

fn written(port: &mut Port) -> Vec<u8> {
    std::iter::from_fn(|| port.poll_transmit()).flatten().collect()
}

/// A peer over RawSocket that said this, and the handshake before.
fn says(router: &mut Router, messages: &[&str]) -> (Port, BytesMut) {
    let mut port = Port::new(&links(), details(), T0);
    let mut input = BytesMut::from(&b"\x7F\xF1\x00\x00"[..]);
    messages.iter().for_each(|message| input.extend_from_slice(&frame(message)));
    port.serve(router, T0, &mut input);
    (port, input)
}

#[test]
fn bytes_and_a_message_that_only_welcome_makes_acceptable() {
    let mut router = router();
    let large = format!(r#"[16,1,{{}},"com.example.t",["{}"]]"#, "x".repeat(70_000));
    let (mut port, input) = says(&mut router, &[HELLO, &large]);
    assert!(port.is_joined() && input.is_empty());
    assert_eq!(router.counters().publications, 1);
    assert!(written(&mut port).starts_with(b"\x7F\xB1\x00\x00\x00"));
    assert_eq!(router.check_invariants(), Ok(()));
}

#[test]
fn an_upgraded_websocket_with_bytes_that_were_read_already() {
    let mut router = router();
    let request = UpgradeRequest::parse(b"GET /ws HTTP/1.1\r\nHost: example.com\r\n\r\n").unwrap();
    let subprotocol = Subprotocol::plain(Serializer::Json);
    let mut port = Port::upgraded(&links(), subprotocol, request.into(), details(), T0);
    let length = u8::try_from(HELLO.len()).unwrap();
    let mut input = BytesMut::from(&[&[0x81, 0x80 | length, 0, 0, 0, 0], HELLO.as_bytes()].concat()[..]);
    port.serve(&mut router, T0, &mut input);
    assert!(port.is_joined() && input.is_empty());
    let said = written(&mut port);
    assert!(said[0] == 0x81 && said.windows(3).any(|part| part == b"[2,"), "{}", said.escape_ascii());
    let Some(RouterEvent::Joined { transport, .. }) = router.poll_event() else { panic!("joined") };
    assert_eq!(transport.request.as_ref().map(|request| request.path()), Some("/ws"));
}

#[test]
fn whole_messages() {
    let mut router = router();
    let mut port = Port::messages(&Limits::default(), Serializer::Json, 1 << 20, details(), T0);
    let mut nothing = BytesMut::new();
    port.serve(&mut router, T0, &mut nothing);
    assert!(port.wants_input() && port.poll_message().is_none());
    port.handle_message(T0, &Bytes::from_static(HELLO.as_bytes()));
    assert!(!port.wants_input(), "WELCOME decides what comes next");
    port.serve(&mut router, T0, &mut nothing);
    let decode = |port: &mut Port| {
        let encoded = port.poll_message().expect("a message");
        Serializer::Json.decode(&Bytes::from(encoded.chunks().concat()), &Limits::default()).unwrap()
    };
    assert!(matches!(decode(&mut port), Message::Welcome(_)));
    assert!(port.is_joined() && port.wants_input() && port.poll_transmit().is_none());

    let large = format!(r#"[16,1,{{}},"com.example.t",["{}"]]"#, "x".repeat(2 << 20));
    port.handle_message(T0, &Bytes::from(large));
    port.serve(&mut router, T0, &mut nothing);
    let Message::Abort(Abort { reason, .. }) = decode(&mut port) else { panic!("ABORT") };
    assert_eq!(reason.as_str(), "wamp.error.protocol_violation");
    assert!(port.poll_message().is_none());
    port.serve(&mut router, T0, &mut nothing);
    assert!(port.has_ended() && port.peer().is_none());
    assert_eq!(router.stats().peers, 0);
}

#[test]
fn whole_messages_end_with_their_stream() {
    let mut router = router();
    for is_lost in [false, true] {
        let mut port = Port::messages(&Limits::default(), Serializer::Json, 1 << 20, details(), T0);
        port.handle_message(T0, &Bytes::from_static(HELLO.as_bytes()));
        port.serve(&mut router, T0, &mut BytesMut::new());
        assert_eq!(router.stats().peers, 1);
        if is_lost {
            port.handle_lost(T0);
        } else {
            port.handle_eof(T0);
        }
        port.serve(&mut router, T0, &mut BytesMut::new());
        assert!(port.has_ended());
        assert_eq!(router.stats().peers, 0);
    }
}

/// Whoever is known to answer pings is pinged; others might drop the connection over one.
#[test]
fn rawsocket_peers_are_pinged_if_they_are_known_to_answer() {
    let mut router = router();
    let (port, _) = says(&mut router, &[HELLO]);
    assert_eq!(port.poll_timeout(), Some(T0 + Duration::from_secs(30)));
    let (port, _) = says(&mut router, &[OTHER]);
    assert_eq!(port.poll_timeout(), None);
}

#[test]
fn a_batch_is_bounded_and_what_is_left_stays_in_the_buffer() {
    let mut router = router();
    let (mut port, mut input) = says(&mut router, &[HELLO]);
    let publish = |request: u64| frame(&format!(r#"[16,{request},{{}},"com.example.t"]"#));
    (1..=500).for_each(|request| input.extend_from_slice(&publish(request)));
    port.handle_input(T0, &mut input);
    assert!(!port.wants_input() && port.wants_exchange() && !input.is_empty());
    port.exchange(&mut router, T0);
    assert_eq!(router.counters().publications, 64);
    port.serve(&mut router, T0, &mut input);
    assert!(port.wants_input() && input.is_empty());
    assert_eq!(router.counters().publications, 500);

    let large = format!(r#"[16,501,{{}},"com.example.t",["{}"]]"#, "x".repeat(100_000));
    let before = router.counters().publications;
    (0..6).for_each(|_| input.extend_from_slice(&frame(&large)));
    port.handle_input(T0, &mut input);
    port.exchange(&mut router, T0);
    assert_eq!(router.counters().publications, before + 3, "256 KiB, and the message that exceeds them");
}

#[test]
fn refused_handshakes_are_told_and_counted() {
    let mut router = router();
    for first in [&b"\x7F\xFA\x00\x00"[..], b"GET /ws HTTP/1.1\r\nHost: example.com\r\n\r\n", b"\0\0\0\0"] {
        let mut port = Port::new(&links(), details(), T0);
        let mut input = BytesMut::from(first);
        port.serve(&mut router, T0, &mut input);
        written(&mut port);
        port.serve(&mut router, T0, &mut input);
        assert!(port.has_ended());
        let Some(RouterEvent::ConnectionRefused { transport, reason }) = router.poll_event() else {
            panic!("{}", first.escape_ascii())
        };
        assert_eq!(transport.peer.as_deref(), Some("192.0.2.1:4711"));
        assert!(matches!(reason, ConnectionRefusal::Handshake(_)) && !reason.to_string().is_empty());
    }
    assert_eq!((router.counters().handshakes_refused, router.counters().connections_refused), (3, 0));

    let mut port = Port::new(&links(), details(), T0);
    port.refuse(Duration::from_secs(5));
    let mut input = BytesMut::from(&b"\x7F\xF1\x00\x00"[..]);
    port.serve(&mut router, T0, &mut input);
    assert_eq!(written(&mut port), b"\x7F\x40\x00\x00");
    port.serve(&mut router, T0, &mut input);
    assert!(port.has_ended());
    let told: Vec<_> = std::iter::from_fn(|| router.poll_event()).collect();
    assert!(
        matches!(&told[..], [RouterEvent::ConnectionRefused { reason: ConnectionRefusal::TooMany, .. }]),
        "{told:?}"
    );
    assert_eq!((router.counters().handshakes_refused, router.counters().connections_refused), (3, 1));
}

/// Nothing that a peer says makes it trusted; what the embedder says does.
#[test]
fn only_the_embedder_vouches_for_a_peer() {
    let hello = r#"[1,"closed",{"authid":"backend","authrole":"service","authmethods":["trusted"],"roles":{"caller":{}}}]"#;
    for is_trusted in [false, true] {
        let mut router = router();
        let mut port = Port::new(&links(), details(), T0);
        if is_trusted {
            port = port.trusted(Grant::new("backend", "service"));
        }
        let mut input = BytesMut::from(&[&b"\x7F\xF1\x00\x00"[..], &frame(hello)].concat()[..]);
        port.serve(&mut router, T0, &mut input);
        assert_eq!(port.is_joined(), is_trusted);
        match (is_trusted, router.poll_event()) {
            (true, Some(RouterEvent::Joined { session, .. })) => {
                assert_eq!((&*session.authid, &*session.authrole), ("backend", "service"));
            }
            (false, Some(RouterEvent::Refused { realm, authid, transport, .. })) => {
                assert_eq!(realm.as_ref().map(Uri::as_str), Some("closed"));
                assert_eq!(
                    (authid.as_deref(), transport.peer.as_deref()),
                    (Some("backend"), Some("192.0.2.1:4711"))
                );
            }
            (_, other) => panic!("{other:?}"),
        }
    }
}

//! A message that is too large for who receives it: what both ends are told.

use bytes::Bytes;
use roadbed_core::error::{CloseReason, ViolationKind};
use roadbed_core::limits::Limits;
use roadbed_core::link::{LinkConfig, LinkEvent};
use roadbed_core::options::CallOptions;
use roadbed_core::payload::Payload;
use roadbed_core::serializer::{Encoded, Serializer};
use roadbed_core::session::{ClientConfig, SessionEvent};
use roadbed_core::transport::websocket::{FrameError, WebSocketServerConfig};
use roadbed_core::transport::{FrameKind, TransportError, WebSocketError};
use roadbed_core::uri::Uri;
use roadbed_router::{Authentication, RouterConfig};
use roadbed_testkit::{Carrier, Pair, Script, World, client, link};
use roadbed_tests::frames::{Framing, Written};

const REALM: Uri = Uri::from_static("realm1");
const LIMIT: usize = 64 << 10;

fn limits() -> Limits {
    Limits::default().message_size(LIMIT)
}

/// The sizes and limits that a violation names.
#[track_caller]
fn check_violation(kind: &ViolationKind, carrier: Carrier, serializer: Serializer) {
    let room = match (carrier.is_batched(), serializer) {
        (false, _) => 0,
        (true, Serializer::Json) => 1,
        (true, _) => 4,
    };
    let expected = match carrier.is_compressed() {
        // What it would have become is not known.
        true => {
            TransportError::WebSocket(WebSocketError::Frame(FrameError::Inflated { limit: LIMIT + room }))
        }
        false => TransportError::ReceivedTooLarge {
            kind: FrameKind::Message,
            size: LIMIT + 1 + room,
            limit: LIMIT + room,
        },
    };
    assert_eq!(kind, &ViolationKind::Transport(expected));
}

/// A router that sends more than its client announced or accepts: ABORT, and on WebSocket 1009.
#[test]
fn to_a_client() {
    for (&carrier, serializer) in
        Carrier::ALL.iter().flat_map(|carrier| Serializer::ALL.map(|s| (carrier, s)))
    {
        let framing = Framing { carrier, serializer, is_client: false };
        let config = ClientConfig::new(REALM).limits(limits()).build().unwrap();
        let mut pair = Pair::new(client(config, carrier.endpoint(serializer)), Script::raw());
        pair.drive();
        let request = pair.router.receive_bytes();
        pair.router.send_bytes(&framing.answer(&request));
        pair.router.send_bytes(&framing.message(r#"[2,4711,{"roles":{"broker":{},"dealer":{}}}]"#));
        pair.drive();
        assert!(matches!(pair.client.events()[..], [SessionEvent::Joined { .. }]));
        pair.router.send_bytes(&framing.body(&vec![b' '; LIMIT + 1]));
        pair.drive();
        let events = pair.client.events();
        let [SessionEvent::Left { .. }, SessionEvent::Closed { reason, clean: false }] = &events[..] else {
            panic!("{framing:?}: {events:?}")
        };
        let CloseReason::PeerViolation(violation) = reason else { panic!("{reason:?}") };
        check_violation(violation.kind(), carrier, serializer);

        let written = [request, pair.router.receive_bytes()].concat();
        let written = Written::parse(&written, Framing { is_client: true, ..framing });
        let abort = written.messages.last().unwrap();
        assert!(
            abort.contains("wamp.error.protocol_violation") && abort.contains("655"),
            "it names the limit: {abort}"
        );
        let close: &[(u8, Vec<u8>)] = &[(0x88, 1009_u16.to_be_bytes().to_vec())];
        assert_eq!(written.control, if carrier.is_websocket() { close } else { &[] }, "{framing:?}");
    }
}

/// The same to a router: before WELCOME the limit is the smaller one.
#[test]
fn to_a_link() {
    for (&carrier, serializer) in
        Carrier::ALL.iter().flat_map(|carrier| Serializer::ALL.map(|s| (carrier, s)))
    {
        for is_joined in [false, true] {
            let framing = Framing { carrier, serializer, is_client: true };
            let limits = if is_joined { limits() } else { Limits::default().handshake_message_size(LIMIT) };
            let links = roadbed_testkit::every_carrier(LinkConfig::default().limits(limits));
            let mut pair = Pair::new(Script::raw(), link(&links));
            pair.client.send_bytes(&framing.request());
            pair.drive();
            if is_joined {
                pair.router.link.set_receive_limit(LIMIT);
            }
            pair.client.send_bytes(&framing.body(&vec![b' '; LIMIT + 1]));
            pair.drive();
            let events = pair.router.events();
            let [LinkEvent::Open { .. }, LinkEvent::Violation(violation)] = &events[..] else {
                panic!("{framing:?}: {events:?}")
            };
            check_violation(violation.kind(), carrier, serializer);
            let now = pair.now();
            pair.router.link.send(now, &Encoded::from(Bytes::from_static(b"[3]"))).unwrap();
            pair.router.link.close(now);
            pair.drive();
            let written = pair.client.receive_bytes();
            let written = Written::parse(&written, Framing { is_client: false, ..framing });
            assert_eq!(written.messages, ["[3]"]);
            let close: &[(u8, Vec<u8>)] = &[(0x88, 1009_u16.to_be_bytes().to_vec())];
            assert_eq!(written.control, if carrier.is_websocket() { close } else { &[] }, "{framing:?}");
        }
    }
}

/// A client that was told to send more than its router takes: both ends know why it is over.
#[test]
fn a_client_that_is_told_of_a_larger_limit() {
    for &carrier in Carrier::ALL.iter().filter(|carrier| carrier.is_websocket()) {
        let config =
            RouterConfig::new().realm(REALM, Authentication::new().anonymous("guest")).limits(limits());
        let mut world = World::new(config);
        let endpoint = carrier.websocket(Serializer::Cbor).max_send(1 << 20);
        let config = ClientConfig::new(REALM).build().unwrap();
        let client = world.connect(config, roadbed_core::connection::Endpoint::websocket(endpoint));
        world.drive();
        world.events(client);
        let payload = Payload::from_args(Serializer::Cbor, &("x".repeat(2 * LIMIT),)).unwrap();
        let call =
            world.with(client, |connection, now| connection.call(now, &REALM, payload, &CallOptions::new()));
        call.unwrap();
        world.drive();
        let events = world.events(client);
        let [SessionEvent::Result { result: Err(error), .. }, .., SessionEvent::Closed { reason, .. }] =
            &events[..]
        else {
            panic!("{events:?}")
        };
        // The router's ABORT says it.
        for shown in [error.to_string(), reason.to_string()] {
            assert!(shown.contains("wamp.error.protocol_violation"), "{shown}");
        }
        let CloseReason::Abort { message: Some(message), .. } = reason else { panic!("{reason:?}") };
        assert!(message.contains("65536") || message.contains("65540"), "{message}");
        assert_eq!(world.router().stats().counters.violations, 1);
    }
}

/// What the serving end sends at most, unless it is told otherwise, is what it receives.
#[test]
fn without_a_word_both_ends_are_taken_to_be_alike() {
    for &carrier in Carrier::ALL {
        let links = LinkConfig::default().limits(limits()).websocket(WebSocketServerConfig::default());
        let config = ClientConfig::new(REALM).limits(limits()).build().unwrap();
        let mut pair = Pair::new(client(config, carrier.endpoint(Serializer::Json)), link(&links));
        pair.drive();
        assert_eq!(pair.router.link.max_send(), LIMIT, "{carrier:?}");
    }
}

//! Over WebSocket: how it opens, and all the ways in which it ends.

use std::string::{String, ToString};
use std::{vec, vec::Vec};

use ::bytes::BytesMut;

use super::*;
use crate::error::ProtocolViolation;
use crate::link::LinkConfig;
use crate::transport::websocket::{
    PathRule, ServerHandshake, ServerStep, Subprotocol, UpgradeError, WebSocketClientConfig,
    WebSocketServerConfig,
};
use crate::transport::{TransportError, WebSocketError};

const WELCOME: &str = r#"[2,1,{"roles":{"broker":{},"dealer":{}}}]"#;

/// What plays the router: it has read the request.
struct Opened {
    client: Connection,
    request: BytesMut,
}

fn open() -> Opened {
    let endpoint = WebSocketClientConfig::new("router.example", "/ws").unwrap();
    let endpoint = Endpoint::websocket(endpoint.subprotocols(&[Subprotocol::plain(Serializer::Json)]));
    let config = config().build().unwrap();
    let mut client = Connection::client(config, &endpoint, [3; 32], T0, UnixMicros::default());
    client.transport_ready(T0, TransportDetails::local());
    let request = BytesMut::from(&output(&mut client)[..]);
    Opened { client, request }
}

fn joined() -> Connection {
    let Opened { mut client, mut request } = open();
    let mut handshake = ServerHandshake::new(Default::default());
    let ServerStep::Upgraded { response, .. } = handshake.read(&mut request) else { panic!("upgraded") };
    let hello = feed(&mut client, &response);
    assert!(hello.starts_with(b"[1,\"realm1\""), "{}", hello.escape_ascii());
    assert!(feed(&mut client, &frame(0x81, WELCOME.as_bytes())).is_empty());
    assert!(matches!(client.poll_event(), Some(SessionEvent::Joined { .. })));
    client
}

/// A frame of the server's.
fn frame(first: u8, body: &[u8]) -> Vec<u8> {
    [&[first, u8::try_from(body.len()).unwrap()], body].concat()
}

fn output(client: &mut Connection) -> Vec<u8> {
    core::iter::from_fn(|| client.poll_transmit()).flatten().collect()
}

/// Feeds bytes. Returns what the client then sends: the bodies of its frames, unmasked; a Close frame with a 'C' in
/// front.
fn feed(client: &mut Connection, bytes: &[u8]) -> Vec<u8> {
    client.handle_input(T0, &mut BytesMut::from(bytes));
    said(client)
}

fn said(client: &mut Connection) -> Vec<u8> {
    let output = output(client);
    let (mut rest, mut said) = (&output[..], Vec::new());
    while let [first, second, behind @ ..] = rest {
        let (len, behind) = match second & 0x7F {
            126 => (usize::from(behind[0]) << 8 | usize::from(behind[1]), &behind[2..]),
            len => (usize::from(len), behind),
        };
        let ((key, behind), is_masked) = (behind.split_at(4), second & 0x80 != 0);
        assert!(is_masked, "a client masks");
        let (body, behind) = behind.split_at(len);
        if *first == 0x88 {
            said.push(b'C');
        }
        said.extend(body.iter().zip(key.iter().cycle()).map(|(octet, key)| octet ^ key));
        rest = behind;
    }
    said
}

/// The one event that is left: why it closed, and whether that was clean.
fn closed(client: &mut Connection) -> (CloseReason, bool) {
    let events: Vec<_> = core::iter::from_fn(|| client.poll_event()).collect();
    assert_eq!(client.poll_timeout(), None);
    assert!(!client.wants_input() && !client.is_open());
    match &events[..] {
        [SessionEvent::Closed { reason, clean }]
        | [.., SessionEvent::Left { .. }, SessionEvent::Closed { reason, clean }] => (reason.clone(), *clean),
        other => panic!("{other:?}"),
    }
}

fn upgrade_error(reason: CloseReason) -> UpgradeError {
    let CloseReason::PeerViolation(violation) = reason else { panic!("{reason:?}") };
    match violation.kind() {
        crate::error::ViolationKind::Transport(TransportError::WebSocket(WebSocketError::Upgrade(error))) => {
            error.clone()
        }
        other => panic!("{other:?}"),
    }
}

/// ABORT says what was wrong, then a Close frame; for a fault in the frames it names that too, and nothing is waited
/// for.
#[test]
fn violations() {
    for (what, bytes, code, shown) in [
        ("a message that is none", frame(0x81, b"[]"), 1000, "message: the message is empty"),
        ("a message out of place", frame(0x81, WELCOME.as_bytes()), 1000, "WELCOME"),
        ("binary where text is due", frame(0x82, b"[6,{}]"), 1003, "a binary message"),
        ("text that is none", frame(0x81, b"[36,\"\xFF"), 1007, "not UTF-8"),
        ("a masked frame", vec![0x81, 0x80, 0, 0, 0, 0], 1002, "is masked"),
        ("reserved bits", vec![0xF1, 0], 1002, "reserved bits"),
        ("an unknown opcode", vec![0x83, 0], 1002, "opcode 3"),
        ("a lost continuation", frame(0x80, b"x"), 1002, "without a message"),
        ("a Close frame of one byte", frame(0x88, b"x"), 1002, "half a code"),
        ("a code that is none", frame(0x88, b"\x03\xED"), 1002, "1005"),
        (
            "a large frame",
            vec![0x81, 127, 0, 0, 0, 0, 0, 16, 0, 1],
            1009,
            "1048577 bytes, the limit is 1048576",
        ),
    ] {
        let mut client = joined();
        let said = feed(&mut client, &bytes);
        let text = String::from_utf8_lossy(&said).into_owned();
        assert!(
            text.starts_with("[3,{\"message\":") && text.contains("wamp.error.protocol_violation"),
            "{what}: {text}"
        );
        let close = [&b"C"[..], &u16::to_be_bytes(code)].concat();
        assert!(said.ends_with(&close), "{what}: {}", said.escape_ascii());
        if code == 1000 {
            feed(&mut client, &frame(0x88, b"\x03\xE8"));
        }
        let (reason, is_clean) = closed(&mut client);
        assert!(matches!(reason, CloseReason::PeerViolation(_)) && !is_clean, "{what}: {reason:?}");
        assert!(reason.to_string().contains(shown), "{what}: {reason}");
    }
}

/// What a Close frame of the router's comes to; it is answered with its own code.
#[test]
fn the_router_closes() {
    let by_peer = |code, reason: &'static str| CloseReason::ClosedByPeer { code, reason: reason.into() };
    for (body, expected, is_retryable) in [
        (&b""[..], CloseReason::Eof, true),
        (b"\x03\xE8", CloseReason::Eof, true),
        (b"\x03\xE9going", CloseReason::Eof, true),
        (b"\x03\xF1too large", by_peer(1009, "too large"), true),
        (b"\x03\xF0", by_peer(1008, ""), false),
        (b"\x03\xF5busy", by_peer(1013, "busy"), true),
    ] {
        let mut client = joined();
        let call = client.call(T0, &uri("com.example.slow"), Payload::EMPTY, &Default::default()).unwrap();
        output(&mut client);
        let said = feed(&mut client, &frame(0x88, body));
        assert_eq!(said, [&b"C"[..], body.get(..2).unwrap_or_default()].concat());
        let pending = client.poll_event();
        assert!(
            matches!(&pending, Some(SessionEvent::Result { call: ended, result: Err(_) }) if *ended == call),
            "{pending:?}"
        );
        let (reason, is_clean) = closed(&mut client);
        assert_eq!((&reason, is_clean, reason.is_retryable()), (&expected, false, is_retryable));
    }
}

/// GOODBYE in both directions, the Close frame behind it, and the stream stays open until that is answered.
#[test]
fn goodbye() {
    let mut client = joined();
    client.close(T0);
    assert!(said(&mut client).starts_with(b"[6,"));
    let said = feed(&mut client, &frame(0x81, br#"[6,{},"wamp.close.goodbye_and_out"]"#));
    assert_eq!(said, b"C\x03\xE8");
    assert!(client.wants_input(), "for the other Close frame");
    let events: Vec<_> = core::iter::from_fn(|| client.poll_event()).collect();
    assert!(matches!(events[..], [SessionEvent::Left { .. }]), "{events:?}");
    assert!(feed(&mut client, &frame(0x88, b"\x03\xE8")).is_empty());
    let (reason, is_clean) = closed(&mut client);
    assert!(matches!(reason, CloseReason::Goodbye { by_peer: false, .. }) && is_clean, "{reason:?}");

    // Nobody answers the Close frame: 5 s, and no longer.
    let mut client = joined();
    client.close(T0);
    feed(&mut client, &frame(0x81, br#"[6,{},"wamp.close.goodbye_and_out"]"#));
    client.handle_timeout(T0 + SECOND * 5);
    let (reason, is_clean) = closed(&mut client);
    assert!(matches!(reason, CloseReason::Goodbye { .. }) && is_clean, "{reason:?}");
}

/// What comes instead of the upgrade, and whether trying again may help.
#[test]
fn refusals() {
    for (status, is_retryable) in
        [("403 Forbidden", false), ("404 Not Found", false), ("503 Service Unavailable", true)]
    {
        let Opened { mut client, .. } = open();
        let answer = std::format!("HTTP/1.1 {status}\r\nContent-Length: 5\r\nRetry-After: 5\r\n\r\nsorry");
        assert!(feed(&mut client, answer.as_bytes()).is_empty(), "nothing is to be said");
        let (reason, is_clean) = closed(&mut client);
        assert_eq!((reason.is_retryable(), is_clean), (is_retryable, false), "{reason}");
        assert!(reason.to_string().contains(status), "{reason}");
        let UpgradeError::Refused(refusal) = upgrade_error(reason) else { panic!("refused") };
        assert!(status.starts_with(&refusal.status().to_string()) && refusal.text() == "sorry");
        assert_eq!(refusal.header("Retry-After"), Some("5"));
    }
}

/// The text of a refusal is the same however it is cut, and however the stream ends behind it.
#[test]
fn a_refusal_is_waited_for() {
    enum End {
        Whole,
        Eof,
        Lost,
        Moment,
        JoinDeadline,
    }

    let head = "HTTP/1.1 403 Forbidden\r\nLocation: /elsewhere\r\n";
    let limited = std::format!("{head}Content-Length: 11\r\n\r\ngo away now");
    let chunked =
        std::format!("{head}Transfer-Encoding: chunked\r\n\r\n3\r\ngo \r\n8\r\naway now\r\n0\r\n\r\n");
    let endless = std::format!("{head}\r\ngo away now");
    let short = std::format!("{head}Content-Length: 99\r\n\r\ngo away now");
    for (answer, ends) in [
        (limited, &[End::Whole][..]),
        (chunked, &[End::Whole]),
        (endless, &[End::Eof, End::Lost, End::Moment, End::JoinDeadline]),
        (short, &[End::Eof, End::Lost, End::Moment, End::JoinDeadline]),
    ] {
        for (cut, end) in (0..=answer.len()).flat_map(|cut| ends.iter().map(move |end| (cut, end))) {
            let Opened { mut client, .. } = open();
            let mut input = BytesMut::from(&answer.as_bytes()[..cut]);
            client.handle_input(T0, &mut input);
            input.extend_from_slice(&answer.as_bytes()[cut..]);
            client.handle_input(T0, &mut input);
            match end {
                End::Whole => {}
                End::Eof => client.handle_eof(T0),
                End::Lost => client.handle_lost(T0),
                End::Moment => {
                    let at = client.poll_timeout().expect("a deadline");
                    assert_eq!(at, T0.saturating_add(SECOND));
                    client.handle_timeout(at);
                }
                End::JoinDeadline => client.handle_timeout(T0.saturating_add(SECOND * 60)),
            }
            let (reason, is_clean) = closed(&mut client);
            assert!(!reason.is_retryable() && !is_clean);
            let UpgradeError::Refused(refusal) = upgrade_error(reason) else { panic!("refused") };
            assert_eq!(refusal.text(), "go away now", "cut at {cut}");
            assert_eq!(refusal.header("location"), Some("/elsewhere"));
        }
    }
}

/// The real server's refusals, read by the real client.
#[test]
fn refusals_of_a_link() {
    let rule = PathRule::new("/other").unwrap();
    let not_here = LinkConfig::default().websocket(WebSocketServerConfig::default().path(rule));
    let binary = [Subprotocol::plain(Serializer::Cbor)];
    let not_this = LinkConfig::default().websocket(WebSocketServerConfig::default().subprotocols(&binary));
    let everything = LinkConfig::default().websocket(WebSocketServerConfig::default());
    for (config, status, is_full) in [(not_here, 404, false), (not_this, 400, false), (everything, 503, true)]
    {
        let Opened { mut client, mut request } = open();
        let mut link = Link::server(&config, T0);
        if is_full {
            link.refuse(SECOND * 9);
        }
        link.handle_input(T0, &mut request);
        let answer: Vec<u8> = core::iter::from_fn(|| link.poll_transmit()).flatten().collect();
        feed(&mut client, &answer);
        assert_eq!(upgrade_error(closed(&mut client).0).status(), Some(status));
        let Some(LinkEvent::Closed { reason }) = link.poll_event() else { panic!("closed") };
        assert_eq!(upgrade_error(reason).status(), Some(status));
    }
}

/// An answer that does not answer what was asked.
#[test]
fn a_subprotocol_that_was_not_asked_for() {
    let Opened { mut client, mut request } = open();
    let wish = String::from_utf8(request.to_vec()).unwrap().replace("wamp.2.json", "wamp.2.cbor");
    request.clear();
    request.extend_from_slice(wish.as_bytes());
    let mut handshake = ServerHandshake::new(Default::default());
    let ServerStep::Upgraded { response, .. } = handshake.read(&mut request) else { panic!("upgraded") };
    assert!(feed(&mut client, &response).is_empty());
    let error = upgrade_error(closed(&mut client).0);
    assert_eq!(error, UpgradeError::SubprotocolMismatch { answered: "wamp.2.cbor".into() });
    let violation = ProtocolViolation::from(TransportError::from(WebSocketError::from(error)));
    assert!(!CloseReason::PeerViolation(violation).is_retryable());
}

/// A stream that ends anywhere: in the head it is a broken transport, and later too.
#[test]
fn the_stream_ends_anywhere() {
    let Opened { mut request, .. } = open();
    let mut handshake = ServerHandshake::new(Default::default());
    let ServerStep::Upgraded { response, .. } = handshake.read(&mut request) else { panic!("upgraded") };
    let goodbye = frame(0x81, br#"[6,{},"wamp.close.system_shutdown"]"#);
    let stream = [&response[..], &frame(0x81, WELCOME.as_bytes()), &frame(0x89, b"?"), &goodbye].concat();
    for end in 0..=stream.len() {
        let Opened { mut client, .. } = open();
        feed(&mut client, &stream[..end]);
        client.handle_eof(T0);
        output(&mut client);
        let (reason, is_clean) = closed_after_join(&mut client);
        match reason {
            CloseReason::Goodbye { by_peer: true, .. } => assert!(is_clean && end == stream.len()),
            reason => assert_eq!((reason, is_clean), (CloseReason::Eof, false), "after {end} bytes"),
        }
    }
}

fn closed_after_join(client: &mut Connection) -> (CloseReason, bool) {
    while client.session().state() == SessionState::Closed {
        match client.poll_event() {
            Some(SessionEvent::Closed { reason, clean }) => return (reason, clean),
            Some(_) => {}
            None => break,
        }
    }
    panic!("not closed: {client:?}")
}

use std::string::ToString;
use std::vec::Vec;

use super::*;
use crate::transport::LivenessMode;

const T0: Timestamp = Timestamp::ZERO;
const SECOND: Duration = Duration::from_secs(1);

/// JSON, up to 1 MiB.
fn handshake() -> [u8; 4] {
    *b"\x7F\xB1\x00\x00"
}

fn frame(message: &str) -> Vec<u8> {
    let mut frame = (message.len() as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(message.as_bytes());
    frame
}

fn open() -> Link {
    let mut link = Link::server(&LinkConfig::default(), T0);
    feed(&mut link, &handshake());
    assert!(matches!(link.poll_event(), Some(LinkEvent::Open { .. })));
    link.poll_transmit();
    link
}

fn feed(link: &mut Link, bytes: &[u8]) -> BytesMut {
    let mut input = BytesMut::from(bytes);
    link.handle_input(T0, &mut input);
    input
}

fn events(link: &mut Link) -> Vec<LinkEvent> {
    core::iter::from_fn(|| link.poll_event()).collect()
}

fn output(link: &mut Link) -> Vec<u8> {
    core::iter::from_fn(|| link.poll_transmit()).flatten().collect()
}

fn abort() -> Encoded {
    Encoded::from(Bytes::from_static(b"[3,{},\"wamp.error.protocol_violation\"]"))
}

fn closed(reason: CloseReason) -> [LinkEvent; 1] {
    [LinkEvent::Closed { reason }]
}

const HELLO: &str = "[1,\"realm1\",{}]";

#[test]
fn messages_come_as_they_are_polled() {
    let mut link = open();
    feed(&mut link, &[frame(HELLO), frame("[6,{},\"wamp.close.normal\"]")].concat());
    assert!(matches!(link.poll_event(), Some(LinkEvent::Message(Message::Hello(_)))));
    assert!(matches!(link.poll_event(), Some(LinkEvent::Message(Message::Goodbye(_)))));
    assert_eq!(link.poll_event(), None);
    link.send(T0, &abort()).unwrap();
    assert_eq!(output(&mut link), frame("[3,{},\"wamp.error.protocol_violation\"]"));
}

#[test]
fn after_a_violation_nothing_more_is_heard_and_abort_goes_out_before_closed() {
    let mut link = open();
    feed(&mut link, &[frame("[]"), frame(HELLO)].concat());
    match &events(&mut link)[..] {
        [LinkEvent::Violation(violation)] => {
            assert_eq!(violation.to_string(), "message: the message is empty");
        }
        other => panic!("{other:?}"),
    }
    link.send(T0, &abort()).unwrap();
    link.close(T0);
    assert!(events(&mut link).is_empty(), "output is not fetched yet");
    assert!(!output(&mut link).is_empty());
    assert_eq!(events(&mut link), closed(CloseReason::Local));
    assert_eq!(link.poll_timeout(), None);
}

#[test]
fn a_violation_that_can_be_answered_does_not_end_it() {
    let mut link = open();
    feed(&mut link, &[frame("[48,1,{\"timeout\":true},\"a\"]"), frame("[48,2,{},\"a\"]")].concat());
    match &events(&mut link)[..] {
        [LinkEvent::Violation(violation), LinkEvent::Message(Message::Call(_))] => {
            assert_eq!(violation.request().map(crate::id::RequestId::get), Some(1));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_faulty_frame_can_be_answered_with_abort() {
    let mut link = open();
    let mut input = feed(&mut link, &[&frame(HELLO)[..], &[0xF0, 0, 0, 0]].concat());
    assert!(matches!(events(&mut link)[..], [LinkEvent::Message(_)]));
    link.send(T0, &abort()).unwrap();
    link.handle_input(T0, &mut input);
    assert!(matches!(events(&mut link)[..], [LinkEvent::Violation(_)]));
    assert!(link.is_writable());
    link.send(T0, &abort()).unwrap();
    link.close(T0);
    assert!(!link.is_writable());
    assert_eq!(output(&mut link).len(), 2 * frame("[3,{},\"wamp.error.protocol_violation\"]").len());
    assert_eq!(events(&mut link), closed(CloseReason::Local));
}

#[test]
fn a_failed_handshake_is_answered_and_closes() {
    let mut link = Link::server(&LinkConfig::default().serializers(&[Serializer::Cbor]), T0);
    feed(&mut link, &handshake());
    assert!(events(&mut link).is_empty(), "the refusal is not fetched yet");
    assert_eq!(output(&mut link), b"\x7F\x10\x00\x00");
    assert!(matches!(events(&mut link)[..], [LinkEvent::Closed { reason: CloseReason::PeerViolation(_) }]));
}

#[test]
fn messages_before_welcome_are_smaller() {
    let mut link = open();
    let large = std::format!("[1,\"realm1\",{{\"x\":\"{}\"}}]", "x".repeat(70_000));
    feed(&mut link, &frame(&large));
    assert!(matches!(events(&mut link)[..], [LinkEvent::Violation(_)]));

    let mut link = open();
    link.set_receive_limit(1 << 20);
    let large = std::format!("[48,1,{{}},\"a\",[\"{}\"]]", "x".repeat(70_000));
    feed(&mut link, &frame(&large));
    assert!(matches!(events(&mut link)[..], [LinkEvent::Message(_)]));
    link.set_receive_limit(Limits::default().handshake_message_size);
    feed(&mut link, &frame(&large));
    assert!(matches!(events(&mut link)[..], [LinkEvent::Violation(_)]));
}

#[test]
fn eof_is_told_at_once_and_output_still_drains() {
    let mut link = open();
    link.send(T0, &abort()).unwrap();
    link.handle_eof(T0);
    assert_eq!(events(&mut link), closed(CloseReason::Eof));
    assert!(!output(&mut link).is_empty());
    assert!(!link.wants_input());

    let mut link = open();
    feed(&mut link, &[0, 0]);
    link.handle_eof(T0);
    assert_eq!(events(&mut link), closed(CloseReason::Eof));
}

#[test]
fn a_broken_stream_drops_output() {
    let mut link = open();
    link.send(T0, &abort()).unwrap();
    link.close(T0);
    link.handle_lost(T0);
    assert_eq!(events(&mut link), closed(CloseReason::Local));
    assert!(output(&mut link).is_empty());
}

#[test]
fn the_handshake_and_the_last_output_have_deadlines() {
    let mut link = Link::server(&LinkConfig::default(), T0);
    assert_eq!(link.poll_timeout(), Some(T0 + 5 * SECOND));
    link.handle_timeout(T0 + 5 * SECOND);
    assert_eq!(events(&mut link), closed(CloseReason::Timeout(Deadline::Join)));

    let mut link = open();
    assert_eq!(link.poll_timeout(), None);
    link.send(T0, &abort()).unwrap();
    link.close(T0 + SECOND);
    assert_eq!(link.poll_timeout(), Some(T0 + 6 * SECOND));
    assert_eq!(link.timeout_reason(), Some(TimeoutReason::Linger));
    link.handle_timeout(T0 + 6 * SECOND);
    assert_eq!(events(&mut link), closed(CloseReason::Local));
    assert_eq!(link.poll_timeout(), None);
}

#[test]
fn a_peer_that_vanished_is_given_up_but_not_while_paused() {
    let liveness = LivenessConfig::default().mode(LivenessMode::On);
    for is_paused in [false, true] {
        let mut link = Link::server(&LinkConfig::default().liveness(liveness), T0);
        feed(&mut link, &handshake());
        events(&mut link);
        if is_paused {
            link.pause();
            assert!(!link.wants_input());
            assert_eq!(link.poll_timeout(), None);
            link.resume(T0 + 100 * SECOND);
            assert!(link.wants_input());
            assert_eq!(link.poll_timeout(), Some(T0 + 130 * SECOND));
            continue;
        }
        for seconds in [30, 60, 90] {
            assert_eq!(link.poll_timeout(), Some(T0 + seconds * SECOND));
            link.handle_timeout(T0 + seconds * SECOND);
        }
        assert_eq!(events(&mut link), closed(CloseReason::Timeout(Deadline::Liveness)));
    }
}

#[test]
fn it_holds_64_kib_or_one_message() {
    let mut link = open();
    assert!(link.is_writable());
    link.send(T0, &Encoded::from(Bytes::from(std::vec![b' '; 100_000]))).unwrap();
    assert!(!link.is_writable());
    output(&mut link);
    assert!(link.is_writable());
}

mod websocket {
    use super::*;
    use crate::error::ConfigError;
    use crate::transport::websocket::{Subprotocol, UpgradeError, WebSocketError, WebSocketServerConfig};

    const REQUEST: &[u8] = b"GET /ws?tenant=7 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Protocol: wamp.2.json\r\n\r\n";

    fn both() -> LinkConfig {
        LinkConfig::default().websocket(WebSocketServerConfig::default())
    }

    /// A frame with a key of zeros.
    fn masked(first: u8, body: &[u8]) -> Vec<u8> {
        [&[first, 0x80 | body.len() as u8, 0, 0, 0, 0], body].concat()
    }

    /// The first octet tells who it is.
    #[test]
    fn one_port_for_both() {
        let mut link = Link::server(&both(), T0);
        let mut rest = feed(&mut link, &[REQUEST, &masked(0x81, HELLO.as_bytes())].concat());
        let Some(LinkEvent::Open { serializer: Serializer::Json, request: Some(request), .. }) =
            link.poll_event()
        else {
            panic!("open")
        };
        assert_eq!((request.path(), request.query()), ("/ws", Some("tenant=7")));
        link.handle_input(T0, &mut rest);
        assert!(matches!(link.poll_event(), Some(LinkEvent::Message(Message::Hello(_)))));
        assert!(output(&mut link).starts_with(b"HTTP/1.1 101 "));

        let mut link = Link::server(&both(), T0);
        feed(&mut link, b"");
        feed(&mut link, &handshake());
        assert!(matches!(link.poll_event(), Some(LinkEvent::Open { request: None, .. })));

        // Who is not served is told so at the first octet, and does not wait for more.
        let mut link = Link::server(&both().rawsocket(false), T0);
        feed(&mut link, &handshake()[..1]);
        assert!(output(&mut link).starts_with(b"HTTP/1.1 400 "));
        assert!(matches!(
            events(&mut link)[..],
            [LinkEvent::Closed { reason: CloseReason::PeerViolation(_) }]
        ));

        assert_eq!(LinkConfig::default().rawsocket(false).check(), Err(ConfigError::NoTransport));
        both().rawsocket(false).check().unwrap();
    }

    /// Who speaks something else than what is served here is told so in its own terms, however it comes in pieces.
    #[test]
    fn what_is_not_served_here() {
        let tls = &b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC"[..];
        for (config, first, error, told) in [
            (LinkConfig::default(), REQUEST, UpgradeError::NoHttp, "connect with rs://."),
            (LinkConfig::default(), tls, UpgradeError::Tls, "connect with ws:// or rs://."),
            (both(), tls, UpgradeError::Tls, "connect with ws:// or rs://."),
            (both().rawsocket(false), tls, UpgradeError::Tls, "connect with ws:// or rs://."),
        ] {
            for cut in 0..first.len() {
                let mut link = Link::server(&config, T0);
                let mut input = BytesMut::from(&first[..cut]);
                link.handle_input(T0, &mut input);
                input.extend_from_slice(&first[cut..]);
                link.handle_input(T0, &mut input);
                let sent = std::string::String::from_utf8(output(&mut link)).unwrap();
                assert!(sent.starts_with("HTTP/1.1 400 ") && sent.trim_end().ends_with(told), "{sent}");
                let [LinkEvent::Closed { reason }] = &events(&mut link)[..] else { panic!("closed") };
                assert_eq!(reason.upgrade_error(), Some(&error));
            }
        }
        // Half of it, and then nothing.
        let mut link = Link::server(&both(), T0);
        feed(&mut link, &tls[..1]);
        link.handle_eof(T0);
        assert!(matches!(events(&mut link)[..], [LinkEvent::Closed { .. }]));
    }

    /// Without room, whoever speaks is refused in its own terms at the first octet.
    #[test]
    fn refused_in_their_own_terms() {
        for (config, first, answer, shown) in [
            (both(), &b"\x7F"[..], &b"\x7F\x40\x00\x00"[..], "maximum connection count reached"),
            (LinkConfig::default(), b"\x7F", b"\x7F\x40\x00\x00", "maximum connection count reached"),
            (both(), b"G", b"HTTP/1.1 503 ", "too many connections"),
            (both().rawsocket(false), b"G", b"HTTP/1.1 503 ", "too many connections"),
        ] {
            let mut link = Link::server(&config, T0);
            link.refuse(SECOND * 7);
            assert_eq!(link.poll_timeout(), Some(T0 + SECOND * 5), "who says nothing has its deadline");
            assert_eq!(events(&mut link), []);
            feed(&mut link, first);
            let sent = output(&mut link);
            assert!(sent.starts_with(answer), "{}", sent.escape_ascii());
            if first == b"G" {
                assert!(
                    sent.windows(16).any(|part| part == b"\r\nRetry-After: 7"),
                    "{}",
                    sent.escape_ascii()
                );
            }
            let [LinkEvent::Closed { reason }] = &events(&mut link)[..] else { panic!("closed") };
            assert!(reason.to_string().contains(shown), "{reason}");
            assert_eq!(link.poll_timeout(), None);
        }
    }

    /// A peer that says nothing, or half a head, or all but its last byte, is gone after 5 s.
    #[test]
    fn the_handshake_has_a_deadline() {
        for len in 0..REQUEST.len() {
            let mut link = Link::server(&both(), T0);
            let mut input = BytesMut::new();
            for (at, octet) in REQUEST[..len].iter().enumerate() {
                input.extend_from_slice(&[*octet]);
                link.handle_input(Timestamp::from_micros(at as u64 * 10_000), &mut input);
            }
            assert_eq!(link.poll_timeout(), Some(T0 + SECOND * 5), "after {len} bytes");
            link.handle_timeout(T0 + SECOND * 5);
            let expected = closed(CloseReason::Timeout(Deadline::Join));
            assert_eq!(events(&mut link), expected, "after {len} bytes");
        }
    }

    /// ABORT, then the Close frame that says what was wrong; nothing is waited for.
    #[test]
    fn a_fault_is_answered_by_abort_and_close() {
        let mut link = Link::server(&both(), T0);
        let mut rest = feed(&mut link, &[REQUEST, &masked(0x82, b"x")].concat());
        let found = events(&mut link);
        assert!(matches!(found[..], [LinkEvent::Open { .. }]), "{found:?}");
        link.handle_input(T0, &mut rest);
        let found = events(&mut link);
        assert!(matches!(found[..], [LinkEvent::Violation(_)]), "{found:?}");
        output(&mut link);
        link.send(T0, &abort()).unwrap();
        link.close(T0);
        let sent = output(&mut link);
        assert!(sent.starts_with(&[0x81, 38]) && sent.ends_with(b"\x88\x02\x03\xEB"), "{sent:X?}");
        assert_eq!(events(&mut link), closed(CloseReason::Local));
    }

    /// `Closed` waits for the Close frame of a peer that has sent a message, up to 5 s; for no other.
    #[test]
    fn our_close_waits_for_theirs() {
        let mut link = Link::server(&both(), T0);
        feed(&mut link, REQUEST);
        events(&mut link);
        link.close(T0);
        assert_eq!(events(&mut link), [], "its output is fetched first");
        assert!(output(&mut link).ends_with(b"\x88\x02\x03\xE8"));
        assert_eq!(events(&mut link), closed(CloseReason::Local));
        for answers in [true, false] {
            let mut link = Link::server(&both(), T0);
            let mut rest = feed(&mut link, &[REQUEST, &masked(0x81, HELLO.as_bytes())].concat());
            events(&mut link);
            link.handle_input(T0, &mut rest);
            assert!(matches!(events(&mut link)[..], [LinkEvent::Message(_)]));
            link.pause();
            link.close(T0);
            output(&mut link);
            assert_eq!(events(&mut link), []);
            assert!(link.wants_input());
            if answers {
                feed(&mut link, &masked(0x88, b"\x03\xE8"));
            } else {
                assert_eq!(link.poll_timeout(), Some(T0 + SECOND * 5));
                link.handle_timeout(T0 + SECOND * 5);
            }
            assert_eq!(events(&mut link), closed(CloseReason::Local));
        }
    }

    /// The peer's Close frame is an end like that of the stream; our answer to it is fetched first.
    #[test]
    fn their_close_is_answered() {
        let mut link = Link::server(&both(), T0);
        feed(&mut link, REQUEST);
        events(&mut link);
        output(&mut link);
        feed(&mut link, &masked(0x88, b"\x03\xE9"));
        assert_eq!(events(&mut link), []);
        assert_eq!(output(&mut link), b"\x88\x02\x03\xE9");
        assert_eq!(events(&mut link), closed(CloseReason::Eof));
    }

    #[test]
    fn a_lost_stream_waits_for_nothing() {
        let mut link = Link::server(&both(), T0);
        feed(&mut link, REQUEST);
        events(&mut link);
        link.handle_lost(T0);
        assert_eq!(events(&mut link), closed(CloseReason::Eof));
        assert!(!link.wants_input() && link.poll_timeout().is_none());
    }

    #[test]
    fn the_page_and_the_wrong_subprotocol() {
        let mut link = Link::server(&both(), T0);
        feed(&mut link, b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");
        assert!(output(&mut link).starts_with(b"HTTP/1.1 200 "));
        assert_eq!(events(&mut link), closed(CloseReason::Eof));

        let only_cbor =
            WebSocketServerConfig::default().subprotocols(&[Subprotocol::plain(Serializer::Cbor)]);
        let mut link = Link::server(&LinkConfig::default().websocket(only_cbor), T0);
        feed(&mut link, REQUEST);
        assert!(output(&mut link).starts_with(b"HTTP/1.1 400 "));
        let error = UpgradeError::NoCommonSubprotocol { requested: "wamp.2.json".into() };
        let violation = TransportError::from(WebSocketError::from(error)).into();
        assert_eq!(events(&mut link), closed(CloseReason::PeerViolation(violation)));
    }

    /// The limit before WELCOME holds, and an idle link stays as small as it was.
    #[test]
    fn limits_and_sizes() {
        let limits = Limits::default();
        let mut link = Link::server(&both(), T0);
        feed(&mut link, REQUEST);
        events(&mut link);
        let length = u16::try_from(limits.handshake_message_size + 1).unwrap().to_be_bytes();
        feed(&mut link, &[&[0x81, 0xFE][..], &length, &[0; 4]].concat());
        assert!(matches!(events(&mut link)[..], [LinkEvent::Violation(_)]));
        link.close(T0);
        assert!(output(&mut link).ends_with(b"\x88\x02\x03\xF1"));
        assert!(size_of::<Transport>() <= size_of::<RawSocket>() + 8);
    }
}

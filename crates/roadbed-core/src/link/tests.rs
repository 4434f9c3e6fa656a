use std::string::ToString;
use std::vec::Vec;

use super::*;
use crate::transport::LivenessMode;

const T0: Timestamp = Timestamp::ZERO;
const SECOND: core::time::Duration = core::time::Duration::from_secs(1);

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
    link.raise_limit();
    let large = std::format!("[48,1,{{}},\"a\",[\"{}\"]]", "x".repeat(70_000));
    feed(&mut link, &frame(&large));
    assert!(matches!(events(&mut link)[..], [LinkEvent::Message(_)]));
    link.lower_limit();
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
    let liveness = crate::transport::LivenessConfig::default().mode(LivenessMode::On);
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

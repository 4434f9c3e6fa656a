use alloc::vec;

use super::*;
use crate::transport::rawsocket::{MAX_CONTROL, MAX_EVENTS};
use crate::transport::read_size::ReadSize;

const CLOSED_LOCAL: TransportEvent = TransportEvent::Closed { reason: TransportClose::Local };
const CLOSED_EOF: TransportEvent = TransportEvent::Closed { reason: TransportClose::Eof };

#[test]
fn input_waits_while_64_events_do() {
    let mut server = open_server(SMALL, 0);
    let mut input = BytesMut::from(&frame(0, b"m").repeat(150)[..]);
    let mut seen = vec![];
    while !input.is_empty() {
        server.handle_input(NOW, &mut input);
        let batch = events(&mut server);
        assert!(server.wants_input());
        seen.push(batch.len());
    }
    assert_eq!(seen, [MAX_EVENTS, MAX_EVENTS, 22]);

    feed(&mut server, &frame(0, b"m").repeat(MAX_EVENTS));
    assert!(!server.wants_input());
    server.poll_event();
    assert!(server.wants_input());
}

#[test]
fn a_ping_flood_is_bounded_and_every_ping_answered() {
    const PINGS: usize = 100_000;
    let mut server = open_server(SMALL, 0);
    let mut input = BytesMut::from(&frame(1, b"12345678").repeat(PINGS)[..]);
    let mut answered = 0;
    while !input.is_empty() {
        server.handle_input(NOW, &mut input);
        // Not drained, it takes nothing more, however often it is asked.
        let before = input.len();
        server.handle_input(NOW, &mut input);
        assert!(input.is_empty() || (!server.wants_input() && input.len() == before));
        assert!(server.queued() < MAX_CONTROL + 12);
        let pongs = output(&mut server);
        assert_eq!(pongs, frame(2, b"12345678").repeat(pongs.len() / 12));
        answered += pongs.len() / 12;
    }
    assert_eq!(answered, PINGS);
    assert!(server.wants_input() && server.is_open());
}

#[test]
fn queued_messages_do_not_stop_input() {
    // Two ends with much to say must not wait for each other to read.
    let mut server = open_server(SMALL, 15);
    server.send(NOW, &Encoded::from(Bytes::from(vec![0; 1 << 20]))).unwrap();
    feed(&mut server, &[frame(1, b"?"), frame(0, b"m")].concat());
    assert!(server.wants_input());
    assert_eq!(events(&mut server), [message(b"m")]);
}

#[test]
fn the_smaller_limit_before_welcome() {
    let mut server = open_server(1 << 20, 0);
    server.set_receive_limit(100);
    feed(&mut server, &frame(0, &[0; 101]));
    let error = TransportError::ReceivedTooLarge { kind: FrameKind::Message, size: 101, limit: 100 };
    assert_eq!(events(&mut server), [failed(error)]);

    // It can lower what was announced, not raise it.
    let mut server = open_server(SMALL, 0);
    server.set_receive_limit(usize::MAX);
    feed(&mut server, &frame(0, &[0; 513]));
    let error = TransportError::ReceivedTooLarge { kind: FrameKind::Message, size: 513, limit: 512 };
    assert_eq!(events(&mut server), [failed(error)]);
}

#[test]
fn welcome_and_a_large_message_in_one_read() {
    let mut server = open_server(SMALL, 0);
    server.set_receive_limit(100);
    let mut input = BytesMut::from(&[frame(0, b"welcome"), frame(0, &[b'x'; SMALL])].concat()[..]);
    server.handle_input(NOW, &mut input);
    assert!(!server.wants_input());
    assert_eq!(server.poll_event(), Some(message(b"welcome")));
    server.set_receive_limit(usize::MAX);
    assert_eq!(server.poll_event(), None);
    assert!(server.wants_input());
    server.handle_input(NOW, &mut input);
    assert_eq!(events(&mut server), [message(&[b'x'; SMALL])]);
}

#[test]
fn a_frame_held_for_a_limit_that_does_not_come_is_an_error() {
    let mut server = open_server(1 << 20, 0);
    server.set_receive_limit(100);
    let mut input = BytesMut::from(&[frame(0, b"m"), frame(0, &[0; 500])].concat()[..]);
    server.handle_input(NOW, &mut input);
    assert_eq!(events(&mut server), [message(b"m")]);
    server.handle_input(NOW, &mut input);
    let error = TransportError::ReceivedTooLarge { kind: FrameKind::Message, size: 500, limit: 100 };
    assert_eq!(events(&mut server), [failed(error)]);
}

#[test]
fn after_a_fault_the_reason_can_still_be_sent_until_close() {
    let mut server = open_server(SMALL, 0);
    output(&mut server);
    feed(&mut server, &[0xF0, 0, 0, 0]);
    assert!(!server.is_open());
    let reason = Encoded::from(Bytes::from_static(b"why"));
    server.send(NOW, &reason).unwrap();
    server.close(NOW);
    assert_eq!(server.send(NOW, &reason), Err(TransportError::Closed));
    assert_eq!(output(&mut server), frame(0, b"why"));
    assert_eq!(events(&mut server).len(), 1);

    // The peer's end of stream is no fault, and nobody reads on.
    let mut server = open_server(SMALL, 0);
    server.handle_eof(NOW);
    assert_eq!(server.send(NOW, &reason), Err(TransportError::Closed));
}

#[test]
fn hints_follow_what_arrived_not_what_is_claimed() {
    let mut server = open_server(1 << 24, 0);
    assert_eq!(server.input_hint(), ReadSize::MIN);
    let mut input = BytesMut::from(&[0, 0xFF, 0xFF, 0xFF][..]);
    server.handle_input(NOW, &mut input);
    assert_eq!(server.input_hint(), ReadSize::MIN - 4);

    let (whole, mut largest) = (HEADER_LEN + 0xFF_FFFF, 0);
    while !input.is_empty() {
        let hint = server.input_hint();
        assert!(hint >= 1 && hint <= input.len().max(ReadSize::MIN), "{hint} after {}", input.len());
        assert!(input.len() + hint <= whole);
        largest = largest.max(hint);
        input.resize(input.len() + hint, 0);
        server.handle_input(NOW, &mut input);
    }
    assert!(largest > 1 << 22);
    assert_eq!(events(&mut server).len(), 1);

    // Quiet reads bring it down again, and the receive limit caps it.
    for _ in 0..10 {
        feed(&mut server, &frame(0, b"m"));
    }
    assert_eq!(server.input_hint(), ReadSize::MIN);
    server.set_receive_limit(600);
    assert_eq!(server.input_hint(), 600 + HEADER_LEN);
    server.set_receive_limit(0);
    assert_eq!(server.input_hint(), HEADER_LEN);
}

#[test]
fn eof_at_every_offset() {
    let stream = [&[0x7F, 0xF1, 0, 0], &frame(0, b"abc")[..], &frame(0, b"")].concat();
    for cut in 0..=stream.len() {
        let mut server = server();
        feed(&mut server, &stream[..cut]);
        server.handle_eof(NOW);
        server.handle_eof(NOW);
        let end = match cut {
            0..=3 => truncated(FramePart::Handshake, cut, 4),
            5..=7 => truncated(FramePart::Header, cut - 4, 4),
            8..=10 => truncated(FramePart::Body, cut - 8, 3),
            12..=14 => truncated(FramePart::Header, cut - 11, 4),
            _ => CLOSED_EOF,
        };
        let events = events(&mut server);
        assert_eq!(events.last(), Some(&end), "{cut}");
        assert_eq!(events.iter().filter(|event| matches!(event, TransportEvent::Closed { .. })).count(), 1);
        let TransportEvent::Closed { reason } = end else { unreachable!() };
        assert_eq!(reason.is_clean(), [4, 11, 15].contains(&cut));
    }
}

#[test]
fn eof_waits_for_frames_still_in_the_buffer() {
    let mut server = open_server(SMALL, 0);
    let mut input = BytesMut::from(&frame(0, b"m").repeat(MAX_EVENTS + 1)[..]);
    server.handle_input(NOW, &mut input);
    server.handle_eof(NOW);
    assert_eq!(events(&mut server).len(), MAX_EVENTS);
    server.handle_input(NOW, &mut input);
    assert_eq!(events(&mut server), [message(b"m"), CLOSED_EOF]);

    // With an empty buffer there is nothing to wait for.
    feed(&mut server, b"");
    let mut server = open_server(SMALL, 0);
    feed(&mut server, &frame(0, b"m").repeat(MAX_EVENTS));
    server.handle_eof(NOW);
    assert_eq!(events(&mut server).len(), MAX_EVENTS + 1);
}

#[test]
fn after_close_output_drains_and_input_is_discarded() {
    let mut server = open_server(SMALL, 0);
    let hello = Encoded::from(Bytes::from_static(b"hello"));
    server.send(NOW, &hello).unwrap();
    server.close(NOW);
    server.close(NOW);
    assert!(feed(&mut server, &frame(1, b"?")).is_empty());
    server.handle_eof(NOW);
    assert_eq!(events(&mut server), [CLOSED_LOCAL]);
    assert_eq!(output(&mut server), frame(0, b"hello"));
    assert_eq!(server.send(NOW, &hello), Err(TransportError::Closed));
    assert_eq!((server.wants_input(), server.is_open(), server.poll_timeout()), (false, false, None));
}

#[test]
fn nothing_is_sent_before_the_handshake_is_done() {
    let mut client = client();
    let hello = Encoded::from(Bytes::from_static(b"hello"));
    assert_eq!(client.send(NOW, &hello), Err(TransportError::NotOpen));
    assert_eq!(output(&mut client).len(), 4);
}

#[test]
fn debug_shows_no_payload() {
    let mut server = open_server(SMALL, 0);
    server.send(NOW, &Encoded::from(Bytes::from_static(b"secret"))).unwrap();
    feed(&mut server, &frame(0, b"secret"));
    let text = alloc::format!("{server:?}");
    assert!(text.contains("queued: 10") && !text.contains("secret"), "{text}");
}

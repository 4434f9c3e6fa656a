use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Moves everything that one end has to say into the other.
fn carry(from: &mut MessageStream, to: &mut MessageStream) {
    let bytes = output(from);
    let mut input = BytesMut::from(&bytes[..]);
    to.handle_input(NOW, &mut input);
}

/// Both ends in both parts: who closes first does not matter.
#[test]
fn one_end_closes_and_the_other_answers() {
    for client_first in [true, false] {
        let (mut client, mut server) = (client(), server());
        let (first, second) =
            if client_first { (&mut client, &mut server) } else { (&mut server, &mut client) };
        first.send(NOW, MessageKind::Text, &encoded(b"last words")).unwrap();
        first.close(NOW, 1001, "gone");
        first.close(NOW, 1000, "again");
        assert!(first.is_closing() && !first.is_open() && first.wants_input());
        assert_eq!(first.send(NOW, MessageKind::Text, &encoded(b"x")), Err(TransportError::Closed));
        assert_eq!(events(first), []);

        carry(first, second);
        // The message waits to be answered before the Close frame is.
        assert_eq!(events(second), [text("last words")]);
        assert!(second.is_open());
        second.send(NOW, MessageKind::Text, &encoded(b"an answer")).unwrap();
        let mut rest = BytesMut::from(
            &match second.role() {
                TransportRole::Server => frame(0x88, b"\x03\xE9gone"),
                TransportRole::Client => plain(0x88, b"\x03\xE9gone"),
            }[..],
        );
        second.handle_input(NOW, &mut rest);
        assert_eq!(events(second), [peer(Some(1001), "gone")]);
        assert_eq!(second.send(NOW, MessageKind::Text, &encoded(b"x")), Err(TransportError::Closed));

        let sent = output(second);
        let mut input = BytesMut::from(&sent[..]);
        let kinds: Vec<_> = frames(&sent).into_iter().map(|(first, _, body)| (first, body)).collect();
        assert_eq!(kinds, [(0x81, b"an answer".to_vec()), (0x88, b"\x03\xE9".to_vec())]);
        first.handle_input(NOW, &mut input);
        assert_eq!(events(first), [closed(TransportClose::Local)]);
        assert!(!first.is_closing() && first.poll_timeout().is_none() && first.queued() == 0);
    }
}

#[test]
fn close_frames_that_cross() {
    let (mut client, mut server) = (client(), server());
    client.close(NOW, 1000, "");
    server.close(NOW, 1001, "");
    carry(&mut client, &mut server);
    assert_eq!(events(&mut server), [closed(TransportClose::Local)]);
    carry(&mut server, &mut client);
    assert_eq!(events(&mut client), [closed(TransportClose::Local)]);
    assert_eq!((output(&mut client), output(&mut server)), (vec![], vec![]));
}

#[test]
fn every_code_is_echoed_without_its_reason() {
    for (payload, code, reason) in [
        (&b""[..], None, ""),
        (b"\x03\xE8", Some(1000), ""),
        (b"\x0F\xA0because", Some(4000), "because"),
        (b"\x03\xF6", Some(1014), ""),
    ] {
        let mut server = server();
        assert!(feed(&mut server, &[frame(0x88, payload), frame(0x81, b"after")].concat()).is_empty());
        assert_eq!(events(&mut server), [peer(code, reason)]);
        let echo = code.map(|code| code.to_be_bytes().to_vec()).unwrap_or_default();
        assert_eq!(frames(&output(&mut server)), [(0x88, None, echo)]);
    }
}

/// Whoever does not answer our Close frame is left after 5 s, however much it says.
#[test]
fn the_answer_has_a_deadline() {
    let mut server = server();
    let mut input = BytesMut::new();
    let start = Timestamp::from_micros(7_000_000);
    server.close(start, 1000, "");
    assert_eq!(server.poll_timeout(), Some(start + SECOND * 5));
    for second in 1..5 {
        let now = start + SECOND * second;
        input.extend_from_slice(&[frame(0x02, &[0; 600]), frame(0x89, b"?")].concat());
        server.handle_input(now, &mut input);
        server.handle_timeout(now);
        assert!(server.is_closing() && input.is_empty() && events(&mut server).is_empty());
    }
    server.handle_timeout(start + SECOND * 5);
    assert_eq!(events(&mut server), [closed(TransportClose::Local)]);
    assert_eq!(server.poll_timeout(), None);
    assert_eq!(frames(&output(&mut server)).len(), 1, "no PONG follows a Close frame");
}

/// Half a frame when we close: the rest of it is skipped, and the Close frame behind it found.
#[test]
fn closing_inside_a_frame() {
    let whole = [frame(0x82, &[5; 400]), frame(0x88, b"\x03\xE8")].concat();
    let parts = [frame(0x02, &[5; 400]), frame(0x89, b"?"), frame(0x80, b"x"), frame(0x88, b"")].concat();
    for stream in [whole, parts] {
        for cut in 0..stream.len() - 2 {
            let mut server = server();
            let mut input = BytesMut::from(&stream[..cut]);
            server.handle_input(NOW, &mut input);
            if !server.wants_input() {
                continue;
            }
            server.close(NOW, 1000, "");
            events(&mut server);
            for octet in &stream[cut..] {
                assert!(server.is_closing(), "cut at {cut}");
                input.extend_from_slice(&[*octet]);
                server.handle_input(NOW, &mut input);
            }
            assert_eq!(events(&mut server), [closed(TransportClose::Local)], "cut at {cut}");
        }
    }
}

/// Nothing the peer does wrong after our Close frame is its fault.
#[test]
fn faults_while_closing_end_it() {
    for bytes in [frame(0x83, b""), frame(0x88, b"\x03"), plain(0x81, b"x")] {
        let mut server = server();
        server.close(NOW, 1000, "");
        feed(&mut server, &bytes);
        assert_eq!(events(&mut server), [closed(TransportClose::Local)]);
    }
    let mut server = server();
    server.close(NOW, 1000, "");
    server.handle_eof(NOW);
    server.handle_eof(NOW);
    assert_eq!(events(&mut server), [closed(TransportClose::Local)]);
}

#[test]
fn eof_at_every_offset() {
    let part = |part, received, expected| {
        closed(TransportClose::Failed(TransportError::Truncated { part, received, expected }))
    };
    let stream = [frame(0x81, b"abc"), frame(0x01, b"de"), frame(0x89, b"?"), frame(0x80, b"f")].concat();
    for cut in 0..=stream.len() {
        let mut server = server();
        let mut input = BytesMut::from(&stream[..cut]);
        let mut seen = vec![];
        server.handle_input(NOW, &mut input);
        server.handle_eof(NOW);
        while !seen.iter().any(|event| matches!(event, MessageEvent::Closed { .. })) {
            seen.extend(events(&mut server));
            server.handle_input(NOW, &mut input);
            seen.extend(events(&mut server));
        }
        server.handle_eof(NOW);
        let end = match cut {
            0 | 9 | 31 => closed(TransportClose::Eof),
            1 | 10 | 18 | 25 => part(FramePart::Header, 1, 2),
            2..=5 => part(FramePart::Header, cut, 6),
            6..=8 => part(FramePart::Body, cut - 6, 3),
            11..=14 => part(FramePart::Header, cut - 9, 6),
            15..=16 => part(FramePart::Body, cut - 15, 2),
            17 | 24 => part(FramePart::Header, 0, 2),
            19..=22 => part(FramePart::Header, cut - 17, 6),
            23 => part(FramePart::Body, 0, 1),
            26..=29 => part(FramePart::Header, cut - 24, 6),
            30 => part(FramePart::Body, 0, 1),
            _ => unreachable!("{cut}"),
        };
        assert_eq!(seen.last(), Some(&end), "{cut}");
        assert_eq!(seen.iter().filter(|event| matches!(event, MessageEvent::Closed { .. })).count(), 1);
        assert!(server.poll_event().is_none());
    }
}

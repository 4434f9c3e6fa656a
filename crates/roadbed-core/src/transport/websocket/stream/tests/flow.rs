use super::*;
use crate::transport::{LivenessConfig, LivenessMode};

#[test]
fn input_waits_while_64_events_do() {
    let mut server = server();
    let mut input = BytesMut::from(&frame(0x82, b"m").repeat(150)[..]);
    let mut seen = vec![];
    while !input.is_empty() {
        server.handle_input(NOW, &mut input);
        let batch = events(&mut server);
        assert!(server.wants_input());
        seen.push(batch.len());
    }
    assert_eq!(seen, [MAX_EVENTS, MAX_EVENTS, 22]);
}

#[test]
fn a_ping_between_fragments_is_answered_between_them() {
    let mut server = server();
    let stream = [
        frame(0x01, b"one, "),
        frame(0x89, b"are you there?"),
        frame(0x00, b"two, "),
        frame(0x8A, b"nobody asked"),
        frame(0x80, b"three"),
    ];
    let mut input = BytesMut::from(&stream[..2].concat()[..]);
    server.handle_input(NOW, &mut input);
    assert_eq!(frames(&output(&mut server)), [(0x8A, None, b"are you there?".to_vec())]);
    feed(&mut server, &stream[2..].concat());
    assert_eq!(events(&mut server), [text("one, two, three")]);
    assert_eq!(output(&mut server), b"");
}

/// T-87: PINGs of a peer that does not read cost 16 PONGs, the last PING's among them.
#[test]
fn a_ping_flood_is_bounded() {
    let mut server = server();
    for number in 0..100_000_u32 {
        feed(&mut server, &frame(0x89, &number.to_be_bytes()));
        assert!(server.queued() <= 16 * 6 && server.wants_input());
    }
    let pongs = frames(&output(&mut server));
    assert_eq!(pongs.len(), 16);
    let expected: Vec<u32> = (0..15).chain([99_999]).collect();
    for ((first, _, body), number) in pongs.into_iter().zip(expected) {
        assert_eq!((first, body), (0x8A, number.to_be_bytes().to_vec()));
    }
}

#[test]
fn a_pong_overtakes_messages_but_cuts_none() {
    let mut server = server();
    let large = Bytes::from(vec![1; 100_000]);
    server.send(NOW, MessageKind::Binary, &Encoded::from(large.clone())).unwrap();
    server.send(NOW, MessageKind::Binary, &Encoded::from(large)).unwrap();
    let mut sent = server.poll_transmit().unwrap().to_vec();
    feed(&mut server, &frame(0x89, b"?"));
    sent.extend(output(&mut server));
    let kinds: Vec<u8> = frames(&sent).into_iter().map(|(first, ..)| first).collect();
    assert_eq!(kinds, [0x82, 0x8A, 0x82]);
}

/// A PING behind a message waits until the message was taken: it may end the session.
#[test]
fn a_ping_waits_for_the_message_before_it() {
    let mut server = server();
    let mut input = BytesMut::from(&[frame(0x81, b"m"), frame(0x89, b"?")].concat()[..]);
    server.handle_input(NOW, &mut input);
    assert!(!server.wants_input() && output(&mut server).is_empty());
    assert_eq!(events(&mut server), [text("m")]);
    assert!(server.wants_input());
    server.handle_input(NOW, &mut input);
    assert_eq!(output(&mut server), b"\x8A\x01?");
}

#[test]
fn a_large_message_behind_the_one_that_raises_the_limit() {
    for large in
        [frame(0x82, &[b'x'; SMALL]), [frame(0x02, &[b'x'; 90]), frame(0x80, &[b'x'; SMALL - 90])].concat()]
    {
        let mut server = server();
        server.set_receive_limit(100);
        let mut input = BytesMut::from(&[frame(0x81, b"welcome"), large].concat()[..]);
        server.handle_input(NOW, &mut input);
        assert!(!server.wants_input());
        assert_eq!(server.poll_event(), Some(text("welcome")));
        server.set_receive_limit(usize::MAX);
        server.handle_input(NOW, &mut input);
        assert_eq!(events(&mut server), [binary(&[b'x'; SMALL])]);
    }
    let mut server = server();
    server.set_receive_limit(100);
    feed(&mut server, &frame(0x82, &[0; 101]));
    assert_eq!(events(&mut server), [too_large(101, 100)]);
}

/// T-80: what a message costs depends on its bytes, not on its frames.
#[test]
fn a_million_empty_fragments() {
    let mut server = server();
    feed(&mut server, &frame(0x01, b""));
    let thousand = [frame(0x00, b"").repeat(999), frame(0x89, b"")].concat();
    for _ in 0..1000 {
        assert!(feed(&mut server, &thousand).is_empty());
        assert_eq!(output(&mut server), b"\x8A\0");
    }
    assert_eq!((server.assembly.len(), server.events.len()), (0, 0));
    feed(&mut server, &frame(0x80, b"!"));
    assert_eq!(events(&mut server), [text("!")]);
}

#[test]
fn fragments_of_one_byte() {
    const COUNT: usize = 131_000;
    let mut server = MessageStream::server(&MessageStreamConfig::default(), NOW);
    feed(&mut server, &frame(0x02, b""));
    let piece = frame(0x00, b"x");
    for chunk in 0..COUNT / 1000 {
        feed(&mut server, &piece.repeat(1000));
        assert_eq!(server.assembly.len(), (chunk + 1) * 1000);
    }
    feed(&mut server, &frame(0x80, b""));
    assert_eq!(events(&mut server), [binary(&[b'x'; COUNT])]);
}

#[test]
fn hints_follow_what_arrived_not_what_is_claimed() {
    let mut server = MessageStream::server(&MessageStreamConfig::default().max_receive(1 << 24), NOW);
    assert_eq!(server.input_hint(), ReadSize::MIN);
    let mut header = vec![0x82, 0xFF];
    header.extend((1_u64 << 24).to_be_bytes());
    header.extend(KEY);
    let mut input = BytesMut::from(&header[..]);
    server.handle_input(NOW, &mut input);
    let (whole, mut largest) = (14 + (1 << 24), 0);
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
    for _ in 0..10 {
        feed(&mut server, &frame(0x82, b"m"));
    }
    assert_eq!(server.input_hint(), ReadSize::MIN);
    server.set_receive_limit(600);
    assert_eq!(server.input_hint(), 614);
}

/// Auto means yes: every WebSocket peer answers PINGs.
#[test]
fn silence_is_answered_by_pings() {
    let seconds = |seconds: u64| Timestamp::from_micros(seconds * 1_000_000);
    let mut client = client();
    for at in [30, 60] {
        assert_eq!(client.poll_timeout(), Some(seconds(at)));
        client.handle_timeout(seconds(at));
        assert_eq!(client.queued(), 6);
        let sent = frames(&output(&mut client));
        assert_eq!((sent.len(), sent[0].0, &sent[0].2[..]), (1, 0x89, &b""[..]));
    }
    client.handle_timeout(seconds(90));
    assert_eq!(events(&mut client), [closed(TransportClose::Timeout)]);

    let off = MessageStreamConfig::default().liveness(LivenessConfig::default().mode(LivenessMode::Off));
    assert_eq!(MessageStream::server(&off, NOW).poll_timeout(), None);
}

#[test]
fn messages_over_what_may_be_sent_are_refused() {
    let config = MessageStreamConfig::default().max_send(100);
    let mut client = MessageStream::client(&config, [0; 32], NOW);
    let error = TransportError::TooLarge { size: 101, limit: 100 };
    assert_eq!(client.send(NOW, MessageKind::Binary, &encoded(&[0; 101])), Err(error));
    assert_eq!((client.queued(), client.is_open()), (0, true));
    client.send(NOW, MessageKind::Binary, &encoded(&[0; 100])).unwrap();
    assert_eq!(client.queued(), 106);
}

#[test]
fn debug_shows_no_payload() {
    let mut server = server();
    server.send(NOW, MessageKind::Text, &encoded(b"secret")).unwrap();
    feed(&mut server, &frame(0x81, b"secret"));
    let shown = alloc::format!("{server:?} {:?}", events(&mut server));
    assert!(shown.contains("queued: 8") && shown.contains("6 bytes") && !shown.contains("secret"), "{shown}");
}

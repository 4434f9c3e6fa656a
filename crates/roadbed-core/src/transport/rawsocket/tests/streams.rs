//! How a stream is cut into reads must not matter.

use alloc::vec;

use proptest::collection::vec as vec_of;
use proptest::prelude::*;

use super::*;
use crate::transport::rawsocket::MAX_EVENTS;

/// What a transport makes of a stream that arrives in pieces ending at `cuts`, and of its end.
fn run(mut transport: RawSocket, stream: &[u8], cuts: &[usize]) -> (Vec<TransportEvent>, Vec<u8>) {
    let (mut all, mut sent, mut input) = (vec![], vec![], BytesMut::new());
    let mut start = 0;
    for &cut in cuts.iter().chain([&stream.len()]) {
        input.extend_from_slice(&stream[start..cut.max(start)]);
        start = cut.max(start);
        loop {
            let before = input.len();
            transport.handle_input(NOW, &mut input);
            // Nothing new is wanted before the old has been fetched, so memory is bounded.
            let batch = events(&mut transport);
            assert!(batch.len() <= MAX_EVENTS + 2);
            all.extend(batch);
            sent.extend(output(&mut transport));
            if input.is_empty() || input.len() == before {
                break;
            }
        }
        assert!(transport.input_hint() >= 1);
    }
    transport.handle_eof(NOW);
    all.extend(events(&mut transport));
    sent.extend(output(&mut transport));
    assert!(matches!(all.last(), Some(TransportEvent::Closed { .. })));
    assert_eq!(all.iter().filter(|event| matches!(event, TransportEvent::Closed { .. })).count(), 1);
    assert!(!transport.wants_input() && transport.poll_event().is_none());
    (all, sent)
}

fn session() -> Vec<u8> {
    [
        &[0x7F, 0x52, 0, 0][..],
        &frame(0, b"hello"),
        &frame(1, b"ping"),
        &frame(0, b""),
        &frame(2, b"pong"),
        &frame(1, b""),
        &frame(0, &[1; 300]),
        &[0, 0, 0, 9, 1, 2],
    ]
    .concat()
}

#[test]
fn every_split_in_two_and_octet_by_octet() {
    let stream = session();
    let whole = run(server(), &stream, &[]);
    assert_eq!(whole.0.len(), 5);
    assert_eq!(whole.0[4], truncated(FramePart::Body, 2, 9));
    assert_eq!(run(client(), &stream, &[]).0, whole.0);
    for cut in 0..=stream.len() {
        assert_eq!(run(server(), &stream, &[cut]), whole);
    }
    let every: Vec<usize> = (0..stream.len()).collect();
    assert_eq!(run(server(), &stream, &every), whole);
}

#[test]
fn many_frames_in_one_read_or_in_many() {
    let stream = [&[0x7F, 0x52, 0, 0], &[frame(0, b"m"), frame(1, b"?")].concat().repeat(500)[..]].concat();
    let every: Vec<usize> = (0..stream.len()).collect();
    assert_eq!(run(server(), &stream, &[]), run(server(), &stream, &every));
}

#[test]
fn both_ends_against_each_other() {
    let (mut client, mut server) = (client(), server());
    let (mut to_client, mut to_server) = (BytesMut::new(), BytesMut::new());
    let (mut at_client, mut at_server) = (vec![], vec![]);
    for round in 0..50_u8 {
        for (transport, flag) in [(&mut client, 0), (&mut server, 0x80)] {
            if transport.is_open() {
                let body = vec![round | flag; usize::from(round) * 10];
                transport.send(NOW, &Encoded::from(Bytes::from(body))).unwrap();
            }
        }
        to_server.extend_from_slice(&output(&mut client));
        server.handle_input(NOW, &mut to_server);
        to_client.extend_from_slice(&output(&mut server));
        client.handle_input(NOW, &mut to_client);
        at_client.extend(events(&mut client));
        at_server.extend(events(&mut server));
    }
    client.close(NOW);
    server.handle_eof(NOW);
    at_client.extend(events(&mut client));
    at_server.extend(events(&mut server));
    let open = TransportEvent::Open { serializer: Serializer::MsgPack, max_send: SMALL };
    for (seen, flag, reason) in
        [(at_client, 0x80, TransportClose::Local), (at_server, 0, TransportClose::Eof)]
    {
        assert_eq!((seen.len(), &seen[0]), (51, &open));
        for (round, event) in (1..50).zip(&seen[1..]) {
            let body = vec![round | flag; usize::from(round) * 10];
            assert_eq!(*event, TransportEvent::Message(Bytes::from(body)));
        }
        assert_eq!(seen[50], TransportEvent::Closed { reason });
    }
}

/// Streams that mostly make sense, with faults in between.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let body = || vec_of(any::<u8>(), 0..40);
    let piece = prop_oneof![
        8 => (0..3_u8, body()).prop_map(|(kind, body)| frame(kind, &body)),
        1 => (400..600_usize).prop_map(|size| frame(0, &vec![0; size])),
        1 => body(),
    ];
    let opening = prop_oneof![
        9 => (0..16_u8).prop_map(|code| vec![0x7F, (code << 4) | 2, 0, 0]),
        1 => vec_of(any::<u8>(), 0..5),
    ];
    (opening, vec_of(piece, 0..20)).prop_map(|(opening, pieces)| [opening, pieces.concat()].concat())
}

proptest! {
    #[test]
    fn cuts_do_not_matter(
        stream in prop_oneof![3 => streams(), 1 => vec_of(any::<u8>(), 0..64)],
        as_client: bool,
        limit in prop_oneof![Just(usize::MAX), 0..64_usize],
        mut cuts in vec_of(any::<prop::sample::Index>(), 0..10),
    ) {
        let fresh = || {
            let mut transport = if as_client { client() } else { server() };
            transport.set_receive_limit(limit);
            transport
        };
        let mut cuts: Vec<usize> = cuts.drain(..).map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.sort_unstable();
        let every: Vec<usize> = (0..stream.len()).collect();
        let whole = run(fresh(), &stream, &[]);
        prop_assert_eq!(&run(fresh(), &stream, &every), &whole);
        prop_assert_eq!(&run(fresh(), &stream, &cuts), &whole);
    }

    #[test]
    fn undrained_it_stays_within_bounds(stream in vec_of((0..3_u8, vec_of(any::<u8>(), 0..40)), 0..300)) {
        let mut server = open_server(SMALL, 0);
        let mut input = BytesMut::new();
        for (kind, body) in stream {
            input.extend_from_slice(&frame(kind, &body));
            server.handle_input(NOW, &mut input);
        }
        let messages = events(&mut server).len();
        prop_assert!(messages <= MAX_EVENTS);
        prop_assert!(server.queued() < MAX_CONTROL + SMALL);
    }
}

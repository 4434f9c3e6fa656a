//! How a stream is cut into reads must not matter.

use proptest::collection::vec as vec_of;
use proptest::prelude::*;

use super::*;

/// What an end makes of a stream that arrives in pieces ending at `cuts`, and of its end. Of the output, PONGs
/// are left out: how many are sent depends on how often output is fetched.
fn run(mut stream: MessageStream, bytes: &[u8], cuts: &[usize]) -> (Vec<MessageEvent>, Vec<(u8, Vec<u8>)>) {
    let (mut all, mut sent, mut input) = (vec![], vec![], BytesMut::new());
    let mut start = 0;
    for &cut in cuts.iter().chain([&bytes.len()]) {
        input.extend_from_slice(&bytes[start..cut.max(start)]);
        start = cut.max(start);
        loop {
            stream.handle_input(NOW, &mut input);
            let has_stalled = !stream.wants_input();
            let batch = events(&mut stream);
            assert!(batch.len() <= MAX_EVENTS + 1);
            // Every message is answered, so that the order of answers and Close frames shows.
            for event in &batch {
                if let MessageEvent::Message { kind, body } = event {
                    let _ = stream.send(NOW, *kind, &Encoded::from(body.clone()));
                }
            }
            all.extend(batch);
            let is_over = matches!(all.last(), Some(MessageEvent::Closed { .. }));
            sent.extend(output(&mut stream));
            if is_over || !has_stalled {
                break;
            }
        }
        assert!(stream.input_hint() >= 1);
    }
    stream.handle_eof(NOW);
    stream.close(NOW, 1000, "");
    all.extend(events(&mut stream));
    sent.extend(output(&mut stream));
    assert_eq!(all.iter().filter(|event| matches!(event, MessageEvent::Closed { .. })).count(), 1);
    assert!(matches!(all.last(), Some(MessageEvent::Closed { .. })));
    assert!(!stream.wants_input() && stream.poll_event().is_none() && stream.poll_timeout().is_none());
    let sent = frames(&sent).into_iter().filter(|(first, ..)| *first != 0x8A);
    (all, sent.map(|(first, _, body)| (first, body)).collect())
}

fn session(role: TransportRole) -> Vec<u8> {
    [
        frame_from(role, 0x81, "caf\u{e9} \u{1F600}".as_bytes()),
        frame_from(role, 0x89, b"ping"),
        frame_from(role, 0x82, b""),
        frame_from(role, 0x01, b"\xF0\x9F"),
        frame_from(role, 0x8A, b"pong"),
        frame_from(role, 0x00, b""),
        frame_from(role, 0x00, b"\x98"),
        frame_from(role, 0x89, b""),
        frame_from(role, 0x80, b"\x80 end"),
        frame_from(role, 0x82, &[1; 300]),
        frame_from(role, 0x88, b"\x03\xE8bye"),
    ]
    .concat()
}

#[test]
fn every_split_in_two_and_octet_by_octet() {
    for (fresh, role) in
        [(server as fn() -> MessageStream, TransportRole::Client), (client, TransportRole::Server)]
    {
        let stream = session(role);
        let whole = run(fresh(), &stream, &[]);
        assert_eq!(
            whole.0,
            [
                text("caf\u{e9} \u{1F600}"),
                binary(b""),
                text("\u{1F600} end"),
                binary(&[1; 300]),
                peer(Some(1000), "bye"),
            ]
        );
        let answers: Vec<u8> = whole.1.iter().map(|(first, _)| *first).collect();
        assert_eq!(answers, [0x81, 0x82, 0x81, 0x82, 0x88]);
        for cut in 0..=stream.len() {
            assert_eq!(run(fresh(), &stream, &[cut]), whole, "cut at {cut}");
        }
        let every: Vec<usize> = (0..stream.len()).collect();
        assert_eq!(run(fresh(), &stream, &every), whole);
    }
}

/// Streams that mostly make sense, with faults in between.
fn streams(role: TransportRole) -> impl Strategy<Value = Vec<u8>> {
    let body = || {
        prop_oneof![
            "[a-z\u{e9}\u{20ac}\u{1F600}]{0,12}".prop_map(alloc::string::String::into_bytes),
            vec_of(any::<u8>(), 0..6),
        ]
    };
    let first = prop_oneof![
        8 => prop::sample::select(&[0x81_u8, 0x82, 0x89, 0x8A][..]),
        6 => prop::sample::select(&[0x01_u8, 0x02, 0x00, 0x80, 0x00, 0x80][..]),
        1 => any::<u8>(),
    ];
    let piece = prop_oneof![
        24 => (first, body()).prop_map(move |(first, body)| frame_from(role, first, &body)),
        1 => (400..600_usize).prop_map(move |size| frame_from(role, 0x82, &vec![0; size])),
        1 => (0..5000_u16, body()).prop_map(move |(code, reason)| {
            frame_from(role, 0x88, &[&code.to_be_bytes()[..], &reason].concat())
        }),
        1 => body(),
    ];
    vec_of(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn check(
    fresh: impl Fn() -> MessageStream,
    stream: &[u8],
    cuts: Vec<prop::sample::Index>,
) -> Result<(), TestCaseError> {
    let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.index(stream.len() + 1)).collect();
    cuts.sort_unstable();
    let every: Vec<usize> = (0..stream.len()).collect();
    let whole = run(fresh(), stream, &[]);
    prop_assert_eq!(&run(fresh(), stream, &every), &whole);
    prop_assert_eq!(&run(fresh(), stream, &cuts), &whole);
    Ok(())
}

proptest! {
    #[test]
    fn cuts_do_not_matter_to_a_server(
        stream in streams(TransportRole::Client), cuts in vec_of(any::<prop::sample::Index>(), 0..10),
    ) {
        check(server, &stream, cuts)?;
    }

    #[test]
    fn cuts_do_not_matter_to_a_client(
        stream in streams(TransportRole::Server), cuts in vec_of(any::<prop::sample::Index>(), 0..10),
    ) {
        check(client, &stream, cuts)?;
    }

    #[test]
    fn what_one_end_sends_the_other_gets(
        messages in vec_of((any::<bool>(), any::<alloc::string::String>()), 0..20), from_client: bool,
    ) {
        let config = MessageStreamConfig::default();
        let (mut client, mut server) =
            (MessageStream::client(&config, [1; 32], NOW), MessageStream::server(&config, NOW));
        let (from, to) = if from_client { (&mut client, &mut server) } else { (&mut server, &mut client) };
        let mut expected = vec![];
        for (is_text, body) in messages {
            let kind = if is_text { MessageKind::Text } else { MessageKind::Binary };
            from.send(NOW, kind, &encoded(body.as_bytes())).unwrap();
            expected.push(message(kind, body.as_bytes()));
        }
        feed(to, &output(from));
        prop_assert_eq!(events(to), expected);
    }
}

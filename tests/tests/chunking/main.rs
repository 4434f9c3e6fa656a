//! What arrives in how many pieces does not matter, and a stream may end anywhere.

mod client;
mod router;

use proptest::prelude::*;
use roadbed_core::serializer::Serializer;
use roadbed_testkit::{Chunking, assert_same_under_chunking};
use roadbed_tests::frames::{frame, handshake, raw_frame, unknown_frame};

/// Something a stream is made of: one of the messages that belong to a scenario, or anything else.
#[derive(Clone, Debug)]
enum Part {
    Message(usize),
    Unknown(u64),
    Frame { kind: u8, body: Vec<u8> },
    Bytes(Vec<u8>),
}

fn parts(messages: usize) -> impl Strategy<Value = Vec<Part>> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..12);
    let part = prop_oneof![
        24 => (0..messages).prop_map(Part::Message),
        1 => (200..1100_u64).prop_map(Part::Unknown),
        3 => (1..3_u8, bytes()).prop_map(|(kind, body)| Part::Frame { kind, body }),
        1 => (any::<u8>(), bytes()).prop_map(|(kind, body)| Part::Frame { kind, body }),
        1 => bytes().prop_map(Part::Bytes),
    ];
    prop::collection::vec(part, 0..24)
}

fn stream(serializer: Serializer, messages: &[&str], parts: &[Part]) -> Vec<u8> {
    let bytes = parts.iter().map(|part| match part {
        Part::Message(index) => frame(serializer, messages[*index]),
        Part::Unknown(message_type) => unknown_frame(serializer, *message_type),
        Part::Frame { kind, body } => raw_frame(*kind, body),
        Part::Bytes(bytes) => bytes.clone(),
    });
    bytes.collect::<Vec<_>>().concat()
}

fn serializer() -> impl Strategy<Value = Serializer> {
    prop::sample::select(&Serializer::ALL[..])
}

/// A good stream, cut in every way; and ended after every byte.
#[test]
fn a_client_sees_bytes_not_pieces() {
    for serializer in Serializer::ALL {
        let stream = client::whole(serializer);
        let outcome = assert_same_under_chunking(&stream, |pieces| client::run(serializer, pieces));
        assert_eq!(outcome.closed.as_deref(), Some("goodbye: wamp.close.system_shutdown"), "{outcome:#?}");
        for end in 0..stream.len() {
            let outcome = client::run(serializer, &Chunking::Random(end as u64).cut(&stream[..end]));
            assert_eq!(outcome.closed.as_deref(), Some("the transport ended"), "after {end} bytes");
        }
    }
}

#[test]
fn a_router_sees_bytes_not_pieces() {
    for serializer in Serializer::ALL {
        let stream = router::whole(serializer);
        let outcome = assert_same_under_chunking(&stream, router::run);
        assert_eq!(outcome.violations, 0, "{outcome:#?}");
        for end in 0..stream.len() {
            router::run(&Chunking::Random(end as u64).cut(&stream[..end]));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_stream_to_a_client(
        serializer in serializer(), parts in parts(client::MESSAGES.len()), seeds: [u64; 3], cut: prop::sample::Index,
    ) {
        let stream = stream(serializer, client::MESSAGES, &parts);
        let whole = client::run(serializer, &Chunking::Whole.cut(&stream));
        for way in ways(&seeds, cut.index(stream.len() + 1)) {
            prop_assert_eq!(&client::run(serializer, &way.cut(&stream)), &whole, "{:?}", way);
        }
    }

    #[test]
    fn any_stream_to_a_router(
        serializer in serializer(), parts in parts(router::MESSAGES.len()), seeds: [u64; 3], cut: prop::sample::Index,
    ) {
        let stream = [
            &handshake(serializer)[..],
            &stream(serializer, router::MESSAGES, &parts),
        ]
        .concat();
        let whole = router::run(&Chunking::Whole.cut(&stream));
        for way in ways(&seeds, cut.index(stream.len() + 1)) {
            prop_assert_eq!(&router::run(&way.cut(&stream)), &whole, "{:?}", way);
        }
    }
}

fn ways(seeds: &[u64], cut: usize) -> Vec<Chunking> {
    let random = seeds.iter().map(|seed| Chunking::Random(*seed));
    random.chain([Chunking::Bytewise, Chunking::At(cut)]).collect()
}

//! What arrives in how many pieces does not matter, and a stream may end anywhere.

mod client;
mod refusals;
mod router;

use proptest::prelude::*;
use roadbed_core::serializer::Serializer;
use roadbed_testkit::{Carrier, Chunking, assert_same_under_chunking};
use roadbed_tests::frames::Framing;

/// Something a stream is made of: one of the messages that belong to a scenario, or anything else.
#[derive(Clone, Debug)]
enum Part {
    Message(usize),
    Unknown(u64),
    /// Several messages, in one batch where there are batches.
    Batch(Vec<Vec<u8>>),
    Frame {
        kind: u8,
        body: Vec<u8>,
    },
    Bytes(Vec<u8>),
}

fn parts(messages: usize) -> impl Strategy<Value = Vec<Part>> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..12);
    let part = prop_oneof![
        24 => (0..messages).prop_map(Part::Message),
        1 => (200..1100_u64).prop_map(Part::Unknown),
        1 => prop::collection::vec(bytes(), 1..4).prop_map(Part::Batch),
        3 => prop::sample::select(&[1, 2, 0x89, 0x8A][..]).prop_flat_map(move |kind| (Just(kind), bytes())).prop_map(|(kind, body)| Part::Frame { kind, body }),
        1 => (any::<u8>(), bytes()).prop_map(|(kind, body)| Part::Frame { kind, body }),
        1 => bytes().prop_map(Part::Bytes),
    ];
    prop::collection::vec(part, 0..24)
}

fn stream(framing: Framing, messages: &[&str], parts: &[Part]) -> Vec<u8> {
    let bytes = parts.iter().map(|part| match part {
        Part::Message(index) => framing.message(messages[*index]),
        Part::Unknown(message_type) => framing.unknown(*message_type),
        Part::Batch(bodies) => framing.bodies(&bodies.iter().map(Vec::as_slice).collect::<Vec<_>>()),
        Part::Frame { kind, body } => framing.frame(*kind, body),
        Part::Bytes(bytes) => bytes.clone(),
    });
    bytes.collect::<Vec<_>>().concat()
}

fn framing(is_client: bool) -> impl Strategy<Value = Framing> {
    let (carrier, serializer) =
        (prop::sample::select(Carrier::ALL), prop::sample::select(&Serializer::ALL[..]));
    (carrier, serializer).prop_map(move |(carrier, serializer)| Framing { carrier, serializer, is_client })
}

/// Every transport with every serializer.
fn framings(is_client: bool) -> impl Iterator<Item = Framing> {
    let all =
        Carrier::ALL.iter().flat_map(|carrier| Serializer::ALL.map(|serializer| (*carrier, serializer)));
    all.map(move |(carrier, serializer)| Framing { carrier, serializer, is_client })
}

/// A good stream, cut in every way; and ended after every byte.
#[test]
fn a_client_sees_bytes_not_pieces() {
    for framing in framings(false) {
        let stream = client::whole(framing);
        let outcome = assert_same_under_chunking(&stream, |pieces| client::run(framing, pieces));
        assert_eq!(
            outcome.closed.as_deref(),
            Some("goodbye: wamp.close.system_shutdown: the end"),
            "{outcome:#?}"
        );
        for end in 0..stream.len() {
            let outcome = client::run(framing, &Chunking::Random(end as u64).cut(&stream[..end]));
            let closed = outcome.closed.as_deref();
            assert_eq!(closed, Some("the transport ended"), "{framing:?}, after {end} bytes");
        }
    }
}

#[test]
fn a_router_sees_bytes_not_pieces() {
    for framing in framings(true) {
        let stream = router::whole(framing);
        let outcome = assert_same_under_chunking(&stream, |pieces| router::run(framing, pieces));
        assert_eq!(outcome.violations, 0, "{outcome:#?}");
        for end in 0..stream.len() {
            router::run(framing, &Chunking::Random(end as u64).cut(&stream[..end]));
        }
    }
}

/// A message ends the session, and behind it comes what the transport judges by itself: a PING, a Close frame, a text
/// that is none, a batch that is none. The router's answer is first, and decides how the connection is closed.
#[test]
fn a_router_answers_before_what_comes_behind() {
    let fault = [0xFF, 0xC0, 0x80].as_slice();
    for framing in framings(true) {
        let start =
            [framing.request(), framing.message(router::MESSAGES[0]), framing.message(router::MESSAGES[0])];
        let behind = [
            framing.ping(b"late"),
            framing.close(1001),
            framing.frame(1, fault),
            framing.frame(2, fault),
            framing.frame(2, &[0, 0, 0, 9, 1]),
            framing.frame(0x87, b""),
        ];
        for behind in behind {
            let stream = [start.concat(), behind].concat();
            let outcome = assert_same_under_chunking(&stream, |pieces| router::run(framing, pieces));
            assert_eq!(outcome.violations, 1, "{outcome:#?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_stream_to_a_client(
        framing in framing(false), parts in parts(client::MESSAGES.len()), seeds: [u64; 3], cut: prop::sample::Index,
    ) {
        let stream = stream(framing, client::MESSAGES, &parts);
        let whole = client::run(framing, &Chunking::Whole.cut(&stream));
        for way in ways(&seeds, cut.index(stream.len() + 1)) {
            prop_assert_eq!(&client::run(framing, &way.cut(&stream)), &whole, "{:?}", way);
        }
    }

    #[test]
    fn any_stream_to_a_router(
        framing in framing(true), parts in parts(router::MESSAGES.len()), seeds: [u64; 3], cut: prop::sample::Index,
    ) {
        let stream = [
            framing.request(),
            stream(framing, router::MESSAGES, &parts),
        ]
        .concat();
        let whole = router::run(framing, &Chunking::Whole.cut(&stream));
        for way in ways(&seeds, cut.index(stream.len() + 1)) {
            prop_assert_eq!(&router::run(framing, &way.cut(&stream)), &whole, "{:?}", way);
        }
    }
}

fn ways(seeds: &[u64], cut: usize) -> Vec<Chunking> {
    let random = seeds.iter().map(|seed| Chunking::Random(*seed));
    random.chain([Chunking::Bytewise, Chunking::At(cut)]).collect()
}

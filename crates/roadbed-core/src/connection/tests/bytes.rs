//! Any bytes, whole and in pieces.

use std::string::String;
use std::vec;

use proptest::prelude::*;

use super::*;
use crate::message::{CallResult, Interrupt, Invocation, Published};
use crate::options::{CallOptions, PublishOptions};

/// An open session in which one request of each kind waits, as request 1 to 4.
fn waiting(serializer: Serializer) -> Wire {
    let limits = crate::limits::Limits::default().queued_events(4);
    let mut wire = Wire::joined_with(config().limits(limits), serializer, "crossbar");
    let client = &mut wire.client;
    client.subscribe(T0, &uri("t"), &Default::default()).unwrap();
    client.register(T0, &uri("p"), &Default::default()).unwrap();
    client.call(T0, &uri("a"), Payload::EMPTY, &CallOptions::new()).unwrap();
    client.publish(T0, &uri("t"), Payload::EMPTY, &PublishOptions::new().acknowledge(true)).unwrap();
    wire.upload();
    wire.received();
    wire
}

/// What came of feeding `bytes` in pieces that end at `cuts`: events, messages sent, PONGs sent.
fn outcome(serializer: Serializer, bytes: &[u8], cuts: &[usize], eof: bool) -> [Vec<String>; 3] {
    let mut wire = waiting(serializer);
    let (mut input, mut output) = (BytesMut::new(), Vec::new());
    let mut events = Vec::new();
    let mut drain = |client: &mut Connection, input: &mut BytesMut| {
        // The loop of every driver: as long as something comes of it, go on without new bytes.
        for round in 0.. {
            assert!(round < 10_000, "no end");
            let before = input.len();
            client.handle_input(T0, input);
            while let Some(chunk) = client.poll_transmit() {
                output.extend_from_slice(&chunk);
            }
            let told: Vec<_> = core::iter::from_fn(|| client.poll_event()).collect();
            let quiet = told.is_empty() && input.len() == before;
            events.extend(told.into_iter().map(|event| std::format!("{event:?}")));
            if quiet {
                break;
            }
        }
    };
    let mut from = 0;
    for &to in cuts.iter().chain([&bytes.len()]) {
        input.extend_from_slice(&bytes[from..to]);
        from = to;
        drain(&mut wire.client, &mut input);
    }
    if eof {
        wire.client.handle_eof(T0);
        drain(&mut wire.client, &mut input);
        let closed = events.iter().filter(|event| event.starts_with("Closed")).count();
        assert_eq!(closed, 1, "{events:?}");
    }
    let [messages, pongs] = unframe(&output);
    [events, messages, pongs]
}

/// Frames apart; a PONG may overtake messages that were queued in the same call.
fn unframe(mut bytes: &[u8]) -> [Vec<String>; 2] {
    let mut parts = [Vec::new(), Vec::new()];
    while let [kind, a, b, c, rest @ ..] = bytes {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        parts[usize::from(*kind == 2)].push(std::format!("{:?}", &rest[..length]));
        bytes = &rest[length..];
    }
    assert!(bytes.is_empty());
    parts
}

/// A message of a router: mostly sane, in any order.
fn message() -> impl Strategy<Value = Message> {
    let registration = RegistrationId::new(7).unwrap();
    let empty = Payload::EMPTY;
    prop_oneof![
        3 => Just(subscribed(1, 7)),
        3 => Just(registered(2, 7)),
        3 => Just(CallResult { request: request(3), details: Sparse::EMPTY, payload: empty.clone() }.into()),
        2 => Just(Published { request: request(4), publication: PublicationId::MIN }.into()),
        6 => (0..300_usize).prop_map(|length| event_with(7, text(Serializer::Cbor, length))),
        6 => (1..6_u64).prop_map(move |id| {
            let (details, payload) = (Sparse::EMPTY, Payload::EMPTY);
            Invocation { request: request(id), registration, details, payload }.into()
        }),
        2 => (1..6_u64).prop_map(|id| Interrupt { request: request(id), options: Sparse::EMPTY }.into()),
        1 => Just(welcome()),
    ]
}

/// A stream of messages, here and there damaged, and places to cut it.
fn stream() -> impl Strategy<Value = (Serializer, Vec<u8>, Vec<usize>)> {
    let serializer = proptest::sample::select(&Serializer::ALL[..]);
    let damage = proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..3);
    let cuts = proptest::collection::vec(any::<proptest::sample::Index>(), 0..8);
    (serializer, proptest::collection::vec(message(), 0..30), damage, cuts).prop_map(
        |(serializer, messages, damage, cuts)| {
            let mut bytes = frames(serializer, &messages);
            for (at, value) in damage {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] = value;
                }
            }
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.sort_unstable();
            (serializer, bytes, cuts)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn whole_and_in_pieces_is_the_same((serializer, bytes, cuts) in stream(), eof in any::<bool>()) {
        let whole = outcome(serializer, &bytes, &[], eof);
        prop_assert_eq!(&whole, &outcome(serializer, &bytes, &cuts, eof));
        prop_assert_eq!(&whole, &outcome(serializer, &bytes, &[], eof), "the same inputs again");
    }

    #[test]
    fn byte_by_byte_is_the_same((serializer, bytes, _) in stream()) {
        let all: Vec<_> = (1..bytes.len()).collect();
        prop_assert_eq!(outcome(serializer, &bytes, &[], true), outcome(serializer, &bytes, &all, true));
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        cuts in proptest::collection::vec(0..200_usize, 0..5),
    ) {
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.sort_unstable();
        let whole = outcome(Serializer::Json, &bytes, &[], true);
        prop_assert_eq!(whole, outcome(Serializer::Json, &bytes, &cuts, true));
    }

    #[test]
    fn arbitrary_bytes_from_the_start_do_no_harm(
        bytes in proptest::collection::vec(any::<u8>(), 0..100),
        is_rawsocket in any::<bool>(),
    ) {
        let mut client = connect(config(), Serializer::MsgPack, T0);
        let mut input = BytesMut::new();
        if is_rawsocket {
            input.extend_from_slice(b"\x7F\xF2\0\0");
        }
        input.extend_from_slice(&bytes);
        client.handle_input(T0, &mut input);
        client.handle_eof(T0);
        let mut events = vec![];
        while client.queued() > 0 {
            client.poll_transmit();
        }
        events.extend(core::iter::from_fn(|| client.poll_event()));
        let is_closed = matches!(events.last(), Some(SessionEvent::Closed { .. }));
        prop_assert!(is_closed);
        prop_assert_eq!(client.poll_timeout(), None);
    }
}

#[test]
fn the_stream_may_end_at_every_offset() {
    let messages = [subscribed(1, 7), event(7), registered(2, 7)];
    for serializer in Serializer::ALL {
        let bytes = frames(serializer, &messages);
        for end in 0..=bytes.len() {
            let [events, _, _] = outcome(serializer, &bytes[..end], &[], true);
            // Four requests, Left, Closed, and an event.
            assert!((6..=7).contains(&events.len()), "{events:?}");
        }
    }
}

//! The official test vectors of WAMP: every encoding decodes to what the vector says, every message
//! encodes to its compact form, between any two serializers too, and every wrong option is refused.
//!
//! They are not part of this project: see [`roadbed_tests::vectors::official::folder`].

use std::path::Path;
use std::process::ExitCode;

use bytes::{Bytes, BytesMut};
use libtest_mimic::{Arguments, Trial};
use roadbed_core::error::ProtocolViolation;
use roadbed_core::limits::Limits;
use roadbed_core::message::Message;
use roadbed_core::serializer::Serializer;
use roadbed_tests::outside::trial;
use roadbed_tests::vectors::official::{Suite, folder, load};
use roadbed_tests::vectors::sequences::sequences;
use roadbed_tests::vectors::{Built, contents, take_payload};
use serde_json::{Value as Json, json};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let of_suite: [(&str, Test); 5] = [
        ("nothing_is_missing", nothing_is_missing),
        (
            "every_encoding_decodes_to_the_expected_attributes",
            every_encoding_decodes_to_the_expected_attributes,
        ),
        ("every_message_encodes_to_its_compact_form", every_message_encodes_to_its_compact_form),
        (
            "every_encoding_is_carried_to_every_other_serializer",
            every_encoding_is_carried_to_every_other_serializer,
        ),
        ("wrong_attributes_are_refused_by_name", wrong_attributes_are_refused_by_name),
    ];
    let mut trials: Vec<Trial> = of_suite
        .into_iter()
        .map(|(name, test)| trial(TARGET, name, folder(), move |folder| test(&load(&folder))))
        .collect();
    trials.push(trial(TARGET, "conversations_can_be_read", folder(), |folder| {
        conversations_can_be_read(&folder);
    }));
    libtest_mimic::run(&arguments, trials).exit_code()
}

const TARGET: &str = "official_vectors";

/// A test of the single messages.
type Test = fn(&Suite);

fn decode(serializer: Serializer, bytes: &Bytes) -> Result<Message, ProtocolViolation> {
    serializer.decode(bytes, &Limits::default())
}

fn encode(serializer: Serializer, message: &Message) -> BytesMut {
    let mut out = BytesMut::new();
    serializer.encode(message, &mut out).unwrap_or_else(|error| panic!("{message:?}: {error}"));
    out
}

fn nothing_is_missing(suite: &Suite) {
    assert_eq!((suite.files, suite.samples.len(), suite.validations.len()), (26, 35, 67));
    assert_eq!(suite.validations.iter().filter(|sample| sample.error.is_some()).count(), 28);
    for (serializer, count) in [(Serializer::Json, 59), (Serializer::MsgPack, 35), (Serializer::Cbor, 35)] {
        let variants = suite.samples.iter().flat_map(|sample| &sample.variants);
        let found: usize = variants.filter(|(of, _)| *of == serializer).map(|(_, v)| v.len()).sum();
        assert_eq!(found, count, "{serializer}");
    }
}

fn every_encoding_decodes_to_the_expected_attributes(suite: &Suite) {
    for sample in &suite.samples {
        for (serializer, variants) in &sample.variants {
            for bytes in variants {
                let place = format!("{} {serializer}", sample.name);
                let mut found = decode(*serializer, bytes).unwrap_or_else(|error| panic!("{place}: {error}"));
                let mut expected = Built::message(&sample.elements, *serializer);
                let payloads = [take_payload(&mut found), take_payload(&mut expected)];
                assert_eq!(found, expected, "{place}");
                let [found, expected] = payloads.map(|payload| contents(&payload));
                assert_eq!(found, expected, "{place}");
            }
        }
    }
}

fn every_message_encodes_to_its_compact_form(suite: &Suite) {
    for sample in &suite.samples {
        for serializer in Serializer::ALL {
            let compact = sample.compact(serializer);
            let place = format!("{} {serializer}", sample.name);
            let decoded = decode(serializer, compact).unwrap_or_else(|error| panic!("{place}: {error}"));
            assert_eq!(encode(serializer, &decoded), *compact, "decoded, {place}");
            let built = Built::message(&sample.elements, serializer);
            assert_eq!(encode(serializer, &built), *compact, "built, {place}");
        }
    }
}

fn every_encoding_is_carried_to_every_other_serializer(suite: &Suite) {
    let mut count = 0;
    for sample in &suite.samples {
        for (from, variants) in &sample.variants {
            for to in Serializer::ALL.into_iter().filter(|to| to != from) {
                for bytes in variants {
                    let place = format!("{} {from} to {to}", sample.name);
                    let message = decode(*from, bytes).unwrap_or_else(|error| panic!("{place}: {error}"));
                    assert_eq!(encode(to, &message), *sample.compact(to), "{place}");
                    count += 1;
                }
            }
        }
    }
    assert_eq!(count, 2 * (59 + 35 + 35));
}

/// The message in `serializer`, written by the serializer's usual crate.
fn foreign(elements: &Json, serializer: Serializer) -> Bytes {
    match serializer {
        Serializer::Json => serde_json::to_vec(elements).unwrap().into(),
        Serializer::MsgPack => rmp_serde::to_vec(elements).unwrap().into(),
        _ => {
            let mut out = Vec::new();
            ciborium::into_writer(elements, &mut out).unwrap();
            out.into()
        }
    }
}

fn wrong_attributes_are_refused_by_name(suite: &Suite) {
    for sample in &suite.validations {
        for serializer in Serializer::ALL {
            let place = format!("{} {serializer}", sample.name);
            match (decode(serializer, &foreign(&sample.elements, serializer)), &sample.error) {
                (Ok(message), None) => {
                    // What was accepted is not lost either.
                    let again = decode(serializer, &encode(serializer, &message).freeze());
                    assert_eq!(again.as_ref(), Ok(&message), "{place}");
                }
                (Err(error), Some(contains)) => {
                    assert_eq!(error.key(), Some(contains.as_str()), "{place}: {error}");
                    assert!(error.to_string().contains(contains), "{place}: {error}");
                }
                (found, expected) => panic!("{place}: {found:?}, expected an error: {expected:?}"),
            }
        }
    }
}

fn conversations_can_be_read(folder: &Path) {
    let sequences = sequences(folder);
    assert_eq!(sequences.len(), 1);
    let sequence = &sequences[0];
    assert_eq!((sequence.sessions.len(), sequence.event_count), (1, 1));
    let steps: Vec<_> =
        sequence.steps.iter().map(|step| (step.from_router, step.message_type.name())).collect();
    let expected = [(false, "SUBSCRIBE"), (true, "SUBSCRIBED"), (false, "PUBLISH"), (true, "EVENT")];
    assert_eq!(steps, expected);
    assert_eq!(sequence.steps[3].elements, json!([36, 456, 999, {}, ["Hello, world!"]]));
}

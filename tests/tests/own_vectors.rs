//! Our own test vectors: every message with every key and each tail, payloads of every kind, forms that
//! are accepted though not written, forms that are refused.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use roadbed_core::error::PayloadError;
use roadbed_core::limits::{Limits, MAX_DEPTH};
use roadbed_core::message::{Message, MessageType};
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::value::Value;
use roadbed_tests::vectors::own::{Case, load};
use roadbed_tests::vectors::{Built, contents, take_payload, value};

fn decode(serializer: Serializer, bytes: &Bytes, place: &str) -> Message {
    let message = serializer.decode(bytes, &Limits::default());
    message.unwrap_or_else(|error| panic!("{place}: {error}"))
}

fn encode(serializer: Serializer, message: &Message, place: &str) -> Bytes {
    let mut out = BytesMut::new();
    serializer.encode(message, &mut out).unwrap_or_else(|error| panic!("{place}: {error}"));
    out.freeze()
}

/// Asserts equality; JSON is shown as text.
#[track_caller]
fn same(serializer: Serializer, found: &Bytes, expected: &Bytes, place: &str) {
    if serializer == Serializer::Json {
        assert_eq!(str::from_utf8(found), str::from_utf8(expected), "{place}");
    }
    assert_eq!(found, expected, "{place}");
}

fn canonical() -> Vec<Case> {
    let mut cases = load("messages.json");
    cases.extend(load("payloads.json"));
    cases
}

#[test]
fn every_message_type_is_covered() {
    let mut counts = BTreeMap::new();
    for case in canonical() {
        let message = decode(Serializer::Cbor, &case.bytes(Serializer::Cbor), case.name());
        *counts.entry(message.message_type()).or_insert(0) += 1;
    }
    let missing: Vec<_> =
        MessageType::ALL.iter().filter(|message| !counts.contains_key(&Some(**message))).collect();
    assert!(missing.is_empty(), "{missing:?}");
    println!("{counts:?}");
}

#[test]
fn decoded_messages_encode_to_the_same_bytes() {
    for case in canonical() {
        for from in Serializer::ALL {
            let message = decode(from, &case.bytes(from), case.name());
            for to in Serializer::ALL {
                let place = format!("{} {from} to {to}", case.name());
                same(to, &encode(to, &message, &place), &case.bytes(to), &place);
            }
        }
    }
}

#[test]
fn built_messages_encode_to_the_same_bytes() {
    for case in canonical() {
        for from in Serializer::ALL {
            let message = Built::message(&case.elements(), from);
            for to in Serializer::ALL {
                let place = format!("{} built in {from}, {to}", case.name());
                same(to, &encode(to, &message, &place), &case.bytes(to), &place);
            }
        }
    }
}

#[test]
fn decoded_messages_equal_built_ones() {
    for case in canonical() {
        // Unknown keys that are set are encoded as CBOR.
        let serializer = Serializer::Cbor;
        let decoded = decode(serializer, &case.bytes(serializer), case.name());
        assert_eq!(decoded, Built::message(&case.elements(), serializer), "{}", case.name());
    }
}

#[test]
fn payloads_read_as_what_they_are() {
    for case in canonical() {
        let elements = case.elements();
        for serializer in Serializer::ALL {
            let mut decoded = decode(serializer, &case.bytes(serializer), case.name());
            let mut built = Built::message(&elements, serializer);
            let [decoded, built] = [&mut decoded, &mut built].map(take_payload);
            assert_eq!(contents(&decoded), contents(&built), "{} {serializer}", case.name());
            // Typed access goes through other crates, and reads the same.
            if decoded.raw_bare().is_none() {
                let [args, kwargs, _] = contents(&decoded);
                let place = format!("{} {serializer}", case.name());
                let typed: Value = decoded.args().unwrap_or_else(|error| panic!("{place}: {error}"));
                assert_eq!(typed, args.unwrap_or_else(|| value(&serde_json::json!([]))), "{place}");
                let typed: Value = decoded.kwargs().unwrap_or_else(|error| panic!("{place}: {error}"));
                assert_eq!(typed, kwargs.unwrap_or_else(|| value(&serde_json::json!({}))), "{place}");
            }
        }
    }
}

#[test]
fn lenient_forms_become_canonical() {
    for case in load("lenient.json") {
        let from = case.serializer();
        let message = decode(from, &case.field("input", from), case.name());
        for to in Serializer::ALL {
            let place = format!("{} {from} to {to}", case.name());
            let expected = match case.maybe_field("reencoded", from) {
                Some(reencoded) if to == from => reencoded,
                _ => case.bytes(to),
            };
            same(to, &encode(to, &message, &place), &expected, &place);
        }
    }
}

#[test]
fn invalid_forms_are_refused_with_a_reason() {
    let mut wrong = Vec::new();
    for case in load("invalid.json") {
        let serializer = case.serializer();
        let found = match serializer.decode(&case.field("input", serializer), &Limits::default()) {
            Ok(message) => format!("accepted as {message:?}"),
            Err(error) => error.to_string(),
        };
        if found != case.text("error") {
            let (name, expected) = (case.name(), case.text("error"));
            wrong.push(format!("{name} in {serializer}\n   found    {found}\n   expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

/// The message is read, so that its request can be answered; the payload is not, and goes nowhere.
#[test]
fn payloads_that_no_peer_can_be_given_are_named() {
    for case in load("unreadable.json") {
        let from = case.serializer();
        let place = format!("{} in {from}", case.name());
        let message = decode(from, &case.field("input", from), case.name());
        let payload = message.payload().unwrap();
        let error = payload.check().unwrap_err();
        assert_eq!(error.to_string(), case.text("error"), "{place}");
        // There is a payload, and nothing of it can be had.
        assert!(!payload.is_empty(), "{place}");
        assert_eq!(payload.len(), 0, "{place}");
        assert_eq!(payload.args::<Value>().as_ref(), Err(&error), "{place}");
        assert_eq!(payload.kwargs::<Value>().as_ref(), Err(&error), "{place}");
        assert_eq!(payload.arg::<Value>(0).as_ref(), Err(&error), "{place}");
        for to in Serializer::ALL {
            let mut out = BytesMut::from(&b"before"[..]);
            assert_eq!(to.encode(&message, &mut out).as_ref(), Err(&error), "{place}");
            assert_eq!(out, b"before"[..], "{place}: an error leaves the output as it was");
        }
    }
}

#[test]
fn payloads_that_cannot_be_carried_are_named() {
    for case in load("untranslatable.json") {
        let from = case.serializer();
        let message = decode(from, &case.field("input", from), case.name());
        let refusing = case.serializers("to");
        for to in Serializer::ALL {
            let place = format!("{} {from} to {to}", case.name());
            let mut out = BytesMut::from(&b"before"[..]);
            match to.encode(&message, &mut out) {
                Ok(()) => assert!(!refusing.contains(&to), "{place} was carried"),
                Err(error) => {
                    assert!(refusing.contains(&to), "{place}: {error}");
                    let PayloadError::NotRepresentable { what, from: a, to: b, .. } = error else {
                        panic!("{place}: {error}");
                    };
                    assert_eq!((what, a, b), (case.text("what"), from, to), "{place}");
                    assert_eq!(out, b"before"[..], "{place}: an error leaves the output as it was");
                }
            }
        }
    }
}

#[test]
fn large_values_pass_every_way() {
    let text = "🦀 ü ".repeat(20_000);
    let binary: Vec<u8> = (0..70_000_u32).map(|n| n.wrapping_mul(197) as u8).collect();
    let list: Vec<Value> = (0..70_000_u32).map(Value::from).collect();
    for value in [Value::from(text.as_str()), Value::Binary(binary.into()), Value::List(list)] {
        for from in Serializer::ALL {
            let args = from.encode_value(&Value::List(vec![value.clone()])).unwrap();
            let payload = Payload::from_raw(from, Some(args), None, MAX_DEPTH).unwrap();
            for through in Serializer::ALL {
                for to in Serializer::ALL {
                    let carried =
                        payload.transcode(through, MAX_DEPTH).unwrap().transcode(to, MAX_DEPTH).unwrap();
                    let expected = to.encode_value(&Value::List(vec![value.clone()])).unwrap();
                    assert!(carried.raw_args() == Some(&expected), "{from} {through} {to}");
                }
            }
        }
    }
}

//! Decoded messages and values are dropped, cloned, compared and printed in a small stack.

use bytes::{Bytes, BytesMut};
use roadbed_core::limits::{Limits, MAX_DEPTH};
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_tests::vectors::own;
use roadbed_tests::wire::{Wire, dict, list, text};

use super::{in_small_stack, message};

fn limits() -> Limits {
    Limits::default().depth(MAX_DEPTH)
}

/// As deep as allowed at all: `levels` lists, dicts, or both in turn.
fn deep(levels: usize, pattern: usize) -> Wire {
    (0..levels).fold(Wire::from(1), |value, level| match pattern {
        0 => list([value]),
        1 => dict([("k", value)]),
        _ if level % 2 == 0 => list([Wire::Null, value]),
        _ => dict([("a", Wire::Null), ("k", value)]),
    })
}

#[test]
fn messages_as_deep_as_allowed() {
    let calls = Serializer::ALL.map(|serializer| {
        [0, 1, 2].map(|pattern| {
            let value = || deep(MAX_DEPTH - 1, pattern);
            let (option, kwargs) = (dict([("x", value())]), dict([("k", value())]));
            Bytes::from(message![48, 1, option, text("p"), list([value()]), kwargs].encode(serializer))
        })
    });
    in_small_stack(move || {
        for (serializer, calls) in Serializer::ALL.into_iter().zip(calls) {
            for bytes in calls {
                let message = serializer.decode(&bytes, &limits()).unwrap();
                let copy = message.clone();
                assert_eq!(message, copy);
                assert!(format!("{message:?}").starts_with("Call("));
                for to in Serializer::ALL {
                    let mut out = BytesMut::new();
                    to.encode(&message, &mut out).unwrap();
                    let carried = to.decode(&out.freeze(), &limits()).unwrap();
                    assert_eq!(carried.payload().map(Payload::serializer), Some(to));
                }
                drop((message, copy));
            }
        }
    });
}

#[test]
fn values_as_deep_as_allowed() {
    // Values recurse, and are never deeper than this.
    let values = Serializer::ALL.map(|serializer| {
        [0, 1, 2].map(|pattern| {
            [MAX_DEPTH, MAX_DEPTH + 1].map(|levels| Bytes::from(deep(levels, pattern).encode(serializer)))
        })
    });
    let check = move || {
        for (serializer, values) in Serializer::ALL.into_iter().zip(values) {
            for [bytes, deeper] in values {
                let value = serializer.decode_value(&bytes, &limits()).unwrap();
                let copy = value.clone();
                assert_eq!(value, copy);
                assert_eq!(value.detached(), copy);
                assert!(!format!("{value:?}").is_empty());
                assert!(serializer.encode_value(&value).is_ok());
                drop((value, copy));
                serializer.decode_value(&deeper, &limits()).unwrap_err();
            }
        }
    };
    let thread = std::thread::Builder::new().stack_size(VALUE_STACK).spawn(check).unwrap();
    thread.join().unwrap();
}

/// Printing 256 levels in a debug build takes the most of it.
const VALUE_STACK: usize = 512 << 10;

#[test]
fn vectors_in_a_small_stack() {
    in_small_stack(|| {
        for case in own::load("messages.json").iter().chain(&own::load("payloads.json")) {
            for serializer in Serializer::ALL {
                let message = serializer.decode(&case.bytes(serializer), &Limits::default()).unwrap();
                let copy = message.clone();
                assert_eq!(message, copy);
                let _ = format!("{message:?}");
                for to in Serializer::ALL {
                    let mut out = BytesMut::new();
                    to.encode(&copy, &mut out).unwrap();
                    to.encode_chunks(&copy, &mut out).unwrap();
                }
            }
        }
        for case in own::load("invalid.json") {
            let serializer = case.serializer();
            let error = serializer.decode(&case.field("input", serializer), &Limits::default()).unwrap_err();
            assert_eq!(error.clone(), error);
            let _ = format!("{error:?} {error}");
        }
    });
}

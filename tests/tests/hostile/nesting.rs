//! Nesting a million levels deep, and exactly at the limit.

use bytes::Bytes;
use roadbed_core::error::ViolationKind;
use roadbed_core::limits::{Limits, MAX_DEPTH};
use roadbed_core::serializer::{Malformed, Serializer};
use roadbed_tests::alloc::measure;
use roadbed_tests::vectors::hex;
use roadbed_tests::wire::{Wire, dict, list, text};

use super::truncation::beginnings;
use super::{in_small_stack, message};

const MILLION: usize = 1_000_000;

/// Openings that can be repeated for ever.
fn openings(serializer: Serializer) -> Vec<Vec<u8>> {
    match serializer {
        Serializer::Json => {
            ["[", "{\"a\":", "[{\"a\":", "[1,", "[[],", "{\"a\":{},\"b\":", " [ ", "{\"\\u0061\":"]
                .map(|text| text.as_bytes().to_vec())
                .into()
        }
        Serializer::MsgPack => [
            "91",
            "81a161",
            "9181a161",
            "9201",
            "dc0001",
            "dd00000001",
            "de0001a161",
            "df00000001a161",
            "8101",
            "92c0",
        ]
        .map(hex)
        .into(),
        _ => [
            "81",
            "a16161",
            "81a16161",
            "8201",
            "c1",
            "d9d9f7",
            "9f",
            "bf6161",
            "9fbf6161",
            "c181",
            "c1bf6161",
            "9b0000000000000001",
            "a101",
            "c19f",
            "8280",
        ]
        .map(hex)
        .into(),
    }
}

/// Runs `check` for every opening repeated a million times in every place.
fn everywhere(check: impl Fn(Serializer, &str, Bytes)) {
    for serializer in Serializer::ALL {
        for opening in openings(serializer) {
            let tail = opening.repeat(MILLION);
            let placed = beginnings(serializer).into_iter().chain([("the message", Vec::new())]);
            for (name, mut bytes) in placed {
                bytes.extend_from_slice(&tail);
                check(serializer, &format!("{serializer} {opening:02x?} in {name}"), bytes.into());
            }
        }
    }
}

#[test]
fn a_million_levels_are_refused_anywhere() {
    in_small_stack(|| {
        everywhere(|serializer, place, bytes| {
            for depth in [Limits::default().depth, MAX_DEPTH] {
                let limits = Limits::default().depth(depth);
                let (error, usage) = measure(|| serializer.decode(&bytes, &limits).expect_err(place));
                let ViolationKind::Malformed(kind) = error.kind() else { panic!("{place}: {error}") };
                let is_refused = match kind {
                    Malformed::TooDeep { limit } => *limit == depth,
                    // Where a list or a dict cannot stand at all.
                    Malformed::WrongType { .. } | Malformed::NonTextKey(_) => true,
                    _ => false,
                };
                assert!(is_refused, "{place}: {error}");
                assert!(usage.peak < 1024, "{place}: {usage:?}");
            }
        });
    });
}

/// The place in a forwarder, by number.
const FORWARDERS: usize = 5;

/// A value of `levels` levels, the innermost of them empty.
fn nested(levels: usize, pattern: usize) -> Wire {
    let mut value = if pattern == 1 { dict([]) } else { list([]) };
    for level in 1..levels {
        let is_list = pattern == 0 || pattern == 2 && level % 2 == 0;
        value = if is_list { list([value]) } else { dict([("k", value)]) };
    }
    value
}

#[test]
fn the_limit_is_met_to_the_level() {
    for serializer in Serializer::ALL {
        for depth in [1, 2, 24, 25, 64, 255, 256] {
            for pattern in 0..3 {
                // The args themselves are the first level, and so are the kwargs, and the options.
                let places = |levels| {
                    let value = || nested(levels, pattern);
                    let forward = || list([dict([("x", value())])]);
                    [
                        (1, message![48, 1, dict([]), text("p"), list([value()])]),
                        (1, message![48, 1, dict([]), text("p"), list([]), dict([("k", value())])]),
                        (1, message![48, 1, dict([("x", value())]), text("p")]),
                        (1, message![4, text("m"), dict([("x", value())])]),
                        (1, message![1, text("r"), dict([("authextra", dict([("x", value())]))])]),
                        (1, message![48, 1, dict([("forward_for", forward())]), text("p")]),
                        (0, message![256, value()]),
                    ]
                };
                let limits = Limits::default().depth(depth);
                for (place, (outer, message)) in
                    places(depth.saturating_sub(1).max(1)).into_iter().enumerate()
                {
                    // JSON counts the list of forwarders and the dict in it as well.
                    if depth > outer && place != FORWARDERS {
                        let found = serializer.decode(&message.encode(serializer).into(), &limits);
                        assert!(found.is_ok(), "{serializer} {depth} {place}: {found:?}");
                    }
                }
                for (place, (_, message)) in places(depth + 1).into_iter().enumerate() {
                    let error = serializer.decode(&message.encode(serializer).into(), &limits).unwrap_err();
                    let expected = format!("nested deeper than {depth} levels");
                    assert!(error.to_string().ends_with(&expected), "{serializer} {place}: {error}");
                }
            }
        }
    }
}

#[test]
fn the_limit_itself_has_a_limit() {
    for serializer in Serializer::ALL {
        let limits = Limits::default().depth(100_000);
        assert!(limits.check().is_err());
        let message = message![48, 1, dict([]), text("p"), nested(300, 0)].encode(serializer);
        let error = serializer.decode(&message.into(), &limits).unwrap_err();
        assert!(error.to_string().contains("nested deeper than"), "{error}");
    }
}

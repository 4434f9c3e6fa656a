//! Messages cut off, and headers that promise more than follows.

use bytes::Bytes;
use roadbed_core::error::ViolationKind;
use roadbed_core::serializer::{Malformed, Serializer};
use roadbed_tests::vectors::{hex, own};

use super::{decode, in_small_stack};

/// Longer vectors are cut at some offsets only.
const EVERY_OFFSET: usize = 512;
/// Longer vectors are not changed.
const EVERY_CHANGE: usize = 160;

#[test]
fn every_vector_cut_at_every_offset() {
    let cuts = in_small_stack(|| {
        let mut cuts = 0;
        for case in own::load("messages.json").iter().chain(&own::load("payloads.json")) {
            for serializer in Serializer::ALL {
                let bytes = case.bytes(serializer);
                let step = if bytes.len() > EVERY_OFFSET { 101 } else { 1 };
                for end in (0..bytes.len()).step_by(step) {
                    let place = format!("{} {serializer} cut at {end}", case.name());
                    let error = decode(serializer, bytes.slice(..end)).expect_err(&place);
                    // What is left of a JSON number is a number, but perhaps not one that fits.
                    let is_number = serializer == Serializer::Json
                        && bytes[end].is_ascii_digit()
                        && bytes[..end].last().is_some_and(u8::is_ascii_digit);
                    let is_end = ViolationKind::Malformed(Malformed::UnexpectedEnd);
                    assert!(is_number || *error.kind() == is_end, "{place}: {error}");
                    assert!(error.offset().is_none_or(|offset| offset <= end), "{place}: {error}");
                    cuts += 1;
                }
            }
        }
        cuts
    });
    println!("{cuts} cuts");
}

#[test]
fn every_vector_with_a_byte_changed() {
    in_small_stack(|| {
        for case in own::load("messages.json").iter().chain(&own::load("payloads.json")) {
            for serializer in Serializer::ALL {
                let bytes = case.bytes(serializer);
                if bytes.len() > EVERY_CHANGE {
                    continue;
                }
                for at in 0..bytes.len() {
                    for flip in [0x01, 0x20, 0xff] {
                        let mut changed = bytes.to_vec();
                        changed[at] ^= flip;
                        // A message or an error; what counts is that there is an end, and no panic.
                        if let Err(error) = decode(serializer, changed) {
                            assert!(error.offset().is_none_or(|offset| offset <= bytes.len()), "{error}");
                        }
                    }
                }
            }
        }
    });
}

/// Heads of lists, dicts, text and binary with lengths that nobody could send.
fn bombs(serializer: Serializer) -> Vec<Vec<u8>> {
    let heads: &[&str] = match serializer {
        Serializer::Json => return Vec::new(),
        Serializer::MsgPack => &[
            "dcffff",
            "ddffffffff",
            "dd7fffffff",
            "dd80000000",
            "deffff",
            "dfffffffff",
            "df80000000",
            "d9ff",
            "daffff",
            "dbffffffff",
            "c4ff",
            "c5ffff",
            "c6ffffffff",
            "c6fffffffe",
            "c7ff01",
            "c8ffff01",
            "c9ffffffff01",
        ],
        _ => &[
            "98ff",
            "99ffff",
            "9affffffff",
            "9bffffffffffffffff",
            "9b7fffffffffffffff",
            "9b8000000000000000",
            "b8ff",
            "b9ffff",
            "baffffffff",
            "bbffffffffffffffff",
            "bb7fffffffffffffff",
            "bb8000000000000000",
            "78ff",
            "79ffff",
            "7affffffff",
            "7bffffffffffffffff",
            "7bfffffffffffffff0",
            "58ff",
            "59ffff",
            "5affffffff",
            "5bffffffffffffffff",
            "5b7fffffffffffffff",
            "7f7bffffffffffffffffff",
            "5f5affffffffff",
            "c25bffffffffffffffff",
        ],
    };
    heads.iter().map(|head| hex(head)).collect()
}

/// Beginnings of messages behind which a value of any type may stand.
pub(super) fn beginnings(serializer: Serializer) -> [(&'static str, Vec<u8>); 7] {
    let forms = match serializer {
        Serializer::Json => [
            "[48,1,{},\"p\",[",
            "[48,1,{},\"p\",[],{\"k\":",
            "[48,1,{\"x\":",
            "[48,1,{\"forward_for\":[",
            "[16,1,{\"eligible\":[",
            "[1,\"r\",{\"roles\":{\"caller\":{\"features\":",
            "[256,",
        ]
        .map(|text| text.as_bytes().to_vec()),
        Serializer::MsgPack => [
            "95300180a17091",
            "96300180a1709081a16b",
            "94300181a178",
            "94300181ab666f72776172645f666f7291",
            "94100181a8656c696769626c6591",
            "9301a17281a5726f6c657381a663616c6c657281a86665617475726573",
            "92cd0100",
        ]
        .map(hex),
        _ => [
            "85183001a0617081",
            "86183001a0617080a1616b",
            "84183001a16178",
            "84183001a16b666f72776172645f666f7281",
            "841001a168656c696769626c6581",
            "83016172a165726f6c6573a16663616c6c6572a1686665617475726573",
            "82190100",
        ]
        .map(hex),
    };
    let names =
        ["args", "kwargs", "an unknown option", "forward_for", "eligible", "features", "an ignored message"];
    let mut forms = forms.into_iter();
    names.map(|name| (name, forms.next().unwrap_or_default()))
}

#[test]
fn lengths_that_nobody_could_send() {
    let count = in_small_stack(|| {
        let mut count = 0;
        for serializer in Serializer::ALL {
            for bomb in bombs(serializer) {
                let placed = beginnings(serializer).into_iter().chain([("the message", Vec::new())]);
                for (name, mut bytes) in placed {
                    bytes.extend(&bomb);
                    bytes.extend([0; 64]);
                    let place = format!("{serializer} {bomb:02x?} in {name}");
                    let error = decode(serializer, Bytes::from(bytes)).expect_err(&place);
                    assert!(matches!(error.kind(), ViolationKind::Malformed(_)), "{place}: {error}");
                    count += 1;
                }
            }
        }
        count
    });
    assert!(count > 300, "{count}");
}

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use std::thread;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::*;
use crate::limits::Limits;
use crate::serializer::Serializer::{Cbor, Json, MsgPack};
use crate::value::Value;
use crate::value::tests::any_value;

fn transcode(from: Serializer, to: Serializer, value: &[u8]) -> Result<Vec<u8>, PayloadError> {
    let mut out = BytesMut::from(&b"before"[..]);
    let result = transcode_value(from, to, &Bytes::copy_from_slice(value), 64, usize::MAX, &mut out);
    let added = out.strip_prefix(b"before").unwrap();
    if result.is_err() {
        assert!(added.is_empty(), "an error leaves the output as it was");
    }
    result.map(|()| added.to_vec())
}

fn refused(from: Serializer, to: Serializer, value: &[u8]) -> (&'static str, usize) {
    match transcode(from, to, value) {
        Err(PayloadError::NotRepresentable { what, offset, from: a, to: b }) if a == from && b == to => {
            (what, offset)
        }
        other => panic!("{from} to {to} {value:02x?}: {other:?}"),
    }
}

#[track_caller]
fn carried(from: Serializer, to: Serializer, value: &[u8], expected: &[u8]) {
    assert_eq!(transcode(from, to, value).unwrap(), expected, "{from} to {to} {value:02x?}");
}

#[test]
fn lengths_that_json_does_not_say_are_counted() {
    let json = br#" [ 1 , [ ] , { "a" : [ [ 2 , 3 ] , { } ] , "b" : "x\n" } , -4 ] "#;
    let msgpack = b"\x94\x01\x90\x82\xa1a\x92\x92\x02\x03\x80\xa1b\xa2x\n\xfc";
    let cbor = b"\x84\x01\x80\xa2\x61a\x82\x82\x02\x03\xa0\x61b\x62x\n\x23";
    carried(Json, MsgPack, json, msgpack);
    carried(Json, Cbor, json, cbor);
    carried(MsgPack, Cbor, msgpack, cbor);
    carried(Cbor, MsgPack, cbor, msgpack);
    carried(Cbor, Json, cbor, br#"[1,[],{"a":[[2,3],{}],"b":"x\n"},-4]"#);
}

#[test]
fn indefinite_lengths_become_definite() {
    let indefinite =
        b"\x83\x9f\x9f\xff\x82\x9f\x01\xff\xbf\xff\xff\x9f\x02\x03\xff\xbf\x61a\x7f\x61b\x61c\xff\xff";
    carried(Cbor, MsgPack, indefinite, b"\x93\x92\x90\x92\x91\x01\x80\x92\x02\x03\x81\xa1a\xa2bc");
    carried(Cbor, Json, indefinite, br#"[[[],[[1],{}]],[2,3],{"a":"bc"}]"#);
    carried(Cbor, MsgPack, b"\xc1\x9f\xc1\x9f\xc1\x01\xff\xff", b"\x91\x91\x01");
}

#[test]
fn floats_keep_their_value_and_stay_floats() {
    carried(
        Json,
        MsgPack,
        b"[1.0,-0.0,1e2,0.1]",
        b"\x94\xca\x3f\x80\0\0\xca\x80\0\0\0\xca\x42\xc8\0\0\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a",
    );
    carried(
        MsgPack,
        Json,
        b"\x93\xca\x3f\x80\0\0\xca\x80\0\0\0\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a",
        b"[1.0,-0.0,0.1]",
    );
    carried(Cbor, MsgPack, b"\xf9\x3e\0", b"\xca\x3f\xc0\0\0");
    for (bits, what) in [(0x7fc0_0000_u32, "NaN"), (0x7f80_0000, "an infinity"), (0xff80_0000, "an infinity")]
    {
        let number = bits.to_be_bytes();
        let msgpack = [&[0x91, 0xca][..], &number].concat();
        let cbor = [&[0x81, 0xfa][..], &number].concat();
        assert_eq!(refused(MsgPack, Json, &msgpack), (what, 1));
        assert_eq!(refused(Cbor, Json, &cbor), (what, 1));
        carried(MsgPack, Cbor, &msgpack, &cbor);
        carried(Cbor, MsgPack, &cbor, &msgpack);
    }
}

#[test]
fn binary_and_text_stay_apart() {
    carried(MsgPack, Json, b"\xc4\x03\x10\x20\x30", br#""\u0000ECAw""#);
    carried(Json, MsgPack, br#""\u0000ECAw""#, b"\xc4\x03\x10\x20\x30");
    carried(Json, Cbor, br#""\u0000ECAw""#, b"\x43\x10\x20\x30");
    carried(Cbor, Json, b"\x5f\x41\x10\x42\x20\x30\xff", br#""\u0000ECAw""#);
    assert_eq!(refused(MsgPack, Json, b"\x92\x01\xa2\0x"), ("text that begins with NUL", 2));
    assert_eq!(
        refused(Json, Cbor, br#"["\u0000!"]"#),
        ("a string that begins with NUL and is not base64", 1)
    );
    carried(MsgPack, Cbor, b"\xa2\0x", b"\x62\0x");
    carried(MsgPack, Json, b"\x81\xa2\0x\x01", br#"{"\u0000x":1}"#);
    carried(Json, MsgPack, br#"{"\u0000x":1}"#, b"\x81\xa2\0x\x01");
}

#[test]
fn pairs_keep_their_order_and_duplicates() {
    carried(Json, MsgPack, br#"{"b":1,"a":2,"b":3}"#, b"\x83\xa1b\x01\xa1a\x02\xa1b\x03");
    carried(MsgPack, Json, b"\x83\xa1b\x01\xa1a\x02\xa1b\x03", br#"{"b":1,"a":2,"b":3}"#);
}

#[test]
fn scalar_keys_pass_between_the_binary_formats() {
    let msgpack = b"\x86\x05\xc0\xff\xc0\xc3\xc0\xc4\x01\xfe\xc0\xc0\xc0\xca\x3f\xc0\0\0\x91\x01";
    let cbor = b"\xa6\x05\xf6\x20\xf6\xf5\xf6\x41\xfe\xf6\xf6\xf6\xfa\x3f\xc0\0\0\x81\x01";
    carried(MsgPack, Cbor, msgpack, cbor);
    carried(Cbor, MsgPack, cbor, msgpack);
    carried(Cbor, MsgPack, b"\xbf\x05\x9f\xff\xff", b"\x81\x05\x90");
    let what = "a dict key that is not text";
    assert_eq!(refused(MsgPack, Json, msgpack), (what, 1));
    assert_eq!(refused(Cbor, Json, cbor), (what, 1));
    assert_eq!(refused(Cbor, Json, b"\xbf\x05\x9f\xff\xff"), (what, 1));
    assert_eq!(refused(MsgPack, Cbor, b"\x81\x90\x01"), (what, 1));
    assert_eq!(refused(Cbor, MsgPack, b"\xbf\xa0\x01\xff"), (what, 1));
    assert_eq!(refused(MsgPack, Cbor, b"\x81\xd4\x05\x00\x01"), ("a value of no WAMP type", 1));
}

#[test]
fn what_only_one_format_has_is_dropped_or_refused() {
    for to in [Json, MsgPack] {
        let null = transcode(Json, to, b"null").unwrap();
        carried(Cbor, to, &[0xf7], &null);
        carried(Cbor, to, &[0xd9, 0xd9, 0xf7, 0xc0, 0xf6], &null);
        let number = transcode(Json, to, b"18446744073709551615").unwrap();
        carried(Cbor, to, &[0xc2, 0x48, 255, 255, 255, 255, 255, 255, 255, 255], &number);
        let number = transcode(Json, to, b"-256").unwrap();
        carried(Cbor, to, &[0xc3, 0x42, 0, 255], &number);
        let what = "an integer beyond 64 bits";
        assert_eq!(refused(Cbor, to, &[0xc2, 0x49, 1, 0, 0, 0, 0, 0, 0, 0, 0]), (what, 0));
        assert_eq!(refused(Cbor, to, &[0x81, 0x3b, 255, 0, 0, 0, 0, 0, 0, 0]), (what, 1));
        assert_eq!(refused(Cbor, to, &[0xe0]), ("a value of no WAMP type", 0));
        assert_eq!(refused(Cbor, to, &[0xf8, 0xff]), ("a value of no WAMP type", 0));
    }
    for to in [Json, Cbor] {
        let null = transcode(Json, to, b"null").unwrap();
        carried(MsgPack, to, &[0xd4, 0, 0], &null);
        let timestamp = [0x91, 0xd6, 0xff, 0, 0, 0, 1];
        assert_eq!(refused(MsgPack, to, &timestamp), ("a value of no WAMP type", 1));
    }
    let error = transcode(MsgPack, Json, &[0xd6, 0xff, 0, 0, 0, 1]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a value of no WAMP type (at byte 0) cannot be carried from msgpack to json"
    );
}

#[test]
fn malformed_values_are_told_apart_from_unfit_ones() {
    for (from, to, value, expected) in [
        (MsgPack, Json, &[0x92, 1][..], Malformed::UnexpectedEnd),
        (MsgPack, Json, &[1, 1], Malformed::TrailingBytes { count: 1 }),
        (MsgPack, Json, &[0xdd, 255, 255, 255, 255], Malformed::UnexpectedEnd),
        (Cbor, MsgPack, &[0x9f, 1], Malformed::UnexpectedEnd),
        (Cbor, MsgPack, &[0xbf, 0x60, 0xff], Malformed::UnexpectedByte(0xff)),
        (Json, Cbor, b"[1", Malformed::UnexpectedEnd),
        (Json, Cbor, b"[\"\\ud83d\\u00\"]", Malformed::InvalidEscape),
    ] {
        match transcode(from, to, value) {
            Err(PayloadError::Malformed(error)) => assert_eq!(error.kind, expected),
            other => panic!("{value:02x?}: {other:?}"),
        }
    }
}

/// Each of these passes between peers of its own serializer, or is the reader's to refuse.
#[test]
fn what_one_grammar_allows_and_another_cannot_say() {
    for to in [MsgPack, Cbor] {
        assert_eq!(refused(Json, to, b"[0,18446744073709551616]"), ("a number beyond 64 bits", 3));
        assert_eq!(refused(Json, to, b"[-9223372036854775809]"), ("a number beyond 64 bits", 1));
        assert_eq!(refused(Json, to, b"{\"a\":1e400}"), ("a number beyond 64 bits", 5));
        assert_eq!(refused(Json, to, br#"["\ud83d"]"#), ("text with half of a surrogate pair", 1));
        assert_eq!(refused(Json, to, br#"[{"\ude00":1}]"#), ("text with half of a surrogate pair", 2));
        assert_eq!(refused(Json, to, b"[-Infinity]"), ("NaN or an infinity", 1));
    }
    for to in [Json, Cbor] {
        assert_eq!(refused(MsgPack, to, &[0x91, 0xa1, 0xff]), ("text that is not UTF-8", 1));
    }
    assert_eq!(refused(Cbor, Json, &[0xa1, 0x61, 0xff, 1]), ("text that is not UTF-8", 1));
}

#[test]
fn hostile_nesting_needs_little_stack() {
    let check = || {
        for (from, to, units) in [
            (Json, MsgPack, &[&b"["[..], b"{\"\":", b"[[],"][..]),
            (MsgPack, Cbor, &[&[0x91][..], &[0x81, 0xa0], &[0x92, 0xc0], &[0x81]]),
            (Cbor, Json, &[&[0x81][..], &[0xa1, 0x60], &[0xc1], &[0x9f], &[0xbf, 0x60], &[0x9f, 0x80]]),
        ] {
            for unit in units {
                let bytes = Bytes::from(unit.repeat(1_000_000));
                for depth in [64, 256] {
                    let mut out = BytesMut::new();
                    match transcode_value(from, to, &bytes, depth, usize::MAX, &mut out) {
                        Err(PayloadError::Malformed(error)) => {
                            assert_eq!(error.kind, Malformed::TooDeep { limit: depth });
                        }
                        // A container as a key.
                        Err(PayloadError::NotRepresentable { .. }) if **unit == [0x81] => {}
                        other => panic!("{other:?}"),
                    }
                }
            }
        }
    };
    thread::Builder::new().stack_size(64 << 10).spawn(check).unwrap().join().unwrap();
}

/// CBOR as careless peers write it: indefinite lengths, wide heads, chunks and tags.
fn careless(value: &Value, choices: &mut impl Iterator<Item = u8>, out: &mut Vec<u8>) {
    let head = |out: &mut Vec<u8>, major: u8, argument: usize, choice: u8| match choice % 3 {
        0 => out.extend([&[major << 5 | 26][..], &u32::try_from(argument).unwrap().to_be_bytes()].concat()),
        1 => out.extend([&[major << 5 | 27][..], &(argument as u64).to_be_bytes()].concat()),
        _ => out.extend([&[major << 5 | 25][..], &u16::try_from(argument).unwrap().to_be_bytes()].concat()),
    };
    let choice = choices.next().unwrap();
    if choice.is_multiple_of(5) {
        out.push(0xc9);
    }
    match value {
        Value::Text(text) if choice.is_multiple_of(2) => {
            out.push(0x7f);
            for part in text.chars() {
                head(out, 3, part.len_utf8(), choice);
                out.extend(part.to_string().bytes());
            }
            out.push(0xff);
        }
        Value::Binary(bytes) if choice.is_multiple_of(2) => {
            out.push(0x5f);
            for part in bytes.chunks(usize::from(choice) + 1) {
                head(out, 2, part.len(), choice);
                out.extend(part);
            }
            out.push(0xff);
        }
        Value::List(values) => {
            if choice.is_multiple_of(2) {
                out.push(0x9f);
            } else {
                head(out, 4, values.len(), choice);
            }
            for value in values {
                careless(value, choices, out);
            }
            if choice.is_multiple_of(2) {
                out.push(0xff);
            }
        }
        Value::Dict(dict) => {
            if choice.is_multiple_of(2) {
                out.push(0xbf);
            } else {
                head(out, 5, dict.len(), choice);
            }
            for (key, value) in dict {
                careless(&key.into(), choices, out);
                careless(value, choices, out);
            }
            if choice.is_multiple_of(2) {
                out.push(0xff);
            }
        }
        scalar => out.extend(Cbor.encode_value(scalar).unwrap()),
    }
}

proptest! {
    #[test]
    fn transcoding_equals_encoding_anew(value in any_value(true)) {
        let encoded = Serializer::ALL.map(|serializer| (serializer, serializer.encode_value(&value).unwrap()));
        for (from, source) in &encoded {
            for (to, target) in &encoded {
                prop_assert_eq!(&transcode(*from, *to, source).unwrap(), target);
            }
        }
    }

    #[test]
    fn the_binary_formats_carry_everything(value in any_value(false)) {
        let (msgpack, cbor) = (MsgPack.encode_value(&value).unwrap(), Cbor.encode_value(&value).unwrap());
        prop_assert_eq!(&transcode(MsgPack, Cbor, &msgpack).unwrap(), &cbor);
        prop_assert_eq!(&transcode(Cbor, MsgPack, &cbor).unwrap(), &msgpack);
    }

    #[test]
    fn careless_cbor_is_carried_too(
        value in any_value(true),
        choices in prop::collection::vec(any::<u8>(), 1..50),
    ) {
        let mut cbor = Vec::new();
        careless(&value, &mut choices.iter().copied().cycle(), &mut cbor);
        let cbor = Bytes::from(cbor);
        prop_assert_eq!(&Cbor.decode_value(&cbor, &Limits::default()).unwrap(), &value);
        for to in [Json, MsgPack] {
            prop_assert_eq!(transcode(Cbor, to, &cbor).unwrap(), to.encode_value(&value).unwrap());
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        for from in Serializer::ALL {
            let decoded = from.decode_value(&Bytes::copy_from_slice(&bytes), &Limits::default());
            for to in Serializer::ALL {
                let carried = transcode(from, to, &bytes);
                if let (Ok(value), true) = (&decoded, to.is_binary()) {
                    prop_assert_eq!(carried.unwrap(), to.encode_value(value).unwrap());
                }
            }
        }
    }
}

#[test]
fn careless_samples_use_every_form() {
    let value = vec![Value::from("ab"), Bytes::from_static(b"xy").into(), Value::List(vec![])].into();
    let mut cbor = Vec::new();
    careless(&value, &mut [2, 2, 2, 5].into_iter(), &mut cbor);
    assert_eq!(cbor, b"\x9f\x7f\x79\0\x01a\x79\0\x01b\xff\x5f\x59\0\x02xy\xff\xc9\x99\0\0\xff"[..]);
}

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};

use serde::{Deserialize, Serialize};

use super::*;
use crate::serializer::{Kind, Malformed, ReadError};

const ALL: [Serializer; 3] = Serializer::ALL;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Point {
    x: i64,
    y: f64,
    #[serde(default)]
    label: Option<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Pair(u8, String);

fn point() -> Point {
    Point { x: -3, y: 0.1, label: Some("\u{e9}".into()) }
}

fn type_reason<T: fmt::Debug>(result: Result<T, PayloadError>) -> String {
    match result {
        Err(PayloadError::Type { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

fn encode_reason(result: Result<Payload, PayloadError>) -> String {
    match result {
        Err(PayloadError::Encode { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn args_and_kwargs_read_back() {
    for serializer in ALL {
        let payload = Payload::build(serializer, &(1, "two", vec![3, 4]), &point()).unwrap();
        assert_eq!(payload.serializer(), serializer);
        assert!(!payload.is_empty() && payload.len() > 20);
        assert_eq!(payload.args::<(u8, String, Vec<i32>)>().unwrap(), (1, "two".to_owned(), vec![3, 4]));
        assert_eq!(payload.kwargs::<Point>().unwrap(), point());
        assert_eq!(payload.arg::<String>(1).unwrap(), "two");
        assert_eq!(payload.arg::<Vec<u8>>(2).unwrap(), [3, 4]);
        let dynamic = payload.kwargs::<BTreeMap<String, serde_json::Value>>().unwrap();
        assert_eq!(dynamic.keys().collect::<Vec<_>>(), ["label", "x", "y"]);
        assert_eq!(payload.detach(), payload);
        assert_ne!(payload.detach().raw_args().unwrap().as_ptr(), payload.raw_args().unwrap().as_ptr());
    }
}

#[test]
fn a_struct_reads_args_in_order() {
    for serializer in ALL {
        let payload = Payload::from_args(serializer, &(-3, 0.1, "\u{e9}")).unwrap();
        assert_eq!(payload.args::<Point>().unwrap(), point());
        assert_eq!(payload.args::<Option<Point>>().unwrap(), Some(point()));
        let short = Payload::from_args(serializer, &(-3, 0.1)).unwrap();
        assert_eq!(short.args::<Point>().unwrap().label, None);
        let pair = Payload::from_args(serializer, &Pair(1, "a".into())).unwrap();
        assert_eq!(pair.args::<Pair>().unwrap(), Pair(1, "a".into()));
        assert_eq!(pair.args::<Vec<serde_json::Value>>().unwrap().len(), 2);
    }
}

#[test]
fn missing_and_empty_are_the_same() {
    let nothing = BTreeMap::<String, u8>::new();
    for serializer in ALL {
        for payload in [
            Payload::build(serializer, &(), &()).unwrap(),
            Payload::build(serializer, &Vec::<u8>::new(), &nothing).unwrap(),
            Payload::build(serializer, &None::<(u8,)>, &None::<Point>).unwrap(),
            Payload::from_args(serializer, &[0_u8; 0]).unwrap(),
        ] {
            assert!(payload.is_empty());
            assert_eq!(payload.len(), 0);
            assert_eq!(payload, Payload::EMPTY);
            payload.args::<()>().unwrap();
            payload.kwargs::<()>().unwrap();
            assert_eq!(payload.args::<Vec<u8>>().unwrap(), [0_u8; 0]);
            assert_eq!(payload.kwargs::<BTreeMap<String, u8>>().unwrap(), nothing);
            assert_eq!(type_reason(payload.args::<(u8,)>()), "expected 1 argument, found 0");
            assert_eq!(type_reason(payload.kwargs::<Point>()), "the key \"x\" is missing");
            assert_eq!(type_reason(payload.arg::<u8>(0)), "there are only 0 arguments");
        }
        let kwargs_only = Payload::build(serializer, &(), &point()).unwrap();
        assert!(kwargs_only.raw_args().is_none() && kwargs_only.raw_kwargs().is_some());
        assert_eq!(kwargs_only.args::<Vec<u8>>().unwrap(), [0_u8; 0]);
    }
    let spaced = Payload::from_raw(Serializer::Json, Some("[ ]".into()), Some(" { } ".into()), 64).unwrap();
    assert!(spaced.is_empty());
    let wire = Payload::from_lists(Serializer::MsgPack, Some(Bytes::from_static(b"\xc0")), None);
    assert!(wire.is_empty());
    let wire = Payload::from_lists(Serializer::Cbor, Some(Bytes::from_static(b"\x9f\xff")), None);
    assert!(wire.is_empty());
    assert_ne!(Payload::from_args(Serializer::Json, &[1]).unwrap(), Payload::EMPTY);
    assert_ne!(
        Payload::from_args(Serializer::MsgPack, &[1]).unwrap(),
        Payload::from_args(Serializer::Cbor, &[1]).unwrap()
    );
}

#[test]
fn wrong_shapes_are_refused_alike() {
    for serializer in ALL {
        for reason in [
            encode_reason(Payload::from_args(serializer, &point())),
            encode_reason(Payload::from_args(serializer, &1)),
            encode_reason(Payload::from_args(serializer, "text")),
            encode_reason(Payload::from_args(serializer, &Binary::from(b"x"))),
        ] {
            assert!(reason.starts_with("expected a list, found"), "{serializer}: {reason}");
            assert!(reason.ends_with("goes into a tuple: `(value,)`"), "{serializer}: {reason}");
        }
        let reason = encode_reason(Payload::build(serializer, &(), &(1, 2)));
        assert_eq!(reason, "expected a dict, found a list");

        let payload = Payload::build(serializer, &(1, "two"), &point()).unwrap();
        type_reason(payload.args::<(u8,)>());
        type_reason(payload.args::<(u8, String, u8)>());
        type_reason(payload.args::<(String, String)>());
        type_reason(payload.args::<()>());
        type_reason(payload.args::<u8>());
        type_reason(payload.args::<BTreeMap<String, u8>>());
        type_reason(payload.kwargs::<Vec<u8>>());
        type_reason(payload.kwargs::<()>());
        assert_eq!(type_reason(payload.arg::<u8>(2)), "there are only 2 arguments");
        // An inner tuple that leaves something unread must not shift what comes behind it.
        let nested = Payload::from_args(serializer, &((1, 2), 3)).unwrap();
        type_reason(nested.args::<((u8,), u8)>());
        let error = payload.args::<(u8, u8)>().unwrap_err().to_string();
        assert_eq!(error, "argument 2: expected an integer from 0 to 255, found text");
    }
}

#[test]
fn keys_are_text() {
    let numbers = BTreeMap::from([(1, 2)]);
    for serializer in ALL {
        let payload = Payload::build(serializer, &[&numbers], &numbers).unwrap();
        assert_eq!(payload.kwargs::<BTreeMap<String, u8>>().unwrap(), BTreeMap::from([("1".to_owned(), 2)]));
        assert_eq!(payload.kwargs::<BTreeMap<u64, u8>>().unwrap(), BTreeMap::from([(1, 2)]));
        assert_eq!(payload.args::<(BTreeMap<i8, u8>,)>().unwrap().0, BTreeMap::from([(1, 2)]));
        let reason = encode_reason(Payload::from_args(serializer, &[BTreeMap::from([((1, 2), 3)])]));
        assert_eq!(reason, "a dict key is no text");
    }
}

#[test]
fn binary_is_binary_on_every_wire() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Flat {
        name: String,
        #[serde(flatten)]
        rest: BTreeMap<String, Binary>,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Binary(Binary),
        Text(String),
    }

    let long = Binary::from(vec![0xab; 100_000]);
    for serializer in ALL {
        for binary in [Binary::default(), Binary::from(b"\x00\xff\xfe"), long.clone()] {
            let payload = Payload::from_args(serializer, &(binary.clone(), 1)).unwrap();
            let (element, _) = payload.args::<(Binary, u8)>().unwrap();
            assert_eq!(element, binary);
            assert_eq!(
                parts::kind(
                    serializer,
                    &parts::element(serializer, payload.raw_args().unwrap(), 0).unwrap().unwrap()
                ),
                Ok(Kind::Binary)
            );
        }
        let flat = Flat { name: "n".into(), rest: BTreeMap::from([("k".into(), Binary::from(b"\xff"))]) };
        let payload = Payload::build(serializer, &(), &flat).unwrap();
        assert_eq!(payload.kwargs::<Flat>().unwrap(), flat);
        let either = (Either::Binary(Binary::from(b"\xff")), Either::Text("t".into()));
        let payload = Payload::from_args(serializer, &either).unwrap();
        assert_eq!(payload.args::<(Either, Either)>().unwrap(), either);
        let text = Payload::from_args(serializer, &["text"]).unwrap();
        type_reason(text.args::<(Binary,)>());
    }
    let bad = Payload::from_lists(Serializer::Json, Some(r#"["\u0000?"]"#.into()), None);
    assert!(type_reason(bad.args::<(Binary,)>()).contains("base64"));
}

/// JSON cannot tell such text from binary, so it must not leave as something no peer can read.
#[test]
fn text_that_begins_with_nul() {
    let reason = encode_reason(Payload::from_args(Serializer::Json, &["\0text!"]));
    assert_eq!(reason, "text that begins with NUL");
    for serializer in [Serializer::MsgPack, Serializer::Cbor] {
        let payload = Payload::from_args(serializer, &["\0text!"]).unwrap();
        assert_eq!(payload.args::<(String,)>().unwrap().0, "\0text!");
    }
    let raw = Payload::from_raw(Serializer::Json, Some(r#"["\u0000text!"]"#.into()), None, 64);
    assert!(matches!(
        raw,
        Err(PayloadError::Malformed(ReadError { offset: 1, kind: Malformed::InvalidBinary }))
    ));
}

#[test]
fn numbers_keep_their_value() {
    for serializer in ALL {
        let numbers =
            (u64::MAX, i64::MIN, 0.1_f64, 1.0_f64, 5e-324_f64, f64::MAX, 1.821_089_663_311_388_5e-214);
        let payload = Payload::from_args(serializer, &numbers).unwrap();
        assert_eq!(payload.args::<(u64, i64, f64, f64, f64, f64, f64)>().unwrap(), numbers, "{serializer}");
    }
}

#[test]
fn raw_parts_are_checked() {
    let raw = |args: Option<&'static [u8]>, kwargs: Option<&'static [u8]>, serializer, depth| {
        Payload::from_raw(serializer, args.map(Bytes::from_static), kwargs.map(Bytes::from_static), depth)
    };
    let good: [(Serializer, &[u8], &[u8]); 3] = [
        (Serializer::Json, b" [1, [2]] ", b"{\"a\" : [1]}"),
        (Serializer::MsgPack, b"\x92\x01\x91\x02", b"\x81\xa1a\x91\x01"),
        (Serializer::Cbor, b"\x82\x01\x81\x02", b"\xa1\x61a\x81\x01"),
    ];
    for (serializer, args, kwargs) in good {
        let payload = raw(Some(args), Some(kwargs), serializer, 2).unwrap();
        assert_eq!(payload.arg::<u8>(0).unwrap(), 1);
        assert_eq!(payload.kwargs::<BTreeMap<String, Vec<u8>>>().unwrap()["a"], [1]);
        for (args, kwargs) in [(Some(args), None), (None, Some(kwargs))] {
            let error = raw(args, kwargs, serializer, 1).unwrap_err();
            assert!(
                matches!(&error, PayloadError::Malformed(ReadError { kind: Malformed::TooDeep { .. }, .. })),
                "{error}"
            );
            assert!(raw(args, kwargs, serializer, 0).is_err());
        }
        for (args, kwargs) in [(Some(kwargs), None), (None, Some(args))] {
            let error = raw(args, kwargs, serializer, 64).unwrap_err();
            assert!(
                matches!(
                    &error,
                    PayloadError::Malformed(ReadError { kind: Malformed::WrongType { .. }, .. })
                ),
                "{error}"
            );
        }
        for end in 0..args.len() - usize::from(serializer == Serializer::Json) {
            assert!(raw(Some(&args[..end]), None, serializer, 64).is_err());
        }
    }
    for bad in [&b"[1]]"[..], b"[1,]", b"[\"\xff\"]", b"[NaN]", b"[\"\\u0000x\"]", b"null", b""] {
        assert!(raw(Some(bad), None, Serializer::Json, 64).is_err());
    }
    assert!(raw(None, Some(b"\x81\x01\x02"), Serializer::MsgPack, 64).is_err());
    assert!(raw(None, Some(b"\x82\xa1a\x02\xa1a\x03"), Serializer::MsgPack, 64).is_err());
    assert!(raw(None, Some(br#"{"a":1,"\u0061":2}"#), Serializer::Json, 64).is_err());
    // JSON that only some peers understand is theirs to refuse.
    for odd in [&b"[1e999]"[..], b"[18446744073709551616]", b"[\"\\ud800\"]"] {
        let payload = raw(Some(odd), None, Serializer::Json, 64).unwrap();
        assert_eq!(payload.raw_args().unwrap(), odd);
        assert!(payload.args::<(serde_json::Value,)>().is_err());
        assert!(payload.args::<(crate::value::Value,)>().is_err());
    }
}

#[test]
fn a_bare_element_is_no_args() {
    for serializer in ALL {
        let payload = Payload::binary(serializer, b"\x00\xffsealed");
        assert!(!payload.is_empty() && payload.raw_args().is_none() && payload.raw_kwargs().is_none());
        assert_eq!(payload.len(), payload.raw_bare().unwrap().len());
        assert_eq!(payload.bare::<Binary>().unwrap().unwrap(), Binary::from(b"\x00\xffsealed"));
        type_reason(payload.args::<Vec<u8>>());
        type_reason(payload.kwargs::<BTreeMap<String, u8>>());
        type_reason(payload.arg::<u8>(0));
        assert_eq!(payload.detach(), payload);
        assert_eq!(
            payload.clone().raw_bare().unwrap(),
            &typed::encode_serde(serializer, "", &payload.bare::<Binary>().unwrap()).unwrap()
        );
        assert_eq!(Payload::EMPTY.bare::<Binary>().unwrap(), None);
        let text =
            Payload::from_wire_bare(serializer, typed::encode_serde(serializer, "payload", "text").unwrap());
        assert_eq!(text.bare::<String>().unwrap().unwrap(), "text");
    }
}

#[test]
fn transcoding_to_the_same_serializer_shares() {
    for serializer in ALL {
        let payload = Payload::from_args(serializer, &(1, "two")).unwrap();
        let same = payload.transcode(serializer, 64).unwrap();
        assert_eq!(same.raw_args().unwrap().as_ptr(), payload.raw_args().unwrap().as_ptr());
        assert_eq!(Payload::EMPTY.transcode(serializer, 64).unwrap(), Payload::EMPTY);
    }
}

#[test]
fn debug_shows_no_contents() {
    let payload = Payload::build(Serializer::Json, &["secret"], &()).unwrap();
    assert_eq!(format!("{payload:?}"), "Payload { serializer: Json, args: 10 bytes }");
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Lists(Vec<Lists>);

/// `levels` lists inside each other.
fn nested(serializer: Serializer, levels: usize) -> Payload {
    let inner = levels - 1;
    let bytes = match serializer {
        Serializer::Json => ["[".repeat(levels), "]".repeat(levels)].concat().into_bytes(),
        Serializer::MsgPack => [vec![0x91; inner], vec![0x90]].concat(),
        Serializer::Cbor => [vec![0x81; inner], vec![0x80]].concat(),
    };
    Payload::from_raw(serializer, Some(bytes.into()), None, 256).unwrap()
}

#[test]
fn typed_access_goes_equally_deep_everywhere() {
    for serializer in ALL {
        let deepest = nested(serializer, typed::TYPED_DEPTH);
        let mut lists = &deepest.args::<Lists>().unwrap();
        let mut levels = 1;
        while let Some(inner) = lists.0.first() {
            (lists, levels) = (inner, levels + 1);
        }
        assert_eq!(levels, typed::TYPED_DEPTH);
        // A small thread is enough, debug builds included.
        let read =
            move || deepest.args::<Vec<serde_json::Value>>().map(drop).and(deepest.args::<Lists>().map(drop));
        std::thread::Builder::new().stack_size(768 << 10).spawn(read).unwrap().join().unwrap().unwrap();
        let reason = type_reason(nested(serializer, typed::TYPED_DEPTH + 1).args::<Lists>());
        assert_eq!(reason, "nested deeper than 127 levels");
    }
}

/// Floats of 16 bits are legal CBOR that many peers cannot read.
#[test]
fn no_float_is_written_in_16_bits() {
    let hex = |payload: Payload| payload.raw_args().unwrap().to_vec();
    let cbor = |args: &[f64]| hex(Payload::from_args(Serializer::Cbor, args).unwrap());
    assert_eq!(cbor(&[1.5]), [0x81, 0xfa, 0x3f, 0xc0, 0, 0]);
    assert_eq!(cbor(&[-0.0]), [0x81, 0xfa, 0x80, 0, 0, 0]);
    assert_eq!(cbor(&[f64::INFINITY]), [0x81, 0xfa, 0x7f, 0x80, 0, 0]);
    assert_eq!(cbor(&[f64::NAN]), [0x81, 0xfa, 0x7f, 0xc0, 0, 0]);
    assert_eq!(cbor(&[0.1]), [0x81, 0xfb, 0x3f, 0xb9, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a]);
    // The same byte elsewhere is no float.
    let mixed = (249_u8, Binary::from(b"\xf9\x3c\x00"), "ù", 1.0, 0xf9f9_f9f9_u32, (2.0_f32, [4.0]));
    let payload = Payload::from_args(Serializer::Cbor, &mixed).unwrap();
    type Mixed = (u8, Binary, String, f64, u32, (f32, [f64; 1]));
    assert_eq!(payload.args::<Mixed>().unwrap(), (249, mixed.1, "ù".into(), 1.0, 0xf9f9_f9f9, (2.0, [4.0])));
    let expected = b"\x86\x18\xf9\x43\xf9\x3c\x00\x62\xc3\xb9\xfa\x3f\x80\0\0\x1a\xf9\xf9\xf9\xf9\x82\xfa\x40\0\0\0\x81\xfa\x40\x80\0\0";
    assert_eq!(payload.raw_args().unwrap(), &expected[..]);
    let mut dict = crate::message::RawDict::default();
    dict.set("x_ratio", &0.5).unwrap();
    assert_eq!(dict.raw("x_ratio").unwrap().0, &b"\xfa\x3f\0\0\0"[..]);
}

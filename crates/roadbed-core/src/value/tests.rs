use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use std::thread;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::error::PayloadError;
use crate::limits::{Limits, MAX_DEPTH};
use crate::serializer::{Malformed, Serializer};

/// Any value; where JSON has to hold it, without NaN, infinities and text that begins with NUL.
pub(crate) fn any_value(for_json: bool) -> impl Strategy<Value = Value> {
    let float = if for_json {
        prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO
    } else {
        prop::num::f64::ANY
    };
    let text = if for_json { "([^\0].{0,40})?" } else { ".{0,40}" };
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (any::<u64>(), 0..64_u32).prop_map(|(value, shift)| (value >> shift).into()),
        (any::<i64>(), 0..64_u32).prop_map(|(value, shift)| (value >> shift).into()),
        float.prop_map(Value::from),
        any::<i16>().prop_map(|value| Value::Float(value.into())),
        text.prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
            prop::collection::vec((".{0,5}", inner), 0..20)
                .prop_map(|pairs| Value::Dict(pairs.into_iter().collect())),
        ]
    })
}

fn decode(serializer: Serializer, bytes: &[u8]) -> Result<Value, Malformed> {
    let limits = Limits::default();
    serializer.decode_value(&Bytes::copy_from_slice(bytes), &limits).map_err(|error| error.kind)
}

fn nested(levels: usize) -> Value {
    let mut value = Value::Null;
    for level in 0..levels {
        value = if level % 2 == 0 { vec![value].into() } else { Dict::from([("k", value)]).into() };
    }
    value
}

#[test]
fn a_value_takes_forty_bytes() {
    // What decoding may take for each byte of its input rests on this.
    assert!(size_of::<Value>() <= 40);
    assert!(size_of::<(ByteString, Value)>() <= 80);
}

#[test]
fn integers_have_one_form_and_floats_are_apart() {
    assert!(matches!(Value::from(5_i64), Value::Unsigned(5)));
    assert!(matches!(Value::from(-5_i8), Value::Integer(-5)));
    assert_eq!(Value::Integer(5), Value::Unsigned(5));
    assert_ne!(Value::Integer(-1), Value::Unsigned(u64::MAX));
    assert_ne!(Value::from(1_u8), Value::from(1.0));
    assert_ne!(Value::from(0.0), Value::from(-0.0));
    assert_eq!(Value::from(f64::NAN), Value::from(-f64::NAN));
    for serializer in Serializer::ALL {
        let by_hand = serializer.encode_value(&Value::Integer(300)).unwrap();
        assert_eq!(by_hand, serializer.encode_value(&Value::Unsigned(300)).unwrap());
    }
}

#[test]
fn accessors_take_their_own_type_only() {
    let values = [
        Value::Null,
        true.into(),
        7_u8.into(),
        (-7_i8).into(),
        1.5.into(),
        "text".into(),
        Bytes::from_static(b"binary").into(),
        vec![Value::Null].into(),
        Dict::new().into(),
    ];
    let kinds: Vec<String> = values.iter().map(|value| value.kind().to_string()).collect();
    assert_eq!(
        kinds,
        ["null", "a boolean", "an integer", "an integer", "a float", "text", "binary", "a list", "a dict"]
    );
    let which = |has: fn(&Value) -> bool| -> Vec<usize> {
        values.iter().enumerate().filter(|(_, value)| has(value)).map(|(index, _)| index).collect()
    };
    assert_eq!(which(Value::is_null), [0]);
    assert_eq!(which(|value| value.as_bool().is_some()), [1]);
    assert_eq!(which(|value| value.as_u64().is_some()), [2]);
    assert_eq!(which(|value| value.as_i64().is_some()), [2, 3]);
    assert_eq!(which(|value| value.as_f64().is_some()), [2, 3, 4]);
    assert_eq!(which(|value| value.as_str().is_some()), [5]);
    assert_eq!(which(|value| value.as_bytes().is_some()), [6]);
    assert_eq!(which(|value| value.as_list().is_some()), [7]);
    assert_eq!(which(|value| value.as_dict().is_some()), [8]);
    assert_eq!(Value::from(u64::MAX).as_i64(), None);
    assert_eq!(Value::from(None::<u8>), Value::Null);
    assert_eq!(Value::from(Some("x")).as_str(), Some("x"));
}

#[test]
fn a_dict_keeps_order_and_the_last_of_two_counts() {
    let mut dict = Dict::from([("b", 1_u8), ("a", 2)]);
    dict.push("b", 3_u8);
    assert_eq!(dict.len(), 3);
    assert_eq!(dict.get("b"), Some(&3_u8.into()));
    assert_eq!(dict.insert("b", 4_u8), Some(3_u8.into()));
    assert_eq!(dict.insert("c", ()), None);
    assert_eq!(dict.keys().collect::<Vec<_>>(), ["b", "a", "b", "c"]);
    assert_eq!(dict.values().next(), Some(&1_u8.into()));
    assert_eq!(dict.iter().rev().map(|(key, _)| key).collect::<String>(), "cbab");
    assert_eq!(dict.remove("b"), Some(4_u8.into()));
    assert!(!dict.contains_key("b"));
    assert_eq!(dict.remove("b"), None);
    assert_eq!(dict, [("a", Value::from(2_u8)), ("c", Value::Null)].into_iter().collect());
    assert_ne!(Dict::from([("a", 1_u8), ("b", 2)]), Dict::from([("b", 2_u8), ("a", 1)]));
    assert_eq!(dict.into_iter().count(), 2);
}

#[test]
fn decoded_text_shares_the_message_until_detached() {
    let message = Serializer::MsgPack.encode_value(&vec![Value::from("shared"), "x".into()].into()).unwrap();
    let within = |text: &str| message.as_ptr_range().contains(&text.as_ptr());
    let value = Serializer::MsgPack.decode_value(&message, &Limits::default()).unwrap();
    assert!(within(value.as_list().unwrap()[0].as_str().unwrap()));
    let detached = value.detached();
    assert_eq!(detached, value);
    assert!(!within(detached.as_list().unwrap()[0].as_str().unwrap()));
}

#[test]
fn too_deep_values_are_refused_without_recursion() {
    for serializer in Serializer::ALL {
        let limits = Limits::default().depth(MAX_DEPTH);
        let deepest = nested(MAX_DEPTH);
        let encoded = serializer.encode_value(&deepest).unwrap();
        assert_eq!(serializer.decode_value(&encoded, &limits).unwrap(), deepest);
        let error = serializer.decode_value(&encoded, &Limits::default()).unwrap_err();
        assert_eq!(error.kind, Malformed::TooDeep { limit: 64 });
        assert!(matches!(serializer.encode_value(&nested(MAX_DEPTH + 1)), Err(PayloadError::Encode { .. })));
    }
    let check = || {
        let deep = nested(100_000);
        for serializer in Serializer::ALL {
            assert!(matches!(serializer.encode_value(&deep), Err(PayloadError::Encode { .. })));
        }
        // Dropping it would recurse, which is its builder's risk.
        core::mem::forget(deep);
    };
    thread::Builder::new().stack_size(64 << 10).spawn(check).unwrap().join().unwrap();
}

#[test]
fn hostile_nesting_needs_little_stack() {
    let check = || {
        for (serializer, units) in [
            (Serializer::Json, &[&b"["[..], b"{\"\":", b"[[],"][..]),
            (Serializer::MsgPack, &[&[0x91][..], &[0x81], &[0x81, 0xa0], &[0x92, 0xc0]]),
            (Serializer::Cbor, &[&[0x81][..], &[0xa1], &[0xa1, 0x60], &[0xc1], &[0x9f], &[0xbf, 0x60]]),
        ] {
            for unit in units {
                let bytes = Bytes::from(unit.repeat(1_000_000));
                for depth in [64, MAX_DEPTH] {
                    let limits = Limits::default().depth(depth).message_size(usize::MAX);
                    let error = serializer.decode_value(&bytes, &limits).unwrap_err();
                    assert_eq!(error.kind, Malformed::TooDeep { limit: depth });
                }
            }
        }
    };
    thread::Builder::new().stack_size(64 << 10).spawn(check).unwrap().join().unwrap();
}

#[test]
fn whatever_is_not_one_value_is_refused() {
    use Serializer::{Cbor, Json, MsgPack};

    for (serializer, bytes, expected) in [
        (MsgPack, &[][..], Malformed::UnexpectedEnd),
        (MsgPack, &[1, 2], Malformed::TrailingBytes { count: 1 }),
        (MsgPack, &[0x81, 1, 1], Malformed::NonTextKey(Kind::Integer)),
        (
            MsgPack,
            &[0xd4, 5, 0],
            Malformed::WrongType { expected: "a value that is no container", found: Kind::Other },
        ),
        (Cbor, &[0xf6, 0xf6], Malformed::TrailingBytes { count: 1 }),
        (Cbor, &[0xa1, 0xf6, 1], Malformed::NonTextKey(Kind::Null)),
        (
            Cbor,
            &[0xe0],
            Malformed::WrongType { expected: "a value that is no container", found: Kind::Other },
        ),
        (Cbor, &[0x3b, 0xff, 0, 0, 0, 0, 0, 0, 0], Malformed::NumberOutOfRange),
        (Json, b"[1] 2", Malformed::TrailingBytes { count: 1 }),
        (Json, b"", Malformed::UnexpectedEnd),
    ] {
        assert_eq!(decode(serializer, bytes), Err(expected), "{bytes:02x?}");
    }
    assert_eq!(decode(Json, b" [1] "), Ok(vec![Value::from(1_u8)].into()));
    let limits = Limits::default().message_size(512);
    let error = Json.decode_value(&Bytes::from(vec![b' '; 513]), &limits).unwrap_err();
    assert!(matches!(error.kind, Malformed::TooLong { found: 513, limit: 512, .. }));
}

#[test]
fn json_refuses_what_it_cannot_hold() {
    for value in
        [f64::NAN.into(), f64::NEG_INFINITY.into(), "\0text".into(), vec![Value::from(f64::NAN)].into()]
    {
        let error = Serializer::Json.encode_value(&value).unwrap_err();
        assert!(matches!(error, PayloadError::Encode { serializer: Serializer::Json, .. }));
        for binary in [Serializer::MsgPack, Serializer::Cbor] {
            assert_eq!(decode(binary, &binary.encode_value(&value).unwrap()), Ok(value.clone()));
        }
    }
    let error = Serializer::Json.encode_value(&f64::NAN.into()).unwrap_err();
    assert_eq!(error.to_string(), "value cannot be written as json: NaN");
    assert!(serde_json::to_string(&Value::from("\0text")).is_err());
}

#[test]
fn serde_knows_what_formats_show_in_their_own_ways() {
    // Tags are dropped, bignums are integers, undefined is null.
    let tagged: Value = ciborium::from_reader(&[0x83, 0xc0, 0x61, b'x', 0xc2, 0x41, 9, 0xf7][..]).unwrap();
    assert_eq!(tagged, vec!["x".into(), 9_u8.into(), Value::Null].into());
    let huge: Result<Value, _> = ciborium::from_reader(&[0xc2, 0x49, 1, 0, 0, 0, 0, 0, 0, 0, 0][..]);
    assert!(huge.is_err());
    let extension: Result<Value, _> = rmp_serde::from_slice(&[0xd4, 5, 0]);
    assert!(extension.is_err());
    let not_base64: Result<Value, _> = serde_json::from_str(r#""\u0000!""#);
    assert!(not_base64.is_err());
    assert_eq!(serde_json::to_string(&Value::from(vec![1_u8, 2])).unwrap(), r#""\u0000AQI=""#);
    let dict: Dict = serde_json::from_str(r#"{"b":1,"a":[true,null]}"#).unwrap();
    assert_eq!(serde_json::to_string(&dict).unwrap(), r#"{"b":1,"a":[true,null]}"#);
    assert!(serde_json::to_string(&nested(MAX_DEPTH)).is_ok());
    assert!(serde_json::to_string(&nested(MAX_DEPTH + 1)).is_err());
    let deep: Result<Value, _> = rmp_serde::from_slice(&vec![0x91; 300]);
    assert!(deep.unwrap_err().to_string().contains("deeper than 256"));
}

proptest! {
    #[test]
    fn values_survive_the_binary_formats(value in any_value(false)) {
        for serializer in [Serializer::MsgPack, Serializer::Cbor] {
            let encoded = serializer.encode_value(&value).unwrap();
            prop_assert_eq!(decode(serializer, &encoded).unwrap(), value.clone());
            for end in 0..encoded.len() {
                prop_assert_eq!(decode(serializer, &encoded[..end]), Err(Malformed::UnexpectedEnd));
            }
        }
    }

    #[test]
    fn values_survive_json(value in any_value(true)) {
        let encoded = Serializer::Json.encode_value(&value).unwrap();
        prop_assert_eq!(decode(Serializer::Json, &encoded).unwrap(), value);
    }

    #[test]
    fn values_survive_serde(value in any_value(false), json in any_value(true)) {
        let bytes = rmp_serde::to_vec(&value).unwrap();
        prop_assert_eq!(&rmp_serde::from_slice::<Value>(&bytes).unwrap(), &value);
        prop_assert_eq!(&decode(Serializer::MsgPack, &bytes).unwrap(), &value);

        let mut bytes = Vec::new();
        ciborium::into_writer(&value, &mut bytes).unwrap();
        prop_assert_eq!(&ciborium::from_reader::<Value, _>(&bytes[..]).unwrap(), &value);
        prop_assert_eq!(&decode(Serializer::Cbor, &bytes).unwrap(), &value);

        let text = serde_json::to_string(&json).unwrap();
        prop_assert_eq!(&decode(Serializer::Json, text.as_bytes()).unwrap(), &json);
    }

    #[test]
    fn any_bytes_decode_or_say_why_not(bytes in prop::collection::vec(any::<u8>(), 0..48)) {
        for serializer in Serializer::ALL {
            if let Ok(value) = decode(serializer, &bytes) {
                let canonical = serializer.encode_value(&value).unwrap();
                prop_assert_eq!(decode(serializer, &canonical).unwrap(), value);
                if serializer.is_binary() {
                    prop_assert!(canonical.len() <= bytes.len().max(1) * 5, "a half float may grow, no more");
                }
            }
        }
    }
}

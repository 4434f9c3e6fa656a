//! The same judgement as serde_json, except where ours is meant to differ.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;

use super::super::JsonReader;
use super::skip_within;
use crate::serializer::{Kind, Malformed, ReadError, Reader, Scalar};

/// Rebuilds what serde_json would have read.
fn rebuild(reader: &mut JsonReader<'_>) -> Result<Value, ReadError> {
    Ok(match reader.kind()? {
        Kind::List => {
            let (mut seq, mut list) = (reader.list()?, Vec::new());
            while reader.more(&mut seq)? {
                list.push(rebuild(reader)?);
            }
            Value::Array(list)
        }
        Kind::Dict => {
            let (mut seq, mut dict) = (reader.dict()?, serde_json::Map::new());
            while reader.more(&mut seq)? {
                let key = reader.key()?.into_owned();
                dict.insert(key, rebuild(reader)?);
            }
            Value::Object(dict)
        }
        _ => match reader.scalar()? {
            Scalar::Null => Value::Null,
            Scalar::Bool(value) => value.into(),
            Scalar::Unsigned(value) => value.into(),
            Scalar::Negative(value) => value.into(),
            Scalar::Float(value) => value.into(),
            Scalar::Text(value) => value.into(),
            Scalar::Binary(_) => Value::String("binary".into()),
        },
    })
}

/// Compares the judgements about `text`; serde_json takes integers beyond 64 bits for floats, and nests
/// 127 levels.
fn compare(text: &[u8]) -> Result<(), TestCaseError> {
    let ours = skip_within(text, 127);
    let theirs = serde_json::from_slice::<Value>(text);
    match (&ours, &theirs) {
        (Ok(()), Ok(value)) => {
            let input = Bytes::copy_from_slice(text);
            let mut reader = JsonReader::new(&input, 127);
            match rebuild(&mut reader) {
                Ok(rebuilt) => {
                    let marked = rebuilt.to_string().contains("binary");
                    prop_assert!(marked || rebuilt == *value, "{rebuilt} / {value}");
                }
                // serde_json takes these for floats.
                Err(error) => prop_assert_eq!(error.kind, Malformed::NumberOutOfRange),
            }
        }
        (Err(_), Err(_)) => {}
        // Passed over, and refused by who needs the value.
        (Ok(()), Err(_)) => {
            let input = Bytes::copy_from_slice(text);
            let unread = rebuild(&mut JsonReader::new(&input, 127)).map_err(|error| error.kind);
            let is_expected = matches!(unread, Err(Malformed::NumberOutOfRange | Malformed::LoneSurrogate));
            prop_assert!(is_expected, "{:?}: {unread:?}, {theirs:?}", String::from_utf8_lossy(text));
        }
        (Err(ReadError { kind: Malformed::InvalidBinary, .. }), Ok(_)) => {}
        _ => prop_assert!(false, "{:?}: ours {ours:?}, theirs {theirs:?}", String::from_utf8_lossy(text)),
    }
    Ok(())
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[a-z\\x00-\\x1f\"\\\\é]{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec(("[a-z\"é]{0,12}", inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn random_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        compare(&bytes)?;
    }

    #[test]
    fn near_json(text in r#"([\[\]{},:" \n]|"[a-z]{0,9}"|\\u[dD][89cCdD]00|\\u0000|\\[nqu"]|-?[01]{1,3}(\.[0-9]{0,2})?([eE][+-]?[0-9]{0,3})?|true|nul|null|é){0,12}"#) {
        compare(text.as_bytes())?;
        compare(&[b"[", text.as_bytes(), b"]"].concat())?;
        compare(&[b"\"", text.as_bytes(), b"\""].concat())?;
        compare(&[b"[{\"a\":", text.as_bytes(), b"}]"].concat())?;
    }

    #[test]
    fn numbers(text in r"-?[0-9]{1,22}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?") {
        compare(text.as_bytes())?;
    }

    #[test]
    fn valid_values(value in json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let passed = skip_within(&text, 64).map_err(|error| error.kind);
        prop_assert!(matches!(passed, Ok(()) | Err(Malformed::InvalidBinary)), "{passed:?}");
        compare(text.as_bytes())?;
    }

    #[test]
    fn damaged_values(value in json(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut text = serde_json::to_vec(&value).unwrap();
        let at = at.index(text.len());
        text[at] = byte;
        if cut {
            text.truncate(at);
        }
        compare(&text)?;
    }
}

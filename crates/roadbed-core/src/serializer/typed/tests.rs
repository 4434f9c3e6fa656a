//! One meaning for each Rust type, whatever the serializer; and values as other languages write them.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};
use core::fmt::Debug;

use bytes::Bytes;
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::PayloadError;
use crate::payload::{Binary, Payload};
use crate::serializer::Serializer::{self, Cbor, Json, MsgPack};
use crate::value::Value;

const ALL: [Serializer; 3] = Serializer::ALL;

fn raw(serializer: Serializer, args: &[u8]) -> Payload {
    Payload::from_raw(serializer, Some(Bytes::copy_from_slice(args)), None, 64).unwrap()
}

/// Reads the only argument, which is encoded in three ways.
fn read<T: DeserializeOwned + PartialEq + Debug>(
    json: &str,
    msgpack: &[u8],
    cbor: &[u8],
) -> Result<T, String> {
    let payloads = [
        raw(Json, json.as_bytes()),
        raw(MsgPack, &[&[0x91], msgpack].concat()),
        raw(Cbor, &[&[0x81], cbor].concat()),
    ];
    let [first, others @ ..] = payloads.map(|payload| payload.args::<(T,)>().map(|(value,)| value));
    let first = first.map_err(|error| error.to_string());
    for other in others {
        assert_eq!(other.map_err(|error| error.to_string()), first, "one answer in every serializer");
    }
    first
}

/// The only argument in every serializer, and back.
fn round<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    for serializer in ALL {
        let payload = Payload::from_args(serializer, &(value,)).unwrap();
        assert_eq!(payload.args::<(T,)>().unwrap().0, *value, "{serializer}");
        for other in ALL {
            let carried = payload.transcode(other, 64).unwrap();
            assert_eq!(carried.args::<(T,)>().unwrap().0, *value, "{serializer} to {other}");
        }
    }
}

fn written<T: Serialize>(value: &T) -> [Result<Vec<u8>, String>; 3] {
    ALL.map(|serializer| match Payload::from_args(serializer, &(value,)) {
        Ok(payload) => Ok(payload.raw_args().unwrap().to_vec()),
        Err(PayloadError::Encode { reason, .. }) => Err(reason),
        Err(other) => panic!("{other:?}"),
    })
}

/// cbor-x and msgpackr write integers above 2^32 as floats.
#[test]
fn a_whole_float_is_the_integer_where_one_is_asked_for() {
    let float = |value: f64| {
        let bits = value.to_be_bytes();
        (format!("[{value:?}]"), [&[0xcb][..], &bits].concat(), [&[0xfb][..], &bits].concat())
    };
    fn read_float<T: DeserializeOwned + PartialEq + Debug>(
        (json, msgpack, cbor): &(String, Vec<u8>, Vec<u8>),
    ) -> Result<T, String> {
        read(json, msgpack, cbor)
    }
    let large = float(4_294_967_296.0);
    assert_eq!(read_float::<u64>(&large), Ok(4_294_967_296));
    assert_eq!(read_float::<i64>(&large), Ok(4_294_967_296));
    assert_eq!(read_float::<u128>(&large), Ok(4_294_967_296));
    assert_eq!(read_float::<Option<u64>>(&large), Ok(Some(4_294_967_296)));
    assert_eq!(read_float::<f64>(&large), Ok(4_294_967_296.0));
    assert_eq!(
        read_float::<u32>(&large),
        Err("argument 1: expected an integer from 0 to 4294967295, found 4294967296".into())
    );
    assert_eq!(read_float::<i64>(&float(-3.0)), Ok(-3));
    assert_eq!(read_float::<u8>(&float(-0.0)), Ok(0));
    assert_eq!(read_float::<i64>(&float(-9_223_372_036_854_775_808.0)), Ok(i64::MIN));
    assert_eq!(read_float::<u64>(&float(18_446_744_073_709_549_568.0)), Ok(18_446_744_073_709_549_568));
    for (bad, found) in [
        (0.5, "0.5"),
        (-0.5, "-0.5"),
        (18_446_744_073_709_551_616.0, "1.8446744073709552e19"),
        (1e300, "1e300"),
    ] {
        let expected = format!("argument 1: expected a non-negative integer, found {found}");
        assert_eq!(read_float::<u64>(&float(bad)), Err(expected));
    }
    assert!(read_float::<i64>(&float(9_223_372_036_854_775_808.0)).is_err());
    assert!(read_float::<u64>(&float(-1.0)).is_err());
    assert_eq!(read_float::<bool>(&float(1.0)), Err("argument 1: expected a boolean, found a float".into()));
    assert!(read_float::<String>(&float(1.0)).is_err());
    for special in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let (_, msgpack, cbor) = float(special);
        assert!(raw(MsgPack, &[&[0x91], &msgpack[..]].concat()).args::<(i64,)>().is_err());
        assert!(raw(Cbor, &[&[0x81], &cbor[..]].concat()).args::<(i64,)>().is_err());
    }
    // Half floats too.
    assert_eq!(raw(Cbor, &[0x81, 0xf9, 0x3c, 0]).args::<(u8,)>().unwrap().0, 1);
    assert_eq!(raw(MsgPack, &[0x91, 0xca, 0x3f, 0x80, 0, 0]).args::<(u8,)>().unwrap().0, 1);
}

#[test]
fn integers_of_128_bits_are_integers_or_nothing() {
    assert_eq!(written(&5_i128), [Ok(b"[5]".to_vec()), Ok(vec![0x91, 5]), Ok(vec![0x81, 5])]);
    round(&(u128::from(u64::MAX), i128::from(i64::MIN)));
    let refused: [Result<Vec<u8>, String>; 3] = ALL.map(|_| Err("an integer beyond 64 bits".into()));
    assert_eq!(written(&(u128::from(u64::MAX) + 1)), refused);
    assert_eq!(written(&(i128::from(i64::MIN) - 1)), refused);
    assert_eq!(written(&BTreeMap::from([("deep", [u128::MAX])])), refused);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped(Option<u8>);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Either {
    Nothing(()),
    Number(i64),
    Text(String),
    Bytes(Binary),
    Many(Vec<Either>),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle(f64),
    Line(i8, i8),
    Box { width: u8, label: Option<String> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Tagged {
    One { size: u64 },
    Two,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    name: String,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[test]
fn every_type_has_one_meaning() {
    assert_eq!(written(&Unit), [Ok(b"[null]".to_vec()), Ok(vec![0x91, 0xc0]), Ok(vec![0x81, 0xf6])]);
    round(&Unit);
    round(&((), Some(1), None::<u8>, Wrapped(None), Wrapped(Some(3))));
    round(&vec![
        Either::Nothing(()),
        Either::Number(-7),
        Either::Text("t".into()),
        Either::Bytes(Binary::from(b"\xff")),
        Either::Many(vec![Either::Nothing(())]),
    ]);
    let line = Shape::Line(-1, 1);
    round(&vec![Shape::Point, Shape::Circle(0.5), line, Shape::Box { width: 3, label: None }]);
    round(&vec![Tagged::One { size: 1 << 40 }, Tagged::Two]);
    round(&('é', "text".to_string(), true, [1.5_f32, 0.1], BTreeMap::from([(true, 'x')])));
    round(&Flat { name: "n".into(), rest: BTreeMap::from([("k".into(), Value::from(1_u8))]) });
    assert_eq!(written(&0.1_f32)[0], Ok(b"[0.1]".to_vec()));
    let json = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(|value| written(&value)[0].clone());
    assert_eq!(json, [Err("NaN".into()), Err("an infinity".into()), Err("an infinity".into())]);
}

/// A type that does not know how many entries it has, or says it wrong.
#[test]
fn lengths_are_those_that_came() {
    struct Unsure(Option<usize>, usize);
    impl Serialize for Unsure {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::{SerializeMap, SerializeSeq};
            struct Inner(Option<usize>, usize);
            impl Serialize for Inner {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    let mut map = serializer.serialize_map(self.0)?;
                    for key in 0..self.1 {
                        map.serialize_entry(&key, &1)?;
                    }
                    map.end()
                }
            }
            let mut list = serializer.serialize_seq(self.0)?;
            for _ in 0..self.1 {
                list.serialize_element(&Inner(self.0, self.1))?;
            }
            list.end()
        }
    }
    for hint in [None, Some(0), Some(3), Some(300)] {
        for count in [0, 3, 20] {
            let expected: Vec<BTreeMap<usize, u8>> = vec![(0..count).map(|key| (key, 1)).collect(); count];
            for serializer in ALL {
                let payload = Payload::from_args(serializer, &(Unsure(hint, count), "behind")).unwrap();
                let read = payload.args::<(Vec<BTreeMap<usize, u8>>, String)>().unwrap();
                assert_eq!(read, (expected.clone(), "behind".into()), "{serializer} {hint:?}");
                let exact = Payload::from_args(serializer, &(&expected, "behind")).unwrap();
                assert_eq!(payload, exact, "canonical");
            }
        }
    }
}

#[test]
fn undefined_is_none() {
    for (serializer, undefined) in [(MsgPack, &[0xd4, 0, 0][..]), (Cbor, &[0xf7]), (Json, b"null")] {
        let list = match serializer {
            Json => [b"[", undefined, b"]"].concat(),
            MsgPack => [&[0x91], undefined].concat(),
            Cbor => [&[0x81], undefined].concat(),
        };
        let payload = raw(serializer, &list);
        assert_eq!(payload.args::<(Option<i64>,)>().unwrap().0, None);
        assert_eq!(payload.args::<(Unit,)>().unwrap().0, Unit);
        assert_eq!(payload.args::<((),)>().unwrap().0, ());
        assert_eq!(payload.args::<(Value,)>().unwrap().0, Value::Null);
        assert_eq!(payload.args::<(Either,)>().unwrap().0, Either::Nothing(()));
        assert_eq!(
            payload.args::<(i64,)>().unwrap_err().to_string(),
            "argument 1: expected an integer, found null"
        );
    }
}

/// Callers leave arguments out at the end.
#[test]
fn missing_arguments_at_the_end_are_none() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Args(i64, Option<Wrapped>, #[serde(default)] u8);
    #[derive(Debug, PartialEq, Deserialize)]
    struct Named {
        first: i64,
        second: Option<String>,
    }
    for serializer in ALL {
        let one = Payload::from_args(serializer, &(7,)).unwrap();
        assert_eq!(one.args::<(i64, Option<i64>)>().unwrap(), (7, None));
        assert_eq!(one.args::<(i64, Option<i64>, Option<Vec<u8>>)>().unwrap(), (7, None, None));
        assert_eq!(one.args::<(i64, Wrapped)>().unwrap(), (7, Wrapped(None)));
        assert_eq!(one.args::<Args>().unwrap(), Args(7, None, 0));
        assert_eq!(one.args::<Named>().unwrap(), Named { first: 7, second: None });
        let reason = |error: PayloadError| error.to_string();
        assert_eq!(
            one.args::<(i64, Option<i64>, i64)>().map_err(reason),
            Err("arguments: expected 3 arguments, found 1".into())
        );
        assert_eq!(
            one.args::<(i64, ())>().map_err(reason),
            Err("arguments: expected 2 arguments, found 1".into())
        );
        assert_eq!(one.args::<Vec<Option<i64>>>().unwrap(), [Some(7)]);
        let none = Payload::new();
        assert_eq!(none.args::<(Option<i64>,)>().unwrap(), (None,));
        // Only arguments can be left out: the elements of a list inside are what they are.
        let inner = Payload::from_args(serializer, &((7,),)).unwrap();
        assert_eq!(
            inner.args::<((i64, Option<i64>),)>().map_err(reason),
            Err("argument 1: expected 2 elements, found 1".into())
        );
        let more = Payload::from_args(serializer, &(1, 2, 3)).unwrap();
        assert_eq!(
            more.args::<(i64, Option<i64>)>().map_err(reason),
            Err("arguments: expected 2 arguments, found more".into())
        );
    }
}

#[test]
fn errors_say_what_was_expected_what_came_and_where() {
    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Options {
        from: String,
        sizes: Vec<BTreeMap<String, u8>>,
        mode: Option<Shape>,
    }
    #[derive(Serialize)]
    struct Sent<A, B> {
        from: A,
        sizes: B,
        mode: Option<&'static str>,
    }
    fn why<A: Serialize, B: Serialize>(
        serializer: Serializer,
        from: A,
        sizes: B,
        mode: Option<&'static str>,
    ) -> String {
        let payload = Payload::build(serializer, &(), &Sent { from, sizes, mode }).unwrap();
        payload.kwargs::<Options>().unwrap_err().to_string()
    }
    for serializer in ALL {
        let none: [u8; 0] = [];
        assert_eq!(
            why(serializer, 1, none, None),
            "keyword argument \"from\": expected text, found an integer"
        );
        assert_eq!(
            why(serializer, "f", 5, None),
            "keyword argument \"sizes\": expected a list, found an integer"
        );
        let deep = [BTreeMap::from([("a", 1)]), BTreeMap::from([("b", 256)])];
        assert_eq!(
            why(serializer, "f", deep, None),
            "keyword argument \"sizes\"[1].b: expected an integer from 0 to 255, found 256"
        );
        assert_eq!(
            why(serializer, "f", none, Some("Sphere")),
            "keyword argument \"mode\": expected one of \"Point\", \"Circle\", \"Line\", \"Box\", found \"Sphere\""
        );
        let payload = Payload::from_args(serializer, &(1, "two", [true])).unwrap();
        let error = payload.args::<(u8, i64, [bool; 1])>().unwrap_err();
        assert_eq!(error.to_string(), "argument 2: expected an integer, found text");
        let error = payload.args::<(u8, String, (u8,))>().unwrap_err();
        assert_eq!(error.to_string(), "argument 3[0]: expected an integer from 0 to 255, found a boolean");
        assert_eq!(
            payload.arg::<f64>(1).unwrap_err().to_string(),
            "argument 2: expected a number, found text"
        );
        assert_eq!(payload.arg::<u8>(5).unwrap_err().to_string(), "argument 6: there are only 3 arguments");
        assert_eq!(
            payload.args::<()>().unwrap_err().to_string(),
            "arguments: expected no arguments, found some"
        );
        assert_eq!(
            Payload::new().kwargs::<Options>().unwrap_err().to_string(),
            "keyword arguments: the key \"from\" is missing"
        );
        let mut extra = crate::message::RawDict::default();
        extra.set("x_tries", "many").unwrap();
        assert_eq!(
            extra.get::<u8>("x_tries").unwrap_err().to_string(),
            "x_tries: expected an integer from 0 to 255, found text"
        );
    }
}

/// In JSON, text that begins with NUL is binary to everybody who reads it.
#[test]
fn text_that_begins_with_nul_is_no_binary() {
    for text in ["\0", "\0abcd", "\0QUJD", "\0no base64"] {
        let places = [
            written(&text),
            written(&vec![BTreeMap::from([("k", Some(text))])]),
            written(&Value::from(vec![Value::from(text)])),
            written(&Either::Text(text.into())),
            written(&Flat { name: text.into(), rest: BTreeMap::new() }),
            written(&Flat { name: "n".into(), rest: BTreeMap::from([("k".into(), Value::from(text))]) }),
        ];
        for [json, msgpack, cbor] in places {
            let reason = json.unwrap_err();
            assert!(reason.starts_with("text that begins with NUL"), "{reason}");
            assert!(msgpack.is_ok() && cbor.is_ok());
        }
        // A key is never binary.
        round(&BTreeMap::from([(text.to_string(), 1)]));
    }
    assert_eq!(written(&'\0')[0], Err("text that begins with NUL".into()));
    round(&(Binary::from(b"\0"), vec![Some(Binary::default())], Value::from(vec![1_u8, 2])));
    assert!(Payload::build(Json, &(), &BTreeMap::from([("k", "\0abcd")])).is_err());
}

/// serde_json can be made to keep all digits of its numbers, by any crate of a program. It then passes them on as
/// a struct of this name.
#[test]
fn numbers_of_serde_json_are_numbers() {
    struct Number(&'static str);
    impl Serialize for Number {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeStruct;
            let mut number = serializer.serialize_struct("$serde_json::private::Number", 1)?;
            number.serialize_field("$serde_json::private::Number", self.0)?;
            number.end()
        }
    }
    for (digits, value) in
        [("0.5", Value::from(0.5)), ("7", 7_u8.into()), ("-7", (-7_i64).into()), ("1e3", 1e3.into())]
    {
        for serializer in ALL {
            let payload = Payload::from_args(serializer, &[Number(digits)]).unwrap();
            assert_eq!(payload.args::<Vec<Value>>().unwrap(), core::slice::from_ref(&value), "{serializer}");
            assert!(payload.args::<(serde_json::Value,)>().unwrap().0.is_number());
        }
    }
    let refused: [Result<Vec<u8>, String>; 3] = ALL.map(|_| Err("a number beyond 64 bits".into()));
    assert_eq!(written(&Number("1e999")), refused);
    assert!(written(&Number("18446744073709551616")).iter().all(Result::is_err));
    assert_eq!(raw(Json, b"[0.5]").args::<Vec<Value>>().unwrap(), [Value::from(0.5)]);
}

/// What one grammar allows and Rust has no value for.
#[test]
fn what_cannot_be_understood_is_an_error_of_its_argument() {
    for (json, reason) in [
        ("[1,18446744073709551616]", "argument 2: the number is out of range"),
        ("[1,-1e999]", "argument 2: the number is out of range"),
        (r#"[1,"\ud83d"]"#, "argument 2: the string holds a lone surrogate"),
        (r#"[1,[{"\ud83d":1}]]"#, "argument 2[0]: the string holds a lone surrogate"),
    ] {
        let payload = raw(Json, json.as_bytes());
        assert_eq!(payload.args::<(u8, Value)>().unwrap_err().to_string(), reason);
        assert_eq!(payload.arg::<u8>(0).unwrap(), 1, "the others can be read");
        // Passed over is not understood.
        payload.args::<(u8, serde::de::IgnoredAny)>().unwrap();
    }
    let timestamp = raw(MsgPack, &[0x91, 0xd6, 0xff, 0, 0, 0, 1]);
    assert_eq!(
        timestamp.args::<(Value,)>().unwrap_err().to_string(),
        "argument 1: expected a value of a WAMP type, found a value of no WAMP type"
    );
    let bignum = raw(Cbor, &[0x81, 0xc2, 0x49, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bignum.args::<(u64,)>().unwrap_err().to_string(), "argument 1: the number is out of range");
    // A typed array of cbor-x is bytes behind a tag.
    let tagged = raw(Cbor, &[0x81, 0xd8, 0x45, 0x44, 1, 0, 2, 0]);
    assert_eq!(*tagged.args::<(Binary,)>().unwrap().0, [1, 0, 2, 0]);
    // Keys that are no text, for types that take them.
    let keys = raw(MsgPack, &[0x91, 0x82, 1, 2, 0xff, 3]);
    assert_eq!(keys.args::<(BTreeMap<i64, u8>,)>().unwrap().0, BTreeMap::from([(1, 2), (-1, 3)]));
    assert_eq!(
        keys.args::<(BTreeMap<String, u8>,)>().unwrap_err().to_string(),
        "argument 1: expected text, found an integer"
    );
}

proptest! {
    /// Our own types read what other implementations write, and the other way.
    #[test]
    fn other_implementations_agree(numbers: (u64, i64, f64, bool), text in ".{0,20}", list: Vec<Option<i8>>) {
        prop_assume!(!text.starts_with('\0') && numbers.2.is_finite());
        type All = ((u64, i64, f64, bool), String, Vec<Option<i8>>);
        let all: All = (numbers, text, list);
        let json = Payload::from_args(Json, &all).unwrap();
        prop_assert_eq!(&serde_json::from_slice::<All>(json.raw_args().unwrap()).unwrap(), &all);
        prop_assert_eq!(&raw(Json, &serde_json::to_vec(&all).unwrap()).args::<All>().unwrap(), &all);
        let msgpack = Payload::from_args(MsgPack, &all).unwrap();
        prop_assert_eq!(&rmp_serde::from_slice::<All>(msgpack.raw_args().unwrap()).unwrap(), &all);
        prop_assert_eq!(&raw(MsgPack, &rmp_serde::to_vec(&all).unwrap()).args::<All>().unwrap(), &all);
        let cbor = Payload::from_args(Cbor, &all).unwrap();
        prop_assert_eq!(&ciborium::from_reader::<All, _>(&cbor.raw_args().unwrap()[..]).unwrap(), &all);
        let mut theirs = Vec::new();
        ciborium::into_writer(&all, &mut theirs).unwrap();
        prop_assert_eq!(&raw(Cbor, &theirs).args::<All>().unwrap(), &all);
    }
}

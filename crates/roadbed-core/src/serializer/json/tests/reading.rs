//! The typed reads.

use alloc::borrow::Cow;
use alloc::string::ToString;

use bytes::Bytes;

use super::super::JsonReader;
use super::read;
use crate::serializer::{Kind, Malformed, Reader, Scalar};

fn wrong(expected: &'static str, found: Kind) -> Malformed {
    Malformed::WrongType { expected, found }
}

#[test]
fn kinds() {
    let cases = [
        ("null", Kind::Null),
        (" true", Kind::Bool),
        ("false", Kind::Bool),
        ("0", Kind::Integer),
        ("-1", Kind::Integer),
        ("-0", Kind::Float),
        ("1.0", Kind::Float),
        ("1e3", Kind::Float),
        ("\"a\"", Kind::Text),
        ("\"\\u0000\"", Kind::Binary),
        ("\"\\u0001\"", Kind::Text),
        ("\"a\\u0000\"", Kind::Text),
        (" []", Kind::List),
        ("\n{}", Kind::Dict),
    ];
    for (text, kind) in cases {
        let input = Bytes::from_static(text.as_bytes());
        let mut reader = JsonReader::new(&input, 64);
        assert_eq!(reader.kind(), Ok(kind), "{text}");
        reader.skip(0).unwrap();
        assert_eq!(reader.offset(), input.len());
    }
    for text in ["", "x", "tru", "]", "01", ","] {
        assert!(JsonReader::new(&Bytes::from_static(text.as_bytes()), 64).kind().is_err());
    }
}

#[test]
fn unsigned_integers() {
    let read = |text: &str| read(text, |reader| reader.u64());
    for value in [0, 1, 9, 10, 99, 1 << 53, u64::from(u32::MAX), 9_999_999_999_999_999_999, u64::MAX] {
        assert_eq!(read(&value.to_string()), Ok(value));
    }
    let expected = "a non-negative integer";
    for text in ["1.0", "1e3", "-0", "-0.0", "0.5", "1E0"] {
        assert_eq!(read(text), Err(wrong(expected, Kind::Float)), "{text}");
    }
    assert_eq!(read("-1"), Err(Malformed::Negative));
    for text in ["NaN", "Infinity", "-Infinity"] {
        assert_eq!(read(text), Err(wrong(expected, Kind::Float)), "{text}");
    }
    assert_eq!(read("true"), Err(wrong(expected, Kind::Bool)));
    assert_eq!(read("\"1\""), Err(wrong(expected, Kind::Text)));
    assert_eq!(read("null"), Err(wrong(expected, Kind::Null)));
    assert_eq!(read("[1]"), Err(wrong(expected, Kind::List)));
    for text in
        ["18446744073709551616", "18446744073709551620", "99999999999999999999", "100000000000000000000"]
    {
        assert_eq!(read(text), Err(Malformed::NumberOutOfRange), "{text}");
    }
    assert_eq!(read("01"), Err(Malformed::InvalidNumber));
    assert_eq!(read(""), Err(Malformed::UnexpectedEnd));
}

#[test]
fn a_wrong_type_consumes_nothing() {
    let input = Bytes::from_static(b"  [\"text\", 1.5, {\"a\": -1}]");
    let mut reader = JsonReader::new(&input, 64);
    assert!(
        reader.u64().is_err() && reader.dict().is_err() && reader.bool().is_err() && reader.text().is_err()
    );
    let mut list = reader.list().unwrap();
    assert!(reader.more(&mut list).unwrap());
    assert!(reader.u64().is_err() && reader.list().is_err() && reader.bool().is_err());
    assert_eq!(reader.text().unwrap(), "text");
    assert!(reader.more(&mut list).unwrap());
    assert!(reader.u64().is_err() && reader.text().is_err());
    let start = reader.value_start();
    reader.skip(1).unwrap();
    assert_eq!(reader.slice(start..reader.offset()), "1.5");
    assert!(reader.more(&mut list).unwrap());
    let start = reader.value_start();
    let mut dict = reader.dict().unwrap();
    assert!(reader.more(&mut dict).unwrap());
    assert_eq!(reader.key().unwrap(), "a");
    assert!(reader.u64().is_err());
    assert_eq!(reader.scalar().unwrap(), Scalar::Negative(-1));
    assert!(!reader.more(&mut dict).unwrap());
    assert_eq!(reader.slice(start..reader.offset()), "{\"a\": -1}");
    assert!(!reader.more(&mut list).unwrap());
    reader.finish().unwrap();
    reader.rewind(start);
    reader.skip(0).unwrap();
    assert_eq!(reader.slice(5..usize::MAX).len(), input.len() - 5);
}

#[test]
fn text_is_shared_where_it_can_be() {
    let input = Bytes::from_static("[\"com.example\", \"h\u{e9}\", \"a\\u00e9\\n\"]".as_bytes());
    let mut reader = JsonReader::new(&input, 64);
    let mut list = reader.list().unwrap();
    reader.more(&mut list).unwrap();
    let text = reader.text().unwrap();
    assert_eq!(text.as_bytes().as_ptr(), input[2..].as_ptr());
    reader.more(&mut list).unwrap();
    assert!(matches!(reader.scalar().unwrap(), Scalar::Text(Cow::Borrowed("h\u{e9}"))));
    reader.more(&mut list).unwrap();
    assert_eq!(reader.text().unwrap(), "a\u{e9}\n");
}

#[test]
fn escapes_are_resolved() {
    let all = r#""\"\\\/\b\f\n\r\t\u0041\u00e9\u20AC\ud83d\uDE00\u0000x""#;
    let expected = "\"\\/\u{8}\u{c}\n\r\tA\u{e9}\u{20ac}\u{1f600}\0x";
    assert_eq!(read(all, |reader| reader.text()).unwrap(), expected);
    let input = Bytes::from_static(all.as_bytes());
    assert_eq!(JsonReader::new(&input, 1).scalar().unwrap(), Scalar::Text(expected.into()));
    let key = alloc::format!("{{{all} : 1}}");
    let input = Bytes::from(key);
    let mut reader = JsonReader::new(&input, 64);
    let mut dict = reader.dict().unwrap();
    reader.more(&mut dict).unwrap();
    assert_eq!(reader.key().unwrap(), expected);
    assert_eq!(reader.u64().unwrap(), 1);

    for (bad, kind) in [
        (&b"\"\\ud800\""[..], Malformed::LoneSurrogate),
        (b"\"\\n\xff\"", Malformed::InvalidUtf8),
        (b"\"\xff\"", Malformed::InvalidUtf8),
        (b"\"\n\"", Malformed::ControlCharacter),
        (b"\"\\q\"", Malformed::InvalidEscape),
        (b"\"\\n", Malformed::UnexpectedEnd),
    ] {
        assert_eq!(read(bad, |reader| reader.text()), Err(kind.clone()));
        assert_eq!(read(bad, |reader| reader.scalar().map(|_| ())), Err(kind));
    }
}

#[test]
fn scalars() {
    let scalar = |text: &str| read(text, |reader| reader.scalar().map(|value| alloc::format!("{value:?}")));
    for (text, value) in [
        ("null", "Null"),
        ("true", "Bool(true)"),
        ("false", "Bool(false)"),
        ("0", "Unsigned(0)"),
        ("18446744073709551615", "Unsigned(18446744073709551615)"),
        ("9223372036854775808", "Unsigned(9223372036854775808)"),
        ("-9223372036854775808", "Negative(-9223372036854775808)"),
        ("-1", "Negative(-1)"),
        ("-0", "Float(-0.0)"),
        ("0.1", "Float(0.1)"),
        ("1e308", "Float(1e308)"),
        ("1e-400", "Float(0.0)"),
        ("1.0", "Float(1.0)"),
        ("5e-324", "Float(5e-324)"),
        ("123456789012345678901.5", "Float(1.2345678901234568e20)"),
    ] {
        assert_eq!(scalar(text).as_deref(), Ok(value), "{text}");
    }
    for text in ["18446744073709551616", "-9223372036854775809", "1e309", "-1e309"] {
        assert_eq!(scalar(text), Err(Malformed::NumberOutOfRange), "{text}");
    }
    assert_eq!(scalar("[]"), Err(wrong("a value that is no container", Kind::List)));
}

#[test]
fn binary_is_strict_base64_behind_nul() {
    let binary = |text: &str| {
        read(text, |reader| match reader.scalar()? {
            Scalar::Binary(bytes) => Ok(bytes.into_owned()),
            other => panic!("{other:?}"),
        })
    };
    let example = r#""\u0000EOP/kFMHXFJvX8BtT+N82w==""#;
    let bytes =
        [0x10, 0xe3, 0xff, 0x90, 0x53, 0x07, 0x5c, 0x52, 0x6f, 0x5f, 0xc0, 0x6d, 0x4f, 0xe3, 0x7c, 0xdb];
    assert_eq!(binary(example).unwrap(), bytes);
    assert_eq!(binary(&example.replace('/', "\\/")).unwrap(), bytes);
    assert_eq!(binary(&example.replace('=', "\\u003d")).unwrap(), bytes);
    assert_eq!(binary(r#""\u0000""#).unwrap(), b"");
    assert_eq!(binary(r#""\u0000QQ==""#).unwrap(), b"A");
    for bad in
        ["A", "QQ", "QQ=", "QR==", "QQ==QQ==", "Q Q=", "QQ==\\n", "-_-_", "\u{e9}aa", "====", "\\u0000"]
    {
        assert_eq!(binary(&alloc::format!("\"\\u0000{bad}\"")), Err(Malformed::InvalidBinary), "{bad}");
    }
    assert_eq!(read(example, |reader| reader.text()), Err(wrong("text", Kind::Binary)));
    assert_eq!(binary("\"\\u0000QQ=="), Err(Malformed::UnexpectedEnd));
    assert_eq!(read(b"\"\\u0000\xff\"", |reader| reader.scalar().map(|_| ())), Err(Malformed::InvalidUtf8));
}

#[test]
fn containers() {
    let open = |text: &str| {
        read(text, |reader| {
            let mut seq = if reader.kind()? == Kind::Dict { reader.dict()? } else { reader.list()? };
            assert_eq!(seq.remaining, None);
            let mut sum = 0;
            while reader.more(&mut seq)? {
                if seq.is_dict {
                    assert_eq!(reader.key()?, "k");
                }
                sum += reader.u64()?;
            }
            Ok(sum)
        })
    };
    for (text, sum) in
        [("[]", 0), (" [ ] ", 0), ("[1,2]", 3), ("[ 1 , 2 ]", 3), ("{}", 0), ("{\"k\" : 4 , \"k\":5}", 9)]
    {
        assert_eq!(open(text), Ok(sum), "{text}");
    }
    for text in [
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1",
        "{\"k\":1,}",
        "{\"k\" 1}",
        "{\"k\":1",
        "[1}",
        "{\"k\":1]",
        "{,}",
        "[,]",
    ] {
        assert!(open(text).is_err(), "{text}");
    }
    assert_eq!(open("{1:2}"), Err(Malformed::NonTextKey(Kind::Integer)));
    assert_eq!(open("{[]:2}"), Err(Malformed::NonTextKey(Kind::List)));
    assert_eq!(open("1"), Err(wrong("a list", Kind::Integer)));
    let outer = read("[[[]]]", |reader| reader.skip(62)).unwrap_err();
    assert_eq!(outer, Malformed::TooDeep { limit: 64 });
    assert_eq!(read("[[]]", |reader| reader.skip(62)), Ok(()));
}

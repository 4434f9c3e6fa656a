//! The writer.

use alloc::string::{String, ToString};

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::super::{JsonReader, JsonWriter};
use crate::serializer::{Reader, Scalar, Writer};

fn written(write: impl FnOnce(&mut JsonWriter<'_>)) -> String {
    let mut out = BytesMut::new();
    write(&mut JsonWriter::new(&mut out));
    String::from_utf8(out.to_vec()).unwrap()
}

#[test]
fn separators() {
    let message = written(|writer| {
        writer.list(5);
        writer.u64(48);
        writer.u64(1);
        writer.dict(3);
        writer.key("a");
        writer.list(0);
        writer.end_list();
        writer.key("b");
        writer.dict(0);
        writer.end_dict();
        writer.key("c");
        writer.null();
        writer.end_dict();
        writer.bool(true);
        writer.raw(b"[1, 2]");
        writer.i64(-5);
        writer.end_list();
    });
    assert_eq!(message, r#"[48,1,{"a":[],"b":{},"c":null},true,[1, 2],-5]"#);
}

#[test]
fn chained_values_leave_their_separators() {
    let mut out = BytesMut::from(&b"before"[..]);
    let mut writer = JsonWriter::new(&mut out);
    assert_eq!(writer.position(), 6);
    writer.list(3);
    writer.skip_raw(&Bytes::from_static(b"[1]"));
    assert_eq!(writer.position(), 7);
    writer.u64(1);
    writer.skip_raw(&Bytes::from_static(b"{}"));
    assert_eq!(writer.position(), 10);
    writer.end_list();
    assert_eq!(out, "before[,1,]");
}

#[test]
fn integers() {
    for value in [0, 1, 9, 10, 11, 99, 100, 101, 999, 1000, 65_535, 1 << 53, u64::MAX / 10, u64::MAX] {
        assert_eq!(written(|writer| writer.u64(value)), value.to_string());
    }
    for value in [0, 1, -1, -9, -10, -99, -100, i64::MAX, i64::MIN, i64::MIN + 1] {
        assert_eq!(written(|writer| writer.i64(value)), value.to_string());
    }
}

#[test]
fn floats_stay_floats() {
    for (value, text) in [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (0.1, "0.1"),
        (-2.5, "-2.5"),
        (1e15, "1000000000000000.0"),
        (1e16, "1e16"),
        (1e21, "1e21"),
        (1e-7, "1e-7"),
        (f64::MAX, "1.7976931348623157e308"),
        (5e-324, "5e-324"),
        (f64::NAN, "null"),
        (f64::INFINITY, "null"),
    ] {
        assert_eq!(written(|writer| writer.f64(value)), text);
    }
}

#[test]
fn strings_escape_only_what_must_be() {
    let text = "\"\\/\u{0}\u{1}\u{8}\t\n\u{b}\u{c}\r\u{1f}\u{7f}\u{80}\u{e9}\u{2028}\u{1f600}";
    let expected =
        "\"\\\"\\\\/\\u0000\\u0001\\b\\t\\n\\u000b\\f\\r\\u001f\u{7f}\u{80}\u{e9}\u{2028}\u{1f600}\"";
    assert_eq!(written(|writer| writer.text(text)), expected);
    let dict = written(|writer| {
        writer.dict(1);
        writer.key("a\"b");
        writer.text("");
        writer.end_dict();
    });
    assert_eq!(dict, r#"{"a\"b":""}"#);
}

#[test]
fn binary() {
    assert_eq!(written(|writer| writer.binary(b"")), r#""\u0000""#);
    assert_eq!(written(|writer| writer.binary(b"A")), r#""\u0000QQ==""#);
    assert_eq!(written(|writer| writer.binary(&[0xfb, 0xff, 0xbe])), r#""\u0000+/++""#);
}

proptest! {
    #[test]
    fn strings_equal_serde_json(text in any::<String>()) {
        prop_assert_eq!(written(|writer| writer.text(&text)), serde_json::to_string(&text).unwrap());
    }

    #[test]
    fn long_strings_equal_serde_json(text in "([ -~]{0,80}|[\\x00-\\x1f\"\\\\é€😀]{0,3}){0,8}") {
        prop_assert_eq!(written(|writer| writer.text(&text)), serde_json::to_string(&text).unwrap());
    }

    #[test]
    fn numbers_read_back(unsigned in any::<u64>(), signed in any::<i64>(), float in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL | proptest::num::f64::ZERO) {
        let text = Bytes::from(written(|writer| {
            writer.list(3);
            writer.u64(unsigned);
            writer.i64(signed);
            writer.f64(float);
            writer.end_list();
        }));
        let mut reader = JsonReader::new(&text, 1);
        let mut list = reader.list().unwrap();
        prop_assert!(reader.more(&mut list).unwrap());
        prop_assert_eq!(reader.u64().unwrap(), unsigned);
        prop_assert!(reader.more(&mut list).unwrap());
        let expected = if signed < 0 { Scalar::Negative(signed) } else { Scalar::Unsigned(signed.unsigned_abs()) };
        prop_assert_eq!(reader.scalar().unwrap(), expected);
        prop_assert!(reader.more(&mut list).unwrap());
        let Scalar::Float(read) = reader.scalar().unwrap() else { panic!() };
        prop_assert_eq!(read.to_bits(), float.to_bits());
    }

    #[test]
    fn binary_reads_back(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let text = Bytes::from(written(|writer| writer.binary(&bytes)));
        let mut reader = JsonReader::new(&text, 1);
        prop_assert_eq!(reader.scalar().unwrap(), Scalar::Binary(bytes.into()));
        prop_assert!(reader.finish().is_ok());
    }
}

//! What is JSON and what is not.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::JsonReader;
use super::{fault, in_list, read, skip, skip_within};
use crate::serializer::{Malformed, ReadError, Reader};

const VALID: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-0",
    "7",
    "-7",
    "10",
    "1.0",
    "0.1",
    "-0.0",
    "1e3",
    "1E3",
    "1e+3",
    "1e-3",
    "1.5E-300",
    "0e0",
    "0e1",
    "1e308",
    "1.7976931348623157e308",
    "-1.7976931348623157e308",
    "1e-400",
    "18446744073709551615",
    "100000000000000000000",
    "-9223372036854775809",
    "18446744073709551616",
    "1.8e308",
    "1e309",
    "-1e400",
    "1e400",
    "9223372036854775808",
    "-9223372036854775808",
    "[]",
    "[ ]",
    "{}",
    "{ }",
    "[[]]",
    "[{}]",
    "{\"a\":{}}",
    "[1,2,3]",
    " [ 1 , 2 ] ",
    "\t\r\n [1\t,\r\n2]\n",
    "{\"a\":1,\"b\":[2]}",
    " { \"a\" : 1 , \"b\" : 2 } ",
    "{\"\":0}",
    "{\"a\":1,\"a\":2}",
    "{\"\\u0000\":1}",
    "\"\"",
    "\"a\"",
    "\"\\u0000\"",
    "\"\\u0000QUJD\"",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
    "\"\\u00e9\"",
    "\"\\uD83D\\uDE00\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud83d\"",
    "\"\\ude00\"",
    "\"\\ud83d\\ud83d\"",
    "\"\\ude00\\ud83d\"",
    "\"\\ud83dx\"",
    "\"\\ud83d\\n\"",
    "\"\\ud83d\\u0041\"",
    "\"\\uffff\"",
    "\"\\uD7FF\\uE000\"",
    "\"\u{7f}\"",
    "\"\u{e9}\u{20ac}\u{1f600}\"",
    "\"\u{2028}\u{2029}\"",
    "\"\u{feff}\"",
    "\"\u{10ffff}\"",
    "\"/\"",
    "[null,true,false,0,\"\",[],{}]",
    "[\"\\\\\"]",
    "\"\\u0022\"",
    "\"a\\\\\"",
];

const INVALID: &[&str] = &[
    "",
    " ",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[,]",
    "[1,,2]",
    "[1 2]",
    "[1:2]",
    "[1}",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{\"a\":1",
    "{\"a\" 1}",
    "{\"a\",1}",
    "{a:1}",
    "{'a':1}",
    "{1:2}",
    "{null:1}",
    "{[]:1}",
    "{,}",
    "{\"a\":1]",
    "{\"a\":1,,\"b\":2}",
    "{\"a\":1 \"b\":2}",
    "{:1}",
    "[1]]",
    "[1],",
    "1 2",
    "{}{}",
    "\"a\"\"b\"",
    "tru",
    "True",
    "TRUE",
    "trues",
    "nul",
    "nulL",
    "nil",
    "fals",
    "falsE",
    "undefined",
    "NaN",
    "-NaN",
    "Infinity",
    "-Infinity",
    "inf",
    "+1",
    "-",
    "--1",
    "-a",
    "01",
    "-01",
    "00",
    "1.",
    ".5",
    "-.5",
    "1.e3",
    "1e",
    "1e+",
    "1e-",
    "1ee3",
    "1e3.5",
    "1.2.3",
    "0x10",
    "1_000",
    "1a",
    "0b1",
    "\"",
    "\"a",
    "\"\\",
    "\"\\\"",
    "\"\\a\"",
    "\"\\'\"",
    "\"\\x41\"",
    "\"\\0\"",
    "\"\\U0041\"",
    "\"\\u\"",
    "\"\\u1\"",
    "\"\\u12\"",
    "\"\\u123\"",
    "\"\\u123g\"",
    "\"\\u+123\"",
    "\"\\u 123\"",
    "\"\\ud83d\\uzzzz\"",
    "\"\\u0000no base64\"",
    "\"\n\"",
    "\"\t\"",
    "\"\u{0}\"",
    "\"\u{1f}\"",
    "'a'",
    "// c\n1",
    "/* c */1",
    "[1]#",
    "\u{feff}[]",
    "\u{a0}1",
    "\u{c}1",
    "[\u{b}1]",
    "{\"a\":1}x",
    "{\"a",
    "{\"a\"",
    "{\"a\":",
    "[\"a\",",
    "\\n",
    "<null>",
];

#[test]
fn valid_texts_pass() {
    for text in VALID {
        assert_eq!(skip(text), Ok(()), "{text}");
        assert_eq!(skip(in_list(text.as_bytes())), Ok(()), "[{text}]");
        assert_eq!(skip(format!("{{\"k\" :\n{text} }}")), Ok(()), "in a dict: {text}");
    }
}

#[test]
fn invalid_texts_fail() {
    for text in INVALID {
        assert!(skip(text).is_err(), "{text:?}");
        if !text.trim().is_empty() && !text.starts_with(['1', ']', '\\']) {
            assert!(skip(in_list(text.as_bytes())).is_err() || *text == "{}{}", "[{text:?}]");
        }
    }
}

#[test]
fn invalid_utf8_fails() {
    let cases: [&[u8]; 10] = [
        b"\x80",
        b"\xff",
        b"\xc3",
        b"\xc3\x28",
        b"\xc0\x80",
        b"\xe0\x80\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xe2\x82",
    ];
    for case in cases {
        for prefix in ["", "plain", "a string of more than eight bytes", "\\n", "\u{e9}"] {
            for suffix in ["", "behind", "\\u0041", "as many as thirty-two bytes and some more behind them"] {
                let body = [prefix.as_bytes(), case, suffix.as_bytes()].concat();
                let text = [b"[\"", &body[..], b"\"]"].concat();
                assert_eq!(fault(&text), (2 + prefix.len(), Malformed::InvalidUtf8), "{body:x?}");
                let key = [b"{\"", &body[..], b"\":1}"].concat();
                assert_eq!(fault(&key), (2 + prefix.len(), Malformed::InvalidUtf8), "{body:x?}");
            }
        }
        assert!(skip(case).is_err());
    }
}

/// What Python writes for floats that JSON does not have, text that is not UTF-8, binary that is not base64: the
/// rest is still read, and the first of them is named.
#[test]
fn what_no_peer_can_be_given_is_noted() {
    for (text, at, kind) in [
        (&b"[NaN,\"\xff\",-Infinity,{\"\xff\":Infinity}]"[..], 1, Malformed::NonFinite),
        (b"{\"a\":{\"\xc3\":\"\\u0000x\"},\"b\":NaN}", 7, Malformed::InvalidUtf8),
        (b" [ [ ] , \"\\u0000A\" , NaN ] ", 9, Malformed::InvalidBinary),
    ] {
        let input = bytes::Bytes::from_static(text);
        let mut reader = JsonReader::new(&input, 64);
        reader.skip(0).unwrap();
        reader.finish().unwrap();
        assert_eq!(reader.blemish(), Some(ReadError::new(at, kind)));
        assert_eq!(reader.blemish(), None, "once");
    }
}

/// Whatever ends plain text is found at every offset, and so is a byte that is not ASCII.
#[test]
fn strings_of_every_length() {
    for length in 0..300 {
        let plain = "x".repeat(length);
        assert_eq!(skip(format!("\"{plain}\"")), Ok(()));
        assert_eq!(skip(format!("[\"{plain}\",1]")), Ok(()));
        assert_eq!(skip(format!("[\"{plain}\\n\u{e9}{plain}\"]")), Ok(()));
        assert_eq!(fault(format!("\"{plain}\u{1f}{plain}\"")), (1 + length, Malformed::ControlCharacter));
        assert_eq!(fault(format!("\"{plain}\\q{plain}\"")), (1 + length, Malformed::InvalidEscape));
        assert_eq!(fault(format!("\"{plain}")), (1 + length, Malformed::UnexpectedEnd));
        let bad = [b"\"", plain.as_bytes(), b"\xff", plain.as_bytes(), b"\""].concat();
        assert_eq!(fault(&bad), (1 + length, Malformed::InvalidUtf8));
        // What stands behind the string is no part of it.
        assert_eq!(skip([b"[\"", plain.as_bytes(), b"\",\"\xc3\xa9\"]"].concat()), Ok(()));
    }
}

#[test]
fn faults_are_named_and_placed() {
    assert_eq!(fault(""), (0, Malformed::UnexpectedEnd));
    assert_eq!(fault("[1,]"), (3, Malformed::UnexpectedByte(b']')));
    assert_eq!(fault("[trux]"), (4, Malformed::UnexpectedByte(b'x')));
    assert_eq!(fault("[tru"), (4, Malformed::UnexpectedEnd));
    assert_eq!(fault("[01]"), (1, Malformed::InvalidNumber));
    assert_eq!(fault("[1.]"), (3, Malformed::InvalidNumber));
    assert_eq!(fault("[-]"), (2, Malformed::InvalidNumber));
    assert_eq!(fault("[-"), (2, Malformed::UnexpectedEnd));
    assert_eq!(fault("[1,NaN,Infinity]"), (3, Malformed::NonFinite));
    assert_eq!(fault("{\"a\" :-Infinity}"), (6, Malformed::NonFinite));
    assert_eq!(fault("[-Infinite]"), (1, Malformed::UnexpectedByte(b'-')));
    assert_eq!(fault("[\"\\u0000x\"]"), (1, Malformed::InvalidBinary));
    assert_eq!(fault("[1]]"), (3, Malformed::TrailingBytes { count: 1 }));
    assert_eq!(fault("[\"\\ud83d\\ud83g\"]"), (8, Malformed::InvalidEscape));
    assert_eq!(fault("[\"\\ud83d"), (8, Malformed::UnexpectedEnd));
    assert_eq!(fault("[\"\\ud83d\\"), (9, Malformed::UnexpectedEnd));
    assert_eq!(fault("[\"\\ud83d\\u00"), (12, Malformed::UnexpectedEnd));
    assert_eq!(fault("{\"a\" 1}"), (5, Malformed::UnexpectedByte(b'1')));
}

#[test]
fn every_truncation_fails() {
    let text =
        " {\"key\" : [1, -2.5e3, \"a\\u00e9\\ud83d\\ude00\u{e9}\", true, null, {\"x\":{}}, []], \"z\":false}";
    assert_eq!(skip(text), Ok(()));
    for end in 0..text.len() {
        let (offset, kind) = fault(&text.as_bytes()[..end]);
        assert!(offset <= end);
        // A string that ends inside a character is not UTF-8 either; the end is found first.
        assert_eq!(kind, Malformed::UnexpectedEnd, "at {end}");
    }
}

#[test]
fn numbers_of_any_length_are_judged_right() {
    let zeros = "0".repeat(400);
    assert_eq!(skip(format!("0.{zeros}1")), Ok(()));
    assert_eq!(skip(format!("1{zeros}e-400")), Ok(()));
    assert_eq!(skip(format!("0.{zeros}1e401")), Ok(()));
    assert_eq!(skip(format!("1e0000000000000000000000{}", 308)), Ok(()));
    assert_eq!(skip("0e99999999999999999999999999"), Ok(()));
    assert_eq!(skip("1e-99999999999999999999999999"), Ok(()));
    for large in [format!("1{zeros}"), format!("1{zeros}.5"), "1e99999999999999999999999999".into()] {
        assert_eq!(skip(&large), Ok(()));
        assert_eq!(read(large, |reader| reader.scalar().map(drop)), Err(Malformed::NumberOutOfRange));
    }
    assert_eq!(skip(format!("-{}", "9".repeat(1_000_000))), Ok(()));
    assert_eq!(skip(format!("0.{}", "9".repeat(1_000_000))), Ok(()));
}

#[test]
fn depth_is_counted_exactly() {
    for depth in [1, 2, 63, 64, 65, 127, 128, 129, 255, 256] {
        let lists = |levels| "[".repeat(levels) + &"]".repeat(levels);
        let dicts = |levels| "{\"a\":".repeat(levels) + "1" + &"}".repeat(levels);
        let mixed = |levels| "[{\"a\":".repeat(levels / 2) + "[]" + &"}]".repeat(levels / 2);
        assert_eq!(skip_within(lists(depth), depth), Ok(()));
        assert_eq!(skip_within(dicts(depth), depth), Ok(()));
        assert_eq!(skip_within(mixed((depth - 1) & !1), depth), Ok(()));
        let too_deep = Malformed::TooDeep { limit: depth };
        assert_eq!(skip_within(lists(depth + 1), depth).unwrap_err().kind, too_deep);
        assert_eq!(skip_within(dicts(depth + 1), depth).unwrap_err().kind, too_deep);
        assert_eq!(skip_within(mixed(depth + 1), depth).unwrap_err().kind, too_deep);
    }
    assert_eq!(skip_within("1", 0), Ok(()));
    assert_eq!(skip_within("[]", 0).unwrap_err().kind, Malformed::TooDeep { limit: 0 });
}

/// Closing brackets must fit the opening ones at every depth the bit stack holds.
#[test]
fn brackets_are_matched_at_every_depth() {
    let kinds: Vec<bool> = (0..256).map(|level: u32| level.wrapping_mul(0x9e37_79b9) >> 31 == 1).collect();
    let open: String = kinds.iter().map(|&dict| if dict { "{\"k\":" } else { "[" }).collect();
    let close: Vec<u8> = kinds.iter().rev().map(|&dict| if dict { b'}' } else { b']' }).collect();
    let text = [open.as_bytes(), b"0", &close].concat();
    assert_eq!(skip_within(&text, 256), Ok(()));
    for wrong in open.len() + 1..text.len() {
        let mut bad = text.clone();
        bad[wrong] = if bad[wrong] == b'}' { b']' } else { b'}' };
        assert_eq!(skip_within(&bad, 256).unwrap_err().offset, wrong);
    }
}

#[test]
fn endless_nesting_needs_no_stack() {
    let run = || {
        for depth in [64, 256, 100_000] {
            let limit = depth.min(256);
            for opening in ["[", "{\"a\":", "[{\"a\":", "[1,", "[[],"] {
                let bomb = opening.repeat(1_000_000);
                let error = skip_within(&bomb, depth).unwrap_err();
                assert_eq!(error.kind, Malformed::TooDeep { limit });
            }
        }
    };
    std::thread::Builder::new().stack_size(64 << 10).spawn(run).unwrap().join().unwrap();
}

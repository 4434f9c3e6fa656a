//! Text that is none, keys that are none, keys that stand twice.

use roadbed_core::error::ViolationKind;
use roadbed_core::payload::Payload;
use roadbed_core::serializer::{Malformed, Serializer};
use roadbed_tests::wire::{Wire, dict, list, text};

use super::{decode, message, refusal, send};

/// Bytes that are not UTF-8.
const BROKEN: &[&[u8]] = &[
    b"\x80",
    b"\xbf",
    b"\xc0\x80",
    b"\xc1\xbf",
    b"\xc3",
    b"\xc3(",
    b"\xe2\x82",
    b"\xe2(\xa1",
    b"\xe0\x80\x80",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xf0\x9f\xa6",
    b"\xf0\x80\x80\x80",
    b"\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80",
    b"\xff",
    b"\xfe\xff",
    b"a long text, longer than a register, of ASCII but for one byte: \xff",
];

/// What comes of text that no peer can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// The message is refused.
    Fails,
    /// The message is taken without it.
    Ignored,
    /// The message is taken, and nothing of its payload can be read.
    Unreadable,
}
use Outcome::{Fails, Ignored, Unreadable};

/// Where text can stand: elements with a mark instead of the text under test.
fn places() -> Vec<(&'static str, Outcome, Wire)> {
    let mark = || text(MARK);
    let keyed = |value: Wire| Wire::Dict(vec![(mark(), value)]);
    let call = |options: Wire| message![48, 1, options, text("p")];
    let with_args = |arg: Wire| message![48, 1, dict([]), text("p"), list([arg])];
    vec![
        ("a URI", Fails, message![48, 1, dict([]), mark()]),
        ("a realm", Fails, message![1, mark(), dict([])]),
        ("a signature", Fails, message![5, mark(), dict([])]),
        ("a known option", Fails, call(dict([("rkey", mark())]))),
        ("a choice", Fails, message![49, 1, dict([("mode", mark())])]),
        ("a name", Fails, message![16, 1, dict([("eligible_authid", list([mark()]))]), text("t")]),
        ("a forwarder", Fails, call(dict([("forward_for", list([dict([("authid", mark())])]))]))),
        ("an unknown option", Ignored, call(dict([("x", mark())]))),
        ("deep in an unknown option", Ignored, call(dict([("x", list([dict([("y", mark())])]))]))),
        ("a key of options", Fails, call(keyed(Wire::from(1)))),
        ("a key in an unknown option", Ignored, call(dict([("x", keyed(Wire::from(1)))]))),
        ("a key of authextra", Fails, message![1, text("r"), dict([("authextra", keyed(Wire::from(1)))])]),
        ("a role", Fails, message![1, text("r"), dict([("roles", keyed(dict([])))])]),
        ("an argument", Unreadable, with_args(mark())),
        ("deep in the arguments", Unreadable, with_args(list([dict([("k", list([mark()]))])]))),
        ("a key in the arguments", Unreadable, with_args(keyed(Wire::Null))),
        ("a keyword", Unreadable, message![48, 1, dict([]), text("p"), list([]), keyed(Wire::Null)]),
        (
            "a keyword argument",
            Unreadable,
            message![48, 1, dict([]), text("p"), list([]), dict([("k", mark())])],
        ),
        ("an ignored message", Ignored, message![300, mark()]),
        (
            "a bare payload",
            Unreadable,
            message![48, 1, dict([("enc_algo", text("mqtt"))]), text("p"), mark()],
        ),
    ]
}

/// As long as no part of it is, so that lengths can be patched.
const MARK: &str = "@@MARK@@";

/// The message with the mark replaced by raw bytes.
fn with_bytes(serializer: Serializer, elements: &Wire, bytes: &[u8]) -> Vec<u8> {
    let encoded = elements.encode(serializer);
    let at = encoded.windows(MARK.len()).position(|window| window == MARK.as_bytes()).unwrap();
    let length = bytes.len() as u8;
    let mut out = encoded[..at].to_vec();
    match serializer {
        Serializer::Json => {}
        // The head before the mark is one byte; give it the form with a length of 8 bits.
        Serializer::MsgPack => {
            out.pop();
            out.extend([0xd9, length]);
        }
        _ => {
            out.pop();
            out.extend([0x78, length]);
        }
    }
    out.extend(bytes);
    out.extend(&encoded[at + MARK.len()..]);
    out
}

#[test]
fn text_must_be_utf8_everywhere() {
    for (place, outcome, elements) in places() {
        for serializer in Serializer::ALL {
            for broken in BROKEN {
                let place = format!("{serializer} {place} {broken:02x?}");
                let decoded = decode(serializer, with_bytes(serializer, &elements, broken));
                if outcome == Fails {
                    let error = decoded.expect_err(&place);
                    let is_utf8 = ViolationKind::Malformed(Malformed::InvalidUtf8);
                    assert_eq!(*error.kind(), is_utf8, "{place}: {error}");
                    continue;
                }
                let message = decoded.expect(&place);
                let checked = message.payload().map_or(Ok(()), Payload::check);
                assert_eq!(checked.is_err(), outcome == Unreadable, "{place}: {checked:?}");
                // What is wrong with it does not travel.
                let mut out = bytes::BytesMut::new();
                if broken.len() > 2 && serializer.encode(&message, &mut out).is_ok() {
                    assert!(!out.windows(broken.len()).any(|window| window == *broken), "{place}");
                }
            }
        }
    }
}

#[test]
fn bad_text_costs_the_request_it_is_in() {
    for (place, _, elements) in places().into_iter().take(4) {
        for serializer in Serializer::ALL {
            let error = decode(serializer, with_bytes(serializer, &elements, b"\xed\xa0\xbd")).unwrap_err();
            let is_answered = matches!(place, "a URI" | "a known option");
            assert_eq!(error.request().is_some(), is_answered, "{serializer} {place}: {error}");
        }
    }
}

#[test]
fn halves_of_json_characters_pass_where_nobody_has_to_read_them() {
    for (place, outcome, elements) in places() {
        for half in
            ["\\ud800", "\\udfff", "\\ud800\\ud800", "\\ud800x\\udc00", "\\uDC00\\uD800", "\\ud83e\\n"]
        {
            for pad in ["", "padding that is longer than any register"] {
                let text = format!("{pad}{half}");
                let decoded =
                    decode(Serializer::Json, with_bytes(Serializer::Json, &elements, text.as_bytes()));
                if outcome == Fails {
                    let is_half = ViolationKind::Malformed(Malformed::LoneSurrogate);
                    assert_eq!(*decoded.expect_err(place).kind(), is_half, "{place} {text}");
                    continue;
                }
                let message = decoded.expect(place);
                let Some(payload) = message.payload() else { continue };
                assert_eq!(payload.check().is_err(), place == "a keyword", "{place} {text}");
                let mut out = bytes::BytesMut::new();
                if outcome == Unreadable && Serializer::Json.encode(&message, &mut out).is_ok() {
                    assert!(
                        out.windows(half.len()).any(|window| window == half.as_bytes()),
                        "{place}: untouched"
                    );
                    Serializer::Cbor.encode(&message, &mut out).expect_err(place);
                }
            }
        }
    }
}

#[test]
fn json_strings_have_one_grammar() {
    let broken: &[(&str, Malformed)] = &[
        ("\\x", Malformed::InvalidEscape),
        ("\\u12g4", Malformed::InvalidEscape),
        ("\\ud83e\\u12g4", Malformed::InvalidEscape),
        ("\\U0001F980", Malformed::InvalidEscape),
        ("\n", Malformed::ControlCharacter),
        ("\0", Malformed::ControlCharacter),
        ("\u{1f}", Malformed::ControlCharacter),
    ];
    for (place, _, elements) in places() {
        for (broken, kind) in broken {
            for pad in ["", "padding that is longer than any register"] {
                let bytes = with_bytes(Serializer::Json, &elements, format!("{pad}{broken}").as_bytes());
                let error = decode(Serializer::Json, bytes).expect_err(place);
                assert_eq!(
                    *error.kind(),
                    ViolationKind::Malformed(kind.clone()),
                    "{place} {broken:?}: {error}"
                );
            }
        }
    }
}

#[test]
fn keys_stand_once_in_options_and_twice_in_payloads() {
    let twice =
        || Wire::Dict(vec![(text("k"), Wire::from(1)), (text("l"), Wire::Null), (text("k"), Wire::from(2))]);
    for serializer in Serializer::ALL {
        for (place, elements) in [
            ("options", message![48, 1, twice(), text("p")]),
            ("extra", message![4, text("ticket"), twice()]),
            ("authextra", message![1, text("r"), dict([("authextra", twice())])]),
            ("a forwarder", message![48, 1, dict([("forward_for", list([twice()]))]), text("p")]),
        ] {
            let error = refusal(serializer, &elements);
            assert!(error.ends_with(": the key stands twice"), "{serializer} {place}: {error}");
            // Malformed, not unsuitable: it ends the session.
            assert_eq!(send(serializer, &elements).unwrap_err().request(), None, "{serializer} {place}");
        }
        let role = || (text("caller"), dict([]));
        let roles = message![1, text("r"), dict([("roles", Wire::Dict(vec![role(), role()]))])];
        assert!(refusal(serializer, &roles).ends_with(": the key stands twice"), "{serializer}");

        // At the top of the keyword arguments it costs the request, deeper it is the business of who reads it.
        let kwargs = send(serializer, &message![48, 1, dict([]), text("p"), list([]), twice()]).unwrap();
        let error = kwargs.payload().unwrap().check().unwrap_err().to_string();
        assert!(error.ends_with(": the key stands twice"), "{serializer}: {error}");
        let elements = message![48, 1, dict([]), text("p"), list([twice()]), dict([("k", twice())])];
        let message = send(serializer, &elements).unwrap();
        for to in Serializer::ALL {
            let mut out = bytes::BytesMut::new();
            to.encode(&message, &mut out).unwrap();
            let json = elements.encode(Serializer::Json);
            if to == Serializer::Json {
                assert_eq!(out, json, "pairs and their order are kept");
            }
            decode(to, out).unwrap();
        }
    }
}

/// Half of a surrogate pair passes in values and in deeper keys; a keyword has to be text.
#[test]
fn half_of_a_surrogate_pair_is_no_keyword() {
    for (kwargs, is_fit) in [
        (r#"{"k":"\ud83d"}"#, true),
        (r#"{"k":{"\ud83d":1}}"#, true),
        (r#"{"\ud83d":1}"#, false),
        (r#"{"\ud83d\ude00":1}"#, true),
    ] {
        let json = format!(r#"[48,1,{{}},"p",[],{kwargs}]"#);
        let message = decode(Serializer::Json, json).unwrap();
        assert_eq!(message.payload().unwrap().check().is_ok(), is_fit, "{kwargs}");
    }
}

#[test]
fn keys_are_text_in_options_and_keywords() {
    let keys =
        [Wire::from(1), Wire::Int(-1), Wire::Null, Wire::Bool(true), Wire::Float(1.5), list([]), dict([])];
    for serializer in Serializer::ALL {
        for key in keys.iter().cloned().chain([Wire::Binary(b"timeout".to_vec())]) {
            let keyed = || Wire::Dict(vec![(key.clone(), Wire::from(1))]);
            for elements in [
                message![48, 1, keyed(), text("p")],
                message![4, text("ticket"), keyed()],
                message![1, text("r"), dict([("roles", keyed())])],
                message![48, 1, dict([("forward_for", list([keyed()]))]), text("p")],
            ] {
                if serializer == Serializer::Json && matches!(key, Wire::Binary(_)) {
                    continue;
                }
                let error = refusal(serializer, &elements);
                let is_named = error.contains("a dict key is ") && error.ends_with(", only text is allowed");
                // JSON passes over a list to count it, and there such a key is a stray byte.
                let is_stray = serializer == Serializer::Json && error.ends_with("cannot stand here");
                assert!(is_named || is_stray, "{error}");
            }
            // JSON has no other keys at all.
            if serializer.is_binary() {
                let kwargs =
                    send(serializer, &message![48, 1, dict([]), text("p"), list([]), keyed()]).unwrap();
                let error = kwargs.payload().unwrap().check().unwrap_err().to_string();
                assert!(error.ends_with(", only text is allowed"), "{serializer}: {error}");
            }
            let deep = message![48, 1, dict([]), text("p"), list([keyed()])];
            let found = send(serializer, &deep);
            let is_text = serializer == Serializer::Json && matches!(key, Wire::Binary(_));
            assert_eq!(
                found.is_ok(),
                serializer != Serializer::Json || is_text,
                "{serializer} {key:?}: {found:?}"
            );
        }
    }
}

//! Strings that begin with NUL, which is how binary is written.

use super::string;
use crate::serializer::{Malformed, ReadError};

/// How a string begins that is binary. A raw NUL is not JSON, so there is no other way to write it.
pub(super) const MARK: &[u8] = b"\"\\u0000";

/// Notes the string value `from..to` (without its quotes) when it begins as binary and is none: peers give
/// up on the whole message then, so it must not reach them.
#[inline(never)]
pub(super) fn note(input: &[u8], from: usize, to: usize, noted: &mut Option<ReadError>) {
    let quote = from.saturating_sub(1);
    let Some(base64) = input.get(quote..to).and_then(|string| string.strip_prefix(MARK)) else { return };
    let is_valid = if base64.contains(&b'\\') {
        // Some peers write every slash as `\/`.
        let body = string::unescape(input, from.saturating_add(MARK.len()).saturating_sub(1), to);
        body.is_ok_and(|body| is_base64(body.as_bytes()))
    } else {
        is_base64(base64)
    };
    if !is_valid {
        noted.get_or_insert(ReadError::new(quote, Malformed::InvalidBinary));
    }
}

/// Whether this is padded base64 in its only form. (Decoding it would need memory.)
fn is_base64(text: &[u8]) -> bool {
    let (text, padding) = match text {
        [text @ .., b'=', b'='] => (text, 2_usize),
        [text @ .., b'='] => (text, 1),
        text => (text, 0),
    };
    let is_whole = text.len().wrapping_add(padding).is_multiple_of(4);
    let mut last = 0;
    for &byte in text {
        last = match byte {
            b'A'..=b'Z' => byte.wrapping_sub(b'A'),
            b'a'..=b'z' => byte.wrapping_sub(b'a').wrapping_add(26),
            b'0'..=b'9' => byte.wrapping_sub(b'0').wrapping_add(52),
            b'+' => 62,
            b'/' => 63,
            _ => return false,
        };
    }
    // The bits of the last digit that stand for nothing are 0.
    let unused = match padding {
        0 => 0,
        1 => 0b11,
        _ => 0b1111,
    };
    is_whole && last & unused == 0
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64, Encoding};
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::serializer::Reader;
    use crate::serializer::json::JsonReader;

    fn noted(json: &str) -> Option<ReadError> {
        let json = Bytes::copy_from_slice(json.as_bytes());
        let mut reader = JsonReader::new(&json, 64);
        reader.skip(0).unwrap();
        reader.blemish()
    }

    #[test]
    fn only_values_are_judged() {
        for good in [
            r#"[]"#,
            r#"["\n\u0000"]"#,
            r#"["\u0000"]"#,
            r#"["\u0000QQ==",{"\u0000key" : "\u0000"}]"#,
            r#"["\u0000\/\/\/\/"]"#,
            r#"["a\"\\u0000x","\\","\"\u0000x"]"#,
        ] {
            assert_eq!(noted(good), None, "{good}");
        }
        let bad = [
            (r#"["\u0000x"]"#, 1),
            (r#"{"\u0000k":["","\u0000QQ"]}"#, 15),
            (r#"["\u0000\u0000"]"#, 1),
            (r#"["\u0000QR=="]"#, 1),
            (r#"["\u0000===="]"#, 1),
            (r#"["\u0000\ud800"]"#, 1),
        ];
        for (bad, offset) in bad {
            assert_eq!(noted(bad), Some(ReadError::new(offset, Malformed::InvalidBinary)), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn the_judgement_is_that_of_a_decoder(text in "[A-Da-d0-9+/=]{0,12}|[ -~]{0,6}") {
            prop_assert_eq!(is_base64(text.as_bytes()), Base64::decode_vec(&text).is_ok(), "{}", text);
        }
    }
}

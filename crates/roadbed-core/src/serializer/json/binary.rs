//! Strings that begin with NUL.

use bytes::Bytes;

use super::reader::BINARY_MARK;
use super::{JsonReader, next, string};
use crate::serializer::{ReadError, Reader};

/// Checks that every value in well-formed JSON that begins like binary is binary. Peers give up on the
/// whole message where it is not, so none may leave that way.
pub(crate) fn check_binary(json: &Bytes) -> Result<(), ReadError> {
    // Both tests are quick, and nearly always the second or even the first one ends it.
    if !json.contains(&b'\\') || !json.windows(BINARY_MARK.len()).any(|window| window == BINARY_MARK) {
        return Ok(());
    }
    let mut at = 0;
    while let Some(distance) = json.get(at..).and_then(|rest| rest.iter().position(|&byte| byte == b'"')) {
        let quote = at.wrapping_add(distance);
        at = string::skip(json, quote.wrapping_add(1))?;
        let is_marked = json.get(quote..).is_some_and(|rest| rest.starts_with(BINARY_MARK));
        let is_key = next(json, at).1 == Some(b':');
        if is_marked && !is_key {
            let mut reader = JsonReader::new(json, 0);
            reader.rewind(quote);
            reader.scalar()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serializer::Malformed;

    #[test]
    fn only_values_are_judged() {
        for good in [
            r#"[]"#,
            r#"["\n\u0000"]"#,
            r#"["\u0000"]"#,
            r#"["\u0000QQ==",{"\u0000key" : "\u0000"}]"#,
            r#"["a\"\\u0000x","\\","\"\u0000x"]"#,
        ] {
            assert_eq!(check_binary(&Bytes::from_static(good.as_bytes())), Ok(()), "{good}");
        }
        for (bad, offset) in [(r#"["\u0000x"]"#, 1), (r#"{"\u0000k":["","\u0000QQ"]}"#, 15)] {
            let error = check_binary(&Bytes::from_static(bad.as_bytes())).unwrap_err();
            assert_eq!((error.offset, error.kind), (offset, Malformed::InvalidBinary));
        }
    }
}

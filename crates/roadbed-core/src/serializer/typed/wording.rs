//! What serde and its types say, in the words of the protocol.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};

use serde::de::{Expected, Unexpected};

/// What a type expects.
pub(super) fn expectation(expected: &dyn Expected) -> String {
    let rust = expected.to_string();
    let words: &str = match &*rust {
        "u8" => "an integer from 0 to 255",
        "u16" => "an integer from 0 to 65535",
        "u32" => "an integer from 0 to 4294967295",
        "u64" | "u128" | "usize" => "a non-negative integer",
        "i8" => "an integer from -128 to 127",
        "i16" => "an integer from -32768 to 32767",
        "i32" => "an integer from -2147483648 to 2147483647",
        "i64" | "i128" | "isize" => "an integer",
        "f32" | "f64" => "a number",
        "a character" => "text of one character",
        "a string" | "a borrowed string" => "text",
        "a byte array" | "byte array" | "a borrowed byte array" | "bytes" => "binary",
        "a sequence" => "a list",
        "a map" => "a dict",
        "unit" | "option" => "null",
        "variant identifier" | "field identifier" => "a name",
        _ => return elements(&rust).unwrap_or(rust),
    };
    words.to_string()
}

/// Tuples and structs: how many elements, or a dict.
fn elements(rust: &str) -> Option<String> {
    let count =
        rust.strip_prefix("a tuple of size ").or_else(|| rust.strip_prefix("an array of length ")).or_else(
            || rust.strip_suffix(" elements").or_else(|| rust.strip_suffix(" element"))?.rsplit(' ').next(),
        );
    if let Some(count) = count {
        let plural = if count == "1" { "" } else { "s" };
        return Some(format!("{count} element{plural}"));
    }
    let (_, words) = [
        ("struct ", "a dict"),
        ("tuple struct ", "a list"),
        ("enum ", "a name, or a dict of one key"),
        ("unit struct ", "null"),
        ("an empty array", "an empty list"),
    ]
    .into_iter()
    .find(|(kind, _)| rust.starts_with(kind))?;
    Some(words.to_string())
}

/// What came, by its type.
pub(super) fn found_type(found: &Unexpected<'_>) -> Cow<'static, str> {
    Cow::Borrowed(match found {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "an integer",
        Unexpected::Float(_) => "a float",
        Unexpected::Char(_) | Unexpected::Str(_) => "text",
        Unexpected::Bytes(_) => "binary",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "a list",
        Unexpected::Map => "a dict",
        Unexpected::Other(words) => return Cow::Owned((*words).to_string()),
        _ => "another value",
    })
}

/// What came, by its value where that is short and no secret.
pub(super) fn found_value(found: &Unexpected<'_>) -> Cow<'static, str> {
    match found {
        Unexpected::Unsigned(value) => Cow::Owned(value.to_string()),
        Unexpected::Signed(value) => Cow::Owned(value.to_string()),
        Unexpected::Float(value) => Cow::Owned(format!("{value:?}")),
        Unexpected::Bool(value) => Cow::Owned(value.to_string()),
        other => found_type(other),
    }
}

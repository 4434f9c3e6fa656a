//! Texts that peers choose, and texts for people.

use bytestring::ByteString;

/// At most this many bytes of a text for people are passed on, to a peer or to the driver and its logs.
const MAX_TEXT: usize = 512;

/// A copy of a text that shares no memory with a read buffer.
pub(crate) fn detach_text(text: &ByteString) -> ByteString {
    ByteString::from(String::from(&**text))
}

/// A copy of a text for people, cut where it is too long.
pub(crate) fn short_text(text: &str) -> ByteString {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    ByteString::from(text.get(..end).unwrap_or_default())
}

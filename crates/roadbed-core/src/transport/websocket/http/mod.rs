//! As much of HTTP/1.1 (RFC 9112) as an upgrade needs.

mod answer;
mod body;
mod date;
mod head;
mod request;
mod response;

pub use answer::Refusal;
pub(in crate::transport) use answer::{Answer, AnswerReader};
pub(super) use head::HeadFinder;
pub(in crate::transport) use head::{Head, StatusLine};
pub use head::{HeadError, MAX_HEAD, MAX_HEADERS};
pub(super) use request::RawRequest;
pub use request::UpgradeRequest;
pub(in crate::transport) use request::is_host;
pub(super) use response::{Response, Status};

use alloc::string::String;

use bytestring::ByteString;

/// Text of a peer for an error or a log: at most `max` bytes, control characters replaced.
pub(in crate::transport) fn excerpt(text: &[u8], max: usize) -> ByteString {
    let mut excerpt = String::new();
    for char in String::from_utf8_lossy(text.get(..max).unwrap_or(text)).chars() {
        let char = if char.is_control() { ' ' } else { char };
        if excerpt.len().saturating_add(char.len_utf8()) > max {
            break;
        }
        excerpt.push(char);
    }
    ByteString::from(excerpt.trim())
}

/// Whether a byte may stand in a token (RFC 9110, section 5.6.2).
pub(super) const fn is_token_byte(byte: u8) -> bool {
    matches!(byte,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpts_are_short_and_tame() {
        assert_eq!(excerpt(b"busy\r\nX: y\x1b[2J", 99), "busy  X: y [2J");
        assert_eq!(excerpt("äöü".as_bytes(), 4), "äö");
        // A character cut in two becomes the mark of what cannot be read, if that fits.
        assert_eq!(excerpt("äöü".as_bytes(), 3), "ä");
        assert_eq!(excerpt(&[0xFF; 4], 4), "\u{FFFD}");
        assert_eq!(excerpt(b"  ", 4), "");
    }
}

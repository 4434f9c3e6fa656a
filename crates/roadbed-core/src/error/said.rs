//! What the other side said for people, where a text of ours repeats it.

use alloc::string::String;
use core::fmt::{self, Write};

use crate::payload::Payload;
use crate::uri::Uri;

/// How many characters are repeated.
const LONGEST: usize = 200;

/// Shows a text of the other side, cut, with whatever could move or hide other text escaped.
pub(super) struct Said<'a>(pub(super) &'a str);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = LONGEST;
        for character in self.0.chars() {
            if left == 0 {
                return f.write_char('…');
            }
            left = left.saturating_sub(1);
            if character.is_control() || is_invisible(character) {
                write!(f, "{}", character.escape_default())?;
            } else {
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}

/// Shows a URI that the other side gave as a reason, which may be none at all: in quotes if it is empty.
pub(super) struct Named<'a>(pub(super) &'a Uri);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_str() {
            "" => f.write_str("\"\""),
            uri => Said(uri).fmt(f),
        }
    }
}

/// Characters that break lines, change the direction of text or are not seen at all.
const fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Writes what follows a URI: nothing, or the text behind a colon.
pub(super) fn write_said(f: &mut fmt::Formatter<'_>, text: Option<&str>) -> fmt::Result {
    match text {
        Some(text) if !text.is_empty() => write!(f, ": {}", Said(text)),
        _ => Ok(()),
    }
}

/// The first argument, where it is a text.
pub(super) fn first_text(payload: &Payload) -> Option<String> {
    payload.raw_args()?;
    payload.arg::<String>(0).ok()
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn it_is_one_line_of_bounded_length() {
        assert_eq!(Said("no \"realm\" é 漢").to_string(), "no \"realm\" é 漢");
        assert_eq!(Said("a\r\nb\u{1b}[2J\u{202e}c").to_string(), "a\\r\\nb\\u{1b}[2J\\u{202e}c");
        let long = Said(&"é".repeat(1000)).to_string();
        assert_eq!((long.chars().count(), long.chars().last()), (201, Some('…')));
        assert_eq!(Said(&"é".repeat(200)).to_string().chars().last(), Some('é'));
    }
}

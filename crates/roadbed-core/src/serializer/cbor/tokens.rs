//! An encoded value, gone through without knowing its structure: heads follow each other, and only strings
//! have bytes behind them.

use super::*;
use crate::serializer::binary::take;

/// A head and, of a string, its bytes.
struct Token<'a> {
    initial: u8,
    /// The bytes of a string.
    content: &'a [u8],
}

/// The tokens of an encoded value; what is left when they end is malformed.
struct Tokens<'a>(&'a [u8]);

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let (initial, behind) = be8(self.0).ok()?;
        let is_string = matches!(major(initial), BYTES | TEXT);
        let (content, rest) = if info(initial) == INDEFINITE {
            (&[][..], behind)
        } else {
            let (argument, behind) = argument(initial, behind).ok()?;
            let bytes = if is_string { usize::try_from(argument).ok()? } else { 0 };
            let (content, rest) = take(behind, bytes).ok()?;
            (content, rest)
        };
        self.0 = rest;
        Some(Token { initial, content })
    }
}

/// Whether a value holds binary, or text that JSON takes for binary.
pub(crate) fn holds_binary(encoded: &[u8]) -> bool {
    Tokens(encoded).any(|token| match major(token.initial) {
        BYTES => true,
        TEXT => token.content.first() == Some(&0),
        _ => false,
    })
}

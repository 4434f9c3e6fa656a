//! What ciborium wrote, gone through without knowing its structure: heads follow each other, and only
//! strings have bytes behind them.

use alloc::vec::Vec;

use super::*;
use crate::serializer::binary::{half, narrow, take};

/// A head and, of a string, its bytes.
struct Token<'a> {
    initial: u8,
    argument: u64,
    /// The bytes of a string.
    content: &'a [u8],
    /// All of it.
    whole: &'a [u8],
}

/// The tokens of an encoded value; what is left when they end is malformed.
struct Tokens<'a>(&'a [u8]);

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let (initial, behind) = be8(self.0).ok()?;
        let is_string = matches!(major(initial), BYTES | TEXT);
        let (argument, content, rest) = if info(initial) == INDEFINITE {
            (0, &[][..], behind)
        } else {
            let (argument, behind) = argument(initial, behind).ok()?;
            let bytes = if is_string { usize::try_from(argument).ok()? } else { 0 };
            let (content, rest) = take(behind, bytes).ok()?;
            (argument, content, rest)
        };
        let whole = self.0.get(..self.0.len().saturating_sub(rest.len()))?;
        self.0 = rest;
        Some(Token { initial, argument, content, whole })
    }
}

/// Writes floats of 16 bits, which many peers cannot read, as floats of 32. The rest stays as it is.
pub(in crate::serializer) fn widen_halves(encoded: Vec<u8>) -> Vec<u8> {
    if !encoded.contains(&FLOAT16) {
        return encoded;
    }
    let mut out = Vec::with_capacity(encoded.len());
    let mut tokens = Tokens(&encoded);
    for token in tokens.by_ref() {
        let bits = u16::try_from(token.argument).ok().filter(|_| token.initial == FLOAT16);
        match bits.and_then(|bits| narrow(half(bits))) {
            Some(bits) => {
                out.push(FLOAT32);
                out.extend_from_slice(&bits.to_be_bytes());
            }
            None => out.extend_from_slice(token.whole),
        }
    }
    if tokens.0.is_empty() { out } else { encoded }
}

/// Whether a value holds binary, or text that JSON takes for binary.
pub(crate) fn holds_binary(encoded: &[u8]) -> bool {
    Tokens(encoded).any(|token| match major(token.initial) {
        BYTES => true,
        TEXT => token.content.first() == Some(&0),
        _ => false,
    })
}

//! JSON (RFC 8259), with WAMP's convention for binary: a string that begins with NUL and goes on in
//! base64.
//!
//! What the reader makes of numbers:
//!
//! * without fraction and exponent: an integer, from `i64::MIN` to `u64::MAX`; anything beyond is
//!   [`NumberOutOfRange`](super::Malformed::NumberOutOfRange), never rounded to a float;
//! * with fraction or exponent: a float, even where it is whole (`1.0`, `1e3`); one that would
//!   overflow to infinity is out of range, one that underflows is 0.0;
//! * `-0` is the float −0.0, which is what the peers mean that write it.
//!
//! Passing over a value asks for less: numbers out of range and halves of surrogate pairs are JSON, and
//! pass. `NaN`, `Infinity` and `-Infinity` are no JSON; they are passed over and noted, like text that is
//! not UTF-8 and binary that is not base64.
//!
//! A string that begins with NUL is binary wherever a value stands; dict keys are always text.

mod binary;
mod number;
mod reader;
mod skip;
mod string;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use reader::JsonReader;
pub(crate) use writer::JsonWriter;

use super::{Malformed, ReadError};

/// The byte at `at` cannot stand there, or the input ends.
#[cold]
fn unexpected(input: &[u8], at: usize) -> ReadError {
    match input.get(at) {
        Some(&byte) => ReadError::new(at, Malformed::UnexpectedByte(byte)),
        None => ReadError::new(input.len(), Malformed::UnexpectedEnd),
    }
}

/// The first byte from `at` on that is no white space, and its offset.
#[inline(always)]
fn next(input: &[u8], at: usize) -> (usize, Option<u8>) {
    match input.get(at) {
        // No white space is above a space, and compact JSON has none at all.
        Some(&byte) if byte > b' ' => (at, Some(byte)),
        None => (at, None),
        _ => next_behind_white(input, at),
    }
}

#[cold]
#[inline(never)]
fn next_behind_white(input: &[u8], at: usize) -> (usize, Option<u8>) {
    let rest = input.get(at..).unwrap_or_default();
    let spaces = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
    (at.wrapping_add(spaces), rest.get(spaces).copied())
}

/// The offset behind `true`, `false` or `null`, which stands at `at` as far as its first letter.
fn literal(input: &[u8], at: usize, word: &'static [u8]) -> Result<usize, ReadError> {
    let rest = input.get(at..).unwrap_or_default();
    if rest.starts_with(word) {
        return Ok(at.wrapping_add(word.len()));
    }
    let same = rest.iter().zip(word).take_while(|(found, expected)| found == expected).count();
    Err(unexpected(input, at.wrapping_add(same)))
}

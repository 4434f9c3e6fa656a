//! CBOR (RFC 8949).
//!
//! Read: every well-formed item, deterministic or not: integers and lengths of any width, indefinite
//! lengths, half floats. Tags are passed over, each costs one level of depth; bignums that fit are
//! integers. `undefined` is null; other simple values have no WAMP type. Written: shortest forms,
//! definite lengths, no tags, no half floats.

mod head;
mod reader;
mod skip;
#[cfg(test)]
mod tests;
mod tokens;
mod writer;

pub(crate) use reader::CborReader;
pub(crate) use tokens::holds_binary;
pub(crate) use writer::CborWriter;

use super::binary::{Flaw, Part, be8, be16, be32, be64, length, take};

// Major types, the upper three bits of an initial byte.
const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const LIST: u8 = 4;
const DICT: u8 = 5;
const TAG: u8 = 6;
const SIMPLE: u8 = 7;

// Additional information, the lower five bits. Below `INFO_8` it is the argument itself.
const INFO_8: u8 = 24;
const INFO_16: u8 = 25;
const INFO_32: u8 = 26;
const INFO_64: u8 = 27;
const INDEFINITE: u8 = 31;

// Initial bytes of major type 7.
const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
const NULL: u8 = 0xf6;
const UNDEFINED: u8 = 0xf7;
const SIMPLE_8: u8 = 0xf8;
const FLOAT16: u8 = 0xf9;
const FLOAT32: u8 = 0xfa;
const FLOAT64: u8 = 0xfb;
const BREAK: u8 = 0xff;

#[inline(always)]
const fn major(initial: u8) -> u8 {
    initial >> 5
}

#[inline(always)]
const fn info(initial: u8) -> u8 {
    initial & 0x1f
}

/// The argument of an initial byte; `rest` begins behind that byte. Indefinite lengths, which have no
/// argument, are the caller's.
#[inline(always)]
fn argument(initial: u8, rest: &[u8]) -> Part<'_, u64> {
    match info(initial) {
        value @ 0..INFO_8 => Ok((value.into(), rest)),
        INFO_8 => be8(rest).map(|(value, rest)| (value.into(), rest)),
        INFO_16 => be16(rest).map(|(value, rest)| (value.into(), rest)),
        INFO_32 => be32(rest).map(|(value, rest)| (value.into(), rest)),
        INFO_64 => be64(rest),
        _ => Err(Flaw::Byte(initial)),
    }
}

/// The next chunk of a string of indefinite length and of this major type: `None` at its end. Text is
/// checked.
fn chunk(rest: &[u8], of: u8) -> Part<'_, Option<&[u8]>> {
    match chunk_bytes(rest, of)? {
        (Some(bytes), _) if of == TEXT && core::str::from_utf8(bytes).is_err() => Err(Flaw::Utf8),
        chunk => Ok(chunk),
    }
}

/// As [`chunk`], unchecked.
fn chunk_bytes(rest: &[u8], of: u8) -> Part<'_, Option<&[u8]>> {
    let (initial, rest) = be8(rest)?;
    if initial == BREAK {
        return Ok((None, rest));
    }
    if major(initial) != of {
        return Err(Flaw::Byte(initial));
    }
    let (length, rest) = length(argument(initial, rest)?)?;
    let (chunk, rest) = take(rest, length)?;
    Ok((Some(chunk), rest))
}

#[inline(always)]
const fn low_byte(value: u64) -> u8 {
    let [.., low] = value.to_be_bytes();
    low
}

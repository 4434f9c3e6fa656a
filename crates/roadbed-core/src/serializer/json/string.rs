//! Strings: where they end, and what their escapes mean.
//!
//! Most of the bytes of a message stand in strings, so this is the loop that counts. It looks at a
//! word at a time for what ends or interrupts plain text (`"`, `\`, control characters), and collects
//! on the way whether anything was not ASCII: only then the text is checked for UTF-8.

use alloc::string::String;

use super::{binary, unexpected};
use crate::serializer::{Malformed, ReadError};

const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
const ONES: u64 = 0x0101_0101_0101_0101;
const SPACES: u64 = 0x2020_2020_2020_2020;
const QUOTES: u64 = 0x2222_2222_2222_2222;
const BACKSLASHES: u64 = 0x5c5c_5c5c_5c5c_5c5c;

/// Bytes looked at together in a long string.
const BLOCK: usize = 128;
/// Words looked at one by one before a string counts as long.
const SHORT_WORDS: usize = 8;

/// The high bit of every byte that is `"`, `\` or a control character. Above the lowest such byte the
/// borrows may mark others; nobody looks there.
#[inline(always)]
const fn special_bits(word: u64) -> u64 {
    let quote = (word ^ QUOTES).wrapping_sub(ONES);
    let backslash = (word ^ BACKSLASHES).wrapping_sub(ONES);
    let control = word.wrapping_sub(SPACES);
    (quote | backslash | control) & !word & HIGH_BITS
}

#[inline(always)]
const fn is_special(byte: u8) -> bool {
    // With bit 1 turned over, a quote stands right behind the control characters, which stay among themselves.
    byte ^ 2 <= b' ' || byte == b'\\'
}

/// Text up to what ends or interrupts it.
#[derive(Clone, Copy)]
pub(super) struct Plain {
    /// Offset of the first `"`, `\` or control character, or of the end of the input.
    pub(super) end: usize,
    /// All bytes before it, or-ed in some order.
    seen: u64,
}

impl Plain {
    /// Whether all bytes were ASCII.
    #[inline(always)]
    pub(super) const fn is_ascii(self) -> bool {
        self.seen & HIGH_BITS == 0
    }
}

/// Passes over plain text from `from` on.
#[inline(always)]
pub(super) fn plain(input: &[u8], from: usize) -> Plain {
    let rest = input.get(from..).unwrap_or_default();
    let mut seen = 0;
    match plain_word(input, rest, &mut seen) {
        Err(plain) => plain,
        Ok(rest) => match plain_word(input, rest, &mut seen) {
            Err(plain) => plain,
            Ok(rest) => more_plain(input, rest, seen),
        },
    }
}

/// Goes on with text of more than a word: words, then blocks that the compiler turns into vector
/// instructions, then words again.
#[inline(never)]
fn more_plain(input: &[u8], mut rest: &[u8], mut seen: u64) -> Plain {
    for _ in 0..SHORT_WORDS {
        match plain_word(input, rest, &mut seen) {
            Ok(behind) => rest = behind,
            Err(plain) => return plain,
        }
    }
    while let Some((block, behind)) = rest.split_first_chunk::<BLOCK>() {
        let (mut special, mut bits) = (false, 0);
        for &byte in block {
            special |= is_special(byte);
            bits |= byte;
        }
        if special {
            break;
        }
        seen |= u64::from(bits);
        rest = behind;
    }
    loop {
        match plain_word(input, rest, &mut seen) {
            Ok(behind) => rest = behind,
            Err(plain) => return plain,
        }
    }
}

/// Passes over a word of plain text, or stops in it.
#[inline(always)]
fn plain_word<'i>(input: &[u8], rest: &'i [u8], seen: &mut u64) -> Result<&'i [u8], Plain> {
    let Some((word, behind)) = rest.split_first_chunk() else {
        return Err(tail(input, rest, *seen));
    };
    let word = u64::from_le_bytes(*word);
    let hits = special_bits(word);
    if hits == 0 {
        *seen |= word;
        return Ok(behind);
    }
    let before = input.len().wrapping_sub(rest.len());
    let end = before.wrapping_add((hits.trailing_zeros() >> 3) as usize);
    Err(Plain { end, seen: *seen | word & (hits.wrapping_sub(1) & !hits) })
}

/// The last few bytes, one by one.
#[inline(never)]
fn tail(input: &[u8], rest: &[u8], mut seen: u64) -> Plain {
    let mut end = input.len().wrapping_sub(rest.len());
    for &byte in rest {
        if is_special(byte) {
            break;
        }
        seen |= u64::from(byte);
        end = end.wrapping_add(1);
    }
    Plain { end, seen }
}

/// Where a string ends.
#[derive(Clone, Copy)]
pub(super) struct End {
    /// Offset of the closing quote.
    pub(super) at: usize,
    /// Whether there are escapes before it.
    pub(super) has_escapes: bool,
    /// Whether there is only ASCII before it. If not, it was not checked for UTF-8.
    pub(super) is_ascii: bool,
}

/// Finds the end of the string whose first byte behind the opening quote is at `from`. Escapes are
/// checked, UTF-8 is not.
#[inline(always)]
pub(super) fn find_end(input: &[u8], from: usize) -> Result<End, ReadError> {
    let plain = plain(input, from);
    if input.get(plain.end) == Some(&b'"') {
        return Ok(End { at: plain.end, has_escapes: false, is_ascii: plain.is_ascii() });
    }
    find_end_escaped(input, plain)
}

#[inline(never)]
fn find_end_escaped(input: &[u8], mut part: Plain) -> Result<End, ReadError> {
    let mut is_ascii = true;
    let mut has_escapes = false;
    loop {
        let at = part.end;
        is_ascii &= part.is_ascii();
        match input.get(at) {
            Some(b'"') => return Ok(End { at, has_escapes, is_ascii }),
            Some(b'\\') => {
                has_escapes = true;
                part = plain(input, escape_end(input, at)?);
            }
            Some(_) => return Err(ReadError::new(at, Malformed::ControlCharacter)),
            None => return Err(unexpected(input, at)),
        }
    }
}

/// Passes over a string and checks all of it; the offset behind the closing quote. Halves of surrogate
/// pairs pass: they are JSON, and only who needs the text has to refuse them.
#[inline(always)]
pub(super) fn skip(input: &[u8], from: usize, noted: &mut Option<ReadError>) -> Result<usize, ReadError> {
    let end = find_end(input, from)?;
    if !end.is_ascii {
        note_utf8(input, from, end.at, noted);
    }
    Ok(end.at.wrapping_add(1))
}

/// As [`skip`], for a string that may be binary.
#[inline(always)]
pub(super) fn skip_value(
    input: &[u8],
    from: usize,
    noted: &mut Option<ReadError>,
) -> Result<usize, ReadError> {
    let end = find_end(input, from)?;
    if !end.is_ascii {
        note_utf8(input, from, end.at, noted);
    }
    if end.has_escapes {
        binary::note(input, from, end.at, noted);
    }
    Ok(end.at.wrapping_add(1))
}

#[inline(never)]
fn note_utf8(input: &[u8], from: usize, to: usize, noted: &mut Option<ReadError>) {
    if let Err(error) = check_utf8(input, from, to) {
        noted.get_or_insert(error);
    }
}

/// The bytes `from..to` as text.
#[inline(never)]
pub(super) fn check_utf8(input: &[u8], from: usize, to: usize) -> Result<&str, ReadError> {
    core::str::from_utf8(input.get(from..to).unwrap_or_default())
        .map_err(|error| ReadError::new(from.wrapping_add(error.valid_up_to()), Malformed::InvalidUtf8))
}

/// What the escape at `at` (its backslash) stands for, and the offset behind it.
fn escape(input: &[u8], at: usize) -> Result<(char, usize), ReadError> {
    let letter = at.wrapping_add(1);
    let plain = match input.get(letter) {
        Some(byte @ (b'"' | b'\\' | b'/')) => char::from(*byte),
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode_escape(input, at),
        Some(_) => return Err(ReadError::new(at, Malformed::InvalidEscape)),
        None => return Err(unexpected(input, letter)),
    };
    Ok((plain, at.wrapping_add(2)))
}

/// The offset behind the escape at `at`, of which one `\uXXXX` may be half of a surrogate pair.
fn escape_end(input: &[u8], at: usize) -> Result<usize, ReadError> {
    let letter = at.wrapping_add(1);
    match input.get(letter) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at.wrapping_add(2)),
        Some(b'u') => code_unit(input, at).map(|_| at.wrapping_add(6)),
        Some(_) => Err(ReadError::new(at, Malformed::InvalidEscape)),
        None => Err(unexpected(input, letter)),
    }
}

/// `\uXXXX`, or two of them that are a surrogate pair.
fn unicode_escape(input: &[u8], at: usize) -> Result<(char, usize), ReadError> {
    let lone = ReadError::new(at, Malformed::LoneSurrogate);
    let high = code_unit(input, at)?;
    let behind = at.wrapping_add(6);
    if let Some(char) = char::from_u32(high) {
        return Ok((char, behind));
    }
    if high >= 0xdc00 {
        return Err(lone);
    }
    if !input.get(behind..).is_some_and(|rest| rest.starts_with(b"\\u")) {
        return Err(lone);
    }
    let low = code_unit(input, behind)?;
    if !(0xdc00..0xe000).contains(&low) {
        return Err(lone);
    }
    let code = ((high & 0x3ff) << 10 | low & 0x3ff).wrapping_add(0x1_0000);
    let char = char::from_u32(code).ok_or(lone)?;
    Ok((char, behind.wrapping_add(6)))
}

/// The four hexadecimal digits of the `\uXXXX` at `at`.
fn code_unit(input: &[u8], at: usize) -> Result<u32, ReadError> {
    let first = at.wrapping_add(2);
    let digits = input.get(first..).unwrap_or_default();
    let mut unit = 0;
    let mut count = 0_usize;
    for &byte in digits.iter().take(4) {
        let digit =
            char::from(byte).to_digit(16).ok_or_else(|| ReadError::new(at, Malformed::InvalidEscape))?;
        unit = unit << 4 | digit;
        count = count.wrapping_add(1);
    }
    if count < 4 { Err(unexpected(input, input.len())) } else { Ok(unit) }
}

/// The text of the string body `from..to`, whose escapes [`find_end`] has checked.
pub(super) fn unescape(input: &[u8], from: usize, to: usize) -> Result<String, ReadError> {
    // No escape is shorter than what it stands for.
    let mut text = String::with_capacity(to.saturating_sub(from));
    let body = input.get(..to).unwrap_or_default();
    let mut at = from;
    while at < to {
        let plain = plain(body, at).end;
        text.push_str(check_utf8(body, at, plain)?);
        at = plain;
        if at < to {
            let (char, behind) = escape(body, at)?;
            text.push(char);
            at = behind;
        }
    }
    Ok(text)
}

//! Passing over MessagePack values without recursion.

use super::super::binary::{Flaw, be8, be16, be32, length, pass, pass_text, room};
use super::reader::kind;
use super::*;
use crate::limits::MAX_DEPTH;

/// Levels for which the small stack suffices. Nearly all payloads are shallower, and clearing the
/// large stack would cost more than passing over them.
const SHALLOW: usize = 24;

/// What one value turned out to be, and the bytes behind it or behind its head.
enum Step<'a> {
    Passed(&'a [u8]),
    Opened { values: usize, rest: &'a [u8] },
}

/// What is wrong, and the bytes from the value on that is at fault.
type Fault<'a> = (Flaw, &'a [u8]);

/// Passes over one value that nests at most `levels` deep.
pub(super) fn skip(input: &[u8], levels: usize) -> Result<&[u8], Fault<'_>> {
    match step(input) {
        Ok(Step::Passed(rest)) => Ok(rest),
        Ok(Step::Opened { values, rest }) => match levels.checked_sub(1) {
            None => Err((Flaw::Deep, input)),
            Some(_) if values == 0 => Ok(rest),
            Some(levels) => skip_inside(rest, values, levels, false),
        },
        Err(flaw) => Err((flaw, input)),
    }
}

/// Passes over the inside of a container, so many values that nest at most `levels` deep. If these are
/// the keys and values of a dict, its keys may have to be text.
pub(super) fn skip_inside(
    input: &[u8],
    values: usize,
    levels: usize,
    text_keys: bool,
) -> Result<&[u8], Fault<'_>> {
    let levels = levels.min(MAX_DEPTH);
    match walk::<SHALLOW>(input, values, levels, text_keys) {
        Ok(Some(rest)) => Ok(rest),
        Ok(None) => skip_deep(input, values, levels, text_keys),
        Err(fault) => Err(fault),
    }
}

#[cold]
fn skip_deep(input: &[u8], values: usize, levels: usize, text_keys: bool) -> Result<&[u8], Fault<'_>> {
    // The stack is as tall as `levels` can be, so there is always an answer.
    walk::<MAX_DEPTH>(input, values, levels, text_keys)?.ok_or((Flaw::Deep, input))
}

/// `None` when `N` levels of stack did not suffice.
#[inline(always)]
fn walk<const N: usize>(
    input: &[u8],
    values: usize,
    levels: usize,
    text_keys: bool,
) -> Result<Option<&[u8]>, Fault<'_>> {
    // Values still to come in each container around the innermost one.
    let mut stack = [0_usize; N];
    let mut height = 0_usize;
    // Values still to come in the innermost one, the next included: never 0 here.
    let mut left = values;
    let mut rest = input;
    loop {
        if text_keys && height == 0 && left.is_multiple_of(2) && !is_text(rest) {
            return Err((no_key(rest), rest));
        }
        match step(rest) {
            Ok(Step::Passed(behind)) => rest = behind,
            Ok(Step::Opened { values, rest: behind }) => {
                if height >= levels {
                    return Err((Flaw::Deep, rest));
                }
                rest = behind;
                if values > 0 {
                    let Some(slot) = stack.get_mut(height) else { return Ok(None) };
                    *slot = left;
                    height = height.wrapping_add(1);
                    left = values;
                    continue;
                }
            }
            Err(flaw) => return Err((flaw, rest)),
        }
        left = left.wrapping_sub(1);
        while left == 0 {
            if height == 0 {
                return Ok(Some(rest));
            }
            height = height.wrapping_sub(1);
            left = stack.get(height).map_or(1, |left| *left).wrapping_sub(1);
        }
    }
}

#[inline(always)]
fn is_text(rest: &[u8]) -> bool {
    matches!(rest.first(), Some(FIXSTR..=FIXSTR_MAX | STR8..=STR32))
}

#[cold]
fn no_key(rest: &[u8]) -> Flaw {
    kind(rest).map_or_else(|flaw| flaw, Flaw::Key)
}

/// Passes over one scalar, or the head of one container.
#[inline(always)]
fn step(rest: &[u8]) -> Result<Step<'_>, Flaw> {
    let (marker, rest) = be8(rest)?;
    let passed = match marker {
        0..FIXMAP | NEGATIVE_FIXINT.. | NIL | FALSE | TRUE => Ok(rest),
        FIXSTR..=FIXSTR_MAX => pass_text(rest, usize::from(marker & 0x1f)),
        FIXMAP..=FIXMAP_MAX => return open_dict(rest, usize::from(marker & 0x0f)),
        FIXARRAY..=FIXARRAY_MAX => return open_list(rest, usize::from(marker & 0x0f)),
        UINT8 | INT8 => pass(rest, 1),
        UINT16 | INT16 | FIXEXT1 => pass(rest, 2),
        FIXEXT2 => pass(rest, 3),
        UINT32 | INT32 | FLOAT32 => pass(rest, 4),
        FIXEXT4 => pass(rest, 5),
        UINT64 | INT64 | FLOAT64 => pass(rest, 8),
        FIXEXT8 => pass(rest, 9),
        FIXEXT16 => pass(rest, 17),
        STR8 => be8(rest).and_then(length).and_then(|(length, rest)| pass_text(rest, length)),
        STR16 => be16(rest).and_then(length).and_then(|(length, rest)| pass_text(rest, length)),
        STR32 => be32(rest).and_then(length).and_then(|(length, rest)| pass_text(rest, length)),
        BIN8 => be8(rest).and_then(length).and_then(|(length, rest)| pass(rest, length)),
        BIN16 => be16(rest).and_then(length).and_then(|(length, rest)| pass(rest, length)),
        BIN32 => be32(rest).and_then(length).and_then(|(length, rest)| pass(rest, length)),
        EXT8 => be8(rest).and_then(length).and_then(|(length, rest)| pass_extension(rest, length)),
        EXT16 => be16(rest).and_then(length).and_then(|(length, rest)| pass_extension(rest, length)),
        EXT32 => be32(rest).and_then(length).and_then(|(length, rest)| pass_extension(rest, length)),
        ARRAY16 => return be16(rest).and_then(length).and_then(|(length, rest)| open_list(rest, length)),
        ARRAY32 => return be32(rest).and_then(length).and_then(|(length, rest)| open_list(rest, length)),
        MAP16 => return be16(rest).and_then(length).and_then(|(length, rest)| open_dict(rest, length)),
        MAP32 => return be32(rest).and_then(length).and_then(|(length, rest)| open_dict(rest, length)),
        NEVER_USED => Err(Flaw::Byte(NEVER_USED)),
    };
    passed.map(Step::Passed)
}

#[inline(always)]
fn open_list(rest: &[u8], entries: usize) -> Result<Step<'_>, Flaw> {
    room(rest, entries, false)?;
    Ok(Step::Opened { values: entries, rest })
}

#[inline(always)]
fn open_dict(rest: &[u8], entries: usize) -> Result<Step<'_>, Flaw> {
    room(rest, entries, true)?;
    Ok(Step::Opened { values: entries.saturating_mul(2), rest })
}

/// The type byte stands before the data.
#[inline(always)]
fn pass_extension(rest: &[u8], length: usize) -> Result<&[u8], Flaw> {
    pass(pass(rest, 1)?, length)
}

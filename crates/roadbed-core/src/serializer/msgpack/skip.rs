//! Passing over MessagePack values without recursion.

use super::super::binary::{Flaw, be8, be16, be32, length, pass, pass_text, room};
use super::reader::text_bytes;
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

/// Where the first text begins that is not UTF-8. It is passed over all the same.
pub(super) type Noted<'a> = Option<&'a [u8]>;

/// Passes over one value that nests at most `levels` deep.
pub(super) fn skip<'a>(input: &'a [u8], levels: usize, noted: &mut Noted<'a>) -> Result<&'a [u8], Fault<'a>> {
    match step_on(input, noted) {
        Ok(Step::Passed(rest)) => Ok(rest),
        Ok(Step::Opened { values, rest }) => match levels.checked_sub(1) {
            None => Err((Flaw::Deep, input)),
            Some(_) if values == 0 => Ok(rest),
            Some(levels) => skip_inside(rest, values, levels, noted),
        },
        Err(flaw) => Err((flaw, input)),
    }
}

/// Passes over the inside of a container, so many values that nest at most `levels` deep.
pub(super) fn skip_inside<'a>(
    input: &'a [u8],
    values: usize,
    levels: usize,
    noted: &mut Noted<'a>,
) -> Result<&'a [u8], Fault<'a>> {
    let levels = levels.min(MAX_DEPTH);
    match walk::<SHALLOW>(input, values, levels, noted) {
        Ok(Some(rest)) => Ok(rest),
        Ok(None) => skip_deep(input, values, levels, noted),
        Err(fault) => Err(fault),
    }
}

#[cold]
fn skip_deep<'a>(
    input: &'a [u8],
    values: usize,
    levels: usize,
    noted: &mut Noted<'a>,
) -> Result<&'a [u8], Fault<'a>> {
    // The stack is as tall as `levels` can be, so there is always an answer.
    walk::<MAX_DEPTH>(input, values, levels, noted)?.ok_or((Flaw::Deep, input))
}

/// `None` when `N` levels of stack did not suffice.
#[inline(always)]
fn walk<'a, const N: usize>(
    input: &'a [u8],
    values: usize,
    levels: usize,
    noted: &mut Noted<'a>,
) -> Result<Option<&'a [u8]>, Fault<'a>> {
    // Values still to come in each container around the innermost one.
    let mut stack = [0_usize; N];
    let mut height = 0_usize;
    // Values still to come in the innermost one, the next included: never 0 here.
    let mut left = values;
    let mut rest = input;
    loop {
        match step_on(rest, noted) {
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

/// As [`step`], on over text that is not UTF-8.
#[inline(always)]
fn step_on<'a>(rest: &'a [u8], noted: &mut Noted<'a>) -> Result<Step<'a>, Flaw> {
    match step(rest) {
        Err(Flaw::Utf8) => note_text(rest, noted),
        step => step,
    }
}

#[cold]
fn note_text<'a>(rest: &'a [u8], noted: &mut Noted<'a>) -> Result<Step<'a>, Flaw> {
    noted.get_or_insert(rest);
    let (_, behind) = text_bytes(rest).unwrap_or(Err(Flaw::Utf8))?;
    Ok(Step::Passed(behind))
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

//! Passing over CBOR items without recursion.

use super::super::binary::{pass, pass_text, room};
use super::*;
use crate::limits::MAX_DEPTH;

/// Levels for which the small stack suffices. Nearly all payloads are shallower, and clearing the
/// large stack would cost more than passing over them.
const SHALLOW: usize = 24;

// What is still to come in an open container is a number of items, or one of these where no length
// was given. Numbers cannot reach them: each item takes a byte of the input. As in numbers, what comes
// next in a dict is a key where this is even.
const OPEN_LIST: usize = usize::MAX;
const OPEN_DICT_KEY: usize = usize::MAX - 1;
const OPEN_DICT_VALUE: usize = usize::MAX - 2;

/// What one item turned out to be, and the bytes behind it or behind its head.
enum Step<'a> {
    Passed(&'a [u8]),
    Opened { items: usize, rest: &'a [u8] },
    Break(&'a [u8]),
}

/// What is wrong, and the bytes from the item on that is at fault.
type Fault<'a> = (Flaw, &'a [u8]);

/// Where the first text begins that is not UTF-8. It is passed over all the same.
pub(super) type Noted<'a> = Option<&'a [u8]>;

/// Passes over one item that nests at most `levels` deep.
pub(super) fn skip<'a>(input: &'a [u8], levels: usize, noted: &mut Noted<'a>) -> Result<&'a [u8], Fault<'a>> {
    match step_on(input, noted) {
        Ok(Step::Passed(rest)) => Ok(rest),
        Ok(Step::Opened { items, rest }) => match levels.checked_sub(1) {
            None => Err((Flaw::Deep, input)),
            Some(_) if items == 0 => Ok(rest),
            Some(levels) => skip_inside(rest, items, levels, noted),
        },
        Ok(Step::Break(_)) => Err((Flaw::Byte(BREAK), input)),
        Err(flaw) => Err((flaw, input)),
    }
}

/// Passes over the entries of a list, `None` if their number is not given, which nest at most `levels`
/// deep.
pub(super) fn skip_entries<'a>(
    input: &'a [u8],
    entries: Option<usize>,
    levels: usize,
    noted: &mut Noted<'a>,
) -> Result<&'a [u8], Fault<'a>> {
    skip_inside(input, entries.unwrap_or(OPEN_LIST), levels, noted)
}

/// Passes over the inside of a container, so many items that nest at most `levels` deep.
fn skip_inside<'a>(
    input: &'a [u8],
    items: usize,
    levels: usize,
    noted: &mut Noted<'a>,
) -> Result<&'a [u8], Fault<'a>> {
    let levels = levels.min(MAX_DEPTH);
    match walk::<SHALLOW>(input, items, levels, noted) {
        Ok(Some(rest)) => Ok(rest),
        Ok(None) => skip_deep(input, items, levels, noted),
        Err(fault) => Err(fault),
    }
}

#[cold]
fn skip_deep<'a>(
    input: &'a [u8],
    items: usize,
    levels: usize,
    noted: &mut Noted<'a>,
) -> Result<&'a [u8], Fault<'a>> {
    // The stack is as tall as `levels` can be, so there is always an answer.
    walk::<MAX_DEPTH>(input, items, levels, noted)?.ok_or((Flaw::Deep, input))
}

/// `None` when `N` levels of stack did not suffice.
#[inline(always)]
fn walk<'a, const N: usize>(
    input: &'a [u8],
    items: usize,
    levels: usize,
    noted: &mut Noted<'a>,
) -> Result<Option<&'a [u8]>, Fault<'a>> {
    // What is still to come in each container around the innermost one.
    let mut stack = [0_usize; N];
    let mut height = 0_usize;
    // What is still to come in the innermost one, the next item included: never 0 here.
    let mut left = items;
    let mut rest = input;
    loop {
        match step_on(rest, noted) {
            Ok(Step::Passed(behind)) => rest = behind,
            Ok(Step::Opened { items, rest: behind }) => {
                if height >= levels {
                    return Err((Flaw::Deep, rest));
                }
                rest = behind;
                if items > 0 {
                    let Some(slot) = stack.get_mut(height) else { return Ok(None) };
                    *slot = left;
                    height = height.wrapping_add(1);
                    left = items;
                    continue;
                }
            }
            Ok(Step::Break(behind)) => {
                if !matches!(left, OPEN_LIST | OPEN_DICT_KEY) {
                    return Err((Flaw::Byte(BREAK), rest));
                }
                rest = behind;
                if height == 0 {
                    return Ok(Some(rest));
                }
                height = height.wrapping_sub(1);
                left = stack.get(height).map_or(1, |left| *left);
            }
            Err(flaw) => return Err((flaw, rest)),
        }
        // An item is complete; so may be the containers that it was the last one of.
        loop {
            left = match left {
                OPEN_LIST => break,
                OPEN_DICT_KEY => OPEN_DICT_VALUE,
                OPEN_DICT_VALUE => OPEN_DICT_KEY,
                items => items.wrapping_sub(1),
            };
            if left != 0 {
                break;
            }
            if height == 0 {
                return Ok(Some(rest));
            }
            height = height.wrapping_sub(1);
            left = stack.get(height).map_or(1, |left| *left);
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

/// Passes over text again, without looking at its bytes.
#[cold]
fn note_text<'a>(text: &'a [u8], noted: &mut Noted<'a>) -> Result<Step<'a>, Flaw> {
    noted.get_or_insert(text);
    let (initial, mut rest) = be8(text)?;
    if info(initial) != INDEFINITE {
        let (length, rest) = length(argument(initial, rest)?)?;
        return Ok(Step::Passed(pass(rest, length)?));
    }
    loop {
        let (chunk, behind) = chunk_bytes(rest, TEXT)?;
        rest = behind;
        if chunk.is_none() {
            return Ok(Step::Passed(rest));
        }
    }
}

/// Passes over one item without content, or the head of one with content.
#[inline(always)]
fn step(rest: &[u8]) -> Result<Step<'_>, Flaw> {
    let (initial, rest) = be8(rest)?;
    if info(initial) == INDEFINITE {
        return indefinite(initial, rest);
    }
    let (value, rest) = argument(initial, rest)?;
    match major(initial) {
        UNSIGNED | NEGATIVE => Ok(Step::Passed(rest)),
        BYTES => length((value, rest)).and_then(|(length, rest)| pass(rest, length)).map(Step::Passed),
        TEXT => length((value, rest)).and_then(|(length, rest)| pass_text(rest, length)).map(Step::Passed),
        LIST => {
            let (items, rest) = length((value, rest))?;
            room(rest, items, false)?;
            Ok(Step::Opened { items, rest })
        }
        DICT => {
            let (entries, rest) = length((value, rest))?;
            room(rest, entries, true)?;
            Ok(Step::Opened { items: entries.saturating_mul(2), rest })
        }
        TAG => Ok(Step::Opened { items: 1, rest }),
        // Simple values below 32 have no second form.
        _ if initial == SIMPLE_8 && value < 32 => Err(Flaw::Byte(low_byte(value))),
        _ => Ok(Step::Passed(rest)),
    }
}

#[inline(never)]
fn indefinite(initial: u8, rest: &[u8]) -> Result<Step<'_>, Flaw> {
    match major(initial) {
        of @ (BYTES | TEXT) => {
            let mut rest = rest;
            loop {
                let (chunk, behind) = chunk(rest, of)?;
                rest = behind;
                if chunk.is_none() {
                    return Ok(Step::Passed(rest));
                }
            }
        }
        LIST => Ok(Step::Opened { items: OPEN_LIST, rest }),
        DICT => Ok(Step::Opened { items: OPEN_DICT_KEY, rest }),
        SIMPLE => Ok(Step::Break(rest)),
        _ => Err(Flaw::Byte(initial)),
    }
}

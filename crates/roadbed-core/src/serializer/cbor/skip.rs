//! Passing over CBOR items without recursion.

use super::super::binary::{pass, pass_text, room};
use super::*;
use crate::limits::MAX_DEPTH;

/// Levels for which the small stack suffices. Nearly all payloads are shallower, and clearing the
/// large stack would cost more than passing over them.
const SHALLOW: usize = 24;

// What is still to come in an open container is a number of items, or one of these where no length
// was given. Numbers cannot reach them: each item takes a byte of the input.
const OPEN_LIST: usize = usize::MAX;
const OPEN_DICT_KEY: usize = usize::MAX - 1;
const OPEN_DICT_VALUE: usize = usize::MAX - 2;

/// What one item turned out to be, and the bytes behind it or behind its head.
enum Step<'a> {
    Passed(&'a [u8]),
    Opened { items: usize, rest: &'a [u8] },
    Break(&'a [u8]),
}

/// Passes over one item that nests at most `levels` deep. The error's slice begins where the item at
/// fault begins.
pub(super) fn skip(input: &[u8], levels: usize) -> Result<&[u8], (Flaw, &[u8])> {
    let levels = levels.min(MAX_DEPTH);
    match walk::<SHALLOW>(input, levels) {
        Ok(Some(rest)) => Ok(rest),
        Ok(None) => skip_deep(input, levels),
        Err(error) => Err(error),
    }
}

#[cold]
fn skip_deep(input: &[u8], levels: usize) -> Result<&[u8], (Flaw, &[u8])> {
    // The stack is as tall as `levels` can be, so there is always an answer.
    walk::<MAX_DEPTH>(input, levels)?.ok_or((Flaw::Deep, input))
}

/// `None` when `N` levels of stack did not suffice.
#[inline(always)]
fn walk<const N: usize>(input: &[u8], levels: usize) -> Result<Option<&[u8]>, (Flaw, &[u8])> {
    // What is still to come in each container around the innermost one.
    let mut stack = [0_usize; N];
    let mut height = 0_usize;
    // What is still to come in the innermost one, the next item included: never 0 here.
    let mut left = 1_usize;
    let mut rest = input;
    loop {
        match step(rest) {
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

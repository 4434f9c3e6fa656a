//! Passing over a value of any shape, checking all of it.

use super::{literal, next, number, string, unexpected};
use crate::limits::MAX_DEPTH;
use crate::serializer::{Malformed, ReadError};

/// The containers open at the moment: one bit each tells a dict from a list.
struct Open {
    depth: usize,
    in_dict: bool,
    outer: [u64; MAX_DEPTH / 64],
}

impl Open {
    #[inline(always)]
    fn push(&mut self, is_dict: bool) {
        let bit = 1 << (self.depth & 63);
        if let Some(word) = self.outer.get_mut(self.depth >> 6) {
            *word = if self.in_dict { *word | bit } else { *word & !bit };
        }
        self.depth = self.depth.wrapping_add(1);
        self.in_dict = is_dict;
    }

    #[inline(always)]
    fn pop(&mut self) {
        self.depth = self.depth.wrapping_sub(1);
        let word = self.outer.get(self.depth >> 6).copied().unwrap_or_default();
        self.in_dict = word >> (self.depth & 63) & 1 != 0;
    }
}

/// Passes over the value at `at`, in which containers may nest `room` levels (at most [`MAX_DEPTH`]).
/// `limit` is what [`Malformed::TooDeep`] names; of what no peer can be given the first is noted.
pub(super) fn value(
    input: &[u8],
    at: usize,
    room: usize,
    limit: usize,
    noted: &mut Option<ReadError>,
) -> Result<usize, ReadError> {
    walk(input, at, Open { depth: 0, in_dict: false, outer: [0; MAX_DEPTH / 64] }, room, limit, noted)
}

/// As [`value`], from the first entry of a list on; the levels include that.
pub(super) fn entries(
    input: &[u8],
    at: usize,
    limit: usize,
    noted: &mut Option<ReadError>,
) -> Result<usize, ReadError> {
    if limit == 0 {
        return Err(ReadError::new(at, Malformed::TooDeep { limit }));
    }
    walk(input, at, Open { depth: 1, in_dict: false, outer: [0; MAX_DEPTH / 64] }, limit, limit, noted)
}

#[inline(always)]
fn walk(
    input: &[u8],
    mut at: usize,
    mut open: Open,
    room: usize,
    limit: usize,
    noted: &mut Option<ReadError>,
) -> Result<usize, ReadError> {
    loop {
        let behind = at.wrapping_add(1);
        match input.get(at) {
            Some(b'"') => at = string::skip_value(input, behind, noted)?,
            Some(b'-') if input.get(behind) == Some(&b'I') => at = non_finite(input, at, noted)?,
            Some(b'-' | b'0'..=b'9') => at = number::scan(input, at)?.end,
            Some(&bracket @ (b'{' | b'[')) => {
                if open.depth >= room {
                    return Err(ReadError::new(at, Malformed::TooDeep { limit }));
                }
                let (inside, byte) = next(input, behind);
                at = inside;
                // In ASCII both closing brackets stand two behind the opening one.
                if byte != Some(bracket.wrapping_add(2)) {
                    open.push(bracket == b'{');
                    if open.in_dict {
                        at = key(input, at, noted)?;
                    }
                    continue;
                }
                at = at.wrapping_add(1);
            }
            Some(b't') => at = literal(input, at, b"true")?,
            Some(b'f') => at = literal(input, at, b"false")?,
            Some(b'n') => at = literal(input, at, b"null")?,
            Some(b' ' | b'\t' | b'\n' | b'\r') => {
                at = next(input, at).0;
                continue;
            }
            _ => at = non_finite(input, at, noted)?,
        }
        // A value has ended, and with it perhaps the containers around it.
        loop {
            if open.depth == 0 {
                return Ok(at);
            }
            let behind = at.wrapping_add(1);
            match input.get(at) {
                Some(b',') => {
                    at = if open.in_dict { key(input, behind, noted)? } else { behind };
                    break;
                }
                Some(b'}') if open.in_dict => open.pop(),
                Some(b']') if !open.in_dict => open.pop(),
                Some(b' ' | b'\t' | b'\n' | b'\r') => {
                    at = next(input, at).0;
                    continue;
                }
                _ => return Err(unexpected(input, at)),
            }
            at = behind;
        }
    }
}

/// Passes over a number that JSON does not have, and notes it; anything else is malformed.
#[cold]
fn non_finite(input: &[u8], at: usize, noted: &mut Option<ReadError>) -> Result<usize, ReadError> {
    let Some(end) = number::non_finite(input, at) else { return Err(unexpected(input, at)) };
    noted.get_or_insert(ReadError::new(at, Malformed::NonFinite));
    Ok(end)
}

/// Passes over a key and the colon behind it.
#[inline(always)]
pub(super) fn key(input: &[u8], at: usize, noted: &mut Option<ReadError>) -> Result<usize, ReadError> {
    let at = if input.get(at) == Some(&b'"') { at } else { next(input, at).0 };
    if input.get(at) != Some(&b'"') {
        return Err(unexpected(input, at));
    }
    colon(input, string::skip(input, at.wrapping_add(1), noted)?)
}

/// Passes over the colon behind a key.
#[inline(always)]
pub(super) fn colon(input: &[u8], at: usize) -> Result<usize, ReadError> {
    if input.get(at) == Some(&b':') {
        return Ok(at.wrapping_add(1));
    }
    let (at, byte) = next(input, at);
    if byte == Some(b':') { Ok(at.wrapping_add(1)) } else { Err(unexpected(input, at)) }
}

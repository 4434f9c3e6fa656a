//! Reading CBOR.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use bytes::Bytes;
use bytestring::ByteString;

use super::super::binary::{checked, half, room, shared};
use super::super::{Kind, Malformed, Number, ReadError, Reader, Scalar, Seq};
use super::head::Head;
use super::*;
use crate::limits::MAX_DEPTH;

/// A [`Reader`] of CBOR.
#[derive(Debug)]
pub(crate) struct CborReader<'a> {
    input: &'a Bytes,
    rest: &'a [u8],
    depth: usize,
    noted: skip::Noted<'a>,
}

impl<'a> CborReader<'a> {
    /// The error for what is wrong with the item that begins where `at` begins.
    #[cold]
    fn flaw(&self, flaw: Flaw, at: &[u8]) -> ReadError {
        ReadError::new(self.input.len().saturating_sub(at.len()), flaw.malformed(self.depth))
    }

    #[cold]
    fn error(&self, kind: Malformed) -> ReadError {
        ReadError::new(self.offset(), kind)
    }

    /// The error for a next item of the wrong type.
    #[cold]
    fn mismatch(&self, expected: &'static str, found: &Head<'_>) -> ReadError {
        self.error(Malformed::WrongType { expected, found: found.kind() })
    }

    /// The next item's head; consumes nothing.
    #[inline(always)]
    fn head(&self) -> Result<Head<'a>, ReadError> {
        Head::read(self.rest, self.depth).map_err(|flaw| self.flaw(flaw, self.rest))
    }

    /// Takes a part off the front.
    #[inline(always)]
    fn accept<T>(&mut self, part: Part<'a, T>) -> Result<T, ReadError> {
        match part {
            Ok((value, rest)) => {
                self.rest = rest;
                Ok(value)
            }
            Err(flaw) => Err(self.flaw(flaw, self.rest)),
        }
    }

    /// Opens a list or dict.
    #[inline(always)]
    fn open(&mut self, of: u8, expected: &'static str) -> Result<Seq, ReadError> {
        let is_dict = of == DICT;
        match self.rest.split_first() {
            Some((&initial, rest)) if major(initial) == of && info(initial) != INDEFINITE => {
                let entries = argument(initial, rest).and_then(length);
                self.open_definite(entries, is_dict)
            }
            _ => self.open_unusual(of, expected),
        }
    }

    /// Opens a tagged list or dict, or one of indefinite length; all else is an error.
    #[cold]
    fn open_unusual(&mut self, of: u8, expected: &'static str) -> Result<Seq, ReadError> {
        let head = self.head()?;
        let is_dict = of == DICT;
        if head.major() != of {
            return Err(self.mismatch(expected, &head));
        }
        if head.is_indefinite() {
            self.rest = head.rest;
            return Ok(Seq { remaining: None, is_first: true, is_dict });
        }
        self.open_definite(length((head.argument, head.rest)), is_dict)
    }

    #[inline(always)]
    fn open_definite(&mut self, entries: Part<'a, usize>, is_dict: bool) -> Result<Seq, ReadError> {
        let checked = entries.and_then(|(entries, rest)| {
            room(rest, entries, is_dict)?;
            Ok((entries, rest))
        });
        let remaining = Some(self.accept(checked)?);
        Ok(Seq { remaining, is_first: true, is_dict })
    }

    /// Reads text behind tags, text in chunks, or binary; all else is an error.
    #[cold]
    fn unusual_text(&mut self) -> Result<ByteString, ReadError> {
        let head = self.head()?;
        if !matches!(head.major(), TEXT | BYTES) {
            return Err(self.mismatch("text", &head));
        }
        let (bytes, rest) = string(&head).map_err(|flaw| self.flaw(flaw, self.rest))?;
        let bytes = match bytes {
            Cow::Borrowed(bytes) => self.input.slice_ref(bytes),
            Cow::Owned(bytes) => Bytes::from(bytes),
        };
        match ByteString::try_from(bytes) {
            Ok(text) => {
                self.rest = rest;
                Ok(text)
            }
            Err(_) if head.major() == BYTES => Err(self.mismatch("text", &head)),
            Err(_) => Err(self.flaw(Flaw::Utf8, self.rest)),
        }
    }

    /// Reads a key behind tags, or in chunks; all else is an error.
    #[cold]
    fn unusual_key(&mut self) -> Result<Cow<'a, str>, ReadError> {
        let head = self.head()?;
        if head.major() != TEXT {
            return Err(self.error(Malformed::NonTextKey(head.kind())));
        }
        self.accept(text(&head))
    }

    /// The next item's integer, if it is one: its magnitude, and whether it is negative, which stands
    /// for −1 − magnitude. `None` for a bignum beyond 64 bits.
    fn integer(head: &Head<'a>) -> Option<Part<'a, Option<(u64, bool)>>> {
        match (head.major(), head.bignum) {
            (UNSIGNED, _) => Some(Ok((Some((head.argument, false)), head.rest))),
            (NEGATIVE, _) => Some(Ok((Some((head.argument, true)), head.rest))),
            (_, Some(is_negative)) => Some(
                string(head)
                    .map(|(bytes, rest)| (magnitude(&bytes).map(|magnitude| (magnitude, is_negative)), rest)),
            ),
            _ => None,
        }
    }

    /// Reads the item with this head if it is a number.
    #[inline]
    fn number_of(&mut self, head: &Head<'a>) -> Result<Option<Number>, ReadError> {
        if head.major() == UNSIGNED {
            self.rest = head.rest;
            return Ok(Some(Number::Unsigned(head.argument)));
        }
        if matches!(head.initial, FLOAT16 | FLOAT32 | FLOAT64) {
            self.rest = head.rest;
            return Ok(Some(Number::Float(float(head))));
        }
        let Some(integer) = Self::integer(head) else {
            return Ok(None);
        };
        let (value, rest) = integer.map_err(|flaw| self.flaw(flaw, self.rest))?;
        let number = match value {
            Some((value, false)) => Some(Number::Unsigned(value)),
            Some((value, true)) => i64::try_from(value).ok().map(|value| Number::Negative(!value)),
            None => None,
        };
        let number = number.ok_or_else(|| self.error(Malformed::NumberOutOfRange))?;
        self.rest = rest;
        Ok(Some(number))
    }

    /// Reads a bignum or a tagged integer; all else is an error.
    #[cold]
    fn unusual_u64(&mut self) -> Result<u64, ReadError> {
        let head = self.head()?;
        let Some(integer) = Self::integer(&head) else {
            return Err(self.mismatch("a non-negative integer", &head));
        };
        match integer {
            Ok((Some((value, false)), rest)) => {
                self.rest = rest;
                Ok(value)
            }
            Ok((None, _)) if head.bignum == Some(false) => Err(self.error(Malformed::NumberOutOfRange)),
            Ok(_) => Err(self.error(Malformed::Negative)),
            Err(flaw) => Err(self.flaw(flaw, self.rest)),
        }
    }
}

impl<'a> Reader<'a> for CborReader<'a> {
    #[inline]
    fn new(input: &'a Bytes, depth: usize) -> Self {
        Self { input, rest: input, depth: depth.min(MAX_DEPTH), noted: None }
    }

    #[inline]
    fn offset(&self) -> usize {
        self.input.len().wrapping_sub(self.rest.len())
    }

    #[inline]
    fn rewind(&mut self, offset: usize) {
        self.rest = self.input.get(offset..).unwrap_or_default();
    }

    #[inline]
    fn slice(&self, range: Range<usize>) -> Bytes {
        self.input.slice(range)
    }

    #[inline]
    fn value_start(&mut self) -> usize {
        self.offset()
    }

    #[inline]
    fn kind(&mut self) -> Result<Kind, ReadError> {
        self.head().map(|head| head.kind())
    }

    #[inline]
    fn list(&mut self) -> Result<Seq, ReadError> {
        self.open(LIST, "a list")
    }

    #[inline]
    fn dict(&mut self) -> Result<Seq, ReadError> {
        self.open(DICT, "a dict")
    }

    #[inline]
    fn more(&mut self, seq: &mut Seq) -> Result<bool, ReadError> {
        seq.is_first = false;
        match seq.remaining {
            Some(remaining) => {
                seq.remaining = Some(remaining.saturating_sub(1));
                Ok(remaining > 0)
            }
            None => match self.rest.split_first() {
                Some((&BREAK, rest)) => {
                    self.rest = rest;
                    Ok(false)
                }
                Some(_) => Ok(true),
                None => Err(self.flaw(Flaw::End, self.rest)),
            },
        }
    }

    #[inline]
    fn key(&mut self) -> Result<Cow<'a, str>, ReadError> {
        match plain_text(self.rest) {
            Some(bytes) => self.accept(bytes.and_then(checked)).map(Cow::Borrowed),
            None => self.unusual_key(),
        }
    }

    #[inline]
    fn bool(&mut self) -> Result<bool, ReadError> {
        let head = self.head()?;
        let value = match head.initial {
            FALSE => false,
            TRUE => true,
            _ => return Err(self.mismatch("a boolean", &head)),
        };
        self.rest = head.rest;
        Ok(value)
    }

    #[inline]
    fn u64(&mut self) -> Result<u64, ReadError> {
        match self.rest.split_first() {
            Some((&initial, rest)) if major(initial) == UNSIGNED => self.accept(argument(initial, rest)),
            _ => self.unusual_u64(),
        }
    }

    #[inline]
    fn text(&mut self) -> Result<ByteString, ReadError> {
        let Some(bytes) = plain_text(self.rest) else { return self.unusual_text() };
        let (bytes, rest) = bytes.map_err(|flaw| self.flaw(flaw, self.rest))?;
        match ByteString::try_from(shared(self.input, bytes.len(), rest)) {
            Ok(text) => {
                self.rest = rest;
                Ok(text)
            }
            Err(_) => Err(self.flaw(Flaw::Utf8, self.rest)),
        }
    }

    fn number(&mut self) -> Result<Option<Number>, ReadError> {
        let head = self.head()?;
        self.number_of(&head)
    }

    #[inline]
    fn scalar(&mut self) -> Result<Scalar<'a>, ReadError> {
        let head = self.head()?;
        if let Some(number) = self.number_of(&head)? {
            return Ok(number.into());
        }
        let part = match (head.major(), head.initial) {
            (BYTES, _) => string(&head).map(|(bytes, rest)| (Scalar::Binary(bytes), rest)),
            (TEXT, _) => text(&head).map(|(text, rest)| (Scalar::Text(text), rest)),
            (_, FALSE) => Ok((Scalar::Bool(false), head.rest)),
            (_, TRUE) => Ok((Scalar::Bool(true), head.rest)),
            (_, NULL | UNDEFINED) => Ok((Scalar::Null, head.rest)),
            _ => return Err(self.mismatch("a value that is no container", &head)),
        };
        self.accept(part)
    }

    #[inline]
    fn skip(&mut self, outer: usize) -> Result<(), ReadError> {
        match skip::skip(self.rest, self.depth.saturating_sub(outer), &mut self.noted) {
            Ok(rest) => {
                self.rest = rest;
                Ok(())
            }
            Err((flaw, at)) => Err(self.flaw(flaw, at)),
        }
    }

    #[inline]
    fn skip_key(&mut self, outer: usize) -> Result<(), ReadError> {
        self.skip(outer)
    }

    #[inline]
    fn blemish(&mut self) -> Option<ReadError> {
        let noted = self.noted.take()?;
        Some(self.flaw(Flaw::Utf8, noted))
    }

    fn oddity_at(&self, offset: usize) -> Option<&'static str> {
        match self.input.get(offset) {
            Some(&UNDEFINED) => Some("undefined"),
            Some(&initial) if major(initial) == TAG => Some("a tag"),
            _ => None,
        }
    }

    #[inline]
    fn depth(&self) -> usize {
        self.depth
    }

    #[inline]
    fn skip_entries(&mut self, seq: Seq) -> Result<(), ReadError> {
        let Some(levels) = self.depth.checked_sub(1) else { return Err(self.flaw(Flaw::Deep, self.rest)) };
        match skip::skip_entries(self.rest, seq.remaining, levels, &mut self.noted) {
            Ok(rest) => {
                self.rest = rest;
                Ok(())
            }
            Err((flaw, at)) => Err(self.flaw(flaw, at)),
        }
    }

    #[inline]
    fn finish(&mut self) -> Result<(), ReadError> {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(self.error(Malformed::TrailingBytes { count })),
        }
    }
}

/// The bytes of the next item if it is text, without tags and in one piece.
#[inline(always)]
fn plain_text(rest: &[u8]) -> Option<Part<'_, &[u8]>> {
    match rest.split_first() {
        Some((&initial, rest)) if major(initial) == TEXT && info(initial) != INDEFINITE => {
            Some(argument(initial, rest).and_then(length).and_then(|(length, rest)| take(rest, length)))
        }
        _ => None,
    }
}

/// The bytes of a string. Chunks are joined; those of text are checked one by one.
#[inline]
fn string<'a>(head: &Head<'a>) -> Part<'a, Cow<'a, [u8]>> {
    if !head.is_indefinite() {
        let (length, rest) = length((head.argument, head.rest))?;
        return take(rest, length).map(|(bytes, rest)| (Cow::Borrowed(bytes), rest));
    }
    chunked(head)
}

#[cold]
fn chunked<'a>(head: &Head<'a>) -> Part<'a, Cow<'a, [u8]>> {
    let mut rest = head.rest;
    let mut joined = Vec::new();
    loop {
        let (next, behind) = chunk(rest, head.major())?;
        rest = behind;
        match next {
            Some(bytes) => joined.extend_from_slice(bytes),
            None => return Ok((Cow::Owned(joined), rest)),
        }
    }
}

#[inline]
fn text<'a>(head: &Head<'a>) -> Part<'a, Cow<'a, str>> {
    let (bytes, rest) = string(head)?;
    let text = match bytes {
        Cow::Borrowed(bytes) => core::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    };
    text.map(|text| (text, rest)).ok_or(Flaw::Utf8)
}

/// A number of any length as 64 bits, if it fits.
fn magnitude(bytes: &[u8]) -> Option<u64> {
    let mut significant = bytes;
    while let [0, rest @ ..] = significant {
        significant = rest;
    }
    if significant.len() > 8 {
        return None;
    }
    Some(significant.iter().fold(0, |value, byte| (value << 8) | u64::from(*byte)))
}

/// Every NaN is read as the same one: which bits survive a widening is not the same everywhere.
fn float(head: &Head<'_>) -> f64 {
    let value = match head.initial {
        FLOAT16 => half(u16::try_from(head.argument).unwrap_or_default()),
        FLOAT32 => f64::from(f32::from_bits(u32::try_from(head.argument).unwrap_or_default())),
        _ => f64::from_bits(head.argument),
    };
    if value.is_nan() { f64::NAN } else { value }
}

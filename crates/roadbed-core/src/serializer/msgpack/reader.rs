//! Reading MessagePack.

use alloc::borrow::Cow;
use core::ops::Range;

use bytes::Bytes;
use bytestring::ByteString;

use super::super::binary::{Flaw, Part, be8, be16, be32, be64, checked, chunk, length, room, shared, take};
use super::super::{Kind, Malformed, Number, ReadError, Reader, Scalar, Seq};
use super::*;
use crate::limits::MAX_DEPTH;

/// A [`Reader`] of MessagePack.
#[derive(Debug)]
pub(crate) struct MsgPackReader<'a> {
    input: &'a Bytes,
    rest: &'a [u8],
    depth: usize,
    noted: skip::Noted<'a>,
}

impl<'a> MsgPackReader<'a> {
    /// The error for what is wrong with the value that begins where `at` begins.
    #[cold]
    fn flaw(&self, flaw: Flaw, at: &[u8]) -> ReadError {
        ReadError::new(self.input.len().saturating_sub(at.len()), flaw.malformed(self.depth))
    }

    /// The error for a next value of the wrong type; consumes nothing.
    #[cold]
    fn mismatch(&self, expected: &'static str) -> ReadError {
        match kind(self.rest) {
            Ok(found) => ReadError::new(self.offset(), Malformed::WrongType { expected, found }),
            Err(flaw) => self.flaw(flaw, self.rest),
        }
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

    #[inline(always)]
    fn open(&mut self, entries: Part<'a, usize>, is_dict: bool) -> Result<Seq, ReadError> {
        let checked = entries.and_then(|(entries, rest)| {
            room(rest, entries, is_dict)?;
            Ok((entries, rest))
        });
        let remaining = Some(self.accept(checked)?);
        Ok(Seq { remaining, is_first: true, is_dict })
    }

    /// Reads a float or a signed integer, if one is next.
    fn unusual_number(&mut self) -> Result<Option<Number>, ReadError> {
        if let Some((&FLOAT64, rest)) = self.rest.split_first() {
            let (bits, rest) = be64(rest).map_err(|flaw| self.flaw(flaw, self.rest))?;
            self.rest = rest;
            return Ok(float((f64::from_bits(bits), rest)).0.number());
        }
        match self.kind()? {
            Kind::Integer | Kind::Float => self.scalar().map(|scalar| scalar.number()),
            _ => Ok(None),
        }
    }

    /// Reads a signed integer that is not negative; all else is an error.
    #[cold]
    fn unusual_u64(&mut self) -> Result<u64, ReadError> {
        const EXPECTED: &str = "a non-negative integer";
        let (marker, rest) = be8(self.rest).map_err(|flaw| self.flaw(flaw, self.rest))?;
        match integer(marker, rest) {
            Some(Ok((value, rest))) => match u64::try_from(value) {
                Ok(value) => {
                    self.rest = rest;
                    Ok(value)
                }
                Err(_) => Err(ReadError::new(self.offset(), Malformed::Negative)),
            },
            Some(Err(flaw)) => Err(self.flaw(flaw, self.rest)),
            None => Err(self.mismatch(EXPECTED)),
        }
    }
}

impl<'a> Reader<'a> for MsgPackReader<'a> {
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
        kind(self.rest).map_err(|flaw| self.flaw(flaw, self.rest))
    }

    #[inline]
    fn list(&mut self) -> Result<Seq, ReadError> {
        let entries = match self.rest.split_first() {
            Some((&marker @ FIXARRAY..=FIXARRAY_MAX, rest)) => Ok((usize::from(marker & 0x0f), rest)),
            Some((&ARRAY16, rest)) => be16(rest).and_then(length),
            Some((&ARRAY32, rest)) => be32(rest).and_then(length),
            _ => return Err(self.mismatch("a list")),
        };
        self.open(entries, false)
    }

    #[inline]
    fn dict(&mut self) -> Result<Seq, ReadError> {
        let entries = match self.rest.split_first() {
            Some((&marker @ FIXMAP..=FIXMAP_MAX, rest)) => Ok((usize::from(marker & 0x0f), rest)),
            Some((&MAP16, rest)) => be16(rest).and_then(length),
            Some((&MAP32, rest)) => be32(rest).and_then(length),
            _ => return Err(self.mismatch("a dict")),
        };
        self.open(entries, true)
    }

    #[inline]
    fn more(&mut self, seq: &mut Seq) -> Result<bool, ReadError> {
        seq.is_first = false;
        match seq.remaining.and_then(|remaining| remaining.checked_sub(1)) {
            None => Ok(false),
            remaining => {
                seq.remaining = remaining;
                Ok(true)
            }
        }
    }

    #[inline]
    fn key(&mut self) -> Result<Cow<'a, str>, ReadError> {
        let Some(bytes) = text_bytes(self.rest) else {
            return Err(match self.kind() {
                Ok(kind) => ReadError::new(self.offset(), Malformed::NonTextKey(kind)),
                Err(error) => error,
            });
        };
        self.accept(bytes.and_then(checked)).map(Cow::Borrowed)
    }

    #[inline]
    fn bool(&mut self) -> Result<bool, ReadError> {
        let (value, rest) = match self.rest.split_first() {
            Some((&FALSE, rest)) => (false, rest),
            Some((&TRUE, rest)) => (true, rest),
            _ => return Err(self.mismatch("a boolean")),
        };
        self.rest = rest;
        Ok(value)
    }

    #[inline]
    fn u64(&mut self) -> Result<u64, ReadError> {
        fn widen<T: Into<u64>>((value, rest): (T, &[u8])) -> (u64, &[u8]) {
            (value.into(), rest)
        }
        let value = match self.rest.split_first() {
            Some((&value @ 0..FIXMAP, rest)) => Ok((value.into(), rest)),
            Some((&UINT8, rest)) => be8(rest).map(widen),
            Some((&UINT16, rest)) => be16(rest).map(widen),
            Some((&UINT32, rest)) => be32(rest).map(widen),
            Some((&UINT64, rest)) => be64(rest),
            _ => return self.unusual_u64(),
        };
        self.accept(value)
    }

    #[inline]
    fn text(&mut self) -> Result<ByteString, ReadError> {
        let (part, is_binary) = match (text_bytes(self.rest), self.rest) {
            (Some(part), _) => (part, false),
            (None, [BIN8..=BIN32, ..]) => (binary_bytes(self.rest), true),
            _ => return Err(self.mismatch("text")),
        };
        let (bytes, rest) = part.map_err(|flaw| self.flaw(flaw, self.rest))?;
        match ByteString::try_from(shared(self.input, bytes.len(), rest)) {
            Ok(text) => {
                self.rest = rest;
                Ok(text)
            }
            Err(_) if is_binary => Err(self.mismatch("text")),
            Err(_) => Err(self.flaw(Flaw::Utf8, self.rest)),
        }
    }

    fn number(&mut self) -> Result<Option<Number>, ReadError> {
        fn unsigned<T: Into<u64>>((value, rest): (T, &[u8])) -> (Number, &[u8]) {
            (Number::Unsigned(value.into()), rest)
        }
        let number = match self.rest.split_first() {
            Some((&value @ 0..FIXMAP, rest)) => Ok(unsigned((value, rest))),
            Some((&UINT8, rest)) => be8(rest).map(unsigned),
            Some((&UINT16, rest)) => be16(rest).map(unsigned),
            Some((&UINT32, rest)) => be32(rest).map(unsigned),
            Some((&UINT64, rest)) => be64(rest).map(unsigned),
            _ => return self.unusual_number(),
        };
        self.accept(number).map(Some)
    }

    #[inline]
    fn scalar(&mut self) -> Result<Scalar<'a>, ReadError> {
        let here = self.rest;
        let (marker, rest) = be8(here).map_err(|flaw| self.flaw(flaw, here))?;
        let part = match marker {
            NIL => Ok((Scalar::Null, rest)),
            FALSE => Ok((Scalar::Bool(false), rest)),
            TRUE => Ok((Scalar::Bool(true), rest)),
            FLOAT32 => be32(rest).map(|(bits, rest)| (f64::from(f32::from_bits(bits)), rest)).map(float),
            FLOAT64 => be64(rest).map(|(bits, rest)| (f64::from_bits(bits), rest)).map(float),
            BIN8..=BIN32 => binary_bytes(here).map(|(bytes, rest)| (Scalar::Binary(bytes.into()), rest)),
            FIXEXT1 if kind(here) == Ok(Kind::Null) => chunk::<2>(rest).map(|(_, rest)| (Scalar::Null, rest)),
            _ => {
                if let Some(text) = text_bytes(here) {
                    text.and_then(checked).map(|(text, rest)| (Scalar::Text(text.into()), rest))
                } else if let Some(integer) = integer(marker, rest) {
                    integer.map(|(value, rest)| (integral(value), rest))
                } else {
                    return Err(self.mismatch("a value that is no container"));
                }
            }
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
            Some(FIXEXT1..=FIXEXT16 | EXT8..=EXT32) => Some("an extension"),
            _ => None,
        }
    }

    #[inline]
    fn depth(&self) -> usize {
        self.depth
    }

    #[inline]
    fn skip_entries(&mut self, seq: Seq) -> Result<(), ReadError> {
        let values = seq.remaining.unwrap_or_default();
        let Some(levels) = self.depth.checked_sub(1) else { return Err(self.flaw(Flaw::Deep, self.rest)) };
        match skip::skip_inside(self.rest, values, levels, &mut self.noted) {
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
            count => Err(ReadError::new(self.offset(), Malformed::TrailingBytes { count })),
        }
    }
}

fn kind(rest: &[u8]) -> Result<Kind, Flaw> {
    let (marker, behind) = be8(rest)?;
    Ok(match marker {
        0..FIXMAP | NEGATIVE_FIXINT.. | UINT8..=INT64 => Kind::Integer,
        FIXMAP..=FIXMAP_MAX | MAP16 | MAP32 => Kind::Dict,
        FIXARRAY..=FIXARRAY_MAX | ARRAY16 | ARRAY32 => Kind::List,
        FIXSTR..=FIXSTR_MAX | STR8..=STR32 => Kind::Text,
        NIL => Kind::Null,
        FALSE | TRUE => Kind::Bool,
        BIN8..=BIN32 => Kind::Binary,
        FLOAT32 | FLOAT64 => Kind::Float,
        FIXEXT1 if chunk(behind)?.0 == [0, 0] => Kind::Null,
        FIXEXT1..=FIXEXT16 | EXT8..=EXT32 => Kind::Other,
        NEVER_USED => return Err(Flaw::Byte(NEVER_USED)),
    })
}

/// The bytes of the next value if it is text.
#[inline(always)]
pub(super) fn text_bytes(rest: &[u8]) -> Option<Part<'_, &[u8]>> {
    let (length, rest) = match rest.split_first() {
        Some((&marker @ FIXSTR..=FIXSTR_MAX, rest)) => (usize::from(marker & 0x1f), rest),
        Some((&marker @ STR8..=STR32, rest)) => match wide_length(marker, STR8, rest) {
            Ok(part) => part,
            Err(flaw) => return Some(Err(flaw)),
        },
        _ => return None,
    };
    Some(take(rest, length))
}

/// The bytes of the next value, which is binary.
fn binary_bytes(rest: &[u8]) -> Part<'_, &[u8]> {
    let (marker, rest) = be8(rest)?;
    wide_length(marker, BIN8, rest).and_then(|(length, rest)| take(rest, length))
}

/// The length behind the marker of a family whose first member has a length of 8 bits, followed by
/// those with 16 and 32 bits.
#[inline(always)]
fn wide_length(marker: u8, first: u8, rest: &[u8]) -> Part<'_, usize> {
    match marker.wrapping_sub(first) {
        0 => be8(rest).and_then(length),
        1 => be16(rest).and_then(length),
        _ => be32(rest).and_then(length),
    }
}

/// Every NaN is read as the same one: which bits survive a widening is not the same everywhere.
fn float<'a>((value, rest): (f64, &'a [u8])) -> (Scalar<'a>, &'a [u8]) {
    (Scalar::Float(if value.is_nan() { f64::NAN } else { value }), rest)
}

/// The value of an integer, none for other markers.
fn integer(marker: u8, rest: &[u8]) -> Option<Part<'_, i128>> {
    fn widen<T: Into<i128>>((value, rest): (T, &[u8])) -> (i128, &[u8]) {
        (value.into(), rest)
    }
    Some(match marker {
        0..FIXMAP => Ok((marker.into(), rest)),
        NEGATIVE_FIXINT.. => Ok((marker.cast_signed().into(), rest)),
        UINT8 => be8(rest).map(widen),
        UINT16 => be16(rest).map(widen),
        UINT32 => be32(rest).map(widen),
        UINT64 => be64(rest).map(widen),
        INT8 => be8(rest).map(|(value, rest)| widen((value.cast_signed(), rest))),
        INT16 => be16(rest).map(|(value, rest)| widen((value.cast_signed(), rest))),
        INT32 => be32(rest).map(|(value, rest)| widen((value.cast_signed(), rest))),
        INT64 => be64(rest).map(|(value, rest)| widen((value.cast_signed(), rest))),
        _ => return None,
    })
}

/// The scalar of an integer that came from 64 bits.
fn integral<'a>(value: i128) -> Scalar<'a> {
    match u64::try_from(value) {
        Ok(value) => Scalar::Unsigned(value),
        Err(_) => Scalar::Negative(i64::try_from(value).unwrap_or(i64::MIN)),
    }
}

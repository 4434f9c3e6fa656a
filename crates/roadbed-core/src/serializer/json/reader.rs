//! The pull reader.

use alloc::borrow::Cow;
use core::ops::Range;

use base64ct::{Base64, Encoding};
use bytes::Bytes;
use bytestring::ByteString;

use super::number::{self, Class};
use super::{binary, literal, next, skip, string, unexpected};
use crate::limits::MAX_DEPTH;
use crate::serializer::{Kind, Malformed, Number, ReadError, Reader, Scalar, Seq};

/// A strict pull reader over one JSON text.
#[derive(Debug)]
pub(crate) struct JsonReader<'a> {
    shared: &'a Bytes,
    input: &'a [u8],
    at: usize,
    depth: usize,
    noted: Option<ReadError>,
}

impl<'a> JsonReader<'a> {
    /// The first byte of the next value, if any is left; passes over white space.
    #[inline(always)]
    fn peek(&mut self) -> Option<u8> {
        let (at, byte) = next(self.input, self.at);
        self.at = at;
        byte
    }

    #[cold]
    fn wrong_type(&mut self, expected: &'static str) -> ReadError {
        match self.kind() {
            Ok(found) => ReadError::new(self.at, Malformed::WrongType { expected, found }),
            Err(error) => error,
        }
    }

    fn is_binary(&self) -> bool {
        self.input.get(self.at..).unwrap_or_default().starts_with(binary::MARK)
    }

    #[inline(always)]
    fn open(&mut self, bracket: u8, expected: &'static str, is_dict: bool) -> Result<Seq, ReadError> {
        if self.peek() != Some(bracket) {
            return Err(self.wrong_type(expected));
        }
        self.at = self.at.wrapping_add(1);
        Ok(Seq { remaining: None, is_first: true, is_dict })
    }

    /// Reads the string whose opening quote is next.
    fn string(&mut self) -> Result<Cow<'a, str>, ReadError> {
        let from = self.at.wrapping_add(1);
        let end = string::find_end(self.input, from)?;
        let text = if end.has_escapes {
            Cow::Owned(string::unescape(self.input, from, end.at)?)
        } else {
            Cow::Borrowed(string::check_utf8(self.input, from, end.at)?)
        };
        self.at = end.at.wrapping_add(1);
        Ok(text)
    }

    /// Reads the string whose opening quote is next and which begins with [`MARK`](binary::MARK).
    fn binary(&mut self) -> Result<Cow<'a, [u8]>, ReadError> {
        let invalid = ReadError::new(self.at, Malformed::InvalidBinary);
        let from = self.at.wrapping_add(binary::MARK.len());
        let plain = string::plain(self.input, from);
        let bytes = if self.input.get(plain.end) == Some(&b'"') && plain.is_ascii() {
            self.at = plain.end.wrapping_add(1);
            Base64::decode_vec(string::check_utf8(self.input, from, plain.end)?)
        } else {
            // Some peers write every slash as `\/`.
            let text = self.string()?;
            Base64::decode_vec(text.get(1..).unwrap_or_default())
        };
        bytes.map(Cow::Owned).map_err(|_| invalid)
    }

    /// Reads an integer that is not as most are; all else is an error.
    #[cold]
    fn unusual_u64(&mut self) -> Result<u64, ReadError> {
        const EXPECTED: &str = "a non-negative integer";
        let Some(b'-' | b'0'..=b'9') = self.peek() else {
            return Err(self.wrong_type(EXPECTED));
        };
        if number::non_finite(self.input, self.at).is_some() {
            return Err(self.wrong_type(EXPECTED));
        }
        let number = number::scan(self.input, self.at)?;
        if number.class == Class::Negative {
            return Err(ReadError::new(self.at, Malformed::Negative));
        }
        if number.class != Class::Unsigned {
            let found = number.class.kind();
            return Err(ReadError::new(self.at, Malformed::WrongType { expected: EXPECTED, found }));
        }
        let value = number::unsigned(self.input, self.at, number.end)
            .ok_or_else(|| ReadError::new(self.at, Malformed::NumberOutOfRange))?;
        self.at = number.end;
        Ok(value)
    }

    fn literal(&mut self, word: &'static [u8]) -> Result<(), ReadError> {
        self.at = literal(self.input, self.at, word)?;
        Ok(())
    }
}

impl<'a> Reader<'a> for JsonReader<'a> {
    #[inline]
    fn new(input: &'a Bytes, depth: usize) -> Self {
        Self { shared: input, input, at: 0, depth: depth.min(MAX_DEPTH), noted: None }
    }

    #[inline]
    fn offset(&self) -> usize {
        self.at
    }

    #[inline]
    fn rewind(&mut self, offset: usize) {
        self.at = offset;
    }

    #[inline]
    fn slice(&self, range: Range<usize>) -> Bytes {
        let end = range.end.min(self.shared.len());
        self.shared.slice(range.start.min(end)..end)
    }

    #[inline]
    fn value_start(&mut self) -> usize {
        self.peek();
        self.at
    }

    fn kind(&mut self) -> Result<Kind, ReadError> {
        let input = self.input;
        Ok(match self.peek() {
            Some(b'"') if self.is_binary() => Kind::Binary,
            Some(b'"') => Kind::Text,
            Some(b'[') => Kind::List,
            Some(b'{') => Kind::Dict,
            Some(b'-' | b'N' | b'I') if number::non_finite(input, self.at).is_some() => Kind::Float,
            Some(b'-' | b'0'..=b'9') => number::scan(input, self.at)?.class.kind(),
            Some(b't') => literal(input, self.at, b"true").map(|_| Kind::Bool)?,
            Some(b'f') => literal(input, self.at, b"false").map(|_| Kind::Bool)?,
            Some(b'n') => literal(input, self.at, b"null").map(|_| Kind::Null)?,
            _ => return Err(unexpected(input, self.at)),
        })
    }

    #[inline]
    fn list(&mut self) -> Result<Seq, ReadError> {
        self.open(b'[', "a list", false)
    }

    #[inline]
    fn dict(&mut self) -> Result<Seq, ReadError> {
        self.open(b'{', "a dict", true)
    }

    #[inline]
    fn more(&mut self, seq: &mut Seq) -> Result<bool, ReadError> {
        let close = if seq.is_dict { b'}' } else { b']' };
        let next = self.peek();
        if next == Some(close) {
            self.at = self.at.wrapping_add(1);
            return Ok(false);
        }
        if seq.is_first {
            seq.is_first = false;
            return Ok(true);
        }
        if next != Some(b',') {
            return Err(unexpected(self.input, self.at));
        }
        self.at = self.at.wrapping_add(1);
        // A closing bracket here would be taken for no value, but a caller that stops early must see
        // the stray comma too.
        if self.peek() == Some(close) { Err(unexpected(self.input, self.at)) } else { Ok(true) }
    }

    #[inline]
    fn key(&mut self) -> Result<Cow<'a, str>, ReadError> {
        if self.peek() != Some(b'"') {
            let kind = self.kind()?;
            return Err(ReadError::new(self.at, Malformed::NonTextKey(kind)));
        }
        let key = self.string()?;
        self.at = skip::colon(self.input, self.at)?;
        Ok(key)
    }

    fn bool(&mut self) -> Result<bool, ReadError> {
        match self.peek() {
            Some(b't') => self.literal(b"true").map(|()| true),
            Some(b'f') => self.literal(b"false").map(|()| false),
            _ => Err(self.wrong_type("a boolean")),
        }
    }

    #[inline]
    fn u64(&mut self) -> Result<u64, ReadError> {
        self.peek();
        match number::usual(self.input, self.at) {
            Some((value, end)) => {
                self.at = end;
                Ok(value)
            }
            None => self.unusual_u64(),
        }
    }

    #[inline]
    fn text(&mut self) -> Result<ByteString, ReadError> {
        if self.peek() != Some(b'"') || self.is_binary() {
            return Err(self.wrong_type("text"));
        }
        let from = self.at.wrapping_add(1);
        let end = string::find_end(self.input, from)?;
        let text = if end.has_escapes {
            ByteString::from(string::unescape(self.input, from, end.at)?)
        } else {
            ByteString::try_from(self.shared.slice(from..end.at)).map_err(|error| {
                ReadError::new(from.wrapping_add(error.valid_up_to()), Malformed::InvalidUtf8)
            })?
        };
        self.at = end.at.wrapping_add(1);
        Ok(text)
    }

    fn number(&mut self) -> Result<Option<Number>, ReadError> {
        match self.peek() {
            Some(b'-' | b'0'..=b'9' | b'N' | b'I') => {}
            _ => return Ok(None),
        }
        if let Some((value, end)) = number::usual(self.input, self.at) {
            self.at = end;
            return Ok(Some(Number::Unsigned(value)));
        }
        self.scalar().map(|scalar| scalar.number())
    }

    #[inline]
    fn scalar(&mut self) -> Result<Scalar<'a>, ReadError> {
        match self.peek() {
            Some(b'"') if self.is_binary() => self.binary().map(Scalar::Binary),
            Some(b'"') => self.string().map(Scalar::Text),
            Some(b'-' | b'N' | b'I') if number::non_finite(self.input, self.at).is_some() => {
                Err(ReadError::new(self.at, Malformed::NonFinite))
            }
            Some(b'-' | b'0'..=b'9') => {
                let number = number::scan(self.input, self.at)?;
                let (input, from, end) = (self.input, self.at, number.end);
                let value = match number.class {
                    Class::Unsigned => number::unsigned(input, from, end).map(Scalar::Unsigned),
                    Class::Negative => number::negative(input, from, end).map(Scalar::Negative),
                    Class::Float => number::float(input, from, end).map(Scalar::Float),
                };
                self.at = end;
                value.ok_or_else(|| ReadError::new(from, Malformed::NumberOutOfRange))
            }
            Some(b't') => self.literal(b"true").map(|()| Scalar::Bool(true)),
            Some(b'f') => self.literal(b"false").map(|()| Scalar::Bool(false)),
            Some(b'n') => self.literal(b"null").map(|()| Scalar::Null),
            _ => Err(self.wrong_type("a value that is no container")),
        }
    }

    #[inline]
    fn skip(&mut self, outer: usize) -> Result<(), ReadError> {
        let room = self.depth.saturating_sub(outer);
        self.at = skip::value(self.input, self.at, room, self.depth, &mut self.noted)?;
        Ok(())
    }

    fn skip_key(&mut self, _outer: usize) -> Result<(), ReadError> {
        self.at = skip::key(self.input, self.at, &mut self.noted)?;
        Ok(())
    }

    #[inline]
    fn skip_entries(&mut self, _seq: Seq) -> Result<(), ReadError> {
        self.at = skip::entries(self.input, self.at, self.depth, &mut self.noted)?;
        Ok(())
    }

    #[inline]
    fn blemish(&mut self) -> Option<ReadError> {
        self.noted.take()
    }

    fn oddity_at(&self, _offset: usize) -> Option<&'static str> {
        None
    }

    #[inline]
    fn depth(&self) -> usize {
        self.depth
    }

    #[inline]
    fn finish(&mut self) -> Result<(), ReadError> {
        let start = self.value_start();
        match self.input.len().saturating_sub(start) {
            0 => Ok(()),
            count => Err(ReadError::new(start, Malformed::TrailingBytes { count })),
        }
    }
}

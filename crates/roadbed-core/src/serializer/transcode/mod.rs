//! Carrying encoded values from one serializer to another, as a stream.
//!
//! Values keep their type, dicts their pairs, order and duplicate keys. What has no counterpart is
//! refused as [`PayloadError::NotRepresentable`]:
//!
//! | value | to JSON | to MessagePack | to CBOR |
//! |---|---|---|---|
//! | null, booleans, integers of 64 bits | as they are | as they are | as they are |
//! | finite floats, −0.0 and whole ones included | the same float: `1.0`, `-0.0` | 32 bits where exact, else 64 | 32 bits where exact, else 64 |
//! | NaN, infinities | refused | as they are, one NaN for all | as they are, one NaN for all |
//! | text | as it is | as it is | as it is |
//! | text that begins with NUL | refused: it would become binary | as it is | as it is |
//! | binary | NUL and base64 | `bin` | byte string |
//! | JSON number beyond 64 bits or `f64` | – | refused | refused |
//! | JSON string with half of a surrogate pair | – | refused | refused |
//! | JSON string that begins with NUL | – | binary; refused if it is no base64 | the same |
//! | dict key that begins with NUL | as it is: keys are never binary | as it is | as it is |
//! | dict key that is another scalar | refused | as it is | as it is |
//! | dict key that is a list or dict | refused | refused | refused |
//! | `undefined`, in CBOR or as MessagePack's extension 0 | null | null | null |
//! | CBOR tag | dropped | dropped | – |
//! | CBOR bignum | an integer if 64 bits hold it, else refused | the same | – |
//! | other CBOR simple value | refused | refused | – |
//! | other MessagePack extension, timestamps too | refused | – | refused |
//! | indefinite lengths and chunks | written in one piece | written in one piece | – |

#[cfg(test)]
mod tests;

use bytes::{Bytes, BytesMut};

use crate::error::PayloadError;
use crate::limits::MAX_DEPTH;
use crate::serializer::lengths::Lengths;
use crate::serializer::values::{check_len, write_scalar};
use crate::serializer::walk::{Step, Walk};
use crate::serializer::{Kind, Malformed, ReadError, Reader, Scalar, Serializer, Writer};

/// Appends `value`, which is one value encoded in `from`, to `out`, encoded in `to`. Containers may nest
/// `depth` levels. Time and memory are linear in the value; memory beyond the output is 4 bytes for each
/// container that does not say its length beforehand.
///
/// An error leaves `out` as it was.
pub(crate) fn transcode_value(
    from: Serializer,
    to: Serializer,
    value: &Bytes,
    depth: usize,
    limit: usize,
    out: &mut BytesMut,
) -> Result<(), PayloadError> {
    let start = out.len();
    let route = Route { from, to, depth: depth.min(MAX_DEPTH), limit, end: start.saturating_add(limit) };
    let result = with_format!(from, (Reader, _Writer) => route.write::<Reader<'_>>(value, out));
    if result.is_err() {
        out.truncate(start);
    }
    result
}

#[derive(Clone, Copy, Debug)]
struct Route {
    from: Serializer,
    to: Serializer,
    depth: usize,
    /// Bytes that may be written, and where in the output they end.
    limit: usize,
    end: usize,
}

impl Route {
    fn write<'a, R: Reader<'a>>(self, value: &'a Bytes, out: &mut BytesMut) -> Result<(), PayloadError> {
        with_format!(self.to, (_Reader, Writer) => self.carry::<R, _>(value, &mut Writer::new(out)))
    }

    fn carry<'a, 'o, R: Reader<'a>, W: Writer<'o>>(
        self,
        value: &'a Bytes,
        writer: &mut W,
    ) -> Result<(), PayloadError> {
        let mut walk = Walk::new(R::new(value, self.depth), self.depth, 0);
        let mut lengths = Lengths::default();
        loop {
            match walk.step()? {
                Step::Open { is_dict, len } => {
                    let len = match len {
                        Some(len) => len,
                        None => lengths.next(value, &walk, self.depth)?,
                    };
                    check_len(self.to, len).map_err(|what| self.refused(what, walk.start()))?;
                    if is_dict { writer.dict(len) } else { writer.list(len) }
                }
                Step::Close { is_dict: true, .. } => writer.end_dict(),
                Step::Close { is_dict: false, .. } => writer.end_list(),
                Step::Key => self.key(&mut walk.reader, writer)?,
                Step::Leaf => self.leaf(&mut walk.reader, writer)?,
                Step::Done => break,
            }
            self.check_room(writer.position(), 0)?;
        }
        Ok(walk.reader.finish()?)
    }

    fn key<'a, 'o, R: Reader<'a>, W: Writer<'o>>(
        self,
        reader: &mut R,
        writer: &mut W,
    ) -> Result<(), PayloadError> {
        let offset = reader.value_start();
        match reader.key() {
            Ok(key) => {
                check_len(self.to, key.len()).map_err(|what| self.refused(what, reader.offset()))?;
                writer.key(&key);
                Ok(())
            }
            Err(ReadError { kind: Malformed::NonTextKey(kind), .. }) if self.from.is_binary() => {
                if self.to.is_binary() && !matches!(kind, Kind::List | Kind::Dict) {
                    // In the binary formats a key is written like any other value.
                    self.leaf(reader, writer)
                } else {
                    Err(self.refused("a dict key that is not text", offset))
                }
            }
            Err(error) => Err(self.unfit(error, offset)),
        }
    }

    fn leaf<'a, 'o, R: Reader<'a>, W: Writer<'o>>(
        self,
        reader: &mut R,
        writer: &mut W,
    ) -> Result<(), PayloadError> {
        let offset = reader.value_start();
        let scalar = reader.scalar().map_err(|error| self.unfit(error, offset))?;
        if let Scalar::Text(text) = &scalar {
            self.check_room(writer.position(), self.least(text, writer.position()))?;
        }
        if let Scalar::Binary(bytes) = &scalar {
            self.check_room(writer.position(), bytes.len())?;
        }
        write_scalar(writer, self.to, &scalar).map_err(|what| self.refused(what, offset))
    }

    /// Bytes that a text takes at least. It is looked at only where it may be too much: JSON writes up to six bytes for
    /// one.
    fn least(self, text: &str, position: usize) -> usize {
        let room = self.end.saturating_sub(position);
        if self.to != Serializer::Json || text.len().saturating_mul(6) <= room {
            return text.len();
        }
        let sizes = text.bytes().map(|byte| match byte {
            b'"' | b'\\' | 8..=10 | 12 | 13 => 2,
            0..=31 => 6,
            _ => 1,
        });
        sizes.fold(0, usize::saturating_add)
    }

    /// Gives up where the output becomes larger than its recipient accepts: what is written further is thrown away.
    fn check_room(self, position: usize, more: usize) -> Result<(), PayloadError> {
        let found = position.saturating_add(more);
        if found <= self.end {
            return Ok(());
        }
        let size = self.limit.saturating_add(found.saturating_sub(self.end));
        Err(PayloadError::TooLarge { size, limit: self.limit })
    }

    /// The error for a scalar or key that has no counterpart; what is left is malformed.
    #[cold]
    fn unfit(self, error: ReadError, offset: usize) -> PayloadError {
        let what = match error.kind {
            Malformed::WrongType { found: Kind::Other, .. } => "a value of no WAMP type",
            Malformed::NumberOutOfRange if self.from == Serializer::Cbor => "an integer beyond 64 bits",
            Malformed::NumberOutOfRange => "a number beyond 64 bits",
            Malformed::LoneSurrogate => "text with half of a surrogate pair",
            Malformed::InvalidUtf8 => "text that is not UTF-8",
            Malformed::NonFinite => "NaN or an infinity",
            Malformed::InvalidBinary => "a string that begins with NUL and is not base64",
            _ => return error.into(),
        };
        self.refused(what, offset)
    }

    #[cold]
    const fn refused(self, what: &'static str, offset: usize) -> PayloadError {
        PayloadError::NotRepresentable { what, offset, from: self.from, to: self.to }
    }
}

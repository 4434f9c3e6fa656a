//! How message elements and attributes are read from and written to any serializer.

use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

use crate::error::PayloadError;
use crate::id::{PublicationId, RegistrationId, RequestId, SessionId, SubscriptionId};
use crate::limits::Limits;
use crate::message::KeyInfo;
use crate::serializer::{CHAIN_THRESHOLD, Malformed, ReadError, Reader, Seq, Serializer, Writer};
use crate::uri::Uri;

/// Routers that one message may have passed through. An entry may be one byte long and takes more than a
/// hundred in memory, so the limit on other lists would be too high for this one.
const MAX_FORWARDERS: usize = 64;

/// The decoder of one message: a reader, and where in the message it stands, for errors.
pub(crate) struct Decoder<'l, R> {
    pub(crate) reader: R,
    pub(crate) serializer: Serializer,
    pub(crate) limits: &'l Limits,
    /// The element being read.
    pub(crate) element: Option<&'static str>,
    /// The key being read inside it.
    pub(crate) key: Option<&'static str>,
    /// The request id, once read.
    pub(crate) request: Option<RequestId>,
    /// Whether a bare binary or text may stand where the arguments belong.
    pub(crate) is_bare_allowed: bool,
    /// The first value that was well-formed but unsuitable. Reading goes on behind it, so that the
    /// request it belongs to can be answered.
    pub(crate) unsuitable: Option<Unsuitable>,
}

/// An unsuitable value and where it stood.
pub(crate) struct Unsuitable {
    pub(crate) error: ReadError,
    pub(crate) element: Option<&'static str>,
    pub(crate) key: Option<&'static str>,
}

impl<'a, R: Reader<'a>> Decoder<'_, R> {
    /// Reads a value; an unsuitable one is noted and passed over, and counts as absent.
    pub(crate) fn read_or_note<T: Attribute>(&mut self) -> Result<Option<T>, ReadError> {
        let start = self.reader.offset();
        match T::read(self) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind.is_unsuitable() => {
                self.reader.rewind(start);
                self.reader.skip(1)?;
                if self.unsuitable.is_none() {
                    self.unsuitable = Some(Unsuitable { error, element: self.element, key: self.key });
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// An error at the current position.
    pub(crate) fn error(&self, kind: Malformed) -> ReadError {
        ReadError::new(self.reader.offset(), kind)
    }

    /// Checks that the envelope so far fits [`Limits::envelope_size`].
    #[inline]
    pub(crate) fn check_envelope(&self) -> Result<(), ReadError> {
        let (found, limit) = (self.reader.offset(), self.limits.envelope_size);
        if found > limit {
            let kind = Malformed::TooLong { what: "the envelope", found, limit, unit: "bytes" };
            return Err(ReadError::new(limit, kind));
        }
        Ok(())
    }

    /// What was passed over so far is not kept, so what is wrong inside it does not matter.
    pub(super) fn forget_blemish(&mut self) {
        let _ = self.reader.blemish();
    }

    /// One value of any type, still encoded; the inner error is what makes it a value that no peer can be
    /// given. `outer` as in [`Reader::skip`].
    pub(crate) fn raw(&mut self, outer: usize) -> Result<Result<Bytes, ReadError>, ReadError> {
        let start = self.reader.value_start();
        self.forget_blemish();
        self.reader.skip(outer)?;
        Ok(match self.reader.blemish() {
            None => Ok(self.reader.slice(start..self.reader.offset())),
            Some(blemish) => Err(blemish),
        })
    }

    /// Reads a list of `T`, sized beforehand so that nothing is allocated for elements not there.
    fn list<T: Attribute>(&mut self, what: &'static str, most: usize) -> Result<Vec<T>, ReadError> {
        let start = self.reader.offset();
        let mut seq = self.reader.list()?;
        let count = match seq.remaining {
            Some(count) => count,
            None => {
                let count = self.count(&mut seq)?;
                self.reader.rewind(start);
                seq = self.reader.list()?;
                count
            }
        };
        let limit = self.limits.list_length.min(most);
        if count > limit {
            let kind = Malformed::TooLong { what, found: count, limit, unit: "entries" };
            return Err(ReadError::new(start, kind));
        }
        let mut list = Vec::with_capacity(count);
        while self.reader.more(&mut seq)? {
            list.push(T::read(self)?);
        }
        Ok(list)
    }

    fn count(&mut self, seq: &mut Seq) -> Result<usize, ReadError> {
        let mut count = 0_usize;
        while self.reader.more(seq)? {
            self.reader.skip(1)?;
            count = count.saturating_add(1);
        }
        Ok(count)
    }
}

/// The encoder of one message.
pub(crate) struct Encoder<W> {
    pub(crate) writer: W,
    pub(crate) serializer: Serializer,
    /// Where large parts are chained instead of copied: offset in the written bytes, and the part.
    /// `None` when everything is to be copied.
    pub(crate) chained: Option<Vec<(usize, Bytes)>>,
    /// Depth limit for what has to be transcoded.
    pub(crate) depth: usize,
    /// Bytes of the largest message that the recipient accepts.
    pub(crate) limit: usize,
    /// Where in the written bytes the message begins.
    pub(crate) start: usize,
}

impl<'o, W: Writer<'o>> Encoder<W> {
    /// Writes an encoded part, transcoding it when it is in another serializer.
    pub(crate) fn part(&mut self, part: &Bytes, from: Serializer) -> Result<(), PayloadError> {
        let written = self.writer.position().saturating_sub(self.start);
        let (room, limit) = (self.limit.saturating_sub(written), self.limit);
        let too_large = |size: usize| PayloadError::TooLarge { size: written.saturating_add(size), limit };
        let transcoded;
        let part = if from == self.serializer {
            part
        } else {
            let mut out = BytesMut::with_capacity(part.len().min(room));
            let (to, depth) = (self.serializer, self.depth);
            let result = crate::serializer::transcode_value(from, to, part, depth, room, &mut out);
            result.map_err(|error| match error {
                PayloadError::TooLarge { size, .. } => too_large(size),
                error => error,
            })?;
            transcoded = out.freeze();
            &transcoded
        };
        if part.len() > room {
            return Err(too_large(part.len()));
        }
        match &mut self.chained {
            Some(chained) if part.len() > CHAIN_THRESHOLD => {
                self.writer.skip_raw(part);
                chained.push((self.writer.position(), part.clone()));
            }
            _ => self.writer.raw(part),
        }
        Ok(())
    }
}

/// A value that may stand as an element of a message, or behind a key of options or details.
pub(crate) trait Attribute: Sized {
    /// The keys of a dict, or of the dicts in a list.
    const TABLE: &'static [KeyInfo] = &[];

    fn read<'a, R: Reader<'a>>(d: &mut Decoder<'_, R>) -> Result<Self, ReadError>;
    fn write<'o, W: Writer<'o>>(&self, e: &mut Encoder<W>) -> Result<(), PayloadError>;
}

macro_rules! ids {
    ($($id:ident),*) => {$(
        impl Attribute for $id {
            #[inline]
            fn read<'a, R: Reader<'a>>(d: &mut Decoder<'_, R>) -> Result<Self, ReadError> {
                let at = d.reader.offset();
                $id::new(d.reader.u64()?).map_err(|error| ReadError::new(at, Malformed::InvalidId(error.0)))
            }

            fn write<'o, W: Writer<'o>>(&self, e: &mut Encoder<W>) -> Result<(), PayloadError> {
                e.writer.u64(self.get());
                Ok(())
            }
        }
    )*};
}

ids!(SessionId, PublicationId, SubscriptionId, RegistrationId);

impl Attribute for RequestId {
    #[inline]
    fn read<'a, R: Reader<'a>>(d: &mut Decoder<'_, R>) -> Result<Self, ReadError> {
        let at = d.reader.offset();
        let id = Self::new(d.reader.u64()?);
        let id = id.map_err(|error| ReadError::new(at, Malformed::InvalidId(error.0)))?;
        d.request = Some(id);
        Ok(id)
    }

    fn write<'o, W: Writer<'o>>(&self, e: &mut Encoder<W>) -> Result<(), PayloadError> {
        e.writer.u64(self.get());
        Ok(())
    }
}

impl Attribute for u64 {
    fn read<'a, R: Reader<'a>>(d: &mut Decoder<'_, R>) -> Result<Self, ReadError> {
        d.reader.u64()
    }

    fn write<'o, W: Writer<'o>>(&self, e: &mut Encoder<W>) -> Result<(), PayloadError> {
        e.writer.u64(*self);
        Ok(())
    }
}

impl Attribute for bool {
    fn read<'a, R: Reader<'a>>(d: &mut Decoder<'_, R>) -> Result<Self, ReadError> {
        d.reader.bool()
    }

    fn write<'o, W: Writer<'o>>(&self, e: &mut Encoder<W>) -> Result<(), PayloadError> {
        e.writer.bool(*self);
        Ok(())
    }
}

/// Text of an envelope. It does not begin with NUL in any format: JSON takes that for binary, and what is
/// forwarded has to be readable for peers of every serializer.
fn text<'a, R: Reader<'a>>(d: &mut Decoder<'_, R>) -> Result<ByteString, ReadError> {
    let at = d.reader.offset();
    let text = d.reader.text()?;
    if text.starts_with('\0') {
        let expected = "text that does not begin with NUL";
        return Err(ReadError::new(at, Malformed::UnknownValue { expected }));
    }
    Ok(text)
}

/// Writes text of an envelope, unless no peer would take it.
fn write_text<'o, W: Writer<'o>>(text: &str, e: &mut Encoder<W>) -> Result<(), PayloadError> {
    if text.starts_with('\0') {
        let reason = "text that begins with NUL would be taken for binary".into();
        return Err(PayloadError::Encode { part: "the envelope".into(), serializer: e.serializer, reason });
    }
    e.writer.text(text);
    Ok(())
}

impl Attribute for ByteString {
    fn read<'a, R: Reader<'a>>(d: &mut Decoder<'_, R>) -> Result<Self, ReadError> {
        text(d)
    }

    fn write<'o, W: Writer<'o>>(&self, e: &mut Encoder<W>) -> Result<(), PayloadError> {
        write_text(self, e)
    }
}

impl Attribute for Uri {
    #[inline]
    fn read<'a, R: Reader<'a>>(d: &mut Decoder<'_, R>) -> Result<Self, ReadError> {
        let at = d.reader.offset();
        let text = text(d)?;
        let (found, limit) = (text.len(), d.limits.uri_length);
        if found > limit {
            let kind = Malformed::TooLong { what: "the URI", found, limit, unit: "bytes" };
            return Err(ReadError::new(at, kind));
        }
        Ok(Self::from_wire(text))
    }

    fn write<'o, W: Writer<'o>>(&self, e: &mut Encoder<W>) -> Result<(), PayloadError> {
        write_text(self.as_str(), e)
    }
}

macro_rules! lists {
    ($($item:ty: $what:literal up to $most:expr),* $(,)?) => {$(
        impl Attribute for Vec<$item> {
            const TABLE: &'static [KeyInfo] = <$item as Attribute>::TABLE;

            fn read<'a, R: Reader<'a>>(d: &mut Decoder<'_, R>) -> Result<Self, ReadError> {
                d.list($what, $most)
            }

            fn write<'o, W: Writer<'o>>(&self, e: &mut Encoder<W>) -> Result<(), PayloadError> {
                e.writer.list(self.len());
                for item in self {
                    item.write(e)?;
                }
                e.writer.end_list();
                Ok(())
            }
        }
    )*};
}

lists! {
    SessionId: "the list of session ids" up to usize::MAX,
    ByteString: "the list of names" up to usize::MAX,
    super::attributes::Forward: "the list of forwarders" up to MAX_FORWARDERS,
}

/// A text attribute that takes one of a few values.
macro_rules! named_values {
    ($type:ty, $expected:literal, $($value:ident = $name:literal),*) => {
        impl $crate::message::wire::Attribute for $type {
            fn read<'a, R: $crate::serializer::Reader<'a>>(
                d: &mut $crate::message::wire::Decoder<'_, R>,
            ) -> Result<Self, $crate::serializer::ReadError> {
                let at = d.reader.offset();
                match &*d.reader.text()? {
                    $($name => Ok(Self::$value),)*
                    _ => Err($crate::serializer::ReadError::new(
                        at,
                        $crate::serializer::Malformed::UnknownValue { expected: $expected },
                    )),
                }
            }

            fn write<'o, W: $crate::serializer::Writer<'o>>(
                &self,
                e: &mut $crate::message::wire::Encoder<W>,
            ) -> Result<(), $crate::error::PayloadError> {
                e.writer.text(match self { $(Self::$value => $name,)* });
                Ok(())
            }
        }
    };
}
pub(crate) use named_values;

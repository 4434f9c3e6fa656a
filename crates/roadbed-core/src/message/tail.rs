//! What may follow the required elements of a message.

use bytes::Bytes;

use super::attributes::RawDict;
use super::element::Elements;
use super::wire::{Attribute, Decoder, Encoder};
use crate::error::PayloadError;
use crate::payload::{Payload, PayloadPart};
use crate::serializer::keys::skip_kwargs;
use crate::serializer::{Kind, Malformed, ReadError, Reader, Seq, Writer};

/// What may follow the required elements: a payload, a dict, nothing.
pub(super) trait Tail: Sized {
    /// The most elements it takes.
    const MAX: usize;
    /// The keys of a dict that may follow.
    const TABLE: &'static [super::KeyInfo] = &[];

    fn read_tail<'a, R: Reader<'a>>(d: &mut Decoder<'_, R>, seq: &mut Elements) -> Result<Self, ReadError>;
    fn tail_count(&self) -> usize;
    fn write_tail<'o, W: Writer<'o>>(&self, e: &mut Encoder<W>) -> Result<(), PayloadError>;
    /// The payload, if that is what follows.
    fn as_payload(&self) -> Option<&Payload>;
}

impl Tail for () {
    const MAX: usize = 0;

    fn read_tail<'a, R: Reader<'a>>(_: &mut Decoder<'_, R>, _: &mut Elements) -> Result<Self, ReadError> {
        Ok(())
    }

    fn tail_count(&self) -> usize {
        0
    }

    fn write_tail<'o, W: Writer<'o>>(&self, _: &mut Encoder<W>) -> Result<(), PayloadError> {
        Ok(())
    }

    fn as_payload(&self) -> Option<&Payload> {
        None
    }
}

/// A dict that may follow, as in `[67, 0, {"registration": 1}]`.
impl<T: Attribute + IsEmpty> Tail for Option<T> {
    const MAX: usize = 1;
    const TABLE: &'static [super::KeyInfo] = T::TABLE;

    fn read_tail<'a, R: Reader<'a>>(d: &mut Decoder<'_, R>, seq: &mut Elements) -> Result<Self, ReadError> {
        if !seq.more(d)? {
            return Ok(None);
        }
        d.element = Some(T::NAME);
        let details = T::read(d)?;
        d.check_envelope()?;
        d.element = None;
        Ok(Some(details).filter(|details| !details.is_none()))
    }

    fn tail_count(&self) -> usize {
        usize::from(self.as_ref().is_some_and(|details| !details.is_none()))
    }

    fn write_tail<'o, W: Writer<'o>>(&self, e: &mut Encoder<W>) -> Result<(), PayloadError> {
        match self {
            Some(details) if !details.is_none() => details.write(e),
            _ => Ok(()),
        }
    }

    fn as_payload(&self) -> Option<&Payload> {
        None
    }
}

/// Whether a dict that may follow would be empty, and is then left out.
pub(super) trait IsEmpty {
    /// The element's name.
    const NAME: &str = "details";

    fn is_none(&self) -> bool;
}

impl IsEmpty for super::UnsubscribedDetails {
    fn is_none(&self) -> bool {
        self.is_empty()
    }
}

impl IsEmpty for super::UnregisteredDetails {
    fn is_none(&self) -> bool {
        self.is_empty()
    }
}

impl IsEmpty for crate::options::ReleaseOptions {
    const NAME: &str = "options";

    fn is_none(&self) -> bool {
        self.is_empty()
    }
}

impl IsEmpty for RawDict {
    fn is_none(&self) -> bool {
        self.is_empty()
    }
}

/// Arguments and keyword arguments, either of which may be missing. Some peers write null for absent
/// arguments before keyword arguments; that is accepted.
impl Tail for Payload {
    const MAX: usize = 2;

    #[inline(always)]
    fn read_tail<'a, R: Reader<'a>>(d: &mut Decoder<'_, R>, seq: &mut Elements) -> Result<Self, ReadError> {
        if !seq.more(d)? {
            return Ok(Self::EMPTY);
        }
        d.element = Some("arguments");
        d.forget_blemish();
        let start = d.reader.value_start();
        let mut blemish = None;
        let args = match d.reader.list() {
            Ok(seq) => d.args(start, seq)?.unwrap_or_else(|error| {
                blemish = Some((PayloadPart::Args, error));
                None
            }),
            Err(error) => match error.kind {
                Malformed::WrongType { found: Kind::Null, .. } => d.pass_null()?,
                Malformed::WrongType { found: Kind::Binary | Kind::Text, .. } if d.is_bare_allowed => {
                    let bare = d.raw(0)?;
                    d.element = None;
                    return Ok(match bare {
                        Ok(bare) => Self::from_wire_bare(d.serializer, bare),
                        Err(blemish) => Self::from_blemish(d.serializer, PayloadPart::Bare, &blemish),
                    });
                }
                _ => return Err(error),
            },
        };
        let mut kwargs = None;
        if seq.more(d)? {
            d.element = Some("keyword arguments");
            let start = d.reader.value_start();
            kwargs = match d.reader.dict() {
                Ok(seq) => d.kwargs(start, seq)?.unwrap_or_else(|error| {
                    blemish = blemish.take().or(Some((PayloadPart::Kwargs, error)));
                    None
                }),
                Err(error) => match error.kind {
                    Malformed::WrongType { found: Kind::Null, .. } => d.pass_null()?,
                    _ => return Err(error),
                },
            };
        }
        d.element = None;
        Ok(match blemish {
            None => Self::from_parts(d.serializer, args, kwargs),
            Some((part, blemish)) => Self::from_blemish(d.serializer, part, &blemish),
        })
    }

    fn tail_count(&self) -> usize {
        if self.raw_kwargs().is_some() { 2 } else { usize::from(!self.is_empty()) }
    }

    fn write_tail<'o, W: Writer<'o>>(&self, e: &mut Encoder<W>) -> Result<(), PayloadError> {
        self.check()?;
        match self.raw_args().or(self.raw_bare()) {
            Some(args) => e.part(args, self.serializer())?,
            None if self.raw_kwargs().is_some() => {
                e.writer.list(0);
                e.writer.end_list();
            }
            None => {}
        }
        match self.raw_kwargs() {
            Some(kwargs) => e.part(kwargs, self.serializer()),
            None => Ok(()),
        }
    }

    fn as_payload(&self) -> Option<&Payload> {
        Some(self)
    }
}

impl<'a, R: Reader<'a>> Decoder<'_, R> {
    /// Passes over null, which counts as absent.
    #[cold]
    fn pass_null(&mut self) -> Result<Option<Bytes>, ReadError> {
        self.reader.skip(0)?;
        Ok(None)
    }

    /// The list that begins at `start` and has just been opened, still encoded; none if it is empty. The
    /// inner error is what makes it a list that no peer can be given.
    #[inline]
    fn args(&mut self, start: usize, opened: Seq) -> Result<Result<Option<Bytes>, ReadError>, ReadError> {
        let mut seq = opened;
        if !self.reader.more(&mut seq)? {
            return Ok(Ok(None));
        }
        self.reader.skip_entries(opened)?;
        Ok(match self.reader.blemish() {
            None => Ok(Some(self.reader.slice(start..self.reader.offset()))),
            Some(blemish) => Err(blemish),
        })
    }

    /// As [`args`](Self::args), for a dict. Its keys are text, each once; deeper ones may be anything.
    #[inline]
    fn kwargs(&mut self, start: usize, opened: Seq) -> Result<Result<Option<Bytes>, ReadError>, ReadError> {
        let mut seq = opened;
        let first = self.reader.offset();
        if !self.reader.more(&mut seq)? {
            return Ok(Ok(None));
        }
        self.reader.rewind(first);
        Ok(match skip_kwargs(&mut self.reader, opened)? {
            None => Ok(Some(self.reader.slice(start..self.reader.offset()))),
            Some(blemish) => Err(blemish),
        })
    }
}

//! The table behind each message: its elements in wire order, and what may follow them.

use super::MessageType;
use super::wire::{Attribute, Decoder, Encoder};
use crate::error::PayloadError;
use crate::id::RequestId;
use crate::serializer::{Kind, Malformed, ReadError, Reader, Seq, Writer};
use crate::uri::Uri;

/// Why the elements of a message could not be read.
pub(crate) enum BodyError {
    Read(ReadError),
    /// Fewer elements than the message needs, or more than it may have.
    Length,
}

impl From<ReadError> for BodyError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

/// Progress through the elements of a message.
pub(crate) struct Elements {
    seq: Seq,
    has_ended: bool,
    /// Elements met so far, the type number included.
    pub(crate) count: usize,
}

impl Elements {
    pub(crate) const fn new(seq: Seq) -> Self {
        Self { seq, has_ended: false, count: 0 }
    }

    /// Whether another element follows; may be asked again at the end.
    #[inline]
    pub(crate) fn more<'a, R: Reader<'a>>(&mut self, d: &mut Decoder<'_, R>) -> Result<bool, ReadError> {
        if self.has_ended {
            return Ok(false);
        }
        let more = d.reader.more(&mut self.seq)?;
        self.has_ended = !more;
        self.count = self.count.saturating_add(usize::from(more));
        Ok(more)
    }
}

/// A message without its type number.
pub(crate) trait Body: Sized {
    /// The fewest elements, the type number included.
    const MIN: usize;
    /// The most elements, the type number included.
    const MAX: usize;
    /// What the elements are.
    const ELEMENTS: &'static [super::ElementInfo];

    /// Reads the elements behind the type number, and checks that nothing follows.
    fn read<'a, R: Reader<'a>>(d: &mut Decoder<'_, R>, seq: &mut Elements) -> Result<Self, BodyError>;
    /// How many elements will be written, the type number included.
    fn count(&self) -> usize;
    fn write<'o, W: Writer<'o>>(&self, e: &mut Encoder<W>) -> Result<(), PayloadError>;
}

/// An element that every message of its type has.
pub(super) trait Element: Sized {
    /// The keys of a dict.
    const TABLE: &'static [super::KeyInfo] = &[];

    fn element<'a, R: Reader<'a>>(d: &mut Decoder<'_, R>) -> Result<Self, ReadError>;
    fn write_element<'o, W: Writer<'o>>(&self, e: &mut Encoder<W>) -> Result<(), PayloadError>;
}

impl<T: Attribute> Element for T {
    const TABLE: &'static [super::KeyInfo] = T::TABLE;

    #[inline(always)]
    fn element<'a, R: Reader<'a>>(d: &mut Decoder<'_, R>) -> Result<Self, ReadError> {
        T::read(d)
    }

    fn write_element<'o, W: Writer<'o>>(&self, e: &mut Encoder<W>) -> Result<(), PayloadError> {
        self.write(e)
    }
}

/// The realm of HELLO may be null: the router then chooses it.
impl Element for Option<Uri> {
    fn element<'a, R: Reader<'a>>(d: &mut Decoder<'_, R>) -> Result<Self, ReadError> {
        if d.reader.kind()? == Kind::Null {
            d.reader.skip(0)?;
            return Ok(None);
        }
        Uri::read(d).map(Some)
    }

    fn write_element<'o, W: Writer<'o>>(&self, e: &mut Encoder<W>) -> Result<(), PayloadError> {
        match self {
            Some(uri) => uri.write(e)?,
            None => e.writer.null(),
        }
        Ok(())
    }
}

/// Request 0 stands for no request, where the router takes something back.
impl Element for Option<RequestId> {
    fn element<'a, R: Reader<'a>>(d: &mut Decoder<'_, R>) -> Result<Self, ReadError> {
        let at = d.reader.offset();
        match d.reader.u64()? {
            0 => Ok(None),
            id => match RequestId::new(id) {
                Ok(id) => Ok(Some(id)),
                Err(error) => Err(ReadError::new(at, Malformed::InvalidId(error.0))),
            },
        }
    }

    fn write_element<'o, W: Writer<'o>>(&self, e: &mut Encoder<W>) -> Result<(), PayloadError> {
        e.writer.u64(self.map_or(0, RequestId::get));
        Ok(())
    }
}

/// The type of the request that an ERROR answers.
impl Element for MessageType {
    fn element<'a, R: Reader<'a>>(d: &mut Decoder<'_, R>) -> Result<Self, ReadError> {
        let at = d.reader.offset();
        let code = d.reader.u64()?;
        let expected = "the type of a request";
        match Self::from_code(code).filter(|message| message.is_answered_by_error()) {
            Some(message) => Ok(message),
            None => Err(ReadError::new(at, Malformed::UnknownValue { expected })),
        }
    }

    fn write_element<'o, W: Writer<'o>>(&self, e: &mut Encoder<W>) -> Result<(), PayloadError> {
        e.writer.u64(self.code());
        Ok(())
    }
}

/// Reads one required element.
#[inline(always)]
pub(super) fn read_element<'a, T: Element, R: Reader<'a>>(
    d: &mut Decoder<'_, R>,
    seq: &mut Elements,
    name: &'static str,
) -> Result<T, BodyError> {
    if !seq.more(d)? {
        return Err(BodyError::Length);
    }
    d.element = Some(name);
    let value = T::element(d)?;
    d.check_envelope()?;
    d.element = None;
    Ok(value)
}

/// Reads a URI element; one that is text and no URI is noted, so that the request can be answered.
pub(super) fn read_uri<'a, R: Reader<'a>>(
    d: &mut Decoder<'_, R>,
    seq: &mut Elements,
    name: &'static str,
) -> Result<Uri, BodyError> {
    if !seq.more(d)? {
        return Err(BodyError::Length);
    }
    d.element = Some(name);
    let start = d.reader.offset();
    let uri = match Uri::read(d) {
        Err(error) if error.kind.is_text_that_does_not_fit() => {
            d.reader.rewind(start);
            d.read_or_note::<Uri>()?.unwrap_or(Uri::from_static(""))
        }
        uri => uri?,
    };
    d.check_envelope()?;
    d.element = None;
    Ok(uri)
}

/// Defines messages from tables of their elements.
macro_rules! bodies {
    (@read $d:ident $seq:ident $field:ident Uri) => {
        $crate::message::element::read_uri($d, $seq, stringify!($field))?
    };
    (@read $d:ident $seq:ident $field:ident $($type:tt)*) => {
        $crate::message::element::read_element($d, $seq, stringify!($field))?
    };
    ($(
        $(#[$doc:meta])*
        $name:ident {
            $($(#[$field_doc:meta])* $field:ident: [$($type:tt)*],)*
            $(; $(#[$tail_doc:meta])* $tail:ident: $tail_type:ty)?
        }
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $($type)*,)*
            $($(#[$tail_doc])* pub $tail: $tail_type,)?
        }

        impl $name {
            pub(super) fn payload(&self) -> Option<&$crate::payload::Payload> {
                let _none: Option<&$crate::payload::Payload> = None;
                $(let _none = $crate::message::tail::Tail::as_payload(&self.$tail);)?
                _none
            }
        }

        impl $crate::message::Body for $name {
            const MIN: usize = 1 $(+ { let _ = stringify!($field); 1 })*;
            const MAX: usize = Self::MIN
                $(+ <$tail_type as $crate::message::tail::Tail>::MAX)?;
            const ELEMENTS: &'static [$crate::message::ElementInfo] = &[
                $($crate::message::ElementInfo::new(
                    stringify!($field),
                    stringify!($($type)*),
                    <$($type)* as $crate::message::element::Element>::TABLE,
                ),)*
                $($crate::message::ElementInfo::new(
                    stringify!($tail),
                    stringify!($tail_type),
                    <$tail_type as $crate::message::tail::Tail>::TABLE,
                ),)?
            ];

            #[inline(always)]
            fn read<'a, R: $crate::serializer::Reader<'a>>(
                d: &mut $crate::message::wire::Decoder<'_, R>,
                seq: &mut $crate::message::element::Elements,
            ) -> Result<Self, $crate::message::element::BodyError> {
                $(let $field = bodies!(@read d seq $field $($type)*);)*
                $(let $tail = $crate::message::tail::Tail::read_tail(d, seq)?;)?
                if seq.more(d)? {
                    return Err($crate::message::element::BodyError::Length);
                }
                d.reader.finish()?;
                Ok(Self { $($field,)* $($tail)? })
            }

            fn count(&self) -> usize {
                let count = Self::MIN;
                $(let count = count.saturating_add($crate::message::tail::Tail::tail_count(&self.$tail));)?
                count
            }

            fn write<'o, W: $crate::serializer::Writer<'o>>(
                &self,
                e: &mut $crate::message::wire::Encoder<W>,
            ) -> Result<(), $crate::error::PayloadError> {
                $($crate::message::element::Element::write_element(&self.$field, e)?;)*
                $($crate::message::tail::Tail::write_tail(&self.$tail, e)?;)?
                Ok(())
            }
        }
    )*};
}
pub(super) use bodies;

//! Payloads: the arguments of calls, results, errors and events, which stay encoded.

mod binary;
mod blemish;
mod part;
#[cfg(test)]
mod tests;

use alloc::format;
use core::fmt;

use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use binary::Binary;
pub(crate) use binary::serialize_binary;
pub use blemish::PayloadPart;

use self::blemish::Blemish;
use self::part::{ARGS, KWARGS, Part};
use crate::error::PayloadError;
use crate::serializer::portable::not_portable;
use crate::serializer::typed::Place;
use crate::serializer::{ReadError, Serializer, parts, transcode_value, typed};
use crate::uri::detach_bytes;

/// Args and kwargs of a message, encoded in the serializer they came in or will leave in.
///
/// Decoding a message does not decode its payload; it shares the read buffer. Typed access
/// ([`args`](Self::args), [`kwargs`](Self::kwargs)) runs serde over the bytes when it is asked for. A
/// router that forwards a payload between peers of one serializer never looks inside.
///
/// ```
/// use roadbed_core::payload::Payload;
/// use roadbed_core::serializer::Serializer;
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Options { unit: String }
///
/// let options = Options { unit: "celsius".into() };
/// let payload = Payload::build(Serializer::Cbor, &(7, "kitchen"), &options)?;
/// let (number, place) = payload.args::<(i64, String)>()?;
/// assert_eq!((number, &*place), (7, "kitchen"));
/// assert_eq!(payload.kwargs::<Options>()?.unit, "celsius");
/// # Ok::<(), roadbed_core::error::PayloadError>(())
/// ```
///
/// What becomes of the values of other languages and serializers in Rust, and the other way, stands in
/// docs/values.md.
///
/// Two payloads are equal when they have the same encodings; missing and empty args (or kwargs) are the
/// same, and so are all empty payloads whatever their serializer.
///
/// # Depth and stack
///
/// Typed access recurses, and so it goes at most 127 containers deep, in every serializer alike; a type
/// that would read deeper gets a [`PayloadError::Type`]. Recursive types (lists of lists,
/// `serde_json::Value`) read to that depth took up to 500 KiB of stack in a debug build and 80 KiB in a
/// release build on x86-64; 64 levels, the default [`depth`](crate::limits::Limits::depth), half of that.
/// Types of your own that are not recursive do not go deeper than they are.
///
/// # Types that differ by format
///
/// MessagePack and CBOR are not human readable to serde, JSON is. Types that look at this (`IpAddr`, most
/// UUIDs and times) have one form in JSON and another in the binary formats, and a router that transcodes
/// does not know. Where peers may use different serializers, give such fields one form
/// (`#[serde(with = "…")]`). [`Binary`] is made for both.
// Not an enum of its forms: decoding moves every message a few times, and this is cheaper to move.
#[derive(Clone)]
pub struct Payload {
    /// The args, a list that is not empty; or the single opaque element of payload transparency.
    first: Option<Bytes>,
    /// A dict that is not empty.
    kwargs: Option<Bytes>,
    /// `first` is the opaque element, and there are no kwargs.
    is_bare: bool,
    serializer: Serializer,
    /// Why nothing of it can be read; there are no parts then.
    blemish: Option<Blemish>,
}

impl Payload {
    /// No args and no kwargs.
    pub const EMPTY: Self =
        Self { first: None, kwargs: None, is_bare: false, serializer: Serializer::Json, blemish: None };

    /// No args and no kwargs; the same as [`Payload::EMPTY`].
    pub const fn new() -> Self {
        Self::EMPTY
    }

    /// Encodes `args` and `kwargs`.
    ///
    /// `args` becomes a list: a tuple, an array, a `Vec`, a tuple struct. `kwargs` becomes a dict with text
    /// keys: a struct or a map. `()`, `None`, empty lists and empty dicts are left out. CBOR gets floats of
    /// 32 or 64 bits, never of 16: many peers cannot read those.
    ///
    /// # Errors
    /// [`PayloadError::Encode`]: a `Serialize` failed; `args` is no list (a struct with named fields is a
    /// dict) or `kwargs` no dict; it nests deeper than 256 levels; an integer beyond 64 bits; for JSON, NaN
    /// and infinities, and text that begins with NUL, which is how JSON marks [`Binary`].
    pub fn build<A, K>(serializer: Serializer, args: &A, kwargs: &K) -> Result<Self, PayloadError>
    where
        A: Serialize + ?Sized,
        K: Serialize + ?Sized,
    {
        let args = part::encode(serializer, &ARGS, args)?;
        let kwargs = part::encode(serializer, &KWARGS, kwargs)?;
        Ok(Self::from_lists(serializer, args, kwargs))
    }

    /// Encodes `args` alone; see [`build`](Self::build).
    ///
    /// ```
    /// # use roadbed_core::{payload::Payload, serializer::Serializer};
    /// let payload = Payload::from_args(Serializer::Json, &(1, "two"))?;
    /// assert_eq!(payload.raw_args().unwrap(), r#"[1,"two"]"#);
    /// # Ok::<(), roadbed_core::error::PayloadError>(())
    /// ```
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn from_args<A: Serialize + ?Sized>(serializer: Serializer, args: &A) -> Result<Self, PayloadError> {
        Self::build(serializer, args, &())
    }

    /// Takes args and kwargs that are encoded in `serializer` already, after checking them: well-formed, a
    /// list and a dict with text keys, nested at most `depth` levels (of at most 256).
    ///
    /// ```
    /// # use roadbed_core::{payload::Payload, serializer::Serializer};
    /// let payload = Payload::from_raw(Serializer::Json, Some("[1,2]".into()), None, 64)?;
    /// assert_eq!(payload.args::<Vec<u8>>()?, [1, 2]);
    /// assert!(Payload::from_raw(Serializer::Json, Some("[1,2".into()), None, 64).is_err());
    /// # Ok::<(), roadbed_core::error::PayloadError>(())
    /// ```
    ///
    /// # Errors
    /// [`PayloadError::Malformed`] says what is wrong and where.
    pub fn from_raw(
        serializer: Serializer,
        args: Option<Bytes>,
        kwargs: Option<Bytes>,
        depth: usize,
    ) -> Result<Self, PayloadError> {
        if let Some(args) = &args {
            parts::check_list(serializer, args, depth)?;
        }
        if let Some(kwargs) = &kwargs {
            parts::check_dict(serializer, kwargs, depth)?;
        }
        Ok(Self::from_lists(serializer, args, kwargs))
    }

    /// One opaque binary element in place of args and kwargs, as payload transparency (`enc_algo`) has it.
    pub fn binary(serializer: Serializer, bytes: &[u8]) -> Self {
        Self::from_wire_bare(serializer, parts::encode_binary(serializer, bytes))
    }

    /// Well-formed args and kwargs. Null and those without entries count as absent.
    fn from_lists(serializer: Serializer, args: Option<Bytes>, kwargs: Option<Bytes>) -> Self {
        let args = args.filter(|args| !parts::is_nothing(serializer, args));
        let kwargs = kwargs.filter(|kwargs| !parts::is_nothing(serializer, kwargs));
        Self::from_parts(serializer, args, kwargs)
    }

    /// What a reader has sliced out of a message and thereby checked: a list and a dict that are not empty.
    #[inline]
    pub(crate) const fn from_parts(
        serializer: Serializer,
        args: Option<Bytes>,
        kwargs: Option<Bytes>,
    ) -> Self {
        Self { first: args, kwargs, is_bare: false, serializer, blemish: None }
    }

    /// The bare element a reader has sliced out of a message and thereby checked.
    pub(crate) const fn from_wire_bare(serializer: Serializer, element: Bytes) -> Self {
        Self { first: Some(element), kwargs: None, is_bare: true, serializer, blemish: None }
    }

    /// What came in place of a payload and no peer can be given.
    #[cold]
    pub(crate) fn from_blemish(serializer: Serializer, part: PayloadPart, error: &ReadError) -> Self {
        Self { serializer, blemish: Some(Blemish::new(part, error)), ..Self::EMPTY }
    }

    /// Checks that the payload can be read and passed on, whatever is in it.
    ///
    /// # Errors
    /// [`PayloadError::Unreadable`] when it came from a peer with something in it that no peer can be given.
    /// Any other access, and encoding the message it is in, has the same error.
    pub fn check(&self) -> Result<(), PayloadError> {
        self.blemish.map_or(Ok(()), |blemish| Err(blemish.into()))
    }

    /// Checks that JSON, MessagePack and CBOR can all say what is in the payload. They cannot say numbers beyond 64
    /// bits or `f64`, NaN and infinities, `undefined`, extensions, tags and bignums, halves of surrogate pairs, text
    /// that begins with NUL, and dict keys that are no text or stand twice.
    ///
    /// ```
    /// # use roadbed_core::{payload::Payload, serializer::Serializer};
    /// let payload = Payload::from_raw(Serializer::Json, Some("[18446744073709551616]".into()), None, 64)?;
    /// payload.check()?;
    /// assert!(payload.check_portable().is_err());
    /// # Ok::<(), roadbed_core::error::PayloadError>(())
    /// ```
    ///
    /// # Errors
    /// [`PayloadError::NotPortable`]; [`PayloadError::Unreadable`] as for [`check`](Self::check).
    pub fn check_portable(&self) -> Result<(), PayloadError> {
        self.check()?;
        let first = if self.is_bare { PayloadPart::Bare } else { PayloadPart::Args };
        for (part, bytes) in [(first, &self.first), (PayloadPart::Kwargs, &self.kwargs)] {
            let Some(bytes) = bytes else { continue };
            if let Some((what, offset)) = not_portable(self.serializer, bytes)? {
                return Err(PayloadError::NotPortable { what, part, offset });
            }
        }
        Ok(())
    }

    /// Whether there are neither args nor kwargs nor a bare element, readable or not.
    pub const fn is_empty(&self) -> bool {
        self.first.is_none() && self.kwargs.is_none() && self.blemish.is_none()
    }

    /// The serializer it is encoded in. Means nothing where [`is_empty`](Self::is_empty).
    pub const fn serializer(&self) -> Serializer {
        self.serializer
    }

    /// Bytes of the encoded args and kwargs, or of the bare element.
    pub fn len(&self) -> usize {
        let len = |part: &Option<Bytes>| part.as_ref().map_or(0, Bytes::len);
        len(&self.first).saturating_add(len(&self.kwargs))
    }

    /// The encoded args, a list that is not empty.
    pub const fn raw_args(&self) -> Option<&Bytes> {
        if self.is_bare { None } else { self.first.as_ref() }
    }

    /// The encoded kwargs, a dict that is not empty.
    pub const fn raw_kwargs(&self) -> Option<&Bytes> {
        self.kwargs.as_ref()
    }

    /// The encoded bare element of payload transparency.
    pub const fn raw_bare(&self) -> Option<&Bytes> {
        if self.is_bare { self.first.as_ref() } else { None }
    }

    /// Reads the args, a list, as a `T`: a tuple of exactly as many elements, a `Vec`, a struct (its fields
    /// in order, those with `#[serde(default)]` at the end may be missing), or `()` for none. Absent args
    /// are an empty list.
    ///
    /// # Errors
    /// [`PayloadError::Type`] when they have another shape, or the payload is a bare element;
    /// [`PayloadError::Unreadable`] when it came from a peer with something in it that no peer can be given.
    pub fn args<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        self.decode(&ARGS, self.raw_args())
    }

    /// Reads one of the args, passing over those before it.
    ///
    /// ```
    /// # use roadbed_core::{payload::Payload, serializer::Serializer};
    /// let payload = Payload::from_args(Serializer::MsgPack, &("one", 2, true))?;
    /// assert_eq!(payload.arg::<u8>(1)?, 2);
    /// assert!(payload.arg::<u8>(3).is_err());
    /// # Ok::<(), roadbed_core::error::PayloadError>(())
    /// ```
    ///
    /// # Errors
    /// As [`args`](Self::args); also [`PayloadError::Type`] when there are not so many.
    pub fn arg<T: DeserializeOwned>(&self, index: usize) -> Result<T, PayloadError> {
        self.refuse_bare::<T>(ARGS.name)?;
        let found = match self.raw_args() {
            Some(args) => parts::element(self.serializer, args, index)?,
            None => Err(0),
        };
        match found {
            Ok(element) => typed::decode_serde(self.serializer, Place::Arg(index), &element),
            Err(count) => {
                let place = format!("argument {}", index.saturating_add(1));
                let plural = if count == 1 { "" } else { "s" };
                Err(typed::type_error::<T>(place, format!("there are only {count} argument{plural}")))
            }
        }
    }

    /// Reads the kwargs, a dict, as a `T`: a struct, a map, or `()` for none. Absent kwargs are an empty dict.
    ///
    /// # Errors
    /// As [`args`](Self::args).
    pub fn kwargs<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        self.decode(&KWARGS, self.raw_kwargs())
    }

    /// Reads the bare element of payload transparency, if it is one, as [`Binary`], or as `String` where the
    /// peers agreed on text.
    ///
    /// ```
    /// # use roadbed_core::{payload::{Binary, Payload}, serializer::Serializer};
    /// let payload = Payload::binary(Serializer::MsgPack, b"sealed");
    /// assert_eq!(*payload.bare::<Binary>()?.unwrap(), *b"sealed");
    /// assert!(payload.args::<Vec<u8>>().is_err());
    /// # Ok::<(), roadbed_core::error::PayloadError>(())
    /// ```
    ///
    /// # Errors
    /// [`PayloadError::Type`] when it is something else, [`PayloadError::Unreadable`] as for
    /// [`args`](Self::args).
    pub fn bare<T: DeserializeOwned>(&self) -> Result<Option<T>, PayloadError> {
        self.check()?;
        let element = self.raw_bare();
        element
            .map(|element| typed::decode_serde(self.serializer, Place::Named("payload"), element))
            .transpose()
    }

    /// A copy that does not share the buffer this one was read from, to be kept for long.
    #[must_use]
    pub fn detach(&self) -> Self {
        let detach = |part: &Option<Bytes>| part.as_ref().map(detach_bytes);
        Self { first: detach(&self.first), kwargs: detach(&self.kwargs), ..*self }
    }

    /// The same payload encoded in another serializer; in its own, a cheap clone. It may nest `depth` levels.
    ///
    /// # Errors
    /// [`PayloadError::NotRepresentable`] when the other serializer cannot hold a value in it.
    pub fn transcode(&self, to: Serializer, depth: usize) -> Result<Self, PayloadError> {
        if to == self.serializer {
            return Ok(self.clone());
        }
        self.check()?;
        let carry = |part: &Bytes| {
            let mut out = BytesMut::with_capacity(part.len());
            transcode_value(self.serializer, to, part, depth, usize::MAX, &mut out)?;
            Ok::<_, PayloadError>(out.freeze())
        };
        let first = self.first.as_ref().map(carry).transpose()?;
        let kwargs = self.kwargs.as_ref().map(carry).transpose()?;
        Ok(Self { first, kwargs, serializer: to, ..*self })
    }

    fn refuse_bare<T>(&self, place: &str) -> Result<(), PayloadError> {
        self.check()?;
        if self.is_bare {
            return Err(typed::type_error::<T>(place.into(), "the payload is one opaque element".into()));
        }
        Ok(())
    }

    /// Reads a part in its shape.
    fn decode<T: DeserializeOwned>(&self, part: &Part, raw: Option<&Bytes>) -> Result<T, PayloadError> {
        self.refuse_bare::<T>(part.name)?;
        match raw {
            Some(raw) => typed::decode_part(self.serializer, part.shape, raw),
            // Nothing is nothing in every format.
            None => typed::decode_part(Serializer::Json, part.shape, &Bytes::from_static(part.nothing)),
        }
    }
}

impl Default for Payload {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.first == other.first
            && self.kwargs == other.kwargs
            && self.is_bare == other.is_bare
            && self.blemish == other.blemish
            && (self.is_empty() || self.serializer == other.serializer)
    }
}

impl Eq for Payload {}

/// Shows the sizes; the contents may be large, or secret.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut payload = f.debug_struct("Payload");
        payload.field("serializer", &self.serializer);
        for (name, part) in
            [("args", self.raw_args()), ("kwargs", self.raw_kwargs()), ("bare", self.raw_bare())]
        {
            if let Some(part) = part {
                payload.field(name, &format_args!("{} bytes", part.len()));
            }
        }
        if let Some(blemish) = self.blemish {
            payload.field("unreadable", &PayloadError::from(blemish));
        }
        payload.finish()
    }
}

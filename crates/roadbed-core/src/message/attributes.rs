//! Options and details: typed where the key is known, still encoded where it is not.

use alloc::vec::Vec;

use bytes::Bytes;
use bytestring::ByteString;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::wire::{Attribute, Decoder, Encoder};
use crate::error::PayloadError;
use crate::id::SessionId;
use crate::serializer::typed::Place;
use crate::serializer::{Kind, Malformed, ReadError, Reader, Serializer, Writer, holds_binary, typed};
use crate::value::Value;

/// Keys of one dict that are kept without being known. More are refused: nobody sends that many.
const MAX_RAW_KEYS: usize = 256;

/// A dict whose values stay encoded until they are asked for: unknown options, `authextra`, the extra
/// of a CHALLENGE.
///
/// Received values are validated slices of the read buffer. Keys keep their order.
///
/// ```
/// use roadbed_core::message::RawDict;
///
/// let mut extra = RawDict::default();
/// extra.set("x_retries", &3)?;
/// assert_eq!(extra.get::<u32>("x_retries")?, Some(3));
/// assert_eq!(extra.get::<u32>("x_other")?, None);
/// # Ok::<(), roadbed_core::error::PayloadError>(())
/// ```
#[derive(Clone)]
pub struct RawDict {
    entries: Vec<(ByteString, Bytes)>,
    serializer: Serializer,
}

/// Equal when keys and encodings are; empty ones always, whatever their serializer.
impl PartialEq for RawDict {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries && (self.is_empty() || self.serializer == other.serializer)
    }
}

impl Eq for RawDict {}

/// Shows the keys and how many bytes are behind each: the values may be credentials.
impl core::fmt::Debug for RawDict {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut map = f.debug_map();
        for (key, value) in &self.entries {
            map.entry(key, &format_args!("{} bytes", value.len()));
        }
        map.finish()
    }
}

impl Default for RawDict {
    /// Empty. What is set is encoded as CBOR, and transcoded when the message is.
    fn default() -> Self {
        Self::EMPTY
    }
}

impl RawDict {
    /// No key.
    pub const EMPTY: Self = Self { entries: Vec::new(), serializer: Serializer::Cbor };

    /// Whether there is no key.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many keys there are.
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(key, _)| &**key)
    }

    /// The encoded value behind `key`, and the serializer it is in.
    pub fn raw(&self, key: &str) -> Option<(&Bytes, Serializer)> {
        self.entries.iter().find(|(name, _)| *name == key).map(|(_, value)| (value, self.serializer))
    }

    /// The value behind `key`, read as `T`; `None` when there is no such key.
    ///
    /// # Errors
    /// [`PayloadError::Type`] when it is no `T`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, PayloadError> {
        match self.raw(key) {
            Some((value, serializer)) => typed::decode_serde(serializer, Place::Named(key), value).map(Some),
            None => Ok(None),
        }
    }

    /// The value behind `key`, whatever it is; `None` when there is no such key.
    ///
    /// # Errors
    /// [`PayloadError`] when it has no counterpart in [`Value`].
    pub fn value(&self, key: &str) -> Result<Option<Value>, PayloadError> {
        match self.raw(key) {
            Some((value, serializer)) => Ok(Some(serializer.decode_value(value, &Default::default())?)),
            None => Ok(None),
        }
    }

    /// Sets `key`. Keys of your own should begin with `_` or `x_`; keys the specification knows are
    /// fields of the options and must not be set here.
    ///
    /// # Errors
    /// [`PayloadError::Encode`] when the value cannot be written, or holds binary or text that begins with
    /// NUL, which JSON takes for binary: options and details have none.
    pub fn set<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), PayloadError> {
        let mut encoded = typed::encode_serde(Serializer::Cbor, key, value)?;
        if holds_binary(&encoded) {
            let reason = "binary, and text that begins with NUL, have no place in options and details".into();
            return Err(PayloadError::Encode { part: key.into(), serializer: Serializer::Cbor, reason });
        }
        if self.serializer != Serializer::Cbor {
            let depth = crate::limits::MAX_DEPTH;
            let mut out = bytes::BytesMut::new();
            crate::serializer::transcode_value(
                Serializer::Cbor,
                self.serializer,
                &encoded,
                depth,
                usize::MAX,
                &mut out,
            )?;
            encoded = out.freeze();
        }
        match self.entries.iter_mut().find(|(name, _)| *name == key) {
            Some((_, slot)) => *slot = encoded,
            None => self.entries.push((ByteString::from(key), encoded)),
        }
        Ok(())
    }

    /// A copy that shares no memory with a read buffer.
    #[must_use]
    pub fn detach(&self) -> Self {
        let copy =
            |(key, value): &(ByteString, Bytes)| (crate::uri::detach(key), crate::uri::detach_bytes(value));
        Self { entries: self.entries.iter().map(copy).collect(), serializer: self.serializer }
    }

    /// About how many bytes of memory a detached copy holds.
    pub(crate) fn weight(&self) -> usize {
        let entry = |(key, value): &(ByteString, Bytes)| {
            key.len()
                .saturating_add(value.len())
                .saturating_add(size_of::<(ByteString, Bytes)>())
                .saturating_add(64)
        };
        self.entries.iter().map(entry).fold(0, usize::saturating_add)
    }

    /// Reads the value of an unknown key.
    pub(crate) fn accept<'a, R: Reader<'a>>(
        &mut self,
        key: &str,
        d: &mut Decoder<'_, R>,
    ) -> Result<(), ReadError> {
        self.serializer = d.serializer;
        if self.entries.iter().any(|(name, _)| *name == key) {
            return Err(d.error(Malformed::DuplicateKey));
        }
        let found = self.entries.len().saturating_add(1);
        if found > MAX_RAW_KEYS {
            let what = "the dict of unknown keys";
            return Err(d.error(Malformed::TooLong { what, found, limit: MAX_RAW_KEYS, unit: "entries" }));
        }
        // What no peer can be given is ignored with a key that nobody knows.
        let Ok(value) = d.raw(1)? else { return d.check_envelope() };
        if self.entries.len() == self.entries.capacity() {
            // A vector would begin with room for four: too much for a dict of one short key.
            self.entries.reserve_exact(self.entries.len().max(1));
        }
        self.entries.push((ByteString::from(key), value));
        d.check_envelope()
    }

    /// Writes every entry; the caller has opened the dict.
    pub(crate) fn write_entries<'o, W: Writer<'o>>(&self, e: &mut Encoder<W>) -> Result<(), PayloadError> {
        for (key, value) in &self.entries {
            e.writer.key(key);
            e.part(value, self.serializer)?;
        }
        Ok(())
    }
}

impl Attribute for RawDict {
    fn read<'a, R: Reader<'a>>(d: &mut Decoder<'_, R>) -> Result<Self, ReadError> {
        let mut dict = Self { entries: Vec::new(), serializer: d.serializer };
        let mut seq = d.reader.dict()?;
        while d.reader.more(&mut seq)? {
            let key = d.reader.key()?;
            dict.accept(&key, d)?;
        }
        Ok(dict)
    }

    fn write<'o, W: Writer<'o>>(&self, e: &mut Encoder<W>) -> Result<(), PayloadError> {
        e.writer.dict(self.len());
        self.write_entries(e)?;
        e.writer.end_dict();
        Ok(())
    }
}

/// The known keys that one dict held so far, a bit for each: null leaves no other trace.
#[derive(Clone, Copy, Default)]
pub(crate) struct Seen(u32);

impl Seen {
    /// Notes the key with this number; says whether it was new.
    #[inline(always)]
    fn insert(&mut self, number: u32) -> bool {
        let bit = 1_u32.wrapping_shl(number);
        let is_new = self.0 & bit == 0;
        self.0 |= bit;
        is_new
    }
}

/// A place in options or details that takes one key, or a group of keys.
pub(crate) trait Slot: Sized {
    /// Nothing set.
    const EMPTY: Self;
    /// How many keys it takes.
    const KEYS: u32;
    /// The keys of a group, or of the dicts behind its key.
    const TABLE: &'static [super::KeyInfo];

    /// Takes the value behind `key` when the key belongs here; says whether it did. The slot's keys are
    /// numbered from `first`.
    fn accept<'a, R: Reader<'a>>(
        &mut self,
        name: &'static str,
        key: &str,
        d: &mut Decoder<'_, R>,
        seen: &mut Seen,
        first: u32,
    ) -> Result<bool, ReadError>;
    /// How many keys will be written.
    fn count(&self) -> usize;
    fn write<'o, W: Writer<'o>>(&self, name: &'static str, e: &mut Encoder<W>) -> Result<(), PayloadError>;
}

impl<T: Attribute> Slot for Option<T> {
    const EMPTY: Self = None;
    const KEYS: u32 = 1;
    const TABLE: &'static [super::KeyInfo] = T::TABLE;

    #[inline]
    fn accept<'a, R: Reader<'a>>(
        &mut self,
        name: &'static str,
        key: &str,
        d: &mut Decoder<'_, R>,
        seen: &mut Seen,
        first: u32,
    ) -> Result<bool, ReadError> {
        if key != name {
            return Ok(false);
        }
        // Inside a dict in a dict (`forward_for`) the outer key is the one that errors name.
        let outer = d.key;
        d.key = outer.or(Some(name));
        if !seen.insert(first) {
            return Err(d.error(Malformed::DuplicateKey));
        }
        // null, and CBOR's undefined, count as absent.
        if d.reader.kind()? == Kind::Null {
            d.reader.skip(1)?;
        } else {
            *self = d.read_or_note()?;
        }
        d.key = outer;
        Ok(true)
    }

    fn count(&self) -> usize {
        usize::from(self.is_some())
    }

    fn write<'o, W: Writer<'o>>(&self, name: &'static str, e: &mut Encoder<W>) -> Result<(), PayloadError> {
        if let Some(value) = self {
            e.writer.key(name);
            value.write(e)?;
        }
        Ok(())
    }
}

/// Defines a struct of options or details from a table of its keys, in canonical order. An entry
/// `name: Type = ".."` stands for a group of keys.
macro_rules! attributes {
    ($(
        $(#[$doc:meta])*
        pub struct $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty = $key:literal,)* }
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
            /// Keys that are not known, still encoded.
            pub extra: $crate::message::RawDict,
        }

        impl $name {
            const EMPTY: Self = Self {
                $($field: $crate::message::attributes::Slot::EMPTY,)*
                extra: $crate::message::RawDict::EMPTY,
            };

            /// Nothing set.
            pub const fn new() -> Self {
                Self::EMPTY
            }

            /// Whether nothing is set.
            pub fn is_empty(&self) -> bool {
                self.count() == 0
            }

            fn count(&self) -> usize {
                let known = [$($crate::message::attributes::Slot::count(&self.$field)),*];
                known.into_iter().fold(self.extra.len(), usize::saturating_add)
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::EMPTY
            }
        }

        impl $crate::message::sparse::Empty for $name {
            fn empty() -> &'static Self {
                static EMPTY: $name = $name::EMPTY;
                &EMPTY
            }
        }

        impl $crate::message::wire::Attribute for $name {
            const TABLE: &'static [$crate::message::KeyInfo] = &[$($crate::message::KeyInfo::new(
                $key,
                stringify!($type),
                <$type as $crate::message::attributes::Slot>::TABLE,
            )),*];

            fn read<'a, R: $crate::serializer::Reader<'a>>(
                d: &mut $crate::message::wire::Decoder<'_, R>,
            ) -> Result<Self, $crate::serializer::ReadError> {
                use $crate::message::attributes::{Seen, Slot};

                // A bit for each key.
                const _: () = assert!(0 $(+ <$type as Slot>::KEYS)* <= u32::BITS);
                let mut this = Self::default();
                let mut seen = Seen::default();
                let mut seq = d.reader.dict()?;
                while d.reader.more(&mut seq)? {
                    let key = d.reader.key()?;
                    let number = 0_u32;
                    $(
                        if Slot::accept(&mut this.$field, $key, &key, d, &mut seen, number)? {
                            d.check_envelope()?;
                            continue;
                        }
                        let number = number.wrapping_add(<$type as Slot>::KEYS);
                    )*
                    let _ = number;
                    this.extra.accept(&key, d)?;
                }
                Ok(this)
            }

            fn write<'o, W: $crate::serializer::Writer<'o>>(
                &self,
                e: &mut $crate::message::wire::Encoder<W>,
            ) -> Result<(), $crate::error::PayloadError> {
                e.writer.dict(self.count());
                $($crate::message::attributes::Slot::write(&self.$field, $key, e)?;)*
                self.extra.write_entries(e)?;
                e.writer.end_dict();
                Ok(())
            }
        }
    )*};
}
pub(crate) use attributes;

attributes! {
    /// One router that a message passed through (`forward_for`).
    pub struct Forward {
        /// The session at that router.
        session: Option<SessionId> = "session",
        /// Its authid.
        authid: Option<ByteString> = "authid",
        /// Its authrole.
        authrole: Option<ByteString> = "authrole",
    }
}

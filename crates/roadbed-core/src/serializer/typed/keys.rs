//! The keys of dicts: text on the wire, other types in Rust too.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use core::str::FromStr;

use serde::de::value::CowStrDeserializer;
use serde::de::{Deserializer, EnumAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::de::visit;
use super::fault::Fault;
use crate::serializer::{Kind, Malformed, ReadError, Reader, Scalar};

/// A key of a dict.
pub(super) enum Key<'de> {
    Text(Cow<'de, str>),
    /// Only the binary formats have these.
    Other(Scalar<'de>),
}

impl<'de> Key<'de> {
    pub(super) fn read<R: Reader<'de>>(reader: &mut R) -> Result<Self, Fault> {
        match reader.key() {
            Ok(key) => Ok(Self::Text(key)),
            Err(ReadError { kind: Malformed::NonTextKey(kind), .. })
                if !matches!(kind, Kind::List | Kind::Dict) =>
            {
                Ok(Self::Other(reader.scalar()?))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Text that stands for a value of another type, or else the text.
    fn parsed<V: Visitor<'de>, T: FromStr>(
        self,
        visitor: V,
        give: impl FnOnce(V, T) -> Result<V::Value, Fault>,
    ) -> Result<V::Value, Fault> {
        match &self {
            Self::Text(text) => match text.parse() {
                Ok(value) => give(visitor, value),
                Err(_) => self.deserialize_any(visitor),
            },
            Self::Other(_) => self.deserialize_any(visitor),
        }
    }
}

/// The key at an offset, to be named in an error.
#[cold]
pub(super) fn name_of_key<'de, R: Reader<'de>>(reader: &mut R, at: usize) -> String {
    reader.rewind(at);
    match Key::read(reader) {
        Ok(Key::Text(text)) => text.into_owned(),
        Ok(Key::Other(Scalar::Unsigned(value))) => format!("{value}"),
        Ok(Key::Other(Scalar::Negative(value))) => format!("{value}"),
        _ => "?".into(),
    }
}

macro_rules! parsed {
    ($($method:ident: $type:ty => $visit:ident;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            self.parsed(visitor, |visitor, value: $type| visitor.$visit(value))
        }
    )*};
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Self::Text(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            Self::Text(Cow::Owned(text)) => visitor.visit_string(text),
            Self::Other(scalar) => visit(scalar, visitor),
        }
    }

    parsed! {
        deserialize_i8: i64 => visit_i64;
        deserialize_i16: i64 => visit_i64;
        deserialize_i32: i64 => visit_i64;
        deserialize_i64: i64 => visit_i64;
        deserialize_i128: i128 => visit_i128;
        deserialize_u8: u64 => visit_u64;
        deserialize_u16: u64 => visit_u64;
        deserialize_u32: u64 => visit_u64;
        deserialize_u64: u64 => visit_u64;
        deserialize_u128: u128 => visit_u128;
        deserialize_bool: bool => visit_bool;
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Self::Other(Scalar::Null) => visitor.visit_none(),
            key => visitor.visit_some(key),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self {
            Self::Text(text) => visitor.visit_enum(Name(text)),
            key @ Self::Other(_) => {
                let _ = (name, variants);
                key.deserialize_any(visitor)
            }
        }
    }

    forward_to_deserialize_any! {
        f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier
        ignored_any
    }
}

/// A name of a variant that nothing belongs to.
struct Name<'de>(Cow<'de, str>);

impl<'de> EnumAccess<'de> for Name<'de> {
    type Error = Fault;
    type Variant = <CowStrDeserializer<'de, Fault> as EnumAccess<'de>>::Variant;

    fn variant_seed<V: serde::de::DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self::Variant), Fault> {
        CowStrDeserializer::new(self.0).variant_seed(seed)
    }
}

//! Args are always a list and kwargs always a dict, whatever the type asks for.

use core::fmt;

use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::de::Decoder;
use super::fault::{Fault, Place};
use crate::serializer::Reader;

/// What a part of a payload is to serde.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Args.
    List,
    /// Kwargs.
    Dict,
}

impl Shape {
    /// The part, for errors.
    pub(crate) const fn place(self) -> Place<'static> {
        match self {
            Self::List => Place::Args,
            Self::Dict => Place::Kwargs,
        }
    }
}

/// Reads a part in its shape. A struct reads its fields from args in order; `()` reads an empty part.
/// Arguments that are missing at the end may be `None`.
pub(super) struct Root<'d, R> {
    d: &'d mut Decoder<R>,
    shape: Shape,
}

impl<'d, R> Root<'d, R> {
    pub(super) const fn new(d: &'d mut Decoder<R>, shape: Shape) -> Self {
        Self { d, shape }
    }

    fn read<'de, V: Visitor<'de>>(self, visitor: V, expected: Option<usize>) -> Result<V::Value, Fault>
    where
        R: Reader<'de>,
    {
        match self.shape {
            Shape::List => self.d.list(visitor, expected, true),
            Shape::Dict => self.d.dict(visitor),
        }
    }
}

impl<'de, R: Reader<'de>> Deserializer<'de> for Root<'_, R> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.read(visitor, None)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.read(Nothing, None)?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fault> {
        self.read(visitor, Some(len))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.read(visitor, Some(len))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.read(visitor, Some(fields.len()))
    }

    fn is_human_readable(&self) -> bool {
        self.d.reads_text()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf seq map enum identifier
        ignored_any
    }
}

/// Takes a part without entries.
struct Nothing;

impl<'de> Visitor<'de> for Nothing {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        match list.next_element::<IgnoredAny>()? {
            None => Ok(()),
            Some(_) => Err(A::Error::custom("expected no arguments, found some")),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut dict: A) -> Result<(), A::Error> {
        match dict.next_key::<IgnoredAny>()? {
            None => Ok(()),
            Some(_) => Err(A::Error::custom("expected no keyword arguments, found some")),
        }
    }
}

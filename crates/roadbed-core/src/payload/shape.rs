//! Args are always a list and kwargs always a dict, whatever the type asks for.

use core::fmt;
use core::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

/// What a part of a payload is to serde.
pub(super) trait Shape {
    /// Gives the part to `visitor`.
    fn visit<'de, D: Deserializer<'de>, V: Visitor<'de>>(input: D, visitor: V) -> Result<V::Value, D::Error>;
}

/// Args.
pub(super) struct List;

/// Kwargs.
pub(super) struct Dict;

impl Shape for List {
    fn visit<'de, D: Deserializer<'de>, V: Visitor<'de>>(input: D, visitor: V) -> Result<V::Value, D::Error> {
        input.deserialize_seq(visitor)
    }
}

impl Shape for Dict {
    fn visit<'de, D: Deserializer<'de>, V: Visitor<'de>>(input: D, visitor: V) -> Result<V::Value, D::Error> {
        input.deserialize_map(visitor)
    }
}

/// A `T` read from a part of this shape. A struct reads its fields from args in order, which ciborium
/// by itself does not allow; `()` reads an empty part.
pub(super) struct Shaped<T, S>(pub(super) T, PhantomData<S>);

impl<'de, T: Deserialize<'de>, S: Shape> Deserialize<'de> for Shaped<T, S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(Part { input: deserializer, shape: PhantomData::<S> })
            .map(|value| Self(value, PhantomData))
    }
}

struct Part<D, S> {
    input: D,
    shape: PhantomData<S>,
}

impl<'de, D: Deserializer<'de>, S: Shape> Deserializer<'de> for Part<D, S> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        S::visit(self.input, visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        S::visit(self.input, Nothing)?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.deserialize_unit(visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.input.is_human_readable()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf seq tuple
        tuple_struct map struct enum identifier ignored_any
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
            Some(_) => Err(A::Error::invalid_length(1, &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut dict: A) -> Result<(), A::Error> {
        match dict.next_key::<IgnoredAny>()? {
            None => Ok(()),
            Some(_) => Err(A::Error::invalid_length(1, &self)),
        }
    }
}

//! The entries of lists and dicts, and the variants of enums.

use alloc::format;

use serde::de::{DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::de::Decoder;
use super::fault::{Fault, Step};
use super::keys::{Key, name_of_key};
use crate::serializer::{Kind, Reader, Seq};

/// The elements of a list.
pub(super) struct Entries<'d, R> {
    pub(super) d: &'d mut Decoder<R>,
    pub(super) seq: Seq,
    pub(super) index: usize,
    /// How many the type takes, if it says so.
    pub(super) expected: Option<usize>,
    /// Whether those that are missing at the end may be `None`.
    pub(super) may_end_early: bool,
    /// Whether the end was met, and how many were asked for behind it.
    pub(super) is_short: bool,
    pub(super) missing: usize,
}

impl<'de, R: Reader<'de>> SeqAccess<'de> for Entries<'_, R> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        if self.expected == Some(self.index) && !self.is_short {
            // A type that asks on gets nothing, and `list` sees what is left.
            return Ok(None);
        }
        if self.is_short || !self.d.reader.more(&mut self.seq)? {
            self.is_short = true;
            self.missing = self.missing.saturating_add(1);
            let last = self.index.saturating_add(self.missing);
            let may_be_missing = self.may_end_early && self.expected.is_some_and(|expected| last <= expected);
            // Types that may be missing say so by taking an `Option`; others do not.
            return Ok(if may_be_missing { seed.deserialize(Missing).ok() } else { None });
        }
        let index = self.index;
        let value = seed.deserialize(&mut *self.d).map_err(|fault| fault.inside(Step::Element(index)))?;
        self.index = index.saturating_add(1);
        Ok(Some(value))
    }

    fn size_hint(&self) -> Option<usize> {
        self.seq.remaining
    }
}

/// An argument that is not there.
struct Missing;

impl<'de> serde::Deserializer<'de> for Missing {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Fault> {
        Err(Fault::new("missing".into()))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_none()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The entries of a dict.
pub(super) struct Pairs<'d, R> {
    pub(super) d: &'d mut Decoder<R>,
    pub(super) seq: Seq,
    /// Where the key begins whose value is next, for errors.
    pub(super) key_at: usize,
    /// Whether the end was met.
    pub(super) has_ended: bool,
}

impl<'de, R: Reader<'de>> MapAccess<'de> for Pairs<'_, R> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        if self.has_ended || !self.d.reader.more(&mut self.seq)? {
            self.has_ended = true;
            return Ok(None);
        }
        self.key_at = self.d.reader.offset();
        let key = Key::read(&mut self.d.reader)?;
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let result = seed.deserialize(&mut *self.d);
        result.map_err(|fault| fault.inside(Step::Key(name_of_key(&mut self.d.reader, self.key_at))))
    }

    fn size_hint(&self) -> Option<usize> {
        self.seq.remaining
    }
}

/// An enum: text, or a dict of one key.
pub(super) struct Variant<'d, R> {
    pub(super) d: &'d mut Decoder<R>,
    /// Whether nothing belongs to the name.
    pub(super) is_alone: bool,
}

impl<'de, R: Reader<'de>> EnumAccess<'de> for Variant<'_, R> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Fault> {
        let name = if self.is_alone {
            seed.deserialize(&mut *self.d)?
        } else {
            seed.deserialize(Key::read(&mut self.d.reader)?)?
        };
        Ok((name, self))
    }
}

impl<R> Variant<'_, R> {
    /// Only a dict has something behind the name.
    fn refuse_alone(&self, expected: &str) -> Result<(), Fault> {
        if self.is_alone {
            Err(Fault::new(format!("expected {expected} behind the name, found text")))
        } else {
            Ok(())
        }
    }
}

impl<'de, R: Reader<'de>> VariantAccess<'de> for Variant<'_, R> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        if self.is_alone {
            return Ok(());
        }
        match self.d.reader.kind()? {
            Kind::Null => Ok(self.d.reader.skip(self.d.depth)?),
            found => Err(Fault::mismatch(&"null", found)),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        self.refuse_alone("a value")?;
        seed.deserialize(&mut *self.d)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fault> {
        self.refuse_alone("a list")?;
        self.d.list(visitor, Some(len), false)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.refuse_alone("a dict")?;
        self.d.fields(visitor, fields.len())
    }
}

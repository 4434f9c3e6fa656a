//! Reading a value as a type.

use alloc::borrow::Cow;
use alloc::format;

use bytes::Bytes;
use serde::de::{self, Visitor};

use super::TYPED_DEPTH;
use super::access::{Entries, Pairs, Variant};
use super::fault::Fault;
use crate::limits::MAX_DEPTH;
use crate::serializer::{Kind, Number, Reader, Scalar, Serializer};

/// A [`Deserializer`](de::Deserializer) over a reader.
pub(super) struct Decoder<R> {
    pub(super) reader: R,
    serializer: Serializer,
    /// Containers that are open.
    pub(super) depth: usize,
}

impl<'de, R: Reader<'de>> Decoder<R> {
    pub(super) fn new(serializer: Serializer, bytes: &'de Bytes) -> Self {
        Self { reader: R::new(bytes, MAX_DEPTH), serializer, depth: 0 }
    }

    /// Checks that nothing follows the value.
    pub(super) fn finish<T>(mut self, value: T) -> Result<T, Fault> {
        self.reader.finish()?;
        Ok(value)
    }

    /// Whether the format is text, which types may look at.
    pub(super) const fn reads_text(&self) -> bool {
        !self.serializer.is_binary()
    }

    /// Opens one more container.
    fn enter(&mut self) -> Result<(), Fault> {
        if self.depth >= TYPED_DEPTH {
            return Err(Fault::new(format!("nested deeper than {TYPED_DEPTH} levels")));
        }
        self.depth = self.depth.saturating_add(1);
        Ok(())
    }

    /// Reads a list. `expected` elements, if the type says how many; those that are missing at the end may be
    /// `None` where `may_end_early`.
    pub(super) fn list<V: Visitor<'de>>(
        &mut self,
        visitor: V,
        expected: Option<usize>,
        may_end_early: bool,
    ) -> Result<V::Value, Fault> {
        match self.reader.kind()? {
            Kind::List => {}
            found => return Err(Fault::mismatch(&visitor, found)),
        }
        self.enter()?;
        let mut entries = Entries {
            seq: self.reader.list()?,
            index: 0,
            is_short: false,
            missing: 0,
            expected,
            may_end_early,
            d: self,
        };
        let result = visitor.visit_seq(&mut entries);
        let what = if may_end_early { "argument" } else { "element" };
        let Entries { mut seq, index, is_short, .. } = entries;
        let value = match (result, expected) {
            (Ok(value), _) => value,
            (Err(_), Some(expected)) if is_short => return Err(Fault::length(expected, what, index)),
            (Err(fault), _) => return Err(fault),
        };
        if !is_short && self.reader.more(&mut seq)? {
            return Err(Fault::length(expected.unwrap_or(index), what, "more"));
        }
        self.depth = self.depth.saturating_sub(1);
        Ok(value)
    }

    /// Reads a dict.
    pub(super) fn dict<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Fault> {
        match self.reader.kind()? {
            Kind::Dict => {}
            found => return Err(Fault::mismatch(&visitor, found)),
        }
        self.enter()?;
        let mut pairs = Pairs { seq: self.reader.dict()?, key_at: 0, has_ended: false, d: self };
        let value = visitor.visit_map(&mut pairs)?;
        let Pairs { mut seq, has_ended, .. } = pairs;
        if !has_ended && self.reader.more(&mut seq)? {
            return Err(Fault::new("the dict has more keys than the type takes".into()));
        }
        self.depth = self.depth.saturating_sub(1);
        Ok(value)
    }

    /// Reads a dict as `visit_map`, a list as `visit_seq`.
    pub(super) fn fields<V: Visitor<'de>>(&mut self, visitor: V, fields: usize) -> Result<V::Value, Fault> {
        match self.reader.kind()? {
            Kind::List => self.list(visitor, Some(fields), false),
            _ => self.dict(visitor),
        }
    }

    fn scalar<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Fault> {
        visit(self.reader.scalar()?, visitor)
    }

    /// An integer, or a float that is one.
    #[inline]
    fn integer<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Fault> {
        match self.reader.number()? {
            Some(Number::Unsigned(value)) => visitor.visit_u64(value),
            Some(Number::Negative(value)) => visitor.visit_i64(value),
            Some(Number::Float(value)) => match whole(value) {
                Some(Ok(value)) => visitor.visit_u64(value),
                Some(Err(value)) => visitor.visit_i64(value),
                None => Err(Fault::mismatch(&visitor, format_args!("{value:?}"))),
            },
            None => Err(Fault::mismatch(&visitor, self.reader.kind()?)),
        }
    }

    /// A number of either type.
    #[inline]
    fn float<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Fault> {
        match self.reader.number()? {
            Some(Number::Unsigned(value)) => visitor.visit_u64(value),
            Some(Number::Negative(value)) => visitor.visit_i64(value),
            Some(Number::Float(value)) => visitor.visit_f64(value),
            None => Err(Fault::mismatch(&visitor, self.reader.kind()?)),
        }
    }

    /// A scalar of one of these types.
    fn one_of<V: Visitor<'de>>(&mut self, kinds: &[Kind], visitor: V) -> Result<V::Value, Fault> {
        match self.reader.kind()? {
            kind if kinds.contains(&kind) => self.scalar(visitor),
            found => Err(Fault::mismatch(&visitor, found)),
        }
    }

    /// Null.
    fn null<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Fault> {
        match self.reader.kind()? {
            Kind::Null => self.scalar(visitor),
            found => Err(Fault::mismatch(&"null", found)),
        }
    }
}

/// Gives a scalar to a visitor.
#[inline]
pub(super) fn visit<'de, V: Visitor<'de>>(scalar: Scalar<'de>, visitor: V) -> Result<V::Value, Fault> {
    match scalar {
        Scalar::Null => visitor.visit_unit(),
        Scalar::Bool(value) => visitor.visit_bool(value),
        Scalar::Unsigned(value) => visitor.visit_u64(value),
        Scalar::Negative(value) => visitor.visit_i64(value),
        Scalar::Float(value) => visitor.visit_f64(value),
        Scalar::Text(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
        Scalar::Text(Cow::Owned(text)) => visitor.visit_string(text),
        Scalar::Binary(Cow::Borrowed(bytes)) => visitor.visit_borrowed_bytes(bytes),
        Scalar::Binary(Cow::Owned(bytes)) => visitor.visit_byte_buf(bytes),
    }
}

/// The integer that a float is, if 64 bits hold it: languages that have one type of number write some
/// integers as floats.
fn whole(value: f64) -> Option<Result<u64, i64>> {
    // 2^63 and 2^64, which floats hold exactly.
    const SIGNED: f64 = 9_223_372_036_854_775_808.0;
    const UNSIGNED: f64 = 18_446_744_073_709_551_616.0;
    if (0.0..UNSIGNED).contains(&value) {
        let integer = value as u64;
        return (integer as f64 == value).then_some(Ok(integer));
    }
    if (-SIGNED..0.0).contains(&value) {
        let integer = value as i64;
        return (integer as f64 == value).then_some(Err(integer));
    }
    None
}

macro_rules! forward {
    ($($method:ident => $read:ident $(($($argument:expr),*))?;)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            self.$read($($($argument,)*)? visitor)
        }
    )*};
}

impl<'de, R: Reader<'de>> de::Deserializer<'de> for &mut Decoder<R> {
    type Error = Fault;

    fn is_human_readable(&self) -> bool {
        self.reads_text()
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.reader.kind()? {
            Kind::List => self.list(visitor, None, false),
            Kind::Dict => self.dict(visitor),
            Kind::Other => Err(Fault::mismatch(&visitor, Kind::Other)),
            _ => self.scalar(visitor),
        }
    }

    forward! {
        deserialize_i8 => integer;
        deserialize_i16 => integer;
        deserialize_i32 => integer;
        deserialize_i64 => integer;
        deserialize_i128 => integer;
        deserialize_u8 => integer;
        deserialize_u16 => integer;
        deserialize_u32 => integer;
        deserialize_u64 => integer;
        deserialize_u128 => integer;
        deserialize_bool => one_of(&[Kind::Bool]);
        deserialize_f32 => float;
        deserialize_f64 => float;
        deserialize_char => one_of(&[Kind::Text]);
        deserialize_str => one_of(&[Kind::Text, Kind::Binary]);
        deserialize_string => one_of(&[Kind::Text, Kind::Binary]);
        deserialize_identifier => one_of(&[Kind::Text, Kind::Integer]);
        deserialize_bytes => deserialize_byte_buf;
        deserialize_unit => null;
        deserialize_map => dict;
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.reader.kind()? {
            Kind::List => self.list(visitor, None, false),
            _ => self.one_of(&[Kind::Binary], visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.reader.kind()? {
            Kind::Null => {
                self.reader.scalar()?;
                visitor.visit_none()
            }
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.null(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.list(visitor, None, false)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fault> {
        self.list(visitor, Some(len), false)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.list(visitor, Some(len), false)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.fields(visitor, fields.len())
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.reader.kind()? {
            Kind::Text => visitor.visit_enum(Variant { d: self, is_alone: true }),
            Kind::Dict => {
                self.enter()?;
                let mut seq = self.reader.dict()?;
                if !self.reader.more(&mut seq)? {
                    return Err(Fault::mismatch(&visitor, "an empty dict"));
                }
                let value = visitor.visit_enum(Variant { d: &mut *self, is_alone: false })?;
                if self.reader.more(&mut seq)? {
                    return Err(Fault::new("expected a dict of one key, found more".into()));
                }
                self.depth = self.depth.saturating_sub(1);
                Ok(value)
            }
            found => Err(Fault::mismatch(&visitor, found)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.reader.skip(self.depth)?;
        visitor.visit_unit()
    }
}

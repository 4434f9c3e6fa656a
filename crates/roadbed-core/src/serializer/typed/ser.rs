//! Writing a value of a type.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use bytes::BytesMut;
use serde::ser::{self, Serialize};

use crate::limits::MAX_DEPTH;
use crate::serializer::values::{check_len, write_scalar};
use crate::serializer::{Scalar, Serializer, Writer};

/// The newtype around text that stands for binary in JSON.
pub(crate) const BINARY: &str = "$roadbed::Binary";

/// How serde_json passes its numbers on when it keeps all their digits: a struct, and its only field.
const JSON_NUMBER: &str = "$serde_json::private::Number";

/// Why a value cannot be written.
#[derive(Debug)]
pub(super) struct Unwritable(String);

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for Unwritable {}

impl ser::Error for Unwritable {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl From<&str> for Unwritable {
    #[cold]
    fn from(reason: &str) -> Self {
        Self(reason.into())
    }
}

/// A [`Serializer`](ser::Serializer) over a writer.
pub(super) struct Encoder<W> {
    writer: W,
    to: Serializer,
    /// Containers that are open.
    depth: usize,
    /// The next text is binary as JSON writes it.
    is_binary: bool,
}

impl<'o, W: Writer<'o>> Encoder<W> {
    pub(super) fn new(to: Serializer, out: &'o mut BytesMut) -> Self {
        Self { writer: W::new(out), to, depth: 0, is_binary: false }
    }

    fn scalar(&mut self, scalar: &Scalar<'_>) -> Result<(), Unwritable> {
        Ok(write_scalar(&mut self.writer, self.to, scalar)?)
    }

    fn key(&mut self, key: &str) -> Result<(), Unwritable> {
        check_len(self.to, key.len())?;
        self.writer.key(key);
        Ok(())
    }

    fn enter(&mut self) -> Result<(), Unwritable> {
        if self.depth >= MAX_DEPTH {
            return Err(Unwritable(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        self.depth = self.depth.saturating_add(1);
        Ok(())
    }

    /// Begins a list or dict of `len` entries, if the type knows.
    fn open(&mut self, is_dict: bool, len: Option<usize>) -> Result<Compound<'_, W>, Unwritable> {
        let announced = len.unwrap_or_default();
        check_len(self.to, announced)?;
        self.enter()?;
        let head = self.writer.position();
        if is_dict {
            self.writer.dict(announced);
        } else {
            self.writer.list(announced);
        }
        let body = self.writer.position();
        Ok(Compound { e: self, is_dict, announced, count: 0, head, body, is_variant: false })
    }

    /// Begins the dict of one key that a variant is.
    fn variant(&mut self, name: &str) -> Result<(), Unwritable> {
        self.enter()?;
        self.writer.dict(1);
        self.key(name)
    }

    fn end_variant(&mut self) {
        self.writer.end_dict();
        self.depth = self.depth.saturating_sub(1);
    }
}

/// A list or dict that is being written.
pub(super) struct Compound<'e, W> {
    e: &'e mut Encoder<W>,
    is_dict: bool,
    announced: usize,
    count: usize,
    /// Where its head and its first entry begin.
    head: usize,
    body: usize,
    /// Whether the dict of a variant is open around it.
    is_variant: bool,
}

impl<'o, W: Writer<'o>> Compound<'_, W> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
        self.count = self.count.saturating_add(1);
        value.serialize(&mut *self.e)
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Unwritable> {
        self.e.key(name)?;
        self.element(value)
    }

    fn finish(self) -> Result<(), Unwritable> {
        let Self { e, is_dict, announced, count, head, body, is_variant } = self;
        if announced != count {
            check_len(e.to, count)?;
            e.writer.correct_len(head..body, is_dict, count);
        }
        if is_dict {
            e.writer.end_dict();
        } else {
            e.writer.end_list();
        }
        e.depth = e.depth.saturating_sub(1);
        if is_variant {
            e.end_variant();
        }
        Ok(())
    }
}

macro_rules! integers {
    ($($method:ident: $type:ty => $write:ident;)*) => {$(
        fn $method(self, value: $type) -> Result<(), Unwritable> {
            self.writer.$write(value.into());
            Ok(())
        }
    )*};
}

impl<'e, 'o, W: Writer<'o>> ser::Serializer for &'e mut Encoder<W> {
    type Ok = ();
    type Error = Unwritable;
    type SerializeSeq = Compound<'e, W>;
    type SerializeTuple = Compound<'e, W>;
    type SerializeTupleStruct = Compound<'e, W>;
    type SerializeTupleVariant = Compound<'e, W>;
    type SerializeMap = Compound<'e, W>;
    type SerializeStruct = Fields<'e, W>;
    type SerializeStructVariant = Compound<'e, W>;

    integers! {
        serialize_i8: i8 => i64;
        serialize_i16: i16 => i64;
        serialize_i32: i32 => i64;
        serialize_i64: i64 => i64;
        serialize_u8: u8 => u64;
        serialize_u16: u16 => u64;
        serialize_u32: u32 => u64;
        serialize_u64: u64 => u64;
    }

    fn is_human_readable(&self) -> bool {
        !self.to.is_binary()
    }

    fn serialize_i128(self, value: i128) -> Result<(), Unwritable> {
        match (u64::try_from(value), i64::try_from(value)) {
            (Ok(value), _) => self.serialize_u64(value),
            (_, Ok(value)) => self.serialize_i64(value),
            _ => Err(BEYOND_64_BITS.into()),
        }
    }

    fn serialize_u128(self, value: u128) -> Result<(), Unwritable> {
        self.serialize_u64(u64::try_from(value).map_err(|_| BEYOND_64_BITS)?)
    }

    fn serialize_bool(self, value: bool) -> Result<(), Unwritable> {
        self.writer.bool(value);
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), Unwritable> {
        if self.to == Serializer::Json && value.is_finite() {
            // As many digits as tell it from other floats of 32 bits: 0.1, not 0.10000000149011612.
            let shortest: f64 = format!("{value:?}").parse().unwrap_or_default();
            return self.serialize_f64(shortest);
        }
        self.serialize_f64(f64::from(value))
    }

    fn serialize_f64(self, value: f64) -> Result<(), Unwritable> {
        self.scalar(&Scalar::Float(value))
    }

    fn serialize_char(self, value: char) -> Result<(), Unwritable> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Unwritable> {
        if core::mem::take(&mut self.is_binary) {
            self.writer.text(value);
            return Ok(());
        }
        self.scalar(&Scalar::Text(value.into()))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Unwritable> {
        self.scalar(&Scalar::Binary(value.into()))
    }

    fn serialize_none(self) -> Result<(), Unwritable> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unwritable> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Unwritable> {
        self.writer.null();
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), Unwritable> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), Unwritable> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Unwritable> {
        self.is_binary = name == BINARY;
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Unwritable> {
        self.variant(variant)?;
        value.serialize(&mut *self)?;
        self.end_variant();
        Ok(())
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Compound<'e, W>, Unwritable> {
        self.open(false, len)
    }

    fn serialize_tuple(self, len: usize) -> Result<Compound<'e, W>, Unwritable> {
        self.open(false, Some(len))
    }

    fn serialize_tuple_struct(self, _name: &'static str, len: usize) -> Result<Compound<'e, W>, Unwritable> {
        self.open(false, Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Compound<'e, W>, Unwritable> {
        self.variant(variant)?;
        let list = self.open(false, Some(len))?;
        Ok(Compound { is_variant: true, ..list })
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Compound<'e, W>, Unwritable> {
        self.open(true, len)
    }

    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Fields<'e, W>, Unwritable> {
        if name == JSON_NUMBER {
            Ok(Fields::Number(self))
        } else {
            self.open(true, Some(len)).map(Fields::Dict)
        }
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Compound<'e, W>, Unwritable> {
        self.variant(variant)?;
        let dict = self.open(true, Some(len))?;
        Ok(Compound { is_variant: true, ..dict })
    }
}

const BEYOND_64_BITS: &str = "an integer beyond 64 bits";

macro_rules! lists {
    ($($of:ident::$method:ident),*) => {$(
        impl<'o, W: Writer<'o>> ser::$of for Compound<'_, W> {
            type Ok = ();
            type Error = Unwritable;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
                self.element(value)
            }

            fn end(self) -> Result<(), Unwritable> {
                self.finish()
            }
        }
    )*};
}

lists!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

impl<'o, W: Writer<'o>> ser::SerializeMap for Compound<'_, W> {
    type Ok = ();
    type Error = Unwritable;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unwritable> {
        let text = key.serialize(TextOf("a dict key is no text"))?;
        self.e.key(&text)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
        self.element(value)
    }

    fn end(self) -> Result<(), Unwritable> {
        self.finish()
    }
}

impl<'o, W: Writer<'o>> ser::SerializeStructVariant for Compound<'_, W> {
    type Ok = ();
    type Error = Unwritable;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Unwritable> {
        self.field(name, value)
    }

    fn end(self) -> Result<(), Unwritable> {
        self.finish()
    }
}

/// The fields of a struct.
pub(super) enum Fields<'e, W> {
    Dict(Compound<'e, W>),
    /// It is a number of serde_json.
    Number(&'e mut Encoder<W>),
}

impl<'o, W: Writer<'o>> ser::SerializeStruct for Fields<'_, W> {
    type Ok = ();
    type Error = Unwritable;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Unwritable> {
        let e = match self {
            Self::Dict(dict) => return dict.field(name, value),
            Self::Number(e) => &mut **e,
        };
        let digits = value.serialize(TextOf("a number is no text"))?;
        if let Ok(value) = digits.parse::<i128>() {
            return ser::Serializer::serialize_i128(e, value);
        }
        match digits.parse::<f64>() {
            Ok(value) if value.is_finite() && digits.contains(['.', 'e', 'E']) => {
                e.scalar(&Scalar::Float(value))
            }
            _ => Err("a number beyond 64 bits".into()),
        }
    }

    fn end(self) -> Result<(), Unwritable> {
        match self {
            Self::Dict(dict) => dict.finish(),
            Self::Number(_) => Ok(()),
        }
    }
}

/// Takes what a dict key can be as text, and refuses everything else with these words.
struct TextOf(&'static str);

macro_rules! as_text {
    ($($method:ident: $type:ty;)*) => {$(
        fn $method(self, value: $type) -> Result<String, Unwritable> {
            Ok(value.to_string())
        }
    )*};
}

macro_rules! refused {
    ($($method:ident($($argument:ident: $type:ty),*) -> $ok:ty;)*) => {$(
        fn $method(self, $($argument: $type),*) -> Result<$ok, Unwritable> {
            $(let _ = $argument;)*
            Err(self.0.into())
        }
    )*};
}

type Never = ser::Impossible<String, Unwritable>;

impl ser::Serializer for TextOf {
    type Ok = String;
    type Error = Unwritable;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStruct = Never;
    type SerializeStructVariant = Never;

    as_text! {
        serialize_bool: bool;
        serialize_i8: i8;
        serialize_i16: i16;
        serialize_i32: i32;
        serialize_i64: i64;
        serialize_i128: i128;
        serialize_u8: u8;
        serialize_u16: u16;
        serialize_u32: u32;
        serialize_u64: u64;
        serialize_u128: u128;
        serialize_char: char;
        serialize_str: &str;
    }

    refused! {
        serialize_f32(value: f32) -> String;
        serialize_f64(value: f64) -> String;
        serialize_bytes(value: &[u8]) -> String;
        serialize_none() -> String;
        serialize_unit() -> String;
        serialize_unit_struct(name: &'static str) -> String;
        serialize_seq(len: Option<usize>) -> Never;
        serialize_tuple(len: usize) -> Never;
        serialize_tuple_struct(name: &'static str, len: usize) -> Never;
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, len: usize) -> Never;
        serialize_map(len: Option<usize>) -> Never;
        serialize_struct(name: &'static str, len: usize) -> Never;
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, len: usize) -> Never;
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<String, Unwritable> {
        value.serialize(self)
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<String, Unwritable> {
        Ok(variant.into())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<String, Unwritable> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Result<String, Unwritable> {
        Err(self.0.into())
    }
}

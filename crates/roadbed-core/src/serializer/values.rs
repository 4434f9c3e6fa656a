//! Encoding and decoding [`Value`]s.

use alloc::vec::Vec;
use core::slice;

use bytes::{Bytes, BytesMut};

use super::walk;
use super::{Malformed, ReadError, Scalar, Serializer, Writer};
use crate::error::PayloadError;
use crate::limits::{Limits, MAX_DEPTH};
use crate::value::{Iter, Value};

impl Serializer {
    /// Encodes a value canonically: shortest forms, dicts in their order.
    ///
    /// # Errors
    /// [`PayloadError::Encode`] for a value that nests deeper than [`MAX_DEPTH`]; and in JSON for NaN,
    /// infinities and text that begins with NUL (it would be read as binary).
    ///
    /// ```
    /// use roadbed_core::serializer::Serializer;
    /// use roadbed_core::value::Value;
    ///
    /// let list = Value::from(vec![Value::from("sum"), 40_u8.into(), 2.5.into()]);
    /// assert_eq!(Serializer::Json.encode_value(&list)?, r#"["sum",40,2.5]"#);
    /// assert_eq!(Serializer::MsgPack.encode_value(&list)?, &b"\x93\xa3sum\x28\xca\x40\x20\0\0"[..]);
    /// # Ok::<(), roadbed_core::error::PayloadError>(())
    /// ```
    pub fn encode_value(self, value: &Value) -> Result<Bytes, PayloadError> {
        let mut out = BytesMut::new();
        self.write_value(value, &mut out)?;
        Ok(out.freeze())
    }

    /// Decodes bytes that hold one value and nothing else. Text and binary share them where they can.
    ///
    /// # Errors
    /// [`ReadError`] says what is wrong and where: malformed bytes, a dict key that is not text, a value of
    /// no WAMP type ([`Malformed::WrongType`]), a CBOR bignum beyond 64 bits
    /// ([`Malformed::NumberOutOfRange`]), more bytes than [`Limits::message_size`], nesting deeper than
    /// [`Limits::depth`]. Memory stays below about 40 bytes per byte of input; in JSON growing lists take up
    /// to 60 for a moment.
    ///
    /// ```
    /// use roadbed_core::limits::Limits;
    /// use roadbed_core::serializer::{Malformed, Serializer};
    ///
    /// let limits = Limits::default();
    /// let value = Serializer::Json.decode_value(&r#"["sum",40,2.5]"#.into(), &limits)?;
    /// assert_eq!(value.as_list().map(<[_]>::len), Some(3));
    ///
    /// let error = Serializer::Cbor.decode_value(&bytes::Bytes::from_static(&[0x82, 0x01]), &limits);
    /// assert_eq!(error.unwrap_err().kind, Malformed::UnexpectedEnd);
    /// # Ok::<(), roadbed_core::serializer::ReadError>(())
    /// ```
    pub fn decode_value(self, value: &Bytes, limits: &Limits) -> Result<Value, ReadError> {
        if value.len() > limits.message_size {
            let (found, limit) = (value.len(), limits.message_size);
            return Err(ReadError::new(
                0,
                Malformed::TooLong { what: "the value", found, limit, unit: "bytes" },
            ));
        }
        let depth = limits.depth.min(MAX_DEPTH);
        with_format!(self, (Reader, _Writer) => {
            walk::decode_value::<Reader<'_>>(value, depth, self.is_binary())
        })
    }

    /// Like [`encode_value`](Self::encode_value), behind what `out` holds already, which an error leaves
    /// as it was.
    pub(crate) fn write_value(self, value: &Value, out: &mut BytesMut) -> Result<(), PayloadError> {
        let start = out.len();
        let written = with_format!(self, (_Reader, Writer) => write(&mut Writer::new(out), self, value));
        written.map_err(|reason| {
            out.truncate(start);
            PayloadError::Encode { part: "value".into(), serializer: self, reason: reason.into() }
        })
    }
}

/// What is still to be written of an open list or dict.
enum Rest<'v> {
    List(slice::Iter<'v, Value>),
    Dict(Iter<'v>),
}

/// Writes without recursion, since values built by hand may be deeper than any stack.
fn write<'v, 'o, W: Writer<'o>>(
    writer: &mut W,
    to: Serializer,
    value: &'v Value,
) -> Result<(), &'static str> {
    let mut open: Vec<Rest<'v>> = Vec::new();
    let mut next = value;
    loop {
        match next {
            Value::List(_) | Value::Dict(_) if open.len() >= MAX_DEPTH => {
                return Err("nested deeper than 256 levels");
            }
            Value::List(values) => {
                check_len(to, values.len())?;
                writer.list(values.len());
                open.push(Rest::List(values.iter()));
            }
            Value::Dict(dict) => {
                check_len(to, dict.len())?;
                writer.dict(dict.len());
                open.push(Rest::Dict(dict.iter()));
            }
            Value::Null => writer.null(),
            Value::Bool(value) => writer.bool(*value),
            Value::Unsigned(value) => writer.u64(*value),
            Value::Integer(value) => writer.i64(*value),
            Value::Float(value) => write_scalar(writer, to, &Scalar::Float(*value))?,
            Value::Text(text) => write_scalar(writer, to, &Scalar::Text((&**text).into()))?,
            Value::Binary(bytes) => write_scalar(writer, to, &Scalar::Binary((&**bytes).into()))?,
        }
        next = loop {
            match open.last_mut() {
                None => return Ok(()),
                Some(Rest::List(values)) => match values.next() {
                    Some(value) => break value,
                    None => writer.end_list(),
                },
                Some(Rest::Dict(pairs)) => match pairs.next() {
                    Some((key, value)) => {
                        check_len(to, key.len())?;
                        writer.key(key);
                        break value;
                    }
                    None => writer.end_dict(),
                },
            }
            open.pop();
        };
    }
}

/// Writes a scalar, or says why the format has no place for it.
pub(super) fn write_scalar<'o, W: Writer<'o>>(
    writer: &mut W,
    to: Serializer,
    scalar: &Scalar<'_>,
) -> Result<(), &'static str> {
    let is_json = to == Serializer::Json;
    match scalar {
        Scalar::Null => writer.null(),
        Scalar::Bool(value) => writer.bool(*value),
        Scalar::Unsigned(value) => writer.u64(*value),
        Scalar::Negative(value) => writer.i64(*value),
        Scalar::Float(value) if is_json && value.is_nan() => return Err("NaN"),
        Scalar::Float(value) if is_json && value.is_infinite() => return Err("an infinity"),
        Scalar::Float(value) => writer.f64(*value),
        Scalar::Text(text) if is_json && text.starts_with('\0') => {
            return Err("text that begins with NUL");
        }
        Scalar::Text(text) => {
            check_len(to, text.len())?;
            writer.text(text);
        }
        Scalar::Binary(bytes) => {
            check_len(to, bytes.len())?;
            writer.binary(bytes);
        }
    }
    Ok(())
}

/// MessagePack has no lengths above 32 bits.
pub(super) fn check_len(to: Serializer, len: usize) -> Result<(), &'static str> {
    if to == Serializer::MsgPack && u32::try_from(len).is_err() {
        return Err("a length beyond 32 bits");
    }
    Ok(())
}

//! Values whose type is known only at run time.

mod convert;
mod dict;
mod serde;
#[cfg(test)]
pub(crate) mod tests;

use alloc::vec::Vec;

use bytes::Bytes;
use bytestring::ByteString;

pub use self::dict::{Dict, Iter};
use crate::serializer::Kind;

/// A value of any WAMP type: for dynamic payloads, unknown options and details.
///
/// Typed payloads are quicker to read and to write; this is for code that cannot know the type.
///
/// * Integers are apart from floats on every wire: `1` is never equal to `1.0`.
/// * Non-negative integers are [`Unsigned`](Self::Unsigned); every `From` and every decoder keeps to
///   that. An [`Integer`](Self::Integer) built by hand from a non-negative number is equal to its
///   `Unsigned` twin and encoded like it.
/// * Floats are equal when their bits are, so that −0.0 is not 0.0; but all NaNs are equal.
///
/// Cloning shares text and binary. Values decoded from bytes share those bytes, so a small text can keep
/// a large message in memory: see [`detached`](Self::detached).
///
/// Decoding builds no value deeper than [`MAX_DEPTH`](crate::limits::MAX_DEPTH), and encoding refuses
/// deeper ones. Cloning, comparing, printing and dropping go down one call per level: who builds a value
/// thousands of levels deep by hand has to provide the stack for that.
///
/// ```
/// use roadbed_core::limits::Limits;
/// use roadbed_core::serializer::Serializer;
/// use roadbed_core::value::{Dict, Value};
///
/// let value = Value::from(Dict::from([("name", Value::from("thermostat")), ("degrees", 21.5.into())]));
/// let encoded = Serializer::Cbor.encode_value(&value)?;
/// let decoded = Serializer::Cbor.decode_value(&encoded, &Limits::default())?;
/// assert_eq!(decoded, value);
/// assert_eq!(decoded.as_dict().and_then(|dict| dict.get("degrees")).and_then(Value::as_f64), Some(21.5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// Nothing: `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer from 0 to 2^64 − 1.
    Unsigned(u64),
    /// An integer below 0, down to −2^63.
    Integer(i64),
    /// A number with a fraction or an exponent.
    Float(f64),
    /// UTF-8 text.
    Text(ByteString),
    /// Bytes.
    Binary(Bytes),
    /// Values in order.
    List(Vec<Value>),
    /// Values by name, in order.
    Dict(Dict),
}

impl Value {
    /// Its type.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Null => Kind::Null,
            Self::Bool(_) => Kind::Bool,
            Self::Unsigned(_) | Self::Integer(_) => Kind::Integer,
            Self::Float(_) => Kind::Float,
            Self::Text(_) => Kind::Text,
            Self::Binary(_) => Kind::Binary,
            Self::List(_) => Kind::List,
            Self::Dict(_) => Kind::Dict,
        }
    }

    /// Whether it is null.
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The boolean. Integers are no booleans.
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The integer, if it is from 0 to 2^64 − 1. Floats are no integers.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Unsigned(value) => Some(*value),
            Self::Integer(value) => u64::try_from(*value).ok(),
            _ => None,
        }
    }

    /// The integer, if it is from −2^63 to 2^63 − 1. Floats are no integers.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Unsigned(value) => i64::try_from(*value).ok(),
            Self::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// The float, or the nearest one to an integer: JavaScript peers write `1` for 1.0.
    pub const fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Unsigned(value) => Some(*value as f64),
            Self::Integer(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// The text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(value) => Some(value),
            _ => None,
        }
    }

    /// The binary. Text is none.
    pub const fn as_bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Binary(value) => Some(value),
            _ => None,
        }
    }

    /// The list's values.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Self::List(values) => Some(values),
            _ => None,
        }
    }

    /// The dict.
    pub const fn as_dict(&self) -> Option<&Dict> {
        match self {
            Self::Dict(dict) => Some(dict),
            _ => None,
        }
    }

    /// A copy that shares no bytes with the message it was decoded from.
    #[must_use]
    pub fn detached(&self) -> Self {
        match self {
            Self::Text(text) => Self::Text(ByteString::from(&**text)),
            Self::Binary(bytes) => Self::Binary(Bytes::copy_from_slice(bytes)),
            Self::List(values) => Self::List(values.iter().map(Self::detached).collect()),
            Self::Dict(dict) => Self::Dict(dict.detached()),
            scalar => scalar.clone(),
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Unsigned(a), Self::Unsigned(b)) => a == b,
            (Self::Integer(a), Self::Integer(b)) => a == b,
            (Self::Unsigned(a), Self::Integer(b)) | (Self::Integer(b), Self::Unsigned(a)) => {
                u64::try_from(*b).is_ok_and(|b| *a == b)
            }
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Binary(a), Self::Binary(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Dict(a), Self::Dict(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

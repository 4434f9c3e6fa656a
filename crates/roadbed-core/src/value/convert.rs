//! Rust values as WAMP values.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use bytestring::ByteString;

use super::{Dict, Value};

macro_rules! from {
    ($($source:ty: $value:ident => $result:expr),* $(,)?) => {$(
        impl From<$source> for Value {
            fn from($value: $source) -> Self {
                $result
            }
        }
    )*};
}

from! {
    bool: value => Self::Bool(value),
    u8: value => Self::Unsigned(value.into()),
    u16: value => Self::Unsigned(value.into()),
    u32: value => Self::Unsigned(value.into()),
    u64: value => Self::Unsigned(value),
    i8: value => i64::from(value).into(),
    i16: value => i64::from(value).into(),
    i32: value => i64::from(value).into(),
    i64: value => u64::try_from(value).map_or(Self::Integer(value), Self::Unsigned),
    f32: value => Self::Float(value.into()),
    f64: value => Self::Float(value),
    &str: value => Self::Text(value.into()),
    String: value => Self::Text(value.into()),
    ByteString: value => Self::Text(value),
    Bytes: value => Self::Binary(value),
    &[u8]: value => Self::Binary(Bytes::copy_from_slice(value)),
    Vec<u8>: value => Self::Binary(value.into()),
    Vec<Value>: value => Self::List(value),
    Dict: value => Self::Dict(value),
    (): _value => Self::Null,
}

/// `None` is null.
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl FromIterator<Value> for Value {
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> Self {
        Self::List(values.into_iter().collect())
    }
}

//! Encoded values and the types of serde.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Serializer;
use crate::error::PayloadError;

/// How many containers inside each other typed access goes into, in every format. Reading recurses, so
/// the number is small enough for a thread's usual stack; serde_json has it built in.
pub(crate) const TYPED_DEPTH: usize = 127;

/// Encodes `value`. `part` names it in errors. Structs become dicts.
///
/// # Errors
/// [`PayloadError::Encode`] when the value's `Serialize` fails or the format cannot hold it,
/// [`PayloadError::Unavailable`] for MessagePack without the `std` feature.
pub(crate) fn encode_serde<T: Serialize + ?Sized>(
    serializer: Serializer,
    part: &str,
    value: &T,
) -> Result<Bytes, PayloadError> {
    let encoded = match serializer {
        Serializer::Json => serde_json::to_vec(value).map_err(|error| error.to_string()),
        Serializer::MsgPack => write_msgpack(value)?,
        Serializer::Cbor => write_cbor(value),
    };
    encoded.map(Bytes::from).map_err(|reason| PayloadError::Encode { part: part.into(), serializer, reason })
}

/// Reads all of `bytes` as a `T`. `part` names it in errors.
///
/// # Errors
/// [`PayloadError::Type`] when the value has another shape, or nests deeper than [`TYPED_DEPTH`];
/// [`PayloadError::Unavailable`] for MessagePack without the `std` feature.
pub(crate) fn decode_serde<T: DeserializeOwned>(
    serializer: Serializer,
    part: &str,
    bytes: &Bytes,
) -> Result<T, PayloadError> {
    let decoded = match serializer {
        Serializer::Json => serde_json::from_slice(bytes).map_err(|error| error.to_string()),
        Serializer::MsgPack => read_msgpack(bytes)?,
        Serializer::Cbor => read_cbor(bytes),
    };
    decoded.map_err(|reason| type_error::<T>(part, reason))
}

/// The error for a value that cannot be read as a `T`.
pub(crate) fn type_error<T>(part: &str, reason: String) -> PayloadError {
    PayloadError::Type { part: part.into(), type_name: core::any::type_name::<T>(), reason }
}

#[cfg(feature = "std")]
fn write_msgpack<T: Serialize + ?Sized>(value: &T) -> Result<Result<Vec<u8>, String>, PayloadError> {
    let mut out = Vec::new();
    let mut serializer = rmp_serde::Serializer::new(&mut out).with_struct_map();
    Ok(value.serialize(&mut serializer).map(|()| out).map_err(|error| error.to_string()))
}

#[cfg(feature = "std")]
fn read_msgpack<T: DeserializeOwned>(bytes: &Bytes) -> Result<Result<T, String>, PayloadError> {
    let mut unread: &[u8] = bytes;
    let mut deserializer = rmp_serde::Deserializer::new(&mut unread);
    deserializer.set_max_depth(TYPED_DEPTH.saturating_add(1));
    let value = T::deserialize(&mut deserializer).map_err(|error| error.to_string());
    Ok(value.and_then(|value| all_read(value, unread)))
}

#[cfg(not(feature = "std"))]
fn write_msgpack<T: Serialize + ?Sized>(_value: &T) -> Result<Result<Vec<u8>, String>, PayloadError> {
    Err(PayloadError::Unavailable(Serializer::MsgPack))
}

#[cfg(not(feature = "std"))]
fn read_msgpack<T: DeserializeOwned>(_bytes: &Bytes) -> Result<Result<T, String>, PayloadError> {
    Err(PayloadError::Unavailable(Serializer::MsgPack))
}

fn write_cbor<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, String> {
    use ciborium::ser::Error;

    let mut out = Vec::new();
    match ciborium::into_writer(value, &mut out) {
        Ok(()) => Ok(super::cbor::widen_halves(out)),
        Err(Error::Value(reason)) => Err(reason),
        Err(Error::Io(_)) => Err("cannot write".into()),
    }
}

fn read_cbor<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, String> {
    use ciborium::de::{Error, from_reader_with_recursion_limit};

    let mut unread: &[u8] = bytes;
    let value = from_reader_with_recursion_limit(&mut unread, TYPED_DEPTH).map_err(|error| match error {
        Error::Semantic(_, reason) => reason,
        Error::RecursionLimitExceeded => "recursion limit exceeded".into(),
        Error::Io(_) => "unexpected end".into(),
        Error::Syntax(offset) => alloc::format!("malformed at byte {offset}"),
    })?;
    all_read(value, unread)
}

/// A type that takes fewer elements than a list holds leaves the rest unread: ciborium does not mind.
fn all_read<T>(value: T, unread: &[u8]) -> Result<T, String> {
    if unread.is_empty() { Ok(value) } else { Err("there are more elements than the type takes".into()) }
}

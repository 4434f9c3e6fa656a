//! Encoded values and the types of serde: one mapping for all serializers, over their readers and writers.
//!
//! | serde | on the wire |
//! |---|---|
//! | `bool`, integers, floats, text | themselves; integers beyond 64 bits, and in JSON NaN, infinities and text that begins with NUL, are refused |
//! | bytes | binary |
//! | `None`, `()`, unit structs | null |
//! | sequences, tuples, tuple structs | lists |
//! | maps, structs | dicts; keys that are numbers, booleans or characters become text |
//! | unit variants | their name; other variants a dict of one key, the name |
//!
//! Reading takes more than that: a float that is whole where an integer is asked for, `undefined` as null, a
//! list for a struct, keys that are no text where the type takes them, binary that is UTF-8 for text.

mod access;
mod de;
mod fault;
mod keys;
mod root;
mod ser;
#[cfg(test)]
mod tests;
mod wording;

use alloc::string::{String, ToString};

use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use fault::Place;
pub(crate) use root::Shape;
pub(crate) use ser::BINARY;

use self::de::Decoder;
use self::fault::Fault;
use self::root::Root;
use self::ser::Encoder;
use super::Serializer;
use crate::error::PayloadError;

/// How many containers inside each other typed access goes into, in every format. Reading recurses, so
/// the number is small enough for a thread's usual stack.
pub(crate) const TYPED_DEPTH: usize = 127;

/// Encodes `value`. `part` names it in errors. Structs become dicts.
///
/// # Errors
/// [`PayloadError::Encode`] when the value's `Serialize` fails or the format cannot hold it.
pub(crate) fn encode_serde<T: Serialize + ?Sized>(
    serializer: Serializer,
    part: &str,
    value: &T,
) -> Result<Bytes, PayloadError> {
    let mut out = BytesMut::new();
    let written = with_format!(serializer, (_Reader, Writer) => {
        value.serialize(&mut Encoder::<Writer<'_>>::new(serializer, &mut out))
    });
    match written {
        Ok(()) => Ok(out.freeze()),
        Err(error) => Err(PayloadError::Encode { part: part.into(), serializer, reason: error.to_string() }),
    }
}

/// Reads all of `bytes` as a `T`. `place` says what they are, for errors.
///
/// # Errors
/// [`PayloadError::Type`] when the value has another shape, or nests deeper than [`TYPED_DEPTH`].
pub(crate) fn decode_serde<T: DeserializeOwned>(
    serializer: Serializer,
    place: Place<'_>,
    bytes: &Bytes,
) -> Result<T, PayloadError> {
    let read = with_format!(serializer, (Reader, _Writer) => {
        let mut decoder = Decoder::<Reader<'_>>::new(serializer, bytes);
        T::deserialize(&mut decoder).and_then(|value| decoder.finish(value))
    });
    read.map_err(|fault| failed::<T>(place, &fault))
}

/// Reads all of `bytes`, args or kwargs, as a `T`.
///
/// # Errors
/// As [`decode_serde`].
pub(crate) fn decode_part<T: DeserializeOwned>(
    serializer: Serializer,
    shape: Shape,
    bytes: &Bytes,
) -> Result<T, PayloadError> {
    let read = with_format!(serializer, (Reader, _Writer) => {
        let mut decoder = Decoder::<Reader<'_>>::new(serializer, bytes);
        T::deserialize(Root::new(&mut decoder, shape)).and_then(|value| decoder.finish(value))
    });
    read.map_err(|fault| failed::<T>(shape.place(), &fault))
}

#[cold]
fn failed<T>(place: Place<'_>, fault: &Fault) -> PayloadError {
    type_error::<T>(fault.place(place), fault.to_string())
}

/// The error for a value that cannot be read as a `T`.
pub(crate) fn type_error<T>(part: String, reason: String) -> PayloadError {
    PayloadError::Type { part, type_name: core::any::type_name::<T>(), reason }
}

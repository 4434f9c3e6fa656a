//! Bytes that are binary on every wire.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;

use base64ct::{Base64, Encoding};
use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::serializer::typed::BINARY;

/// Bytes in a payload: binary in MessagePack and CBOR, the string `"\u0000"` + base64 in JSON, as WAMP
/// has it. Use it wherever a typed payload holds bytes; `Vec<u8>` is a list of numbers to serde.
///
/// ```
/// use roadbed_core::payload::{Binary, Payload};
/// use roadbed_core::serializer::Serializer;
///
/// let payload = Payload::from_args(Serializer::Json, &(Binary::from(b"ABC"),))?;
/// assert_eq!(payload.raw_args().unwrap(), r#"["\u0000QUJD"]"#);
/// let (binary,) = payload.args::<(Binary,)>()?;
/// assert_eq!(*binary, *b"ABC");
/// # Ok::<(), roadbed_core::error::PayloadError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Binary(pub Bytes);

impl Deref for Binary {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Binary {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Binary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl From<Bytes> for Binary {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl From<Vec<u8>> for Binary {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<&[u8]> for Binary {
    fn from(bytes: &[u8]) -> Self {
        Self(Bytes::copy_from_slice(bytes))
    }
}

impl<const N: usize> From<&[u8; N]> for Binary {
    fn from(bytes: &[u8; N]) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl From<Binary> for Bytes {
    fn from(binary: Binary) -> Self {
        binary.0
    }
}

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_binary(&self.0, serializer)
    }
}

/// Writes bytes as binary. In JSON that is text like any other to serde, so it is marked: text that only
/// looks like binary is refused there.
pub(crate) fn serialize_binary<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        let mut text = Base64::encode_string(bytes);
        text.insert(0, '\0');
        serializer.serialize_newtype_struct(BINARY, &text)
    } else {
        serializer.serialize_bytes(bytes)
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_string(BinaryVisitor)
        } else {
            deserializer.deserialize_byte_buf(BinaryVisitor)
        }
    }
}

/// Takes both forms: what serde buffers for untagged enums and flattened structs claims to be human
/// readable in every format.
struct BinaryVisitor;

impl Visitor<'_> for BinaryVisitor {
    type Value = Binary;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("binary")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Binary, E> {
        Ok(bytes.into())
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Binary, E> {
        Ok(bytes.into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Binary, E> {
        let Some(base64) = text.strip_prefix('\0') else {
            return Err(E::invalid_type(Unexpected::Str(text), &self));
        };
        let bytes = Base64::decode_vec(base64);
        bytes.map(Binary::from).map_err(|_| E::custom("the binary string is not valid base64"))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Binary, E> {
        self.visit_str(&text)
    }
}

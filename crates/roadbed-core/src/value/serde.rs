//! Values through serde: in typed payloads, and in any other format.
//!
//! Binary is bytes where the format has them; in human-readable formats it is WAMP's string of NUL and
//! base64, and back. Both directions refuse what nests deeper than [`MAX_DEPTH`].

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base64ct::{Base64, Encoding};
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, Visitor};
use serde::ser::{self, Serialize, SerializeMap, SerializeSeq, Serializer};

use super::{Dict, Value};
use crate::limits::MAX_DEPTH;
use crate::payload::serialize_binary;

/// Entries for which room is made before they are seen.
const TRUSTED_HINT: usize = 64;

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Shallow { value: self, levels: MAX_DEPTH }.serialize(serializer)
    }
}

impl Serialize for Dict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_dict(self, MAX_DEPTH, serializer)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Levels(MAX_DEPTH).deserialize(deserializer)
    }
}

impl<'de> Deserialize<'de> for Dict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DictVisitor;

        impl<'de> Visitor<'de> for DictVisitor {
            type Value = Dict;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a dict with text keys")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, access: A) -> Result<Dict, A::Error> {
                read_dict(access, MAX_DEPTH)
            }
        }

        deserializer.deserialize_map(DictVisitor)
    }
}

/// A value that may nest so many levels.
struct Shallow<'a> {
    value: &'a Value,
    levels: usize,
}

impl Serialize for Shallow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Unsigned(value) => serializer.serialize_u64(*value),
            Value::Integer(value) => serializer.serialize_i64(*value),
            Value::Float(value) => serializer.serialize_f64(*value),
            Value::Text(text) if serializer.is_human_readable() && text.starts_with('\0') => {
                Err(ser::Error::custom("text that begins with NUL would be read as binary"))
            }
            Value::Text(text) => serializer.serialize_str(text),
            Value::Binary(bytes) => serialize_binary(bytes, serializer),
            Value::List(values) => {
                let levels = inside(self.levels).map_err(ser::Error::custom)?;
                let mut list = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    list.serialize_element(&Shallow { value, levels })?;
                }
                list.end()
            }
            Value::Dict(dict) => serialize_dict(dict, self.levels, serializer),
        }
    }
}

fn serialize_dict<S: Serializer>(dict: &Dict, levels: usize, serializer: S) -> Result<S::Ok, S::Error> {
    let levels = inside(levels).map_err(ser::Error::custom)?;
    let mut map = serializer.serialize_map(Some(dict.len()))?;
    for (key, value) in dict {
        map.serialize_entry(key, &Shallow { value, levels })?;
    }
    map.end()
}

/// The levels left inside a container that stands where there are so many.
fn inside(levels: usize) -> Result<usize, String> {
    levels.checked_sub(1).ok_or_else(|| format!("nested deeper than {MAX_DEPTH} levels"))
}

/// Reads a value that may nest so many levels.
#[derive(Clone, Copy)]
struct Levels(usize);

impl<'de> DeserializeSeed<'de> for Levels {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let is_human_readable = deserializer.is_human_readable();
        deserializer.deserialize_any(ValueVisitor { levels: self.0, is_human_readable })
    }
}

struct ValueVisitor {
    levels: usize,
    is_human_readable: bool,
}

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of a WAMP type")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Levels(self.levels).deserialize(deserializer)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Value, E> {
        u64::try_from(value).map(Value::from).map_err(|_| E::custom("the integer exceeds 64 bits"))
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Value, E> {
        match (u64::try_from(value), i64::try_from(value)) {
            (Ok(value), _) => Ok(value.into()),
            (_, Ok(value)) => Ok(value.into()),
            _ => Err(E::custom("the integer exceeds 64 bits")),
        }
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        match value.strip_prefix('\0') {
            Some(encoded) if self.is_human_readable => match Base64::decode_vec(encoded) {
                Ok(bytes) => Ok(bytes.into()),
                Err(_) => Err(E::custom("the binary string is not valid base64")),
            },
            _ => Ok(value.into()),
        }
    }

    fn visit_bytes<E: de::Error>(self, value: &[u8]) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_byte_buf<E: de::Error>(self, value: Vec<u8>) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let levels = inside(self.levels).map_err(de::Error::custom)?;
        let mut values = Vec::with_capacity(access.size_hint().unwrap_or(0).min(TRUSTED_HINT));
        while let Some(value) = access.next_element_seed(Levels(levels))? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: de::MapAccess<'de>>(self, access: A) -> Result<Value, A::Error> {
        read_dict(access, self.levels).map(Value::Dict)
    }

    /// This is how ciborium shows a tag, which is dropped.
    fn visit_enum<A: de::EnumAccess<'de>>(self, access: A) -> Result<Value, A::Error> {
        let levels = inside(self.levels).map_err(de::Error::custom)?;
        let (name, content) = access.variant::<String>()?;
        if name == "@@TAGGED@@" {
            de::VariantAccess::newtype_variant_seed(content, Levels(levels))
        } else {
            Err(de::Error::invalid_type(de::Unexpected::Enum, &"a value of a WAMP type"))
        }
    }
}

fn read_dict<'de, A: de::MapAccess<'de>>(mut access: A, levels: usize) -> Result<Dict, A::Error> {
    let levels = inside(levels).map_err(de::Error::custom)?;
    let mut dict = Dict::with_capacity(access.size_hint().unwrap_or(0).min(TRUSTED_HINT));
    while let Some(key) = access.next_key::<String>()? {
        dict.push(key, access.next_value_seed(Levels(levels))?);
    }
    Ok(dict)
}

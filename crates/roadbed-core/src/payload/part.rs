//! Args and kwargs: what sets them apart, and how they are built.

use alloc::string::ToString;

use bytes::Bytes;
use serde::Serialize;

use crate::error::PayloadError;
use crate::limits::MAX_DEPTH;
use crate::serializer::typed::Shape;
use crate::serializer::{Kind, ReadError, Serializer, parts, typed};

/// Args or kwargs.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    /// An empty one, in JSON.
    pub(super) nothing: &'static [u8],
    check: fn(Serializer, &Bytes, usize) -> Result<(), ReadError>,
}

pub(super) const ARGS: Part =
    Part { name: "arguments", shape: Shape::List, nothing: b"[]", check: parts::check_list };
pub(super) const KWARGS: Part =
    Part { name: "keyword arguments", shape: Shape::Dict, nothing: b"{}", check: parts::check_dict };

/// Encodes a part, and makes sure that a strict peer will take it.
pub(super) fn encode<T>(serializer: Serializer, part: &Part, value: &T) -> Result<Option<Bytes>, PayloadError>
where
    T: Serialize + ?Sized,
{
    let encoded = typed::encode_serde(serializer, part.name, value)?;
    let kind = parts::kind(serializer, &encoded);
    if kind == Ok(Kind::Null) {
        return Ok(None);
    }
    (part.check)(serializer, &encoded, MAX_DEPTH).map_err(|error| {
        let mut reason = error.kind.to_string();
        if part.name == ARGS.name && kind.is_ok_and(|kind| kind != Kind::List) {
            reason.push_str("; one value alone goes into a tuple: `(value,)`");
        }
        PayloadError::Encode { part: part.name.into(), serializer, reason }
    })?;
    Ok(Some(encoded))
}

//! Args and kwargs: what sets them apart, and how they are built.

use alloc::string::ToString;

use bytes::Bytes;
use serde::Serialize;

use crate::error::PayloadError;
use crate::limits::MAX_DEPTH;
use crate::serializer::{Kind, Malformed, ReadError, Serializer, parts, typed};

/// Args or kwargs.
pub(super) struct Part {
    pub(super) name: &'static str,
    /// An empty one, in JSON.
    pub(super) nothing: &'static [u8],
    check: fn(Serializer, &Bytes, usize) -> Result<(), ReadError>,
}

pub(super) const ARGS: Part = Part { name: "args", nothing: b"[]", check: parts::check_list };
pub(super) const KWARGS: Part = Part { name: "kwargs", nothing: b"{}", check: parts::check_dict };

/// Encodes a part, and makes sure that a strict peer will take it.
pub(super) fn encode<T>(serializer: Serializer, part: &Part, value: &T) -> Result<Option<Bytes>, PayloadError>
where
    T: Serialize + ?Sized,
{
    let encoded = typed::encode_serde(serializer, part.name, value)?;
    if parts::kind(serializer, &encoded) == Ok(Kind::Null) {
        return Ok(None);
    }
    (part.check)(serializer, &encoded, MAX_DEPTH).map_err(|error| {
        let reason = match error.kind {
            Malformed::InvalidBinary => "text that begins with NUL would be taken for binary".into(),
            kind => kind.to_string(),
        };
        PayloadError::Encode { part: part.name.into(), serializer, reason }
    })?;
    Ok(Some(encoded))
}

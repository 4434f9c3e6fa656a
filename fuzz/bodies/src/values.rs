//! Plain values: [`Serializer::decode_value`] and [`Serializer::encode_value`].
//!
//! * What decodes under small limits decodes to the same under large ones.
//! * A decoded value can be encoded, decodes to the same again, and its encoding is a fixed point.
//! * It is the same value in every other serializer, or the error says what has no place there.

use bytes::Bytes;
use roadbed_core::error::PayloadError;
use roadbed_core::limits::Limits;
use roadbed_core::serializer::{Malformed, Serializer};
use roadbed_core::value::Value;

use crate::check_text;

/// A value in JSON.
pub fn json_value(data: &[u8]) {
    value(Serializer::Json, data);
}

/// A value in MessagePack.
pub fn msgpack_value(data: &[u8]) {
    value(Serializer::MsgPack, data);
}

/// A value in CBOR.
pub fn cbor_value(data: &[u8]) {
    value(Serializer::Cbor, data);
}

fn value(serializer: Serializer, data: &[u8]) {
    let input = Bytes::copy_from_slice(data);
    let small = Limits::default().message_size(512).depth(3);
    let strictly = serializer.decode_value(&input, &small);
    match serializer.decode_value(&input, &Limits::default()) {
        Ok(value) => {
            match strictly {
                Ok(same) => assert_eq!(same, value, "limits change the value"),
                Err(error) => {
                    check_text(&error);
                    let is_limit =
                        matches!(error.kind, Malformed::TooDeep { .. } | Malformed::TooLong { .. });
                    assert!(is_limit, "{error} is not for a limit");
                }
            }
            assert_eq!(value.detached(), value);
            for other in Serializer::ALL {
                round_trip(serializer, other, &value);
            }
        }
        Err(error) => {
            check_text(&error);
            assert!(error.offset <= data.len(), "{error}: beyond the input");
            check_text(&strictly.expect_err("only small limits let it through"));
        }
    }
}

fn round_trip(from: Serializer, to: Serializer, value: &Value) {
    let encoded = match to.encode_value(value) {
        Ok(encoded) => encoded,
        Err(error) => {
            check_text(&error);
            assert!(from != to && matches!(error, PayloadError::Encode { .. }), "{error:?}");
            return;
        }
    };
    let limits = Limits::default().message_size(16 << 20);
    let decoded = to.decode_value(&encoded, &limits);
    assert_eq!(decoded.as_ref(), Ok(value), "{from} to {to}: {encoded:?}");
    assert_eq!(to.encode_value(&decoded.unwrap_or_default()), Ok(encoded), "the encoding is no fixed point");
}

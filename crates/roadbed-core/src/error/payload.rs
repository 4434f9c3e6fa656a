//! What can go wrong with a payload that is well-formed on the wire.

use alloc::string::String;

use crate::serializer::{ReadError, Serializer};

/// A payload (or an option) that cannot be built, read as the type asked for, or carried to another
/// serializer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// The value has another shape than the type it was read as.
    #[error("{part} cannot be read as {type_name}: {reason}")]
    Type {
        /// `args`, `kwargs`, or the key of an option.
        part: String,
        /// The Rust type asked for.
        type_name: &'static str,
        /// What the deserializer said.
        reason: String,
    },
    /// The value cannot be written: its `Serialize` failed, or it is no list or dict where one is needed.
    #[error("{part} cannot be written as {serializer}: {reason}")]
    Encode {
        /// `args`, `kwargs`, or the key of an option.
        part: String,
        /// The serializer.
        serializer: Serializer,
        /// What the serializer said.
        reason: String,
    },
    /// The value has no counterpart in the other serializer.
    #[error("{what} (at byte {offset}) cannot be carried from {from} to {to}")]
    NotRepresentable {
        /// What stands in the way, such as `NaN` or `a dict key that is not text`.
        what: &'static str,
        /// Offset in bytes into the encoded part.
        offset: usize,
        /// The serializer it is in.
        from: Serializer,
        /// The serializer it should go to.
        to: Serializer,
    },
    /// The encoded bytes are not well-formed. Only payloads given as raw bytes can show this.
    #[error("the encoded payload is malformed {0}")]
    Malformed(#[from] ReadError),
    /// Typed MessagePack needs the `std` feature.
    #[error("typed access to {0} needs the std feature")]
    Unavailable(Serializer),
}

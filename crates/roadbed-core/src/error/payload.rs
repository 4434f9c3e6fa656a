//! What can go wrong with a payload that is well-formed on the wire.

use alloc::string::String;

use crate::payload::PayloadPart;
use crate::serializer::{ReadError, Serializer};

/// A payload (or an option) that cannot be built, read as the type asked for, or carried to another
/// serializer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// The value has another shape than the type it was read as.
    #[error("{part}: {reason}")]
    Type {
        /// Where it stands: `argument 2`, `keyword argument "from"`, `argument 1[3].size`, the key of an option.
        part: String,
        /// The Rust type asked for.
        type_name: &'static str,
        /// What was expected and what came, in words that are the same for every serializer.
        reason: String,
    },
    /// The value cannot be written: its `Serialize` failed, or it is no list or dict where one is needed.
    #[error("{part} cannot be written as {serializer}: {reason}")]
    Encode {
        /// `arguments`, `keyword arguments`, or the key of an option.
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
    /// A value in it is no value in each of the serializers, where only such values may pass.
    #[error("{what} (at byte {offset} of the {part}) is not portable: not every serializer can say it")]
    NotPortable {
        /// What it is, such as `a tag` or `a number beyond 64 bits`.
        what: &'static str,
        /// The part it stands in.
        part: PayloadPart,
        /// Offset in bytes into the encoded part.
        offset: usize,
    },
    /// The encoding would be larger than the recipient accepts. It was given up as soon as that was seen.
    #[error("the encoding has {size} bytes or more, the limit is {limit}")]
    TooLarge {
        /// Bytes found; the whole may be larger.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The encoded bytes are not well-formed, or hold what no peer can be given. Only payloads given as raw
    /// bytes can show this.
    #[error("the encoded payload is malformed {0}")]
    Malformed(#[from] ReadError),
    /// The payload came framed well and holds what no peer can be given: text that is not UTF-8, `NaN` in
    /// JSON, keyword arguments whose names are no text or stand twice. Nothing of it can be read.
    #[error("the {part} cannot be read: {error}")]
    Unreadable {
        /// The part it stands in.
        part: PayloadPart,
        /// What it is, and where: bytes from the start of the message.
        error: ReadError,
    },
}

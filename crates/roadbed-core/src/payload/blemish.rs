//! Why nothing of a payload can be read, in the few bytes that a payload has to spare.

use core::fmt;

use crate::error::PayloadError;
use crate::serializer::{Kind, Malformed, ReadError};

/// One of the parts that a payload may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadPart {
    /// The arguments.
    Args,
    /// The keyword arguments.
    Kwargs,
    /// The one element of payload transparency.
    Bare,
}

impl fmt::Display for PayloadPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Args => "arguments",
            Self::Kwargs => "keyword arguments",
            Self::Bare => "payload",
        })
    }
}

/// What makes a payload unreadable, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Blemish {
    part: PayloadPart,
    kind: BlemishKind,
    offset: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BlemishKind {
    Utf8,
    Surrogate,
    Base64,
    NonFinite,
    DoubleKey,
    Key(Kind),
}

impl Blemish {
    pub(super) fn new(part: PayloadPart, error: &ReadError) -> Self {
        let kind = match error.kind {
            Malformed::LoneSurrogate => BlemishKind::Surrogate,
            Malformed::InvalidBinary => BlemishKind::Base64,
            Malformed::NonFinite => BlemishKind::NonFinite,
            Malformed::DuplicateKey => BlemishKind::DoubleKey,
            Malformed::NonTextKey(kind) => BlemishKind::Key(kind),
            _ => BlemishKind::Utf8,
        };
        Self { part, kind, offset: u32::try_from(error.offset).unwrap_or(u32::MAX) }
    }
}

impl From<Blemish> for PayloadError {
    fn from(Blemish { part, kind, offset }: Blemish) -> Self {
        let kind = match kind {
            BlemishKind::Utf8 => Malformed::InvalidUtf8,
            BlemishKind::Surrogate => Malformed::LoneSurrogate,
            BlemishKind::Base64 => Malformed::InvalidBinary,
            BlemishKind::NonFinite => Malformed::NonFinite,
            BlemishKind::DoubleKey => Malformed::DuplicateKey,
            BlemishKind::Key(kind) => Malformed::NonTextKey(kind),
        };
        let error = ReadError::new(usize::try_from(offset).unwrap_or(usize::MAX), kind);
        Self::Unreadable { part, error }
    }
}

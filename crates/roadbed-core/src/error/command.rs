//! Why a command was refused, and how a request that was sent can fail.

use crate::error::{CloseReason, PayloadError, ProtocolViolation, WampError};
use crate::role::{Feature, Role};
use crate::uri::UriError;

/// A command that did nothing: no id was used, nothing was queued.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// There is no joined session now.
    #[error("no session is joined")]
    NotJoined,
    /// A session is joined, or being joined, on this transport.
    #[error("a session is joined already, or being joined")]
    AlreadyJoined,
    /// Too much output is queued; try again after `Writable`.
    #[error("{queued} bytes of output are queued, the limit is {limit}")]
    WouldBlock {
        /// Bytes queued.
        queued: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The id names nothing that is still active: it was answered, canceled, or belongs to an earlier
    /// session. Harmless; it happens when both sides end something at once.
    #[error("nothing active has this id")]
    NotActive,
    /// As many of these are active as allowed.
    #[error("{count} {what} are active, the limit is {limit}")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// How many are active.
        count: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// The encoded message is larger than the peer accepts.
    #[error("the message has {size} bytes, the peer accepts {limit}")]
    TooLarge {
        /// Bytes of the message.
        size: usize,
        /// Bytes the peer accepts.
        limit: usize,
    },
    /// A text given as a URI is none, so no peer would take it.
    #[error(transparent)]
    InvalidUri(#[from] UriError),
    /// The payload or an option cannot be written in the connection's serializer.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// This side did not announce the role the command needs, or the peer lacks its counterpart.
    #[error("the {} role was not announced", .0.name())]
    RoleMissing(Role),
    /// The peer did not announce the feature that an option needs.
    #[error("the peer does not support {}", .0.name())]
    FeatureMissing(Feature),
}

/// How a request that was sent ended without its result. There is no other way, so matches need no arm for one.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RequestError {
    /// The peer answered ERROR.
    #[error("{0}")]
    Wamp(WampError),
    /// The peer answered, but not all of its answer can be read: a detail of a wrong type, or an error whose
    /// URI is too long.
    #[error("the answer cannot be read: {0}")]
    Unreadable(ProtocolViolation),
    /// The local deadline passed.
    #[error("the deadline passed")]
    Timeout,
    /// It was canceled here, and the dealer cannot pass that on.
    #[error("canceled")]
    Canceled,
    /// The session ended first.
    #[error("the session ended: {0}")]
    Ended(CloseReason),
}

impl RequestError {
    /// Whether the same request may succeed later, perhaps over a new connection.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Wamp(error) => error.is_retryable(),
            Self::Timeout => true,
            Self::Canceled | Self::Unreadable(_) => false,
            Self::Ended(reason) => reason.is_retryable(),
        }
    }
}

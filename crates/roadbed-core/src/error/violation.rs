//! What a peer did wrong.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::fmt;

use crate::id::RequestId;
use crate::message::MessageType;
use crate::serializer::{Malformed, ReadError};
use crate::transport::TransportError;
use crate::uri::UriError;

/// A peer broke the protocol. The session ends with ABORT `wamp.error.protocol_violation`, whose
/// `message` is this error's text (basic profile, "Protocol errors").
///
/// The text names what is wrong, where (message, element, key, byte) and which limit was passed.
///
/// ```
/// use roadbed_core::{limits::Limits, serializer::Serializer};
///
/// let bytes = bytes::Bytes::from_static(b"[48,1,{\"timeout\":true},\"com.example.add\"]");
/// let violation = Serializer::Json.decode(&bytes, &Limits::default()).unwrap_err();
/// assert_eq!(
///     violation.to_string(),
///     "CALL options.timeout at byte 17: expected a non-negative integer, found a boolean"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolViolation(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    kind: ViolationKind,
    message: Option<MessageType>,
    element: Option<&'static str>,
    key: Option<&'static str>,
    offset: Option<usize>,
    request: Option<(MessageType, RequestId)>,
    /// Whether the peer waits for an answer to that request.
    is_answered: bool,
}

/// The kinds of violation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ViolationKind {
    /// The bytes are malformed, or a value is not what its place takes.
    #[error("{0}")]
    Malformed(Malformed),
    /// The transport was misused.
    #[error("{0}")]
    Transport(#[from] TransportError),
    /// A list without a message type.
    #[error("the message is empty")]
    EmptyMessage,
    /// A message type that does not exist.
    #[error("there is no message type {0}")]
    UnknownType(u64),
    /// A message with too few or too many elements.
    #[error("{}", length(*found, *min, *max))]
    Length {
        /// Elements found; for a message that is too long, at least this many.
        found: usize,
        /// The fewest allowed.
        min: usize,
        /// The most allowed.
        max: usize,
    },
    /// A message that this peer never sends, or not in this state of the session.
    #[error("received {state}")]
    Unexpected {
        /// When it came, such as `before the session was established`.
        state: &'static str,
    },
    /// A request id that does not follow its predecessor (`strict_ids`).
    #[error("request id {found} is not sequential, expected {expected}")]
    NonSequential {
        /// The id received.
        found: RequestId,
        /// The id that follows the last one.
        expected: RequestId,
    },
    /// A text that has to be a URI and is none.
    #[error("{0}")]
    InvalidUri(UriError),
    /// An answer to a request that was never made.
    #[error("request {0} was never issued")]
    UnknownRequest(RequestId),
    /// A feature used that was not announced.
    #[error("{0} was not announced")]
    NotAnnounced(&'static str),
}

/// How many elements came, and how many may come.
fn length(found: usize, min: usize, max: usize) -> String {
    let plural = if found == 1 { "" } else { "s" };
    if min == max {
        return format!("{found} element{plural}, expected {min}");
    }
    format!("{found} element{plural}, expected {min} to {max}")
}

impl ProtocolViolation {
    /// A violation by a message as a whole.
    pub fn new(message: Option<MessageType>, kind: ViolationKind) -> Self {
        Self(Box::new(Inner {
            kind,
            message,
            element: None,
            key: None,
            offset: None,
            request: None,
            is_answered: false,
        }))
    }

    /// An element of a message that has to be a URI and is none. Where it is a request's, answer the request
    /// instead.
    pub fn invalid_uri(message: MessageType, element: &'static str, error: UriError) -> Self {
        let mut violation = Self::new(Some(message), ViolationKind::InvalidUri(error));
        violation.0.element = Some(element);
        violation
    }

    /// A message that must not come from this peer, or not now.
    pub fn unexpected(message: MessageType, state: &'static str) -> Self {
        Self::new(Some(message), ViolationKind::Unexpected { state })
    }

    pub(crate) fn at(
        error: ReadError,
        message: Option<MessageType>,
        element: Option<&'static str>,
        key: Option<&'static str>,
    ) -> Self {
        let ReadError { offset, kind } = error;
        let kind = ViolationKind::Malformed(kind);
        let offset = Some(offset);
        Self(Box::new(Inner { kind, message, element, key, offset, request: None, is_answered: false }))
    }

    /// The violation costs this request and nothing else; `is_answered` says whether the peer waits for an
    /// answer to it.
    pub(crate) fn by_request(mut self, request: Option<(MessageType, RequestId)>, is_answered: bool) -> Self {
        self.0.request = request;
        self.0.is_answered = is_answered && request.is_some();
        self
    }

    /// Whether the message is well-formed, and only the value of a known option or detail is not what its key takes.
    pub(crate) fn is_unsuitable_option(&self) -> bool {
        self.0.key.is_some() && matches!(&self.0.kind, ViolationKind::Malformed(kind) if kind.is_unsuitable())
    }

    /// What kind of violation it is.
    pub fn kind(&self) -> &ViolationKind {
        &self.0.kind
    }

    /// The message it was found in, as far as that is known.
    pub fn message(&self) -> Option<MessageType> {
        self.0.message
    }

    /// The element of the message, such as `options` or `procedure`.
    pub fn element(&self) -> Option<&'static str> {
        self.0.element
    }

    /// The key in options or details.
    pub fn key(&self) -> Option<&'static str> {
        self.0.key
    }

    /// Offset in bytes from the start of the message.
    pub fn offset(&self) -> Option<usize> {
        self.0.offset
    }

    /// The request that this violation costs, where it costs no more than that: the message was well-formed
    /// and only an option or a URI in it was unsuitable, so the session goes on. For a request that is
    /// [answered](Self::is_answered) with ERROR, it is its id; for YIELD, ERROR, CANCEL and INTERRUPT, the id
    /// of the request that they are about.
    pub fn request(&self) -> Option<RequestId> {
        self.0.request.map(|(_, request)| request)
    }

    /// The type of [`request`](Self::request): that of the message itself; for an ERROR, of the request that
    /// failed.
    pub fn request_type(&self) -> Option<MessageType> {
        self.0.request.map(|(request_type, _)| request_type)
    }

    /// Whether the peer waits for an ERROR to [`request`](Self::request). It does not for a publication
    /// that asked for no acknowledgement, nor for what is itself an answer.
    pub fn is_answered(&self) -> bool {
        self.0.is_answered
    }
}

impl From<TransportError> for ProtocolViolation {
    fn from(error: TransportError) -> Self {
        Self::new(None, error.into())
    }
}

impl fmt::Display for ProtocolViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, message, element, key, offset, .. } = &*self.0;
        match message {
            Some(message) => f.write_str(message.name())?,
            None => f.write_str("message")?,
        }
        if let Some(element) = element {
            write!(f, " {element}")?;
        }
        if let Some(key) = key {
            write!(f, ".{key}")?;
        }
        if let Some(offset) = offset {
            write!(f, " at byte {offset}")?;
        }
        write!(f, ": {kind}")
    }
}

impl core::error::Error for ProtocolViolation {}

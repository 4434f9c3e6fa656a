//! What a message stream reports.

use bytes::Bytes;

use crate::transport::TransportClose;

/// The two kinds of WebSocket messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// UTF-8, checked on arrival.
    Text,
    /// Any bytes.
    Binary,
}

impl core::fmt::Display for MessageKind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Binary => "binary",
        })
    }
}

/// Something a stream found in its input, or the end of it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageEvent {
    /// One whole message, unmasked, reassembled and inflated.
    Message {
        /// Text or binary.
        kind: MessageKind,
        /// Its bytes: a slice of the read buffer, if it came in one uncompressed frame.
        body: Bytes,
    },
    /// The end: no event follows. Drain `poll_transmit`, then close the stream.
    Closed {
        /// Why.
        reason: TransportClose,
    },
}

/// Of a message it shows the size only: it may carry credentials.
impl core::fmt::Debug for MessageEvent {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Message { kind, body } => f
                .debug_struct("Message")
                .field("kind", kind)
                .field("body", &format_args!("{} bytes", body.len()))
                .finish(),
            Self::Closed { reason } => f.debug_struct("Closed").field("reason", reason).finish(),
        }
    }
}

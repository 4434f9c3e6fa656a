//! What a transport reports.

use bytes::Bytes;
use bytestring::ByteString;

use super::TransportError;
use crate::serializer::Serializer;

/// Something a transport found in its input, or the end of it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportEvent {
    /// The handshake is done; messages can be sent.
    Open {
        /// The serializer both ends use from now on.
        serializer: Serializer,
        /// Bytes of the largest message the peer accepts.
        max_send: usize,
    },
    /// One whole message, still encoded: a slice of the read buffer. It may be empty; the serializer judges.
    Message(Bytes),
    /// The end: no event follows. Drain `poll_transmit`, then close the stream.
    Closed {
        /// Why.
        reason: TransportClose,
    },
}

/// Of a message it shows the size only: it may carry credentials.
impl core::fmt::Debug for TransportEvent {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Open { serializer, max_send } => {
                f.debug_struct("Open").field("serializer", serializer).field("max_send", max_send).finish()
            }
            Self::Message(message) => {
                f.debug_tuple("Message").field(&format_args!("{} bytes", message.len())).finish()
            }
            Self::Closed { reason } => f.debug_struct("Closed").field("reason", reason).finish(),
        }
    }
}

/// Why a transport closed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportClose {
    /// The owner called `close`.
    Local,
    /// The peer ended its stream between two messages.
    Eof,
    /// The peer closed the transport in the way that the transport has for it: a Close frame.
    Peer {
        /// The code, if it gave one (RFC 6455 section 7.4).
        code: Option<u16>,
        /// What it said for people; mostly empty.
        reason: ByteString,
    },
    /// The peer stayed silent for longer than liveness allows.
    Timeout,
    /// The handshake failed, the peer broke the rules of the transport, or its stream ended inside a frame.
    Failed(TransportError),
}

impl TransportClose {
    /// Whether nothing went wrong: closed by us, or by the peer in good order.
    pub const fn is_clean(&self) -> bool {
        matches!(self, Self::Local | Self::Eof | Self::Peer { .. })
    }
}

//! What can go wrong on a transport.

use core::fmt;

use super::websocket::UpgradeError;
use super::{RawSocketError, WebSocketError};

/// An error of a transport: what happened, where, and against which limit.
///
/// [`TooLarge`](Self::TooLarge), [`NotOpen`](Self::NotOpen) and [`Closed`](Self::Closed) are answers to `send`
/// and leave the transport as it was. All others end it and come in
/// [`TransportEvent::Closed`](super::TransportEvent::Closed).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// A message for which the handshake has to be done first.
    #[error("the transport handshake is not done yet")]
    NotOpen,
    /// A message after the end.
    #[error("the transport is closed")]
    Closed,
    /// A message to send is larger than the peer accepts; it was not queued.
    #[error("message of {size} bytes not sent: the peer accepts up to {limit}")]
    TooLarge {
        /// Bytes of the encoded message.
        size: usize,
        /// Bytes the peer accepts.
        limit: usize,
    },
    /// A received frame announces more bytes than the receive limit. None of them was buffered for it.
    #[error("received a {kind} of {size} bytes, the limit is {limit}")]
    ReceivedTooLarge {
        /// What the frame carries.
        kind: FrameKind,
        /// Bytes announced in its header.
        size: usize,
        /// Bytes allowed: of a PING also no more than the peer accepts back in the PONG.
        limit: usize,
    },
    /// The peer's stream ended in the middle of something.
    #[error("the stream ended in a {part}: {received} of {expected} bytes arrived")]
    Truncated {
        /// What was incomplete.
        part: FramePart,
        /// Bytes of that part that arrived.
        received: usize,
        /// Bytes it would have had.
        expected: usize,
    },
    /// A fault in the terms of the RawSocket transport.
    #[error(transparent)]
    RawSocket(#[from] RawSocketError),
    /// A fault in the terms of the WebSocket transport.
    #[error(transparent)]
    WebSocket(#[from] WebSocketError),
}

impl TransportError {
    /// Whether the stream was cut: a loss, rather than a fault of the peer's.
    pub const fn is_truncation(&self) -> bool {
        matches!(
            self,
            Self::Truncated { .. } | Self::WebSocket(WebSocketError::Upgrade(UpgradeError::Truncated { .. }))
        )
    }
}

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FrameKind {
    /// A WAMP message.
    Message,
    /// A request to answer with a PONG of the same payload.
    Ping,
    /// The answer to a PING.
    Pong,
}

impl fmt::Display for FrameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Message => "message",
            Self::Ping => "PING",
            Self::Pong => "PONG",
        })
    }
}

/// The part of a stream in which something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FramePart {
    /// The transport's opening handshake.
    Handshake,
    /// The header of a frame.
    Header,
    /// The payload of a frame.
    Body,
}

impl fmt::Display for FramePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handshake => "handshake",
            Self::Header => "frame header",
            Self::Body => "frame body",
        })
    }
}

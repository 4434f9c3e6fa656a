//! Transports: bytes to messages and back, without a socket.
//!
//! A transport finds message boundaries in a byte stream, negotiates the serializer, enforces size limits and
//! answers pings. It does not look inside messages. [`RawSocket`] implements the WAMP specification's
//! "RawSocket Transport" chapter, [`WebSocket`] its "WebSocket Transport"; [`Transport`] is what the layers above hold,
//! whichever transport it is.
//!
//! # Driving one
//!
//! The caller owns the read buffer and appends what the socket delivers; `handle_input` takes whole frames off
//! its front without copying and leaves the rest in place. Then drain [`Transport::poll_event`] and
//! [`Transport::poll_transmit`], and sleep until new bytes or [`Transport::poll_timeout`].
//!
//! While [`Transport::wants_input`] is false, do not read. As soon as it is true again, call `handle_input`
//! once more even without new bytes: whole frames may be waiting in the buffer.
//!
//! ```
//! use bytes::{Bytes, BytesMut};
//! use roadbed_core::serializer::{Encoded, Serializer};
//! use roadbed_core::time::Timestamp;
//! use roadbed_core::transport::{
//!     RawSocket, RawSocketClientConfig, RawSocketServerConfig, Transport, TransportEvent,
//! };
//!
//! let now = Timestamp::ZERO;
//! let mut client = Transport::from(RawSocket::client(&RawSocketClientConfig::new(Serializer::Cbor)));
//! let mut server = Transport::from(RawSocket::server(&RawSocketServerConfig::default()));
//!
//! // Moves what one side has to say into the other side's read buffer.
//! fn carry(from: &mut Transport, to: &mut Transport, buffer: &mut BytesMut, now: Timestamp) {
//!     while let Some(chunk) = from.poll_transmit() {
//!         buffer.extend_from_slice(&chunk);
//!     }
//!     to.handle_input(now, buffer);
//! }
//! let (mut to_client, mut to_server) = (BytesMut::new(), BytesMut::new());
//! carry(&mut client, &mut server, &mut to_server, now);
//! carry(&mut server, &mut client, &mut to_client, now);
//! assert!(client.is_open() && server.is_open());
//!
//! client.send(now, &Encoded::from(Bytes::from_static(b"hello")))?;
//! carry(&mut client, &mut server, &mut to_server, now);
//! assert!(matches!(server.poll_event(), Some(TransportEvent::Open { serializer: Serializer::Cbor, .. })));
//! assert_eq!(server.poll_event(), Some(TransportEvent::Message(Bytes::from_static(b"hello"))));
//! # Ok::<(), roadbed_core::transport::TransportError>(())
//! ```

mod details;
mod error;
mod event;
mod liveness;
mod output;
mod proxy;
mod rawsocket;
mod read_size;
mod sniff;
pub mod websocket;

use alloc::boxed::Box;
use alloc::sync::Arc;

use bytes::{Bytes, BytesMut};

use self::websocket::{UpgradeRequest, WebSocket};
use crate::serializer::{Encoded, Serializer};
use crate::time::Timestamp;

pub use details::TransportDetails;
pub use error::{FrameKind, FramePart, TransportError};
pub use event::{TransportClose, TransportEvent};
pub use liveness::{LivenessConfig, LivenessMode};
pub use proxy::{HttpConnect, ProxyError};
pub use rawsocket::{
    HandshakeError, RawSocket, RawSocketClientConfig, RawSocketError, RawSocketServerConfig,
};
pub use sniff::{Sniff, answer_without_tls, sniff};
pub use websocket::WebSocketError;

/// Which end of a connection a transport plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransportRole {
    /// The end that connected; it speaks first.
    Client,
    /// The end that accepted the connection, usually a router.
    Server,
}

/// Any transport. Its methods do the same on every one of them; see the [module](self) for an example.
// RawSocket lies here without a detour; the box is smaller than it anyway.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
#[non_exhaustive]
pub enum Transport {
    /// Length-prefixed frames over a byte stream.
    RawSocket(RawSocket),
    /// WebSocket frames, behind an HTTP upgrade. Boxed: it is the larger one.
    WebSocket(Box<WebSocket>),
}

impl From<RawSocket> for Transport {
    fn from(transport: RawSocket) -> Self {
        Self::RawSocket(transport)
    }
}

impl From<WebSocket> for Transport {
    fn from(transport: WebSocket) -> Self {
        Self::WebSocket(Box::new(transport))
    }
}

macro_rules! dispatch {
    ($self:ident, $transport:ident => $call:expr) => {
        match $self {
            Self::RawSocket($transport) => $call,
            Self::WebSocket($transport) => $call,
        }
    };
}

impl Transport {
    /// The end this transport plays.
    pub fn role(&self) -> TransportRole {
        dispatch!(self, transport => transport.role())
    }

    /// Consumes whole frames from the front of `input`; a partial frame stays. Pass the same buffer every
    /// time, with new bytes appended. After the transport closed, `input` is emptied and ignored.
    pub fn handle_input(&mut self, now: Timestamp, input: &mut BytesMut) {
        dispatch!(self, transport => transport.handle_input(now, input));
    }

    /// Returns how many bytes there are of a message, or of any other frame, whose rest has not arrived; `None` between
    /// two of them, before the handshake is done and while the owner has to poll events first.
    pub fn begun(&self) -> Option<usize> {
        dispatch!(self, transport => transport.begun())
    }

    /// The peer ended its stream. Inside a frame or the handshake this is an error, elsewhere a clean close.
    /// Called while `wants_input()` is false it takes effect once the rest of the buffer is consumed.
    pub fn handle_eof(&mut self, now: Timestamp) {
        dispatch!(self, transport => transport.handle_eof(now));
    }

    /// Runs the timers due at `now`; at any other time it does nothing.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        dispatch!(self, transport => transport.handle_timeout(now));
    }

    /// Queues one message.
    ///
    /// # Errors
    /// [`TransportError::TooLarge`] when the peer does not accept messages of this size: nothing is queued and
    /// the transport stays open. [`TransportError::NotOpen`] before [`TransportEvent::Open`],
    /// [`TransportError::Closed`] after the end; but after a fault of the peer's the reason can still be
    /// sent, until [`Transport::close`].
    pub fn send(&mut self, now: Timestamp, message: &Encoded) -> Result<(), TransportError> {
        dispatch!(self, transport => transport.send(now, message))
    }

    /// Closes from our side. Queued output still drains; further input is discarded.
    pub fn close(&mut self, now: Timestamp) {
        dispatch!(self, transport => transport.close(now));
    }

    /// The next bytes to write, in order.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        dispatch!(self, transport => transport.poll_transmit())
    }

    /// The next event, in order. [`TransportEvent::Closed`] is the last one and comes exactly once.
    pub fn poll_event(&mut self) -> Option<TransportEvent> {
        dispatch!(self, transport => transport.poll_event())
    }

    /// When to call [`Transport::handle_timeout`]; strictly later than the last `now` given.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        dispatch!(self, transport => transport.poll_timeout())
    }

    /// How many bytes to reserve in the read buffer before the next read: at least 1, never more than one
    /// frame within the receive limit, and never far more than the peer has already sent.
    pub fn input_hint(&self) -> usize {
        dispatch!(self, transport => transport.input_hint())
    }

    /// Whether to read on. False while undelivered events or unsent answers fill their bounds, and after the
    /// end.
    pub fn wants_input(&self) -> bool {
        dispatch!(self, transport => transport.wants_input())
    }

    /// Bytes of output not yet polled.
    pub fn queued(&self) -> usize {
        dispatch!(self, transport => transport.queued())
    }

    /// Whether the handshake is done and the transport not yet closed.
    pub fn is_open(&self) -> bool {
        dispatch!(self, transport => transport.is_open())
    }

    /// Whether it was closed from our side and waits for the peer's part of that: go on reading until
    /// [`TransportEvent::Closed`] comes. Never on RawSocket, where the end of the stream says it all.
    pub fn is_closing(&self) -> bool {
        match self {
            Self::RawSocket(_) => false,
            Self::WebSocket(transport) => transport.is_closing(),
        }
    }

    /// On a server, once the handshake is done: the HTTP request that a WebSocket began with.
    pub fn request(&self) -> Option<&Arc<UpgradeRequest>> {
        match self {
            Self::RawSocket(_) => None,
            Self::WebSocket(transport) => transport.request(),
        }
    }

    /// Bytes of the largest message the peer accepts; 0 before the handshake is done.
    pub fn max_send(&self) -> usize {
        dispatch!(self, transport => transport.max_send())
    }

    /// The serializer agreed on; `None` before the handshake is done.
    pub fn serializer(&self) -> Option<Serializer> {
        dispatch!(self, transport => transport.serializer())
    }

    /// Bounds received messages to `bytes`, or to what was announced to the peer if that is less. Call it
    /// with the smaller limit before WELCOME and again with the full one after. A larger frame is judged only
    /// when all events before it have been polled, so it may follow WELCOME in the same read.
    pub fn set_receive_limit(&mut self, bytes: usize) {
        dispatch!(self, transport => transport.set_receive_limit(bytes));
    }

    /// Starts liveness pings in mode [`LivenessMode::Auto`], for a peer known to answer them.
    pub fn activate_liveness(&mut self, now: Timestamp) {
        dispatch!(self, transport => transport.activate_liveness(now));
    }

    /// Stops the liveness timer while the owner does not read: silence is not the peer's fault then.
    pub fn suspend_liveness(&mut self) {
        dispatch!(self, transport => transport.suspend_liveness());
    }

    /// Ends [`Transport::suspend_liveness`]; the silence counts from `now`.
    pub fn resume_liveness(&mut self, now: Timestamp) {
        dispatch!(self, transport => transport.resume_liveness(now));
    }
}

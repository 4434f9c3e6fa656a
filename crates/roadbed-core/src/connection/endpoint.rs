//! Where a connection leads, as far as its bytes depend on it.

use alloc::boxed::Box;

use crate::serializer::Serializer;
use crate::session::ClientConfig;
use crate::transport::websocket::{WebSocket, WebSocketClientConfig};
use crate::transport::{RawSocket, RawSocketClientConfig, Transport};

/// What a router expects at its end: the transport, and what has to be known of it beforehand.
///
/// Addresses are the driver's affair; a connection never opens a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Endpoint {
    /// RawSocket, over TCP, TLS or a Unix socket.
    RawSocket {
        /// The serializer to ask for; a RawSocket client names exactly one.
        serializer: Serializer,
    },
    /// WebSocket, over TCP, TLS or a Unix socket: where the request goes, what to speak in order of
    /// preference, and what else it says. Its `max_receive` and `liveness` are those of the
    /// [`ClientConfig`], whatever they say here.
    WebSocket(Box<WebSocketClientConfig>),
}

/// A RawSocket that asks for this serializer.
impl From<Serializer> for Endpoint {
    fn from(serializer: Serializer) -> Self {
        Self::rawsocket(serializer)
    }
}

impl Endpoint {
    /// A RawSocket endpoint.
    pub const fn rawsocket(serializer: Serializer) -> Self {
        Self::RawSocket { serializer }
    }

    /// A WebSocket endpoint.
    pub fn websocket(config: WebSocketClientConfig) -> Self {
        Self::WebSocket(Box::new(config))
    }

    /// `seed` is for those transports that need randomness.
    pub(super) fn connect(&self, config: &ClientConfig, seed: [u8; 32]) -> Transport {
        match self {
            Self::RawSocket { serializer } => {
                let rawsocket = RawSocketClientConfig::new(*serializer)
                    .max_receive(config.limits.message_size)
                    .liveness(config.liveness);
                RawSocket::client(&rawsocket).into()
            }
            Self::WebSocket(websocket) => {
                let mut transport = WebSocket::client(websocket, seed);
                transport.override_settings(config.limits.message_size, config.liveness);
                transport.into()
            }
        }
    }
}

//! Where a connection leads, as far as its bytes depend on it.

use crate::serializer::Serializer;
use crate::session::ClientConfig;
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

    pub(super) fn connect(&self, config: &ClientConfig) -> Transport {
        match self {
            Self::RawSocket { serializer } => {
                let rawsocket = RawSocketClientConfig::new(*serializer)
                    .max_receive(config.limits.message_size)
                    .liveness(config.liveness);
                RawSocket::client(&rawsocket).into()
            }
        }
    }
}

//! Which transport carries a test.

use std::sync::Arc;

use roadbed_core::connection::Endpoint;
use roadbed_core::link::LinkConfig;
use roadbed_core::serializer::Serializer;
#[cfg(feature = "deflate")]
use roadbed_core::transport::websocket::DeflateConfig;
use roadbed_core::transport::websocket::{Subprotocol, WebSocketClientConfig, WebSocketServerConfig};

/// The transports that a client of a test can speak: for tests that run over each of them.
///
/// ```
/// use roadbed_core::serializer::Serializer;
/// use roadbed_core::session::{ClientConfig, SessionEvent};
/// use roadbed_core::uri::Uri;
/// use roadbed_router::{Authentication, RouterConfig};
/// use roadbed_testkit::{Carrier, World};
///
/// let realm = Uri::new("realm1")?;
/// for carrier in Carrier::ALL {
///     let config = RouterConfig::new().realm(realm.clone(), Authentication::new().anonymous("guest"));
///     let mut world = World::new(config);
///     let client = ClientConfig::new(realm.clone()).build()?;
///     let client = world.connect(client, carrier.endpoint(Serializer::Cbor));
///     world.drive();
///     assert!(matches!(world.events(client)[..], [SessionEvent::Joined { .. }]), "{carrier:?}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Carrier {
    /// RawSocket.
    RawSocket,
    /// WebSocket, a WAMP message in each of its messages.
    WebSocket,
    /// WebSocket in batched mode.
    Batched,
    /// WebSocket with compression, of small messages too.
    #[cfg(feature = "deflate")]
    Deflate,
    /// WebSocket in batched mode with compression.
    #[cfg(feature = "deflate")]
    BatchedDeflate,
}

impl Carrier {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::RawSocket,
        Self::WebSocket,
        Self::Batched,
        #[cfg(feature = "deflate")]
        Self::Deflate,
        #[cfg(feature = "deflate")]
        Self::BatchedDeflate,
    ];

    /// Whether it is one of the forms of WebSocket.
    pub const fn is_websocket(self) -> bool {
        !matches!(self, Self::RawSocket)
    }

    /// Whether messages come in batches.
    pub const fn is_batched(self) -> bool {
        match self {
            Self::Batched => true,
            #[cfg(feature = "deflate")]
            Self::BatchedDeflate => true,
            _ => false,
        }
    }

    /// Whether messages are compressed.
    pub const fn is_compressed(self) -> bool {
        #[cfg(feature = "deflate")]
        return matches!(self, Self::Deflate | Self::BatchedDeflate);
        #[cfg(not(feature = "deflate"))]
        false
    }

    /// What WebSocket calls it with this serializer; on RawSocket, what it would.
    pub const fn subprotocol(self, serializer: Serializer) -> Subprotocol {
        if self.is_batched() { Subprotocol::batched(serializer) } else { Subprotocol::plain(serializer) }
    }

    /// What a client connects to that wants this transport and this serializer.
    pub fn endpoint(self, serializer: Serializer) -> Endpoint {
        match self {
            Self::RawSocket => Endpoint::rawsocket(serializer),
            _ => Endpoint::websocket(self.websocket(serializer)),
        }
    }

    /// The settings of a WebSocket client for it, to be changed further.
    ///
    /// # Panics
    /// Never: its name and path can be asked for.
    pub fn websocket(self, serializer: Serializer) -> WebSocketClientConfig {
        let config = WebSocketClientConfig::new("router.example", "/ws").expect("a host and a path");
        let config = config.subprotocols(&[self.subprotocol(serializer)]);
        #[cfg(feature = "deflate")]
        if self.is_compressed() {
            return config.deflate(deflate());
        }
        config
    }
}

#[cfg(feature = "deflate")]
fn deflate() -> DeflateConfig {
    DeflateConfig::default().threshold(1)
}

/// How the routers of this crate serve WebSocket: with everything on offer.
pub(crate) fn server() -> WebSocketServerConfig {
    let config = WebSocketServerConfig::default();
    #[cfg(feature = "deflate")]
    return config.deflate(deflate());
    #[cfg(not(feature = "deflate"))]
    config
}

/// A configuration for links that serve every [`Carrier`] on one port.
pub fn every_carrier(mut config: LinkConfig) -> LinkConfig {
    config.websocket = Some(Arc::new(server()));
    config
}

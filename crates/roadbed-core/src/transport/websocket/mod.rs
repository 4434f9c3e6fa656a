//! WebSocket (RFC 6455), with compression (RFC 7692).

mod batching;
mod close;
mod config;
#[cfg(feature = "deflate")]
mod deflate;
mod error;
mod frame;
mod handshake;
pub(super) mod http;
mod mask;
mod params;
mod socket;
#[cfg(test)]
mod socket_tests;
mod stream;
mod subprotocol;
mod utf8;

pub use config::{PathRule, WebSocketClientConfig, WebSocketServerConfig};
pub use error::{FrameError, UpgradeError, WebSocketError};
pub use handshake::{
    Agreed, AllowedOrigins, ClientHandshake, DeflateConfig, OriginPolicy, ServerHandshake, ServerStep,
};
pub use http::{HeadError, MAX_HEAD, MAX_HEADERS, Refusal, UpgradeRequest};
pub use params::DeflateParams;
pub use socket::WebSocket;
pub use stream::{MessageEvent, MessageKind, MessageStream, MessageStreamConfig};
pub use subprotocol::Subprotocol;

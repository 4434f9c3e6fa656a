//! WebSocket (RFC 6455): the opening handshake.

mod config;
mod error;
mod handshake;
pub(super) mod http;
mod params;
mod subprotocol;

pub use config::{PathRule, WebSocketClientConfig, WebSocketServerConfig};
pub use error::{UpgradeError, WebSocketError};
pub use handshake::{
    Agreed, AllowedOrigins, ClientHandshake, DeflateConfig, OriginPolicy, ServerHandshake, ServerStep,
};
pub use http::{HeadError, MAX_HEAD, MAX_HEADERS, UpgradeRequest};
pub use params::DeflateParams;
pub use subprotocol::Subprotocol;

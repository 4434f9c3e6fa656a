//! The opening handshake (RFC 6455, section 4), both roles.

mod accept;
mod client;
mod extension;
mod origin;
mod server;
#[cfg(test)]
mod tests;

pub use client::ClientHandshake;
pub use extension::DeflateConfig;
pub use origin::{AllowedOrigins, OriginPolicy};
pub use server::{ServerHandshake, ServerStep};

use super::{DeflateParams, Subprotocol};

/// What both ends agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// The subprotocol; `None` only when the configuration names none at all, as test suites do.
    pub subprotocol: Option<Subprotocol>,
    /// How messages are compressed, if they are.
    pub deflate: Option<DeflateParams>,
}

//! Faults in the terms of WebSocket.

mod upgrade;

pub use upgrade::UpgradeError;

/// A fault of a peer, or a refusal, in the terms of WebSocket. It ends the transport.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebSocketError {
    /// The opening handshake failed.
    #[error(transparent)]
    Upgrade(#[from] UpgradeError),
}

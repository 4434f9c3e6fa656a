//! Faults in the terms of WebSocket.

mod frame;
mod upgrade;

pub use frame::FrameError;
pub use upgrade::UpgradeError;

use crate::serializer::BatchError;

/// A fault of a peer, or a refusal, in the terms of WebSocket. It ends the transport.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebSocketError {
    /// A fault in the peer's frames.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The opening handshake failed.
    #[error(transparent)]
    Upgrade(#[from] UpgradeError),
    /// A batch of messages that is none.
    #[error(transparent)]
    Batch(#[from] BatchError),
}

//! What is known of a transport beside its bytes.

use alloc::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;

use super::websocket::UpgradeRequest;
use crate::time::Timestamp;

/// What the driver knows of a transport when it is ready: who is at the other end, and how well the
/// way there is protected.
///
/// ```
/// use roadbed_core::transport::TransportDetails;
///
/// let details = TransportDetails::tcp("127.0.0.1:8080", true);
/// assert!(details.is_private());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransportDetails {
    /// The peer's address, for logs and policies.
    pub peer: Option<ByteString>,
    /// Whether the bytes never leave this machine: Unix sockets, pipes, memory, loopback.
    pub is_local: bool,
    /// Whether the bytes are encrypted.
    pub is_secure: bool,
    /// When the transport was accepted. A router counts the time that a peer has to get a session from
    /// here; when nothing is said, from when it is told of the peer.
    pub opened: Option<Timestamp>,
    /// The TLS channel binding (RFC 9266 `tls-exporter`), when there is one.
    pub channel_binding: Option<Bytes>,
    /// The HTTP request that the peer's WebSocket began with, when it did.
    pub request: Option<Arc<UpgradeRequest>>,
}

impl TransportDetails {
    /// A transport inside this process or machine.
    pub fn local() -> Self {
        Self { is_local: true, ..Self::default() }
    }

    /// A TCP connection without encryption.
    pub fn tcp(peer: impl Into<ByteString>, is_loopback: bool) -> Self {
        Self { peer: Some(peer.into()), is_local: is_loopback, ..Self::default() }
    }

    /// Sets [`TransportDetails::opened`].
    #[must_use]
    pub const fn opened(mut self, at: Timestamp) -> Self {
        self.opened = Some(at);
        self
    }

    /// Sets [`TransportDetails::request`].
    #[must_use]
    pub fn request(mut self, request: Arc<UpgradeRequest>) -> Self {
        self.request = Some(request);
        self
    }

    /// Whether a secret may be sent in the clear.
    pub const fn is_private(&self) -> bool {
        self.is_local || self.is_secure
    }
}

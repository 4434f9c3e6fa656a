//! Why there is no WebSocket.

use bytestring::ByteString;

use crate::transport::websocket::{HeadError, Refusal};

/// Why an opening handshake failed.
///
/// A server has answered with [`UpgradeError::status`]; a client closes without a word. Texts of the peer are
/// cut short and hold no control characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpgradeError {
    /// What arrived is no head of an HTTP message, or too large a one.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The stream ended inside the head.
    #[error("the stream ended in an HTTP head, after {received} bytes")]
    Truncated {
        /// Bytes of the head that arrived.
        received: usize,
    },
    /// On a server: the method is neither GET nor HEAD. 405.
    #[error("HTTP method {method} instead of GET")]
    Method {
        /// The method.
        method: ByteString,
    },
    /// On a server: the request target cannot be understood. 400.
    #[error("the HTTP request target is malformed")]
    Target,
    /// On a server: no `Host` header, several of them, or one that names no host. 400.
    #[error("the HTTP request has no Host header, or not exactly one that names a host")]
    Host,
    /// On a server: nothing is found at this path. 404.
    #[error("nothing is found at path {path}")]
    Path {
        /// The path asked for.
        path: ByteString,
    },
    /// On a server: what is found here is for WebSocket only. 426.
    #[error("the HTTP request asks for no upgrade to WebSocket")]
    NoUpgrade,
    /// On a server: a part of the request that asks for an upgrade contradicts that. 400.
    #[error("the request for an upgrade is malformed: {what}")]
    Request {
        /// The part, and what is wrong with it.
        what: &'static str,
    },
    /// On a server: another version of WebSocket than 13. 426.
    #[error("WebSocket version 13 is not what the client asks for")]
    Version,
    /// On a server: `Sec-WebSocket-Key` is missing, given twice, or not 16 bytes in base64. 400.
    #[error("Sec-WebSocket-Key is not 16 bytes in base64")]
    Key,
    /// On a server: pages of this origin are not let in. 403.
    #[error("origin {origin} is not allowed")]
    Origin {
        /// The origin sent.
        origin: ByteString,
    },
    /// On a server: none of the subprotocols asked for is on offer. 400.
    #[error("none of the subprotocols asked for is on offer: {requested}")]
    NoCommonSubprotocol {
        /// What the client asked for.
        requested: ByteString,
    },
    /// `Sec-WebSocket-Extensions` does not follow its grammar. 400 on a server.
    #[error("Sec-WebSocket-Extensions is malformed")]
    Extensions,
    /// On a server: the owner takes no more connections. 503.
    #[error("the connection was refused: {0}")]
    Unavailable(ByteString),
    /// On a server: the client begins TLS, which is not spoken here. 400.
    #[error("the client speaks TLS, and this port does not")]
    Tls,
    /// On a server: the client speaks HTTP in the clear, and this port takes TLS only. 400.
    #[error("the client does not speak TLS, and this port takes nothing else")]
    NoTls,
    /// On a server: HTTP is not spoken here, only RawSocket is. 400.
    #[error("the client speaks HTTP, and this port speaks RawSocket only")]
    NoHttp,
    /// On a client: the server answered with another status than 101.
    #[error("the server refused the upgrade: {0}")]
    Refused(Refusal),
    /// On a client: the server answered in TLS.
    #[error("this port wants TLS: connect with wss:// instead of ws://")]
    WantsTls,
    /// On a client: the status is 101, but a header that has to come with it is missing or wrong.
    #[error("the server's answer to the upgrade is malformed: {what}")]
    Answer {
        /// The header, and what is wrong with it.
        what: &'static str,
    },
    /// On a client: the server chose a subprotocol that was not asked for.
    #[error("the server chose subprotocol {answered:?}, which was not asked for")]
    SubprotocolMismatch {
        /// The subprotocol chosen.
        answered: ByteString,
    },
    /// On a client: the server chose no subprotocol at all.
    #[error("the server chose no subprotocol")]
    NoSubprotocol,
    /// On a client: the server turned on an extension that was not offered, or not in this way.
    #[error("the server turned on an extension that was not offered: {what}")]
    ExtensionMismatch {
        /// What was not offered.
        what: &'static str,
    },
}

impl UpgradeError {
    /// On a client: whether connecting anew may help. The server, or a proxy in front of it, has too much to do,
    /// or the latter did not reach the former.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Refused(refusal) if matches!(refusal.status(), 429 | 502..=504))
    }

    /// The HTTP status that a server answers with; on a client, the one that it was answered with, if that
    /// is why the handshake failed.
    pub fn status(&self) -> Option<u16> {
        Some(match self {
            Self::Head(error) => error.status(),
            Self::Target | Self::Host | Self::Request { .. } | Self::Key => 400,
            Self::NoCommonSubprotocol { .. } | Self::Extensions => 400,
            Self::Tls | Self::NoTls | Self::NoHttp => 400,
            Self::Origin { .. } => 403,
            Self::Path { .. } => 404,
            Self::Method { .. } => 405,
            Self::NoUpgrade | Self::Version => 426,
            Self::Unavailable(_) => 503,
            Self::Refused(refusal) => refusal.status(),
            Self::Truncated { .. }
            | Self::WantsTls
            | Self::Answer { .. }
            | Self::SubprotocolMismatch { .. }
            | Self::NoSubprotocol
            | Self::ExtensionMismatch { .. } => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{CloseReason, ProtocolViolation};
    use crate::transport::{TransportError, WebSocketError};

    #[test]
    fn what_may_pass() {
        for (status, expected) in
            [(400, false), (403, false), (404, false), (429, true), (500, false), (503, true)]
        {
            let error = UpgradeError::Refused(Refusal::of(status, ""));
            let error = TransportError::from(WebSocketError::from(error));
            let reason = CloseReason::PeerViolation(ProtocolViolation::from(error));
            assert_eq!(reason.is_retryable(), expected, "{status}");
        }
        assert!(!UpgradeError::NoSubprotocol.is_retryable());
    }
}

//! Why a session or a connection ended.

use alloc::boxed::Box;
use core::fmt;

use bytestring::ByteString;

use crate::auth::AuthError;
use crate::error::{ProtocolViolation, ViolationKind, said, uris};
use crate::payload::Payload;
use crate::transport::websocket::{UpgradeError, WebSocketError};
use crate::transport::{HandshakeError, RawSocketError, TransportError};
use crate::uri::Uri;

/// Why a session or its transport ended. Every waiter gets a clone of it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer broke the protocol; it was sent ABORT `wamp.error.protocol_violation`.
    #[error("the peer broke the protocol: {0}")]
    PeerViolation(ProtocolViolation),
    /// GOODBYE was exchanged.
    #[error("goodbye: {}{}", said::Named(reason), Message(.message.as_deref(), None))]
    Goodbye {
        /// The reason of the side that said GOODBYE first.
        reason: Uri,
        /// What it said for people.
        message: Option<ByteString>,
        /// Whether that side was the peer.
        by_peer: bool,
    },
    /// The peer sent ABORT.
    #[error("aborted by the peer: {}{}", said::Named(reason), Message(.message.as_deref(), Some(payload)))]
    Abort {
        /// The peer's reason.
        reason: Uri,
        /// What it said for people.
        message: Option<ByteString>,
        /// What else it said. Boxed: a reason is handed around as an error, and few carry this.
        payload: Box<Payload>,
    },
    /// The router's challenge could not be answered; it was sent ABORT
    /// `wamp.error.cannot_authenticate`.
    #[error("cannot authenticate: {0}")]
    CannotAuthenticate(AuthError),
    /// The transport ended without a goodbye.
    #[error("the transport ended")]
    Eof,
    /// The peer closed its WebSocket for a reason of its own: with another code than 1000 and 1001, such as 1009 for a
    /// message that was too large for it (RFC 6455 section 7.4).
    #[error("the peer closed the transport with code {code}{}", Message(Some(reason), None))]
    ClosedByPeer {
        /// The code.
        code: u16,
        /// What it said for people; mostly empty.
        reason: ByteString,
    },
    /// A deadline passed.
    #[error("timed out: {0}")]
    Timeout(Deadline),
    /// This side ended it.
    #[error("ended by this side")]
    Local,
}

/// What the peer said for people, behind a colon: its message, or else a first argument that is a text.
struct Message<'a>(Option<&'a str>, Option<&'a Payload>);

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = match self {
            Self(None, Some(payload)) => said::first_text(payload),
            _ => None,
        };
        said::write_said(f, self.0.or(first.as_deref()))
    }
}

/// The deadlines that end a session or a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Deadline {
    /// The peer took too long from transport open to WELCOME.
    #[error("no session in time")]
    Join,
    /// The peer began a message and did not end it.
    #[error("the rest of a message did not come in time")]
    Message,
    /// A decision of ours was not made in time.
    #[error("no decision in time")]
    Decision,
    /// Our GOODBYE was not answered.
    #[error("goodbye was not answered")]
    Goodbye,
    /// After GOODBYE no new HELLO came.
    #[error("no new session in time")]
    Rejoin,
    /// Nothing was heard from the peer, though it was pinged.
    #[error("the peer is gone")]
    Liveness,
    /// The peer did not read what it was sent.
    #[error("the peer does not read")]
    Stalled,
}

impl CloseReason {
    /// What the Close frame of a WebSocket says: the end of the stream, or more.
    pub(crate) fn from_close_frame(code: Option<u16>, reason: ByteString) -> Self {
        match code {
            None | Some(1000 | 1001) => Self::Eof,
            Some(code) => Self::ClosedByPeer { code, reason },
        }
    }

    /// Why there is no WebSocket, when that is why there was no session: on a router, what it refused the client's
    /// upgrade for, with the status that it answered; on a client, what the server answered.
    pub fn upgrade_error(&self) -> Option<&UpgradeError> {
        match self {
            Self::PeerViolation(violation) => match violation.kind() {
                ViolationKind::Transport(TransportError::WebSocket(WebSocketError::Upgrade(error))) => {
                    Some(error)
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether connecting anew may help: the transport was lost or timed out, the peer shut down, closed the realm
    /// or was full, or the way to it is blocked for now.
    /// Refused credentials, an unknown realm, a session that was killed and protocol violations stay what they are.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Eof | Self::Timeout(_) => true,
            // The same would happen again, where the peer takes us to break a rule.
            Self::ClosedByPeer { code, .. } => !matches!(code, 1002 | 1003 | 1007 | 1008 | 1010),
            Self::Goodbye { reason, by_peer, .. } => {
                *by_peer && (is_shutdown(reason) || is_end_of_realm(reason))
            }
            Self::Abort { reason, .. } => {
                is_shutdown(reason) || *reason == uris::UNAVAILABLE || *reason == uris::NETWORK_FAILURE
            }
            Self::PeerViolation(violation) => match violation.kind() {
                ViolationKind::Transport(TransportError::WebSocket(WebSocketError::Upgrade(error))) => {
                    error.is_retryable()
                }
                ViolationKind::Transport(TransportError::RawSocket(RawSocketError::Refused(error))) => {
                    *error == HandshakeError::ConnectionLimit
                }
                _ => false,
            },
            Self::CannotAuthenticate(_) | Self::Local => false,
        }
    }
}

/// Routers of older versions of the protocol call it an error.
fn is_shutdown(reason: &Uri) -> bool {
    *reason == uris::SYSTEM_SHUTDOWN || reason.as_str() == "wamp.error.system_shutdown"
}

/// Some routers give the reason of a client that leaves when they take a realm down.
fn is_end_of_realm(reason: &Uri) -> bool {
    *reason == uris::CLOSE_REALM || *reason == uris::NORMAL
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn a_refused_upgrade_is_found_in_the_reason() {
        let error = UpgradeError::Origin { origin: "https://evil.example".into() };
        let reason = TransportError::from(WebSocketError::from(error.clone()));
        let reason = CloseReason::PeerViolation(ProtocolViolation::from(reason));
        assert_eq!(reason.upgrade_error(), Some(&error));
        assert_eq!(error.status(), Some(403));
        assert_eq!(CloseReason::Eof.upgrade_error(), None);
    }

    #[test]
    fn it_says_what_the_peer_said() {
        let payload = Payload::from_args(crate::serializer::Serializer::Json, &("as\nargument",)).unwrap();
        let abort = |message: Option<&str>| {
            let (reason, message) = (uris::NO_SUCH_REALM.clone(), message.map(Into::into));
            CloseReason::Abort { reason, message, payload: Box::new(payload.clone()) }.to_string()
        };
        let prefix = "aborted by the peer: wamp.error.no_such_realm";
        assert_eq!(abort(Some("there is no realm a")), alloc::format!("{prefix}: there is no realm a"));
        assert_eq!(abort(None), alloc::format!("{prefix}: as\\nargument"));
        let odd = |reason: &str| {
            let reason = Uri::from_wire(reason.into());
            CloseReason::Abort { reason, message: None, payload: Box::default() }.to_string()
        };
        assert_eq!(odd(""), "aborted by the peer: \"\"");
        assert_eq!(odd("a\n\u{1b}[31m"), "aborted by the peer: a\\n\\u{1b}[31m");
        let goodbye = |message: Option<&str>| {
            let message = message.map(Into::into);
            CloseReason::Goodbye { reason: uris::KILLED.clone(), message, by_peer: true }.to_string()
        };
        assert_eq!(goodbye(Some("too noisy")), "goodbye: wamp.close.killed: too noisy");
        assert_eq!(
            (goodbye(None), goodbye(Some(""))),
            (goodbye(Some("")), "goodbye: wamp.close.killed".into())
        );
        let closed =
            |reason: &str| CloseReason::ClosedByPeer { code: 1009, reason: reason.into() }.to_string();
        assert_eq!(closed("too big"), "the peer closed the transport with code 1009: too big");
        assert_eq!(closed(""), "the peer closed the transport with code 1009");
    }

    #[test]
    fn whose_end_is_worth_a_new_connection() {
        let goodbye = |reason: &str, by_peer| {
            let reason = Uri::new(reason).unwrap();
            CloseReason::Goodbye { reason, message: None, by_peer }.is_retryable()
        };
        for reason in [
            "wamp.close.system_shutdown",
            "wamp.error.system_shutdown",
            "wamp.close.close_realm",
            "wamp.close.normal",
        ] {
            assert_eq!((goodbye(reason, true), goodbye(reason, false)), (true, false), "{reason}");
        }
        for reason in ["wamp.close.killed", "wamp.close.logout", "com.example.go_away"] {
            assert!(!goodbye(reason, true), "{reason}");
        }
        let refused = |error| {
            let error = TransportError::RawSocket(RawSocketError::Refused(error));
            CloseReason::PeerViolation(ProtocolViolation::from(error)).is_retryable()
        };
        assert!(refused(HandshakeError::ConnectionLimit));
        assert!(!refused(HandshakeError::SerializerUnsupported) && !refused(HandshakeError::Unknown(9)));
    }
}

//! What a router tells its driver, beside the messages for its peers.

use std::fmt;
use std::sync::Arc;

use bytestring::ByteString;
use roadbed_core::error::{CloseReason, PayloadError, ProtocolViolation};
use roadbed_core::id::{PublicationId, SessionId};
use roadbed_core::message::RawDict;
use roadbed_core::serializer::Encoded;
use roadbed_core::transport::TransportDetails;
use roadbed_core::transport::websocket::UpgradeRequest;
use roadbed_core::uri::Uri;

use crate::authorizer::AuthorizationRequest;
use crate::identity::SessionInfo;
use crate::names::{DecisionId, PeerId};

/// What a driver has to carry to a peer, in this order.
#[derive(Clone, Debug)]
pub(crate) enum Outgoing {
    /// A message, encoded in the peer's serializer.
    Message(Encoded),
    /// The session ended as its peer asked; the transport stays.
    Left,
    /// Nothing more follows: flush, close the transport.
    Close(CloseReason),
}

/// What happened in a router.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RouterEvent {
    /// A peer wants to join a realm whose authentication is dynamic, or answered the challenge that the
    /// driver sent it. Answer with [`grant`](crate::Router::grant), [`challenge`](crate::Router::challenge) or
    /// [`deny`](crate::Router::deny), in time ([`Limits::decision_timeout`](roadbed_core::limits::Limits)).
    Authenticate(Box<AuthenticationRequest>),
    /// A session makes a request, and the realm's [`Authorizer`](crate::Authorizer) left it to the driver whether it
    /// may. Answer with [`authorize`](crate::Router::authorize), in time
    /// ([`Limits::decision_timeout`](roadbed_core::limits::Limits)).
    Authorize(Box<AuthorizationRequest>),
    /// A session was established.
    Joined {
        /// The peer.
        peer: PeerId,
        /// Its session.
        session: Arc<SessionInfo>,
        /// How the peer is connected: its address, TLS, the request of its WebSocket.
        transport: Arc<TransportDetails>,
    },
    /// A session ended, in whatever way; no table mentions it any more.
    Left {
        /// The peer.
        peer: PeerId,
        /// The session that was.
        session: Arc<SessionInfo>,
        /// How the peer is, or was, connected.
        transport: Arc<TransportDetails>,
        /// Why it ended.
        reason: CloseReason,
    },
    /// A peer was sent ABORT before it had a session. Left out while very many events wait.
    Refused {
        /// The peer.
        peer: PeerId,
        /// How the peer is connected.
        transport: Arc<TransportDetails>,
        /// The realm that it asked for, if it came as far as that.
        realm: Option<Uri>,
        /// The authid that it claimed, or its first 512 bytes. Not proven.
        authid: Option<ByteString>,
        /// Why, as the URI in ABORT.
        reason: Uri,
        /// Why, as the text in ABORT.
        message: ByteString,
    },
    /// A callee answered what could not be passed on, such as an ERROR whose URI is none. Its caller was told,
    /// and the callee goes on. Left out while very many events wait.
    AnswerRefused {
        /// The realm.
        realm: Uri,
        /// The callee's session.
        callee: SessionId,
        /// What the caller was sent: `wamp.error.invalid_uri` or `wamp.error.invalid_argument`.
        error: Uri,
        /// What is wrong, as the text in the ERROR for the caller.
        message: ByteString,
    },
    /// A connection was refused before it became a peer: its RawSocket or WebSocket handshake was not acceptable, such
    /// as for the origin of a page, a path or a subprotocol; or there are too many connections. Left out while very
    /// many events wait; [`Counters`](crate::Counters) count all.
    ConnectionRefused {
        /// How it is connected.
        transport: Arc<TransportDetails>,
        /// Why it was refused.
        reason: ConnectionRefusal,
    },
    /// An event could not be carried to some of its receivers: its payload has no counterpart in their
    /// serializer. Told at most once a publication, and left out while
    /// very many events wait.
    Undeliverable {
        /// The realm.
        realm: Uri,
        /// The session that published; `None`: the embedder.
        publisher: Option<SessionId>,
        /// The publication.
        publication: PublicationId,
        /// What stands in the way.
        error: PayloadError,
    },
}

/// Why a connection was refused before it became a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionRefusal {
    /// The driver serves as many as it may.
    TooMany,
    /// The opening handshake of its transport was not acceptable. Texts in it may be the client's; they are bounded.
    Handshake(ProtocolViolation),
}

impl fmt::Display for ConnectionRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => f.write_str("there are too many connections"),
            Self::Handshake(violation) => violation.fmt(f),
        }
    }
}

/// A peer whose identity the driver has to decide on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AuthenticationRequest {
    /// Names this question in the answer.
    pub decision: DecisionId,
    /// The realm that the peer wants to join.
    pub realm: Uri,
    /// The authentication method, by the name in the realm's configuration.
    pub method: ByteString,
    /// Whom the peer says it is. A claim, not a fact.
    pub authid: Option<ByteString>,
    /// The role it asks for. A claim, not a fact.
    pub authrole: Option<ByteString>,
    /// What it said beyond that in HELLO.
    pub authextra: Option<RawDict>,
    /// How it is connected.
    pub transport: Arc<TransportDetails>,
    /// Its answer to the challenge; `None` when it was not challenged yet.
    pub response: Option<Response>,
}

impl AuthenticationRequest {
    /// The HTTP request that the peer's WebSocket began with: path, query, headers and cookies. Claims, not
    /// facts, but for what a browser sends along.
    pub fn upgrade(&self) -> Option<&UpgradeRequest> {
        self.transport.request.as_deref()
    }
}

/// What a peer answered to CHALLENGE. It may be as good as a password, so `Debug` does not show it.
#[derive(Clone)]
pub struct Response {
    /// The proof: a ticket, a signature.
    pub signature: ByteString,
    /// What the method adds.
    pub extra: RawDict,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("signature", &format_args!("…")).finish_non_exhaustive()
    }
}

/// An answer that came too late: the peer or its session left, another answer came first, or the deadline passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no decision of this id is awaited")]
pub struct NotAwaited;

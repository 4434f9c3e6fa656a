//! Where a connection stands before it has a session, and between two.

mod hearing;
mod methods;
mod refusing;
mod share;
mod visiting;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use roadbed_core::error::{CloseReason, Deadline};
use roadbed_core::message::{Hello, Message};
use roadbed_core::role::Roles;
use roadbed_core::serializer::{Encoded, Serializer};
use roadbed_core::time::Timestamp;
use roadbed_core::transport::TransportDetails;

use self::refusing::{Asked, Notes};
use self::share::Share;
use crate::auth::Grant;
use crate::claim::Claim;
use crate::config::RouterConfig;
use crate::events::{Outgoing, Response};
use crate::keys::SeatKey;
use crate::lobby::Lobby;
use crate::names::{Exchange, PeerId, ShardId};
use crate::shard::Entrant;

/// What the gate waits for.
enum Stage {
    /// HELLO.
    Hello(After),
    /// The lobby, which knows the realms.
    Realm(Box<(Hello, Roles)>),
    /// AUTHENTICATE.
    Proof(Box<Claim>),
    /// The lobby, which puts a question to the driver.
    Question(Box<(Box<Claim>, Option<Response>)>),
    /// The driver's answer to it.
    Decision(Box<Claim>),
    /// The shard of the realm. With `true`, until that names the peer.
    Entry(Box<Entrant>, bool),
    /// Nothing: the peer has a session, or its seat is not free yet.
    Seated(ShardId, SeatKey),
    /// Nothing: the peer was sent its last message.
    Ended,
}

/// What came before the HELLO that is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// Nothing: it is the first.
    Nothing,
    /// GOODBYE.
    Goodbye,
    /// A HELLO that was refused.
    Refusal,
}

/// One connection's way from HELLO to WELCOME, and again after GOODBYE. It is owned by the connection's
/// [`Port`](crate::Port), needs the [`Lobby`] where a realm or the driver is concerned, and the shard of its realm
/// once, to enter. Everything else costs no lock.
pub(crate) struct Gate {
    config: Arc<RouterConfig>,
    id: PeerId,
    serializer: Serializer,
    /// The size in bytes of the largest message that the peer accepts.
    max_send: usize,
    transport: Arc<TransportDetails>,
    /// What the embedder lets the peer in as, whatever the realm asks of others.
    trusted: Option<Box<Grant>>,
    /// What it asked for in HELLO, until it is let in: for the event that says it was refused.
    asked: Option<Box<Asked>>,
    stage: Stage,
    /// HELLOs that were refused.
    refusals: u32,
    share: Share,
    deadline: Option<(Timestamp, Deadline)>,
    output: VecDeque<Outgoing>,
    /// What the lobby has to be told.
    notes: Option<Box<Notes>>,
    /// Not read until the driver has taken its events.
    is_held: bool,
}

impl Gate {
    /// The gate of a connection whose transport is ready. The peer has
    /// [`Limits::handshake_timeout`](roadbed_core::limits::Limits) to get a session, from when its transport was
    /// [opened](TransportDetails::opened).
    pub(crate) fn new(
        lobby: &mut Lobby,
        now: Timestamp,
        serializer: Serializer,
        max_send: usize,
        transport: TransportDetails,
        trusted: Option<Box<Grant>>,
    ) -> Self {
        let config = Arc::clone(lobby.config());
        // The handshake of the transport has taken some of it.
        let used = transport.opened.map_or(Duration::ZERO, |opened| now.saturating_since(opened));
        let mut gate = Self {
            id: lobby.open(),
            serializer,
            max_send,
            transport: Arc::new(transport),
            trusted,
            asked: None,
            stage: Stage::Hello(After::Nothing),
            refusals: 0,
            share: Share::default(),
            deadline: None,
            output: VecDeque::new(),
            notes: None,
            is_held: false,
            config,
        };
        gate.begin_share(now, gate.config.limits.handshake_timeout.saturating_sub(used));
        gate
    }

    pub(crate) const fn id(&self) -> PeerId {
        self.id
    }

    /// Where the peer sits, from WELCOME until the seat is free.
    pub(crate) fn seat(&self) -> Option<(ShardId, SeatKey)> {
        match self.stage {
            Stage::Seated(shard, seat) => Some((shard, seat)),
            _ => None,
        }
    }

    /// Whether a message of the peer can be judged here and now.
    pub(crate) fn hears(&self) -> bool {
        matches!(self.stage, Stage::Hello(_) | Stage::Proof(_) | Stage::Decision(_) | Stage::Ended)
    }

    /// Whether the peer is not read for the sake of the driver: only connections without session cause events that it
    /// has to take.
    pub(crate) fn is_held(&self) -> bool {
        self.is_held && self.seat().is_none()
    }

    /// What has to be visited next, seats apart.
    pub(crate) fn wants(&self) -> Option<Exchange> {
        match &self.stage {
            _ if self.notes.is_some() => Some(Exchange::Lobby),
            Stage::Realm(_) | Stage::Question(_) => Some(Exchange::Lobby),
            Stage::Entry(entrant, false) => Some(Exchange::Shard(entrant.claim.shard)),
            _ => None,
        }
    }

    /// The shard that the peer is in, or waits for.
    pub(crate) fn shard(&self) -> Option<ShardId> {
        match &self.stage {
            Stage::Seated(shard, _) => Some(*shard),
            Stage::Entry(entrant, _) => Some(entrant.claim.shard),
            _ => None,
        }
    }

    /// The next thing for the peer, while it has no seat.
    pub(crate) fn poll_outgoing(&mut self) -> Option<Outgoing> {
        let outgoing = self.output.pop_front()?;
        if self.output.is_empty() {
            self.output = VecDeque::new();
        }
        Some(outgoing)
    }

    /// The largest message that the peer may send now, in bytes.
    pub(crate) fn receive_limit(&self) -> usize {
        let limits = &self.config.limits;
        match &self.stage {
            // What was under way when its session ended may still come.
            Stage::Seated(..) | Stage::Hello(After::Goodbye) => limits.message_size,
            Stage::Proof(_) => limits.authentication_message_size,
            _ => limits.handshake_message_size,
        }
    }

    /// The session ended as the peer asked, and what was queued for it is taken: HELLO may follow.
    pub(crate) fn left(&mut self, now: Timestamp) {
        self.stage = Stage::Hello(After::Goodbye);
        self.deadline = Some((now.saturating_add(self.config.limits.rejoin_timeout), Deadline::Rejoin));
    }

    /// The transport ended, or is about to.
    pub(crate) fn end(&mut self) {
        self.stage = Stage::Ended;
        self.deadline = None;
    }

    fn encode(&self, message: impl Into<Message>) -> Option<Encoded> {
        let encoded =
            self.serializer.encode_within(&message.into(), self.max_send, &mut BytesMut::new()).ok();
        encoded.filter(|encoded| encoded.len() <= self.max_send)
    }

    /// Nothing from this peer counts any more; what is queued goes out, or is dropped, then `Close`.
    fn close(&mut self, reason: CloseReason, discard: bool) {
        self.end();
        if discard {
            self.output.clear();
        }
        self.output.push_back(Outgoing::Close(reason));
    }
}

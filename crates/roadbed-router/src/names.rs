//! How a router and its driver call connections, shards and questions.

use roadbed_core::id::SessionId;

use crate::keys::{PeerKey, QuestionKey, RealmKey};

/// Names a connection of a router, from the handshake of its transport to its end. It is never used again for
/// another connection, so one that is kept too long names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub(crate) PeerKey);

/// Names a [`Shard`](crate::Shard) of a router.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub(crate) usize);

impl ShardId {
    /// Names the shard that is `index` among all, from 0.
    pub const fn new(index: usize) -> Self {
        Self(index)
    }

    /// Returns the shard, of `shards`, in which a session of this id can be: each shard draws ids that leave its own
    /// index when divided by their number.
    pub fn of_session(session: SessionId, shards: usize) -> Self {
        let shards = u64::try_from(shards.max(1)).unwrap_or(u64::MAX);
        let index = session.get().saturating_sub(1).checked_rem(shards).unwrap_or(0);
        Self(usize::try_from(index).unwrap_or(0))
    }

    /// Returns its place among the shards, from 0.
    pub const fn index(self) -> usize {
        self.0
    }
}

/// What a [`Port`](crate::Port) has to exchange with next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// The lobby: [`Port::exchange_with_lobby`](crate::Port::exchange_with_lobby).
    Lobby,
    /// This shard: [`Port::exchange_with_shard`](crate::Port::exchange_with_shard).
    Shard(ShardId),
}

/// Names one question that a router asked its driver: who a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DecisionId {
    pub(crate) peer: PeerId,
    pub(crate) round: u32,
}

impl DecisionId {
    /// Returns the peer in question.
    pub const fn peer(self) -> PeerId {
        self.peer
    }
}

/// Names one question that a router asked its driver: whether a request is allowed. It is never used again for another
/// question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuthorizationId {
    pub(crate) shard: ShardId,
    pub(crate) realm: RealmKey,
    pub(crate) question: QuestionKey,
}

impl AuthorizationId {
    /// Returns the shard in which the question is open.
    pub const fn shard(self) -> ShardId {
        self.shard
    }
}

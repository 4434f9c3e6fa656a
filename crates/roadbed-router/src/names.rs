//! How a router and its driver call peers and questions.

use crate::keys::{PeerKey, QuestionKey, RealmKey};

/// Names a peer of a [`Router`](crate::Router), from `attach` to `detach`. It is never used again for
/// another peer, so one that is kept too long names nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub(crate) PeerKey);

/// Names one question that a router asked its driver: who a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DecisionId {
    pub(crate) peer: PeerId,
    pub(crate) round: u32,
}

impl DecisionId {
    /// The peer in question.
    pub const fn peer(self) -> PeerId {
        self.peer
    }
}

/// Names one question that a router asked its driver: whether a request is allowed. It is never used again for another
/// question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuthorizationId {
    pub(crate) realm: RealmKey,
    pub(crate) question: QuestionKey,
}

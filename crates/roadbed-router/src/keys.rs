//! The names of what the router's tables hold.

use crate::slab::keys;

keys! {
    /// A connection, in the lobby.
    PeerKey,
    /// A session's place in its shard.
    SeatKey,
    /// A realm.
    RealmKey,
    /// A joined session, in its realm.
    SessionKey,
    /// What waits for a peer.
    QueueKey,
    /// A topic or pattern that is subscribed to, in its realm.
    SubscriptionKey,
    /// A procedure that is registered, in its realm.
    RegistrationKey,
    /// A call under way, in its realm.
    InvocationKey,
    /// A request that the driver decides on, in its realm.
    QuestionKey,
}

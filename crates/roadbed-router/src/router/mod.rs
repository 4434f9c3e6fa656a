//! A router for one owner: a lobby and one shard.

use std::collections::VecDeque;
use std::sync::Arc;

use roadbed_core::error::Deadline;
use roadbed_core::id::{PublicationId, SessionId};
use roadbed_core::message::RawDict;
use roadbed_core::options::PublishOptions;
use roadbed_core::payload::Payload;
use roadbed_core::time::{Timestamp, UnixMicros};
use roadbed_core::uri::Uri;

use crate::auth::Grant;
use crate::authorizer::Verdict;
use crate::config::{ConfigError, RealmConfig, RouterConfig};
use crate::events::{NotAwaited, RouterEvent};
use crate::identity::SessionInfo;
use crate::ids::Random;
use crate::lobby::Lobby;
use crate::names::{AuthorizationId, DecisionId, PeerId, ShardId};
use crate::shard::{PublishError, Shard};
use crate::stats::{Counters, RouterStats};
use crate::tables::Relax;

/// A WAMP router without the I/O, for an owner that has all of it at hand: one [`Lobby`] and one [`Shard`].
///
/// Each connection has a [`Port`](crate::Port), which exchanges with the router. A driver calls
/// [`Port::serve`](crate::Port::serve) for what it has read, serves the peers that [`poll_ready`](Self::poll_ready)
/// names, takes every [`poll_event`](Self::poll_event), and keeps the [time](Self::poll_timeout).
///
/// Peers and sessions that do not exist any more are no error: methods that are given one do nothing. Equal calls with
/// an equal seed give equal outputs.
///
/// ```
/// use bytes::BytesMut;
/// use roadbed_core::{limits::Limits, serializer::Serializer, uri::Uri};
/// use roadbed_core::time::{Timestamp, UnixMicros};
/// use roadbed_core::transport::TransportDetails;
/// use roadbed_router::{Authentication, Port, Router, RouterConfig};
///
/// let config = RouterConfig::new().realm(Uri::new("realm1")?, Authentication::new().anonymous("guest"));
/// config.check()?;
/// let now = Timestamp::ZERO;
/// let mut router = Router::new(config.into_shared(), [0; 32], now, UnixMicros::default());
/// let mut port = Port::messages(&Limits::default(), Serializer::Cbor, 1 << 20, TransportDetails::local(), now);
/// port.serve(&mut router, now, &mut BytesMut::new());
/// assert!(!port.is_joined());
/// assert!(port.poll_timeout().is_some()); // until HELLO comes
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Router {
    config: Arc<RouterConfig>,
    lobby: Lobby,
    shard: Shard,
    /// What happened in both, in order.
    events: VecDeque<RouterEvent>,
    is_congested: bool,
    utc: UnixMicros,
}

impl Router {
    /// Makes a router. `seed` is the source of all its randomness and must be unpredictable; `now` and `utc` are the
    /// present time on the driver's two clocks. Check the configuration beforehand.
    pub fn new(config: Arc<RouterConfig>, seed: [u8; 32], now: Timestamp, utc: UnixMicros) -> Self {
        let mut random = Random::new(seed);
        Self {
            lobby: Lobby::new(Arc::clone(&config), 1, random.seed()),
            shard: Shard::new(Arc::clone(&config), ShardId::default(), 1, random.seed(), now),
            events: VecDeque::new(),
            is_congested: false,
            utc,
            config,
        }
    }

    /// Lets a peer in, as [`Lobby::grant`] does.
    ///
    /// # Errors
    /// [`NotAwaited`] when the answer comes too late.
    pub fn grant(&mut self, decision: DecisionId, grant: Grant) -> Result<(), NotAwaited> {
        self.lobby.grant(decision, grant)
    }

    /// Asks a peer for (more) proof, as [`Lobby::challenge`] does.
    ///
    /// # Errors
    /// [`NotAwaited`] when the answer comes too late.
    pub fn challenge(&mut self, decision: DecisionId, extra: RawDict) -> Result<(), NotAwaited> {
        self.lobby.challenge(decision, extra)
    }

    /// Refuses a peer, as [`Lobby::deny`] does.
    ///
    /// # Errors
    /// [`NotAwaited`] when the answer comes too late.
    pub fn deny(&mut self, decision: DecisionId, reason: &Uri, message: &str) -> Result<(), NotAwaited> {
        self.lobby.deny(decision, reason, message)
    }

    /// Decides whether a request is allowed: the answer to [`RouterEvent::Authorize`]. It is carried out as things are
    /// now; what its session asked for meanwhile follows.
    ///
    /// # Errors
    /// [`NotAwaited`] when the answer comes too late, or was given before.
    pub fn authorize(
        &mut self,
        now: Timestamp,
        id: AuthorizationId,
        verdict: Verdict,
    ) -> Result<(), NotAwaited> {
        let result = self.shard.authorize(now, id, verdict);
        self.settle();
        result
    }

    /// Forgets all verdicts that were given [for whole roles](Verdict::for_role): call it when what may be done has
    /// changed. Verdicts on questions that are open now are not kept either.
    pub fn forget_verdicts(&mut self) {
        self.shard.forget_verdicts();
    }

    /// Publishes an event without a session: the embedder's own. No authorizer is asked. The options' lists choose
    /// among the subscribers; `exclude_me` excludes nobody. With `acknowledge`, a payload that one of them cannot be
    /// given is an error, and then none of them gets it. An event that a slow subscriber loses is no error.
    ///
    /// ```
    /// use roadbed_core::options::PublishOptions;
    /// use roadbed_core::payload::Payload;
    /// use roadbed_core::serializer::Serializer;
    /// use roadbed_core::time::{Timestamp, UnixMicros};
    /// use roadbed_core::uri::Uri;
    /// use roadbed_router::{Authentication, Router, RouterConfig};
    ///
    /// let (now, realm) = (Timestamp::ZERO, Uri::new("realm1")?);
    /// let config = RouterConfig::new().realm(realm.clone(), Authentication::new().anonymous("guest"));
    /// let mut router = Router::new(config.into_shared(), [0; 32], now, UnixMicros::default());
    /// let payload = Payload::from_args(Serializer::Cbor, &("noon",))?;
    /// router.publish(now, &realm, &Uri::new("com.example.bell")?, PublishOptions::new(), payload)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`PublishError`] when there is no such realm, or the topic, an option or the payload is refused there.
    pub fn publish(
        &mut self,
        now: Timestamp,
        realm: &Uri,
        topic: &Uri,
        options: PublishOptions,
        payload: Payload,
    ) -> Result<PublicationId, PublishError> {
        let result = self.shard.publish(now, realm, topic, options, payload);
        self.settle();
        result
    }

    /// Ends a session with GOODBYE, as [`Shard::kill`] does. Returns whether there is such a session.
    pub fn kill(&mut self, now: Timestamp, session: SessionId, reason: &Uri, message: &str) -> bool {
        let is_there = self.shard.kill(now, session, reason, message);
        self.settle();
        is_there
    }

    /// Opens a realm while the router runs.
    ///
    /// # Errors
    /// [`ConfigError`] when the realm cannot work, or is there already.
    pub fn add_realm(&mut self, realm: &RealmConfig) -> Result<(), ConfigError> {
        self.lobby.place_realm(realm)?;
        self.shard.add_realm(realm);
        self.lobby.open_realm(&realm.uri);
        Ok(())
    }

    /// Closes a realm while the router runs: no peer is let into it any more, and its sessions are sent GOODBYE
    /// `wamp.close.close_realm`. Returns whether there is such a realm.
    pub fn remove_realm(&mut self, now: Timestamp, realm: &Uri) -> bool {
        let is_there = self.lobby.remove_realm(realm).is_some();
        if is_there {
            self.shard.remove_realm(now, realm);
        }
        self.settle();
        is_there
    }

    /// Shuts the router down. New peers, and those without session, are sent ABORT from now on, and CALL, REGISTER and
    /// SUBSCRIBE are answered with ERROR `wamp.close.system_shutdown`. Sessions without a call in flight, made or to be
    /// answered, are sent GOODBYE of that name at once, the others as soon as their calls have ended. At `deadline` the
    /// calls that are left are answered with that ERROR, and their sessions sent GOODBYE too, for whose answer there is
    /// [`SHUTDOWN_GRACE`](crate::SHUTDOWN_GRACE). Others that have not answered by `deadline`, or not taken what was
    /// queued before, are dropped. The shutdown is complete when [`stats`](Self::stats) counts no peers.
    ///
    /// May be called again: an earlier deadline replaces a later one, never the other way round.
    pub fn shutdown(&mut self, now: Timestamp, deadline: Timestamp) {
        self.lobby.shutdown();
        self.shard.shutdown(now, deadline);
        self.settle();
    }

    /// Runs the deadlines due at `now`. Call it when [`poll_timeout`](Self::poll_timeout) is reached; calls in between
    /// do no harm.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.shard.handle_timeout(now);
        self.settle();
    }

    /// Corrects the wall-clock time.
    pub fn set_utc(&mut self, utc: UnixMicros) {
        self.utc = utc;
    }

    /// Returns the wall-clock time last given.
    pub const fn utc(&self) -> UnixMicros {
        self.utc
    }

    /// Returns the next peer whose port is to exchange with the router. Each is returned once, until there is something
    /// new for it: a driver that cannot take everything at once has to remember the rest.
    pub fn poll_ready(&mut self) -> Option<PeerId> {
        let of_lobby = self.lobby.poll_ready();
        // A peer that had to wait for its shard may be gone.
        of_lobby
            .or_else(|| std::iter::from_fn(|| self.shard.poll_ready()).find(|&peer| self.lobby.knows(peer)))
    }

    /// Returns what happened next. Take all events, also those of no interest: those that tell of sessions and ask
    /// questions are never dropped, and wait here until they are taken. URIs and texts in them may be a peer's; they
    /// are bounded, but have to be escaped before they are shown.
    ///
    /// While [`Limits::queued_events`](roadbed_core::limits::Limits::queued_events) or more of them wait, peers without
    /// session are not read. When half of them were taken, [`poll_ready`](Self::poll_ready) names those peers, so look
    /// there too.
    pub fn poll_event(&mut self) -> Option<RouterEvent> {
        let event = self.events.pop_front();
        self.events.relax();
        if self.is_congested && self.events.len() <= self.config.limits.queued_events / 2 {
            self.set_congested(false);
        }
        event
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is to be called, if nothing else happens before. Later
    /// than the last time given to the router. Ports have deadlines of their own.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.shard.poll_timeout()
    }

    /// Returns the next deadline, with what it is for.
    pub fn next_deadline(&self) -> Option<(Timestamp, Deadline)> {
        self.shard.next_deadline()
    }

    /// Returns the sessions that are joined, in no particular order.
    pub fn sessions(&self) -> impl Iterator<Item = &Arc<SessionInfo>> {
        self.shard.sessions()
    }

    /// Returns what there is, and what happened. Costs a look at every peer and realm.
    pub fn stats(&self) -> RouterStats {
        let mut stats = self.shard.stats();
        stats.peers = self.lobby.peers();
        stats.queued_events = self.events.len();
        stats.counters.add(&self.lobby.counters());
        stats
    }

    /// Returns what happened so far. Costs nothing.
    pub fn counters(&self) -> Counters {
        let mut counters = self.shard.counters();
        counters.add(&self.lobby.counters());
        counters
    }

    /// Checks that all tables agree with each other; for tests, as it looks at everything.
    ///
    /// # Errors
    /// What does not agree.
    pub fn check_invariants(&self) -> Result<(), String> {
        self.shard.check_invariants()?;
        let (seats, peers) = (self.shard.stats().peers, self.lobby.peers());
        if seats > peers { Err(format!("{seats} seats are taken by {peers} peers")) } else { Ok(()) }
    }

    /// The two halves, for a port. Call [`settle`](Self::settle) afterwards.
    pub(crate) fn parts(&mut self) -> (&mut Lobby, &mut Shard) {
        (&mut self.lobby, &mut self.shard)
    }

    /// Collects what happened.
    pub(crate) fn settle(&mut self) {
        if !self.lobby.has_events() && !self.shard.has_events() {
            return;
        }
        self.events.extend(std::iter::from_fn(|| self.lobby.poll_event()));
        self.events.extend(std::iter::from_fn(|| self.shard.poll_event()));
        if !self.is_congested && self.events.len() >= self.config.limits.queued_events {
            self.set_congested(true);
        }
    }

    fn set_congested(&mut self, is_congested: bool) {
        self.is_congested = is_congested;
        self.lobby.set_congested(is_congested);
        self.shard.set_congested(is_congested);
    }
}

impl std::fmt::Debug for Router {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Router").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

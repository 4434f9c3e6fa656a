//! What precedes the shards of a router: which realm is where, who is connected, and the driver's decisions about them.

mod realms;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use roadbed_core::error::uris;
use roadbed_core::message::RawDict;
use roadbed_core::transport::TransportDetails;
use roadbed_core::uri::Uri;

use self::realms::Listed;
use crate::auth::Grant;
use crate::claim::Refusal;
use crate::config::RouterConfig;
use crate::events::{AuthenticationRequest, ConnectionRefusal, NotAwaited, RouterEvent};
use crate::ids::Random;
use crate::keys::PeerKey;
use crate::names::{DecisionId, PeerId};
use crate::slab::Slab;
use crate::stats::{Counters, count};
use crate::tables::{HashMap, Keyed, Relax};
use crate::uris as checked;

/// The entrance of a router. It knows which realms there are and in which [shard](crate::Shard) each of them is, names
/// the connections, and carries the driver's questions and answers about those that have no session yet. It routes
/// nothing, so a lobby behind a lock is not held while messages of sessions are handled.
///
/// What a peer may say before WELCOME, and until when, is the affair of its [`Port`](crate::Port).
pub struct Lobby {
    config: Arc<RouterConfig>,
    shards: usize,
    realms: HashMap<Uri, Listed>,
    /// Deals realms out that do not say which shard they want.
    next_shard: usize,
    /// Finds the shard of realms that are made on demand.
    hasher: Keyed,
    doors: Slab<PeerKey, Door>,
    random: Random,
    ready: VecDeque<PeerId>,
    /// Connections without session that are not read until the driver has taken its events.
    held: BTreeSet<PeerId>,
    events: VecDeque<RouterEvent>,
    counters: Counters,
    is_congested: bool,
    is_shut_down: bool,
}

/// What is known of a connection.
#[derive(Debug, Default)]
struct Door {
    /// Counts the questions to the driver; answers to older ones do not count.
    round: u32,
    is_asked: bool,
    answer: Option<Box<Answer>>,
    is_ready: bool,
}

/// What the driver decided.
#[derive(Debug)]
pub(crate) enum Answer {
    Grant(Grant),
    Challenge(RawDict),
    Deny(Refusal),
}

impl Lobby {
    /// Makes the lobby of a router with this many shards. `seed` is the source of all its randomness and must be
    /// unpredictable. Check the configuration beforehand.
    pub fn new(config: Arc<RouterConfig>, shards: usize, seed: [u8; 32]) -> Self {
        let mut random = Random::new(seed);
        let mut lobby = Self {
            shards: shards.max(1),
            realms: HashMap::with_hasher(random.hasher()),
            next_shard: 0,
            hasher: random.hasher(),
            doors: Slab::new(),
            random,
            ready: VecDeque::new(),
            held: BTreeSet::new(),
            events: VecDeque::new(),
            counters: Counters::default(),
            is_congested: false,
            is_shut_down: false,
            config,
        };
        for realm in &Arc::clone(&lobby.config).realms {
            let shard = lobby.next_shard(realm);
            lobby.list(realm, shard, true);
        }
        lobby
    }

    /// Lets a peer in: the answer to [`RouterEvent::Authenticate`].
    ///
    /// # Errors
    /// [`NotAwaited`] when the answer comes too late.
    pub fn grant(&mut self, decision: DecisionId, grant: Grant) -> Result<(), NotAwaited> {
        self.decide(decision, Answer::Grant(grant))
    }

    /// Asks a peer for (more) proof: the answer to [`RouterEvent::Authenticate`]. What the peer answers
    /// comes as another event. `extra` is what the method needs.
    ///
    /// # Errors
    /// [`NotAwaited`] when the answer comes too late.
    pub fn challenge(&mut self, decision: DecisionId, extra: RawDict) -> Result<(), NotAwaited> {
        self.decide(decision, Answer::Challenge(extra))
    }

    /// Refuses a peer: the answer to [`RouterEvent::Authenticate`]. `reason` is usually
    /// `wamp.error.authentication_denied`, and is replaced by that where it is no URI.
    ///
    /// # Errors
    /// [`NotAwaited`] when the answer comes too late.
    pub fn deny(&mut self, decision: DecisionId, reason: &Uri, message: &str) -> Result<(), NotAwaited> {
        let reason = checked::reason(reason, &uris::AUTHENTICATION_DENIED, &self.config.limits);
        let refusal = Refusal::new(reason, message);
        self.decide(decision, Answer::Deny(refusal))
    }

    /// Lets no peer in from now on, and names every connection, so that those without session are told.
    pub fn shutdown(&mut self) {
        self.is_shut_down = true;
        let peers: Vec<PeerId> = self.doors.iter().map(|(key, _)| PeerId(key)).collect();
        peers.into_iter().for_each(|peer| self.name(peer));
    }

    /// Returns the next connection whose port is to exchange with the lobby. Each is returned once, until there is
    /// something new for it.
    pub fn poll_ready(&mut self) -> Option<PeerId> {
        while let Some(peer) = self.ready.pop_front() {
            self.ready.relax();
            if let Some(door) = self.doors.get_mut(peer.0) {
                door.is_ready = false;
                return Some(peer);
            }
        }
        None
    }

    /// Returns what happened next. Take all events, also those of no interest: questions are never dropped, and wait
    /// here until they are taken. URIs and texts in them may be a peer's; they are bounded, but have to be escaped
    /// before they are shown.
    pub fn poll_event(&mut self) -> Option<RouterEvent> {
        let event = self.events.pop_front();
        self.events.relax();
        event
    }

    /// Tells whether very many events wait for the observer. While they do, connections without session are not read,
    /// and events that only inform are dropped. Afterwards [`poll_ready`](Self::poll_ready) names those connections.
    pub fn set_congested(&mut self, is_congested: bool) {
        self.is_congested = is_congested;
        if !is_congested {
            for peer in std::mem::take(&mut self.held) {
                self.name(peer);
            }
        }
    }

    /// Returns how many connections there are.
    pub fn peers(&self) -> usize {
        self.doors.len()
    }

    /// Returns how many events wait to be taken.
    pub fn queued_events(&self) -> usize {
        self.events.len()
    }

    /// Returns what happened so far, sessions apart.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    pub(crate) fn knows(&self, peer: PeerId) -> bool {
        self.doors.get(peer.0).is_some()
    }

    pub(crate) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    pub(crate) fn config(&self) -> &Arc<RouterConfig> {
        &self.config
    }

    pub(crate) const fn is_shut_down(&self) -> bool {
        self.is_shut_down
    }

    pub(crate) fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// A connection is ready for HELLO.
    pub(crate) fn open(&mut self) -> PeerId {
        PeerId(self.doors.insert(Door::default()))
    }

    /// A connection has ended: its name names none from now on.
    pub(crate) fn close(&mut self, peer: PeerId) {
        self.doors.remove(peer.0);
        self.held.remove(&peer);
    }

    /// A connection was refused before it had a name.
    pub(crate) fn refused(&mut self, transport: TransportDetails, reason: ConnectionRefusal) {
        count(match &reason {
            ConnectionRefusal::TooMany => &mut self.counters.connections_refused,
            ConnectionRefusal::Handshake(_) => &mut self.counters.handshakes_refused,
        });
        let transport = Arc::new(transport);
        self.inform(RouterEvent::ConnectionRefused { transport, reason });
    }

    /// Adds what happened at a gate.
    pub(crate) fn add(&mut self, counters: &Counters) {
        self.counters.add(counters);
    }

    /// Tells the driver something that it may miss without harm.
    pub(crate) fn inform(&mut self, event: RouterEvent) {
        if !self.is_congested && self.events.len() < self.config.limits.queued_events {
            self.events.push_back(event);
        }
    }

    /// Asks the driver about a connection.
    pub(crate) fn ask(&mut self, peer: PeerId, question: impl FnOnce(DecisionId) -> AuthenticationRequest) {
        let Some(door) = self.doors.get_mut(peer.0) else { return };
        door.round = door.round.saturating_add(1);
        door.is_asked = true;
        door.answer = None;
        let question = question(DecisionId { peer, round: door.round });
        self.events.push_back(RouterEvent::Authenticate(Box::new(question)));
    }

    /// The question about a connection does not stand any more.
    pub(crate) fn withdraw(&mut self, peer: PeerId) {
        if let Some(door) = self.doors.get_mut(peer.0) {
            door.is_asked = false;
            door.answer = None;
        }
    }

    /// Takes what the driver decided about a connection.
    pub(crate) fn answer(&mut self, peer: PeerId) -> Option<Answer> {
        self.doors.get_mut(peer.0)?.answer.take().map(|answer| *answer)
    }

    /// Says whether a connection without session is not to be read for the sake of the driver.
    pub(crate) fn holds(&mut self, peer: PeerId) -> bool {
        if self.is_congested {
            self.held.insert(peer);
        }
        self.is_congested
    }

    fn decide(&mut self, decision: DecisionId, answer: Answer) -> Result<(), NotAwaited> {
        let door = self.doors.get_mut(decision.peer.0).ok_or(NotAwaited)?;
        if !door.is_asked || door.round != decision.round {
            return Err(NotAwaited);
        }
        door.is_asked = false;
        door.answer = Some(Box::new(answer));
        self.name(decision.peer);
        Ok(())
    }

    fn name(&mut self, peer: PeerId) {
        if let Some(door) = self.doors.get_mut(peer.0)
            && !door.is_ready
        {
            door.is_ready = true;
            self.ready.push_back(peer);
        }
    }
}

impl std::fmt::Debug for Lobby {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lobby")
            .field("peers", &self.peers())
            .field("realms", &self.realms.len())
            .finish_non_exhaustive()
    }
}

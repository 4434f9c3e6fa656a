//! A shard: some realms, the sessions in them, and everything that these need.

mod check;
mod ending;
mod entering;
mod realms;
mod requests;
mod seat;
mod shutdown;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use roadbed_core::error::{Deadline, ProtocolViolation, uris};
use roadbed_core::id::SessionId;
use roadbed_core::message::{Message, MessageType};
use roadbed_core::time::Timestamp;
use roadbed_core::uri::Uri;

pub(crate) use self::ending::close_details;
pub(crate) use self::entering::{Entrant, NoEntry};
pub use self::requests::PublishError;
use self::seat::{Seat, Stage};
use self::shutdown::Drain;
pub use self::shutdown::SHUTDOWN_GRACE;
use crate::config::RouterConfig;
use crate::events::{Outgoing, RouterEvent};
use crate::identity::SessionInfo;
use crate::ids::{Random, SessionIds};
use crate::keys::{RealmKey, SeatKey, SessionKey};
use crate::names::{PeerId, ShardId};
use crate::queue::Outbox;
use crate::realm::Realm;
use crate::slab::Slab;
use crate::stats::Counters;
use crate::tables::{HashMap, Relax};
use crate::timers::TimerKey;
use crate::uris::{self as checked, Names, check};

/// Some realms of a router with the sessions in them, their outgoing queues and their deadlines. Nothing in it is
/// shared with another shard, so each of them can stand behind a lock of its own.
///
/// What a peer says before it has a session is no affair of a shard: see [`Lobby`](crate::Lobby). A [`Port`] carries
/// messages between a peer and its shard. The owner of a shard does the rest: it takes
/// [events](Self::poll_event), tells drivers whose peers are [ready](Self::poll_ready), and keeps the
/// [time](Self::poll_timeout).
///
/// Equal calls with an equal seed give equal outputs.
///
/// [`Port`]: crate::Port
pub struct Shard {
    config: Arc<RouterConfig>,
    id: ShardId,
    realms: Slab<RealmKey, Realm>,
    realm_keys: HashMap<Uri, RealmKey>,
    seats: Slab<SeatKey, Seat>,
    ids: SessionIds,
    random: Random,
    out: Outbox,
    /// Peers that are let in when the driver has taken its events.
    waiting: BTreeSet<PeerId>,
    /// Those of them to be named.
    called: VecDeque<PeerId>,
    /// Whether nobody is let in any more.
    is_shut_down: bool,
    /// Who is left until its calls have ended, after that.
    drain: Option<Drain>,
}

impl Shard {
    /// Makes shard `id` of `shards`, with the realms that a [`Lobby`](crate::Lobby) with the same configuration and
    /// number of shards sends there. `seed` is the source of all its randomness and must be unpredictable and another
    /// one for each shard.
    pub fn new(
        config: Arc<RouterConfig>,
        id: ShardId,
        shards: usize,
        seed: [u8; 32],
        now: Timestamp,
    ) -> Self {
        let limits = &config.limits;
        let total = limits.total_output_size.checked_div(shards).unwrap_or(limits.total_output_size);
        let mut random = Random::new(seed);
        let mut shard = Self {
            id,
            realms: Slab::new(),
            realm_keys: HashMap::with_hasher(random.hasher()),
            seats: Slab::new(),
            ids: SessionIds::new(random.fork(), id, shards),
            out: Outbox::new(limits.output_size, total, now),
            waiting: BTreeSet::new(),
            called: VecDeque::new(),
            random,
            is_shut_down: false,
            drain: None,
            config,
        };
        let config = Arc::clone(&shard.config);
        for (index, realm) in config.realms.iter().enumerate() {
            if realm.shard_of(index, shards) == id {
                shard.open_realm(realm, false);
            }
        }
        shard
    }

    /// A message of a peer that sits here.
    pub(crate) fn handle_message(&mut self, now: Timestamp, key: SeatKey, message: Message) {
        self.advance(now);
        let Some(seat) = self.seats.get(key) else { return };
        match &seat.stage {
            Stage::Left | Stage::Ended => {}
            Stage::Leaving(_) => self.leaving(key, &message),
            &Stage::Joined { realm, session } => self.joined(key, realm, session, message),
        }
        self.drained();
        self.carry_out();
    }

    /// A peer that sits here broke the protocol. It is sent ABORT `wamp.error.protocol_violation` and closed (basic
    /// profile, "Protocol Errors"), unless it costs no more than a request ([`ProtocolViolation::request`]). Then that
    /// is answered with ERROR `wamp.error.invalid_argument` or `wamp.error.invalid_uri`; for a YIELD or ERROR its
    /// caller is. An unreadable ABORT ends the peer without a word, as any ABORT does.
    pub(crate) fn handle_violation(&mut self, now: Timestamp, key: SeatKey, violation: ProtocolViolation) {
        self.advance(now);
        let Some(seat) = self.seats.get(key) else { return };
        let result = match (&seat.stage, violation.message()) {
            (Stage::Left | Stage::Ended, _) => Ok(()),
            // What cannot be read is no GOODBYE, and everything else is ignored now.
            (Stage::Leaving(_), _) => Ok(()),
            (_, Some(MessageType::Abort)) => {
                self.unreadable_abort(key, violation);
                Ok(())
            }
            (&Stage::Joined { realm, session }, _) => match self.realms.get_mut(realm) {
                Some(realm) => realm.handle_unreadable(session, violation, &mut self.out),
                None => Ok(()),
            },
        };
        if let Err(violation) = result {
            self.violated(key, violation);
        }
        self.drained();
        self.carry_out();
    }

    /// Runs the deadlines due at `now`. Call it when [`poll_timeout`](Self::poll_timeout) is reached; calls in between
    /// do no harm.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.advance(now);
        while let Some(timer) = self.out.timers.pop(self.out.now) {
            let (TimerKey::Goodbye(key) | TimerKey::Queue(key)) = timer else {
                self.undecided(timer);
                continue;
            };
            let Some(seat) = self.seats.get_mut(key) else { continue };
            match timer {
                TimerKey::Question(_) => {}
                TimerKey::Queue(_) => {
                    if self.out.has_stalled(seat.queue) {
                        self.stalled(key);
                    }
                }
                TimerKey::Goodbye(_) => {
                    if seat.take_deadline() {
                        self.unanswered(key);
                    }
                }
            }
        }
        self.drained();
        self.carry_out();
    }

    /// Ends a session with GOODBYE. `reason` is `wamp.close.killed` or another URI; what is no URI is replaced by that
    /// one. The connection is closed when the peer answers, or after
    /// [`Limits::goodbye_timeout`](roadbed_core::limits::Limits). Returns whether there is such a session here.
    pub fn kill(&mut self, now: Timestamp, session: SessionId, reason: &Uri, message: &str) -> bool {
        self.advance(now);
        let Some(key) = self.ids.get(session) else { return false };
        let deadline = self.out.now.saturating_add(self.config.limits.goodbye_timeout);
        let config = Arc::clone(&self.config);
        let reason = checked::reason(reason, &uris::KILLED, &config.limits);
        self.say_goodbye(key, reason, message, deadline);
        self.carry_out();
        true
    }

    /// Returns the next peer whose port is to exchange with this shard. Each is returned once, until there is something
    /// new for it: a driver that cannot take everything at once has to remember the rest.
    pub fn poll_ready(&mut self) -> Option<PeerId> {
        if let Some(peer) = self.called.pop_front() {
            self.called.relax();
            return Some(peer);
        }
        self.out.poll_ready()
    }

    /// Returns what happened next. Take all events, also those of no interest: those that tell of sessions and ask
    /// questions are never dropped, and wait here until they are taken. URIs and texts in them may be a peer's; they
    /// are bounded, but have to be escaped before they are shown.
    pub fn poll_event(&mut self) -> Option<RouterEvent> {
        let event = self.out.events.pop_front();
        self.out.events.relax();
        event
    }

    /// Tells whether very many events wait for the observer. While they do, no peer is let in, and events that only
    /// inform are dropped. Afterwards [`poll_ready`](Self::poll_ready) names the peers that had to wait.
    pub fn set_congested(&mut self, is_congested: bool) {
        self.out.is_congested = is_congested;
        if !is_congested {
            self.called.extend(std::mem::take(&mut self.waiting));
        }
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is to be called, if nothing else happens before. Later
    /// than the last time given.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.next_deadline().map(|(at, _)| at)
    }

    /// Returns the next deadline, with what it is for.
    pub fn next_deadline(&self) -> Option<(Timestamp, Deadline)> {
        let of_seat = self.out.timers.next().map(|(at, timer)| match timer {
            TimerKey::Queue(_) => (at, Deadline::Stalled),
            TimerKey::Question(_) => (at, Deadline::Decision),
            TimerKey::Goodbye(_) => (at, Deadline::Goodbye),
        });
        let of_drain = self.drain_at().map(|at| (at, Deadline::Goodbye));
        let (at, why) = of_seat.into_iter().chain(of_drain).min_by_key(|(at, _)| *at)?;
        Some((at.max(self.out.now.next()), why))
    }

    /// Returns what happened so far. Costs nothing.
    pub const fn counters(&self) -> Counters {
        self.out.counters
    }

    pub(crate) fn has_events(&self) -> bool {
        !self.out.events.is_empty()
    }

    /// The next thing to carry to a peer. What is taken counts as taken by the peer.
    pub(crate) fn poll_outgoing(&mut self, key: SeatKey) -> Option<Outgoing> {
        self.out.poll(self.seats.get(key)?.queue)
    }

    /// The end of what is to be carried to a peer, if nothing else is left of it.
    pub(crate) fn poll_end(&mut self, key: SeatKey) -> Option<Outgoing> {
        self.out.poll_end(self.seats.get(key)?.queue)
    }

    /// Whether to go on handing in messages of a peer. `false` while too much waits for it, and when its session has
    /// ended. What others do can make it `false`; then [`poll_ready`](Self::poll_ready) names the peer. It is `true`
    /// again after enough was taken.
    pub(crate) fn wants_input(&self, key: SeatKey) -> bool {
        self.seats.get(key).is_some_and(|seat| self.out.wants_input(seat.queue))
    }

    /// Whether to drop a peer's transport now, without waiting for what it was sent to be taken: it takes nothing.
    pub(crate) fn must_drop(&self, key: SeatKey) -> bool {
        self.seats.get(key).is_some_and(|seat| self.out.must_drop(seat.queue))
    }

    /// Whether the session of a seat has not ended.
    pub(crate) fn is_joined(&self, key: SeatKey) -> bool {
        self.seats.get(key).is_some_and(|seat| matches!(seat.stage, Stage::Joined { .. }))
    }

    /// The session of a seat, until it ends.
    pub(crate) fn session(&self, key: SeatKey) -> Option<&Arc<SessionInfo>> {
        match self.seats.get(key)?.stage {
            Stage::Joined { realm, session } => self.realms.get(realm)?.session(session),
            _ => None,
        }
    }

    /// Returns the sessions that are joined, in no particular order.
    pub fn sessions(&self) -> impl Iterator<Item = &Arc<SessionInfo>> {
        self.seats.iter().filter_map(|(key, _)| self.session(key))
    }

    fn advance(&mut self, now: Timestamp) {
        self.out.now = self.out.now.max(now);
    }

    /// A message of a peer with a session.
    fn joined(&mut self, key: SeatKey, realm: RealmKey, session: SessionKey, message: Message) {
        match message {
            Message::Goodbye(goodbye) => match check(&goodbye.reason, Names::Outcome, &self.config.limits) {
                Ok(()) => self.goodbye(key, realm, session, goodbye),
                Err(error) => {
                    let violation = ProtocolViolation::invalid_uri(MessageType::Goodbye, "reason", error);
                    self.violated(key, violation);
                }
            },
            Message::Abort(abort) => self.aborted(key, &abort),
            message => {
                let Some(message) = self.refuse_new(realm, session, message) else { return };
                let Some(realm) = self.realms.get_mut(realm) else { return };
                if let Err(violation) = realm.handle_message(session, message, &mut self.out) {
                    self.violated(key, violation);
                }
            }
        }
    }
}

impl std::fmt::Debug for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shard").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

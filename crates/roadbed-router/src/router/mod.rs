//! The router: peers in front of a gate, realms behind it.

mod authorizing;
mod check;
mod ending;
mod handshake;
mod shutdown;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use roadbed_core::error::{CloseReason, Deadline, ProtocolViolation, uris};
use roadbed_core::message::{Challenge, Message, MessageType, RawDict};
use roadbed_core::serializer::Serializer;
use roadbed_core::time::{Timestamp, UnixMicros};
use roadbed_core::transport::TransportDetails;
use roadbed_core::uri::Uri;

pub use self::authorizing::PublishError;
use self::shutdown::Drain;
pub use self::shutdown::SHUTDOWN_GRACE;
use crate::auth::Grant;
use crate::config::RouterConfig;
use crate::events::{ConnectionRefusal, NotAwaited, Outgoing, RouterEvent};
use crate::gate::{Gate, Refusal, Verdict};
use crate::ids::Random;
use crate::keys::{PeerKey, RealmKey, SessionKey};
use crate::names::{DecisionId, PeerId};
use crate::peer::{Peer, Stage};
use crate::queue::Outbox;
use crate::realm::Realm;
use crate::session::SessionInfo;
use crate::slab::Slab;
use crate::stats::count;
use crate::tables::{HashMap, Relax};
use crate::timers::TimerKey;
use crate::uris::{self as checked, Names, check};

/// A WAMP router without the I/O: messages in, encoded messages out, time as an argument.
///
/// A [`Port`](crate::Port) for each connection does all of the following; it is there for drivers that have their own.
/// A driver calls [`attach`](Self::attach) when a transport is ready, [`handle_message`](Self::handle_message)
/// for what a `Link` decoded and [`handle_violation`](Self::handle_violation) for what it could not, and
/// [`detach`](Self::detach) when the transport ended. After each of these, and after
/// [`handle_timeout`](Self::handle_timeout), it asks [`poll_ready`](Self::poll_ready) whose queues have
/// output, and pulls it with [`poll_outgoing`](Self::poll_outgoing) as far as the peer's `Link` is writable.
///
/// Peers that do not exist any more are no error: methods that are given one do nothing. Equal calls with
/// an equal seed give equal outputs.
///
/// ```
/// use roadbed_core::{serializer::Serializer, time::{Timestamp, UnixMicros}};
/// use roadbed_core::transport::TransportDetails;
/// use roadbed_core::uri::Uri;
/// use roadbed_router::{Authentication, Router, RouterConfig};
///
/// let config = RouterConfig::new().realm(Uri::new("realm1")?, Authentication::new().anonymous("guest"));
/// config.check()?;
/// let now = Timestamp::ZERO;
/// let mut router = Router::new(config.into_shared(), [0; 32], now, UnixMicros::default());
/// let peer = router.attach(now, Serializer::Cbor, 1 << 20, TransportDetails::local());
/// assert!(!router.is_joined(peer));
/// assert!(router.poll_timeout().is_some()); // until HELLO comes
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Router {
    config: Arc<RouterConfig>,
    gate: Gate,
    realms: Slab<RealmKey, Realm>,
    realm_keys: HashMap<Uri, RealmKey>,
    peers: Slab<PeerKey, Peer>,
    random: Random,
    out: Outbox,
    /// Peers that are not read until the driver has taken its events.
    held: BTreeSet<PeerId>,
    utc: UnixMicros,
    /// Whether nobody is let in any more.
    is_shut_down: bool,
    /// Who is left until its calls have ended, after that.
    drain: Option<Drain>,
}

impl Router {
    /// Makes a router. `seed` is the source of all its randomness and must be unpredictable; `now` and
    /// `utc` are the present time on the driver's two clocks. Check the configuration beforehand.
    pub fn new(config: Arc<RouterConfig>, seed: [u8; 32], now: Timestamp, utc: UnixMicros) -> Self {
        let mut random = Random::new(seed);
        let mut router = Self {
            gate: Gate::new(Arc::clone(&config), random.fork()),
            realms: Slab::new(),
            realm_keys: HashMap::with_hasher(random.hasher()),
            peers: Slab::new(),
            out: Outbox::new(config.limits.output_size, now),
            held: BTreeSet::new(),
            random,
            utc,
            is_shut_down: false,
            drain: None,
            config,
        };
        for realm in &Arc::clone(&router.config).realms {
            router.open_realm(realm.uri.clone(), false);
        }
        router
    }

    /// A connection was refused before it became a peer: it is counted and told as
    /// [`RouterEvent::ConnectionRefused`]. A [`Port`](crate::Port) calls it by itself.
    pub fn connection_refused(&mut self, transport: TransportDetails, reason: ConnectionRefusal) {
        let counters = &mut self.out.counters;
        count(match &reason {
            ConnectionRefusal::TooMany => &mut counters.connections_refused,
            ConnectionRefusal::Handshake(_) => &mut counters.handshakes_refused,
        });
        let transport = Arc::new(transport);
        self.out.inform(|| RouterEvent::ConnectionRefused { transport, reason });
    }

    /// A transport is ready. `serializer` was negotiated on it, `max_receive` is the size in bytes of the
    /// largest message that the peer accepts. The peer has
    /// [`Limits::handshake_timeout`](roadbed_core::limits::Limits) to get a session, from when its transport
    /// was [opened](TransportDetails::opened).
    pub fn attach(
        &mut self,
        now: Timestamp,
        serializer: Serializer,
        max_receive: usize,
        details: TransportDetails,
    ) -> PeerId {
        self.attach_with(now, serializer, max_receive, details, None)
    }

    /// As [`attach`](Self::attach), for a peer that the embedder trusts: with a grant it is let in as that says,
    /// whatever the realm asks of others. Nothing that a peer sends can have this effect.
    pub fn attach_with(
        &mut self,
        now: Timestamp,
        serializer: Serializer,
        max_receive: usize,
        details: TransportDetails,
        grant: Option<Grant>,
    ) -> PeerId {
        self.advance(now);
        // The handshake of the transport has taken some of it.
        let used = details.opened.map_or(Duration::ZERO, |opened| self.out.now.saturating_since(opened));
        let key = self.peers.insert_with(|key| {
            let queue = self.out.open(PeerId(key), serializer, max_receive);
            Peer::new(PeerId(key), queue, details, grant)
        });
        if let Some(peer) = self.peers.get_mut(key) {
            peer.begin_share(self.config.limits.handshake_timeout.saturating_sub(used), &mut self.out);
        }
        if self.is_shut_down {
            let refusal = Refusal::new(&uris::SYSTEM_SHUTDOWN, "the router shuts down");
            self.refuse(key, refusal, CloseReason::Local);
        }
        self.hold(key);
        PeerId(key)
    }

    /// A peer sent a message. Call it for each message as it came, and only while
    /// [`wants_input`](Self::wants_input); a driver that does not stop has the peer closed sooner.
    pub fn handle_message(&mut self, now: Timestamp, peer: PeerId, message: Message) {
        self.advance(now);
        let Some(key) = self.key(peer) else { return };
        let Some(state) = self.peers.get_mut(key) else { return };
        match &state.stage {
            Stage::Ended => {}
            Stage::Leaving(_) => self.leaving(key, &message),
            &Stage::Joined { realm, session } => self.joined(key, realm, session, message),
            Stage::Gated(_) => self.gated(key, message),
        }
        self.hold(key);
        self.drained();
        self.close_overrun();
    }

    /// A peer broke the protocol, as its `Link` found. It is sent ABORT `wamp.error.protocol_violation` and
    /// closed (basic profile, "Protocol Errors"), unless it costs no more than a request
    /// ([`ProtocolViolation::request`]) of an established session. Then that is answered with ERROR
    /// `wamp.error.invalid_argument` or `wamp.error.invalid_uri`; for a YIELD or ERROR its caller is. An unreadable
    /// ABORT ends the peer without a word, as any ABORT does.
    pub fn handle_violation(&mut self, now: Timestamp, peer: PeerId, violation: ProtocolViolation) {
        self.advance(now);
        let Some(key) = self.key(peer) else { return };
        let Some(state) = self.peers.get(key) else { return };
        let result = match (&state.stage, violation.message()) {
            (Stage::Ended, _) => Ok(()),
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
            (Stage::Gated(_), Some(message)) if state.has_just_left() && violation.request().is_some() => {
                if self.crosses(message) {
                    Ok(())
                } else {
                    Err(violation)
                }
            }
            _ => Err(violation),
        };
        if let Err(violation) = result {
            self.violated(key, violation);
        }
        self.drained();
        self.close_overrun();
    }

    /// A transport ended, whoever ended it. Its session ends with it, what is queued for it is dropped, and
    /// `peer` names nobody from now on.
    pub fn detach(&mut self, now: Timestamp, peer: PeerId, reason: CloseReason) {
        self.advance(now);
        let Some(key) = self.key(peer) else { return };
        self.end_session(key, reason);
        if let Some(mut state) = self.peers.remove(key) {
            state.clear_deadline(&mut self.out);
            self.out.remove(state.queue);
            self.held.remove(&peer);
        }
        self.drained();
        self.close_overrun();
    }

    /// Time passed. Call it when [`poll_timeout`](Self::poll_timeout) is reached; calls in between do no harm.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.advance(now);
        while let Some(timer) = self.out.timers.pop(self.out.now) {
            let (TimerKey::Peer(peer) | TimerKey::Queue(peer)) = timer else {
                self.undecided(timer);
                continue;
            };
            let Some(key) = self.key(peer) else { continue };
            let Some(state) = self.peers.get_mut(key) else { continue };
            match timer {
                TimerKey::Question(_) => {}
                TimerKey::Queue(_) => {
                    if self.out.has_stalled(state.queue) {
                        self.stalled(key);
                    }
                }
                TimerKey::Peer(_) => {
                    if let Some(why) = state.take_deadline() {
                        self.expired(key, why);
                    }
                }
            }
        }
        self.drained();
        self.close_overrun();
    }

    /// Lets a peer in: the answer to [`RouterEvent::Authenticate`].
    ///
    /// # Errors
    /// [`NotAwaited`] when the answer comes too late.
    pub fn grant(&mut self, now: Timestamp, decision: DecisionId, grant: Grant) -> Result<(), NotAwaited> {
        let (key, claim) = self.decided(now, decision)?;
        self.apply(key, Verdict::Join(claim, grant));
        Ok(())
    }

    /// Asks a peer for (more) proof: the answer to [`RouterEvent::Authenticate`]. What the peer answers
    /// comes as another event. `extra` is what the method needs.
    ///
    /// # Errors
    /// [`NotAwaited`] when the answer comes too late.
    pub fn challenge(
        &mut self,
        now: Timestamp,
        decision: DecisionId,
        extra: RawDict,
    ) -> Result<(), NotAwaited> {
        let (key, claim) = self.decided(now, decision)?;
        let challenge = Challenge { method: claim.method(), extra };
        self.apply(key, Verdict::Challenge(claim, challenge));
        Ok(())
    }

    /// Refuses a peer: the answer to [`RouterEvent::Authenticate`]. `reason` is usually
    /// `wamp.error.authentication_denied`, and is replaced by that where it is no URI.
    ///
    /// # Errors
    /// [`NotAwaited`] when the answer comes too late.
    pub fn deny(
        &mut self,
        now: Timestamp,
        decision: DecisionId,
        reason: &Uri,
        message: &str,
    ) -> Result<(), NotAwaited> {
        let (key, _) = self.decided(now, decision)?;
        let reason = checked::reason(reason, &uris::AUTHENTICATION_DENIED, &self.config.limits).clone();
        let reason = &reason;
        self.apply(key, Verdict::Refuse(Refusal::new(reason, message)));
        Ok(())
    }

    /// Ends the session of a peer with GOODBYE. `reason` is `wamp.close.killed` or another URI; what is no URI is
    /// replaced by that one. The peer is closed when it
    /// answers, or after [`Limits::goodbye_timeout`](roadbed_core::limits::Limits). A peer without session
    /// is sent ABORT; one that said GOODBYE itself and may join again is closed without a word.
    pub fn kill(&mut self, now: Timestamp, peer: PeerId, reason: &Uri, message: &str) {
        self.advance(now);
        if let Some(key) = self.key(peer) {
            let deadline = self.out.now.saturating_add(self.config.limits.goodbye_timeout);
            let config = Arc::clone(&self.config);
            let reason = checked::reason(reason, &uris::KILLED, &config.limits);
            self.say_goodbye(key, reason, message, deadline);
        }
        self.close_overrun();
    }

    /// Corrects the wall-clock time.
    pub fn set_utc(&mut self, utc: UnixMicros) {
        self.utc = utc;
    }

    /// The wall-clock time last given.
    pub fn utc(&self) -> UnixMicros {
        self.utc
    }

    /// The next peer with output. Each is returned once, until something new is queued for it: a driver
    /// that cannot pull everything at once has to remember the rest.
    pub fn poll_ready(&mut self) -> Option<PeerId> {
        let peers = &self.peers;
        self.out.poll_ready(|id| peers.get(id.0).map(|peer| peer.queue))
    }

    /// The next thing to carry to a peer. Pull only while its `Link` is writable: what is pulled counts as
    /// taken by the peer. Then ask [`wants_input`](Self::wants_input) again.
    pub fn poll_outgoing(&mut self, peer: PeerId) -> Option<Outgoing> {
        let key = self.key(peer)?;
        self.out.poll(self.peers.get(key)?.queue)
    }

    /// What happened. Take all events, also those of no interest: those that tell of sessions and ask
    /// questions are never dropped, and wait here for as long as nobody takes them. URIs and texts in them
    /// may be a peer's; they are bounded, but have to be escaped before they are shown.
    ///
    /// While [`Limits::queued_events`](roadbed_core::limits::Limits::queued_events) or more of them wait,
    /// [`wants_input`](Self::wants_input) is false for peers without session. When half of them were taken,
    /// [`poll_ready`](Self::poll_ready) names those peers, so look there too.
    pub fn poll_event(&mut self) -> Option<RouterEvent> {
        let event = self.out.events.pop_front();
        self.out.events.relax();
        if !self.held.is_empty() && self.out.events.len() <= self.config.limits.queued_events / 2 {
            for peer in std::mem::take(&mut self.held) {
                if let Some(state) = self.peers.get_mut(peer.0) {
                    state.is_held = false;
                    self.out.name(state.queue);
                }
            }
        }
        event
    }

    /// Peers without session are what events for the driver come from: while very many wait, no more is read
    /// from them.
    fn hold(&mut self, key: PeerKey) {
        if self.out.events.len() < self.config.limits.queued_events {
            return;
        }
        if let Some(peer) = self.peers.get_mut(key)
            && matches!(peer.stage, Stage::Gated(_))
            && !peer.is_held
        {
            peer.is_held = true;
            self.held.insert(peer.id);
            self.out.name(peer.queue);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, if nothing else happens before.
    /// Later than the last time given to the router.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.next_deadline().map(|(at, _)| at)
    }

    /// As [`poll_timeout`](Self::poll_timeout), with what the deadline is for.
    pub fn next_deadline(&self) -> Option<(Timestamp, Deadline)> {
        let of_peer = self.out.timers.next().and_then(|(at, timer)| {
            let why = match timer {
                TimerKey::Queue(_) => Deadline::Stalled,
                TimerKey::Question(_) => Deadline::Decision,
                TimerKey::Peer(peer) => self.peers.get(peer.0)?.deadline()?.1,
            };
            Some((at, why))
        });
        let of_drain = self.drain_at().map(|at| (at, Deadline::Goodbye));
        let (at, why) = of_peer.into_iter().chain(of_drain).min_by_key(|(at, _)| *at)?;
        Some((at.max(self.out.now.next()), why))
    }

    /// Whether to go on reading from a peer. `false` while too much waits for it, at its end, and for a peer without
    /// session while too much waits for the driver. What others do can make it `false`; then
    /// [`poll_ready`](Self::poll_ready) names the peer. It is `true` again after enough was pulled, so it suffices to
    /// ask whenever the peer was served.
    pub fn wants_input(&self, peer: PeerId) -> bool {
        self.peer(peer).is_some_and(|peer| !peer.waits_for_the_driver() && self.out.wants_input(peer.queue))
    }

    /// Whether to drop a peer's transport now, without waiting for what it was sent to be taken: it takes
    /// nothing. Ask for each peer that [`poll_ready`](Self::poll_ready) returns, also if its transport takes
    /// no output now.
    pub fn must_drop(&self, peer: PeerId) -> bool {
        self.peer(peer).is_some_and(|peer| self.out.must_drop(peer.queue))
    }

    /// Whether a peer has a session.
    pub fn is_joined(&self, peer: PeerId) -> bool {
        self.session(peer).is_some()
    }

    /// The size in bytes of the largest message that is read from a peer now, for
    /// [`Link::set_receive_limit`](roadbed_core::link::Link::set_receive_limit): little before HELLO, more after
    /// CHALLENGE, and [`Limits::message_size`](roadbed_core::limits::Limits) from WELCOME on. It changes with every
    /// message, so ask again before the next one is read.
    pub fn receive_limit(&self, peer: PeerId) -> usize {
        let limits = &self.config.limits;
        self.peer(peer).map_or(limits.handshake_message_size, |peer| peer.receive_limit(limits))
    }

    /// The session of a peer, if it has one.
    pub fn session(&self, peer: PeerId) -> Option<&Arc<SessionInfo>> {
        match self.peer(peer)?.stage {
            Stage::Joined { realm, session } => self.realms.get(realm)?.session(session),
            _ => None,
        }
    }

    fn advance(&mut self, now: Timestamp) {
        self.out.now = self.out.now.max(now);
    }

    fn key(&self, peer: PeerId) -> Option<PeerKey> {
        self.peers.contains(peer.0).then_some(peer.0)
    }

    fn peer(&self, peer: PeerId) -> Option<&Peer> {
        self.peers.get(peer.0)
    }

    /// A message of a peer with a session.
    fn joined(&mut self, key: PeerKey, realm: RealmKey, session: SessionKey, message: Message) {
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

    fn open_realm(&mut self, uri: Uri, is_temporary: bool) -> RealmKey {
        let listed = self.config.realms.iter().find(|realm| realm.uri == uri);
        let authentication = match listed {
            Some(realm) => realm.authentication.clone(),
            None => self.config.auto_create.clone().unwrap_or_default(),
        };
        let config = Arc::clone(&self.config);
        let random = self.random.fork();
        let make = |key| Realm::new(key, config, uri.clone(), authentication, is_temporary, random);
        let key = self.realms.insert_with(make);
        self.realm_keys.insert(uri, key);
        key
    }

    /// A realm that was made on demand goes with its last session.
    fn close_realm_if_done(&mut self, key: RealmKey) {
        if self.realms.get(key).is_some_and(|realm| realm.is_temporary && realm.is_empty())
            && let Some(realm) = self.realms.remove(key)
        {
            self.realm_keys.remove(&realm.uri);
            self.realm_keys.relax();
        }
    }
}

impl std::fmt::Debug for Router {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Router").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

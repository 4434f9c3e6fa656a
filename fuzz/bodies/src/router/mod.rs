//! A router with several peers: [`Router`], and for each of them a [`Port`], of whole messages or over a link.
//!
//! After every step its tables agree with each other; every request has one answer, calls included; nothing
//! follows ABORT; timeouts lie in the future; one message makes no more than a bounded number of others.
//! When all peers are gone, nothing is left. The same input gives the same bytes.

mod carry;

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::BytesMut;
use roadbed_core::error::uris;
use roadbed_core::id::SessionId;
use roadbed_core::limits::Limits;
use roadbed_core::link::LinkConfig;
use roadbed_core::time::{Timestamp, UnixMicros};
use roadbed_core::uri::Uri;
use roadbed_router::{
    Access, Authentication, Authorization, AuthorizationId, DecisionId, Grant, Port, Router, RouterConfig,
    RouterEvent, TicketTable, Verb, Verdict,
};

use crate::check_text;
use crate::client::Client;
use crate::source::Source;

/// Peers at a time.
const PEERS: usize = 4;

/// A router, its peers, and time.
pub fn router(data: &[u8]) {
    let digest = World::run(data);
    // As often as not would do, but shrinking is easier when it does not depend on the input.
    if data.len().is_multiple_of(4) {
        assert_eq!(World::run(data), digest, "the same input, other bytes");
    }
}

struct World {
    router: Router,
    links: LinkConfig,
    peers: [Option<Peer>; PEERS],
    now: Timestamp,
    /// The latest time that the router was told.
    told: Timestamp,
    decisions: Vec<DecisionId>,
    questions: Vec<AuthorizationId>,
    sessions: BTreeSet<SessionId>,
    /// Messages delivered.
    delivered: usize,
    digest: u64,
}

struct Peer {
    client: Client,
    port: Box<Port>,
    /// Where the port has a link; otherwise it takes whole messages.
    pipe: Option<Pipe>,
    /// It takes nothing for now.
    is_slow: bool,
}

/// The bytes on both sides of a link.
#[derive(Default)]
struct Pipe {
    input: BytesMut,
    output: BytesMut,
    is_shaken: bool,
}

/// One name is decided on by the driver, and one may not be taken.
fn authorize(access: &Access<'_>) -> Authorization {
    match (access.uri.as_str(), access.verb) {
        ("com.c", _) => Authorization::Ask,
        ("com.b", Verb::Publish) => Verdict::deny().into(),
        _ => Verdict::allow().into(),
    }
}

impl Peer {
    /// Lets the port decode and frame what it can.
    fn read(&mut self, now: Timestamp) {
        match &mut self.pipe {
            Some(pipe) => self.port.handle_input(now, &mut pipe.input),
            None => self.port.advance(now),
        }
    }

    /// How many bytes wait to be decoded.
    fn unread(&self) -> usize {
        self.pipe.as_ref().map_or(0, |pipe| pipe.input.len())
    }
}

fn config(source: &mut Source<'_>) -> RouterConfig {
    let limits = match source.below(4) {
        0 => Limits::default(),
        3 => Limits::default().backlog_length(3).backlog_size(2000).queued_events(4),
        1 => Limits::default().pending_calls(2).pending_invocations(2).subscriptions(2).registrations(1),
        _ => Limits::default().output_size(2000).message_size(512).handshake_message_size(512),
    };
    let table = TicketTable::new().principal("joe", "secret!!!", "user");
    let config = RouterConfig::new()
        .limits(limits)
        .strict_ids(source.flag())
        .realm(Uri::from_static("open"), Authentication::new().anonymous("guest"))
        .realm(Uri::from_static("closed"), Authentication::new().ticket(table).anonymous("guest"))
        .realm(Uri::from_static("asked"), Authentication::new().dynamic("anonymous").dynamic("x_asked"))
        .default_realm(Uri::from_static("open"));
    let config =
        if source.flag() { config.auto_create(Authentication::new().anonymous("guest")) } else { config };
    let config = if source.flag() { config.authorizer(authorize) } else { config };
    config.check().expect("the configuration is right");
    config
}

impl World {
    fn run(data: &[u8]) -> u64 {
        let mut source = Source::new(data);
        let config = config(&mut source);
        let links = LinkConfig::default().limits(config.limits.clone());
        let (now, utc) = (Timestamp::ZERO, UnixMicros::default());
        let mut world = Self {
            router: Router::new(config.into_shared(), [7; 32], now, utc),
            links,
            peers: Default::default(),
            now,
            told: now,
            decisions: Vec::new(),
            questions: Vec::new(),
            sessions: BTreeSet::new(),
            delivered: 0,
            digest: 0,
        };
        let idle = world.router.stats().realms;
        for slot in 0..2 {
            world.connect(slot, &mut source);
        }
        while !source.is_empty() {
            world.step(&mut source);
            world.check();
        }
        for slot in 0..PEERS {
            world.lose(slot);
            world.settle();
            world.check();
        }
        let stats = world.router.stats();
        let left = [stats.peers, stats.sessions, stats.subscriptions, stats.subscribers, stats.registrations];
        let more =
            [stats.calls, stats.timers, stats.queued_messages, stats.queued_bytes, stats.queued_events];
        assert!(
            left == [0; 5]
                && more == [0; 5]
                && (stats.questions, stats.waiting, stats.realms) == (0, 0, idle),
            "not everything is gone: {stats:?}"
        );
        assert!(world.sessions.is_empty(), "no Left for {:?}", world.sessions);
        assert_eq!(world.router.poll_timeout(), None);
        world.digest
    }

    fn tell(&mut self) -> Timestamp {
        self.told = self.now;
        self.now
    }

    fn step(&mut self, source: &mut Source<'_>) {
        let slot = source.below(PEERS);
        let before = self.router.stats();
        let (delivered, peers) = (self.delivered, before.peers + 1);
        let is_bounded = match source.below(26) {
            0..=15 => self.speak(slot, source),
            16 => {
                let bytes = source.bytes(80);
                self.raw(slot, bytes);
                false
            }
            17 => {
                let at = self.poll_timeout().unwrap_or(self.now + Duration::from_millis(1));
                self.pass(at);
                true
            }
            18 => {
                self.pass(self.now + Duration::from_millis(source.number() % 20_000));
                true
            }
            19 => {
                if let Some(peer) = &mut self.peers[slot] {
                    peer.is_slow = source.flag();
                }
                self.exchange(slot);
                false
            }
            20 => {
                self.lose(slot);
                true
            }
            21 => {
                self.decide(source);
                true
            }
            24 | 25 => {
                self.authorize(source);
                true
            }
            22 => {
                self.force(slot, source);
                true
            }
            _ => {
                self.connect(slot, source);
                true
            }
        };
        self.settle();
        let after = self.router.stats().queued_messages + self.delivered;
        let made = after.saturating_sub(before.queued_messages + delivered);
        // What waited for a decision may all go on.
        let allowed = 4 + 2 * (peers + before.calls) + before.waiting * (1 + peers);
        assert!(!is_bounded || made <= allowed, "one step made {made} messages, {allowed} are thinkable");
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        let ports = self.peers.iter().flatten().filter_map(|peer| peer.port.poll_timeout());
        ports.chain(self.router.poll_timeout()).min()
    }

    fn pass(&mut self, until: Timestamp) {
        self.now = self.now.max(until);
        let now = self.tell();
        self.router.handle_timeout(now);
        for slot in 0..PEERS {
            if let Some(peer) = &mut self.peers[slot] {
                peer.port.handle_timeout(now);
                self.read(slot);
            }
        }
    }

    fn decide(&mut self, source: &mut Source<'_>) {
        if self.decisions.is_empty() {
            return;
        }
        // An old one may be asked for again: it is late then.
        let decision = self.decisions[source.below(self.decisions.len())];
        let result = match source.below(4) {
            0 | 1 => self.router.grant(decision, Grant::new("ann", "user")),
            2 => self.router.challenge(decision, Default::default()),
            _ => self.router.deny(decision, &uris::NOT_AUTHORIZED, "no"),
        };
        if let Err(late) = result {
            check_text(&late);
            self.decisions.retain(|&known| known != decision);
        }
    }

    fn authorize(&mut self, source: &mut Source<'_>) {
        if self.questions.is_empty() {
            return;
        }
        let question = self.questions[source.below(self.questions.len())];
        let verdict = match source.below(4) {
            0 => Verdict::deny(),
            1 => Verdict::deny_with(Uri::from_static("com.no")),
            _ => Verdict::allow(),
        };
        let verdict = if source.below(4) == 0 { verdict.for_role() } else { verdict };
        if source.below(16) == 0 {
            self.router.forget_verdicts();
        }
        let now = self.tell();
        if let Err(late) = self.router.authorize(now, question, verdict) {
            check_text(&late);
            self.questions.retain(|&known| known != question);
        }
    }

    fn force(&mut self, slot: usize, source: &mut Source<'_>) {
        let now = self.tell();
        let id = self.peers[slot].as_ref().and_then(|peer| peer.port.peer());
        let session =
            self.router.sessions().find(|session| Some(session.peer) == id).map(|session| session.id);
        match (source.byte(), session) {
            (0..=249, Some(id)) => assert!(self.router.kill(now, id, &uris::KILLED, "enough")),
            (250.., _) => self.router.shutdown(now, now + Duration::from_secs(3)),
            _ => {}
        }
    }

    /// Until nothing more happens: outputs to peers, and events.
    fn settle(&mut self) {
        for round in 0.. {
            assert!(round < 1000, "it never ends");
            while let Some(id) = self.router.poll_ready() {
                let is_it =
                    |peer: &Option<Peer>| peer.as_ref().is_some_and(|peer| peer.port.peer() == Some(id));
                let slot = self.peers.iter().position(is_it);
                self.exchange(slot.expect("the router knows no peer that we do not"));
            }
            let mut is_done = true;
            for slot in 0..PEERS {
                let had_input = self.unread(slot).filter(|&(unread, may_read)| unread > 0 && may_read);
                self.read(slot);
                is_done &= had_input.is_none() || had_input == self.unread(slot);
            }
            while let Some(event) = self.router.poll_event() {
                self.happened(event);
                is_done = false;
            }
            if is_done {
                return;
            }
        }
    }

    /// How many bytes of a peer wait to be decoded, and whether they may be.
    fn unread(&self, slot: usize) -> Option<(usize, bool)> {
        self.peers[slot].as_ref().map(|peer| (peer.unread(), peer.port.wants_input()))
    }

    fn happened(&mut self, event: RouterEvent) {
        match event {
            RouterEvent::Authenticate(request) => self.decisions.push(request.decision),
            RouterEvent::Authorize(request) => {
                assert_eq!(request.uri, "com.c");
                self.questions.push(request.id);
            }
            RouterEvent::Joined { session, .. } => assert!(self.sessions.insert(session.id), "joined twice"),
            RouterEvent::Left { session, .. } => assert!(self.sessions.remove(&session.id), "left twice"),
            RouterEvent::Refused { message, .. } => assert!(!message.is_empty()),
            RouterEvent::Undeliverable { error, .. } => check_text(&error),
            _ => {}
        }
    }

    fn check(&self) {
        self.router.check_invariants().unwrap_or_else(|why| panic!("{why}"));
        assert!(self.router.poll_timeout().is_none_or(|at| at > self.told), "a timeout in the past");
        for peer in self.peers.iter().flatten() {
            assert!(peer.port.poll_timeout().is_none_or(|at| at > self.now), "a timeout in the past");
            assert!(!peer.port.wants_exchange(), "a port does not come to rest");
        }
        let stats = self.router.stats();
        assert_eq!(stats.sessions, self.sessions.len());
        if stats.waiting > 0 {
            return;
        }
        let peers = || self.peers.iter().flatten();
        for peer in peers().filter(|peer| !peer.is_slow && peer.unread() == 0) {
            peer.client.check_answered();
        }
        if peers().all(|peer| !peer.is_slow && !peer.client.is_wild()) {
            let open: usize = peers().map(|peer| peer.client.open_calls()).sum();
            assert_eq!(stats.calls, open, "calls at the router, and calls without an answer");
        }
    }
}

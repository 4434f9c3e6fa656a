//! A router's drivers under hostile peers: several connections, a session of the router's own process, and the
//! router's end at any time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use roadbed::client::{Invocation, Session, Settings};
use roadbed::runtime::Runtime;
use roadbed::server::{
    Authentication, DecisionId, Grant, PeerDriver, RouterConfig, RouterEvent, RouterHandle, TicketTable,
};
use roadbed::sim::Sim;
use roadbed_core::error::uris;
use roadbed_core::limits::Limits;
use roadbed_core::serializer::Serializer;
use roadbed_core::transport::TransportDetails;
use roadbed_core::uri::Uri;

use super::half::Driven;
use super::pending::Pending;
use super::wire::Wire;
use super::within_bounds;
use crate::check_text;
use crate::client::Client;
use crate::source::Source;
use crate::speech::Speech;

/// Connections at a time.
const PEERS: usize = 4;

/// A router and its connections: bytes and cuts, decisions, time and ends.
pub fn router_driver(data: &[u8]) {
    within_bounds(data, || {
        let mut source = Source::new(data);
        World::new(&mut source).run(&mut source);
    });
}

struct World {
    sim: Sim,
    router: RouterHandle,
    peers: [Option<Peer>; PEERS],
    pending: Pending,
    decisions: Arc<Mutex<Vec<DecisionId>>>,
    ours: Arc<Mutex<Option<Session>>>,
    is_shut_down: bool,
}

struct Peer {
    driven: Driven<PeerDriver>,
    client: Client,
    wire: Wire,
    is_stuck: bool,
    /// It was given what nothing is known of, or cut in two.
    is_wild: bool,
}

fn start(source: &mut Source<'_>, sim: &Sim, decisions: &Arc<Mutex<Vec<DecisionId>>>) -> RouterHandle {
    let limits = match source.below(3) {
        0 => Limits::default(),
        1 => Limits::default().pending_calls(2).pending_invocations(2).subscriptions(2).registrations(1),
        _ => Limits::default().output_size(2000).message_size(512).handshake_message_size(512),
    };
    let table = TicketTable::new().principal("joe", "secret!!!", "user");
    let guests = Authentication::new().anonymous("guest");
    let config = RouterConfig::new()
        .limits(limits)
        .strict_ids(source.flag())
        .realm(Uri::from_static("open"), guests)
        .realm(Uri::from_static("closed"), Authentication::new().ticket(table).anonymous("guest"))
        .realm(Uri::from_static("asked"), Authentication::new().dynamic("anonymous").dynamic("x_asked"))
        .default_realm(Uri::from_static("open"));
    let decisions = Arc::clone(decisions);
    let builder = RouterHandle::builder(config).on_event(move |router, event| match event {
        RouterEvent::Authenticate(request) => {
            decisions.lock().unwrap_or_else(PoisonError::into_inner).push(request.decision);
        }
        RouterEvent::Refused { message, .. } => assert!(!message.is_empty()),
        // The observer may use the router.
        _ => drop(router.stats()),
    });
    let builder = if source.flag() { builder.max_connections(3) } else { builder };
    builder.start(sim.runtime()).expect("the configuration is right")
}

impl World {
    fn new(source: &mut Source<'_>) -> Self {
        let (sim, decisions) = (Sim::default(), Arc::default());
        let router = start(source, &sim, &decisions);
        Self {
            sim,
            router,
            peers: Default::default(),
            pending: Pending::default(),
            decisions,
            ours: Arc::default(),
            is_shut_down: false,
        }
    }

    fn run(mut self, source: &mut Source<'_>) {
        for slot in 0..2 {
            self.connect(slot, source);
        }
        while !source.is_empty() {
            self.step(source);
            self.settle();
        }
        self.end();
    }

    fn connect(&mut self, slot: usize, source: &mut Source<'_>) {
        if self.peers[slot].is_some() {
            return;
        }
        let speech = Speech::choose(source);
        let serializer = source.choose(&Serializer::ALL);
        let is_secure = source.flag();
        let details =
            if is_secure { TransportDetails::local() } else { TransportDetails::tcp("1.2.3.4:5", false) };
        let mut driven = Driven::new(self.router.accept_driver(details));
        let mut wire = Wire::client(speech, serializer);
        driven.arrive(&wire.greeting(source.choose(&[0xF0, 0xF0, 0x00]) | serializer.rawsocket_id()));
        let client = Client::new(serializer);
        self.peers[slot] = Some(Peer { driven, client, wire, is_stuck: false, is_wild: false });
        self.settle();
    }

    fn step(&mut self, source: &mut Source<'_>) {
        let slot = source.below(PEERS);
        match source.below(32) {
            0..=15 => self.speak(slot, source),
            16 => self.disturb(slot, source),
            17 => self.sim.pass(Duration::from_millis(source.number() % 20_000)),
            18 => {
                if let Some(peer) = &mut self.peers[slot] {
                    peer.is_stuck = source.flag();
                }
            }
            19 => self.close(slot, source),
            20 | 21 => self.decide(source),
            22 => self.join_ours(source),
            23..=25 => self.use_ours(source),
            26 if source.below(8) == 0 => {
                self.is_shut_down = true;
                let shutdown = self.router.shutdown(Duration::from_millis(source.number() % 9000));
                self.pending.begin("shutdown", async move {
                    let _ = shutdown.await;
                });
            }
            27 => self.pending.give_up(source.below(4)),
            28 => assert!(self.router.connections() <= PEERS + 1),
            _ => self.connect(slot, source),
        }
    }

    fn speak(&mut self, slot: usize, source: &mut Source<'_>) {
        let Some(peer) = &mut self.peers[slot] else { return };
        if !peer.driven.is_quiet() {
            return;
        }
        let (message, mut body) = (peer.client.message(source), BytesMut::new());
        if peer.client.serializer().encode(&message, &mut body).is_err() {
            peer.client.go_wild();
            return;
        }
        let frames = peer.wire.message(self.sim.now(), &body);
        peer.driven.arrive(&frames);
    }

    fn disturb(&mut self, slot: usize, source: &mut Source<'_>) {
        let Some(peer) = &mut self.peers[slot] else { return };
        peer.client.go_wild();
        peer.is_wild = true;
        match source.below(3) {
            0 => peer.driven.abuse(source.bytes(20), source.below(5)),
            _ => peer.driven.arrive(source.bytes(80)),
        }
    }

    fn close(&mut self, slot: usize, source: &mut Source<'_>) {
        let Some(peer) = &mut self.peers[slot] else { return };
        match source.below(5) {
            0 => peer.driven.lost(),
            1 => peer.driven.broke(),
            2 | 3 => peer.driven.eof(),
            _ => self.peers[slot] = None,
        }
    }

    fn decide(&mut self, source: &mut Source<'_>) {
        let decision = {
            let decisions = self.decisions.lock().unwrap_or_else(PoisonError::into_inner);
            if decisions.is_empty() {
                return;
            }
            decisions[source.below(decisions.len())]
        };
        let result = match source.below(4) {
            0 | 1 => self.router.grant(decision, Grant::new("ann", "user")),
            2 => self.router.challenge(decision, Default::default()),
            _ => self.router.deny(decision, &uris::NOT_AUTHORIZED, "no"),
        };
        if let Err(late) = result {
            check_text(&late);
            let mut decisions = self.decisions.lock().unwrap_or_else(PoisonError::into_inner);
            decisions.retain(|&known| known != decision);
        }
    }

    /// A session of the router's own process, with a procedure.
    fn join_ours(&mut self, source: &mut Source<'_>) {
        let settings = Settings::new("open").anonymous().serializer(source.choose(&Serializer::ALL));
        let joining = self.router.attach_local(&settings).expect("the settings are right");
        let ours = Arc::clone(&self.ours);
        self.pending.begin("join", async move {
            let session = joining.await;
            if let Ok(session) = &session {
                let echo = |invocation: Invocation| async move { Ok((invocation.payload().is_empty(),)) };
                if let Ok(registration) = session.register("com.a", echo).await {
                    registration.detach();
                }
                if let Ok(subscription) = session.subscribe("com.b").await {
                    subscription.detach();
                }
            }
            *ours.lock().unwrap_or_else(PoisonError::into_inner) = session.ok();
        });
    }

    fn use_ours(&mut self, source: &mut Source<'_>) {
        let session = self.ours.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(session) = session else { return };
        let uri = source.choose(&["com.a", "com.b", "com.c"]);
        let text = "x".repeat(source.choose(&[0, 3, 200, 900]));
        match source.below(8) {
            0..=4 => {
                let call = session.call(uri, (text,));
                self.pending
                    .begin("call", async move { drop(call.await.map_err(|error| check_text(&error))) });
            }
            5 | 6 => {
                let publish = session.publish(uri, (text,)).acknowledge();
                self.pending.begin("publish", async move { drop(publish.await) });
            }
            _ => drop(self.ours.lock().unwrap_or_else(PoisonError::into_inner).take()),
        }
    }

    fn settle(&mut self) {
        for _ in 0..1000 {
            self.sim.settle();
            let mut any = self.pending.poll();
            for slot in 0..PEERS {
                any |= self.drive(slot);
            }
            if !any {
                return self.check();
            }
        }
        panic!("it never comes to rest");
    }

    /// Whether anything was done for this connection.
    fn drive(&mut self, slot: usize) -> bool {
        let now = self.sim.now();
        let Some(peer) = &mut self.peers[slot] else { return false };
        let mut any = peer.driven.read();
        if peer.is_stuck {
            peer.driven.stuck();
        } else {
            for bytes in peer.driven.write(now) {
                any = true;
                let (messages, answer) = peer.wire.hear(now, &bytes);
                peer.driven.arrive(&answer);
                let limits = Limits::default().message_size(16 << 20);
                for body in messages {
                    let message = peer.client.serializer().decode(&body, &limits);
                    peer.client.receive(message.unwrap_or_else(|why| panic!("sent {body:?}: {why}")));
                }
            }
        }
        if peer.driven.has_ended() {
            self.peers[slot] = None;
            any = true;
        }
        any
    }

    fn check(&self) {
        for peer in self.peers.iter().flatten() {
            if !peer.is_stuck && !peer.is_wild && peer.driven.is_quiet() {
                peer.client.check_answered();
            }
        }
    }

    /// All connections are gone, and so is everything they had; a router that shuts down has.
    fn end(mut self) {
        for peer in &mut self.peers {
            drop(peer.take());
        }
        drop(self.ours.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.settle();
        drop(self.ours.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.sim.pass(Duration::from_secs(60));
        self.settle();
        self.pending.assert_ended();
        drop(self.ours.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.sim.pass(Duration::from_secs(60));
        assert_eq!(self.router.connections(), 0, "connections are left");
        let stats = self.router.stats();
        let left = [
            stats.peers,
            stats.sessions,
            stats.calls,
            stats.timers,
            stats.queued_messages,
            stats.queued_bytes,
        ];
        assert_eq!(left, [0; 6], "not everything is gone: {stats:?}");
        assert_eq!(self.sim.tasks(), 0, "tasks that nobody needs");
    }
}

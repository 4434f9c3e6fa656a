//! A client that connects anew: sessions come and go, and what was declared stays.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use roadbed::Error;
use roadbed::client::{
    Client, ClientRegistration, ClientSubscription, Connect, Invocation, Missed, RetryPolicy, Session,
    Settings, WhileDisconnected,
};
use roadbed::server::{Authentication, RouterConfig, RouterHandle};
use roadbed::sim::Sim;
use roadbed_core::uri::Uri;

use super::network::{Dialed, Network};
use super::pending::Pending;
use super::within_bounds;
use crate::check_text;
use crate::source::Source;

/// Requests that may wait for a session, and bytes of their payload.
const WAITING: usize = 3;
const WAITING_BYTES: usize = 400;

/// How long they may.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is declared at most, of each kind.
const NAMES: [&str; 3] = ["com.a", "com.b", "com.c"];

/// A client, its network, and users who declare, call and publish.
pub fn reconnecting_client(data: &[u8]) {
    within_bounds(data, || {
        let mut source = Source::new(data);
        World::new(&mut source).run(&mut source);
    });
}

struct World {
    sim: Sim,
    network: Network,
    client: Client,
    pending: Pending,
    subscriptions: [Option<ClientSubscription>; NAMES.len()],
    registrations: [Option<ClientRegistration>; NAMES.len()],
}

fn start_router(sim: &Sim) -> RouterHandle {
    let guests = Authentication::new().anonymous("guest");
    let config = RouterConfig::new().realm(Uri::from_static("realm1"), guests);
    RouterHandle::new(config, sim.runtime()).expect("the configuration is right")
}

impl World {
    fn new(source: &mut Source<'_>) -> Self {
        let sim = Sim::default();
        let network = Network::new(&sim, start_router(&sim));
        let bits = source.byte();
        if bits & 1 != 0 {
            network.becomes(Dialed::Refused, &[]);
        }
        let policy = RetryPolicy::new().first(Duration::from_millis(100)).longest(Duration::from_secs(2));
        let waits = WhileDisconnected::Wait { at_most: PATIENCE, requests: WAITING, bytes: WAITING_BYTES };
        let mut builder =
            Connect::new(network.clone(), "rs://router").into_client().settings(Settings::new("realm1"));
        if bits & 2 != 0 {
            builder = builder.or("ws://router/ws");
        }
        if bits & 4 != 0 {
            builder = builder.event_queue(4, 500).invocation_queue(2);
        }
        let client = builder
            .retry(policy)
            .retry_if(|error| {
                check_text(error);
                true
            })
            .while_disconnected(if bits & 8 == 0 { waits } else { WhileDisconnected::Fail })
            .start()
            .expect("the settings are right");
        let (subscriptions, registrations) = Default::default();
        Self { sim, network, client, pending: Pending::default(), subscriptions, registrations }
    }

    fn run(mut self, source: &mut Source<'_>) {
        self.settle();
        while !source.is_empty() {
            self.step(source);
            self.settle();
            self.check();
        }
        self.end();
    }

    fn step(&mut self, source: &mut Source<'_>) {
        let number = source.below(NAMES.len());
        match source.below(24) {
            0..=5 => self.call(NAMES[number], source),
            6 | 7 => {
                let text = "x".repeat(source.choose(&[0, 3, 200, 900]));
                let publish =
                    self.client.publish(NAMES[number], (text,)).exclude_me(source.flag()).acknowledge();
                self.pending.begin("waits", async move {
                    let _ = note(publish.await);
                });
            }
            8 | 9 => self.declare(number, source),
            10 => drop(self.subscriptions[number].take()),
            11 => drop(self.registrations[number].take()),
            12 | 13 => self.read_events(),
            14 | 15 => {
                let all = [Dialed::Accepted, Dialed::Refused, Dialed::Mute, Dialed::Ended, Dialed::Rubbish];
                self.network.becomes(source.choose(&all), source.bytes(12));
            }
            16 => self.network.cut(),
            17 => self.network.end_mute(),
            18 => {
                let old = self.network.replace(start_router(&self.sim));
                let shutdown = old.shutdown(Duration::from_millis(source.number() % 3000));
                self.pending.begin("shutdown", async move {
                    let _ = shutdown.await;
                });
            }
            19 | 20 => self.sim.pass(Duration::from_millis(source.number() % 9000)),
            21 => self.pending.give_up(source.below(4)),
            22 => {
                let next = self.client.session();
                self.pending.begin("session", async move {
                    let _ = note(next.await);
                });
            }
            _ => {
                // A moment in which only a few things happen.
                for _ in 0..source.below(20) {
                    self.sim.step();
                }
            }
        }
    }

    fn call(&mut self, name: &'static str, source: &mut Source<'_>) {
        let text = "x".repeat(source.choose(&[0, 3, 200, 900]));
        let call = self.client.call(name, (text.clone(),)).returning::<String>();
        self.pending.begin("waits", async move {
            if let Some(answer) = note(call.await) {
                assert_eq!(answer, text, "an answer to another question");
            }
        });
    }

    fn declare(&mut self, number: usize, source: &mut Source<'_>) {
        if source.flag() {
            if self.subscriptions[number].is_none() {
                let declared = self.client.subscribe(NAMES[number]).declare();
                self.subscriptions[number] = Some(declared.expect("the client lives"));
            }
        } else if self.registrations[number].is_none() {
            let echo = |invocation: Invocation| async move { Ok(invocation.get::<String>()?) };
            let declared = self.client.register(NAMES[number], echo).declare();
            self.registrations[number] = Some(declared.expect("the client lives"));
        }
    }

    /// Events come behind a gap, if sessions were lost in between.
    fn read_events(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        for subscription in self.subscriptions.iter_mut().flatten() {
            let mut had_gap = false;
            while let Poll::Ready(item) = subscription.poll_event(&mut cx) {
                match item.expect("a subscription ends with its client") {
                    Err(Missed::Gap { .. }) => {
                        assert!(!had_gap, "two gaps without an event between them");
                        had_gap = true;
                    }
                    Err(missed) => check_text(&missed),
                    Ok(event) => {
                        had_gap = false;
                        let _ = event.get::<String>();
                    }
                }
            }
        }
    }

    fn settle(&mut self) {
        for _ in 0..1000 {
            self.sim.settle();
            if !self.pending.poll() {
                return;
            }
        }
        panic!("it never comes to rest");
    }

    /// Those that wait are as few as was said.
    fn check(&self) {
        if !self.client.is_connected() {
            let waiting = self.pending.count("waits");
            assert!(waiting <= WAITING, "{waiting} requests wait for a session, {WAITING} may");
        }
    }

    /// The network is good again: what was declared is there, in one router, once, and every request has ended.
    fn end(mut self) {
        self.network.becomes(Dialed::Accepted, &[]);
        self.network.end_mute();
        self.sim.pass(Duration::from_secs(120));
        self.settle();
        assert!(self.client.is_connected(), "not connected after two minutes");
        self.pending.assert_ended();
        let probe = Arc::new(Mutex::new(None::<Session>));
        let (for_session, router) = (Arc::clone(&probe), self.network.router());
        let joining =
            router.attach_local(&Settings::new("realm1").anonymous()).expect("the settings are right");
        self.pending.begin("probe", async move {
            let session = joining.await.expect("the router lets it in");
            *for_session.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
        });
        self.settle();
        let probe =
            probe.lock().unwrap_or_else(PoisonError::into_inner).take().expect("the probe has joined");
        self.read_events();
        for number in 0..NAMES.len() {
            self.try_declared(number, &probe);
        }
        let stats = router.stats();
        assert_eq!(stats.sessions, 2, "sessions are left: {stats:?}");
        drop(probe);
        let close = self.client.close();
        self.pending.begin("close", async move { note(close.await).expect("a clean end") });
        self.sim.pass(Duration::from_secs(30));
        self.settle();
        self.pending.assert_ended();
        drop((self.subscriptions, self.registrations, self.client));
        self.sim.pass(Duration::from_secs(30));
        let stats = router.stats();
        assert_eq!([stats.sessions, stats.peers, stats.calls], [0; 3], "not everything is gone: {stats:?}");
        assert_eq!(self.sim.tasks(), 0, "tasks that nobody needs");
    }

    /// What was declared under this name works, and what was taken back does not.
    fn try_declared(&mut self, number: usize, probe: &Session) {
        let name = NAMES[number];
        let (publish, call) = (probe.publish(name, ("news",)).acknowledge(), probe.call(name, ("hello",)));
        let is_declared = self.registrations[number].is_some();
        self.pending.begin("publish", async move {
            note(publish.await).expect("an acknowledgement");
        });
        self.pending.begin("call", async move {
            match note(call.await) {
                Some(result) => {
                    assert!(is_declared, "a procedure that was taken back");
                    assert_eq!(result.get::<String>().ok().as_deref(), Some("hello"));
                }
                None => assert!(!is_declared, "a procedure that was declared is missing"),
            }
        });
        self.settle();
        let mut cx = Context::from_waker(Waker::noop());
        if let Some(subscription) = &mut self.subscriptions[number] {
            let Poll::Ready(Some(Ok(event))) = subscription.poll_event(&mut cx) else {
                panic!("a subscription that was declared is missing");
            };
            assert_eq!(event.get::<String>().ok().as_deref(), Some("news"));
            assert!(subscription.poll_event(&mut cx).is_pending(), "an event came twice");
        }
    }
}

/// Errors say something, whatever they are.
fn note<T>(result: Result<T, Error>) -> Option<T> {
    result.map_err(|error| check_text(&error)).ok()
}

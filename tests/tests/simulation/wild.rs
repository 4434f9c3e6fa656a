//! Everything at once, over bad networks.

use std::time::Duration;

use roadbed_core::connection::Connection;
use roadbed_core::error::{WampError, uris};
use roadbed_core::limits::Limits;
use roadbed_core::options::{CallOptions, PublishOptions, RegisterOptions, SubscribeOptions, YieldOptions};
use roadbed_core::payload::Payload;
use roadbed_core::session::{ClientConfig, SessionState};
use roadbed_core::time::Timestamp;
use roadbed_core::uri::Uri;
use roadbed_router::{Authentication, RouterConfig, RouterStats};
use roadbed_testkit::{ClientId, Transcript, World};

use crate::app::{App, Phase};
use crate::operation::{Operation, beginning};

/// Clients at a time.
const MAX_CLIENTS: usize = 6;

/// A world and the applications in it.
pub(crate) struct Simulation {
    pub(crate) world: World,
    pub(crate) apps: Vec<App>,
    transcript: Transcript,
}

/// Runs `operations`, puts the networks right, and lets everybody go. With `small` budgets routers run into
/// them.
pub(crate) fn run(seed: u64, small: bool, operations: &[Operation]) -> Transcript {
    let mut simulation = Simulation::new(seed, small);
    for operation in beginning().iter().chain(operations) {
        simulation.perform(operation);
        simulation.check();
    }
    simulation.finish();
    simulation.transcript
}

impl Simulation {
    pub(crate) fn new(seed: u64, small: bool) -> Self {
        let realm = Uri::from_static("realm1");
        let mut limits = Limits::default();
        if small {
            limits = limits.output_size(48 << 10).pending_calls(6).pending_invocations(8).subscriptions(4);
        }
        let config =
            RouterConfig::new().realm(realm, Authentication::new().anonymous("guest")).limits(limits);
        let mut world = World::with_seed(config, seed);
        world.set_shuffled(true);
        world.record();
        Self { world, apps: Vec::new(), transcript: Transcript::new() }
    }

    pub(crate) fn perform(&mut self, operation: &Operation) {
        match *operation {
            Operation::Join { carrier, serializer, network } => {
                let open = self.apps.iter().filter(|app| app.state != Phase::Closed).count();
                if open < MAX_CLIENTS {
                    self.world.set_conditions(network.conditions());
                    let config = ClientConfig::new(Uri::from_static("realm1")).strict_ids(true);
                    let config = config.limits(Limits::default().queued_events(16));
                    let config = config.build().expect("the configuration is right");
                    let client = self.world.connect(config, carrier.endpoint(serializer));
                    self.apps.push(App::new(client, self.apps.len()));
                }
            }
            Operation::Step { steps } => {
                self.world.drive_bounded(steps.into());
            }
            Operation::Wait { millis } => self.world.advance(Duration::from_millis(millis.into())),
            Operation::Kill { client } => self.on(client, World::kill),
            Operation::Deaf { client, is_deaf } => {
                self.on(client, |world, id| world.end(id).set_deaf(is_deaf));
            }
            Operation::Stall { client, up, down } => self.on(client, |world, id| {
                if up {
                    world.up(id).stall();
                }
                if down {
                    world.down(id).stall();
                }
            }),
            Operation::Resume { client } => self.on(client, World::resume),
            Operation::Cut { client, after } => {
                self.on(client, |world, id| world.down(id).cut_after(after.into()));
            }
            Operation::BlackHole { client } => self.on(client, World::black_hole),
            ref command => self.command(command),
        }
    }

    /// Does something to the network of an open client.
    fn on(&mut self, client: u8, act: impl FnOnce(&mut World, ClientId)) {
        if let Some(index) = self.choose(client) {
            act(&mut self.world, self.apps[index].client);
        }
    }

    /// One of the clients that are not closed.
    pub(crate) fn choose(&self, client: u8) -> Option<usize> {
        let open: Vec<usize> =
            (0..self.apps.len()).filter(|&index| self.apps[index].state != Phase::Closed).collect();
        pick(&open, client).copied()
    }

    fn command(&mut self, operation: &Operation) {
        use Operation::*;
        let (Leave { client }
        | Subscribe { client, .. }
        | Unsubscribe { client, .. }
        | Publish { client, .. }
        | Register { client, .. }
        | Unregister { client, .. }
        | Call { client, .. }
        | Cancel { client, .. }
        | Answer { client, .. }) = *operation
        else {
            return;
        };
        let Some(index) = self.choose(client) else { return };
        let app = &mut self.apps[index];
        self.world.with(app.client, |connection, now| command(app, connection, now, operation));
    }

    /// What has to be true after each operation.
    pub(crate) fn check(&mut self) {
        for app in &mut self.apps {
            while let Some(event) = self.world.next_event(app.client) {
                self.transcript.note(&format!("client {}", app.name), &event);
                app.handle(event);
            }
        }
        self.world.check_invariants().unwrap();
    }

    /// Lets every network work again and every callee answer; then everybody leaves.
    fn finish(&mut self) {
        for index in 0..self.apps.len() {
            let id = self.apps[index].client;
            self.world.resume(id);
            self.world.end(id).set_deaf(false);
        }
        // Long enough for every deadline: those who are gone are given up.
        for _ in 0..100 {
            self.world.advance(Duration::from_secs(2));
            self.check();
            for index in 0..self.apps.len() {
                self.answer_all(index);
            }
        }
        self.check();
        for app in &self.apps {
            assert_eq!(app.pending(), 0, "still waiting: {app:?}");
            assert_ne!(app.state, Phase::Joining, "neither in nor out: {app:?}");
        }
        self.check_agreement();
        for app in &self.apps {
            self.world.with(app.client, Connection::close);
        }
        self.world.advance(Duration::from_secs(30));
        self.check();
        for app in &self.apps {
            assert_eq!(app.state, Phase::Closed, "{app:?}");
            assert!(self.world.is_over(app.client), "{app:?}");
        }
        let stats = self.world.router().stats();
        assert_eq!(present(&stats), [0; 9], "something is left");
        assert_eq!(stats.counters.violations, 0, "somebody broke the protocol");
        self.world.router_events();
        let bytes = self.world.transcript();
        self.transcript.note("bytes", &bytes.digest());
    }

    fn answer_all(&mut self, index: usize) {
        let app = &mut self.apps[index];
        while let Some((invocation, payload)) = app.invocations.pop_first() {
            // Some were canceled, which an application need not keep track of.
            let _ = self.world.with(app.client, |connection, now| {
                connection.yield_result(now, invocation, payload, &YieldOptions::new())
            });
        }
    }

    /// When everything has arrived, clients and router agree on what there is.
    pub(crate) fn check_agreement(&mut self) {
        let stats = self.world.router().stats();
        let (mut sessions, mut subscribers, mut registrations, mut calls) = (0, 0, 0, 0);
        for app in &self.apps {
            let session = self.world.client(app.client).session();
            if session.state() != SessionState::Joined {
                continue;
            }
            sessions += 1;
            let distinct: std::collections::BTreeSet<_> = app.handlers.values().collect();
            subscribers += distinct.len();
            let distinct: std::collections::BTreeSet<_> = app.procedures.values().collect();
            registrations += distinct.len();
            calls += app.calls.len();
        }
        let found = (stats.sessions, stats.subscribers, stats.registrations, stats.calls);
        assert_eq!(found, (sessions, subscribers, registrations, calls), "the router, and the clients");
    }
}

/// What is there now, and goes away with the clients.
pub(crate) fn present(stats: &RouterStats) -> [usize; 9] {
    [
        stats.peers,
        stats.sessions,
        stats.subscriptions,
        stats.subscribers,
        stats.registrations,
        stats.calls,
        stats.timers,
        stats.queued_messages,
        stats.queued_bytes,
    ]
}

pub(crate) fn topic(name: u8) -> Uri {
    Uri::new(format!("com.example.topic{name}")).expect("a topic is a URI")
}

pub(crate) fn procedure(name: u8) -> Uri {
    Uri::new(format!("com.example.procedure{name}")).expect("a procedure is a URI")
}

fn payload(app: &App, connection: &Connection, number: u64, size: u16) -> Option<Payload> {
    let filler = "x".repeat(size.into());
    Payload::from_args(connection.serializer()?, &(app.name, number, filler)).ok()
}

fn pick<T>(from: &[T], which: u8) -> Option<&T> {
    from.get(usize::from(which).checked_rem(from.len())?)
}

/// Gives a command. It may be refused: then nothing is expected of it.
fn command(app: &mut App, connection: &mut Connection, now: Timestamp, operation: &Operation) {
    match *operation {
        Operation::Leave { .. } => drop(connection.leave(now, None)),
        Operation::Subscribe { name, .. } => {
            if let Ok(id) = connection.subscribe(now, &topic(name), &SubscribeOptions::new()) {
                app.subscribing.insert(id);
            }
        }
        Operation::Unsubscribe { which, .. } => {
            let ids: Vec<_> = app.handlers.keys().copied().collect();
            let Some(&id) = pick(&ids, which) else { return };
            app.handlers.remove(&id);
            if connection.unsubscribe(now, id).is_ok() {
                app.unsubscribing.insert(id);
            }
        }
        Operation::Publish { name, acknowledge, size, .. } => {
            let number = app.number();
            let Some(payload) = payload(app, connection, number, size) else { return };
            let options = PublishOptions::new().acknowledge(acknowledge);
            if let Ok(Some(id)) = connection.publish(now, &topic(name), payload, &options) {
                app.publishes.insert(id);
            }
        }
        Operation::Register { name, .. } => {
            if let Ok(id) = connection.register(now, &procedure(name), &RegisterOptions::new()) {
                app.registering.insert(id);
            }
        }
        Operation::Unregister { which, .. } => {
            let ids: Vec<_> = app.procedures.keys().copied().collect();
            let Some(&id) = pick(&ids, which) else { return };
            app.procedures.remove(&id);
            if connection.unregister(now, id).is_ok() {
                app.unregistering.insert(id);
            }
        }
        Operation::Call { name, size, deadline, .. } => {
            let number = app.number();
            let Some(payload) = payload(app, connection, number, size) else { return };
            if let Ok(id) = connection.call(now, &procedure(name), payload, &CallOptions::new()) {
                app.calls.insert(id, number);
                let deadline = deadline.map(|millis| now + Duration::from_millis(millis.into()));
                connection.set_call_deadline(id, deadline).expect("the call has just begun");
            }
        }
        Operation::Cancel { which, mode, .. } => {
            let ids: Vec<_> = app.calls.keys().copied().collect();
            let Some(&id) = pick(&ids, which) else { return };
            // An application that has not taken its events yet may cancel what has ended.
            let _ = connection.cancel(now, id, mode);
        }
        Operation::Answer { which, is_error, .. } => {
            let ids: Vec<_> = app.invocations.keys().copied().collect();
            let Some(id) = pick(&ids, which) else { return };
            let Some(payload) = app.invocations.remove(id) else { return };
            let _ = if is_error {
                let error = WampError::with_payload(uris::INVALID_ARGUMENT.clone(), payload);
                connection.invocation_error(now, *id, error)
            } else {
                connection.yield_result(now, *id, payload, &YieldOptions::new())
            };
        }
        _ => {}
    }
}

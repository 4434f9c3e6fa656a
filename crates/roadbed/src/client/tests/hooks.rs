use std::sync::{Arc, Mutex};

use roadbed_core::time::Timestamp;

use super::*;
use crate::error::{Error, Veto};
use crate::runtime::{Runtime, Task, Timer};

type Log = Arc<Mutex<Vec<String>>>;

fn noting(log: &Log, settings: Settings) -> Settings {
    let note = |log: &Log| {
        let log = Arc::clone(log);
        move |what: &str| log.lock().unwrap().push(what.to_owned())
    };
    let (connect, welcome, ready) = (note(log), note(log), note(log));
    let (leave, disconnect, join) = (note(log), note(log), Arc::new(note(log)));
    settings
        .on_connect(move |details| connect(&format!("connect, local: {}", details.is_local)))
        .on_welcome(move |details| {
            welcome(&format!("welcome as {}", details.authrole.as_deref().unwrap_or_default()));
            Ok(())
        })
        .on_join(move |session| {
            let join = Arc::clone(&join);
            async move {
                let topic = session.subscribe("com.example.t").await?;
                join(&format!("join, subscribed to {}", topic.topic()));
                topic.detach();
                Ok(())
            }
        })
        .on_ready(move |_| ready("ready"))
        .on_leave(move |reason| leave(&format!("leave: {reason}")))
        .on_disconnect(move |closed| disconnect(&format!("disconnect, clean: {}", closed.is_clean)))
}

#[test]
fn every_hook_in_its_turn() {
    let world = World::new();
    let log = Log::default();
    let session = world.join(&noting(&log, settings()));
    assert_eq!(world.router.stats().subscriptions, 1);
    drop(session);
    world.assert_empty();
    assert_eq!(
        *log.lock().unwrap(),
        [
            "connect, local: true",
            "welcome as guest",
            "join, subscribed to com.example.t",
            "ready",
            "leave: goodbye: wamp.close.close_realm",
            "disconnect, clean: true",
        ]
    );
}

#[test]
fn a_welcome_can_be_vetoed() {
    let world = World::new();
    let log = Log::default();
    let settings = noting(&log, settings()).on_welcome(|_| Err(Veto::new("not this router")));
    let error = world.sim.block_on(world.router.attach_local(&settings).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "vetoed: not this router");
    assert!(matches!(error.root(), Error::Vetoed(_)) && !error.is_retryable());
    world.assert_empty();
    assert_eq!(*log.lock().unwrap(), ["connect, local: true", "disconnect, clean: false"]);
}

#[test]
fn a_join_hook_that_fails_leaves() {
    let world = World::new();
    let log = Log::default();
    let settings =
        noting(&log, settings()).on_join(|session| async move { session.call("a.b", ()).await.map(drop) });
    let error = world.sim.block_on(world.router.attach_local(&settings).unwrap()).unwrap_err();
    assert_eq!(error.uri().unwrap(), &"wamp.error.no_such_procedure");
    world.assert_empty();
    assert_eq!(log.lock().unwrap().last().unwrap(), "disconnect, clean: true");
}

#[test]
fn hooks_that_panic_harm_nobody() {
    let world = World::new();
    let settings = settings()
        .on_connect(|_| panic!("connect"))
        .on_ready(|_| panic!("ready"))
        .on_leave(|_| panic!("leave"))
        .on_disconnect(|_| panic!("disconnect"));
    let session = world.join(&settings);
    drop(session);
    let error = settings.on_welcome(|_| panic!("welcome"));
    let error = world.sim.block_on(world.router.attach_local(&error).unwrap()).unwrap_err();
    assert!(matches!(error.root(), Error::Vetoed(_)));
    world.assert_empty();
}

#[test]
fn challenges_are_answered_by_a_hook() {
    use crate::server::{RouterConfig, RouterHandle, TicketTable};
    let sim = Sim::default();
    let realm = Uri::new("realm1").unwrap();
    let table = TicketTable::new().principal("joe", "secret", "user");
    let config = RouterConfig::new().realm(realm, Authentication::new().ticket(table));
    let router = RouterHandle::new(config, sim.runtime()).unwrap();
    let with = |ticket: &'static str| {
        settings().authid("joe").on_challenge("ticket", move |_| Ok(ticket.to_owned()))
    };
    let session = sim.block_on(router.attach_local(&with("secret")).unwrap()).unwrap();
    assert_eq!(session.details().authrole.as_deref(), Some("user"));
    // Each is asked for challenges by its own method, whatever the order.
    let both =
        |settings: Settings| settings.on_challenge("com.example.token", |_| Ok("another secret".to_owned()));
    for settings in
        [both(with("secret")), both(settings().authid("joe")).on_challenge("ticket", |_| Ok("secret".into()))]
    {
        let session = sim.block_on(router.attach_local(&settings).unwrap()).unwrap();
        assert_eq!(session.details().authmethod.as_deref(), Some("ticket"));
    }
    let twice = with("secret").on_challenge("ticket", |_| Ok("guess".to_owned()));
    assert!(matches!(router.attach_local(&twice), Err(Error::Config(_))));
    let error = sim.block_on(router.attach_local(&with("guess")).unwrap()).unwrap_err();
    assert!(!error.is_retryable());
    let settings = settings().authid("joe").on_challenge("ticket", |_| Err(Veto::new("no")));
    let error = sim.block_on(router.attach_local(&settings).unwrap()).unwrap_err();
    assert!(matches!(error.root(), Error::Vetoed(_)));
}

/// A runtime with threads for tasks that drops the next ones, as one does that is shut down.
struct Dropping {
    sim: Sim,
    drops: Mutex<usize>,
}

impl Runtime for Dropping {
    fn now(&self) -> Timestamp {
        self.sim.now()
    }

    fn seed(&self) -> [u8; 32] {
        self.sim.seed()
    }

    fn spawn(&self, task: Task) {
        let mut drops = self.drops.lock().unwrap();
        match drops.checked_sub(1) {
            Some(left) => *drops = left,
            None => self.sim.spawn(task),
        }
    }

    fn timer(&self) -> Box<dyn Timer> {
        self.sim.timer()
    }

    fn tasks_may_block(&self) -> bool {
        true
    }
}

#[test]
fn hooks_whose_task_is_dropped_are_called_with_the_next_ones() {
    let world = World::new();
    let log = Log::default();
    let runtime = Arc::new(Dropping { sim: world.sim.clone(), drops: Mutex::new(0) });
    let (here, there) = crate::memory::pipe(64 << 10);
    let details = roadbed_core::transport::TransportDetails::local();
    let serializer = Serializer::Cbor;
    let (joining, driver) =
        crate::client::open(&noting(&log, settings()), runtime.clone(), serializer, details.clone()).unwrap();
    world.sim.spawn(Box::pin(world.router.accept(there, details)));
    world.sim.spawn(Box::pin(driver.run(here)));
    let session = world.sim.block_on(joining).unwrap();
    log.lock().unwrap().clear();
    // The one that would tell that the realm was left.
    *runtime.drops.lock().unwrap() = 1;
    world.sim.block_on(session.leave().into_future()).unwrap();
    drop(session);
    world.assert_empty();
    assert_eq!(*runtime.drops.lock().unwrap(), 0);
    assert_eq!(*log.lock().unwrap(), ["leave: goodbye: wamp.close.close_realm", "disconnect, clean: true"]);
}

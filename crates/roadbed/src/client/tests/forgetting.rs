//! A router that forgets to answer: every request ends at its deadline, and what is granted late is given back.

use std::future::IntoFuture;
use std::time::Duration;

use roadbed_core::uri::Uri;

use super::*;
use crate::error::{Error, Operation, TimedOut};
use crate::runtime::Runtime;

const PUBLISHED: u16 = 17;
const SUBSCRIBED: u16 = 33;
const UNSUBSCRIBED: u16 = 35;
const REGISTERED: u16 = 65;
const UNREGISTERED: u16 = 67;

#[track_caller]
/// What timed out, and after how many seconds.
fn late<T>(world: &World, request: impl IntoFuture<Output = Result<T, Error>>) -> (TimedOut, u64) {
    let start = world.sim.now();
    match world.sim.block_on(request.into_future()) {
        Err(Error::Timeout(late)) => (*late, world.sim.now().saturating_since(start).as_secs()),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was answered"),
    }
}

fn expected(operation: Operation, uri: &str, seconds: u64) -> (TimedOut, u64) {
    let uri = Uri::new(uri).unwrap();
    (TimedOut::new(operation, Some(uri), Some(Duration::from_secs(seconds))), seconds)
}

#[test]
fn every_request_ends_at_its_deadline() {
    let world = World::new();
    let (session, wire) = world.session_over_wire();
    let (topic, procedure) = ("com.example.t", "com.example.p");
    let (events, registration, calls) = world
        .sim
        .block_on(async {
            let events = session.subscribe(topic).await?;
            let registration = session.register(procedure, |_: Invocation| async { Ok(()) }).await?;
            Ok::<_, Error>((events, registration, session.register_queue("com.example.q").await?))
        })
        .unwrap();
    wire.forget(&[PUBLISHED, SUBSCRIBED, UNSUBSCRIBED, REGISTERED, UNREGISTERED]);

    let subscribe = session.subscribe("com.example.s");
    assert_eq!(late(&world, subscribe), expected(Operation::Subscribe, "com.example.s", 60));
    let publish = session.publish(topic, ()).acknowledge();
    assert_eq!(late(&world, publish), expected(Operation::Publish, topic, 60));
    let register = session.register("com.example.other", |_: Invocation| async { Ok(()) });
    assert_eq!(late(&world, register), expected(Operation::Register, "com.example.other", 60));
    let register = session.register_queue("com.example.third").timeout(Duration::from_secs(5));
    assert_eq!(late(&world, register), expected(Operation::Register, "com.example.third", 5));
    let unsubscribe = events.unsubscribe().timeout(Duration::from_secs(7));
    assert_eq!(late(&world, unsubscribe), expected(Operation::Unsubscribe, topic, 7));
    assert_eq!(late(&world, registration.unregister()), expected(Operation::Unregister, procedure, 60));
    let mut calls = calls;
    assert_eq!(late(&world, calls.unregister()), expected(Operation::Unregister, "com.example.q", 60));

    let mut patient = Box::pin(session.subscribe("com.example.u").no_timeout().into_future());
    assert!(world.sim.poll_once(patient.as_mut(), 50).is_pending());
    world.sim.pass(Duration::from_secs(3600));
    assert!(world.sim.poll_once(patient.as_mut(), 50).is_pending());
    drop((patient, calls));
    assert_eq!(session.shared().with(|state, _| state.entries()), 0, "what is over leaves nothing here");

    // What the router grants at last is given back.
    let stats = world.router.stats();
    assert_eq!((stats.subscriptions, stats.registrations), (2, 2));
    assert_eq!(wire.forgotten(), 8);
    wire.remember();
    world.sim.settle();
    let stats = world.router.stats();
    assert_eq!((stats.subscriptions, stats.registrations), (0, 0));
    let again = world.sim.block_on(session.subscribe(topic).into_future()).unwrap();
    drop((again, session));
    world.assert_empty();
}

#[test]
fn a_request_that_finds_no_room_says_that_it_was_not_sent() {
    let world = World::new();
    let (session, wire) = world.session_over_wire();
    wire.stall(true);
    let payload = "x".repeat(1_000_000);
    for _ in 0..3 {
        let mut publish = Box::pin(session.publish("com.example.other", (&payload,)).into_future());
        assert!(world.sim.poll_once(publish.as_mut(), 50).is_ready());
    }
    let request = session.subscribe("com.example.t").timeout(Duration::from_secs(5));
    let (late, after) = late(&world, request);
    assert_eq!((late.was_sent, after), (false, 5));
    assert_eq!(late.to_string(), "the subscription to com.example.t was not sent within 5s");
}

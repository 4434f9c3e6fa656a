//! A client whose router forgets to answer, answers out of order, or takes back what it granted.

use super::*;
use crate::client::tests::revoking::revoke_all;
use crate::error::{Operation, TimedOut};

const PUBLISHED: u16 = 17;
const SUBSCRIBED: u16 = 33;
const REGISTERED: u16 = 65;

/// What timed out, and after how many seconds.
#[track_caller]
fn late<T>(world: &World, request: impl IntoFuture<Output = Result<T, Error>>) -> (TimedOut, u64) {
    let start = world.sim.now();
    match world.sim.block_on(request.into_future()) {
        Err(Error::Timeout(late)) => (*late, world.sim.now().saturating_since(start).as_secs()),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was answered"),
    }
}

fn expected(operation: Operation, uri: &str, seconds: u64) -> (TimedOut, u64) {
    let span = Duration::from_secs(seconds);
    (TimedOut::new(operation, Some(Uri::new(uri).unwrap()), Some(span)), seconds)
}

#[test]
fn every_request_ends_at_its_deadline() {
    let world = World::new();
    let site = Site::new(&world);
    let client = site.client();
    world.sim.block_on(client.session()).unwrap();
    world.sim.settle();
    site.each(|wire| wire.forget(&[PUBLISHED, SUBSCRIBED, REGISTERED]));
    let subscribe = client.subscribe("com.example.s");
    assert_eq!(late(&world, subscribe), expected(Operation::Subscribe, "com.example.s", 60));
    let register = client.register("com.example.p", |_| async { Ok(()) }).timeout(seconds(7));
    assert_eq!(late(&world, register), expected(Operation::Register, "com.example.p", 7));
    let publish = client.publish("com.example.t", ()).acknowledge().timeout(seconds(3));
    assert_eq!(late(&world, publish), expected(Operation::Publish, "com.example.t", 3));
    assert_idle(&client, 0);
    // What is granted too late is given back.
    site.each(Wire::remember);
    world.sim.settle();
    let stats = world.router.stats();
    assert_eq!((stats.subscriptions, stats.registrations), (0, 0));
    drop(client);
    world.assert_empty();
}

#[test]
fn waiting_to_be_granted_does_without_a_session_as_everything_does() {
    let world = World::new();
    let site = Site::new(&world);
    site.set(Mode::Hangs);
    let client = site.builder().while_disconnected(WhileDisconnected::Fail).start().unwrap();
    let error = world.sim.block_on(client.subscribe("com.example.t").into_future()).unwrap_err();
    assert!(matches!(error, Error::Disconnected(_)), "{error}");
    let waiting = client.while_disconnected(WhileDisconnected::wait(seconds(10)));
    let start = world.sim.now();
    let error = world.sim.block_on(waiting.subscribe("com.example.t").into_future()).unwrap_err();
    assert_eq!(error.to_string(), "not connected for 10s");
    let (late, after) = late(&world, patient(&client).subscribe("com.example.t"));
    assert_eq!((late.was_sent, after), (false, 60));
    assert_eq!(world.sim.now().saturating_since(start).as_secs(), 70);
    assert_idle(&client, 0);
}

/// The answer to one request does not come; those behind it are not held back.
#[test]
fn answers_come_in_any_order() {
    let world = World::new();
    let site = Site::new(&world);
    let client = site.client();
    world.sim.block_on(client.session()).unwrap();
    world.sim.settle();
    site.each(|wire| wire.forget(&[SUBSCRIBED]));
    let mut slow = Box::pin(client.subscribe("com.example.slow").into_future());
    assert!(world.sim.poll_once(slow.as_mut(), 50).is_pending());
    let start = world.sim.now();
    let register = client.register("com.example.p", |_| async { Ok(()) });
    let registration = world.sim.block_on(register.into_future()).unwrap();
    assert!(registration.is_active());
    assert_eq!(world.sim.now().saturating_since(start).as_secs(), 0);
    site.each(Wire::remember);
    assert!(world.sim.block_on(slow).unwrap().is_active());
}

#[test]
fn what_is_taken_back_is_told_and_asked_for_in_the_next_session() {
    let world = World::new();
    let site = Site::new(&world);
    let client = site.client();
    let mut ticks = client.subscribe("com.example.tick").declare().unwrap();
    let registration = client.register("com.example.p", |_| async { Ok(()) }).declare().unwrap();
    let mut events = client.events();
    assert_eq!(next(&world, &mut events), "connected 1");
    world.sim.settle();
    assert!(ticks.is_active() && registration.is_active());
    let session = world.sim.block_on(client.session()).unwrap();
    site.each(|wire| revoke_all(&session, wire));
    drop(session);
    let told = [(); 2].map(|()| next(&world, &mut events));
    assert_eq!(told, ["revoked com.example.tick", "revoked com.example.p"]);
    assert!(!ticks.is_active() && !registration.is_active());
    assert_eq!(world.sim.block_on(ticks.next()), Some(Err(Missed::Revoked)));
    // This session is not asked again, the next one is.
    world.sim.pass(seconds(30));
    assert!(!ticks.is_active() && !registration.is_active());
    site.cut();
    assert_eq!([(); 2].map(|()| next(&world, &mut events)), ["lost 1, in 1000", "connected 2"]);
    world.sim.settle();
    assert!(ticks.is_active() && registration.is_active());
    assert_eq!(world.sim.block_on(ticks.next()), Some(Err(Missed::Gap { generation: 2 })));
}

//! Waiting until what was queued is written.

use std::future::IntoFuture;
use std::time::Duration;

use super::*;
use crate::error::Error;

#[test]
fn it_waits_until_the_last_byte_is_written() {
    let world = World::new();
    let (session, wire) = world.session_over_wire();
    world.sim.settle();
    wire.stall(true);
    for number in 0..500 {
        world.sim.block_on(session.publish("com.example.t", (number,)).into_future()).unwrap();
    }
    let mut flush = Box::pin(session.flush().into_future());
    assert!(world.sim.poll_once(flush.as_mut(), 50).is_pending());
    wire.stall(false);
    wire.limit(100);
    world.sim.block_on(flush).unwrap();
    let queued = session.shared().with(|state, _| state.connection.queued());
    assert_eq!(queued, 0);
    // Nothing is left to wait for.
    let mut again = Box::pin(session.flush().into_future());
    assert!(world.sim.poll_once(again.as_mut(), 0).is_ready());
}

#[test]
fn it_ends_at_its_deadline_and_with_the_session() {
    let world = World::new();
    let (session, wire) = world.session_over_wire();
    world.sim.settle();
    wire.stall(true);
    world.sim.block_on(session.publish("com.example.t", ()).into_future()).unwrap();
    let error =
        world.sim.block_on(session.flush().timeout(Duration::from_secs(3)).into_future()).unwrap_err();
    assert!(matches!(&error, Error::Timeout(_)), "{error}");
    assert_eq!(error.to_string(), "the output was not written within 3s");
    let mut flush = Box::pin(session.flush().into_future());
    assert!(world.sim.poll_once(flush.as_mut(), 50).is_pending());
    wire.break_off();
    assert!(matches!(world.sim.block_on(flush), Err(Error::Ended(_))));
    assert!(matches!(world.sim.block_on(session.flush().into_future()), Err(Error::Ended(_))));
}

/// The driver goes on to listen after a failed write; what it takes meanwhile is written nowhere.
#[test]
fn it_does_not_succeed_after_a_failed_write() {
    let world = World::new();
    let (session, wire) = world.session_over_wire();
    world.sim.settle();
    wire.stall(true);
    world.sim.block_on(session.publish("com.example.t", ()).into_future()).unwrap();
    let mut flush = Box::pin(session.flush().into_future());
    assert!(world.sim.poll_once(flush.as_mut(), 50).is_pending());
    wire.refuse_writes();
    assert!(matches!(world.sim.block_on(flush), Err(Error::Ended(_))));
}

/// A session whose last handle goes says what it has to say first.
#[test]
fn what_was_queued_comes_before_goodbye() {
    let world = World::new();
    let subscriber = world.session();
    let mut events = world.sim.block_on(subscriber.subscribe("com.example.t").into_future()).unwrap();
    let (session, wire) = world.session_over_wire();
    wire.stall(true);
    for number in 0..500 {
        world.sim.block_on(session.publish("com.example.t", (number,)).into_future()).unwrap();
    }
    drop(session);
    wire.stall(false);
    for number in 0..500 {
        assert_eq!(world.sim.block_on(events.next()).unwrap().unwrap().get::<i32>().unwrap(), number);
    }
}

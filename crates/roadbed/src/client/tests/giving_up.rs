//! What giving up means to the other side.

use std::future::{Future, IntoFuture};
use std::time::Duration;

use roadbed_core::options::CancelMode;

use super::dropping::entries;
use super::*;
use crate::error::Error;

#[test]
fn a_dropped_call_is_canceled_at_the_callee() {
    let world = World::new();
    let (callee, caller) = (world.session(), world.session());
    let mut calls = world.sim.block_on(callee.register_queue("com.example.slow").into_future()).unwrap();
    let mut call = Box::pin(caller.call("com.example.slow", ()).into_future());
    assert!(world.sim.poll_once(call.as_mut(), 50).is_pending());
    let invocation = world.sim.block_on(calls.next()).unwrap();
    assert!(!invocation.is_canceled());
    drop(call);
    world.sim.settle();
    assert!(invocation.is_canceled());
    assert_eq!(world.sim.block_on(invocation.canceled()), CancelMode::KillNoWait);
    drop(invocation);
    assert_eq!(entries(&caller), 0);
    assert_eq!(entries(&callee), 1);
}

#[test]
fn a_registration_given_up_answers_what_came_of_it() {
    let world = World::new();
    let (callee, caller) = (world.session(), world.session());
    let mut register = Box::pin(callee.register_queue("com.example.r").into_future());
    assert!(world.sim.poll_once(register.as_mut(), 0).is_pending());
    world.sim.settle();
    let mut call = Box::pin(caller.call("com.example.r", ()).into_future());
    assert!(world.sim.poll_once(call.as_mut(), 50).is_pending());
    assert!(entries(&callee) > 1);
    drop(register);
    assert!(world.sim.block_on(call).unwrap_err().is_canceled());
    assert_eq!(entries(&callee), 0);
}

#[test]
fn a_call_canceled_in_place_gets_the_callees_answer() {
    let world = World::new();
    let (callee, caller) = (world.session(), world.session());
    let mut calls = world.sim.block_on(callee.register_queue("com.example.r").into_future()).unwrap();
    let mut call = Box::pin(caller.call("com.example.r", ()).into_future());
    assert!(world.sim.poll_once(call.as_mut(), 50).is_pending());
    let invocation = world.sim.block_on(calls.next()).unwrap();
    call.cancel(CancelMode::Kill);
    assert_eq!(world.sim.block_on(invocation.canceled()), CancelMode::Kill);
    invocation.reply("half of it").unwrap();
    assert_eq!(world.sim.block_on(call).unwrap().get::<String>().unwrap(), "half of it");
}

#[test]
fn a_call_canceled_before_it_was_sent_never_is() {
    let world = World::new();
    let callee = world.session();
    let mut calls = world.sim.block_on(callee.register_queue("com.example.r").into_future()).unwrap();
    let (caller, wire) = world.session_over_wire();

    let mut unpolled = caller.call("com.example.r", ("unpolled",)).into_future();
    unpolled.cancel(CancelMode::Kill);
    let error = world.sim.block_on(unpolled).unwrap_err();
    assert!(matches!(error, Error::Canceled) && error.is_canceled(), "{error:?}");

    wire.stall(true);
    let payload = "x".repeat(1_000_000);
    for _ in 0..3 {
        let mut publish = Box::pin(caller.publish("com.example.other", (&payload,)).into_future());
        assert!(world.sim.poll_once(publish.as_mut(), 50).is_ready());
    }
    let mut waits = Box::pin(caller.call("com.example.r", ("no room",)).into_future());
    assert!(world.sim.poll_once(waits.as_mut(), 50).is_pending());
    waits.cancel(CancelMode::Kill);
    let mut next = Box::pin(caller.call("com.example.r", ("next",)).into_future());
    assert!(world.sim.poll_once(next.as_mut(), 51).is_pending());
    wire.stall(false);
    // Polled again once there is room, it is not sent; and it keeps no room from others.
    world.sim.settle();
    assert!(matches!(world.sim.block_on(waits), Err(Error::Canceled)));
    assert!(world.sim.poll_once(next.as_mut(), 51).is_pending());
    let invocation = world.sim.block_on(calls.next()).unwrap();
    assert_eq!(invocation.get::<String>().unwrap(), "next");
    invocation.reply(()).unwrap();
    world.sim.block_on(next).unwrap();
    assert_eq!(entries(&caller), 0);
}

#[test]
fn an_interrupted_handler_is_dropped() {
    struct Alive(std::sync::Arc<()>);
    let world = World::new();
    let (callee, caller) = (world.session(), world.session());
    let alive = std::sync::Arc::new(());
    let held = alive.clone();
    let handler = move |_| {
        let guard = Alive(held.clone());
        async move {
            std::future::pending::<()>().await;
            Ok(std::sync::Arc::strong_count(&guard.0))
        }
    };
    let _slow = world.sim.block_on(callee.register("com.example.slow", handler).into_future()).unwrap();
    for is_dropped in [true, false] {
        let call = caller.call("com.example.slow", ()).timeout(Duration::from_secs(3));
        let mut call = Box::pin(call.into_future());
        assert!(world.sim.poll_once(call.as_mut(), 50).is_pending());
        assert_eq!(std::sync::Arc::strong_count(&alive), 3);
        if is_dropped {
            drop(call);
        } else {
            let error = world.sim.block_on(call).unwrap_err();
            assert!(matches!(error, Error::Timeout(_)));
        }
        world.sim.settle();
        assert_eq!(std::sync::Arc::strong_count(&alive), 2);
        assert_eq!(entries(&callee), 1);
    }
}

#[test]
fn requests_made_and_never_awaited_send_nothing() {
    let world = World::new();
    let session = world.session();
    let before = world.router.stats();
    drop(session.call("com.example.echo", ()));
    drop(session.subscribe("com.example.t").into_future());
    drop(session.publish("com.example.t", ()).into_future());
    world.sim.settle();
    assert_eq!(world.router.stats(), before);
}

/// Compiles, and that is all: futures may go to other threads.
fn _assert_futures_are_send(session: &Session) {
    fn is_send<T: Future + Send + 'static>(_: T) {}
    is_send(session.call("a", ()).into_future());
    is_send(session.call("a", ()).returning::<u8>().into_future());
    is_send(session.publish("a", ()).acknowledge().into_future());
    is_send(session.subscribe("a").into_future());
    is_send(session.register("a", |_| async { Ok(()) }).into_future());
    is_send(session.leave().into_future());
}

//! Every end reaches everybody who waits.

use std::future::IntoFuture;
use std::time::Duration;

use roadbed_core::error::{CloseReason, uris};

use super::*;
use crate::error::Error;

#[test]
fn a_shutdown_of_the_router_ends_every_waiter() {
    let world = World::new();
    let session = world.session();
    let mut events = world.sim.block_on(session.subscribe("com.example.t").into_future()).unwrap();
    let mut calls = world.sim.block_on(session.register_queue("com.example.r").into_future()).unwrap();
    let mut call = Box::pin(session.call("com.example.r", ()).into_future());
    assert!(world.sim.poll_once(call.as_mut(), 50).is_pending());

    world.sim.block_on(world.router.shutdown(Duration::from_secs(5)).into_future());
    let error = world.sim.block_on(call).unwrap_err();
    assert_eq!(error.uri(), Some(&uris::SYSTEM_SHUTDOWN));
    assert!(error.is_retryable());
    assert_eq!(world.sim.block_on(events.next()), None);
    // What was in the queue is still there; nobody waits for its answer.
    let invocation = world.sim.block_on(calls.next()).unwrap();
    assert!(invocation.is_canceled());
    assert!(invocation.reply(1).is_err());
    assert!(world.sim.block_on(calls.next()).is_none());
    let closed = world.sim.block_on(session.closed());
    assert!(closed.is_clean);
    drop((events, calls, session));
    world.assert_empty();
}

#[test]
fn a_driver_that_is_dropped_loses_the_connection() {
    let world = World::new();
    let session = world.session();
    let mut events = world.sim.block_on(session.subscribe("com.example.t").into_future()).unwrap();
    let _calls = world.sim.block_on(session.register_queue("com.example.r").into_future()).unwrap();
    let mut call = Box::pin(session.call("com.example.r", ()).into_future());
    assert!(world.sim.poll_once(call.as_mut(), 50).is_pending());
    world.sim.kill_tasks();
    let error = world.sim.block_on(call).unwrap_err();
    assert!(matches!(error.root(), Error::Ended(reason) if **reason == CloseReason::Eof), "{error}");
    assert_eq!(world.sim.block_on(events.next()), None);
    let error = world.sim.block_on(session.publish("com.example.t", ()).into_future()).unwrap_err();
    assert!(error.is_retryable());
    assert!(!world.sim.block_on(session.closed()).is_clean);
    assert_eq!(world.router.connections(), 0);
}

#[test]
fn a_router_that_is_gone_while_joining_is_an_error() {
    let world = World::new();
    let joining = world.router.attach_local(&settings()).unwrap();
    world.sim.kill_tasks();
    let error = world.sim.block_on(joining).unwrap_err();
    assert!(matches!(error.root(), Error::Ended(_)));
}

#[test]
fn an_unknown_realm_is_refused_for_good() {
    let world = World::new();
    let error =
        world.sim.block_on(world.router.attach_local(&Settings::new("nowhere")).unwrap()).unwrap_err();
    assert_eq!(error.uri(), Some(&uris::NO_SUCH_REALM));
    assert!(!error.is_retryable());
    let error = world.router.attach_local(&Settings::new("not a realm")).unwrap_err();
    assert!(matches!(error, Error::Config(_)));
    world.assert_empty();
}

#[test]
fn a_call_without_answer_ends_at_its_deadline() {
    let world = World::new();
    let (callee, caller) = (world.session(), world.session());
    let calls = world.sim.block_on(callee.register_queue("com.example.slow").into_future()).unwrap();
    let start = caller.shared().now();
    let error = world.sim.block_on(caller.call("com.example.slow", ()).into_future()).unwrap_err();
    assert!(matches!(error, Error::Timeout(_)) && error.is_retryable());
    assert_eq!(caller.shared().now().saturating_since(start).as_secs(), 60);

    let call = caller.call("com.example.slow", ()).no_timeout();
    let mut call = Box::pin(call.into_future());
    assert!(world.sim.poll_once(call.as_mut(), 50).is_pending());
    world.sim.pass(Duration::from_secs(3600));
    assert!(world.sim.poll_once(call.as_mut(), 50).is_pending());
    // Those in the queue are told when it goes.
    drop(calls);
    let error = world.sim.block_on(call).unwrap_err();
    assert!(error.is_canceled());
}

#[test]
fn the_last_handle_says_goodbye() {
    let world = World::new();
    let session = world.session();
    let other = session.clone();
    drop(session);
    world.sim.settle();
    assert_eq!(world.router.stats().sessions, 1);
    let call = other.call("com.example.nothing", ());
    drop(other);
    let error = world.sim.block_on(call.into_future()).unwrap_err();
    assert!(matches!(error.root(), Error::Ended(_)));
    world.assert_empty();
}

#[test]
fn handles_that_are_detached_leave_their_work_to_the_session() {
    let world = World::new();
    let session = world.session();
    world.sim.block_on(session.subscribe("com.example.t").into_future()).unwrap().detach();
    let double = |inv: Invocation| async move { Ok(inv.get::<i32>()? * 2) };
    world.sim.block_on(session.register("com.example.double", double).into_future()).unwrap().detach();
    world.sim.settle();
    let stats = world.router.stats();
    assert_eq!((stats.subscriptions, stats.registrations), (1, 1));
    let other = world.session();
    let answer: i32 =
        world.sim.block_on(other.call("com.example.double", (4,)).returning().into_future()).unwrap();
    assert_eq!(answer, 8);
}

#[test]
fn handlers_that_fail_tell_no_more_than_they_should() {
    let world = World::new();
    let errors = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = errors.clone();
    let callee = world.join(&settings().on_user_error(move |error| {
        seen.lock().unwrap().push(format!("{}: {}", error.procedure, error.error));
    }));
    let caller = world.session();
    world
        .sim
        .block_on(async {
            callee
                .register("com.a.panics", |_| async {
                    if true {
                        panic!("secret one")
                    }
                    Ok(())
                })
                .await?
                .detach();
            let fails = |_| async {
                Err::<(), _>(crate::client::HandlerError::internal(std::io::Error::other("secret two")))
            };
            callee.register("com.a.fails", fails).await?.detach();
            let unsendable = |_| async { Ok(Unsendable) };
            callee.register("com.a.unsendable", unsendable).await?.detach();
            let huge = |_| async { Ok("x".repeat(2 << 20)) };
            callee.register("com.a.huge", huge).await?.detach();
            for name in ["com.a.panics", "com.a.fails", "com.a.unsendable"] {
                let error = caller.call(name, ()).await.unwrap_err();
                assert_eq!(error.uri().unwrap(), &"wamp.error.runtime_error", "{name}");
                assert_eq!(error.args::<()>(), Ok(()));
            }
            let error = caller.call("com.a.huge", ()).await.unwrap_err();
            assert_eq!(error.uri(), Some(&uris::PAYLOAD_SIZE_EXCEEDED), "{error}");
            Ok::<(), Error>(())
        })
        .unwrap();
    let errors = errors.lock().unwrap();
    assert_eq!(
        errors[..2],
        ["com.a.panics: the handler panicked: secret one".to_owned(), "com.a.fails: secret two".to_owned()]
    );
    assert!(errors[2].ends_with("no form of this"), "{}", errors[2]);
    assert!(errors[3].starts_with("com.a.huge: the message has"), "{}", errors[3]);
}

struct Unsendable;

impl serde::Serialize for Unsendable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("no form of this"))
    }
}

#[test]
fn a_peer_that_stops_reading_holds_up_nobody_for_long() {
    let world = World::new();
    let (session, wire) = world.session_over_wire();
    let mut events = world.sim.block_on(session.subscribe("com.example.t").into_future()).unwrap();
    wire.stall(true);
    let payload = "x".repeat(1_000_000);
    for _ in 0..2 {
        let mut publish = Box::pin(session.publish("com.example.other", (&payload,)).into_future());
        assert!(world.sim.poll_once(publish.as_mut(), 0).is_ready());
    }
    // No room to send it; but room for events, which still come.
    let call = session.call("com.example.p", ()).timeout(Duration::from_secs(5));
    let start = session.shared().now();
    let other = world.session();
    world.sim.block_on(other.publish("com.example.t", (1,)).into_future()).unwrap();
    assert_eq!(world.sim.block_on(events.next()).unwrap().unwrap().get::<u8>().unwrap(), 1);
    let error = world.sim.block_on(call.into_future()).unwrap_err();
    assert!(matches!(error, Error::Timeout(_)), "{error}");
    assert_eq!(session.shared().now().saturating_since(start).as_secs(), 5);
    // Goodbye cannot be said, so it ends without.
    drop((events, session));
    world.sim.pass(Duration::from_secs(20));
    assert_eq!(world.router.connections(), 1);
    drop(other);
    world.assert_empty();
}

#[test]
fn a_peer_that_is_gone_without_a_word_ends_the_session() {
    let world = World::new();
    let (session, wire) = world.session_over_wire();
    let mut call = Box::pin(session.call("com.example.p", ()).no_timeout().into_future());
    wire.stall(true);
    assert!(world.sim.poll_once(call.as_mut(), 50).is_pending());
    wire.break_off();
    let error = world.sim.block_on(call).unwrap_err();
    assert!(matches!(error.root(), Error::Ended(reason) if **reason == CloseReason::Eof), "{error}");
    drop(session);
    world.assert_empty();
}

#[test]
fn silence_is_noticed_by_pings() {
    let world = World::new();
    let (session, wire) = world.session_over_wire();
    wire.stall(true);
    wire.deafen(true);
    let start = session.shared().now();
    let closed = world.sim.block_on(session.closed());
    assert_eq!(closed.reason, CloseReason::Timeout(roadbed_core::error::Deadline::Liveness));
    assert_eq!(session.shared().now().saturating_since(start).as_secs(), 90);
}

#[test]
fn one_byte_at_a_time_is_enough() {
    let world = World::new();
    let (session, wire) = world.session_over_wire();
    wire.limit(1);
    world
        .sim
        .block_on(async {
            let _echo =
                session.register("a.b", |inv: Invocation| async move { Ok(inv.get::<String>()?) }).await?;
            let text = "y".repeat(1000);
            assert_eq!(session.call("a.b", (&text,)).returning::<String>().await?, text);
            session.leave().await
        })
        .unwrap();
    drop(session);
    world.assert_empty();
}

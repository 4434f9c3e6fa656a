//! Any future may be dropped at any point; nothing of it stays, and everything else goes on.

use std::future::{Future, IntoFuture};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use roadbed_core::options::CancelMode;

use super::*;

/// Polls what `make` returns up to `polls` times, with one task run in between, then drops it. Does that for
/// every number of polls until it is done; after each, the session holds as many entries as before, and
/// works.
fn dropped_anywhere<F: IntoFuture>(make: impl Fn(&Session) -> F, keep: impl Fn(F::Output)) {
    let mut polls = 0;
    loop {
        let world = World::new();
        let callee = world.session();
        let echo = |inv: Invocation| async move { Ok(inv.get::<u32>()?) };
        let echo = world.sim.block_on(callee.register("com.example.echo", echo).into_future()).unwrap();
        let session = world.session();
        world.sim.settle();
        let mut is_done = false;
        {
            let mut future = pin!(make(&session).into_future());
            for _ in 0..polls {
                if let Poll::Ready(output) = world.sim.poll_once(future.as_mut(), 1) {
                    keep(output);
                    is_done = true;
                    break;
                }
            }
        }
        world.sim.pass(Duration::from_secs(1));
        assert_eq!(entries(&session), 0, "after {polls} polls");
        let stats = world.router.stats();
        assert_eq!((stats.calls, stats.subscriptions, stats.registrations), (0, 0, 1), "after {polls} polls");
        let answer =
            world.sim.block_on(session.call("com.example.echo", (polls,)).returning::<u32>().into_future());
        assert_eq!(answer.unwrap(), polls);
        drop((echo, session, callee));
        world.assert_empty();
        if is_done {
            assert!(polls > 1, "it never waited");
            return;
        }
        polls += 1;
    }
}

fn entries(session: &Session) -> usize {
    session.shared().with(|state, _| state.entries())
}

#[test]
fn a_call() {
    dropped_anywhere(|session| session.call("com.example.echo", (1,)), |result| assert!(result.is_ok()));
}

#[test]
fn an_acknowledged_publication() {
    dropped_anywhere(
        |session| session.publish("com.example.t", (1,)).acknowledge(),
        |result| {
            assert!(result.is_ok());
        },
    );
}

#[test]
fn a_subscription() {
    dropped_anywhere(|session| session.subscribe("com.example.t"), |result| drop(result.unwrap()));
}

#[test]
fn a_registration() {
    dropped_anywhere(
        |session| session.register("com.example.r", |_| async { Ok(()) }),
        |result| drop(result.unwrap()),
    );
}

#[test]
fn a_registration_with_a_queue() {
    dropped_anywhere(|session| session.register_queue("com.example.r"), |result| drop(result.unwrap()));
}

#[test]
fn the_end_of_a_subscription_and_of_a_registration() {
    let ends = |session: &Session| {
        let session = session.clone();
        async move {
            let subscription = session.subscribe("com.example.t").await?;
            let registration = session.register("com.example.r", |_| async { Ok(()) }).await?;
            subscription.unsubscribe().await?;
            registration.unregister().await
        }
    };
    dropped_anywhere(|session| Box::pin(ends(session)), |result: Result<(), crate::Error>| result.unwrap());
}

#[test]
fn waiting_for_the_end_leaves_nothing() {
    let world = World::new();
    let session = world.session();
    for _ in 0..100 {
        let mut closed = pin!(session.closed());
        assert!(world.sim.poll_once(closed.as_mut(), 0).is_pending());
    }
    let mut leave = session.leave().into_future();
    assert!(world.sim.poll_once(leave.as_mut(), 0).is_pending());
    drop(leave);
    assert!(world.sim.block_on(session.closed()).is_clean);
    drop(session);
    world.assert_empty();
}

#[test]
fn joining() {
    for polls in 0..20 {
        let world = World::new();
        let mut joining = world.router.attach_local(&settings()).unwrap();
        let mut is_done = false;
        for _ in 0..polls {
            is_done = is_done || world.sim.poll_once(pin!(&mut joining), 1).is_ready();
            if is_done {
                break;
            }
        }
        drop(joining);
        world.assert_empty();
    }
}

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
    call.cancel(CancelMode::Kill);
    assert!(world.sim.poll_once(call.as_mut(), 50).is_pending());
    let invocation = world.sim.block_on(calls.next()).unwrap();
    call.cancel(CancelMode::Kill);
    assert_eq!(world.sim.block_on(invocation.canceled()), CancelMode::Kill);
    invocation.reply("half of it").unwrap();
    assert_eq!(world.sim.block_on(call).unwrap().get::<String>().unwrap(), "half of it");
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
        let call = caller.call("com.example.slow", ()).deadline(Duration::from_secs(3));
        let mut call = Box::pin(call.into_future());
        assert!(world.sim.poll_once(call.as_mut(), 50).is_pending());
        assert_eq!(std::sync::Arc::strong_count(&alive), 3);
        if is_dropped {
            drop(call);
        } else {
            let error = world.sim.block_on(call).unwrap_err();
            assert!(matches!(error, crate::Error::Timeout));
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

/// A `Future` by itself, for [`dropped_anywhere`].
fn _assert_futures_are_send(session: &Session) {
    fn is_send<T: Future + Send + 'static>(_: T) {}
    is_send(session.call("a", ()).into_future());
    is_send(session.call("a", ()).returning::<u8>().into_future());
    is_send(session.publish("a", ()).acknowledge().into_future());
    is_send(session.subscribe("a").into_future());
    is_send(session.register("a", |_| async { Ok(()) }).into_future());
    is_send(session.leave().into_future());
}

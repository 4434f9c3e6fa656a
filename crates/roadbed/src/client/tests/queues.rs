//! What becomes of what nobody takes.

use std::future::IntoFuture;

use roadbed_core::error::uris;

use super::*;
use crate::client::Lagged;
use crate::error::Error;

#[test]
fn a_subscription_that_nobody_reads_drops_the_oldest_events() {
    let world = World::new();
    let (publisher, subscriber) = (world.session(), world.session());
    let mut events = world.sim.block_on(subscriber.subscribe("com.example.t").into_future()).unwrap();
    world
        .sim
        .block_on(async {
            for number in 0..1500_u32 {
                publisher.publish("com.example.t", (number,)).await?;
            }
            // Other work of the same session goes on.
            subscriber.publish("com.example.other", ()).acknowledge().await.map(drop)
        })
        .unwrap();
    world.sim.settle();
    world.sim.block_on(async {
        assert_eq!(events.next().await, Some(Err(Lagged(476))));
        for number in 476..1500_u32 {
            assert_eq!(events.next().await.unwrap().unwrap().get::<u32>().unwrap(), number);
        }
    });
    let mut next = Box::pin(events.next());
    assert!(world.sim.poll_once(next.as_mut(), 0).is_pending());
}

#[test]
fn a_subscription_holds_no_more_bytes_than_it_may() {
    let world = World::new();
    let publisher = world.session();
    let subscriber = world.join(&settings().event_queue(1000, 10_000));
    let mut events = world.sim.block_on(subscriber.subscribe("com.example.t").into_future()).unwrap();
    let publish = |size: usize| {
        let publish = publisher.publish("com.example.t", ("x".repeat(size),)).acknowledge();
        world.sim.block_on(publish.into_future()).unwrap();
        world.sim.settle();
    };
    for _ in 0..30 {
        publish(1000);
    }
    let Some(Err(Lagged(lost))) = world.sim.block_on(events.next()) else { panic!("not lagged") };
    assert_eq!(lost, 23);
    // One that is larger than all of that still has its place.
    publish(50_000);
    assert_eq!(world.sim.block_on(events.next()), Some(Err(Lagged(7))));
    let event = world.sim.block_on(events.next()).unwrap().unwrap();
    assert_eq!(event.get::<String>().unwrap().len(), 50_000);
}

#[test]
fn a_queue_that_was_unregistered_can_still_be_emptied() {
    let world = World::new();
    let (callee, caller) = (world.session(), world.session());
    let mut queue = world.sim.block_on(callee.register_queue("com.example.r").into_future()).unwrap();
    let mut calls: Vec<_> =
        (0..3).map(|number| Box::pin(caller.call("com.example.r", (number,)).into_future())).collect();
    for call in &mut calls {
        assert!(world.sim.poll_once(call.as_mut(), 50).is_pending());
    }
    let first = world.sim.block_on(queue.next()).unwrap();
    world.sim.block_on(queue.unregister().into_future()).unwrap();
    assert_eq!(world.router.stats().registrations, 0);
    let late = world.sim.block_on(caller.call("com.example.r", ()).into_future()).unwrap_err();
    assert_eq!(late.uri(), Some(&uris::NO_SUCH_PROCEDURE));
    // A second time there is nothing to end.
    world.sim.block_on(queue.unregister().into_future()).unwrap();
    first.reply(0).unwrap();
    for expected in 1..3 {
        let invocation = world.sim.block_on(queue.next()).unwrap();
        assert_eq!(invocation.get::<i32>().unwrap(), expected);
        invocation.reply(expected).unwrap();
    }
    assert!(world.sim.block_on(queue.next()).is_none());
    for (expected, call) in calls.into_iter().enumerate() {
        assert_eq!(world.sim.block_on(call).unwrap().get::<usize>().unwrap(), expected);
    }
    drop((queue, callee, caller));
    world.assert_empty();
}

#[test]
fn an_end_that_nobody_waits_for_comes_all_the_same() {
    let world = World::new();
    let callee = world.session();
    let mut queue = world.sim.block_on(callee.register_queue("com.example.r").into_future()).unwrap();
    drop(queue.unregister());
    world.sim.settle();
    assert_eq!(world.router.stats().registrations, 0);
    assert!(world.sim.block_on(queue.next()).is_none());
}

#[test]
fn every_handler_of_a_topic_gets_every_event_in_order() {
    let world = World::new();
    let (publisher, subscriber) = (world.session(), world.session());
    world
        .sim
        .block_on(async {
            let mut one = subscriber.subscribe("com.example.t").await?;
            let mut other = subscriber.subscribe("com.example.t").await?;
            for number in 0..100_u32 {
                publisher.publish("com.example.t", (number,)).await?;
            }
            for number in 0..100_u32 {
                assert_eq!(one.next().await.unwrap().unwrap().get::<u32>()?, number);
                assert_eq!(other.next().await.unwrap().unwrap().get::<u32>()?, number);
            }
            one.unsubscribe().await?;
            publisher.publish("com.example.t", (100,)).await?;
            assert_eq!(other.next().await.unwrap().unwrap().get::<u32>()?, 100);
            Ok::<(), Error>(())
        })
        .unwrap();
}

#[test]
fn a_full_invocation_queue_answers_unavailable() {
    let world = World::new();
    let (callee, caller) = (world.session(), world.session());
    let register = callee.register_queue("com.example.slow").limit(2);
    let mut calls = world.sim.block_on(register.into_future()).unwrap();
    let mut waiting: Vec<_> =
        (0..2).map(|n| Box::pin(caller.call("com.example.slow", (n,)).into_future())).collect();
    for call in &mut waiting {
        assert!(world.sim.poll_once(call.as_mut(), 50).is_pending());
    }
    let error = world.sim.block_on(caller.call("com.example.slow", (2,)).into_future()).unwrap_err();
    assert_eq!(error.uri(), Some(&uris::UNAVAILABLE));
    assert!(error.is_retryable());
    // Taken is not answered: there is room again only then.
    let first = world.sim.block_on(calls.next()).unwrap();
    world.sim.block_on(caller.call("com.example.slow", (3,)).into_future()).unwrap_err();
    first.reply("done").unwrap();
    assert_eq!(world.sim.block_on(waiting.remove(0)).unwrap().get::<String>().unwrap(), "done");
    let mut fourth = Box::pin(caller.call("com.example.slow", (4,)).into_future());
    assert!(world.sim.poll_once(fourth.as_mut(), 50).is_pending());
    for expected in [1, 4] {
        let call = world.sim.block_on(calls.next()).unwrap();
        assert_eq!(call.get::<i32>().unwrap(), expected);
        call.error(crate::client::HandlerError::new("com.example.no"));
    }
    assert_eq!(world.sim.block_on(fourth).unwrap_err().uri().unwrap(), &"com.example.no");
}

#[test]
fn a_flood_of_publications_waits_for_room() {
    let world = World::new();
    let session = world.session();
    let payload = "x".repeat(100_000);
    let mut sent = 0;
    loop {
        let mut publish = Box::pin(session.publish("com.example.t", (&payload,)).into_future());
        match world.sim.poll_once(publish.as_mut(), 0) {
            std::task::Poll::Ready(result) => result.unwrap(),
            std::task::Poll::Pending => break,
        }
        sent += 1;
    }
    assert!((10..=11).contains(&sent), "{sent} times 100 kB before 1 MiB is reached");
    assert!(session.shared().with(|state, _| state.connection.queued()) < 1_200_000);
    assert_eq!(session.shared().with(|state, _| state.entries()), 0);
    world.sim.block_on(session.publish("com.example.t", (&payload,)).acknowledge().into_future()).unwrap();
}

/// Small messages between large ones: what waits in a queue keeps no read buffer alive.
#[test]
fn what_waits_shares_no_memory() {
    let world = World::new();
    let (session, _wire) = world.session_over_wire();
    let other = world.session();
    let (mut events, mut calls) = world
        .sim
        .block_on(async {
            let events = session.subscribe("com.example.t").await?;
            Ok::<_, Error>((events, session.register_queue("com.example.p").await?))
        })
        .unwrap();
    let large = "x".repeat(40_000);
    let mut pending = Vec::new();
    for _ in 0..5 {
        for size in [3, 40_000, 3] {
            let payload = &large[..size];
            let publish = other.publish("com.example.t", (payload,)).acknowledge();
            world.sim.block_on(publish.into_future()).unwrap();
            let mut call = Box::pin(other.call("com.example.p", (payload,)).into_future());
            assert!(world.sim.poll_once(call.as_mut(), 50).is_pending());
            pending.push(call);
        }
    }
    let is_alone = |payload: &roadbed_core::payload::Payload| payload.raw_args().unwrap().is_unique();
    for _ in 0..15 {
        let event = world.sim.block_on(events.next()).unwrap().unwrap();
        assert!(is_alone(event.payload()));
        let invocation = world.sim.block_on(calls.next()).unwrap();
        assert!(is_alone(invocation.payload()));
        invocation.reply(()).unwrap();
    }
}

#[test]
fn a_queue_of_invocations_holds_no_more_bytes_than_it_may() {
    let world = World::new();
    let callee = world.join(&settings().event_queue(1000, 100_000));
    let caller = world.session();
    let _calls = world.sim.block_on(callee.register_queue("com.example.p").into_future()).unwrap();
    let large = "x".repeat(40_000);
    let mut pending = Vec::new();
    for _ in 0..2 {
        let mut call = Box::pin(caller.call("com.example.p", (&large,)).into_future());
        assert!(world.sim.poll_once(call.as_mut(), 50).is_pending());
        pending.push(call);
    }
    let error = world.sim.block_on(caller.call("com.example.p", (&large,)).into_future()).unwrap_err();
    assert_eq!(error.uri(), Some(&uris::UNAVAILABLE));
}

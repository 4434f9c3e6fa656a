//! How much memory a process needs while more comes than anybody takes.

use std::time::Duration;

use async_io::Timer;
use futures_lite::future::poll_once;
use roadbed::core::limits::Limits;
use roadbed_tests::alloc;

use crate::adapter::Adapter;
use crate::calls::dig;
use crate::relay::Relay;
use crate::way::Way;
use crate::world::{Log, World, config, eventually, in_time, settings};

/// What a connection may have queued for a peer, at the router and at a client before publications wait.
const BUDGET: usize = 1 << 20;

/// Payloads, and how many: 32 times what anybody may hold, and more than sockets take.
const PAYLOAD: usize = 16 << 10;
const COUNT: usize = 32 * BUDGET / PAYLOAD;

/// Buffers of sessions, links and sockets in user space: read buffers of a message each, and what is being
/// written.
const BUFFERS: usize = 2 << 20;

fn limits() -> Limits {
    Limits::default().output_size(BUDGET)
}

pub(crate) fn memory_is_bounded<A: Adapter>(way: Way) {
    let adapter = A::start();
    adapter.block_on(async {
        let log = Log::default();
        let world = World::new(&adapter, way, &log).another(config().limits(limits()));
        unread_subscription(&world).await;
        subscriber_that_stops_reading(&world).await;
        router_that_stops_reading(&world).await;
        stalled_handler(&world).await;
        world.close().await;
    });
    adapter.end();
}

/// The most that was held at a time, beyond what was there before.
struct Peak(usize);

impl Peak {
    fn begin() -> Self {
        alloc::forget_highest();
        Self(alloc::held())
    }

    #[track_caller]
    fn is_at_most(&self, bound: usize) {
        let peak = alloc::highest().saturating_sub(self.0);
        assert!(peak <= bound, "{peak} bytes, allowed are {bound}");
    }
}

/// A subscription that nobody reads holds 1 MiB of events; the publisher's output waits beyond 1 MiB.
async fn unread_subscription<A: Adapter>(world: &World<A>) {
    let (publisher, session) = (world.session().await, world.session().await);
    let unread = session.subscribe("com.example.tick").await.unwrap();
    let text = "x".repeat(PAYLOAD);
    let peak = Peak::begin();
    for _ in 0..COUNT {
        in_time(publisher.publish("com.example.tick", (&text,))).await.unwrap();
    }
    in_time(publisher.publish("com.example.tick", ()).acknowledge()).await.unwrap();
    // The subscription, the publisher's output, the router's for the subscriber.
    peak.is_at_most((1 << 20) + (1 << 20) + BUDGET + BUFFERS);
    drop(unread);
}

/// A peer that reads nothing costs the router its budget.
async fn subscriber_that_stops_reading<A: Adapter>(world: &World<A>) {
    let relay = Relay::to(world);
    let (publisher, deaf) = (world.session().await, world.session_at(relay.url()).await);
    let _events = deaf.subscribe("com.example.tick").await.unwrap();
    relay.swallow();
    let text = "x".repeat(PAYLOAD);
    let peak = Peak::begin();
    for _ in 0..COUNT {
        in_time(publisher.publish("com.example.tick", (&text,))).await.unwrap();
    }
    in_time(publisher.publish("com.example.tick", ()).acknowledge()).await.unwrap();
    assert!(world.router.stats().counters.events_dropped > 0);
    peak.is_at_most((1 << 20) + BUDGET + BUFFERS);
    relay.reset();
}

/// A client whose router reads nothing holds 1 MiB of output; whoever wants to send more waits.
async fn router_that_stops_reading<A: Adapter>(world: &World<A>) {
    let relay = Relay::to(world);
    let limits = limits().goodbye_timeout(Duration::from_millis(100));
    let session = in_time(world.adapter.connect(relay.url(), settings().limits(limits))).await.unwrap();
    relay.swallow();
    let text = "x".repeat(PAYLOAD);
    let peak = Peak::begin();
    let mut sent = 0;
    while sent < COUNT {
        let publish = async {
            session.publish("com.example.tick", (&text,)).await.unwrap();
            true
        };
        let patience = async {
            Timer::after(Duration::from_millis(200)).await;
            false
        };
        if !futures_lite::future::or(publish, patience).await {
            break;
        }
        sent += 1;
    }
    assert!(sent < COUNT, "somebody took it all");
    peak.is_at_most((1 << 20) + BUFFERS);
    relay.reset();
    in_time(session.closed()).await;
}

/// Invocations that are not answered are as many as the registration holds, and no more.
async fn stalled_handler<A: Adapter>(world: &World<A>) {
    const HELD: usize = 32;
    let callee = in_time(world.join(settings().invocation_queue(HELD))).await.unwrap();
    let registration = callee.register("com.example.dig", dig).await.unwrap();
    let caller = world.session().await;
    let text = "x".repeat(PAYLOAD);
    let peak = Peak::begin();
    let mut calls = Vec::new();
    let mut refused = 0;
    for _ in 0..COUNT / 8 {
        let mut call = Box::pin(caller.call("com.example.dig", (&text,)).into_future());
        if calls.len() < HELD {
            assert!(poll_once(&mut call).await.is_none());
            calls.push(call);
        } else {
            assert!(in_time(call).await.is_err_and(|error| error.is_retryable()));
            refused += 1;
        }
    }
    assert_eq!(refused, COUNT / 8 - HELD);
    // Each invocation may pin a read buffer of its own.
    peak.is_at_most(HELD * (64 << 10) + BUFFERS);
    drop((calls, registration));
    eventually(|| world.router.stats().calls == 0).await;
}

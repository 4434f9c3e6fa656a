//! What waits in a client keeps no read buffer alive: small messages between large ones cost what they count.

use async_io::Timer;
use futures_lite::future::poll_once;
use roadbed::client::{Invocation, Session};
use roadbed::core::transport::websocket::{DeflateConfig, WebSocketServerConfig};
use roadbed_tests::alloc;
use std::time::Duration;

use crate::adapter::Adapter;
use crate::way::Way;
use crate::world::{Log, World, config, eventually, in_time, settings};

/// Subscriptions that nobody reads, and one queue of invocations.
const UNREAD: usize = 20;
/// What each of them may hold.
const QUEUE: usize = 16 << 10;
/// Everything else of this process, the router's idle connections among it: less than one large message.
const SLACK: usize = 256 << 10;
/// What the compressing ends of both connections keep beyond it.
const WINDOWS: usize = 768 << 10;
/// Bytes of a large message, and how many there are between small ones.
const LARGE: usize = 900_000;
const ROUNDS: usize = 20;
const HANDLERS: usize = 20;

pub(crate) fn in_place<A: Adapter>(way: Way) {
    measured::<A>(way, false);
}

pub(crate) fn compressed<A: Adapter>(way: Way) {
    measured::<A>(way, true);
}

fn measured<A: Adapter>(way: Way, is_compressed: bool) {
    let adapter = A::start();
    adapter.block_on(async {
        let first = World::new(&adapter, way, &Log::default());
        let deflate = DeflateConfig::default();
        let world = first.another_with(config(), |builder| {
            if is_compressed {
                builder.websocket(WebSocketServerConfig::default().deflate(deflate))
            } else {
                builder
            }
        });
        let settings = settings().event_queue(1024, QUEUE);
        let settings = if is_compressed { settings.deflate(deflate) } else { settings };
        let (holder, other) = (in_time(world.join(settings)).await.unwrap(), world.session().await);
        let slack = SLACK + if is_compressed { WINDOWS } else { 0 };
        unread_subscriptions(&world, &holder, &other, slack).await;
        unread_invocations(&world, &holder, &other, slack).await;
        running_handlers(&world, &holder, &other, slack).await;
        drop((holder, other));
        world.close().await;
        first.close().await;
    });
    adapter.end();
}

/// What is held beyond what was held before, when the router has nothing more to write.
struct Held(usize);

impl Held {
    fn begin() -> Self {
        Self(alloc::held())
    }

    #[track_caller]
    fn is_at_most<A: Adapter>(&self, world: &World<A>, bound: usize, what: &str) -> impl Future<Output = ()> {
        let before = self.0;
        let router = world.router.clone();
        async move {
            eventually(|| router.stats().queued_bytes == 0).await;
            let mut held = usize::MAX;
            // Buffers of what was read and written go a moment later.
            for _ in 0..100 {
                held = alloc::held().saturating_sub(before);
                if held <= bound {
                    break;
                }
                Timer::after(Duration::from_millis(50)).await;
            }
            println!("{what}: {held} bytes of {bound}");
            assert!(held <= bound, "{what}: {held} bytes, allowed are {bound}");
        }
    }
}

async fn unread_subscriptions<A: Adapter>(world: &World<A>, holder: &Session, other: &Session, slack: usize) {
    let large = "x".repeat(LARGE);
    let mut read = holder.subscribe("com.example.large").await.unwrap();
    let mut unread = Vec::new();
    for number in 0..UNREAD {
        unread.push(holder.subscribe(format!("com.example.small{number}")).await.unwrap());
    }
    let held = Held::begin();
    for round in 0..ROUNDS {
        let topic = format!("com.example.small{}", round % UNREAD);
        in_time(other.publish(&topic, ("abc",))).await.unwrap();
        in_time(other.publish("com.example.large", (&large,))).await.unwrap();
        in_time(other.publish(&topic, ("abc",)).acknowledge()).await.unwrap();
        in_time(read.next()).await.unwrap().unwrap();
    }
    held.is_at_most(world, UNREAD * QUEUE + slack, "unread subscriptions").await;
    for unread in &mut unread {
        assert!(poll_once(unread.next()).await.is_some());
    }
}

/// Calls of a few bytes between others of many.
async fn mixed<A: Adapter>(world: &World<A>, holder: &Session, other: &Session, bound: usize, what: &str) {
    let large = "x".repeat(LARGE);
    let length = |invocation: Invocation| async move { Ok(invocation.get::<String>()?.len()) };
    let _large = holder.register("com.example.large", length).await.unwrap();
    let held = Held::begin();
    let mut calls = Vec::new();
    for _ in 0..HANDLERS {
        let mut call = Box::pin(other.call("com.example.small", ("abc",)).into_future());
        assert!(poll_once(&mut call).await.is_none());
        calls.push(call);
        let length = other.call("com.example.large", (&large,)).returning::<usize>();
        assert_eq!(in_time(length).await.unwrap(), LARGE);
    }
    eventually(|| world.router.stats().calls == HANDLERS).await;
    held.is_at_most(world, bound, what).await;
}

async fn unread_invocations<A: Adapter>(world: &World<A>, holder: &Session, other: &Session, slack: usize) {
    let queue = holder.register_queue("com.example.small").await.unwrap();
    mixed(world, holder, other, QUEUE + slack, "unread invocations").await;
    drop(queue);
    eventually(|| world.router.stats().calls == 0).await;
}

/// Handlers that do not end hold what they were given.
async fn running_handlers<A: Adapter>(world: &World<A>, holder: &Session, other: &Session, slack: usize) {
    let dig = holder.register("com.example.small", crate::calls::dig).await.unwrap();
    mixed(world, holder, other, HANDLERS * 4096 + slack, "running handlers").await;
    drop(dig);
    eventually(|| world.router.stats().calls == 0).await;
}

//! A router that never answers: every request ends at its deadline, on the timers of each adapter.

use std::fmt::Debug;
use std::future::IntoFuture;
use std::time::{Duration, Instant};

use roadbed::Error;
use roadbed::client::Invocation;

use crate::adapter::Adapter;
use crate::relay::Relay;
use crate::world::{Outcome, SOON, World, all, in_time, told};

/// How long a request waits for its answer.
const PATIENCE: Duration = Duration::from_millis(300);

/// What a request that nobody answers comes to.
async fn late<T: Debug>(request: impl IntoFuture<Output = Result<T, Error>>) -> String {
    let start = Instant::now();
    let result = in_time(request).await;
    let span = start.elapsed();
    assert!(matches!(result, Err(Error::Timeout(_))), "{result:?}");
    // Timers count whole milliseconds, on a clock of their own.
    assert!((PATIENCE - Duration::from_millis(5)..SOON).contains(&span), "{result:?} after {span:?}");
    told(result)
}

pub(crate) async fn requests_without_an_answer<A: Adapter>(world: &World<A>) -> Outcome {
    let relay = Relay::to(world);
    let settings = crate::world::settings().request_timeout(Some(PATIENCE));
    let session = in_time(world.adapter.connect(relay.url(), settings)).await?;
    let answer = |_: Invocation| async { Ok(()) };
    let events = session.subscribe("com.example.t").await?;
    let registration = session.register("com.example.p", answer).await?;
    let mut queue = session.register_queue("com.example.q").await?;
    relay.swallow();
    // All at once, and one that comes after all of them are over.
    let requests: Vec<std::pin::Pin<Box<dyn Future<Output = String> + '_>>> = vec![
        Box::pin(late(session.subscribe("com.example.u"))),
        Box::pin(late(session.register("com.example.r", answer))),
        Box::pin(late(session.register_queue("com.example.s"))),
        Box::pin(late(session.publish("com.example.t", ()).acknowledge())),
        Box::pin(late(session.call("com.example.p", ()))),
        Box::pin(late(session.call("com.example.p", ()).returning::<u8>())),
        Box::pin(late(events.unsubscribe())),
        Box::pin(late(registration.unregister())),
        Box::pin(late(queue.unregister())),
    ];
    for told in all(requests).await {
        world.note(told);
    }
    world.note(late(session.subscribe("com.example.v")).await);
    drop((queue, session));
    // Nobody can take leave of a router that hears nothing.
    relay.reset();
    Ok(())
}

//! A client that outlives its router: the router is stopped and started again on the same port, twice.
//!
//! The client declares a subscription and a procedure once. What happens to it is printed as it happens; a
//! call that is made while the router is away waits for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use roadbed_tokio::roadbed::client::{ClientEvent, Invocation, Missed, RetryPolicy, WhileDisconnected};
use roadbed_tokio::roadbed::core::uri::Uri;
use roadbed_tokio::roadbed::server::{Authentication, RouterConfig, RouterHandle};
use roadbed_tokio::{Serving, Tokio, serve};
use tokio::net::TcpListener;

/// Any error; what goes wrong here goes to the person who ran the example.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Prints one line of the story.
fn say(who: &str, what: &str) {
    println!("{who:>10} | {what}");
}

/// Starts a router; it is gone when both are stopped.
async fn start(address: SocketAddr) -> Result<(RouterHandle, Serving, SocketAddr), Failure> {
    let config = RouterConfig::new().realm(Uri::new("realm1")?, Authentication::new().anonymous("guest"));
    let router = RouterHandle::new(config, Arc::new(Tokio::current()))?;
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let serving = serve(listener, &router);
    say("router", &format!("listens on rs://{address}"));
    Ok((router, serving, address))
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let (mut router, mut serving, address) = start(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let client = roadbed_tokio::client(format!("rs://{address}"))
        .realm("realm1")
        .retry(RetryPolicy::new().first(Duration::from_millis(100)).longest(Duration::from_secs(1)))
        .while_disconnected(WhileDisconnected::wait(Duration::from_secs(10)))
        .start()?;

    let mut events = client.events();
    let watcher = tokio::spawn(async move {
        while let Some(event) = events.next().await {
            let event = match event {
                Ok(event) => event,
                Err(lagged) => {
                    say("client", &format!("too slow: {lagged}"));
                    continue;
                }
            };
            match event {
                ClientEvent::Connected { generation } => say("client", &format!("has session {generation}")),
                ClientEvent::Lost { error, .. } => say("client", &format!("lost it: {error}")),
                ClientEvent::Failed { error, retry_in, .. } => {
                    say("client", &format!("{error}; next attempt in {retry_in:?}"));
                }
                event => say("client", &format!("{event:?}")),
            }
        }
    });

    let mut ticks = client.subscribe("com.example.tick").await?;
    let double = |inv: Invocation| async move { Ok(2 * inv.get::<u64>()?) };
    let _double = client.register("com.example.double", double).await?;

    for round in 1..=3_u64 {
        let doubled: u64 = client.call("com.example.double", (round,)).returning().await?;
        say("caller", &format!("{round} doubled is {doubled}"));
        client.publish("com.example.tick", (round,)).exclude_me(false).acknowledge().await?;
        loop {
            match ticks.next().await {
                Some(Ok(event)) => {
                    say("subscriber", &format!("tick {}", event.get::<u64>()?));
                    break;
                }
                Some(Err(Missed::Gap { .. })) => say("subscriber", "there may have been others meanwhile"),
                Some(Err(missed)) => say("subscriber", &missed.to_string()),
                None => return Err("the client has ended".into()),
            }
        }
        if round < 3 {
            serving.stop().await;
            router.shutdown(Duration::from_secs(2)).await;
            say("router", "is gone");
            tokio::time::sleep(Duration::from_millis(500)).await;
            (router, serving, _) = start(address).await?;
        }
    }

    client.close().await?;
    watcher.await?;
    say("client", "has left");
    serving.stop().await;
    router.shutdown(Duration::from_secs(2)).await;
    Ok(())
}

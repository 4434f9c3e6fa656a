//! An embedded router on real sockets, and three clients that talk through it.
//!
//! The router and a callee (MessagePack, over TCP) run on tokio; a subscriber (CBOR, over a Unix socket)
//! runs on async-std; a caller (JSON, over WebSocket, as a browser would) is a plain thread. The caller calls, is
//! refused, gives up on a call, sends bytes and publishes. Nobody here knows what the others speak: the
//! router tells RawSocket from WebSocket on one port, and carries payloads from one serializer to another.

mod quickstart {
    pub(crate) mod callee;
    pub(crate) mod caller;
    pub(crate) mod subscriber;
}

use std::sync::Arc;
use std::time::Duration;

use quickstart::{callee, caller, subscriber};
use roadbed_tokio::roadbed::core::uri::Uri;
use roadbed_tokio::roadbed::server::{Authentication, RouterConfig, RouterHandle};
use roadbed_tokio::{Tokio, serve};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::oneshot;

/// Any error; what goes wrong here goes to the person who ran the example.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Prints one line of the story.
pub(crate) fn say(who: &str, what: &str) {
    println!("{who:>10} | {what}");
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let config = RouterConfig::new().realm(Uri::new("realm1")?, Authentication::new().anonymous("guest"));
    let router = RouterHandle::new(config, Arc::new(Tokio::current()))?;
    let tcp = TcpListener::bind("127.0.0.1:0").await?;
    let path = std::env::temp_dir().join(format!("roadbed-quickstart-{}.sock", std::process::id()));
    let unix = UnixListener::bind(&path)?;
    let (rs_url, ws_url) = (format!("rs://{}", tcp.local_addr()?), format!("ws://{}/", tcp.local_addr()?));
    let unix_url = format!("unix:{}", path.display());
    say("router", &format!("listens on {rs_url}, on {ws_url} at the same port, and on {unix_url}"));
    let listeners = [serve(tcp, &router), serve(unix, &router)];

    // The callee is a session on tokio, like the router.
    let callee = callee::join(&rs_url).await?;

    // The subscriber has a thread for async-std; it says when it listens.
    let (ready, listens) = oneshot::channel();
    let subscriber = std::thread::spawn(move || async_io::block_on(subscriber::run(&unix_url, ready)));
    listens.await?;

    // The caller has a thread of its own, and blocks in it.
    let caller = std::thread::spawn(move || caller::run(&ws_url));
    tokio::task::spawn_blocking(move || caller.join()).await?.map_err(|_| "the caller panicked")??;
    tokio::task::spawn_blocking(move || subscriber.join())
        .await?
        .map_err(|_| "the subscriber panicked")??;

    callee.leave().await?;
    say("callee", "left");
    for listener in listeners {
        listener.stop().await;
    }
    router.shutdown(Duration::from_secs(5)).await;
    std::fs::remove_file(&path)?;
    let stats = router.stats();
    say("router", &format!("is empty again: {} peers, {} sessions", stats.peers, stats.sessions));
    Ok(())
}

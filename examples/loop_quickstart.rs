//! The quickstart without any runtime: a router and three clients over the reference loops.
//!
//! A callee (MessagePack, over TCP) offers two procedures, a subscriber (CBOR, over a Unix socket) listens,
//! and a caller (JSON, over TCP) calls, is refused, gives up on a call, publishes and sends bytes. Nobody
//! here knows what the others speak: the router carries payloads from one serializer to another.

mod loop_quickstart {
    pub(crate) mod callee;
    pub(crate) mod caller;
    pub(crate) mod subscriber;
}

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use loop_quickstart::{callee, caller, subscriber};
use roadbed_core::uri::Uri;
use roadbed_examples::router_loop::RouterLoop;
use roadbed_examples::stream::Listener;
use roadbed_router::{Authentication, RouterConfig};

/// Any error; what goes wrong here goes to the person who ran the example.
pub(crate) type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Prints one line of the story.
pub(crate) fn say(who: &str, what: &str) {
    println!("{who:>10} | {what}");
}

fn main() -> Outcome {
    let config = RouterConfig::new().realm(Uri::new("realm1")?, Authentication::new().anonymous("anonymous"));
    config.check()?;
    let router = RouterLoop::start(config.into_shared());
    let tcp = Listener::bind("rs://127.0.0.1:0")?;
    let path = std::env::temp_dir().join(format!("roadbed-loops-{}.sock", std::process::id()));
    let unix = Listener::bind(&format!("unix:{}", path.display()))?;
    let (tcp_url, unix_url) = (tcp.url()?, unix.url()?);
    say("router", &format!("listens on {tcp_url} and {unix_url}"));
    router.listen(tcp);
    router.listen(unix);

    // The caller starts when the others are ready.
    let (ready, wait) = mpsc::channel();
    let callee_ready = ready.clone();
    let callee_url = tcp_url.clone();
    let callee = thread::spawn(move || callee::run(&callee_url, &callee_ready));
    let subscriber = thread::spawn(move || subscriber::run(&unix_url, &ready));
    for _ in 0..2 {
        wait.recv_timeout(Duration::from_secs(10))?;
    }
    caller::run(&tcp_url)?;

    subscriber.join().map_err(|_| "the subscriber panicked")??;
    // The callee stays until the router says GOODBYE.
    router.shutdown(Duration::from_secs(5));
    callee.join().map_err(|_| "the callee panicked")??;
    std::fs::remove_file(&path)?;
    let stats = router.stats();
    say("router", &format!("is empty again: {} peers, {} sessions", stats.peers, stats.sessions));
    Ok(())
}

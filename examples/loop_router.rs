//! Serves a router on TCP and, if asked, on a Unix socket:
//!
//! ```text
//! cargo run --example loop_router -- rs://127.0.0.1:8080 unix:/tmp/wamp.sock
//! ```
//!
//! One realm, `realm1`, open to everybody.

use roadbed_core::uri::Uri;
use roadbed_examples::router_loop::RouterLoop;
use roadbed_examples::stream::Listener;
use roadbed_router::{Authentication, RouterConfig};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = RouterConfig::new().realm(Uri::new("realm1")?, Authentication::new().anonymous("anonymous"));
    config.check()?;
    let router = RouterLoop::start(config.into_shared());
    let mut urls: Vec<String> = std::env::args().skip(1).collect();
    if urls.is_empty() {
        urls.push("rs://127.0.0.1:8080".into());
    }
    for url in urls {
        let listener = Listener::bind(&url)?;
        println!("listening on {}", listener.url()?);
        router.listen(listener);
    }
    loop {
        std::thread::park();
    }
}

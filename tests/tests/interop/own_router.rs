//! autobahn-python against the router served by the reference loop.

use std::time::Duration;

use roadbed_core::limits::Limits;
use roadbed_core::uri::Uri;
use roadbed_examples::router_loop::RouterLoop;
use roadbed_examples::stream::Listener;
use roadbed_router::{Authentication, RouterConfig, TicketTable};

use crate::peers::{Folder, python, run_scenarios};

fn serve(limits: Limits, folder: &Folder) -> (RouterLoop, String, String) {
    let tickets = TicketTable::new().principal("alice", "secret-alice", "user");
    let config = RouterConfig::new()
        .realm(Uri::from_static("realm1"), Authentication::new().anonymous("anonymous"))
        .realm(Uri::from_static("realm2"), Authentication::new().ticket(tickets))
        .limits(limits);
    let router = RouterLoop::start(config.into_shared());
    let tcp = Listener::bind("rs://127.0.0.1:0").unwrap();
    let unix = Listener::bind(&format!("unix:{}", folder.path("router.sock").display())).unwrap();
    let addresses = (tcp.url().unwrap(), unix.url().unwrap());
    router.listen(tcp);
    router.listen(unix);
    (router, addresses.0, addresses.1)
}

#[test]
fn every_serializer_over_tcp_and_unix() {
    let Some(python) = python() else { return };
    let folder = Folder::new("default");
    let (router, tcp, unix) = serve(Limits::default(), &folder);
    let tickets = ["--authid", "alice", "--ticket", "secret-alice", "--ticket-realm", "realm2"];
    for url in [&tcp, &unix] {
        for (serializer, other) in [("json", "msgpack"), ("msgpack", "cbor"), ("cbor", "json")] {
            let mut arguments = vec!["--url", url, "--serializer", serializer];
            run_scenarios(&python, &[&arguments[..], &tickets].concat());
            // Callee and caller in different serializers: the router transcodes.
            arguments.extend(["--other-serializer", other]);
            run_scenarios(&python, &arguments);
        }
    }
    assert_empty(&router);
}

#[test]
fn eight_megabytes_with_the_limit_raised() {
    let Some(python) = python() else { return };
    let folder = Folder::new("large");
    let (router, tcp, _) = serve(Limits::default().message_size(16 << 20), &folder);
    for serializer in ["json", "msgpack", "cbor"] {
        let arguments = ["--url", &tcp, "--serializer", serializer, "--scenario", "payload_large", "--large"];
        run_scenarios(&python, &arguments);
    }
    assert_empty(&router);
}

/// Nothing that a peer left behind stays in the router.
fn assert_empty(router: &RouterLoop) {
    let stats = router.wait_until_empty(Duration::from_secs(5));
    let left = [
        stats.peers,
        stats.sessions,
        stats.subscriptions,
        stats.subscribers,
        stats.registrations,
        stats.calls,
        stats.timers,
        stats.queued_messages,
        stats.queued_bytes,
    ];
    assert!(left.iter().all(|count| *count == 0), "left behind: {stats:?}");
}

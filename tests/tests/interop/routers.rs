//! Foreign clients against our router.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use roadbed_core::limits::Limits;
use roadbed_core::uri::Uri;
use roadbed_router::{Authentication, RouterConfig, TicketTable};
use serde_json::Value;

use crate::peers::{Folder, Node, autobahn_js, autobahn_python};
use crate::report::{Cell, Row};
use crate::subject::{Serving, Subject};

/// What a foreign client does: how many scenarios in each of these serializers, over both transports.
struct Programme {
    peer: &'static str,
    /// `json+cbor`: callee and caller in different ones, so that the router transcodes.
    serializers: &'static [&'static str],
    scenarios: usize,
}

impl Programme {
    /// 8 MiB comes on top, where the limit is raised, unless two serializers are mixed.
    fn wanted(&self, serializer: &str) -> usize {
        self.scenarios + usize::from(!serializer.contains('+'))
    }
}

/// peer.py: 27 scenarios, and 2 with tickets.
const PYTHON: Programme = Programme {
    peer: "autobahn-python to our router",
    serializers: &["json", "msgpack", "cbor", "json+msgpack", "msgpack+cbor", "cbor+json"],
    scenarios: 27 + 2,
};

/// autobahn_peer.mjs: 24 scenarios without that of binary, which it does not know in JSON, the only serializer
/// of its RawSocket; and 2 with tickets.
const JAVASCRIPT: Programme =
    Programme { peer: "autobahn-js to our router", serializers: &["json"], scenarios: 23 + 2 };

/// Where a client finds our routers.
pub(crate) struct Addresses {
    /// With the limits by default.
    pub(crate) tcp: String,
    pub(crate) unix: String,
    /// Where messages of 16 MiB are taken.
    pub(crate) large_tcp: String,
    pub(crate) large_unix: String,
}

/// Rows for the router of a subject.
pub(crate) fn against_our_router(
    subject: &dyn Subject,
    python: Option<&Path>,
    node: Option<&Node>,
    folder: &Folder,
) -> Vec<Row> {
    let (path, large_path) =
        (folder.socket(subject.name()), folder.socket(&format!("{}-large", subject.name())));
    let router = subject.serve(config(Limits::default()), &path);
    let large = subject.serve(config(Limits::default().message_size(16 << 20)), &large_path);
    let addresses = Addresses {
        tcp: router.tcp.clone(),
        unix: url_of(&path),
        large_tcp: large.tcp.clone(),
        large_unix: url_of(&large_path),
    };
    let mut rows = Vec::new();
    if let Some(python) = python {
        let reports = autobahn_python(python, &addresses, PYTHON.serializers);
        rows.extend(rows_of(&PYTHON, subject, &addresses, &reports));
    }
    if let Some(node) = node {
        let reports = autobahn_js(node, &addresses, JAVASCRIPT.serializers);
        rows.extend(rows_of(&JAVASCRIPT, subject, &addresses, &reports));
    }
    end(router);
    end(large);
    rows
}

fn config(limits: Limits) -> RouterConfig {
    let tickets = TicketTable::new().principal("alice", "secret-alice", "user");
    RouterConfig::new()
        .realm(Uri::from_static("realm1"), Authentication::new().anonymous("anonymous"))
        .realm(Uri::from_static("realm2"), Authentication::new().ticket(tickets))
        .limits(limits)
}

fn url_of(path: &Path) -> String {
    format!("unix:{}", path.display())
}

/// Sorts what a client reported into the table.
fn rows_of(
    programme: &Programme,
    subject: &dyn Subject,
    addresses: &Addresses,
    reports: &[Value],
) -> Vec<Row> {
    let transports =
        [("tcp", [&addresses.tcp, &addresses.large_tcp]), ("unix", [&addresses.unix, &addresses.large_unix])];
    let row = |(transport, urls): (&'static str, [&String; 2])| {
        let cell = |serializer: &&'static str| {
            let mut cell = Cell::new(serializer, programme.wanted(serializer));
            let is_here = |report: &&Value| {
                report["serializer"] == *serializer && urls.iter().any(|url| report["url"] == **url)
            };
            for report in reports.iter().filter(is_here) {
                if report["ok"] == true && report["skipped"] != true {
                    cell.passed += 1;
                } else {
                    cell.failures.push(format!("{}: {}", report["scenario"], report["detail"]));
                }
            }
            cell
        };
        let cells = programme.serializers.iter().map(cell).collect();
        Row { peer: programme.peer, subject: format!("{} router", subject.name()), transport, cells }
    };
    transports.map(row).into()
}

/// Nothing that a peer left behind stays in a router.
fn end(router: Serving) {
    let start = Instant::now();
    loop {
        let stats = (router.stats)();
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
            stats.queued_events,
        ];
        if left.iter().all(|count| *count == 0) {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(5), "left behind: {stats:?}");
        thread::sleep(Duration::from_millis(10));
    }
    (router.end)();
}

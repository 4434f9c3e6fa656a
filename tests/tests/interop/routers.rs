//! Foreign clients against our router.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use roadbed_core::limits::Limits;
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::session::ClientConfig;
use roadbed_core::uri::Uri;
use roadbed_router::{Authentication, RouterConfig, TicketTable};
use serde_json::Value;

use crate::adapters::Blocking;
use crate::client::Client;
use crate::peers::{Peers, reports};
use crate::report::{Cell, Row};
use crate::subject::{Joining, Serving, Setup, Subject};
use crate::ways::{Round, Share, Way};

/// What a foreign client does.
pub(crate) struct Programme {
    /// Short, and for the table.
    pub(crate) name: &'static str,
    peer: &'static str,
    /// Unless it is not installed.
    start: fn(&Peers) -> Option<Command>,
    rounds: &'static [Round],
    /// How many scenarios there are this way in this serializer; `json+cbor`: callee and caller in different ones, so
    /// that the router transcodes.
    scenarios: fn(Way, &str) -> usize,
}

const RAW: &[Way] = &Way::PLAIN;
const WEB: &[Way] = &[Way::WebSocket, Way::SecureWebSocket, Way::Deflate];
const EACH: &[&str] = &["json", "msgpack", "cbor"];
const MIXED: &[&str] = &["json", "msgpack", "cbor", "json+msgpack", "msgpack+cbor", "cbor+json"];
const BATCHED: &[&str] = &["json.batched", "msgpack.batched", "cbor.batched"];
const ALL_BUT_RAW: &[Way] = &[Way::Tls, Way::WebSocket, Way::SecureWebSocket, Way::Deflate];
const BATCHED_WAYS: &[Way] = &[Way::WebSocket, Way::SecureWebSocket];

/// All of them.
pub(crate) const PROGRAMMES: [Programme; 4] = [
    Programme {
        name: "py",
        peer: "autobahn-python on asyncio to our router",
        start: |peers| Some(peers.python("peer.py")),
        rounds: &[
            Round { ways: RAW, serializers: MIXED, share: Share::All },
            Round { ways: ALL_BUT_RAW, serializers: EACH, share: Share::InTurn(0) },
            Round { ways: BATCHED_WAYS, serializers: BATCHED, share: Share::InTurn(0) },
        ],
        scenarios: python_scenarios,
    },
    Programme {
        name: "tx",
        peer: "autobahn-python on Twisted to our router",
        start: |peers| {
            let mut command = peers.python("peer.py");
            command.args(["--framework", "twisted"]);
            Some(command)
        },
        rounds: &[Round { ways: &Way::ALL, serializers: EACH, share: Share::InTurn(1) }],
        scenarios: python_scenarios,
    },
    Programme {
        name: "js",
        peer: "autobahn-js to our router",
        start: |peers| peers.javascript("autobahn_peer.mjs"),
        rounds: &[
            // The only serializer of its RawSocket.
            Round { ways: RAW, serializers: &["json"], share: Share::All },
            Round { ways: WEB, serializers: EACH, share: Share::InTurn(2) },
        ],
        // Bytes in JSON are unknown to it.
        scenarios: |_, serializer| 25 - usize::from(serializer.contains("json")) + 2,
    },
    Programme {
        name: "wampy",
        peer: "wampy to our router",
        start: |peers| peers.javascript("wampy_peer.mjs"),
        rounds: &[Round { ways: WEB, serializers: EACH, share: Share::InTurn(0) }],
        // Nor to wampy, which has no words for two scenarios more.
        scenarios: |_, serializer| 23 - usize::from(serializer.contains("json")) + 2,
    },
];

/// 28, and 2 with tickets. In one of them a peer takes only short messages, which WebSocket has no way to say.
fn python_scenarios(way: Way, _: &str) -> usize {
    28 - usize::from(way.is_websocket()) + 2
}

impl Programme {
    /// Whether it is installed.
    pub(crate) fn is_here(&self, peers: &Peers) -> bool {
        (self.start)(peers).is_some()
    }

    /// The ways on which it meets the subject.
    pub(crate) fn ways(&self, subject: &dyn Subject) -> impl Iterator<Item = Way> {
        let is_gone = |way: &Way| self.rounds.iter().any(|round| round.ways.contains(way));
        subject.ways().iter().copied().filter(is_gone)
    }

    /// 8 MiB comes on top, where the limit is raised, unless two serializers are mixed.
    fn wanted(&self, way: Way, serializer: &str) -> usize {
        (self.scenarios)(way, serializer) + usize::from(has_large(way) && !serializer.contains('+'))
    }
}

/// Whether messages of 8 MiB go this way. It takes long to compress them.
fn has_large(way: Way) -> bool {
    way != Way::Deflate
}

/// The routers that a programme meets.
struct Routers {
    /// With the limits by default.
    usual: (Serving, PathBuf),
    /// Where messages of 16 MiB are taken.
    large: (Serving, PathBuf),
    /// Where WebSocket is compressed.
    deflating: Serving,
}

impl Routers {
    fn serve(subject: &dyn Subject, peers: &Peers, name: &str) -> Self {
        let serve = |kind: &str, limits: Limits| {
            let path = peers.folder.socket(&format!("{}-{name}-{kind}", subject.name()));
            let tls = peers.certificates.server();
            let setup = Setup { config: config(limits), tls, deflate: kind == "deflating" };
            (subject.serve(setup, &path), path)
        };
        Self {
            usual: serve("usual", Limits::default()),
            large: serve("large", Limits::default().message_size(16 << 20)),
            deflating: serve("deflating", Limits::default()).0,
        }
    }

    fn usual_url(&self, way: Way) -> String {
        match way {
            Way::Deflate => format!("ws://127.0.0.1:{}/ws", self.deflating.port),
            way => url(way, &self.usual),
        }
    }

    fn large_url(&self, way: Way) -> Option<String> {
        has_large(way).then(|| url(way, &self.large))
    }
}

fn url(way: Way, (router, path): &(Serving, PathBuf)) -> String {
    let port = router.port;
    match way {
        Way::Tcp => format!("rs://127.0.0.1:{port}"),
        Way::Unix => format!("unix:{}", Path::display(path)),
        Way::Tls => format!("rss://localhost:{port}"),
        Way::WebSocket | Way::Deflate => format!("ws://127.0.0.1:{port}/ws"),
        Way::SecureWebSocket => format!("wss://localhost:{port}/ws"),
    }
}

/// Rows for the router of the subject with this number.
pub(crate) fn against_our_router(
    programme: &Programme,
    subject: (usize, &dyn Subject),
    peers: &Peers,
) -> Vec<Row> {
    let (number, subject) = subject;
    let routers = Routers::serve(subject, peers, programme.name);
    let own = [routers.usual.0.port, routers.deflating.port].map(|port| callee(port, peers));
    let mut cells = BTreeMap::<Way, Vec<Cell>>::new();
    for round in programme.rounds {
        let ways = || round.ways.iter().copied().filter(|way| subject.ways().contains(way));
        let serializers = round.serializers(number);
        let usual: Vec<String> = ways().map(|way| routers.usual_url(way)).collect();
        let large: Vec<String> = ways().filter_map(|way| routers.large_url(way)).collect();
        if usual.is_empty() {
            continue;
        }
        let command = (programme.start)(peers).unwrap();
        let strs = |urls| <[String]>::iter(urls).map(String::as_str);
        let reports = reports(command, strs(&usual), strs(&large), &serializers);
        for way in ways() {
            let urls = [Some(routers.usual_url(way)), routers.large_url(way)];
            let is_here = |report: &&Value| urls.iter().flatten().any(|url| report["url"] == **url);
            let reports: Vec<&Value> = reports.iter().filter(is_here).collect();
            let cell = |serializer| cell_of(programme, way, serializer, &reports);
            cells.entry(way).or_default().extend(serializers.iter().copied().map(cell));
        }
    }
    own.into_iter().for_each(Client::leave);
    let Routers { usual, large, deflating } = routers;
    [usual.0, large.0, deflating].into_iter().for_each(end);
    let row = |(way, cells): (Way, _)| Row {
        peer: programme.peer,
        subject: format!("{} router", subject.name()),
        way,
        cells,
    };
    cells.into_iter().map(row).collect()
}

/// A callee of ours behind the router at this port, on threads, which go on while no one asks for its session: it
/// reads a whole number and gives it back.
fn callee(port: u16, peers: &Peers) -> Box<dyn Client> {
    let joining = Joining {
        config: ClientConfig::new(Uri::from_static("realm1")),
        serializer: Serializer::MsgPack,
        tls: peers.certificates.client(),
        deflate: false,
        batched: false,
    };
    let mut callee = Blocking.join(&format!("rs://127.0.0.1:{port}"), joining).unwrap();
    callee.register("com.roadbed.rust.whole", |payload, serializer| {
        let number = payload.args::<(i64,)>().unwrap();
        Payload::from_args(serializer, &number).unwrap()
    });
    callee
}

fn config(limits: Limits) -> RouterConfig {
    let tickets = TicketTable::new().principal("alice", "secret-alice", "user");
    RouterConfig::new()
        .realm(Uri::from_static("realm1"), Authentication::new().anonymous("anonymous"))
        .realm(Uri::from_static("realm2"), Authentication::new().ticket(tickets))
        .limits(limits)
}

/// Sorts into the table what a client reported that went this way.
fn cell_of(programme: &Programme, way: Way, serializer: &'static str, reports: &[&Value]) -> Cell {
    let mut cell = Cell::new(serializer, programme.wanted(way, serializer));
    let reports = || reports.iter().filter(|report| report["serializer"] == serializer);
    for report in reports() {
        if report["ok"] == true {
            // What is skipped is missed in the count, unless it should be.
            cell.passed += usize::from(report["skipped"] != true);
        } else {
            cell.failures.push(format!("{}: {}", report["scenario"], report["detail"]));
        }
    }
    // Scenarios whose sessions are refused do not know.
    if reports().any(|report| report["compressed"] == true) != (way == Way::Deflate) {
        cell.failures.push("compressed, or not, against the router's will".to_owned());
    }
    cell
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

/// Turns leave nothing out: on every way that a programme goes, each of its serializers comes up with some subject.
#[test]
fn turns_meet_everything() {
    let subjects = crate::subject::SUBJECTS;
    for programme in &PROGRAMMES {
        for (round, way) in
            programme.rounds.iter().flat_map(|round| round.ways.iter().map(move |way| (round, way)))
        {
            let here = subjects.iter().enumerate().filter(|(_, subject)| subject.ways().contains(way));
            let met: Vec<&str> = here.flat_map(|(number, _)| round.serializers(number)).collect();
            for serializer in round.serializers {
                assert!(met.contains(serializer), "{} {way:?} {serializer}", programme.peer);
            }
        }
    }
}

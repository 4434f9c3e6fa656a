//! Our clients through Crossbar.io, with autobahn-python at the other end.

use std::panic::{AssertUnwindSafe, catch_unwind};

use roadbed_core::error::uris;
use roadbed_core::limits::Limits;
use roadbed_core::options::CancelMode;
use roadbed_core::payload::{Binary, Payload};
use roadbed_core::serializer::Serializer;
use roadbed_core::session::ClientConfig;
use roadbed_core::uri::Uri;
use roadbed_core::value::{Dict, Value};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::client::Client;
use crate::peers::{Crossbar, Peer, Peers};
use crate::report::{Cell, Row, text_of};
use crate::subject::{Joining, Subject};
use crate::ways::{Round, Share, Way};

/// What a scenario has.
struct Stage<'a> {
    client: &'a mut dyn Client,
    /// Below it is everything that serve_peer.py offers.
    prefix: &'a str,
}

impl Stage<'_> {
    fn at(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    /// Arguments in the client's serializer.
    fn args(&self, args: &impl serde::Serialize) -> Payload {
        Payload::from_args(self.client.serializer(), args).unwrap()
    }

    /// The result of a call that succeeds.
    fn ask(&mut self, name: &str, payload: Payload) -> Payload {
        let procedure = self.at(name);
        self.client.call(&procedure, payload).unwrap()
    }
}

type Scenario = fn(&mut Stage<'_>);

/// What one session does, in this order.
const SCENARIOS: [(&str, Scenario); 14] = [
    ("call", call),
    ("application_error", application_error),
    ("no_such_procedure", no_such_procedure),
    ("cancel_killnowait", |stage| cancel(stage, CancelMode::KillNoWait)),
    ("cancel_kill", |stage| cancel(stage, CancelMode::Kill)),
    ("binary", binary),
    ("text", |stage| text(stage, &[0, 1, 125, 126, 65_535, 65_536, 512 << 10])),
    ("large", |stage| text(stage, &[8 << 20])),
    ("values", values),
    ("events", events),
    ("unsubscribe", unsubscribe),
    ("publish", publish),
    ("register", register),
    ("unregister", unregister),
];

/// What is tried beside: how the way looks to the router, leaving, a good ticket and a bad one.
const JOINING: usize = 4;

/// What is tried. Batches in JSON are not: those of ours end in 0x1E, as the specification has it, and Crossbar knows
/// only 0x18 (autobahn's `"\30"`, an octal thirty); as our client speaks first, it cannot see that.
const ROUNDS: [Round; 3] = [
    Round { ways: &Way::PLAIN, serializers: &["json", "msgpack", "cbor"], share: Share::All },
    Round {
        ways: &[Way::Tls, Way::WebSocket, Way::SecureWebSocket, Way::Deflate],
        serializers: &["json", "msgpack", "cbor"],
        share: Share::InTurn(0),
    },
    Round {
        ways: &[Way::WebSocket, Way::SecureWebSocket],
        serializers: &["msgpack.batched", "cbor.batched"],
        share: Share::InTurn(0),
    },
];

/// Rows for the subject with this number over all its transports.
pub(crate) fn through_crossbar(
    subject: (usize, &dyn Subject),
    peers: &Peers,
    crossbar: &Crossbar,
) -> Vec<Row> {
    let (number, subject) = subject;
    let prefix = format!("com.roadbed.{}", subject.name().replace('-', "_"));
    // The peer speaks another serializer than most of our clients, so that Crossbar transcodes as well.
    let mut command = peers.python("serve_peer.py");
    command.args(["--url", crossbar.url(Way::Tcp), "--serializer", "cbor", "--prefix", &prefix]);
    let mut served = Peer::start(&mut command);
    assert_eq!(served.line().trim(), "READY");
    let row = |way: &Way| {
        let here = ROUNDS.iter().filter(|round| round.ways.contains(way));
        let serializers = here.flat_map(|round| round.serializers(number));
        let cell = |name: &'static str| {
            let mut cell = Cell::new(name, SCENARIOS.len() + JOINING);
            let visit = Visit { subject, peers, way: *way, url: crossbar.url(*way), name };
            let done = catch_unwind(AssertUnwindSafe(|| play(&visit, &prefix, &mut cell)));
            if let Err(panic) = done {
                cell.failures.push(text_of(&*panic).to_owned());
            }
            cell
        };
        Row {
            peer: "through Crossbar.io to autobahn-python",
            subject: format!("{} client", subject.name()),
            way: *way,
            cells: serializers.map(cell).collect(),
        }
    };
    subject.ways().iter().map(row).collect()
}

/// Who goes where, and how.
struct Visit<'a> {
    subject: &'a dyn Subject,
    peers: &'a Peers,
    way: Way,
    url: &'a str,
    /// Of a serializer, batched or not.
    name: &'static str,
}

impl Visit<'_> {
    fn join(&self, config: ClientConfig) -> Result<Box<dyn Client>, Uri> {
        let (serializer, mode) = self.name.split_once('.').unwrap_or((self.name, ""));
        let joining = Joining {
            config,
            serializer: serializer_of(serializer),
            tls: self.peers.certificates.client(),
            deflate: self.way == Way::Deflate,
            batched: mode == "batched",
        };
        self.subject.join(self.url, joining)
    }

    /// Crossbar tells how it sees us: it speaks what it was asked for, and nothing else.
    fn check_way(&self, client: &mut dyn Client) {
        let session = Payload::from_args(client.serializer(), &(client.session().get(),)).unwrap();
        let result = client.call("wamp.session.get", session).unwrap();
        let (Details { transport },) = result.args().unwrap();
        if self.way.is_websocket() {
            let subprotocol = format!("wamp.2.{}", self.name);
            assert_eq!(transport.websocket_protocol, Some(subprotocol), "{transport:?}");
            let extensions = transport.websocket_extensions_in_use.as_ref();
            assert_eq!(
                extensions.is_some_and(|some| !some.is_empty()),
                self.way == Way::Deflate,
                "{transport:?}"
            );
        } else {
            assert_eq!(transport.channel_framing, "rawsocket", "{transport:?}");
            assert_eq!(transport.channel_serializer.as_deref(), Some(self.name), "{transport:?}");
        }
    }
}

/// What Crossbar tells of a session.
#[derive(Deserialize)]
struct Details {
    transport: Transport,
}

#[derive(Debug, Deserialize)]
struct Transport {
    channel_framing: String,
    channel_serializer: Option<String>,
    websocket_protocol: Option<String>,
    websocket_extensions_in_use: Option<Vec<IgnoredAny>>,
}

fn serializer_of(name: &str) -> Serializer {
    match name {
        "json" => Serializer::Json,
        "msgpack" => Serializer::MsgPack,
        "cbor" => Serializer::Cbor,
        other => panic!("no serializer {other}"),
    }
}

/// All scenarios in one serializer. The first that fails ends the session, and with it the rest.
fn play(visit: &Visit<'_>, prefix: &str, cell: &mut Cell) {
    let limits = Limits::default().message_size(16 << 20);
    let mut client = visit.join(ClientConfig::new(Uri::from_static("realm1")).limits(limits)).unwrap();
    visit.check_way(&mut *client);
    cell.passed += 1;
    for (name, scenario) in SCENARIOS {
        let mut stage = Stage { client: &mut *client, prefix };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| scenario(&mut stage))) {
            cell.failures.push(format!("{name}: {}", text_of(&*panic)));
            return;
        }
        cell.passed += 1;
    }
    client.leave();
    cell.passed += 1;

    let ticket = |ticket: &str| {
        let config = ClientConfig::new(Uri::from_static("realm2")).authid("alice").ticket(ticket.to_owned());
        visit.join(config)
    };
    ticket("secret-alice").unwrap().leave();
    cell.passed += 1;
    let Err(refused) = ticket("wrong") else { panic!("joined with a wrong ticket") };
    assert!(refused.as_str().starts_with("wamp.error."), "{refused}");
    cell.passed += 1;
}

fn call(stage: &mut Stage<'_>) {
    let sum = stage.ask("add2", stage.args(&(2, 3)));
    assert_eq!(sum.args::<(i64,)>().unwrap(), (5,));
}

fn application_error(stage: &mut Stage<'_>) {
    let limit = Dict::from([("limit", Value::from(7))]);
    let reasons = Payload::build(stage.client.serializer(), &("too small", 3), &limit).unwrap();
    let error = stage.client.call(&stage.at("fail"), reasons).unwrap_err();
    assert_eq!(error.uri.as_str(), stage.at("error"));
    assert_eq!(error.payload.args::<(String, i64)>().unwrap(), ("too small".into(), 3));
    assert_eq!(error.payload.kwargs::<Dict>().unwrap(), limit);
}

fn no_such_procedure(stage: &mut Stage<'_>) {
    let error = stage.client.call(&stage.at("nobody"), Payload::EMPTY).unwrap_err();
    assert_eq!(error.uri, uris::NO_SUCH_PROCEDURE);
}

fn cancel(stage: &mut Stage<'_>, mode: CancelMode) {
    stage.client.start(&stage.at("slow"));
    // Not canceled before the callee has it.
    wait_for_running(stage, 1);
    let error = stage.client.cancel(mode).unwrap_err();
    assert!(error.is_canceled(), "{error}");
    // The callee was told as well.
    wait_for_running(stage, 0);
}

/// Asks until so many calls of `slow` are under way.
fn wait_for_running(stage: &mut Stage<'_>, wanted: u64) {
    while stage.ask("running", Payload::EMPTY).args::<(u64,)>().unwrap().0 != wanted {}
}

fn binary(stage: &mut Stage<'_>) {
    let bytes = Binary::from((0..=255).collect::<Vec<u8>>());
    let echoed = stage.ask("echo", stage.args(&(&bytes,)));
    assert_eq!(echoed.args::<(Binary,)>().unwrap().0, bytes);
}

fn text(stage: &mut Stage<'_>, sizes: &[usize]) {
    for size in sizes {
        let text = "x".repeat(*size);
        let echoed = stage.ask("echo", stage.args(&(&text,)));
        assert!(echoed.args::<(String,)>().unwrap().0 == text, "{size} bytes of text came back differently");
    }
}

fn values(stage: &mut Stage<'_>) {
    let args = vec![Value::Null, Value::from(-1_i64), Value::from(u64::MAX), Value::from(0.5), "é😀".into()];
    let kwargs = Dict::from([("list", Value::from(vec![Value::from(true)])), ("empty", Dict::new().into())]);
    let payload = Payload::build(stage.client.serializer(), &args, &kwargs).unwrap();
    let echoed = stage.ask("echo", payload);
    assert_eq!(echoed.args::<Vec<Value>>().unwrap(), args);
    assert_eq!(echoed.kwargs::<Dict>().unwrap(), kwargs);
}

fn events(stage: &mut Stage<'_>) {
    stage.client.subscribe(&stage.at("tick"));
    stage.ask("emit", stage.args(&(3, "tock")));
    for number in 0..3 {
        let (got, word) = stage.client.event().args::<(u64, String)>().unwrap();
        assert_eq!((got, &*word), (number, "tock"), "events come in order");
    }
}

/// The end of the subscription that `events` made: what is published afterwards does not arrive, and a new
/// subscription sees only what comes after it.
fn unsubscribe(stage: &mut Stage<'_>) {
    stage.client.unsubscribe();
    stage.ask("emit", stage.args(&(1, "missed")));
    stage.client.subscribe(&stage.at("tick"));
    stage.ask("emit", stage.args(&(1, "seen")));
    assert_eq!(stage.client.event().args::<(u64, String)>().unwrap().1, "seen");
    stage.client.unsubscribe();
}

fn publish(stage: &mut Stage<'_>) {
    let kwargs = Dict::from([("day", Value::from(7))]);
    let payload = Payload::build(stage.client.serializer(), &("letter",), &kwargs).unwrap();
    stage.client.publish(&stage.at("inbox"), payload);
    let received = stage.ask("received", Payload::EMPTY);
    let (letters,) = received.args::<(Vec<(Vec<String>, Dict)>,)>().unwrap();
    assert_eq!(letters, [(vec!["letter".to_owned()], kwargs)]);
}

fn register(stage: &mut Stage<'_>) {
    stage.client.register(&stage.at("double"), |payload, serializer| {
        let (number,) = payload.args::<(i64,)>().unwrap();
        Payload::from_args(serializer, &(number * 2,)).unwrap()
    });
    // Through the router, back to this very session.
    let doubled = stage.ask("double", stage.args(&(21,)));
    assert_eq!(doubled.args::<(i64,)>().unwrap(), (42,));
}

fn unregister(stage: &mut Stage<'_>) {
    stage.client.unregister();
    let error = stage.client.call(&stage.at("double"), Payload::EMPTY).unwrap_err();
    assert_eq!(error.uri, uris::NO_SUCH_PROCEDURE);
}

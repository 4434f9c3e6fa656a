//! The same inputs give the same bytes: in one process, in another one, and whatever the order of a hash
//! table is.

use std::process::Command;
use std::time::Duration;

use roadbed_core::options::{CallOptions, PublishOptions, RegisterOptions, SubscribeOptions, YieldOptions};
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::session::{ClientConfig, SessionEvent};
use roadbed_core::uri::Uri;
use roadbed_router::{Authentication, RouterConfig};
use roadbed_testkit::{Carrier, ClientId, Conditions, Pieces, Transcript, World};

/// The tests of this file look for this variable when they run as another process.
const CHILD: &str = "ROADBED_PRINT_DIGEST";

/// One of each kind.
const MIXED: [Carrier; 3] = [Carrier::RawSocket, Carrier::WebSocket, Carrier::BatchedDeflate];

fn uri(text: String) -> Uri {
    Uri::new(text).expect("a URI")
}

struct Run {
    world: World,
    events: Transcript,
}

impl Run {
    fn new(seed: u64) -> Self {
        let realm = Uri::from_static("realm1");
        let config = RouterConfig::new().realm(realm, Authentication::new().anonymous("guest"));
        let mut world = World::with_seed(config, seed);
        world.record();
        Self { world, events: Transcript::new() }
    }

    fn join(&mut self, (carrier, serializer): (Carrier, Serializer)) -> ClientId {
        let config = ClientConfig::new(Uri::from_static("realm1")).build().expect("a configuration");
        let client = self.world.connect(config, carrier.endpoint(serializer));
        self.drive();
        client
    }

    fn drive(&mut self) {
        self.world.drive();
    }

    fn note(&mut self, client: ClientId) -> Vec<SessionEvent> {
        let events = self.world.events(client);
        for event in &events {
            self.events.note("event", event);
        }
        events
    }
}

/// Many subscriptions, registrations and calls, ended in every way.
fn scenario(
    seed: u64,
    clients: &[(Carrier, Serializer)],
    conditions: &Conditions,
) -> (Transcript, Transcript) {
    let mut run = Run::new(seed);
    run.world.set_conditions(conditions.clone());
    let clients: Vec<ClientId> = clients.iter().map(|client| run.join(*client)).collect();
    for (index, &client) in clients.iter().enumerate() {
        for number in 0..12 {
            let topic = uri(format!("com.example.topic{number}"));
            let own = uri(format!("com.example.client{index}.procedure{number}"));
            run.world.with(client, |connection, now| {
                connection.subscribe(now, &topic, &SubscribeOptions::new()).expect("a subscription");
                connection.register(now, &own, &RegisterOptions::new()).expect("a registration");
            });
        }
    }
    run.drive();
    for (index, &client) in clients.iter().enumerate() {
        for number in 0..12 {
            let topic = uri(format!("com.example.topic{number}"));
            let next = (index + 1) % clients.len();
            let procedure = uri(format!("com.example.client{next}.procedure{number}"));
            let options = PublishOptions::new().acknowledge(true);
            run.world.with(client, |connection, now| {
                connection.publish(now, &topic, Payload::EMPTY, &options).expect("a publication");
                connection.call(now, &procedure, Payload::EMPTY, &CallOptions::new()).expect("a call");
            });
        }
    }
    run.drive();
    // The first one answers every other call, the second vanishes, the third leaves.
    for (index, event) in run.note(clients[0]).into_iter().enumerate() {
        if let (SessionEvent::Invocation { invocation, payload, .. }, true) = (event, index % 2 == 0) {
            run.world.with(clients[0], |connection, now| {
                connection.yield_result(now, invocation, payload, &YieldOptions::new()).expect("an answer");
            });
        }
    }
    run.world.kill(clients[1]);
    run.world.with(clients[2], |connection, now| connection.leave(now, None)).expect("it is joined");
    run.drive();
    run.world.advance(Duration::from_secs(120));
    for &client in &clients {
        run.note(client);
    }
    for event in run.world.router_events() {
        run.events.note("router", &event);
    }
    (run.world.transcript(), run.events)
}

fn rough(seed: u64, carriers: [Carrier; 3]) -> (Transcript, Transcript) {
    let conditions = Conditions::new().latency(Duration::from_millis(3)).jitter(Duration::from_millis(20));
    let serializers = [Serializer::Json, Serializer::MsgPack, Serializer::Cbor];
    let clients: Vec<_> = carriers.into_iter().zip(serializers).collect();
    scenario(seed, &clients, &conditions.pieces(Pieces::Random))
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let every = Carrier::ALL.iter().map(|carrier| [*carrier; 3]);
    for carriers in every.chain([MIXED]) {
        let (bytes, events) = rough(1, carriers);
        assert!(bytes.len() > 20 && events.len() > 100, "{carriers:?}");
        let again = rough(1, carriers);
        assert_eq!(bytes.first_difference(&again.0), None, "{carriers:?}");
        assert_eq!(events.first_difference(&again.1), None, "{carriers:?}");
        assert_ne!(bytes.digest(), rough(2, carriers).0.digest(), "{carriers:?}");
    }
}

/// What is drawn at random once a process, such as the keys of std's hash tables, would show here.
#[test]
fn another_process_gives_the_same_bytes() {
    let digest = format!("digest {:016x}", rough(1, MIXED).0.digest());
    if std::env::var_os(CHILD).is_some() {
        println!("{digest}");
        return;
    }
    let output = Command::new(std::env::current_exe().expect("this program has a path"))
        .args(["--exact", "another_process_gives_the_same_bytes", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("this program can be run");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains(&digest), "not {digest}:\n{text}");
}

/// The router's seed keys its hash tables. Apart from the ids that are drawn at random, nothing depends
/// on it.
#[test]
fn the_order_of_hash_tables_does_not_show() {
    let clients = [
        (Carrier::RawSocket, Serializer::Json),
        (Carrier::WebSocket, Serializer::Cbor),
        (Carrier::Batched, Serializer::Json),
        (Carrier::Deflate, Serializer::MsgPack),
    ];
    let (_, first) = scenario(1, &clients, &Conditions::new());
    for seed in 2..12 {
        let (_, other) = scenario(seed, &clients, &Conditions::new());
        assert_eq!(without_ids(&first).first_difference(&without_ids(&other)), None, "seed {seed}");
    }
}

/// The events without random ids: without numbers of seven digits and more, and the names that the router
/// makes up.
fn without_ids(events: &Transcript) -> Transcript {
    let mut texts = Transcript::new();
    for event in events.entries() {
        let words = event.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| {
            let is_number = word.len() > 6 && word.bytes().all(|byte| byte.is_ascii_digit());
            let is_name = word.len() == 24 && !word.contains('_');
            !is_number && !is_name
        });
        texts.note("event", &words.collect::<Vec<_>>().join(" "));
    }
    texts
}

//! The official vectors that are conversations: clients say their part to our router, which has to say
//! its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bytes::{Bytes, BytesMut};
use libtest_mimic::Arguments;
use roadbed_core::limits::Limits;
use roadbed_core::message::MessageType;
use roadbed_core::serializer::Serializer;
use roadbed_core::time::{Timestamp, UnixMicros};
use roadbed_core::transport::TransportDetails;
use roadbed_core::uri::Uri;
use roadbed_router::{Authentication, Port, Router, RouterConfig};
use roadbed_tests::outside::trial;
use roadbed_tests::vectors::official::folder;
use roadbed_tests::vectors::sequences::{Party, Sequence, Step, sequences};
use serde_json::{Value as Json, json};

const NOW: Timestamp = Timestamp::ZERO;

fn main() -> ExitCode {
    let test = |folder: PathBuf| the_router_says_its_part(&folder);
    let trials = vec![trial("conversations", "the_router_says_its_part", folder(), test)];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn the_router_says_its_part(folder: &Path) {
    let sequences = sequences(folder);
    assert!(!sequences.is_empty());
    for sequence in sequences {
        Stage::new(&sequence).play(&sequence);
    }
}

struct Stage {
    router: Router,
    ports: BTreeMap<String, Port>,
    /// What the router has sent and no step has awaited yet.
    heard: BTreeMap<String, Vec<Json>>,
    /// The last request id of each session.
    requests: BTreeMap<String, u64>,
    /// Ids of the file, by element and value, and what they are here.
    ids: BTreeMap<(&'static str, u64), u64>,
    events: BTreeMap<String, usize>,
}

impl Stage {
    fn new(sequence: &Sequence) -> Self {
        let config = sequence.sessions.iter().fold(RouterConfig::new(), |config, party| {
            config.realm(Uri::new(&party.realm).unwrap(), Authentication::new().anonymous("guest"))
        });
        let router = Router::new(config.into_shared(), [1; 32], NOW, UnixMicros::default());
        let mut stage = Self {
            router,
            ports: BTreeMap::new(),
            heard: BTreeMap::new(),
            requests: BTreeMap::new(),
            ids: BTreeMap::new(),
            events: BTreeMap::new(),
        };
        sequence.sessions.iter().for_each(|party| stage.enter(party));
        stage
    }

    fn enter(&mut self, party: &Party) {
        let details = TransportDetails::local();
        let mut port = Port::messages(&Limits::default(), Serializer::Json, 1 << 20, details, NOW);
        port.serve(&mut self.router, NOW, &mut BytesMut::new());
        self.ports.insert(party.name.clone(), port);
        let roles: serde_json::Map<_, _> = party.roles.iter().map(|role| (role.clone(), json!({}))).collect();
        self.say(&party.name, &json!([1, party.realm, { "roles": roles }]));
        let welcome = self.heard.get_mut(&party.name).and_then(Vec::pop).expect("WELCOME");
        assert_eq!(welcome[0], MessageType::Welcome.code());
    }

    fn play(mut self, sequence: &Sequence) {
        println!("{}", sequence.description);
        for step in &sequence.steps {
            if step.from_router { self.hear(step) } else { self.speak(step) }
        }
        for (name, left) in &self.heard {
            assert!(left.is_empty(), "{name} also got {left:?}");
        }
        assert_eq!(self.events.values().sum::<usize>(), sequence.event_count);
        assert_eq!(self.events.into_keys().collect::<Vec<_>>(), sequence.event_recipients);
    }

    /// A session's part, with request ids of our own.
    fn speak(&mut self, step: &Step) {
        let mut elements = step.elements.clone();
        if step.message_type.takes_request_id() {
            let request = self.requests.entry(step.session.clone()).or_default();
            *request += 1;
            self.ids.insert(("request", elements[1].as_u64().unwrap()), *request);
            elements[1] = (*request).into();
        }
        self.say(&step.session, &elements);
    }

    /// The router's part: the same message, with ids of its own where the file has examples.
    fn hear(&mut self, step: &Step) {
        let heard = self.heard.get_mut(&step.session).filter(|heard| !heard.is_empty());
        let heard = heard.unwrap_or_else(|| panic!("{} was not sent {}", step.session, step.message_type));
        let got = heard.remove(0);
        let mut wanted = step.elements.clone();
        let named: &[(usize, &'static str)] = match step.message_type {
            MessageType::Subscribed => &[(1, "request"), (2, "subscription")],
            MessageType::Published => &[(1, "request"), (2, "publication")],
            MessageType::Event => &[(1, "subscription"), (2, "publication")],
            other => panic!("no vector had a {other} from the router"),
        };
        for &(index, name) in named {
            let example = wanted[index].as_u64().unwrap();
            let bound = self.ids.entry((name, example)).or_insert(got[index].as_u64().unwrap());
            wanted[index] = (*bound).into();
        }
        assert_eq!(got, wanted);
        if step.message_type == MessageType::Event {
            *self.events.entry(step.session.clone()).or_default() += 1;
        }
    }

    fn say(&mut self, name: &str, elements: &Json) {
        let speaker = self.ports.get_mut(name).expect("a session of the file");
        assert!(speaker.wants_input(), "{name} is not heard");
        speaker.handle_message(NOW, &Bytes::from(elements.to_string()));
        speaker.serve(&mut self.router, NOW, &mut BytesMut::new());
        for (name, port) in &mut self.ports {
            port.serve(&mut self.router, NOW, &mut BytesMut::new());
            assert_eq!(port.closing(), None, "{name} is closed");
            while let Some(message) = port.poll_message() {
                let message = serde_json::from_slice(&message.to_bytes()).unwrap();
                self.heard.entry(name.clone()).or_default().push(message);
            }
        }
    }
}

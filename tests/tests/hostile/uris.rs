//! URIs that are none, over TCP against the server that ships: every place of every message where one may stand.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use roadbed::server::{Authentication, RouterConfig, RouterHandle};
use roadbed_core::message::{KeyInfo, Message, MessageType, Sender};
use roadbed_core::serializer::Serializer;
use roadbed_core::uri::{MatchPolicy, Uri, UriRules};
use roadbed_tests::frames::handshake;

use super::decode;

/// What a URI field is for a router. A field that is added to the tables has to be listed here, and whoever lists
/// it has to say what becomes of a text that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Peers send it; it is checked before anything comes of it.
    Checked,
    /// Only routers send it, from what they checked or made themselves.
    OfTheRouter,
}

use Kind::{Checked, OfTheRouter};

const FIELDS: [(&str, Kind); 14] = [
    ("HELLO realm", Checked),
    ("WELCOME details.realm", OfTheRouter),
    ("ABORT reason", Checked),
    ("GOODBYE reason", Checked),
    ("ERROR error", Checked),
    ("PUBLISH topic", Checked),
    ("SUBSCRIBE topic", Checked),
    ("UNSUBSCRIBED details.reason", OfTheRouter),
    ("EVENT details.topic", OfTheRouter),
    ("CALL procedure", Checked),
    ("REGISTER procedure", Checked),
    ("UNREGISTERED details.reason", OfTheRouter),
    ("INVOCATION details.procedure", OfTheRouter),
    ("INTERRUPT options.reason", OfTheRouter),
];

fn fields_of(place: &str, keys: &[KeyInfo], found: &mut BTreeSet<String>) {
    for key in keys {
        if key.type_name.contains("Uri") {
            found.insert(format!("{place}.{}", key.name));
        }
        fields_of(&format!("{place}.{}", key.name), key.keys, found);
    }
}

#[test]
fn every_uri_field_is_classified() {
    let mut found = BTreeSet::new();
    for &message in MessageType::ALL {
        for element in message.elements() {
            let place = format!("{message} {}", element.name);
            if element.type_name.contains("Uri") {
                found.insert(place.clone());
            }
            fields_of(&place, element.keys, &mut found);
        }
    }
    let listed: BTreeSet<String> = FIELDS.iter().map(|(field, _)| (*field).to_owned()).collect();
    assert_eq!(found, listed);
    // What only routers send is refused when a client sends it.
    for (field, kind) in FIELDS {
        let message = MessageType::ALL.iter().find(|message| field.split(' ').next() == Some(message.name()));
        let is_theirs = message.unwrap().sender() == Sender::Router;
        assert_eq!(is_theirs, kind == OfTheRouter, "{field}");
    }
}

const BAD: [&str; 5] = ["", "#bad", "a b", "a..b", "a\u{1c}b"];

/// A client that says what it likes, in JSON over RawSocket.
struct Client(TcpStream);

impl Client {
    fn connect(address: SocketAddr, limit: u8) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut request = handshake(Serializer::Json);
        request[1] = (limit << 4) | 1;
        stream.write_all(&request).unwrap();
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer[0], 0x7F);
        Self(stream)
    }

    fn join(address: SocketAddr) -> Self {
        let mut client = Self::connect(address, 15);
        let answer = client.ask(HELLO);
        assert!(matches!(answer, Message::Welcome(_)), "{answer:?}");
        client
    }

    fn say(&mut self, json: &str) {
        let len = u32::try_from(json.len()).unwrap().to_be_bytes();
        self.0.write_all(&[&len, json.as_bytes()].concat()).unwrap();
    }

    /// The next message, whose URIs are all URIs; `None` at the end.
    fn hear(&mut self) -> Option<Message> {
        let mut header = [0; 4];
        match self.0.read_exact(&mut header) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("nothing comes"),
            Err(_) => return None,
        }
        let mut body = vec![0; u32::from_be_bytes(header) as usize];
        self.0.read_exact(&mut body).unwrap();
        let message = decode(Serializer::Json, body).unwrap();
        for uri in uris_of(&message) {
            uri.check(UriRules::Loose, MatchPolicy::Exact, 1024)
                .unwrap_or_else(|error| panic!("{message:?}: {error}"));
        }
        Some(message)
    }

    fn ask(&mut self, json: &str) -> Message {
        self.say(json);
        self.hear().unwrap()
    }
}

/// The URIs in what a router sends.
fn uris_of(message: &Message) -> Vec<Uri> {
    match message {
        Message::Abort(abort) => vec![abort.reason.clone()],
        Message::Goodbye(goodbye) => vec![goodbye.reason.clone()],
        Message::Error(error) => vec![error.error.clone()],
        Message::Welcome(welcome) => welcome.details.realm.iter().cloned().collect(),
        Message::Event(event) => event.details.topic.iter().cloned().collect(),
        Message::Invocation(invocation) => invocation.details.procedure.iter().cloned().collect(),
        Message::Interrupt(interrupt) => interrupt.options.reason.iter().cloned().collect(),
        _ => Vec::new(),
    }
}

const HELLO: &str = r#"[1,"realm1",{"roles":{"caller":{},"callee":{"features":{"call_canceling":true}},"subscriber":{},"publisher":{}}}]"#;

fn with_router(test: impl FnOnce(SocketAddr, &RouterHandle)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _entered = runtime.enter();
    let realm = Uri::from_static("realm1");
    let config = RouterConfig::new().realm(realm, Authentication::new().anonymous("guest"));
    let router = RouterHandle::builder(config).start(Arc::new(roadbed_tokio::Tokio::current())).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let serving = roadbed_tokio::serve(tokio::net::TcpListener::from_std(listener).unwrap(), &router);
    test(address, &router);
    drop(serving);
}

#[track_caller]
fn error(message: &Message, uri: &str) {
    assert!(matches!(message, Message::Error(error) if error.error == *uri), "{message:?}");
}

#[track_caller]
fn abort(message: &Message, uri: &str) {
    assert!(matches!(message, Message::Abort(abort) if abort.reason == *uri), "{message:?}");
}

#[test]
fn no_peer_is_sent_what_is_no_uri() {
    with_router(|address, router| {
        let (mut caller, mut callee) = (Client::join(address), Client::join(address));
        assert!(matches!(callee.ask(r#"[64,1,{},"com.example.p"]"#), Message::Registered(_)));
        let long = "x".repeat(2_000);
        for (request, bad) in (1..).zip(BAD.into_iter().chain([&*long])) {
            let text = serde_json::to_string(bad).unwrap();
            caller.say(&format!(r#"[48,{request},{{}},"com.example.p"]"#));
            assert!(matches!(callee.hear(), Some(Message::Invocation(_))));
            callee.say(&format!(r#"[8,68,{request},{{}},{text},["why"]]"#));
            error(&caller.hear().unwrap(), "wamp.error.invalid_uri");

            let mut other = Client::join(address);
            for (id, kind) in [(1, 32), (2, 64), (3, 48)] {
                error(&other.ask(&format!("[{kind},{id},{{}},{text}]")), "wamp.error.invalid_uri");
            }
            error(&other.ask(&format!(r#"[16,4,{{"acknowledge":true}},{text}]"#)), "wamp.error.invalid_uri");
            other.say(&format!("[16,5,{{}},{text}]"));
            assert!(matches!(other.ask(r#"[32,6,{},"com.example.t"]"#), Message::Subscribed(_)), "{bad}");
            abort(&other.ask(&format!("[6,{{}},{text}]")), "wamp.error.protocol_violation");
            assert_eq!(other.hear(), None);

            let mut other = Client::join(address);
            other.say(&format!("[3,{{}},{text}]"));
            assert_eq!(other.hear(), None, "ABORT is never answered");
        }
        assert_eq!(router.stats().counters.answers_refused, 6);
        assert!(
            matches!(callee.ask(r#"[32,2,{},"com.example.t"]"#), Message::Subscribed(_)),
            "the callee goes on"
        );
    });
}

#[test]
fn a_refused_hello_may_be_said_again_and_answers_may_cross_goodbye() {
    with_router(|address, router| {
        let elsewhere = HELLO.replace("realm1", "elsewhere");
        let mut client = Client::connect(address, 15);
        abort(&client.ask(&elsewhere), "wamp.error.no_such_realm");
        abort(&client.ask(&elsewhere.replace("elsewhere", "a b")), "wamp.error.invalid_uri");
        assert!(matches!(client.ask(HELLO), Message::Welcome(_)));
        assert!(matches!(client.ask(r#"[64,1,{},"com.example.p"]"#), Message::Registered(_)));
        let mut caller = Client::join(address);
        caller.say(r#"[48,1,{},"com.example.p"]"#);
        assert!(matches!(client.hear(), Some(Message::Invocation(_))));
        // A result of 100 KiB that was under way, an error and a CANCEL.
        client.say(r#"[6,{},"wamp.close.normal"]"#);
        client.say(&format!(r#"[70,1,{{}},["{}"]]"#, "x".repeat(100_000)));
        client.say(r#"[8,68,1,{},"com.example.no"]"#);
        client.say("[49,7,{}]");
        assert!(matches!(client.hear(), Some(Message::Goodbye(_))));
        error(&caller.hear().unwrap(), "wamp.error.canceled");
        assert!(matches!(client.ask(HELLO), Message::Welcome(_)));
        let counters = router.stats().counters;
        assert_eq!((counters.late_answers, counters.late_cancels, counters.violations), (2, 1, 0));
        assert!(matches!(client.ask(r#"[6,{},"wamp.close.normal"]"#), Message::Goodbye(_)));
        abort(&client.ask(&elsewhere), "wamp.error.no_such_realm");
        assert_eq!(client.hear(), None, "the third refusal closes");
    });
}

#[test]
fn a_peer_of_512_bytes_joins_and_hears_why_it_is_ended() {
    with_router(|address, _| {
        let mut client = Client::connect(address, 0);
        assert!(matches!(client.ask(HELLO), Message::Welcome(_)));
        let text = format!(r#"[6,{{"{}":1}},"{}"]"#, "k".repeat(300), "b ".repeat(400));
        abort(&client.ask(&text), "wamp.error.protocol_violation");
        assert_eq!(client.hear(), None);
    });
}

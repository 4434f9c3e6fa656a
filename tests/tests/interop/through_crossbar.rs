//! The Roadbed client through Crossbar.io, with autobahn-python at the other end.

use std::process::Command;

use roadbed_core::error::{RequestError, uris};
use roadbed_core::limits::Limits;
use roadbed_core::options::CancelMode;
use roadbed_core::payload::{Binary, Payload};
use roadbed_core::serializer::Serializer;
use roadbed_core::session::{ClientConfig, SessionEvent};
use roadbed_core::value::{Dict, Value};

use crate::client::{Client, uri};
use crate::peers::{Crossbar, Folder, Peer, python, script};

/// The prefix of everything that serve_peer.py offers.
fn at(name: &str) -> String {
    format!("com.roadbed.test.{name}")
}

#[test]
fn every_serializer_over_tcp_and_unix() {
    let Some(python) = python() else { return };
    let folder = Folder::new("crossbar");
    let crossbar = Crossbar::start(&python, &folder);
    // The peer speaks another serializer than most of our clients, so that Crossbar transcodes as well.
    let mut served = Peer::start(Command::new(&python).arg(script("serve_peer.py")).args([
        "--url",
        crossbar.url("tcp"),
        "--serializer",
        "cbor",
    ]));
    assert_eq!(served.line().trim(), "READY");
    for endpoint in ["tcp", "unix"] {
        for serializer in Serializer::ALL {
            println!("through Crossbar.io over {endpoint} in {serializer}");
            let limits = Limits::default().message_size(16 << 20);
            let config = ClientConfig::new(uri("realm1")).limits(limits);
            let mut client = Client::join(crossbar.url(endpoint), config, serializer);
            calls(&mut client);
            payloads(&mut client);
            publications(&mut client);
            registrations(&mut client);
            client.leave();
        }
    }
}

fn calls(client: &mut Client) {
    let serializer = client.serializer;
    let sum = client.ask(&at("add2"), Payload::from_args(serializer, &(2, 3)).unwrap()).unwrap();
    assert_eq!(sum.args::<(i64,)>().unwrap(), (5,));

    let limit = Dict::from([("limit", Value::from(7))]);
    let reasons = Payload::build(serializer, &("too small", 3), &limit).unwrap();
    let failure = client.ask(&at("fail"), reasons).unwrap_err();
    let RequestError::Wamp(error) = failure else { panic!("{failure}") };
    assert_eq!(error.uri, "com.roadbed.test.error");
    assert_eq!(error.payload.args::<(String, i64)>().unwrap(), ("too small".into(), 3));
    assert_eq!(error.payload.kwargs::<Dict>().unwrap(), limit);

    let unknown = client.ask(&at("nobody"), Payload::EMPTY).unwrap_err();
    assert!(matches!(unknown, RequestError::Wamp(error) if error.uri == uris::NO_SUCH_PROCEDURE));

    let slow = client.call(&at("slow"), Payload::EMPTY).unwrap();
    // Not canceled before the callee has it.
    while client.ask(&at("running"), Payload::EMPTY).unwrap().args::<(u64,)>().unwrap().0 == 0 {}
    let now = client.driver.now();
    client.driver.connection.cancel(now, slow, CancelMode::KillNoWait).unwrap();
    let canceled = client.result(slow).unwrap_err();
    assert!(matches!(canceled, RequestError::Wamp(error) if error.is_canceled()));
}

fn payloads(client: &mut Client) {
    let serializer = client.serializer;
    let bytes = Binary::from((0..=255).collect::<Vec<u8>>());
    let echoed = client.ask(&at("echo"), Payload::from_args(serializer, &(&bytes,)).unwrap()).unwrap();
    assert_eq!(echoed.args::<(Binary,)>().unwrap().0, bytes);

    for size in [1, 125, 126, 65_535, 65_536, 512 << 10, 8 << 20] {
        let text = "x".repeat(size);
        let echoed = client.ask(&at("echo"), Payload::from_args(serializer, &(&text,)).unwrap()).unwrap();
        assert_eq!(echoed.args::<(String,)>().unwrap().0, text, "{size} bytes of text");
    }

    let args = vec![Value::Null, Value::from(-1_i64), Value::from(u64::MAX), Value::from(0.5), "é😀".into()];
    let kwargs = Dict::from([("list", Value::from(vec![Value::from(true)])), ("empty", Dict::new().into())]);
    let payload = Payload::build(serializer, &args, &kwargs).unwrap();
    let echoed = client.ask(&at("echo"), payload).unwrap();
    assert_eq!(echoed.args::<Vec<Value>>().unwrap(), args);
    assert_eq!(echoed.kwargs::<Dict>().unwrap(), kwargs);
}

fn publications(client: &mut Client) {
    let serializer = client.serializer;
    let handler = client.subscribe(&at("tick"));
    client.ask(&at("emit"), Payload::from_args(serializer, &(3, "tock")).unwrap()).unwrap();
    for number in 0..3 {
        let (got, word) = client.event().args::<(u64, String)>().unwrap();
        assert_eq!((got, &*word), (number, "tock"), "events come in order");
    }
    let now = client.driver.now();
    client.driver.connection.unsubscribe(now, handler).unwrap();
    let unsubscribed = client.wait(|event| match event {
        SessionEvent::Unsubscribed { handler: id, result } if *id == handler => Some(result.clone()),
        _ => None,
    });
    unsubscribed.unwrap();

    client.publish(&at("inbox"), Payload::from_args(serializer, &("letter", 7)).unwrap());
    let received = client.ask(&at("received"), Payload::EMPTY).unwrap();
    assert!(!received.is_empty(), "the publication did not arrive");
}

fn registrations(client: &mut Client) {
    let serializer = client.serializer;
    let handler = client.register("com.roadbed.loop.double");
    // Through the router, back to this very session.
    let payload = Payload::from_args(serializer, &(21,)).unwrap();
    let call = client.call("com.roadbed.loop.double", payload).unwrap();
    let (invocation, arguments) = client.invocation();
    let (number,) = arguments.args::<(i64,)>().unwrap();
    client.answer(invocation, Payload::from_args(serializer, &(number * 2,)).unwrap());
    assert_eq!(client.result(call).unwrap().args::<(i64,)>().unwrap(), (42,));

    let now = client.driver.now();
    client.driver.connection.unregister(now, handler).unwrap();
    let unregistered = client.wait(|event| match event {
        SessionEvent::Unregistered { handler: id, result } if *id == handler => Some(result.clone()),
        _ => None,
    });
    unregistered.unwrap();
    let gone = client.ask("com.roadbed.loop.double", Payload::EMPTY).unwrap_err();
    assert!(matches!(gone, RequestError::Wamp(error) if error.uri == uris::NO_SUCH_PROCEDURE));
}

//! Sessions over WebSocket.

use std::future::IntoFuture;
use std::sync::{Arc, Mutex};

use roadbed_core::error::uris;
use roadbed_core::transport::websocket::{PathRule, Subprotocol, WebSocketServerConfig};
use roadbed_router::{Grant, RouterConfig, RouterEvent};

use super::connecting::{Network, Place};
use super::*;
use crate::client::Connect;
use crate::server::RouterHandle;

const HOSTS: [(&str, Place); 1] = [("router", Place::Router)];

/// A call, an event, and their traffic. The text is long, and compresses well.
fn use_it(world: &World, session: &Session) {
    let echo = |inv: Invocation| async move { Ok(inv.get::<String>()?) };
    let _echo = world.sim.block_on(session.register("com.example.echo", echo).into_future()).unwrap();
    let mut events = world.sim.block_on(session.subscribe("com.example.topic").into_future()).unwrap();
    let text = "hello ".repeat(20_000);
    let call = session.call("com.example.echo", (&text,)).into_future();
    assert_eq!(world.sim.block_on(call).unwrap().get::<String>().unwrap(), text);
    let publish = session.publish("com.example.topic", (&text,)).exclude_me(false).acknowledge();
    world.sim.block_on(publish.into_future()).unwrap();
    let event = world.sim.block_on(events.next()).unwrap().unwrap();
    assert_eq!(event.get::<String>().unwrap(), text);
}

/// Joins, uses the session, leaves; returns what was sent and received.
fn session(world: &World, connect: impl FnOnce(Connect<Network>) -> Connect<Network>) -> Vec<u8> {
    let network = Network::new(world, &HOSTS);
    let session = network.join(connect(network.connect("ws://router/ws"))).unwrap();
    use_it(world, &session);
    world.sim.block_on(session.leave().into_future()).unwrap();
    drop(session);
    world.assert_empty();
    network.traffic()
}

fn holds(traffic: &[u8], text: &str) -> bool {
    traffic.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn every_subprotocol() {
    let world = World::new();
    for subprotocol in Subprotocol::ALL {
        let traffic = session(&world, |connect| {
            let connect = connect.serializer(subprotocol.serializer);
            if subprotocol.batched { connect.batched() } else { connect }
        });
        assert!(holds(&traffic, &format!("\r\nSec-WebSocket-Protocol: {subprotocol}\r\n\r\n")));
        assert!(holds(&traffic, "GET /ws HTTP/1.1\r\nHost: router\r\n"));
    }
}

/// All serializers are asked for at once, and the router takes the first that it has.
#[test]
fn the_router_chooses_in_one_connection() {
    let world = World::with(Default::default(), |builder| builder.serializers(&[Serializer::Json]));
    let traffic = session(&world, |connect| connect);
    assert!(holds(&traffic, "wamp.2.msgpack, wamp.2.cbor, wamp.2.json\r\n"));
    assert!(holds(&traffic, "\r\nSec-WebSocket-Protocol: wamp.2.json\r\n\r\n"));
}

#[cfg(feature = "deflate")]
#[test]
fn compressed() {
    use roadbed_core::transport::websocket::DeflateConfig;

    let server = WebSocketServerConfig::default().deflate(DeflateConfig::default());
    let world = World::with(Default::default(), |builder| builder.websocket(server));
    for serializer in Serializer::ALL {
        for is_batched in [false, true] {
            let connect = |connect: Connect<Network>| {
                let connect = connect.serializer(serializer).deflate(DeflateConfig::default());
                if is_batched { connect.batched() } else { connect }
            };
            let traffic = session(&world, connect);
            assert!(holds(&traffic, "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"));
            assert!(traffic.len() < 20_000, "{serializer}: {} bytes", traffic.len());
        }
    }
    let traffic = session(&world, |connect| connect.serializer(Serializer::Cbor));
    assert!(traffic.len() > 500_000, "nobody asked to compress");
}

#[test]
fn a_path_leads_to_its_realm_and_nowhere_else() {
    let realm = Uri::new("realm1").unwrap();
    let rule = PathRule::new("/ws").unwrap().realm(realm);
    let world = World::with(Default::default(), |builder| builder.path(rule));
    let network = Network::new(&world, &HOSTS);
    drop(network.join(network.connect("ws://router/ws")).unwrap());
    let error = network.join(network.connect("ws://router/ws").realm("realm2")).unwrap_err();
    assert_eq!(error.uri(), Some(&uris::NO_SUCH_REALM));
    let error = network.join(network.connect("ws://router/other")).unwrap_err();
    assert!(error.to_string().contains("404 Not Found"), "{error}");
    drop(error);
    world.assert_empty();
}

#[test]
fn headers_reach_whoever_decides() {
    let sim = Sim::default();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let questions = Arc::clone(&asked);
    let config =
        RouterConfig::new().realm(Uri::new("realm1").unwrap(), Authentication::new().dynamic("cookie"));
    let router = RouterHandle::builder(config)
        .on_event(move |router, event| {
            if let RouterEvent::Authenticate(question) = event {
                let request = question.upgrade().unwrap();
                let cookie = request.cookie("id").unwrap_or_default().to_owned();
                questions.lock().unwrap().push((cookie, request.query_value("a").unwrap().into_owned()));
                router.grant(question.decision, Grant::new("joe", "friend")).unwrap();
            }
        })
        .start(sim.runtime())
        .unwrap();
    let world = World { sim, router };
    let network = Network::new(&world, &HOSTS);
    let connect = network.connect("ws://router/ws?a=b%20c").header("Cookie", "id=4711");
    let session = network.join(connect.on_challenge("cookie", |_| Ok(String::new()))).unwrap();
    assert_eq!(session.details().authid.as_deref(), Some("joe"));
    assert_eq!(*asked.lock().unwrap(), [("4711".to_owned(), "b c".to_owned())]);
}

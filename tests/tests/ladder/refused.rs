//! What a router does with a message that is too large for the one that it is for.

use std::sync::Arc;

use roadbed_core::error::{RequestError, uris};
use roadbed_core::limits::Limits;
use roadbed_core::link::LinkConfig;
use roadbed_core::options::{CallOptions, PublishOptions, RegisterOptions, SubscribeOptions, YieldOptions};
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::session::{ClientConfig, SessionEvent};
use roadbed_core::transport::websocket::WebSocketServerConfig;
use roadbed_core::uri::Uri;
use roadbed_router::{Authentication, RouterConfig};
use roadbed_testkit::{Carrier, ClientId, World};

const REALM: Uri = Uri::from_static("realm1");
const OF_MUCH: Uri = Uri::from_static("com.example.much");
const OF_LITTLE: Uri = Uri::from_static("com.example.little");
const TOPIC: Uri = Uri::from_static("com.example.topic");
/// Bytes of a message for the one that takes little.
const LITTLE: usize = 16 << 10;

/// A world with somebody who takes much, over RawSocket, and somebody who takes little, over this.
fn world(carrier: Carrier, serializer: Serializer) -> (World, ClientId, ClientId) {
    let config = RouterConfig::new().realm(REALM, Authentication::new().anonymous("guest"));
    let mut websocket = WebSocketServerConfig::default().max_send(LITTLE);
    if carrier.is_compressed() {
        websocket = websocket.deflate(Default::default());
    }
    let mut world = World::with_links(config, LinkConfig::default().websocket(websocket), 1);
    let much = world.connect(ClientConfig::new(REALM).build().unwrap(), serializer);
    let limits = Limits::default().message_size(LITTLE);
    let little: Arc<ClientConfig> = ClientConfig::new(REALM).limits(limits).build().unwrap();
    let mut little_endpoint = carrier.endpoint(serializer);
    if let roadbed_core::connection::Endpoint::WebSocket(config) = &mut little_endpoint {
        // It may send what it does not take.
        config.max_send = Some(1 << 20);
    }
    let little = world.connect(little, little_endpoint);
    world.drive();
    for client in [much, little] {
        assert!(matches!(world.events(client)[..], [SessionEvent::Joined { .. }]));
    }
    (world, much, little)
}

fn payload(serializer: Serializer, length: usize) -> Payload {
    Payload::from_args(serializer, &("x".repeat(length),)).unwrap()
}

/// One calls what the other has registered. What comes of it, if the answer is so long.
fn call(
    world: &mut World,
    (caller, callee, name): (ClientId, ClientId, &Uri),
    question: Payload,
    answer: &Payload,
) -> Result<usize, RequestError> {
    world.with(caller, |connection, now| connection.call(now, name, question, &CallOptions::new())).unwrap();
    world.drive();
    for event in world.events(callee) {
        let SessionEvent::Invocation { invocation, .. } = event else { panic!("{event:?}") };
        let (answer, options) = (answer.clone(), YieldOptions::new());
        world
            .with(callee, |connection, now| connection.yield_result(now, invocation, answer, &options))
            .unwrap();
    }
    world.drive();
    let mut events = world.events(caller);
    match events.pop() {
        Some(SessionEvent::Result { result, .. }) if events.is_empty() => {
            result.map(|answer| answer.payload.len())
        }
        other => panic!("{other:?} behind {events:?}"),
    }
}

#[test]
fn results_invocations_and_events() {
    for (&carrier, serializer) in
        Carrier::ALL.iter().flat_map(|carrier| Serializer::ALL.map(|s| (carrier, s)))
    {
        let (mut world, much, little) = world(carrier, serializer);
        let (long, short) = (payload(serializer, LITTLE), payload(serializer, LITTLE - 200));
        for (client, name) in [(much, OF_MUCH), (little, OF_LITTLE)] {
            let options = RegisterOptions::new();
            world.with(client, |connection, now| connection.register(now, &name, &options)).unwrap();
            world.drive();
            world.events(client);
        }
        for (payload, fits) in [(&long, false), (&short, true), (&long, false)] {
            // A RESULT, and an INVOCATION, for the one that takes little.
            let result = call(&mut world, (little, much, &OF_MUCH), Payload::EMPTY, payload);
            let invoked = call(&mut world, (much, little, &OF_LITTLE), payload.clone(), &Payload::EMPTY);
            for outcome in [result, invoked] {
                match outcome {
                    Ok(_) => assert!(fits, "{carrier:?} {serializer:?}"),
                    Err(RequestError::Wamp(error)) => {
                        assert!(
                            !fits && error.uri == uris::PAYLOAD_SIZE_EXCEEDED,
                            "{carrier:?} {serializer:?}: {error}"
                        );
                        let text = error.payload.arg::<String>(0).unwrap();
                        assert!(text.contains("16384"), "it names the limit: {text}");
                    }
                    Err(other) => panic!("{other}"),
                }
            }
        }

        // An event is dropped and counted, and the next one comes.
        world
            .with(little, |connection, now| connection.subscribe(now, &TOPIC, &SubscribeOptions::new()))
            .unwrap();
        world.drive();
        world.events(little);
        for payload in [&long, &short, &long] {
            let (payload, options) = (payload.clone(), PublishOptions::new());
            world.with(much, |connection, now| connection.publish(now, &TOPIC, payload, &options)).unwrap();
        }
        world.drive();
        let events = world.events(little);
        assert!(
            matches!(&events[..], [SessionEvent::Event { payload, .. }] if *payload == short),
            "{events:?}"
        );
        let counters = world.router().stats().counters;
        assert_eq!((counters.events, counters.events_too_large, counters.violations), (1, 2, 0));
        assert_eq!(world.router().stats().sessions, 2);
    }
}

//! The router's side: a link, the router behind it, and another client that must see the same as well.

use bytes::Bytes;
use roadbed_core::options::SubscribeOptions;
use roadbed_core::serializer::Serializer;
use roadbed_core::session::{ClientConfig, SessionEvent};
use roadbed_core::uri::Uri;
use roadbed_router::{Authentication, Counters, RouterConfig};
use roadbed_testkit::{Script, World};
use roadbed_tests::frames::{Framing, Written};

/// What a client may send without waiting for answers. The order is a good one; others are not.
pub(crate) const MESSAGES: &[&str] = &[
    r#"[1,"realm1",{"roles":{"caller":{},"callee":{"features":{"call_canceling":true}},"publisher":{},"subscriber":{}}}]"#,
    r#"[32,1,{},"com.example.own"]"#,
    r#"[64,2,{},"com.example.procedure"]"#,
    r#"[16,3,{"acknowledge":true,"exclude_me":false},"com.example.own",["to myself"]]"#,
    r#"[16,4,{},"com.example.topic",[1,2],{"to":"the other"}]"#,
    r#"[48,5,{},"com.example.procedure",["first"]]"#,
    r#"[70,1,{},["a result"]]"#,
    r#"[48,6,{},"com.example.procedure",["second"]]"#,
    r#"[49,6,{"mode":"kill"}]"#,
    r#"[8,68,2,{},"wamp.error.canceled"]"#,
    r#"[48,7,{},"com.example.nothing"]"#,
    r#"[48,8,{},"com.example.procedure",["third"]]"#,
    r#"[49,8,{"mode":"skip"}]"#,
    r#"[70,3,{},["too late"]]"#,
    r#"[16,9,{"acknowledge":true},"not a uri"]"#,
    r#"[66,10,1]"#,
    r#"[34,11,1]"#,
    r#"[6,{},"wamp.close.close_realm"]"#,
];

/// What came of it. Ids that are drawn at random are the same in every run of one seed.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    written: Written,
    seen_by_other: Vec<SessionEvent>,
    router_events: Vec<String>,
    counters: Counters,
    pub(crate) violations: u64,
}

/// The good stream, with a PING before each message but the last two: so many PONGs may wait.
pub(crate) fn whole(framing: Framing) -> Vec<u8> {
    let messages = MESSAGES.iter().enumerate();
    let frames = messages.flat_map(|(index, message)| {
        let ping = if index < 16 { framing.ping(&[index as u8]) } else { Vec::new() };
        [ping, framing.message(message)]
    });
    [framing.request()].into_iter().chain(frames).collect::<Vec<_>>().concat()
}

/// Feeds `pieces` to a router; then the stream ends.
pub(crate) fn run(framing: Framing, pieces: &[Bytes]) -> Outcome {
    let realm = Uri::from_static("realm1");
    let config = RouterConfig::new().realm(realm.clone(), Authentication::new().anonymous("guest"));
    let mut world = World::new(config);
    let config = ClientConfig::new(realm).build().expect("the configuration is right");
    let other = world.connect(config, Serializer::Cbor);
    world.drive();
    let topic = Uri::from_static("com.example.topic");
    let subscribed =
        world.with(other, |connection, now| connection.subscribe(now, &topic, &SubscribeOptions::new()));
    subscribed.expect("the other subscribes");
    world.drive();

    let script = world.connect_script(Script::raw());
    for piece in pieces {
        world.script(script).send_bytes(piece);
        world.drive();
    }
    world.script(script).hang_up();
    world.drive();

    world.check_invariants().unwrap();
    let stats = world.router().stats();
    let present = (stats.peers, stats.sessions, stats.subscribers, stats.registrations, stats.calls);
    assert_eq!(present, (1, 1, 1, 0, 0), "only the other client is left");
    assert!(world.is_over(script) && world.script(script).is_ended());
    let router_events = world.router_events().iter().map(|event| format!("{event:?}")).collect();
    Outcome {
        written: Written::parse(
            &world.script(script).receive_bytes(),
            Framing { is_client: false, ..framing },
        ),
        seen_by_other: world.events(other),
        router_events,
        counters: stats.counters,
        violations: stats.counters.violations,
    }
}

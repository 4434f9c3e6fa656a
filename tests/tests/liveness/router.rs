//! A router whose clients fall silent.

use std::time::Duration;

use roadbed_core::connection::Connection;
use roadbed_core::error::{CloseReason, Deadline, RequestError, uris};
use roadbed_core::limits::Limits;
use roadbed_core::link::LinkConfig;
use roadbed_core::message::MessageType;
use roadbed_core::options::{CallOptions, PublishOptions, RegisterOptions};
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::session::{ClientConfig, SessionEvent};
use roadbed_core::transport::{LivenessConfig, LivenessMode};
use roadbed_core::uri::Uri;
use roadbed_router::{Authentication, RouterConfig, RouterEvent, TicketTable};
use roadbed_testkit::{Carrier, ClientId, Script, World};
use roadbed_tests::frames::{Framing, frame, handshake};

use crate::{SECOND, seconds};

const JSON: Serializer = Serializer::Json;
const HELLO: &str = r#"[1,"realm1",{"roles":{"caller":{},"subscriber":{}}}]"#;
const TICKET: &str = r#"[1,"tickets",{"roles":{"caller":{}},"authmethods":["ticket"],"authid":"joe"}]"#;

fn config() -> RouterConfig {
    let tickets = TicketTable::new().principal("joe", "secret", "user");
    RouterConfig::new()
        .realm(Uri::from_static("realm1"), Authentication::new().anonymous("guest"))
        .realm(Uri::from_static("tickets"), Authentication::new().ticket(tickets))
}

fn join(world: &mut World) -> ClientId {
    let config = ClientConfig::new(Uri::from_static("realm1")).build().expect("a configuration");
    let client = world.connect(config, Serializer::Cbor);
    world.drive();
    assert!(matches!(world.events(client)[..], [SessionEvent::Joined { .. }]));
    client
}

/// Lets time pass until the router has closed the stream; says when that was.
fn wait_for_end(world: &mut World, script: ClientId) -> u64 {
    for _ in 0..600 {
        if world.script(script).is_ended() {
            assert_eq!(world.peer(script), None);
            return seconds(world.now());
        }
        world.advance(SECOND);
    }
    panic!("it never ends");
}

#[test]
fn a_client_has_5_seconds_to_get_in_however_far_it_comes() {
    let hello = frame(JSON, HELLO);
    let websocket = Framing { carrier: Carrier::WebSocket, serializer: JSON, is_client: true };
    let request = websocket.request();
    let beginnings: [&[u8]; 10] = [
        b"",
        b"\x7F\xF1",
        &handshake(JSON),
        &[&handshake(JSON), &hello[..3]].concat(),
        &[&handshake(JSON), &hello[..hello.len() - 1]].concat(),
        // The challenge is not answered.
        &[&handshake(JSON)[..], &frame(JSON, TICKET)].concat(),
        b"GET",
        &request[..request.len() - 1],
        // Neither is waited for the answer to a Close frame.
        &request,
        &[&request[..], &websocket.message(HELLO)[..20]].concat(),
    ];
    for beginning in beginnings {
        let mut world = World::new(config());
        let script = world.connect_script(Script::raw());
        world.script(script).send_bytes(beginning);
        assert_eq!(wait_for_end(&mut world, script), 5, "{beginning:?}");
        assert_eq!(world.router().stats().peers, 0);
    }
}

#[test]
fn bytes_that_trickle_do_not_prolong_it() {
    let mut world = World::new(config());
    let script = world.connect_script(Script::raw());
    for byte in [&handshake(JSON)[..], &frame(JSON, HELLO)].concat().into_iter().take(20) {
        world.script(script).send_bytes(&[byte]);
        world.advance(SECOND / 4);
    }
    assert_eq!(wait_for_end(&mut world, script), 5);
}

#[test]
fn a_client_that_takes_nothing_before_it_is_in_is_dropped() {
    let mut world = World::new(config());
    let script = world.connect_script(Script::raw());
    world.script(script).set_reading(false);
    world.down(script).stall();
    world.script(script).send_bytes(&[&handshake(JSON)[..], &frame(JSON, TICKET)].concat());
    // ABORT is due after 5 seconds, and waits for the client no longer than 5 more, and 5 to be flushed.
    world.advance(16 * SECOND);
    assert_eq!(world.router().stats().peers, 0);
    assert_eq!(world.router().stats().queued_bytes, 0);
}

#[test]
fn after_goodbye_a_client_may_come_back_for_5_seconds() {
    let mut world = World::new(config());
    let script = world.connect_script(Script::client(JSON));
    world.script(script).hello("realm1");
    world.advance(10 * SECOND);
    world.script(script).expect(MessageType::Welcome);
    world.script(script).send(roadbed_tests::frames::message(r#"[6,{},"wamp.close.close_realm"]"#));
    world.advance(4 * SECOND);
    world.script(script).expect(MessageType::Goodbye);
    world.script(script).hello("realm1");
    world.advance(60 * SECOND);
    world.script(script).expect(MessageType::Welcome);
    world.script(script).send(roadbed_tests::frames::message(r#"[6,{},"wamp.close.close_realm"]"#));
    assert_eq!(wait_for_end(&mut world, script), 79);
}

#[test]
fn a_goodbye_that_is_not_answered_is_enough_after_5_seconds() {
    let mut world = World::new(config());
    let script = world.connect_script(Script::client(JSON));
    world.script(script).hello("realm1");
    world.drive();
    let killed = world.router().sessions().map(|session| session.id).next().expect("it is joined");
    world.with_router(|router, now| assert!(router.kill(now, killed, &uris::KILLED, "enough")));
    assert_eq!(wait_for_end(&mut world, script), 5);
    world.script(script).expect(MessageType::Welcome);
    world.script(script).expect(MessageType::Goodbye);
}

/// The cable of a callee is pulled. Its procedure is free again, and its callers are told.
#[test]
fn a_callee_that_vanished_is_given_up_after_90_seconds() {
    let mut world = World::new(config());
    let (caller, callee) = (join(&mut world), join(&mut world));
    let procedure = Uri::from_static("com.example.procedure");
    let register = |connection: &mut Connection, now| {
        connection.register(now, &procedure, &RegisterOptions::new()).expect("a registration")
    };
    world.with(callee, register);
    world.drive();
    let call = world.with(caller, |connection, now| {
        connection.call(now, &procedure, Payload::EMPTY, &CallOptions::new()).expect("a call")
    });
    world.drive();
    world.router_events();
    world.black_hole(callee);
    world.advance(89 * SECOND);
    assert_eq!(world.events(caller), []);
    world.advance(SECOND);
    match &world.events(caller)[..] {
        [SessionEvent::Result { call: ended, result: Err(RequestError::Wamp(error)) }] => {
            assert_eq!((ended, &error.uri), (&call, &uris::CANCELED));
        }
        other => panic!("{other:?}"),
    }
    let gone = CloseReason::Timeout(Deadline::Liveness);
    let events = world.router_events();
    assert!(matches!(&events[..], [RouterEvent::Left { reason, .. }] if *reason == gone), "{events:?}");
    world.with(caller, register);
    world.drive();
    assert!(matches!(world.events(caller)[..], [SessionEvent::Registered { result: Ok(_), .. }]));
    assert_eq!(world.router().stats().sessions, 1);
}

/// RawSocket clients of other makers may not know PING: they are pinged only when told so.
#[test]
fn silence_after_a_frame() {
    for (mode, is_dropped) in [(LivenessMode::Auto, false), (LivenessMode::On, true)] {
        let links = LinkConfig::default().liveness(LivenessConfig::default().mode(mode));
        let mut world = World::with_links(config(), links, 0);
        let script = world.connect_script(Script::raw());
        let stream = [&handshake(JSON)[..], &frame(JSON, HELLO)].concat();
        world.script(script).send_bytes(&stream);
        world.advance(120 * SECOND);
        assert_eq!(world.script(script).is_ended(), is_dropped, "{mode:?}");
        assert_eq!(world.router().stats().sessions, usize::from(!is_dropped));
    }
}

/// A subscriber that reads nothing loses events, and nobody else notices.
#[test]
fn a_subscriber_that_reads_nothing_costs_its_budget_and_no_more() {
    let budget = 100_000;
    let mut world = World::new(config().limits(Limits::default().output_size(budget)));
    let publisher = join(&mut world);
    let slow = world.connect_script(Script::client(JSON));
    world.script(slow).hello("realm1");
    world.script(slow).send(roadbed_tests::frames::message(r#"[32,1,{},"com.example.topic"]"#));
    world.drive();
    world.script(slow).set_reading(false);
    let (topic, options) = (Uri::from_static("com.example.topic"), PublishOptions::new().acknowledge(true));
    let payload = Payload::from_args(Serializer::Cbor, &("x".repeat(1_000),)).expect("a payload");
    for _ in 0..2_000 {
        world.with(publisher, |connection, now| {
            connection.publish(now, &topic, payload.clone(), &options).expect("a publication");
        });
        world.drive();
        assert!(matches!(world.events(publisher)[..], [SessionEvent::Published { result: Ok(_), .. }]));
        assert!(world.router().stats().queued_bytes <= budget);
    }
    let counters = world.router().stats().counters;
    assert!(counters.events_dropped > 1_000 && counters.events > 100, "{counters:?}");
    world.advance(60 * SECOND);
    assert_eq!(world.router().stats().sessions, 2, "losing events is no crime");
    world.script(slow).set_reading(true);
    world.drive();
    assert_eq!(world.router().stats().queued_bytes, 0);
    assert_eq!(world.router().stats().sessions, 2);
    world.check_invariants().unwrap();
}

/// A caller that reads none of its answers is read no more, and closed.
#[test]
fn a_caller_that_reads_nothing_is_closed() {
    let budget = 20_000;
    let mut world = World::new(config().limits(Limits::default().output_size(budget)));
    let other = join(&mut world);
    let caller = world.connect_script(Script::client(JSON));
    world.script(caller).hello("realm1");
    world.drive();
    world.script(caller).set_reading(false);
    for request in 1..=5_000 {
        let call = format!(r#"[48,{request},{{}},"com.example.nothing"]"#);
        world.script(caller).send(roadbed_tests::frames::message(&call));
    }
    world.drive();
    assert!(world.router().stats().queued_bytes < 2 * budget, "{:?}", world.router().stats());
    world.advance(Duration::from_secs(20));
    let stats = world.router().stats();
    assert_eq!((stats.sessions, stats.queued_bytes, stats.counters.stalled), (1, 0, 1));
    let left = world.router_events().into_iter().find_map(|event| match event {
        RouterEvent::Left { reason, .. } => Some(reason),
        _ => None,
    });
    assert_eq!(left, Some(CloseReason::Timeout(Deadline::Stalled)));
    assert_eq!(world.events(other), []);
    world.check_invariants().unwrap();
}

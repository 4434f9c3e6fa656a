//! Shutting down, looking, and who may come in meanwhile.

use std::future::IntoFuture;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use roadbed_core::error::uris;
use roadbed_core::limits::Limits;
use roadbed_core::transport::TransportDetails;
use roadbed_core::uri::Uri;
use roadbed_router::{Grant, RouterEvent, TicketTable};

use super::tests::ByHand;
use super::{Authentication, RouterConfig, RouterHandle, ShardId};
use crate::client::Settings;
use crate::runtime::Runtime;
use crate::testing::sim::Sim;
use crate::testing::{World, settings};

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A call that needs 0.8 s more gets its result; what does not end in time gets an error that says why.
#[test]
fn a_shutdown_lets_calls_in_flight_end() {
    let world = World::new();
    let (callee, caller, idle) = (world.session(), world.session(), world.session());
    let mut queue = world.sim.block_on(callee.register_queue("com.example.slow").into_future()).unwrap();
    let mut first = Box::pin(caller.call("com.example.slow", (1,)).into_future());
    let mut second = Box::pin(caller.call("com.example.slow", (2,)).into_future());
    for call in [&mut first, &mut second] {
        assert!(world.sim.poll_once(call.as_mut(), 100).is_pending());
    }
    let invocation = world.sim.block_on(queue.next()).unwrap();
    let mut shutdown = world.router.shutdown(seconds(5)).into_future();
    assert!(world.sim.poll_once(shutdown.as_mut(), 100).is_pending());
    // Who has no call in flight is gone at once.
    assert!(world.sim.block_on(idle.closed()).is_clean);
    world.sim.pass(Duration::from_millis(800));
    let late = world.sim.block_on(caller.call("com.example.slow", ()).into_future()).unwrap_err();
    assert_eq!(late.uri(), Some(&uris::SYSTEM_SHUTDOWN), "{late}");
    invocation.reply("done").unwrap();
    assert_eq!(world.sim.block_on(first).unwrap().get::<String>().unwrap(), "done");
    let error = world.sim.block_on(second).unwrap_err();
    assert_eq!(error.uri(), Some(&uris::SYSTEM_SHUTDOWN), "{error}");
    assert!(error.is_retryable() && !error.is_canceled());
    assert!(world.sim.block_on(caller.closed()).is_clean && world.sim.block_on(callee.closed()).is_clean);
    assert_eq!(world.sim.block_on(shutdown), 0);
    drop((queue, callee, caller, idle));
    world.assert_empty();
}

/// As soon as the last call has ended, not only when patience has.
#[test]
fn a_shutdown_ends_with_the_last_call() {
    let world = World::new();
    let (callee, caller) = (world.session(), world.session());
    let mut queue = world.sim.block_on(callee.register_queue("com.example.slow").into_future()).unwrap();
    let mut call = Box::pin(caller.call("com.example.slow", ()).into_future());
    assert!(world.sim.poll_once(call.as_mut(), 100).is_pending());
    let invocation = world.sim.block_on(queue.next()).unwrap();
    let start = world.sim.now();
    let mut shutdown = world.router.shutdown(seconds(60)).into_future();
    assert!(world.sim.poll_once(shutdown.as_mut(), 100).is_pending());
    world.sim.pass(seconds(1));
    invocation.reply(()).unwrap();
    world.sim.block_on(call).unwrap();
    assert_eq!(world.sim.block_on(shutdown), 0);
    assert!(world.sim.now().saturating_since(start) < seconds(2));
}

/// A driver that nobody polls cannot be waited for.
#[test]
fn a_shutdown_does_not_wait_for_ever() {
    let world = World::new();
    let (here, there) = crate::memory::pipe(1 << 10);
    let forgotten = world.router.accept(there, TransportDetails::local());
    let start = world.sim.now();
    assert_eq!(world.sim.block_on(world.router.shutdown(seconds(3)).into_future()), 1);
    assert_eq!(world.sim.now().saturating_since(start), seconds(5));
    drop((forgotten, here));
    world.assert_empty();
}

#[test]
fn formatting_tells_and_wakes_nobody() {
    let told = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&told);
    let world =
        World::with(Limits::default(), |builder| builder.on_event(move |_, _| *seen.lock().unwrap() += 1));
    let session = world.session();
    assert_eq!(*told.lock().unwrap(), 1);
    // An event that nobody was told of yet.
    let (now, id) = (world.sim.now(), session.id());
    let (is_there, ()) = world.router.0.shards[0]
        .with(|hosted, (): &mut ()| hosted.shard.kill(now, id, &uris::KILLED, "enough"));
    assert!(is_there && format!("{:?}", world.router).contains("connections"));
    assert_eq!(*told.lock().unwrap(), 1);
    world.router.stats();
    assert_eq!(*told.lock().unwrap(), 2);
}

/// One that has ended, and only waits for its peer to close, takes no place from others.
#[test]
fn those_that_are_being_closed_do_not_count() {
    let world = World::with(Limits::default(), |builder| builder.max_connections(1));
    let mut one = ByHand::attach(&world);
    one.write(&world, b"\x7F\xFA\x00\x00");
    assert_eq!(one.read(), (b"\x7F\x10\x00\x00".to_vec(), true));
    assert_eq!(world.router.connections(), 1, "it lingers");
    let mut next = ByHand::attach(&world);
    next.write(&world, b"\x7F\xF1\x00\x00");
    assert_eq!(next.read(), (b"\x7F\xB1\x00\x00".to_vec(), false));
    drop((one, next));
    world.assert_empty();
}

/// An access log and a ban list, from events alone.
#[test]
fn events_say_how_peers_are_connected() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&log);
    let world = World::with(Limits::default(), |builder| {
        builder.on_event(move |_, event| {
            let (what, transport) = match event {
                RouterEvent::Joined { session, transport, .. } => {
                    (format!("joined as {}", session.authrole), transport)
                }
                RouterEvent::Left { reason, transport, .. } => (format!("left: {reason}"), transport),
                RouterEvent::Refused { realm, reason, transport, .. } => {
                    (format!("refused: {reason}, {}", realm.as_ref().map_or("-", Uri::as_str)), transport)
                }
                RouterEvent::ConnectionRefused { transport, reason } => {
                    (format!("no connection: {reason}"), transport)
                }
                _ => return,
            };
            let path = transport.request.as_ref().map_or("-", |request| request.path());
            lines.lock().unwrap().push(format!("{} {path} {what}", transport.peer.as_deref().unwrap_or("-")));
        })
    });
    let attach = |peer: &str, bytes: &[u8]| {
        let (here, there) = crate::memory::pipe(1 << 16);
        let details = TransportDetails::tcp(peer.to_owned(), false);
        world.sim.runtime().spawn(Box::pin(world.router.accept(there, details)));
        let mut peer = ByHand::from(here);
        peer.write(&world, bytes);
        peer
    };
    let upgrade = "GET /ws HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Protocol: wamp.2.json\r\n";
    let masked = |message: &str| {
        let length = u8::try_from(message.len()).unwrap();
        [&[0x81, 0x80 | length, 0, 0, 0, 0], message.as_bytes()].concat()
    };
    let hello = |realm: &str| masked(&format!(r#"[1,"{realm}",{{"roles":{{"caller":{{}}}}}}]"#));
    let head = format!("{upgrade}\r\n");
    let one = attach("192.0.2.1:1", &[head.as_bytes(), &hello("realm1")].concat());
    let two = attach("192.0.2.2:2", &[head.as_bytes(), &hello("nowhere")].concat());
    let three = attach("192.0.2.3:3", format!("{upgrade}Origin: http://evil.com\r\n\r\n").as_bytes());
    drop((one, two, three));
    world.assert_empty();
    let log = log.lock().unwrap();
    assert_eq!(log[0], "192.0.2.1:1 /ws joined as guest");
    assert_eq!(log[1], "192.0.2.2:2 /ws refused: wamp.error.no_such_realm, nowhere");
    assert!(log[2].starts_with("192.0.2.3:3 - no connection: ") && log[2].contains("evil.com"), "{}", log[2]);
    assert!(log[3..].iter().any(|line| line == "192.0.2.1:1 /ws left: the transport ended"), "{log:?}");
}

#[test]
fn sessions_of_the_embedder_need_no_ticket() {
    let sim = Sim::default();
    let table = TicketTable::new().principal("joe", "secret!!!", "user");
    let realm = Uri::new("realm1").unwrap();
    let config = RouterConfig::new().realm(realm, Authentication::new().ticket(table));
    let router = RouterHandle::new(config, sim.runtime()).unwrap();
    let refused = sim.block_on(router.attach_local(&settings()).unwrap());
    assert!(refused.is_err());
    let session =
        sim.block_on(router.attach_trusted(&settings(), Grant::new("backend", "service")).unwrap()).unwrap();
    let details = session.details();
    assert_eq!((details.authid.as_deref(), details.authrole.as_deref()), (Some("backend"), Some("service")));
    // A realm that is not there is not made by trust.
    let nowhere = router.attach_trusted(&Settings::new("nowhere"), Grant::new("a", "b")).unwrap();
    assert_eq!(sim.block_on(nowhere).unwrap_err().uri(), Some(&uris::NO_SUCH_REALM));
}

/// Deadlines of the router have a task while there are any, and it ends with the router.
#[test]
fn the_timer_ends_with_the_router() {
    let world = World::new();
    let mut peer = ByHand::attach(&world);
    let hello = br#"[1,"realm1",{"roles":{"caller":{}}}]"#;
    peer.write(&world, b"\x7F\xF1\x00\x00");
    peer.write(&world, &[&[0, 0, 0, u8::try_from(hello.len()).unwrap()], &hello[..]].concat());
    assert_eq!(world.sim.tasks(), 1, "the driver");
    let session = world.router.with_shard(ShardId::new(0), |hosted, _| {
        hosted.shard.sessions().map(|session| session.id).next().expect("it has joined")
    });
    // Its answer to GOODBYE is awaited.
    assert!(world.router.kill(session, &uris::KILLED, "enough"));
    world.sim.settle();
    assert_eq!(world.sim.tasks(), 2, "the driver, and the timer");
    let World { sim, router } = world;
    drop(router);
    drop(peer);
    sim.settle();
    assert_eq!(sim.tasks(), 0);
}

use std::future::IntoFuture;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::BytesMut;
use roadbed_core::error::uris;
use roadbed_core::limits::Limits;
use roadbed_core::serializer::Serializer;
use roadbed_core::transport::TransportDetails;
use roadbed_core::transport::websocket::{OriginPolicy, PathRule};
use roadbed_core::uri::Uri;

use super::*;
use crate::client::{Invocation, open};
use crate::memory::{Pipe, pipe};
use crate::testing::sim::Sim;
use crate::testing::{World, settings};

/// A peer that speaks by hand.
pub(super) struct ByHand(Pipe);

impl ByHand {
    pub(super) fn attach(world: &World) -> Self {
        let (here, there) = pipe(1 << 16);
        world.sim.runtime().spawn(Box::pin(world.router.accept(there, TransportDetails::local())));
        world.sim.settle();
        Self(here)
    }

    pub(super) fn from(pipe: Pipe) -> Self {
        Self(pipe)
    }

    pub(super) fn write(&mut self, world: &World, bytes: &[u8]) {
        let poll = self.0.poll_write(&mut Context::from_waker(Waker::noop()), bytes);
        assert!(matches!(poll, Poll::Ready(Ok(count)) if count == bytes.len()));
        world.sim.settle();
    }

    /// What came, and whether it was the end.
    pub(super) fn read(&mut self) -> (Vec<u8>, bool) {
        let mut all = BytesMut::new();
        loop {
            all.reserve(1 << 16);
            match self.0.poll_read(&mut Context::from_waker(Waker::noop()), &mut all) {
                Poll::Pending => return (all.to_vec(), false),
                Poll::Ready(Ok(0) | Err(_)) => return (all.to_vec(), true),
                Poll::Ready(Ok(_)) => {}
            }
        }
    }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn whoever_says_nothing_is_closed_in_time_also_when_others_left_before() {
    let world = World::new();
    let mut peers: Vec<ByHand> = (0..3).map(|_| ByHand::attach(&world)).collect();
    // Two get as far as the router, which keeps their deadlines; the first of them also keeps the time.
    for peer in &mut peers[..2] {
        peer.write(&world, b"\x7F\xF1\x00\x00");
        assert_eq!(peer.read(), (b"\x7F\xB1\x00\x00".to_vec(), false));
    }
    assert_eq!((world.router.connections(), world.router.stats().peers), (3, 2));
    world.sim.pass(seconds(1));
    peers.remove(0);
    world.sim.settle();
    assert_eq!(world.router.connections(), 2);
    world.sim.pass(seconds(5));
    let (said, is_end) = peers[0].read();
    let said = String::from_utf8_lossy(&said);
    assert!(is_end && said.contains("wamp.error.timeout"), "{said}");
    assert_eq!(peers[1].read(), (Vec::new(), true));
    drop(peers);
    world.assert_empty();
}

/// The whole process was stopped, and what a peer sent in time is read only after its deadline.
#[test]
fn what_came_in_time_is_read_before_a_deadline_is_judged() {
    let world = World::new();
    let mut peer = ByHand::attach(&world);
    peer.write(&world, b"\x7F\xF1\x00\x00");
    assert_eq!(peer.read(), (b"\x7F\xB1\x00\x00".to_vec(), false));
    world.sim.jump(seconds(60));
    let hello = br#"[1,"realm1",{"roles":{"caller":{}}}]"#;
    peer.write(&world, &[&[0, 0, 0, u8::try_from(hello.len()).unwrap()], &hello[..]].concat());
    let (welcome, is_end) = peer.read();
    assert!(!is_end && welcome.get(4..7) == Some(b"[2,"), "{}", String::from_utf8_lossy(&welcome));
    world.sim.pass(seconds(1));
    assert_eq!((peer.read().1, world.router.stats().sessions), (false, 1));
    // One that has sent nothing is not let off.
    let mut other = ByHand::attach(&world);
    other.write(&world, b"\x7F\xF1\x00\x00");
    other.read();
    world.sim.jump(seconds(60));
    world.sim.pass(seconds(6));
    let (said, is_end) = other.read();
    let said = String::from_utf8_lossy(&said);
    assert!(is_end && said.contains("wamp.error.timeout"), "{said}");
}

/// It is not read while events wait; without an observer they are gone at once, and nothing else may happen for long.
#[test]
fn a_peer_that_waited_for_events_which_nobody_is_told_is_read_again() {
    let world = World::with(Limits::default().queued_events(1), |builder| builder);
    let mut peer = ByHand::attach(&world);
    let hello = |realm: &str| {
        let hello = format!(r#"[1,"{realm}",{{"roles":{{"caller":{{}}}}}}]"#);
        [&[0, 0, 0, u8::try_from(hello.len()).unwrap()], hello.as_bytes()].concat()
    };
    peer.write(&world, b"\x7F\xF1\x00\x00");
    peer.write(&world, &hello("nosuch"));
    let (refused, _) = peer.read();
    assert!(String::from_utf8_lossy(&refused).contains("wamp.error.no_such_realm"));
    peer.write(&world, &hello("realm1"));
    let (welcome, is_end) = peer.read();
    assert!(!is_end && welcome.get(4..7) == Some(b"[2,"), "{}", String::from_utf8_lossy(&welcome));
}

#[test]
fn a_peer_that_does_not_take_its_replies_is_not_read_until_it_does() {
    let world = World::with(Limits::default().output_size(100_000), |builder| builder);
    let callee = world.session();
    let echo = |inv: Invocation| async move { Ok(inv.get::<String>()?) };
    let _echo = world.sim.block_on(callee.register("com.example.echo", echo).into_future()).unwrap();
    let (session, wire) = world.session_over_wire();
    wire.deafen(true);
    let text = "x".repeat(5_000);
    let mut calls: Vec<_> =
        (0..100).map(|_| Box::pin(session.call("com.example.echo", (&text,)).into_future())).collect();
    for call in &mut calls {
        assert!(world.sim.poll_once(call.as_mut(), 50).is_pending());
    }
    world.sim.settle();
    let stats = world.router.stats();
    assert!(stats.queued_bytes > 100_000 && stats.queued_bytes < 400_000, "{stats:?}");
    assert!(stats.counters.invocations < 100, "{stats:?}");
    wire.deafen(false);
    for call in calls {
        assert_eq!(world.sim.block_on(call).unwrap().get::<String>().unwrap(), text);
    }
}

#[test]
fn a_peer_that_takes_nothing_at_all_is_dropped() {
    let world = World::with(Limits::default().output_size(100_000), |builder| builder);
    let callee = world.session();
    let big = |_| async { Ok("x".repeat(200_000)) };
    let _big = world.sim.block_on(callee.register("com.example.big", big).into_future()).unwrap();
    let (session, wire) = world.session_over_wire();
    wire.deafen(true);
    let mut calls: Vec<_> =
        (0..3).map(|_| Box::pin(session.call("com.example.big", ()).into_future())).collect();
    for call in &mut calls {
        assert!(world.sim.poll_once(call.as_mut(), 50).is_pending());
    }
    world.sim.settle();
    assert_eq!(world.router.connections(), 2);
    world.sim.pass(seconds(12));
    assert_eq!(world.router.connections(), 1);
    assert_eq!(world.router.stats().counters.stalled, 1);
    wire.deafen(false);
    for call in calls {
        // What was on its way before is still read; the rest fails.
        if let Err(error) = world.sim.block_on(call) {
            assert!(error.is_retryable(), "{error}");
        }
    }
}

#[test]
fn a_shutdown_cuts_off_who_does_not_answer() {
    let world = World::new();
    let (deaf, wire) = world.session_over_wire();
    let well = world.session();
    wire.deafen(true);
    world.sim.settle();
    let start = world.sim.now();
    world.sim.block_on(world.router.shutdown(seconds(3)).into_future());
    assert_eq!(world.sim.now().saturating_since(start), seconds(3));
    assert_eq!(world.router.connections(), 0);
    assert!(world.sim.block_on(well.closed()).is_clean);
    // Whoever comes now is refused.
    let error = world.sim.block_on(world.router.attach_local(&settings()).unwrap()).unwrap_err();
    assert_eq!(error.uri(), Some(&uris::SYSTEM_SHUTDOWN));
    drop((deaf, well));
    wire.break_off();
    world.assert_empty();
}

#[test]
fn sessions_can_be_killed_and_events_are_told() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&events);
    let world = World::with(Limits::default(), |builder| {
        builder.on_event(move |router, event| match event {
            RouterEvent::Joined { session, .. } => {
                // The lock is free, so the router can be asked.
                seen.lock().unwrap().push(format!("joined, {} sessions", router.stats().sessions));
                if router.stats().sessions == 2 {
                    router.kill(session.id, &uris::KILLED, "one is enough");
                }
            }
            RouterEvent::Left { reason, .. } => seen.lock().unwrap().push(format!("left: {reason}")),
            RouterEvent::Refused { .. } => panic!("observers may panic"),
            _ => {}
        })
    });
    let one = world.session();
    let two = world.session();
    let closed = world.sim.block_on(two.closed());
    assert!(closed.is_clean && closed.reason.to_string().contains("wamp.close.killed"), "{closed:?}");
    let nowhere = world.router.attach_local(&Settings::new("nowhere")).unwrap();
    assert_eq!(world.sim.block_on(nowhere).unwrap_err().uri(), Some(&uris::NO_SUCH_REALM));
    drop((one, two));
    world.assert_empty();
    let events = events.lock().unwrap();
    assert_eq!(events[..2], ["joined, 1 sessions".to_owned(), "joined, 2 sessions".to_owned()]);
    assert_eq!(events.len(), 4);
}

#[test]
fn a_decision_may_come_later() {
    let sim = Sim::default();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let questions = Arc::clone(&asked);
    let config =
        RouterConfig::new().realm(Uri::new("realm1").unwrap(), Authentication::new().dynamic("x-word"));
    let router = RouterHandle::builder(config)
        .on_event(move |_, event| {
            if let RouterEvent::Authenticate(request) = event {
                questions.lock().unwrap().push(*request);
            }
        })
        .start(sim.runtime())
        .unwrap();
    let settings = settings().authid("joe").on_challenge("x-word", |_| Ok("please".to_owned()));
    let mut joining = Box::pin(router.attach_local(&settings).unwrap());
    assert!(sim.poll_once(joining.as_mut(), 100).is_pending());
    let first = asked.lock().unwrap().remove(0);
    sim.pass(seconds(10));
    router.challenge(first.decision, RawDict::EMPTY).unwrap();
    sim.settle();
    let second = asked.lock().unwrap().remove(0);
    assert_eq!(&*second.response.unwrap().signature, "please");
    router.grant(second.decision, Grant::new("joe", "friend")).unwrap();
    let session = sim.block_on(joining).unwrap();
    assert_eq!(session.details().authrole.as_deref(), Some("friend"));
    assert_eq!(router.deny(second.decision, &uris::AUTHENTICATION_DENIED, "too late"), Err(NotAwaited));
}

#[test]
fn events_come_one_at_a_time_and_in_order_whoever_brings_them_about() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let (seen, is_telling) = (Arc::clone(&told), Arc::new(Mutex::new(())));
    let world = World::with(Limits::default(), |builder| {
        builder.on_event(move |router, event| {
            let alone = is_telling.try_lock().expect("one event at a time");
            match event {
                RouterEvent::Joined { session, .. } => {
                    // This ends the session at once, and so brings about the next event.
                    router.kill(session.id, &uris::KILLED, "go away");
                    seen.lock().unwrap().push(("joined", session.id));
                }
                RouterEvent::Left { session, .. } => seen.lock().unwrap().push(("left", session.id)),
                _ => {}
            }
            drop(alone);
        })
    });
    let ids: Vec<_> = (0..3)
        .map(|_| {
            let session = world.session();
            world.sim.block_on(session.closed());
            session.id()
        })
        .collect();
    let expected: Vec<_> = ids.iter().flat_map(|id| [("joined", *id), ("left", *id)]).collect();
    assert_eq!(*told.lock().unwrap(), expected);
}

/// Wakes a driver's task, or panics.
struct Fragile {
    panics: AtomicBool,
}

impl Wake for Fragile {
    fn wake(self: Arc<Self>) {
        assert!(!self.panics.load(Ordering::Relaxed), "on purpose");
    }
}

/// The thread that has the turn to tell does not come to it.
#[test]
fn events_are_told_after_a_waker_panicked() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&told);
    let world = World::with(Limits::default(), |builder| {
        builder.on_event(move |_, event| match event {
            RouterEvent::Joined { session, .. } => seen.lock().unwrap().push(("joined", session.id)),
            RouterEvent::Left { session, .. } => seen.lock().unwrap().push(("left", session.id)),
            _ => {}
        })
    });
    let (here, there) = pipe(64 << 10);
    let details = TransportDetails::local();
    let runtime = world.sim.runtime();
    let serializer = Serializer::Cbor;
    let (joining, driver) = open(&settings(), Arc::clone(&runtime), serializer, details.clone()).unwrap();
    runtime.spawn(Box::pin(driver.run(here)));
    let fragile = Arc::new(Fragile { panics: false.into() });
    let waker = Waker::from(Arc::clone(&fragile));
    let mut serving = Box::pin(world.router.accept(there, details));
    for _ in 0..10 {
        assert!(serving.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        world.sim.settle();
    }
    let _session = world.sim.block_on(joining).unwrap();
    let (_, killed) = told.lock().unwrap()[0];
    fragile.panics.store(true, Ordering::Relaxed);
    let kill = || world.router.kill(killed, &uris::KILLED, "go away");
    assert!(catch_unwind(AssertUnwindSafe(kill)).is_err());
    fragile.panics.store(false, Ordering::Relaxed);
    assert_eq!(told.lock().unwrap().len(), 1);
    // Any change will do, and nothing is lost.
    world.router.stats();
    assert_eq!(told.lock().unwrap()[1..], [("left", killed)]);
    let _other = world.session();
    assert_eq!(told.lock().unwrap().len(), 3);
}

#[test]
fn events_of_many_threads_come_in_order() {
    const THREADS: usize = 8;
    // A session is told to have joined before it is told to have left, and never two at once.
    let (told, is_telling) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(())));
    let seen = Arc::clone(&told);
    let config =
        RouterConfig::new().realm(Uri::new("realm1").unwrap(), Authentication::new().anonymous("guest"));
    let router = RouterHandle::builder(config)
        .on_event(move |_, event| {
            let alone = is_telling.try_lock().expect("one event at a time");
            match event {
                RouterEvent::Joined { session, .. } => seen.lock().unwrap().push((session.id, true)),
                RouterEvent::Left { session, .. } => seen.lock().unwrap().push((session.id, false)),
                _ => {}
            }
            // Whoever would overtake now has the time for it.
            std::thread::yield_now();
            drop(alone);
        })
        .start(Arc::new(crate::blocking::Threads::new(|| [9; 32])))
        .unwrap();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..50 {
                    let session = router.attach_local(&settings()).unwrap().wait().unwrap();
                    session.leave().wait().unwrap();
                }
            });
        }
    });
    router.shutdown(seconds(5)).wait();
    // The thread that tells may not be through with the last ones.
    let start = std::time::Instant::now();
    while told.lock().unwrap().len() < 2 * THREADS * 50 && start.elapsed() < seconds(10) {
        std::thread::yield_now();
    }
    let mut open = std::collections::BTreeSet::new();
    let told = told.lock().unwrap();
    for (session, has_joined) in told.iter() {
        assert!(if *has_joined { open.insert(*session) } else { open.remove(session) }, "{told:?}");
    }
    assert_eq!((told.len(), open.len()), (2 * THREADS * 50, 0));
}

/// What a router answers to a browser, or to whoever sends the same.
fn answer(world: &World, path: &str, headers: &str) -> (String, bool) {
    let mut peer = ByHand::attach(world);
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: wamp.2.json\r\n";
    let upgrade = if headers.is_empty() { "" } else { upgrade };
    let request = format!("GET {path} HTTP/1.1\r\nHost: example.com\r\n{upgrade}{headers}\r\n");
    peer.write(world, request.as_bytes());
    let (said, is_end) = peer.read();
    (String::from_utf8_lossy(&said).into_owned(), is_end)
}

#[test]
fn browsers_see_a_page_and_connect_from_their_own_origin() {
    let world = World::new();
    let (page, is_end) = answer(&world, "/", "");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("<h1>") && is_end, "{page}");
    let (own, is_end) = answer(&world, "/ws", "Origin: http://example.com\r\n");
    assert!(own.starts_with("HTTP/1.1 101 Switching Protocols\r\n") && !is_end, "{own}");
    let (other, is_end) = answer(&world, "/ws", "Origin: http://evil.com\r\n");
    assert!(other.starts_with("HTTP/1.1 403 Forbidden\r\n") && is_end, "{other}");
    world.assert_empty();
}

#[test]
fn other_origins_and_fewer_paths_can_be_allowed() {
    let rule = PathRule::new("/ws").unwrap();
    let origins = OriginPolicy::allow(["http://app.example"]).unwrap();
    let world = World::with(Limits::default(), |builder| builder.origins(origins).path(rule));
    for (path, headers, status) in [
        ("/ws", "Origin: http://app.example\r\n", 101),
        ("/ws", "Origin: http://example.com\r\n", 403),
        ("/ws", "X: no browser\r\n", 101),
        ("/other", "X: no browser\r\n", 404),
        ("/ws", "", 426),
    ] {
        let (said, _) = answer(&world, path, headers);
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{path}, {headers:?}: {said}");
    }
    world.assert_empty();
}

#[test]
fn a_router_without_websocket() {
    let world = World::with(Limits::default(), |builder| builder.websocket(None));
    let (said, is_end) = answer(&world, "/", "");
    assert!(said.starts_with("HTTP/1.1 400 ") && said.contains("connect with rs://") && is_end, "{said}");
    drop(world.session_over_wire());
    world.assert_empty();
}

/// Half a head, and then nothing.
#[test]
fn whoever_sends_half_a_head_is_closed_in_time() {
    let world = World::new();
    let mut peer = ByHand::attach(&world);
    peer.write(&world, b"GET /ws HTTP/1.1\r\nHost: ");
    world.sim.pass(seconds(4));
    peer.write(&world, b"example.com\r\n");
    assert_eq!(peer.read(), (Vec::new(), false));
    world.sim.pass(seconds(1));
    assert_eq!(peer.read(), (Vec::new(), true));
    drop(peer);
    world.assert_empty();
}

//! When it connects, how often, and when it gives up.

use roadbed_core::error::{CloseReason, Deadline, uris};
use roadbed_core::limits::Limits;

use super::*;
use crate::client::Settings;
use crate::error::Veto;
use crate::server::RouterEvent;

#[test]
fn the_first_connection_is_tried_like_any_other() {
    let world = World::new();
    let site = Site::new(&world);
    site.set(Mode::Fails(io::ErrorKind::ConnectionRefused));
    let client = site.client();
    let mut events = client.events();
    let told: Vec<_> = (0..6).map(|_| next(&world, &mut events)).collect();
    let expected = [
        "failed 1, in 1000",
        "failed 2, in 2000",
        "failed 3, in 4000",
        "failed 4, in 8000",
        "failed 5, in 8000",
    ];
    assert_eq!(told[..5], expected);
    assert_eq!(site.gaps(), [1000, 2000, 4000, 8000, 8000]);
    assert!(!client.is_connected() && client.generation() == 0);
    site.set(Mode::Up);
    assert_eq!(next(&world, &mut events), "connected 1");
    assert!(client.is_connected() && client.generation() == 1);
    drop(client);
    assert_eq!(next(&world, &mut events), "end");
    world.assert_empty();
}

#[test]
fn a_lost_session_is_followed_by_another() {
    let world = World::new();
    let site = Site::new(&world);
    let client = site.client();
    let mut events = client.events();
    let mut ids = Vec::new();
    for generation in 1..=5 {
        assert_eq!(next(&world, &mut events), format!("connected {generation}"));
        let session = world.sim.block_on(client.session()).unwrap();
        ids.push(session.id());
        // It lasts, so every loss is the first one.
        world.sim.pass(seconds(60));
        site.cut();
        assert_eq!(next(&world, &mut events), format!("lost {generation}, in 1000"));
        assert!(!client.is_connected());
    }
    ids.dedup();
    assert_eq!(ids.len(), 5);
    drop(client);
    world.assert_empty();
}

#[test]
fn sessions_that_do_not_last_are_failures() {
    let world = World::new();
    let site = Site::new(&world);
    let client = site.builder().retry(plain().attempts(Some(4))).start().unwrap();
    let mut events = client.events();
    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(next(&world, &mut events));
        site.cut();
        told.push(next(&world, &mut events));
    }
    let expected = [
        ["connected 1", "lost 1, in 1000"],
        ["connected 2", "lost 2, in 2000"],
        ["connected 3", "lost 3, in 4000"],
        ["connected 4", "lost 4, never"],
    ];
    assert_eq!(told, expected.concat());
    assert_eq!([next(&world, &mut events), next(&world, &mut events)], ["gave up", "end"]);
    world.assert_empty();
}

#[test]
fn attempts_run_out() {
    let world = World::new();
    let site = Site::new(&world);
    site.set(Mode::Fails(io::ErrorKind::ConnectionRefused));
    let client = site.builder().retry(plain().attempts(Some(3))).start().unwrap();
    let error = world.sim.block_on(client.session()).unwrap_err();
    assert!(matches!(error.root(), Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused));
    assert_eq!(site.count(), 3);
    // From now on everything says so.
    let call = world.sim.block_on(client.call("a.b", ()).into_future()).unwrap_err();
    assert!(matches!(call.root(), Error::Io(_)));
    assert!(matches!(client.subscribe("a.b").declare(), Err(error) if matches!(error.root(), Error::Io(_))));
    assert!(
        matches!(world.sim.block_on(client.close().into_future()), Err(error) if matches!(error.root(), Error::Io(_)))
    );
    let mut events = client.events();
    assert_eq!([next(&world, &mut events), next(&world, &mut events)], ["gave up", "end"]);
    assert_eq!(world.sim.tasks(), 0);
}

/// What the answers of a peer mean for the next attempt.
#[test]
fn every_answer_has_its_place_in_the_table() {
    let answers: [(&str, &[u8], &str); 22] = [
        // A gateway or a router that is busy, and says when to come back or does not.
        ("ws", b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "in 1000"),
        ("ws", b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: 5\r\n\r\n", "in 5000"),
        ("ws", b"HTTP/1.1 429 Often\r\nContent-Length: 0\r\nRetry-After: 5\r\n\r\n", "in 5000"),
        // No longer than the longest delay, and no shorter than the policy's.
        ("ws", b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: 86400\r\n\r\n", "in 8000"),
        ("ws", b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: 0\r\n\r\n", "in 1000"),
        (
            "ws",
            b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
              Retry-After: Sun, 06 Nov 1994 08:49:41 GMT\r\n\r\n",
            "in 4000",
        ),
        ("ws", b"HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n", "in 1000"),
        ("ws", b"HTTP/1.1 504 Late\r\nContent-Length: 0\r\n\r\n", "in 1000"),
        // Any other answer, a moment to come back to or not.
        ("ws", b"HTTP/1.1 403 No\r\nContent-Length: 0\r\nRetry-After: 5\r\n\r\n", "never"),
        ("ws", b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "never"),
        ("ws", b"HTTP/1.1 401 Who\r\nContent-Length: 0\r\n\r\n", "never"),
        ("ws", b"HTTP/1.1 404 Where\r\nContent-Length: 0\r\n\r\n", "never"),
        ("ws", b"HTTP/1.1 500 Ouch\r\nContent-Length: 0\r\n\r\n", "never"),
        ("ws", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "never"),
        // Another protocol.
        ("ws", b"\x15\x03\x03\0\x02\x02\x0A", "never"),
        ("ws", b"SSH-2.0-x\r\n", "never"),
        ("rs", b"\x15\x03\x03\0\x02\x02\x0A", "never"),
        ("rs", b"HTTP/1.1 400 Bad Request\r\n\r\n", "never"),
        // RawSocket: no room, and the other errors.
        ("rs", b"\x7F\x40\0\0", "in 1000"),
        ("rs", b"\x7F\x20\0\0", "never"),
        ("rs", b"\x7F\x30\0\0", "never"),
        ("rs", b"\x7F\x50\0\0", "never"),
    ];
    for (scheme, answer, expected) in answers {
        let world = World::new();
        let site = Site::new(&world);
        site.set(Mode::Says(answer));
        let connect = Connect::new(site.clone(), format!("{scheme}://router")).realm("realm1");
        let client = connect.into_client().retry(plain()).start().unwrap();
        let mut events = client.events();
        let told = next(&world, &mut events);
        assert_eq!(told, format!("failed 1, {expected}"), "{scheme} {}", answer.escape_ascii());
        drop(client);
    }
}

/// Of several addresses the one counts that wants the most time: each is asked again.
#[test]
fn every_address_gets_the_time_that_it_asks_for() {
    let world = World::new();
    let site = Site::new(&world);
    site.set(Mode::Says(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: 6\r\n\r\n"));
    let connect = Connect::new(site.clone(), "ws://router").or("rs://nobody").realm("realm1");
    let client = connect.into_client().retry(plain()).start().unwrap();
    assert_eq!(next(&world, &mut client.events()), "failed 1, in 6000");
}

/// A router without room says when to come back, and is heeded.
#[test]
fn a_full_router_is_given_its_time() {
    let world = World::with(Limits::default(), |builder| builder.max_connections(1));
    let taken = world.session_over_wire();
    let site = Site::new(&world);
    for (scheme, expected) in [("ws", "failed 1, in 5000"), ("rs", "failed 1, in 1000")] {
        let connect = Connect::new(site.clone(), format!("{scheme}://router")).realm("realm1");
        let client = connect.into_client().retry(plain()).start().unwrap();
        assert_eq!(next(&world, &mut client.events()), expected);
    }
    drop(taken);
}

#[test]
fn what_will_not_change_is_tried_once() {
    type Change = fn(ClientBuilder) -> ClientBuilder;
    let changes: [(&str, Change); 4] = [
        ("no such realm", |builder| builder.realm("nowhere")),
        ("refused authentication", |builder| {
            builder.settings(Settings::new("realm1").authid("joe").ticket("guess"))
        }),
        ("a veto", |builder| builder.on_welcome(|_| Err(Veto::new("no")))),
        ("a hook that is not permitted", |builder| {
            builder.on_join(|_| async {
                Err(roadbed_core::error::WampError::new(uris::NOT_AUTHORIZED.clone()).into())
            })
        }),
    ];
    for (what, change) in changes {
        let world = World::new();
        let site = Site::new(&world);
        let client = change(site.builder()).start().unwrap();
        let mut events = client.events();
        let told = [(); 3].map(|()| next(&world, &mut events));
        assert_eq!(told, ["failed 1, never", "gave up", "end"], "{what}");
        assert_eq!(site.count(), 1, "{what}");
        world.assert_empty();
    }
    for kind in [io::ErrorKind::PermissionDenied, io::ErrorKind::Unsupported] {
        let world = World::new();
        let site = Site::new(&world);
        site.set(Mode::Fails(kind));
        let client = site.client();
        assert!(world.sim.block_on(client.session()).is_err());
        assert_eq!(site.count(), 1, "{kind}");
    }
}

#[test]
fn a_killed_session_stays_dead() {
    let world = World::with(Limits::default(), |builder| {
        builder.on_event(|router, event| {
            if let RouterEvent::Joined { session, .. } = event {
                router.kill(session.id, &uris::KILLED, "go away");
            }
        })
    });
    let site = Site::new(&world);
    let client = site.client();
    let mut events = client.events();
    let last = world.sim.block_on(async {
        let mut last = None;
        while let Some(Ok(event)) = events.next().await {
            last = Some(event);
        }
        last
    });
    let Some(ClientEvent::GaveUp { error }) = last else { panic!("{last:?}") };
    assert_eq!((error.uri(), site.count()), (Some(&uris::KILLED), 1));
}

#[test]
fn what_cannot_work_is_not_begun() {
    let world = World::new();
    let site = Site::new(&world);
    assert!(matches!(site.builder().or("nonsense").start(), Err(Error::Url(_))));
    assert!(matches!(site.builder().serializers(&[]).start(), Err(Error::Url(_))));
    assert!(matches!(site.builder().realm("not a realm").start(), Err(Error::Config(_))));
    assert_eq!((site.count(), world.sim.tasks()), (0, 0));
}

#[test]
fn the_owner_may_know_better() {
    let world = World::new();
    let site = Site::new(&world);
    let is_worth = |error: &Error| error.uri() == Some(&uris::NO_SUCH_REALM);
    let client = site.builder().realm("later").retry_if(is_worth).start().unwrap();
    let mut events = client.events();
    assert_eq!(next(&world, &mut events), "failed 1, in 1000");
    assert_eq!(next(&world, &mut events), "failed 2, in 2000");
    site.set(Mode::Fails(io::ErrorKind::ConnectionRefused));
    assert_eq!([(); 2].map(|()| next(&world, &mut events)), ["failed 3, never", "gave up"]);
}

#[test]
fn every_attempt_begins_with_the_first_address() {
    let world = World::new();
    let site = Site::new(&world);
    site.set(Mode::Fails(io::ErrorKind::ConnectionRefused));
    let client = site.builder().or("rs://second").start().unwrap();
    let mut events = client.events();
    assert_eq!(next(&world, &mut events), "failed 1, in 1000");
    site.set(Mode::Up);
    assert_eq!(next(&world, &mut events), "connected 1");
    let seen: Vec<_> = site.0.lock().unwrap().seen.iter().map(|(_, place)| place.clone()).collect();
    assert_eq!(seen, ["rs://router:8080", "rs://second:8080", "rs://router:8080"]);
    drop(client);
    world.assert_empty();
}

/// The first address is down, and at the second one is something else: the first may come back.
#[test]
fn one_address_that_may_come_back_is_enough() {
    let world = World::new();
    let site = Site::new(&world);
    site.set(Mode::Fails(io::ErrorKind::PermissionDenied));
    let connect = Connect::new(site.clone(), "rs://nobody").or("rs://router").realm("realm1");
    let client = connect.into_client().retry(plain()).start().unwrap();
    let mut events = client.events();
    // What the operating system does not permit is tried elsewhere, but never again if there is nothing else.
    assert_eq!(next(&world, &mut events), "failed 1, in 1000");
    site.set(Mode::Up);
    assert_eq!(next(&world, &mut events), "connected 1");
    drop(client);
    // But a router that says no has the last word.
    let connect = Connect::new(site, "rs://nobody").or("rs://router").realm("nowhere");
    let client = connect.into_client().retry(plain()).start().unwrap();
    let mut events = client.events();
    assert_eq!([(); 2].map(|()| next(&world, &mut events)), ["failed 1, never", "gave up"]);
}

#[test]
fn a_router_that_restarts() {
    let world = World::new();
    let site = Site::new(&world);
    let client = site.client();
    let mut events = client.events();
    assert_eq!(next(&world, &mut events), "connected 1");
    world.sim.pass(seconds(40));
    site.set(Mode::Fails(io::ErrorKind::ConnectionRefused));
    world.sim.block_on(world.router.shutdown(seconds(5)).into_future());
    let Some(Ok(ClientEvent::Lost { error, retry_in, .. })) = world.sim.block_on(events.next()) else {
        panic!()
    };
    assert_eq!((error.uri(), retry_in), (Some(&uris::SYSTEM_SHUTDOWN), Some(seconds(1))));
    assert_eq!(next(&world, &mut events), "failed 1, in 2000");
    let successor = World::on(world.sim.clone());
    site.replace(&successor);
    site.set(Mode::Up);
    assert_eq!(next(&world, &mut events), "connected 2");
    assert_eq!(successor.router.stats().sessions, 1);
    drop(client);
    successor.assert_empty();
}

#[test]
fn silence_is_noticed() {
    let world = World::new();
    let site = Site::new(&world);
    let client = site.client();
    let mut events = client.events();
    assert_eq!(next(&world, &mut events), "connected 1");
    let start = world.sim.now();
    // A black hole: nothing comes, nothing goes, nothing says so.
    site.each(|wire| {
        wire.stall(true);
        wire.deafen(true);
    });
    let Some(Ok(ClientEvent::Lost { error, retry_in, .. })) = world.sim.block_on(events.next()) else {
        panic!()
    };
    assert!(
        matches!(error.root(), Error::Ended(reason) if **reason == CloseReason::Timeout(Deadline::Liveness)),
        "{error}"
    );
    assert_eq!((world.sim.now().saturating_since(start), retry_in), (seconds(90), Some(seconds(1))));
    assert_eq!(next(&world, &mut events), "connected 2");
    drop(client);
    world.assert_empty();
}

#[test]
fn a_router_that_says_nothing_is_tried_again() {
    let world = World::new();
    let site = Site::new(&world);
    site.set(Mode::Silent);
    let client = site.client();
    let mut events = client.events();
    assert_eq!(next(&world, &mut events), "failed 1, in 1000");
    site.set(Mode::Up);
    assert_eq!(next(&world, &mut events), "connected 1");
    drop(client);
    site.0.lock().unwrap().silent.clear();
    world.assert_empty();
}

#[test]
fn hooks_are_called_for_every_session() {
    let world = World::new();
    let site = Site::new(&world);
    let log = Arc::new(Mutex::new(Vec::new()));
    let note = |what: &'static str| {
        let log = Arc::clone(&log);
        move || log.lock().unwrap().push(what)
    };
    let (connect, join, ready, leave, disconnect) =
        (note("connect"), note("join"), note("ready"), note("leave"), note("disconnect"));
    let builder = site
        .builder()
        .on_connect(move |_| connect())
        .on_join(move |_| {
            join();
            async { Ok(()) }
        })
        .on_ready(move |_| ready())
        .on_leave(move |_| leave())
        .on_disconnect(move |_| disconnect());
    let client = builder.start().unwrap();
    let mut events = client.events();
    assert_eq!(next(&world, &mut events), "connected 1");
    site.cut();
    assert_eq!([(); 2].map(|()| next(&world, &mut events)), ["lost 1, in 1000", "connected 2"]);
    world.sim.block_on(client.close().into_future()).unwrap();
    let each = ["connect", "join", "ready", "leave", "disconnect"];
    assert_eq!(*log.lock().unwrap(), [each, each].concat());
}

#[test]
fn a_join_hook_that_needs_others_is_tried_again() {
    let world = World::new();
    let site = Site::new(&world);
    let builder = site.builder().on_join(|session| async move { session.call("a.b", ()).await.map(drop) });
    let client = builder.start().unwrap();
    let mut events = client.events();
    assert_eq!(next(&world, &mut events), "failed 1, in 1000");
    let other = world.session();
    let registration = world.sim.block_on(other.register("a.b", |_| async { Ok(()) }).into_future()).unwrap();
    assert_eq!(next(&world, &mut events), "connected 1");
    drop((client, registration, other));
    world.assert_empty();
}

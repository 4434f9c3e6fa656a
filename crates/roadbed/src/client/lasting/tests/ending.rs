//! The end of a client, wherever it stands.

use roadbed_core::error::CloseReason;

use super::*;

/// Nothing of the client holds its runtime up.
#[track_caller]
fn assert_ended(world: &World, site: &Site) {
    world.assert_empty();
    let count = site.count();
    world.sim.pass(seconds(600));
    assert_eq!((site.count(), world.sim.tasks()), (count, 0));
}

#[test]
fn dropped_in_every_state() {
    type Prepare = fn(&World, &Site);
    let connected = |world: &World, _: &Site| world.sim.pass(seconds(1));
    let states: [(&str, Mode, Prepare); 7] = [
        ("before its task ran", Mode::Up, |_, _| ()),
        ("while it connects", Mode::Hangs, |world, _| world.sim.settle()),
        ("while it joins", Mode::Silent, |world, _| world.sim.settle()),
        ("while it waits", Mode::Fails(io::ErrorKind::ConnectionRefused), |world, _| {
            world.sim.pass(seconds(2));
        }),
        ("while it is connected", Mode::Up, connected),
        ("when the session is lost", Mode::Up, |world, site| {
            world.sim.pass(seconds(1));
            site.cut();
        }),
        ("when nothing gets through", Mode::Up, |world, site| {
            world.sim.pass(seconds(1));
            site.each(|wire| {
                wire.stall(true);
                wire.deafen(true);
            });
        }),
    ];
    for (what, mode, prepare) in states {
        let world = World::new();
        let site = Site::new(&world);
        site.set(mode);
        let client = site.client();
        let mut ticks = client.subscribe("com.example.tick").declare().unwrap();
        let mut events = client.events();
        prepare(&world, &site);
        let clone = client.clone();
        drop(client);
        assert!(!clone.lasting().with(|state, _| state.is_stopping), "{what}: one handle is left");
        drop(clone);
        assert!(world.sim.block_on(ticks.next()).is_none(), "{what}");
        while next(&world, &mut events) != "end" {}
        site.0.lock().unwrap().silent.clear();
        assert_ended(&world, &site);
    }
}

#[test]
fn closing_says_goodbye_and_waits_for_it() {
    let world = World::new();
    let site = Site::new(&world);
    let reasons = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&reasons);
    let builder = site.builder().on_leave(move |reason| noted.lock().unwrap().push(reason.to_string()));
    let client = builder.start().unwrap();
    let kept = world.sim.block_on(client.session()).unwrap();
    let (one, two) = (client.close(), client.clone().close());
    world.sim.block_on(one.into_future()).unwrap();
    assert_eq!(*reasons.lock().unwrap(), ["goodbye: wamp.close.close_realm"]);
    assert_eq!(world.router.stats().sessions, 0);
    world.sim.block_on(two.into_future()).unwrap();
    // Whoever still holds the session has nothing of it, nor of the client.
    let error = world.sim.block_on(kept.call("a.b", ()).into_future()).unwrap_err();
    assert!(matches!(error.root(), Error::Ended(_)));
    for result in [
        world.sim.block_on(client.call("a.b", ()).into_future()).map(drop),
        world.sim.block_on(client.session()).map(drop),
        world.sim.block_on(client.subscribe("a.b").into_future()).map(drop),
    ] {
        let error = result.unwrap_err();
        assert!(matches!(error.root(), Error::Ended(reason) if **reason == CloseReason::Local), "{error}");
    }
    assert!(!client.is_connected());
    assert_ended(&world, &site);
}

#[test]
fn closing_ends_whatever_waits() {
    let world = World::new();
    let site = Site::new(&world);
    site.set(Mode::Hangs);
    let client = site.builder().while_disconnected(WhileDisconnected::wait(seconds(60))).start().unwrap();
    let mut call = Box::pin(client.call("a.b", ()).into_future());
    let mut session = Box::pin(client.session());
    let mut subscribe = Box::pin(client.subscribe("a.b").into_future());
    assert!(world.sim.poll_once(call.as_mut(), 10).is_pending());
    assert!(world.sim.poll_once(session.as_mut(), 10).is_pending());
    assert!(world.sim.poll_once(subscribe.as_mut(), 10).is_pending());
    let start = world.sim.now();
    world.sim.block_on(client.close().into_future()).unwrap();
    assert!(world.sim.block_on(call).is_err() && world.sim.block_on(session).is_err());
    assert!(world.sim.block_on(subscribe).is_err());
    assert_eq!(world.sim.now(), start);
    assert_idle(&client, 0);
    assert_ended(&world, &site);
}

#[test]
fn a_session_that_is_left_by_hand_ends_the_client() {
    let world = World::new();
    let site = Site::new(&world);
    let client = site.client();
    let mut events = client.events();
    let session = world.sim.block_on(client.session()).unwrap();
    world.sim.block_on(session.leave().into_future()).unwrap();
    let told = [(); 4].map(|()| next(&world, &mut events));
    assert_eq!(told, ["connected 1", "lost 1, never", "gave up", "end"]);
    drop(session);
    assert_ended(&world, &site);
}

#[test]
fn the_end_of_the_runtime_is_the_end_of_the_client() {
    let world = World::new();
    let site = Site::new(&world);
    let client = site.builder().while_disconnected(WhileDisconnected::wait(seconds(60))).start().unwrap();
    let mut ticks = client.subscribe("com.example.tick").declare().unwrap();
    let mut events = client.events();
    assert_eq!(next(&world, &mut events), "connected 1");
    world.sim.kill_tasks();
    assert_eq!([(); 2].map(|()| next(&world, &mut events)), ["gave up", "end"]);
    assert!(world.sim.block_on(ticks.next()).is_none());
    assert!(world.sim.block_on(client.call("a.b", ()).into_future()).is_err());
    assert!(world.sim.block_on(client.close().into_future()).is_err());
}

#[test]
fn finished_futures_stay_pending() {
    let world = World::new();
    let client = Site::new(&world).client();
    let mut session = Box::pin(client.session());
    world.sim.block_on(session.as_mut()).unwrap();
    assert!(world.sim.poll_once(session.as_mut(), 10).is_pending());
    let mut close = Box::pin(client.close().into_future());
    world.sim.block_on(close.as_mut()).unwrap();
    assert!(world.sim.poll_once(close.as_mut(), 10).is_pending());
}

/// T-42: whatever a session brings is gone with it.
#[test]
fn a_thousand_sessions_leave_no_growth() {
    let world = World::new();
    let site = Site::new(&world);
    let client = site.client();
    let _ticks = client.subscribe("com.example.tick").declare().unwrap();
    let _one = client.register("com.example.one", |_| async { Ok(1) }).declare().unwrap();
    let mut watched = client.events();
    let _unwatched = client.events();
    let mut counts = Vec::new();
    for generation in 1..=1000 {
        assert_eq!(next(&world, &mut watched), format!("connected {generation}"));
        // As users do: handles come and go.
        drop(client.events());
        drop(client.subscribe("com.example.other").declare().unwrap());
        world.sim.pass(seconds(31));
        // One router, two subscriptions' and registrations' worth of state, three tasks.
        let entries = client.lasting().with(|state, _| state.entries());
        let stats = world.router.stats();
        counts.push((entries, world.sim.tasks(), stats.sessions, stats.subscriptions, stats.registrations));
        site.cut();
        assert_eq!(next(&world, &mut watched), format!("lost {generation}, in 1000"));
    }
    counts.dedup();
    assert_eq!(counts.len(), 1, "{counts:?}");
    assert_eq!((counts[0].0, counts[0].2, counts[0].3, counts[0].4), (4, 1, 1, 1));
    drop(client);
    assert_ended(&world, &site);
}

//! Subscriptions and registrations over several sessions.

use roadbed_core::error::uris;
use roadbed_core::serializer::Serializer;
use roadbed_core::uri::Uri;

use super::*;
use crate::client::Settings;
use crate::server::{Authentication, RouterConfig, RouterEvent, TicketTable};

/// Publishes a number.
fn publish(world: &World, number: u32) {
    let other = world.session();
    let publish = other.publish("com.example.tick", (number,)).acknowledge();
    world.sim.block_on(publish.into_future()).unwrap();
    world.sim.settle();
}

/// The next of a subscription in few words.
fn tick(world: &World, ticks: &mut ClientSubscription) -> String {
    match world.sim.block_on(ticks.next()) {
        Some(Ok(event)) => event.get::<u32>().unwrap().to_string(),
        Some(Err(missed)) => format!("{missed:?}"),
        None => "end".into(),
    }
}

/// Loses the session, and waits for the next.
fn reconnect(world: &World, site: &Site, client: &Client) {
    let generation = client.generation();
    site.cut();
    let mut events = client.events();
    while next(world, &mut events) != format!("connected {}", generation + 1) {}
    // What was declared is granted by then.
    world.sim.pass(Duration::from_millis(1));
}

/// T-09: each exactly once, however often the session is lost.
#[test]
fn every_session_has_every_subscription_once() {
    let world = World::new();
    let site = Site::new(&world);
    let client = site.client();
    let mut ticks = world.sim.block_on(patient(&client).subscribe("com.example.tick").into_future()).unwrap();
    let mut again = client.subscribe("com.example.tick").declare().unwrap();
    let session = world.sim.block_on(client.session()).unwrap();
    for generation in 2..6 {
        publish(&world, 1);
        publish(&world, 2);
        let told = [(); 2].map(|()| tick(&world, &mut ticks));
        assert_eq!(told, ["1", "2"]);
        reconnect(&world, &site, &client);
        assert_eq!(world.router.stats().subscriptions, 1);
        assert_eq!(tick(&world, &mut ticks), format!("Gap {{ generation: {generation} }}"));
    }
    publish(&world, 9);
    assert_eq!(tick(&world, &mut ticks), "9");
    // Nobody read the other one: all of it is there, in its order.
    let told: Vec<_> = (0..13).map(|_| tick(&world, &mut again)).collect();
    let gap = |generation| format!("Gap {{ generation: {generation} }}");
    let expected = ["1", "2", &gap(2), "1", "2", &gap(3), "1", "2", &gap(4), "1", "2", &gap(5), "9"];
    assert_eq!(told, expected);
    drop((session, client));
    assert_eq!([tick(&world, &mut ticks), tick(&world, &mut again)], ["end", "end"]);
    world.assert_empty();
}

#[test]
fn sessions_without_events_leave_one_gap() {
    let world = World::new();
    let site = Site::new(&world);
    let client = site.client();
    let mut ticks = world.sim.block_on(patient(&client).subscribe("com.example.tick").into_future()).unwrap();
    for _ in 0..4 {
        reconnect(&world, &site, &client);
    }
    publish(&world, 7);
    let told = [(); 2].map(|()| tick(&world, &mut ticks));
    assert_eq!(told, ["Gap { generation: 5 }", "7"]);
}

#[test]
fn what_is_not_read_is_bounded_over_all_sessions() {
    let world = World::new();
    let site = Site::new(&world);
    let client = site.builder().event_queue(3, 1 << 20).start().unwrap();
    let mut ticks = world.sim.block_on(patient(&client).subscribe("com.example.tick").into_future()).unwrap();
    for number in 0..20 {
        publish(&world, number);
        reconnect(&world, &site, &client);
    }
    // Of the twenty two are left, with the marks behind them.
    let told = [(); 5].map(|()| tick(&world, &mut ticks));
    let expected = ["Lagged(18)", "18", "Gap { generation: 20 }", "19", "Gap { generation: 21 }"];
    assert_eq!(told, expected);
}

#[test]
fn every_session_has_every_registration() {
    let world = World::new();
    let site = Site::new(&world);
    let client = site.client();
    let greet = |inv: Invocation| async move { Ok(format!("hello {}", inv.get::<String>()?)) };
    let greet =
        world.sim.block_on(patient(&client).register("com.example.greet", greet).into_future()).unwrap();
    client.register("com.example.one", |_| async { Ok(1) }).declare().unwrap().detach();
    for generation in 1..4 {
        world.sim.pass(Duration::from_millis(1));
        assert_eq!(client.generation(), generation);
        let caller = world.session();
        let call = caller.call("com.example.greet", ("you",)).returning::<String>();
        assert_eq!(world.sim.block_on(call.into_future()).unwrap(), "hello you");
        let call = caller.call("com.example.one", ()).returning::<u8>();
        assert_eq!(world.sim.block_on(call.into_future()).unwrap(), 1);
        assert_eq!(world.router.stats().registrations, 2);
        reconnect(&world, &site, &client);
    }
    // Dropped in one session, it is in no other.
    drop(greet);
    world.sim.pass(Duration::from_millis(1));
    assert_eq!(world.router.stats().registrations, 1);
    reconnect(&world, &site, &client);
    assert_eq!(world.router.stats().registrations, 1);
    drop(client);
    world.assert_empty();
}

/// The handler answers in the serializer of the session that was called.
#[test]
fn another_serializer_after_the_reconnection() {
    let world = World::with(Default::default(), |builder| builder.serializers(&[Serializer::MsgPack]));
    let site = Site::new(&world);
    let client = site.client();
    let echo = |inv: Invocation| async move { Ok(inv.get::<Vec<String>>()?) };
    client.register("com.example.echo", echo).declare().unwrap().detach();
    let session = world.sim.block_on(client.session()).unwrap();
    assert_eq!(session.serializer(), Serializer::MsgPack);
    let json_only = World::build(world.sim.clone(), Default::default(), |builder| {
        builder.serializers(&[Serializer::Json])
    });
    site.replace(&json_only);
    reconnect(&world, &site, &client);
    let session = json_only.sim.block_on(client.session()).unwrap();
    assert_eq!(session.serializer(), Serializer::Json);
    let caller = json_only.join(&crate::testing::settings().serializer(Serializer::Json));
    let call = caller.call("com.example.echo", (["a", "b"],)).returning::<Vec<String>>();
    assert_eq!(json_only.sim.block_on(call.into_future()).unwrap(), ["a", "b"]);
}

/// The router still holds what belonged to a session that is gone.
#[test]
fn a_registration_that_is_still_taken_is_asked_for_again() {
    let world = World::new();
    let site = Site::new(&world);
    let ghost = world.session();
    let taken = world.sim.block_on(ghost.register("com.example.one", |_| async { Ok(0) }).into_future());
    let client = site.client();
    let mut events = client.events();
    let one = client.register("com.example.one", |_| async { Ok(1) }).declare().unwrap();
    let told = [(); 4].map(|()| next(&world, &mut events));
    let expected = [
        "connected 1",
        "refused com.example.one, in 1000",
        "refused com.example.one, in 2000",
        "refused com.example.one, in 4000",
    ];
    assert_eq!(told, expected);
    drop(taken);
    world.sim.pass(seconds(4));
    let call = ghost.call("com.example.one", ()).returning::<u8>();
    assert_eq!(world.sim.block_on(call.into_future()).unwrap(), 1);
    // Withdrawn while it waits to be asked for again, it is not.
    drop(one);
    world.sim.settle();
    let taken = world.sim.block_on(ghost.register("com.example.one", |_| async { Ok(0) }).into_future());
    let one = client.register("com.example.one", |_| async { Ok(1) }).declare().unwrap();
    assert_eq!(next(&world, &mut events), "refused com.example.one, in 1000");
    drop((one, taken));
    world.sim.pass(seconds(20));
    assert_eq!(world.router.stats().registrations, 0);
    assert_idle(&client, 1);
}

#[test]
fn asking_again_ends_as_the_policy_says_and_begins_anew_with_the_next_session() {
    let world = World::new();
    let site = Site::new(&world);
    let ghost = world.session();
    let _taken = world.sim.block_on(ghost.register("com.example.one", |_| async { Ok(0) }).into_future());
    let client = site.builder().retry(plain().attempts(Some(2))).start().unwrap();
    let mut events = client.events();
    let _one = client.register("com.example.one", |_| async { Ok(1) }).declare().unwrap();
    let refused = ["refused com.example.one, in 1000", "refused com.example.one, never"];
    assert_eq!(next(&world, &mut events), "connected 1");
    assert_eq!([(); 2].map(|()| next(&world, &mut events)), refused);
    world.sim.pass(seconds(60));
    site.cut();
    assert_eq!([(); 2].map(|()| next(&world, &mut events)), ["lost 1, in 1000", "connected 2"]);
    assert_eq!([(); 2].map(|()| next(&world, &mut events)), refused);
}

#[test]
fn whoever_waits_is_told_of_the_refusal() {
    let world = World::new();
    let site = Site::new(&world);
    let ghost = world.session();
    let _taken = world.sim.block_on(ghost.register("com.example.one", |_| async { Ok(0) }).into_future());
    let client = site.client();
    let register = patient(&client).register("com.example.one", |_| async { Ok(1) });
    let error = world.sim.block_on(register.into_future()).unwrap_err();
    assert_eq!(error.uri(), Some(&uris::PROCEDURE_ALREADY_EXISTS));
    // Nothing is left of it, and nobody asks again.
    let mut events = client.events();
    assert_eq!(next(&world, &mut events), "connected 1");
    assert_idle(&client, 1);
    let error = world.sim.block_on(patient(&client).subscribe("").into_future()).unwrap_err();
    assert!(matches!(error, Error::Uri { .. }), "{error}");
    assert!(matches!(client.register("a b", |_| async { Ok(()) }).declare(), Err(Error::Uri { .. })));
    drop(client);
    assert_eq!(next(&world, &mut events), "end");
}

#[test]
fn declared_before_there_is_a_session() {
    let world = World::new();
    let site = Site::new(&world);
    site.set(Mode::Fails(io::ErrorKind::ConnectionRefused));
    let client = site.client();
    let mut ticks = client.subscribe("com.example.tick").declare().unwrap();
    let withdrawn = client.subscribe("com.example.other").declare().unwrap();
    let mut waiting = Box::pin(patient(&client).subscribe("com.example.third").into_future());
    assert!(world.sim.poll_once(waiting.as_mut(), 100).is_pending());
    let mut given_up = Box::pin(patient(&client).subscribe("com.example.fourth").into_future());
    assert!(world.sim.poll_once(given_up.as_mut(), 100).is_pending());
    assert_idle(&client, 4);
    drop((withdrawn, given_up));
    assert_idle(&client, 2);
    site.set(Mode::Up);
    let third = world.sim.block_on(waiting).unwrap();
    assert_eq!(world.router.stats().subscriptions, 2);
    publish(&world, 1);
    // Nothing was missed before the first session.
    assert_eq!(tick(&world, &mut ticks), "1");
    drop((ticks, third));
    world.sim.pass(Duration::from_millis(1));
    assert_eq!(world.router.stats().subscriptions, 0);
    assert_idle(&client, 0);
}

/// More than what may wait to be sent at a time.
#[test]
fn many_are_declared_in_order() {
    let world = World::new();
    let site = Site::new(&world);
    let client = site.client();
    let long = "x".repeat(900);
    let topics: Vec<_> = (0..3000)
        .map(|number| client.subscribe(format!("com.example.{long}.{number}")).declare().unwrap())
        .collect();
    for _ in 0..2 {
        world.sim.block_on(client.session()).unwrap();
        world.sim.pass(seconds(1));
        assert_eq!(world.router.stats().subscriptions, 3000);
        reconnect(&world, &site, &client);
    }
    drop(topics);
    world.sim.pass(seconds(1));
    assert_eq!(world.router.stats().subscriptions, 0);
    drop(client);
    world.assert_empty();
}

/// What is declared is there before anything else is sent.
#[test]
fn declared_before_what_waits() {
    let world = World::new();
    let site = Site::new(&world);
    site.set(Mode::Fails(io::ErrorKind::ConnectionRefused));
    let client = site.builder().while_disconnected(WhileDisconnected::wait(seconds(60))).start().unwrap();
    let mut ticks = client.subscribe("com.example.tick").declare().unwrap();
    let publish = client.publish("com.example.tick", (5,)).exclude_me(false).acknowledge();
    let mut publish = Box::pin(publish.into_future());
    assert!(world.sim.poll_once(publish.as_mut(), 10).is_pending());
    site.set(Mode::Up);
    world.sim.block_on(publish).unwrap();
    assert_eq!(tick(&world, &mut ticks), "5");
}

/// A refusal that will not pass is told once a session.
#[test]
fn what_is_not_permitted_is_not_asked_again() {
    let sim = Sim::default();
    let table = TicketTable::new().principal("joe", "secret", "user");
    let config = RouterConfig::new().realm(Uri::new("realm1").unwrap(), Authentication::new().ticket(table));
    let router = RouterHandle::builder(config).on_event(|_, _: RouterEvent| ()).start(sim.runtime()).unwrap();
    let world = World { sim, router };
    let site = Site::new(&world);
    let settings = Settings::new("realm1").authid("joe").ticket("secret");
    let client = site.builder().settings(settings).start().unwrap();
    let mut events = client.events();
    // Procedures of WAMP's own are nobody's to register.
    let _mine = client.register("wamp.session.count", |_| async { Ok(0) }).declare().unwrap();
    assert_eq!(next(&world, &mut events), "connected 1");
    assert_eq!(next(&world, &mut events), "refused wamp.session.count, never");
    world.sim.pass(seconds(60));
    site.cut();
    let told = [(); 3].map(|()| next(&world, &mut events));
    assert_eq!(told, ["lost 1, in 1000", "connected 2", "refused wamp.session.count, never"]);
}

//! Calls and publications without a session.

use roadbed_core::options::CancelMode;
use roadbed_core::serializer::Serializer;

use super::*;
use crate::client::HandlerError;
use crate::error::Disconnected;
use crate::testing::owner::let_go;

/// A client that waits two seconds for its next attempt, and then one more.
fn pausing(world: &World, site: &Site, builder: ClientBuilder) -> Client {
    site.set(Mode::Fails(io::ErrorKind::ConnectionRefused));
    let client = builder.retry(plain().first(seconds(3)).factor(1.0)).start().unwrap();
    let mut events = client.events();
    assert_eq!(next(world, &mut events), "failed 1, in 3000");
    world.sim.pass(seconds(1));
    client
}

fn disconnected<T: fmt::Debug>(result: Result<T, Error>) -> Disconnected {
    match result {
        Err(error) => {
            assert!(error.is_retryable());
            let Error::Disconnected(disconnected) = error else { panic!("{error}") };
            disconnected
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn they_fail_at_once_where_that_was_asked_for() {
    let world = World::new();
    let site = Site::new(&world);
    let impatient = site.builder().while_disconnected(WhileDisconnected::Fail);
    let client = pausing(&world, &site, impatient);
    let subscribe = client.subscribe("a.b").into_future();
    assert!(matches!(disconnected(world.sim.block_on(subscribe)), Disconnected::Now { .. }));
    let now = world.sim.now();
    let expected = Disconnected::Now { retry_in: Some(seconds(2)) };
    assert_eq!(disconnected(world.sim.block_on(client.call("a.b", ()).into_future())), expected);
    assert_eq!(disconnected(world.sim.block_on(client.publish("a.b", ()).into_future())), expected);
    let acknowledged = client.publish("a.b", ()).acknowledge();
    assert_eq!(disconnected(world.sim.block_on(acknowledged.into_future())), expected);
    assert_eq!(expected.to_string(), "not connected, connecting in 2s");
    assert_eq!(world.sim.now(), now);
    // While an attempt is under way there is no time to tell.
    site.set(Mode::Hangs);
    world.sim.pass(seconds(3));
    let none = Disconnected::Now { retry_in: None };
    assert_eq!(disconnected(world.sim.block_on(client.call("a.b", ()).into_future())), none);
    assert_idle(&client, 0);
}

/// A program that has just started its client need not know when its session is there.
#[test]
fn they_wait_for_the_first_session() {
    let world = World::new();
    let site = Site::new(&world);
    let callee = world.session();
    let one = |_| async { Ok(1) };
    let _one = world.sim.block_on(callee.register("com.example.one", one).into_future()).unwrap();
    // The first attempt.
    let client = site.client();
    let events = world.sim.block_on(client.subscribe("a.b").into_future()).unwrap();
    assert!(events.is_active());
    // Others are needed.
    let client = pausing(&world, &site, site.builder());
    let mut flush = Box::pin(client.flush().into_future());
    let mut publish = Box::pin(client.publish("a.b", ()).into_future());
    let mut register = Box::pin(client.register("com.example.p", |_| async { Ok(()) }).into_future());
    let mut call = Box::pin(client.call("com.example.one", ()).no_timeout().returning::<u8>().into_future());
    assert!(world.sim.poll_once(flush.as_mut(), 10).is_pending());
    assert!(world.sim.poll_once(publish.as_mut(), 10).is_pending());
    assert!(world.sim.poll_once(register.as_mut(), 10).is_pending());
    assert!(world.sim.poll_once(call.as_mut(), 10).is_pending());
    // Not for ever.
    let start = world.sim.now();
    let Err(Error::Timeout(late)) =
        world.sim.block_on(client.subscribe("a.c").timeout(seconds(5)).into_future())
    else {
        panic!("it was granted")
    };
    assert_eq!((late.was_sent, world.sim.now().saturating_since(start)), (false, seconds(5)));
    site.set(Mode::Up);
    let registration = world.sim.block_on(register).unwrap();
    assert!(registration.is_active());
    assert_eq!(world.sim.block_on(call).unwrap(), 1);
    world.sim.block_on(async { publish.await.and(flush.await) }).unwrap();
    // After it, calls fail without a session; what is declared waits for the next one.
    site.set(Mode::Fails(io::ErrorKind::ConnectionRefused));
    site.cut();
    world.sim.settle();
    let retry_in = Some(seconds(3));
    let call = client.call("com.example.one", ()).into_future();
    assert_eq!(disconnected(world.sim.block_on(call)), Disconnected::Now { retry_in });
    let mut subscribe = Box::pin(client.subscribe("a.c").into_future());
    assert!(world.sim.poll_once(subscribe.as_mut(), 10).is_pending());
    site.set(Mode::Up);
    assert!(world.sim.block_on(subscribe).unwrap().is_active());
    drop(registration);
    world.sim.settle();
    assert_idle(&client, 0);
}

/// Whoever waits for a client that gives up is told why.
#[test]
fn nobody_waits_for_a_session_that_never_comes() {
    let world = World::new();
    let site = Site::new(&world);
    let client = pausing(&world, &site, site.builder());
    let mut call = Box::pin(client.call("a.b", ()).no_timeout().into_future());
    let mut subscribe = Box::pin(client.subscribe("a.b").no_timeout().into_future());
    assert!(world.sim.poll_once(call.as_mut(), 10).is_pending());
    assert!(world.sim.poll_once(subscribe.as_mut(), 10).is_pending());
    world.sim.block_on(client.close().into_future()).unwrap();
    for error in [world.sim.block_on(call).map(drop), world.sim.block_on(subscribe).map(drop)] {
        assert!(matches!(error, Err(Error::Ended(_))), "{error:?}");
    }
    assert_idle(&client, 0);
}

/// Sessions that are gone before anything could be sent give nobody more time, nor send anything twice.
#[test]
fn a_router_that_flaps_neither_extends_nor_repeats_anything() {
    let world = World::new();
    let site = Site::new(&world);
    let policy = plain().factor(1.0);
    let waits = WhileDisconnected::wait(seconds(10));
    let client = site.builder().retry(policy).while_disconnected(waits).start().unwrap();
    let callee = world.session();
    let count = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&count);
    let add = move |_| {
        *counted.lock().unwrap() += 1;
        async { Ok(()) }
    };
    let _add = world.sim.block_on(callee.register("com.example.add", add).into_future()).unwrap();
    world.sim.block_on(client.session()).unwrap();
    let (mut sent, mut failed) = (0, 0);
    for _ in 0..10 {
        site.set(Mode::Fails(io::ErrorKind::ConnectionRefused));
        site.cut();
        world.sim.settle();
        let start = world.sim.now();
        let mut calls = Vec::new();
        for _ in 0..3 {
            let mut call = Box::pin(client.call("com.example.add", ()).into_future());
            assert!(world.sim.poll_once(call.as_mut(), 10).is_pending());
            calls.push(call);
        }
        // Up for a moment, then gone again.
        world.sim.pass(seconds(2));
        site.set(Mode::Up);
        world.sim.pass(Duration::from_millis(1001));
        site.cut();
        for call in calls {
            match world.sim.block_on(call) {
                Ok(_) => sent += 1,
                Err(error) => {
                    assert!(matches!(error.root(), Error::Ended(_)), "{error}");
                    failed += 1;
                }
            }
        }
        assert!(world.sim.now().saturating_since(start) <= seconds(10));
        world.sim.block_on(client.session()).unwrap();
    }
    assert_eq!(sent + failed, 30);
    let count = *count.lock().unwrap();
    assert!((sent..=30).contains(&count), "{sent} were answered, {count} were carried out");
    assert!(client.generation() > 10);
    assert_idle(&client, 0);
}

#[test]
fn they_wait_for_the_session() {
    let world = World::new();
    let site = Site::new(&world);
    let patient = site.builder().while_disconnected(WhileDisconnected::wait(seconds(10)));
    let client = pausing(&world, &site, patient);
    let callee = world.session();
    let echo = |inv: Invocation| async move { Ok(inv.get::<String>()?) };
    let _echo = world.sim.block_on(callee.register("com.example.echo", echo).into_future()).unwrap();
    let calls: Vec<_> = (0..5)
        .map(|number| {
            let call = client.call("com.example.echo", (format!("{number}"),));
            let mut call = Box::pin(call.returning::<String>().into_future());
            assert!(world.sim.poll_once(call.as_mut(), 10).is_pending());
            call
        })
        .collect();
    assert_idle(&client, 5);
    site.set(Mode::Up);
    for (number, call) in calls.into_iter().enumerate() {
        assert_eq!(world.sim.block_on(call).unwrap(), number.to_string());
    }
    assert_idle(&client, 0);
    // An impatient handle of the same client.
    site.set(Mode::Fails(io::ErrorKind::ConnectionRefused));
    site.cut();
    world.sim.settle();
    let impatient = client.while_disconnected(WhileDisconnected::Fail);
    let call = impatient.call("com.example.echo", ("x",));
    let retry_in = Some(seconds(3));
    assert_eq!(disconnected(world.sim.block_on(call.into_future())), Disconnected::Now { retry_in });
}

/// Encoded while nobody knew what the next session speaks.
#[test]
fn they_are_transcoded_when_they_are_sent() {
    let world = World::with(Default::default(), |builder| builder.serializers(&[Serializer::Json]));
    let site = Site::new(&world);
    let serializers = [Serializer::Cbor, Serializer::Json];
    let patient =
        site.builder().serializers(&serializers).while_disconnected(WhileDisconnected::wait(seconds(10)));
    let client = pausing(&world, &site, patient);
    let callee = world.join(&crate::testing::settings().serializer(Serializer::Json));
    let sum = |inv: Invocation| async move { Ok(inv.args::<(u64, u64)>().map(|(a, b)| a + b)?) };
    let _sum = world.sim.block_on(callee.register("com.example.sum", sum).into_future()).unwrap();
    let mut call = Box::pin(client.call("com.example.sum", (2, 3)).returning::<u64>().into_future());
    assert!(world.sim.poll_once(call.as_mut(), 10).is_pending());
    site.set(Mode::Up);
    assert_eq!(world.sim.block_on(call).unwrap(), 5);
}

/// An attempt that fails wakes them, and they wait on; their time is still kept.
#[test]
fn they_do_not_wait_longer_however_many_attempts_fail() {
    let world = World::new();
    let site = Site::new(&world);
    site.set(Mode::Fails(io::ErrorKind::ConnectionRefused));
    let patient = site.builder().while_disconnected(WhileDisconnected::wait(seconds(5)));
    let client = patient.retry(plain().first(seconds(1)).factor(30.0)).start().unwrap();
    let mut events = client.events();
    assert_eq!(next(&world, &mut events), "failed 1, in 1000");
    let start = world.sim.now();
    let error = disconnected(world.sim.block_on(client.publish("a.b", ()).into_future()));
    assert_eq!(error, Disconnected::TooLong { waited: seconds(5) });
    assert_eq!(world.sim.now().saturating_since(start), seconds(5));
    assert_eq!(next(&world, &mut events), "failed 2, in 8000");
}

#[test]
fn they_do_not_wait_longer_than_they_may() {
    let world = World::new();
    let site = Site::new(&world);
    let patient = site.builder().while_disconnected(WhileDisconnected::wait(seconds(5)));
    let client = pausing(&world, &site, patient);
    let start = world.sim.now();
    let since = || world.sim.now().saturating_since(start);
    let mut other = Box::pin(client.publish("a.b", ()).into_future());
    assert!(world.sim.poll_once(other.as_mut(), 10).is_pending());
    let call = world.sim.block_on(client.call("a.b", ()).into_future());
    assert_eq!((disconnected(call), since()), (Disconnected::TooLong { waited: seconds(5) }, seconds(5)));
    assert_eq!(disconnected(world.sim.block_on(other)), Disconnected::TooLong { waited: seconds(5) });
    // The deadline of a call is another matter.
    let call = client.call("a.b", ()).timeout(seconds(2));
    let error = world.sim.block_on(call.into_future()).unwrap_err();
    assert!(matches!(error, Error::Timeout(_)), "{error}");
    assert_eq!(since(), seconds(7));
    // So it is while an attempt hangs.
    site.set(Mode::Hangs);
    world.sim.pass(seconds(4));
    let start = world.sim.now();
    let call = world.sim.block_on(client.call("a.b", ()).into_future());
    assert_eq!(disconnected(call), Disconnected::TooLong { waited: seconds(5) });
    assert_eq!(world.sim.now().saturating_since(start), seconds(5));
    assert_idle(&client, 0);
}

/// The time that a call waited for its session is not given to it again.
#[test]
fn a_deadline_covers_the_wait_and_the_call() {
    let world = World::new();
    let site = Site::new(&world);
    let patient = site.builder().while_disconnected(WhileDisconnected::wait(seconds(60)));
    let client = pausing(&world, &site, patient);
    let callee = world.session();
    let dig = |_| pending::<Result<(), HandlerError>>();
    let _dig = world.sim.block_on(callee.register("com.example.dig", dig).into_future()).unwrap();
    site.set(Mode::Up);
    let start = world.sim.now();
    let call = client.call("com.example.dig", ()).timeout(seconds(7));
    let error = world.sim.block_on(call.into_future()).unwrap_err();
    assert!(matches!(error, Error::Timeout(_)), "{error}");
    assert_eq!((client.generation(), world.sim.now().saturating_since(start)), (1, seconds(7)));
}

#[test]
fn no_more_wait_than_may() {
    let world = World::new();
    let site = Site::new(&world);
    let waits = WhileDisconnected::Wait { at_most: seconds(60), requests: 3, bytes: 100 };
    let patient = site.builder().while_disconnected(waits);
    let client = pausing(&world, &site, patient);
    let wait = |text: String| {
        let mut call = Box::pin(client.call("a.b", (text,)).into_future());
        match world.sim.poll_once(call.as_mut(), 10) {
            Poll::Pending => Ok(call),
            Poll::Ready(result) => Err(disconnected(result)),
        }
    };
    let first = wait("x".repeat(80)).unwrap();
    let Err(Disconnected::TooLarge { size, limit: 100 }) = wait("x".repeat(30)) else { panic!() };
    assert!((31..40).contains(&size));
    let others = [wait("x".into()).unwrap(), wait("x".into()).unwrap()];
    assert_eq!(wait("x".into()).unwrap_err(), Disconnected::TooMany { limit: 3 });
    // Whoever gives up makes room, in both respects.
    drop(first);
    let third = wait("x".repeat(80)).unwrap();
    // Those who wait for the session itself are no requests.
    let mut session = Box::pin(client.session());
    assert!(world.sim.poll_once(session.as_mut(), 10).is_pending());
    drop((others, third));
    assert_idle(&client, 1);
    drop(session);
    assert_idle(&client, 0);
}

/// T-08, and: what may have run is not sent again.
#[test]
fn a_call_canceled_while_it_waits_is_not_made() {
    let world = World::new();
    let site = Site::new(&world);
    let callee = world.session();
    let mut calls = world.sim.block_on(callee.register_queue("com.example.r").into_future()).unwrap();
    let client = pausing(&world, &site, site.builder());
    let mut call = Box::pin(client.call("com.example.r", ("canceled",)).into_future());
    assert!(world.sim.poll_once(call.as_mut(), 50).is_pending());
    call.cancel(CancelMode::Kill);
    assert_idle(&client, 0);
    assert!(matches!(world.sim.block_on(call), Err(Error::Canceled)));
    site.set(Mode::Up);
    let mut next = Box::pin(client.call("com.example.r", ("next",)).into_future());
    assert!(world.sim.poll_once(next.as_mut(), 51).is_pending());
    world.sim.pass(seconds(3));
    assert!(world.sim.poll_once(next.as_mut(), 51).is_pending());
    let invocation = world.sim.block_on(calls.next()).unwrap();
    assert_eq!(invocation.get::<String>().unwrap(), "next");
}

#[test]
fn a_call_under_way_fails_and_is_not_repeated() {
    let world = World::new();
    let site = Site::new(&world);
    let client = site.builder().while_disconnected(WhileDisconnected::wait(seconds(60))).start().unwrap();
    let callee = world.session();
    let count = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&count);
    let dig = move |_| {
        *counted.lock().unwrap() += 1;
        pending::<Result<(), HandlerError>>()
    };
    let _dig = world.sim.block_on(callee.register("com.example.dig", dig).into_future()).unwrap();
    world.sim.block_on(client.session()).unwrap();
    let mut call = Box::pin(client.call("com.example.dig", ()).no_timeout().into_future());
    assert!(world.sim.poll_once(call.as_mut(), 100).is_pending());
    assert_eq!(*count.lock().unwrap(), 1);
    site.cut();
    let error = world.sim.block_on(call).unwrap_err();
    assert!(matches!(error.root(), Error::Ended(_)) && error.is_retryable(), "{error}");
    let mut events = client.events();
    while next(&world, &mut events) != "connected 2" {}
    world.sim.pass(seconds(60));
    assert_eq!(*count.lock().unwrap(), 1);
}

/// The session is gone, and the client has not noticed: nothing was sent, so the next session will do.
#[test]
fn a_session_that_was_left_behind_costs_nothing() {
    let world = World::new();
    let site = Site::new(&world);
    let client = site.builder().while_disconnected(WhileDisconnected::wait(seconds(60))).start().unwrap();
    let callee = world.session();
    let one = |_| async { Ok(1) };
    let _one = world.sim.block_on(callee.register("com.example.one", one).into_future()).unwrap();
    let session = world.sim.block_on(client.session()).unwrap();
    // Found out by the driver, before the client's task has its turn.
    site.cut();
    while !session.shared().with(|state, _| state.is_over()) {
        assert!(world.sim.step());
    }
    assert!(client.is_connected());
    let impatient = client.while_disconnected(WhileDisconnected::Fail);
    let mut call = Box::pin(impatient.call("com.example.one", ()).into_future());
    let Poll::Ready(result) = world.sim.poll_once(call.as_mut(), 0) else { panic!() };
    assert_eq!(disconnected(result), Disconnected::Now { retry_in: None });
    assert!(!client.is_connected());
    let call = client.call("com.example.one", ()).returning::<u8>();
    assert_eq!(world.sim.block_on(call.into_future()).unwrap(), 1);
    assert_eq!(client.generation(), 2);
}

/// Both when another waker comes, and when nobody waits any more.
#[test]
fn wakers_are_let_go_without_the_lock() {
    let world = World::new();
    let site = Site::new(&world);
    let client = pausing(&world, &site, site.builder());
    let poll = |next: &mut NextSession, waker: &Waker| {
        assert!(Pin::new(next).poll(&mut Context::from_waker(waker)).is_pending());
    };
    let next = client.session();
    let again = client.clone();
    let back = move || assert_eq!(again.generation(), 0);
    let_go("another waker", next, poll, move |next| poll(next, Waker::noop()), back);

    let next = Some(client.session());
    let again = client.clone();
    let back = move || assert_eq!(again.generation(), 0);
    let store = move |next: &mut Option<NextSession>, waker: &Waker| poll(next.as_mut().unwrap(), waker);
    let_go("nobody waits", next, store, |next| drop(next.take()), back);
}

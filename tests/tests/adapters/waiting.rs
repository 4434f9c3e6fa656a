//! The blocking adapter as it is meant to be used: without a future anywhere.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use roadbed::Error;
use roadbed::client::{Client, HandlerError, Invocation, WhileDisconnected};
use roadbed::core::payload::Binary;
use roadbed::core::uri::Uri;
use roadbed::server::{Authentication, RouterConfig, RouterHandle};
use roadbed_blocking::{client, connect, serve, threads};

use crate::adapter::{Adapter, Blocking};
use crate::relay::Relay;
use crate::way::Way;
use crate::world::{Log, Outcome, SOON, World};

pub(crate) fn the_whole_story() {
    story().unwrap();
}

fn story() -> Outcome {
    let config = RouterConfig::new().realm(Uri::new("realm1")?, Authentication::new().anonymous("guest"));
    let router = RouterHandle::new(config, threads())?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("rs://{}", listener.local_addr()?);
    let serving = serve(listener, &router)?;

    let callee = connect(&url).realm("realm1").wait()?;
    let reverse = callee
        .register("com.example.reverse", |invocation: Invocation| async move {
            let Binary(bytes) = invocation.get()?;
            if bytes.is_empty() {
                return Err(HandlerError::new("com.example.error.nothing"));
            }
            Ok(Binary::from(bytes.iter().rev().copied().collect::<Vec<u8>>()))
        })
        .wait()?;
    // Handlers may block, and wait themselves.
    let session = callee.clone();
    let slow = callee
        .register("com.example.slow", move |_: Invocation| {
            let session = session.clone();
            async move {
                thread::sleep(Duration::from_millis(50));
                let Binary(bytes) =
                    session.call("com.example.reverse", (Binary::from(vec![1, 2]),)).returning().wait()?;
                Ok(bytes.len())
            }
        })
        .wait()?;

    let caller = connect(&url).realm("realm1").wait()?;
    let Binary(bytes) =
        caller.call("com.example.reverse", (Binary::from(vec![1, 2, 3]),)).returning().wait()?;
    assert_eq!(bytes, [3, 2, 1].as_slice());
    let error = caller.call("com.example.reverse", (Binary::from(vec![]),)).wait().unwrap_err();
    assert_eq!(error.uri().ok_or("no URI")?.as_str(), "com.example.error.nothing");
    assert_eq!(caller.call("com.example.slow", ()).returning::<usize>().wait()?, 2);

    let start = Instant::now();
    let forever = callee.register_queue("com.example.forever").wait()?;
    let call = caller.call("com.example.forever", ()).timeout(Duration::from_millis(200));
    assert!(matches!(call.wait(), Err(Error::Timeout(_))));
    assert!(start.elapsed() >= Duration::from_millis(200) && start.elapsed() < SOON);
    drop(forever);

    let mut events = caller.subscribe("com.example.tick").wait()?;
    for number in 0..3 {
        callee.publish("com.example.tick", (number,)).acknowledge().wait()?;
    }
    let numbers: Result<Vec<u32>, _> = events.wait().take(3).map(|event| event.unwrap().get()).collect();
    assert_eq!(numbers?, [0, 1, 2]);
    assert!(matches!(events.wait_for(Duration::from_millis(50)), Err(Error::Timeout(_))));
    events.unsubscribe().wait()?;
    slow.unregister().wait()?;
    reverse.unregister().wait()?;
    caller.leave().wait()?;

    // An iterator ends with its session.
    let mut events = callee.subscribe("com.example.tick").wait()?;
    let listening = thread::spawn(move || events.wait().count());
    serving.stop();
    router.shutdown(Duration::from_secs(5)).wait();
    assert_eq!(router.connections(), 0);
    assert_eq!(listening.join().map_err(|_| "panicked")?, 0);
    assert!(matches!(callee.call("com.example.slow", ()).wait(), Err(Error::Ended(_))));
    Ok(())
}

/// How long those wait whom nobody answers.
const PATIENCE: Duration = Duration::from_millis(300);

/// Waits for something that does not come, and fails when its time is over. Returns what it is told.
#[track_caller]
fn late<T>(wait: impl FnOnce() -> Result<T, Error>) -> String {
    let start = Instant::now();
    let error = wait().map(drop).unwrap_err();
    assert!(matches!(error, Error::Timeout(_)), "{error}");
    assert!((PATIENCE..SOON).contains(&start.elapsed()), "{error} after {:?}", start.elapsed());
    error.to_string()
}

pub(crate) fn answers_that_do_not_come() {
    Blocking.block_on(async {
        for way in [Way::RawSocket, Way::SecureWebSocket] {
            let world = World::new(&Blocking, way, &Log::default());
            let relay = Relay::to(&world);
            let url = relay.url().to_owned();
            // The scenario's thread has futures to run; those who wait have a thread of their own.
            let waiting = thread::spawn(move || {
                let settings = crate::world::settings().request_timeout(Some(PATIENCE));
                let session = connect(&url).settings(settings.clone()).wait().unwrap();
                let lasting = client(&url).settings(settings).start().unwrap();
                lasting.session().wait().unwrap();
                nobody_answers_a_session(&session, || relay.swallow());
                nobody_answers_a_client(&lasting);
                drop(relay);
            });
            crate::world::eventually(|| waiting.is_finished()).await;
            waiting.join().unwrap();
            world.close().await;
        }
    });
}

fn nobody_answers_a_session(session: &roadbed::client::Session, swallow: impl FnOnce()) {
    let events = session.subscribe("com.example.t").wait().unwrap();
    let registration = session.register("com.example.p", |_: Invocation| async { Ok(()) }).wait().unwrap();
    let mut queue = session.register_queue("com.example.q").wait().unwrap();
    swallow();
    assert_eq!(
        late(|| session.subscribe("com.example.u").wait()),
        "the subscription to com.example.u was not answered within 300ms"
    );
    late(|| session.register("com.example.r", |_: Invocation| async { Ok(()) }).wait());
    late(|| session.register_queue("com.example.s").wait());
    late(|| session.publish("com.example.t", ()).acknowledge().wait());
    late(|| session.call("com.example.p", ()).wait());
    late(|| events.unsubscribe().wait());
    late(|| registration.unregister().wait());
    late(|| queue.unregister().wait());
    // The thread that writes is stuck, and nobody has room.
    let large = "x".repeat(1 << 20);
    while session.publish("com.example.t", (&large,)).wait().is_ok() {}
    late(|| session.subscribe("com.example.u").wait());
}

fn nobody_answers_a_client(client: &Client) {
    let client = client.while_disconnected(WhileDisconnected::wait(SOON));
    late(|| client.subscribe("com.example.u").wait());
    late(|| client.register("com.example.r", |_: Invocation| async { Ok(()) }).wait());
    late(|| client.publish("com.example.t", ()).acknowledge().wait());
    late(|| client.call("com.example.p", ()).wait());
}

//! A connection that comes and goes while requests wait.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::client::Call;
use crate::error::Disconnected;

type Ends = Arc<Mutex<Vec<(&'static str, Duration, Result<(), Error>)>>>;

/// Stalls the connection and fills it: who sends waits for room, and nothing is sent.
async fn fill(site: Site, session: Session) -> Result<(), Error> {
    site.each(|wire| wire.stall(true));
    let payload = "x".repeat(1_000_000);
    loop {
        let mut publish = Box::pin(session.publish("com.example.other", (&payload,)).into_future());
        if poll_fn(|cx| Poll::Ready(publish.as_mut().poll(cx).is_pending())).await {
            return Ok(());
        }
    }
}

/// Each session takes nothing, and is gone after a second: the waits for sessions add up, each request ends once, and
/// what is sent at last is sent once.
#[test]
fn waits_for_sessions_that_take_nothing_add_up() {
    let world = World::new();
    let site = Site::new(&world);
    let callee = world.session();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let add = move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        async { Ok(()) }
    };
    let _add = world.sim.block_on(callee.register("com.example.add", add).into_future()).unwrap();
    let filled = Arc::new(Mutex::new(true));
    let (place, is_filled) = (site.clone(), Arc::clone(&filled));
    let settings = crate::testing::settings().on_join(move |session| {
        let (place, is_filled) = (place.clone(), *is_filled.lock().unwrap());
        async move { if is_filled { fill(place, session).await } else { Ok(()) } }
    });
    let waits = WhileDisconnected::wait(seconds(10));
    let builder = site.builder().settings(settings).retry(plain().first(seconds(3)).factor(1.0));
    let client = builder.while_disconnected(waits).start().unwrap();
    world.sim.block_on(client.session()).unwrap();
    let (ends, start) = (Ends::default(), world.sim.now());
    let ask = |name: &'static str, call: Call| {
        let (ends, sim) = (Arc::clone(&ends), world.sim.clone());
        world.sim.spawn(Box::pin(async move {
            let result = call.into_future().await.map(drop);
            let since = sim.now().saturating_since(start);
            ends.lock().unwrap().push((name, since, result));
        }));
    };
    let add = || client.call("com.example.add", ());
    site.cut();
    world.sim.settle();
    ask("patient", add().no_timeout());
    ask("short", add().timeout(seconds(5)));
    // Three seconds without a session, one with it.
    for round in 0..3 {
        world.sim.pass(Duration::from_millis(3001));
        assert_eq!(client.generation(), round + 2);
        world.sim.pass(Duration::from_millis(999));
        if round == 2 {
            ask("late", add().no_timeout());
            *filled.lock().unwrap() = false;
        }
        site.cut();
    }
    world.sim.pass(seconds(8));
    let ends = std::mem::take(&mut *ends.lock().unwrap());
    let names: Vec<(&str, u64)> = ends.iter().map(|(name, span, _)| (*name, span.as_secs())).collect();
    assert_eq!(names, [("short", 5), ("patient", 13), ("late", 15)], "{ends:?}");
    for (name, _, result) in ends {
        match (name, result) {
            ("short", Err(Error::Timeout(late))) => assert!(!late.was_sent),
            ("late", Ok(())) => {}
            (_, Err(Error::Disconnected(Disconnected::TooLong { waited }))) => {
                assert_eq!(waited, seconds(10));
            }
            (name, result) => panic!("{name}: {result:?}"),
        }
    }
    assert_eq!(count.load(Ordering::Relaxed), 1);
    assert_idle(&client, 0);
}

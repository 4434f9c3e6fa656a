//! The blocking adapter as it is meant to be used: without a future anywhere.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use roadbed::Error;
use roadbed::client::{HandlerError, Invocation};
use roadbed::core::payload::Binary;
use roadbed::core::uri::Uri;
use roadbed::server::{Authentication, RouterConfig, RouterHandle};
use roadbed_blocking::{connect, serve, threads};

use crate::world::{Outcome, SOON};

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

//! What those who wait are told when the other end is gone.

use std::time::{Duration, Instant};

use async_io::Timer;
use futures_lite::future::poll_once;
use roadbed::Error;
use roadbed::client::{HandlerError, Invocation, Session};
use roadbed::core::limits::Limits;
use roadbed::core::payload::Binary;

use crate::adapter::Adapter;
use crate::relay::Relay;
use crate::world::{Outcome, World, eventually, in_time, settings};

async fn dig(_: Invocation) -> Result<(), HandlerError> {
    std::future::pending().await
}

/// A call under way through a relay, cut by `cut`; what it is told, and after how long.
async fn cut_call<A: Adapter>(world: &World<A>, cut: impl Fn(&Relay)) -> (Error, Duration, Session) {
    let callee = world.session().await;
    callee.register("com.example.dig", dig).await.unwrap().detach();
    let relay = Relay::to(world.tcp);
    let caller = world.session_at(&relay.url()).await;
    let mut call =
        Box::pin(caller.call("com.example.dig", ()).deadline(Duration::from_millis(400)).into_future());
    assert!(poll_once(&mut call).await.is_none());
    eventually(|| world.router.stats().calls == 1).await;
    let start = Instant::now();
    cut(&relay);
    let error = in_time(call).await.unwrap_err();
    let span = start.elapsed();
    (error, span, caller)
}

pub(crate) async fn reset_in_a_call<A: Adapter>(world: &World<A>) -> Outcome {
    let (error, span, caller) = cut_call(world, Relay::reset).await;
    assert!(matches!(error, Error::Ended(_)) && error.is_retryable(), "{error:?}");
    assert!(span < Duration::from_millis(390), "{span:?}");
    assert!(!in_time(caller.closed()).await.is_clean);
    Ok(())
}

pub(crate) async fn end_of_stream_in_a_call<A: Adapter>(world: &World<A>) -> Outcome {
    let (error, span, caller) = cut_call(world, Relay::end).await;
    assert!(matches!(error, Error::Ended(_)) && error.is_retryable(), "{error:?}");
    assert!(span < Duration::from_millis(390), "{span:?}");
    in_time(caller.closed()).await;
    Ok(())
}

/// Nothing comes any more, and nothing says so: deadlines are all there is.
pub(crate) async fn black_hole_in_a_call<A: Adapter>(world: &World<A>) -> Outcome {
    let (error, span, caller) = cut_call(world, Relay::swallow).await;
    assert!(matches!(error, Error::Timeout), "{error:?}");
    assert!(span >= Duration::from_millis(390) && span < Duration::from_secs(5), "{span:?}");
    drop(caller);
    Ok(())
}

/// The kernel's buffers are full, and nobody reads: requests still end, and so does the session.
pub(crate) async fn peer_that_stops_reading<A: Adapter>(world: &World<A>) -> Outcome {
    let relay = Relay::to(world.tcp);
    let limits = Limits::default().goodbye_timeout(Duration::from_millis(500));
    let session = in_time(world.adapter.connect(&relay.url(), settings().limits(limits))).await?;
    let watching = session.clone();
    relay.swallow();
    // It is taken until nothing has any room left.
    let bytes = Binary::from(vec![7; 512 << 10]);
    loop {
        let mut publish = Box::pin(session.publish("com.example.bytes", (bytes.clone(),)).into_future());
        let timeout = async {
            Timer::after(Duration::from_millis(300)).await;
            None
        };
        let sent = async { Some((&mut publish).await) };
        if futures_lite::future::or(sent, timeout).await.is_none() {
            break;
        }
    }
    let call = session.call("com.example.greet", ()).deadline(Duration::from_millis(300));
    assert!(matches!(in_time(call).await, Err(Error::Timeout)));
    let start = Instant::now();
    let result = in_time(session.leave()).await;
    assert!(matches!(result, Err(Error::Ended(_))), "{result:?}");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert!(!in_time(watching.closed()).await.is_clean);
    Ok(())
}

pub(crate) async fn router_shuts_down<A: Adapter>(world: &World<A>) -> Outcome {
    let callee = world.session().await;
    let _dig = callee.register("com.example.dig", dig).await?;
    let caller = world.session().await;
    let mut events = caller.subscribe("com.example.tick").await?;
    let mut call = Box::pin(caller.call("com.example.dig", ()).into_future());
    assert!(poll_once(&mut call).await.is_none());
    eventually(|| world.router.stats().calls == 1).await;
    in_time(world.router.shutdown(Duration::from_secs(5))).await;
    assert_eq!(world.router.connections(), 0);
    let error = in_time(call).await.unwrap_err();
    // Whichever of the two the router says GOODBYE to first.
    let uri = error.uri().ok_or("no URI")?.as_str();
    assert!(uri == "wamp.close.system_shutdown" || uri == "wamp.error.canceled", "{error:?}");
    assert!(in_time(events.next()).await.is_none());
    assert!(in_time(callee.closed()).await.is_clean);
    Ok(())
}

/// Every kind of request, sent into a connection that is reset before the answer.
pub(crate) async fn reset_in_every_request<A: Adapter>(world: &World<A>) -> Outcome {
    for step in 0..6 {
        let relay = Relay::to(world.tcp);
        let session = world.session_at(&relay.url()).await;
        let events = session.subscribe("com.example.tick").await?;
        let registration = session.register(format!("com.example.dig{step}"), dig).await?;
        relay.swallow();
        let request = async {
            match step {
                0 => session.call("com.example.greet", ()).await.map(drop),
                1 => session.subscribe("com.example.tock").await.map(drop),
                2 => session.register("com.example.greet", dig).await.map(drop),
                3 => session.publish("com.example.tick", ()).acknowledge().await.map(drop),
                4 => registration.unregister().await.map(drop),
                _ => events.unsubscribe().await.map(drop),
            }
        };
        let mut request = Box::pin(request);
        assert!(poll_once(&mut request).await.is_none(), "step {step}");
        relay.reset();
        let error = in_time(request).await.unwrap_err();
        assert!(matches!(error, Error::Ended(_)), "step {step}: {error:?}");
    }
    eventually(|| world.router.connections() == 0).await;
    Ok(())
}

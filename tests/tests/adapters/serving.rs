//! Listeners and timers.

use std::future::poll_fn;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::task::Poll;
use std::time::Duration;

use crate::adapter::{Adapter, Listening};
use crate::world::{Outcome, SOON, World, eventually, in_time};

/// A listener that is stopped takes nobody in, and those who are in stay.
pub(crate) async fn stopped_listener<A: Adapter>(world: &World<A>) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let stop = world.adapter.serve(Listening::Tcp(listener), &world.router);
    let session = world.session_at(&world.way.url(address)).await;
    stop();
    eventually(|| TcpStream::connect(address).is_err()).await;
    in_time(session.publish("com.example.tick", ()).acknowledge()).await?;
    session.leave().await?;
    world.note("nobody new, and whoever was there stayed");
    Ok(())
}

/// A listener that fails for a while goes on when that is over.
pub(crate) async fn failing_listener<A: Adapter>(world: &World<A>) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = world.way.url(listener.local_addr()?);
    let stop = world.adapter.serve_badly(listener, 4, &world.router);
    world.session_at(&url).await.leave().await?;
    stop();
    world.note("accepted after all");
    Ok(())
}

/// A timer that is set to earlier and later times, and asked again after it was ready.
pub(crate) async fn timers<A: Adapter>(world: &World<A>) -> Outcome {
    let runtime = world.adapter.runtime();
    let start = runtime.now();
    let (sender, receiver) = mpsc::channel();
    let tasks = world.adapter.runtime();
    tasks.spawn(Box::pin(async move {
        let mut timer = runtime.timer();
        // Far away, then nearer, once more at the same time, and later.
        let far = start + Duration::from_secs(60);
        assert!(poll_fn(|cx| Poll::Ready(timer.poll_at(cx, far))).await.is_pending());
        for millis in [80, 80, 160] {
            let at = start + Duration::from_millis(millis);
            poll_fn(|cx| timer.poll_at(cx, at)).await;
            let _ = sender.send((millis, runtime.now()));
        }
    }));
    let mut reached = Vec::new();
    eventually(|| {
        reached.extend(receiver.try_iter());
        reached.len() == 3
    })
    .await;
    for (millis, now) in reached {
        world.note(format!("after {millis} ms"));
        let span = now.saturating_since(start);
        // What the clocks of runtimes round off.
        assert!(span + Duration::from_millis(2) >= Duration::from_millis(millis), "{millis}: {span:?}");
        assert!(span < SOON, "{millis}: {span:?}");
    }
    Ok(())
}

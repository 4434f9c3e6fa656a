//! Listeners and timers.

use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use roadbed::client::Invocation;
use roadbed::core::limits::Limits;
use roadbed::core::transport::LivenessConfig;

use crate::adapter::{Adapter, Listening};
use crate::world::{Outcome, SOON, World, config, eventually, in_time};

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

/// A message that a client has begun has to end; others are served meanwhile.
pub(crate) async fn half_a_message_is_not_kept<A: Adapter>(world: &World<A>) -> Outcome {
    let limits = Limits::default().message_timeout(Duration::from_millis(300));
    let other = world.another_with(config().limits(limits), |builder| builder);
    let mut stream = TcpStream::connect(&other.place)?;
    stream.set_read_timeout(Some(SOON))?;
    let hello = br#"[1,"realm1",{"roles":{"publisher":{}}}]"#;
    let header = [0, 0, 0, hello.len() as u8];
    // A megabyte is announced, and begins.
    stream.write_all(&[b"\x7F\xF1\x00\x00", &header[..], hello, b"\x00\x0F\xFF\xFF[16,"].concat())?;
    eventually(|| other.router.stats().sessions == 1).await;
    eventually(|| other.router.stats().sessions == 0).await;
    let (sender, ended) = mpsc::channel();
    thread::spawn(move || sender.send(stream.read_to_end(&mut Vec::new()).map(drop)));
    ended.recv_timeout(SOON)??;
    let session = other.session().await;
    session.publish("com.example.topic", ()).await?;
    world.note("the session has ended, and the next one is served");
    drop(session);
    other.close().await;
    Ok(())
}

/// A callee over RawSocket that is known to answer pings falls silent without closing: the router pings it, in its
/// default mode, and gives it up; then its procedure is free again.
pub(crate) async fn silent_callee_is_given_up<A: Adapter>(world: &World<A>) -> Outcome {
    let step = Duration::from_millis(300);
    let liveness = LivenessConfig::default().idle(step).retry(step).grace(step);
    let other = world.another_with(config(), |builder| builder.liveness(liveness));
    let mut stream = TcpStream::connect(&other.place)?;
    stream.set_read_timeout(Some(SOON))?;
    let callee = thread::spawn(move || -> std::io::Result<Vec<u8>> {
        let frame = |message: &[u8]| [&[0, 0, 0, message.len() as u8], message].concat();
        let hello = br#"[1,"realm1",{"agent":"roadbed/0.1.0","roles":{"callee":{}}}]"#;
        stream.write_all(&[&b"\x7F\xF1\x00\x00"[..], &frame(hello)].concat())?;
        let mut handshake = [0; 4];
        stream.read_exact(&mut handshake)?;
        stream.write_all(&frame(br#"[64,1,{},"com.example.mine"]"#))?;
        // It reads, so nothing waits for it, but says nothing any more.
        let mut kinds = Vec::new();
        let mut header = [0; 4];
        while stream.read_exact(&mut header).is_ok() {
            kinds.push(header[0]);
            let mut body = vec![0; u32::from_be_bytes([0, header[1], header[2], header[3]]) as usize];
            stream.read_exact(&mut body)?;
        }
        Ok(kinds)
    });
    eventually(|| other.router.stats().registrations == 1).await;
    eventually(|| other.router.stats().registrations == 0).await;
    let session = other.session().await;
    let registration = session.register("com.example.mine", |_: Invocation| async { Ok(()) }).await?;
    // WELCOME and REGISTERED are messages; what follows are pings.
    let kinds = callee.join().map_err(|_| "panicked")??;
    assert_eq!(kinds[..3], [0, 0, 1], "{kinds:?}");
    assert!(kinds[2..].iter().all(|kind| *kind == 1), "{kinds:?}");
    world.note("given up, and its procedure is free");
    registration.unregister().await?;
    drop(session);
    other.close().await;
    Ok(())
}

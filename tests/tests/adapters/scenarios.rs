//! What sessions do with each other while everything works.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use async_io::Timer;
use futures_lite::future::poll_once;
use roadbed::Error;
use roadbed::client::{HandlerError, Invocation};
use roadbed::core::payload::Binary;
use roadbed::core::serializer::Serializer;
use serde::{Deserialize, Serialize};

use crate::adapter::Adapter;
use crate::world::{Outcome, World, calls, eventually, in_time, settings};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Manner {
    #[serde(default)]
    loud: bool,
}

async fn greet(invocation: Invocation) -> Result<String, HandlerError> {
    let name: String = invocation.get()?;
    let Manner { loud } = invocation.kwargs()?;
    if name.is_empty() {
        return Err(HandlerError::new("com.example.error.nobody")
            .args(&(1, "empty"))
            .kwargs(&Manner { loud }));
    }
    Ok(if loud { name.to_uppercase() } else { name })
}

pub(crate) async fn arguments_and_results<A: Adapter>(world: &World<A>) -> Outcome {
    let callee = world.session().await;
    let greet = callee.register("com.example.greet", greet).await?;
    for serializer in Serializer::ALL {
        let caller = world.adapter.connect(&world.url, settings().serializer(serializer)).await?;
        assert_eq!(caller.serializer(), serializer);
        let quiet: String = in_time(caller.call("com.example.greet", ("Zoë",)).returning()).await?;
        assert_eq!(quiet, "Zoë");
        let loud = caller.call("com.example.greet", ("joe",)).kwargs(Manner { loud: true }).await?;
        assert_eq!(loud.get::<String>()?, "JOE");
        caller.leave().await?;
    }
    greet.unregister().await?;
    Ok(())
}

pub(crate) async fn application_errors<A: Adapter>(world: &World<A>) -> Outcome {
    let callee = world.session().await;
    let _greet = callee.register("com.example.greet", greet).await?;
    let caller = world.session().await;
    let call = caller.call("com.example.greet", ("",)).kwargs(Manner { loud: true });
    let error = call.await.unwrap_err();
    assert_eq!(error.uri().ok_or("no URI")?.as_str(), "com.example.error.nobody");
    assert_eq!(error.args::<(u8, String)>()?, (1, "empty".to_owned()));
    assert_eq!(error.kwargs::<Manner>()?, Manner { loud: true });
    let error = caller.call("com.example.greet", (42,)).await.unwrap_err();
    assert_eq!(error.uri().ok_or("no URI")?.as_str(), "wamp.error.invalid_argument");
    let error = caller.call("com.example.nothing", ()).await.unwrap_err();
    assert_eq!(error.uri().ok_or("no URI")?.as_str(), "wamp.error.no_such_procedure");
    Ok(())
}

pub(crate) async fn binary<A: Adapter>(world: &World<A>) -> Outcome {
    let callee = world.session().await;
    let reverse = |invocation: Invocation| async move {
        let Binary(bytes) = invocation.get()?;
        Ok(Binary::from(bytes.iter().rev().copied().collect::<Vec<u8>>()))
    };
    let _reverse = callee.register("com.example.reverse", reverse).await?;
    for serializer in Serializer::ALL {
        let caller = world.adapter.connect(&world.url, settings().serializer(serializer)).await?;
        let bytes = Binary::from(vec![0, 1, 254, 255]);
        let Binary(reversed) = caller.call("com.example.reverse", (bytes,)).returning().await?;
        assert_eq!(reversed, [255, 254, 1, 0].as_slice());
    }
    Ok(())
}

/// Payloads that do not fit any socket's buffer, both ways at the same time.
pub(crate) async fn large_payloads<A: Adapter>(world: &World<A>) -> Outcome {
    let callee = world.session().await;
    let echo = |invocation: Invocation| async move { Ok(invocation.payload().clone()) };
    let _echo = callee.register("com.example.echo", echo).await?;
    let caller = world.session().await;
    let bytes = Binary::from((0..1_000_000_u32).map(|number| (number % 251) as u8).collect::<Vec<u8>>());
    let calls = (0..8).map(|_| caller.call("com.example.echo", (bytes.clone(),)).returning::<Binary>());
    let calls: Vec<_> = calls.map(IntoFuture::into_future).collect();
    for call in calls {
        assert!(in_time(call).await? == bytes);
    }
    Ok(())
}

/// A call that is dropped interrupts its callee, and others go on.
pub(crate) async fn dropped_calls_are_cancelled<A: Adapter>(world: &World<A>) -> Outcome {
    struct Count(Arc<AtomicUsize>);
    impl Drop for Count {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    let running = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&running);
    let callee = world.session().await;
    let dig = move |_: Invocation| {
        count.fetch_add(1, Ordering::SeqCst);
        let running = Count(Arc::clone(&count));
        async move {
            let _running = running;
            std::future::pending::<Result<(), HandlerError>>().await
        }
    };
    let _dig = callee.register("com.example.dig", dig).await?;
    let caller = world.session().await;
    let mut one = Box::pin(caller.call("com.example.dig", ()).into_future());
    let mut other =
        Box::pin(caller.call("com.example.dig", ()).deadline(Duration::from_millis(300)).into_future());
    assert!(poll_once(&mut one).await.is_none());
    assert!(poll_once(&mut other).await.is_none());
    eventually(|| running.load(Ordering::SeqCst) == 2).await;
    drop(one);
    eventually(|| running.load(Ordering::SeqCst) == 1).await;
    assert!(matches!(in_time(other).await, Err(Error::Timeout)));
    eventually(|| running.load(Ordering::SeqCst) == 0).await;
    Ok(())
}

pub(crate) async fn acknowledged_publications<A: Adapter>(world: &World<A>) -> Outcome {
    let session = world.session().await;
    let mut own = session.subscribe("com.example.tick").await?;
    let other = world.session().await;
    let mut others = other.subscribe("com.example.tick").await?;
    let publish = session.publish("com.example.tick", (1, "one")).kwargs(Manner { loud: true });
    let publication = publish.exclude_me(false).acknowledge().await?;
    for events in [&mut own, &mut others] {
        let event = in_time(events.next()).await.ok_or("ended")??;
        assert_eq!(event.publication(), publication);
        assert_eq!(event.args::<(u8, String)>()?, (1, "one".to_owned()));
        assert_eq!(event.kwargs::<Manner>()?, Manner { loud: true });
    }
    Ok(())
}

pub(crate) async fn events_in_order<A: Adapter>(world: &World<A>) -> Outcome {
    let publisher = world.session().await;
    let subscriber = world.session().await;
    let mut events = subscriber.subscribe("com.example.count").await?;
    for number in 0..500_u32 {
        publisher.publish("com.example.count", (number,)).await?;
    }
    for number in 0..500_u32 {
        assert_eq!(in_time(events.next()).await.ok_or("ended")??.get::<u32>()?, number);
    }
    Ok(())
}

pub(crate) async fn unregistered<A: Adapter>(world: &World<A>) -> Outcome {
    let callee = world.session().await;
    let caller = world.session().await;
    let registration = callee.register("com.example.greet", greet).await?;
    caller.call("com.example.greet", ("joe",)).await?;
    in_time(registration.unregister()).await?;
    let error = caller.call("com.example.greet", ("joe",)).await.unwrap_err();
    assert_eq!(error.uri().ok_or("no URI")?.as_str(), "wamp.error.no_such_procedure");
    // By dropping it, too; and the name is free again.
    drop(callee.register("com.example.greet", greet).await?);
    let _registration = callee.register("com.example.greet", greet).await?;
    caller.call("com.example.greet", ("joe",)).await?;
    Ok(())
}

pub(crate) async fn unsubscribed<A: Adapter>(world: &World<A>) -> Outcome {
    let session = world.session().await;
    let events = session.subscribe("com.example.tick").await?;
    in_time(events.unsubscribe()).await?;
    drop(session.subscribe("com.example.tock").await?);
    // Whatever comes after this call came after both.
    let publish = session.publish("com.example.tick", ()).exclude_me(false);
    publish.acknowledge().await?;
    eventually(|| world.router.stats().subscriptions == 0).await;
    Ok(())
}

pub(crate) async fn many_calls_at_a_time<A: Adapter>(world: &World<A>) -> Outcome {
    let callee = world.session().await;
    let double = |invocation: Invocation| async move {
        let number: u32 = invocation.get()?;
        if number.is_multiple_of(2) {
            // Answers come in another order than questions.
            Timer::after(Duration::from_millis(20)).await;
        }
        Ok(number * 2)
    };
    let _double = callee.register("com.example.double", double).await?;
    let caller = world.session().await;
    let mut calls = Vec::new();
    for number in 0..200_u32 {
        let mut call =
            Box::pin(caller.call("com.example.double", (number,)).returning::<u32>().into_future());
        // Sent, if not answered at once.
        match poll_once(&mut call).await {
            Some(result) => assert_eq!(result?, number * 2),
            None => calls.push((number, call)),
        }
    }
    for (number, call) in calls {
        assert_eq!(in_time(call).await?, number * 2);
    }
    Ok(())
}

/// Twelve sessions that call one after the other, as fast as answers come: a wake-up that gets lost anywhere
/// ends it. `ROADBED_CALLS=40000` makes it last.
pub(crate) async fn twelve_callers<A: Adapter>(world: &World<A>) -> Outcome {
    let callee = world.session().await;
    let next = |invocation: Invocation| async move { Ok(invocation.get::<u32>()? + 1) };
    let _next = callee.register("com.example.next", next).await?;
    let (sender, receiver) = mpsc::channel();
    for _ in 0..12 {
        let caller = world.session().await;
        let sender = sender.clone();
        world.adapter.runtime().spawn(Box::pin(async move {
            let mut number = 0;
            while number < calls() {
                match caller.call("com.example.next", (number,)).returning().await {
                    Ok(next) => number = next,
                    Err(_) => break,
                }
            }
            // Whoever counts is there until this comes.
            let _ = sender.send(number);
        }));
    }
    let mut counted = Vec::new();
    while counted.len() < 12 {
        Timer::after(Duration::from_millis(10)).await;
        counted.extend(receiver.try_iter());
    }
    assert_eq!(counted, [calls(); 12]);
    Ok(())
}

pub(crate) async fn calls_from_a_handler<A: Adapter>(world: &World<A>) -> Outcome {
    let callee = world.session().await;
    let _greet = callee.register("com.example.greet", greet).await?;
    let session = callee.clone();
    let twice = move |invocation: Invocation| {
        let session = session.clone();
        async move {
            let name: String = invocation.get()?;
            let once: String = session.call("com.example.greet", (name,)).returning().await?;
            Ok(format!("{once} {once}"))
        }
    };
    let twice = callee.register("com.example.twice", twice).await?;
    let caller = world.session().await;
    let call = caller.call("com.example.twice", ("joe",)).returning::<String>();
    assert_eq!(in_time(call).await?, "joe joe");
    // Errors of calls that a handler makes reach its caller.
    let error = in_time(caller.call("com.example.twice", ("",))).await.unwrap_err();
    assert_eq!(error.uri().ok_or("no URI")?.as_str(), "com.example.error.nobody");
    // The handler holds the session.
    twice.unregister().await?;
    Ok(())
}

pub(crate) async fn clean_leave<A: Adapter>(world: &World<A>) -> Outcome {
    let session = world.session().await;
    let observer = session.clone();
    in_time(session.leave()).await?;
    let closed = in_time(observer.closed()).await;
    assert!(closed.is_clean, "{closed:?}");
    assert!(matches!(observer.call("com.example.greet", ()).await, Err(Error::Ended(_))));
    eventually(|| world.router.connections() == 0).await;
    Ok(())
}

pub(crate) async fn dropped_session_leaves<A: Adapter>(world: &World<A>) -> Outcome {
    let session = world.session().await;
    let mut events = session.subscribe("com.example.tick").await?;
    eventually(|| world.router.stats().sessions == 1).await;
    drop(session);
    assert!(in_time(events.next()).await.is_none());
    eventually(|| world.router.connections() == 0).await;
    Ok(())
}

//! Calls, while everything works, and as they are given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use async_io::Timer;
use futures_lite::future::poll_once;
use roadbed::Error;
use roadbed::client::{HandlerError, Invocation};
use roadbed::core::options::CancelMode;
use serde::{Deserialize, Serialize};

use crate::adapter::Adapter;
use crate::world::{Outcome, World, all, calls, eventually, in_time, settings, told};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manner {
    #[serde(default)]
    pub(crate) loud: bool,
}

pub(crate) async fn greet(invocation: Invocation) -> Result<String, HandlerError> {
    let name: String = invocation.get()?;
    let Manner { loud } = invocation.kwargs()?;
    if name.is_empty() {
        return Err(HandlerError::new("com.example.error.nobody")
            .args(&(1, "empty"))
            .kwargs(&Manner { loud }));
    }
    Ok(if loud { name.to_uppercase() } else { name })
}

/// A handler that never answers.
pub(crate) async fn dig(_: Invocation) -> Result<(), HandlerError> {
    std::future::pending().await
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
    let mut other = Box::pin(caller.call("com.example.dig", ()).into_future());
    assert!(poll_once(&mut one).await.is_none());
    assert!(poll_once(&mut other).await.is_none());
    eventually(|| running.load(Ordering::SeqCst) == 2).await;
    drop(one);
    eventually(|| running.load(Ordering::SeqCst) == 1).await;
    world.note("the dropped one was interrupted");
    let result = in_time(caller.call("com.example.dig", ()).timeout(Duration::from_millis(300))).await;
    assert!(matches!(result, Err(Error::Timeout(_))));
    world.note(told(result));
    eventually(|| running.load(Ordering::SeqCst) == 1).await;
    drop(other);
    eventually(|| running.load(Ordering::SeqCst) == 0).await;
    Ok(())
}

/// Canceled by the caller, which still waits for how it ends.
pub(crate) async fn calls_cancelled_in_place<A: Adapter>(world: &World<A>) -> Outcome {
    let callee = world.session().await;
    let mut invocations = callee.register_queue("com.example.slow").await?;
    let caller = world.session().await;
    for mode in [CancelMode::Kill, CancelMode::KillNoWait, CancelMode::Skip] {
        let mut call = Box::pin(caller.call("com.example.slow", ()).into_future());
        assert!(poll_once(&mut call).await.is_none());
        let invocation = in_time(invocations.next()).await.ok_or("ended")?;
        call.cancel(mode);
        if mode == CancelMode::Kill {
            world.note(format!("interrupted: {:?}", in_time(invocation.canceled()).await));
            invocation.reply("half of it")?;
            world.note(told(in_time(call).await.map(|result| result.get::<String>())));
        } else {
            world.note(told(in_time(call).await));
            if mode == CancelMode::KillNoWait {
                world.note(format!("interrupted: {:?}", in_time(invocation.canceled()).await));
            }
            // Too late, and no harm.
            drop(invocation);
        }
    }
    eventually(|| world.router.stats().calls == 0).await;
    Ok(())
}

pub(crate) async fn deadlines<A: Adapter>(world: &World<A>) -> Outcome {
    let callee = world.session().await;
    let mut invocations = callee.register_queue("com.example.slow").await?;
    let caller = world.join(settings().request_timeout(Some(Duration::from_millis(100)))).await?;
    let start = Instant::now();
    let result = in_time(caller.call("com.example.slow", ())).await;
    world.note(told(result));
    assert!(start.elapsed() >= Duration::from_millis(95), "{:?}", start.elapsed());
    let invocation = in_time(invocations.next()).await.ok_or("ended")?;
    world.note(format!("the callee: {:?}", in_time(invocation.canceled()).await));
    drop(invocation);
    // One that takes as long as it takes.
    let mut patient = Box::pin(caller.call("com.example.slow", ()).no_timeout().into_future());
    assert!(poll_once(&mut patient).await.is_none());
    let invocation = in_time(invocations.next()).await.ok_or("ended")?;
    Timer::after(Duration::from_millis(150)).await;
    invocation.reply("at last")?;
    world.note(in_time(patient).await?.get::<String>()?);
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
    let calls = (0..200_u32).map(|number| caller.call("com.example.double", (number,)).returning::<u32>());
    let results: Result<Vec<u32>, Error> =
        in_time(all(calls.map(IntoFuture::into_future))).await.into_iter().collect();
    world.note(format!("{:?}", results?));
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
    world.note(format!("{counted:?}"));
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
    world.note(in_time(call).await?);
    // Errors of calls that a handler makes reach its caller.
    let error = in_time(caller.call("com.example.twice", ("",))).await.unwrap_err();
    assert_eq!(error.uri().ok_or("no URI")?.as_str(), "com.example.error.nobody");
    world.note(told(Err::<(), _>(error)));
    // The handler holds the session.
    twice.unregister().await?;
    Ok(())
}

/// A session that calls itself, also from within a handler, a few deep.
pub(crate) async fn calls_of_its_own_procedures<A: Adapter>(world: &World<A>) -> Outcome {
    let session = world.session().await;
    let itself = session.clone();
    let factorial = move |invocation: Invocation| {
        let session = itself.clone();
        async move {
            let number: u64 = invocation.get()?;
            if number == 0 {
                return Ok(1);
            }
            let rest: u64 = session.call("com.example.factorial", (number - 1,)).returning().await?;
            Ok(number * rest)
        }
    };
    let factorial = session.register("com.example.factorial", factorial).await?;
    let result: u64 = in_time(session.call("com.example.factorial", (20,)).returning()).await?;
    world.note(format!("20! is {result}"));
    factorial.unregister().await?;
    Ok(())
}

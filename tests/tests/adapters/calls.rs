//! Calls and registrations, while everything works.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use async_io::Timer;
use futures_lite::future::poll_once;
use roadbed::Error;
use roadbed::client::{HandlerError, Invocation};
use roadbed::core::limits::Limits;
use roadbed::core::options::CancelMode;
use roadbed::core::payload::Binary;
use roadbed::core::serializer::Serializer;
use roadbed::core::value::Value;
use serde::{Deserialize, Serialize};

use crate::adapter::Adapter;
use crate::world::{Outcome, World, all, calls, config, eventually, in_time, settings, told};

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

pub(crate) async fn arguments_and_results<A: Adapter>(world: &World<A>) -> Outcome {
    let callee = world.session().await;
    let greet = callee.register("com.example.greet", greet).await?;
    for serializer in Serializer::ALL {
        let caller = world.join(settings().serializer(serializer)).await?;
        assert_eq!(caller.serializer(), serializer);
        let quiet: String = in_time(caller.call("com.example.greet", ("Zoë",)).returning()).await?;
        assert_eq!(quiet, "Zoë");
        let loud = caller.call("com.example.greet", ("joe",)).kwargs(Manner { loud: true }).await?;
        assert_eq!(loud.get::<String>()?, "JOE");
        world.note(format!("{serializer:?}: {quiet}, {}", loud.get::<String>()?));
        caller.leave().await?;
    }
    greet.unregister().await?;
    Ok(())
}

/// None, many, nested, by position and by keyword: nothing is lost on the way there and back.
pub(crate) async fn shapes_of_payloads<A: Adapter>(world: &World<A>) -> Outcome {
    let callee = world.session().await;
    let echo = |invocation: Invocation| async move { Ok(invocation.payload().clone()) };
    let _echo = callee.register("com.example.echo", echo).await?;
    for serializer in Serializer::ALL {
        let caller = world.join(settings().serializer(serializer)).await?;
        let call = || caller.call("com.example.echo", ());
        let () = call().returning().await?;
        world.note(format!("nothing: {:?}", call().await?.args::<Vec<u8>>()?));
        let result = caller.call("com.example.echo", (u64::MAX, i64::MIN, 0.5, true, None::<u8>, "")).await?;
        let args: (u64, i64, f64, bool, Option<u8>, String) = result.args()?;
        world.note(format!("{args:?}"));
        let nested = vec![vec![1_u8], vec![], vec![2, 3]];
        let result = caller.call("com.example.echo", (&nested,)).await?;
        assert_eq!(result.get::<Vec<Vec<u8>>>()?, nested);
        let result = call().kwargs(Manner { loud: true }).await?;
        assert!(result.args::<Vec<u8>>()?.is_empty());
        world.note(format!("{:?}", result.kwargs::<Manner>()?));
        world.note(told(caller.call("com.example.echo", ("text",)).returning::<u32>().await));
    }
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
    world.note(format!("{:?}", error.args::<(String,)>()?));
    let error = caller.call("com.example.nothing", ()).await.unwrap_err();
    assert_eq!(error.uri().ok_or("no URI")?.as_str(), "wamp.error.no_such_procedure");
    world.note(told(Err::<(), _>(error)));
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
        let caller = world.join(settings().serializer(serializer)).await?;
        let bytes = Binary::from(vec![0, 1, 254, 255]);
        let Binary(reversed) = caller.call("com.example.reverse", (bytes,)).returning().await?;
        assert_eq!(reversed, [255, 254, 1, 0].as_slice());
        world.note(format!("{reversed:?}"));
    }
    Ok(())
}

/// Values that one serializer has and another lacks.
pub(crate) async fn mixed_serializers<A: Adapter>(world: &World<A>) -> Outcome {
    let callee = world.join(settings().serializer(Serializer::Json)).await?;
    let echo = |invocation: Invocation| async move { Ok(invocation.payload().clone()) };
    let _echo = callee.register("com.example.echo", echo).await?;
    for serializer in [Serializer::Cbor, Serializer::MsgPack] {
        let caller = world.join(settings().serializer(serializer)).await?;
        let bytes = Binary::from(vec![0, 159, 255]);
        let echoed: Binary = caller.call("com.example.echo", (bytes.clone(),)).returning().await?;
        assert_eq!(echoed, bytes);
        // Not a key for JSON.
        let numbered = std::collections::BTreeMap::from([(1, "one")]);
        world.note(told(caller.call("com.example.echo", (numbered,)).await));
        world.note(told(caller.call("com.example.echo", (f64::NAN,)).await));
        // It harmed nobody.
        let text: String = caller.call("com.example.echo", ("\u{1F389}",)).returning().await?;
        world.note(text);
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
    for result in in_time(all(calls.map(IntoFuture::into_future))).await {
        let echoed = result?;
        assert!(echoed == bytes);
        world.note(format!("{} bytes", echoed.0.len()));
    }
    Ok(())
}

/// Whoever asks for too much is told so, and nobody else is harmed.
pub(crate) async fn payloads_over_the_limit<A: Adapter>(world: &World<A>) -> Outcome {
    let callee = world.session().await;
    let repeat = |invocation: Invocation| async move {
        let (text, times) = invocation.args::<(String, usize)>()?;
        Ok(text.repeat(times))
    };
    let _repeat = callee.register("com.example.repeat", repeat).await?;
    let caller = world.session().await;
    let megabyte = "x".repeat(1 << 20);
    world.note(told(caller.call("com.example.repeat", (&megabyte, 0)).await));
    world.note(told(caller.publish("com.example.tick", (&megabyte,)).await));
    world.note(told(caller.publish("com.example.tick", (&megabyte,)).acknowledge().await));
    // The callee may not send it either.
    world.note(told(in_time(caller.call("com.example.repeat", ("x", 1 << 20))).await));
    // One that accepts less than the callee sends.
    let limits = Limits::default().message_size(4096);
    let modest = world.join(settings().limits(limits)).await?;
    world.note(told(in_time(modest.call("com.example.repeat", ("x", 5000))).await));
    let fits: String = in_time(modest.call("com.example.repeat", ("x", 3000)).returning()).await?;
    world.note(format!("{} bytes", fits.len()));
    let call = caller.call("com.example.repeat", ("x", 1000)).returning::<String>();
    world.note(format!("{} bytes", in_time(call).await?.len()));
    Ok(())
}

pub(crate) async fn raised_limits<A: Adapter>(world: &World<A>) -> Outcome {
    let limits = Limits::default().message_size(8 << 20);
    let other = world.another(config().limits(limits.clone()));
    let callee = in_time(other.join(settings().limits(limits.clone()))).await?;
    let echo = |invocation: Invocation| async move { Ok(invocation.payload().clone()) };
    let _echo = callee.register("com.example.echo", echo).await?;
    let caller = in_time(other.join(settings().limits(limits))).await?;
    let bytes = Binary::from(vec![7; 5 << 20]);
    let echoed: Binary = in_time(caller.call("com.example.echo", (bytes.clone(),)).returning()).await?;
    assert!(echoed == bytes);
    world.note(format!("{} bytes", echoed.0.len()));
    drop((callee, caller));
    other.close().await;
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
    world.note("the dropped one was interrupted");
    let result = in_time(other).await;
    assert!(matches!(result, Err(Error::Timeout)));
    world.note(told(result));
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
    let caller = world.join(settings().call_deadline(Some(Duration::from_millis(100)))).await?;
    let start = Instant::now();
    let result = in_time(caller.call("com.example.slow", ())).await;
    world.note(told(result));
    assert!(start.elapsed() >= Duration::from_millis(95), "{:?}", start.elapsed());
    let invocation = in_time(invocations.next()).await.ok_or("ended")?;
    world.note(format!("the callee: {:?}", in_time(invocation.canceled()).await));
    drop(invocation);
    // One that takes as long as it takes.
    let mut patient = Box::pin(caller.call("com.example.slow", ()).no_deadline().into_future());
    assert!(poll_once(&mut patient).await.is_none());
    let invocation = in_time(invocations.next()).await.ok_or("ended")?;
    Timer::after(Duration::from_millis(150)).await;
    invocation.reply("at last")?;
    world.note(in_time(patient).await?.get::<String>()?);
    Ok(())
}

pub(crate) async fn unregistered<A: Adapter>(world: &World<A>) -> Outcome {
    let callee = world.session().await;
    let caller = world.session().await;
    let registration = callee.register("com.example.greet", greet).await?;
    caller.call("com.example.greet", ("joe",)).await?;
    in_time(registration.unregister()).await?;
    world.note(told(caller.call("com.example.greet", ("joe",)).await));
    // By dropping it, too; and the name is free again.
    drop(callee.register("com.example.greet", greet).await?);
    let _registration = callee.register("com.example.greet", greet).await?;
    world.note(told(caller.call("com.example.greet", ("joe",)).returning::<String>().await));
    Ok(())
}

/// What was begun is still answered.
pub(crate) async fn unregistered_while_serving<A: Adapter>(world: &World<A>) -> Outcome {
    let callee = world.session().await;
    let (begun, gate) = (Gate::default(), Gate::default());
    let (begins, goes_on) = (begun.clone(), gate.clone());
    let slow = move |_: Invocation| {
        let goes_on = goes_on.clone();
        begins.open();
        async move {
            goes_on.wait().await;
            Ok("after all")
        }
    };
    let registration = callee.register("com.example.slow", slow).await?;
    let caller = world.session().await;
    let mut call = Box::pin(caller.call("com.example.slow", ()).returning::<String>().into_future());
    assert!(poll_once(&mut call).await.is_none());
    in_time(begun.wait()).await;
    in_time(registration.unregister()).await?;
    world.note(told(caller.call("com.example.slow", ()).await));
    gate.open();
    world.note(told(in_time(call).await));
    Ok(())
}

/// A gate that handlers wait at.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<std::sync::atomic::AtomicBool>);

impl Gate {
    pub(crate) fn open(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub(crate) async fn wait(&self) {
        while !self.0.load(Ordering::SeqCst) {
            Timer::after(Duration::from_millis(5)).await;
        }
    }
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

pub(crate) async fn handlers_that_fail<A: Adapter>(world: &World<A>) -> Outcome {
    let log = world.log();
    let told_here = move |error: &roadbed::client::UserError| {
        log.note(format!("the callee of {} is told: {}", error.procedure, error.error));
    };
    let callee = world.join(settings().on_user_error(told_here)).await?;
    let panics = |invocation: Invocation| async move {
        if invocation.payload().args::<Vec<Value>>().is_ok() {
            panic!("a handler that panics, as the test wants");
        }
        Ok(())
    };
    let _panics = callee.register("com.example.panics", panics).await?;
    let fails = |_| async { Err::<(), _>(std::io::Error::other("not for others").into()) };
    let _fails = callee.register("com.example.fails", fails).await?;
    let caller = world.session().await;
    for name in ["com.example.panics", "com.example.fails"] {
        let error = in_time(caller.call(name, ())).await.unwrap_err();
        // What is inside stays inside.
        assert_eq!(error.args::<()>(), Ok(()));
        let is_told = format!("the callee of {name}");
        let log = world.log();
        eventually(move || log.has(&is_told)).await;
        world.note(format!("the caller is told: {}", told(Err::<(), _>(error))));
    }
    Ok(())
}

pub(crate) async fn names_that_are_taken<A: Adapter>(world: &World<A>) -> Outcome {
    let (one, other) = (world.session().await, world.session().await);
    let _first = one.register("com.example.greet", greet).await?;
    world.note(told(other.register("com.example.greet", greet).await));
    world.note(told(one.register("com.example.greet", greet).await));
    // The first one still serves, and leaves the name to others.
    world.note(told(other.call("com.example.greet", ("joe",)).returning::<String>().await));
    one.leave().await?;
    let _second = other.register("com.example.greet", greet).await?;
    world.note(told(other.call("com.example.greet", ("joe",)).returning::<String>().await));
    Ok(())
}

pub(crate) async fn names_that_are_refused<A: Adapter>(world: &World<A>) -> Outcome {
    let session = world.session().await;
    let long = "x".repeat(2000);
    for name in ["", "com..example", "com.exa mple", "com.#.example", &long] {
        let shown = &name[..name.len().min(20)];
        world.note(format!("{shown:?}: call {}", told(session.call(name, ()).await)));
        world.note(format!("{shown:?}: publish {}", told(session.publish(name, ()).await)));
        world.note(format!("{shown:?}: subscribe {}", told(session.subscribe(name).await)));
        world.note(format!("{shown:?}: register {}", told(session.register(name, greet).await)));
    }
    // Those are the specification's.
    world.note(told(session.register("wamp.example.greet", greet).await));
    world.note(told(session.publish("wamp.example.tick", ()).acknowledge().await));
    world.note(told(session.call("wamp.example.greet", ()).await));
    Ok(())
}

pub(crate) async fn names_in_unicode<A: Adapter>(world: &World<A>) -> Outcome {
    let callee = world.session().await;
    let _greet = callee.register("com.例.grüße", greet).await?;
    let mut events = callee.subscribe("com.例.ereignis\u{1F389}").await?;
    for serializer in Serializer::ALL {
        let session = world.join(settings().serializer(serializer)).await?;
        world.note(session.call("com.例.grüße", ("Zoë",)).returning::<String>().await?);
        session.publish("com.例.ereignis\u{1F389}", ("🎉",)).acknowledge().await?;
        world.note(in_time(events.next()).await.ok_or("ended")??.get::<String>()?);
    }
    Ok(())
}

/// Without a handler: taken from a queue, and answered in any order, or not at all.
pub(crate) async fn invocations_by_hand<A: Adapter>(world: &World<A>) -> Outcome {
    let callee = world.session().await;
    let mut invocations = callee.register_queue("com.example.task").await?;
    let caller = world.session().await;
    let mut calls: Vec<_> =
        (0..4_u32).map(|number| Box::pin(caller.call("com.example.task", (number,)).into_future())).collect();
    let mut taken = Vec::new();
    for call in &mut calls {
        assert!(poll_once(call).await.is_none());
        taken.push(in_time(invocations.next()).await.ok_or("ended")?);
    }
    for invocation in taken.into_iter().rev() {
        match invocation.get::<u32>()? {
            0 => drop(invocation),
            1 => invocation.error(HandlerError::new("com.example.error.no")),
            number => invocation.reply(number * 10)?,
        }
    }
    for result in in_time(all(calls)).await {
        world.note(told(result.map(|result| result.get::<u32>())));
    }
    // What nobody took is answered when the queue is gone.
    let mut call = Box::pin(caller.call("com.example.task", (4,)).into_future());
    assert!(poll_once(&mut call).await.is_none());
    eventually(|| world.router.stats().calls == 1).await;
    drop(invocations);
    let error = in_time(call).await.unwrap_err();
    // It was in the queue already, or it comes to one that is not there any more.
    let uri = error.uri().ok_or("no URI")?.as_str().to_owned();
    assert!(["wamp.error.canceled", "wamp.error.no_such_procedure"].contains(&&*uri), "{uri}");
    Ok(())
}

/// Whoever waits for a callee that leaves is told so.
pub(crate) async fn callee_that_leaves<A: Adapter>(world: &World<A>) -> Outcome {
    let callee = world.session().await;
    callee.register("com.example.dig", dig).await?.detach();
    let caller = world.session().await;
    let mut call = Box::pin(caller.call("com.example.dig", ()).into_future());
    assert!(poll_once(&mut call).await.is_none());
    eventually(|| world.router.stats().calls == 1).await;
    in_time(callee.leave()).await?;
    world.note(told(in_time(call).await));
    world.note(told(caller.call("com.example.dig", ()).await));
    Ok(())
}

pub(crate) async fn detached_registration<A: Adapter>(world: &World<A>) -> Outcome {
    let callee = world.session().await;
    callee.register("com.example.greet", greet).await?.detach();
    let caller = world.session().await;
    world.note(caller.call("com.example.greet", ("joe",)).returning::<String>().await?);
    assert_eq!(world.router.stats().registrations, 1);
    callee.leave().await?;
    world.note(told(caller.call("com.example.greet", ("joe",)).await));
    Ok(())
}

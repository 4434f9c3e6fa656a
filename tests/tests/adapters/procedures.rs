//! Registrations, their names and their handlers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_io::Timer;
use futures_lite::future::poll_once;
use roadbed::client::{HandlerError, Invocation, UserError};
use roadbed::core::serializer::Serializer;
use roadbed::core::value::Value;

use crate::adapter::Adapter;
use crate::calls::{dig, greet};
use crate::world::{Outcome, World, all, eventually, in_time, settings, told};

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
pub(crate) struct Gate(Arc<AtomicBool>);

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

pub(crate) async fn handlers_that_fail<A: Adapter>(world: &World<A>) -> Outcome {
    let log = world.log();
    let told_here = move |error: &UserError| {
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
    let fails = |_| async { Err::<(), _>(HandlerError::internal("not for others")) };
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

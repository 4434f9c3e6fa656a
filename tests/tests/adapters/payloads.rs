//! What goes into calls and comes out of them.

use roadbed::client::Invocation;
use roadbed::core::limits::Limits;
use roadbed::core::payload::Binary;
use roadbed::core::serializer::Serializer;

use crate::adapter::Adapter;
use crate::calls::{Manner, greet};
use crate::world::{Outcome, World, all, config, in_time, settings, told};

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
    let calls = (0..4).map(|_| caller.call("com.example.echo", (bytes.clone(),)).returning::<Binary>());
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
    let call = caller.call("com.example.repeat", ("x", 1000)).returning::<String>();
    world.note(format!("{} bytes", in_time(call).await?.len()));
    Ok(())
}

/// One that accepts less than others send says so where the transport can.
pub(crate) async fn modest_receivers<A: Adapter>(world: &World<A>) -> Outcome {
    let callee = world.session().await;
    let repeat = |invocation: Invocation| async move {
        let (text, times) = invocation.args::<(String, usize)>()?;
        Ok(text.repeat(times))
    };
    let _repeat = callee.register("com.example.repeat", repeat).await?;
    let limits = Limits::default().message_size(4096);
    let modest = world.join(settings().limits(limits)).await?;
    world.note(told(in_time(modest.call("com.example.repeat", ("x", 5000))).await));
    let fits: String = in_time(modest.call("com.example.repeat", ("x", 3000)).returning()).await?;
    world.note(format!("{} bytes", fits.len()));
    Ok(())
}

pub(crate) async fn raised_limits<A: Adapter>(world: &World<A>) -> Outcome {
    let limits = Limits::default().message_size(8 << 20);
    let other = world.another(config().limits(limits.clone()));
    let callee = in_time(other.join(settings().limits(limits.clone()))).await?;
    let echo = |invocation: Invocation| async move { Ok(invocation.payload().clone()) };
    let _echo = callee.register("com.example.echo", echo).await?;
    let caller = in_time(other.join(settings().limits(limits))).await?;
    let bytes = Binary::from(vec![7; 3 << 20]);
    let echoed: Binary = in_time(caller.call("com.example.echo", (bytes.clone(),)).returning()).await?;
    assert!(echoed == bytes);
    world.note(format!("{} bytes", echoed.0.len()));
    drop((callee, caller));
    other.close().await;
    Ok(())
}

/// Several messages in one frame where a WebSocket carries them, and the same everywhere.
pub(crate) async fn batches<A: Adapter>(world: &World<A>) -> Outcome {
    for serializer in Serializer::ALL {
        let session = world.join(settings().serializer(serializer).batched()).await?;
        let greet = session.register("com.example.greet", greet).await?;
        let calls = (0..50).map(|number| {
            let call = session.call("com.example.greet", (format!("\u{1E}{number}"),));
            call.returning::<String>().into_future()
        });
        for (number, result) in in_time(all(calls)).await.into_iter().enumerate() {
            assert_eq!(result?, format!("\u{1E}{number}"));
        }
        greet.unregister().await?;
        world.note(format!("{serializer:?}: 50 calls"));
    }
    Ok(())
}

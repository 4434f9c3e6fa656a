use std::future::IntoFuture;
use std::time::Duration;

use super::*;
use crate::client::HandlerError;
use crate::error::Error;

#[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
struct Manner {
    #[serde(default)]
    loud: bool,
}

#[test]
fn the_whole_story_in_every_serializer() {
    for serializer in Serializer::ALL {
        let world = World::new();
        let callee = world.join(&settings().serializer(Serializer::MsgPack));
        let session = world.join(&settings().serializer(serializer));
        world.sim.block_on(story(&callee, &session)).unwrap();
        drop((callee, session));
        world.assert_empty();
    }
}

async fn story(callee: &Session, session: &Session) -> Result<(), Box<dyn std::error::Error>> {
    let add = callee
        .register("com.example.add", |inv: Invocation| async move {
            let (a, b) = inv.args::<(i64, i64)>()?;
            Ok(a + b)
        })
        .await?;
    let greet = callee
        .register("com.example.greet", |inv: Invocation| async move {
            let name: String = inv.get()?;
            if name.is_empty() {
                return Err(HandlerError::new("com.example.error.nobody").args(&("empty",)));
            }
            let Manner { loud } = inv.kwargs()?;
            Ok(if loud { name.to_uppercase() } else { name })
        })
        .await?;
    let sum: i64 = session.call("com.example.add", (2, 3)).returning().await?;
    assert_eq!(sum, 5);
    let name: String =
        session.call("com.example.greet", ("joe",)).kwargs(Manner { loud: true }).returning().await?;
    assert_eq!(name, "JOE");

    let error = session.call("com.example.greet", ("",)).await.unwrap_err();
    assert_eq!(error.uri().unwrap(), &"com.example.error.nobody");
    assert_eq!(error.args::<(String,)>()?, ("empty".to_owned(),));
    let error = session.call("com.example.add", ("x",)).await.unwrap_err();
    assert_eq!(error.uri().unwrap(), &"wamp.error.invalid_argument");
    let error = session.call("com.example.nothing", ()).await.unwrap_err();
    assert_eq!(error.uri().unwrap(), &"wamp.error.no_such_procedure");
    let error = session.call("not a uri", ()).await.unwrap_err();
    assert!(matches!(error, Error::Uri { .. }));

    let mut events = session.subscribe("com.example.tick").await?;
    callee.publish("com.example.tick", (1,)).await?;
    let publication =
        callee.publish("com.example.tick", (2,)).kwargs(Manner { loud: true }).acknowledge().await?;
    assert_eq!(events.next().await.unwrap()?.get::<u32>()?, 1);
    let event = events.next().await.unwrap()?;
    assert_eq!((event.get::<u32>()?, event.publication()), (2, publication));
    assert_eq!(event.kwargs::<Manner>()?, Manner { loud: true });

    events.unsubscribe().await?;
    add.unregister().await?;
    let error = session.call("com.example.add", (2, 3)).await.unwrap_err();
    assert_eq!(error.uri().unwrap(), &"wamp.error.no_such_procedure");
    drop(greet);
    session.leave().await?;
    let error = session.call("com.example.add", (2, 3)).await.unwrap_err();
    assert!(matches!(error.root(), Error::Ended(_)), "{error}");
    Ok(())
}

/// Polls `future` to its result, and then once too often.
macro_rules! poll_on {
    ($world:ident, $future:expr) => {{
        let mut future = Box::pin($future.into_future());
        let output = $world.sim.block_on(future.as_mut());
        assert!($world.sim.poll_once(future.as_mut(), 10).is_pending());
        output
    }};
}

#[test]
fn a_future_that_gave_its_result_stays_pending() {
    let world = World::new();
    let session = poll_on!(world, world.router.attach_local(&settings()).unwrap()).unwrap();
    let registration = poll_on!(world, session.register("com.example.one", |_| async { Ok(1) })).unwrap();
    assert!(poll_on!(world, session.call("com.example.one", ())).is_ok());
    assert!(poll_on!(world, session.call("com.example.none", ())).is_err());
    assert!(poll_on!(world, session.call("not a uri", ())).is_err());
    assert_eq!(poll_on!(world, session.call("com.example.one", ()).returning::<i64>()).unwrap(), 1);
    let subscription = poll_on!(world, session.subscribe("com.example.t")).unwrap();
    poll_on!(world, session.publish("com.example.t", ())).unwrap();
    poll_on!(world, session.publish("com.example.t", ()).acknowledge()).unwrap();
    poll_on!(world, subscription.unsubscribe()).unwrap();
    poll_on!(world, registration.unregister()).unwrap();
    let mut queue = poll_on!(world, session.register_queue("com.example.two")).unwrap();
    poll_on!(world, queue.unregister()).unwrap();
    poll_on!(world, session.leave()).unwrap();
    poll_on!(world, world.router.shutdown(Duration::from_secs(1)));
}

//! Publications and subscriptions, while everything works.

use std::time::Duration;

use futures_lite::future::poll_once;
use roadbed::client::{Event, Invocation, Session, Subscription};
use roadbed::core::options::PublishOptions;
use roadbed::core::payload::Binary;
use roadbed::core::serializer::Serializer;

use crate::adapter::Adapter;
use crate::calls::Manner;
use crate::world::{Outcome, World, all, eventually, in_time, settings, told};

/// The next event of a subscription.
async fn next(events: &mut Subscription) -> Result<Event, Box<dyn std::error::Error>> {
    Ok(in_time(events.next()).await.ok_or("the subscription has ended")??)
}

/// Whether nothing has come: whatever was on its way is there after the round trip of another one.
async fn is_silent(session: &Session, events: &mut Subscription) -> bool {
    session.publish("com.example.other", ()).acknowledge().await.unwrap();
    poll_once(events.next()).await.is_none()
}

pub(crate) async fn acknowledged_publications<A: Adapter>(world: &World<A>) -> Outcome {
    let session = world.session().await;
    let mut own = session.subscribe("com.example.tick").await?;
    let other = world.session().await;
    let mut others = other.subscribe("com.example.tick").await?;
    let publish = session.publish("com.example.tick", (1, "one")).kwargs(Manner { loud: true });
    let publication = publish.exclude_me(false).acknowledge().await?;
    for events in [&mut own, &mut others] {
        let event = next(events).await?;
        assert_eq!(event.publication(), publication);
        let args = event.args::<(u8, String)>()?;
        world.note(format!("{args:?} {:?}", event.kwargs::<Manner>()?));
    }
    Ok(())
}

pub(crate) async fn order<A: Adapter>(world: &World<A>) -> Outcome {
    let publisher = world.session().await;
    let subscriber = world.session().await;
    let mut events = subscriber.subscribe("com.example.count").await?;
    for number in 0..500_u32 {
        publisher.publish("com.example.count", (number,)).await?;
    }
    let mut numbers = Vec::new();
    for _ in 0..500 {
        numbers.push(next(&mut events).await?.get::<u32>()?);
    }
    assert!(numbers.is_sorted());
    world.note(format!("{numbers:?}"));
    Ok(())
}

pub(crate) async fn unsubscribed<A: Adapter>(world: &World<A>) -> Outcome {
    let session = world.session().await;
    let events = session.subscribe("com.example.tick").await?;
    in_time(events.unsubscribe()).await?;
    drop(session.subscribe("com.example.tock").await?);
    // Whatever comes after this came after both.
    session.publish("com.example.tick", ()).exclude_me(false).acknowledge().await?;
    eventually(|| world.router.stats().subscriptions == 0).await;
    world.note(format!("{} events", world.router.stats().counters.events));
    Ok(())
}

/// The publisher itself is left out, unless it asks not to be.
pub(crate) async fn publisher_exclusion<A: Adapter>(world: &World<A>) -> Outcome {
    let session = world.session().await;
    let mut events = session.subscribe("com.example.tick").await?;
    session.publish("com.example.tick", ("by default",)).acknowledge().await?;
    session.publish("com.example.tick", ("excluded",)).exclude_me(true).acknowledge().await?;
    session.publish("com.example.tick", ("not excluded",)).exclude_me(false).acknowledge().await?;
    world.note(next(&mut events).await?.get::<String>()?);
    assert!(is_silent(&session, &mut events).await);
    Ok(())
}

pub(crate) async fn eligible_and_excluded<A: Adapter>(world: &World<A>) -> Outcome {
    let publisher = world.session().await;
    let (one, other) = (world.session().await, world.session().await);
    let mut ones = one.subscribe("com.example.tick").await?;
    let mut others = other.subscribe("com.example.tick").await?;
    let plain = PublishOptions::new;
    for (what, options) in [
        ("for one", plain().eligible(vec![one.id()])),
        ("not for one", plain().exclude(vec![one.id()])),
        ("for nobody", plain().eligible(Vec::new())),
        ("one less one", plain().eligible(vec![one.id()]).exclude(vec![one.id()])),
        ("for guests", plain().eligible_authrole(vec!["guest".into()])),
        ("not for guests", plain().exclude_authrole(vec!["guest".into()])),
        ("for all", plain()),
    ] {
        publisher.publish("com.example.tick", (what,)).options(options).acknowledge().await?;
    }
    for (name, events) in [("one", &mut ones), ("other", &mut others)] {
        let mut seen = Vec::new();
        while seen.last().is_none_or(|last| last != "for all") {
            seen.push(next(events).await?.get::<String>()?);
        }
        world.note(format!("{name}: {seen:?}"));
    }
    Ok(())
}

/// Several handlers of a topic each get every event; the topic is left with the last one.
pub(crate) async fn several_handlers<A: Adapter>(world: &World<A>) -> Outcome {
    let publisher = world.session().await;
    let session = world.session().await;
    let mut first = session.subscribe("com.example.tick").await?;
    let mut second = session.subscribe("com.example.tick").await?;
    let publish = |number: u32| publisher.publish("com.example.tick", (number,)).acknowledge().into_future();
    publish(1).await?;
    for events in [&mut first, &mut second] {
        world.note(format!("{}", next(events).await?.get::<u32>()?));
    }
    first.unsubscribe().await?;
    publish(2).await?;
    world.note(format!("{}", next(&mut second).await?.get::<u32>()?));
    assert_eq!(world.router.stats().counters.events, 2, "one for each publication");
    drop(second);
    eventually(|| world.router.stats().subscriptions == 0).await;
    Ok(())
}

/// A topic that was left can be subscribed to again, also while it is being left.
pub(crate) async fn subscribed_anew<A: Adapter>(world: &World<A>) -> Outcome {
    let publisher = world.session().await;
    let session = world.session().await;
    for round in 0..3_u32 {
        let mut events = session.subscribe("com.example.tick").await?;
        publisher.publish("com.example.tick", (round,)).acknowledge().await?;
        world.note(format!("{}", next(&mut events).await?.get::<u32>()?));
        if round == 0 {
            events.unsubscribe().await?;
        } else {
            // UNSUBSCRIBE is on its way when the next SUBSCRIBE follows.
            drop(events);
        }
    }
    let mut left = Vec::new();
    for _ in 0..5 {
        let events = session.subscribe("com.example.tick").await?;
        left.push(events.unsubscribe().into_future());
    }
    for result in in_time(all(left)).await {
        world.note(told(result));
    }
    eventually(|| world.router.stats().subscriptions == 0).await;
    Ok(())
}

/// Detached, it stays for as long as the session, and its events go nowhere.
pub(crate) async fn detached_subscription<A: Adapter>(world: &World<A>) -> Outcome {
    let publisher = world.session().await;
    let session = world.session().await;
    session.subscribe("com.example.tick").await?.detach();
    for number in 0..50 {
        publisher.publish("com.example.tick", (number,)).acknowledge().await?;
    }
    let stats = world.router.stats();
    world.note(format!("{} subscriptions, {} events", stats.subscriptions, stats.counters.events));
    session.leave().await?;
    eventually(|| world.router.stats().subscriptions == 0).await;
    Ok(())
}

/// An answer comes only where one was asked for, whether well or not.
pub(crate) async fn refused_publications<A: Adapter>(world: &World<A>) -> Outcome {
    let session = world.session().await;
    let disclosed = || PublishOptions::new().disclose_me(true);
    world.note(told(session.publish("wamp.example", ()).await));
    world.note(told(session.publish("wamp.example", ()).acknowledge().await));
    let publish = session.publish("com.example.tick", ()).options(disclosed());
    world.note(told(publish.await));
    let publish = session.publish("com.example.tick", ()).options(disclosed());
    world.note(told(publish.acknowledge().await));
    // The session goes on, and nothing was answered that nobody waits for.
    session.publish("com.example.tick", ()).acknowledge().await?;
    let stats = world.router.stats();
    world.note(format!("{} refused", stats.counters.publications_refused));
    Ok(())
}

/// Ten subscribers see the same events in the same order.
pub(crate) async fn fan_out<A: Adapter>(world: &World<A>) -> Outcome {
    let publisher = world.session().await;
    let mut subscribers = Vec::new();
    for _ in 0..10 {
        let session = world.session().await;
        let events = session.subscribe("com.example.tick").await?;
        subscribers.push((session, events));
    }
    let mut publications = Vec::new();
    for number in 0..20_u32 {
        publications.push(publisher.publish("com.example.tick", (number,)).acknowledge().await?);
    }
    for (_session, events) in &mut subscribers {
        let mut numbers = Vec::new();
        for publication in &publications {
            let event = next(events).await?;
            assert_eq!(event.publication(), *publication);
            numbers.push(event.get::<u32>()?);
        }
        world.note(format!("{numbers:?}"));
    }
    Ok(())
}

pub(crate) async fn every_serializer_to_every_other<A: Adapter>(world: &World<A>) -> Outcome {
    let mut subscribers = Vec::new();
    for serializer in Serializer::ALL {
        let session = world.join(settings().serializer(serializer)).await?;
        let events = session.subscribe("com.example.bytes").await?;
        subscribers.push((session, events));
    }
    for serializer in Serializer::ALL {
        let publisher = world.join(settings().serializer(serializer)).await?;
        let bytes = Binary::from(vec![0, 128, 255]);
        publisher.publish("com.example.bytes", (bytes, "ü", -1)).acknowledge().await?;
        for (session, events) in &mut subscribers {
            let (Binary(bytes), text, number) = next(events).await?.args::<(Binary, String, i8)>()?;
            world.note(format!("{serializer:?} to {:?}: {bytes:?} {text} {number}", session.serializer()));
        }
    }
    Ok(())
}

/// Events keep their order while calls of the same session come and go.
pub(crate) async fn among_calls<A: Adapter>(world: &World<A>) -> Outcome {
    let publisher = world.session().await;
    let session = world.session().await;
    let mut events = session.subscribe("com.example.count").await?;
    let announcer = publisher.clone();
    let announce = move |invocation: Invocation| {
        let publisher = announcer.clone();
        async move {
            let number: u32 = invocation.get()?;
            publisher.publish("com.example.count", (number,)).await?;
            Ok(number)
        }
    };
    let announce = publisher.register("com.example.announce", announce).await?;
    let mut numbers = Vec::new();
    for number in 0..50_u32 {
        let call = session.call("com.example.announce", (number,)).timeout(Duration::from_secs(20));
        in_time(call).await?;
        // Sent before the answer, so it has come before the answer.
        let event = poll_once(events.next()).await.flatten().ok_or("the event came later")??;
        numbers.push(event.get::<u32>()?);
    }
    world.note(format!("{numbers:?}"));
    announce.unregister().await?;
    Ok(())
}

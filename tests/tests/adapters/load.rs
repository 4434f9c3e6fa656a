//! More than anybody can take: what is held has bounds, and everything else goes on.

use std::time::Duration;

use futures_lite::future::poll_once;
use roadbed::client::{Lagged, Session};
use roadbed::core::limits::Limits;

use crate::adapter::Adapter;
use crate::calls::{dig, greet};
use crate::world::{Outcome, World, all, config, eventually, in_time, settings, told};

/// A session and one more round trip of it.
async fn goes_on(session: &Session) -> Result<String, roadbed::Error> {
    in_time(session.call("com.example.greet", ("still here",)).returning()).await
}

/// A subscription that nobody reads keeps the newest events, and says how many it dropped.
pub(crate) async fn unread_subscription<A: Adapter>(world: &World<A>) -> Outcome {
    let publisher = world.session().await;
    let _greet = publisher.register("com.example.greet", greet).await?;
    let session = world.session().await;
    let mut unread = session.subscribe("com.example.tick").await?;
    let mut read = session.subscribe("com.example.last").await?;
    for number in 0..3000_u32 {
        publisher.publish("com.example.tick", (number,)).await?;
    }
    publisher.publish("com.example.last", ()).acknowledge().await?;
    in_time(read.next()).await.ok_or("ended")??;
    world.note(goes_on(&session).await?);
    world.note(format!("{:?}", in_time(unread.next()).await));
    for number in 3000 - 1024..3000 {
        assert_eq!(in_time(unread.next()).await.ok_or("ended")??.get::<u32>()?, number);
    }
    assert!(poll_once(unread.next()).await.is_none());
    world.note("and the last 1024");
    // The router dropped none of them: they waited here.
    assert_eq!(world.router.stats().counters.events_dropped, 0);
    Ok(())
}

pub(crate) async fn lagging_by_bytes<A: Adapter>(world: &World<A>) -> Outcome {
    let publisher = world.session().await;
    let session = in_time(world.join(settings().event_queue(1000, 10_000))).await?;
    let mut unread = session.subscribe("com.example.tick").await?;
    let mut read = session.subscribe("com.example.last").await?;
    let text = "x".repeat(1000);
    for _ in 0..30 {
        publisher.publish("com.example.tick", (&text,)).await?;
    }
    publisher.publish("com.example.last", ()).await?;
    in_time(read.next()).await.ok_or("ended")??;
    let Some(Err(Lagged(lost))) = in_time(unread.next()).await else { panic!("nothing was dropped") };
    let mut kept = 0;
    while let Some(event) = poll_once(unread.next()).await {
        event.ok_or("ended")??;
        kept += 1;
    }
    assert_eq!(lost + kept, 30);
    world.note(format!("{kept} kept, {lost} dropped"));
    Ok(())
}

/// A handler that never ends holds up neither its session nor its neighbours, and takes no more than it may.
pub(crate) async fn stalled_handlers<A: Adapter>(world: &World<A>) -> Outcome {
    let callee = in_time(world.join(settings().invocation_queue(16))).await?;
    let _dig = callee.register("com.example.dig", dig).await?;
    let _greet = callee.register("com.example.greet", greet).await?;
    let caller = world.session().await;
    let mut calls = Vec::new();
    for number in 0..16 {
        let mut call = Box::pin(caller.call("com.example.dig", (number,)).into_future());
        assert!(poll_once(&mut call).await.is_none());
        calls.push(call);
    }
    for number in 16..20 {
        world.note(told(in_time(caller.call("com.example.dig", (number,))).await));
    }
    world.note(goes_on(&caller).await?);
    assert_eq!(world.router.stats().calls, 16);
    drop(calls);
    eventually(|| world.router.stats().calls == 0).await;
    world.note("and none of them is left");
    Ok(())
}

/// A queue of invocations that nobody takes is full at some time, and has room again when one was answered.
pub(crate) async fn full_queues<A: Adapter>(world: &World<A>) -> Outcome {
    let callee = world.session().await;
    let mut invocations = callee.register_queue("com.example.task").limit(3).await?;
    let caller = world.session().await;
    let mut calls = Vec::new();
    for number in 0..3_u32 {
        let mut call = Box::pin(caller.call("com.example.task", (number,)).into_future());
        assert!(poll_once(&mut call).await.is_none());
        calls.push(call);
    }
    world.note(told(in_time(caller.call("com.example.task", (3,))).await));
    let first = in_time(invocations.next()).await.ok_or("ended")?;
    world.note(told(in_time(caller.call("com.example.task", (4,))).await));
    first.reply("done")?;
    world.note(told(in_time(calls.remove(0)).await.map(|result| result.get::<String>())));
    let mut last = Box::pin(caller.call("com.example.task", (5,)).into_future());
    assert!(poll_once(&mut last).await.is_none());
    for _ in 0..3 {
        let invocation = in_time(invocations.next()).await.ok_or("ended")?;
        let number: u32 = invocation.get()?;
        invocation.reply(number)?;
        world.note(format!("{number}"));
    }
    world.note(told(in_time(last).await.map(|result| result.get::<u32>())));
    Ok(())
}

/// Several times what anybody may hold, in pieces of 16 KiB.
const FLOOD: u64 = 300;

/// A publisher that never waits for anybody: it is slowed down, nothing grows, and calls get through.
pub(crate) async fn flood_of_publications<A: Adapter>(world: &World<A>) -> Outcome {
    let budget = 1 << 20;
    let other = world.another(config().limits(Limits::default().output_size(budget)));
    let publisher = other.session().await;
    let _greet = publisher.register("com.example.greet", greet).await?;
    let session = other.session().await;
    let _unread = session.subscribe("com.example.tick").await?;
    let text = "x".repeat(16 << 10);
    let flood = async {
        let mut most = 0;
        for _ in 0..FLOOD {
            in_time(publisher.publish("com.example.tick", (&text,))).await?;
            most = most.max(other.router.stats().queued_bytes);
        }
        publisher.publish("com.example.tick", ()).acknowledge().await?;
        Ok::<usize, roadbed::Error>(most)
    };
    let calls = async {
        for _ in 0..20 {
            goes_on(&session).await?;
        }
        Ok::<usize, roadbed::Error>(20)
    };
    let (most, calls) = futures_lite::future::zip(flood, calls).await;
    let (most, calls) = (most?, calls?);
    // One message more than fits is what it may be over.
    assert!(most <= budget + (17 << 10), "{most} bytes waited in the router");
    world.note(format!("{calls} calls in between"));
    let counters = other.router.stats().counters;
    assert_eq!(counters.publications, FLOOD + 1);
    assert_eq!(counters.events + counters.events_dropped, FLOOD + 1);
    drop((publisher, session));
    other.close().await;
    Ok(())
}

/// A caller that never waits for answers, and one that does.
pub(crate) async fn flood_of_calls<A: Adapter>(world: &World<A>) -> Outcome {
    let callee = world.session().await;
    let _greet = callee.register("com.example.greet", greet).await?;
    let caller = world.session().await;
    let other = world.session().await;
    let name = "y".repeat(1000);
    let calls = (0..500).map(|_| {
        let call = caller.call("com.example.greet", (&name,)).timeout(Duration::from_secs(60));
        call.returning::<String>().into_future()
    });
    let single = async {
        for _ in 0..20 {
            goes_on(&other).await?;
        }
        Ok::<(), roadbed::Error>(())
    };
    let (answers, single) = futures_lite::future::zip(all(calls), single).await;
    single?;
    let answered = answers.iter().filter(|answer| answer.as_ref().is_ok_and(|text| *text == name)).count();
    world.note(format!("{answered} of 500 answered"));
    assert_eq!(world.router.stats().calls, 0);
    Ok(())
}

//! What those who wait are told when the other end is gone.

use std::time::{Duration, Instant};

use async_io::Timer;
use futures_lite::future::{poll_once, zip};
use roadbed::Error;
use roadbed::client::{Session, Settings};
use roadbed::core::error::CloseReason;
use roadbed::core::limits::Limits;
use roadbed::core::payload::Binary;
use roadbed::core::transport::{LivenessConfig, LivenessMode};
use roadbed::tls::TlsError;

use crate::adapter::Adapter;
use crate::calls::{dig, greet};
use crate::relay::Relay;
use crate::world::{Outcome, SOON, World, all, config, eventually, in_time, settings, told};

/// A deadline that nothing here waits for.
const LONG: Duration = Duration::from_secs(15);

/// A call under way through a relay, cut by `cut`; what it is told, and how long after it was made.
async fn cut_call<A: Adapter>(
    world: &World<A>,
    deadline: Duration,
    cut: impl Fn(&Relay),
) -> (Error, Duration, Session) {
    let callee = world.session().await;
    callee.register("com.example.dig", dig).await.unwrap().detach();
    let relay = Relay::to(world);
    let caller = world.session_at(relay.url()).await;
    // The deadline counts from the first poll, and that comes after this.
    let start = Instant::now();
    let mut call = Box::pin(caller.call("com.example.dig", ()).timeout(deadline).into_future());
    assert!(poll_once(&mut call).await.is_none());
    eventually(|| world.router.stats().calls == 1).await;
    cut(&relay);
    let error = in_time(call).await.unwrap_err();
    (error, start.elapsed(), caller)
}

pub(crate) async fn reset_in_a_call<A: Adapter>(world: &World<A>) -> Outcome {
    let (error, span, caller) = cut_call(world, LONG, Relay::reset).await;
    assert!(matches!(error.root(), Error::Ended(_)) && error.is_retryable(), "{error:?}");
    // Not its deadline has ended it.
    assert!(span < LONG, "{span:?}");
    world.note(told(Err::<(), _>(error)));
    assert!(!in_time(caller.closed()).await.is_clean);
    Ok(())
}

pub(crate) async fn end_of_stream_in_a_call<A: Adapter>(world: &World<A>) -> Outcome {
    let (error, span, caller) = cut_call(world, LONG, Relay::end).await;
    assert!(matches!(error.root(), Error::Ended(_)) && error.is_retryable(), "{error:?}");
    assert!(span < LONG, "{span:?}");
    world.note(told(Err::<(), _>(error)));
    in_time(caller.closed()).await;
    Ok(())
}

/// Nothing comes any more, and nothing says so: deadlines are all there is.
pub(crate) async fn black_hole_in_a_call<A: Adapter>(world: &World<A>) -> Outcome {
    // Long enough for the call to be on its way before that, on a busy machine too.
    let deadline = Duration::from_secs(1);
    let (error, span, caller) = cut_call(world, deadline, Relay::swallow).await;
    assert!(matches!(error, Error::Timeout(_)), "{error:?}");
    assert!(span >= deadline && span < deadline + SOON, "{span:?}");
    world.note(told(Err::<(), _>(error)));
    drop(caller);
    Ok(())
}

/// The kernel's buffers are full, and nobody reads: requests still end, and so does the session.
pub(crate) async fn peer_that_stops_reading<A: Adapter>(world: &World<A>) -> Outcome {
    let relay = Relay::to(world);
    let limits = Limits::default().goodbye_timeout(Duration::from_millis(500));
    let session = in_time(world.adapter.connect(relay.url(), settings().limits(limits))).await?;
    let watching = session.clone();
    relay.swallow();
    // It is taken until nothing has any room left.
    let bytes = Binary::from(vec![7; 512 << 10]);
    loop {
        let mut publish = Box::pin(session.publish("com.example.bytes", (bytes.clone(),)).into_future());
        let timeout = async {
            Timer::after(Duration::from_millis(300)).await;
            None
        };
        let sent = async { Some((&mut publish).await) };
        if futures_lite::future::or(sent, timeout).await.is_none() {
            break;
        }
    }
    let call = session.call("com.example.greet", ()).timeout(Duration::from_millis(300));
    assert!(matches!(in_time(call).await, Err(Error::Timeout(_))));
    let start = Instant::now();
    let result = in_time(session.leave()).await;
    assert!(matches!(result, Err(Error::Ended(_))), "{result:?}");
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    world.note(told(result));
    assert!(!in_time(watching.closed()).await.is_clean);
    Ok(())
}

/// A subscriber whose connection is full costs the router its budget and no more, and nobody else waits for
/// it.
pub(crate) async fn subscriber_that_stops_reading<A: Adapter>(world: &World<A>) -> Outcome {
    let budget = 1 << 20;
    let other = world.another(config().limits(Limits::default().output_size(budget)));
    let relay = Relay::to(&other);
    let deaf = other.session_at(relay.url()).await;
    let _events = deaf.subscribe("com.example.tick").await?;
    let session = other.session().await;
    let _greet = session.register("com.example.greet", greet).await?;
    let mut events = session.subscribe("com.example.tick").await?;
    relay.swallow();
    let text = "x".repeat(64 << 10);
    let publisher = other.session().await;
    let mut counters = other.router.stats().counters;
    // Whatever the sockets hold, then the budget, then nothing.
    while counters.events_dropped < 10 {
        in_time(publisher.publish("com.example.tick", (&text,)).acknowledge()).await?;
        in_time(events.next()).await.ok_or("ended")??;
        let stats = other.router.stats();
        assert!(stats.queued_bytes < budget + (70 << 10), "{stats:?}");
        counters = stats.counters;
    }
    world.note("events were dropped");
    let call = publisher.call("com.example.greet", ("joe",)).returning::<String>();
    world.note(in_time(call).await?);
    drop((session, publisher));
    // Whoever reads nothing cannot say goodbye either.
    relay.reset();
    drop(deaf);
    other.close().await;
    Ok(())
}

/// The caller of a callee that dies is told so at once.
pub(crate) async fn callee_that_dies<A: Adapter>(world: &World<A>) -> Outcome {
    let relay = Relay::to(world);
    let callee = world.session_at(relay.url()).await;
    callee.register("com.example.dig", dig).await?.detach();
    let caller = world.session().await;
    let mut call = Box::pin(caller.call("com.example.dig", ()).into_future());
    assert!(poll_once(&mut call).await.is_none());
    eventually(|| world.router.stats().calls == 1).await;
    relay.reset();
    world.note(told(in_time(call).await));
    // The name is free for the next one.
    eventually(|| world.router.stats().registrations == 0).await;
    let _greet = caller.register("com.example.dig", greet).await?;
    Ok(())
}

/// How the other end goes.
#[derive(Clone, Copy, Debug)]
enum End {
    Reset,
    HalfClose,
    BlackHole,
}

impl End {
    fn come(self, relay: &Relay) {
        match self {
            Self::Reset => relay.reset(),
            Self::HalfClose => relay.end(),
            Self::BlackHole => relay.swallow(),
        }
    }
}

/// Silence for so long is the end of a connection into a black hole, on both sides. Other ends are noticed without.
const SILENCE: Duration = Duration::from_millis(2400);

fn liveness() -> LivenessConfig {
    let step = SILENCE / 3;
    LivenessConfig::default().mode(LivenessMode::On).idle(step).retry(step).grace(step)
}

/// Whoever is told of the end may take the time of a busy machine for it.
fn watchful(end: End) -> Settings {
    if !matches!(end, End::BlackHole) {
        return settings();
    }
    // Well before the silence is noticed.
    let limits = Limits::default().goodbye_timeout(SILENCE / 3);
    settings().limits(limits).configure(|config| config.liveness(liveness()))
}

/// Where in a call, a subscription or a registration the other end goes: who waits is told what?
const STEPS: &[&str] = &[
    "CALL sent",
    "call served",
    "PUBLISH sent",
    "SUBSCRIBE sent",
    "subscribed",
    "UNSUBSCRIBE sent",
    "REGISTER sent",
    "registered",
    "invoked",
    "UNREGISTER sent",
    "GOODBYE sent",
];

/// Goes up to a step, lets the other end go, and says what those who wait are told.
async fn gone_at<A: Adapter>(
    world: &World<A>,
    end: End,
    step: &str,
) -> Result<String, Box<dyn std::error::Error>> {
    let name = format!("com.example.{}", step.replace(' ', "_").to_lowercase());
    let relay = Relay::to(world);
    let session = in_time(world.adapter.connect(relay.url(), watchful(end))).await?;
    let direct = in_time(world.adapter.connect(&world.url, settings())).await?;
    let start;
    macro_rules! after_the_end {
        ($request:expr) => {{
            // The answer gets lost.
            relay.swallow();
            let mut request = Box::pin($request.into_future());
            assert!(poll_once(&mut request).await.is_none(), "{step}");
            end.come(&relay);
            start = Instant::now();
            told(in_time(request).await.map(drop))
        }};
    }
    let is_told = match step {
        "CALL sent" => after_the_end!(session.call(&name, ())),
        "PUBLISH sent" => after_the_end!(session.publish(&name, ()).acknowledge()),
        "SUBSCRIBE sent" => after_the_end!(session.subscribe(&name)),
        "REGISTER sent" => after_the_end!(session.register(&name, greet)),
        "GOODBYE sent" => after_the_end!(session.leave()),
        "UNSUBSCRIBE sent" => {
            let events = session.subscribe(&name).await?;
            after_the_end!(events.unsubscribe())
        }
        "UNREGISTER sent" => {
            let registration = session.register(&name, greet).await?;
            after_the_end!(registration.unregister())
        }
        "subscribed" => {
            let mut events = session.subscribe(&name).await?;
            end.come(&relay);
            start = Instant::now();
            format!("{:?}", in_time(events.next()).await)
        }
        "registered" => {
            let mut invocations = session.register_queue(&name).await?;
            end.come(&relay);
            start = Instant::now();
            format!("{:?}", in_time(invocations.next()).await.map(drop))
        }
        "call served" => {
            let mut invocations = direct.register_queue(&name).await?;
            let mut call = Box::pin(session.call(&name, ()).into_future());
            assert!(poll_once(&mut call).await.is_none());
            let invocation = in_time(invocations.next()).await.ok_or("ended")?;
            end.come(&relay);
            start = Instant::now();
            let caller = told(in_time(call).await);
            format!("{caller}; the callee: {:?}", in_time(invocation.canceled()).await)
        }
        "invoked" => {
            let mut invocations = session.register_queue(&name).await?;
            let mut call = Box::pin(direct.call(&name, ()).into_future());
            assert!(poll_once(&mut call).await.is_none());
            let invocation = in_time(invocations.next()).await.ok_or("ended")?;
            end.come(&relay);
            start = Instant::now();
            let callee = in_time(invocation.canceled()).await;
            format!("{callee:?}; the caller: {}", told(in_time(call).await))
        }
        other => return Err(format!("no step {other}").into()),
    };
    let span = start.elapsed();
    assert!(span < SILENCE + SOON, "{step}: {span:?}");
    let closed = in_time(session.closed()).await;
    in_time(direct.leave()).await?;
    Ok(format!("{step}: {is_told}; then {}", closed.reason))
}

/// The other end goes while a session is being joined.
async fn gone_while_joining<A: Adapter>(world: &World<A>, end: End) -> String {
    let relay = Relay::to(world);
    relay.swallow();
    let ending = async {
        eventually(|| relay.is_carrying()).await;
        end.come(&relay);
    };
    let start = Instant::now();
    let watchful = match end {
        End::BlackHole => settings().limits(Limits::default().join_timeout(SILENCE)),
        End::Reset | End::HalfClose => settings(),
    };
    let joining = in_time(world.adapter.connect(relay.url(), watchful));
    let (mut result, ()) = zip(joining, ending).await;
    let span = start.elapsed();
    assert!(span < SILENCE + SOON, "joining: {span:?}");
    if world.way.is_secure() && matches!(end, End::HalfClose) {
        // TLS knows better where the stream ended, and it means the same.
        let Err(Error::Tls(TlsError::HandshakeTruncated)) = result.as_ref().map_err(Error::root) else {
            panic!("{result:?}")
        };
        result = Err(roadbed::error::End::not_joined(CloseReason::Eof).into());
    }
    format!("connected: {}", told(result))
}

async fn gone_at_every_step<A: Adapter>(world: &World<A>, end: End) -> Outcome {
    let other = world.another_with(config(), |builder| match end {
        End::BlackHole => builder.liveness(liveness()),
        End::Reset | End::HalfClose => builder,
    });
    world.note(gone_while_joining(&other, end).await);
    for result in all(STEPS.iter().map(|step| gone_at(&other, end, step))).await {
        world.note(result?);
    }
    // Nothing of them is left.
    eventually(|| other.router.connections() == 0).await;
    other.close().await;
    Ok(())
}

pub(crate) async fn reset_at_every_step<A: Adapter>(world: &World<A>) -> Outcome {
    gone_at_every_step(world, End::Reset).await
}

pub(crate) async fn half_close_at_every_step<A: Adapter>(world: &World<A>) -> Outcome {
    gone_at_every_step(world, End::HalfClose).await
}

pub(crate) async fn black_hole_at_every_step<A: Adapter>(world: &World<A>) -> Outcome {
    gone_at_every_step(world, End::BlackHole).await
}

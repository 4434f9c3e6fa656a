//! Any future may be dropped at any point: no byte is lost, nothing of it stays on either end, and everything
//! else goes on.
//!
//! Each test polls a future once, twice, … until it gets to its end, and drops it there; in between one task
//! runs, and in a second round every read and write moves a single byte and then waits, so that the point may
//! lie within a message.

use std::future::{Future, IntoFuture};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use super::*;
use crate::server::RouterStats;
use crate::testing::wire::Wire;

/// How a wire carries bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    Whole,
    Trickling,
}

const PACES: [Pace; 2] = [Pace::Whole, Pace::Trickling];

/// A router, a session of it with a procedure, and one over a wire.
struct Scene {
    world: World,
    peer: Session,
    echo: crate::client::Registration,
    session: Session,
    wire: Wire,
}

impl Scene {
    fn new(pace: Pace) -> Self {
        let world = World::new();
        let peer = world.session();
        let echo = |inv: Invocation| async move { Ok(inv.get::<u32>()?) };
        let echo = world.sim.block_on(peer.register("com.example.echo", echo).into_future()).unwrap();
        let (session, wire) = world.session_over_wire();
        world.sim.settle();
        if pace == Pace::Trickling {
            wire.trickle(1);
        }
        Self { world, peer, echo, session, wire }
    }

    /// What both ends hold.
    fn held(&self) -> (usize, usize, RouterStats) {
        self.world.sim.pass(Duration::from_secs(1));
        let mut stats = self.world.router.stats();
        // What has happened is no part of that.
        stats.counters = Default::default();
        (entries(&self.session), entries(&self.peer), stats)
    }

    /// The session answers.
    fn works(&self, number: u32) -> bool {
        let call = self.session.call("com.example.echo", (number,)).returning::<u32>();
        self.world.sim.block_on(call.into_future()).is_ok_and(|answer| answer == number)
    }

    fn end(self) {
        let Self { world, peer, echo, session, wire } = self;
        drop((echo, session, peer));
        world.assert_empty();
        drop(wire);
    }
}

/// What a session holds: the tables of its handles, and those of the core.
pub(super) fn entries(session: &Session) -> usize {
    session.shared().with(|state, _| {
        let core = state.connection.session();
        state.entries() + core.pending_requests() + core.pending_invocations()
    })
}

/// Polls up to `polls` times, and drops; what it has come to, if it has.
fn poll_at_most<F: Future>(world: &World, polls: u32, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..polls {
        if let Poll::Ready(output) = world.sim.poll_once(future.as_mut(), 1) {
            return Some(output);
        }
    }
    None
}

/// Drops what `make` returns at every point, also within messages.
fn dropped_anywhere<F: IntoFuture>(make: impl Fn(&Session) -> F, keep: impl Fn(F::Output)) {
    for pace in PACES {
        for polls in 0.. {
            let scene = Scene::new(pace);
            let before = scene.held();
            let output = poll_at_most(&scene.world, polls, make(&scene.session).into_future());
            let is_done = output.is_some();
            // Ids, requests and answers are many bytes, unless nothing is waited for.
            assert!(!is_done || pace == Pace::Whole || polls == 1 || polls > 20, "only {polls} polls");
            output.into_iter().for_each(&keep);
            // What is on its way comes; how fast is nothing new.
            scene.wire.hurry();
            assert_eq!(scene.held(), before, "after {polls} polls");
            assert!(scene.works(polls), "after {polls} polls");
            assert_eq!(scene.held(), before, "after {polls} polls, and a call");
            scene.end();
            if is_done {
                break;
            }
        }
    }
}

#[test]
fn a_call() {
    let call = |session: &Session| session.call("com.example.echo", (1,)).returning::<u32>();
    dropped_anywhere(call, |result| assert_eq!(result.unwrap(), 1));
}

#[test]
fn a_call_of_its_own_and_the_answer() {
    let call = |session: &Session| {
        let session = session.clone();
        async move {
            let mut invocations = session.register_queue("com.example.slow").await?;
            let call = session.call("com.example.slow", (1,)).into_future();
            let answer = async {
                let invocation = invocations.next().await.unwrap();
                invocation.reply(2)
            };
            let (result, answered) = side_by_side(call, answer).await;
            answered?;
            result?.get::<u32>().map_err(crate::Error::from)
        }
    };
    dropped_anywhere(|session| Box::pin(call(session)), |result| assert_eq!(result.unwrap(), 2));
}

/// Both, side by side.
async fn side_by_side<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (Box::pin(a), Box::pin(b));
    let (mut one, mut other) = (None, None);
    std::future::poll_fn(|cx| {
        if one.is_none()
            && let Poll::Ready(output) = a.as_mut().poll(cx)
        {
            one = Some(output);
        }
        if other.is_none()
            && let Poll::Ready(output) = b.as_mut().poll(cx)
        {
            other = Some(output);
        }
        match (one.take(), other.take()) {
            (Some(one), Some(other)) => Poll::Ready((one, other)),
            (first, second) => {
                (one, other) = (first, second);
                Poll::Pending
            }
        }
    })
    .await
}

#[test]
fn publications() {
    let acknowledged = |session: &Session| session.publish("com.example.t", (1,)).acknowledge();
    dropped_anywhere(acknowledged, |result| assert!(result.is_ok()));
    dropped_anywhere(|session| session.publish("com.example.t", (1,)), |result| assert!(result.is_ok()));
}

#[test]
fn a_subscription() {
    dropped_anywhere(|session| session.subscribe("com.example.t"), |result| drop(result.unwrap()));
}

#[test]
fn a_registration() {
    let register = |session: &Session| session.register("com.example.r", |_| async { Ok(()) });
    dropped_anywhere(register, |result| drop(result.unwrap()));
    dropped_anywhere(|session| session.register_queue("com.example.r"), |result| drop(result.unwrap()));
}

#[test]
fn a_registration_that_is_refused() {
    let register = |session: &Session| session.register("com.example.echo", |_| async { Ok(()) });
    dropped_anywhere(register, |result| assert!(result.is_err()));
}

#[test]
fn the_end_of_a_subscription() {
    let end = |session: &Session| {
        let session = session.clone();
        async move { session.subscribe("com.example.t").await?.unsubscribe().await }
    };
    dropped_anywhere(|session| Box::pin(end(session)), |result: Result<(), crate::Error>| result.unwrap());
}

#[test]
fn the_end_of_a_registration() {
    let end = |session: &Session| {
        let session = session.clone();
        async move { session.register("com.example.r", |_| async { Ok(()) }).await?.unregister().await }
    };
    dropped_anywhere(|session| Box::pin(end(session)), |result: Result<(), crate::Error>| result.unwrap());
}

/// Requests that wait for room, since nothing is taken of what was sent.
#[test]
fn requests_that_wait_for_room() {
    for which in 0..4 {
        for polls in 0..4 {
            let scene = Scene::new(Pace::Whole);
            let before = scene.held();
            scene.wire.stall(true);
            let payload = "x".repeat(900_000);
            while scene.session.shared().with(|state, _| state.connection.is_writable()) {
                let publish = scene.session.publish("com.example.t", (&payload,)).into_future();
                assert!(poll_at_most(&scene.world, 1, publish).is_some());
            }
            let session = &scene.session;
            let is_done = match which {
                0 => poll_at_most(&scene.world, polls, session.call("com.a", ()).into_future()).is_some(),
                1 => poll_at_most(&scene.world, polls, session.publish("com.a", ()).into_future()).is_some(),
                2 => poll_at_most(&scene.world, polls, session.subscribe("com.a").into_future()).is_some(),
                _ => {
                    poll_at_most(&scene.world, polls, session.register_queue("com.a").into_future()).is_some()
                }
            };
            assert!(!is_done, "there was room");
            assert_eq!(entries(session), before.0);
            scene.wire.stall(false);
            assert_eq!(scene.held(), before, "after {polls} polls");
            assert!(scene.works(polls));
            scene.end();
        }
    }
}

/// Whoever looks for the next event again and again, and gives up in between, misses none.
#[test]
fn the_next_event() {
    for pace in PACES {
        let scene = Scene::new(pace);
        let subscribe = scene.session.subscribe("com.example.t");
        let mut events = scene.world.sim.block_on(subscribe.into_future()).unwrap();
        let mut seen = Vec::new();
        for number in 0..20_u32 {
            let publish = scene.peer.publish("com.example.t", (number,)).into_future();
            scene.world.sim.block_on(publish).unwrap();
            for polls in 0..5 {
                let next = poll_at_most(&scene.world, polls, events.next());
                seen.extend(next.map(|event| event.unwrap().unwrap().get::<u32>().unwrap()));
            }
        }
        while seen.len() < 20 {
            let event = scene.world.sim.block_on(events.next()).unwrap().unwrap();
            seen.push(event.get::<u32>().unwrap());
        }
        assert!(seen.iter().copied().eq(0..20), "{seen:?}");
        drop(events);
        scene.end();
    }
}

/// The same with invocations; one that was taken and dropped is answered all the same.
#[test]
fn the_next_invocation() {
    for pace in PACES {
        let scene = Scene::new(pace);
        let register = scene.session.register_queue("com.example.task");
        let mut invocations = scene.world.sim.block_on(register.into_future()).unwrap();
        let (mut calls, mut seen) = (Vec::new(), Vec::new());
        for number in 0..20_u32 {
            let mut call = Box::pin(scene.peer.call("com.example.task", (number,)).into_future());
            assert!(scene.world.sim.poll_once(call.as_mut(), 0).is_pending());
            calls.push(call);
            for polls in 0..5 {
                seen.extend(poll_at_most(&scene.world, polls, invocations.next()).flatten());
            }
        }
        while seen.len() < 20 {
            seen.extend(scene.world.sim.block_on(invocations.next()));
        }
        for (number, invocation) in seen.into_iter().enumerate() {
            assert_eq!(invocation.get::<usize>().unwrap(), number);
            // Waiting for the interrupt can be given up as well.
            assert!(poll_at_most(&scene.world, 2, invocation.canceled()).is_none());
            if number % 2 == 0 {
                invocation.reply(number).unwrap();
            }
        }
        for (number, call) in calls.into_iter().enumerate() {
            match scene.world.sim.block_on(call) {
                Ok(result) => assert_eq!(result.get::<usize>().unwrap(), number),
                Err(error) => assert!(number % 2 == 1 && error.is_canceled(), "{error}"),
            }
        }
        drop(invocations);
        scene.world.sim.settle();
        assert_eq!((entries(&scene.session), entries(&scene.peer)), (0, 1));
        scene.end();
    }
}

/// Polled once, GOODBYE is on its way; before that, nothing has happened.
#[test]
fn leaving() {
    for pace in PACES {
        for polls in 0.. {
            let scene = Scene::new(pace);
            let left = poll_at_most(&scene.world, polls, scene.session.leave().into_future());
            if polls == 0 {
                assert!(scene.works(1));
            } else {
                assert!(scene.world.sim.block_on(scene.session.closed()).is_clean);
            }
            scene.world.sim.settle();
            assert_eq!(scene.world.router.stats().sessions, if polls == 0 { 2 } else { 1 });
            scene.end();
            if let Some(result) = left {
                result.unwrap();
                break;
            }
        }
    }
}

#[test]
fn waiting_for_the_end() {
    let scene = Scene::new(Pace::Whole);
    for _ in 0..100 {
        assert!(poll_at_most(&scene.world, 1, scene.session.closed()).is_none());
    }
    assert!(scene.works(1));
    scene.end();
}

/// Joining over a wire of this pace.
fn join_over(world: &World, pace: Pace) -> impl Future<Output = Result<Session, crate::Error>> + use<> {
    use crate::client::open;
    use roadbed_core::transport::TransportDetails;

    let (here, there) = crate::memory::pipe(64 << 10);
    let (wire, stream) = Wire::around(here);
    if pace == Pace::Trickling {
        // HELLO and WELCOME are long.
        wire.trickle(16);
    }
    let (runtime, details) = (world.sim.runtime(), TransportDetails::local());
    let (joining, driver) =
        open(&settings(), world.sim.runtime(), Serializer::Cbor, details.clone()).unwrap();
    runtime.spawn(Box::pin(world.router.accept(there, details)));
    runtime.spawn(Box::pin(driver.run(stream)));
    joining
}

#[test]
fn joining() {
    for pace in PACES {
        for polls in 0.. {
            let world = World::new();
            let joined = poll_at_most(&world, polls, join_over(&world, pace));
            let is_done = joined.is_some();
            drop(joined.transpose().unwrap());
            world.assert_empty();
            if is_done {
                break;
            }
        }
    }
}

/// A shutdown that was given up does not stop, and another one can be waited for.
#[test]
fn shutting_down() {
    for polls in 0.. {
        let world = World::new();
        let sessions: Vec<Session> = (0..3).map(|_| world.session()).collect();
        let shutdown = || world.router.shutdown(Duration::from_secs(5)).into_future();
        let is_done = poll_at_most(&world, polls, shutdown()).is_some();
        world.sim.block_on(shutdown());
        assert_eq!(world.router.connections(), 0);
        for session in sessions {
            assert!(world.sim.block_on(session.closed()).is_clean);
        }
        world.assert_empty();
        if is_done {
            break;
        }
    }
}

/// Drivers and handlers are futures as well: whenever their runtime drops them, everybody who waits is told.
#[test]
fn drivers_and_handlers() {
    for pace in PACES {
        for steps in 0..60 {
            let scene = Scene::new(pace);
            let never = |_| std::future::pending::<Result<(), crate::client::HandlerError>>();
            let register = scene.session.register("com.example.never", never);
            let _never = scene.world.sim.block_on(register.into_future()).unwrap();
            let subscribe = scene.session.subscribe("com.example.t");
            let mut events = scene.world.sim.block_on(subscribe.into_future()).unwrap();
            let session = &scene.session;
            let mut calls: Vec<_> = [session, &scene.peer, session]
                .map(|caller| Box::pin(caller.call("com.example.never", ()).into_future()))
                .into();
            for call in &mut calls {
                assert!(scene.world.sim.poll_once(call.as_mut(), 0).is_pending());
            }
            let mut publish = Box::pin(session.publish("com.example.t", ()).acknowledge().into_future());
            let mut published = scene.world.sim.poll_once(publish.as_mut(), 0).is_ready();
            for _ in 0..steps {
                published = published || scene.world.sim.poll_once(publish.as_mut(), 1).is_ready();
            }
            scene.world.sim.kill_tasks();
            for call in calls {
                let error = scene.world.sim.block_on(call).unwrap_err();
                assert!(matches!(error, crate::Error::Ended(_)) || error.is_canceled(), "{error}");
            }
            if !published {
                // PUBLISHED may have come, and nobody has looked.
                drop(scene.world.sim.block_on(publish));
            }
            assert!(scene.world.sim.block_on(events.next()).is_none());
            assert!(!scene.world.sim.block_on(session.closed()).is_clean);
            assert_eq!((entries(session), entries(&scene.peer)), (0, 0));
            assert_eq!(scene.world.router.connections(), 0);
            let stats = scene.world.router.stats();
            assert_eq!((stats.sessions, stats.calls, stats.registrations), (0, 0, 0));
        }
    }
}

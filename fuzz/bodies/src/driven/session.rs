//! A client's driver under a hostile router, and users who ask for something all the while.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use roadbed::client::{
    Driver, HandlerError, Invocation, Invocations, Registration, Session, Settings, Subscription, open,
};
use roadbed::runtime::Runtime;
use roadbed::sim::Sim;
use roadbed::{Error, Veto};
use roadbed_core::error::{WampError, uris};
use roadbed_core::limits::Limits;
use roadbed_core::serializer::Serializer;
use roadbed_core::transport::TransportDetails;

use super::half::Driven;
use super::pending::Pending;
use super::wire::Wire;
use super::within_bounds;
use crate::answers::Answers;
use crate::check_text;
use crate::source::Source;
use crate::speech::Speech;

/// A client's driver: bytes and cuts, users, time and ends.
pub fn session_driver(data: &[u8]) {
    within_bounds(data, || {
        let mut source = Source::new(data);
        World::new(&mut source).run(&mut source);
    });
}

/// What users hold.
#[derive(Default)]
struct Held {
    session: Option<Session>,
    subscriptions: Vec<Subscription>,
    registrations: Vec<Registration>,
    queues: Vec<Invocations>,
    invocations: Vec<Invocation>,
}

type Hands = Arc<Mutex<Held>>;

struct World {
    sim: Sim,
    driven: Option<Driven<Driver>>,
    wire: Wire,
    answers: Answers,
    serializer: Serializer,
    pending: Pending,
    hands: Hands,
    /// The network takes nothing for now.
    is_stuck: bool,
}

fn settings(source: &mut Source<'_>, serializer: Serializer) -> Settings {
    let bits = source.byte();
    let limits = match source.below(3) {
        0 => Limits::default(),
        1 => Limits::default().queued_events(3).pending_calls(2).subscriptions(2).registrations(2),
        _ => Limits::default().output_high_water(300).output_size(900).handshake_message_size(4096),
    };
    let mut settings = Settings::new("realm1").serializer(serializer).limits(limits);
    if bits & 1 != 0 {
        settings = settings.event_queue(4, 500).invocation_queue(2);
    }
    if bits & 2 != 0 {
        settings = settings.authid("joe").ticket("secret!!!").on_challenge("x_asked", |challenge| {
            if format!("{challenge:?}").len().is_multiple_of(2) {
                Ok("yes".into())
            } else {
                Err(Veto::new("no"))
            }
        });
    }
    if bits & 4 != 0 {
        settings =
            settings.on_welcome(
                |details| {
                    if details.agent.is_some() { Ok(()) } else { Err(Veto::new("who is this")) }
                },
            );
    }
    if bits & 8 != 0 {
        settings = settings.on_join(|session| async move {
            drop(session.subscribe("com.a").await?);
            Ok(())
        });
    }
    settings.configure(|config| config.strict_ids(bits & 16 != 0).stay_attached(bits & 32 != 0))
}

/// Errors say something, whatever they are.
fn note<T>(result: Result<T, Error>) -> Option<T> {
    result.map_err(|error| check_text(&error)).ok()
}

fn refusal() -> HandlerError {
    WampError::new(uris::UNAVAILABLE.clone()).into()
}

fn with<R>(hands: &Hands, act: impl FnOnce(&mut Held) -> R) -> R {
    act(&mut hands.lock().unwrap_or_else(PoisonError::into_inner))
}

impl World {
    fn new(source: &mut Source<'_>) -> Self {
        let speech = Speech::choose(source);
        let serializer = source.choose(&Serializer::ALL);
        let settings = settings(source, serializer);
        let sim = Sim::default();
        let details = TransportDetails::local();
        let opened = open(&settings, sim.runtime(), speech.endpoint(serializer), details);
        let (joining, driver) = opened.expect("the settings are right");
        let (mut pending, hands) = (Pending::default(), Hands::default());
        let for_session = Arc::clone(&hands);
        pending.begin("join", async move {
            let session = note(joining.await);
            with(&for_session, |held| held.session = session);
        });
        Self {
            sim,
            driven: Some(Driven::new(driver)),
            wire: Wire::server(speech),
            answers: Answers::new(serializer),
            serializer,
            pending,
            hands,
            is_stuck: false,
        }
    }

    fn run(mut self, source: &mut Source<'_>) {
        self.settle();
        if source.byte() < 250 {
            let octet = source.choose(&[0xF0, 0xF0, 0x00]) | self.serializer.rawsocket_id();
            let greeting = self.wire.greeting(octet);
            self.arrive(&greeting);
        }
        self.settle();
        while !source.is_empty() {
            self.step(source);
            self.settle();
        }
        self.end();
    }

    fn arrive(&mut self, bytes: &[u8]) {
        if let Some(driven) = &mut self.driven {
            driven.arrive(bytes);
        }
    }

    fn step(&mut self, source: &mut Source<'_>) {
        match source.below(32) {
            0..=11 => {
                let message = self.answers.message(source);
                let mut body = BytesMut::new();
                if self.serializer.encode(&message, &mut body).is_ok() {
                    let mut frames = self.wire.message(self.sim.now(), &body);
                    if source.below(40) == 0 {
                        frames.truncate(source.below(frames.len() + 1));
                    }
                    self.arrive(&frames);
                }
            }
            12..=20 => self.ask(source),
            21 | 22 => self.use_what_is_held(source),
            23 => self.let_go(source),
            24 => self.pending.give_up(source.below(4)),
            25 => self.sim.pass(Duration::from_millis(source.number() % 40_000)),
            26 => self.is_stuck = source.flag(),
            27 if source.below(4) == 0 => self.arrive(source.bytes(40)),
            28 if source.below(4) == 0 => {
                let (bytes, what) = (source.bytes(20), source.below(5));
                if let Some(driven) = &mut self.driven {
                    driven.abuse(bytes, what);
                }
            }
            29 if source.below(4) == 0 => self.close(source),
            _ => {}
        }
    }

    fn close(&mut self, source: &mut Source<'_>) {
        let Some(driven) = &mut self.driven else { return };
        match source.below(5) {
            0 => driven.lost(),
            1 => driven.broke(),
            2 | 3 => driven.eof(),
            _ => self.driven = None,
        }
    }

    /// A request, of a session that may have ended long ago.
    fn ask(&mut self, source: &mut Source<'_>) {
        let Some(session) = with(&self.hands, |held| held.session.clone()) else { return };
        let hands = Arc::clone(&self.hands);
        let uri = source.choose(&["com.a", "com.b", "com.a", "com..b", "wamp.x"]);
        let text = "x".repeat(source.choose(&[0, 3, 200, 900]));
        match source.below(10) {
            0..=2 => {
                let call = session.call(uri, (text,));
                self.pending.begin("call", async move {
                    if let Some(result) = note(call.await) {
                        let _ = result.args::<(u8, String)>();
                    }
                });
            }
            3 => {
                let publish = session.publish(uri, (text,));
                self.pending.begin("publish", async move {
                    let _ = note(publish.await);
                });
            }
            4 => {
                let publish = session.publish(uri, (text,)).acknowledge();
                self.pending.begin("acknowledged", async move {
                    let _ = note(publish.await);
                });
            }
            5 => {
                let subscribe = session.subscribe(uri);
                self.pending.begin("subscribe", async move {
                    let granted = note(subscribe.await);
                    with(&hands, |held| held.subscriptions.extend(granted));
                });
            }
            6 => {
                let kind = source.below(3);
                let register = session.register(uri, move |invocation: Invocation| async move {
                    match kind {
                        0 => Ok(invocation.args::<(u8, String)>().unwrap_or_default()),
                        1 => Err(invocation.get::<bool>().err().map_or_else(refusal, HandlerError::from)),
                        _ => {
                            invocation.canceled().await;
                            Ok((1, String::new()))
                        }
                    }
                });
                self.pending.begin("register", async move {
                    let granted = note(register.await);
                    with(&hands, |held| held.registrations.extend(granted));
                });
            }
            7 => {
                let register = session.register_queue(uri);
                self.pending.begin("register a queue", async move {
                    let granted = note(register.await);
                    with(&hands, |held| held.queues.extend(granted));
                });
            }
            8 => self.pending.begin("closed", async move {
                check_text(&Error::from(session.closed().await.reason));
            }),
            _ if source.below(4) == 0 => {
                let leave = session.leave();
                self.pending.begin("leave", async move {
                    let _ = note(leave.await);
                });
            }
            _ => {}
        }
    }

    /// Takes events and invocations, and answers some.
    fn use_what_is_held(&mut self, source: &mut Source<'_>) {
        let mut cx = Context::from_waker(Waker::noop());
        with(&self.hands, |held| {
            for subscription in &mut held.subscriptions {
                while let Poll::Ready(Some(item)) = subscription.poll_event(&mut cx) {
                    let _ = item.map(|event| event.args::<(u8, String)>().is_ok());
                }
            }
            for queue in &mut held.queues {
                while let Poll::Ready(Some(invocation)) = queue.poll_invocation(&mut cx) {
                    held.invocations.push(invocation);
                }
            }
            if !held.invocations.is_empty() {
                let invocation = held.invocations.remove(source.below(held.invocations.len()));
                match source.below(3) {
                    0 => drop(note(invocation.reply((7, "x".repeat(source.below(600)))))),
                    1 => invocation.error(refusal()),
                    _ => {}
                }
            }
        });
    }

    fn let_go(&mut self, source: &mut Source<'_>) {
        let gone = with(&self.hands, |held| {
            let mut gone = Held::default();
            match source.below(8) {
                0 => gone.session = held.session.take(),
                1 | 2 => gone.subscriptions.extend(held.subscriptions.pop()),
                3 | 4 => gone.registrations.extend(held.registrations.pop()),
                5 => gone.queues.extend(held.queues.pop()),
                6 => {
                    if let Some(registration) = held.registrations.pop() {
                        let unregister = registration.unregister();
                        self.pending.begin("unregister", async move {
                            let _ = note(unregister.await);
                        });
                    }
                }
                _ => {
                    if let Some(subscription) = held.subscriptions.pop() {
                        let unsubscribe = subscription.unsubscribe();
                        self.pending.begin("unsubscribe", async move {
                            let _ = note(unsubscribe.await);
                        });
                    }
                }
            }
            gone
        });
        drop(gone);
    }

    /// Until nothing more happens.
    fn settle(&mut self) {
        for _ in 0..1000 {
            self.sim.settle();
            let mut any = self.pending.poll();
            let now = self.sim.now();
            if let Some(driven) = &mut self.driven {
                any |= driven.read();
                if self.is_stuck {
                    driven.stuck();
                } else {
                    for bytes in driven.write(now) {
                        any = true;
                        let (messages, answer) = self.wire.hear(now, &bytes);
                        driven.arrive(&answer);
                        let limits = Limits::default().message_size(16 << 20);
                        for body in messages {
                            let message = self.serializer.decode(&body, &limits);
                            self.answers
                                .receive(message.unwrap_or_else(|why| panic!("sent {body:?}: {why}")));
                        }
                    }
                }
                // Its loop would close the stream.
                if driven.has_ended() {
                    self.driven = None;
                    any = true;
                }
            }
            if !any {
                if self.driven.is_none() {
                    self.pending.assert_ended();
                }
                return;
            }
        }
        panic!("it never comes to rest");
    }

    /// The connection is lost, and everything is over: at once, and for whatever is asked after it.
    fn end(mut self) {
        self.is_stuck = false;
        if let Some(driven) = &mut self.driven {
            driven.lost();
        }
        self.settle();
        assert!(self.driven.is_none(), "no end after the transport was lost");
        let hands = std::mem::take(&mut *self.hands.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(session) = &hands.session {
            let (call, closed) = (session.call("com.a", (1,)), session.clone());
            self.pending.begin("call after the end", async move {
                assert!(note(call.await).is_none(), "a result after the end");
            });
            self.pending.begin("closed after the end", async move { drop(closed.closed().await) });
            self.settle();
        }
        let mut cx = Context::from_waker(Waker::noop());
        for mut subscription in hands.subscriptions {
            let events = std::iter::from_fn(|| Some(subscription.poll_event(&mut cx)));
            let ends = events.take(2000).any(|poll| matches!(poll, Poll::Ready(None)));
            assert!(ends, "a subscription outlives its session");
        }
        drop((hands.registrations, hands.queues, hands.invocations, hands.session));
        self.sim.settle();
        assert_eq!(self.sim.tasks(), 0, "tasks that nobody needs");
        assert_eq!(self.pending.len(), 0);
    }
}

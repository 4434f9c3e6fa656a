//! One client, one link, and messages of every size between them.

use std::fmt::Write;

use bytes::BytesMut;
use roadbed_core::error::CommandError;
use roadbed_core::id::{PublicationId, RegistrationId, RequestId, SessionId, SubscriptionId};
use roadbed_core::limits::Limits;
use roadbed_core::link::{LinkConfig, LinkEvent};
use roadbed_core::message::{
    Call, CallResult, Event, Invocation, Message, Publish, Registered, Sparse, Subscribed, Welcome,
    WelcomeDetails, Yield,
};
use roadbed_core::options::{CallOptions, PublishOptions, RegisterOptions, SubscribeOptions, YieldOptions};
use roadbed_core::payload::Payload;
use roadbed_core::role::{Feature, Role, Roles};
use roadbed_core::serializer::Serializer;
use roadbed_core::session::{ClientConfig, SessionEvent};
use roadbed_core::transport::TransportError;
use roadbed_core::uri::Uri;
use roadbed_testkit::{Carrier, Client, LinkEnd, Pair, client, every_carrier, link};

use super::tls::Layered;

/// Bytes of a message on both ends. RawSocket can announce it.
pub(crate) const LIMIT: usize = 2 << 20;

/// Payloads of so many bytes.
const PAYLOADS: [usize; 2] = [0, 1];
/// Messages of so many bytes, payload and all: around each length that a frame's header writes differently.
const MESSAGES: [usize; 10] =
    [125, 126, 127, 65_535, 65_536, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, LIMIT - 1, LIMIT];
const OVER: [usize; 1] = [LIMIT + 1];

const NAME: Uri = Uri::from_static("a.b");

/// A client that has joined, and the router's link to it.
pub(crate) struct Line {
    pub(crate) pair: Pair<Layered<Client>, Layered<LinkEnd>>,
    serializer: Serializer,
}

impl Line {
    pub(crate) fn new(carrier: Carrier, serializer: Serializer, is_secure: bool) -> Self {
        let limits = Limits::default().message_size(LIMIT).output_high_water(64 << 20).output_size(64 << 20);
        let config = ClientConfig::new(NAME).limits(limits.clone()).build().unwrap();
        let client = Layered::client(client(config, carrier.endpoint(serializer)), is_secure);
        let links = every_carrier(LinkConfig::default().limits(limits));
        let mut line = Self { pair: Pair::new(client, Layered::server(link(&links), is_secure)), serializer };
        line.pair.drive();
        let mut details = WelcomeDetails::new();
        let roles = [Role::Broker, Role::Dealer].into_iter();
        details.roles = Some(roles.fold(Roles::NONE, |all, role| all.with(role, Feature::ALL)));
        line.down(Welcome { session: SessionId::MIN, details: details.into() }).expect("WELCOME");
        line.link().link.set_receive_limit(LIMIT);
        line.pair.drive();
        assert!(matches!(line.events()[..], [SessionEvent::Joined { .. }]));
        assert_eq!(line.received().len(), 1, "HELLO");
        line
    }

    pub(crate) fn link(&mut self) -> &mut LinkEnd {
        &mut self.pair.router.inner
    }

    pub(crate) fn client(&mut self) -> &mut Client {
        &mut self.pair.client.inner
    }

    pub(crate) fn events(&mut self) -> Vec<SessionEvent> {
        self.client().events()
    }

    /// Sends from the router.
    pub(crate) fn down(&mut self, message: impl Into<Message>) -> Result<(), TransportError> {
        let (now, mut arena) = (self.pair.now(), BytesMut::new());
        let encoded = self.serializer.encode_chunks(&message.into(), &mut arena).unwrap();
        self.link().link.send(now, &encoded)
    }

    /// What the router received.
    pub(crate) fn received(&mut self) -> Vec<Message> {
        let events = self.link().events().into_iter();
        let messages = events.filter_map(|event| match event {
            LinkEvent::Message(message) => Some(message),
            LinkEvent::Open { .. } => None,
            other => panic!("{other:?}"),
        });
        messages.collect()
    }

    fn size(&self, message: impl Into<Message>) -> usize {
        self.serializer.encode_chunks(&message.into(), &mut BytesMut::new()).unwrap().len()
    }

    fn payload(&self, length: usize) -> Payload {
        let mut text = "abcdefghijklmnopqrstuvwxyz".repeat(length / 26 + 1);
        text.truncate(length);
        Payload::from_args(self.serializer, &(text,)).unwrap()
    }

    /// The payload that makes a message exactly so large.
    fn filling<M: Into<Message>>(&self, size: usize, message: impl Fn(Payload) -> M) -> Payload {
        let overhead = |length: usize| self.size(message(self.payload(length))) - length;
        // What a length takes depends on it, so the second guess is right.
        let length = size - overhead(size - 40);
        let payload = self.payload(length);
        assert_eq!(self.size(message(payload.clone())), size);
        payload
    }
}

/// What travels, and in which direction.
#[derive(Clone, Copy, Debug)]
enum Way {
    Call,
    Yield,
    Publish,
    Result,
    Event,
    Invocation,
}

const WAYS: [Way; 6] = [Way::Call, Way::Yield, Way::Publish, Way::Result, Way::Event, Way::Invocation];

/// A size that is meant: of the payload's text, or of the whole message.
#[derive(Clone, Copy, Debug)]
enum Size {
    Payload(usize),
    Message(usize),
}

/// What is the same for each message of a line: the requests that are under way.
struct Under {
    subscription: SubscriptionId,
    registration: RegistrationId,
    /// The last request of the client's.
    last: u64,
    /// The last invocation of the router's.
    invocation: u64,
}

fn request(id: u64) -> RequestId {
    RequestId::new(id).unwrap()
}

fn set_up(line: &mut Line) -> Under {
    let now = line.pair.now();
    let connection = &mut line.client().connection;
    connection.subscribe(now, &NAME, &SubscribeOptions::new()).unwrap();
    connection.register(now, &NAME, &RegisterOptions::new()).unwrap();
    line.pair.drive();
    let (subscription, registration) = (SubscriptionId::MIN, RegistrationId::MIN);
    line.down(Subscribed { request: request(1), subscription }).unwrap();
    line.down(Registered { request: request(2), registration }).unwrap();
    line.pair.drive();
    assert_eq!((line.events().len(), line.received().len()), (2, 2));
    Under { subscription, registration, last: 2, invocation: 0 }
}

/// Sends one message. `Ok` when it arrived with its payload byte by byte; otherwise size and limit.
fn carry(line: &mut Line, under: &mut Under, way: Way, size: Size) -> Result<(), (usize, usize)> {
    let payload_for = |line: &Line, build: &dyn Fn(Payload) -> Message| match size {
        Size::Payload(length) => line.payload(length),
        Size::Message(size) => line.filling(size, build),
    };
    let now = line.pair.now();
    let refused = |error| match error {
        CommandError::TooLarge { size, limit } => (size, limit),
        other => panic!("{other}"),
    };
    let too_large = |error| match error {
        TransportError::TooLarge { size, limit } => (size, limit),
        other => panic!("{other}"),
    };
    match way {
        Way::Call => {
            let id = request(under.last + 1);
            let build =
                |payload| Call { request: id, options: Sparse::EMPTY, procedure: NAME, payload }.into();
            let payload = payload_for(line, &build);
            let connection = &mut line.client().connection;
            let call = connection.call(now, &NAME, payload.clone(), &CallOptions::new()).map_err(refused)?;
            under.last += 1;
            line.pair.drive();
            let received = line.received();
            assert!(matches!(&received[..], [Message::Call(call)] if call.payload == payload));
            line.down(CallResult {
                request: call.request(),
                details: Sparse::EMPTY,
                payload: Payload::EMPTY,
            })
            .unwrap();
            line.pair.drive();
            assert!(matches!(line.events()[..], [SessionEvent::Result { result: Ok(_), .. }]));
        }
        Way::Publish => {
            let id = request(under.last + 1);
            let build =
                |payload| Publish { request: id, options: Sparse::EMPTY, topic: NAME, payload }.into();
            let payload = payload_for(line, &build);
            let connection = &mut line.client().connection;
            connection.publish(now, &NAME, payload.clone(), &PublishOptions::new()).map_err(refused)?;
            under.last += 1;
            line.pair.drive();
            let received = line.received();
            assert!(matches!(&received[..], [Message::Publish(publish)] if publish.payload == payload));
        }
        Way::Yield | Way::Invocation => {
            let id = request(under.invocation + 1);
            let (registration, is_answer) = (under.registration, matches!(way, Way::Yield));
            let invocation = |payload| -> Message {
                Invocation { request: id, registration, details: Sparse::EMPTY, payload }.into()
            };
            let answer =
                |payload| -> Message { Yield { request: id, options: Sparse::EMPTY, payload }.into() };
            let (question, payload) = match is_answer {
                true => (Payload::EMPTY, payload_for(line, &answer)),
                false => (payload_for(line, &invocation), Payload::EMPTY),
            };
            line.down(invocation(question.clone())).map_err(too_large)?;
            under.invocation += 1;
            line.pair.drive();
            let [SessionEvent::Invocation { invocation, payload: found, .. }] = &line.events()[..] else {
                panic!("an invocation")
            };
            assert_eq!(found, &question);
            let connection = &mut line.client().connection;
            let outcome = connection
                .yield_result(now, *invocation, payload.clone(), &YieldOptions::new())
                .map_err(refused);
            if outcome.is_err() {
                // It still waits for its answer.
                assert_eq!(connection.session().pending_invocations(), 1);
                connection.yield_result(now, *invocation, Payload::EMPTY, &YieldOptions::new()).unwrap();
            }
            line.pair.drive();
            let received = line.received();
            let expected = if outcome.is_ok() { payload } else { Payload::EMPTY };
            assert!(matches!(&received[..], [Message::Yield(answer)] if answer.payload == expected));
            outcome?;
        }
        Way::Result => {
            let call =
                line.client().connection.call(now, &NAME, Payload::EMPTY, &CallOptions::new()).unwrap();
            under.last += 1;
            line.pair.drive();
            line.received();
            let build =
                |payload| CallResult { request: call.request(), details: Sparse::EMPTY, payload }.into();
            let payload = payload_for(line, &build);
            let outcome = line.down(build(payload.clone())).map_err(too_large);
            if outcome.is_err() {
                line.down(build(Payload::EMPTY)).unwrap();
            }
            line.pair.drive();
            let [SessionEvent::Result { result: Ok(answer), .. }] = &line.events()[..] else {
                panic!("a result")
            };
            assert_eq!(answer.payload, if outcome.is_ok() { payload } else { Payload::EMPTY });
            outcome?;
        }
        Way::Event => {
            let (subscription, publication) = (under.subscription, PublicationId::MIN);
            let build = |payload| Event { subscription, publication, details: Sparse::EMPTY, payload }.into();
            let payload = payload_for(line, &build);
            line.down(build(payload.clone())).map_err(too_large)?;
            line.pair.drive();
            let [SessionEvent::Event { payload: found, .. }] = &line.events()[..] else { panic!("an event") };
            assert_eq!(found, &payload);
        }
    }
    Ok(())
}

/// Whether a step is taken in this way: every one for calls, results and events, and a few of the others.
fn is_due(way: Way, size: usize, is_secure: bool) -> bool {
    match way {
        // TLS cuts everything into records of its own, so the steps from frame to frame are fewer.
        Way::Call | Way::Result | Way::Event => !is_secure || ![(1 << 20) - 1, (1 << 20) + 1].contains(&size),
        _ => [126, 65_536, LIMIT].contains(&size),
    }
}

/// All steps on one line. Says how many messages arrived, and how many were refused.
fn climb(line: &mut Line, is_secure: bool) -> (usize, usize) {
    let (mut under, mut arrived, mut refused) = (set_up(line), 0, 0);
    for way in WAYS {
        let messages = MESSAGES.into_iter().filter(|size| is_due(way, *size, is_secure));
        let fitting = PAYLOADS.map(Size::Payload).into_iter().chain(messages.map(Size::Message));
        for size in fitting {
            assert_eq!(carry(line, &mut under, way, size), Ok(()), "{way:?}, {size:?}");
            arrived += 1;
        }
        for size in OVER {
            let outcome = carry(line, &mut under, way, Size::Message(size));
            assert_eq!(outcome, Err((size, LIMIT)), "{way:?}, {size}");
            refused += 1;
            // And the session lives.
            assert_eq!(carry(line, &mut under, way, Size::Payload(1)), Ok(()), "{way:?}, behind {size}");
        }
    }
    assert!(line.client().connection.is_open() && line.link().link.is_open());
    (arrived, refused)
}

#[test]
fn every_size_on_every_transport() {
    let mut table = String::new();
    for is_secure in [false, true] {
        for &carrier in Carrier::ALL {
            for serializer in Serializer::ALL {
                let (arrived, refused) = climb(&mut Line::new(carrier, serializer, is_secure), is_secure);
                let tls = if is_secure { "TLS" } else { "" };
                let carrier = format!("{carrier:?}");
                let serializer = format!("{serializer:?}");
                writeln!(
                    table,
                    "{carrier:<15} {tls:<4} {serializer:<8} {arrived:>3} arrived, {refused:>2} over the limit refused"
                )
                .unwrap();
            }
        }
    }
    println!("{} ways, {} sizes, limit {LIMIT}:\n{table}", WAYS.len(), PAYLOADS.len() + MESSAGES.len());
}

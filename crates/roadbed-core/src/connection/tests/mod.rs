//! Tests of the connection against a router's [`Link`], byte by byte.

mod bytes;
mod flow;
mod rules;
mod websocket;

use std::sync::Arc;
use std::time::Duration;
use std::vec::Vec;

use ::bytes::BytesMut;

use super::*;
use crate::id::{PublicationId, RegistrationId, RequestId, SubscriptionId};
use crate::link::{Link, LinkConfig, LinkEvent};
use crate::message::{Event, Message, MessageType, Registered, Sparse, Subscribed, Welcome, WelcomeDetails};
use crate::payload::Payload;
use crate::role::{Feature, Role, Roles};
use crate::uri::Uri;

const SECOND: Duration = Duration::from_secs(1);
const T0: Timestamp = Timestamp::ZERO;

fn uri(text: &'static str) -> Uri {
    Uri::from_static(text)
}

fn request(id: u64) -> RequestId {
    RequestId::new(id).unwrap()
}

fn config() -> ClientConfig {
    ClientConfig::new(uri("realm1"))
}

fn connect(config: ClientConfig, serializer: Serializer, now: Timestamp) -> Connection {
    let endpoint = Endpoint::rawsocket(serializer);
    let mut connection =
        Connection::client(config.build().unwrap(), &endpoint, [0; 32], now, UnixMicros::default());
    connection.transport_ready(now, TransportDetails::local());
    connection
}

fn welcome_from(agent: &'static str) -> Message {
    let mut details = WelcomeDetails::new();
    let dealer = [Feature::CallCanceling];
    details.roles = Some(Roles::NONE.with(Role::Broker, &[]).with(Role::Dealer, &dealer));
    details.agent = Some(agent.into());
    Welcome { session: crate::id::SessionId::MIN, details: details.into() }.into()
}

fn welcome() -> Message {
    welcome_from("crossbar")
}

fn subscribed(id: u64, subscription: u64) -> Message {
    let subscription = SubscriptionId::new(subscription).unwrap();
    Subscribed { request: request(id), subscription }.into()
}

fn registered(id: u64, registration: u64) -> Message {
    let registration = RegistrationId::new(registration).unwrap();
    Registered { request: request(id), registration }.into()
}

fn event_with(subscription: u64, payload: Payload) -> Message {
    let subscription = SubscriptionId::new(subscription).unwrap();
    Event { subscription, publication: PublicationId::MIN, details: Sparse::EMPTY, payload }.into()
}

fn event(subscription: u64) -> Message {
    event_with(subscription, Payload::EMPTY)
}

fn text(serializer: Serializer, length: usize) -> Payload {
    Payload::from_args(serializer, &("x".repeat(length),)).unwrap()
}

/// The bytes of messages as the router frames them.
fn frames(serializer: Serializer, messages: &[Message]) -> Vec<u8> {
    let mut out = Vec::new();
    for message in messages {
        let mut body = BytesMut::new();
        serializer.encode(message, &mut body).unwrap();
        out.extend_from_slice(&(body.len() as u32).to_be_bytes());
        out.extend_from_slice(&body);
    }
    out
}

/// A client and the router's end, and what is on its way between them.
struct Wire {
    client: Connection,
    router: Link,
    to_client: BytesMut,
    to_router: BytesMut,
    received: Vec<Message>,
    now: Timestamp,
}

impl Wire {
    fn new(config: ClientConfig) -> Self {
        Self::with(config, Serializer::Json, &LinkConfig::default())
    }

    fn with(config: ClientConfig, serializer: Serializer, link: &LinkConfig) -> Self {
        Self {
            client: connect(config, serializer, T0),
            router: Link::server(link, T0),
            to_client: BytesMut::new(),
            to_router: BytesMut::new(),
            received: Vec::new(),
            now: T0,
        }
    }

    /// An open session; WELCOME names `agent`.
    fn joined_with(config: ClientConfig, serializer: Serializer, agent: &'static str) -> Self {
        let mut wire = Self::with(config, serializer, &LinkConfig::default());
        wire.carry();
        assert_eq!(wire.types(), [MessageType::Hello]);
        wire.router.set_receive_limit(1 << 20);
        wire.send(&welcome_from(agent));
        wire.carry();
        assert!(matches!(wire.events()[..], [SessionEvent::Joined { .. }]));
        wire
    }

    fn joined(config: ClientConfig) -> Self {
        Self::joined_with(config, Serializer::Json, "crossbar")
    }

    /// The router sends a message; it stays on its way until `carry`.
    fn send(&mut self, message: &Message) {
        let serializer = self.router.serializer().unwrap();
        let encoded = serializer.encode_chunks(message, &mut BytesMut::new()).unwrap();
        self.router.send(self.now, &encoded).unwrap();
        while let Some(chunk) = self.router.poll_transmit() {
            self.to_client.extend_from_slice(&chunk);
        }
    }

    /// Delivers everything, both ways, until nothing moves.
    fn carry(&mut self) {
        loop {
            self.upload();
            while let Some(chunk) = self.router.poll_transmit() {
                self.to_client.extend_from_slice(&chunk);
            }
            let before = self.to_client.len();
            self.client.handle_input(self.now, &mut self.to_client);
            if self.to_client.len() == before && self.client.queued() == 0 {
                return;
            }
        }
    }

    /// Delivers what the client sent.
    fn upload(&mut self) {
        while let Some(chunk) = self.client.poll_transmit() {
            self.to_router.extend_from_slice(&chunk);
        }
        loop {
            let before = self.to_router.len();
            self.router.handle_input(self.now, &mut self.to_router);
            while let Some(event) = self.router.poll_event() {
                match event {
                    LinkEvent::Message(message) => self.received.push(message),
                    LinkEvent::Open { .. } => {}
                    other => panic!("the client broke the protocol: {other:?}"),
                }
            }
            if self.to_router.len() == before {
                return;
            }
        }
    }

    /// What the router received since it was last asked.
    fn received(&mut self) -> Vec<Message> {
        core::mem::take(&mut self.received)
    }

    fn types(&mut self) -> Vec<MessageType> {
        self.received().iter().map(|message| message.message_type().unwrap()).collect()
    }

    fn events(&mut self) -> Vec<SessionEvent> {
        core::iter::from_fn(|| self.client.poll_event()).collect()
    }
}

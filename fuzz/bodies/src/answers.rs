//! A router as a client sees one: answers, right and wrong ones, to what the client asked.

use roadbed_core::error::uris;
use roadbed_core::id::{PublicationId, RegistrationId, RequestId, SessionId, SubscriptionId};
use roadbed_core::message::{
    Abort, CallResult, Challenge, Error, Event, Goodbye, Interrupt, Invocation, Message, MessageType,
    Published, RawDict, Registered, Sparse, Subscribed, Unregistered, UnregisteredDetails, Unsubscribed,
    UnsubscribedDetails, Welcome, WelcomeDetails,
};
use roadbed_core::options::{CancelMode, InterruptOptions};
use roadbed_core::payload::Payload;
use roadbed_core::role::{Feature, Role, Roles};
use roadbed_core::serializer::Serializer;

use crate::samples;
use crate::source::Source;

/// What a router remembers, and how it answers.
#[derive(Debug)]
pub(crate) struct Answers {
    serializer: Serializer,
    /// Requests without an answer, oldest first.
    requests: Vec<Message>,
    invocations: u64,
    /// WELCOME was sent, and no HELLO came since.
    is_open: bool,
}

impl Answers {
    pub(crate) const fn new(serializer: Serializer) -> Self {
        Self { serializer, requests: Vec::new(), invocations: 0, is_open: false }
    }

    /// What the client sent.
    pub(crate) fn receive(&mut self, message: Message) {
        match message {
            Message::Hello(_) => {
                self.requests = vec![message];
                self.invocations = 0;
                self.is_open = false;
            }
            Message::Welcome(_) | Message::Challenge(_) => panic!("a client does not send {message:?}"),
            other => self.requests.push(other),
        }
    }

    /// A message to send: usually the answer to one of the requests.
    pub(crate) fn message(&mut self, source: &mut Source<'_>) -> Message {
        let choice = source.below(16);
        if choice < 10 && !self.requests.is_empty() {
            let index = source.below(self.requests.len().min(4));
            let request = self.requests.remove(index);
            return self.answer(&request, source);
        }
        match choice {
            10 => self.event(source),
            11 | 12 => self.invocation(source),
            13 => self.interrupt(source),
            14 => self.revoked(source),
            15 => match source.below(8) {
                0 => Goodbye { details: Sparse::EMPTY, reason: uris::SYSTEM_SHUTDOWN.clone() }.into(),
                1 => Abort {
                    details: Sparse::EMPTY,
                    reason: uris::NOT_AUTHORIZED.clone(),
                    payload: Payload::EMPTY,
                }
                .into(),
                2 => Challenge { method: "ticket".into(), extra: RawDict::default() }.into(),
                _ => samples::parse(source.choose(samples::MESSAGES).1),
            },
            _ if self.is_open => self.event(source),
            _ => self.welcome(source),
        }
    }

    fn answer(&mut self, request: &Message, source: &mut Source<'_>) -> Message {
        let fails = source.below(4) == 0;
        let (message_type, id) = match request {
            Message::Hello(_) if fails => {
                let method = source.choose(&["ticket", "x_asked", "anonymous"]);
                return Challenge { method: method.into(), extra: RawDict::default() }.into();
            }
            Message::Hello(_) | Message::Authenticate(_) => return self.welcome(source),
            Message::Goodbye(_) => {
                return Goodbye { details: Sparse::EMPTY, reason: uris::GOODBYE_AND_OUT.clone() }.into();
            }
            Message::Publish(publish) => (MessageType::Publish, publish.request),
            Message::Subscribe(subscribe) => (MessageType::Subscribe, subscribe.request),
            Message::Unsubscribe(unsubscribe) => (MessageType::Unsubscribe, unsubscribe.request),
            Message::Register(register) => (MessageType::Register, register.request),
            Message::Unregister(unregister) => (MessageType::Unregister, unregister.request),
            Message::Call(call) => (MessageType::Call, call.request),
            Message::Cancel(cancel) => {
                let error = uris::CANCELED.clone();
                return self.error(MessageType::Call, cancel.request, error, source);
            }
            _ => return self.event(source),
        };
        if fails {
            return self.error(message_type, id, uris::NOT_AUTHORIZED.clone(), source);
        }
        match message_type {
            MessageType::Publish => {
                Published { request: id, publication: PublicationId::new(7).expect("an id") }.into()
            }
            MessageType::Subscribe => {
                let subscription = self.subscription(source);
                Subscribed { request: id, subscription }.into()
            }
            MessageType::Register => {
                let registration = self.registration(source);
                Registered { request: id, registration }.into()
            }
            MessageType::Unsubscribe => Unsubscribed { request: Some(id), details: None }.into(),
            MessageType::Unregister => Unregistered { request: Some(id), details: None }.into(),
            _ => {
                let mut result =
                    CallResult { request: id, details: Sparse::EMPTY, payload: self.payload(source) };
                if source.below(4) == 0 {
                    result.details.progress = Some(true);
                    self.requests.push(request.clone());
                }
                result.into()
            }
        }
    }

    fn error(
        &self,
        request_type: MessageType,
        request: RequestId,
        error: roadbed_core::uri::Uri,
        source: &mut Source<'_>,
    ) -> Message {
        let payload = self.payload(source);
        Error { request_type, request, details: Sparse::EMPTY, error, payload }.into()
    }

    fn welcome(&mut self, source: &mut Source<'_>) -> Message {
        self.is_open = true;
        let bits = source.byte();
        let features: &[Feature] = if bits & 1 == 0 { Feature::ALL } else { &[] };
        let mut roles = Roles::NONE;
        if bits & 6 != 6 {
            roles = roles.with(Role::Broker, features).with(Role::Dealer, features);
        }
        let mut details = WelcomeDetails::new();
        details.roles = Some(roles);
        details.agent = (bits & 8 != 0).then(|| "roadbed-x".into());
        Welcome { session: SessionId::new(u64::from(bits) + 1).expect("an id"), details: details.into() }
            .into()
    }

    fn event(&self, source: &mut Source<'_>) -> Message {
        let (subscription, publication) = (self.subscription(source), PublicationId::new(3).expect("an id"));
        Event { subscription, publication, details: Sparse::EMPTY, payload: self.payload(source) }.into()
    }

    fn invocation(&mut self, source: &mut Source<'_>) -> Message {
        if source.below(8) > 0 {
            self.invocations += 1;
        }
        let (request, registration) = (id(self.invocations.max(1)), self.registration(source));
        Invocation { request, registration, details: Sparse::EMPTY, payload: self.payload(source) }.into()
    }

    fn interrupt(&self, source: &mut Source<'_>) -> Message {
        let request = id(self.invocations.saturating_sub(source.below(4) as u64).max(1));
        let mut options = InterruptOptions::new();
        options.mode = source.choose(&[
            None,
            Some(CancelMode::Kill),
            Some(CancelMode::KillNoWait),
            Some(CancelMode::Skip),
        ]);
        Interrupt { request, options: options.into() }.into()
    }

    fn revoked(&self, source: &mut Source<'_>) -> Message {
        if source.flag() {
            let mut details = UnsubscribedDetails::new();
            details.subscription = Some(self.subscription(source));
            Unsubscribed { request: None, details: Some(details) }.into()
        } else {
            let mut details = UnregisteredDetails::new();
            details.registration = Some(self.registration(source));
            Unregistered { request: None, details: Some(details) }.into()
        }
    }

    /// A few ids, so that subscriptions are shared, and events come for what is gone.
    fn subscription(&self, source: &mut Source<'_>) -> SubscriptionId {
        SubscriptionId::new(source.below(3) as u64 + 1).expect("an id")
    }

    fn registration(&self, source: &mut Source<'_>) -> RegistrationId {
        RegistrationId::new(source.below(3) as u64 + 1).expect("an id")
    }

    fn payload(&self, source: &mut Source<'_>) -> Payload {
        match source.below(4) {
            0 => Payload::from_args(self.serializer, &(source.byte(), "text")).unwrap_or_default(),
            1 => Payload::from_args(self.serializer, &("x".repeat(source.below(600)),)).unwrap_or_default(),
            _ => Payload::EMPTY,
        }
    }
}

fn id(number: u64) -> RequestId {
    RequestId::new(number).expect("a number from 1 to 2^53")
}

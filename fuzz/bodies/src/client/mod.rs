//! A client as the router sees one: it makes messages from fuzz input that lead into deep states, and
//! checks that what comes back answers them.

mod requests;

use std::collections::BTreeMap;

use roadbed_core::id::{RegistrationId, RequestId, SubscriptionId};
use roadbed_core::message::{Message, MessageType};
use roadbed_core::serializer::Serializer;

/// How a request waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Waiting {
    Subscribe,
    Unsubscribe(SubscriptionId),
    Publish,
    Register,
    Unregister(RegistrationId),
    Call { takes_progress: bool },
}

impl Waiting {
    const fn message_type(self) -> MessageType {
        match self {
            Self::Subscribe => MessageType::Subscribe,
            Self::Unsubscribe(_) => MessageType::Unsubscribe,
            Self::Publish => MessageType::Publish,
            Self::Register => MessageType::Register,
            Self::Unregister(_) => MessageType::Unregister,
            Self::Call { .. } => MessageType::Call,
        }
    }
}

/// One end of a session, and what it knows.
#[derive(Debug)]
pub(crate) struct Client {
    serializer: Serializer,
    is_joined: bool,
    /// It sent what is not accounted for, such as an id that it has used before.
    is_wild: bool,
    /// ABORT came to a session: nothing may follow.
    is_over: bool,
    last_request: u64,
    waiting: BTreeMap<u64, Waiting>,
    calls: Vec<RequestId>,
    subscriptions: Vec<SubscriptionId>,
    registrations: Vec<RegistrationId>,
    /// Invocations received; they are numbered from 1.
    invocations: u64,
}

impl Client {
    pub(crate) fn new(serializer: Serializer) -> Self {
        Self {
            serializer,
            is_joined: false,
            is_wild: false,
            is_over: false,
            last_request: 0,
            waiting: BTreeMap::new(),
            calls: Vec::new(),
            subscriptions: Vec::new(),
            registrations: Vec::new(),
            invocations: 0,
        }
    }

    pub(crate) const fn serializer(&self) -> Serializer {
        self.serializer
    }

    /// From now on its requests are not accounted for.
    pub(crate) fn go_wild(&mut self) {
        self.is_wild = true;
    }

    pub(crate) const fn is_wild(&self) -> bool {
        self.is_wild
    }

    /// Calls that wait for their answer.
    pub(crate) fn open_calls(&self) -> usize {
        self.waiting.values().filter(|waiting| matches!(waiting, Waiting::Call { .. })).count()
    }

    /// Everything but a call is answered at once.
    pub(crate) fn check_answered(&self) {
        let open = self.waiting.iter().find(|(_, waiting)| !matches!(waiting, Waiting::Call { .. }));
        assert!(self.is_wild || open.is_none(), "no answer to {open:?}");
    }

    /// What the router sent.
    pub(crate) fn receive(&mut self, message: Message) {
        assert!(!self.is_over, "{message:?} after ABORT");
        match message {
            Message::Abort(_) => {
                // A HELLO that was refused may be said again; whatever ends a session, or breaks the protocol, may not.
                let was_joined = self.is_joined;
                self.forget();
                self.is_over = was_joined;
            }
            Message::Welcome(_) => {
                assert!(!self.is_joined, "WELCOME twice");
                self.forget();
                self.is_joined = true;
            }
            Message::Challenge(_) => assert!(!self.is_joined, "CHALLENGE in a session"),
            message => {
                assert!(self.is_joined, "{message:?} without a session");
                self.receive_joined(message);
            }
        }
    }

    fn receive_joined(&mut self, message: Message) {
        match message {
            Message::Goodbye(_) => self.forget(),
            Message::Subscribed(answer) => {
                self.answered(answer.request, MessageType::Subscribe);
                self.subscriptions.push(answer.subscription);
            }
            Message::Unsubscribed(answer) => {
                let request = answer.request.expect("subscriptions are not revoked");
                if let Some(Waiting::Unsubscribe(gone)) = self.answered(request, MessageType::Unsubscribe) {
                    self.subscriptions.retain(|&subscription| subscription != gone);
                }
            }
            Message::Published(answer) => drop(self.answered(answer.request, MessageType::Publish)),
            Message::Registered(answer) => {
                self.answered(answer.request, MessageType::Register);
                assert!(!self.registrations.contains(&answer.registration), "registered twice");
                self.registrations.push(answer.registration);
            }
            Message::Unregistered(answer) => {
                let request = answer.request.expect("registrations are not revoked");
                if let Some(Waiting::Unregister(gone)) = self.answered(request, MessageType::Unregister) {
                    self.registrations.retain(|&registration| registration != gone);
                }
            }
            Message::Error(answer) => {
                assert_ne!(answer.request_type, MessageType::Invocation);
                self.answered(answer.request, answer.request_type);
            }
            Message::CallResult(answer) if answer.details.progress == Some(true) => {
                let waiting = self.waiting.get(&answer.request.get());
                let is_asked = waiting == Some(&Waiting::Call { takes_progress: true });
                assert!(self.is_wild || is_asked, "progress that nobody asked for: {answer:?}");
            }
            Message::CallResult(answer) => drop(self.answered(answer.request, MessageType::Call)),
            Message::Event(event) => {
                let is_known = self.is_wild || self.subscriptions.contains(&event.subscription);
                assert!(is_known, "an event of no subscription: {event:?}");
            }
            Message::Invocation(invocation) => {
                let is_known = self.is_wild || self.registrations.contains(&invocation.registration);
                assert!(is_known, "an invocation of no registration: {invocation:?}");
                self.invocations += 1;
                assert_eq!(invocation.request.get(), self.invocations, "invocations are numbered");
            }
            Message::Interrupt(interrupt) => assert!(interrupt.request.get() <= self.invocations),
            other => panic!("a router does not send {other:?}"),
        }
    }

    /// The one answer to a request.
    fn answered(&mut self, request: RequestId, message_type: MessageType) -> Option<Waiting> {
        let waiting = self.waiting.remove(&request.get());
        let fits = waiting.is_some_and(|waiting| waiting.message_type() == message_type);
        assert!(self.is_wild || fits, "an answer to {message_type} {request}, which is {waiting:?}");
        waiting.filter(|_| fits)
    }

    /// The session is over, and with it all that waited.
    fn forget(&mut self) {
        *self = Self { is_wild: self.is_wild, ..Self::new(self.serializer) };
    }
}

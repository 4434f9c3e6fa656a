//! The application on top of one client: what it asked for, what it was told, and whether that fits.

use std::collections::{BTreeMap, BTreeSet};

use roadbed_core::error::{CloseReason, RequestError};
use roadbed_core::id::{
    CallId, InvocationId, PublishId, RegisterId, RegistrationId, SubscribeId, SubscriptionId,
};
use roadbed_core::payload::Payload;
use roadbed_core::session::SessionEvent;
use roadbed_testkit::ClientId;

/// What a client's application knows.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) client: ClientId,
    /// Its number, which stands in what it publishes and calls with.
    pub(crate) name: usize,
    pub(crate) state: Phase,
    pub(crate) calls: BTreeMap<CallId, u64>,
    pub(crate) publishes: BTreeSet<PublishId>,
    /// Commands that were not answered yet.
    pub(crate) subscribing: BTreeSet<SubscribeId>,
    pub(crate) registering: BTreeSet<RegisterId>,
    pub(crate) unsubscribing: BTreeSet<SubscribeId>,
    pub(crate) unregistering: BTreeSet<RegisterId>,
    pub(crate) handlers: BTreeMap<SubscribeId, SubscriptionId>,
    pub(crate) procedures: BTreeMap<RegisterId, RegistrationId>,
    pub(crate) invocations: BTreeMap<InvocationId, Payload>,
    /// Every subscription and registration that was ever reported.
    subscriptions: BTreeSet<SubscriptionId>,
    registrations: BTreeSet<RegistrationId>,
    /// The last event of each publisher on each subscription.
    last_event: BTreeMap<(SubscriptionId, usize), u64>,
    /// What it received: publisher and number.
    pub(crate) received: Vec<(usize, u64)>,
    /// How its calls ended: number, and the error if it was one.
    pub(crate) results: Vec<(u64, Option<RequestError>)>,
    next_number: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Joining,
    Joined,
    Left,
    Closed,
}

impl App {
    pub(crate) fn new(client: ClientId, name: usize) -> Self {
        Self {
            client,
            name,
            state: Phase::Joining,
            calls: BTreeMap::new(),
            publishes: BTreeSet::new(),
            subscribing: BTreeSet::new(),
            registering: BTreeSet::new(),
            unsubscribing: BTreeSet::new(),
            unregistering: BTreeSet::new(),
            handlers: BTreeMap::new(),
            procedures: BTreeMap::new(),
            invocations: BTreeMap::new(),
            subscriptions: BTreeSet::new(),
            registrations: BTreeSet::new(),
            last_event: BTreeMap::new(),
            received: Vec::new(),
            results: Vec::new(),
            next_number: 0,
        }
    }

    /// A number that nothing else of this client has.
    pub(crate) fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// The last number given.
    pub(crate) const fn last_number(&self) -> u64 {
        self.next_number
    }

    /// Checks an event and takes note of it.
    pub(crate) fn handle(&mut self, event: SessionEvent) {
        let name = self.name;
        assert_ne!(self.state, Phase::Closed, "client {name}: {event:?} follows Closed");
        match event {
            SessionEvent::Joined { .. } => {
                assert_eq!(self.state, Phase::Joining, "client {name} joined again");
                self.state = Phase::Joined;
            }
            SessionEvent::Left { .. } => {
                assert_eq!(self.state, Phase::Joined, "client {name} left what it had not joined");
                self.state = Phase::Left;
                self.check_nothing_pending();
                self.forget();
            }
            SessionEvent::Closed { reason, .. } => {
                let is_fault = matches!(reason, CloseReason::PeerViolation(_));
                assert!(!is_fault, "client {name}: {reason}");
                assert_ne!(self.state, Phase::Joined, "client {name}: Closed without Left");
                self.state = Phase::Closed;
                self.check_nothing_pending();
                self.forget();
            }
            SessionEvent::Subscribed { handler, result } => {
                assert!(self.subscribing.remove(&handler), "client {name}: {handler:?} ended twice");
                if let Ok(subscription) = result {
                    self.subscriptions.insert(subscription);
                    self.handlers.insert(handler, subscription);
                }
            }
            SessionEvent::Unsubscribed { handler, .. } => {
                assert!(self.unsubscribing.remove(&handler), "client {name}: {handler:?} ended twice");
            }
            SessionEvent::Registered { handler, result } => {
                assert!(self.registering.remove(&handler), "client {name}: {handler:?} ended twice");
                if let Ok(registration) = result {
                    self.registrations.insert(registration);
                    self.procedures.insert(handler, registration);
                }
            }
            SessionEvent::Unregistered { handler, .. } => {
                assert!(self.unregistering.remove(&handler), "client {name}: {handler:?} ended twice");
            }
            SessionEvent::Published { publish, .. } => {
                assert!(self.publishes.remove(&publish), "client {name}: {publish:?} ended twice");
            }
            SessionEvent::Result { call, result } => {
                self.call_ended(call, result.map(|answer| answer.payload));
            }
            SessionEvent::Event { subscription, payload, .. } => self.event(subscription, &payload),
            SessionEvent::Invocation { invocation, registration, payload, .. } => {
                assert!(
                    self.registrations.contains(&registration),
                    "client {name}: INVOCATION before REGISTERED"
                );
                let before = self.invocations.insert(invocation, payload);
                assert_eq!(before, None, "client {name}: {invocation:?} came twice");
            }
            SessionEvent::Interrupted { .. } | SessionEvent::Writable => {}
            other => panic!("client {name}: unexpected {other:?}"),
        }
    }

    fn call_ended(&mut self, call: CallId, result: Result<Payload, RequestError>) {
        let number = self.calls.remove(&call);
        let number = number.unwrap_or_else(|| panic!("client {}: {call:?} ended twice", self.name));
        if let Ok(payload) = &result {
            let answer = (payload.arg::<usize>(0).ok(), payload.arg::<u64>(1).ok());
            assert_eq!(answer, (Some(self.name), Some(number)), "the answer to another call");
        }
        self.results.push((number, result.err()));
    }

    fn event(&mut self, subscription: SubscriptionId, payload: &Payload) {
        let name = self.name;
        assert!(self.subscriptions.contains(&subscription), "client {name}: EVENT before SUBSCRIBED");
        let publisher: usize = payload.arg(0).expect("an event names its publisher");
        let number: u64 = payload.arg(1).expect("an event has a number");
        assert_ne!(publisher, name, "a publisher received its own event");
        let last = self.last_event.insert((subscription, publisher), number);
        assert!(
            last.is_none_or(|last| last < number),
            "client {name}: {number} follows {last:?} of {publisher}"
        );
        self.received.push((publisher, number));
    }

    /// How many answers are awaited.
    pub(crate) fn pending(&self) -> usize {
        self.calls.len()
            + self.publishes.len()
            + self.subscribing.len()
            + self.registering.len()
            + self.unsubscribing.len()
            + self.unregistering.len()
    }

    fn check_nothing_pending(&self) {
        assert_eq!(self.pending(), 0, "commands without an end: {self:?}");
    }

    fn forget(&mut self) {
        self.handlers.clear();
        self.procedures.clear();
        self.invocations.clear();
    }
}

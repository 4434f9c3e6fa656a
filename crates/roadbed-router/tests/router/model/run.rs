//! Operations, done by the router and by the model.

use std::collections::BTreeMap;

use proptest::prelude::prop;
use roadbed_core::error::uris;
use roadbed_core::id::{RegistrationId, SubscriptionId};
use roadbed_core::limits::Limits;
use roadbed_core::message::{Message, MessageType};
use roadbed_core::options::{CancelMode, PublishOptions};
use roadbed_core::serializer::Serializer;
use roadbed_core::transport::TransportDetails;
use roadbed_router::{AuthorizationRequest, PeerId, Verdict};

use super::state::{Asked, Call, Model, Request, Session};
use super::{BACKLOG, Op, PEERS, is_asked};
use crate::net::*;

pub(super) struct Run {
    pub(super) net: Net,
    pub(super) peers: Vec<Option<PeerId>>,
    model: Model,
    subscriptions: BTreeMap<(usize, usize), SubscriptionId>,
    registrations: BTreeMap<(usize, usize), RegistrationId>,
    subscribing: Asked,
    registering: Asked,
    /// The open question about each peer.
    questions: BTreeMap<usize, AuthorizationRequest>,
}

/// A topic or procedure.
fn name(kind: char, number: usize) -> String {
    format!("com.example.{}{kind}{number}", if is_asked(number) { "asked." } else { "" })
}

impl Run {
    pub(super) fn new() -> Self {
        Self {
            net: Net::with(guarded().limits(Limits::default().backlog_length(BACKLOG))),
            peers: vec![None; PEERS],
            model: Model::empty(PEERS),
            subscriptions: BTreeMap::new(),
            registrations: BTreeMap::new(),
            subscribing: Asked::new(),
            registering: Asked::new(),
            questions: BTreeMap::new(),
        }
    }

    pub(super) fn step(&mut self, who: usize, op: &Op) {
        if let Op::Join { is_interruptible, serializer } = op {
            return self.join(who, *is_interruptible, Serializer::ALL[*serializer]);
        }
        let Some(peer) = self.peers[who].filter(|_| self.model.sessions[who].is_some()) else { return };
        let is_request =
            !matches!(op, Op::Lose | Op::Violate | Op::Answer { .. } | Op::Cancel { .. } | Op::Decide { .. });
        if is_request && self.model.has_said_goodbye(who) {
            return;
        }
        match *op {
            Op::Join { .. } => {}
            Op::Goodbye => {
                self.model.request(who, Request::Goodbye);
                self.net.send(peer, goodbye("wamp.close.normal"));
            }
            Op::Lose => {
                self.model.leave(who);
                self.net.detach(peer);
                self.peers[who] = None;
            }
            Op::Violate => {
                self.model.tell(who, "abort".to_owned());
                self.model.leave(who);
                self.net.send(peer, hello(all_roles()));
            }
            Op::Subscribe(topic) => {
                let request = self.model.request(who, Request::Subscribe(topic));
                self.subscribing.insert((who, request), topic);
                self.net.send(peer, subscribe(request, &name('t', topic)));
            }
            Op::Unsubscribe(topic) => {
                let Some(&id) = self.subscriptions.get(&(who, topic)) else { return };
                let request = Request::Unsubscribe { topic, subscription: id.get() };
                let request = self.model.request(who, request);
                self.net.send(peer, unsubscribe(request, id));
            }
            Op::Publish { topic, is_acknowledged, includes_me } => {
                self.model.publications += 1;
                let number = self.model.publications;
                let request = Request::Publish { topic, number, is_acknowledged, includes_me };
                let request = self.model.request(who, request);
                let mut options = PublishOptions::new().exclude_me(!includes_me);
                options.acknowledge = is_acknowledged.then_some(true);
                let mut message = publish_with(request, &name('t', topic), options);
                message.payload = crate::net::number(number);
                self.net.send(peer, message);
            }
            Op::Register(procedure) => {
                let request = self.model.request(who, Request::Register(procedure));
                self.registering.insert((who, request), procedure);
                self.net.send(peer, register(request, &name('p', procedure)));
            }
            Op::Unregister(procedure) => {
                let Some(&id) = self.registrations.get(&(who, procedure)) else { return };
                let request = Request::Unregister { name: procedure, registration: id.get() };
                let request = self.model.request(who, request);
                self.net.send(peer, unregister(request, id));
            }
            Op::Call(procedure) => {
                let request = self.model.request(who, Request::Call(procedure));
                self.net.send(peer, call(request, &name('p', procedure)));
            }
            Op::Answer { choice, is_error } => self.answer(who, peer, choice, is_error),
            Op::Cancel { choice, mode } => self.cancel(who, peer, choice, mode),
            Op::Decide { is_allowed } => {
                let Some(question) = self.questions.remove(&who) else { return };
                self.model.decide(who, is_allowed);
                self.net.decide(&question, if is_allowed { Verdict::allow() } else { Verdict::deny() });
            }
        }
        self.listen();
    }

    /// Takes the router's questions.
    fn listen(&mut self) {
        for request in self.net.questions() {
            let who = self.peers.iter().position(|peer| *peer == Some(request.session.peer));
            let known = self.questions.insert(who.unwrap(), request);
            assert!(known.is_none(), "a session is asked about twice: {known:?}");
        }
        let sessions = &self.model.sessions;
        self.questions.retain(|&who, _| sessions[who].is_some());
    }

    fn join(&mut self, who: usize, is_interruptible: bool, serializer: Serializer) {
        if self.model.sessions[who].is_some() {
            return;
        }
        if let Some(old) = self.peers[who].take() {
            self.net.detach(old);
        }
        let peer = self.net.attach_with(serializer, 1 << 20, TransportDetails::local());
        self.peers[who] = Some(peer);
        self.model.sessions[who] = Some(Session { is_interruptible, ..Session::default() });
        self.model.tell(who, "welcome".to_owned());
        self.subscriptions.retain(|&(owner, _), _| owner != who);
        self.registrations.retain(|&(owner, _), _| owner != who);
        self.subscribing.retain(|&(owner, _), _| owner != who);
        self.registering.retain(|&(owner, _), _| owner != who);
        self.net.send(peer, hello(if is_interruptible { all_roles() } else { plain_roles() }));
    }

    fn answer(&mut self, who: usize, peer: PeerId, choice: prop::sample::Index, is_error: bool) {
        let issued = self.model.sessions[who].as_ref().unwrap().invocations;
        if issued == 0 {
            return;
        }
        let invocation = choice.index(usize::try_from(issued).unwrap()) as u64 + 1;
        let is_it = |call: &Call| call.callee == who && call.invocation == invocation;
        if let Some(position) = self.model.calls.iter().position(is_it) {
            let call = self.model.calls.remove(position);
            let text = if is_error {
                format!("error {} com.example.error", call.request)
            } else {
                format!("result {} {invocation}", call.request)
            };
            self.model.tell(call.caller, text);
        }
        if is_error {
            self.net.send(peer, invocation_error(id(invocation), "com.example.error", number(1)));
        } else {
            self.net.send(peer, yield_(id(invocation), number(invocation)));
        }
    }

    fn cancel(&mut self, who: usize, peer: PeerId, choice: prop::sample::Index, mode: Option<CancelMode>) {
        let made = &self.model.sessions[who].as_ref().unwrap().calls;
        if made.is_empty() {
            return;
        }
        let request = made[choice.index(made.len())];
        let raised = mode.unwrap_or(CancelMode::KillNoWait);
        // `killnowait` ends a wait that `kill` began.
        let counts = |call: &Call| !call.is_interrupted || raised == CancelMode::KillNoWait;
        let is_it = |call: &Call| call.caller == who && call.request == request && counts(call);
        if self.model.take_waiting(who, request) {
            self.model.tell(who, format!("error {request} {}", uris::CANCELED));
        } else if let Some(position) = self.model.calls.iter().position(is_it) {
            let mut call = self.model.calls.remove(position);
            let mode = raised;
            let is_told =
                mode != CancelMode::Skip && !call.is_interrupted && self.model.interrupt(&call, mode);
            if is_told && mode == CancelMode::Kill {
                call.is_interrupted = true;
                self.model.calls.push(call);
            } else {
                self.model.tell(who, format!("error {request} {}", uris::CANCELED));
            }
        }
        self.net.send(peer, cancel(request, mode));
    }

    /// Compares what each peer received with what it should have.
    pub(super) fn compare(&mut self) {
        for who in 0..PEERS {
            let expected = std::mem::take(&mut self.model.expected[who]);
            let Some(peer) = self.peers[who] else { continue };
            let received = self.net.receive(peer);
            let found: Vec<String> =
                received.messages.iter().map(|message| self.describe(who, message)).collect();
            assert_eq!(found, expected, "peer {who}");
        }
        let stats = self.net.router.stats();
        assert_eq!(stats.calls, self.model.calls.len());
        assert_eq!(stats.registrations, self.model.owners.iter().flatten().count());
        assert_eq!(stats.subscribers, self.model.subscribers.iter().map(Vec::len).sum::<usize>());
        assert_eq!((stats.questions, stats.waiting), self.model.waiting());
    }

    fn describe(&mut self, who: usize, message: &Message) -> String {
        match message {
            Message::Welcome(_) => "welcome".to_owned(),
            Message::Goodbye(_) => "goodbye".to_owned(),
            Message::Abort(_) => "abort".to_owned(),
            Message::Subscribed(m) => {
                let request = m.request.get();
                self.subscriptions.insert((who, self.subscribing[&(who, request)]), m.subscription);
                format!("subscribed {request}")
            }
            Message::Unsubscribed(m) => format!("unsubscribed {}", m.request.unwrap()),
            Message::Published(m) => format!("published {}", m.request),
            Message::Event(m) => {
                assert!(self.subscriptions.iter().any(|(key, &id)| key.0 == who && id == m.subscription));
                format!("event {}", m.payload.arg::<u64>(0).unwrap())
            }
            Message::Registered(m) => {
                let request = m.request.get();
                self.registrations.insert((who, self.registering[&(who, request)]), m.registration);
                format!("registered {request}")
            }
            Message::Unregistered(m) => format!("unregistered {}", m.request.unwrap()),
            Message::Invocation(m) => format!("invocation {}", m.request),
            Message::Interrupt(m) => format!("interrupt {} {:?}", m.request, m.options.mode.unwrap()),
            Message::CallResult(m) => format!("result {} {}", m.request, m.payload.arg::<u64>(0).unwrap()),
            Message::Error(m) => {
                assert_ne!(m.request_type, MessageType::Invocation);
                format!("error {} {}", m.request, m.error)
            }
            other => panic!("{other:?}"),
        }
    }
}

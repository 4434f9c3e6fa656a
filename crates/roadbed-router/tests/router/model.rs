//! Random operations of several peers, against a model that does the same by looking through lists.
//!
//! After every operation each peer has received exactly what the model says, in the same order; the
//! router's tables agree with each other; and when everybody has left, nothing is left.

use std::collections::BTreeMap;

use proptest::prelude::*;
use roadbed_core::error::uris;
use roadbed_core::id::{RegistrationId, SubscriptionId};
use roadbed_core::message::{Message, MessageType};
use roadbed_core::options::{CancelMode, PublishOptions};
use roadbed_core::serializer::Serializer;
use roadbed_core::transport::TransportDetails;
use roadbed_router::PeerId;

use crate::net::*;

const PEERS: usize = 5;
const NAMES: usize = 3;

#[derive(Clone, Debug)]
enum Op {
    Join {
        is_interruptible: bool,
        serializer: usize,
    },
    Goodbye,
    Lose,
    Violate,
    Subscribe(usize),
    Unsubscribe(usize),
    Publish {
        topic: usize,
        is_acknowledged: bool,
        includes_me: bool,
    },
    Register(usize),
    Unregister(usize),
    Call(usize),
    /// Answers one of the invocations received so far, perhaps one that ended.
    Answer {
        choice: prop::sample::Index,
        is_error: bool,
    },
    /// Cancels one of the calls made so far, perhaps one that ended.
    Cancel {
        choice: prop::sample::Index,
        mode: Option<CancelMode>,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let name = 0..NAMES;
    let mode = prop_oneof![
        Just(None),
        Just(Some(CancelMode::Skip)),
        Just(Some(CancelMode::Kill)),
        Just(Some(CancelMode::KillNoWait)),
    ];
    prop_oneof![
        6 => (any::<bool>(), 0..3_usize)
            .prop_map(|(is_interruptible, serializer)| Op::Join { is_interruptible, serializer }),
        1 => Just(Op::Goodbye),
        1 => Just(Op::Lose),
        1 => Just(Op::Violate),
        4 => name.clone().prop_map(Op::Subscribe),
        2 => name.clone().prop_map(Op::Unsubscribe),
        6 => (name.clone(), any::<bool>(), any::<bool>()).prop_map(|(topic, is_acknowledged, includes_me)| {
            Op::Publish { topic, is_acknowledged, includes_me }
        }),
        6 => name.clone().prop_map(Op::Register),
        2 => name.clone().prop_map(Op::Unregister),
        12 => name.prop_map(Op::Call),
        9 => (any::<prop::sample::Index>(), any::<bool>())
            .prop_map(|(choice, is_error)| Op::Answer { choice, is_error }),
        5 => (any::<prop::sample::Index>(), mode).prop_map(|(choice, mode)| Op::Cancel { choice, mode }),
    ]
}

#[derive(Default)]
struct Session {
    is_interruptible: bool,
    requests: u64,
    calls: Vec<u64>,
    invocations: u64,
    subscriptions: BTreeMap<usize, u64>,
}

struct Call {
    caller: usize,
    request: u64,
    callee: usize,
    invocation: u64,
    is_interrupted: bool,
}

#[derive(Default)]
struct Model {
    sessions: Vec<Option<Session>>,
    /// Who subscribed to each topic, in order.
    subscribers: [Vec<usize>; NAMES],
    /// Whose procedure it is.
    owners: [Option<usize>; NAMES],
    calls: Vec<Call>,
    publications: u64,
    /// What each peer should receive now.
    expected: Vec<Vec<String>>,
}

impl Model {
    fn tell(&mut self, peer: usize, text: String) {
        if self.sessions[peer].is_some() {
            self.expected[peer].push(text);
        }
    }

    fn request(&mut self, peer: usize) -> u64 {
        let session = self.sessions[peer].as_mut().unwrap();
        session.requests += 1;
        session.requests
    }

    fn interrupt(&mut self, call: &Call, mode: CancelMode) -> bool {
        let is_told = self.sessions[call.callee].as_ref().is_some_and(|callee| callee.is_interruptible);
        if is_told {
            self.tell(call.callee, format!("interrupt {} {mode:?}", call.invocation));
        }
        is_told
    }

    fn leave(&mut self, peer: usize) {
        self.sessions[peer] = None;
        let mut calls = std::mem::take(&mut self.calls);
        calls.sort_by_key(|call| call.request);
        for call in calls.iter().filter(|call| call.caller == peer && !call.is_interrupted) {
            self.interrupt(call, CancelMode::KillNoWait);
        }
        calls.sort_by_key(|call| call.invocation);
        for call in calls.iter().filter(|call| call.callee == peer && call.caller != peer) {
            self.tell(call.caller, format!("error {} {}", call.request, uris::CANCELED));
        }
        self.calls = calls.into_iter().filter(|call| call.caller != peer && call.callee != peer).collect();
        for subscribers in &mut self.subscribers {
            subscribers.retain(|&subscriber| subscriber != peer);
        }
        for owner in &mut self.owners {
            *owner = owner.filter(|&owner| owner != peer);
        }
    }
}

struct Run {
    net: Net,
    peers: Vec<Option<PeerId>>,
    model: Model,
    subscriptions: BTreeMap<(usize, usize), SubscriptionId>,
    registrations: BTreeMap<(usize, usize), RegistrationId>,
    registering: Option<(usize, usize)>,
}

impl Run {
    fn new() -> Self {
        let model = Model {
            sessions: (0..PEERS).map(|_| None).collect(),
            expected: vec![Vec::new(); PEERS],
            ..Model::default()
        };
        let peers = vec![None; PEERS];
        Self {
            net: Net::new(),
            peers,
            model,
            subscriptions: BTreeMap::new(),
            registrations: BTreeMap::new(),
            registering: None,
        }
    }

    fn step(&mut self, who: usize, op: &Op) {
        if let Op::Join { is_interruptible, serializer } = op {
            return self.join(who, *is_interruptible, Serializer::ALL[*serializer]);
        }
        let Some(peer) = self.peers[who].filter(|_| self.model.sessions[who].is_some()) else { return };
        match op {
            Op::Join { .. } => {}
            Op::Goodbye => {
                self.model.tell(who, "goodbye".to_owned());
                self.model.leave(who);
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
                let request = self.model.request(who);
                self.model.tell(who, format!("subscribed {request}"));
                if !self.model.subscribers[*topic].contains(&who) {
                    self.model.subscribers[*topic].push(who);
                }
                self.model.sessions[who].as_mut().unwrap().subscriptions.insert(*topic, request);
                self.net.send(peer, subscribe(request, &format!("com.example.t{topic}")));
            }
            Op::Unsubscribe(topic) => {
                let Some(&subscription) = self.subscriptions.get(&(who, *topic)) else { return };
                let request = self.model.request(who);
                let subscribers = &mut self.model.subscribers[*topic];
                let was_subscribed = subscribers.contains(&who);
                subscribers.retain(|&subscriber| subscriber != who);
                let text = if was_subscribed {
                    format!("unsubscribed {request}")
                } else {
                    format!("error {request} {}", uris::NO_SUCH_SUBSCRIPTION)
                };
                self.model.tell(who, text);
                self.net.send(peer, unsubscribe(request, subscription));
            }
            Op::Publish { topic, is_acknowledged, includes_me } => {
                let request = self.model.request(who);
                self.model.publications += 1;
                if *is_acknowledged {
                    self.model.tell(who, format!("published {request}"));
                }
                for subscriber in self.model.subscribers[*topic].clone() {
                    if subscriber != who || *includes_me {
                        let number = self.model.publications;
                        self.model.tell(subscriber, format!("event {number}"));
                    }
                }
                let mut options = PublishOptions::new().exclude_me(!includes_me);
                options.acknowledge = is_acknowledged.then_some(true);
                let mut message = publish_with(request, &format!("com.example.t{topic}"), options);
                message.payload = number(self.model.publications);
                self.net.send(peer, message);
            }
            Op::Register(name) => {
                let request = self.model.request(who);
                let text = match self.model.owners[*name] {
                    Some(_) => format!("error {request} {}", uris::PROCEDURE_ALREADY_EXISTS),
                    None => format!("registered {request}"),
                };
                self.model.owners[*name].get_or_insert(who);
                self.registering = Some((who, *name));
                self.model.tell(who, text);
                self.net.send(peer, register(request, &format!("com.example.p{name}")));
            }
            Op::Unregister(name) => {
                let Some(&registration) = self.registrations.get(&(who, *name)) else { return };
                let request = self.model.request(who);
                let text = if self.model.owners[*name] == Some(who) {
                    self.model.owners[*name] = None;
                    format!("unregistered {request}")
                } else {
                    format!("error {request} {}", uris::NO_SUCH_REGISTRATION)
                };
                self.model.tell(who, text);
                self.net.send(peer, unregister(request, registration));
            }
            Op::Call(name) => self.call(who, peer, *name),
            Op::Answer { choice, is_error } => self.answer(who, peer, choice, *is_error),
            Op::Cancel { choice, mode } => self.cancel(who, peer, choice, *mode),
        }
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
        self.net.send(peer, hello(if is_interruptible { all_roles() } else { plain_roles() }));
    }

    fn call(&mut self, who: usize, peer: PeerId, name: usize) {
        let request = self.model.request(who);
        match self.model.owners[name] {
            Some(callee) => {
                let session = self.model.sessions[callee].as_mut().unwrap();
                session.invocations += 1;
                let invocation = session.invocations;
                self.model.calls.push(Call {
                    caller: who,
                    request,
                    callee,
                    invocation,
                    is_interrupted: false,
                });
                self.model.tell(callee, format!("invocation {invocation}"));
            }
            None => self.model.tell(who, format!("error {request} {}", uris::NO_SUCH_PROCEDURE)),
        }
        self.model.sessions[who].as_mut().unwrap().calls.push(request);
        self.net.send(peer, call(request, &format!("com.example.p{name}")));
    }

    fn answer(&mut self, who: usize, peer: PeerId, choice: &prop::sample::Index, is_error: bool) {
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

    fn cancel(&mut self, who: usize, peer: PeerId, choice: &prop::sample::Index, mode: Option<CancelMode>) {
        let made = &self.model.sessions[who].as_ref().unwrap().calls;
        if made.is_empty() {
            return;
        }
        let request = made[choice.index(made.len())];
        let raised = mode.unwrap_or(CancelMode::KillNoWait);
        // `killnowait` ends a wait that `kill` began.
        let counts = |call: &Call| !call.is_interrupted || raised == CancelMode::KillNoWait;
        let is_it = |call: &Call| call.caller == who && call.request == request && counts(call);
        if let Some(position) = self.model.calls.iter().position(is_it) {
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
    fn compare(&mut self) {
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
    }

    fn describe(&mut self, who: usize, message: &Message) -> String {
        match message {
            Message::Welcome(_) => "welcome".to_owned(),
            Message::Goodbye(_) => "goodbye".to_owned(),
            Message::Abort(_) => "abort".to_owned(),
            Message::Subscribed(m) => {
                let request = m.request.get();
                let made = self.model.sessions[who].as_ref().unwrap().subscriptions.iter();
                let topic = made.clone().find(|&(_, &asked)| asked == request).map(|(&topic, _)| topic);
                self.subscriptions.insert((who, topic.unwrap()), m.subscription);
                format!("subscribed {request}")
            }
            Message::Unsubscribed(m) => format!("unsubscribed {}", m.request.unwrap()),
            Message::Published(m) => format!("published {}", m.request),
            Message::Event(m) => {
                assert!(self.subscriptions.iter().any(|(key, &id)| key.0 == who && id == m.subscription));
                format!("event {}", m.payload.arg::<u64>(0).unwrap())
            }
            Message::Registered(m) => {
                if let Some(key) = self.registering.take() {
                    self.registrations.insert(key, m.registration);
                }
                format!("registered {}", m.request)
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_router_does_what_the_model_does(ops in prop::collection::vec((0..PEERS, op()), 1..150)) {
        let mut run = Run::new();
        for (who, op) in &ops {
            run.step(*who, op);
            run.compare();
        }
        let peers: Vec<PeerId> = run.peers.iter().flatten().copied().collect();
        run.net.end(&peers);
    }

    /// The same without looking at any output: queues fill up, and still everything is freed.
    #[test]
    fn nothing_is_left_when_nobody_reads(ops in prop::collection::vec((0..PEERS, op()), 1..150)) {
        let mut run = Run::new();
        for (who, op) in &ops {
            run.step(*who, op);
        }
        let peers: Vec<PeerId> = run.peers.iter().flatten().copied().collect();
        run.net.end(&peers);
    }
}

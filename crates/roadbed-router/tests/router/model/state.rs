//! The model: lists, and what each peer should receive.

use std::collections::{BTreeMap, VecDeque};

use roadbed_core::error::uris;
use roadbed_core::options::CancelMode;

use super::{BACKLOG, NAMES, is_asked};

/// A request of a session, GOODBYE among them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Request {
    Subscribe(usize),
    Unsubscribe { topic: usize, subscription: u64 },
    Publish { topic: usize, number: u64, is_acknowledged: bool, includes_me: bool },
    Register(usize),
    Unregister { name: usize, registration: u64 },
    Call(usize),
    Goodbye,
}

impl Request {
    /// What is called, published, subscribed to or registered, if the driver decides on it.
    fn is_asked(&self) -> bool {
        match *self {
            Self::Subscribe(name) | Self::Register(name) | Self::Call(name) => is_asked(name),
            Self::Publish { topic, .. } => is_asked(topic),
            _ => false,
        }
    }
}

/// A session whose request is decided on; `None`: a call that was canceled meanwhile.
pub(super) struct Parked {
    request: Option<(u64, Request)>,
    backlog: VecDeque<(u64, Request)>,
}

#[derive(Default)]
pub(super) struct Session {
    pub(super) is_interruptible: bool,
    pub(super) requests: u64,
    pub(super) calls: Vec<u64>,
    pub(super) invocations: u64,
    pub(super) parked: Option<Parked>,
}

pub(super) struct Call {
    pub(super) caller: usize,
    pub(super) request: u64,
    pub(super) callee: usize,
    pub(super) invocation: u64,
    pub(super) is_interrupted: bool,
}

#[derive(Default)]
pub(super) struct Model {
    pub(super) sessions: Vec<Option<Session>>,
    /// Who subscribed to each topic, in order; and the id of the subscription.
    pub(super) subscribers: [Vec<usize>; NAMES],
    subscriptions: [u64; NAMES],
    last_subscription: u64,
    /// Whose procedure it is, and the id of the registration.
    pub(super) owners: [Option<(usize, u64)>; NAMES],
    last_registration: u64,
    pub(super) calls: Vec<Call>,
    pub(super) publications: u64,
    /// What each peer should receive now.
    pub(super) expected: Vec<Vec<String>>,
}

impl Model {
    pub(super) fn tell(&mut self, peer: usize, text: String) {
        if self.sessions[peer].is_some() {
            self.expected[peer].push(text);
        }
    }

    pub(super) fn parked(&mut self, peer: usize) -> Option<&mut Parked> {
        self.sessions[peer].as_mut()?.parked.as_mut()
    }

    /// Sessions that are parked, and requests that wait.
    pub(super) fn waiting(&self) -> (usize, usize) {
        let parked = self.sessions.iter().flatten().filter_map(|session| session.parked.as_ref());
        let waiting = |parked: &Parked| parked.backlog.len() + usize::from(parked.request.is_some());
        (parked.clone().count(), parked.map(waiting).sum())
    }

    /// Whether a session has said GOODBYE, which waits.
    pub(super) fn has_said_goodbye(&mut self, peer: usize) -> bool {
        self.parked(peer).is_some_and(|parked| matches!(parked.backlog.back(), Some((_, Request::Goodbye))))
    }

    /// A session makes a request, and gets its id.
    pub(super) fn request(&mut self, peer: usize, request: Request) -> u64 {
        let session = self.sessions[peer].as_mut().unwrap();
        if !matches!(request, Request::Goodbye) {
            session.requests += 1;
        }
        let id = session.requests;
        if matches!(request, Request::Call(_)) {
            session.calls.push(id);
        }
        match &mut session.parked {
            None => self.turn(peer, id, request),
            Some(parked) if parked.backlog.len() >= BACKLOG && !matches!(request, Request::Goodbye) => {
                self.refuse(peer, id, &request, uris::UNAVAILABLE.as_str());
            }
            Some(parked) => parked.backlog.push_back((id, request)),
        }
        id
    }

    fn refuse(&mut self, peer: usize, id: u64, request: &Request, error: &str) {
        if !matches!(request, Request::Publish { is_acknowledged: false, .. }) {
            self.tell(peer, format!("error {id} {error}"));
        }
    }

    /// The turn of a request has come: it is decided on, or done.
    fn turn(&mut self, peer: usize, id: u64, request: Request) {
        if request.is_asked() {
            let parked = Parked { request: Some((id, request)), backlog: VecDeque::new() };
            self.sessions[peer].as_mut().unwrap().parked = Some(parked);
        } else {
            self.commit(peer, id, request);
        }
    }

    /// The driver decides.
    pub(super) fn decide(&mut self, peer: usize, is_allowed: bool) {
        let parked = self.sessions[peer].as_mut().and_then(|session| session.parked.take());
        let Some(Parked { request, mut backlog }) = parked else { return };
        match request {
            Some((id, request)) if is_allowed => self.commit(peer, id, request),
            Some((id, request)) => self.refuse(peer, id, &request, uris::NOT_AUTHORIZED.as_str()),
            None => {}
        }
        while let Some((id, request)) = backlog.pop_front() {
            self.turn(peer, id, request);
            if let Some(parked) = self.parked(peer) {
                parked.backlog = backlog;
                return;
            }
        }
    }

    fn commit(&mut self, peer: usize, id: u64, request: Request) {
        match request {
            Request::Subscribe(topic) => {
                if self.subscribers[topic].is_empty() {
                    self.last_subscription += 1;
                    self.subscriptions[topic] = self.last_subscription;
                }
                if !self.subscribers[topic].contains(&peer) {
                    self.subscribers[topic].push(peer);
                }
                self.tell(peer, format!("subscribed {id}"));
            }
            Request::Unsubscribe { topic, subscription } => {
                let is_it = self.subscriptions[topic] == subscription;
                let text = if is_it && self.subscribers[topic].contains(&peer) {
                    self.subscribers[topic].retain(|&subscriber| subscriber != peer);
                    format!("unsubscribed {id}")
                } else {
                    format!("error {id} {}", uris::NO_SUCH_SUBSCRIPTION)
                };
                self.tell(peer, text);
            }
            Request::Publish { topic, number, is_acknowledged, includes_me } => {
                if is_acknowledged {
                    self.tell(peer, format!("published {id}"));
                }
                for subscriber in self.subscribers[topic].clone() {
                    if subscriber != peer || includes_me {
                        self.tell(subscriber, format!("event {number}"));
                    }
                }
            }
            Request::Register(name) => {
                let text = if self.owners[name].is_some() {
                    format!("error {id} {}", uris::PROCEDURE_ALREADY_EXISTS)
                } else {
                    self.last_registration += 1;
                    self.owners[name] = Some((peer, self.last_registration));
                    format!("registered {id}")
                };
                self.tell(peer, text);
            }
            Request::Unregister { name, registration } => {
                let text = if self.owners[name] == Some((peer, registration)) {
                    self.owners[name] = None;
                    format!("unregistered {id}")
                } else {
                    format!("error {id} {}", uris::NO_SUCH_REGISTRATION)
                };
                self.tell(peer, text);
            }
            Request::Call(name) => match self.owners[name] {
                Some((callee, _)) => {
                    let session = self.sessions[callee].as_mut().unwrap();
                    session.invocations += 1;
                    let invocation = session.invocations;
                    let is_interrupted = false;
                    self.calls.push(Call { caller: peer, request: id, callee, invocation, is_interrupted });
                    self.tell(callee, format!("invocation {invocation}"));
                }
                None => self.tell(peer, format!("error {id} {}", uris::NO_SUCH_PROCEDURE)),
            },
            Request::Goodbye => {
                self.tell(peer, "goodbye".to_owned());
                self.leave(peer);
            }
        }
    }

    /// Takes a call out that waits. Says whether there is one.
    pub(super) fn take_waiting(&mut self, peer: usize, id: u64) -> bool {
        let Some(parked) = self.parked(peer) else { return false };
        let is_it = |(known, request): &(u64, Request)| *known == id && matches!(request, Request::Call(_));
        if parked.request.as_ref().is_some_and(is_it) {
            parked.request = None;
            return true;
        }
        let before = parked.backlog.len();
        parked.backlog.retain(|waiting| !is_it(waiting));
        parked.backlog.len() < before
    }

    pub(super) fn interrupt(&mut self, call: &Call, mode: CancelMode) -> bool {
        let is_told = self.sessions[call.callee].as_ref().is_some_and(|callee| callee.is_interruptible);
        if is_told {
            self.tell(call.callee, format!("interrupt {} {mode:?}", call.invocation));
        }
        is_told
    }

    pub(super) fn leave(&mut self, peer: usize) {
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
            *owner = owner.filter(|&(owner, _)| owner != peer);
        }
    }

    /// So many peers, and nothing else.
    pub(super) fn empty(peers: usize) -> Self {
        let sessions = (0..peers).map(|_| None).collect();
        Self { sessions, expected: vec![Vec::new(); peers], ..Self::default() }
    }
}

/// What a peer asked for, by its requests.
pub(super) type Asked = BTreeMap<(usize, u64), usize>;

//! A router and its peers, for tests: messages in, decoded messages out, time by hand.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use roadbed_core::error::CloseReason;
use roadbed_core::id::{RegistrationId, RequestId, SubscriptionId};
use roadbed_core::limits::Limits;
use roadbed_core::message::{
    Authenticate, Call, Cancel, Error, Goodbye, Hello, HelloDetails, Message, MessageType, Publish, RawDict,
    Register, Sparse, Subscribe, UnknownMessage, Unregister, Unsubscribe, Welcome, Yield,
};
use roadbed_core::options::{CancelMode, CancelOptions, PublishOptions};
use roadbed_core::payload::Payload;
use roadbed_core::role::{Feature, Role, Roles};
use roadbed_core::serializer::{Encoded, Serializer};
use roadbed_core::time::{Timestamp, UnixMicros};
use roadbed_core::transport::TransportDetails;
use roadbed_core::uri::Uri;
use roadbed_router::{
    Access, Authentication, Authorization, AuthorizationRequest, PeerId, Port, Router, RouterConfig,
    RouterEvent, SessionInfo, Verdict,
};

/// The realm of most tests.
pub(crate) const REALM: &str = "realm1";

/// A router under test, and a port of whole messages for each peer. After every step the tables are checked.
///
/// A port exchanges with the router only when its peer sends or [receives](Net::receive) something, and takes one
/// message at a time, so everything else waits in the router.
pub(crate) struct Net {
    pub(crate) router: Router,
    pub(crate) now: Timestamp,
    /// What peers speak that do not say it.
    serializer: Serializer,
    limits: Limits,
    peers: BTreeMap<PeerId, Peer>,
}

struct Peer {
    port: Port,
    serializer: Serializer,
    /// Sent, and not welcome yet.
    sent: VecDeque<Bytes>,
}

/// What a peer received.
#[derive(Debug, Default)]
pub(crate) struct Received {
    pub(crate) messages: Vec<Message>,
    pub(crate) close: Option<CloseReason>,
}

pub(crate) fn config() -> RouterConfig {
    RouterConfig::new().realm(uri(REALM), Authentication::new().anonymous("guest"))
}

/// A realm in which the names of things say who may have them: `…denied…` nobody, everything else everybody, but on
/// `…asked…` the driver decides.
pub(crate) fn guarded() -> RouterConfig {
    config().authorizer(by_name)
}

fn by_name(access: &Access<'_>) -> Authorization {
    let uri = access.uri.as_str();
    if uri.contains("asked") {
        Authorization::Ask
    } else if uri.contains("denied") {
        Verdict::deny().into()
    } else {
        Verdict::allow().into()
    }
}

pub(crate) fn uri(text: &str) -> Uri {
    Uri::from_wire(text.into())
}

pub(crate) fn id(n: u64) -> RequestId {
    RequestId::new(n).unwrap()
}

/// Every client role with every feature.
pub(crate) fn all_roles() -> Roles {
    [Role::Subscriber, Role::Publisher, Role::Caller, Role::Callee]
        .into_iter()
        .fold(Roles::NONE, |roles, role| roles.with(role, Feature::ALL))
}

/// Every client role without any feature.
pub(crate) fn plain_roles() -> Roles {
    [Role::Subscriber, Role::Publisher, Role::Caller, Role::Callee]
        .into_iter()
        .fold(Roles::NONE, |roles, role| roles.with(role, &[]))
}

impl Net {
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: RouterConfig) -> Self {
        Self::seeded(config, [42; 32])
    }

    pub(crate) fn seeded(config: RouterConfig, seed: [u8; 32]) -> Self {
        config.check().unwrap();
        let now = Timestamp::ZERO;
        let limits = config.limits.clone();
        let router = Router::new(config.into_shared(), seed, now, UnixMicros::default());
        Self { router, now, serializer: Serializer::Cbor, limits, peers: BTreeMap::new() }
    }

    pub(crate) fn in_msgpack(mut self) -> Self {
        self.serializer = Serializer::MsgPack;
        self
    }

    /// Peers speak JSON, unless they say otherwise: see [`send_text`](Self::send_text).
    pub(crate) fn in_json(mut self) -> Self {
        self.serializer = Serializer::Json;
        self
    }

    pub(crate) fn attach(&mut self) -> PeerId {
        self.attach_with(self.serializer, 1 << 20, TransportDetails::local())
    }

    pub(crate) fn attach_with(
        &mut self,
        serializer: Serializer,
        max_receive: usize,
        details: TransportDetails,
    ) -> PeerId {
        let port = Port::messages(&self.limits, serializer, max_receive, details, self.now);
        // One message is taken at a time: the others wait in the router.
        self.attach_port(port.window(1), serializer)
    }

    pub(crate) fn attach_port(&mut self, mut port: Port, serializer: Serializer) -> PeerId {
        port.exchange(&mut self.router, self.now);
        let peer = port.peer().unwrap();
        self.peers.insert(peer, Peer { port, serializer, sent: VecDeque::new() });
        peer
    }

    pub(crate) fn send(&mut self, peer: PeerId, message: impl Into<Message>) {
        self.send_unchecked(peer, message);
        self.router.check_invariants().unwrap();
    }

    /// As [`send`](Self::send), for storms: checking takes long where there is much to check.
    pub(crate) fn send_unchecked(&mut self, peer: PeerId, message: impl Into<Message>) {
        let Some(serializer) = self.peers.get(&peer).map(|peer| peer.serializer) else { return };
        self.send_bytes(peer, encode(serializer, &message.into()));
    }

    /// Sends a message as it stands, be it right or wrong.
    pub(crate) fn send_bytes(&mut self, peer: PeerId, message: Bytes) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.sent.push_back(message);
        }
        self.serve(peer);
    }

    /// The peer's port exchanges with the router as long as there is something to hand over.
    pub(crate) fn serve(&mut self, peer: PeerId) {
        let Some(Peer { port, sent, .. }) = self.peers.get_mut(&peer) else { return };
        loop {
            port.serve(&mut self.router, self.now, &mut BytesMut::new());
            if !port.wants_input() {
                break;
            }
            let Some(message) = sent.pop_front() else { break };
            port.handle_message(self.now, &message);
        }
    }

    /// Whether the peer's transport is dropped, or closed.
    pub(crate) fn is_dropped(&mut self, peer: PeerId) -> bool {
        self.must_drop(peer) || self.peers[&peer].port.has_ended()
    }

    /// Whether more of a peer would be read.
    pub(crate) fn wants_input(&mut self, peer: PeerId) -> bool {
        self.exchange(peer);
        self.peers.get(&peer).is_some_and(|peer| peer.port.wants_input())
    }

    /// Whether the peer's transport is to be dropped.
    pub(crate) fn must_drop(&mut self, peer: PeerId) -> bool {
        self.exchange(peer);
        self.peers.get(&peer).is_some_and(|peer| peer.port.must_drop())
    }

    fn exchange(&mut self, peer: PeerId) {
        if let Some(Peer { port, .. }) = self.peers.get_mut(&peer) {
            port.exchange(&mut self.router, self.now);
            port.advance(self.now);
        }
    }

    pub(crate) fn session(&self, peer: PeerId) -> Option<&Arc<SessionInfo>> {
        self.router.sessions().find(|session| session.peer == peer)
    }

    pub(crate) fn is_joined(&self, peer: PeerId) -> bool {
        self.session(peer).is_some()
    }

    /// Sends and returns the answer.
    pub(crate) fn ask(&mut self, peer: PeerId, message: impl Into<Message>) -> Message {
        self.send(peer, message);
        self.one(peer)
    }

    pub(crate) fn receive(&mut self, peer: PeerId) -> Received {
        let mut received = Received::default();
        received.messages.extend(std::iter::from_fn(|| self.poll_one(peer)));
        received.close = self.peers.get(&peer).and_then(|peer| peer.port.closing().cloned());
        self.router.check_invariants().unwrap();
        received
    }

    /// Takes the next message for a peer, as it was encoded.
    pub(crate) fn poll_encoded(&mut self, peer: PeerId) -> Option<Encoded> {
        let taken = self.peers.get_mut(&peer)?.port.poll_message();
        self.serve(peer);
        taken.or_else(|| self.peers.get_mut(&peer)?.port.poll_message())
    }

    /// Takes the next message for a peer.
    pub(crate) fn poll_one(&mut self, peer: PeerId) -> Option<Message> {
        self.poll_encoded(peer).map(|encoded| decode(&encoded))
    }

    /// Ends the session of a peer from the router's side.
    pub(crate) fn kill(&mut self, peer: PeerId, reason: &Uri, message: &str) {
        let session = self.session(peer).expect("it is joined").id;
        assert!(self.router.kill(self.now, session, reason, message));
    }

    /// Sends JSON text as it stands.
    pub(crate) fn send_text(&mut self, peer: PeerId, json: &str) {
        assert_eq!(self.peers[&peer].serializer, Serializer::Json);
        self.send_bytes(peer, Bytes::copy_from_slice(json.as_bytes()));
    }

    /// What a peer received, which stays open.
    pub(crate) fn messages(&mut self, peer: PeerId) -> Vec<Message> {
        let received = self.receive(peer);
        assert_eq!(received.close, None);
        received.messages
    }

    /// The only message that a peer received.
    pub(crate) fn one(&mut self, peer: PeerId) -> Message {
        let mut messages = self.messages(peer);
        assert_eq!(messages.len(), 1, "{messages:?}");
        messages.remove(0)
    }

    pub(crate) fn silent(&mut self, peer: PeerId) {
        assert_eq!(self.messages(peer), []);
    }

    pub(crate) fn join(&mut self) -> PeerId {
        self.join_as(all_roles(), self.serializer, 1 << 20)
    }

    pub(crate) fn join_as(&mut self, roles: Roles, serializer: Serializer, max_receive: usize) -> PeerId {
        let peer = self.attach_with(serializer, max_receive, TransportDetails::local());
        self.send(peer, hello(roles));
        let message = self.one(peer);
        assert!(matches!(message, Message::Welcome(_)), "{message:?}");
        peer
    }

    pub(crate) fn welcome(&mut self, peer: PeerId, hello: Hello) -> Welcome {
        match self.ask(peer, hello) {
            Message::Welcome(welcome) => welcome,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn subscribe(&mut self, peer: PeerId, request: u64, topic: &str) -> SubscriptionId {
        match self.ask(peer, subscribe(request, topic)) {
            Message::Subscribed(subscribed) => {
                assert_eq!(subscribed.request, id(request));
                subscribed.subscription
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn register(&mut self, peer: PeerId, request: u64, procedure: &str) -> RegistrationId {
        match self.ask(peer, register(request, procedure)) {
            Message::Registered(registered) => {
                assert_eq!(registered.request, id(request));
                registered.registration
            }
            other => panic!("{other:?}"),
        }
    }

    /// Calls, and returns the invocation's id at the callee.
    pub(crate) fn call(
        &mut self,
        caller: PeerId,
        callee: PeerId,
        request: u64,
        procedure: &str,
    ) -> RequestId {
        self.send(caller, call(request, procedure));
        match self.one(callee) {
            Message::Invocation(invocation) => invocation.request,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn pass(&mut self, span: Duration) {
        self.now = self.now + span;
        self.expire();
    }

    /// Lets time pass from deadline to deadline, as a driver does.
    pub(crate) fn pass_stepwise(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.poll_timeout().filter(|&at| at <= end) {
            assert!(at > self.now, "poll_timeout is in the past");
            self.now = at;
            self.expire();
        }
        self.pass(end.saturating_since(self.now));
    }

    /// The next deadline of the router and of all ports.
    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        let of_ports = self.peers.values().filter_map(|peer| peer.port.poll_timeout());
        of_ports.chain(self.router.poll_timeout()).min()
    }

    fn expire(&mut self) {
        self.router.handle_timeout(self.now);
        for Peer { port, .. } in self.peers.values_mut() {
            port.handle_timeout(self.now);
            while port.wants_exchange() {
                port.exchange(&mut self.router, self.now);
                port.advance(self.now);
            }
        }
        self.router.check_invariants().unwrap();
    }

    pub(crate) fn detach(&mut self, peer: PeerId) {
        if let Some(mut gone) = self.peers.remove(&peer) {
            gone.port.handle_eof(self.now);
            gone.port.serve(&mut self.router, self.now, &mut BytesMut::new());
            assert!(gone.port.has_ended());
        }
        self.router.check_invariants().unwrap();
    }

    pub(crate) fn events(&mut self) -> Vec<RouterEvent> {
        std::iter::from_fn(|| self.router.poll_event()).collect()
    }

    /// The question that the driver is asked, and nothing else.
    pub(crate) fn question(&mut self) -> AuthorizationRequest {
        let mut questions = self.questions();
        assert_eq!(questions.len(), 1, "{questions:?}");
        questions.remove(0)
    }

    /// The questions among the events.
    pub(crate) fn questions(&mut self) -> Vec<AuthorizationRequest> {
        let asked = |event| match event {
            RouterEvent::Authorize(request) => Some(*request),
            _ => None,
        };
        self.events().into_iter().filter_map(asked).collect()
    }

    /// Answers a question.
    pub(crate) fn decide(&mut self, request: &AuthorizationRequest, verdict: Verdict) {
        self.router.authorize(self.now, request.id, verdict).unwrap();
        self.router.check_invariants().unwrap();
    }

    /// Detaches `peers` and checks that nothing is left.
    pub(crate) fn end(mut self, peers: &[PeerId]) {
        for &peer in peers {
            self.detach(peer);
        }
        self.events();
        assert_idle(&self.router);
    }
}

/// Nothing but the configured realm and the counters.
pub(crate) fn assert_idle(router: &Router) {
    let stats = router.stats();
    let busy = [
        stats.peers,
        stats.sessions,
        stats.subscriptions,
        stats.subscribers,
        stats.registrations,
        stats.calls,
        stats.questions,
        stats.waiting,
        stats.timers,
        stats.queued_messages,
        stats.queued_bytes,
        stats.queued_events,
    ];
    assert_eq!(busy, [0; 12], "{stats:?}");
    router.check_invariants().unwrap();
}

/// A message as a peer sends it, be it right or wrong.
pub(crate) fn encode(serializer: Serializer, message: &Message) -> Bytes {
    if let &Message::Unknown(UnknownMessage { code }) = message {
        let code = code.to_be_bytes();
        return match serializer {
            Serializer::Json => format!("[{}]", u16::from_be_bytes(code)).into(),
            Serializer::MsgPack => [&[0x91, 0xCD][..], &code].concat().into(),
            _ => [&[0x81, 0x19][..], &code].concat().into(),
        };
    }
    serializer.encode_within(message, usize::MAX, &mut BytesMut::new()).unwrap().to_bytes()
}

/// A message without payload as a peer sends it, with these arguments behind it, right or wrong.
pub(crate) fn encode_with(serializer: Serializer, message: impl Into<Message>, args: &[u8]) -> Bytes {
    let mut bytes = encode(serializer, &message.into()).to_vec();
    if serializer == Serializer::Json {
        bytes.pop();
        bytes.push(b',');
        bytes.extend_from_slice(args);
        bytes.push(b']');
    } else {
        // The head of a short array counts its elements.
        bytes[0] += 1;
        bytes.extend_from_slice(args);
    }
    bytes.into()
}

pub(crate) fn bytes_of(encoded: &Encoded) -> Bytes {
    let mut bytes = BytesMut::new();
    for chunk in encoded.chunks() {
        bytes.extend_from_slice(chunk);
    }
    bytes.freeze()
}

/// Decodes in whatever serializer it is: the first byte tells them apart.
pub(crate) fn decode(encoded: &Encoded) -> Message {
    let bytes = bytes_of(encoded);
    let serializer = match bytes[0] {
        b'[' => Serializer::Json,
        0x80.. if bytes[0] >> 4 == 9 => Serializer::MsgPack,
        _ => Serializer::Cbor,
    };
    let limits = Limits::default().message_size(16 << 20);
    serializer.decode(&bytes, &limits).unwrap_or_else(|error| panic!("{error}: {bytes:?}"))
}

pub(crate) fn hello(roles: Roles) -> Hello {
    let mut details = HelloDetails::default();
    details.roles = Some(roles);
    Hello { realm: Some(uri(REALM)), details: details.into() }
}

pub(crate) fn hello_with(authmethods: &[&str], authid: Option<&str>) -> Hello {
    let mut hello = hello(all_roles());
    hello.details.authmethods = Some(authmethods.iter().map(|&name| name.into()).collect());
    hello.details.authid = authid.map(Into::into);
    hello
}

pub(crate) fn authenticate(signature: &str) -> Authenticate {
    Authenticate { signature: signature.into(), extra: RawDict::default() }
}

pub(crate) fn subscribe(request: u64, topic: &str) -> Subscribe {
    Subscribe { request: id(request), options: Sparse::EMPTY, topic: uri(topic) }
}

pub(crate) fn unsubscribe(request: u64, subscription: SubscriptionId) -> Unsubscribe {
    Unsubscribe { request: id(request), subscription, options: None }
}

pub(crate) fn publish(request: u64, topic: &str) -> Publish {
    publish_with(request, topic, PublishOptions::default())
}

pub(crate) fn publish_with(request: u64, topic: &str, options: PublishOptions) -> Publish {
    Publish { request: id(request), options: options.into(), topic: uri(topic), payload: number(request) }
}

pub(crate) fn acknowledged() -> PublishOptions {
    PublishOptions::new().acknowledge(true)
}

pub(crate) fn register(request: u64, procedure: &str) -> Register {
    Register { request: id(request), options: Sparse::EMPTY, procedure: uri(procedure) }
}

pub(crate) fn unregister(request: u64, registration: RegistrationId) -> Unregister {
    Unregister { request: id(request), registration, options: None }
}

pub(crate) fn call(request: u64, procedure: &str) -> Call {
    Call { request: id(request), options: Sparse::EMPTY, procedure: uri(procedure), payload: number(request) }
}

pub(crate) fn cancel(request: u64, mode: Option<CancelMode>) -> Cancel {
    let mut options = CancelOptions::default();
    options.mode = mode;
    Cancel { request: id(request), options: options.into() }
}

pub(crate) fn yield_(request: RequestId, payload: Payload) -> Yield {
    Yield { request, options: Sparse::EMPTY, payload }
}

pub(crate) fn invocation_error(request: RequestId, error: &str, payload: Payload) -> Error {
    let details = Sparse::EMPTY;
    Error { request_type: MessageType::Invocation, request, details, error: uri(error), payload }
}

pub(crate) fn goodbye(reason: &str) -> Goodbye {
    Goodbye { details: Sparse::EMPTY, reason: uri(reason) }
}

/// A payload of one number, in CBOR.
pub(crate) fn number(n: u64) -> Payload {
    Payload::from_args(Serializer::Cbor, &(n,)).unwrap()
}

/// A payload of `size` bytes of text, in `serializer`.
pub(crate) fn text(serializer: Serializer, size: usize) -> Payload {
    Payload::from_args(serializer, &("x".repeat(size),)).unwrap()
}

/// Checks that `message` is ERROR, and returns its text.
#[track_caller]
pub(crate) fn expect_error(
    message: &Message,
    request_type: MessageType,
    request: u64,
    error: &Uri,
) -> String {
    let Message::Error(found) = message else { panic!("{message:?}") };
    assert_eq!((found.request_type, found.request), (request_type, id(request)));
    assert_eq!(found.error, *error, "{found:?}");
    found.payload.arg(0).unwrap_or_default()
}

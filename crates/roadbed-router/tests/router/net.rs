//! A router and its peers, for tests: messages in, decoded messages out, time by hand.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use roadbed_core::error::CloseReason;
use roadbed_core::id::{RegistrationId, RequestId, SubscriptionId};
use roadbed_core::limits::Limits;
use roadbed_core::message::{
    Authenticate, Call, Cancel, Error, Goodbye, Hello, HelloDetails, Message, MessageType, Publish, RawDict,
    Register, Sparse, Subscribe, Unregister, Unsubscribe, Welcome, Yield,
};
use roadbed_core::options::{CancelMode, CancelOptions, PublishOptions};
use roadbed_core::payload::Payload;
use roadbed_core::role::{Feature, Role, Roles};
use roadbed_core::serializer::{Encoded, Serializer};
use roadbed_core::time::{Timestamp, UnixMicros};
use roadbed_core::transport::TransportDetails;
use roadbed_core::uri::Uri;
use roadbed_router::{
    Access, Authentication, Authorization, AuthorizationRequest, Outgoing, PeerId, Router, RouterConfig,
    RouterEvent, Verdict,
};

/// The realm of most tests.
pub(crate) const REALM: &str = "realm1";

/// A router under test. After every step its tables are checked.
pub(crate) struct Net {
    pub(crate) router: Router,
    pub(crate) now: Timestamp,
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
        config.check().unwrap();
        let now = Timestamp::ZERO;
        let router = Router::new(config.into_shared(), [42; 32], now, UnixMicros::default());
        Self { router, now }
    }

    pub(crate) fn attach(&mut self) -> PeerId {
        self.attach_with(Serializer::Cbor, 1 << 20, TransportDetails::local())
    }

    pub(crate) fn attach_with(
        &mut self,
        serializer: Serializer,
        max_receive: usize,
        details: TransportDetails,
    ) -> PeerId {
        self.router.attach(self.now, serializer, max_receive, details)
    }

    pub(crate) fn send(&mut self, peer: PeerId, message: impl Into<Message>) {
        self.router.handle_message(self.now, peer, message.into());
        self.router.check_invariants().unwrap();
    }

    /// Sends and returns the answer.
    pub(crate) fn ask(&mut self, peer: PeerId, message: impl Into<Message>) -> Message {
        self.send(peer, message);
        self.one(peer)
    }

    pub(crate) fn receive(&mut self, peer: PeerId) -> Received {
        let mut received = Received::default();
        while let Some(outgoing) = self.router.poll_outgoing(peer) {
            assert!(received.close.is_none(), "something follows Close");
            match outgoing {
                Outgoing::Message(encoded) => received.messages.push(decode(&encoded)),
                Outgoing::Close(reason) => received.close = Some(reason),
            }
        }
        self.router.check_invariants().unwrap();
        received
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
        self.join_as(all_roles(), Serializer::Cbor, 1 << 20)
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
        self.router.handle_timeout(self.now);
        self.router.check_invariants().unwrap();
    }

    /// Lets time pass from deadline to deadline, as a driver does.
    pub(crate) fn pass_stepwise(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.router.poll_timeout().filter(|&at| at <= end) {
            assert!(at > self.now, "poll_timeout is in the past");
            self.now = at;
            self.router.handle_timeout(at);
            self.router.check_invariants().unwrap();
        }
        self.pass(end.saturating_since(self.now));
    }

    pub(crate) fn detach(&mut self, peer: PeerId) {
        self.router.detach(self.now, peer, CloseReason::Eof);
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

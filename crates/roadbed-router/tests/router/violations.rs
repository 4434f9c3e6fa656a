//! What ends a session with ABORT `wamp.error.protocol_violation`.

use roadbed_core::error::{CloseReason, uris};
use roadbed_core::id::{PublicationId, SessionId, SubscriptionId};
use roadbed_core::limits::Limits;
use roadbed_core::message::{
    Abort, CallResult, Challenge, Error, Event, EventReceived, Interrupt, Invocation, Message, MessageType,
    Published, RawDict, Registered, Sparse, Subscribed, UnknownMessage, Unregistered, Unsubscribed, Welcome,
};
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_router::{PeerId, RouterConfig};

use crate::net::*;

/// Checks that `peer` was aborted and closed, and that the rest lives on. Returns the text of ABORT.
#[track_caller]
fn aborted(net: &mut Net, peer: PeerId) -> String {
    let received = net.receive(peer);
    let Some(Message::Abort(Abort { details, reason, .. })) = received.messages.last() else {
        panic!("{received:?}")
    };
    assert_eq!(*reason, uris::PROTOCOL_VIOLATION);
    assert!(matches!(received.close, Some(CloseReason::PeerViolation(_))), "{received:?}");
    assert!(!net.is_joined(peer));
    let text = details.message.clone().unwrap().to_string();
    net.send(peer, subscribe(99, "com.example.after"));
    assert_eq!(net.receive(peer).messages, [], "nothing is processed any more");
    assert_eq!(net.router.stats().subscriptions, 0);
    text
}

fn violates(message: impl Into<Message>) -> String {
    let mut net = Net::new();
    let peer = net.join();
    net.send(peer, message);
    let text = aborted(&mut net, peer);
    net.end(&[peer]);
    text
}

fn from_routers() -> Vec<Message> {
    let one = id(1);
    let subscription = SubscriptionId::MIN;
    let registration = roadbed_core::id::RegistrationId::MIN;
    let publication = PublicationId::MIN;
    let payload = Payload::EMPTY;
    vec![
        Welcome { session: SessionId::MIN, details: Sparse::EMPTY }.into(),
        Challenge { method: "ticket".into(), extra: RawDict::default() }.into(),
        Published { request: one, publication }.into(),
        Subscribed { request: one, subscription }.into(),
        Unsubscribed { request: Some(one), details: None }.into(),
        Event { subscription, publication, details: Sparse::EMPTY, payload: payload.clone() }.into(),
        CallResult { request: one, details: Sparse::EMPTY, payload: payload.clone() }.into(),
        Registered { request: one, registration }.into(),
        Unregistered { request: Some(one), details: None }.into(),
        Invocation { request: one, registration, details: Sparse::EMPTY, payload }.into(),
        Interrupt { request: one, options: Sparse::EMPTY }.into(),
    ]
}

#[test]
fn messages_that_only_routers_send() {
    for message in from_routers() {
        let name = message.message_type().unwrap().name();
        assert_eq!(violates(message), format!("{name}: received after the session was established"));
    }
}

#[test]
fn a_second_hello() {
    assert_eq!(violates(hello(all_roles())), "HELLO: received after the session was established");
}

#[test]
fn authenticate_after_welcome() {
    violates(authenticate("x"));
}

#[test]
fn anything_but_hello_before_welcome() {
    let mut messages = from_routers();
    messages.push(goodbye("wamp.close.normal").into());
    messages.push(authenticate("x").into());
    messages.push(subscribe(1, "com.example.t").into());
    messages.push(publish(1, "com.example.t").into());
    messages.push(register(1, "com.example.p").into());
    messages.push(call(1, "com.example.p").into());
    messages.push(cancel(1, None).into());
    messages.push(yield_(id(1), Payload::EMPTY).into());
    messages.push(invocation_error(id(1), "com.example.error", Payload::EMPTY).into());
    for message in messages {
        let name = message.message_type().unwrap().name();
        let mut net = Net::new();
        let peer = net.attach();
        net.send(peer, message);
        let text = aborted(&mut net, peer);
        assert_eq!(text, format!("{name}: received before the session was established"));
        net.end(&[peer]);
    }
}

#[test]
fn error_for_a_request_that_only_clients_make() {
    let types = [
        MessageType::Call,
        MessageType::Publish,
        MessageType::Subscribe,
        MessageType::Register,
        MessageType::Unregister,
        MessageType::Unsubscribe,
    ];
    for request_type in types {
        let error = uri("com.example.error");
        let payload = Payload::EMPTY;
        violates(Error { request_type, request: id(1), details: Sparse::EMPTY, error, payload });
    }
}

#[test]
fn yield_for_an_invocation_that_never_was() {
    assert_eq!(violates(yield_(id(1), Payload::EMPTY)), "YIELD: request 1 was never issued");
}

#[test]
fn error_for_an_invocation_that_never_was() {
    violates(invocation_error(id(1), "com.example.error", Payload::EMPTY));
}

#[test]
fn yield_beyond_the_last_invocation() {
    let mut net = Net::new();
    let (caller, callee) = (net.join(), net.join());
    net.register(callee, 1, "com.example.p");
    net.call(caller, callee, 1, "com.example.p");
    net.send(callee, yield_(id(2), Payload::EMPTY));
    aborted(&mut net, callee);
    expect_error(&net.one(caller), MessageType::Call, 1, &uris::CANCELED);
    net.end(&[caller, callee]);
}

#[test]
fn a_call_with_the_id_of_a_call_under_way() {
    let mut net = Net::new();
    let (caller, callee) = (net.join(), net.join());
    net.register(callee, 1, "com.example.p");
    net.call(caller, callee, 1, "com.example.p");
    net.send(caller, call(1, "com.example.p"));
    aborted(&mut net, caller);
    net.end(&[caller, callee]);
}

#[test]
fn a_progressive_call_without_the_feature() {
    let mut request = call(1, "com.example.p");
    request.options.progress = Some(true);
    assert_eq!(violates(request), "CALL: progressive_call_invocations was not announced");
}

#[test]
fn sealed_payloads_without_the_feature() {
    let mut request = call(1, "com.example.p");
    request.options.passthru.attributes_mut().ppt_scheme = Some("wamp".into());
    assert_eq!(violates(request), "CALL: payload_passthru_mode was not announced");
    let mut request = publish(1, "com.example.t");
    request.options.passthru.attributes_mut().enc_key = Some("k".into());
    assert_eq!(violates(request), "PUBLISH: payload_transparency was not announced");
    let mut answer = yield_(id(1), Payload::EMPTY);
    answer.options.passthru.attributes_mut().ppt_scheme = Some("wamp".into());
    violates(answer);
}

#[test]
fn what_the_link_could_not_read() {
    for bytes in ["", "[]", "{}", "[48,1", "[99]", "[48,0,{},\"p\"]", "[8,1,1,{},\"e\"]"] {
        let input = bytes::Bytes::from_static(bytes.as_bytes());
        let violation = Serializer::Json.decode(&input, &Limits::default()).unwrap_err();
        let mut net = Net::new().in_json();
        let peer = net.join();
        net.send_text(peer, bytes);
        assert_eq!(aborted(&mut net, peer), violation.to_string());
        net.end(&[peer]);
    }
}

#[test]
fn an_unsuitable_request_before_welcome() {
    let mut net = Net::new().in_json();
    let peer = net.attach();
    net.send_text(peer, r#"[48,1,{"timeout":true},"com.example.p"]"#);
    aborted(&mut net, peer);
}

#[test]
fn a_violation_frees_everything_the_session_had() {
    let mut net = Net::new();
    let (peer, other) = (net.join(), net.join());
    net.subscribe(peer, 1, "com.example.t");
    net.register(peer, 2, "com.example.p");
    net.register(other, 1, "com.example.q");
    net.call(other, peer, 2, "com.example.p");
    net.call(peer, other, 3, "com.example.q");
    net.send_bytes(peer, bytes::Bytes::from_static(b"no message"));
    let stats = net.router.stats();
    assert_eq!((stats.subscriptions, stats.registrations, stats.calls), (0, 1, 0));
    aborted(&mut net, peer);
    net.end(&[peer, other]);
}

#[test]
fn unknown_messages_are_ignored_and_counted() {
    let mut net = Net::new();
    let peer = net.join();
    net.send(peer, Message::Unknown(UnknownMessage { code: 256 }));
    net.send(peer, EventReceived { publication: PublicationId::MIN });
    net.silent(peer);
    assert_eq!(net.router.stats().counters.ignored_messages, 2);
}

fn strict() -> RouterConfig {
    config().strict_ids(true)
}

#[test]
fn strict_ids_count_over_all_requests() {
    let mut net = Net::with(strict());
    let (peer, callee) = (net.join(), net.join());
    net.register(callee, 1, "com.example.q");
    let subscription = net.subscribe(peer, 1, "com.example.t");
    net.send(peer, publish(2, "com.example.t"));
    let registration = net.register(peer, 3, "com.example.p");
    let invocation = net.call(peer, callee, 4, "com.example.q");
    net.send(peer, cancel(4, None));
    net.messages(peer);
    net.send(callee, yield_(invocation, Payload::EMPTY));
    net.ask(peer, unsubscribe(5, subscription));
    net.ask(peer, unregister(6, registration));
    expect_error(&net.ask(peer, call(7, "not a uri")), MessageType::Call, 7, &uris::INVALID_URI);
    net.subscribe(peer, 8, "com.example.t");
    assert!(net.is_joined(peer));
}

#[test]
fn strict_ids_begin_at_one() {
    let mut net = Net::with(strict());
    let peer = net.join();
    net.send(peer, subscribe(2, "com.example.t"));
    assert_eq!(aborted(&mut net, peer), "SUBSCRIBE: request id 2 is not sequential, expected 1");
}

#[test]
fn strict_ids_have_no_gaps_and_no_repetitions() {
    for next in [1, 3, 1 << 53] {
        let mut net = Net::with(strict());
        let peer = net.join();
        net.subscribe(peer, 1, "com.example.u");
        net.send(peer, publish(next, "com.example.t"));
        aborted(&mut net, peer);
    }
}

#[test]
fn strict_ids_hold_for_requests_that_cannot_be_read() {
    let mut net = Net::with(strict()).in_json();
    let peer = net.join();
    net.send_text(peer, r#"[48,5,{"timeout":true},"com.example.p"]"#);
    aborted(&mut net, peer);
}

#[test]
fn strict_ids_begin_anew_with_a_new_session() {
    let mut net = Net::with(strict());
    let peer = net.join();
    net.subscribe(peer, 1, "com.example.t");
    net.ask(peer, goodbye("wamp.close.normal"));
    net.welcome(peer, hello(all_roles()));
    net.subscribe(peer, 1, "com.example.t");
}

#[test]
fn lenient_ids_may_be_anything() {
    let mut net = Net::new();
    let peer = net.join();
    for request in [77, 3, 3, 1 << 53, 1] {
        net.send(peer, publish(request, "com.example.t"));
        net.subscribe(peer, request, "com.example.t");
    }
}

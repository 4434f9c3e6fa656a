//! When a request is answered with ERROR: one test a row.
//!
//! | request | condition | error |
//! |---|---|---|
//! | any | URI breaks the rules in force | `wamp.error.invalid_uri` |
//! | PUBLISH, REGISTER | URI begins with `wamp.` | `wamp.error.invalid_uri` |
//! | any | known option of a wrong type | `wamp.error.invalid_argument` |
//! | SUBSCRIBE, REGISTER | `match` other than `exact` | `wamp.error.option_not_allowed` |
//! | REGISTER | `invoke` other than `single`, `concurrency`, `force_reregister`, `disclose_caller` | the same |
//! | CALL, PUBLISH | `disclose_me` | `wamp.error.option_disallowed.disclose_me` |
//! | REGISTER | procedure is registered, by whomever | `wamp.error.procedure_already_exists` |
//! | UNREGISTER | not one's own registration | `wamp.error.no_such_registration` |
//! | UNSUBSCRIBE | not one's own subscription | `wamp.error.no_such_subscription` |
//! | CALL | procedure is not registered | `wamp.error.no_such_procedure` |
//! | CALL | callee left | `wamp.error.canceled` |
//! | CALL | payload does not fit the recipient's serializer | `wamp.error.invalid_payload` |
//! | CALL | payload is larger than the recipient accepts | `wamp.error.payload_size_exceeded` |
//! | CALL | callee's queue is full | `wamp.error.unavailable` |
//! | any | a limit of the session is reached | `wamp.error.unavailable` |
//!
//! PUBLISH is only answered when it asked for an acknowledgement; a refused one is counted.

use roadbed_core::error::uris;
use roadbed_core::limits::Limits;
use roadbed_core::message::{Message, MessageType, Register, Subscribe};
use roadbed_core::options::{InvokePolicy, PublishOptions, RegisterOptions, SubscribeOptions};
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::uri::{MatchPolicy, UriRules};

use crate::net::*;

const BAD_URIS: [&str; 5] = ["", "com..example", "com.example.", "com.exa mple", "com.example.#"];

#[test]
fn subscribe_to_a_malformed_uri() {
    for bad in BAD_URIS {
        let mut net = Net::new();
        let peer = net.join();
        let answer = net.ask(peer, subscribe(1, bad));
        expect_error(&answer, MessageType::Subscribe, 1, &uris::INVALID_URI);
    }
}

#[test]
fn publish_to_a_malformed_uri() {
    for bad in BAD_URIS {
        let mut net = Net::new();
        let peer = net.join();
        let answer = net.ask(peer, publish_with(1, bad, acknowledged()));
        expect_error(&answer, MessageType::Publish, 1, &uris::INVALID_URI);
    }
}

#[test]
fn register_a_malformed_uri() {
    for bad in BAD_URIS {
        let mut net = Net::new();
        let peer = net.join();
        let answer = net.ask(peer, register(1, bad));
        expect_error(&answer, MessageType::Register, 1, &uris::INVALID_URI);
    }
}

#[test]
fn call_a_malformed_uri() {
    for bad in BAD_URIS {
        let mut net = Net::new();
        let peer = net.join();
        expect_error(&net.ask(peer, call(1, bad)), MessageType::Call, 1, &uris::INVALID_URI);
    }
}

#[test]
fn strict_rules_refuse_what_loose_ones_take() {
    let mut loose = Net::new();
    let peer = loose.join();
    loose.subscribe(peer, 1, "com.Example-1.été");
    let mut strict = Net::with(config().uri_rules(UriRules::Strict));
    let peer = strict.join();
    let answer = strict.ask(peer, subscribe(1, "com.Example-1.été"));
    expect_error(&answer, MessageType::Subscribe, 1, &uris::INVALID_URI);
}

#[test]
fn a_uri_over_the_limit() {
    let limits = Limits::default().uri_length(64);
    let mut net = Net::with(config().limits(limits));
    let peer = net.join();
    net.subscribe(peer, 1, &format!("com.example.{}", "x".repeat(52)));
    let answer = net.ask(peer, subscribe(2, &format!("com.example.{}", "x".repeat(53))));
    let text = expect_error(&answer, MessageType::Subscribe, 2, &uris::INVALID_URI);
    assert!(text.ends_with("the URI has 65 bytes, the limit is 64"), "{text}");
}

#[test]
fn publish_and_register_under_wamp() {
    let mut net = Net::new();
    let peer = net.join();
    for (request, name) in [(1, "wamp"), (2, "wamp.session.on_join"), (3, "wamp.x")] {
        let answer = net.ask(peer, publish_with(request, name, acknowledged()));
        expect_error(&answer, MessageType::Publish, request, &uris::INVALID_URI);
        let answer = net.ask(peer, register(request, name));
        expect_error(&answer, MessageType::Register, request, &uris::INVALID_URI);
    }
    net.subscribe(peer, 4, "wamp.session.on_join");
    net.register(peer, 5, "wampum.trade");
    let answer = net.ask(peer, call(6, "wamp.session.count"));
    expect_error(&answer, MessageType::Call, 6, &uris::NO_SUCH_PROCEDURE);
}

#[test]
fn an_option_of_a_wrong_type() {
    let rows = [
        (r#"[48,1,{"timeout":true},"com.example.p"]"#, MessageType::Call),
        (r#"[32,1,{"match":"fuzzy"},"com.example.t"]"#, MessageType::Subscribe),
        (r#"[64,1,{"invoke":7},"com.example.p"]"#, MessageType::Register),
        (r#"[16,1,{"acknowledge":true,"exclude":"all"},"com.example.t"]"#, MessageType::Publish),
    ];
    for (json, message_type) in rows {
        let mut net = Net::new();
        let peer = net.join_as(all_roles(), Serializer::Json, 1 << 20);
        net.send_text(peer, json);
        let text = expect_error(&net.one(peer), message_type, 1, &uris::INVALID_ARGUMENT);
        assert!(text.contains(message_type.name()), "{text}");
        assert!(net.is_joined(peer));
        net.end(&[peer]);
    }
}

#[test]
fn a_uri_that_the_link_found_too_long() {
    let json = format!(r#"[48,1,{{}},"com.{}"]"#, "x".repeat(2_000));
    let mut net = Net::new();
    let peer = net.join_as(all_roles(), Serializer::Json, 1 << 20);
    net.send_text(peer, &json);
    expect_error(&net.one(peer), MessageType::Call, 1, &uris::INVALID_URI);
}

#[test]
fn an_unsuitable_publication_that_is_not_acknowledged_is_counted() {
    let mut net = Net::new();
    let peer = net.join_as(all_roles(), Serializer::Json, 1 << 20);
    let other = net.join_as(all_roles(), Serializer::MsgPack, 1 << 20);
    let long = format!(r#"[16,2,{{}},"com.{}"]"#, "x".repeat(2_000));
    let unsuitable = [
        r#"[16,1,{"exclude":"all"},"com.example.t"]"#,
        &long,
        r#"[16,4,{"acknowledge":"yes"},"com.example.t"]"#,
    ];
    for json in unsuitable {
        net.send_text(peer, json);
        net.silent(peer);
    }
    net.send_bytes(other, bytes::Bytes::from_static(b"\x94\x10\x03\x80\xa2\0a"));
    net.silent(other);
    assert_eq!(net.router.stats().counters.publications_refused, 4);
    net.subscribe(peer, 5, "com.example.t");
    net.end(&[peer, other]);
}

#[test]
fn subscribe_by_pattern() {
    for policy in [MatchPolicy::Prefix, MatchPolicy::Wildcard] {
        let mut net = Net::new();
        let peer = net.join();
        let options = SubscribeOptions::new().match_policy(policy);
        let answer =
            net.ask(peer, Subscribe { request: id(1), options: options.into(), topic: uri("com.example") });
        let text = expect_error(&answer, MessageType::Subscribe, 1, &uris::OPTION_NOT_ALLOWED);
        assert!(text.contains("match"), "{text}");
    }
}

#[test]
fn exact_match_and_single_invoke_may_be_said() {
    let mut net = Net::new();
    let peer = net.join();
    let options = SubscribeOptions::new().match_policy(MatchPolicy::Exact);
    let answer =
        net.ask(peer, Subscribe { request: id(1), options: options.into(), topic: uri("com.example.t") });
    assert!(matches!(answer, Message::Subscribed(_)));
    let options = RegisterOptions::new()
        .match_policy(MatchPolicy::Exact)
        .invoke(InvokePolicy::Single)
        .force_reregister(false)
        .forward_timeout(true);
    let answer =
        net.ask(peer, Register { request: id(2), options: options.into(), procedure: uri("com.example.p") });
    assert!(matches!(answer, Message::Registered(_)));
}

#[test]
fn register_with_options_that_are_not_supported() {
    let mut disclose = RegisterOptions::new();
    disclose.disclose_caller = Some(true);
    let rows = [
        (RegisterOptions::new().match_policy(MatchPolicy::Prefix), "match"),
        (RegisterOptions::new().match_policy(MatchPolicy::Wildcard), "match"),
        (RegisterOptions::new().invoke(InvokePolicy::RoundRobin), "invoke"),
        (RegisterOptions::new().concurrency(3), "concurrency"),
        (RegisterOptions::new().force_reregister(true), "force_reregister"),
        (disclose, "disclose_caller"),
    ];
    for (options, name) in rows {
        let mut net = Net::new();
        let peer = net.join();
        let answer = net
            .ask(peer, Register { request: id(1), options: options.into(), procedure: uri("com.example.p") });
        let text = expect_error(&answer, MessageType::Register, 1, &uris::OPTION_NOT_ALLOWED);
        assert!(text.contains(name), "{text}");
        assert_eq!(net.router.stats().registrations, 0);
    }
}

#[test]
fn disclosure_is_refused_not_passed_over() {
    let mut net = Net::new();
    let (peer, callee) = (net.join(), net.join());
    net.register(callee, 1, "com.example.p");
    let mut request = call(1, "com.example.p");
    request.options.disclose_me = Some(true);
    let answer = net.ask(peer, request);
    expect_error(&answer, MessageType::Call, 1, &uris::OPTION_DISALLOWED_DISCLOSE_ME);
    net.silent(callee);
    let answer = net.ask(peer, publish_with(2, "com.example.t", acknowledged().disclose_me(true)));
    expect_error(&answer, MessageType::Publish, 2, &uris::OPTION_DISALLOWED_DISCLOSE_ME);
}

#[test]
fn a_publication_that_is_not_acknowledged_has_no_error_either() {
    let mut net = Net::new();
    let (peer, subscriber) = (net.join(), net.join());
    net.subscribe(subscriber, 1, "com.example.t");
    net.send(peer, publish(1, "not a topic"));
    net.send(peer, publish(2, "wamp.session.on_join"));
    net.send(peer, publish_with(3, "com.example.t", PublishOptions::new().disclose_me(true)));
    net.send(peer, publish_with(4, "", PublishOptions::new().acknowledge(false)));
    net.silent(peer);
    net.silent(subscriber);
    assert_eq!(net.router.stats().counters.publications_refused, 4);
}

#[test]
fn register_twice() {
    let mut net = Net::new();
    let (a, b) = (net.join(), net.join());
    net.register(a, 1, "com.example.p");
    for (peer, request) in [(a, 2), (b, 1)] {
        let answer = net.ask(peer, register(request, "com.example.p"));
        expect_error(&answer, MessageType::Register, request, &uris::PROCEDURE_ALREADY_EXISTS);
    }
}

#[test]
fn unregister_what_is_not_ones_own() {
    let mut net = Net::new();
    let (a, b) = (net.join(), net.join());
    let registration = net.register(a, 1, "com.example.p");
    let answer = net.ask(b, unregister(1, registration));
    expect_error(&answer, MessageType::Unregister, 1, &uris::NO_SUCH_REGISTRATION);
    assert!(matches!(net.ask(a, unregister(2, registration)), Message::Unregistered(_)));
    let answer = net.ask(a, unregister(3, registration));
    expect_error(&answer, MessageType::Unregister, 3, &uris::NO_SUCH_REGISTRATION);
}

#[test]
fn unsubscribe_what_is_not_ones_own() {
    let mut net = Net::new();
    let (a, b) = (net.join(), net.join());
    let subscription = net.subscribe(a, 1, "com.example.t");
    let answer = net.ask(b, unsubscribe(1, subscription));
    expect_error(&answer, MessageType::Unsubscribe, 1, &uris::NO_SUCH_SUBSCRIPTION);
    assert!(matches!(net.ask(a, unsubscribe(2, subscription)), Message::Unsubscribed(_)));
    let answer = net.ask(a, unsubscribe(3, subscription));
    expect_error(&answer, MessageType::Unsubscribe, 3, &uris::NO_SUCH_SUBSCRIPTION);
}

#[test]
fn call_a_procedure_that_nobody_registered() {
    let mut net = Net::new();
    let peer = net.join();
    let answer = net.ask(peer, call(1, "com.example.p"));
    expect_error(&answer, MessageType::Call, 1, &uris::NO_SUCH_PROCEDURE);
}

/// A payload that MessagePack and CBOR can carry, and JSON cannot: a dict with a key that is not text.
fn foreign() -> Payload {
    let args = bytes::Bytes::from_static(&[0x81, 0xa1, 1, 2]);
    Payload::from_raw(Serializer::Cbor, Some(args), None, 64).unwrap()
}

#[test]
fn a_call_that_the_callees_serializer_cannot_carry() {
    let mut net = Net::new();
    let (caller, callee) = (net.join(), net.join_as(all_roles(), Serializer::Json, 1 << 20));
    net.register(callee, 1, "com.example.p");
    let mut request = call(1, "com.example.p");
    request.payload = foreign();
    let answer = net.ask(caller, request);
    expect_error(&answer, MessageType::Call, 1, &uris::INVALID_PAYLOAD);
    net.silent(callee);
    assert_eq!(net.call(caller, callee, 2, "com.example.p"), id(1), "no id was used");
}

#[test]
fn a_result_that_the_callers_serializer_cannot_carry() {
    let mut net = Net::new();
    let (caller, callee) = (net.join_as(all_roles(), Serializer::Json, 1 << 20), net.join());
    net.register(callee, 1, "com.example.p");
    let invocation = net.call(caller, callee, 1, "com.example.p");
    net.send(callee, yield_(invocation, foreign()));
    expect_error(&net.one(caller), MessageType::Call, 1, &uris::INVALID_PAYLOAD);
    net.silent(callee);
    let invocation = net.call(caller, callee, 2, "com.example.p");
    net.send(callee, invocation_error(invocation, "com.example.error", foreign()));
    expect_error(&net.one(caller), MessageType::Call, 2, &uris::INVALID_PAYLOAD);
    net.silent(callee);
    assert_eq!(net.router.stats().calls, 0);
}

#[test]
fn a_call_that_is_larger_than_the_callee_accepts() {
    let mut net = Net::new();
    let (caller, callee) = (net.join(), net.join_as(all_roles(), Serializer::Cbor, 1_000));
    net.register(callee, 1, "com.example.p");
    let mut request = call(1, "com.example.p");
    request.payload = text(Serializer::Cbor, 1_000);
    let answer = net.ask(caller, request);
    expect_error(&answer, MessageType::Call, 1, &uris::PAYLOAD_SIZE_EXCEEDED);
    net.silent(callee);
    assert_eq!(net.call(caller, callee, 2, "com.example.p"), id(1), "no id was used");
}

#[test]
fn a_result_that_is_larger_than_the_caller_accepts() {
    let mut net = Net::new();
    let (caller, callee) = (net.join_as(all_roles(), Serializer::Cbor, 1_000), net.join());
    net.register(callee, 1, "com.example.p");
    let invocation = net.call(caller, callee, 1, "com.example.p");
    net.send(callee, yield_(invocation, text(Serializer::Cbor, 1_000)));
    let answer = expect_error(&net.one(caller), MessageType::Call, 1, &uris::PAYLOAD_SIZE_EXCEEDED);
    assert!(answer.ends_with("its recipient accepts 1000"), "{answer}");
    let invocation = net.call(caller, callee, 2, "com.example.p");
    net.send(callee, invocation_error(invocation, "com.example.error", text(Serializer::Cbor, 1_000)));
    expect_error(&net.one(caller), MessageType::Call, 2, &uris::PAYLOAD_SIZE_EXCEEDED);
}

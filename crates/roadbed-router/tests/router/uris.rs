//! URIs that go from one peer to another, and those that come from the driver: what is none goes no further.

use roadbed_core::error::uris;
use roadbed_core::message::{Abort, Message, MessageType, Sparse};
use roadbed_core::payload::Payload;
use roadbed_core::uri::UriRules;
use roadbed_router::{PeerId, RouterEvent};

use crate::net::*;

const PROCEDURE: &str = "com.example.p";
const BAD: [&str; 8] = ["", "#bad", "a b", "a..b", ".a", "a.", "a\u{1c}b", "a.\u{feff}"];

/// A caller and a callee with an invocation under way.
fn under_way(net: &mut Net) -> (PeerId, PeerId, roadbed_core::id::RequestId) {
    let (caller, callee) = (net.join(), net.join());
    net.register(callee, 1, PROCEDURE);
    let invocation = net.call(caller, callee, 1, PROCEDURE);
    (caller, callee, invocation)
}

/// The answer was refused: the caller knows, the callee goes on, the driver was told.
fn refused(net: &mut Net, caller: PeerId, callee: PeerId, error: &roadbed_core::uri::Uri) {
    let text = expect_error(&net.one(caller), MessageType::Call, 1, error);
    assert!(text.starts_with("the callee answered what cannot be passed on: "), "{text}");
    net.silent(callee);
    assert_eq!((net.router.stats().calls, net.router.stats().counters.answers_refused), (0, 1));
    let events = net.events();
    let session = net.session(callee).unwrap().id;
    assert!(
        matches!(events.last(), Some(RouterEvent::AnswerRefused { callee, error: told, .. })
            if *callee == session && told == error),
        "{events:?}"
    );
    let invocation = net.call(caller, callee, 2, PROCEDURE);
    net.send(callee, yield_(invocation, number(2)));
    assert!(matches!(net.one(caller), Message::CallResult(_)));
}

#[test]
fn an_error_whose_uri_is_none_goes_no_further() {
    for bad in BAD {
        let mut net = Net::new();
        let (caller, callee, invocation) = under_way(&mut net);
        net.send(callee, invocation_error(invocation, bad, number(1)));
        refused(&mut net, caller, callee, &uris::INVALID_URI);
        net.end(&[caller, callee]);
    }
}

#[test]
fn rules_for_resources_do_not_hold_for_errors() {
    let mut net = Net::with(config().uri_rules(UriRules::Strict));
    let (caller, callee, invocation) = under_way(&mut net);
    net.send(callee, invocation_error(invocation, "com.example.NotFound", number(1)));
    expect_error(&net.one(caller), MessageType::Call, 1, &uri("com.example.NotFound"));
}

#[test]
fn an_answer_that_cannot_be_read_costs_its_call() {
    let long = "x".repeat(2_000);
    let rows = [
        (format!(r#"[8,68,1,{{}},"com.{long}"]"#), &uris::INVALID_URI),
        (r#"[8,68,1,{"callee":"me"},"com.example.no"]"#.to_owned(), &uris::INVALID_ARGUMENT),
        (r#"[70,1,{"progress":7},[1]]"#.to_owned(), &uris::INVALID_ARGUMENT),
    ];
    for (json, error) in rows {
        let mut net = Net::new().in_json();
        let (caller, callee, _) = under_way(&mut net);
        net.send_text(callee, &json);
        refused(&mut net, caller, callee, error);
        net.end(&[caller, callee]);
    }
    // It begins with NUL.
    let mut net = Net::new().in_msgpack();
    let (caller, callee, _) = under_way(&mut net);
    net.send_bytes(callee, bytes::Bytes::from_static(b"\x95\x08\x44\x01\x80\xa2\0a"));
    refused(&mut net, caller, callee, &uris::INVALID_URI);
}

#[test]
fn an_unreadable_answer_to_nothing_breaks_the_protocol_as_a_readable_one() {
    let mut net = Net::new().in_json();
    let peer = net.join();
    net.send_text(peer, r#"[70,9,{"progress":7}]"#);
    assert!(!net.is_joined(peer));
    let peer = net.join();
    net.send_text(peer, r#"[8,48,9,{"callee":"me"},"com.example.no"]"#);
    assert!(!net.is_joined(peer), "an ERROR that only routers send");
}

#[test]
fn a_cancel_that_cannot_be_read_is_passed_over() {
    let mut net = Net::new().in_json();
    let (caller, callee, invocation) = under_way(&mut net);
    net.send_text(caller, r#"[49,1,{"mode":"gently"}]"#);
    net.silent(callee);
    net.send(callee, yield_(invocation, number(1)));
    assert!(matches!(net.one(caller), Message::CallResult(_)));
    assert_eq!(net.router.stats().counters.ignored_messages, 1);
}

#[test]
fn goodbye_needs_a_uri_as_its_reason() {
    for bad in BAD {
        let mut net = Net::new();
        let peer = net.join();
        net.send(peer, goodbye(bad));
        let received = net.receive(peer);
        let [Message::Abort(abort)] = &received.messages[..] else { panic!("{received:?}") };
        assert_eq!(abort.reason, uris::PROTOCOL_VIOLATION);
        let text = abort.details.message.as_deref().unwrap();
        assert!(text.starts_with("GOODBYE reason: the URI "), "{text}");
        assert!(received.close.is_some());
        net.end(&[peer]);
    }
    let mut net = Net::new();
    let peer = net.join();
    assert!(matches!(net.ask(peer, goodbye("com.example.nobody_knows_it")), Message::Goodbye(_)));
    net.end(&[peer]);
}

#[test]
fn abort_is_never_answered_whatever_its_reason() {
    let too_long = format!(r#"[3,{{}},"{}"]"#, "x".repeat(2_000));
    type Way<'a> = &'a dyn Fn(&mut Net, PeerId);
    let ways: [Way<'_>; 3] = [
        &|net, peer| {
            net.send(peer, Abort { details: Sparse::EMPTY, reason: uri(""), payload: Payload::EMPTY });
        },
        &|net, peer| net.send_text(peer, &too_long),
        &|net, peer| net.send_text(peer, r#"[3,{"message":1},"a.b"]"#),
    ];
    for way in ways {
        let mut net = Net::new().in_json();
        let (peer, gated) = (net.join(), net.attach());
        for peer in [peer, gated] {
            way(&mut net, peer);
            let received = net.receive(peer);
            assert!(received.messages.is_empty() && received.close.is_some(), "{received:?}");
        }
        net.end(&[peer, gated]);
    }
}

#[test]
fn reasons_of_the_driver_are_sent_as_uris_or_replaced() {
    for bad in BAD {
        let mut net = Net::new();
        let peer = net.join();
        net.kill(peer, &uri(bad), "out");
        assert!(matches!(net.one(peer), Message::Goodbye(goodbye) if goodbye.reason == uris::KILLED));
        net.end(&[peer]);
    }
}

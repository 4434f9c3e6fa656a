//! Limits of a session: over one of them `wamp.error.unavailable` names the limit and its value.

use roadbed_core::error::uris;
use roadbed_core::limits::Limits;
use roadbed_core::message::{Message, MessageType};

use crate::net::*;

#[test]
fn subscriptions() {
    let mut net = Net::with(config().limits(Limits::default().subscriptions(2)));
    let (peer, other) = (net.join(), net.join());
    let first = net.subscribe(peer, 1, "com.example.a");
    net.subscribe(peer, 2, "com.example.b");
    let answer = net.ask(peer, subscribe(3, "com.example.c"));
    let text = expect_error(&answer, MessageType::Subscribe, 3, &uris::UNAVAILABLE);
    assert_eq!(text, "the limit subscriptions is 2");
    assert_eq!(net.subscribe(peer, 4, "com.example.a"), first, "what stands may be asked for again");
    net.subscribe(other, 1, "com.example.c");
    net.ask(peer, unsubscribe(5, first));
    net.subscribe(peer, 6, "com.example.c");
    net.end(&[peer, other]);
}

#[test]
fn registrations() {
    let mut net = Net::with(config().limits(Limits::default().registrations(1)));
    let peer = net.join();
    let first = net.register(peer, 1, "com.example.a");
    let answer = net.ask(peer, register(2, "com.example.b"));
    let text = expect_error(&answer, MessageType::Register, 2, &uris::UNAVAILABLE);
    assert_eq!(text, "the limit registrations is 1");
    net.ask(peer, unregister(3, first));
    net.register(peer, 4, "com.example.b");
}

#[test]
fn pending_calls_of_a_caller() {
    let mut net = Net::with(config().limits(Limits::default().pending_calls(2)));
    let (caller, other, callee) = (net.join(), net.join(), net.join());
    net.register(callee, 1, "com.example.p");
    let first = net.call(caller, callee, 1, "com.example.p");
    net.call(caller, callee, 2, "com.example.p");
    let answer = net.ask(caller, call(3, "com.example.p"));
    let text = expect_error(&answer, MessageType::Call, 3, &uris::UNAVAILABLE);
    assert_eq!(text, "the limit pending_calls is 2");
    net.silent(callee);
    net.call(other, callee, 1, "com.example.p");
    net.send(callee, yield_(first, number(1)));
    assert!(matches!(net.one(caller), Message::CallResult(_)));
    net.call(caller, callee, 4, "com.example.p");
    assert_eq!(net.router.stats().counters.calls_unavailable, 1);
    net.end(&[caller, other, callee]);
}

#[test]
fn pending_invocations_of_a_callee() {
    let mut net = Net::with(config().limits(Limits::default().pending_invocations(2)));
    let (a, b, callee) = (net.join(), net.join(), net.join());
    net.register(callee, 1, "com.example.p");
    net.call(a, callee, 1, "com.example.p");
    net.call(b, callee, 1, "com.example.p");
    let answer = net.ask(b, call(2, "com.example.p"));
    let text = expect_error(&answer, MessageType::Call, 2, &uris::UNAVAILABLE);
    assert_eq!(text, "the limit pending_invocations is 2");
    net.detach(a);
    net.messages(callee);
    net.call(b, callee, 3, "com.example.p");
    net.end(&[b, callee]);
}

/// A peer that joins and leaves without end, and others that come meanwhile, while the driver takes no event.
#[test]
fn events_that_wait_for_the_driver() {
    let mut net = Net::with(config().limits(Limits::default().queued_events(10)));
    let (member, joiner) = (net.join(), net.attach());
    let mut turns = 0;
    while net.router.wants_input(joiner) {
        net.welcome(joiner, hello(all_roles()));
        net.ask(joiner, goodbye("wamp.close.normal"));
        turns += 1;
        assert!(turns <= 10);
    }
    let waiting = net.router.stats().queued_events;
    assert!((10..=12).contains(&waiting), "{waiting}");
    let newcomer = net.attach();
    assert!(!net.router.wants_input(newcomer));
    assert!(net.router.wants_input(member), "sessions cause no such events");
    while net.router.poll_ready().is_some() {}
    for _ in 0..waiting - 6 {
        net.router.poll_event().unwrap();
    }
    assert!(!net.router.wants_input(joiner) && net.router.poll_ready().is_none());
    net.router.poll_event().unwrap();
    let named: Vec<_> = std::iter::from_fn(|| net.router.poll_ready()).collect();
    assert!(named.contains(&joiner) && named.contains(&newcomer), "{named:?}");
    assert!(net.router.wants_input(joiner) && net.router.wants_input(newcomer));
    net.end(&[member, joiner, newcomer]);
}

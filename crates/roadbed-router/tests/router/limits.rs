//! Limits of a session: over one of them `wamp.error.unavailable` names the limit and its value.

use roadbed_core::error::uris;
use roadbed_core::limits::Limits;
use roadbed_core::message::{Message, MessageType};
use roadbed_core::options::CancelMode;
use roadbed_core::serializer::Serializer;

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
    let (a, b) = (net.join(), net.join());
    let callee = net.join_as(plain_roles(), Serializer::Cbor, 1 << 20);
    net.register(callee, 1, "com.example.p");
    net.call(a, callee, 1, "com.example.p");
    net.call(b, callee, 1, "com.example.p");
    let answer = net.ask(b, call(2, "com.example.p"));
    let text = expect_error(&answer, MessageType::Call, 2, &uris::UNAVAILABLE);
    assert_eq!(text, "the limit pending_invocations is 2");
    // The caller is gone, the callee still works.
    net.detach(a);
    net.messages(callee);
    let answer = net.ask(b, call(3, "com.example.p"));
    expect_error(&answer, MessageType::Call, 3, &uris::UNAVAILABLE);
    net.send(callee, yield_(id(1), number(1)));
    // What is left is for those who have none.
    let answer = net.ask(b, call(4, "com.example.p"));
    expect_error(&answer, MessageType::Call, 4, &uris::UNAVAILABLE);
    let c = net.join();
    net.call(c, callee, 1, "com.example.p");
    net.end(&[b, c, callee]);
}

/// Calls that are canceled at once: the callee works on each of them until it answers.
#[test]
fn canceled_calls_count_until_the_callee_answers() {
    let mut net = Net::with(config().limits(Limits::default().pending_invocations(8)));
    let (caller, callee) = (net.join(), net.join_as(plain_roles(), Serializer::Cbor, 1 << 20));
    net.register(callee, 1, "com.example.p");
    let storm = |net: &mut Net, first: u64| {
        for request in first..first + 100 {
            net.send(caller, call(request, "com.example.p"));
            net.send(caller, cancel(request, Some(CancelMode::Skip)));
            net.messages(caller);
        }
        let delivered = net.messages(callee).len();
        let stats = net.router.stats();
        (delivered, stats.calls, stats.abandoned)
    };
    assert_eq!(storm(&mut net, 1), (4, 0, 4));
    for request in 1..=3 {
        net.send(callee, yield_(id(request), number(1)));
        net.silent(caller);
    }
    assert_eq!(net.router.stats().abandoned, 1);
    assert_eq!(storm(&mut net, 101), (3, 0, 4));
    assert_eq!(net.router.stats().counters.late_answers, 3);

    // Coming back makes it no better.
    net.detach(caller);
    let mut callers = Vec::new();
    for _ in 0..20 {
        let caller = net.join();
        net.send(caller, call(1, "com.example.p"));
        net.detach(caller);
        callers.push(net.messages(callee).len());
    }
    assert_eq!(callers.iter().sum::<usize>(), 4, "{callers:?}");
    assert_eq!(net.router.stats().abandoned, 8);
    net.end(&[callee]);
}

#[test]
fn one_caller_leaves_room_for_others() {
    let mut net = Net::with(config().limits(Limits::default().pending_invocations(64)));
    let callee = net.join();
    net.register(callee, 1, "com.example.p");
    let mut shares = Vec::new();
    let callers: Vec<_> = (0..4).map(|_| net.join()).collect();
    let mut last = String::new();
    for caller in &callers {
        for request in 1..=64 {
            net.send(*caller, call(request, "com.example.p"));
            for answer in net.messages(*caller) {
                last = expect_error(&answer, MessageType::Call, request, &uris::UNAVAILABLE);
            }
        }
        shares.push(net.messages(callee).len());
    }
    assert_eq!(shares, [32, 6, 5, 4]);
    let share = "the limit pending_invocations is 64; one caller may have 4 unanswered while the callee takes 17 more";
    assert_eq!(last, share);
    net.end(&[callee, callers[0], callers[1], callers[2], callers[3]]);
}

/// A callee that can be interrupted is told to stop, and owes no answer.
#[test]
fn interrupted_invocations_do_not_count() {
    let mut net = Net::with(config().limits(Limits::default().pending_invocations(2)));
    let (caller, callee) = (net.join(), net.join());
    net.register(callee, 1, "com.example.p");
    for request in 1..=10 {
        net.call(caller, callee, request, "com.example.p");
        net.send(caller, cancel(request, Some(CancelMode::KillNoWait)));
        net.messages(caller);
        assert!(matches!(net.one(callee), Message::Interrupt(_)));
        assert_eq!(net.router.stats().abandoned, 0);
    }
    // Told to stop, a callee in mode `kill` owes an answer: until then the invocation counts.
    net.call(caller, callee, 11, "com.example.p");
    net.send(caller, cancel(11, Some(CancelMode::Kill)));
    assert!(matches!(net.one(callee), Message::Interrupt(_)));
    net.detach(caller);
    net.silent(callee);
    assert_eq!(net.router.stats().abandoned, 1);
    net.send(callee, invocation_error(id(11), "wamp.error.canceled", number(1)));
    assert_eq!(net.router.stats().abandoned, 0);
    net.end(&[callee]);
}

/// A peer that joins and leaves without end, and others that come meanwhile, while the driver takes no event.
#[test]
fn events_that_wait_for_the_driver() {
    let mut net = Net::with(config().limits(Limits::default().queued_events(10)));
    let (member, joiner) = (net.join(), net.attach());
    let mut turns = 0;
    while net.wants_input(joiner) {
        net.welcome(joiner, hello(all_roles()));
        net.ask(joiner, goodbye("wamp.close.normal"));
        turns += 1;
        assert!(turns <= 10);
    }
    let waiting = net.router.stats().queued_events;
    assert!((10..=12).contains(&waiting), "{waiting}");
    let newcomer = net.attach();
    assert!(!net.wants_input(newcomer));
    assert!(net.wants_input(member), "sessions cause no such events");
    while net.router.poll_ready().is_some() {}
    for _ in 0..waiting - 6 {
        net.router.poll_event().unwrap();
    }
    assert!(!net.wants_input(joiner) && net.router.poll_ready().is_none());
    net.router.poll_event().unwrap();
    let named: Vec<_> = std::iter::from_fn(|| net.router.poll_ready()).collect();
    assert!(named.contains(&joiner) && named.contains(&newcomer), "{named:?}");
    assert!(net.wants_input(joiner) && net.wants_input(newcomer));
    net.end(&[member, joiner, newcomer]);
}

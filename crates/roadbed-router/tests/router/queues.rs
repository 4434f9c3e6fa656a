//! Peers that read slowly, or not at all.

use std::time::Duration;

use roadbed_core::error::{CloseReason, Deadline, uris};
use roadbed_core::limits::Limits;
use roadbed_core::message::{Message, MessageType};
use roadbed_core::options::CancelMode;
use roadbed_core::serializer::Serializer;
use roadbed_router::{MESSAGE_COST, OVERRUN_FACTOR, PeerId, RouterConfig};

use crate::net::*;

const BUDGET: usize = 20_000;
const TOPIC: &str = "com.example.t";
const PROCEDURE: &str = "com.example.p";

fn small() -> RouterConfig {
    config().limits(Limits::default().output_size(BUDGET))
}

fn send_event(net: &mut Net, publisher: PeerId, request: u64) {
    let mut message = publish(request, TOPIC);
    message.payload = text(Serializer::Cbor, 900);
    net.send(publisher, message);
}

#[test]
fn events_beyond_the_budget_are_dropped_and_counted() {
    let mut net = Net::with(small());
    let (publisher, slow, quick) = (net.join(), net.join(), net.join());
    net.subscribe(slow, 1, TOPIC);
    net.subscribe(quick, 1, TOPIC);
    for request in 1..=100 {
        send_event(&mut net, publisher, request);
        assert_eq!(net.messages(quick).len(), 1, "a slow peer costs nobody else anything");
    }
    let stats = net.router.stats();
    assert!(stats.queued_bytes <= BUDGET);
    let kept = stats.queued_messages;
    assert_eq!(stats.counters.events_dropped, 100 - kept as u64);
    assert!(net.wants_input(slow));
    assert!(net.wants_input(publisher));
    net.pass(Duration::from_secs(60));
    assert!(net.is_joined(slow), "losing events is all that happens");
    assert_eq!(net.messages(slow).len(), kept);
    send_event(&mut net, publisher, 101);
    assert_eq!(net.messages(slow).len(), 1);
    net.end(&[publisher, slow, quick]);
}

#[test]
fn memory_stays_within_the_budgets_whatever_is_published() {
    let mut net = Net::with(small());
    let publisher = net.join();
    let slow: Vec<PeerId> = (0..10).map(|_| net.join()).collect();
    for &peer in &slow {
        net.subscribe(peer, 1, TOPIC);
    }
    for request in 1..=20_000 {
        net.send(publisher, publish(request, TOPIC));
    }
    assert!(net.router.stats().queued_bytes <= slow.len() * BUDGET);
    net.detach(publisher);
    net.end(&slow);
}

/// Each stays within its own budget, and all of them together within another: who holds most loses first.
#[test]
fn all_queues_together_have_a_budget_too() {
    const TOTAL: usize = 1 << 20;
    let limits = Limits::default().output_size(TOTAL / 2).total_output_size(TOTAL);
    let mut net = Net::with(config().limits(limits));
    let (publisher, quick) = (net.join(), net.join());
    let slow: Vec<PeerId> = (0..20).map(|_| net.join()).collect();
    for &peer in &slow {
        net.subscribe(peer, 1, TOPIC);
    }
    net.subscribe(quick, 1, "com.example.quick");
    // One peer is far behind already.
    let ahead = slow[0];
    net.subscribe(ahead, 2, "com.example.one");
    for request in 1..=1_000 {
        let mut message = publish(request, if request <= 400 { "com.example.one" } else { TOPIC });
        message.payload = text(Serializer::Cbor, 900);
        net.send_unchecked(publisher, message);
        net.send_unchecked(publisher, publish(request, "com.example.quick"));
        assert_eq!(net.messages(quick).len(), 1, "a peer that takes its events loses none");
    }
    net.router.check_invariants().unwrap();
    let stats = net.router.stats();
    // What the first one holds is not taken from it, and the others may hold their shares.
    assert!(stats.queued_bytes <= TOTAL + TOTAL / 2, "{stats:?}");
    assert!(stats.queued_bytes > TOTAL / 2, "{stats:?}");
    assert!(stats.counters.events_dropped > 0);
    let counts: Vec<usize> = slow[1..].iter().map(|&peer| net.messages(peer).len()).collect();
    assert!(counts.iter().all(|&count| count > 20), "those that hold little get on: {counts:?}");
    // When they have taken what there was, all is as before.
    net.messages(ahead);
    send_event(&mut net, publisher, 1_001);
    assert!(slow.iter().all(|&peer| net.messages(peer).len() == 1));
    net.detach(publisher);
    net.detach(quick);
    net.end(&slow);
}

#[test]
fn callees_and_callers_have_their_shares_of_it() {
    const TOTAL: usize = 1 << 20;
    let limits = Limits::default().output_size(TOTAL).total_output_size(TOTAL);
    let mut net = Net::with(config().limits(limits));
    let (caller, callee, other) = (net.join(), net.join(), net.join());
    net.register(callee, 1, PROCEDURE);
    net.subscribe(other, 1, TOPIC);
    for request in 1..=2 {
        let mut message = publish(request, TOPIC);
        message.payload = text(Serializer::Cbor, TOTAL / 3);
        net.send(caller, message);
    }
    let mut request = 2;
    let answer = loop {
        request += 1;
        let mut message = call(request, PROCEDURE);
        message.payload = text(Serializer::Cbor, 90_000);
        net.send(caller, message);
        if let Some(answer) = net.messages(caller).pop() {
            break answer;
        }
    };
    let text = expect_error(&answer, MessageType::Call, request, &uris::UNAVAILABLE);
    assert!(text.ends_with("the limit total_output_size is 1048576"), "{text}");
    net.end(&[caller, callee, other]);
}

#[test]
fn an_invocation_beyond_the_budget_makes_the_callee_unavailable() {
    let mut net = Net::with(small());
    let (caller, callee) = (net.join(), net.join());
    net.register(callee, 1, PROCEDURE);
    let mut request = 0;
    let answer = loop {
        request += 1;
        let mut message = call(request, PROCEDURE);
        message.payload = text(Serializer::Cbor, 900);
        net.send(caller, message);
        if let Some(answer) = net.messages(caller).pop() {
            break answer;
        }
    };
    let text = expect_error(&answer, MessageType::Call, request, &uris::UNAVAILABLE);
    assert!(text.contains("output_size") && text.contains("20000"), "{text}");
    assert!(net.is_joined(callee));
    let invocations = net.messages(callee);
    assert_eq!(invocations.len() as u64, request - 1);
    assert_eq!(net.call(caller, callee, request + 1, PROCEDURE), id(request), "no id was used");
    net.end(&[caller, callee]);
}

#[test]
fn replies_beyond_the_budget_are_kept_and_the_peer_is_not_read() {
    let mut net = Net::with(small());
    let peer = net.join();
    let mut request = 0;
    while net.wants_input(peer) {
        request += 1;
        net.send(peer, publish_with(request, TOPIC, acknowledged()));
    }
    assert!(net.router.stats().queued_bytes > BUDGET);
    assert_eq!(net.router.next_deadline().unwrap().1, Deadline::Stalled);
    net.poll_one(peer).unwrap();
    assert!(net.wants_input(peer), "one drained reply is enough here");
    assert_eq!(net.router.poll_timeout(), None);
    assert_eq!(net.messages(peer).len() as u64, request - 1, "none is lost");
    net.end(&[peer]);
}

#[test]
fn a_peer_that_drains_nothing_for_five_seconds_is_closed() {
    let mut net = Net::with(small());
    let (peer, other) = (net.join(), net.join());
    net.register(peer, 1, PROCEDURE);
    net.call(other, peer, 1, PROCEDURE);
    let mut request = 1;
    while net.wants_input(peer) {
        request += 1;
        net.send(peer, publish_with(request, TOPIC, acknowledged()));
    }
    while net.router.poll_ready().is_some() {}
    net.pass_stepwise(Duration::from_millis(4_999));
    assert!(net.is_joined(peer));
    net.pass_stepwise(Duration::from_millis(1));
    assert!(!net.is_joined(peer));
    expect_error(&net.one(other), MessageType::Call, 1, &uris::CANCELED);
    assert_eq!(net.router.poll_ready(), Some(other));
    assert_eq!(net.router.poll_ready(), Some(peer));
    assert!(net.must_drop(peer));
    let received = net.receive(peer);
    assert_eq!(received.messages, [], "what it does not take is dropped");
    assert_eq!(received.close, Some(CloseReason::Timeout(Deadline::Stalled)));
    assert_eq!(net.router.stats().counters.stalled, 1);
    net.end(&[peer, other]);
}

#[test]
fn a_peer_that_drains_slowly_stays() {
    let mut net = Net::with(small());
    let peer = net.join();
    for request in 1..=600 {
        net.send(peer, publish_with(request, TOPIC, acknowledged()));
    }
    for _ in 0..60 {
        net.pass_stepwise(Duration::from_secs(4));
        assert!(net.poll_one(peer).is_some());
        assert!(net.is_joined(peer));
        assert!(!net.wants_input(peer));
    }
    net.pass_stepwise(Duration::from_secs(10));
    assert!(!net.is_joined(peer));
}

#[test]
fn a_peer_at_four_times_its_budget_is_closed_at_once() {
    let mut net = Net::with(small());
    let (caller, callee) = (net.join(), net.join());
    net.register(callee, 1, PROCEDURE);
    for request in 1..=200 {
        net.call(caller, callee, request, PROCEDURE);
    }
    let mut answered = 0;
    while net.is_joined(caller) {
        answered += 1;
        net.send(callee, yield_(id(answered), text(Serializer::Cbor, 900)));
    }
    let expected = OVERRUN_FACTOR * BUDGET / (900 + MESSAGE_COST);
    assert!((answered as usize).abs_diff(expected) <= 2, "{answered} of about {expected}");
    assert!(net.must_drop(caller));
    assert!(net.is_joined(callee));
    assert_eq!(net.router.stats().calls, 0);
    let interrupts = net.messages(callee);
    assert_eq!(interrupts.len() as u64, 200 - answered, "the callee is told about the others");
    net.end(&[caller, callee]);
}

#[test]
fn one_message_may_be_larger_than_the_budget() {
    let mut net = Net::with(small());
    let (caller, callee) = (net.join(), net.join());
    net.register(callee, 1, PROCEDURE);
    let mut message = call(1, PROCEDURE);
    message.payload = text(Serializer::Cbor, 2 * BUDGET);
    net.send(caller, message);
    assert!(matches!(net.one(callee), Message::Invocation(_)));
    net.send(callee, yield_(id(1), text(Serializer::Cbor, 2 * BUDGET)));
    assert!(matches!(net.one(caller), Message::CallResult(_)));
    net.end(&[caller, callee]);
}

#[test]
fn interrupts_do_not_push_a_slow_callee_over_its_budget() {
    let mut net = Net::with(small());
    let (caller, callee) = (net.join(), net.join());
    net.register(callee, 1, PROCEDURE);
    let mut request = 0;
    loop {
        request += 1;
        net.send(caller, call(request, PROCEDURE));
        if !net.messages(caller).is_empty() {
            break;
        }
    }
    for request in 1..request {
        net.send(caller, cancel(request, Some(CancelMode::Kill)));
    }
    let answers = net.messages(caller);
    assert_eq!(answers.len() as u64, request - 1, "a callee that takes nothing cannot be waited for");
    assert!(net.wants_input(callee));
    assert!(net.router.stats().queued_bytes <= BUDGET);
    net.end(&[caller, callee]);
}

#[test]
fn an_aborted_peer_that_takes_nothing_is_dropped_after_five_seconds() {
    let mut net = Net::new();
    let peer = net.join();
    net.send(peer, hello(all_roles()));
    assert!(!net.is_dropped(peer));
    net.pass_stepwise(Duration::from_secs(5));
    assert!(net.is_dropped(peer));
    let received = net.receive(peer);
    assert!(matches!(received.close, Some(CloseReason::PeerViolation(_))), "{received:?}");
    net.end(&[peer]);
}

#[test]
fn an_aborted_peer_that_takes_too_long_is_dropped_after_five_seconds() {
    let mut net = Net::new();
    let peer = net.join();
    for request in 1..100 {
        net.send(peer, publish_with(request, TOPIC, acknowledged()));
    }
    net.send(peer, hello(all_roles()));
    for _ in 0..4 {
        net.pass_stepwise(Duration::from_secs(1));
        assert!(net.poll_one(peer).is_some());
        assert!(!net.must_drop(peer));
    }
    net.pass_stepwise(Duration::from_secs(1));
    assert!(net.must_drop(peer));
    assert!(matches!(net.receive(peer).close, Some(CloseReason::PeerViolation(_))));
    net.end(&[peer]);
}

#[test]
fn peers_with_output_are_named_once() {
    let mut net = Net::new();
    let (publisher, a, b) = (net.join(), net.join(), net.join());
    net.subscribe(a, 1, TOPIC);
    net.subscribe(b, 1, TOPIC);
    while net.router.poll_ready().is_some() {}
    for request in 1..=3 {
        net.send(publisher, publish(request, TOPIC));
    }
    assert_eq!(net.router.poll_ready(), Some(a));
    assert_eq!(net.router.poll_ready(), Some(b));
    assert_eq!(net.router.poll_ready(), None);
    net.send(publisher, publish(4, TOPIC));
    assert_eq!(net.router.poll_ready(), Some(a));
    net.detach(b);
    assert_eq!(net.router.poll_ready(), None, "those that are gone are not named");
}

#[test]
fn messages_that_wait_long_come_out_as_they_went_in() {
    let mut net = Net::new();
    let (publisher, slow) = (net.join(), net.join());
    net.subscribe(slow, 1, TOPIC);
    for request in 1..=200 {
        let mut message = publish(request, TOPIC);
        if request.is_multiple_of(50) {
            message.payload = text(Serializer::Cbor, 30_000);
        }
        net.send(publisher, message);
    }
    for (index, message) in net.messages(slow).into_iter().enumerate() {
        let Message::Event(event) = message else { panic!() };
        let request = index as u64 + 1;
        if request.is_multiple_of(50) {
            assert_eq!(event.payload, text(Serializer::Cbor, 30_000));
        } else {
            assert_eq!(event.payload, number(request));
        }
    }
}

use std::time::Duration;

use roadbed_core::error::{CloseReason, Deadline, uris};
use roadbed_core::message::Message;

use crate::net::*;

#[test]
fn shutdown_says_goodbye_to_all_and_waits_for_their_answers() {
    let mut net = Net::new();
    let (polite, silent, outside) = (net.join(), net.join(), net.attach());
    net.register(polite, 1, "com.example.p");
    net.router.shutdown(net.now, net.now + Duration::from_secs(2));
    for peer in [polite, silent] {
        let Message::Goodbye(goodbye) = net.one(peer) else { panic!() };
        assert_eq!(goodbye.reason, uris::SYSTEM_SHUTDOWN);
        assert!(!net.is_joined(peer));
    }
    assert_eq!(net.router.stats().registrations, 0);
    let received = net.receive(outside);
    assert!(
        matches!(&received.messages[..], [Message::Abort(abort)] if abort.reason == uris::SYSTEM_SHUTDOWN)
    );
    assert!(received.close.is_some());

    net.send(polite, goodbye("wamp.close.goodbye_and_out"));
    let received = net.receive(polite);
    assert_eq!(received.messages, []);
    assert!(matches!(received.close, Some(CloseReason::Goodbye { by_peer: false, .. })));

    net.pass_stepwise(Duration::from_secs(2));
    let received = net.receive(silent);
    assert_eq!(received.close, Some(CloseReason::Timeout(Deadline::Goodbye)));
    assert!(net.must_drop(silent));
    net.end(&[polite, silent, outside]);
}

#[test]
fn nobody_gets_in_after_shutdown() {
    let mut net = Net::new();
    net.router.shutdown(net.now, net.now);
    let peer = net.attach();
    let received = net.receive(peer);
    assert!(
        matches!(&received.messages[..], [Message::Abort(abort)] if abort.reason == uris::SYSTEM_SHUTDOWN)
    );
    net.send(peer, hello(all_roles()));
    assert!(net.receive(peer).messages.is_empty());
    net.end(&[peer]);
}

#[test]
fn crossing_goodbyes_acknowledge_each_other() {
    let mut net = Net::new();
    let peer = net.join();
    net.kill(peer, &uris::KILLED, "bye");
    net.send(peer, goodbye("wamp.close.normal"));
    let received = net.receive(peer);
    assert!(matches!(&received.messages[..], [Message::Goodbye(goodbye)] if goodbye.reason == uris::KILLED));
    assert!(matches!(received.close, Some(CloseReason::Goodbye { reason, .. }) if reason == uris::KILLED));
}

#[test]
fn after_our_goodbye_everything_but_goodbye_and_abort_is_ignored() {
    let mut net = Net::new();
    let (peer, other) = (net.join(), net.join());
    net.subscribe(other, 1, "com.example.t");
    net.kill(peer, &uris::KILLED, "bye");
    net.send(peer, publish_with(1, "com.example.t", acknowledged()));
    net.send(peer, hello(all_roles()));
    net.silent(other);
    assert!(matches!(net.one(peer), Message::Goodbye(_)));
    net.end(&[peer, other]);
}

#[test]
fn a_killed_session_is_gone_at_once() {
    let mut net = Net::new();
    let (caller, callee) = (net.join(), net.join());
    net.register(callee, 1, "com.example.p");
    net.call(caller, callee, 1, "com.example.p");
    net.kill(callee, &uris::KILLED, "bye");
    net.router.check_invariants().unwrap();
    expect_error(&net.one(caller), roadbed_core::message::MessageType::Call, 1, &uris::CANCELED);
    net.end(&[caller, callee]);
}

#[test]
fn a_second_shutdown_may_be_more_urgent() {
    let mut net = Net::new();
    let peer = net.join();
    net.router.shutdown(net.now, net.now + Duration::from_secs(60));
    net.one(peer);
    net.router.shutdown(net.now, net.now + Duration::from_secs(1));
    net.silent(peer);
    net.pass_stepwise(Duration::from_secs(1));
    assert_eq!(net.receive(peer).close, Some(CloseReason::Timeout(Deadline::Goodbye)));
    net.end(&[peer]);
}

#[test]
fn a_later_deadline_gives_nobody_more_time() {
    let mut net = Net::new();
    let peer = net.join();
    net.router.shutdown(net.now, net.now + Duration::from_secs(1));
    net.router.shutdown(net.now, net.now + Duration::from_secs(60));
    net.pass_stepwise(Duration::from_secs(1));
    assert!(net.must_drop(peer));
    net.end(&[peer]);
}

#[test]
fn shutdown_waits_no_longer_for_those_that_were_leaving_already() {
    let mut net = Net::new();
    let (killed, aborted) = (net.join(), net.join());
    net.kill(killed, &uris::KILLED, "bye");
    net.send(aborted, hello(all_roles()));
    net.router.shutdown(net.now, net.now + Duration::from_secs(1));
    net.pass_stepwise(Duration::from_millis(999));
    assert!(!net.is_dropped(killed) && !net.is_dropped(aborted));
    net.pass_stepwise(Duration::from_millis(1));
    assert!(net.is_dropped(killed));
    net.end(&[killed, aborted]);
}

#[test]
fn a_transport_between_two_sessions_is_closed_without_abort() {
    let mut net = Net::new();
    let (one, other) = (net.join(), net.join());
    for peer in [one, other] {
        net.send(peer, goodbye("wamp.close.normal"));
        assert!(matches!(net.one(peer), Message::Goodbye(_)));
    }
    net.router.shutdown(net.now, net.now + Duration::from_secs(1));
    for peer in [one, other] {
        let received = net.receive(peer);
        assert_eq!((received.messages, received.close), (vec![], Some(CloseReason::Local)));
    }
    assert_eq!(net.router.stats().counters.refused, 0);
    net.end(&[one, other]);
}

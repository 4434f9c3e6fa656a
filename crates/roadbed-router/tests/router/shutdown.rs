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
        assert!(!net.router.is_joined(peer));
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
    assert!(net.router.must_drop(silent));
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
    net.silent(peer);
    net.end(&[peer]);
}

#[test]
fn crossing_goodbyes_acknowledge_each_other() {
    let mut net = Net::new();
    let peer = net.join();
    net.router.kill(net.now, peer, &uris::KILLED, "bye");
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
    net.router.kill(net.now, peer, &uris::KILLED, "bye");
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
    net.router.kill(net.now, callee, &uris::KILLED, "bye");
    net.router.check_invariants().unwrap();
    expect_error(&net.one(caller), roadbed_core::message::MessageType::Call, 1, &uris::CANCELED);
    net.end(&[caller, callee]);
}

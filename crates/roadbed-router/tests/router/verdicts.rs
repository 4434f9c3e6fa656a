//! Verdicts that hold for whole roles: nobody is asked twice, until they are forgotten.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use roadbed_core::error::uris;
use roadbed_core::limits::Limits;
use roadbed_core::message::{Message, MessageType};
use roadbed_router::{Access, Authentication, Authorization, RouterConfig, TicketTable, Verdict};

use crate::net::*;

/// An authorizer that counts how often it is asked, and says what holds for the whole role.
fn counting(verdict: Verdict) -> (RouterConfig, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&count);
    let authorizer = move |_: &Access<'_>| {
        asked.fetch_add(1, Ordering::Relaxed);
        Authorization::from(verdict.clone().for_role())
    };
    (config().authorizer(authorizer), count)
}

#[test]
fn what_holds_for_a_role_is_asked_once() {
    let (config, count) = counting(Verdict::allow());
    let mut net = Net::with(config.limits(Limits::default().kept_verdicts(3)));
    let peers = [net.join(), net.join()];
    let asked = |net: &mut Net, peer, message: Message| {
        let before = count.load(Ordering::Relaxed);
        net.send(peer, message);
        net.messages(peer);
        count.load(Ordering::Relaxed) - before
    };
    for (peer, expected) in [(peers[0], 1), (peers[0], 0), (peers[1], 0)] {
        assert_eq!(asked(&mut net, peer, publish(1, "com.example.t").into()), expected);
    }
    // Another verb, another URI.
    assert_eq!(asked(&mut net, peers[0], subscribe(1, "com.example.t").into()), 1);
    assert_eq!(asked(&mut net, peers[0], publish(1, "com.example.u").into()), 1);
    assert_eq!(asked(&mut net, peers[0], publish(1, "com.example.t").into()), 0);
    // There is room for three: the oldest goes.
    assert_eq!(asked(&mut net, peers[0], publish(1, "com.example.v").into()), 1);
    assert_eq!(asked(&mut net, peers[0], subscribe(1, "com.example.t").into()), 0);
    assert_eq!(asked(&mut net, peers[0], publish(1, "com.example.t").into()), 1);
    net.router.forget_verdicts();
    assert_eq!(asked(&mut net, peers[0], publish(1, "com.example.t").into()), 1);
    assert_eq!(asked(&mut net, peers[1], publish(1, "com.example.t").into()), 0);
    net.end(&peers);

    let (config, count) = counting(Verdict::deny());
    let mut net = Net::with(config.limits(Limits::default().kept_verdicts(0)));
    let peer = net.join();
    for request in 1..=3 {
        let answer = net.ask(peer, call(request, "com.example.p"));
        expect_error(&answer, MessageType::Call, request, &uris::NOT_AUTHORIZED);
    }
    assert_eq!(count.load(Ordering::Relaxed), 3);
    net.end(&[peer]);
}

#[test]
fn another_role_is_another_question() {
    let table = TicketTable::new().principal("ann", "secret", "admin").principal("joe", "secret", "user");
    let authorizer = |access: &Access<'_>| {
        let is_admin = access.session.authrole == "admin";
        Authorization::from(if is_admin { Verdict::allow() } else { Verdict::deny() }.for_role())
    };
    let authentication = Authentication::new().ticket(table);
    let mut net = Net::with(RouterConfig::new().realm(uri(REALM), authentication).authorizer(authorizer));
    for (name, is_allowed) in [("ann", true), ("joe", false), ("ann", true), ("joe", false)] {
        let peer = net.attach();
        net.send(peer, hello_with(&["ticket"], Some(name)));
        assert!(matches!(net.one(peer), Message::Challenge(_)));
        assert!(matches!(net.ask(peer, authenticate("secret")), Message::Welcome(_)));
        let answer = net.ask(peer, subscribe(1, "com.example.t"));
        assert_eq!(matches!(answer, Message::Subscribed(_)), is_allowed, "{name}");
        net.detach(peer);
    }
}

#[test]
fn the_driver_can_decide_for_a_role_too() {
    let mut net = Net::with(guarded());
    let peers = [net.join(), net.join()];
    let publish = |request| publish_with(request, "com.example.asked", acknowledged());
    net.send(peers[0], publish(1));
    // It waits, and so it profits.
    net.send(peers[0], publish(2));
    let question = net.question();
    net.decide(&question, Verdict::allow().for_role());
    assert_eq!(net.messages(peers[0]).len(), 2);
    assert!(matches!(net.ask(peers[1], publish(1)), Message::Published(_)));
    assert_eq!(net.questions().len(), 0);
    // What was asked before the change does not hold after it.
    net.send(peers[0], call(3, "com.example.asked"));
    let question = net.question();
    net.router.forget_verdicts();
    net.decide(&question, Verdict::deny().for_role());
    net.one(peers[0]);
    for (peer, message) in [(peers[0], call(4, "com.example.asked").into()), (peers[1], publish(2).into())] {
        let message: Message = message;
        net.send(peer, message);
        net.question();
    }
    net.end(&peers);
}

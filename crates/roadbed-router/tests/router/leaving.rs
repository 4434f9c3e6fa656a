//! Callers and callees that leave in the middle of a call, in every way there is.

use roadbed_core::error::{CloseReason, uris};
use roadbed_core::message::{Abort, Message, MessageType, Sparse};
use roadbed_core::options::CancelMode;
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_router::PeerId;

use crate::net::*;

const PROCEDURE: &str = "com.example.p";

/// Every way to end a session.
const WAYS: [fn(&mut Net, PeerId); 5] = [
    |net, peer| net.detach(peer),
    |net, peer| {
        net.send(peer, goodbye("wamp.close.normal"));
        net.messages(peer);
    },
    |net, peer| {
        let reason = uri("com.example.bye");
        net.send(peer, Abort { details: Sparse::EMPTY, reason, payload: Payload::EMPTY });
    },
    |net, peer| net.send(peer, hello(all_roles())),
    |net, peer| {
        net.kill(peer, &uris::KILLED, "bye");
        net.router.check_invariants().unwrap();
    },
];

/// A caller and a callee, with a registration.
fn pair(is_interruptible: bool) -> (Net, PeerId, PeerId) {
    let mut net = Net::new();
    let roles = if is_interruptible { all_roles() } else { plain_roles() };
    let (caller, callee) = (net.join(), net.join_as(roles, Serializer::Cbor, 1 << 20));
    net.register(callee, 1, PROCEDURE);
    (net, caller, callee)
}

#[test]
fn caller_leaves_and_the_callee_is_interrupted() {
    for leave in WAYS {
        let (mut net, caller, callee) = pair(true);
        let invocation = net.call(caller, callee, 1, PROCEDURE);
        leave(&mut net, caller);
        let Message::Interrupt(interrupt) = net.one(callee) else { panic!() };
        assert_eq!((interrupt.request, interrupt.options.mode), (invocation, Some(CancelMode::KillNoWait)));
        net.send(callee, yield_(invocation, number(1)));
        net.silent(callee);
        assert!(net.is_joined(callee), "a late answer does not hurt the callee");
        net.end(&[caller, callee]);
    }
}

#[test]
fn caller_leaves_a_callee_that_cannot_be_interrupted() {
    for leave in WAYS {
        let (mut net, caller, callee) = pair(false);
        let invocation = net.call(caller, callee, 1, PROCEDURE);
        leave(&mut net, caller);
        net.silent(callee);
        net.send(callee, invocation_error(invocation, "com.example.error", number(1)));
        net.silent(callee);
        net.end(&[caller, callee]);
    }
}

#[test]
fn caller_leaves_before_the_invocation_was_pulled() {
    let (mut net, caller, callee) = pair(true);
    net.send(caller, call(1, PROCEDURE));
    net.detach(caller);
    let messages = net.messages(callee);
    assert!(matches!(messages[..], [Message::Invocation(_), Message::Interrupt(_)]), "{messages:?}");
    net.send(callee, yield_(id(1), number(1)));
    net.end(&[callee]);
}

#[test]
fn caller_leaves_after_cancel() {
    for mode in [CancelMode::Skip, CancelMode::Kill, CancelMode::KillNoWait] {
        let (mut net, caller, callee) = pair(true);
        let invocation = net.call(caller, callee, 1, PROCEDURE);
        net.send(caller, cancel(1, Some(mode)));
        net.messages(callee);
        net.detach(caller);
        net.silent(callee);
        net.send(callee, yield_(invocation, number(1)));
        assert!(net.is_joined(callee));
        net.end(&[callee]);
    }
}

#[test]
fn caller_leaves_after_the_result() {
    let (mut net, caller, callee) = pair(true);
    let invocation = net.call(caller, callee, 1, PROCEDURE);
    net.send(callee, yield_(invocation, number(1)));
    net.detach(caller);
    net.silent(callee);
    net.end(&[callee]);
}

#[test]
fn callee_leaves_and_every_caller_is_told() {
    for leave in WAYS {
        let (mut net, a, callee) = pair(true);
        let b = net.join();
        net.call(a, callee, 1, PROCEDURE);
        net.call(b, callee, 1, PROCEDURE);
        net.call(a, callee, 2, PROCEDURE);
        leave(&mut net, callee);
        let messages = net.messages(a);
        assert_eq!(messages.len(), 2);
        for (message, request) in messages.iter().zip([1, 2]) {
            let text = expect_error(message, MessageType::Call, request, &uris::CANCELED);
            assert_eq!(text, "the callee left");
        }
        expect_error(&net.one(b), MessageType::Call, 1, &uris::CANCELED);
        expect_error(&net.ask(a, call(3, PROCEDURE)), MessageType::Call, 3, &uris::NO_SUCH_PROCEDURE);
        net.end(&[a, b, callee]);
    }
}

#[test]
fn callee_leaves_while_a_kill_is_awaited() {
    let (mut net, caller, callee) = pair(true);
    net.call(caller, callee, 1, PROCEDURE);
    net.send(caller, cancel(1, Some(CancelMode::Kill)));
    net.silent(caller);
    net.detach(callee);
    expect_error(&net.one(caller), MessageType::Call, 1, &uris::CANCELED);
    net.end(&[caller]);
}

#[test]
fn callee_leaves_after_unregister() {
    let (mut net, caller, callee) = pair(true);
    net.call(caller, callee, 1, PROCEDURE);
    let registration = roadbed_core::id::RegistrationId::new(1).unwrap();
    net.ask(callee, unregister(2, registration));
    net.detach(callee);
    expect_error(&net.one(caller), MessageType::Call, 1, &uris::CANCELED);
    net.end(&[caller]);
}

#[test]
fn a_session_that_calls_itself_leaves() {
    for leave in WAYS {
        let mut net = Net::new();
        let peer = net.join();
        net.register(peer, 1, PROCEDURE);
        net.call(peer, peer, 2, PROCEDURE);
        leave(&mut net, peer);
        assert_eq!(net.router.stats().calls, 0);
        net.end(&[peer]);
    }
}

#[test]
fn a_procedure_is_free_at_once_when_its_callee_is_gone() {
    for leave in WAYS {
        let (mut net, other, callee) = pair(true);
        leave(&mut net, callee);
        net.register(other, 1, PROCEDURE);
        net.end(&[other, callee]);
    }
}

#[test]
fn a_subscriber_that_leaves_gets_nothing_more() {
    for leave in WAYS {
        let mut net = Net::new();
        let (publisher, subscriber) = (net.join(), net.join());
        net.subscribe(subscriber, 1, "com.example.t");
        leave(&mut net, subscriber);
        net.receive(subscriber);
        net.send(publisher, publish(1, "com.example.t"));
        assert_eq!(net.receive(subscriber).messages, []);
        assert_eq!(net.router.stats().subscriptions, 0);
        net.end(&[publisher, subscriber]);
    }
}

#[test]
fn invocation_ids_start_anew_after_rejoining() {
    let (mut net, caller, callee) = pair(true);
    net.call(caller, callee, 1, PROCEDURE);
    net.ask(callee, goodbye("wamp.close.normal"));
    net.messages(caller);
    net.welcome(callee, hello(all_roles()));
    net.register(callee, 1, PROCEDURE);
    assert_eq!(net.call(caller, callee, 2, PROCEDURE), id(1));
    net.end(&[caller, callee]);
}

#[test]
fn the_reason_of_the_end_is_told_to_the_driver() {
    let (mut net, caller, callee) = pair(true);
    net.events();
    net.ask(caller, goodbye("wamp.close.normal"));
    net.detach(callee);
    let reasons: Vec<CloseReason> = net
        .events()
        .into_iter()
        .map(|event| match event {
            roadbed_router::RouterEvent::Left { reason, .. } => reason,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(
        matches!(&reasons[..], [CloseReason::Goodbye { by_peer: true, .. }, CloseReason::Eof]),
        "{reasons:?}"
    );
}

#[test]
fn what_a_peer_says_at_its_end_is_cut_before_it_is_told() {
    let (mut net, caller, callee) = pair(true);
    net.events();
    let said = "é".repeat(1_000);
    let mut farewell = goodbye("wamp.close.normal");
    farewell.details.message = Some(said.as_str().into());
    net.ask(caller, farewell);
    let mut abort = Abort { details: Sparse::EMPTY, reason: uri("x.y"), payload: Payload::EMPTY };
    abort.details.message = Some(said.as_str().into());
    net.send(callee, abort);
    let ends: Vec<_> = net.events();
    assert_eq!(ends.len(), 2);
    for event in ends {
        let roadbed_router::RouterEvent::Left { reason, .. } = event else { panic!() };
        let (CloseReason::Goodbye { message, .. } | CloseReason::Abort { message, .. }) = reason else {
            panic!()
        };
        assert_eq!(message.as_deref(), Some("é".repeat(256).as_str()));
    }
    net.end(&[caller, callee]);
}

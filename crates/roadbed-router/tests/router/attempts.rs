//! HELLO after HELLO, and what crosses a GOODBYE.

use std::time::Duration;

use roadbed_core::error::{CloseReason, Deadline, uris};
use roadbed_core::id::PublicationId;
use roadbed_core::limits::Limits;
use roadbed_core::message::{EventReceived, Hello, Message, MessageType};
use roadbed_core::options::CancelMode;
use roadbed_core::serializer::Serializer;
use roadbed_router::{Authentication, PeerId, RouterConfig, RouterEvent, TicketTable};

use crate::net::*;

fn elsewhere() -> Hello {
    let mut hello = hello(all_roles());
    hello.realm = Some(uri("elsewhere"));
    hello
}

#[track_caller]
fn turned_away(net: &mut Net, peer: PeerId, reason: &roadbed_core::uri::Uri) {
    let Message::Abort(abort) = net.one(peer) else { panic!() };
    assert_eq!(abort.reason, *reason);
}

#[test]
fn who_was_refused_may_say_hello_again() {
    let mut net = Net::new();
    let peer = net.attach();
    net.send(peer, elsewhere());
    turned_away(&mut net, peer, &uris::NO_SUCH_REALM);
    net.pass(Duration::from_millis(4_999));
    net.welcome(peer, hello(all_roles()));
    net.subscribe(peer, 1, "com.example.t");
    net.end(&[peer]);
}

#[test]
fn every_refusal_that_breaks_no_rule_leaves_the_transport_open() {
    let table = TicketTable::new().principal("joe", "secret!!!", "user");
    let config = RouterConfig::new().realm(uri(REALM), Authentication::new().ticket(table));
    let mut malformed = hello(all_roles());
    malformed.realm = Some(uri("a b"));
    let mut long = hello_with(&["ticket"], Some("joe"));
    long.details.authid = Some("x".repeat(1_025).into());
    let rows = [
        (elsewhere(), &uris::NO_SUCH_REALM),
        (malformed, &uris::INVALID_URI),
        (hello(all_roles()), &uris::AUTHENTICATION_REQUIRED),
        (hello_with(&["wampcra"], Some("joe")), &uris::NO_MATCHING_AUTH_METHOD),
        (long, &uris::INVALID_ARGUMENT),
    ];
    for (hello, reason) in rows {
        let mut net = Net::with(config.clone());
        let peer = net.attach();
        net.send(peer, hello);
        turned_away(&mut net, peer, reason);
        assert!(matches!(net.ask(peer, hello_with(&["ticket"], Some("joe"))), Message::Challenge(_)));
        net.send(peer, authenticate("wrong"));
        turned_away(&mut net, peer, &uris::AUTHENTICATION_DENIED);
        assert!(matches!(net.ask(peer, hello_with(&["ticket"], Some("joe"))), Message::Challenge(_)));
        assert!(matches!(net.ask(peer, authenticate("secret!!!")), Message::Welcome(_)));
        net.end(&[peer]);
    }
}

#[test]
fn the_third_refusal_closes() {
    let mut net = Net::new();
    let peer = net.attach();
    for _ in 0..2 {
        net.send(peer, elsewhere());
        turned_away(&mut net, peer, &uris::NO_SUCH_REALM);
    }
    net.send(peer, elsewhere());
    let received = net.receive(peer);
    assert!(matches!(received.messages[..], [Message::Abort(_)]), "{received:?}");
    assert_eq!(received.close, Some(CloseReason::Local));
    assert_eq!(net.router.stats().counters.refused, 3);
    let refused = net.events().into_iter().filter(|event| matches!(event, RouterEvent::Refused { .. }));
    assert_eq!(refused.count(), 3);
    net.end(&[peer]);
}

#[test]
fn a_session_between_refusals_gives_no_attempt_back() {
    let mut net = Net::with(config().limits(Limits::default().join_attempts(2)));
    let peer = net.attach();
    net.send(peer, elsewhere());
    net.one(peer);
    net.welcome(peer, hello(all_roles()));
    net.ask(peer, goodbye("wamp.close.normal"));
    net.send(peer, elsewhere());
    assert!(net.receive(peer).close.is_some());
    net.end(&[peer]);
}

#[test]
fn whoever_does_not_try_again_is_closed_after_5_seconds() {
    let mut net = Net::new();
    let peer = net.attach();
    net.send(peer, elsewhere());
    net.one(peer);
    net.pass_stepwise(Duration::from_millis(4_999));
    net.silent(peer);
    net.pass_stepwise(Duration::from_millis(1));
    let received = net.receive(peer);
    assert_eq!(received.messages, []);
    assert_eq!(received.close, Some(CloseReason::Timeout(Deadline::Rejoin)));
    net.end(&[peer]);
}

#[test]
fn violations_and_a_shutdown_close_at_once() {
    let mut net = Net::new();
    let peer = net.attach();
    net.send(peer, elsewhere());
    net.one(peer);
    // There was no session that it could have left.
    net.send(peer, yield_(id(1), number(1)));
    assert!(net.receive(peer).close.is_some());
    let roleless = net.attach();
    net.send(roleless, hello(roadbed_core::role::Roles::NONE));
    assert!(net.receive(roleless).close.is_some());
    let waiting = net.attach();
    net.send(waiting, elsewhere());
    net.one(waiting);
    net.router.shutdown(net.now, net.now + Duration::from_secs(1));
    let received = net.receive(waiting);
    assert!(received.messages.is_empty() && received.close.is_some(), "{received:?}");
    net.end(&[peer, roleless, waiting]);
}

/// A callee with an invocation under way, which has just said GOODBYE.
fn just_left() -> (Net, PeerId, PeerId) {
    let mut net = Net::new().in_json();
    let (caller, callee) = (net.join(), net.join());
    net.register(callee, 1, "com.example.p");
    net.call(caller, callee, 1, "com.example.p");
    assert!(matches!(net.ask(callee, goodbye("wamp.close.normal")), Message::Goodbye(_)));
    expect_error(&net.one(caller), MessageType::Call, 1, &uris::CANCELED);
    (net, caller, callee)
}

#[test]
fn answers_and_cancels_that_cross_ones_own_goodbye_are_counted() {
    let (mut net, caller, callee) = just_left();
    net.send(callee, yield_(id(1), number(1)));
    net.send(callee, invocation_error(id(1), "com.example.no", number(1)));
    net.send(callee, cancel(7, Some(CancelMode::Kill)));
    net.send(callee, EventReceived { publication: PublicationId::MIN });
    net.send_text(callee, r#"[70,1,{"progress":7}]"#);
    net.silent(callee);
    net.silent(caller);
    let counters = net.router.stats().counters;
    assert_eq!((counters.late_answers, counters.late_cancels, counters.ignored_messages), (3, 1, 1));
    assert_eq!(counters.violations, 0);
    // However large they are.
    net.send(callee, yield_(id(1), text(Serializer::Json, 100_000)));
    assert_eq!(net.router.stats().counters.late_answers, 4);
    net.welcome(callee, hello(all_roles()));
    net.end(&[caller, callee]);
}

#[test]
fn requests_do_not_cross_ones_own_goodbye() {
    let requests: [fn() -> Message; 3] = [
        || call(2, "com.example.p").into(),
        || subscribe(2, "com.example.t").into(),
        || goodbye("wamp.close.goodbye_and_out").into(),
    ];
    for request in requests {
        let (mut net, caller, callee) = just_left();
        net.send(callee, request());
        let received = net.receive(callee);
        assert!(
            matches!(&received.messages[..], [Message::Abort(abort)] if abort.reason == uris::PROTOCOL_VIOLATION)
        );
        net.end(&[caller, callee]);
    }
}

#[test]
fn what_is_read_from_a_peer_grows_with_what_is_known_of_it() {
    let limits = Limits::default();
    let table = TicketTable::new().principal("joe", "secret!!!", "user");
    let mut net = Net::with(RouterConfig::new().realm(uri(REALM), Authentication::new().ticket(table)));
    let refuses = |net: &mut Net, stage: usize, size: usize| {
        let peer = net.attach();
        if stage > 0 {
            net.ask(peer, hello_with(&["ticket"], Some("joe")));
        }
        if stage > 1 {
            net.ask(peer, authenticate("secret!!!"));
        }
        if stage > 2 {
            net.kill(peer, &uris::KILLED, "");
            net.one(peer);
        }
        // A message of an unknown type, which is ignored.
        let mut message = vec![0x82, 0x19, 0x03, 0xE7, 0x5A];
        message.extend_from_slice(&u32::try_from(size - 9).unwrap().to_be_bytes());
        message.resize(size, 0);
        net.send_bytes(peer, message.into());
        let is_refused = net.receive(peer).close.is_some();
        net.detach(peer);
        is_refused
    };
    let sizes = [
        limits.handshake_message_size,
        limits.authentication_message_size,
        limits.message_size,
        limits.message_size, // What crosses may be large.
    ];
    for (stage, size) in sizes.into_iter().enumerate() {
        assert!(!refuses(&mut net, stage, size), "{stage}");
        // What a killed session sends is not even looked at.
        assert_eq!(refuses(&mut net, stage, size + 1), stage < 3, "{stage}");
    }
}

use std::time::Duration;

use roadbed_core::error::uris;
use roadbed_core::message::Message;
use roadbed_core::serializer::Serializer;
use roadbed_core::transport::TransportDetails;
use roadbed_router::{Authentication, PeerId, RouterConfig, TicketTable};

use crate::net::*;

fn ticket_config() -> RouterConfig {
    let table = TicketTable::new().principal("joe", "secret!!!", "user").principal("ann", "", "admin");
    RouterConfig::new().realm(uri(REALM), Authentication::new().ticket(table).anonymous("guest"))
}

fn challenge(net: &mut Net, authid: &str) -> PeerId {
    let peer = net.attach();
    match net.ask(peer, hello_with(&["ticket"], Some(authid))) {
        Message::Challenge(challenge) => assert_eq!(&*challenge.method, "ticket"),
        other => panic!("{other:?}"),
    }
    peer
}

#[track_caller]
fn denied(net: &mut Net, peer: PeerId, ticket: &str) -> String {
    net.send(peer, authenticate(ticket));
    let received = net.receive(peer);
    let [Message::Abort(abort)] = &received.messages[..] else { panic!("{received:?}") };
    assert_eq!(abort.reason, uris::AUTHENTICATION_DENIED);
    assert_eq!(received.close, None, "it may try again");
    abort.details.message.clone().unwrap().to_string()
}

#[test]
fn the_right_ticket_lets_in_with_the_role_of_the_table() {
    let mut net = Net::with(ticket_config());
    let peer = challenge(&mut net, "joe");
    let Message::Welcome(welcome) = net.ask(peer, authenticate("secret!!!")) else { panic!() };
    assert_eq!(welcome.details.authid.as_deref(), Some("joe"));
    assert_eq!(welcome.details.authrole.as_deref(), Some("user"));
    assert_eq!(welcome.details.authmethod.as_deref(), Some("ticket"));
    net.end(&[peer]);
}

#[test]
fn a_wrong_ticket_and_an_unknown_authid_look_the_same() {
    let mut net = Net::with(ticket_config());
    let wrong = challenge(&mut net, "joe");
    let wrong = denied(&mut net, wrong, "guess");
    let unknown = challenge(&mut net, "nobody");
    assert_eq!(denied(&mut net, unknown, "secret!!!"), wrong);
}

#[test]
fn an_unknown_authid_does_not_get_in_with_an_empty_ticket() {
    let mut net = Net::with(ticket_config());
    let peer = challenge(&mut net, "nobody");
    denied(&mut net, peer, "");
}

#[test]
fn a_ticket_is_not_taken_over_a_readable_transport() {
    let mut net = Net::with(ticket_config());
    let peer = net.attach_with(Serializer::Json, 1 << 20, TransportDetails::tcp("192.0.2.1:5", false));
    net.send(peer, hello_with(&["ticket"], Some("joe")));
    let received = net.receive(peer);
    let [Message::Abort(abort)] = &received.messages[..] else { panic!("{received:?}") };
    assert_eq!(abort.reason, uris::NO_MATCHING_AUTH_METHOD);
    assert!(abort.details.message.as_ref().unwrap().contains("others can read"));
}

#[test]
fn a_ticket_over_loopback_or_by_permission_is_taken() {
    for (config, is_loopback) in
        [(ticket_config(), true), (ticket_config().allow_insecure_ticket(true), false)]
    {
        let mut net = Net::with(config);
        let details = TransportDetails::tcp("192.0.2.1:5", is_loopback);
        let peer = net.attach_with(Serializer::Json, 1 << 20, details);
        assert!(matches!(net.ask(peer, hello_with(&["ticket"], Some("joe"))), Message::Challenge(_)));
    }
}

#[test]
fn a_client_with_several_methods_falls_back() {
    let mut net = Net::with(ticket_config());
    let peer = net.attach_with(Serializer::Json, 1 << 20, TransportDetails::tcp("192.0.2.1:5", false));
    let welcome = net.welcome(peer, hello_with(&["ticket", "anonymous"], Some("joe")));
    assert_eq!(welcome.details.authmethod.as_deref(), Some("anonymous"));
    assert_ne!(welcome.details.authid.as_deref(), Some("joe"), "an anonymous client chooses no name");
}

#[test]
fn a_ticket_needs_an_authid() {
    let mut net = Net::with(ticket_config());
    let peer = net.attach();
    net.send(peer, hello_with(&["ticket"], None));
    let received = net.receive(peer);
    assert!(
        matches!(&received.messages[..], [Message::Abort(abort)] if abort.reason == uris::NO_MATCHING_AUTH_METHOD)
    );
}

#[test]
fn authenticate_is_heard_once() {
    let mut net = Net::with(ticket_config());
    let peer = challenge(&mut net, "joe");
    net.ask(peer, authenticate("secret!!!"));
    net.send(peer, authenticate("secret!!!"));
    let received = net.receive(peer);
    assert!(
        matches!(&received.messages[..], [Message::Abort(abort)] if abort.reason == uris::PROTOCOL_VIOLATION)
    );
    assert!(!net.is_joined(peer));
}

#[test]
fn nothing_but_authenticate_is_heard_while_challenged() {
    let mut net = Net::with(ticket_config());
    let peer = challenge(&mut net, "joe");
    net.send(peer, subscribe(1, "com.example.t"));
    let received = net.receive(peer);
    assert!(
        matches!(&received.messages[..], [Message::Abort(abort)] if abort.reason == uris::PROTOCOL_VIOLATION)
    );
}

#[test]
fn an_unanswered_challenge_ends_within_the_peers_five_seconds() {
    let mut net = Net::with(ticket_config());
    let peer = net.attach();
    net.pass_stepwise(Duration::from_secs(3));
    net.ask(peer, hello_with(&["ticket"], Some("joe")));
    net.pass_stepwise(Duration::from_millis(1_999));
    net.silent(peer);
    net.pass_stepwise(Duration::from_millis(1));
    assert!(net.receive(peer).close.is_some());
    net.end(&[peer]);
}

#[test]
fn tickets_do_not_show_in_debug_output() {
    assert!(!format!("{:?}", ticket_config()).contains("secret"));
}

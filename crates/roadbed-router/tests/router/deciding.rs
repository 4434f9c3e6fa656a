//! Dynamic authentication: the driver decides.

use std::time::Duration;

use roadbed_core::error::{CloseReason, Deadline, uris};
use roadbed_core::message::{Message, RawDict};
use roadbed_router::{
    Authentication, AuthenticationRequest, Grant, NotAwaited, PeerId, RouterConfig, RouterEvent,
};

use crate::net::*;

fn net() -> Net {
    Net::with(RouterConfig::new().realm(uri(REALM), Authentication::new().dynamic("ticket")))
}

fn question(net: &mut Net) -> AuthenticationRequest {
    let events = net.events();
    match &events[..] {
        [RouterEvent::Authenticate(request)] => (**request).clone(),
        _ => panic!("{events:?}"),
    }
}

fn asked(net: &mut Net) -> (PeerId, AuthenticationRequest) {
    let peer = net.attach();
    net.send(peer, hello_with(&["ticket"], Some("joe")));
    net.silent(peer);
    let request = question(net);
    assert_eq!(request.decision.peer(), peer);
    (peer, request)
}

#[test]
fn the_driver_may_accept_at_once() {
    let mut net = net();
    let (peer, request) = asked(&mut net);
    assert_eq!(request.authid.as_deref(), Some("joe"));
    assert!(request.response.is_none());
    net.router.grant(request.decision, Grant::new("joe", "user")).unwrap();
    let Message::Welcome(welcome) = net.one(peer) else { panic!() };
    assert_eq!(welcome.details.authrole.as_deref(), Some("user"));
    assert_eq!(welcome.details.authprovider.as_deref(), Some("dynamic"));
    net.end(&[peer]);
}

#[test]
fn two_rounds_of_challenges_are_possible() {
    let mut net = net();
    let (peer, mut request) = asked(&mut net);
    for proof in ["password", "second factor"] {
        let mut extra = RawDict::default();
        extra.set("hint", proof).unwrap();
        net.router.challenge(request.decision, extra).unwrap();
        let Message::Challenge(challenge) = net.one(peer) else { panic!() };
        assert_eq!(challenge.extra.get::<String>("hint").unwrap().as_deref(), Some(proof));
        net.send(peer, authenticate(proof));
        request = question(&mut net);
        assert_eq!(&*request.response.as_ref().unwrap().signature, proof);
    }
    net.router.grant(request.decision, Grant::new("joe", "user")).unwrap();
    assert!(matches!(net.one(peer), Message::Welcome(_)));
}

#[test]
fn what_a_peer_proves_itself_with_does_not_show_in_debug_output() {
    let mut net = net();
    let (peer, request) = asked(&mut net);
    net.router.challenge(request.decision, RawDict::default()).unwrap();
    net.one(peer);
    net.send(peer, authenticate("secret!!!"));
    let shown = format!("{:?}", net.events());
    assert!(!shown.contains("secret") && shown.contains("signature"), "{shown}");
}

#[test]
fn the_driver_may_deny() {
    let mut net = net();
    let (peer, request) = asked(&mut net);
    net.router.deny(request.decision, &uris::AUTHENTICATION_DENIED, "no").unwrap();
    let received = net.receive(peer);
    assert!(
        matches!(&received.messages[..], [Message::Abort(abort)] if abort.reason == uris::AUTHENTICATION_DENIED)
    );
    assert_eq!(received.close, None, "it may try again");
    net.end(&[peer]);
}

#[test]
fn an_answer_that_comes_too_late_is_an_error_value() {
    let mut net = net();
    let (peer, request) = asked(&mut net);
    net.router.challenge(request.decision, RawDict::default()).unwrap();
    let grant = || Grant::new("joe", "user");
    assert_eq!(net.router.grant(request.decision, grant()), Err(NotAwaited));
    net.send(peer, authenticate("x"));
    assert_eq!(net.router.grant(request.decision, grant()), Err(NotAwaited), "of an earlier round");
    let request = question(&mut net);
    net.detach(peer);
    assert_eq!(net.router.grant(request.decision, grant()), Err(NotAwaited));
    net.end(&[]);
}

#[test]
fn the_peers_time_stands_still_while_the_driver_decides() {
    let mut net = net();
    let peer = net.attach();
    net.pass_stepwise(Duration::from_secs(4));
    net.send(peer, hello_with(&["ticket"], Some("joe")));
    let request = question(&mut net);
    net.pass_stepwise(Duration::from_secs(29));
    net.silent(peer);
    net.router.challenge(request.decision, RawDict::default()).unwrap();
    assert!(matches!(net.one(peer), Message::Challenge(_)));
    net.pass_stepwise(Duration::from_millis(999));
    net.silent(peer);
    net.pass_stepwise(Duration::from_millis(1));
    assert_eq!(net.receive(peer).close, Some(CloseReason::Timeout(Deadline::Join)));
}

#[test]
fn the_driver_has_thirty_seconds() {
    let mut net = net();
    let (peer, request) = asked(&mut net);
    net.pass_stepwise(Duration::from_secs(30));
    let received = net.receive(peer);
    assert!(
        matches!(&received.messages[..], [Message::Abort(abort)] if abort.reason == uris::AUTHENTICATION_FAILED)
    );
    assert_eq!(received.close, Some(CloseReason::Timeout(Deadline::Decision)));
    let late = net.router.deny(request.decision, &uris::AUTHENTICATION_DENIED, "no");
    assert_eq!(late, Err(NotAwaited));
    net.end(&[peer]);
}

#[test]
fn a_peer_that_talks_while_it_is_decided_on_is_aborted() {
    let mut net = net();
    let (peer, _) = asked(&mut net);
    net.send(peer, authenticate("eager"));
    assert!(matches!(net.receive(peer).close, Some(CloseReason::PeerViolation(_))));
    net.end(&[peer]);
}

//! What the HTTP request of a WebSocket decides on.

use std::sync::Arc;

use roadbed_core::error::uris;
use roadbed_core::message::Message;
use roadbed_core::serializer::Serializer;
use roadbed_core::transport::TransportDetails;
use roadbed_core::transport::websocket::UpgradeRequest;
use roadbed_router::{Authentication, Grant, PeerId, RouterConfig, RouterEvent};

use crate::net::*;

const OTHER: &str = "com.example.other";

fn attach(net: &mut Net, head: &str, realm: Option<&str>) -> PeerId {
    let request = UpgradeRequest::parse(head.as_bytes()).unwrap().with_realm(realm.map(uri));
    let details = TransportDetails::local().request(Arc::new(request));
    net.attach_with(Serializer::Cbor, 1 << 20, details)
}

const HEAD: &str = "GET /ws HTTP/1.1\r\nHost: h\r\n\r\n";

fn two_realms() -> RouterConfig {
    config().realm(uri(OTHER), Authentication::new().anonymous("guest"))
}

#[test]
fn a_path_with_a_realm_lets_nobody_into_another() {
    let mut net = Net::with(two_realms().default_realm(uri(OTHER)));
    let peer = attach(&mut net, HEAD, Some(REALM));
    let mut other = hello(all_roles());
    other.realm = Some(uri(OTHER));
    net.send(peer, other.clone());
    let received = net.receive(peer);
    let [Message::Abort(abort)] = &received.messages[..] else { panic!("{received:?}") };
    assert_eq!(abort.reason, uris::NO_SUCH_REALM);
    assert!(abort.details.message.as_ref().unwrap().contains("path"));
    assert!(received.close.is_none() && !net.is_joined(peer));
    net.detach(peer);

    // The same realm elsewhere is no problem, and neither is the right one here.
    let elsewhere = attach(&mut net, HEAD, None);
    net.welcome(elsewhere, other);
    let here = attach(&mut net, HEAD, Some(REALM));
    assert_eq!(net.welcome(here, hello(all_roles())).details.realm, None);
    assert_eq!(net.session(here).unwrap().realm, uri(REALM));
    net.end(&[elsewhere, here]);
}

#[test]
fn who_names_no_realm_gets_that_of_the_path() {
    // Before the one that the router would choose.
    let mut net = Net::with(two_realms().default_realm(uri(OTHER)));
    let peer = attach(&mut net, HEAD, Some(REALM));
    let mut hello = hello(all_roles());
    hello.realm = None;
    let welcome = net.welcome(peer, hello);
    assert_eq!(welcome.details.realm, Some(uri(REALM)));
    assert_eq!(net.session(peer).unwrap().realm, uri(REALM));
    net.end(&[peer]);
}

#[test]
fn a_path_may_lead_to_a_realm_that_is_not_there() {
    let mut net = Net::new();
    let peer = attach(&mut net, HEAD, Some(OTHER));
    let mut hello = hello(all_roles());
    hello.realm = None;
    net.send(peer, hello);
    let received = net.receive(peer);
    assert!(
        matches!(&received.messages[..], [Message::Abort(abort)] if abort.reason == uris::NO_SUCH_REALM),
        "{received:?}"
    );
    net.end(&[peer]);
}

#[test]
fn the_path_holds_after_goodbye_too() {
    let mut net = Net::with(two_realms());
    let peer = attach(&mut net, HEAD, Some(REALM));
    net.welcome(peer, hello(all_roles()));
    net.ask(peer, goodbye("wamp.close.normal"));
    let mut other = hello(all_roles());
    other.realm = Some(uri(OTHER));
    net.send(peer, other);
    let received = net.receive(peer);
    assert!(
        matches!(&received.messages[..], [Message::Abort(abort)] if abort.reason == uris::NO_SUCH_REALM),
        "{received:?}"
    );
    net.end(&[peer]);
}

#[test]
fn whoever_decides_sees_headers_and_cookies() {
    let config = RouterConfig::new().realm(uri(REALM), Authentication::new().dynamic("cookie"));
    let mut net = Net::with(config);
    let head = "GET /ws?tenant=7 HTTP/1.1\r\nHost: h\r\nCookie: id=4711\r\nAuthorization: Bearer x\r\n\r\n";
    let peer = attach(&mut net, head, None);
    net.send(peer, hello_with(&["cookie"], None));
    let events = net.events();
    let [RouterEvent::Authenticate(question)] = &events[..] else { panic!("{events:?}") };
    let request = question.upgrade().unwrap();
    assert_eq!((request.path(), request.query_value("tenant").as_deref()), ("/ws", Some("7")));
    assert_eq!((request.cookie("id"), request.header("authorization")), (Some("4711"), Some("Bearer x")));
    let shown = format!("{events:?}");
    assert!(!shown.contains("4711") && !shown.contains("Bearer") && !shown.contains("tenant"), "{shown}");
    net.router.grant(question.decision, Grant::new("joe", "user")).unwrap();
    assert!(matches!(net.one(peer), Message::Welcome(_)));
    net.end(&[peer]);
}

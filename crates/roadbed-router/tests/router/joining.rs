use std::time::Duration;

use roadbed_core::error::{CloseReason, Deadline, uris};
use roadbed_core::limits::Limits;
use roadbed_core::message::{Abort, Message, MessageType, Sparse, UnknownMessage};
use roadbed_core::options::CancelMode;
use roadbed_core::payload::Payload;
use roadbed_core::role::{Feature, Role, Roles};
use roadbed_core::serializer::Serializer;
use roadbed_core::transport::TransportDetails;
use roadbed_router::{Authentication, Grant, RouterConfig, RouterEvent};

use crate::net::*;

/// Sends HELLO and expects ABORT for `reason`, then the end.
#[track_caller]
fn refused(net: &mut Net, hello: impl Into<Message>, reason: &roadbed_core::uri::Uri) -> String {
    let peer = net.attach();
    net.send(peer, hello);
    let received = net.receive(peer);
    let [Message::Abort(abort)] = &received.messages[..] else { panic!("{received:?}") };
    assert_eq!(abort.reason, *reason);
    // Who breaks no rule may try again.
    assert_eq!(received.close.is_some(), *reason == uris::PROTOCOL_VIOLATION, "{received:?}");
    assert!(!net.is_joined(peer));
    let text = abort.details.message.clone().unwrap();
    net.detach(peer);
    text.to_string()
}

#[test]
fn hello_is_answered_with_welcome_that_tells_who_the_client_is() {
    let mut net = Net::new();
    let peer = net.attach();
    assert!(!net.is_joined(peer));
    let welcome = net.welcome(peer, hello(all_roles()));
    let details = &welcome.details;
    assert_eq!(details.realm, None);
    assert_eq!(details.authrole.as_deref(), Some("guest"));
    assert_eq!(details.authmethod.as_deref(), Some("anonymous"));
    assert_eq!(details.authprovider.as_deref(), Some("static"));
    assert_eq!(details.authid.as_ref().unwrap().len(), 24);
    assert!(details.agent.as_ref().unwrap().starts_with("roadbed-"));
    let roles = details.roles.unwrap();
    assert!(roles.supports(Role::Dealer, Feature::CallCanceling));
    assert!(roles.supports(Role::Broker, Feature::PublisherExclusion));
    assert!(roles.supports(Role::Broker, Feature::SubscriberBlackwhiteListing));
    assert_eq!(roles.features(Role::Dealer).count() + roles.features(Role::Broker).count(), 3);
    let session = net.session(peer).unwrap();
    assert_eq!((session.id, session.peer), (welcome.session, peer));
    net.end(&[peer]);
}

#[test]
fn the_client_may_leave_the_realm_to_the_router() {
    let mut net = Net::with(config().default_realm(uri(REALM)));
    let peer = net.attach();
    let mut hello = hello(all_roles());
    hello.realm = None;
    let welcome = net.welcome(peer, hello);
    assert_eq!(welcome.details.realm, Some(uri(REALM)));
}

#[test]
fn without_default_realm_null_is_no_realm() {
    let mut hello = hello(all_roles());
    hello.realm = None;
    refused(&mut Net::new(), hello, &uris::NO_SUCH_REALM);
}

#[test]
fn an_unknown_realm_is_refused_by_name() {
    let mut hello = hello(all_roles());
    hello.realm = Some(uri("elsewhere"));
    let text = refused(&mut Net::new(), hello, &uris::NO_SUCH_REALM);
    assert_eq!(text, "realm elsewhere does not exist");
}

#[test]
fn a_malformed_realm_is_refused() {
    let mut hello = hello(all_roles());
    hello.realm = Some(uri("not a realm"));
    refused(&mut Net::new(), hello, &uris::INVALID_URI);
}

#[test]
fn realms_made_on_demand_go_with_their_last_session() {
    let config = RouterConfig::new().auto_create(Authentication::new().anonymous("guest"));
    let mut net = Net::with(config);
    let (a, b) = (net.join(), net.join());
    assert_eq!(net.router.stats().realms, 1);
    net.detach(a);
    assert_eq!(net.router.stats().realms, 1);
    net.detach(b);
    assert_eq!(net.router.stats().realms, 0);
    net.end(&[]);
}

#[test]
fn a_realm_on_demand_is_not_made_before_somebody_joins() {
    let config = RouterConfig::new().auto_create(Authentication::new().ticket(Default::default()));
    let mut net = Net::with(config);
    let peer = net.attach();
    assert!(matches!(net.ask(peer, hello_with(&["ticket"], Some("joe"))), Message::Challenge(_)));
    net.send(peer, authenticate("wrong"));
    assert_eq!(net.router.stats().realms, 0);
    net.end(&[peer]);
}

#[test]
fn hello_needs_a_role() {
    let of_a_router = Roles::NONE.with(Role::Broker, &[]).with(Role::Dealer, &[]);
    for roles in [None, Some(Roles::NONE), Some(of_a_router)] {
        let mut hello = hello(all_roles());
        hello.details.roles = roles;
        let text = refused(&mut Net::new(), hello, &uris::PROTOCOL_VIOLATION);
        assert_eq!(text, "HELLO: received without a role of a client");
    }
}

#[test]
fn announced_roles_are_no_permissions() {
    let mut net = Net::new();
    let peer = net.join_as(Roles::NONE.with(Role::Caller, &[]), Serializer::Cbor, 1 << 20);
    net.subscribe(peer, 1, "com.example.t");
    let answer = net.ask(peer, publish_with(2, "com.example.t", acknowledged()));
    assert!(matches!(answer, Message::Published(_)));
    net.register(peer, 3, "com.example.p");
    let invocation = net.call(peer, peer, 4, "com.example.p");
    // A callee that announced no call canceling is not interrupted, whatever the mode.
    net.send(peer, cancel(4, Some(CancelMode::Kill)));
    expect_error(&net.one(peer), MessageType::Call, 4, &uris::CANCELED);
    net.send(peer, yield_(invocation, number(1)));
    net.silent(peer);
    net.end(&[peer]);
}

#[test]
fn anonymous_clients_need_a_realm_that_takes_them() {
    let config = RouterConfig::new().realm(uri(REALM), Authentication::new().ticket(Default::default()));
    let mut net = Net::with(config);
    refused(&mut net, hello(all_roles()), &uris::AUTHENTICATION_REQUIRED);
    refused(&mut net, hello_with(&["anonymous"], None), &uris::AUTHENTICATION_REQUIRED);
    refused(&mut net, hello_with(&["wampcra"], Some("joe")), &uris::NO_MATCHING_AUTH_METHOD);
}

#[test]
fn sessions_differ_and_their_ids_are_in_range() {
    let mut net = Net::new();
    let peers: Vec<_> = (0..50).map(|_| net.join()).collect();
    let mut ids: Vec<u64> = peers.iter().map(|&peer| net.session(peer).unwrap().id.get()).collect();
    assert!(ids.iter().any(|&id| id > 1 << 40), "drawn from the whole range");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 50);
    net.end(&peers);
}

#[test]
fn every_serializer_can_join() {
    for serializer in Serializer::ALL {
        let mut net = Net::new();
        let peer = net.join_as(all_roles(), serializer, 1 << 20);
        net.end(&[peer]);
    }
}

#[test]
fn goodbye_is_answered_once_and_the_transport_may_be_used_again() {
    let mut net = Net::new();
    let peer = net.join();
    let first = net.session(peer).unwrap().id;
    net.register(peer, 1, "com.example.p");
    let answer = net.ask(peer, goodbye("wamp.close.normal"));
    assert_eq!(answer, Message::from(goodbye("wamp.close.goodbye_and_out")));
    assert!(!net.is_joined(peer));
    assert_eq!(net.router.stats().registrations, 0);
    let second = net.welcome(peer, hello(all_roles())).session;
    assert_ne!(first, second);
    net.register(peer, 1, "com.example.p");
    net.end(&[peer]);
}

#[test]
fn after_goodbye_the_router_waits_five_seconds_for_hello() {
    let mut net = Net::new();
    let peer = net.join();
    net.ask(peer, goodbye("wamp.close.normal"));
    net.pass_stepwise(Duration::from_millis(4_999));
    net.silent(peer);
    net.pass_stepwise(Duration::from_millis(1));
    let received = net.receive(peer);
    assert_eq!(received.messages, []);
    assert_eq!(received.close, Some(CloseReason::Timeout(Deadline::Rejoin)));
    net.end(&[peer]);
}

#[test]
fn abort_is_never_answered() {
    for is_joined in [false, true] {
        let mut net = Net::new();
        let peer = if is_joined { net.join() } else { net.attach() };
        let details = Sparse::EMPTY;
        net.send(peer, Abort { details, reason: uri("com.example.bye"), payload: Payload::EMPTY });
        let received = net.receive(peer);
        assert_eq!(received.messages, []);
        assert!(
            matches!(received.close, Some(CloseReason::Abort { reason, .. }) if reason == "com.example.bye")
        );
        net.end(&[peer]);
    }
}

#[test]
fn a_peer_that_says_nothing_is_gone_after_five_seconds() {
    let mut net = Net::new();
    let peer = net.attach();
    net.pass_stepwise(Duration::from_millis(4_999));
    net.silent(peer);
    net.pass_stepwise(Duration::from_millis(1));
    let received = net.receive(peer);
    assert!(matches!(&received.messages[..], [Message::Abort(abort)] if abort.reason == uris::TIMEOUT));
    assert_eq!(received.close, Some(CloseReason::Timeout(Deadline::Join)));
    net.end(&[peer]);
}

#[test]
fn a_peer_that_only_sends_unknown_messages_is_gone_after_five_seconds() {
    let mut net = Net::new();
    let peer = net.attach();
    for _ in 0..10 {
        net.pass_stepwise(Duration::from_millis(500));
        net.send(peer, Message::Unknown(UnknownMessage { code: 300 }));
    }
    assert!(net.receive(peer).close.is_some());
    assert_eq!(net.router.stats().counters.ignored_messages, 9);
}

#[test]
fn the_handshake_timeout_can_be_set() {
    let limits = Limits::default().handshake_timeout(Duration::from_millis(10));
    let mut net = Net::with(config().limits(limits));
    let peer = net.attach();
    net.pass_stepwise(Duration::from_millis(10));
    assert!(net.receive(peer).close.is_some());
}

#[test]
fn a_joined_peer_has_no_deadline() {
    let mut net = Net::new();
    let peer = net.join();
    assert_eq!(net.poll_timeout(), None);
    net.pass(Duration::from_secs(86_400));
    assert!(net.is_joined(peer));
}

#[test]
fn the_driver_is_told_who_joins_and_leaves() {
    let mut net = Net::new();
    let peer = net.join();
    let session = net.session(peer).unwrap().id;
    net.detach(peer);
    let events = net.events();
    let [RouterEvent::Joined { session: joined, .. }, RouterEvent::Left { session: left, reason, .. }] =
        &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((joined.id, left.id), (session, session));
    assert_eq!(*reason, CloseReason::Eof);
}

#[test]
fn a_peer_that_is_gone_is_no_error() {
    let mut net = Net::new();
    let old = net.join();
    net.detach(old);
    let new = net.join();
    net.send(old, goodbye("wamp.close.normal"));
    net.detach(old);
    assert!(net.poll_one(old).is_none());
    assert!(!net.wants_input(old) && !net.is_joined(old) && !net.must_drop(old));
    assert!(net.is_joined(new));
    net.end(&[new]);
}

#[test]
fn a_peer_that_does_not_accept_welcome_is_refused() {
    let mut net = Net::new();
    let peer = net.attach_with(Serializer::Json, 40, TransportDetails::local());
    net.send(peer, hello(all_roles()));
    assert!(net.receive(peer).close.is_some());
    assert_eq!(net.router.stats().sessions, 0);
    net.end(&[peer]);
}

/// RawSocket peers may announce as little as 512 bytes.
#[test]
fn small_peers_are_told_less_and_not_turned_away() {
    let long = "x".repeat(450);
    let config = RouterConfig::new().realm(uri(REALM), Authentication::new().dynamic("ticket")).agent(&*long);
    for serializer in Serializer::ALL {
        for (authid, limit, is_told) in
            [("joe", 512, true), (&*long, 1_024, true), (&*"y".repeat(600), 512, false)]
        {
            let mut net = Net::with(config.clone());
            let peer = net.attach_with(serializer, limit, TransportDetails::local());
            net.send(peer, hello_with(&["ticket"], Some("joe")));
            let events = net.events();
            let [RouterEvent::Authenticate(request)] = &events[..] else { panic!("{events:?}") };
            net.router.grant(request.decision, Grant::new(authid, "user")).unwrap();
            let Message::Welcome(welcome) = net.one(peer) else { panic!() };
            let roles = welcome.details.roles.unwrap();
            assert!(roles.has(Role::Broker) && roles.has(Role::Dealer));
            assert_eq!(welcome.details.authid.as_deref(), is_told.then_some(authid), "{serializer} {limit}");
            net.subscribe(peer, 1, "com.example.t");
            net.end(&[peer]);
        }
    }
}

#[test]
fn a_last_word_that_does_not_fit_is_said_in_fewer() {
    for (reason, told) in
        [("com.example.out".to_owned(), "com.example.out"), ("x".repeat(600), "wamp.close.killed")]
    {
        let mut net = Net::new();
        let peer = net.join_as(all_roles(), Serializer::Json, 512);
        net.kill(peer, &uri(&reason), &"w".repeat(512));
        let Message::Goodbye(goodbye) = net.one(peer) else { panic!() };
        assert_eq!((goodbye.reason.as_str(), &goodbye.details.message), (told, &None));
        net.end(&[peer]);

        let asks = Authentication::new().dynamic("magic");
        let mut net = Net::with(RouterConfig::new().realm(uri(REALM), asks));
        let gated = net.attach_with(Serializer::Json, 512, TransportDetails::local());
        net.send(gated, hello_with(&["magic"], None));
        let Some(RouterEvent::Authenticate(request)) = net.router.poll_event() else { panic!("a question") };
        net.router.deny(request.decision, &uri(&reason), &"w".repeat(512)).unwrap();
        let received = net.receive(gated);
        let [Message::Abort(abort)] = &received.messages[..] else { panic!("{received:?}") };
        let told = if reason.len() > 512 { "wamp.error.authentication_failed" } else { told };
        assert_eq!((abort.reason.as_str(), &abort.details.message), (told, &None));
        net.end(&[gated]);
    }
}

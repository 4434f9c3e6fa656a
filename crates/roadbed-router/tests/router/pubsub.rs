use roadbed_core::id::SessionId;
use roadbed_core::message::{Event, Message};
use roadbed_core::options::PublishOptions;
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_router::{Authentication, PeerId, RouterConfig, RouterEvent, TicketTable};

use crate::net::*;

const TOPIC: &str = "com.example.t";

fn event(net: &mut Net, peer: PeerId) -> Event {
    match net.one(peer) {
        Message::Event(event) => event,
        other => panic!("{other:?}"),
    }
}

fn session(net: &Net, peer: PeerId) -> SessionId {
    net.session(peer).unwrap().id
}

#[test]
fn an_event_reaches_every_subscriber_with_one_publication_id() {
    let mut net = Net::new();
    let (publisher, a, b, other) = (net.join(), net.join(), net.join(), net.join());
    let subscription = net.subscribe(a, 1, TOPIC);
    assert_eq!(net.subscribe(b, 1, TOPIC), subscription);
    net.subscribe(other, 1, "com.example.other");
    let Message::Published(published) = net.ask(publisher, publish_with(1, TOPIC, acknowledged())) else {
        panic!()
    };
    for peer in [a, b] {
        let event = event(&mut net, peer);
        assert_eq!((event.subscription, event.publication), (subscription, published.publication));
        assert_eq!(event.payload.args::<(u64,)>().unwrap(), (1,));
        assert!(event.details.is_empty());
    }
    net.silent(other);
    net.end(&[publisher, a, b, other]);
}

#[test]
fn without_acknowledge_nothing_is_answered() {
    let mut net = Net::new();
    let (publisher, subscriber) = (net.join(), net.join());
    net.subscribe(subscriber, 1, TOPIC);
    net.send(publisher, publish(1, TOPIC));
    net.silent(publisher);
    event(&mut net, subscriber);
}

#[test]
fn a_publication_without_subscribers_is_acknowledged() {
    let mut net = Net::new();
    let publisher = net.join();
    let answer = net.ask(publisher, publish_with(1, TOPIC, acknowledged()));
    assert!(matches!(answer, Message::Published(_)));
}

#[test]
fn subscribing_again_gives_the_same_subscription_and_no_second_event() {
    let mut net = Net::new();
    let (publisher, subscriber) = (net.join(), net.join());
    let first = net.subscribe(subscriber, 1, TOPIC);
    assert_eq!(net.subscribe(subscriber, 2, TOPIC), first);
    net.send(publisher, publish(1, TOPIC));
    event(&mut net, subscriber);
    assert_eq!(net.router.stats().subscribers, 1);
    assert!(matches!(net.ask(subscriber, unsubscribe(3, first)), Message::Unsubscribed(_)));
    net.send(publisher, publish(2, TOPIC));
    net.silent(subscriber);
}

#[test]
fn a_new_subscription_never_has_the_id_of_an_old_one() {
    let mut net = Net::new();
    let subscriber = net.join();
    let first = net.subscribe(subscriber, 1, TOPIC);
    net.ask(subscriber, unsubscribe(2, first));
    assert_ne!(net.subscribe(subscriber, 3, TOPIC), first);
}

#[test]
fn the_publisher_is_left_out_unless_it_says_otherwise() {
    let mut net = Net::new();
    let peer = net.join();
    net.subscribe(peer, 1, TOPIC);
    net.send(peer, publish(2, TOPIC));
    net.send(peer, publish_with(3, TOPIC, PublishOptions::new().exclude_me(true)));
    net.silent(peer);
    net.send(peer, publish_with(4, TOPIC, PublishOptions::new().exclude_me(false)));
    event(&mut net, peer);
}

#[test]
fn published_comes_before_ones_own_event() {
    let mut net = Net::new();
    let peer = net.join();
    net.subscribe(peer, 1, TOPIC);
    net.send(peer, publish_with(2, TOPIC, acknowledged().exclude_me(false)));
    let messages = net.messages(peer);
    assert!(matches!(messages[..], [Message::Published(_), Message::Event(_)]), "{messages:?}");
}

#[test]
fn subscribed_comes_before_the_first_event() {
    let mut net = Net::new();
    let (publisher, subscriber) = (net.join(), net.join());
    net.send(subscriber, subscribe(1, TOPIC));
    net.send(publisher, publish(1, TOPIC));
    let messages = net.messages(subscriber);
    assert!(matches!(messages[..], [Message::Subscribed(_), Message::Event(_)]), "{messages:?}");
}

#[test]
fn events_of_a_publisher_keep_their_order_across_topics() {
    let mut net = Net::new();
    let (publisher, subscriber) = (net.join(), net.join());
    net.subscribe(subscriber, 1, "com.example.a");
    net.subscribe(subscriber, 2, "com.example.b");
    for request in 1..=20 {
        let topic = if request % 3 == 0 { "com.example.a" } else { "com.example.b" };
        net.send(publisher, publish(request, topic));
    }
    let order: Vec<u64> = net
        .messages(subscriber)
        .into_iter()
        .map(|message| message.payload().unwrap().arg(0).unwrap())
        .collect();
    assert_eq!(order, (1..=20).collect::<Vec<u64>>());
}

#[test]
fn publication_ids_are_random() {
    let mut net = Net::new();
    let publisher = net.join();
    let mut ids: Vec<u64> = (1..=20)
        .map(|request| match net.ask(publisher, publish_with(request, TOPIC, acknowledged())) {
            Message::Published(published) => published.publication.get(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(ids.iter().any(|&id| id > 1 << 40));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 20);
}

#[test]
fn realms_do_not_see_each_other() {
    let other = Authentication::new().anonymous("guest");
    let mut net = Net::with(config().realm(uri("realm2"), other));
    let (publisher, here, there) = (net.join(), net.join(), net.attach());
    let mut greeting = hello(all_roles());
    greeting.realm = Some(uri("realm2"));
    net.welcome(there, greeting);
    net.subscribe(here, 1, TOPIC);
    net.subscribe(there, 1, TOPIC);
    net.send(publisher, publish(1, TOPIC));
    event(&mut net, here);
    net.silent(there);
}

/// A net with a publisher and the subscribers joe (user), ann (user) and bob (admin).
fn named() -> (Net, PeerId, [PeerId; 3]) {
    let table = TicketTable::new()
        .principal("joe", "t", "user")
        .principal("ann", "t", "user")
        .principal("bob", "t", "admin");
    let mut net = Net::with(RouterConfig::new().realm(uri(REALM), Authentication::new().ticket(table)));
    let mut join = |authid| {
        let peer = net.attach();
        net.ask(peer, hello_with(&["ticket"], Some(authid)));
        net.ask(peer, authenticate("t"));
        peer
    };
    let publisher = join("joe");
    let peers = ["joe", "ann", "bob"].map(join);
    for peer in peers {
        net.subscribe(peer, 1, TOPIC);
    }
    (net, publisher, peers)
}

#[track_caller]
fn reaches(options: impl Fn(&Net, [PeerId; 3]) -> PublishOptions, expected: [bool; 3]) {
    let (mut net, publisher, peers) = named();
    let options = options(&net, peers);
    net.send(publisher, publish_with(1, TOPIC, options));
    let reached = peers.map(|peer| !net.messages(peer).is_empty());
    assert_eq!(reached, expected);
}

#[test]
fn lists_of_receivers() {
    let names = |list: &[&'static str]| list.iter().map(|&name| name.into()).collect::<Vec<_>>();
    let options = PublishOptions::new;
    reaches(|_, _| options(), [true, true, true]);
    reaches(|net, [joe, ..]| options().exclude(vec![session(net, joe)]), [false, true, true]);
    reaches(
        |net, [joe, _, bob]| options().eligible(vec![session(net, bob), session(net, joe)]),
        [true, false, true],
    );
    reaches(|_, _| options().exclude_authid(names(&["ann", "x"])), [true, false, true]);
    reaches(|_, _| options().eligible_authid(names(&["zed", "bob", "ann"])), [false, true, true]);
    reaches(|_, _| options().exclude_authrole(names(&["admin"])), [true, true, false]);
    reaches(|_, _| options().eligible_authrole(names(&["admin"])), [false, false, true]);
}

#[test]
fn an_empty_list_of_eligible_receivers_means_nobody() {
    reaches(|_, _| PublishOptions::new().eligible(vec![]), [false; 3]);
    reaches(|_, _| PublishOptions::new().eligible_authid(vec![]), [false; 3]);
    reaches(|_, _| PublishOptions::new().eligible_authrole(vec![]), [false; 3]);
    reaches(|_, _| PublishOptions::new().exclude(vec![]), [true; 3]);
}

#[test]
fn lists_have_to_agree() {
    reaches(
        |net, [joe, ann, _]| {
            PublishOptions::new()
                .eligible(vec![session(net, joe), session(net, ann)])
                .eligible_authrole(vec!["user".into()])
                .exclude_authid(vec!["joe".into()])
        },
        [false, true, false],
    );
}

#[test]
fn being_eligible_does_not_undo_exclude_me() {
    let mut net = Net::new();
    let peer = net.join();
    net.subscribe(peer, 1, TOPIC);
    let options = PublishOptions::new().eligible(vec![session(&net, peer)]);
    net.send(peer, publish_with(2, TOPIC, options));
    net.silent(peer);
}

#[test]
fn events_cross_serializers() {
    let mut net = Net::new();
    let publisher = net.join();
    let peers = Serializer::ALL.map(|serializer| net.join_as(all_roles(), serializer, 1 << 20));
    for peer in peers {
        net.subscribe(peer, 1, TOPIC);
    }
    net.send(publisher, publish(7, TOPIC));
    for peer in peers {
        assert_eq!(event(&mut net, peer).payload.args::<(u64,)>().unwrap(), (7,));
    }
}

#[test]
fn an_event_that_one_receiver_cannot_be_given_reaches_the_others() {
    let mut net = Net::new();
    let (publisher, cbor) = (net.join(), net.join());
    let json = net.join_as(all_roles(), Serializer::Json, 1 << 20);
    let second = net.join_as(all_roles(), Serializer::Json, 1 << 20);
    for peer in [json, second, cbor] {
        net.subscribe(peer, 1, TOPIC);
    }
    net.events();
    let mut request = publish(1, TOPIC);
    let args = bytes::Bytes::from_static(&[0x81, 0xa1, 1, 2]);
    request.payload = Payload::from_raw(Serializer::Cbor, Some(args), None, 64).unwrap();
    net.send(publisher, request);
    let received = event(&mut net, cbor);
    net.silent(json);
    net.silent(second);
    assert_eq!(net.router.stats().counters.events_undeliverable, 2);
    let events = net.events();
    let [RouterEvent::Undeliverable { publication, publisher: who, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((*publication, *who), (received.publication, Some(session(&net, publisher))));
    net.end(&[publisher, cbor, json, second]);
}

#[test]
fn an_event_larger_than_a_receiver_accepts_is_dropped_for_it() {
    let mut net = Net::new();
    let (publisher, large) = (net.join(), net.join());
    let small = net.join_as(all_roles(), Serializer::Cbor, 1_000);
    net.subscribe(large, 1, TOPIC);
    net.subscribe(small, 1, TOPIC);
    let mut request = publish_with(1, TOPIC, acknowledged());
    request.payload = text(Serializer::Cbor, 1_000);
    assert!(matches!(net.ask(publisher, request), Message::Published(_)));
    event(&mut net, large);
    net.silent(small);
    assert_eq!(net.router.stats().counters.events_too_large, 1);
    net.send(publisher, publish(2, TOPIC));
    event(&mut net, small);
}

#[test]
fn subscribing_and_unsubscribing_leaves_nothing_behind() {
    let mut net = Net::new();
    let peer = net.join();
    let before = net.router.stats();
    for request in 0..1_000 {
        let subscription = net.subscribe(peer, 2 * request + 1, &format!("com.example.t{request}"));
        net.ask(peer, unsubscribe(2 * request + 2, subscription));
    }
    assert_eq!(net.router.stats(), before);
    net.end(&[peer]);
}

#[test]
fn encodings_are_shared_among_receivers_of_one_serializer() {
    let mut net = Net::new();
    let publisher = net.join();
    let peers: Vec<PeerId> = (0..3).map(|_| net.join()).collect();
    for &peer in &peers {
        net.subscribe(peer, 1, TOPIC);
    }
    net.send(publisher, publish(1, TOPIC));
    let pointers: Vec<*const u8> =
        peers.iter().map(|&peer| net.poll_encoded(peer).unwrap().chunks()[0].as_ptr()).collect();
    assert!(pointers.iter().all(|&pointer| pointer == pointers[0]));
}

#[test]
fn a_large_payload_is_passed_on_without_being_copied() {
    let mut net = Net::new();
    let (publisher, subscriber) = (net.join(), net.join());
    net.subscribe(subscriber, 1, TOPIC);
    let mut request = publish(1, TOPIC);
    request.payload = text(Serializer::Cbor, 20_000);
    let sent = encode(Serializer::Cbor, &request.into());
    net.send_bytes(publisher, sent.clone());
    let encoded = net.poll_encoded(subscriber).unwrap();
    assert!(encoded.chunks().iter().any(|chunk| sent.as_ptr_range().contains(&chunk.as_ptr())));
}

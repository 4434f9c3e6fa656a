//! Payloads that cannot be read, carried, or said in every serializer: each costs its request, and no session.

use bytes::Bytes;
use roadbed_core::error::uris;
use roadbed_core::limits::Limits;
use roadbed_core::message::{Call, Message, MessageType, Publish};
use roadbed_core::options::PublishOptions;
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer::{self, Cbor, Json, MsgPack};
use roadbed_router::{Authentication, PayloadPolicy, PeerId, RealmConfig, RouterConfig, RouterEvent};

use crate::net::*;

/// What a peer sends whose library writes such values.
fn payload(serializer: Serializer, args: &[u8]) -> Payload {
    let (before, after): (&[u8], &[u8]) = match serializer {
        Json => (b"[50,1,{},", b"]"),
        MsgPack => (&[0x94, 50, 1, 0x80], &[]),
        _ => (&[0x84, 0x18, 50, 1, 0xa0], &[]),
    };
    let message = Bytes::from([before, args, after].concat());
    match serializer.decode(&message, &Limits::default()).unwrap() {
        Message::CallResult(result) => result.payload,
        other => panic!("{other:?}"),
    }
}

/// Arguments of which no peer can be given anything.
const UNREADABLE: [(Serializer, &[u8]); 5] = [
    (Json, b"[1,NaN]"),
    (Json, br#"["\u0000abcde"]"#),
    (Json, b"[\"\xff\"]"),
    (MsgPack, &[0x91, 0xa3, 0xed, 0xa0, 0xbd]),
    (Cbor, &[0x81, 0x63, 0xed, 0xa0, 0xbd]),
];

/// Payloads that pass between peers of their serializer, and what is in them.
fn odd() -> Vec<(Payload, &'static str)> {
    vec![
        (payload(Json, b"[1180591620717411303424]"), "a number beyond 64 bits"),
        (payload(Json, b"[1e400]"), "a number beyond 64 bits"),
        (payload(Json, br#"["\ud83d"]"#), "text with half of a surrogate pair"),
        (payload(Json, br#"[{"a":1,"\u0061":2}]"#), "a dict key that stands twice"),
        (payload(MsgPack, &[0x91, 0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0]), "NaN or an infinity"),
        (payload(MsgPack, &[0x91, 0xd4, 0, 0]), "an extension"),
        (payload(MsgPack, &[0x91, 0xd6, 0xff, 0, 0, 0, 1]), "an extension"),
        (payload(MsgPack, &[0x91, 0x81, 1, 2]), "a dict key that is not text"),
        (payload(MsgPack, &[0x91, 0xa2, 0, b'a']), "text that begins with NUL"),
        (payload(Cbor, &[0x81, 0xf7]), "undefined"),
        (payload(Cbor, &[0x81, 0xc2, 0x41, 1]), "a tag"),
        (payload(Cbor, &[0x81, 0xc1, 0x80]), "a tag"),
        (payload(Cbor, &[0x81, 0xf0]), "a value of no WAMP type"),
        (payload(Cbor, &[0x81, 0x3b, 255, 255, 255, 255, 255, 255, 255, 255]), "a number beyond 64 bits"),
    ]
}

fn join(net: &mut Net, serializer: Serializer) -> PeerId {
    net.join_as(all_roles(), serializer, 1 << 20)
}

/// Both sides do another call on the same sessions.
fn still_works(net: &mut Net, caller: PeerId, callee: PeerId, request: u64) {
    let invocation = net.call(caller, callee, request, "com.example.p");
    net.send(callee, yield_(invocation, number(7)));
    assert!(matches!(net.one(caller), Message::CallResult(_)));
}

#[test]
fn what_no_peer_can_be_given_costs_its_call_or_its_result() {
    for (serializer, args) in UNREADABLE {
        let mut net = Net::new();
        let (caller, callee) = (join(&mut net, serializer), join(&mut net, serializer));
        net.register(callee, 1, "com.example.p");
        let request = Call { payload: Payload::EMPTY, ..call(1, "com.example.p") };
        net.send_bytes(caller, encode_with(serializer, request, args));
        expect_error(&net.one(caller), MessageType::Call, 1, &uris::INVALID_PAYLOAD);
        net.silent(callee);

        let invocation = net.call(caller, callee, 2, "com.example.p");
        net.send_bytes(callee, encode_with(serializer, yield_(invocation, Payload::EMPTY), args));
        expect_error(&net.one(caller), MessageType::Call, 2, &uris::INVALID_PAYLOAD);
        net.silent(callee);
        let invocation = net.call(caller, callee, 3, "com.example.p");
        let error = invocation_error(invocation, "com.example.error", Payload::EMPTY);
        net.send_bytes(callee, encode_with(serializer, error, args));
        expect_error(&net.one(caller), MessageType::Call, 3, &uris::INVALID_PAYLOAD);
        net.silent(callee);
        still_works(&mut net, caller, callee, 4);
        assert_eq!(net.router.stats().counters.violations, 0);
    }
}

#[test]
fn what_no_peer_can_be_given_costs_its_publication() {
    for (serializer, args) in UNREADABLE {
        for subscribers in [0, 1] {
            let mut net = Net::new();
            let (publisher, subscriber) = (join(&mut net, serializer), join(&mut net, serializer));
            if subscribers > 0 {
                net.subscribe(subscriber, 1, "com.example.t");
            }
            net.events();
            let publication = publish_with(1, "com.example.t", acknowledged());
            let publication = Publish { payload: Payload::EMPTY, ..publication };
            net.send_bytes(publisher, encode_with(serializer, publication, args));
            expect_error(&net.one(publisher), MessageType::Publish, 1, &uris::INVALID_PAYLOAD);
            let publication = Publish { payload: Payload::EMPTY, ..publish(2, "com.example.t") };
            net.send_bytes(publisher, encode_with(serializer, publication, args));
            net.silent(publisher);
            net.silent(subscriber);
            let events = net.events();
            assert!(matches!(events[..], [RouterEvent::Undeliverable { .. }]), "{events:?}");
            let counters = net.router.stats().counters;
            assert_eq!((counters.publications_refused, counters.publications), (1, 0));
        }
    }
}

/// Peers of one serializer get what they send each other, byte for byte.
#[test]
fn odd_values_pass_between_peers_of_one_serializer_and_no_others() {
    for (payload, what) in odd() {
        let serializer = payload.serializer();
        let mut net = Net::new();
        let (caller, callee) = (join(&mut net, serializer), join(&mut net, serializer));
        net.register(callee, 1, "com.example.p");
        let mut request = call(1, "com.example.p");
        request.payload = payload.clone();
        net.send(caller, request);
        let Message::Invocation(invocation) = net.one(callee) else { panic!("{what}") };
        assert_eq!(invocation.payload, payload, "{what}");
        net.send(callee, yield_(invocation.request, payload.clone()));
        let Message::CallResult(result) = net.one(caller) else { panic!("{what}") };
        assert_eq!(result.payload, payload, "{what}");
        still_works(&mut net, caller, callee, 2);
    }
}

/// An acknowledged publication reaches all its receivers or none.
#[test]
fn an_acknowledged_publication_that_one_receiver_cannot_be_given() {
    let odd = payload(Json, b"[1180591620717411303424]");
    let mut net = Net::new();
    let (publisher, same) = (join(&mut net, Json), join(&mut net, Json));
    let other = join(&mut net, MsgPack);
    net.subscribe(same, 1, "com.example.t");
    net.subscribe(other, 1, "com.example.t");
    let mut publication = publish_with(1, "com.example.t", acknowledged());
    publication.payload = odd.clone();
    let answer = net.ask(publisher, publication.clone());
    expect_error(&answer, MessageType::Publish, 1, &uris::INVALID_PAYLOAD);
    net.silent(same);
    net.silent(other);
    // Without acknowledgement it reaches whom it can.
    publication.request = id(2);
    publication.options = PublishOptions::new().into();
    net.events();
    net.send(publisher, publication.clone());
    assert!(matches!(net.one(same), Message::Event(event) if event.payload == odd));
    net.silent(other);
    assert!(matches!(net.events()[..], [RouterEvent::Undeliverable { .. }]));
    // Those that are not among the receivers do not matter.
    let mut options = acknowledged();
    options.exclude_authrole = Some(vec!["nobody".into()]);
    options.eligible = Some(Vec::new());
    publication.request = id(3);
    publication.options = options.into();
    assert!(matches!(net.ask(publisher, publication), Message::Published(_)));
}

#[test]
fn a_portable_realm_carries_what_every_serializer_can_say() {
    let open = || Authentication::new().anonymous("guest");
    let realm = RealmConfig::new(uri(REALM), open()).payloads(PayloadPolicy::Portable);
    for config in [
        RouterConfig::new().realm_config(realm),
        RouterConfig::new().realm(uri(REALM), open()).payloads(PayloadPolicy::Portable),
        RouterConfig::new().auto_create(open()).payloads(PayloadPolicy::Portable),
    ] {
        config.check().unwrap();
        for (payload, what) in odd() {
            let mut net = Net::with(config.clone());
            let serializer = payload.serializer();
            let (caller, callee) = (join(&mut net, serializer), join(&mut net, serializer));
            net.register(callee, 1, "com.example.p");
            let mut request = call(1, "com.example.p");
            request.payload = payload.clone();
            let answer = net.ask(caller, request);
            expect_error(&answer, MessageType::Call, 1, &uris::INVALID_PAYLOAD);
            let Message::Error(error) = &answer else { panic!("{answer:?}") };
            let (text,) = error.payload.args::<(String,)>().unwrap();
            assert!(text.contains(what) && text.contains("not portable"), "{what}: {text}");
            let invocation = net.call(caller, callee, 2, "com.example.p");
            net.send(callee, yield_(invocation, payload.clone()));
            expect_error(&net.one(caller), MessageType::Call, 2, &uris::INVALID_PAYLOAD);
            let mut publication = publish_with(3, "com.example.t", acknowledged());
            publication.payload = payload;
            let answer = net.ask(caller, publication);
            expect_error(&answer, MessageType::Publish, 3, &uris::INVALID_PAYLOAD);
            still_works(&mut net, caller, callee, 4);
        }
        // What all can say passes: binary in JSON too.
        let plain = payload(Json, br#"[1,-0.5,"\u0000QUJD",{"a":[null,true]},18446744073709551615]"#);
        plain.check_portable().unwrap();
        let mut net = Net::with(config);
        let (publisher, subscriber) = (join(&mut net, Json), join(&mut net, Cbor));
        net.subscribe(subscriber, 1, "com.example.t");
        let mut publication = publish(1, "com.example.t");
        publication.payload = plain;
        net.send(publisher, publication);
        assert!(matches!(net.one(subscriber), Message::Event(_)));
    }
    // A realm's own word comes first.
    let realm = RealmConfig::new(uri(REALM), open()).payloads(PayloadPolicy::Pass);
    let mut net = Net::with(RouterConfig::new().realm_config(realm).payloads(PayloadPolicy::Portable));
    let publisher = join(&mut net, Cbor);
    let mut publication = publish_with(1, "com.example.t", acknowledged());
    publication.payload = payload(Cbor, &[0x81, 0xf7]);
    assert!(matches!(net.ask(publisher, publication), Message::Published(_)));
}

//! Publications of the embedder, who has no session.

use roadbed_core::error::uris;
use roadbed_core::id::PublicationId;
use roadbed_core::message::Message;
use roadbed_core::options::PublishOptions;
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::uri::Uri;
use roadbed_router::{PublishError, RouterEvent};

use crate::net::*;

const TOPIC: &str = "com.example.t";

fn publish_to(net: &mut Net, topic: &str, options: PublishOptions) -> Result<u64, PublishError> {
    let id = net.router.publish(net.now, &uri(REALM), &uri(topic), options, number(7));
    net.router.check_invariants().unwrap();
    id.map(PublicationId::get)
}

fn refused(result: Result<u64, PublishError>) -> (Uri, String) {
    match result {
        Err(PublishError::Refused { error, message, .. }) => (error, message.to_string()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_subscribers_receive_it() {
    let mut net = Net::new();
    let peers = [net.join(), net.join_as(plain_roles(), Serializer::Json, 1 << 20), net.join()];
    net.subscribe(peers[0], 1, TOPIC);
    net.subscribe(peers[1], 1, TOPIC);
    for options in [
        PublishOptions::new(),
        // There is nobody to exclude, and nobody to acknowledge it to.
        PublishOptions::new().exclude_me(true),
        PublishOptions::new().exclude_me(false),
        acknowledged(),
    ] {
        let publication = publish_to(&mut net, TOPIC, options).unwrap();
        for peer in &peers[..2] {
            let Message::Event(event) = net.one(*peer) else { panic!() };
            assert_eq!((event.publication.get(), event.payload.arg::<u64>(0).unwrap()), (publication, 7));
            assert_eq!(event.details.publisher, None);
        }
        net.silent(peers[2]);
    }
    assert_eq!(net.router.stats().counters.publications, 4);
    net.end(&peers);
}

#[test]
fn its_lists_say_who_does() {
    let mut net = Net::new();
    let peers = [net.join(), net.join()];
    for peer in peers {
        net.subscribe(peer, 1, TOPIC);
    }
    let first = net.session(peers[0]).unwrap().id;
    let mut options = PublishOptions::new();
    options.eligible = Some(vec![first]);
    publish_to(&mut net, TOPIC, options).unwrap();
    assert!(matches!(net.one(peers[0]), Message::Event(_)));
    net.silent(peers[1]);
    let mut options = PublishOptions::new();
    options.exclude = Some(vec![first]);
    publish_to(&mut net, TOPIC, options).unwrap();
    net.silent(peers[0]);
    assert!(matches!(net.one(peers[1]), Message::Event(_)));
    let mut options = PublishOptions::new();
    options.exclude_authrole = Some(vec!["guest".into()]);
    publish_to(&mut net, TOPIC, options).unwrap();
    net.silent(peers[0]);
    net.end(&peers);
}

#[test]
fn nobody_is_asked_whether_it_may() {
    let mut net = Net::with(guarded());
    let peer = net.join();
    publish_to(&mut net, "com.example.denied", PublishOptions::new()).unwrap();
    publish_to(&mut net, "com.example.asked", PublishOptions::new()).unwrap();
    assert_eq!(net.router.stats().counters.publications, 2);
    assert_eq!(net.questions().len(), 0);
    net.end(&[peer]);
}

#[test]
fn what_a_session_would_be_refused_is_refused() {
    let mut net = Net::new();
    let error = refused(publish_to(&mut net, "com.example..t", PublishOptions::new()));
    assert_eq!(error.0, uris::INVALID_URI);
    let error = refused(publish_to(&mut net, "wamp.session.on_join", PublishOptions::new()));
    assert_eq!(error, (uris::INVALID_URI.clone(), "URIs that begin with wamp are reserved".to_owned()));
    let mut options = PublishOptions::new();
    options.disclose_me = Some(true);
    assert_eq!(refused(publish_to(&mut net, TOPIC, options)).0, uris::OPTION_DISALLOWED_DISCLOSE_ME);
    let elsewhere =
        net.router.publish(net.now, &uri("elsewhere"), &uri(TOPIC), PublishOptions::new(), Payload::EMPTY);
    assert_eq!(elsewhere, Err(PublishError::NoSuchRealm(uri("elsewhere"))));
    assert_eq!(elsewhere.unwrap_err().to_string(), "realm elsewhere does not exist");
    net.end(&[]);
}

/// A value that JSON has no counterpart for: with acknowledgement nobody gets it, without it those who can.
#[test]
fn payloads_that_not_all_can_be_given() {
    let mut net = Net::new();
    let (cbor, json) = (net.join(), net.join_as(plain_roles(), Serializer::Json, 1 << 20));
    for peer in [cbor, json] {
        net.subscribe(peer, 1, TOPIC);
    }
    net.events();
    // A map whose key is a number.
    let args = bytes::Bytes::from_static(&[0x81, 0xa1, 1, 2]);
    let odd = || Payload::from_raw(Serializer::Cbor, Some(args.clone()), None, 64).unwrap();
    let realm = uri(REALM);
    let result = net.router.publish(net.now, &realm, &uri(TOPIC), acknowledged(), odd());
    let Err(PublishError::Refused { error, .. }) = result else { panic!("{result:?}") };
    assert_eq!(error, uris::INVALID_PAYLOAD);
    net.silent(cbor);
    let publication = net.router.publish(net.now, &realm, &uri(TOPIC), PublishOptions::new(), odd()).unwrap();
    assert!(matches!(net.one(cbor), Message::Event(_)));
    net.silent(json);
    let events = net.events();
    let [RouterEvent::Undeliverable { publisher: None, publication: told, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(*told, publication);
    net.end(&[cbor, json]);
}

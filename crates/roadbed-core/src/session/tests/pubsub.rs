use super::*;
use crate::error::{CommandError, RequestError};
use crate::id::SubscribeId;
use crate::limits::Limits;
use crate::message::{Event, Published, Sparse, Unsubscribed, UnsubscribedDetails};
use crate::options::{PublishOptions, SubscribeOptions};
use crate::uri::MatchPolicy;

fn subscribe(session: &mut Session, topic: &'static str) -> SubscribeId {
    session.subscribe(T0, &uri(topic), &SubscribeOptions::new()).unwrap()
}

fn event(id: u64) -> Message {
    let (subscription, publication) = (subscription(id), publication(5));
    Event { subscription, publication, details: Sparse::EMPTY, payload: Payload::EMPTY }.into()
}

fn is_event(event: &SessionEvent, id: u64) -> bool {
    matches!(event, SessionEvent::Event { subscription, .. } if subscription.get() == id)
}

fn revoked(id: Option<u64>) -> Message {
    let mut details = UnsubscribedDetails::new();
    details.subscription = id.map(subscription);
    details.reason = Some(uri("com.example.moved"));
    Unsubscribed { request: None, details: Some(details) }.into()
}

fn unsubscribed(id: u64) -> Message {
    Unsubscribed { request: Some(request(id)), details: None }.into()
}

#[test]
fn only_acknowledged_publications_are_answered() {
    let mut session = joined(config());
    let quiet = session.publish(T0, &uri("t"), Payload::EMPTY, &PublishOptions::new()).unwrap();
    assert_eq!(quiet, None);
    // Crossbar answers ERROR although nobody asked; nobody is told.
    session.handle_message(T0, error(MessageType::Publish, 1, "wamp.error.not_authorized"));
    assert!(events(&mut session).is_empty());

    let options = PublishOptions::new().acknowledge(true);
    let first = session.publish(T0, &uri("t"), Payload::EMPTY, &options).unwrap().unwrap();
    let second = session.publish(T0, &uri("t"), Payload::EMPTY, &options).unwrap().unwrap();
    session.handle_message(T0, Published { request: request(2), publication: publication(9) }.into());
    session.handle_message(T0, error(MessageType::Publish, 3, "wamp.error.not_authorized"));
    let events = events(&mut session);
    assert_eq!(events[0], SessionEvent::Published { publish: first, result: Ok(publication(9)) });
    let [_, SessionEvent::Published { publish, result: Err(RequestError::Wamp(_)) }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(*publish, second);
}

#[test]
fn events_in_the_same_read_as_subscribed_arrive() {
    let mut session = joined(config());
    let handler = subscribe(&mut session, "t");
    session.handle_message(T0, subscribed(1, 7));
    session.handle_message(T0, event(7));
    let events = events(&mut session);
    assert_eq!(events[0], SessionEvent::Subscribed { handler, result: Ok(subscription(7)) });
    assert!(is_event(&events[1], 7));
    assert_eq!(session.handlers(subscription(7)), [handler]);
    assert_eq!(session.subscription(handler), Some(subscription(7)));
}

#[test]
fn several_handlers_share_a_subscription() {
    let mut session = joined(config());
    let (a, b) = (subscribe(&mut session, "t"), subscribe(&mut session, "t"));
    session.handle_message(T0, subscribed(1, 7));
    session.handle_message(T0, subscribed(2, 7));
    session.handle_message(T0, event(7));
    assert_eq!(events(&mut session).iter().filter(|event| is_event(event, 7)).count(), 1);
    assert_eq!(session.handlers(subscription(7)), [a, b]);
    sent(&mut session);

    session.unsubscribe(T0, a).unwrap();
    assert!(sent(&mut session).is_empty());
    assert_eq!(events(&mut session), [SessionEvent::Unsubscribed { handler: a, result: Ok(()) }]);
    session.handle_message(T0, event(7));
    assert!(is_event(&events(&mut session)[0], 7));

    session.unsubscribe(T0, b).unwrap();
    assert_eq!(sent_types(&mut session), [MessageType::Unsubscribe]);
    assert_eq!(session.unsubscribe(T0, b), Err(CommandError::NotActive));
    session.handle_message(T0, event(7));
    assert!(events(&mut session).is_empty(), "an event on its way when we unsubscribed");
    session.handle_message(T0, unsubscribed(3));
    assert_eq!(events(&mut session), [SessionEvent::Unsubscribed { handler: b, result: Ok(()) }]);
    session.handle_message(T0, event(7));
    assert!(events(&mut session).is_empty());
    assert_eq!(session.state(), SessionState::Joined);
}

#[test]
fn a_subscription_is_not_given_back_while_an_equal_subscribe_is_on_its_way() {
    for refuse in [false, true] {
        let mut session = joined(config());
        let a = subscribe(&mut session, "t");
        session.handle_message(T0, subscribed(1, 7));
        let b = subscribe(&mut session, "t");
        session.unsubscribe(T0, a).unwrap();
        assert_eq!(sent_types(&mut session), [MessageType::Subscribe, MessageType::Subscribe]);
        session.handle_message(T0, event(7));
        let mut told = events(&mut session);
        assert_eq!(told.pop(), Some(SessionEvent::Unsubscribed { handler: a, result: Ok(()) }));
        if refuse {
            session.handle_message(T0, error(MessageType::Subscribe, 2, "wamp.error.not_authorized"));
            let sent = sent(&mut session);
            let [Message::Unsubscribe(unsubscribe)] = &sent[..] else { panic!("{sent:?}") };
            assert_eq!(unsubscribe.subscription, subscription(7));
            events(&mut session);
            session.handle_message(T0, unsubscribed(3));
            assert!(events(&mut session).is_empty(), "nobody asked for that unsubscribe");
        } else {
            session.handle_message(T0, subscribed(2, 7));
            session.handle_message(T0, event(7));
            assert!(is_event(&events(&mut session)[1], 7));
            assert_eq!(session.handlers(subscription(7)), [b]);
        }
    }
}

#[test]
fn equal_topics_under_different_policies_are_different_subscriptions() {
    let mut session = joined(config());
    let a = subscribe(&mut session, "t");
    session.handle_message(T0, subscribed(1, 7));
    let prefix = SubscribeOptions::new().match_policy(MatchPolicy::Prefix);
    session.subscribe(T0, &uri("t"), &prefix).unwrap();
    sent(&mut session);
    session.unsubscribe(T0, a).unwrap();
    assert_eq!(sent_types(&mut session), [MessageType::Unsubscribe]);
}

#[test]
fn a_refused_unsubscribe_ends_the_handler_all_the_same() {
    let mut session = joined(config());
    let handler = subscribe(&mut session, "t");
    session.handle_message(T0, subscribed(1, 7));
    session.unsubscribe(T0, handler).unwrap();
    events(&mut session);
    session.handle_message(T0, error(MessageType::Unsubscribe, 2, "wamp.error.no_such_subscription"));
    let events = events(&mut session);
    assert!(matches!(&events[..], [SessionEvent::Unsubscribed { result: Err(_), .. }]), "{events:?}");
}

#[test]
fn a_revoked_subscription_is_gone_for_every_handler() {
    let mut session = joined(config());
    let (a, b) = (subscribe(&mut session, "t"), subscribe(&mut session, "t"));
    session.handle_message(T0, subscribed(1, 7));
    session.handle_message(T0, subscribed(2, 7));
    events(&mut session);
    session.handle_message(T0, revoked(Some(7)));
    let reason = Some(uri("com.example.moved"));
    let ended = |handler| SessionEvent::SubscriptionRevoked {
        handler,
        subscription: subscription(7),
        reason: reason.clone(),
    };
    assert_eq!(events(&mut session), [ended(a), ended(b)]);
    session.handle_message(T0, revoked(Some(7)));
    session.handle_message(T0, event(7));
    assert!(events(&mut session).is_empty());
    assert_eq!(session.unsubscribe(T0, a), Err(CommandError::NotActive));
    session.handle_message(T0, revoked(None));
    expect_violation(&mut session, "UNSUBSCRIBED: the key \"subscription\" is missing");
}

#[test]
fn subscriptions_are_limited() {
    let mut session = joined(config().limits(Limits::default().subscriptions(2)));
    let a = subscribe(&mut session, "a");
    subscribe(&mut session, "b");
    let refused = session.subscribe(T0, &uri("c"), &SubscribeOptions::new());
    assert_eq!(refused, Err(CommandError::TooMany { what: "subscriptions", count: 2, limit: 2 }));
    assert_eq!(session.unsubscribe(T0, a), Err(CommandError::NotActive), "it is not subscribed yet");
    session.handle_message(T0, subscribed(1, 7));
    session.unsubscribe(T0, a).unwrap();
    subscribe(&mut session, "c");
}

#[test]
fn publications_that_wait_for_their_acknowledgement_are_limited() {
    let mut session = joined(config().limits(Limits::default().pending_publications(2)));
    let options = PublishOptions::new().acknowledge(true);
    fn publish(session: &mut Session, options: &PublishOptions) -> Result<(), CommandError> {
        session.publish(T0, &uri("t"), Payload::EMPTY, options).map(|_| ())
    }
    publish(&mut session, &options).unwrap();
    publish(&mut session, &options).unwrap();
    let refused = CommandError::TooMany { what: "publications", count: 2, limit: 2 };
    assert_eq!(publish(&mut session, &options), Err(refused));
    // Nobody waits for the others.
    publish(&mut session, &PublishOptions::new()).unwrap();
    session.handle_message(T0, Published { request: request(1), publication: publication(9) }.into());
    publish(&mut session, &options).unwrap();
}

#[test]
fn a_broker_that_never_answers_unsubscribe_does_not_fill_the_memory() {
    let mut session = joined(config().limits(Limits::default().subscriptions(3)));
    for id in 0..6 {
        let handler = subscribe(&mut session, "t");
        session.handle_message(T0, subscribed(2 * id + 1, 7));
        session.unsubscribe(T0, handler).unwrap();
    }
    let refused = CommandError::TooMany { what: "unsubscribe requests", count: 6, limit: 6 };
    assert_eq!(session.subscribe(T0, &uri("t"), &SubscribeOptions::new()), Err(refused));
    session.handle_message(T0, unsubscribed(2));
    subscribe(&mut session, "t");
}

use super::*;
use crate::error::{CommandError, RequestError};
use crate::options::{CallOptions, PublishOptions, SubscribeOptions};

fn left_by(by_peer: bool, reason: &'static str) -> CloseReason {
    CloseReason::Goodbye { reason: uri(reason), message: None, by_peer }
}

fn reasons(session: &mut Session) -> Vec<Message> {
    sent(session)
}

#[test]
fn our_goodbye_is_answered_and_not_echoed() {
    let mut session = joined(config());
    session.leave(T0, None).unwrap();
    assert_eq!(reasons(&mut session), [goodbye("wamp.close.close_realm")]);
    assert_eq!(session.state(), SessionState::Leaving);
    assert_eq!(session.leave(T0, None), Err(CommandError::NotJoined));
    session.handle_message(T0, goodbye("wamp.close.goodbye_and_out"));
    assert!(sent(&mut session).is_empty());
    let reason = left_by(false, "wamp.close.close_realm");
    assert_eq!(
        events(&mut session),
        [SessionEvent::Left { reason: reason.clone() }, SessionEvent::Closed { reason, clean: true }]
    );
}

#[test]
fn the_routers_goodbye_is_answered_once() {
    let mut session = joined(config());
    session.handle_message(T0, goodbye("wamp.close.system_shutdown"));
    session.handle_message(T0, goodbye("wamp.close.system_shutdown"));
    let reason = left_by(true, "wamp.close.system_shutdown");
    assert!(reason.is_retryable());
    // Closed waits until the answer was fetched.
    assert_eq!(session.poll_event(), Some(SessionEvent::Left { reason: reason.clone() }));
    assert_eq!(session.poll_event(), None);
    assert_eq!(reasons(&mut session), [goodbye("wamp.close.goodbye_and_out")]);
    assert_eq!(events(&mut session), [SessionEvent::Closed { reason, clean: true }]);
}

#[test]
fn crossing_goodbyes_answer_each_other() {
    let mut session = joined(config());
    session.leave(T0, Some(uri("com.example.bye"))).unwrap();
    session.handle_message(T0, goodbye("wamp.close.system_shutdown"));
    assert_eq!(reasons(&mut session), [goodbye("com.example.bye")]);
    let reason = left_by(false, "com.example.bye");
    assert_eq!(
        events(&mut session),
        [SessionEvent::Left { reason: reason.clone() }, SessionEvent::Closed { reason, clean: true }]
    );
}

#[test]
fn an_answer_after_crossing_goodbyes_does_not_hurt_the_next_session() {
    for is_after_hello in [false, true] {
        let mut session = joined(config().stay_attached(true));
        session.leave(T0, None).unwrap();
        session.handle_message(T0, goodbye("wamp.close.system_shutdown"));
        assert_eq!(session.state(), SessionState::Idle);
        if is_after_hello {
            session.join(T0).unwrap();
        }
        session.handle_message(T0, goodbye("wamp.close.goodbye_and_out"));
        if !is_after_hello {
            session.join(T0).unwrap();
        }
        session.handle_message(T0, welcome_by(router_roles()));
        assert_eq!(session.state(), SessionState::Joined);
        // Only one is explained by the crossing.
        session.leave(T0, None).unwrap();
        session.handle_message(T0, goodbye("wamp.close.goodbye_and_out"));
        session.handle_message(T0, goodbye("wamp.close.goodbye_and_out"));
        assert_eq!(session.state(), SessionState::Closed);
    }
}

#[test]
fn what_is_pending_ends_when_we_leave_and_late_messages_are_dropped() {
    let mut session = joined(config());
    let call = session.call(T0, &uri("a"), Payload::EMPTY, &CallOptions::new()).unwrap();
    let options = PublishOptions::new().acknowledge(true);
    let publish = session.publish(T0, &uri("t"), Payload::EMPTY, &options).unwrap().unwrap();
    let handler = session.subscribe(T0, &uri("t"), &SubscribeOptions::new()).unwrap();
    session.leave(T0, None).unwrap();
    let error = || RequestError::Ended(left_by(false, "wamp.close.close_realm"));
    assert_eq!(
        events(&mut session),
        [
            SessionEvent::Result { call, result: Err(error()) },
            SessionEvent::Published { publish, result: Err(error()) },
            SessionEvent::Subscribed { handler, result: Err(error()) },
        ]
    );
    session.handle_message(T0, subscribed(3, 7));
    session.handle_message(T0, error_for_unknown());
    assert!(events(&mut session).is_empty());
    assert_eq!(session.stats().late, 2);
    let refused = session.call(T0, &uri("a"), Payload::EMPTY, &CallOptions::new());
    assert_eq!(refused, Err(CommandError::NotJoined));
}

fn error_for_unknown() -> Message {
    error(MessageType::Call, 99, "wamp.error.no_such_procedure")
}

#[test]
fn an_abort_ends_everything_in_order_and_is_not_answered() {
    let mut session = joined(config());
    let call = session.call(T0, &uri("a"), Payload::EMPTY, &CallOptions::new()).unwrap();
    sent(&mut session);
    session.handle_message(T0, abort("wamp.close.system_shutdown"));
    session.handle_message(T0, abort("wamp.close.system_shutdown"));
    assert!(sent(&mut session).is_empty());
    match &events(&mut session)[..] {
        [
            SessionEvent::Result { call: ended, result: Err(RequestError::Ended(_)) },
            SessionEvent::Left { reason: CloseReason::Abort { .. } },
            SessionEvent::Closed { reason: CloseReason::Abort { .. }, clean: false },
        ] => assert_eq!(*ended, call),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_end_of_the_transport_ends_everything_at_once() {
    let mut session = joined(config());
    let call = session.call(T0, &uri("a"), Payload::EMPTY, &CallOptions::new()).unwrap();
    sent(&mut session);
    session.handle_eof(T0);
    session.handle_eof(T0);
    let result = Err(RequestError::Ended(CloseReason::Eof));
    assert_eq!(
        events(&mut session),
        [
            SessionEvent::Result { call, result },
            SessionEvent::Left { reason: CloseReason::Eof },
            SessionEvent::Closed { reason: CloseReason::Eof, clean: false },
        ]
    );
    assert_eq!(session.join(T0), Err(CommandError::NotJoined));
}

#[test]
fn a_transport_that_ends_after_goodbye_ends_cleanly() {
    let mut session = joined(config().stay_attached(true));
    session.handle_message(T0, goodbye("wamp.close.normal"));
    sent(&mut session);
    events(&mut session);
    session.handle_eof(T0);
    assert_eq!(events(&mut session), [SessionEvent::Closed { reason: CloseReason::Eof, clean: true }]);

    let mut session = idle(config());
    session.handle_eof(T0);
    assert_eq!(events(&mut session), [SessionEvent::Closed { reason: CloseReason::Eof, clean: false }]);
}

#[test]
fn a_transport_that_stays_carries_another_session_with_fresh_ids() {
    let mut session = joined(config().stay_attached(true));
    let options = CallOptions::new();
    let old = session.call(T0, &uri("a"), Payload::EMPTY, &options).unwrap();
    session.call(T0, &uri("a"), Payload::EMPTY, &options).unwrap();
    let handler = session.subscribe(T0, &uri("t"), &SubscribeOptions::new()).unwrap();
    session.handle_message(T0, subscribed(3, 7));
    session.leave(T0, None).unwrap();
    session.handle_message(T0, goodbye("wamp.close.goodbye_and_out"));
    assert_eq!(session.state(), SessionState::Idle);
    assert_eq!((session.session_id(), session.details()), (None, None));
    assert!(matches!(events(&mut session).last(), Some(SessionEvent::Left { .. })));
    sent(&mut session);

    session.join(T0).unwrap();
    session.handle_message(T0, welcome_by(router_roles()));
    sent(&mut session);
    events(&mut session);
    let new = session.call(T0, &uri("a"), Payload::EMPTY, &options).unwrap();
    assert_eq!((new.request(), new.epoch()), (request(1), 2));
    assert_ne!(old, new);
    assert_eq!(session.cancel(T0, old, Default::default()), Err(CommandError::NotActive));
    assert_eq!(session.unsubscribe(T0, handler), Err(CommandError::NotActive));
    assert!(session.handlers(subscription(7)).is_empty());
    session.close(T0);
    session.handle_message(T0, goodbye("wamp.close.goodbye_and_out"));
    sent(&mut session);
    assert!(matches!(events(&mut session).last(), Some(SessionEvent::Closed { clean: true, .. })));
}

#[test]
fn close_is_orderly_in_every_state() {
    let closed = SessionEvent::Closed { reason: CloseReason::Local, clean: true };

    let mut session = idle(config());
    session.close(T0);
    assert!(sent(&mut session).is_empty());
    assert_eq!(events(&mut session), core::slice::from_ref(&closed));

    let mut session = joining(config());
    session.close(T0);
    assert_eq!(reasons(&mut session), [abort("wamp.close.close_realm")]);
    assert_eq!(events(&mut session), [closed]);

    let mut session = joined(config());
    session.close(T0);
    session.close(T0);
    assert_eq!(reasons(&mut session), [goodbye("wamp.close.close_realm")]);
    session.handle_message(T0, goodbye("wamp.close.goodbye_and_out"));
    let reason = left_by(false, "wamp.close.close_realm");
    assert_eq!(events(&mut session).last(), Some(&SessionEvent::Closed { reason, clean: true }));
}

#[test]
fn abort_ends_at_once_and_says_nothing_before_hello() {
    let mut session = idle(config());
    session.abort(T0, None);
    assert!(sent(&mut session).is_empty());

    let mut session = joined(config());
    session.abort(T0, None);
    session.abort(T0, None);
    assert_eq!(reasons(&mut session), [abort("wamp.close.close_realm")]);
    assert_eq!(
        events(&mut session),
        [
            SessionEvent::Left { reason: CloseReason::Local },
            SessionEvent::Closed { reason: CloseReason::Local, clean: false }
        ]
    );
}

#[test]
fn a_goodbye_in_place_of_the_session_ends_the_join() {
    let mut session = joining(config().stay_attached(true).confirm_welcome(true));
    session.handle_message(T0, welcome_by(router_roles()));
    assert!(matches!(events(&mut session)[..], [SessionEvent::Welcome { .. }]));
    session.handle_message(T0, goodbye("wamp.close.system_shutdown"));
    assert_eq!(reasons(&mut session), [goodbye("wamp.close.goodbye_and_out")]);
    // `Left` belongs to `Joined`; without either, nothing but `Closed` could tell.
    let reason = left_by(true, "wamp.close.system_shutdown");
    assert_eq!(events(&mut session), [SessionEvent::Closed { reason, clean: true }]);
}

#[test]
fn while_leaving_an_unsuitable_invocation_is_passed_over_like_any_other() {
    let mut session = joined(config());
    session.leave(T0, None).unwrap();
    sent(&mut session);
    let bytes = bytes::Bytes::from_static(b"[68,1,7,{\"timeout\":true}]");
    let limits = crate::limits::Limits::default();
    let violation = crate::serializer::Serializer::Json.decode(&bytes, &limits).unwrap_err();
    session.handle_violation(T0, violation);
    assert_eq!(session.state(), SessionState::Leaving);
    assert!(sent(&mut session).is_empty());
    assert_eq!(session.stats().late, 1);
}

#[test]
fn between_two_sessions_abort_says_nothing() {
    let mut session = joined(config().stay_attached(true));
    session.leave(T0, None).unwrap();
    session.handle_message(T0, goodbye("wamp.close.goodbye_and_out"));
    assert_eq!(session.state(), SessionState::Idle);
    sent(&mut session);
    session.abort(T0, None);
    assert!(sent(&mut session).is_empty());
}

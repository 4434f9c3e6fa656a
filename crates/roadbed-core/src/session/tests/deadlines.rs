use super::*;
use crate::error::{CommandError, Deadline, RequestError};
use crate::message::{CallResult, Challenge, RawDict, Sparse};
use crate::options::{CallOptions, CancelMode};
use crate::session::TimeoutReason;

fn at(seconds: u32) -> Timestamp {
    T0 + seconds * SECOND
}

fn timed_out(session: &mut Session, deadline: Deadline) {
    sent(session);
    let events = events(session);
    let closed = SessionEvent::Closed { reason: CloseReason::Timeout(deadline), clean: false };
    assert_eq!(events.last(), Some(&closed), "{events:?}");
    assert_eq!(session.poll_timeout(), None);
}

#[test]
fn the_router_has_thirty_seconds_to_let_us_in() {
    let mut session = joining(config());
    assert_eq!(session.poll_timeout(), Some(at(30)));
    assert_eq!(session.timeout_reason(), Some(TimeoutReason::Deadline(Deadline::Join)));
    session.handle_timeout(at(29));
    assert_eq!(session.state(), SessionState::Joining);
    session.handle_timeout(at(30));
    let Some(Message::Abort(abort)) = session.poll_transmit() else { panic!() };
    assert_eq!(abort.reason, "wamp.error.timeout");
    timed_out(&mut session, Deadline::Join);
}

#[test]
fn the_routers_time_stands_still_while_the_answer_is_ours() {
    let mut session = joining(config().external_auth_method("x_own"));
    session.handle_message(at(20), Challenge { method: "x_own".into(), extra: RawDict::default() }.into());
    assert_eq!(session.poll_timeout(), Some(at(50)));
    assert_eq!(session.timeout_reason(), Some(TimeoutReason::Deadline(Deadline::Decision)));
    session.authenticate(at(45), "proof", RawDict::default()).unwrap();
    assert_eq!(session.poll_timeout(), Some(at(55)));
    session.handle_timeout(at(55));
    timed_out(&mut session, Deadline::Join);
}

#[test]
fn our_own_decisions_have_a_deadline() {
    let mut session = joining(config().external_auth_method("x_own"));
    session.handle_message(at(1), Challenge { method: "x_own".into(), extra: RawDict::default() }.into());
    session.handle_timeout(at(31));
    let Some(Message::Abort(abort)) = session.poll_transmit() else { panic!() };
    assert_eq!(abort.reason, "wamp.error.cannot_authenticate");
    assert_eq!(session.authenticate(at(31), "late", RawDict::default()), Err(CommandError::NotJoined));
    timed_out(&mut session, Deadline::Decision);

    let mut session = joining(config().confirm_welcome(true));
    session.handle_message(at(1), welcome_by(router_roles()));
    session.handle_timeout(at(31));
    assert_eq!(session.accept_welcome(at(31)), Err(CommandError::NotJoined));
    sent(&mut session);
    timed_out(&mut session, Deadline::Decision);
}

#[test]
fn an_unanswered_goodbye_is_not_waited_for_without_end() {
    let mut session = joined(config());
    session.leave(at(10), None).unwrap();
    assert_eq!(session.poll_timeout(), Some(at(15)));
    sent(&mut session);
    session.handle_timeout(at(15));
    assert!(sent(&mut session).is_empty());
    timed_out(&mut session, Deadline::Goodbye);
}

#[test]
fn an_expired_call_ends_at_once_and_is_canceled() {
    let mut session = joined(config());
    let options = CallOptions::new();
    let slow = session.call(T0, &uri("a"), Payload::EMPTY, &options).unwrap();
    let canceled = session.call(T0, &uri("a"), Payload::EMPTY, &options).unwrap();
    let patient = session.call(T0, &uri("a"), Payload::EMPTY, &options).unwrap();
    session.set_call_deadline(slow, Some(at(5))).unwrap();
    session.set_call_deadline(slow, Some(at(10))).unwrap();
    session.set_call_deadline(canceled, Some(at(10))).unwrap();
    session.set_call_deadline(patient, Some(at(1))).unwrap();
    session.set_call_deadline(patient, None).unwrap();
    session.cancel(T0, canceled, CancelMode::Kill).unwrap();
    sent(&mut session);
    assert_eq!(session.poll_timeout(), Some(at(10)));
    assert_eq!(session.timeout_reason(), Some(TimeoutReason::Call(slow)));
    session.handle_timeout(at(9));
    assert!(events(&mut session).is_empty());
    session.handle_timeout(at(10));
    let timeout = |call| SessionEvent::Result { call, result: Err(RequestError::Timeout) };
    assert_eq!(events(&mut session), [timeout(slow), timeout(canceled)]);
    let sent = sent(&mut session);
    // The one that waited for its callee waits no longer.
    let [Message::Cancel(first), Message::Cancel(second)] = &sent[..] else { panic!("{sent:?}") };
    for (cancel, id) in [(first, 1), (second, 2)] {
        assert_eq!((cancel.request, cancel.options.mode), (request(id), Some(CancelMode::KillNoWait)));
    }
    assert_eq!(session.set_call_deadline(slow, None), Err(CommandError::NotActive));

    session.handle_message(at(11), error(MessageType::Call, 1, "wamp.error.canceled"));
    assert!(events(&mut session).is_empty());
    assert_eq!(session.poll_timeout(), None);
    assert_eq!(session.pending_requests(), 1);
}

#[test]
fn an_expired_call_is_not_canceled_where_the_dealer_cannot() {
    let mut session = joined_by(config(), Roles::NONE.with(Role::Dealer, &[]));
    let call = session.call(T0, &uri("a"), Payload::EMPTY, &CallOptions::new()).unwrap();
    session.set_call_deadline(call, Some(at(1))).unwrap();
    session.handle_timeout(at(1));
    assert_eq!(sent_types(&mut session), [MessageType::Call]);
    assert_eq!(events(&mut session), [SessionEvent::Result { call, result: Err(RequestError::Timeout) }]);
}

#[test]
fn an_answer_lifts_the_deadline() {
    let mut session = joined(config());
    let call = session.call(T0, &uri("a"), Payload::EMPTY, &CallOptions::new()).unwrap();
    session.set_call_deadline(call, Some(at(1))).unwrap();
    let (details, payload) = (Sparse::EMPTY, Payload::EMPTY);
    session.handle_message(T0, CallResult { request: request(1), details, payload }.into());
    assert_eq!(session.poll_timeout(), None);
    events(&mut session);
    session.handle_timeout(at(2));
    assert!(events(&mut session).is_empty());
}

#[test]
fn the_next_time_out_is_always_in_the_future() {
    let mut session = joined(config());
    let call = session.call(at(10), &uri("a"), Payload::EMPTY, &CallOptions::new()).unwrap();
    session.set_call_deadline(call, Some(at(3))).unwrap();
    assert_eq!(session.poll_timeout(), Some(at(10).next()));
    // Time that goes back counts as standing still.
    session.handle_timeout(at(2));
    assert!(matches!(session.poll_event(), Some(SessionEvent::Result { .. })));
}

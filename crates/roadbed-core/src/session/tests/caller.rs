use super::*;
use crate::error::{CommandError, RequestError};
use crate::id::{CallId, MAX_ID};
use crate::limits::Limits;
use crate::message::{CallResult, PassThru, Published, ResultDetails, Sparse};
use crate::options::{CallOptions, CancelMode, PublishOptions};
use crate::session::Answer;

fn call(session: &mut Session) -> CallId {
    session.call(T0, &uri("com.example.add"), Payload::EMPTY, &CallOptions::new()).unwrap()
}

fn result(id: u64) -> Message {
    CallResult { request: request(id), details: Sparse::EMPTY, payload: Payload::EMPTY }.into()
}

fn progress(id: u64) -> Message {
    let mut details = Sparse::<ResultDetails>::EMPTY;
    details.progress = Some(true);
    CallResult { request: request(id), details, payload: Payload::EMPTY }.into()
}

fn returned(call: CallId) -> SessionEvent {
    let answer = Answer { details: Sparse::EMPTY, payload: Payload::EMPTY };
    SessionEvent::Result { call, result: Ok(answer) }
}

#[test]
fn a_call_ends_with_its_result_or_its_error() {
    let mut session = joined(config());
    let (first, second) = (call(&mut session), call(&mut session));
    assert_eq!((first.request(), second.request()), (request(1), request(2)));
    assert_eq!(sent_types(&mut session), [MessageType::Call, MessageType::Call]);
    session.handle_message(T0, result(2));
    session.handle_message(T0, error(MessageType::Call, 1, "com.example.error"));
    let events = events(&mut session);
    assert_eq!(events[0], returned(second));
    let SessionEvent::Result { call, result: Err(RequestError::Wamp(error)) } = &events[1] else { panic!() };
    assert_eq!((*call, &error.uri), (first, &uri("com.example.error")));
    assert_eq!(session.pending_requests(), 0);
}

#[test]
fn a_second_answer_is_ignored_and_one_to_nothing_is_a_violation() {
    let mut session = joined(config());
    call(&mut session);
    session.handle_message(T0, result(1));
    events(&mut session);
    session.handle_message(T0, result(1));
    session.handle_message(T0, error(MessageType::Call, 1, "com.example.error"));
    assert!(events(&mut session).is_empty());
    assert_eq!(session.stats().late, 2);
    session.handle_message(T0, result(2));
    expect_violation(&mut session, "RESULT: request 2 was never issued");
}

#[test]
fn an_answer_of_another_type_is_a_violation() {
    let answer = Published { request: request(1), publication: publication(1) };
    let mut session = joined(config());
    call(&mut session);
    session.handle_message(T0, answer.into());
    let events = expect_violation(&mut session, "PUBLISHED: received for a request of another type");
    assert!(matches!(events[..], [SessionEvent::Result { .. }, SessionEvent::Left { .. }]));

    let mut session = joined(config());
    call(&mut session);
    session.handle_message(T0, error(MessageType::Subscribe, 1, "com.example.error"));
    expect_violation(&mut session, "ERROR: received for a request of another type");

    let mut session = joined(config());
    session.handle_message(T0, error(MessageType::Invocation, 1, "com.example.error"));
    expect_violation(&mut session, "ERROR: received for an INVOCATION, which only callees answer");
}

#[test]
fn progress_that_nobody_asked_for_does_not_end_a_call() {
    let mut session = joined(config());
    let id = call(&mut session);
    session.handle_message(T0, progress(1));
    assert!(events(&mut session).is_empty());
    session.handle_message(T0, result(1));
    assert_eq!(events(&mut session), [returned(id)]);
    session.handle_message(T0, progress(1));
    assert!(events(&mut session).is_empty());
    session.handle_message(T0, progress(2));
    expect_violation(&mut session, "RESULT: request 2 was never issued");
}

#[test]
fn a_canceled_call_ends_with_what_the_dealer_answers() {
    for mode in [CancelMode::Skip, CancelMode::Kill, CancelMode::KillNoWait] {
        let mut session = joined(config());
        let id = call(&mut session);
        session.cancel(T0, id, mode).unwrap();
        session.cancel(T0, id, CancelMode::Kill).unwrap();
        let sent = sent(&mut session);
        let [Message::Call(_), Message::Cancel(cancel)] = &sent[..] else { panic!("{sent:?}") };
        assert_eq!((cancel.request, cancel.options.mode), (request(1), Some(mode)));
        assert!(events(&mut session).is_empty());
        session.handle_message(T0, error(MessageType::Call, 1, "wamp.error.canceled"));
        let events = events(&mut session);
        let [SessionEvent::Result { result: Err(RequestError::Wamp(error)), .. }] = &events[..] else {
            panic!("{events:?}")
        };
        assert!(error.is_canceled());
        assert_eq!(session.cancel(T0, id, mode), Err(CommandError::NotActive));
    }
}

#[test]
fn killnowait_ends_the_wait_that_kill_began() {
    let mut session = joined(config());
    let id = call(&mut session);
    for mode in [CancelMode::Kill, CancelMode::Skip, CancelMode::KillNoWait, CancelMode::Kill] {
        session.cancel(T0, id, mode).unwrap();
    }
    let modes: Vec<_> = sent(&mut session)
        .iter()
        .filter_map(|message| match message {
            Message::Cancel(cancel) => cancel.options.mode,
            _ => None,
        })
        .collect();
    assert_eq!(modes, [CancelMode::Kill, CancelMode::KillNoWait]);
}

#[test]
fn a_result_may_overtake_cancel() {
    let mut session = joined(config());
    let id = call(&mut session);
    session.cancel(T0, id, CancelMode::KillNoWait).unwrap();
    session.handle_message(T0, result(1));
    session.handle_message(T0, error(MessageType::Call, 1, "wamp.error.canceled"));
    assert_eq!(events(&mut session), [returned(id)]);
}

#[test]
fn without_a_dealer_that_cancels_the_call_ends_here() {
    let mut session = joined_by(config(), Roles::NONE.with(Role::Dealer, &[]));
    let id = call(&mut session);
    session.cancel(T0, id, CancelMode::KillNoWait).unwrap();
    assert_eq!(sent_types(&mut session), [MessageType::Call]);
    let canceled = SessionEvent::Result { call: id, result: Err(RequestError::Canceled) };
    assert_eq!(events(&mut session), [canceled]);
    session.handle_message(T0, result(1));
    assert!(events(&mut session).is_empty());
}

#[test]
fn roles_and_features_are_checked() {
    let options = CallOptions::new();
    let mut session = joined(config().roles(Roles::NONE.with(Role::Publisher, &[])));
    let refused = session.call(T0, &uri("a"), Payload::EMPTY, &options);
    assert_eq!(refused, Err(CommandError::RoleMissing(Role::Caller)));

    let mut session = joined_by(config(), Roles::NONE.with(Role::Dealer, &[]));
    let refused = session.publish(T0, &uri("a"), Payload::EMPTY, &PublishOptions::new());
    assert_eq!(refused, Err(CommandError::RoleMissing(Role::Broker)));
    let mut sealed = CallOptions::new();
    sealed.passthru = PassThru::default();
    sealed.passthru.attributes_mut().ppt_scheme = Some("x_own".into());
    for (options, feature) in [
        (CallOptions::new().progress(true), Feature::ProgressiveCallInvocations),
        (CallOptions::new().receive_progress(true), Feature::ProgressiveCallResults),
        (sealed, Feature::PayloadPassthruMode),
    ] {
        let refused = session.call(T0, &uri("a"), Payload::EMPTY, &options);
        assert_eq!(refused, Err(CommandError::FeatureMissing(feature)));
    }
    session.call(T0, &uri("a"), Payload::EMPTY, &CallOptions::new().progress(false)).unwrap();
    assert_eq!(call(&mut session).request(), request(2), "a refused command uses no id");
}

#[test]
fn pending_calls_are_limited() {
    let mut session = joined(config().limits(Limits::default().pending_calls(2)));
    call(&mut session);
    call(&mut session);
    let refused = session.call(T0, &uri("a"), Payload::EMPTY, &CallOptions::new());
    assert_eq!(refused, Err(CommandError::TooMany { what: "calls", count: 2, limit: 2 }));
    session.handle_message(T0, result(1));
    assert_eq!(call(&mut session).request(), request(3));
}

#[test]
fn ids_wrap_and_skip_what_is_in_flight() {
    let mut session = joined(config());
    let first = call(&mut session);
    session.pending.continue_after(request(MAX_ID - 1));
    assert_eq!(call(&mut session).request(), request(MAX_ID));
    assert_eq!(call(&mut session).request(), request(2), "1 is still in flight");
    // After the wrap every id was issued once, so a late answer is no violation.
    session.handle_message(T0, result(1000));
    assert_eq!(session.state(), SessionState::Joined);
    session.handle_message(T0, result(1));
    assert_eq!(events(&mut session), [returned(first)]);
}

#[test]
fn all_commands_share_one_sequence() {
    let mut session = joined(config());
    call(&mut session);
    session.publish(T0, &uri("t"), Payload::EMPTY, &PublishOptions::new()).unwrap();
    session.subscribe(T0, &uri("t"), &Default::default()).unwrap();
    session.register(T0, &uri("p"), &Default::default()).unwrap();
    session.handle_message(T0, subscribed(3, 1));
    session.handle_message(T0, registered(4, 1));
    let mut handlers = events(&mut session).into_iter();
    let Some(SessionEvent::Subscribed { handler, .. }) = handlers.next() else { panic!() };
    session.unsubscribe(T0, handler).unwrap();
    let Some(SessionEvent::Registered { handler, .. }) = handlers.next() else { panic!() };
    session.unregister(T0, handler).unwrap();
    let id = call(&mut session);
    session.cancel(T0, id, CancelMode::Skip).unwrap();
    assert_eq!(call(&mut session).request(), request(8));
}

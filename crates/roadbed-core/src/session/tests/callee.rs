use std::string::{String, ToString};

use super::*;
use crate::error::{CommandError, ProtocolViolation, ViolationKind, WampError};
use crate::id::{InvocationId, RegisterId};
use crate::limits::Limits;
use crate::message::{Interrupt, Invocation, Sparse, Unregistered, UnregisteredDetails};
use crate::options::{CancelMode, InterruptOptions, RegisterOptions, YieldOptions};
use crate::serializer::Serializer;

/// An open session with a procedure under registration 7.
pub(super) fn callee(config: ClientConfig) -> (Session, RegisterId) {
    let mut session = joined(config);
    let handler = session.register(T0, &uri("p"), &RegisterOptions::new()).unwrap();
    session.handle_message(T0, registered(1, 7));
    assert_eq!(events(&mut session), [SessionEvent::Registered { handler, result: Ok(registration(7)) }]);
    sent(&mut session);
    (session, handler)
}

pub(super) fn invocation(id: u64, registration_id: u64) -> Message {
    let (request, registration) = (request(id), registration(registration_id));
    Invocation { request, registration, details: Sparse::EMPTY, payload: Payload::EMPTY }.into()
}

pub(super) fn invoked(session: &mut Session) -> InvocationId {
    match session.poll_event() {
        Some(SessionEvent::Invocation { invocation, .. }) => invocation,
        other => panic!("no invocation: {other:?}"),
    }
}

fn interrupt(id: u64, mode: Option<CancelMode>) -> Message {
    let mut options = Sparse::<InterruptOptions>::EMPTY;
    options.mode = mode;
    options.reason = Some(crate::error::uris::CANCELED.clone());
    Interrupt { request: request(id), options }.into()
}

/// The invocations refused, with the error and what it says.
fn refused(messages: &[Message]) -> Vec<(u64, String, String)> {
    let refused = messages.iter().filter_map(|message| match message {
        Message::Error(error) => Some(error),
        _ => None,
    });
    let parts = |error: &Error| {
        let (text,) = error.payload.args::<(String,)>().unwrap();
        (error.request.get(), error.error.to_string(), text)
    };
    refused.map(parts).collect()
}

fn refusal(id: u64, error: &str, text: &str) -> (u64, String, String) {
    (id, error.into(), text.into())
}

fn answer(session: &mut Session, invocation: InvocationId) -> Result<(), CommandError> {
    session.yield_result(T0, invocation, Payload::EMPTY, &YieldOptions::new())
}

#[test]
fn an_invocation_is_answered_once() {
    let (mut session, handler) = callee(config());
    session.handle_message(T0, invocation(1, 7));
    session.handle_message(T0, invocation(2, 7));
    let events = events(&mut session);
    let [
        SessionEvent::Invocation { invocation: first, handler: to, .. },
        SessionEvent::Invocation { invocation: second, .. },
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(*to, handler);
    answer(&mut session, *first).unwrap();
    assert_eq!(answer(&mut session, *first), Err(CommandError::NotActive));
    let error = WampError::new(uri("com.example.error"));
    session.invocation_error(T0, *second, error.clone()).unwrap();
    assert_eq!(session.invocation_error(T0, *second, error), Err(CommandError::NotActive));
    assert_eq!(sent_types(&mut session), [MessageType::Yield, MessageType::Error]);
    assert_eq!(session.pending_invocations(), 0);
}

#[test]
fn an_invocation_of_nothing_is_refused_without_ending_the_session() {
    let (mut session, handler) = callee(config());
    session.unregister(T0, handler).unwrap();
    session.handle_message(T0, invocation(1, 7));
    session.handle_message(T0, invocation(2, 99));
    let sent = sent(&mut session);
    let text = "nothing is registered here under this id";
    let error = "wamp.error.no_such_procedure";
    assert_eq!(refused(&sent), [refusal(1, error, text), refusal(2, error, text)]);
    assert_eq!(session.state(), SessionState::Joined);
}

#[test]
fn invocations_in_flight_survive_unregister() {
    let (mut session, handler) = callee(config());
    session.handle_message(T0, invocation(1, 7));
    let invocation = invoked(&mut session);
    session.unregister(T0, handler).unwrap();
    assert_eq!(session.unregister(T0, handler), Err(CommandError::NotActive));
    session.handle_message(T0, Unregistered { request: Some(request(2)), details: None }.into());
    assert_eq!(events(&mut session), [SessionEvent::Unregistered { handler, result: Ok(()) }]);
    answer(&mut session, invocation).unwrap();
    assert_eq!(sent_types(&mut session), [MessageType::Unregister, MessageType::Yield]);
}

#[test]
fn invocations_over_the_limit_are_refused() {
    let (mut session, _) = callee(config().limits(Limits::default().pending_invocations(1)));
    session.handle_message(T0, invocation(1, 7));
    session.handle_message(T0, invocation(2, 7));
    let text = "1 invocations wait for an answer, the limit is 1";
    assert_eq!(refused(&sent(&mut session)), [refusal(2, "wamp.error.unavailable", text)]);
    let first = invoked(&mut session);
    assert_eq!(events(&mut session), []);
    answer(&mut session, first).unwrap();
    session.handle_message(T0, invocation(3, 7));
    invoked(&mut session);
}

#[test]
fn an_id_in_use_is_a_violation() {
    let (mut session, _) = callee(config());
    session.handle_message(T0, invocation(5, 7));
    events(&mut session);
    session.handle_message(T0, invocation(5, 7));
    let text = "INVOCATION: received with the id of an invocation that is not answered yet";
    expect_violation(&mut session, text);
}

#[test]
fn ids_of_invocations_have_to_be_sequential_only_when_asked() {
    let (mut session, _) = callee(config());
    for id in [9, 3, 4] {
        session.handle_message(T0, invocation(id, 7));
    }
    assert_eq!(events(&mut session).len(), 3);

    let (mut session, _) = callee(config().strict_ids(true));
    session.handle_message(T0, invocation(1, 7));
    session.handle_message(T0, invocation(2, 99));
    session.handle_message(T0, invocation(3, 7));
    assert_eq!(events(&mut session).len(), 2);
    session.handle_message(T0, invocation(5, 7));
    expect_violation(&mut session, "INVOCATION: request id 5 is not sequential, expected 4");
}

#[test]
fn an_interrupt_that_kills_still_wants_an_answer() {
    let (mut session, _) = callee(config());
    session.handle_message(T0, invocation(1, 7));
    let id = invoked(&mut session);
    session.handle_message(T0, interrupt(1, Some(CancelMode::Kill)));
    session.handle_message(T0, interrupt(1, Some(CancelMode::Kill)));
    let reason = Some(crate::error::uris::CANCELED.clone());
    let told = SessionEvent::Interrupted { invocation: id, mode: CancelMode::Kill, reason };
    assert_eq!(events(&mut session), [told]);
    session.invocation_error(T0, id, WampError::new(uri("wamp.error.canceled"))).unwrap();
    session.handle_message(T0, interrupt(1, Some(CancelMode::Kill)));
    assert!(events(&mut session).is_empty(), "it crossed with the answer");
}

#[test]
fn an_interrupt_that_does_not_wait_ends_the_invocation() {
    for mode in [None, Some(CancelMode::KillNoWait), Some(CancelMode::Skip)] {
        let (mut session, _) = callee(config());
        session.handle_message(T0, invocation(1, 7));
        let id = invoked(&mut session);
        session.handle_message(T0, interrupt(1, mode));
        session.handle_message(T0, interrupt(1, mode));
        match &events(&mut session)[..] {
            [SessionEvent::Interrupted { invocation, mode: told, .. }] => {
                assert_eq!((*invocation, *told), (id, mode.unwrap_or(CancelMode::KillNoWait)));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(answer(&mut session, id), Err(CommandError::NotActive));
        assert!(sent(&mut session).is_empty());
    }
}

#[test]
fn a_revoked_registration_is_gone() {
    let (mut session, handler) = callee(config());
    session.handle_message(T0, invocation(1, 7));
    let id = invoked(&mut session);
    let revoked = |id| {
        let mut details = UnregisteredDetails::new();
        details.registration = id;
        Message::from(Unregistered { request: None, details: Some(details) })
    };
    session.handle_message(T0, revoked(Some(registration(7))));
    let told = SessionEvent::RegistrationRevoked { handler, registration: registration(7), reason: None };
    assert_eq!(events(&mut session), [told]);
    assert_eq!(session.registration(handler), None);
    answer(&mut session, id).unwrap();
    session.handle_message(T0, revoked(Some(registration(7))));
    assert!(events(&mut session).is_empty());
    session.handle_message(T0, revoked(None));
    expect_violation(&mut session, "UNREGISTERED: the key \"registration\" is missing");
}

#[test]
fn progress_is_refused_until_it_is_implemented() {
    let (mut session, _) = callee(config());
    session.handle_message(T0, invocation(1, 7));
    let id = invoked(&mut session);
    let refused = session.yield_result(T0, id, Payload::EMPTY, &YieldOptions::new().progress(true));
    assert_eq!(refused, Err(CommandError::FeatureMissing(Feature::ProgressiveCallResults)));
    answer(&mut session, id).unwrap();
}

#[test]
fn an_invocation_with_an_unsuitable_option_is_answered() {
    let violation = |id| {
        let kind = ViolationKind::NotAnnounced("timeout");
        ProtocolViolation::new(Some(MessageType::Invocation), kind)
            .by_request(Some((MessageType::Invocation, request(id))), true)
    };
    let (mut session, _) = callee(config().strict_ids(true));
    session.handle_violation(T0, violation(1));
    let text = "INVOCATION: timeout was not announced";
    assert_eq!(refused(&sent(&mut session)), [refusal(1, "wamp.error.invalid_argument", text)]);
    session.handle_message(T0, invocation(2, 7));
    invoked(&mut session);
    // Not when the id itself is wrong.
    session.handle_violation(T0, violation(2));
    expect_violation(&mut session, "INVOCATION: request id 2 is not sequential, expected 3");

    let (mut session, _) = callee(config());
    let violation = ProtocolViolation::new(None, ViolationKind::EmptyMessage);
    session.handle_violation(T0, violation);
    expect_violation(&mut session, "message: the message is empty");
}

#[test]
fn registrations_are_limited() {
    let (mut session, handler) = callee(config().limits(Limits::default().registrations(1)));
    let refused = session.register(T0, &uri("q"), &RegisterOptions::new());
    assert_eq!(refused, Err(CommandError::TooMany { what: "registrations", count: 1, limit: 1 }));
    session.unregister(T0, handler).unwrap();
    session.register(T0, &uri("q"), &RegisterOptions::new()).unwrap();
    session.handle_message(T0, error(MessageType::Register, 3, "wamp.error.procedure_already_exists"));
    let events = events(&mut session);
    assert!(matches!(&events[..], [SessionEvent::Registered { result: Err(_), .. }]), "{events:?}");
    session.register(T0, &uri("q"), &RegisterOptions::new()).unwrap();
}

/// A result or an event is reported as unreadable, an invocation answered, and the session goes on.
#[test]
fn what_cannot_be_read_costs_no_session() {
    let (mut session, handler) = callee(config());
    let decode = |json: &'static [u8]| {
        Serializer::Json.decode(&bytes::Bytes::from_static(json), &Limits::default()).unwrap()
    };
    session.handle_message(T0, decode(b"[68,1,7,{},[NaN]]"));
    session.handle_message(T0, decode(br#"[68,2,7,{},[],{"a":1,"a":2}]"#));
    let refused = refused(&sent(&mut session));
    let nan = "the arguments cannot be read: at byte 12: NaN and infinities are not JSON";
    let twice = "the keyword arguments cannot be read: at byte 21: the key stands twice";
    let error = "wamp.error.invalid_payload";
    assert_eq!(refused, [refusal(1, error, nan), refusal(2, error, twice)]);
    assert_eq!(events(&mut session), []);
    assert_eq!(session.pending_invocations(), 0);
    // What only some serializers can say is the application's to judge.
    session.handle_message(T0, decode(b"[68,3,7,{},[18446744073709551616,1]]"));
    let events = events(&mut session);
    let [SessionEvent::Invocation { payload, handler: to, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((*to, payload.arg::<u8>(1).unwrap()), (handler, 1));
    assert!(payload.arg::<u64>(0).is_err());
    assert_eq!(session.state(), SessionState::Joined);
}

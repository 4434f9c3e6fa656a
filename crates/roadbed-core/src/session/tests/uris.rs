//! URIs: what is none is not sent, and costs no more than it must when it is received.

use super::*;
use crate::error::{CommandError, ProtocolViolation, RequestError, WampError, uris};
use crate::limits::Limits;
use crate::options::{CallOptions, PublishOptions, RegisterOptions, SubscribeOptions};
use crate::serializer::Serializer;
use crate::uri::{MatchPolicy, UriError};

const BAD: [&str; 5] = ["", "#bad", "a b", "a..b", "a\u{feff}"];

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "takes what a command returned")]
fn refused<T: core::fmt::Debug>(result: Result<T, CommandError>) {
    assert!(matches!(result, Err(CommandError::InvalidUri(_))), "{result:?}");
}

#[test]
fn no_command_sends_what_is_no_uri() {
    for bad in BAD {
        let mut session = joined(config());
        refused(session.call(T0, &uri(bad), Payload::EMPTY, &CallOptions::new()));
        refused(session.publish(T0, &uri(bad), Payload::EMPTY, &PublishOptions::new()));
        refused(session.subscribe(T0, &uri(bad), &SubscribeOptions::new()));
        refused(session.register(T0, &uri(bad), &RegisterOptions::new()));
        refused(session.leave(T0, Some(uri(bad))));
        assert!(sent(&mut session).is_empty());
        // No id was used.
        session.call(T0, &uri("a"), Payload::EMPTY, &CallOptions::new()).unwrap();
        assert!(matches!(&sent(&mut session)[..], [Message::Call(call)] if call.request == request(1)));
    }
}

#[test]
fn patterns_have_rules_of_their_own() {
    let mut session = joined(config());
    let options = SubscribeOptions::new().match_policy(MatchPolicy::Wildcard);
    session.subscribe(T0, &uri("a..b"), &options).unwrap();
    refused(session.subscribe(T0, &uri("a.#.b"), &options));
}

#[test]
fn an_invocation_is_not_answered_with_an_error_that_has_no_uri() {
    let (mut session, _) = callee::callee(config());
    session.handle_message(T0, callee::invocation(1, 7));
    let invocation = callee::invoked(&mut session);
    refused(session.invocation_error(T0, invocation, WampError::new(uri("#bad"))));
    session.invocation_error(T0, invocation, WampError::new(uri("com.example.no"))).unwrap();
    assert!(matches!(&sent(&mut session)[..], [Message::Error(error)] if error.error == "com.example.no"));
}

#[test]
fn an_abort_with_a_reason_that_is_none_is_sent_with_another() {
    let mut session = joined(config());
    session.abort(T0, Some(uri("")));
    assert_eq!(sent(&mut session), [abort("wamp.close.close_realm")]);
}

#[test]
fn a_goodbye_needs_a_uri_and_an_abort_ends_whatever_it_says() {
    for bad in BAD {
        let mut session = joined(config());
        session.handle_message(T0, goodbye(bad));
        let error = uri(bad).check(Default::default(), MatchPolicy::Exact, 1024).unwrap_err();
        let violation = ProtocolViolation::invalid_uri(MessageType::Goodbye, "reason", error);
        expect_violation(&mut session, &std::string::ToString::to_string(&violation));

        let mut session = joined(config());
        session.handle_message(T0, abort(bad));
        assert!(sent(&mut session).is_empty(), "ABORT is never answered");
        assert_eq!(session.state(), SessionState::Closed);

        // As the answer to ours any will do.
        let mut session = joined(config());
        session.leave(T0, None).unwrap();
        sent(&mut session);
        session.handle_message(T0, goodbye(bad));
        assert!(sent(&mut session).is_empty());
        assert!(matches!(events(&mut session).last(), Some(SessionEvent::Closed { clean: true, .. })));
    }
    assert_eq!(uri("").check(Default::default(), MatchPolicy::Exact, 1024), Err(UriError::Empty));
}

fn unreadable(json: &str) -> ProtocolViolation {
    Serializer::Json.decode(&std::string::String::from(json).into(), &Limits::default()).unwrap_err()
}

#[test]
fn an_abort_that_cannot_be_read_is_not_answered() {
    let mut session = joined(config());
    session.handle_violation(T0, unreadable(r#"[3,{"message":1},"a.b"]"#));
    assert!(sent(&mut session).is_empty());
    assert!(matches!(events(&mut session).last(), Some(SessionEvent::Closed { clean: false, .. })));
}

#[test]
fn an_answer_that_cannot_be_read_ends_its_request_only() {
    let long = std::format!(r#"[8,48,1,{{}},"{}"]"#, "x".repeat(2_000));
    for json in [&*long, r#"[8,48,1,{"callee":"me"},"com.example.no"]"#, r#"[50,1,{"progress":7}]"#] {
        let mut session = joined(config());
        let call = session.call(T0, &uri("a"), Payload::EMPTY, &CallOptions::new()).unwrap();
        session.handle_violation(T0, unreadable(json));
        let violation = unreadable(json);
        let result = Err(RequestError::Unreadable(violation.clone()));
        assert_eq!(events(&mut session), [SessionEvent::Result { call, result }]);
        assert_eq!(session.state(), SessionState::Joined);
        // While leaving it is late, as a readable one is.
        session.leave(T0, None).unwrap();
        session.handle_violation(T0, violation);
        assert_eq!((session.state(), session.stats().late), (SessionState::Leaving, 1));
    }
}

#[test]
fn an_event_with_an_odd_detail_costs_itself_only() {
    let long = std::format!(r#"[36,1,2,{{"topic":"{}"}}]"#, "x".repeat(2_000));
    for json in [&*long, r#"[36,1,2,{"publisher_authid":5},[1]]"#, r#"[36,1,2,{"ppt_scheme":7},[1]]"#] {
        let mut session = joined(config());
        session.handle_violation(T0, unreadable(json));
        assert!(sent(&mut session).is_empty() && events(&mut session).is_empty(), "{json}");
        assert_eq!((session.state(), session.stats().late), (SessionState::Joined, 1));
    }
    // What is malformed still ends the session.
    for json in
        [r#"[36,1,2,{"topic":}]"#, r#"[36,1,2,[]]"#, r#"[36,0,2,{}]"#, r#"[36,1,2,{"topic":1,"topic":2}]"#]
    {
        let mut session = joined(config());
        session.handle_violation(T0, unreadable(json));
        assert_eq!(session.state(), SessionState::Closed, "{json}");
    }
}

#[test]
fn an_error_of_a_careless_router_is_passed_on_as_it_came() {
    let mut session = joined(config());
    let call = session.call(T0, &uri("a"), Payload::EMPTY, &CallOptions::new()).unwrap();
    session.handle_message(T0, error(MessageType::Call, 1, ""));
    let result = Err(RequestError::Wamp(WampError::new(uri(""))));
    assert_eq!(events(&mut session), [SessionEvent::Result { call, result }]);
}

#[test]
fn a_client_that_was_refused_may_join_again_on_a_transport_that_stays() {
    let mut session = joining(config().stay_attached(true));
    session.handle_message(T0, abort("wamp.error.no_such_realm"));
    let events_so_far = events(&mut session);
    let [SessionEvent::Refused { reason }] = &events_so_far[..] else { panic!("{events_so_far:?}") };
    assert!(matches!(reason, CloseReason::Abort { reason, .. } if *reason == uris::NO_SUCH_REALM));
    assert_eq!(session.state(), SessionState::Idle);
    assert_eq!(session.poll_timeout(), None);
    session.join(T0).unwrap();
    assert_eq!(sent_types(&mut session), [MessageType::Hello]);
    session.handle_message(T0, welcome_by(router_roles()));
    assert_eq!(session.state(), SessionState::Joined);

    for (config, reason) in [
        (config(), "wamp.error.no_such_realm"),
        (config().stay_attached(true), "wamp.error.protocol_violation"),
    ] {
        let mut session = joining(config);
        session.handle_message(T0, abort(reason));
        assert!(matches!(events(&mut session)[..], [SessionEvent::Closed { clean: false, .. }]));
    }
}

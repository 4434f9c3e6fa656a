use std::string::ToString;

use super::*;
use crate::auth::AuthError;
use crate::error::CommandError;
use crate::message::{Authenticate, Challenge, RawDict};
use crate::options::CallOptions;

fn challenge(method: &'static str) -> Message {
    Challenge { method: method.into(), extra: RawDict::default() }.into()
}

fn signature(session: &mut Session) -> std::string::String {
    match session.poll_transmit() {
        Some(Message::Authenticate(Authenticate { signature, .. })) => signature.to_string(),
        other => panic!("no AUTHENTICATE: {other:?}"),
    }
}

#[test]
fn hello_says_what_the_configuration_says() {
    let mut extra = RawDict::default();
    extra.set("x_build", "7").unwrap();
    let config = config().authid("joe").authrole("user").ticket("t").anonymous().hello_extra(extra);
    let mut session = idle(config);
    session.join(T0).unwrap();
    let Some(Message::Hello(hello)) = session.poll_transmit() else { panic!() };
    assert_eq!(hello.realm, Some(uri("realm1")));
    let details = hello.details.into_inner();
    assert_eq!(details.agent.as_deref(), Some(concat!("roadbed/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(details.authid.as_deref(), Some("joe"));
    assert_eq!(details.authrole.as_deref(), Some("user"));
    assert_eq!(details.authmethods.unwrap(), ["ticket", "anonymous"]);
    assert_eq!(details.extra.keys().collect::<Vec<_>>(), ["x_build"]);
    let roles = details.roles.unwrap();
    assert!(roles.supports(Role::Caller, Feature::CallCanceling));
    assert!(roles.supports(Role::Callee, Feature::RegistrationRevocation));
    assert!(roles.supports(Role::Subscriber, Feature::SubscriptionRevocation));
    assert!(!roles.supports(Role::Caller, Feature::ProgressiveCallResults));

    let mut session = idle(ClientConfig::without_realm());
    session.join(T0).unwrap();
    let Some(Message::Hello(hello)) = session.poll_transmit() else { panic!() };
    assert_eq!((hello.realm, &hello.details.authmethods), (None, &None));
}

#[test]
fn welcome_opens_the_session() {
    let mut session = joining(config());
    assert_eq!(session.join(T0), Err(CommandError::AlreadyJoined));
    let early = session.call(T0, &uri("a"), Payload::EMPTY, &CallOptions::new());
    assert_eq!(early, Err(CommandError::NotJoined));
    session.handle_message(T0, welcome_by(router_roles()));
    let Some(SessionEvent::Joined { session: id, details }) = session.poll_event() else { panic!() };
    assert_eq!(details.realm, Some(uri("realm1")));
    assert_eq!(session.session_id(), Some(id));
    assert_eq!(session.details(), Some(&*details));
    assert!(session.peer_roles().supports(Role::Dealer, Feature::CallCanceling));
    assert_eq!(session.poll_timeout(), None);
    assert_eq!(session.join(T0), Err(CommandError::AlreadyJoined));
}

#[test]
fn a_realm_chosen_by_the_router_is_told() {
    let mut session = joining(ClientConfig::without_realm());
    let Message::Welcome(mut welcome) = welcome_by(router_roles()) else { panic!() };
    welcome.details.realm = Some(uri("assigned"));
    session.handle_message(T0, welcome.into());
    let Some(SessionEvent::Joined { details, .. }) = session.poll_event() else { panic!() };
    assert_eq!(details.realm, Some(uri("assigned")));
}

#[test]
fn a_welcome_without_roles_is_a_violation() {
    let mut session = joining(config());
    let Message::Welcome(mut welcome) = welcome_by(router_roles()) else { panic!() };
    welcome.details.roles = None;
    session.handle_message(T0, welcome.into());
    assert!(expect_violation(&mut session, "WELCOME: the key \"roles\" is missing").is_empty());
}

#[test]
fn a_ticket_answers_its_challenge_twice_if_need_be() {
    let mut session = joining(config().authid("joe").ticket("secret!!!"));
    session.handle_message(T0, challenge("ticket"));
    assert_eq!(signature(&mut session), "secret!!!");
    session.handle_message(T0, challenge("ticket"));
    assert_eq!(signature(&mut session), "secret!!!");
    session.handle_message(T0, welcome_by(router_roles()));
    assert_eq!(session.state(), SessionState::Joined);
}

#[test]
fn challenges_without_end_are_a_violation() {
    let mut session = joining(config().authid("joe").ticket("t"));
    for _ in 0..5 {
        session.handle_message(T0, challenge("ticket"));
    }
    expect_violation(&mut session, "CHALLENGE: received once too often");
}

#[test]
fn a_ticket_stays_here_when_others_could_read_it() {
    let remote = TransportDetails::tcp("192.0.2.1:8080", false);
    for is_allowed in [false, true] {
        let mut session = idle(config().authid("joe").ticket("t").allow_insecure_ticket(is_allowed));
        session.transport_ready(T0, remote.clone());
        session.join(T0).unwrap();
        session.poll_transmit();
        session.handle_message(T0, challenge("ticket"));
        if is_allowed {
            assert_eq!(signature(&mut session), "t");
            continue;
        }
        let Some(Message::Abort(abort)) = session.poll_transmit() else { panic!() };
        assert_eq!(abort.reason, "wamp.error.cannot_authenticate");
        let reason = CloseReason::CannotAuthenticate(AuthError::InsecureTransport);
        assert_eq!(events(&mut session), [SessionEvent::Closed { reason, clean: false }]);
    }
}

#[test]
fn an_unknown_transport_counts_as_readable_by_others() {
    let config = shared(config().authid("joe").ticket("t"));
    let mut session = Session::new(config, T0, UnixMicros::default());
    session.join(T0).unwrap();
    session.handle_message(T0, challenge("ticket"));
    assert_eq!(sent_types(&mut session), [MessageType::Hello, MessageType::Abort]);
}

#[test]
fn a_challenge_of_a_method_not_offered_is_refused() {
    for offered in [config(), config().anonymous(), config().external_auth_method("x_otp")] {
        let mut session = joining(offered);
        session.handle_message(T0, challenge("wampcra"));
        assert_eq!(sent_types(&mut session), [MessageType::Abort]);
        let reason = CloseReason::CannotAuthenticate(AuthError::NotOffered("wampcra".into()));
        assert!(!reason.is_retryable());
        assert_eq!(events(&mut session), [SessionEvent::Closed { reason, clean: false }]);
    }
    // Anonymous clients have nothing to prove, so there is nothing to answer.
    let mut session = joining(config().anonymous());
    session.handle_message(T0, challenge("anonymous"));
    assert_eq!(sent_types(&mut session), [MessageType::Abort]);
}

#[test]
fn the_application_answers_methods_of_its_own() {
    let mut session = joining(config().external_auth_method("x_otp"));
    assert_eq!(session.authenticate(T0, "early", RawDict::default()), Err(CommandError::NotJoined));
    session.handle_message(T0, challenge("x_otp"));
    assert!(
        matches!(session.poll_event(), Some(SessionEvent::Challenge { method, .. }) if method == "x_otp")
    );
    assert_eq!(session.state(), SessionState::Challenged);
    session.authenticate(T0, "123456", RawDict::default()).unwrap();
    assert_eq!(signature(&mut session), "123456");
    assert_eq!(session.authenticate(T0, "again", RawDict::default()), Err(CommandError::NotJoined));
    session.handle_message(T0, welcome_by(router_roles()));
    assert_eq!(session.state(), SessionState::Joined);
}

#[test]
fn a_welcome_can_be_accepted_or_refused() {
    let mut session = joining(config().confirm_welcome(true));
    assert_eq!(session.accept_welcome(T0), Err(CommandError::NotJoined));
    session.handle_message(T0, welcome_by(router_roles()));
    assert!(matches!(events(&mut session)[..], [SessionEvent::Welcome { .. }]));
    assert!(session.session_id().is_some());
    let early = session.call(T0, &uri("a"), Payload::EMPTY, &CallOptions::new());
    assert_eq!(early, Err(CommandError::NotJoined));
    session.accept_welcome(T0).unwrap();
    assert!(matches!(events(&mut session)[..], [SessionEvent::Joined { .. }]));
    assert_eq!(session.accept_welcome(T0), Err(CommandError::NotJoined));

    let mut session = joining(config().confirm_welcome(true));
    session.handle_message(T0, welcome_by(router_roles()));
    session.abort(T0, Some(uri("com.example.not_this_router")));
    let Some(Message::Abort(abort)) = session.poll_transmit() else { panic!() };
    assert_eq!(abort.reason, "com.example.not_this_router");
    let events = events(&mut session);
    assert!(matches!(events[..], [SessionEvent::Welcome { .. }, SessionEvent::Closed { clean: false, .. }]));
    assert_eq!(session.accept_welcome(T0), Err(CommandError::NotJoined));
}

#[test]
fn an_abort_ends_the_join_and_is_not_answered() {
    let mut session = joining(config());
    session.handle_message(T0, abort("wamp.error.no_such_realm"));
    assert!(sent(&mut session).is_empty());
    match &events(&mut session)[..] {
        [SessionEvent::Closed { reason: CloseReason::Abort { reason, .. }, clean: false }] => {
            assert_eq!(*reason, "wamp.error.no_such_realm");
        }
        other => panic!("{other:?}"),
    }
}

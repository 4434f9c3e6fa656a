use super::*;
use crate::message::{
    Authenticate, Call, CallResult, Cancel, Challenge, Event, EventReceived, Hello, Interrupt, Invocation,
    Publish, Published, RawDict, Register, Subscribe, UnknownMessage, Unregister, Unregistered, Unsubscribe,
    Unsubscribed, Yield,
};
use crate::session::state::{Verdict, verdict};

/// One message of each type.
fn sample(message: MessageType) -> Message {
    let (id, payload) = (request(1), Payload::EMPTY);
    let publication = publication(1);
    match message {
        MessageType::Hello => Hello { realm: None, details: Default::default() }.into(),
        MessageType::Welcome => welcome_by(router_roles()),
        MessageType::Abort => abort("com.example.abort"),
        MessageType::Challenge => Challenge { method: "x_own".into(), extra: RawDict::default() }.into(),
        MessageType::Authenticate => Authenticate { signature: "".into(), extra: RawDict::default() }.into(),
        MessageType::Goodbye => goodbye("com.example.goodbye"),
        MessageType::Error => error(MessageType::Call, 1, "com.example.error"),
        MessageType::Publish => {
            Publish { request: id, options: Default::default(), topic: uri("t"), payload }.into()
        }
        MessageType::Published => Published { request: id, publication }.into(),
        MessageType::Subscribe => {
            Subscribe { request: id, options: Default::default(), topic: uri("t") }.into()
        }
        MessageType::Subscribed => subscribed(1, 1),
        MessageType::Unsubscribe => {
            Unsubscribe { request: id, subscription: subscription(1), options: None }.into()
        }
        MessageType::Unsubscribed => Unsubscribed { request: Some(id), details: None }.into(),
        MessageType::Event => {
            let subscription = subscription(1);
            Event { subscription, publication, details: Default::default(), payload }.into()
        }
        MessageType::Call => {
            Call { request: id, options: Default::default(), procedure: uri("p"), payload }.into()
        }
        MessageType::Cancel => Cancel { request: id, options: Default::default() }.into(),
        MessageType::CallResult => CallResult { request: id, details: Default::default(), payload }.into(),
        MessageType::Register => {
            Register { request: id, options: Default::default(), procedure: uri("p") }.into()
        }
        MessageType::Registered => registered(1, 1),
        MessageType::Unregister => {
            Unregister { request: id, registration: registration(1), options: None }.into()
        }
        MessageType::Unregistered => Unregistered { request: Some(id), details: None }.into(),
        MessageType::Invocation => {
            let registration = registration(1);
            Invocation { request: id, registration, details: Default::default(), payload }.into()
        }
        MessageType::Interrupt => Interrupt { request: id, options: Default::default() }.into(),
        MessageType::Yield => Yield { request: id, options: Default::default(), payload }.into(),
        MessageType::EventReceived => EventReceived { publication }.into(),
    }
}

fn in_state(state: SessionState) -> Session {
    let config = || config().external_auth_method("x_own").stay_attached(true);
    let mut session = match state {
        SessionState::Idle => {
            let mut session = joined(config());
            session.handle_message(T0, goodbye("wamp.close.normal"));
            session
        }
        SessionState::Joining => joining(config()),
        SessionState::Challenged => {
            let mut session = joining(config());
            session.handle_message(T0, sample(MessageType::Challenge));
            session
        }
        SessionState::Confirming => {
            let mut session = joining(config().confirm_welcome(true));
            session.handle_message(T0, welcome_by(router_roles()));
            session
        }
        SessionState::Joined => joined(config()),
        SessionState::Leaving => {
            let mut session = joined(config());
            session.leave(T0, None).unwrap();
            session
        }
        SessionState::Closed => {
            let mut session = joined(config());
            session.handle_eof(T0);
            session
        }
    };
    sent(&mut session);
    events(&mut session);
    assert_eq!(session.state(), state);
    session
}

#[test]
fn every_message_in_every_state_does_what_the_table_says() {
    for state in SessionState::ALL {
        for &message in MessageType::ALL {
            let mut session = in_state(state);
            session.handle_message(T0, sample(message));
            let what = std::format!("{message} while {state:?}");
            match verdict(state, message) {
                Verdict::Violation(text) => {
                    let events = expect_violation(&mut session, &std::format!("{message}: received {text}"));
                    let had_session = state == SessionState::Joined;
                    let left = matches!(events[..], [SessionEvent::Left { .. }]);
                    assert!(if had_session { left } else { events.is_empty() }, "{what}: {events:?}");
                }
                Verdict::Ignore => {
                    assert_eq!(session.state(), state, "{what}");
                    assert!(sent(&mut session).is_empty(), "{what}");
                    assert!(events(&mut session).is_empty(), "{what}");
                }
                Verdict::Take => {
                    // Answers to requests that were never made are violations of their own.
                    let aborted = sent(&mut session).iter().any(|sent| matches!(sent, Message::Abort(_)));
                    let unknown = matches!(
                        message,
                        MessageType::Error
                            | MessageType::Published
                            | MessageType::Subscribed
                            | MessageType::Unsubscribed
                            | MessageType::CallResult
                            | MessageType::Registered
                            | MessageType::Unregistered
                    );
                    assert_eq!(aborted, unknown, "{what}");
                }
            }
            // Whatever it was, nothing more happens after the end.
            if session.state() == SessionState::Closed {
                events(&mut session);
                for &message in MessageType::ALL {
                    session.handle_message(T0, sample(message));
                }
                session.handle_timeout(T0 + 1000 * SECOND);
                assert!(events(&mut session).is_empty() && sent(&mut session).is_empty(), "{what}");
            }
        }
    }
}

#[test]
fn before_hello_nothing_may_come_and_nothing_is_answered() {
    for &message in MessageType::ALL {
        let mut session = idle(config());
        session.handle_message(T0, sample(message));
        assert_eq!(session.state(), SessionState::Closed, "{message}");
        assert!(sent(&mut session).is_empty(), "HELLO must be the first message: {message}");
    }
}

#[test]
fn unknown_messages_are_counted() {
    for state in SessionState::ALL {
        let mut session = in_state(state);
        session.handle_message(T0, Message::Unknown(UnknownMessage { code: 300 }));
        assert_eq!(session.stats().unknown, 1);
        assert_eq!(session.state(), state);
        assert!(events(&mut session).is_empty());
    }
}

#[test]
fn the_event_queue_tells_when_it_is_full() {
    let limits = crate::limits::Limits::default().queued_events(2);
    let mut session = joined(config().limits(limits));
    session.subscribe(T0, &uri("t"), &Default::default()).unwrap();
    session.handle_message(T0, subscribed(1, 1));
    assert!(session.wants_input());
    session.handle_message(T0, sample(MessageType::Event));
    assert!(!session.wants_input());
    session.poll_event();
    assert!(session.wants_input());
    session.handle_eof(T0);
    assert!(!session.wants_input());
}

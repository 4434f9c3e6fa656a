//! A client whose router falls silent.

use roadbed_core::error::{CloseReason, CommandError, Deadline, RequestError};
use roadbed_core::limits::Limits;
use roadbed_core::message::MessageType;
use roadbed_core::options::{CallOptions, PublishOptions};
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::session::{ClientConfig, SessionEvent};
use roadbed_core::transport::{LivenessConfig, LivenessMode};
use roadbed_core::uri::Uri;
use roadbed_testkit::{Client, Pair, Script, client};
use roadbed_tests::frames::{frame, handshake};

use crate::{SECOND, seconds};

const JSON: Serializer = Serializer::Json;
const CHALLENGE: &str = r#"[4,"x_otp",{}]"#;
const WELCOME: &str = r#"[2,4711,{"roles":{"broker":{},"dealer":{"features":{"call_canceling":true}}}}]"#;

fn config() -> ClientConfig {
    ClientConfig::new(Uri::from_static("realm1"))
}

fn pair(config: ClientConfig, router: Script) -> Pair<Client, Script> {
    Pair::new(client(config.build().expect("a configuration"), JSON), router)
}

/// A client that has joined.
fn joined(config: ClientConfig) -> Pair<Client, Script> {
    let mut pair = pair(config, Script::router());
    pair.router.welcome();
    pair.drive();
    pair.router.expect(MessageType::Hello);
    assert!(matches!(pair.client.events()[..], [SessionEvent::Joined { .. }]));
    pair
}

/// Lets time pass until the connection is closed; says when that was, and why.
fn wait_for_end(pair: &mut Pair<Client, Script>) -> (u64, CloseReason) {
    for _ in 0..600 {
        if pair.client.is_closed() {
            let at = seconds(pair.now());
            assert_eq!(pair.client.connection.poll_timeout(), None);
            match pair.client.events().pop() {
                Some(SessionEvent::Closed { reason, .. }) => return (at, reason),
                other => panic!("{other:?}"),
            }
        }
        pair.advance(SECOND);
    }
    panic!("it never ends");
}

#[test]
fn a_router_that_does_not_let_it_in_is_given_up_after_30_seconds() {
    let welcome = frame(JSON, WELCOME);
    let beginnings: [&[u8]; 6] = [
        b"",
        b"\x7F",
        &handshake(JSON)[..3],
        &handshake(JSON),
        &[&handshake(JSON), &welcome[..2]].concat(),
        &[&handshake(JSON), &welcome[..welcome.len() - 1]].concat(),
    ];
    for beginning in beginnings {
        let mut pair = pair(config(), Script::raw());
        pair.router.send_bytes(beginning);
        let (at, reason) = wait_for_end(&mut pair);
        assert_eq!((at, reason), (30, CloseReason::Timeout(Deadline::Join)), "{beginning:?}");
    }
}

#[test]
fn bytes_that_trickle_do_not_prolong_it() {
    let mut pair = pair(config(), Script::raw());
    let slow = [&handshake(JSON)[..], &frame(JSON, WELCOME)].concat();
    for byte in slow.iter().take(29) {
        pair.router.send_bytes(&[*byte]);
        pair.advance(SECOND);
    }
    assert_eq!(wait_for_end(&mut pair), (30, CloseReason::Timeout(Deadline::Join)));
}

#[test]
fn its_own_decision_has_a_deadline_of_its_own() {
    let mut pair = pair(config().external_auth_method("x_otp"), Script::raw());
    pair.router.send_bytes(&[&handshake(JSON)[..], &frame(JSON, CHALLENGE)].concat());
    pair.advance(20 * SECOND);
    assert!(matches!(pair.client.events()[..], [SessionEvent::Challenge { .. }]));
    assert_eq!(wait_for_end(&mut pair), (30, CloseReason::Timeout(Deadline::Decision)));
}

#[test]
fn a_goodbye_that_is_not_answered_is_enough_after_5_seconds() {
    let mut pair = joined(config());
    let now = pair.now();
    pair.client.connection.leave(now, None).expect("it has joined");
    assert_eq!(wait_for_end(&mut pair), (5, CloseReason::Timeout(Deadline::Goodbye)));
}

#[test]
fn a_router_that_vanished_is_noticed_and_everything_pending_ends() {
    let liveness = LivenessConfig::default().mode(LivenessMode::On);
    let mut pair = joined(config().liveness(liveness));
    let (now, procedure) = (pair.now(), Uri::from_static("com.example.procedure"));
    let connection = &mut pair.client.connection;
    let call = connection.call(now, &procedure, Payload::EMPTY, &CallOptions::new()).expect("a call");
    pair.drive();
    pair.up().black_hole();
    pair.down().black_hole();
    pair.advance(89 * SECOND);
    assert_eq!(pair.client.events(), []);
    pair.advance(SECOND);
    let gone = CloseReason::Timeout(Deadline::Liveness);
    match &pair.client.events()[..] {
        [SessionEvent::Result { call: ended, result }, SessionEvent::Left { reason: left }, last] => {
            assert_eq!((ended, result), (&call, &Err(RequestError::Ended(gone.clone()))));
            assert_eq!(left, &gone);
            assert_eq!(last, &SessionEvent::Closed { reason: gone, clean: false });
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_router_that_answers_pings_is_never_given_up() {
    let mut pair = joined(config().liveness(LivenessConfig::default().mode(LivenessMode::On)));
    pair.advance(3600 * SECOND);
    assert_eq!(pair.client.events(), []);
    assert!(!pair.client.is_closed());
}

#[test]
fn a_call_has_the_deadline_it_was_given() {
    let mut pair = joined(config());
    let (now, procedure) = (pair.now(), Uri::from_static("com.example.procedure"));
    let connection = &mut pair.client.connection;
    let call = connection.call(now, &procedure, Payload::EMPTY, &CallOptions::new()).expect("a call");
    connection.set_call_deadline(call, Some(now + 7 * SECOND)).expect("it has just begun");
    pair.advance(7 * SECOND);
    assert_eq!(pair.client.events(), [SessionEvent::Result { call, result: Err(RequestError::Timeout) }]);
    pair.drive();
    pair.router.expect(MessageType::Call);
    pair.router.expect(MessageType::Cancel);
    assert!(!pair.client.is_closed());
}

/// What is to be sent piles up, up to a bound, and closing does not wait for it for ever.
#[test]
fn a_router_that_does_not_read_is_written_to_within_bounds() {
    let limits = Limits::default().output_high_water(100_000).output_size(400_000);
    let mut pair = joined(config().limits(limits));
    pair.router.set_reading(false);
    let topic = Uri::from_static("com.example.topic");
    let payload = Payload::from_args(JSON, &("x".repeat(10_000),)).expect("a payload");
    let error = loop {
        let now = pair.now();
        let connection = &mut pair.client.connection;
        match connection.publish(now, &topic, payload.clone(), &PublishOptions::new()) {
            Ok(_) => assert!(connection.queued() < 500_000),
            Err(error) => break error,
        }
        pair.drive();
    };
    assert!(matches!(error, CommandError::WouldBlock { .. }), "{error:?}");
    assert!(!pair.client.connection.is_writable());
    let now = pair.now();
    pair.client.connection.close(now);
    let (at, reason) = wait_for_end(&mut pair);
    assert_eq!((at, reason), (10, CloseReason::Timeout(Deadline::Goodbye)));
}

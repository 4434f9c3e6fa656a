//! The contract of every state machine, rule by rule.

use super::*;
use crate::error::{CommandError, RequestError};
use crate::limits::Limits;
use crate::message::{Challenge, Invocation, RawDict};
use crate::options::{CallOptions, PublishOptions, YieldOptions};
use crate::transport::{LivenessConfig, LivenessMode};

fn call(wire: &mut Wire) -> crate::id::CallId {
    wire.client.call(wire.now, &uri("a"), Payload::EMPTY, &CallOptions::new()).unwrap()
}

#[test]
fn rule_1_the_caller_owns_the_buffer_and_partial_frames_stay_in_it() {
    let mut wire = Wire::joined(config());
    wire.client.subscribe(T0, &uri("t"), &Default::default()).unwrap();
    let bytes = frames(Serializer::Json, &[subscribed(1, 7), event(7)]);
    let mut input = BytesMut::from(&bytes[..bytes.len() - 1]);
    let limit = wire.client.session().config().limits.message_size;
    assert!((1..=limit + 4).contains(&wire.client.input_hint()));
    wire.client.handle_input(T0, &mut input);
    assert_eq!(input.len(), frames(Serializer::Json, &[event(7)]).len() - 1);
    assert!(matches!(wire.events()[..], [SessionEvent::Subscribed { .. }]));
    assert!((1..=limit + 4).contains(&wire.client.input_hint()));
    input.extend_from_slice(&bytes[bytes.len() - 1..]);
    wire.client.handle_input(T0, &mut input);
    assert!(input.is_empty());
    assert!(matches!(wire.events()[..], [SessionEvent::Event { .. }]));
}

#[test]
fn rule_2_events_of_the_same_read_come_first_then_abort_drains_then_closed() {
    let mut wire = Wire::joined(config());
    wire.client.subscribe(T0, &uri("t"), &Default::default()).unwrap();
    let call = call(&mut wire);
    wire.carry();
    wire.received();
    let mut input = BytesMut::from(&frames(Serializer::Json, &[subscribed(1, 7), event(7)])[..]);
    input.extend_from_slice(b"\0\0\0\x02[]");
    input.extend_from_slice(&frames(Serializer::Json, &[event(7)]));
    wire.client.handle_input(T0, &mut input);
    match &wire.events()[..] {
        [
            SessionEvent::Subscribed { .. },
            SessionEvent::Event { .. },
            SessionEvent::Result { call: ended, result: Err(RequestError::Ended(_)) },
            SessionEvent::Left { reason: CloseReason::PeerViolation(_) },
        ] => assert_eq!(*ended, call),
        other => panic!("{other:?}"),
    }
    assert!(wire.client.queued() > 0 && !wire.client.is_open() && !wire.client.wants_input());
    wire.upload();
    let received = wire.received();
    let [Message::Abort(abort)] = &received[..] else { panic!("{received:?}") };
    assert_eq!(abort.reason, "wamp.error.protocol_violation");
    assert_eq!(abort.details.message.as_deref(), Some("message: the message is empty"));
    assert!(matches!(
        wire.events()[..],
        [SessionEvent::Closed { reason: CloseReason::PeerViolation(_), clean: false }]
    ));
    assert_eq!((wire.client.poll_event(), wire.client.poll_timeout()), (None, None));
}

#[test]
fn rule_2_a_faulty_frame_is_answered_with_abort_as_well() {
    let mut wire = Wire::joined(config());
    let mut input = BytesMut::from(&b"\xF0\0\0\0"[..]);
    wire.client.handle_input(T0, &mut input);
    wire.upload();
    assert_eq!(wire.types(), [MessageType::Abort]);
    assert!(matches!(wire.events().last(), Some(SessionEvent::Closed { .. })));
}

#[test]
fn rule_2_closed_does_not_wait_for_output_without_end() {
    let mut wire = Wire::joined(config());
    wire.client.abort(T0 + SECOND, None);
    assert!(matches!(wire.events()[..], [SessionEvent::Left { .. }]));
    assert_eq!(wire.client.poll_timeout(), Some(T0 + 6 * SECOND));
    assert_eq!(wire.client.timeout_reason(), Some(TimeoutReason::Linger));
    wire.client.handle_timeout(T0 + 6 * SECOND);
    assert!(matches!(wire.events()[..], [SessionEvent::Closed { .. }]));
    assert_eq!(wire.client.poll_timeout(), None);
}

#[test]
fn rule_3_a_full_event_queue_stops_input_and_liveness() {
    let liveness = LivenessConfig::default().mode(LivenessMode::On);
    let limits = Limits::default().queued_events(3);
    let mut wire = Wire::joined(config().limits(limits).liveness(liveness));
    wire.client.subscribe(T0, &uri("t"), &Default::default()).unwrap();
    wire.carry();
    wire.send(&subscribed(1, 7));
    for _ in 0..200 {
        wire.send(&event(7));
    }
    wire.client.handle_input(T0, &mut wire.to_client);
    assert!(!wire.client.wants_input());
    assert_eq!(wire.client.poll_timeout(), None, "silence is not the router's fault now");
    let mut count = 0;
    while wire.client.poll_event().is_some() {
        count += 1;
        if wire.client.wants_input() {
            wire.client.handle_input(T0, &mut wire.to_client);
        }
    }
    assert_eq!((count, wire.to_client.len()), (201, 0));
    assert_eq!(wire.client.timeout_reason(), Some(TimeoutReason::Liveness));
}

#[test]
fn rule_3_an_end_of_stream_behind_a_full_queue_waits_its_turn() {
    let mut wire = Wire::joined(config().limits(Limits::default().queued_events(2)));
    wire.client.subscribe(T0, &uri("t"), &Default::default()).unwrap();
    wire.carry();
    wire.send(&subscribed(1, 7));
    for _ in 0..5 {
        wire.send(&event(7));
    }
    wire.client.handle_input(T0, &mut wire.to_client);
    wire.client.handle_eof(T0);
    let mut seen = Vec::new();
    while let Some(event) = wire.client.poll_event() {
        seen.push(event);
        if wire.client.wants_input() {
            wire.client.handle_input(T0, &mut wire.to_client);
        }
    }
    assert_eq!(seen.len(), 8, "{seen:?}");
    assert!(matches!(seen[6..], [SessionEvent::Left { .. }, SessionEvent::Closed { .. }]));
}

#[test]
fn rule_4_before_welcome_commands_answer_not_joined() {
    let mut wire = Wire::new(config());
    for _ in 0..2 {
        let refused = wire.client.call(T0, &uri("a"), Payload::EMPTY, &CallOptions::new());
        assert_eq!(refused, Err(CommandError::NotJoined));
        assert!(wire.client.join(T0).is_err());
        wire.carry();
    }
}

#[test]
fn rule_4_output_over_the_limits_is_refused_but_answers_never_are() {
    let limits = Limits::default().output_high_water(1_000).output_size(3_000);
    let mut wire = Wire::joined(config().limits(limits));
    wire.client.register(T0, &uri("p"), &Default::default()).unwrap();
    wire.carry();
    wire.send(&registered(1, 7));
    wire.send(&invocation(1));
    wire.send(&invocation(2));
    wire.carry();
    let invocations: Vec<_> = wire.events().iter().filter_map(invoked).collect();
    wire.received();

    let payload = || text(Serializer::Json, 700);
    let publish = |wire: &mut Wire| wire.client.publish(T0, &uri("t"), payload(), &PublishOptions::new());
    publish(&mut wire).unwrap();
    assert!(wire.client.is_writable());
    publish(&mut wire).unwrap();
    assert!(!wire.client.is_writable());
    for _ in 0..3 {
        publish(&mut wire).unwrap();
    }
    let queued = wire.client.queued();
    assert_eq!(publish(&mut wire), Err(CommandError::WouldBlock { queued, limit: 3_000 }));
    let refused = wire.client.call(T0, &uri("a"), Payload::EMPTY, &CallOptions::new());
    assert_eq!(refused, Err(CommandError::WouldBlock { queued, limit: 3_000 }));
    wire.client.yield_result(T0, invocations[0], payload(), &YieldOptions::new()).unwrap();
    let error = crate::error::WampError::with_payload(uri("com.example.error"), payload());
    wire.client.invocation_error(T0, invocations[1], error).unwrap();

    assert!(wire.events().is_empty());
    wire.carry();
    assert!(wire.client.is_writable());
    assert_eq!(wire.events(), [SessionEvent::Writable]);
    wire.received();
    // Nothing refused has used an id: REGISTER was 1, five publications followed.
    assert_eq!(call(&mut wire).request(), request(7));
    wire.client.leave(T0, None).unwrap();
    wire.upload();
    assert_eq!(wire.types(), [MessageType::Call, MessageType::Goodbye]);
}

fn invocation(id: u64) -> Message {
    let registration = RegistrationId::new(7).unwrap();
    let (details, payload) = (Sparse::EMPTY, Payload::EMPTY);
    Invocation { request: request(id), registration, details, payload }.into()
}

fn invoked(event: &SessionEvent) -> Option<crate::id::InvocationId> {
    match event {
        SessionEvent::Invocation { invocation, .. } => Some(*invocation),
        _ => None,
    }
}

#[test]
fn rule_5_the_end_of_the_stream_ends_every_command_at_once_and_output_still_drains() {
    let mut wire = Wire::joined(config());
    let call = call(&mut wire);
    let options = PublishOptions::new().acknowledge(true);
    let publish = wire.client.publish(T0, &uri("t"), Payload::EMPTY, &options).unwrap().unwrap();
    wire.client.handle_eof(T0);
    let ended = || RequestError::Ended(CloseReason::Eof);
    assert_eq!(
        wire.events(),
        [
            SessionEvent::Result { call, result: Err(ended()) },
            SessionEvent::Published { publish, result: Err(ended()) },
            SessionEvent::Left { reason: CloseReason::Eof },
        ]
    );
    wire.upload();
    assert_eq!(wire.types(), [MessageType::Call, MessageType::Publish]);
    assert_eq!(wire.events(), [SessionEvent::Closed { reason: CloseReason::Eof, clean: false }]);
}

#[test]
fn rule_6_spurious_calls_do_nothing_and_time_outs_lie_ahead_and_say_why() {
    let mut wire = Wire::new(config());
    assert_eq!(wire.client.timeout_reason(), Some(TimeoutReason::Deadline(Deadline::Join)));
    wire.carry();
    assert_eq!(wire.client.poll_timeout(), Some(T0 + 30 * SECOND), "one deadline from open to WELCOME");
    for _ in 0..3 {
        wire.client.handle_timeout(T0 + 29 * SECOND);
        wire.client.handle_input(T0 + 2 * SECOND, &mut BytesMut::new());
    }
    assert!(wire.client.poll_timeout().unwrap() > T0 + 29 * SECOND);
    wire.send(&welcome());
    wire.carry();
    let call = call(&mut wire);
    wire.client.set_call_deadline(call, Some(T0 + SECOND)).unwrap();
    assert_eq!(wire.client.poll_timeout(), Some((T0 + 29 * SECOND).next()));
    assert_eq!(wire.client.timeout_reason(), Some(TimeoutReason::Call(call)));
}

#[test]
fn rule_6_a_router_that_never_answers_is_given_up() {
    let mut client = connect(config(), Serializer::Json, T0);
    client.handle_timeout(T0 + 30 * SECOND);
    while client.poll_transmit().is_some() {}
    let reason = CloseReason::Timeout(Deadline::Join);
    assert_eq!(client.poll_event(), Some(SessionEvent::Closed { reason, clean: false }));
    assert_eq!(client.poll_timeout(), None);
}

#[test]
fn rule_7_a_dead_id_gives_an_error_value() {
    let mut wire = Wire::joined(config().stay_attached(true));
    let call = call(&mut wire);
    let handler = wire.client.subscribe(T0, &uri("t"), &Default::default()).unwrap();
    wire.client.leave(T0, None).unwrap();
    wire.carry();
    wire.events();
    assert_eq!(wire.client.cancel(T0, call, Default::default()), Err(CommandError::NotActive));
    assert_eq!(wire.client.set_call_deadline(call, None), Err(CommandError::NotActive));
    assert_eq!(wire.client.unsubscribe(T0, handler), Err(CommandError::NotJoined));
    assert_eq!(wire.client.accept_welcome(T0), Err(CommandError::NotJoined));
    wire.client.close(T0);
    wire.client.abort(T0, None);
    assert_eq!(wire.client.join(T0), Err(CommandError::NotJoined));
}

#[test]
fn rule_8_the_same_inputs_give_the_same_bytes() {
    let run = || {
        let mut wire = Wire::joined_with(config(), Serializer::Cbor, "roadbed/1");
        wire.client.subscribe(T0, &uri("t"), &Default::default()).unwrap();
        call(&mut wire);
        let mut bytes = Vec::new();
        for second in 0..200 {
            let now = T0 + second * SECOND;
            wire.client.handle_timeout(now);
            while let Some(chunk) = wire.client.poll_transmit() {
                bytes.extend_from_slice(&chunk);
            }
        }
        (bytes, wire.events())
    };
    assert_eq!(run(), run());
}

#[test]
fn rule_9_handlers_are_alive_for_what_comes_in_the_same_read() {
    let mut wire = Wire::joined(config());
    let handler = wire.client.subscribe(T0, &uri("t"), &Default::default()).unwrap();
    wire.client.register(T0, &uri("p"), &Default::default()).unwrap();
    wire.carry();
    for message in [subscribed(1, 7), event(7), registered(2, 7), invocation(1)] {
        wire.send(&message);
    }
    wire.client.handle_input(T0, &mut wire.to_client);
    assert!(matches!(
        wire.events()[..],
        [
            SessionEvent::Subscribed { .. },
            SessionEvent::Event { .. },
            SessionEvent::Registered { .. },
            SessionEvent::Invocation { .. },
        ]
    ));
    assert_eq!(wire.client.session().handlers(SubscriptionId::new(7).unwrap()), [handler]);
}

#[test]
fn rule_10_slow_decisions_are_events_and_the_routers_time_stands_still() {
    let mut wire = Wire::new(config().external_auth_method("x_own"));
    wire.carry();
    wire.now = T0 + 25 * SECOND;
    wire.send(&Challenge { method: "x_own".into(), extra: RawDict::default() }.into());
    wire.carry();
    assert!(matches!(wire.events()[..], [SessionEvent::Challenge { .. }]));
    assert_eq!(wire.client.timeout_reason(), Some(TimeoutReason::Deadline(Deadline::Decision)));
    wire.now = T0 + 50 * SECOND;
    wire.client.handle_timeout(wire.now);
    wire.client.authenticate(wire.now, "proof", RawDict::default()).unwrap();
    assert_eq!(wire.client.poll_timeout(), Some(T0 + 55 * SECOND));
    wire.carry();
    assert_eq!(wire.types(), [MessageType::Hello, MessageType::Authenticate]);

    wire.send(&Challenge { method: "x_own".into(), extra: RawDict::default() }.into());
    wire.carry();
    wire.now = wire.now + 30 * SECOND;
    wire.client.handle_timeout(wire.now);
    let late = wire.client.authenticate(wire.now, "late", RawDict::default());
    assert_eq!(late, Err(CommandError::NotJoined));
    wire.upload();
    let reason = CloseReason::Timeout(Deadline::Decision);
    assert_eq!(wire.events().last(), Some(&SessionEvent::Closed { reason, clean: false }));
}

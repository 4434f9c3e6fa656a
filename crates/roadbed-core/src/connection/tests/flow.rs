//! What a connection adds to its session: sizes, limits, encodings, liveness, the ends of a transport.

use super::*;
use crate::auth::AuthError;
use crate::error::CommandError;
use crate::limits::Limits;
use crate::message::{Goodbye, RawDict};
use crate::options::{CallOptions, PublishOptions};
use crate::transport::{LivenessConfig, LivenessMode};

fn publish(wire: &mut Wire, payload: Payload) -> Result<(), CommandError> {
    wire.client.publish(wire.now, &uri("t"), payload, &PublishOptions::new()).map(|_| ())
}

fn goodbye() -> Message {
    Goodbye { details: Sparse::EMPTY, reason: uri("wamp.close.goodbye_and_out") }.into()
}

fn small_router(bytes: usize) -> LinkConfig {
    let limits = Limits::default().message_size(bytes).handshake_message_size(bytes);
    LinkConfig::default().limits(limits)
}

#[test]
fn a_message_over_the_routers_limit_is_refused_and_uses_no_id() {
    for serializer in Serializer::ALL {
        let mut wire = Wire::with(config(), serializer, &small_router(1024));
        wire.carry();
        wire.received();
        wire.send(&welcome());
        wire.carry();
        let refused = publish(&mut wire, text(serializer, 2000));
        assert!(matches!(refused, Err(CommandError::TooLarge { size: 2000.., limit: 1024 })), "{refused:?}");
        let refused =
            wire.client.call(T0, &uri("a"), text(serializer, 2000), &CallOptions::new()).unwrap_err();
        assert!(matches!(refused, CommandError::TooLarge { .. }));
        assert_eq!((wire.client.queued(), wire.client.session().pending_requests()), (0, 0));
        let call = wire.client.call(T0, &uri("a"), Payload::EMPTY, &CallOptions::new()).unwrap();
        assert_eq!(call.request(), request(1));
    }
}

#[test]
fn a_payload_of_another_serializer_is_carried_over_or_refused() {
    let mut wire = Wire::joined(config());
    publish(&mut wire, Payload::from_args(Serializer::MsgPack, &(1, "two")).unwrap()).unwrap();
    let not_a_number = Payload::from_args(Serializer::Cbor, &(f64::NAN,)).unwrap();
    assert!(matches!(publish(&mut wire, not_a_number), Err(CommandError::Payload(_))));
    publish(&mut wire, Payload::EMPTY).unwrap();
    wire.carry();
    let received = wire.received();
    let [Message::Publish(first), Message::Publish(second)] = &received[..] else { panic!("{received:?}") };
    assert_eq!(first.payload.args::<(i64, std::string::String)>().unwrap(), (1, "two".into()));
    assert_eq!((first.request, second.request), (request(1), request(2)));
}

#[test]
fn a_refused_answer_leaves_the_invocation_to_be_answered() {
    let mut wire = Wire::with(config(), Serializer::Json, &small_router(1024));
    wire.carry();
    wire.received();
    wire.send(&welcome());
    wire.carry();
    wire.client.register(T0, &uri("p"), &Default::default()).unwrap();
    wire.carry();
    let registration = RegistrationId::new(7).unwrap();
    wire.send(&registered(1, 7));
    let (details, payload) = (Sparse::EMPTY, Payload::EMPTY);
    let invocation = crate::message::Invocation { request: request(1), registration, details, payload };
    wire.send(&invocation.into());
    wire.carry();
    let Some(SessionEvent::Invocation { invocation, .. }) = wire.events().pop() else { panic!() };
    let large = text(Serializer::Json, 2000);
    let refused = wire.client.yield_result(T0, invocation, large, &Default::default());
    assert!(matches!(refused, Err(CommandError::TooLarge { .. })));
    wire.client.yield_result(T0, invocation, Payload::EMPTY, &Default::default()).unwrap();
    let again = wire.client.yield_result(T0, invocation, Payload::EMPTY, &Default::default());
    assert_eq!(again, Err(CommandError::NotActive));
}

#[test]
fn a_hello_that_the_router_cannot_take_ends_the_join() {
    let mut extra = RawDict::default();
    extra.set("x_long", &*"x".repeat(1000)).unwrap();
    let mut wire = Wire::with(config().hello_extra(extra), Serializer::Json, &small_router(512));
    wire.carry();
    assert!(wire.received().is_empty());
    let reason = CloseReason::CannotAuthenticate(AuthError::Unsendable);
    assert_eq!(wire.events(), [SessionEvent::Closed { reason, clean: false }]);
}

#[test]
fn what_a_small_router_cannot_take_is_said_in_fewer_words() {
    let mut wire = Wire::with(config().agent("x".repeat(500)), Serializer::Json, &small_router(512));
    wire.carry();
    let received = wire.received();
    let [Message::Hello(hello)] = &received[..] else { panic!("{received:?}") };
    assert_eq!((hello.details.agent.as_deref(), hello.details.roles.is_some()), (None, true));
    wire.send(&welcome());
    wire.carry();

    // An ERROR that the session sends by itself, with the text of a long violation; and an ABORT.
    let long = std::format!(r#"[68,1,7,{{"{}":1,"timeout":"x"}}]"#, "k".repeat(300));
    let bytes = Bytes::from(long.into_bytes());
    wire.client
        .session
        .handle_violation(T0, Serializer::Json.decode(&bytes, &Limits::default()).unwrap_err());
    let reason = Uri::from_wire("x".repeat(600).into());
    wire.client.abort(T0, Some(reason));
    wire.carry();
    let received = wire.received();
    let [Message::Error(_), Message::Abort(abort)] = &received[..] else { panic!("{received:?}") };
    assert_eq!(abort.reason, "wamp.close.close_realm");
}

#[test]
fn messages_are_smaller_before_welcome_and_large_ones_may_come_in_the_same_read() {
    let mut wire = Wire::new(config());
    wire.carry();
    wire.received();
    let Message::Welcome(mut welcome) = welcome() else { panic!() };
    let mut large = RawDict::default();
    large.set("x_large", &*"x".repeat(70_000)).unwrap();
    welcome.details.extra = large;
    wire.send(&welcome.into());
    wire.client.handle_input(T0, &mut wire.to_client);
    wire.upload();
    assert!(matches!(
        wire.events()[..],
        [SessionEvent::Closed { reason: CloseReason::PeerViolation(_), .. }]
    ));

    let mut wire = Wire::new(config().stay_attached(true));
    wire.carry();
    let large = event_with(7, text(Serializer::Json, 200_000));
    wire.send(&super::welcome());
    wire.send(&large);
    wire.client.handle_input(T0, &mut wire.to_client);
    assert!(wire.to_client.is_empty());
    assert!(matches!(wire.events()[..], [SessionEvent::Joined { .. }]));
    assert_eq!(wire.client.session().stats().late, 1);
}

#[test]
fn a_router_of_our_own_kind_is_pinged_others_only_on_request() {
    for (agent, mode, pings) in [
        ("roadbed/9", LivenessMode::Auto, true),
        ("crossbar", LivenessMode::Auto, false),
        ("crossbar", LivenessMode::On, true),
        ("roadbed/9", LivenessMode::Off, false),
    ] {
        let liveness = LivenessConfig::default().mode(mode);
        let mut wire = Wire::joined_with(config().liveness(liveness), Serializer::Json, agent);
        let expected = pings.then_some(TimeoutReason::Liveness);
        assert_eq!(wire.client.timeout_reason(), expected, "{agent} {mode:?}");
        if !pings {
            continue;
        }
        for seconds in [30, 60, 90] {
            wire.client.handle_timeout(T0 + seconds * SECOND);
        }
        // Nobody is there to read the two PINGs, so nothing waits for that.
        let reason = CloseReason::Timeout(Deadline::Liveness);
        assert_eq!(
            wire.events(),
            [SessionEvent::Left { reason: reason.clone() }, SessionEvent::Closed { reason, clean: false }]
        );
    }
}

#[test]
fn pings_are_answered_even_while_the_application_is_slow() {
    let mut wire = Wire::joined(config().limits(Limits::default().queued_events(1)));
    wire.client.subscribe(T0, &uri("t"), &Default::default()).unwrap();
    wire.carry();
    wire.client.handle_input(T0, &mut BytesMut::from(&b"\x01\0\0\x02hi"[..]));
    assert_eq!(wire.client.poll_transmit().unwrap(), &b"\x02\0\0\x02hi"[..]);
}

#[test]
fn a_router_that_does_not_read_its_answers_is_not_read_either() {
    let mut wire = Wire::joined(config());
    let registration = RegistrationId::new(7).unwrap();
    let nobodys = |id| {
        let (details, payload) = (Sparse::EMPTY, Payload::EMPTY);
        let request = request(id);
        crate::message::Invocation { request, registration, details, payload }.into()
    };
    let messages: Vec<Message> = (1..5_000).map(nobodys).collect();
    let mut input = BytesMut::from(&frames(Serializer::Json, &messages)[..]);
    wire.client.handle_input(T0, &mut input);
    assert!(!wire.client.wants_input() && !input.is_empty());
    assert!(wire.client.queued() < 65 << 10);
    let mut rounds = 0;
    while !input.is_empty() {
        wire.upload();
        assert!(wire.client.wants_input());
        wire.client.handle_input(T0, &mut input);
        rounds += 1;
    }
    wire.upload();
    assert_eq!(wire.received().len(), 4_999);
    assert!(rounds > 3);
}

#[test]
fn a_session_can_be_joined_again_on_the_same_transport() {
    let mut wire = Wire::joined(config().stay_attached(true));
    assert!(wire.client.is_open() && !wire.client.is_attached());
    publish(&mut wire, Payload::EMPTY).unwrap();
    wire.client.leave(T0, None).unwrap();
    wire.carry();
    wire.send(&goodbye());
    wire.carry();
    assert!(wire.client.is_attached());
    assert!(matches!(wire.events()[..], [SessionEvent::Left { .. }]));
    wire.client.join(T0 + SECOND).unwrap();
    assert_eq!(wire.client.poll_timeout(), Some(T0 + 31 * SECOND));
    wire.carry();
    wire.send(&welcome());
    wire.carry();
    assert!(matches!(wire.events()[..], [SessionEvent::Joined { .. }]));
    wire.received();
    let call = wire.client.call(T0, &uri("a"), Payload::EMPTY, &CallOptions::new()).unwrap();
    assert_eq!((call.request(), call.epoch()), (request(1), 2));
    wire.client.close(T0);
    wire.carry();
    wire.send(&goodbye());
    wire.carry();
    assert!(matches!(wire.events().last(), Some(SessionEvent::Closed { clean: true, .. })));
    assert!(!wire.client.is_open());
}

#[test]
fn by_default_the_transport_closes_with_the_session() {
    let mut wire = Wire::joined(config());
    wire.client.leave(T0, None).unwrap();
    wire.carry();
    wire.send(&goodbye());
    wire.carry();
    assert!(!wire.client.is_open() && !wire.client.wants_input());
    let mut late = BytesMut::from(&b"\0\0"[..]);
    wire.client.handle_input(T0, &mut late);
    assert!(late.is_empty());
    assert!(matches!(
        wire.events()[..],
        [SessionEvent::Left { .. }, SessionEvent::Closed { clean: true, .. }]
    ));
}

#[test]
fn a_stream_cut_inside_a_frame_is_a_loss_not_a_fault() {
    let bytes = frames(Serializer::Json, &[event(7)]);
    for cut in 1..bytes.len() {
        let mut wire = Wire::joined(config());
        let mut input = BytesMut::from(&bytes[..cut]);
        wire.client.handle_input(T0, &mut input);
        wire.client.handle_eof(T0);
        let reason = CloseReason::Eof;
        assert!(reason.is_retryable());
        assert_eq!(
            wire.events(),
            [SessionEvent::Left { reason: reason.clone() }, SessionEvent::Closed { reason, clean: false }]
        );
    }
}

#[test]
fn a_refused_handshake_says_so() {
    let cbor_only = LinkConfig::default().serializers(&[Serializer::Cbor]);
    let mut wire = Wire::with(config(), Serializer::Json, &cbor_only);
    wire.to_router.extend_from_slice(&wire.client.poll_transmit().unwrap());
    wire.router.handle_input(T0, &mut wire.to_router);
    let mut reply = BytesMut::from(&wire.router.poll_transmit().unwrap()[..]);
    wire.client.handle_input(T0, &mut reply);
    let events = wire.events();
    let [SessionEvent::Closed { reason: CloseReason::PeerViolation(violation), clean: false }] = &events[..]
    else {
        panic!("{events:?}")
    };
    let text = std::string::ToString::to_string(violation);
    assert!(text.contains("serializer"), "{text}");
}

#[test]
fn a_broken_stream_drops_output_and_ends_at_once() {
    let mut wire = Wire::joined(config());
    publish(&mut wire, text(Serializer::Json, 50_000)).unwrap();
    wire.client.handle_lost(T0);
    wire.client.handle_lost(T0);
    assert_eq!((wire.client.queued(), wire.client.poll_transmit()), (0, None));
    assert!(matches!(
        wire.events()[..],
        [SessionEvent::Left { .. }, SessionEvent::Closed { reason: CloseReason::Eof, clean: false }]
    ));
    assert_eq!(wire.client.poll_timeout(), None);
}

#[test]
fn a_ticket_needs_to_know_its_transport() {
    let config: Arc<ClientConfig> = config().authid("joe").ticket("secret").build().unwrap();
    let endpoint = Endpoint::rawsocket(Serializer::Json);
    let utc = UnixMicros::default();
    let mut client = Connection::client(config, &endpoint, [0; 32], T0, utc);
    let mut input = BytesMut::from(&b"\x7F\xF1\0\0\0\0\0\x0f[4,\"ticket\",{}]"[..]);
    client.handle_input(T0, &mut input);
    while client.poll_transmit().is_some() {}
    let reason = CloseReason::CannotAuthenticate(AuthError::InsecureTransport);
    assert_eq!(client.poll_event(), Some(SessionEvent::Closed { reason, clean: false }));
}

#[test]
fn whoever_is_refused_for_want_of_room_hears_when_there_is_some() {
    let mut wire = Wire::joined(config().limits(Limits::default().output_size(1_000)));
    while publish(&mut wire, text(Serializer::Json, 400)).is_ok() {}
    assert!(!wire.client.is_writable());
    wire.carry();
    assert_eq!(wire.events(), [SessionEvent::Writable]);
}

#[test]
fn an_application_that_always_has_something_to_send_is_still_read() {
    let mut wire = Wire::joined(config());
    let registration = RegistrationId::new(7).unwrap();
    let mut stalled = 0;
    for id in 1..5_000 {
        let (request, details, payload) = (request(id), Sparse::EMPTY, Payload::EMPTY);
        wire.send(&crate::message::Invocation { request, registration, details, payload }.into());
        // One chunk on its way, and always another one behind it.
        publish(&mut wire, text(Serializer::Json, 20_000)).unwrap();
        wire.client.handle_input(T0, &mut wire.to_client);
        wire.client.poll_transmit().unwrap();
        while wire.client.queued() > 100_000 {
            wire.client.poll_transmit().unwrap();
        }
        assert!(wire.client.queued() > 0);
        stalled = if wire.to_client.is_empty() { 0 } else { stalled + 1 };
        assert!(stalled < 10, "not read since {id}");
    }
}

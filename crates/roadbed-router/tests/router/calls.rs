use roadbed_core::error::uris;
use roadbed_core::message::{Message, MessageType};
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;

use crate::net::*;

const PROCEDURE: &str = "com.example.p";

#[test]
fn a_call_is_answered_with_what_the_callee_yields() {
    let mut net = Net::new();
    let (caller, callee) = (net.join(), net.join());
    let registration = net.register(callee, 1, PROCEDURE);
    net.send(caller, call(1, PROCEDURE));
    let Message::Invocation(invocation) = net.one(callee) else { panic!() };
    assert_eq!((invocation.request, invocation.registration), (id(1), registration));
    assert!(invocation.details.is_empty());
    assert_eq!(invocation.payload, number(1));
    net.send(callee, yield_(invocation.request, number(7)));
    let Message::CallResult(result) = net.one(caller) else { panic!() };
    assert_eq!((result.request, result.payload), (id(1), number(7)));
    assert!(result.details.is_empty());
    net.silent(callee);
    net.end(&[caller, callee]);
}

#[test]
fn an_error_of_the_callee_is_passed_on() {
    let mut net = Net::new();
    let (caller, callee) = (net.join(), net.join());
    net.register(callee, 1, PROCEDURE);
    let invocation = net.call(caller, callee, 9, PROCEDURE);
    net.send(callee, invocation_error(invocation, "com.example.error.full", number(3)));
    let answer = net.one(caller);
    expect_error(&answer, MessageType::Call, 9, &uri("com.example.error.full"));
    assert_eq!(answer.payload(), Some(&number(3)));
    net.end(&[caller, callee]);
}

#[test]
fn results_may_be_empty() {
    let mut net = Net::new();
    let (caller, callee) = (net.join(), net.join());
    net.register(callee, 1, PROCEDURE);
    let invocation = net.call(caller, callee, 1, PROCEDURE);
    net.send(callee, yield_(invocation, Payload::EMPTY));
    assert_eq!(net.one(caller).payload(), Some(&Payload::EMPTY));
}

#[test]
fn a_session_may_call_itself() {
    let mut net = Net::new();
    let peer = net.join();
    net.register(peer, 1, PROCEDURE);
    let invocation = net.call(peer, peer, 2, PROCEDURE);
    net.send(peer, yield_(invocation, number(1)));
    assert!(matches!(net.one(peer), Message::CallResult(result) if result.request == id(2)));
    net.end(&[peer]);
}

#[test]
fn registered_comes_before_the_first_invocation() {
    let mut net = Net::new();
    let (caller, callee) = (net.join(), net.join());
    net.send(callee, register(1, PROCEDURE));
    net.send(caller, call(1, PROCEDURE));
    let messages = net.messages(callee);
    assert!(matches!(messages[..], [Message::Registered(_), Message::Invocation(_)]), "{messages:?}");
}

#[test]
fn invocation_ids_count_from_one_for_each_callee() {
    let mut net = Net::new();
    let (caller, a, b) = (net.join(), net.join(), net.join());
    net.register(a, 1, "com.example.a");
    net.register(b, 1, "com.example.b");
    net.register(b, 2, "com.example.c");
    assert_eq!(net.call(caller, a, 1, "com.example.a"), id(1));
    assert_eq!(net.call(caller, b, 2, "com.example.b"), id(1));
    assert_eq!(net.call(caller, a, 3, "com.example.a"), id(2));
    assert_eq!(net.call(caller, b, 4, "com.example.c"), id(2));
    assert_eq!(net.call(b, b, 5, "com.example.c"), id(3));
}

#[test]
fn answers_find_their_callers_in_any_order() {
    let mut net = Net::new();
    let (a, b, callee) = (net.join(), net.join(), net.join());
    net.register(callee, 1, PROCEDURE);
    let first = net.call(a, callee, 1, PROCEDURE);
    let second = net.call(b, callee, 1, PROCEDURE);
    let third = net.call(a, callee, 2, PROCEDURE);
    for (invocation, n) in [(third, 3), (first, 1), (second, 2)] {
        net.send(callee, yield_(invocation, number(n)));
    }
    let results: Vec<(u64, u64)> = net
        .messages(a)
        .into_iter()
        .map(|message| match message {
            Message::CallResult(result) => (result.request.get(), result.payload.arg(0).unwrap()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(results, [(2, 3), (1, 1)]);
    assert!(matches!(net.one(b), Message::CallResult(result) if result.payload == number(2)));
}

#[test]
fn calls_of_a_caller_reach_a_callee_in_order() {
    let mut net = Net::new();
    let (caller, callee) = (net.join(), net.join());
    net.register(callee, 1, "com.example.a");
    net.register(callee, 2, "com.example.b");
    for request in 1..=10 {
        net.send(caller, call(request, if request % 3 == 0 { "com.example.a" } else { "com.example.b" }));
    }
    let order: Vec<u64> =
        net.messages(callee).into_iter().map(|message| message.payload().unwrap().arg(0).unwrap()).collect();
    assert_eq!(order, (1..=10).collect::<Vec<u64>>());
}

#[test]
fn a_call_under_way_outlives_its_registration() {
    let mut net = Net::new();
    let (caller, callee) = (net.join(), net.join());
    let registration = net.register(callee, 1, PROCEDURE);
    let invocation = net.call(caller, callee, 1, PROCEDURE);
    assert!(matches!(net.ask(callee, unregister(2, registration)), Message::Unregistered(_)));
    expect_error(&net.ask(caller, call(2, PROCEDURE)), MessageType::Call, 2, &uris::NO_SUCH_PROCEDURE);
    net.send(callee, yield_(invocation, number(1)));
    assert!(matches!(net.one(caller), Message::CallResult(_)));
    net.end(&[caller, callee]);
}

#[test]
fn a_procedure_can_be_registered_again_by_somebody_else() {
    let mut net = Net::new();
    let (a, b) = (net.join(), net.join());
    let first = net.register(a, 1, PROCEDURE);
    net.ask(a, unregister(2, first));
    let second = net.register(b, 1, PROCEDURE);
    assert_ne!(first, second);
}

#[test]
fn a_second_answer_to_an_invocation_is_dropped() {
    let mut net = Net::new();
    let (caller, callee) = (net.join(), net.join());
    net.register(callee, 1, PROCEDURE);
    let invocation = net.call(caller, callee, 1, PROCEDURE);
    for _ in 0..2 {
        net.send(callee, yield_(invocation, number(1)));
    }
    net.send(callee, invocation_error(invocation, "com.example.error", number(1)));
    net.one(caller);
    net.silent(callee);
    assert_eq!(net.router.stats().counters.late_answers, 2);
}

#[test]
fn nobody_answers_for_another() {
    let mut net = Net::new();
    let (caller, callee, stranger) = (net.join(), net.join(), net.join());
    net.register(callee, 1, PROCEDURE);
    net.register(stranger, 1, "com.example.other");
    let invocation = net.call(caller, callee, 1, PROCEDURE);
    net.call(caller, stranger, 2, "com.example.other");
    net.send(stranger, yield_(invocation, number(666)));
    // The id is the stranger's own first invocation, so that is what was answered.
    assert!(matches!(net.one(caller), Message::CallResult(result) if result.request == id(2)));
    net.send(callee, yield_(invocation, number(1)));
    assert!(matches!(net.one(caller), Message::CallResult(result) if result.request == id(1)));
}

#[test]
fn progress_that_nobody_asked_for_is_dropped_and_the_call_goes_on() {
    let mut net = Net::new();
    let (caller, callee) = (net.join(), net.join());
    net.register(callee, 1, PROCEDURE);
    let mut request = call(1, PROCEDURE);
    request.options.receive_progress = Some(true);
    net.send(caller, request);
    let Message::Invocation(invocation) = net.one(callee) else { panic!() };
    assert_eq!(invocation.details.receive_progress, None, "the feature is not announced");
    let mut progress = yield_(invocation.request, number(1));
    progress.options.progress = Some(true);
    net.send(callee, progress);
    net.silent(caller);
    net.send(callee, yield_(invocation.request, number(2)));
    assert!(matches!(net.one(caller), Message::CallResult(result) if result.payload == number(2)));
    assert_eq!(net.router.stats().counters.progress_dropped, 1);
}

#[test]
fn a_timeout_is_not_announced_and_not_forwarded() {
    let mut net = Net::new();
    let (caller, callee) = (net.join(), net.join());
    net.register(callee, 1, PROCEDURE);
    let mut request = call(1, PROCEDURE);
    request.options.timeout = Some(10);
    net.send(caller, request);
    assert!(
        matches!(net.one(callee), Message::Invocation(invocation) if invocation.details.timeout.is_none())
    );
    net.pass(std::time::Duration::from_secs(60));
    net.silent(caller);
}

#[test]
fn what_a_client_says_about_identities_is_not_passed_on() {
    let mut net = Net::new();
    let (caller, callee) = (net.join(), net.join());
    net.register(callee, 1, PROCEDURE);
    let mut request = call(1, PROCEDURE);
    request.options.extra.set("caller_authid", "admin").unwrap();
    net.send(caller, request);
    let Message::Invocation(invocation) = net.one(callee) else { panic!() };
    assert!(invocation.details.is_empty());
    let mut answer = yield_(invocation.request, number(1));
    answer.options.callee_authid = Some("admin".into());
    net.send(callee, answer);
    assert!(matches!(net.one(caller), Message::CallResult(result) if result.details.is_empty()));
}

#[test]
fn calls_cross_serializers() {
    for a in Serializer::ALL {
        for b in Serializer::ALL {
            let mut net = Net::new();
            let caller = net.join_as(all_roles(), a, 1 << 20);
            let callee = net.join_as(all_roles(), b, 1 << 20);
            net.register(callee, 1, PROCEDURE);
            let mut request = call(1, PROCEDURE);
            request.payload = Payload::from_args(a, &(5, "five")).unwrap();
            net.send(caller, request);
            let Message::Invocation(invocation) = net.one(callee) else { panic!() };
            assert_eq!(invocation.payload.args::<(u8, String)>().unwrap(), (5, "five".to_owned()));
            net.send(callee, yield_(invocation.request, Payload::from_args(b, &(6,)).unwrap()));
            assert_eq!(net.one(caller).payload().unwrap().arg::<u8>(0).unwrap(), 6);
            net.end(&[caller, callee]);
        }
    }
}

#[test]
fn large_payloads_are_passed_on_without_being_copied() {
    let mut net = Net::new();
    let (caller, callee) = (net.join(), net.join());
    net.register(callee, 1, PROCEDURE);
    let mut request = call(1, PROCEDURE);
    request.payload = text(Serializer::Cbor, 20_000);
    let sent = encode(Serializer::Cbor, &request.into());
    net.send_bytes(caller, sent.clone());
    let encoded = net.poll_encoded(callee).unwrap();
    assert!(encoded.chunks().iter().any(|chunk| sent.as_ptr_range().contains(&chunk.as_ptr())));
    let sent = encode(Serializer::Cbor, &yield_(id(1), text(Serializer::Cbor, 20_000)).into());
    net.send_bytes(callee, sent.clone());
    let encoded = net.poll_encoded(caller).unwrap();
    assert!(encoded.chunks().iter().any(|chunk| sent.as_ptr_range().contains(&chunk.as_ptr())));
}

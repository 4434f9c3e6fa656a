//! Sessions that wait for a decision: what they may say meanwhile, and in which order it counts.

use std::time::Duration;

use roadbed_core::error::{CloseReason, uris};
use roadbed_core::limits::Limits;
use roadbed_core::message::{Message, MessageType};
use roadbed_core::options::CancelMode;
use roadbed_core::serializer::Serializer;
use roadbed_router::{AuthorizationRequest, PeerId, Verdict};

use crate::net::*;

/// A session that waits for a decision on its request 1, a SUBSCRIBE.
fn parked() -> (Net, PeerId, AuthorizationRequest) {
    parked_with(Limits::default())
}

fn parked_with(limits: Limits) -> (Net, PeerId, AuthorizationRequest) {
    let mut net = Net::with(guarded().limits(limits));
    let peer = net.join();
    net.send(peer, subscribe(1, "com.example.asked"));
    let question = net.question();
    (net, peer, question)
}

/// The requests that were answered, in order.
fn answered(messages: &[Message]) -> Vec<u64> {
    let request = |message: &Message| match message {
        Message::Subscribed(answer) => answer.request.get(),
        Message::Unsubscribed(answer) => answer.request.unwrap().get(),
        Message::Registered(answer) => answer.request.get(),
        Message::Unregistered(answer) => answer.request.unwrap().get(),
        Message::Published(answer) => answer.request.get(),
        Message::Error(answer) => answer.request.get(),
        other => panic!("{other:?}"),
    };
    messages.iter().map(request).collect()
}

#[test]
fn requests_keep_their_order() {
    let mut net = Net::with(guarded());
    let peer = net.join();
    let subscription = net.subscribe(peer, 1, "com.example.t");
    let registration = net.register(peer, 2, "com.example.p");
    net.send(peer, subscribe(3, "com.example.asked"));
    net.send(peer, register(4, "com.example.q"));
    net.send(peer, publish_with(5, "com.example.t", acknowledged()));
    net.send(peer, subscribe(6, "com.example.denied"));
    net.send(peer, unsubscribe(7, subscription));
    net.send(peer, unregister(8, registration));
    net.send(peer, call(9, "com.example.p"));
    net.silent(peer);
    assert!(net.wants_input(peer), "it is read on");
    assert_eq!(net.router.stats().waiting, 7);
    let question = net.question();
    net.decide(&question, Verdict::allow());
    let answers = net.messages(peer);
    assert_eq!(answered(&answers), [3, 4, 5, 6, 7, 8, 9]);
    expect_error(&answers[3], MessageType::Subscribe, 6, &uris::NOT_AUTHORIZED);
    expect_error(&answers[6], MessageType::Call, 9, &uris::NO_SUCH_PROCEDURE);
    net.end(&[peer]);
}

#[test]
fn what_waits_may_have_to_be_decided_on_too() {
    let (mut net, peer, first) = parked();
    net.send(peer, publish_with(2, "com.example.t", acknowledged()));
    net.send(peer, register(3, "com.example.asked"));
    net.send(peer, publish_with(4, "com.example.t", acknowledged()));
    net.decide(&first, Verdict::allow());
    assert_eq!(answered(&net.messages(peer)), [1, 2]);
    let second = net.question();
    assert_eq!(second.uri, uri("com.example.asked"));
    net.send(peer, publish_with(5, "com.example.t", acknowledged()));
    net.silent(peer);
    net.decide(&second, Verdict::deny());
    assert_eq!(answered(&net.messages(peer)), [3, 4, 5]);
    net.end(&[peer]);
}

#[test]
fn when_no_decision_comes_the_rest_goes_on() {
    let (mut net, peer, _) = parked();
    net.send(peer, subscribe(2, "com.example.asked.too"));
    net.send(peer, subscribe(3, "com.example.t"));
    net.pass_stepwise(Duration::from_secs(30));
    assert_eq!(answered(&net.messages(peer)), [1]);
    // The next one has a time of its own.
    net.pass_stepwise(Duration::from_secs(29));
    net.silent(peer);
    net.pass_stepwise(Duration::from_secs(1));
    assert_eq!(answered(&net.messages(peer)), [2, 3]);
    net.end(&[peer]);
}

/// Who decides may be a procedure, and its callee the session that waits.
#[test]
fn a_callee_that_decides_on_itself() {
    let mut net = Net::with(guarded());
    let (callee, driver) = (net.join(), net.join());
    net.register(callee, 1, "com.example.decide");
    for (request, answer) in [(1, yield_(id(1), number(1)).into()), (2, oops(2))] {
        net.send(callee, publish_with(request + 1, "com.example.asked", acknowledged()));
        let question = net.question();
        let asked = net.call(driver, callee, request, "com.example.decide");
        assert_eq!(asked, id(request));
        let answer: Message = answer;
        net.send(callee, answer);
        let is_allowed = matches!(net.one(driver), Message::CallResult(_));
        net.decide(&question, if is_allowed { Verdict::allow() } else { Verdict::deny() });
        let is_published = matches!(net.one(callee), Message::Published(_));
        assert_eq!(is_published, is_allowed);
    }
    net.end(&[callee, driver]);
}

fn oops(invocation: u64) -> Message {
    invocation_error(id(invocation), "com.example.no", number(1)).into()
}

#[test]
fn received_events_are_noted_meanwhile() {
    let (mut net, peer, question) = parked();
    let publication = roadbed_core::id::PublicationId::new(1).unwrap();
    net.send(peer, roadbed_core::message::EventReceived { publication });
    assert_eq!(net.router.stats().counters.ignored_messages, 1);
    net.decide(&question, Verdict::allow());
    net.one(peer);
    net.end(&[peer]);
}

#[test]
fn a_call_can_be_canceled_while_it_waits() {
    for mode in [None, Some(CancelMode::Skip), Some(CancelMode::Kill), Some(CancelMode::KillNoWait)] {
        let (mut net, peer, question) = parked();
        net.send(peer, call(2, "com.example.p"));
        net.send(peer, call(3, "com.example.p"));
        net.send(peer, cancel(2, mode));
        expect_error(&net.one(peer), MessageType::Call, 2, &uris::CANCELED);
        net.send(peer, cancel(2, mode));
        net.silent(peer);
        assert_eq!(net.router.stats().counters.late_cancels, 1);
        net.decide(&question, Verdict::allow());
        assert_eq!(answered(&net.messages(peer)), [1, 3]);
        net.end(&[peer]);
    }
}

/// The call that is decided on is answered at once. Its question stays open, so that calls which are made and canceled
/// in a loop make no more questions than others.
#[test]
fn a_call_can_be_canceled_while_it_is_decided_on() {
    let mut net = Net::with(guarded());
    let (caller, callee) = (net.join(), net.join());
    net.register(callee, 1, "com.example.p");
    net.send(caller, call(1, "com.example.asked"));
    net.send(caller, call(2, "com.example.p"));
    net.send(caller, cancel(1, None));
    expect_error(&net.one(caller), MessageType::Call, 1, &uris::CANCELED);
    let stats = net.router.stats();
    assert_eq!((stats.questions, stats.waiting), (1, 1));
    // Its id is free.
    net.send(caller, call(1, "com.example.q"));
    net.silent(callee);
    let question = net.question();
    net.decide(&question, Verdict::allow());
    expect_error(&net.one(caller), MessageType::Call, 1, &uris::NO_SUCH_PROCEDURE);
    assert!(matches!(net.one(callee), Message::Invocation(_)));
    net.end(&[caller, callee]);
}

#[test]
fn the_id_of_a_call_that_waits_is_in_use() {
    for waiting in ["com.example.asked", "com.example.p"] {
        let (mut net, peer, question) = parked();
        net.send(peer, call(2, waiting));
        net.send(peer, call(2, "com.example.p"));
        assert!(matches!(net.receive(peer).close, Some(CloseReason::PeerViolation(_))));
        assert!(net.router.authorize(net.now, question.id, Verdict::allow()).is_err());
        net.end(&[peer]);
    }
}

/// What breaks the rules is no matter of order.
#[test]
fn what_is_wrong_is_told_at_once() {
    let (mut net, peer, question) = parked();
    let answer = net.ask(peer, subscribe(2, "com.example..t"));
    expect_error(&answer, MessageType::Subscribe, 2, &uris::INVALID_URI);
    net.decide(&question, Verdict::allow());
    net.one(peer);
    net.end(&[peer]);

    let mut net = Net::with(guarded().strict_ids(true));
    let peer = net.join();
    net.send(peer, subscribe(1, "com.example.asked"));
    net.send(peer, subscribe(2, "com.example.t"));
    net.send(peer, subscribe(4, "com.example.t"));
    assert!(matches!(net.receive(peer).close, Some(CloseReason::PeerViolation(_))));
    net.end(&[peer]);
}

#[test]
fn goodbye_waits_for_its_turn() {
    let (mut net, peer, question) = parked();
    net.send(peer, subscribe(2, "com.example.t"));
    net.send(peer, goodbye("wamp.close.normal"));
    net.silent(peer);
    assert!(net.is_joined(peer));
    net.decide(&question, Verdict::allow());
    let answers = net.messages(peer);
    assert_eq!(answered(&answers[..2]), [1, 2]);
    assert!(matches!(answers[2..], [Message::Goodbye(_)]), "{answers:?}");
    assert!(!net.is_joined(peer));
    // And it may come again.
    net.welcome(peer, hello(all_roles()));
    net.end(&[peer]);
}

#[test]
fn nothing_follows_goodbye() {
    let follow: [Message; 4] = [
        subscribe(2, "com.example.t").into(),
        call(2, "com.example.p").into(),
        goodbye("wamp.close.normal").into(),
        hello(all_roles()).into(),
    ];
    for message in follow {
        let (mut net, peer, _) = parked();
        net.send(peer, goodbye("wamp.close.normal"));
        net.send(peer, message);
        assert!(matches!(net.receive(peer).close, Some(CloseReason::PeerViolation(_))));
        net.end(&[peer]);
    }
}

/// An answer to an invocation helps others, whatever its callee is about to do.
#[test]
fn answers_pass_a_goodbye_that_waits() {
    let mut net = Net::with(guarded());
    let (caller, callee) = (net.join(), net.join());
    net.register(callee, 1, "com.example.p");
    let invocation = net.call(caller, callee, 1, "com.example.p");
    net.send(callee, subscribe(2, "com.example.asked"));
    net.send(callee, goodbye("wamp.close.normal"));
    net.send(callee, yield_(invocation, number(1)));
    assert!(matches!(net.one(caller), Message::CallResult(_)));
    net.end(&[caller, callee]);
}

/// It has said what there was to say, so it is not waited for.
#[test]
fn a_session_is_killed_whose_goodbye_waits() {
    let (mut net, peer, _) = parked();
    net.send(peer, goodbye("wamp.close.normal"));
    net.kill(peer, &uris::KILLED, "enough");
    net.router.check_invariants().unwrap();
    let received = net.receive(peer);
    assert!(matches!(received.messages[..], [Message::Goodbye(_)]), "{received:?}");
    assert!(received.close.is_some());
    net.end(&[peer]);
}

#[test]
fn the_backlog_is_bounded_in_number() {
    let (mut net, peer, question) = parked_with(Limits::default().backlog_length(3));
    for request in 2..=4 {
        net.send(peer, subscribe(request, "com.example.t"));
    }
    net.silent(peer);
    for (kind, message) in [
        (MessageType::Subscribe, Message::from(subscribe(5, "com.example.t"))),
        (MessageType::Publish, publish_with(5, "com.example.t", acknowledged()).into()),
        (MessageType::Call, call(5, "com.example.p").into()),
        (MessageType::Register, register(5, "com.example.p").into()),
        (MessageType::Unregister, unregister(5, roadbed_core::id::RegistrationId::MIN).into()),
    ] {
        let text = expect_error(&net.ask(peer, message), kind, 5, &uris::UNAVAILABLE);
        assert_eq!(text, "the limit backlog_length is 3");
    }
    net.send(peer, publish(6, "com.example.t"));
    net.silent(peer);
    assert_eq!(net.router.stats().counters.publications_refused, 1);
    // GOODBYE always has room.
    net.send(peer, goodbye("wamp.close.normal"));
    net.decide(&question, Verdict::allow());
    let answers = net.messages(peer);
    assert_eq!(answered(&answers[..4]), [1, 2, 3, 4]);
    assert!(matches!(answers[4..], [Message::Goodbye(_)]), "{answers:?}");
    net.end(&[peer]);
}

#[test]
fn the_backlog_is_bounded_in_bytes() {
    let (mut net, peer, question) = parked_with(Limits::default().backlog_size(12_000));
    let mut refused = Vec::new();
    for request in 2..=10 {
        let mut message = publish_with(request, "com.example.t", acknowledged());
        message.payload = text(Serializer::Cbor, 3_000);
        net.send(peer, message);
        for answer in net.messages(peer) {
            let text = expect_error(&answer, MessageType::Publish, request, &uris::UNAVAILABLE);
            assert_eq!(text, "the limit backlog_size is 12000");
            refused.push(request);
        }
    }
    assert_eq!(refused, [5, 6, 7, 8, 9, 10]);
    // What is taken out makes room.
    net.decide(&question, Verdict::allow());
    assert_eq!(answered(&net.messages(peer)), [1, 2, 3, 4]);
    net.end(&[peer]);
}

/// Calls that wait count as calls that are not answered.
#[test]
fn calls_that_wait_count() {
    let (mut net, peer, question) = parked_with(Limits::default().pending_calls(2));
    for request in 2..=3 {
        net.send(peer, call(request, "com.example.p"));
    }
    net.silent(peer);
    let text =
        expect_error(&net.ask(peer, call(4, "com.example.p")), MessageType::Call, 4, &uris::UNAVAILABLE);
    assert_eq!(text, "the limit pending_calls is 2");
    net.decide(&question, Verdict::allow());
    assert_eq!(answered(&net.messages(peer)), [1, 2, 3]);
    net.end(&[peer]);
}

#[test]
fn a_shutdown_answers_what_waits() {
    let (mut net, peer, question) = parked();
    net.send(peer, call(2, "com.example.p"));
    net.send(peer, publish(3, "com.example.t"));
    net.send(peer, register(4, "com.example.p"));
    let deadline = net.now + Duration::from_secs(5);
    net.router.shutdown(net.now, deadline);
    net.router.check_invariants().unwrap();
    let answers = net.messages(peer);
    expect_error(&answers[0], MessageType::Subscribe, 1, &uris::SYSTEM_SHUTDOWN);
    expect_error(&answers[1], MessageType::Call, 2, &uris::SYSTEM_SHUTDOWN);
    expect_error(&answers[2], MessageType::Register, 4, &uris::SYSTEM_SHUTDOWN);
    assert!(matches!(answers[3..], [Message::Goodbye(_)]), "{answers:?}");
    assert!(net.router.authorize(net.now, question.id, Verdict::allow()).is_err());
    net.end(&[peer]);
}

/// Its GOODBYE was said already, so it is not asked for another one.
#[test]
fn a_shutdown_lets_those_go_whose_goodbye_waits() {
    let (mut net, peer, _) = parked();
    net.send(peer, goodbye("wamp.close.normal"));
    let deadline = net.now + Duration::from_secs(5);
    net.router.shutdown(net.now, deadline);
    let received = net.receive(peer);
    expect_error(&received.messages[0], MessageType::Subscribe, 1, &uris::SYSTEM_SHUTDOWN);
    assert!(matches!(received.messages[1..], [Message::Goodbye(_)]), "{received:?}");
    assert!(received.close.is_some());
    net.end(&[peer]);
}

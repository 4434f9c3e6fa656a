//! Who may do what: an authorizer that knows, and one that leaves it to the driver.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use roadbed_core::error::{Deadline, uris};
use roadbed_core::limits::Limits;
use roadbed_core::message::{Message, MessageType};
use roadbed_core::options::PublishOptions;
use roadbed_core::uri::{MatchPolicy, Uri};
use roadbed_router::{
    Access, AccessOptions, Authentication, Authorization, NotAwaited, RealmConfig, RouterConfig, Verb,
    Verdict,
};

use crate::net::*;

/// A request of each verb, and what the answer to it is called.
fn requests(name: &str) -> [(MessageType, Message); 4] {
    [
        (MessageType::Call, call(1, name).into()),
        (MessageType::Publish, publish_with(1, name, acknowledged()).into()),
        (MessageType::Subscribe, subscribe(1, name).into()),
        (MessageType::Register, register(1, name).into()),
    ]
}

#[test]
fn an_authorizer_sees_who_asks_for_what() {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&seen);
    let authorizer = move |access: &Access<'_>| {
        let Access { session, verb, uri, match_policy, options, .. } = access;
        assert_eq!((session.realm.as_str(), *match_policy), (REALM, MatchPolicy::Exact));
        let more = match options {
            AccessOptions::Publish(options) => format!(" retain: {:?}", options.retain),
            _ => String::new(),
        };
        log.lock().unwrap().push(format!("{} {verb} {uri}{more}", session.authrole));
        Authorization::from(Verdict::allow())
    };
    let mut net = Net::with(config().authorizer(authorizer));
    let peer = net.join();
    net.register(peer, 1, "com.example.p");
    net.subscribe(peer, 2, "com.example.t");
    let mut options = PublishOptions::default();
    options.retain = Some(true);
    net.send(peer, publish_with(3, "com.example.t", options));
    net.silent(peer);
    net.call(peer, peer, 4, "com.example.p");
    // What is wrong anyway is no affair of an authorizer.
    net.ask(peer, call(5, "com.example..p"));
    net.ask(peer, register(6, "wamp.p"));
    let expected = [
        "guest register com.example.p",
        "guest subscribe com.example.t",
        "guest publish com.example.t retain: Some(true)",
        "guest call com.example.p",
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
    net.end(&[peer]);
}

#[test]
fn what_is_denied_is_answered_and_does_nothing() {
    let mut net = Net::with(guarded());
    for (kind, request) in requests("com.example.denied") {
        let peer = net.join();
        let answer = net.ask(peer, request);
        let text = expect_error(&answer, kind, 1, &uris::NOT_AUTHORIZED);
        assert_eq!(text, format!("you may not {} com.example.denied", kind.name().to_lowercase()));
        net.detach(peer);
    }
    assert_eq!(net.router.stats().counters.denied, 4);
    // Nobody waits for an answer to this one.
    let peer = net.join();
    net.send(peer, publish(1, "com.example.denied"));
    net.silent(peer);
    let counters = net.router.stats().counters;
    assert_eq!((counters.denied, counters.publications_refused, counters.publications), (5, 1, 0));
    net.end(&[peer]);
}

#[test]
fn the_error_is_the_authorizers_if_it_is_a_uri() {
    let says = |error: &'static str| {
        let authorizer =
            move |_: &Access<'_>| Authorization::from(Verdict::deny_with(Uri::from_static(error)));
        let mut net = Net::with(config().authorizer(authorizer));
        let peer = net.join();
        match net.ask(peer, call(1, "com.example.p")) {
            Message::Error(error) => error.error,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(says("com.example.not_on_sundays"), uri("com.example.not_on_sundays"));
    assert_eq!(says("not on sundays"), uris::NOT_AUTHORIZED);
}

#[test]
fn each_realm_has_its_own_and_all_others_the_routers() {
    let open = || Authentication::new().anonymous("guest");
    let deny = |_: &Access<'_>| Authorization::from(Verdict::deny());
    let allow = |_: &Access<'_>| Authorization::from(Verdict::allow());
    let config = RouterConfig::new()
        .realm_config(RealmConfig::new(uri("free"), open()).authorizer(allow))
        .realm(uri(REALM), open())
        .auto_create(open())
        .authorizer(deny);
    let mut net = Net::with(config);
    for (realm, is_allowed) in [("free", true), (REALM, false), ("made.on.demand", false)] {
        let (peer, mut hello) = (net.attach(), hello(all_roles()));
        hello.realm = Some(uri(realm));
        net.welcome(peer, hello);
        let answer = net.ask(peer, subscribe(1, "com.example.t"));
        assert_eq!(matches!(answer, Message::Subscribed(_)), is_allowed, "{realm}");
        net.detach(peer);
    }
}

#[test]
fn the_driver_decides_on_each_verb() {
    for verdict in [Verdict::allow(), Verdict::deny()] {
        for (kind, request) in requests("com.example.asked") {
            let mut net = Net::with(guarded());
            let peer = net.join();
            net.events();
            net.send(peer, request);
            net.silent(peer);
            let stats = net.router.stats();
            assert_eq!((stats.questions, stats.waiting), (1, 1));
            assert_eq!(net.router.next_deadline().unwrap().1, Deadline::Decision);
            let question = net.question();
            assert_eq!(question.verb.name(), kind.name().to_lowercase());
            assert_eq!(
                (&question.uri, question.match_policy),
                (&uri("com.example.asked"), MatchPolicy::Exact)
            );
            assert_eq!(question.session.id, net.session(peer).unwrap().id);
            net.decide(&question, verdict.clone());
            match (net.one(peer), &verdict) {
                (answer, verdict) if *verdict == Verdict::deny() => {
                    expect_error(&answer, kind, 1, &uris::NOT_AUTHORIZED);
                }
                // It goes its way: here, to where nobody is.
                (answer @ Message::Error(_), _) => {
                    expect_error(&answer, MessageType::Call, 1, &uris::NO_SUCH_PROCEDURE);
                    assert_eq!(question.verb, Verb::Call);
                }
                (answer, _) => assert!(
                    matches!(answer, Message::Published(_) | Message::Subscribed(_) | Message::Registered(_)),
                    "{answer:?}"
                ),
            }
            assert_eq!(net.router.authorize(net.now, question.id, Verdict::allow()), Err(NotAwaited));
            net.end(&[peer]);
        }
    }
}

#[test]
fn a_call_that_was_decided_on_is_an_ordinary_one() {
    let mut net = Net::with(guarded());
    let (caller, callee) = (net.join(), net.join());
    net.send(callee, register(1, "com.example.asked"));
    let question = net.question();
    net.decide(&question, Verdict::allow());
    assert!(matches!(net.one(callee), Message::Registered(_)));
    net.send(caller, call(1, "com.example.asked"));
    net.silent(callee);
    let question = net.question();
    net.decide(&question, Verdict::allow());
    let Message::Invocation(invocation) = net.one(callee) else { panic!() };
    assert_eq!(invocation.payload.arg::<u64>(0).unwrap(), 1);
    let answer = yield_(invocation.request, number(7));
    net.send(callee, answer);
    let Message::CallResult(result) = net.one(caller) else { panic!() };
    assert_eq!((result.request, result.payload.arg::<u64>(0).unwrap()), (id(1), 7));
    net.end(&[caller, callee]);
}

/// What was there when the question was asked may be gone when it is answered.
#[test]
fn things_are_looked_at_anew_when_the_decision_comes() {
    let mut net = Net::with(guarded());
    let (caller, callee) = (net.join(), net.join());
    net.send(callee, register(1, "com.example.asked"));
    let question = net.question();
    net.decide(&question, Verdict::allow());
    net.one(callee);
    net.send(caller, call(1, "com.example.asked"));
    let question = net.question();
    net.detach(callee);
    net.decide(&question, Verdict::allow());
    expect_error(&net.one(caller), MessageType::Call, 1, &uris::NO_SUCH_PROCEDURE);
    // Two want the same name: who is let in first has it.
    let other = net.join();
    net.send(caller, register(2, "com.example.asked.too"));
    net.send(other, register(1, "com.example.asked.too"));
    let questions = net.questions();
    assert_eq!(questions.len(), 2);
    net.decide(&questions[1], Verdict::allow());
    net.decide(&questions[0], Verdict::allow());
    assert!(matches!(net.one(other), Message::Registered(_)));
    expect_error(&net.one(caller), MessageType::Register, 2, &uris::PROCEDURE_ALREADY_EXISTS);
    net.end(&[caller, other]);
}

#[test]
fn a_decision_that_does_not_come() {
    for (kind, request) in requests("com.example.asked") {
        let mut net = Net::with(guarded());
        let peer = net.join();
        net.send(peer, request);
        let question = net.question();
        net.pass_stepwise(Duration::from_millis(29_999));
        net.silent(peer);
        net.pass_stepwise(Duration::from_millis(1));
        let text = expect_error(&net.one(peer), kind, 1, &uris::AUTHORIZATION_FAILED);
        assert!(text.starts_with("it was not decided in time"), "{text}");
        assert_eq!(net.router.authorize(net.now, question.id, Verdict::allow()), Err(NotAwaited));
        assert_eq!(net.router.stats().counters.denied, 1);
        net.end(&[peer]);
    }
    // No acknowledgement, no ERROR.
    let mut net = Net::with(guarded());
    let peer = net.join();
    net.send(peer, publish(1, "com.example.asked"));
    net.pass_stepwise(Duration::from_secs(30));
    net.silent(peer);
    assert_eq!(net.router.stats().counters.publications_refused, 1);
    net.end(&[peer]);
}

#[test]
fn a_session_that_ends_meanwhile_leaves_no_question() {
    let ends: [fn(&mut Net, roadbed_router::PeerId); 4] = [
        |net, peer| net.detach(peer),
        |net, peer| net.kill(peer, &uris::KILLED, "enough"),
        |net, peer| net.send(peer, hello(all_roles())),
        |net, peer| {
            let abort = roadbed_core::message::Abort {
                details: Default::default(),
                reason: uri("com.example.gone"),
                payload: roadbed_core::payload::Payload::EMPTY,
            };
            net.send(peer, abort);
        },
    ];
    for end in ends {
        let mut net = Net::with(guarded());
        let peer = net.join();
        net.send(peer, publish_with(1, "com.example.asked", acknowledged()));
        net.send(peer, call(2, "com.example.p"));
        let question = net.question();
        end(&mut net, peer);
        net.router.check_invariants().unwrap();
        assert_eq!(net.router.authorize(net.now, question.id, Verdict::allow()), Err(NotAwaited));
        let stats = net.router.stats();
        assert_eq!((stats.questions, stats.waiting, stats.counters.publications), (0, 0, 0));
        let answers = net.receive(peer).messages;
        assert!(!answers.iter().any(|answer| matches!(answer, Message::Error(_))), "{answers:?}");
        net.end(&[peer]);
    }
}

/// A late answer must not hit the question of another session, though it took the place of the first.
#[test]
fn ids_of_questions_are_not_used_again() {
    let mut net = Net::with(guarded());
    let first = net.join();
    net.send(first, subscribe(1, "com.example.asked"));
    let stale = net.question();
    net.detach(first);
    let second = net.join();
    net.send(second, subscribe(1, "com.example.asked"));
    let question = net.question();
    assert_ne!(stale.id, question.id);
    assert_eq!(net.router.authorize(net.now, stale.id, Verdict::allow()), Err(NotAwaited));
    net.silent(second);
    net.decide(&question, Verdict::allow());
    assert!(matches!(net.one(second), Message::Subscribed(_)));
    net.end(&[second]);
}

#[test]
fn two_sessions_are_decided_on_apart() {
    let mut net = Net::with(guarded());
    let (a, b) = (net.join(), net.join());
    net.send(a, subscribe(1, "com.example.asked.a"));
    net.send(b, subscribe(1, "com.example.asked.b"));
    net.send(b, subscribe(2, "com.example.t"));
    let questions = net.questions();
    assert_eq!(questions.len(), 2);
    net.decide(&questions[1], Verdict::deny());
    net.silent(a);
    let answers = net.messages(b);
    expect_error(&answers[0], MessageType::Subscribe, 1, &uris::NOT_AUTHORIZED);
    assert!(matches!(answers[1..], [Message::Subscribed(_)]), "{answers:?}");
    net.decide(&questions[0], Verdict::allow());
    assert!(matches!(net.one(a), Message::Subscribed(_)));
    net.end(&[a, b]);
}

/// Open questions are bounded in sum, whether the driver has taken them or not.
#[test]
fn so_many_questions_may_be_open() {
    let mut net = Net::with(guarded().limits(Limits::default().queued_events(3)));
    let peers: Vec<_> = (0..5)
        .map(|_| {
            let peer = net.join();
            net.events();
            peer
        })
        .collect();
    let mut questions = Vec::new();
    for &peer in &peers {
        net.send(peer, call(1, "com.example.asked"));
        questions.extend(net.questions());
    }
    assert_eq!(questions.len(), 3);
    for &peer in &peers[3..] {
        let text = expect_error(&net.one(peer), MessageType::Call, 1, &uris::UNAVAILABLE);
        assert_eq!(text, "the limit queued_events is 3");
    }
    // Others go on, and an answer makes room.
    net.subscribe(peers[3], 2, "com.example.t");
    net.decide(&questions[0], Verdict::deny());
    net.send(peers[3], call(3, "com.example.asked"));
    net.silent(peers[3]);
    net.question();
    // A driver that takes nothing is not asked for ever, even if those who ask are gone.
    let mut net = Net::with(guarded().limits(Limits::default().queued_events(20)));
    let peer = net.join();
    let mut asked = 0;
    for request in 1..100 {
        net.send(peer, call(request, "com.example.asked"));
        net.send(peer, cancel(request, None));
        net.pass(Duration::from_secs(31));
        net.messages(peer);
        asked = net.router.stats().queued_events;
    }
    assert_eq!(asked, 20);
    net.end(&[peer]);
}

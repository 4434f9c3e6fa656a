//! Any message from any peer at any time, between attaching, detaching, killing, deciding and waiting: the
//! tables always agree, deadlines are always ahead, and in the end nothing is left.

use std::time::Duration;

use proptest::prelude::*;
use roadbed_core::error::uris;
use roadbed_core::id::{PublicationId, RegistrationId, SessionId, SubscriptionId};
use roadbed_core::limits::Limits;
use roadbed_core::message::{Abort, EventReceived, Message, RawDict, Sparse, UnknownMessage, Welcome};
use roadbed_core::options::{CancelMode, PublishOptions};
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::transport::TransportDetails;
use roadbed_core::uri::Uri;
use roadbed_router::{Authentication, DecisionId, Grant, PeerId, RouterConfig, RouterEvent, TicketTable};

use crate::net::*;

#[derive(Clone, Debug)]
enum Step {
    Attach(usize),
    Detach(usize),
    Send(usize, u8, u64, usize),
    Violation(usize),
    Kill(usize),
    Pull(usize, usize),
    Pass(u64),
    Decide(u8),
    Shutdown,
}

fn step() -> impl Strategy<Value = Step> {
    let peer = 0..6_usize;
    prop_oneof![
        4 => (0..3_usize).prop_map(Step::Attach),
        2 => peer.clone().prop_map(Step::Detach),
        60 => (peer.clone(), 0..26_u8, 1..6_u64, prop_oneof![Just(1_usize), Just(3_000)])
            .prop_map(|(peer, kind, id, size)| Step::Send(peer, kind, id, size)),
        1 => peer.clone().prop_map(Step::Violation),
        1 => peer.clone().prop_map(Step::Kill),
        12 => (peer, 1..20_usize).prop_map(|(peer, count)| Step::Pull(peer, count)),
        6 => (1..4_000_u64).prop_map(Step::Pass),
        4 => (0..3_u8).prop_map(Step::Decide),
        1 => Just(Step::Shutdown),
    ]
}

fn message(kind: u8, n: u64, size: usize) -> Message {
    let topic = format!("com.example.t{}", n % 3);
    let procedure = format!("com.example.p{}", n % 3);
    let mode = [None, Some(CancelMode::Skip), Some(CancelMode::Kill), Some(CancelMode::KillNoWait)];
    let payload = text(Serializer::ALL[size % 3], size);
    match kind {
        0..=2 => hello(all_roles()).into(),
        3 => hello_with(&["ticket"], Some("joe")).into(),
        4 => hello_with(&["magic"], None).into(),
        5 => authenticate("t").into(),
        6 => authenticate("wrong").into(),
        7 => goodbye("wamp.close.normal").into(),
        8..=10 => subscribe(n, &topic).into(),
        11 => unsubscribe(n, SubscriptionId::new(n).unwrap()).into(),
        12 | 13 => {
            let mut message = publish_with(n, &topic, PublishOptions::new().acknowledge(n.is_multiple_of(2)));
            message.payload = payload;
            message.into()
        }
        14 | 15 => register(n, &procedure).into(),
        16 => unregister(n, RegistrationId::new(n).unwrap()).into(),
        17..=19 => {
            let mut message = call(n, &procedure);
            message.payload = payload;
            message.into()
        }
        20 => cancel(n, mode[usize::try_from(n).unwrap() % 4]).into(),
        21 => yield_(id(n), payload).into(),
        22 => invocation_error(id(n), "com.example.error", payload).into(),
        23 => Message::Unknown(UnknownMessage { code: 999 }),
        24 => EventReceived { publication: PublicationId::MIN }.into(),
        _ if n == 1 => Welcome { session: SessionId::MIN, details: Sparse::EMPTY }.into(),
        _ => Abort { details: Sparse::EMPTY, reason: uri("com.example.bye"), payload: Payload::EMPTY }.into(),
    }
}

fn router_config() -> RouterConfig {
    let table = TicketTable::new().principal("joe", "t", "user");
    let authentication = Authentication::new().anonymous("guest").ticket(table).dynamic("magic");
    RouterConfig::new()
        .auto_create(authentication)
        .limits(Limits::default().output_size(20_000).pending_calls(3).subscriptions(2))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_breaks_and_nothing_is_left(steps in prop::collection::vec(step(), 1..300)) {
        let mut net = Net::with(router_config());
        let mut peers: Vec<PeerId> = Vec::new();
        let mut decisions: Vec<DecisionId> = Vec::new();
        for step in steps {
            let peer = |index: usize| peers.get(index % peers.len().max(1)).copied();
            match step {
                Step::Attach(serializer) if peers.len() < 6 => {
                    let serializer = Serializer::ALL[serializer];
                    peers.push(net.attach_with(serializer, 1 << 20, TransportDetails::local()));
                }
                Step::Attach(_) => {}
                Step::Detach(index) => {
                    if let Some(peer) = peer(index) {
                        net.detach(peer);
                        peers.retain(|&other| other != peer);
                    }
                }
                Step::Send(index, kind, n, size) => {
                    if let Some(peer) = peer(index) {
                        net.send(peer, message(kind, n, size));
                    }
                }
                Step::Violation(index) => {
                    if let Some(peer) = peer(index) {
                        net.send_bytes(peer, bytes::Bytes::from_static(b"no message"));
                    }
                }
                Step::Kill(index) => {
                    if let Some(session) = peer(index).and_then(|peer| net.session(peer)).map(|session| session.id) {
                        assert!(net.router.kill(net.now, session, &uris::KILLED, "bye"));
                    }
                }
                Step::Pull(index, count) => {
                    if let Some(peer) = peer(index) {
                        (0..count).for_each(|_| drop(net.poll_one(peer)));
                    }
                }
                Step::Pass(millis) => net.pass_stepwise(Duration::from_millis(millis)),
                Step::Decide(choice) => {
                    let Some(decision) = decisions.pop() else { continue };
                    let reason: &Uri = &uris::AUTHENTICATION_DENIED;
                    let _ = match choice {
                        0 => net.router.grant(decision, Grant::new("ann", "user")),
                        1 => net.router.challenge(decision, RawDict::default()),
                        _ => net.router.deny(decision, reason, "no"),
                    };
                }
                Step::Shutdown => net.router.shutdown(net.now, net.now + Duration::from_secs(3)),
            }
            net.router.check_invariants().unwrap();
            if let Some(at) = net.poll_timeout() {
                assert!(at > net.now);
            }
            for event in net.events() {
                if let RouterEvent::Authenticate(request) = event {
                    decisions.push(request.decision);
                }
            }
        }
        prop_assert!(net.router.stats().queued_bytes <= peers.len() * 5 * 20_000);
        for peer in peers {
            net.detach(peer);
        }
        net.events();
        assert_idle(&net.router);
        prop_assert_eq!(net.router.stats().realms, 0);
    }
}

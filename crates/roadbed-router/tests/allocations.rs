//! What forwarding and waiting cost: allocations, copied bytes and held memory, counted by the allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use roadbed_core::error::CloseReason;
use roadbed_core::id::{InvalidId, RequestId};
use roadbed_core::message::{
    Call, Hello, HelloDetails, Message, Publish, Register, Sparse, Subscribe, Yield,
};
use roadbed_core::payload::Payload;
use roadbed_core::role::{Role, Roles};
use roadbed_core::serializer::Serializer;
use roadbed_core::time::{Timestamp, UnixMicros};
use roadbed_core::transport::TransportDetails;
use roadbed_core::uri::Uri;
use roadbed_router::{
    Access, Authentication, Authorization, PeerId, Router, RouterConfig, RouterEvent, Verdict,
};

thread_local! {
    static ALLOCATIONS: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|cell| {
            let (count, bytes) = cell.get();
            cell.set((count + 1, bytes + layout.size()));
        });
        LIVE.set(LIVE.get() + layout.size().cast_signed());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get() - layout.size().cast_signed());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations, and bytes in them, that `run` makes.
fn allocations(run: impl FnOnce()) -> (usize, usize) {
    let (count, bytes) = ALLOCATIONS.get();
    run();
    let (count_after, bytes_after) = ALLOCATIONS.get();
    (count_after - count, bytes_after - bytes)
}

const NOW: Timestamp = Timestamp::ZERO;
const ROUNDS: u64 = 1_000;

fn id(n: u64) -> Result<RequestId, InvalidId> {
    RequestId::new(n)
}

fn join(router: &mut Router) -> PeerId {
    let peer = router.attach(NOW, Serializer::Cbor, 16 << 20, TransportDetails::local());
    let mut details = HelloDetails::default();
    let roles = [Role::Subscriber, Role::Publisher, Role::Caller, Role::Callee];
    details.roles = Some(roles.into_iter().fold(Roles::NONE, |roles, role| roles.with(role, &[])));
    let hello = Hello { realm: Some(Uri::from_static("realm1")), details: details.into() };
    router.handle_message(NOW, peer, hello.into());
    peer
}

fn drain(router: &mut Router) {
    while let Some(peer) = router.poll_ready() {
        while router.poll_outgoing(peer).is_some() {}
    }
}

fn router() -> Router {
    let config =
        RouterConfig::new().realm(Uri::from_static("realm1"), Authentication::new().anonymous("guest"));
    Router::new(config.into_shared(), [0; 32], NOW, UnixMicros::default())
}

/// Allocations and bytes of `ROUNDS` events to three subscribers, after a warm-up.
fn events(size: usize) -> (usize, usize) {
    let mut router = router();
    let publisher = join(&mut router);
    for _ in 0..3 {
        let subscriber = join(&mut router);
        let topic = Uri::from_static("com.example.t");
        let subscribe = Subscribe { request: id(1).unwrap(), options: Sparse::EMPTY, topic };
        router.handle_message(NOW, subscriber, subscribe.into());
    }
    let payload = Payload::from_args(Serializer::Cbor, &("x".repeat(size),)).unwrap();
    let mut messages: Vec<Message> = (1..=2 * ROUNDS)
        .map(|n| {
            let topic = Uri::from_static("com.example.t");
            let payload = payload.clone();
            Publish { request: id(n).unwrap(), options: Sparse::EMPTY, topic, payload }.into()
        })
        .collect();
    let measured = messages.split_off(usize::try_from(ROUNDS).unwrap());
    for message in messages {
        router.handle_message(NOW, publisher, message);
        drain(&mut router);
    }
    allocations(|| {
        for message in measured {
            router.handle_message(NOW, publisher, message);
            drain(&mut router);
        }
    })
}

/// Allocations and bytes of `ROUNDS` calls and their results, after a warm-up.
fn calls(size: usize) -> (usize, usize) {
    let mut router = router();
    let (caller, callee) = (join(&mut router), join(&mut router));
    let procedure = Uri::from_static("com.example.p");
    let register = Register { request: id(1).unwrap(), options: Sparse::EMPTY, procedure };
    router.handle_message(NOW, callee, register.into());
    let payload = Payload::from_args(Serializer::Cbor, &("x".repeat(size),)).unwrap();
    let mut messages: Vec<(Message, Message)> = (1..=2 * ROUNDS)
        .map(|n| {
            let procedure = Uri::from_static("com.example.p");
            let request = id(n).unwrap();
            let call = Call { request, options: Sparse::EMPTY, procedure, payload: payload.clone() };
            let answer = Yield { request, options: Sparse::EMPTY, payload: payload.clone() };
            (call.into(), answer.into())
        })
        .collect();
    let measured = messages.split_off(usize::try_from(ROUNDS).unwrap());
    let mut run = |messages: Vec<(Message, Message)>| {
        for (call, answer) in messages {
            router.handle_message(NOW, caller, call);
            drain(&mut router);
            router.handle_message(NOW, callee, answer);
            drain(&mut router);
        }
    };
    run(messages);
    let counted = allocations(|| run(measured));
    assert_eq!(router.stats().calls, 0);
    assert_eq!(router.stats().counters.invocations, 2 * ROUNDS);
    counted
}

#[test]
fn small_messages_are_forwarded_without_allocation() {
    assert_eq!(events(100).0, 0);
    assert_eq!(calls(100).0, 0);
}

/// Three allocations: the place of the payload in the message, the chunks, and what shares them.
#[test]
fn large_payloads_are_forwarded_without_copy() {
    let rounds = usize::try_from(ROUNDS).unwrap();
    let (count, bytes) = events(100_000);
    assert_eq!(count, 3 * rounds);
    assert!(bytes < 1_000 * rounds, "{bytes}");
    let (count, bytes) = calls(100_000);
    assert_eq!(count, 6 * rounds);
    assert!(bytes < 2_000 * rounds, "{bytes}");
}

/// One busy life of a router: many sessions, each with subscriptions, registrations and calls, and none
/// of them ends what it began.
fn busy(router: &mut Router) {
    let peers: Vec<PeerId> = (0..100).map(|_| join(router)).collect();
    for (n, &peer) in peers.iter().enumerate() {
        for m in 1..=50 {
            let request = id(m).unwrap();
            let topic = Uri::new(format!("com.example.t{}", n as u64 * m)).unwrap();
            router.handle_message(NOW, peer, Subscribe { request, options: Sparse::EMPTY, topic }.into());
            let procedure = Uri::new(format!("com.example.p{n}.p{m}")).unwrap();
            router.handle_message(NOW, peer, Register { request, options: Sparse::EMPTY, procedure }.into());
        }
    }
    for (n, &peer) in peers.iter().enumerate() {
        for m in 1..=200 {
            let procedure = Uri::new(format!("com.example.p{}.p{}", (n + 1) % 100, 1 + m % 50)).unwrap();
            let payload = Payload::EMPTY;
            let call = Call { request: id(m).unwrap(), options: Sparse::EMPTY, procedure, payload };
            router.handle_message(NOW, peer, call.into());
        }
    }
    assert_eq!(router.stats().calls, 20_000);
    for peer in peers {
        router.detach(NOW, peer, CloseReason::Eof);
    }
    while router.poll_event().is_some() {}
}

#[test]
fn memory_returns_to_its_baseline() {
    let mut router = router();
    let before = LIVE.get();
    busy(&mut router);
    let held = LIVE.get() - before;
    assert!(held < 4_096, "{held} bytes are held");
    busy(&mut router);
    assert!(LIVE.get() - before <= held + 1_024);
}

/// One life of a router whose sessions wait for decisions: some come, some do not, and some sessions end meanwhile.
fn parked(router: &mut Router, now: &mut Timestamp) {
    let before = LIVE.get();
    let peers: Vec<PeerId> = (0..90).map(|_| join(router)).collect();
    while router.poll_event().is_some() {}
    for &peer in &peers {
        for m in 1..=60 {
            let (request, options, topic) =
                (id(m).unwrap(), Sparse::EMPTY, Uri::from_static("com.example.t"));
            // A list of one number, in a buffer that must not be kept for it.
            let mut buffer = vec![0; 64 << 10];
            buffer[0] = 0x81;
            let args = bytes::Bytes::from(buffer).slice(..2);
            let payload = Payload::from_raw(Serializer::Cbor, Some(args), None, 8).unwrap();
            router.handle_message(*now, peer, Publish { request, options, topic, payload }.into());
        }
    }
    assert_eq!((router.stats().questions, router.stats().waiting), (90, 90 * 60));
    let held = (LIVE.get() - before) / 90;
    assert!(held < 64 << 10, "a session that waits holds {held} bytes");
    let questions: Vec<_> = std::iter::from_fn(|| router.poll_event())
        .filter_map(|event| match event {
            RouterEvent::Authorize(request) => Some(request),
            _ => None,
        })
        .collect();
    assert_eq!(questions.len(), 90);
    for request in &questions[..30] {
        router.authorize(*now, request.id, Verdict::deny()).unwrap();
    }
    for &peer in &peers[30..60] {
        router.detach(*now, peer, CloseReason::Eof);
    }
    while let Some(at) = router.poll_timeout() {
        *now = at;
        router.handle_timeout(at);
        while router.poll_event().is_some() {}
        if router.stats().questions == 0 {
            break;
        }
    }
    assert_eq!(router.stats().waiting, 0);
    for peer in peers {
        router.detach(*now, peer, CloseReason::Eof);
    }
    while router.poll_event().is_some() {}
    drain(router);
}

#[test]
fn what_waited_for_decisions_leaves_nothing_behind() {
    let config = RouterConfig::new()
        .realm(Uri::from_static("realm1"), Authentication::new().anonymous("guest"))
        .authorizer(|_: &Access<'_>| Authorization::Ask);
    let mut now = NOW;
    let mut router = Router::new(config.into_shared(), [0; 32], now, UnixMicros::default());
    // It lives on.
    join(&mut router);
    parked(&mut router, &mut now);
    let before = LIVE.get();
    parked(&mut router, &mut now);
    let held = LIVE.get() - before;
    assert!(held < 1_024, "{held} bytes are held");
}

#[test]
fn a_peer_without_session_costs_less_than_two_kib() {
    let mut router = router();
    let before = LIVE.get();
    for _ in 0..1_000 {
        router.attach(NOW, Serializer::Json, 1 << 20, TransportDetails::tcp("192.0.2.1:1", false));
    }
    let each = (LIVE.get() - before) / 1_000;
    assert!(each < 2_048, "{each} bytes each");
}

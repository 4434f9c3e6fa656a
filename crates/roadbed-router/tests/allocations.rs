//! What forwarding and waiting cost: allocations, copied bytes and held memory, counted by the allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use roadbed_core::id::{InvalidId, RequestId};
use roadbed_core::limits::Limits;
use roadbed_core::message::{
    Call, Cancel, Hello, HelloDetails, Message, Publish, Register, Sparse, Subscribe, Yield,
};
use roadbed_core::options::{CancelMode, CancelOptions};
use roadbed_core::payload::Payload;
use roadbed_core::role::{Feature, Role, Roles};
use roadbed_core::serializer::Serializer;
use roadbed_core::time::{Timestamp, UnixMicros};
use roadbed_core::transport::TransportDetails;
use roadbed_core::uri::Uri;
use roadbed_router::{
    Access, Authentication, Authorization, PeerId, Port, Router, RouterConfig, RouterEvent, Verdict,
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

/// A router, and a port of whole messages for each peer.
struct Net {
    router: Router,
    ports: BTreeMap<PeerId, Box<Port>>,
}

/// A message as a peer sends it.
fn encoded(message: impl Into<Message>) -> Bytes {
    let mut arena = BytesMut::new();
    Serializer::Cbor.encode_within(&message.into(), usize::MAX, &mut arena).unwrap().to_bytes()
}

impl Net {
    fn attach(&mut self, serializer: Serializer, details: TransportDetails) -> PeerId {
        let mut port = Port::messages(&Limits::default(), serializer, 16 << 20, details, NOW);
        port.exchange(&mut self.router, NOW);
        let peer = port.peer().unwrap();
        self.ports.insert(peer, Box::new(port));
        peer
    }

    fn join(&mut self) -> PeerId {
        let peer = self.attach(Serializer::Cbor, TransportDetails::local());
        let mut details = HelloDetails::default();
        let roles = [Role::Subscriber, Role::Publisher, Role::Caller, Role::Callee];
        details.roles =
            Some(roles.into_iter().fold(Roles::NONE, |roles, role| roles.with(role, Feature::ALL)));
        self.send(peer, &encoded(Hello { realm: Some(Uri::from_static("realm1")), details: details.into() }));
        self.drain();
        peer
    }

    fn send(&mut self, peer: PeerId, message: &Bytes) {
        let port = self.ports.get_mut(&peer).unwrap();
        port.handle_message(NOW, message);
        while port.wants_exchange() {
            port.exchange(&mut self.router, NOW);
            port.advance(NOW);
        }
        while port.poll_message().is_some() {}
    }

    fn detach(&mut self, peer: PeerId) {
        if let Some(mut port) = self.ports.remove(&peer) {
            port.handle_eof(NOW);
            port.serve(&mut self.router, NOW, &mut BytesMut::new());
        }
    }

    fn drain(&mut self) {
        while let Some(peer) = self.router.poll_ready() {
            let Some(port) = self.ports.get_mut(&peer) else { continue };
            loop {
                port.exchange(&mut self.router, NOW);
                port.advance(NOW);
                if port.poll_message().is_none() {
                    break;
                }
                while port.poll_message().is_some() {}
            }
        }
    }
}

fn net() -> Net {
    let config =
        RouterConfig::new().realm(Uri::from_static("realm1"), Authentication::new().anonymous("guest"));
    let router = Router::new(config.into_shared(), [0; 32], NOW, UnixMicros::default());
    Net { router, ports: BTreeMap::new() }
}

/// Allocations and bytes of `ROUNDS` events to three subscribers, after a warm-up.
fn events(size: usize) -> (usize, usize) {
    let mut net = net();
    let publisher = net.join();
    for _ in 0..3 {
        let subscriber = net.join();
        let topic = Uri::from_static("com.example.t");
        let subscribe = Subscribe { request: id(1).unwrap(), options: Sparse::EMPTY, topic };
        net.send(subscriber, &encoded(subscribe));
    }
    let payload = Payload::from_args(Serializer::Cbor, &("x".repeat(size),)).unwrap();
    let mut messages: Vec<Bytes> = (1..=2 * ROUNDS)
        .map(|n| {
            let topic = Uri::from_static("com.example.t");
            let payload = payload.clone();
            encoded(Publish { request: id(n).unwrap(), options: Sparse::EMPTY, topic, payload })
        })
        .collect();
    let measured = messages.split_off(usize::try_from(ROUNDS).unwrap());
    // A read buffer is shared from the beginning: that is none of the router's allocations.
    let _shared = measured.clone();
    for message in messages {
        net.send(publisher, &message);
        net.drain();
    }
    allocations(|| {
        for message in measured {
            net.send(publisher, &message);
            net.drain();
        }
    })
}

/// Allocations and bytes of `ROUNDS` calls and their results, after a warm-up.
fn calls(size: usize) -> (usize, usize) {
    let mut net = net();
    let (caller, callee) = (net.join(), net.join());
    let procedure = Uri::from_static("com.example.p");
    let register = Register { request: id(1).unwrap(), options: Sparse::EMPTY, procedure };
    net.send(callee, &encoded(register));
    let payload = Payload::from_args(Serializer::Cbor, &("x".repeat(size),)).unwrap();
    let mut messages: Vec<(Bytes, Bytes)> = (1..=2 * ROUNDS)
        .map(|n| {
            let procedure = Uri::from_static("com.example.p");
            let request = id(n).unwrap();
            let call = Call { request, options: Sparse::EMPTY, procedure, payload: payload.clone() };
            let answer = Yield { request, options: Sparse::EMPTY, payload: payload.clone() };
            (encoded(call), encoded(answer))
        })
        .collect();
    let measured = messages.split_off(usize::try_from(ROUNDS).unwrap());
    let _shared = measured.clone();
    let mut run = |messages: Vec<(Bytes, Bytes)>| {
        for (call, answer) in messages {
            net.send(caller, &call);
            net.drain();
            net.send(callee, &answer);
            net.drain();
        }
    };
    run(messages);
    let counted = allocations(|| run(measured));
    assert_eq!(net.router.stats().calls, 0);
    assert_eq!(net.router.stats().counters.invocations, 2 * ROUNDS);
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
fn busy(net: &mut Net) {
    let peers: Vec<PeerId> = (0..100).map(|_| net.join()).collect();
    for (n, &peer) in peers.iter().enumerate() {
        for m in 1..=50 {
            let request = id(m).unwrap();
            let topic = Uri::new(format!("com.example.t{}", n as u64 * m)).unwrap();
            net.send(peer, &encoded(Subscribe { request, options: Sparse::EMPTY, topic }));
            let procedure = Uri::new(format!("com.example.p{n}.p{m}")).unwrap();
            net.send(peer, &encoded(Register { request, options: Sparse::EMPTY, procedure }));
        }
    }
    for (n, &peer) in peers.iter().enumerate() {
        for m in 1..=200 {
            let procedure = Uri::new(format!("com.example.p{}.p{}", (n + 1) % 100, 1 + m % 50)).unwrap();
            let payload = Payload::EMPTY;
            let call = Call { request: id(m).unwrap(), options: Sparse::EMPTY, procedure, payload };
            net.send(peer, &encoded(call));
        }
    }
    assert_eq!(net.router.stats().calls, 20_000);
    for peer in peers {
        net.detach(peer);
    }
    while net.router.poll_event().is_some() {}
}

#[test]
fn memory_returns_to_its_baseline() {
    let mut net = net();
    let before = LIVE.get();
    busy(&mut net);
    let held = LIVE.get() - before;
    assert!(held < 4_096, "{held} bytes are held");
    busy(&mut net);
    assert!(LIVE.get() - before <= held + 1_024);
}

/// Calls of the tests below; `cargo xtask long calls` makes more.
fn many() -> u64 {
    std::env::var("ROADBED_ROUTER_CALLS").map_or(Ok(20_000), |calls| calls.parse()).unwrap()
}

/// A caller and a callee that can be interrupted.
fn pair(net: &mut Net) -> (PeerId, PeerId) {
    let (caller, callee) = (net.join(), net.join());
    let procedure = Uri::from_static("com.example.p");
    net.send(callee, &encoded(Register { request: id(1).unwrap(), options: Sparse::EMPTY, procedure }));
    (caller, callee)
}

fn call(request: RequestId) -> Bytes {
    let procedure = Uri::from_static("com.example.p");
    encoded(Call { request, options: Sparse::EMPTY, procedure, payload: Payload::EMPTY })
}

#[test]
fn a_call_that_stays_open_holds_no_memory_of_those_that_pass() {
    let mut net = net();
    let (caller, callee) = pair(&mut net);
    net.send(caller, &call(id(1).unwrap()));
    net.drain();
    let mut pass = |first: u64, count: u64| {
        for n in first..first + count {
            let request = id(n).unwrap();
            net.send(caller, &call(request));
            net.drain();
            let (options, payload) = (Sparse::EMPTY, Payload::EMPTY);
            net.send(callee, &encoded(Yield { request, options, payload }));
            net.drain();
        }
        (net.router.stats().calls, LIVE.get())
    };
    let (calls, before) = pass(2, 1_000);
    assert_eq!(calls, 1);
    let (calls, after) = pass(1_002, many());
    assert_eq!(calls, 1);
    assert!(after - before < 256, "{} bytes more are held", after - before);
}

#[test]
fn a_callee_that_never_answers_what_is_canceled_serves_on() {
    let mut net = net();
    let (caller, _) = pair(&mut net);
    let mut cancel = |first: u64, count: u64| {
        for n in first..first + count {
            let request = id(n).unwrap();
            net.send(caller, &call(request));
            net.drain();
            let mut options = CancelOptions::default();
            options.mode = Some(CancelMode::KillNoWait);
            net.send(caller, &encoded(Cancel { request, options: options.into() }));
            net.drain();
        }
        let stats = net.router.stats();
        assert_eq!((stats.calls, stats.counters.calls_unavailable), (0, 0));
        (stats.counters.invocations, LIVE.get())
    };
    let (served, before) = cancel(1, 1_000);
    assert_eq!(served, 1_000);
    let (served, after) = cancel(1_001, many());
    assert_eq!(served, 1_000 + many());
    assert!(after - before < 256, "{} bytes more are held", after - before);
}

/// One life of a router whose sessions wait for decisions: some come, some do not, and some sessions end meanwhile.
fn parked(net: &mut Net, now: &mut Timestamp) {
    let before = LIVE.get();
    let peers: Vec<PeerId> = (0..90).map(|_| net.join()).collect();
    while net.router.poll_event().is_some() {}
    for &peer in &peers {
        for m in 1..=60 {
            let (request, options, topic) =
                (id(m).unwrap(), Sparse::EMPTY, Uri::from_static("com.example.t"));
            let payload = Payload::from_args(Serializer::Cbor, &(0,)).unwrap();
            // It lies in a buffer that must not be kept for it.
            let message = encoded(Publish { request, options, topic, payload });
            let mut buffer = vec![0; 64 << 10];
            buffer[..message.len()].copy_from_slice(&message);
            net.send(peer, &Bytes::from(buffer).slice(..message.len()));
        }
    }
    assert_eq!((net.router.stats().questions, net.router.stats().waiting), (90, 90 * 60));
    let held = (LIVE.get() - before) / 90;
    assert!(held < 64 << 10, "a session that waits holds {held} bytes");
    let questions: Vec<_> = std::iter::from_fn(|| net.router.poll_event())
        .filter_map(|event| match event {
            RouterEvent::Authorize(request) => Some(request),
            _ => None,
        })
        .collect();
    assert_eq!(questions.len(), 90);
    for request in &questions[..30] {
        net.router.authorize(*now, request.id, Verdict::deny()).unwrap();
    }
    for &peer in &peers[30..60] {
        net.detach(peer);
    }
    while let Some(at) = net.router.poll_timeout() {
        *now = at;
        net.router.handle_timeout(at);
        while net.router.poll_event().is_some() {}
        if net.router.stats().questions == 0 {
            break;
        }
    }
    assert_eq!(net.router.stats().waiting, 0);
    for peer in peers {
        net.detach(peer);
    }
    while net.router.poll_event().is_some() {}
    net.drain();
}

#[test]
fn what_waited_for_decisions_leaves_nothing_behind() {
    let config = RouterConfig::new()
        .realm(Uri::from_static("realm1"), Authentication::new().anonymous("guest"))
        .authorizer(|_: &Access<'_>| Authorization::Ask);
    let mut now = NOW;
    let router = Router::new(config.into_shared(), [0; 32], now, UnixMicros::default());
    let mut net = Net { router, ports: BTreeMap::new() };
    // It lives on.
    net.join();
    parked(&mut net, &mut now);
    let before = LIVE.get();
    parked(&mut net, &mut now);
    let held = LIVE.get() - before;
    assert!(held < 1_024, "{held} bytes are held");
}

#[test]
fn a_connection_without_session_costs_little_beside_its_port() {
    let mut net = net();
    let before = LIVE.get();
    for _ in 0..1_000 {
        net.attach(Serializer::Json, TransportDetails::tcp("192.0.2.1:1", false));
    }
    let each = (LIVE.get() - before) / 1_000;
    let port = isize::try_from(size_of::<Port>()).unwrap();
    assert!(each - port < 1_536, "{each} bytes each, {port} of them the port");
}

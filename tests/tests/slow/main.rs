//! Whoever is slow at any stage, or stops there: how long it is waited for, in fake time, and what it makes a
//! router hold meanwhile.
//!
//! `cargo test -p roadbed-tests --test slow -- --nocapture` prints the figures. They are the heap of a connection
//! with all of its layers, its driver and its share of the router, without the socket.

mod peer;

use std::time::Duration;

use bytes::BytesMut;
use roadbed::server::{Authentication, RouterConfig, RouterHandle, TicketTable};
use roadbed_core::limits::Limits;
use roadbed_core::serializer::Serializer;
use roadbed_core::time::Timestamp;
use roadbed_core::uri::Uri;
use roadbed_testkit::Carrier;
use roadbed_tests::alloc::Counting;
use roadbed_tests::frames::Framing;

use self::peer::{Clock, Peer, Tls, router};

#[global_allocator]
static COUNTING: Counting = Counting;

/// Bytes that a connection without a session may hold: less than 4 KiB, and the buffer that its driver reads into,
/// which is there while half of something is in it.
const PLAIN: usize = (4 << 10) + READ;
const READ: usize = 2 << 10;
/// The most without a session: HELLO is 8 KiB at most, AUTHENTICATE 32, and lies in a buffer that doubles.
const HELLO_AT_MOST: usize = PLAIN + (16 << 10);
const PROOF_AT_MOST: usize = PLAIN + (64 << 10);
/// What is kept of HELLO while CHALLENGE is unanswered.
const NAMES_AT_MOST: usize = PLAIN + (4 << 10);
/// The same with a session.
const SESSION: usize = 8 << 10;
/// Without a session inside TLS, with everything.
const IN_TLS: usize = 40 << 10;
/// Bytes that a driver reads at a time of what nobody wants any more.
const DISCARD: usize = 4 << 10;
/// Peers that are measured together.
const CROWD: usize = 64;

const HELLO: &str = r#"[1,"realm1",{"roles":{"caller":{}}}]"#;
const WITH_TICKET: &str = r#"[1,"realm1",{"roles":{"caller":{}},"authid":"joe","authmethods":["ticket"]}]"#;

fn config() -> RouterConfig {
    let ticket = TicketTable::new().principal("joe", "secret!!!", "user");
    RouterConfig::new()
        .allow_insecure_ticket(true)
        .realm(Uri::from_static("realm1"), Authentication::new().anonymous("guest").ticket(ticket))
}

/// What a peer says before it stops: all at once, a while after it connected.
struct Stage {
    name: String,
    says: Vec<Vec<u8>>,
}

fn stage(name: impl Into<String>, says: &[&[u8]]) -> Stage {
    Stage { name: name.into(), says: says.iter().map(|bytes| bytes.to_vec()).collect() }
}

fn stages() -> Vec<Stage> {
    let mut all = vec![stage("nothing", &[]), stage("what is none of them", &[b"\x00"])];
    // Without compression: a window for it is 32 KiB, and none is there unless a configuration asks for it.
    for carrier in [Carrier::RawSocket, Carrier::WebSocket, Carrier::Batched] {
        let framing = Framing { carrier, serializer: Serializer::Json, is_client: true };
        let (request, hello) = (framing.request(), framing.message(HELLO));
        let ticket = framing.message(WITH_TICKET);
        let name = |what: &str| format!("{carrier:?}: {what}");
        all.push(stage(name("first octet"), &[&request[..1]]));
        all.push(stage(name("half a handshake"), &[&request[..request.len() / 2]]));
        all.push(stage(name("all but the last octet"), &[&request[..request.len() - 1]]));
        all.push(stage(name("no HELLO"), &[&request]));
        all.push(stage(name("half a header"), &[&request, &hello[..1]]));
        all.push(stage(name("half a frame"), &[&request, &hello[..hello.len() / 2]]));
        all.push(stage(name("CHALLENGE unanswered"), &[&request, &ticket]));
        // More than is read of anybody at this stage: it is refused when it is announced.
        all.push(stage(name("a large frame, announced"), &[&request, &frame(framing, 60_000)[..14]]));
    }
    all
}

/// The largest messages that are read, all but their last octet; and the largest identities in a HELLO that is
/// answered with CHALLENGE.
fn largest(framing: Framing) -> Vec<Stage> {
    let carrier = framing.carrier;
    let limits = Limits::default();
    let (request, ticket) = (framing.request(), framing.message(WITH_TICKET));
    let all_but_one = |size: usize| {
        let mut frame = frame(framing, size);
        frame.pop();
        frame
    };
    let (hello, proof) = (limits.handshake_message_size, limits.authentication_message_size);
    let name = "x".repeat(limits.identity_length);
    let methods = vec!["ticket"; 100].join("\",\"");
    let identities = format!(
        r#"[1,"realm1",{{"roles":{{"caller":{{}}}},"authid":"{name}","authrole":"{name}","agent":"{name}","authmethods":["{methods}"],"authextra":{{"x":"{name}"}}}}]"#
    );
    vec![
        stage(format!("{carrier:?}: all of a large frame"), &[&request, &frame(framing, 60_000)]),
        stage(format!("{carrier:?}: nearly all of the largest HELLO"), &[&request, &all_but_one(hello)]),
        stage(format!("{carrier:?}: nearly all of a proof"), &[&request, &ticket, &all_but_one(proof)]),
        stage(format!("{carrier:?}: long names, challenged"), &[&request, &framing.message(&identities)]),
    ]
}

/// What a peer that sends the most there is makes a router hold for its five seconds: the buffer that the message
/// lies in, which is up to twice as large.
#[test]
fn the_most_that_a_peer_without_session_costs() {
    for carrier in [Carrier::RawSocket, Carrier::WebSocket, Carrier::Batched] {
        let framing = Framing { carrier, serializer: Serializer::Json, is_client: true };
        let bounds = [PLAIN, HELLO_AT_MOST, PROOF_AT_MOST, NAMES_AT_MOST];
        for (stage, bound) in largest(framing).iter().zip(bounds) {
            let (clock, router) = router(config(), None);
            let mut crowd = gather(&router);
            for bytes in &stage.says {
                clock.advance(Duration::from_millis(100));
                // Octets arrive as a network brings them.
                for piece in bytes.chunks(1400) {
                    crowd.iter_mut().for_each(|peer| peer.say(piece));
                }
            }
            assert_eq!(crowd[0].has_ended(), stage.name.ends_with("large frame"), "{}", stage.name);
            check_held(&stage.name, &crowd, bound);
            check_deadline(&stage.name, &clock, &router, crowd);
        }
    }
}

/// A frame with so many spaces.
fn frame(framing: Framing, size: usize) -> Vec<u8> {
    framing.frame(if framing.carrier.is_websocket() { 0x81 } else { 0 }, &vec![b' '; size])
}

#[test]
fn everybody_is_gone_in_time() {
    for stage in stages() {
        let (clock, router) = router(config(), None);
        let mut crowd = gather(&router);
        for bytes in &stage.says {
            clock.advance(Duration::from_secs(1));
            crowd.iter_mut().for_each(|peer| peer.say(bytes));
        }
        check_held(&stage.name, &crowd, PLAIN);
        check_deadline(&stage.name, &clock, &router, crowd);
    }
}

/// Peers at the same stage: what the tables of a router take is shared by those who are in them.
fn gather(router: &RouterHandle) -> Vec<Peer> {
    (0..CROWD).map(|_| Peer::attach(router)).collect()
}

/// Each holds less than the bound. Those that are being closed are read from until they notice, into a buffer of
/// their driver's own.
#[track_caller]
fn check_held(name: &str, crowd: &[Peer], bound: usize) {
    let held = crowd.iter().map(Peer::held).sum::<usize>() / crowd.len();
    println!("{name:<45} {held:>6} bytes");
    let bound = if crowd[0].has_ended() { bound + DISCARD } else { bound };
    assert!(held < bound, "{name}: {held} bytes held");
}

/// After 5 s from when it connected a peer is told so where it can be; it is gone when it had the time to read that.
#[track_caller]
fn check_deadline(name: &str, clock: &Clock, router: &RouterHandle, mut crowd: Vec<Peer>) {
    let mut peer = crowd.swap_remove(0);
    drop(crowd);
    let end = Timestamp::ZERO + Duration::from_secs(5);
    if !peer.has_ended() {
        clock.go_to(Timestamp::from_micros(end.as_micros() - 1));
        peer.poll();
        assert!(!peer.has_ended(), "{name}: it has its time");
        clock.go_to(end);
        peer.poll();
    }
    // ABORT, a Close frame that nobody answers, and lingering.
    clock.advance(Duration::from_secs(5));
    peer.poll();
    clock.advance(Duration::from_secs(2));
    peer.poll();
    assert!(peer.is_done(), "{name}: it is still there");
    drop(peer);
    let stats = router.stats();
    assert_eq!((router.connections(), stats.peers, stats.timers), (0, 0, 0), "{name}");
}

/// One octet a second does not buy time.
#[test]
fn dripping_buys_no_time() {
    for carrier in [Carrier::RawSocket, Carrier::WebSocket] {
        let framing = Framing { carrier, serializer: Serializer::Json, is_client: true };
        let (clock, router) = router(config(), None);
        let mut peer = Peer::attach(&router);
        peer.say(&framing.request());
        for octet in framing.message(HELLO).iter().take(4) {
            clock.advance(Duration::from_secs(1));
            peer.say(&[*octet]);
        }
        check_deadline("drips", &clock, &router, vec![peer]);
    }
}

/// Who never reads is gone too: before it has a session by the same deadline, and after that when it is silent, or
/// when too much waits for it.
#[test]
fn who_never_reads() {
    for carrier in [Carrier::RawSocket, Carrier::WebSocket, Carrier::Batched] {
        let framing = Framing { carrier, serializer: Serializer::Json, is_client: true };
        let (clock, router) = router(config(), None);
        let name = format!("{carrier:?}: never reads the handshake");
        let mut crowd = gather(&router);
        for peer in &mut crowd {
            peer.set_reading(false);
            peer.say(&framing.request());
        }
        check_held(&name, &crowd, PLAIN);
        check_deadline(&name, &clock, &router, crowd);

        let (clock, router) = peer::router(config(), None);
        let mut crowd = gather(&router);
        for peer in &mut crowd {
            peer.set_reading(false);
            peer.say(&framing.request());
            peer.say(&framing.message(HELLO));
        }
        assert_eq!(router.stats().sessions, CROWD);
        check_held(&format!("{carrier:?}: never reads WELCOME"), &crowd, SESSION);
        let mut peer = crowd.swap_remove(0);
        drop(crowd);
        if carrier.is_websocket() {
            // Pings go unanswered at 30 and 60 s; at 90 it is gone.
            for _ in 0..89 {
                clock.advance(Duration::from_secs(1));
                peer.poll();
            }
            assert_eq!(router.stats().sessions, 1);
            clock.advance(Duration::from_secs(1));
            peer.poll();
            assert_eq!(router.stats().sessions, 0);
        }
    }
}

/// Inside TLS: half a record, half a handshake, and everything that can be slow behind it.
#[test]
fn everybody_inside_tls_is_gone_in_time() {
    let tls = Tls::new();
    let hello = tls.client_hello();
    let mut half_record = vec![22, 3, 1, 64, 0];
    half_record.resize(8 << 10, 1);
    let mut endless = vec![22, 3, 1, 64, 0, 1, 0, 250, 0];
    endless.resize(5 + (16 << 10), 0);
    for (name, bytes) in [
        ("first octet", &hello[..1]),
        ("half a record", &half_record),
        ("half a ClientHello", &hello[..hello.len() / 2]),
        ("a ClientHello, and then nothing", &hello),
        ("a ClientHello without end", &endless),
    ] {
        let (clock, router) = router(config(), Some(&tls));
        let name = format!("TLS: {name}");
        let mut crowd = gather(&router);
        clock.advance(Duration::from_secs(2));
        crowd.iter_mut().for_each(|peer| peer.say(bytes));
        check_held(&name, &crowd, IN_TLS);
        check_deadline(&name, &clock, &router, crowd);
    }
    for stage in stages() {
        let (clock, router) = router(config(), Some(&tls));
        let mut peer = Peer::attach(&router);
        let mut layer = tls.client();
        let mut received = BytesMut::new();
        for _ in 0..4 {
            peer.say(&std::iter::from_fn(|| layer.poll_transmit()).flatten().collect::<Vec<u8>>());
            received.extend_from_slice(&peer.heard());
            layer.handle_input(clock.time(), &mut received, &mut BytesMut::new());
        }
        assert!(!layer.is_handshaking());
        for bytes in &stage.says {
            clock.advance(Duration::from_secs(1));
            layer.send(&mut bytes::Bytes::copy_from_slice(bytes));
            peer.say(&std::iter::from_fn(|| layer.poll_transmit()).flatten().collect::<Vec<u8>>());
        }
        let name = format!("TLS, {}", stage.name);
        check_held(&name, std::slice::from_ref(&peer), IN_TLS);
        check_deadline(&name, &clock, &router, vec![peer]);
    }
}

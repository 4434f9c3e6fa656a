use core::time::Duration;

use super::*;
use crate::transport::rawsocket::MAX_EVENTS;
use crate::transport::{LivenessConfig, LivenessMode};

const fn at(secs: u64) -> Timestamp {
    Timestamp::from_micros(secs * 1_000_000)
}

fn open(mode: LivenessMode) -> RawSocket {
    let liveness = LivenessConfig::default().mode(mode);
    let mut server = RawSocket::server(&RawSocketServerConfig::default().liveness(liveness));
    assert_eq!(server.poll_timeout(), None);
    feed(&mut server, &[0x7F, 0xF1, 0, 0]);
    output(&mut server);
    events(&mut server);
    server
}

#[test]
fn a_silent_peer_is_pinged_twice_and_given_up() {
    let mut server = open(LivenessMode::On);
    for time in [30, 60] {
        assert_eq!(server.poll_timeout(), Some(at(time)));
        server.handle_timeout(at(time));
        server.handle_timeout(at(time));
        assert_eq!(output(&mut server), [1, 0, 0, 0]);
    }
    server.handle_timeout(at(90));
    assert_eq!(events(&mut server), [TransportEvent::Closed { reason: TransportClose::Timeout }]);
    assert_eq!(server.poll_timeout(), None);
}

#[test]
fn a_closed_transport_pings_nobody() {
    let mut server = open(LivenessMode::On);
    server.close(at(1));
    server.handle_timeout(at(100));
    assert_eq!((server.poll_timeout(), server.queued()), (None, 0));
}

#[test]
fn every_byte_counts_as_life_but_no_byte_does_not() {
    let mut server = open(LivenessMode::On);
    let mut input = BytesMut::new();
    server.handle_timeout(at(30));
    input.extend_from_slice(&[0]);
    server.handle_input(at(40), &mut input);
    assert_eq!(server.poll_timeout(), Some(at(70)));
    server.handle_input(at(50), &mut input);
    assert_eq!(server.poll_timeout(), Some(at(70)));
}

#[test]
fn auto_pings_only_peers_that_are_known_to_answer() {
    let mut pinged = open(LivenessMode::Auto);
    let mut named = open(LivenessMode::Auto);
    let mut off = open(LivenessMode::Off);
    assert_eq!(pinged.poll_timeout(), None);
    pinged.handle_input(at(5), &mut BytesMut::from(&frame(0, b"m")[..]));
    assert_eq!(pinged.poll_timeout(), None);
    // A PING waits until the messages before it are taken.
    events(&mut pinged);
    pinged.handle_input(at(10), &mut BytesMut::from(&frame(1, b"")[..]));
    assert_eq!(pinged.poll_timeout(), Some(at(40)));
    named.activate_liveness(at(20));
    assert_eq!(named.poll_timeout(), Some(at(50)));
    off.activate_liveness(at(20));
    feed(&mut off, &frame(1, b""));
    assert_eq!(off.poll_timeout(), None);
    assert_eq!(output(&mut off), frame(2, b""));
}

#[test]
fn the_timer_stands_still_while_nobody_reads() {
    let mut server = open(LivenessMode::On);
    server.suspend_liveness();
    server.handle_timeout(at(100));
    assert_eq!((server.poll_timeout(), server.queued()), (None, 0));
    server.resume_liveness(at(100));
    assert_eq!(server.poll_timeout(), Some(at(130)));

    // The same by itself, while the transport does not want input.
    let mut input = BytesMut::from(&frame(0, b"m").repeat(MAX_EVENTS)[..]);
    server.handle_input(at(101), &mut input);
    assert_eq!(server.poll_timeout(), None);
    server.resume_liveness(at(102));
    assert_eq!(server.poll_timeout(), None);
    events(&mut server);
    server.handle_timeout(at(500));
    assert!(server.is_open());
    server.handle_input(at(501), &mut input);
    assert_eq!(server.poll_timeout(), Some(at(531)));
}

#[test]
fn the_deadline_is_later_than_every_time_given() {
    let mut server = open(LivenessMode::On);
    for call in 0..4 {
        let now = at(40) + Duration::from_secs(call);
        match call {
            0 => server.handle_input(now, &mut BytesMut::new()),
            1 => drop(server.send(now, &Encoded::from(Bytes::new()))),
            2 => server.activate_liveness(now),
            _ => server.resume_liveness(now),
        }
        assert!(server.poll_timeout().unwrap() > now, "call {call}");
    }
}

//! Peers that do not play by the rules.

use super::*;
use crate::HANDSHAKE_LIMIT;

#[test]
fn what_is_no_tls_is_told_at_once_and_answered_with_nothing() {
    for first in [&b"\x7F\xF1\x00\x00"[..], b"GET / HTTP/1.1\r\n", b"HTTP/1.1 400\r\n", &[0], &[255; 9]] {
        let mut server = End::server(&SERVER);
        server.feed(first);
        assert_eq!(server.events, [TlsEvent::Failed(TlsError::NotTls)]);
        server.layer.close();
        assert!(server.output().is_empty() && server.input.is_empty());
        let mut client = End::client(&CLIENT);
        client.output();
        client.feed(first);
        assert_eq!(client.events, [TlsEvent::Failed(TlsError::NotTls)]);
        assert!(client.output().is_empty());
    }
}

#[test]
fn garbage_in_records_fails_with_an_alert() {
    for garbage in [
        // A handshake that is none; an empty one; a version that never was; application data too early.
        &[22, 3, 1, 0, 5, 9, 9, 9, 9, 9][..],
        &[22, 3, 1, 0, 0, 22, 3, 1, 0, 0],
        &[22, 9, 9, 0, 5, 1, 2, 3, 4, 5],
        &[22, 3, 3, 255, 255, 1, 2, 3, 4, 5],
        &[22, 3, 3, 0, 4, 1, 255, 255, 255],
    ] {
        let mut server = End::server(&SERVER);
        server.feed(garbage);
        server.feed(&[0; 40_000]);
        assert_eq!(server.events.len(), 1, "{garbage:?} {:?}", server.events);
        assert!(matches!(server.error(), Some(TlsError::Protocol(_) | TlsError::HandshakeTooLarge { .. })));
        assert!(server.input.is_empty());
    }
}

#[test]
fn tampering_is_noticed() {
    for server in versions() {
        let mut pair = Pair::open(&CLIENT, &server);
        pair.client.send("first");
        pair.client.send("second");
        let mut bytes = pair.client.output();
        *bytes.last_mut().unwrap() ^= 1;
        pair.server.feed(&bytes);
        // What was genuine is there.
        assert_eq!(pair.server.plaintext, "first");
        assert_eq!(pair.server.error(), Some(&TlsError::Protocol(rustls::Error::DecryptError)));
        // The peer is told.
        pair.client.feed(&pair.server.output());
        let refused = TlsError::Refused(rustls::AlertDescription::BadRecordMac);
        assert_eq!(pair.client.error(), Some(&refused));
    }
}

/// A handshake message that says it is large, in records that never complete it.
#[test]
fn a_handshake_without_end_is_cut_short() {
    let mut server = End::server(&SERVER);
    let mut fed = 0;
    let mut first = vec![22, 3, 1, 16, 0, 1, 0, 250, 0];
    first.resize(5 + 4096, 0);
    let mut next = vec![22, 3, 1, 16, 0];
    next.resize(5 + 4096, 0);
    server.feed(&first);
    while server.events.is_empty() {
        fed += next.len();
        server.feed(&next);
        assert!(fed < 2 * HANDSHAKE_LIMIT);
    }
    assert_eq!(server.error(), Some(&TlsError::HandshakeTooLarge { limit: HANDSHAKE_LIMIT }));
}

/// Each of them is allowed by itself.
#[test]
fn empty_records_do_not_go_on_for_ever() {
    let mut server = End::server(&SERVER);
    for _ in 0..100_000 {
        server.feed(&[22, 3, 1, 0, 0]);
        if server.error().is_some() {
            return;
        }
    }
    panic!("they went on for ever");
}

#[test]
fn every_changed_byte_of_a_handshake_is_survived() {
    let mut reference = Pair::new(&CLIENT, &SERVER);
    let hello = reference.client.output();
    for at in 0..hello.len() {
        let mut bytes = hello.clone();
        bytes[at] = !bytes[at];
        let mut server = End::server(&SERVER);
        server.feed(&bytes);
        // A peer that sees another ClientHello than was sent does not get further than its answer.
        server.eof();
        assert!(server.error().is_some());
    }
}

#[test]
fn a_fault_right_behind_the_handshake_is_no_part_of_it_however_it_is_cut() {
    for (server, step) in
        versions().into_iter().flat_map(|server| [1, 7, 100, 100_000].map(|step| (server.clone(), step)))
    {
        let mut pair = Pair::new(&CLIENT, &server);
        pair.server.feed(&pair.client.output());
        pair.client.feed(&pair.server.output());
        let mut last = pair.client.output();
        if pair.client.layer.is_writable() {
            pair.client.send("early");
            last.extend(pair.client.output());
        }
        last.extend_from_slice(&[23, 3, 3, 0, 24]);
        last.extend_from_slice(&[7; 24]);
        last.chunks(step).for_each(|piece| pair.server.feed(piece));
        let events = &pair.server.events;
        assert!(matches!(events[..], [TlsEvent::Open, TlsEvent::Failed(_)]), "{step}: {events:?}");
        assert!(pair.server.layer.channel_binding().is_some());
    }
}

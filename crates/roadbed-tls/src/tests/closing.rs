//! Ends that are ends, and ends that are none.

use super::*;

#[test]
fn either_side_may_close_first() {
    for server in versions() {
        for is_client_first in [true, false] {
            let mut pair = Pair::open(&CLIENT, &server);
            let Pair { client, server } = &mut pair;
            let (first, second) = if is_client_first { (client, server) } else { (server, client) };
            first.send("goodbye");
            first.layer.close();
            first.layer.close();
            second.feed(&first.output());
            assert_eq!(second.plaintext, "goodbye");
            assert_eq!(second.events, [TlsEvent::Open, TlsEvent::PeerClosed]);
            // It may still answer.
            second.send("and you");
            second.layer.close();
            // Who has closed does not listen any more.
            first.feed(&second.output());
            assert!(first.plaintext.is_empty() && first.input.is_empty());
            assert_eq!(first.events, [TlsEvent::Open]);
            first.eof();
            second.eof();
            assert_eq!(first.error().or(second.error()), None);
            assert!(first.output().is_empty() && second.output().is_empty());
        }
    }
}

#[test]
fn both_may_close_at_once() {
    let mut pair = Pair::open(&CLIENT, &SERVER);
    pair.client.layer.close();
    pair.server.layer.close();
    pair.run(usize::MAX);
    pair.client.eof();
    pair.server.eof();
    assert_eq!(pair.client.events, [TlsEvent::Open]);
    assert_eq!(pair.server.events, [TlsEvent::Open]);
}

/// rustls has a last word, and a debug build of it panics when it is to have two.
#[test]
fn a_fault_after_the_end_is_ignored() {
    for server in versions() {
        let mut pair = Pair::open(&CLIENT, &server);
        pair.server.layer.close();
        pair.server.feed(&[23, 3, 3, 0, 4, 1, 2, 3, 4]);
        let mut pair = Pair::new(&CLIENT, &server);
        pair.server.feed(&pair.client.output());
        pair.server.layer.close();
        pair.server.feed(&[22, 3, 3, 0, 4, 1, 2, 3, 4]);
        pair.server.eof();
        assert!(pair.server.events.is_empty());
    }
}

#[test]
fn what_follows_the_end_is_ignored() {
    let mut pair = Pair::open(&CLIENT, &SERVER);
    pair.client.layer.close();
    let mut bytes = pair.client.output();
    bytes.extend_from_slice(&[7; 100_000]);
    pair.server.feed(&bytes);
    pair.server.feed(&[7; 100_000]);
    assert!(pair.server.input.is_empty());
    assert_eq!(pair.server.events, [TlsEvent::Open, TlsEvent::PeerClosed]);
}

/// The bytes of a client's whole life, as far as one server's answers go.
#[test]
fn an_end_at_any_offset_is_told_from_a_clean_one() {
    for server in versions() {
        let length = {
            let mut pair = Pair::new(&CLIENT, &server);
            let mut length = 0;
            for _ in 0..4 {
                let up = pair.client.output();
                length += up.len();
                pair.server.feed(&up);
                pair.client.feed(&pair.server.output());
            }
            length
        };
        // Lengths may differ by a few bytes from run to run: signatures do.
        for at in (0..length + 80).step_by(3).chain(length - 8..length + 80) {
            let mut pair = Pair::new(&CLIENT, &server);
            let mut left = at;
            let mut was_cut = false;
            for round in 0..5 {
                if round == 4 {
                    pair.client.layer.send(&mut Bytes::from_static(b"hello"));
                    pair.client.layer.close();
                }
                let up = pair.client.output();
                was_cut |= left < up.len();
                let count = left.min(up.len());
                pair.server.feed(&up[..count]);
                left -= count;
                let down = pair.server.output();
                pair.client.feed(&down);
            }
            let was_open = !pair.server.layer.is_handshaking();
            pair.server.eof();
            let expected = match (was_cut, was_open) {
                (false, _) => None,
                (true, true) => Some(TlsError::Truncated),
                (true, false) => Some(TlsError::HandshakeTruncated),
            };
            assert_eq!(pair.server.error().cloned(), expected, "at {at}");
            // Nothing more is said of it, and nothing can be sent.
            pair.server.eof();
            pair.server.feed(&[22; 64]);
            assert_eq!(pair.server.error().cloned(), expected, "at {at}");
        }
    }
}

/// RUSTSEC-2024-0336: a close_notify in the middle of a handshake made a loop around rustls endless.
#[test]
fn closing_in_the_handshake_ends_it() {
    // In plaintext, as the first thing, and after ClientHello.
    let close_notify = [21, 3, 3, 0, 2, 1, 0];
    for server in versions() {
        let mut end = End::server(&server);
        end.feed(&close_notify);
        end.eof();
        assert!(end.error().is_some(), "{:?}", end.events);

        let mut pair = Pair::new(&CLIENT, &server);
        pair.server.feed(&pair.client.output());
        pair.server.feed(&close_notify);
        pair.server.feed(&close_notify);
        pair.server.eof();
        assert_eq!(pair.server.events.len(), 1, "{:?}", pair.server.events);
        assert!(pair.server.error().is_some());
        // Anybody could have said that; only an end of the stream is one.
        pair.client.feed(&close_notify);
        pair.client.eof();
        assert!(pair.client.error().is_some());
    }
    // Ours, at every step of it.
    for server in versions() {
        for rounds in 0..3 {
            let mut pair = Pair::new(&CLIENT, &server);
            for _ in 0..rounds {
                pair.server.feed(&pair.client.output());
                pair.client.feed(&pair.server.output());
            }
            pair.client.layer.close();
            pair.server.layer.close();
            pair.run(usize::MAX);
            pair.client.eof();
            pair.server.eof();
            assert!(!pair.client.layer.is_writable() && !pair.server.layer.is_writable());
            assert!(pair.client.events.len() <= 2 && pair.server.events.len() <= 2);
        }
    }
}

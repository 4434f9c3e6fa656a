//! Bytes on their way, however they are cut.

use proptest::prelude::*;

use super::*;

/// What a server hears of a client's whole life, cut into pieces as `cut` says.
fn heard(server: &TlsServerConfig, mut cut: impl FnMut(&[u8]) -> Vec<usize>) -> (Vec<u8>, Vec<TlsEvent>) {
    let mut pair = Pair::new(&CLIENT, server);
    let mut carry = |from: &mut End, to: &mut End| {
        let bytes = from.output();
        let mut rest = &bytes[..];
        for at in cut(rest) {
            let (piece, left) = rest.split_at(at.min(rest.len()));
            to.feed(piece);
            rest = left;
        }
        to.feed(rest);
    };
    for _ in 0..4 {
        carry(&mut pair.client, &mut pair.server);
        carry(&mut pair.server, &mut pair.client);
    }
    pair.client.send("one");
    pair.client.send("two, in a record of its own");
    pair.client.layer.close();
    carry(&mut pair.client, &mut pair.server);
    pair.server.eof();
    (pair.server.plaintext.to_vec(), pair.server.events)
}

#[test]
fn every_split_gives_the_same() {
    for server in versions() {
        let whole = heard(&server, |_| Vec::new());
        assert_eq!(whole.0, b"onetwo, in a record of its own");
        assert_eq!(whole.1, [TlsEvent::Open, TlsEvent::PeerClosed]);
        assert_eq!(heard(&server, |bytes| vec![1; bytes.len()]), whole);
        for at in 0..200 {
            assert_eq!(heard(&server, |_| vec![at]), whole, "{at}");
        }
    }
}

#[test]
fn much_goes_through_little_buffers() {
    let sent: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).take(3_000_000).collect();
    for server in versions() {
        for (piece, take) in [(7_001, 1_000), (16_384, 30_000), (100_000, 1_000_000)] {
            let mut pair = Pair::open(&CLIENT, &server);
            let mut left = Bytes::from(sent.clone());
            let mut got = Vec::new();
            while got.len() < sent.len() {
                pair.server.layer.send(&mut left);
                // At most what is bounded, a record more, and what surrounds records.
                assert!(pair.server.layer.queued() < (64 + 17) << 10);
                while let Some(output) = pair.server.layer.poll_transmit() {
                    for bytes in output.chunks(piece) {
                        pair.client.input.extend_from_slice(bytes);
                        loop {
                            let client = &mut pair.client;
                            let (before, held) = (client.input.len(), client.plaintext.len());
                            client.layer.handle_input(NOW, &mut client.input, &mut client.plaintext);
                            assert!(client.plaintext.len() - held < 37 << 10);
                            let count = client.plaintext.len().min(take);
                            got.extend_from_slice(&client.plaintext.split_to(count));
                            if client.input.len() == before && count == 0 {
                                break;
                            }
                        }
                    }
                }
            }
            assert_eq!(got, sent);
        }
    }
}

#[test]
fn one_call_gives_little_whatever_was_read() {
    let mut pair = Pair::open(&CLIENT, &SERVER);
    let mut bytes = Bytes::from(vec![7; 60_000]);
    pair.client.layer.send(&mut bytes);
    let ciphertext = pair.client.output();
    pair.server.feed(&ciphertext);
    let (held, left) = (pair.server.plaintext.len(), pair.server.input.len());
    assert!((16 << 10..37 << 10).contains(&held) && left > 20_000, "{held} {left}");
    // A message may be longer than that: what is held is not in the way of what follows.
    while !pair.server.input.is_empty() {
        let before = pair.server.plaintext.len();
        pair.server.feed(b"");
        assert!((1..37 << 10).contains(&(pair.server.plaintext.len() - before)));
    }
    assert_eq!(pair.server.plaintext, vec![7; 60_000]);
}

#[test]
fn nothing_is_sent_before_the_handshake_or_after_the_end() {
    let mut pair = Pair::new(&CLIENT, &SERVER);
    let mut bytes = Bytes::from_static(b"early");
    pair.client.layer.send(&mut bytes);
    pair.server.layer.send(&mut bytes);
    assert_eq!(bytes, "early");
    pair.run(usize::MAX);
    pair.client.layer.send(&mut bytes);
    assert!(bytes.is_empty());
    pair.run(usize::MAX);
    assert_eq!(pair.server.plaintext, "early");
    pair.client.layer.close();
    let mut late = Bytes::from_static(b"late");
    pair.client.layer.send(&mut late);
    assert_eq!(late, "late");
}

#[test]
fn an_idle_layer_holds_no_output() {
    let mut pair = Pair::open(&CLIENT, &SERVER);
    pair.client.send("hello");
    pair.run(usize::MAX);
    assert_eq!(pair.client.layer.queued(), 0);
    assert_eq!(pair.client.layer.output_capacity(), 0);
    assert_eq!(pair.client.layer.input_hint(), 4096);
    let mut bytes = Bytes::from(vec![7; 60_000]);
    pair.client.layer.send(&mut bytes);
    pair.run(usize::MAX);
    assert!(pair.server.layer.input_hint() > 16 << 10);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn however_it_is_cut_the_same_is_heard(cuts in prop::collection::vec(0_usize..700, 0..40)) {
        let (text, events) = heard(&SERVER, |_| cuts.clone());
        prop_assert_eq!(text, b"onetwo, in a record of its own");
        prop_assert_eq!(events, [TlsEvent::Open, TlsEvent::PeerClosed]);
    }
}

//! permessage-deflate, between our own ends and by hand.

use flate2::{Compress, Compression, FlushCompress};
use proptest::collection::vec as vec_of;
use proptest::prelude::*;

use super::*;
use crate::transport::websocket::DeflateParams;

/// What both ends agreed on: no takeover by client and server, window bits of client and server.
fn params(forgets: [bool; 2], bits: [u8; 2]) -> DeflateParams {
    DeflateParams {
        client_no_context_takeover: forgets[0],
        server_no_context_takeover: forgets[1],
        client_max_window_bits: bits[0],
        server_max_window_bits: bits[1],
    }
}

fn with(params: DeflateParams, limit: usize) -> MessageStreamConfig {
    MessageStreamConfig::default().max_receive(limit).deflate(Some(params)).compress_from(1)
}

fn pair(params: DeflateParams) -> (MessageStream, MessageStream) {
    let config = with(params, 1 << 20);
    (MessageStream::client(&config, [3; 32], NOW), MessageStream::server(&config, NOW))
}

fn small_server(limit: usize) -> MessageStream {
    MessageStream::server(&with(params([true; 2], [15; 2]), limit), NOW)
}

/// `body` as one message, by a compressor of its own.
fn deflated(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 1024);
    Compress::new(Compression::best(), false).compress_vec(body, &mut out, FlushCompress::Sync).unwrap();
    assert!(out.ends_with(&[0, 0, 0xFF, 0xFF]));
    out.truncate(out.len() - 4);
    out
}

/// Text that repeats itself at every distance, and noise that does not.
fn sample(number: usize) -> Vec<u8> {
    let line = |index: usize| alloc::format!("{number}: line {} of {}; ", index * index % 977, index);
    let text: alloc::string::String = (0..500).map(line).collect();
    let noise = (0..1000_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8);
    text.bytes().chain(noise).chain(text.bytes().take(5_000)).collect()
}

#[test]
fn every_window_and_every_takeover_both_ways() {
    for bits in 9..=15 {
        for forgets in [[false, false], [false, true], [true, false], [true, true]] {
            let (mut client, mut server) = pair(params(forgets, [bits, 24 - bits]));
            for number in 0..4 {
                let (kind, body) = match number {
                    3 => (MessageKind::Text, b"[1,\"short\"]".to_vec()),
                    _ => (MessageKind::Binary, sample(number)),
                };
                for from_client in [true, false] {
                    let (from, to) =
                        if from_client { (&mut client, &mut server) } else { (&mut server, &mut client) };
                    from.send(NOW, kind, &encoded(&body)).unwrap();
                    let sent = output(from);
                    assert!(sent[0] & 0x40 != 0 && (number == 3 || sent.len() < body.len() / 2));
                    feed(to, &sent);
                    assert_eq!(events(to), [message(kind, &body)], "{bits} bits, {forgets:?}, {number}");
                }
            }
        }
    }
}

/// A window is carried over, or it is not: the same message again costs next to nothing, or the same again.
#[test]
fn takeover_is_what_was_agreed_on() {
    for forgets in [true, false] {
        let (mut client, mut server) = pair(params([forgets; 2], [15; 2]));
        for end in [&mut client, &mut server] {
            let sizes: Vec<usize> = (0..3)
                .map(|_| {
                    end.send(NOW, MessageKind::Binary, &encoded(&sample(0)[..10_000])).unwrap();
                    output(end).len()
                })
                .collect();
            if forgets {
                assert_eq!((sizes[0], sizes[1]), (sizes[1], sizes[2]));
            } else {
                assert!(sizes[1] * 10 < sizes[0], "{sizes:?}");
            }
        }
    }
}

/// T-14: the limit holds on what a message becomes, to the byte.
#[test]
fn bombs_stop_at_the_limit() {
    for limit in [1, 100, 1000, 65_536] {
        let bomb = (limit * 1000).min(4 << 20);
        for (size, fits) in [(limit, true), (limit + 1, false), (limit + 2, false), (bomb, false)] {
            let packed = deflated(&vec![b'a'; size]);
            let (head, tail) = packed.split_at(packed.len() / 2);
            for stream in [
                frame(0xC1, &packed),
                [frame(0x41, head), frame(0x89, b"?"), frame(0x80, tail)].concat(),
                [frame(0x41, &packed), frame(0x00, b""), frame(0x80, b"")].concat(),
            ] {
                let mut server = small_server(limit);
                feed(&mut server, &stream);
                if fits {
                    assert_eq!(events(&mut server), [message(MessageKind::Text, &vec![b'a'; size])]);
                    continue;
                }
                assert_eq!(events(&mut server), [failed(FrameError::Inflated { limit })], "{size}");
                server.close(NOW, 1000, "");
                assert_eq!(frames(&output(&mut server)).last().unwrap().2, 1009_u16.to_be_bytes());
            }
        }
    }
}

#[test]
fn a_bomb_behind_the_message_that_raises_the_limit() {
    let mut server = small_server(1000);
    server.set_receive_limit(100);
    let stream = [frame(0x81, b"welcome"), frame(0xC2, &deflated(&[7; 1000]))].concat();
    let mut input = BytesMut::from(&stream[..]);
    server.handle_input(NOW, &mut input);
    assert_eq!(server.poll_event(), Some(text("welcome")));
    server.set_receive_limit(1000);
    server.handle_input(NOW, &mut input);
    assert_eq!(events(&mut server), [binary(&[7; 1000])]);
}

#[test]
fn small_messages_go_as_they_are() {
    let config = with(params([false; 2], [15; 2]), 1 << 20).compress_from(100);
    let mut server = MessageStream::server(&config, NOW);
    for (size, first) in [(0, 0x82), (99, 0x82), (100, 0xC2)] {
        server.send(NOW, MessageKind::Binary, &encoded(&vec![0; size])).unwrap();
        assert_eq!(output(&mut server)[0], first);
    }
    let mut never = MessageStream::server(&config.compress_from(0), NOW);
    never.send(NOW, MessageKind::Text, &encoded(b"")).unwrap();
    assert_eq!(output(&mut never), b"\x81\0");
}

#[test]
fn what_is_no_compressed_message() {
    let good = deflated(&sample(1));
    for (stream, error) in [
        // Noise: a block of the reserved type.
        (frame(0xC2, &[0xFF; 40]), FrameError::Deflate),
        // A reference to before the beginning: fixed codes, a literal, a match at distance 32768.
        (frame(0xC2, &[0x4B, 0x04, 0xF2, 0xFF, 0x03]), FrameError::Deflate),
        // Cut off inside a block.
        (frame(0xC2, &good[..good.len() / 2]), FrameError::Deflate),
        // Only the first frame says that the message is compressed.
        (
            [frame(0x42, &good[..9]), frame(0xC0, &good[9..])].concat(),
            FrameError::ReservedBits { octet: 0xC0 },
        ),
        (frame(0xC9, b""), FrameError::ReservedBits { octet: 0xC9 }),
        // Text is checked after inflating.
        (frame(0xC1, &deflated(b"ab\xED\xA0\x80")), FrameError::Utf8 { offset: 2 }),
        (frame(0xC1, &deflated(b"ab\xE2\x82")), FrameError::Utf8 { offset: 2 }),
        // Nothing but final blocks.
        (frame(0xC2, &[0x03, 0x00].repeat(1000)), FrameError::Deflate),
    ] {
        let mut server = small_server(1 << 20);
        feed(&mut server, &stream);
        assert_eq!(events(&mut server), [failed(error)]);
    }
    // Without agreement the bit means nothing.
    let mut server = server();
    feed(&mut server, &frame(0xC2, &good));
    assert_eq!(events(&mut server), [failed(FrameError::ReservedBits { octet: 0xC2 })]);
}

/// The examples of RFC 7692 section 7.2.3.
#[test]
fn the_examples_of_the_standard() {
    let one = &[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00][..];
    let again = &[0xF2, 0x00, 0x11, 0x00, 0x00][..];
    let stored = &[0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00][..];
    let last = &[0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00][..];
    let two = &[0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00][..];
    let config = with(params([false; 2], [15; 2]), 100);
    let mut server = MessageStream::server(&config, NOW);
    for body in [one, again, stored, last, two] {
        feed(&mut server, &frame(0xC1, body));
        assert_eq!(events(&mut server), [text("Hello")], "{body:X?}");
    }
    feed(&mut server, &frame(0xC1, &[0x00]));
    feed(&mut server, &frame(0xC1, &[]));
    assert_eq!(events(&mut server), [text(""), text("")]);
}

proptest! {
    #[test]
    fn cuts_do_not_matter(
        bodies in vec_of("[ab\u{e9}\u{20ac}]{0,300}", 1..5), bits in 9..=15_u8, forgets: bool, broken: Option<u16>,
        cuts in vec_of(any::<prop::sample::Index>(), 0..12),
    ) {
        let config = with(params([forgets; 2], [bits; 2]), 700);
        let mut client = MessageStream::client(&config, [9; 32], NOW);
        for body in &bodies {
            client.send(NOW, MessageKind::Text, &encoded(body.as_bytes())).unwrap();
        }
        let mut stream = output(&mut client);
        if let Some(at) = broken {
            let at = usize::from(at) % stream.len();
            stream[at] ^= 0x10;
        }
        let run = |cuts: &[usize]| {
            let mut server = MessageStream::server(&config, NOW);
            let (mut seen, mut input, mut start) = (vec![], BytesMut::new(), 0);
            for &cut in cuts.iter().chain([&stream.len()]) {
                input.extend_from_slice(&stream[start..cut]);
                start = cut;
                server.handle_input(NOW, &mut input);
                while !server.wants_input() && !server.events.is_empty() {
                    seen.extend(events(&mut server));
                    server.handle_input(NOW, &mut input);
                }
                seen.extend(events(&mut server));
            }
            server.handle_eof(NOW);
            seen.extend(events(&mut server));
            seen
        };
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.sort_unstable();
        let every: Vec<usize> = (0..=stream.len()).collect();
        let whole = run(&[]);
        prop_assert_eq!(&run(&every), &whole);
        prop_assert_eq!(&run(&cuts), &whole);
        if broken.is_none() && bodies.iter().all(|body| body.len() <= 700) {
            let expected: Vec<_> = bodies.iter().map(|body| text(body)).chain([closed(TransportClose::Eof)]).collect();
            prop_assert_eq!(whole, expected);
        }
    }

    #[test]
    fn noise_is_never_delivered_above_the_limit(noise: Vec<u8>, forgets: bool) {
        let mut server = MessageStream::server(&with(params([forgets; 2], [15; 2]), 64), NOW);
        for _ in 0..3 {
            feed(&mut server, &frame(0xC2, &noise));
            for event in events(&mut server) {
                if let MessageEvent::Message { body, .. } = event {
                    prop_assert!(body.len() <= 64);
                }
            }
        }
    }
}

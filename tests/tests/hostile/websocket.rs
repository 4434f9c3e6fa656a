//! What a WebSocket peer can make us hold.

use bytes::BytesMut;
use roadbed_core::limits::Limits;
use roadbed_core::link::{Link, LinkConfig};
use roadbed_core::time::Timestamp;
use roadbed_core::transport::websocket::{
    DeflateParams, MessageEvent, MessageStream, MessageStreamConfig, WebSocketServerConfig,
};
use roadbed_tests::alloc::measure;

const NOW: Timestamp = Timestamp::ZERO;
const REQUEST: &[u8] = b"GET /ws HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Protocol: wamp.2.json\r\n\r\n";

/// A frame with a key of zeros.
fn frame(first: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u64).to_be_bytes();
    match body.len() {
        0..126 => [&[first, 0x80 | body.len() as u8, 0, 0, 0, 0], body].concat(),
        126..65_536 => [&[first, 0xFE], &length[6..], &[0; 4], body].concat(),
        _ => [&[first, 0xFF], &length[..], &[0; 4], body].concat(),
    }
}

fn server(limit: usize, deflate: bool) -> MessageStream {
    let config = MessageStreamConfig::default().max_receive(limit);
    MessageStream::server(&config.deflate(deflate.then(DeflateParams::default)), NOW)
}

/// Zeros, as blocks of 258 bytes from two: a literal, then matches at distance 1 with fixed codes.
fn bomb(blocks: usize) -> Vec<u8> {
    // 3 bits of header; a literal 0 (8 bits of code 0x30); then 13 bits a match of 258 at distance 1.
    let mut bits: Vec<bool> = vec![false, true, false];
    bits.extend([false, false, true, true, false, false, false, false]);
    for _ in 0..blocks {
        bits.extend([true, true, false, false, false, true, false, true]);
        bits.extend([false; 5]);
    }
    bits.extend([false; 7]);
    bits.extend([false, false, false]);
    let byte = |bits: &[bool]| bits.iter().enumerate().fold(0, |byte, (at, bit)| byte | u8::from(*bit) << at);
    bits.chunks(8).map(byte).collect()
}

/// T-14: a bomb costs at most twice the limit, however much it would become.
#[test]
fn a_bomb_costs_no_more_than_twice_the_limit() {
    const LIMIT: usize = 1 << 20;
    let stream = frame(0xC2, &bomb(4 * LIMIT / 258));
    let (found, usage) = measure(|| {
        let mut server = server(LIMIT, true);
        let mut input = BytesMut::new();
        for piece in stream.chunks(2048) {
            input.extend_from_slice(piece);
            server.handle_input(NOW, &mut input);
        }
        server.poll_event()
    });
    let text = format!("{found:?}");
    assert!(text.contains("Inflated { limit: 1048576 }"), "{text}");
    assert!(usage.peak <= 2 * LIMIT, "{usage:?}");

    // Just below the limit it is a message, and costs no more either.
    let stream = frame(0xC2, &bomb(LIMIT / 258));
    let (found, usage) = measure(|| {
        let mut server = server(LIMIT, true);
        server.handle_input(NOW, &mut BytesMut::from(&stream[..]));
        server.poll_event()
    });
    let Some(MessageEvent::Message { body, .. }) = found else { panic!("{found:?}") };
    assert_eq!(body.len(), 1 + LIMIT / 258 * 258);
    assert!(usage.peak <= 2 * LIMIT, "{usage:?}");
}

/// Small messages that inflate to large ones, all in one write: they are not inflated ahead of who takes them.
#[test]
fn many_bombs_at_once_cost_no_more_than_twice_the_limit() {
    const LIMIT: usize = 1 << 20;
    const MESSAGES: usize = 64;
    let whole = frame(0xC2, &bomb(LIMIT / 258));
    let halves = [frame(0x42, &bomb(LIMIT / 258)[..20]), frame(0x80, &bomb(LIMIT / 258)[20..])].concat();
    for message in [whole, halves] {
        let stream = message.repeat(MESSAGES);
        let (taken, usage) = measure(|| {
            let mut server = server(LIMIT, true);
            let mut input = BytesMut::from(&stream[..]);
            let mut taken = 0;
            // No poll for as long as it wants input; then all there is.
            while taken < MESSAGES {
                while server.wants_input() && !input.is_empty() {
                    server.handle_input(NOW, &mut input);
                }
                let mut polled = 0;
                while let Some(event) = server.poll_event() {
                    let MessageEvent::Message { body, .. } = event else { panic!("{event:?}") };
                    assert_eq!(body.len(), 1 + LIMIT / 258 * 258);
                    polled += 1;
                }
                assert!((1..=2).contains(&polled), "{polled} messages were inflated ahead");
                taken += polled;
            }
            taken
        });
        assert_eq!(taken, MESSAGES);
        // The last one moves once more while it grows.
        let bound = 3 * LIMIT + 2 * stream.len() + (64 << 10);
        assert!(usage.peak <= bound, "{usage:?}, bound {bound}");
    }
}

/// T-80: fragments cost their bytes, and no more than 5/3 of the limit while the buffer grows.
#[test]
fn fragments_cost_their_bytes() {
    const LIMIT: usize = 1 << 20;
    let mut stream = frame(0x02, b"");
    stream.extend(frame(0x00, b"x").repeat(131_000));
    let ((), usage) = measure(|| {
        let mut server = server(LIMIT, false);
        let mut input = BytesMut::with_capacity(2048);
        for piece in stream.chunks(2048) {
            input.extend_from_slice(piece);
            server.handle_input(NOW, &mut input);
        }
    });
    assert!(usage.peak <= 4 * 131_000, "{usage:?}");
    let empty = frame(0x00, b"").repeat(1000);
    let mut server = server(LIMIT, false);
    server.handle_input(NOW, &mut BytesMut::from(&frame(0x02, b"")[..]));
    let ((), usage) = measure(|| {
        for _ in 0..1000 {
            server.handle_input(NOW, &mut BytesMut::from(&empty[..]));
        }
    });
    assert!(usage.kept == 0 && usage.peak <= 8 << 10, "{usage:?}");
}

/// Whoever says nothing, or half of something, holds less than 4 KiB of the core.
#[test]
fn a_slow_loris_holds_little() {
    let config = LinkConfig::default().websocket(WebSocketServerConfig::default());
    let half_frame = [REQUEST, &[0x81, 0xFE, 0x10, 0x00, 0, 0, 0, 0, b'[']].concat();
    let half_message = [REQUEST, &frame(0x01, b"[1,")].concat();
    let half_head = &REQUEST[..REQUEST.len() - 1];
    for (stage, bytes) in [
        ("nothing", &b""[..]),
        ("one octet", &REQUEST[..1]),
        ("half a head", half_head),
        ("no HELLO", REQUEST),
        ("half a frame", &half_frame),
        ("half a message", &half_message),
    ] {
        let mut input = BytesMut::from(bytes);
        let (link, usage) = measure(|| {
            let mut link = Link::server(&config, NOW);
            for _ in 0..3 {
                link.handle_input(NOW, &mut input);
                while link.poll_event().is_some() {}
                while link.poll_transmit().is_some() {}
            }
            link
        });
        let held = usize::try_from(usage.kept).unwrap_or(0) + size_of::<Link>();
        println!("{stage}: {held} bytes");
        assert!(held < 4 << 10, "{stage}: {held} bytes held, {usage:?}");
        assert!(link.poll_timeout().is_some() && link.wants_input(), "{stage}");
        assert!(link.input_hint() <= Limits::default().handshake_message_size, "{stage}");
    }
}

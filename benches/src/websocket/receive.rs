//! Messages received: from bytes in a pipe to owned messages, unmasked, text checked.

use bytes::Bytes;
use roadbed_core::serializer::Encoded;
use roadbed_core::transport::websocket::MessageStreamConfig;

use super::pipe::{Ours, Pipe, theirs};
use super::{BATCH, Content, Shape};
use crate::harness::{Bench, Contender};

pub(super) fn benches() -> Vec<Bench> {
    let mut benches: Vec<Bench> =
        Shape::all().into_iter().map(|(name, shape)| bench(name, shape, BATCH)).collect();
    for (size, name) in [(1 << 10, "server Greek 1 KiB"), (64 << 10, "server Greek 64 KiB")] {
        let shape = Shape { is_server: true, content: Content::Greek, size, count: 1 };
        benches.push(bench(name.to_owned(), shape, BATCH));
    }
    for is_server in [true, false] {
        let shape = Shape { is_server, content: Content::Ascii, size: 1 << 20, count: 1 };
        let name = format!("{}, 1 KiB reads", shape.name("1 MiB"));
        benches.push(bench(name, shape, 1 << 10));
    }
    benches
}

/// Reads give up to `most` bytes.
fn bench(name: String, shape: Shape, most: usize) -> Bench {
    let Shape { is_server, content, size, count } = shape;
    let wire = wire(shape);
    let body = content.bytes(size).len();
    let bytes = body * count as usize;
    let ours = {
        let pipe = Pipe::new(wire.clone(), most);
        let mut ours = Ours::new(is_server, &MessageStreamConfig::default(), pipe);
        Contender::new("roadbed", move || {
            ours.pipe.rewind();
            assert_eq!(ours.receive(count), bytes);
        })
    };
    let tungstenite = |name, read_buffer| {
        let mut theirs = theirs(is_server, Pipe::new(wire.clone(), most), read_buffer);
        Contender::new(name, move || {
            theirs.get_mut().rewind();
            let received: usize = (0..count).map(|_| theirs.read().unwrap().len()).sum();
            assert_eq!(received, bytes);
        })
    };
    let contenders = vec![ours, tungstenite("tungstenite", None), tungstenite("… 4 KiB", Some(4 << 10))];
    Bench { group: "websocket receive", name, bytes: body, things: count, contenders }
}

/// What the other end sends.
fn wire(shape: Shape) -> Bytes {
    let Shape { is_server, content, size, count } = shape;
    let mut peer = Ours::new(!is_server, &MessageStreamConfig::default(), Pipe::new(Bytes::new(), 0));
    let mut wire = Vec::new();
    for _ in 0..count {
        let message = Encoded::from(content.bytes(size));
        peer.stream.send(super::pipe::NOW, content.kind(), &message).unwrap();
        while let Some(chunk) = peer.stream.poll_transmit() {
            wire.extend_from_slice(&chunk);
        }
    }
    wire.into()
}

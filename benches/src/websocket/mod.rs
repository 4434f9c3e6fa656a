//! WebSocket: frames beside tungstenite, compression, and what it costs a WAMP message beside RawSocket.

mod deflate;
mod pipe;
mod receive;
mod send;
mod wamp;

use bytes::Bytes;
use roadbed_core::transport::websocket::MessageKind;

use crate::harness::Bench;

pub(crate) fn benches() -> Vec<Bench> {
    let groups = [receive::benches(), send::benches(), deflate::benches(), wamp::benches()];
    groups.into_iter().flatten().collect()
}

/// Sizes of messages.
const SIZES: [(usize, &str); 6] = [
    (16, "16 B"),
    (125, "125 B"),
    (1 << 10, "1 KiB"),
    (16 << 10, "16 KiB"),
    (64 << 10, "64 KiB"),
    (1 << 20, "1 MiB"),
];

/// Bytes of messages that come and go together, where there are many; no read gives more.
const BATCH: usize = 64 << 10;

/// What messages are made of.
#[derive(Clone, Copy)]
enum Content {
    Ascii,
    /// Every letter has two bytes.
    Greek,
    Binary,
}

impl Content {
    const fn name(self) -> &'static str {
        match self {
            Self::Ascii => "text",
            Self::Greek => "Greek",
            Self::Binary => "binary",
        }
    }

    const fn kind(self) -> MessageKind {
        match self {
            Self::Ascii | Self::Greek => MessageKind::Text,
            Self::Binary => MessageKind::Binary,
        }
    }

    fn bytes(self, size: usize) -> Bytes {
        match self {
            Self::Ascii => {
                "The quick brown fox jumps over the lazy dog. ".bytes().cycle().take(size).collect()
            }
            // An even number of bytes, so that no letter is cut in two.
            Self::Greek => "Ξεσκεπάζωτηνψυχοφθόραβδελυγμία".bytes().cycle().take(size & !1).collect(),
            Self::Binary => (0..size).map(|at| (at % 251) as u8 ^ 0x80).collect(),
        }
    }
}

/// The shapes of traffic: end, content, and whether there are many messages at a time.
#[derive(Clone, Copy)]
struct Shape {
    is_server: bool,
    content: Content,
    size: usize,
    /// Messages at a time.
    count: u32,
}

impl Shape {
    /// Every end, content, and size; with their names.
    fn all() -> Vec<(String, Self)> {
        let mut shapes = Vec::new();
        for is_server in [true, false] {
            for content in [Content::Ascii, Content::Binary] {
                for (size, size_name) in SIZES {
                    for count in [1, count(size)] {
                        let shape = Self { is_server, content, size, count };
                        let name = shape.name(size_name);
                        if shapes.iter().all(|(other, _)| *other != name) {
                            shapes.push((name, shape));
                        }
                    }
                }
            }
        }
        shapes
    }

    fn name(self, size: &str) -> String {
        let end = if self.is_server { "server" } else { "client" };
        let many = if self.count > 1 { ", many" } else { "" };
        format!("{end} {} {size}{many}", self.content.name())
    }
}

/// How many messages of `size` come together.
fn count(size: usize) -> u32 {
    u32::try_from(BATCH / (size + 14)).unwrap().max(1)
}

//! Compression: messages of JSON sent and received, each direction for itself and without masks.

use bytes::{Bytes, BytesMut};
use roadbed_core::serializer::Encoded;
use roadbed_core::transport::websocket::{
    DeflateParams, MessageEvent, MessageKind, MessageStream, MessageStreamConfig,
};

use super::pipe::NOW;
use crate::harness::{Bench, Contender};

/// Bytes of all messages together; far more than a window, so that none of them is in it twice.
const POOL: usize = 512 << 10;

/// Bytes of messages that say how much smaller they become.
const SAMPLE: usize = 128 << 10;

pub(super) fn benches() -> Vec<Bench> {
    let mut benches = Vec::new();
    for (size, name) in [(1 << 10, "1 KiB"), (64 << 10, "64 KiB")] {
        benches.push(send(size, name));
        benches.push(receive(size, name));
    }
    benches
}

/// How a row's contenders compress.
#[derive(Clone, Copy)]
enum Mode {
    Takeover,
    NoTakeover,
    Not,
}

const MODES: [(Mode, &str); 3] =
    [(Mode::Takeover, "takeover"), (Mode::NoTakeover, "no takeover"), (Mode::Not, "without")];

impl Mode {
    fn config(self) -> MessageStreamConfig {
        let params = match self {
            Self::Takeover => Some(DeflateParams::default()),
            Self::NoTakeover => Some(DeflateParams {
                client_no_context_takeover: true,
                server_no_context_takeover: true,
                ..DeflateParams::default()
            }),
            Self::Not => None,
        };
        MessageStreamConfig::default().deflate(params)
    }
}

/// A server that sends one message after the other.
struct Sender {
    stream: MessageStream,
    messages: std::iter::Cycle<std::vec::IntoIter<Encoded>>,
}

impl Sender {
    fn new(mode: Mode, size: usize) -> Self {
        let text = orders(POOL);
        let messages: Vec<Encoded> =
            (0..POOL / size).map(|at| Encoded::from(text.slice(at * size..(at + 1) * size))).collect();
        let stream = MessageStream::server(&mode.config(), NOW);
        Self { stream, messages: messages.into_iter().cycle() }
    }

    fn send(&mut self) -> Bytes {
        let message = self.messages.next().unwrap();
        self.stream.send(NOW, MessageKind::Text, &message).unwrap();
        let first = self.stream.poll_transmit().unwrap();
        let Some(second) = self.stream.poll_transmit() else { return first };
        [first, second].concat().into()
    }
}

fn send(size: usize, name: &str) -> Bench {
    let share = |mode| {
        let mut sender = Sender::new(mode, size);
        let count = SAMPLE / size;
        let sent: usize = (0..count).map(|_| sender.send().len()).sum();
        format!("{} %", (100 * sent).div_ceil(count * size))
    };
    let contenders = MODES.map(|(mode, name)| {
        Contender::later(name, move || {
            let mut sender = Sender::new(mode, size);
            Contender::new(name, move || sender.send())
        })
    });
    Bench {
        group: "websocket deflate",
        name: format!("send {name} ({}, {})", share(Mode::Takeover), share(Mode::NoTakeover)),
        bytes: size,
        things: 1,
        contenders: contenders.into(),
    }
}

fn receive(size: usize, name: &str) -> Bench {
    let contenders = MODES.map(|(mode, name)| {
        Contender::later(name, move || {
            let mut sender = Sender::new(mode, size);
            let mut receiver = MessageStream::client(&mode.config(), [7; 32], NOW);
            let prepare = move || BytesMut::from(&sender.send()[..]);
            Contender::with_input(name, prepare, move |mut input| {
                receiver.handle_input(NOW, &mut input);
                let Some(MessageEvent::Message { body, .. }) = receiver.poll_event() else {
                    panic!("no message");
                };
                assert_eq!(body.len(), size);
                body
            })
        })
    });
    Bench {
        group: "websocket deflate",
        name: format!("receive {name}"),
        bytes: size,
        things: 1,
        contenders: contenders.into(),
    }
}

/// JSON as a shop would pass it, every record different; ASCII, so that it can be cut anywhere.
fn orders(size: usize) -> Bytes {
    let mut state = 1_u32;
    let mut draw = |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % below
    };
    let names = ["Jonna", "Ali", "Mirjam", "Chidi", "Sofia", "Lan", "Pavel", "Aroha"];
    let goods = ["window seat", "tripod", "kettle", "bicycle pump", "atlas", "lamp", "rug"];
    let mut text = String::with_capacity(size + 512);
    while text.len() < size {
        let (name, good) = (names[draw(8) as usize], goods[draw(7) as usize]);
        text += &format!(
            "{{\"order\":{},\"customer\":{{\"id\":{},\"name\":\"{name}\"}},\"item\":\"{good}\",\"count\":{},\
             \"price\":{}.{:02},\"at\":\"2026-{:02}-{:02}T{:02}:{:02}:{:02}Z\",\"express\":{}}},",
            draw(1 << 23),
            draw(1 << 16),
            draw(12) + 1,
            draw(500),
            draw(100),
            draw(12) + 1,
            draw(28) + 1,
            draw(24),
            draw(60),
            draw(60),
            draw(2) == 0,
        );
    }
    text.truncate(size);
    text.into()
}

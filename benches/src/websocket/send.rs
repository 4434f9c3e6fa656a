//! Messages sent: from owned messages to bytes in a pipe, masked if the client sends them.

use bytes::Bytes;
use roadbed_core::serializer::Encoded;
use roadbed_core::transport::websocket::MessageStreamConfig;
use tungstenite::{Message, Utf8Bytes};

use super::pipe::{NOW, Ours, Pipe, theirs};
use super::{Content, Shape};
use crate::harness::{Bench, Contender};

pub(super) fn benches() -> Vec<Bench> {
    Shape::all().into_iter().map(|(name, shape)| bench(name, shape)).collect()
}

fn bench(name: String, shape: Shape) -> Bench {
    let Shape { is_server, content, size, count } = shape;
    let body = content.bytes(size);
    let ours = {
        let pipe = Pipe::new(Bytes::new(), 0);
        let mut ours = Ours::new(is_server, &MessageStreamConfig::default(), pipe);
        let body = body.clone();
        Contender::new("roadbed", move || {
            ours.pipe.rewind();
            for _ in 0..count {
                ours.stream.send(NOW, content.kind(), &Encoded::from(body.clone())).unwrap();
            }
            ours.flush();
            assert!(ours.pipe.written() > size);
        })
    };
    let tungstenite = {
        let mut theirs = theirs(is_server, Pipe::new(Bytes::new(), 0), None);
        let message = match content {
            Content::Binary => Message::Binary(body),
            _ => Message::Text(Utf8Bytes::try_from(body).unwrap()),
        };
        Contender::new("tungstenite", move || {
            theirs.get_mut().rewind();
            for _ in 0..count {
                theirs.write(message.clone()).unwrap();
            }
            theirs.flush().unwrap();
            assert!(theirs.get_ref().written() > size);
        })
    };
    let contenders = vec![ours, tungstenite];
    Bench { group: "websocket send", name, bytes: size, things: count, contenders }
}

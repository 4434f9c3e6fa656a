//! What WebSocket costs a whole WAMP message, beside RawSocket: transport and serializer together.

use bytes::{Bytes, BytesMut};
use roadbed_core::limits::Limits;
use roadbed_core::serializer::{Encoded, Serializer};
use roadbed_core::transport::websocket::{
    Subprotocol, WebSocket, WebSocketClientConfig, WebSocketServerConfig,
};
use roadbed_core::transport::{
    RawSocket, RawSocketClientConfig, RawSocketServerConfig, Transport, TransportEvent,
};

use super::pipe::NOW;
use crate::harness::{Bench, Contender};
use crate::messages::{Content, encode, message};

pub(super) fn benches() -> Vec<Bench> {
    let mut benches = Vec::new();
    for bench in [receive, send] {
        for serializer in [Serializer::MsgPack, Serializer::Json] {
            for content in [Content::Integer, Content::Order, Content::Text] {
                benches.push(bench(serializer, content));
            }
        }
    }
    benches
}

/// Who receives or sends: by name, whether over WebSocket, and whether a server. Clients mask, servers unmask.
const ENDS: [(&str, bool, bool); 3] =
    [("RawSocket", false, true), ("ws server", true, true), ("ws client", true, false)];

/// Two ends after their handshake: a client and a server.
fn pair(is_websocket: bool, serializer: Serializer) -> (Transport, Transport) {
    let (mut client, mut server): (Transport, Transport) = if is_websocket {
        let subprotocols = [Subprotocol::plain(serializer)];
        let client = WebSocketClientConfig::new("example.com", "/").unwrap().subprotocols(&subprotocols);
        let server = WebSocketServerConfig::default().subprotocols(&subprotocols);
        (WebSocket::client(&client, [7; 32]).into(), WebSocket::server(server.into()).into())
    } else {
        let client = RawSocketClientConfig::new(serializer);
        (RawSocket::client(&client).into(), RawSocket::server(&RawSocketServerConfig::default()).into())
    };
    server.handle_input(NOW, &mut transmitted(&mut client));
    client.handle_input(NOW, &mut transmitted(&mut server));
    for end in [&mut client, &mut server] {
        assert!(matches!(end.poll_event(), Some(TransportEvent::Open { .. })));
    }
    (client, server)
}

fn transmitted(end: &mut Transport) -> BytesMut {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = end.poll_transmit() {
        bytes.extend_from_slice(&chunk);
    }
    bytes
}

fn title(direction: &str, serializer: Serializer, content: Content) -> String {
    format!("{direction} {serializer} CALL {}", content.name())
}

/// From one read to the decoded message.
fn receive(serializer: Serializer, content: Content) -> Bench {
    let encoded = encode(serializer, &message("CALL", content, content.payload(serializer)));
    let bytes = encoded.len();
    let contenders = ENDS.map(|(name, is_websocket, is_server)| {
        let (client, server) = pair(is_websocket, serializer);
        let (mut sender, mut receiver) = if is_server { (client, server) } else { (server, client) };
        sender.send(NOW, &Encoded::from(encoded.clone())).unwrap();
        let wire: Bytes = transmitted(&mut sender).freeze();
        let (mut input, limits) = (BytesMut::new(), Limits::default());
        Contender::new(name, move || {
            let mut at = 0;
            loop {
                input.reserve(receiver.input_hint());
                let room = (input.capacity() - input.len()).min(wire.len() - at);
                input.extend_from_slice(&wire[at..at + room]);
                at += room;
                receiver.handle_input(NOW, &mut input);
                match receiver.poll_event() {
                    Some(TransportEvent::Message(message)) => {
                        break serializer.decode(&message, &limits).unwrap();
                    }
                    Some(other) => panic!("{other:?}"),
                    None => assert!(at < wire.len()),
                }
            }
        })
    });
    Bench {
        group: "websocket WAMP",
        name: title("receive", serializer, content),
        bytes,
        things: 1,
        contenders: contenders.into(),
    }
}

/// From the message to the bytes that are written.
fn send(serializer: Serializer, content: Content) -> Bench {
    let message = message("CALL", content, content.payload(serializer));
    let bytes = encode(serializer, &message).len();
    let contenders = ENDS.map(|(name, is_websocket, is_server)| {
        let (client, server) = pair(is_websocket, serializer);
        let mut sender = if is_server { server } else { client };
        let (message, mut arena) = (message.clone(), BytesMut::with_capacity(1 << 18));
        let mut sink = Vec::with_capacity(1 << 18);
        Contender::new(name, move || {
            sink.clear();
            let encoded = serializer.encode_chunks(&message, &mut arena).unwrap();
            sender.send(NOW, &encoded).unwrap();
            while let Some(chunk) = sender.poll_transmit() {
                sink.extend_from_slice(&chunk);
            }
            assert!(sink.len() > bytes);
        })
    });
    Bench {
        group: "websocket WAMP",
        name: title("send", serializer, content),
        bytes,
        things: 1,
        contenders: contenders.into(),
    }
}

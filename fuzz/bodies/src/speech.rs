//! Which transport a body speaks, and the other end of it where frames are not written by hand.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use roadbed_core::connection::Endpoint;
use roadbed_core::serializer::{Encoded, Serializer};
use roadbed_core::time::Timestamp;
use roadbed_core::transport::TransportEvent;
use roadbed_core::transport::websocket::{
    DeflateConfig, Subprotocol, WebSocket, WebSocketClientConfig, WebSocketServerConfig,
};

use crate::source::Source;

/// A transport to choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Speech {
    pub(crate) is_websocket: bool,
    is_batched: bool,
    is_compressed: bool,
}

impl Speech {
    /// 0 is RawSocket; 1 to 4 are WebSocket: plain, batched, compressed, both.
    pub(crate) fn choose(source: &mut Source<'_>) -> Self {
        let choice = source.below(5);
        Self { is_websocket: choice > 0, is_batched: choice.is_multiple_of(2), is_compressed: choice > 2 }
    }

    pub(crate) fn client_config(self, serializer: Serializer) -> WebSocketClientConfig {
        let subprotocol = Subprotocol { batched: self.is_batched, ..Subprotocol::plain(serializer) };
        let config = WebSocketClientConfig::new("h", "/ws").expect("a host and a path");
        let config = config.subprotocols(&[subprotocol]);
        if self.is_compressed { config.deflate(deflate()) } else { config }
    }

    pub(crate) fn endpoint(self, serializer: Serializer) -> Endpoint {
        match self.is_websocket {
            true => Endpoint::websocket(self.client_config(serializer)),
            false => Endpoint::rawsocket(serializer),
        }
    }

    pub(crate) fn server_config(self) -> WebSocketServerConfig {
        let config = WebSocketServerConfig::default();
        if self.is_compressed { config.deflate(deflate()) } else { config }
    }
}

/// Small messages are compressed too.
fn deflate() -> DeflateConfig {
    DeflateConfig::default().threshold(8)
}

/// An end of a WebSocket that keeps the rules, opposite to the one that is tried.
pub(crate) struct Other {
    socket: WebSocket,
    input: BytesMut,
    /// What it hears may be no messages: a link sends whatever it is given.
    is_lenient: bool,
}

impl Other {
    /// Opposite to a client.
    pub(crate) fn server(speech: Speech) -> Self {
        let config = speech.server_config().max_receive(16 << 20);
        Self { socket: WebSocket::server(Arc::new(config)), input: BytesMut::new(), is_lenient: false }
    }

    /// Opposite to a server.
    pub(crate) fn client(speech: Speech, serializer: Serializer) -> Self {
        let config = speech.client_config(serializer).max_receive(16 << 20);
        Self { socket: WebSocket::client(&config, [1; 32]), input: BytesMut::new(), is_lenient: true }
    }

    /// Takes what the end that is tried has written. Returns the messages in it.
    pub(crate) fn hear(&mut self, now: Timestamp, bytes: &[u8]) -> Vec<Bytes> {
        self.input.extend_from_slice(bytes);
        let mut messages = Vec::new();
        loop {
            self.socket.handle_input(now, &mut self.input);
            let before = messages.len();
            let mut any = false;
            while let Some(event) = self.socket.poll_event() {
                any = true;
                match event {
                    TransportEvent::Message(body) => messages.push(body),
                    TransportEvent::Closed { reason } => {
                        let is_fine = self.is_lenient || reason.is_clean();
                        assert!(is_fine, "what our end wrote is refused by our end: {reason:?}");
                    }
                    _ => {}
                }
            }
            if !any && messages.len() == before {
                return messages;
            }
        }
    }

    /// Sends a message, if that is possible now.
    pub(crate) fn send(&mut self, now: Timestamp, body: Bytes) {
        let _ = self.socket.send(now, &Encoded::from(body));
    }

    /// What is to be given to the end that is tried.
    pub(crate) fn output(&mut self) -> Vec<u8> {
        std::iter::from_fn(|| self.socket.poll_transmit()).flatten().collect()
    }
}

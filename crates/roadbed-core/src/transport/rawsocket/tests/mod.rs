//! RawSocket from the outside: bytes in; events and bytes out.

mod flow;
mod frames;
mod handshakes;
mod liveness;
mod streams;

use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use super::*;
use crate::transport::{FrameKind, FramePart, TransportClose, TransportError, TransportEvent};

const NOW: Timestamp = Timestamp::ZERO;

/// Both ends announce 512 bytes, so that limits are easy to reach.
const SMALL: usize = 512;

fn client() -> RawSocket {
    RawSocket::client(&RawSocketClientConfig::new(Serializer::MsgPack).max_receive(SMALL))
}

fn server() -> RawSocket {
    RawSocket::server(&RawSocketServerConfig::default().max_receive(SMALL))
}

/// A server that receives up to `max_receive` from a client that receives up to 2^(9 + `code`).
fn open_server(max_receive: usize, code: u8) -> RawSocket {
    let mut server = RawSocket::server(&RawSocketServerConfig::default().max_receive(max_receive));
    feed(&mut server, &[0x7F, (code << 4) | 2, 0, 0]);
    assert!(server.is_open());
    events(&mut server);
    output(&mut server);
    server
}

/// One read, and what it leaves in the buffer.
fn feed(transport: &mut RawSocket, bytes: &[u8]) -> BytesMut {
    let mut input = BytesMut::from(bytes);
    transport.handle_input(NOW, &mut input);
    input
}

fn events(transport: &mut RawSocket) -> Vec<TransportEvent> {
    core::iter::from_fn(|| transport.poll_event()).collect()
}

fn output(transport: &mut RawSocket) -> Vec<u8> {
    core::iter::from_fn(|| transport.poll_transmit()).flatten().collect()
}

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind, len[1], len[2], len[3]], body].concat()
}

fn message(bytes: &'static [u8]) -> TransportEvent {
    TransportEvent::Message(Bytes::from_static(bytes))
}

fn failed(error: impl Into<TransportError>) -> TransportEvent {
    TransportEvent::Closed { reason: TransportClose::Failed(error.into()) }
}

fn truncated(part: FramePart, received: usize, expected: usize) -> TransportEvent {
    failed(TransportError::Truncated { part, received, expected })
}

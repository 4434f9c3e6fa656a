//! The message stream from the outside: bytes in; events and bytes out.

mod closing;
#[cfg(feature = "deflate")]
mod compressed;
mod faults;
mod flow;
mod masks;
mod splits;

use alloc::vec;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use super::*;
use crate::serializer::Encoded;
use crate::transport::websocket::{FrameError, WebSocketError};
use crate::transport::{FrameKind, FramePart, TransportClose, TransportError};

const NOW: Timestamp = Timestamp::ZERO;
/// A limit that is easy to reach.
const SMALL: usize = 512;
const KEY: [u8; 4] = [0xA1, 0x02, 0xC3, 0x44];

fn config() -> MessageStreamConfig {
    MessageStreamConfig::default().max_receive(SMALL)
}

fn client() -> MessageStream {
    MessageStream::client(&config(), [7; 32], NOW)
}

fn server() -> MessageStream {
    MessageStream::server(&config(), NOW)
}

/// A frame that begins with `first`, in its shortest form; masked by [`KEY`] if a client sends it.
fn frame_from(role: TransportRole, first: u8, body: &[u8]) -> Vec<u8> {
    let masked = if role == TransportRole::Client { 0x80 } else { 0 };
    let mut frame = vec![first];
    match body.len() {
        len @ 0..=125 => frame.push(masked | len as u8),
        len @ 126..=65_535 => {
            frame.push(masked | 126);
            frame.extend((len as u16).to_be_bytes());
        }
        len => {
            frame.push(masked | 127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    if masked == 0 {
        frame.extend(body);
    } else {
        frame.extend(KEY);
        frame.extend(body.iter().zip(KEY.iter().cycle()).map(|(octet, key)| octet ^ key));
    }
    frame
}

/// A frame from a client.
fn frame(first: u8, body: &[u8]) -> Vec<u8> {
    frame_from(TransportRole::Client, first, body)
}

/// A frame from a server.
fn plain(first: u8, body: &[u8]) -> Vec<u8> {
    frame_from(TransportRole::Server, first, body)
}

/// One read, and what it leaves in the buffer.
fn feed(stream: &mut MessageStream, bytes: &[u8]) -> BytesMut {
    let mut input = BytesMut::from(bytes);
    stream.handle_input(NOW, &mut input);
    input
}

fn events(stream: &mut MessageStream) -> Vec<MessageEvent> {
    core::iter::from_fn(|| stream.poll_event()).collect()
}

fn output(stream: &mut MessageStream) -> Vec<u8> {
    core::iter::from_fn(|| stream.poll_transmit()).flatten().collect()
}

/// The frames in `bytes`: first octet, key, unmasked payload.
fn frames(mut bytes: &[u8]) -> Vec<(u8, Option<[u8; 4]>, Vec<u8>)> {
    let mut frames = vec![];
    while let [first, second, rest @ ..] = bytes {
        let (len, rest) = match second & 0x7F {
            126 => (usize::from(u16::from_be_bytes(*rest.first_chunk().unwrap())), &rest[2..]),
            127 => (u64::from_be_bytes(*rest.first_chunk().unwrap()) as usize, &rest[8..]),
            len => (usize::from(len), rest),
        };
        let key: Option<[u8; 4]> = (second & 0x80 != 0).then(|| *rest.first_chunk().unwrap());
        let rest = &rest[if key.is_some() { 4 } else { 0 }..];
        let (body, rest) = rest.split_at(len);
        let keys = key.unwrap_or_default();
        let body = body.iter().zip(keys.iter().cycle()).map(|(octet, key)| octet ^ key).collect();
        frames.push((*first, key, body));
        bytes = rest;
    }
    assert!(bytes.is_empty(), "half a header");
    frames
}

fn message(kind: MessageKind, body: &[u8]) -> MessageEvent {
    MessageEvent::Message { kind, body: Bytes::copy_from_slice(body) }
}

fn text(body: &str) -> MessageEvent {
    message(MessageKind::Text, body.as_bytes())
}

fn binary(body: &[u8]) -> MessageEvent {
    message(MessageKind::Binary, body)
}

fn closed(reason: TransportClose) -> MessageEvent {
    MessageEvent::Closed { reason }
}

fn failed(error: FrameError) -> MessageEvent {
    closed(TransportClose::Failed(TransportError::WebSocket(WebSocketError::Frame(error))))
}

fn too_large(size: usize, limit: usize) -> MessageEvent {
    let kind = FrameKind::Message;
    closed(TransportClose::Failed(TransportError::ReceivedTooLarge { kind, size, limit }))
}

fn peer(code: Option<u16>, reason: &str) -> MessageEvent {
    closed(TransportClose::Peer { code, reason: reason.into() })
}

fn encoded(body: &[u8]) -> Encoded {
    Encoded::from(Bytes::copy_from_slice(body))
}

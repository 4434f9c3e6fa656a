//! RawSocket streams, made and read without the code under test.

use bytes::{Bytes, BytesMut};
use roadbed_core::limits::Limits;
use roadbed_core::message::Message;
use roadbed_core::serializer::Serializer;

use crate::wire::{list, text};

/// The handshake of either end: messages up to 16 MiB, in this serializer.
pub fn handshake(serializer: Serializer) -> [u8; 4] {
    [0x7F, 0xF0 | serializer.rawsocket_id(), 0, 0]
}

/// The message that `json` is.
///
/// # Panics
/// When it is none.
#[track_caller]
pub fn message(json: &str) -> Message {
    let message = Serializer::Json.decode(&Bytes::copy_from_slice(json.as_bytes()), &Limits::default());
    message.unwrap_or_else(|violation| panic!("{json}: {violation}"))
}

/// A frame with the message that `json` is, carried over to `serializer`.
#[track_caller]
pub fn frame(serializer: Serializer, json: &str) -> Vec<u8> {
    let mut body = BytesMut::new();
    match serializer.encode(&message(json), &mut body) {
        Ok(()) => raw_frame(0, &body),
        Err(error) => panic!("{json}: {error}"),
    }
}

/// A frame with a message of a type that is not known.
pub fn unknown_frame(serializer: Serializer, message_type: u64) -> Vec<u8> {
    raw_frame(0, &list([message_type.into(), text("from the future")]).encode(serializer))
}

/// A frame of any type with any body.
pub fn raw_frame(frame_type: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = (body.len() as u32).to_be_bytes().to_vec();
    frame[0] = frame_type;
    frame.extend_from_slice(body);
    frame
}

/// What an end wrote, sorted by kind. PONGs may overtake messages, so how the two kinds are mixed depends on
/// when output is fetched; within a kind the order does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The handshake.
    pub handshake: Vec<u8>,
    /// The bodies of messages, as text with escapes.
    pub messages: Vec<String>,
    /// Type and body of the other frames.
    pub control: Vec<(u8, Vec<u8>)>,
    /// What is left of a frame that was cut off.
    pub rest: Vec<u8>,
}

impl Written {
    /// Sorts a stream that begins with a handshake.
    pub fn parse(stream: &[u8]) -> Self {
        let (handshake, mut rest) = stream.split_at(stream.len().min(4));
        let mut written = Self { handshake: handshake.to_vec(), ..Self::default() };
        while let Some(([kind, length @ ..], body)) = rest.split_first_chunk::<4>() {
            let length = length.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
            let Some((body, after)) = body.split_at_checked(length) else { break };
            match kind {
                0 => written.messages.push(body.escape_ascii().to_string()),
                kind => written.control.push((*kind, body.to_vec())),
            }
            rest = after;
        }
        written.rest = rest.to_vec();
        written
    }
}

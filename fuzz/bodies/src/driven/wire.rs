//! The other end of a transport: messages become frames, and frames messages.

use bytes::{Bytes, BytesMut};
use roadbed_core::serializer::Serializer;
use roadbed_core::time::Timestamp;

use crate::speech::{Other, Speech};

/// An end of RawSocket or WebSocket that keeps the rules, whatever it carries.
pub(super) struct Wire {
    other: Option<Other>,
    output: BytesMut,
    is_shaken: bool,
}

impl Wire {
    /// Opposite to a client.
    pub(super) fn server(speech: Speech) -> Self {
        Self::new(speech.is_websocket.then(|| Other::server(speech)))
    }

    /// Opposite to a router.
    pub(super) fn client(speech: Speech, serializer: Serializer) -> Self {
        Self::new(speech.is_websocket.then(|| Other::client(speech, serializer)))
    }

    fn new(other: Option<Other>) -> Self {
        Self { other, output: BytesMut::new(), is_shaken: false }
    }

    /// What it says first: a handshake with this in its second octet, or a client's request.
    pub(super) fn greeting(&mut self, octet: u8) -> Vec<u8> {
        match &mut self.other {
            Some(other) => other.output(),
            None => vec![0x7F, octet, 0, 0],
        }
    }

    /// Frames for a message.
    pub(super) fn message(&mut self, now: Timestamp, body: &[u8]) -> Vec<u8> {
        if let Some(other) = &mut self.other {
            other.send(now, Bytes::copy_from_slice(body));
            return other.output();
        }
        let [_, high, mid, low] = u32::try_from(body.len()).unwrap_or(0).to_be_bytes();
        [&[0, high, mid, low], body].concat()
    }

    /// Takes what the end that is tried has written. Returns the messages in it, and what is to be answered.
    pub(super) fn hear(&mut self, now: Timestamp, bytes: &[u8]) -> (Vec<Bytes>, Vec<u8>) {
        if let Some(other) = &mut self.other {
            let messages = other.hear(now, bytes);
            return (messages, other.output());
        }
        self.output.extend_from_slice(bytes);
        if !self.is_shaken && self.output.len() >= 4 {
            self.is_shaken = true;
            let _handshake = self.output.split_to(4);
        }
        let mut messages = Vec::new();
        while let Some(&[kind, high, mid, low]) = self.output.first_chunk().filter(|_| self.is_shaken) {
            let len = usize::from(high) << 16 | usize::from(mid) << 8 | usize::from(low);
            if self.output.len() < 4 + len {
                break;
            }
            let body = self.output.split_to(4 + len).freeze().slice(4..);
            assert!(kind <= 2, "a frame of kind {kind}");
            if kind == 0 {
                messages.push(body);
            }
        }
        (messages, Vec::new())
    }
}

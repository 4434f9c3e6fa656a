//! What stands for a socket: one copy of the bytes in each direction, as the kernel makes it.

use std::io::{self, Read, Write};

use bytes::{Bytes, BytesMut};
use roadbed_core::time::Timestamp;
use roadbed_core::transport::websocket::{MessageEvent, MessageStream, MessageStreamConfig};
use tungstenite::WebSocket;
use tungstenite::protocol::{Role, WebSocketConfig};

pub(super) const NOW: Timestamp = Timestamp::ZERO;

/// Bytes to be read, a limited number at a time, and a place for those that are written.
pub(super) struct Pipe {
    incoming: Bytes,
    at: usize,
    most: usize,
    outgoing: Vec<u8>,
}

impl Pipe {
    /// Gives out `incoming` in reads of up to `most` bytes.
    pub(super) fn new(incoming: Bytes, most: usize) -> Self {
        Self { incoming, at: 0, most, outgoing: Vec::with_capacity(2 << 20) }
    }

    /// The same bytes once more; and what was written is forgotten.
    pub(super) fn rewind(&mut self) {
        self.at = 0;
        self.outgoing.clear();
    }

    /// Bytes written since.
    pub(super) fn written(&self) -> usize {
        self.outgoing.len()
    }

    fn next(&mut self, room: usize) -> &[u8] {
        let rest = &self.incoming[self.at..];
        let piece = &rest[..rest.len().min(room).min(self.most)];
        self.at += piece.len();
        piece
    }

    /// As a driver of ours reads: into spare room.
    pub(super) fn read_into(&mut self, buffer: &mut BytesMut) {
        let room = buffer.capacity() - buffer.len();
        buffer.extend_from_slice(self.next(room));
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = self.next(buffer.len());
        buffer[..piece.len()].copy_from_slice(piece);
        Ok(piece.len())
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One end of ours and its pipe.
pub(super) struct Ours {
    pub(super) stream: MessageStream,
    pub(super) pipe: Pipe,
    input: BytesMut,
}

impl Ours {
    pub(super) fn new(is_server: bool, config: &MessageStreamConfig, pipe: Pipe) -> Self {
        let stream = if is_server {
            MessageStream::server(config, NOW)
        } else {
            MessageStream::client(config, [7; 32], NOW)
        };
        Self { stream, pipe, input: BytesMut::new() }
    }

    /// Reads until so many messages were received; their bytes.
    pub(super) fn receive(&mut self, count: u32) -> usize {
        let (mut received, mut bytes) = (0, 0);
        let mut wants_input = true;
        while received < count {
            if wants_input {
                self.input.reserve(self.stream.input_hint());
                self.pipe.read_into(&mut self.input);
            }
            self.stream.handle_input(NOW, &mut self.input);
            wants_input = self.stream.wants_input();
            while let Some(event) = self.stream.poll_event() {
                let MessageEvent::Message { body, .. } = event else { panic!("{event:?}") };
                received += 1;
                bytes += body.len();
            }
        }
        bytes
    }

    /// Writes what is queued.
    pub(super) fn flush(&mut self) {
        while let Some(chunk) = self.stream.poll_transmit() {
            self.pipe.outgoing.extend_from_slice(&chunk);
        }
    }
}

/// One end of tungstenite's. `read_buffer` is 128 KiB by default; for many connections its documentation
/// recommends 4 KiB.
pub(super) fn theirs(is_server: bool, pipe: Pipe, read_buffer: Option<usize>) -> WebSocket<Pipe> {
    let role = if is_server { Role::Server } else { Role::Client };
    let config = read_buffer.map(|size| WebSocketConfig::default().read_buffer_size(size));
    WebSocket::from_raw_socket(pipe, role, config)
}

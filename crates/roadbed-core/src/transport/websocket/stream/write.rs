//! The writing half: messages and control frames out.

use bytes::{Bytes, BytesMut};
use chacha20::rand_core::Rng;

use super::super::close;
use super::super::frame::{Header, MAX_HEADER, Opcode};
use super::super::mask::{self, Key};
use super::{Masking, MessageKind, MessageStream, Phase};
use crate::serializer::Encoded;
use crate::time::Timestamp;
use crate::transport::TransportError;

impl Masking {
    /// The key of the next frame: none repeats but by chance.
    fn next(&mut self) -> Option<Key> {
        match self {
            Self::Client(random) => Some(random.next_u32().to_le_bytes()),
            Self::Server => None,
        }
    }
}

impl MessageStream {
    /// Queues one message. A server shares large payloads in it; a client copies them once, masked.
    ///
    /// # Errors
    /// [`TransportError::TooLarge`] over [`max_send`](Self::max_send): nothing is queued and the stream stays
    /// open. [`TransportError::Closed`] after the end; but after a fault of the peer's the reason can still be
    /// sent, until [`close`](Self::close).
    pub fn send(
        &mut self,
        now: Timestamp,
        kind: MessageKind,
        message: &Encoded,
    ) -> Result<(), TransportError> {
        self.liveness.observe(now);
        if !matches!(self.phase, Phase::Open | Phase::Faulted(_)) {
            return Err(TransportError::Closed);
        }
        let (size, limit) = (message.len(), self.max_send);
        if size > limit {
            return Err(TransportError::TooLarge { size, limit });
        }
        let opcode = match kind {
            MessageKind::Text => Opcode::Text,
            MessageKind::Binary => Opcode::Binary,
        };
        #[cfg(feature = "deflate")]
        if size > 0
            && size >= self.compress_from
            && let Some(deflate) = &mut self.deflate
            && let Some(body) = deflate.compress(message)
        {
            self.push(opcode, true, core::slice::from_ref(&body), body.len());
            return Ok(());
        }
        self.push(opcode, false, message.chunks(), size);
        Ok(())
    }

    fn push(&mut self, opcode: Opcode, compressed: bool, body: &[Bytes], len: usize) {
        let key = self.masking.next();
        let header = Header::encode(opcode, compressed, len, key);
        match key {
            None => self.messages.push_frame(header.as_bytes(), body),
            Some(key) => {
                let size = header.as_bytes().len().saturating_add(len);
                self.messages.push_copied(size, |out| write_masked(out, header.as_bytes(), key, body));
            }
        }
    }

    /// Closes from our side: a Close frame follows the queued messages. A code that must not be sent becomes
    /// 1000; of the reason up to 123 bytes are sent. Messages that arrive from now on are discarded. After a
    /// fault of the peer's, the code is the one that names it.
    pub fn close(&mut self, now: Timestamp, code: u16, reason: &str) {
        let now = self.liveness.observe(now);
        match self.phase {
            Phase::Open => {
                self.queue_close(Some(code), reason);
                self.phase = Phase::Closing(now.saturating_add(self.close_timeout));
                self.liveness.stop();
                self.ping_due = false;
                self.stop_gathering();
                if self.eof {
                    // The peer's stream has ended: no answer will come.
                    self.handle_eof(now);
                }
            }
            Phase::Faulted(code) => {
                self.queue_close(Some(code), "");
                self.phase = Phase::Closed;
            }
            Phase::Closing(_) | Phase::Closed => {}
        }
    }

    pub(super) fn queue_close(&mut self, code: Option<u16>, reason: &str) {
        if !self.close_queued {
            self.close_queued = true;
            let payload = close::Payload::new(code, reason);
            let body = Bytes::copy_from_slice(payload.as_bytes());
            let len = body.len();
            self.push(Opcode::Close, false, &[body], len);
        }
    }

    /// The next bytes to write, in order. Small frames come together, up to 64 KiB a chunk.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        // PONGs may overtake messages, but not cut one in two, and nothing follows a Close frame.
        if !self.pongs.is_empty() || self.ping_due {
            if self.close_queued && self.messages.queued() == 0 {
                self.pongs.clear();
                self.ping_due = false;
            } else if self.messages.at_boundary() {
                return Some(self.control());
            }
        }
        self.messages.pop()
    }

    fn control(&mut self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.queued_control());
        let pongs = core::mem::take(&mut self.pongs);
        let pongs = pongs.into_iter().map(|payload| (Opcode::Pong, payload));
        let ping = core::mem::take(&mut self.ping_due).then(|| (Opcode::Ping, Bytes::new()));
        for (opcode, payload) in pongs.chain(ping) {
            let key = self.masking.next();
            let header = Header::encode(opcode, false, payload.len(), key);
            write_masked(&mut out, header.as_bytes(), key.unwrap_or_default(), &[payload]);
        }
        out.freeze()
    }

    /// Bytes of output not yet polled; of PINGs and PONGs, at most so many.
    pub fn queued(&self) -> usize {
        self.messages.queued().saturating_add(self.queued_control())
    }

    fn queued_control(&self) -> usize {
        let header = if matches!(self.masking, Masking::Client(_)) { 6 } else { 2 };
        let pongs = self.pongs.iter().map(Bytes::len);
        let ping = self.ping_due.then_some(0);
        pongs.chain(ping).fold(0, |sum, len| sum.saturating_add(len).saturating_add(header))
    }
}

/// Appends a frame. The key of zeros masks nothing.
fn write_masked(out: &mut BytesMut, header: &[u8], key: Key, body: &[Bytes]) {
    debug_assert!(header.len() <= MAX_HEADER);
    out.extend_from_slice(header);
    let mut offset = 0_usize;
    for part in body {
        let start = out.len();
        out.extend_from_slice(part);
        mask::apply(key, offset, out.get_mut(start..).unwrap_or_default());
        offset = offset.saturating_add(part.len());
    }
}

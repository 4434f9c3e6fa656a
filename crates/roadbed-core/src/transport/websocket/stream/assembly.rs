//! A message on its way: what has to be remembered between its frames.

use alloc::vec::Vec;

use bytes::Bytes;

use super::super::error::FrameError;
use super::super::utf8::Utf8;
use super::MessageKind;

/// The first allocation of a message that comes in pieces.
const FIRST: usize = 256;

/// The message that is being received. A message in one uncompressed frame stays in the caller's buffer, and
/// only its text is checked here; any other is gathered.
#[derive(Default)]
pub(in crate::transport::websocket) struct Assembly {
    /// `None` between messages.
    pub(super) message: Option<Message>,
    body: Vec<u8>,
    utf8: Utf8,
}

/// What the first frame of a message said.
#[derive(Clone, Copy)]
pub(super) struct Message {
    pub(super) kind: MessageKind,
    pub(super) compressed: bool,
}

impl Assembly {
    pub(super) fn begin(&mut self, kind: MessageKind, compressed: bool) {
        self.message = Some(Message { kind, compressed });
        self.utf8 = Utf8::default();
    }

    /// Bytes gathered so far.
    pub(in crate::transport::websocket) const fn len(&self) -> usize {
        self.body.len()
    }

    /// Checks bytes that are not gathered.
    pub(super) fn check(&mut self, bytes: &[u8]) -> Result<(), FrameError> {
        match self.message {
            Some(Message { kind: MessageKind::Text, .. }) => {
                self.utf8.push(bytes).map_err(|offset| FrameError::Utf8 { offset })
            }
            _ => Ok(()),
        }
    }

    /// Gathers bytes. The caller has checked that they are within the limit.
    pub(super) fn append(&mut self, bytes: &[u8], limit: usize) -> Result<(), FrameError> {
        self.reserve(bytes.len(), limit);
        self.body.extend_from_slice(bytes);
        self.check(bytes)
    }

    /// Lets `write` add to the body as much as there is room for: at least one byte more, and never more than
    /// `limit` in all. `input` is how many bytes it makes that of. Says also whether the room is used up.
    #[cfg(feature = "deflate")]
    pub(in crate::transport::websocket) fn append_with<T>(
        &mut self,
        input: usize,
        limit: usize,
        write: impl FnOnce(&mut Vec<u8>) -> T,
    ) -> Result<(T, bool), FrameError> {
        let start = self.body.len();
        if start == self.body.capacity() {
            let more = if start == 0 { input.saturating_mul(2).clamp(1, limit) } else { 1 };
            self.reserve(more, limit);
        }
        let written = write(&mut self.body);
        if let Some(Message { kind: MessageKind::Text, .. }) = self.message {
            let new = self.body.get(start..).unwrap_or_default();
            self.utf8.push(new).map_err(|offset| FrameError::Utf8 { offset })?;
        }
        Ok((written, self.body.len() == self.body.capacity()))
    }

    /// Bytes that the message holds so far.
    pub(super) const fn capacity(&self) -> usize {
        self.body.capacity()
    }

    /// Makes room for `more` bytes: twice as much as before, but never above `limit`, and at once up to it
    /// when two thirds are reached. While the body moves, no more than 5/3 of the limit is held.
    pub(super) fn reserve(&mut self, more: usize, limit: usize) {
        let needed = self.body.len().saturating_add(more);
        let capacity = self.body.capacity();
        if needed <= capacity {
            return;
        }
        let wish = capacity.saturating_mul(2).max(FIRST).max(needed);
        let wish = if wish > (limit / 3).saturating_mul(2) { limit.max(needed) } else { wish };
        self.body.reserve_exact(wish.saturating_sub(self.body.len()));
    }

    /// The message is complete: its kind, and what was gathered of it.
    pub(super) fn finish(&mut self) -> Result<(MessageKind, Bytes), FrameError> {
        let kind = self.finish_elsewhere()?;
        let body = core::mem::take(&mut self.body);
        Ok((kind, if body.is_empty() { Bytes::new() } else { Bytes::from(body) }))
    }

    /// The message is complete, and nothing of it was gathered: its kind.
    pub(super) fn finish_elsewhere(&mut self) -> Result<MessageKind, FrameError> {
        let kind = self.message.take().map_or(MessageKind::Binary, |message| message.kind);
        if kind == MessageKind::Text {
            self.utf8.finish().map_err(|offset| FrameError::Utf8 { offset })?;
        }
        Ok(kind)
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

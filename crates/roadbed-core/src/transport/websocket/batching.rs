//! WAMP messages in WebSocket messages: one in each, or a batch.

use bytes::{Bytes, BytesMut};

use super::{MessageKind, MessageStream, Subprotocol};
use crate::serializer::batched::{self, Batch, SEPARATOR};
use crate::serializer::{BatchError, Encoded};
use crate::time::Timestamp;
use crate::transport::TransportError;

/// A batch goes out with the next write, or when it has so many bytes.
const FULL: usize = 16 << 10;

/// How WAMP messages and WebSocket messages relate on one connection.
#[derive(Default)]
pub(super) enum Batching {
    /// One each.
    #[default]
    No,
    /// Any number, in both directions.
    Yes {
        /// What is being written.
        out: BytesMut,
        /// What was received and not taken yet.
        received: Batch,
        /// What ends our messages in JSON: as the peer does it.
        separator: u8,
    },
}

impl Batching {
    pub(super) fn new(subprotocol: Subprotocol) -> Self {
        if subprotocol.batched {
            Self::Yes { out: BytesMut::new(), received: Batch::default(), separator: SEPARATOR }
        } else {
            Self::No
        }
    }

    /// Whether received messages wait to be taken.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::No => true,
            Self::Yes { received, .. } => received.is_done(),
        }
    }

    /// Takes a WebSocket message apart: returns it, if it is one WAMP message; otherwise [`next`](Self::next)
    /// has them.
    pub(super) fn receive(
        &mut self,
        subprotocol: Subprotocol,
        body: Bytes,
    ) -> Result<Option<Bytes>, BatchError> {
        match self {
            Self::No => Ok(Some(body)),
            Self::Yes { received, .. } => {
                *received = Batch::new(subprotocol.serializer, body)?;
                Ok(None)
            }
        }
    }

    /// The next message of the batch received last.
    pub(super) fn next(&mut self) -> Option<Result<Bytes, BatchError>> {
        let Self::Yes { received, separator, .. } = self else { return None };
        let message = received.next();
        *separator = received.separator().unwrap_or(*separator);
        message
    }

    /// Sends a message, or adds it to the batch that goes out next.
    pub(super) fn send(
        &mut self,
        now: Timestamp,
        subprotocol: Subprotocol,
        message: &Encoded,
        stream: &mut MessageStream,
    ) -> Result<(), TransportError> {
        let serializer = subprotocol.serializer;
        let kind = kind(subprotocol);
        let Self::Yes { out, separator, .. } = self else { return stream.send(now, kind, message) };
        if !stream.takes_messages() {
            return Err(TransportError::Closed);
        }
        let overhead = overhead(subprotocol);
        let (size, limit) = (message.len(), stream.max_send().saturating_sub(overhead));
        if size > limit {
            return Err(TransportError::TooLarge { size, limit });
        }
        let size = size.saturating_add(overhead);
        if !out.is_empty() && out.len().saturating_add(size) > FULL.min(stream.max_send()) {
            flush(now, kind, out, stream);
        }
        out.reserve(size);
        batched::append(serializer, *separator, message, out);
        Ok(())
    }

    /// Sends the batch that is being written.
    pub(super) fn flush(&mut self, now: Timestamp, subprotocol: Subprotocol, stream: &mut MessageStream) {
        if let Self::Yes { out, .. } = self
            && !out.is_empty()
        {
            flush(now, kind(subprotocol), out, stream);
        }
    }

    /// Bytes of the batch that is being written.
    pub(super) fn queued(&self) -> usize {
        match self {
            Self::No => 0,
            Self::Yes { out, .. } => out.len(),
        }
    }
}

/// It fits, and whether the stream takes messages was asked when they came; a stream that has closed since
/// loses them, as it does what the peer never reads.
fn flush(now: Timestamp, kind: MessageKind, out: &mut BytesMut, stream: &mut MessageStream) {
    let batch = core::mem::take(out).freeze();
    let _ = stream.send(now, kind, &Encoded::from(batch));
}

/// Bytes that a batch of one message has more than that message. Limits are those of WAMP messages, so
/// this comes on top of them.
pub(super) const fn overhead(subprotocol: Subprotocol) -> usize {
    if subprotocol.batched { batched::overhead(subprotocol.serializer) } else { 0 }
}

/// JSON is text; everything else is binary.
pub(super) const fn kind(subprotocol: Subprotocol) -> MessageKind {
    if subprotocol.serializer.is_binary() { MessageKind::Binary } else { MessageKind::Text }
}

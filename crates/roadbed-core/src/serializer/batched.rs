//! Batches: any number of messages in one ("Batched WebSocket Transport" in the specification).
//!
//! In JSON a separator ends each message; in the binary formats a length of 32 bits stands before it.

use bytes::{Buf, Bytes, BytesMut};

use super::{CHAIN_THRESHOLD, Encoded, Serializer};

/// What ends a message in a batch of JSON.
pub(crate) const SEPARATOR: u8 = 0x1E;
/// What some deployed peers write, and read, instead.
const OTHER_SEPARATOR: u8 = 0x18;
/// Octets of a length.
const LENGTH: usize = 4;

/// Why a batch is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// A batch without a message.
    #[error("the batch is empty")]
    Empty,
    /// A message without a byte.
    #[error("message {index} of the batch is empty")]
    EmptyMessage {
        /// Messages before it.
        index: usize,
    },
    /// The batch ends before a message does.
    #[error("the batch ends inside message {index}")]
    Truncated {
        /// Messages before it.
        index: usize,
    },
}

/// A received batch: its messages, one after the other, are slices of it, unless they may be forwarded as such and
/// would keep much more alive than they are. What comes after a fault in it is
/// lost; what came before is not.
#[derive(Clone, Default)]
pub(crate) struct Batch {
    rest: Bytes,
    /// Bytes of all of it.
    size: usize,
    /// Messages taken.
    taken: usize,
    is_binary: bool,
    /// The separator seen last.
    separator: Option<u8>,
}

impl Batch {
    pub(crate) fn new(serializer: Serializer, body: Bytes) -> Result<Self, BatchError> {
        if body.is_empty() {
            return Err(BatchError::Empty);
        }
        Ok(Self {
            size: body.len(),
            rest: body,
            taken: 0,
            is_binary: serializer.is_binary(),
            separator: None,
        })
    }

    /// Whether every message was taken.
    pub(crate) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    /// What ended the last message taken, in JSON.
    pub(crate) const fn separator(&self) -> Option<u8> {
        self.separator
    }

    /// The next message; `None` after the last one.
    pub(crate) fn next(&mut self) -> Option<Result<Bytes, BatchError>> {
        if self.is_done() {
            return None;
        }
        let index = self.taken;
        self.taken = index.saturating_add(1);
        let len = match self.message_len() {
            Some(0) => return Some(Err(self.fault(BatchError::EmptyMessage { index }))),
            Some(len) => len,
            None => return Some(Err(self.fault(BatchError::Truncated { index }))),
        };
        if self.is_binary {
            self.rest.advance(LENGTH);
        }
        let mut message = self.rest.split_to(len);
        // Below the threshold they are copied wherever they are kept.
        if len > CHAIN_THRESHOLD && len < self.size / 2 {
            message = Bytes::copy_from_slice(&message);
        }
        if !self.is_binary {
            self.separator = self.rest.first().copied();
            self.rest.advance(1);
        }
        if self.rest.is_empty() {
            // An empty slice would still pin the whole read buffer.
            self.rest = Bytes::new();
        }
        Some(Ok(message))
    }

    /// Bytes of the next message, if it is all there.
    fn message_len(&self) -> Option<usize> {
        if self.is_binary {
            let (length, behind) = self.rest.split_first_chunk::<LENGTH>()?;
            let len = usize::try_from(u32::from_be_bytes(*length)).ok()?;
            (len <= behind.len()).then_some(len)
        } else {
            // Inside a message neither can stand: JSON has no control characters.
            self.rest.iter().position(|octet| matches!(*octet, SEPARATOR | OTHER_SEPARATOR))
        }
    }

    fn fault(&mut self, error: BatchError) -> BatchError {
        self.rest = Bytes::new();
        error
    }
}

/// Appends a message to a batch that is being written. A length that does not fit is not written as one;
/// transports send no messages that large.
pub(crate) fn append(serializer: Serializer, separator: u8, message: &Encoded, batch: &mut BytesMut) {
    if serializer.is_binary() {
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
        batch.extend_from_slice(&length.to_be_bytes());
    }
    for chunk in message.chunks() {
        batch.extend_from_slice(chunk);
    }
    if !serializer.is_binary() {
        batch.extend_from_slice(&[separator]);
    }
}

/// Bytes that a message takes in a batch beyond its own.
pub(crate) const fn overhead(serializer: Serializer) -> usize {
    if serializer.is_binary() { LENGTH } else { 1 }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn read(serializer: Serializer, body: &[u8]) -> Vec<Result<Bytes, BatchError>> {
        match Batch::new(serializer, Bytes::copy_from_slice(body)) {
            Ok(mut batch) => core::iter::from_fn(|| batch.next()).collect(),
            Err(error) => vec![Err(error)],
        }
    }

    #[test]
    fn json_ends_with_either_separator() {
        let messages = vec![Ok("[1]".into()), Ok("[2,\"\"]".into())];
        for body in ["[1]\x1E[2,\"\"]\x1E", "[1]\x18[2,\"\"]\x18", "[1]\x18[2,\"\"]\x1E"] {
            assert_eq!(read(Serializer::Json, body.as_bytes()), messages, "{body:?}");
        }
        let mut batch = Batch::new(Serializer::Json, Bytes::from_static(b"[1]\x18[2]\x1E")).unwrap();
        for separator in [0x18, 0x1E] {
            batch.next();
            assert_eq!(batch.separator(), Some(separator));
        }
        assert!(batch.is_done());
    }

    /// A message that is forwarded as it came would keep all of the batch alive.
    #[test]
    fn a_part_that_may_be_chained_does_not_keep_the_rest() {
        for (len, shares) in [(CHAIN_THRESHOLD, true), (CHAIN_THRESHOLD + 1, false), (900_000, true)] {
            let (mut body, message) = (BytesMut::new(), Encoded::from(Bytes::from(vec![b'x'; len])));
            append(Serializer::Cbor, SEPARATOR, &message, &mut body);
            body.resize(1 << 20, 0);
            let body = body.freeze();
            let memory = body.as_ptr_range();
            let message = Batch::new(Serializer::Cbor, body.clone()).unwrap().next().unwrap().unwrap();
            assert_eq!((message.len(), memory.contains(&message.as_ptr())), (len, shares));
        }
    }

    #[test]
    fn what_is_no_batch() {
        use BatchError::{Empty, EmptyMessage, Truncated};
        use Serializer::{Cbor, Json, MsgPack};
        for (serializer, body, expected) in [
            (Json, &b""[..], vec![Err(Empty)]),
            (Cbor, b"", vec![Err(Empty)]),
            (Json, b"\x1E", vec![Err(EmptyMessage { index: 0 })]),
            (Json, b"[1]\x1E\x1E[2]\x1E", vec![Ok("[1]".into()), Err(EmptyMessage { index: 1 })]),
            (Json, b"[1]", vec![Err(Truncated { index: 0 })]),
            (Json, b"[1]\x1E[2", vec![Ok("[1]".into()), Err(Truncated { index: 1 })]),
            (MsgPack, b"\0\0\0\0", vec![Err(EmptyMessage { index: 0 })]),
            (MsgPack, b"\0\0\0", vec![Err(Truncated { index: 0 })]),
            (Cbor, b"\0\0\0\x01a\0\0\0\x02b", vec![Ok("a".into()), Err(Truncated { index: 1 })]),
            (Cbor, b"\xFF\xFF\xFF\xFFabc", vec![Err(Truncated { index: 0 })]),
        ] {
            assert_eq!(read(serializer, body), expected, "{serializer} {body:X?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_can_be_read(messages in prop::collection::vec("[\\[\\]0-9,]{1,40}", 1..20), choice in 0..3_usize) {
            let serializer = Serializer::ALL[choice];
            let mut batch = BytesMut::new();
            let mut expected = 0;
            for message in &messages {
                let message = Encoded::from(Bytes::from(message.clone()));
                append(serializer, SEPARATOR, &message, &mut batch);
                expected += message.len() + overhead(serializer);
            }
            prop_assert_eq!(batch.len(), expected);
            let read: Vec<_> = read(serializer, &batch).into_iter().map(Result::unwrap).collect();
            prop_assert_eq!(read, messages);
        }

        #[test]
        fn any_bytes_end(body: Vec<u8>, choice in 0..3_usize) {
            let found = read(Serializer::ALL[choice], &body);
            prop_assert!(!found.is_empty() && found.len() <= body.len() + 1);
            prop_assert!(found[..found.len() - 1].iter().all(Result::is_ok));
        }
    }
}

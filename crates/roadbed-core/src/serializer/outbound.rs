//! Encoded messages: made once, shared by reference.

use alloc::boxed::Box;

use bytes::Bytes;

/// Bodies up to this many bytes are copied into their encoding; larger ones are chained to it.
pub(crate) const CHAIN_THRESHOLD: usize = 16 << 10;

/// An encoded message, without transport framing: one chunk, or several where a large payload is
/// chained instead of copied. Cloning shares the bytes.
///
/// ```
/// use roadbed_core::serializer::Encoded;
///
/// let encoded = Encoded::from(bytes::Bytes::from_static(b"[33,1,2]"));
/// assert_eq!(encoded.len(), 8);
/// assert_eq!(encoded.chunks().len(), 1);
/// ```
#[derive(Clone, Debug)]
pub struct Encoded {
    chunks: Chunks,
    len: usize,
}

#[derive(Clone, Debug)]
enum Chunks {
    One([Bytes; 1]),
    Many(Box<[Bytes]>),
}

impl Encoded {
    /// Chunks that follow each other on the wire.
    pub fn chained(chunks: Box<[Bytes]>) -> Self {
        let len = chunks.iter().map(Bytes::len).fold(0, usize::saturating_add);
        Self { chunks: Chunks::Many(chunks), len }
    }

    /// Bytes in all chunks together.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bytes at all.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The chunks, in wire order.
    pub fn chunks(&self) -> &[Bytes] {
        match &self.chunks {
            Chunks::One(chunk) => chunk,
            Chunks::Many(chunks) => chunks,
        }
    }
}

impl From<Bytes> for Encoded {
    fn from(bytes: Bytes) -> Self {
        let len = bytes.len();
        Self { chunks: Chunks::One([bytes]), len }
    }
}

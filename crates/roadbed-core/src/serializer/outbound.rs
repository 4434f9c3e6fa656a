//! Encoded messages: made once, shared by reference.

use alloc::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::Serializer;
use crate::error::PayloadError;
use crate::message::Message;

/// Bodies up to this many bytes are copied into their encoding; larger ones are chained to it.
pub(crate) const CHAIN_THRESHOLD: usize = 16 << 10;

/// An encoded message, without transport framing: one chunk, or several where a large payload is
/// chained instead of copied. Cloning shares all of it and allocates nothing.
///
/// ```
/// use roadbed_core::serializer::Encoded;
///
/// let encoded = Encoded::from(bytes::Bytes::from_static(b"[33,1,2]"));
/// assert_eq!(encoded.len(), 8);
/// assert_eq!(encoded.chunks().len(), 1);
/// ```
#[derive(Clone)]
pub struct Encoded {
    chunks: Chunks,
    len: usize,
}

/// Sizes only: messages may carry credentials.
impl core::fmt::Debug for Encoded {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Encoded").field("len", &self.len).field("chunks", &self.chunks().len()).finish()
    }
}

#[derive(Clone)]
enum Chunks {
    One([Bytes; 1]),
    Many(Arc<[Bytes]>),
}

impl Encoded {
    /// Chunks that follow each other on the wire.
    pub fn chained(chunks: impl Into<Arc<[Bytes]>>) -> Self {
        let chunks = chunks.into();
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

    /// The whole message in one piece, for transports that carry whole messages. Free where it is one chunk;
    /// a chained payload is copied.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use roadbed_core::serializer::Encoded;
    ///
    /// let encoded = Encoded::chained([Bytes::from_static(b"[33,1"), Bytes::from_static(b",2]")]);
    /// assert_eq!(encoded.to_bytes(), "[33,1,2]");
    /// ```
    pub fn to_bytes(&self) -> Bytes {
        match self.chunks() {
            [chunk] => chunk.clone(),
            chunks => {
                let mut whole = BytesMut::with_capacity(self.len);
                chunks.iter().for_each(|chunk| whole.extend_from_slice(chunk));
                whole.freeze()
            }
        }
    }
}

impl From<Bytes> for Encoded {
    fn from(bytes: Bytes) -> Self {
        let len = bytes.len();
        Self { chunks: Chunks::One([bytes]), len }
    }
}

/// A message on its way to several recipients: it is encoded when the first recipient of a serializer
/// comes, and every further recipient of that serializer shares the bytes.
///
/// ```
/// use bytes::BytesMut;
/// use roadbed_core::id::{RequestId, SubscriptionId};
/// use roadbed_core::message::Subscribed;
/// use roadbed_core::serializer::{Outbound, Serializer};
///
/// let message = Subscribed { request: RequestId::new(1)?, subscription: SubscriptionId::new(2)? };
/// let mut outbound = Outbound::new(message);
/// let mut arena = BytesMut::new();
/// let first = outbound.encode(Serializer::Json, &mut arena)?;
/// let second = outbound.encode(Serializer::Json, &mut arena)?;
/// assert_eq!(first.chunks()[0].as_ptr(), second.chunks()[0].as_ptr()); // the same bytes
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Outbound {
    message: Message,
    encoded: [Option<Encoded>; Serializer::ALL.len()],
}

impl Outbound {
    /// A message that is not encoded yet.
    pub fn new(message: impl Into<Message>) -> Self {
        Self { message: message.into(), encoded: Default::default() }
    }

    /// The message.
    pub const fn message(&self) -> &Message {
        &self.message
    }

    /// The message in `serializer`, encoded now or before. `arena` takes the small part; many messages
    /// can share one. A payload above 16 KiB in the same serializer is chained, not copied.
    ///
    /// # Errors
    /// [`PayloadError`] when the payload cannot be carried to `serializer`; `arena` is then unchanged.
    pub fn encode(&mut self, serializer: Serializer, arena: &mut BytesMut) -> Result<Encoded, PayloadError> {
        self.encode_within(serializer, usize::MAX, arena)
    }

    /// Encodes the message as [`encode`](Self::encode) does, for a recipient that accepts `limit` bytes; see
    /// [`Serializer::encode_within`]. An encoding that is there already is returned whatever its size.
    ///
    /// # Errors
    /// As [`encode`](Self::encode), and [`PayloadError::TooLarge`].
    pub fn encode_within(
        &mut self,
        serializer: Serializer,
        limit: usize,
        arena: &mut BytesMut,
    ) -> Result<Encoded, PayloadError> {
        let Some(slot) = self.encoded.get_mut(serializer as usize) else {
            return serializer.encode_within(&self.message, limit, arena);
        };
        match slot {
            Some(encoded) => Ok(encoded.clone()),
            None => Ok(slot.insert(serializer.encode_within(&self.message, limit, arena)?).clone()),
        }
    }

    /// Forgets the encodings, and returns the message to be changed. Bytes already handed out stay as
    /// they are.
    pub fn uncache(&mut self) -> &mut Message {
        self.encoded = Default::default();
        &mut self.message
    }
}

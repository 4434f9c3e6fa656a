//! Output waiting to be written: small frames share a chunk, large bodies are chained without a copy.

use alloc::collections::VecDeque;
use core::{fmt, mem};

use bytes::{Bytes, BytesMut};

use crate::serializer::CHAIN_THRESHOLD;

/// Small frames are gathered into chunks of up to this many bytes, so that many make one write.
const MAX_CHUNK: usize = 64 << 10;
/// How many times what a chunk holds it gets in addition when it has to grow.
const GROWTH: usize = 3;

/// A queue of frames that comes out as chunks of bytes.
///
/// An empty queue holds no buffer, so idle connections cost nothing.
#[derive(Default)]
pub(crate) struct OutputQueue {
    chunks: VecDeque<Chunk>,
    /// Copied bytes behind the last chunk. Between calls it ends with a whole frame.
    tail: BytesMut,
    queued: usize,
    /// The chunk popped last ended inside a frame.
    in_frame: bool,
}

struct Chunk {
    bytes: Bytes,
    ends_frame: bool,
}

impl OutputQueue {
    /// Appends a frame. Parts of the body up to [`CHAIN_THRESHOLD`] are copied, larger ones shared.
    pub(crate) fn push_frame(&mut self, header: &[u8], body: &[Bytes]) {
        if !self.fits(header.len()) {
            self.seal(true);
        }
        // Mostly that is all there is.
        let first = body.first().map_or(0, Bytes::len);
        let first = if first > CHAIN_THRESHOLD { 0 } else { first };
        self.make_room(header.len().saturating_add(first));
        self.append(header);
        for part in body {
            if part.len() > CHAIN_THRESHOLD {
                self.seal(false);
                self.queued = self.queued.saturating_add(part.len());
                self.chunks.push_back(Chunk { bytes: part.clone(), ends_frame: false });
            } else {
                if !self.fits(part.len()) {
                    self.seal(false);
                }
                self.make_room(part.len());
                self.append(part);
            }
        }
        if self.tail.is_empty()
            && let Some(last) = self.chunks.back_mut()
        {
            last.ends_frame = true;
        }
    }

    /// Appends a frame of `len` bytes that `write` appends to the buffer it is given.
    pub(crate) fn push_copied(&mut self, len: usize, write: impl FnOnce(&mut BytesMut)) {
        if !self.fits(len) {
            self.seal(true);
        }
        let before = self.tail.len();
        self.make_room(len);
        write(&mut self.tail);
        let written = self.tail.len().saturating_sub(before);
        debug_assert_eq!(written, len);
        self.queued = self.queued.saturating_add(written);
    }

    /// The next chunk, in order.
    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        let chunk = match self.chunks.pop_front() {
            Some(chunk) => chunk,
            None if self.tail.is_empty() => return None,
            None => Chunk { bytes: mem::take(&mut self.tail).freeze(), ends_frame: true },
        };
        self.queued = self.queued.saturating_sub(chunk.bytes.len());
        self.in_frame = !chunk.ends_frame;
        Some(chunk.bytes)
    }

    /// Bytes pushed and not yet popped.
    pub(crate) const fn queued(&self) -> usize {
        self.queued
    }

    /// Whether bytes of another queue may be written now: the last chunk popped ended with a whole frame.
    pub(crate) const fn at_boundary(&self) -> bool {
        !self.in_frame
    }

    fn fits(&self, more: usize) -> bool {
        self.tail.len().saturating_add(more) <= MAX_CHUNK
    }

    /// Makes room for `more` bytes: for just these at first, as most writes are one frame. What grows after
    /// that grows fast, so that little is moved.
    fn make_room(&mut self, more: usize) {
        let len = self.tail.len();
        if self.tail.capacity().saturating_sub(len) < more {
            let wish = len.saturating_mul(GROWTH).min(MAX_CHUNK.saturating_sub(len));
            self.tail.reserve(wish.max(more));
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        self.queued = self.queued.saturating_add(bytes.len());
    }

    fn seal(&mut self, ends_frame: bool) {
        if !self.tail.is_empty() {
            self.chunks.push_back(Chunk { bytes: mem::take(&mut self.tail).freeze(), ends_frame });
        }
    }
}

/// Counts only: output may carry credentials.
impl fmt::Debug for OutputQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutputQueue").field("queued", &self.queued).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;

    fn body(len: usize) -> Bytes {
        Bytes::from(vec![b'x'; len])
    }

    fn lens(queue: &mut OutputQueue) -> Vec<usize> {
        core::iter::from_fn(|| queue.pop()).map(|chunk| chunk.len()).collect()
    }

    #[test]
    fn small_frames_share_a_chunk() {
        let mut queue = OutputQueue::default();
        queue.push_frame(b"ab", &[Bytes::from_static(b"cd")]);
        queue.push_frame(b"ef", &[]);
        assert_eq!(queue.queued(), 6);
        assert_eq!(queue.pop().unwrap(), "abcdef");
        assert_eq!((queue.pop(), queue.queued()), (None, 0));
    }

    #[test]
    fn bodies_over_the_threshold_are_shared_not_copied() {
        let mut queue = OutputQueue::default();
        let (at, over) = (body(CHAIN_THRESHOLD), body(CHAIN_THRESHOLD + 1));
        queue.push_frame(b"head", &[at.clone(), over.clone(), Bytes::from_static(b"end")]);
        queue.push_frame(b"next", &[]);
        assert_eq!(queue.pop().unwrap().len(), 4 + CHAIN_THRESHOLD);
        assert!(!queue.at_boundary());
        assert_eq!(queue.pop().unwrap().as_ptr(), over.as_ptr());
        assert!(!queue.at_boundary());
        assert_eq!(queue.pop().unwrap(), "endnext");
        assert!(queue.at_boundary());
    }

    #[test]
    fn a_frame_that_ends_with_a_shared_body_ends_there() {
        let mut queue = OutputQueue::default();
        queue.push_frame(b"head", &[body(CHAIN_THRESHOLD + 1)]);
        queue.pop();
        assert!(!queue.at_boundary());
        queue.pop();
        assert!(queue.at_boundary());
    }

    #[test]
    fn chunks_stop_at_64_kib() {
        let mut queue = OutputQueue::default();
        for _ in 0..9 {
            queue.push_frame(&[], &[body(CHAIN_THRESHOLD)]);
        }
        assert_eq!(lens(&mut queue), [MAX_CHUNK, MAX_CHUNK, CHAIN_THRESHOLD]);
        // The header that no longer fits opens a new chunk, at a frame boundary.
        queue.push_frame(&[0; MAX_CHUNK], &[]);
        queue.push_frame(b"h", &[]);
        queue.pop();
        assert!(queue.at_boundary());
        assert_eq!(queue.pop().unwrap(), "h");
    }
}

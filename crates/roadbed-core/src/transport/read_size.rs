//! How much to read at once.

use bytes::{Bytes, BytesMut};

/// A frame above this size leaves its buffer to itself.
const LARGE: usize = 4 * ReadSize::MAX;

/// Takes a frame of `len` bytes off the front of a buffer. Behind a large one reading goes on in a buffer of its own:
/// a small message that waits somewhere must not keep the memory of a large one alive.
pub(super) fn split_frame(input: &mut BytesMut, len: usize) -> Bytes {
    let frame = input.split_to(len).freeze();
    // Who hands in more at once pays no copy of it for each frame.
    if len > LARGE && input.len() <= ReadSize::MAX {
        *input = BytesMut::from(&**input);
    }
    frame
}

/// How many bytes a transport asks for: little at first, more while reads fill the buffer, and less again when they
/// do not.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadSize(usize);

impl ReadSize {
    /// Bytes of a read at first, and at least.
    pub(super) const MIN: usize = 2 << 10;
    /// Bytes of a read at most.
    pub(super) const MAX: usize = 64 << 10;

    pub(super) const fn new() -> Self {
        Self(Self::MIN)
    }

    pub(super) const fn get(self) -> usize {
        self.0
    }

    /// A transport was handed a buffer of `len` bytes, `left` of which it has seen before. Only what a read brought
    /// tells something about reads: buffers are handed in again when there is room for more events.
    pub(super) fn adapt(&mut self, len: usize, left: usize) {
        if len <= left {
            return;
        }
        if len >= self.0 {
            self.0 = self.0.saturating_mul(2).min(Self::MAX);
        } else if len < self.0 / 4 {
            self.0 = (self.0 / 2).max(Self::MIN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_behind_a_large_frame_does_not_share_its_memory() {
        for (len, shares) in [(LARGE, true), (LARGE + 1, false)] {
            let mut input = BytesMut::with_capacity(2 << 20);
            let memory = input.as_ptr_range().start..input.as_ptr().wrapping_add(input.capacity());
            input.resize(len, 1);
            input.extend_from_slice(b"next");
            let large = split_frame(&mut input, len);
            input.extend_from_slice(b" one");
            assert_eq!((large.len(), &*input), (len, &b"next one"[..]));
            assert_eq!(memory.contains(&input.as_ptr()), shares);
        }
    }

    #[test]
    fn it_follows_reads_and_nothing_else() {
        let mut size = ReadSize::new();
        // Full reads, each of which leaves the beginning of a message behind.
        for expected in [4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10, 64 << 10] {
            size.adapt(size.get(), 30);
            assert_eq!(size.get(), expected);
            // The same buffer, handed in again.
            size.adapt(30, 30);
            size.adapt(0, 30);
            assert_eq!(size.get(), expected);
        }
        size.adapt(16 << 10, 0);
        assert_eq!(size.get(), ReadSize::MAX);
        for expected in [32 << 10, 16 << 10, 8 << 10, 4 << 10, 2 << 10, 2 << 10] {
            size.adapt(100, 0);
            assert_eq!(size.get(), expected);
        }
    }
}

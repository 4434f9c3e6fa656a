//! How much to read at once.

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

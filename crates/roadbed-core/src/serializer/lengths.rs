//! Lengths that only counting can tell.

use alloc::vec::Vec;

use bytes::Bytes;

use super::walk::{Step, Walk};
use super::{Malformed, ReadError, Reader};

/// The lengths that a format does not say beforehand, in the order in which their containers begin.
///
/// They are counted when the outermost such container is met, for all inside it at once, so that no byte
/// is counted twice and values whose lengths are known are not looked at before.
#[derive(Debug, Default)]
pub(super) struct Lengths {
    counted: Vec<u32>,
    used: usize,
}

impl Lengths {
    /// The length of the container at which `walk`, over `value`, has just said [`Step::Open`].
    pub(super) fn next<'a, R: Reader<'a>>(
        &mut self,
        value: &'a Bytes,
        walk: &Walk<R>,
        depth: usize,
    ) -> Result<usize, ReadError> {
        if self.used >= self.counted.len() {
            let mut reader = R::new(value, depth);
            reader.rewind(walk.start());
            self.count(Walk::new(reader, depth, walk.height().saturating_sub(1)))?;
        }
        let len = self.counted.get(self.used).copied().unwrap_or_default();
        self.used = self.used.saturating_add(1);
        Ok(usize::try_from(len).unwrap_or(usize::MAX))
    }

    fn count<'a, R: Reader<'a>>(&mut self, mut walk: Walk<R>) -> Result<(), ReadError> {
        self.counted.clear();
        self.used = 0;
        // For each open container its place in `counted`, if its length is not known.
        let mut open: Vec<Option<usize>> = Vec::new();
        loop {
            match walk.step()? {
                Step::Open { len: Some(_), .. } => open.push(None),
                Step::Open { len: None, .. } => {
                    open.push(Some(self.counted.len()));
                    self.counted.push(0);
                }
                Step::Close { entries, .. } => {
                    if let Some(slot) = open.pop().flatten().and_then(|place| self.counted.get_mut(place)) {
                        *slot = u32::try_from(entries).map_err(|_| too_many(&walk, entries))?;
                    }
                }
                Step::Key => walk.skip_key()?,
                Step::Leaf => walk.skip()?,
                Step::Done => return Ok(()),
            }
        }
    }
}

#[cold]
fn too_many<'a, R: Reader<'a>>(walk: &Walk<R>, found: usize) -> ReadError {
    let limit = usize::try_from(u32::MAX).unwrap_or(usize::MAX);
    ReadError::new(
        walk.reader.offset(),
        Malformed::TooLong { what: "a list or dict", found, limit, unit: "entries" },
    )
}

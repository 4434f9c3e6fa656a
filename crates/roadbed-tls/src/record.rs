//! Where one TLS record ends and the next one begins.

/// Bytes of the header of a record: type, version, length.
const HEADER: usize = 5;

/// How far the present record has come.
#[derive(Debug, Default)]
pub(crate) struct Record {
    header: [u8; HEADER],
    /// Bytes of the header that came.
    known: usize,
    /// Bytes of the body that are still to come.
    left: usize,
}

impl Record {
    /// Bytes up to the end of the header, or of the body behind it. At least one.
    pub(crate) const fn rest(&self) -> usize {
        match HEADER.saturating_sub(self.known) {
            0 => self.left,
            missing => missing,
        }
    }

    /// So many bytes came, of which these are the first; not more than the [rest](Self::rest).
    pub(crate) fn advance(&mut self, first: [u8; HEADER], count: usize) {
        if self.known == HEADER {
            self.left = self.left.saturating_sub(count);
        } else {
            let free = self.header.iter_mut().skip(self.known);
            free.zip(first).take(count).for_each(|(slot, octet)| *slot = octet);
            self.known = self.known.saturating_add(count).min(HEADER);
            self.left = usize::from(u16::from_be_bytes([self.header[3], self.header[4]]));
        }
        if self.known == HEADER && self.left == 0 {
            self.known = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records of these lengths, read as far as each step allows, and in steps of so many bytes.
    #[test]
    fn every_record_ends_where_it_ends() {
        for step in [1, 2, 3, 7, 1000] {
            let (mut record, mut boundaries, mut at) = (Record::default(), vec![], 0);
            let stream =
                [&[22, 3, 1, 0, 3, 1, 2, 3][..], &[20, 3, 3, 0, 0], &[23, 3, 3, 1, 0], &[9; 256]].concat();
            while at < stream.len() {
                let count = record.rest().min(step).min(stream.len() - at);
                let first = std::array::from_fn(|index| stream.get(at + index).copied().unwrap_or_default());
                record.advance(first, count);
                at += count;
                if record.known == 0 {
                    boundaries.push(at);
                }
            }
            assert_eq!(boundaries, [8, 13, 274], "steps of {step}");
        }
    }
}

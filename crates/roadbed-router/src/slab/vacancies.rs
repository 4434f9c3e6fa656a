//! Which chunks have room: two layers of bits, so that the lowest is found at once.

/// A set of small integers that knows its smallest.
#[derive(Default)]
pub(super) struct Vacancies {
    words: Vec<u64>,
    /// A bit for each word that is not zero.
    summary: Vec<u64>,
}

const BITS: usize = 64;

impl Vacancies {
    pub(super) fn set(&mut self, index: usize, value: bool) {
        let word_index = index / BITS;
        if self.words.len() <= word_index {
            if !value {
                return;
            }
            self.words.resize(word_index.saturating_add(1), 0);
            self.summary.resize((word_index / BITS).saturating_add(1), 0);
        }
        let Some(word) = self.words.get_mut(word_index) else { return };
        set_bit(word, index % BITS, value);
        let is_occupied = *word != 0;
        if let Some(summary) = self.summary.get_mut(word_index / BITS) {
            set_bit(summary, word_index % BITS, is_occupied);
        }
    }

    /// The smallest member. A step for each 4,096 chunks that have no room.
    pub(super) fn first(&self) -> Option<usize> {
        let (index, summary) = self.summary.iter().enumerate().find(|(_, summary)| **summary != 0)?;
        let word = join(index, *summary);
        Some(join(word, *self.words.get(word)?))
    }
}

fn set_bit(word: &mut u64, bit: usize, value: bool) {
    let mask = 1_u64 << (bit % BITS);
    if value { *word |= mask } else { *word &= !mask }
}

/// The number whose upper part is `index`, and whose lower part is the lowest bit of `word`.
fn join(index: usize, word: u64) -> usize {
    let bit = usize::try_from(word.trailing_zeros()).unwrap_or(0);
    index.saturating_mul(BITS).saturating_add(bit)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_smallest_member_is_found(operations in prop::collection::vec((0_usize..20_000, any::<bool>()), 0..200)) {
            let (mut bits, mut model) = (Vacancies::default(), BTreeSet::new());
            for (index, value) in operations {
                bits.set(index, value);
                if value { model.insert(index); } else { model.remove(&index); }
                prop_assert_eq!(bits.first(), model.first().copied());
            }
        }
    }
}

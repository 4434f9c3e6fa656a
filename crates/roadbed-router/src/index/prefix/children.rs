//! The children of a node of the trie, by the first byte of their labels.

use super::NodeKey;

/// Most nodes have no child or one; the others find theirs in one step, however many they are.
pub(super) enum Children {
    None,
    One(u8, NodeKey),
    Many(Box<Many>),
}

/// Several children: a bit for each byte that leads to one, and the children in the order of these bytes.
pub(super) struct Many {
    bits: [u64; 4],
    keys: Vec<NodeKey>,
}

impl Children {
    pub(super) fn get(&self, byte: u8) -> Option<NodeKey> {
        match self {
            Self::None => None,
            Self::One(only, key) => (*only == byte).then_some(*key),
            Self::Many(many) => many.keys.get(many.place(byte).ok()?).copied(),
        }
    }

    /// Adds a child, or replaces one.
    pub(super) fn set(&mut self, byte: u8, key: NodeKey) {
        match self {
            Self::None => *self = Self::One(byte, key),
            Self::One(only, present) if *only == byte => *present = key,
            &mut Self::One(only, present) => {
                let mut many = Many { bits: [0; 4], keys: Vec::with_capacity(2) };
                many.set(only, present);
                many.set(byte, key);
                *self = Self::Many(Box::new(many));
            }
            Self::Many(many) => many.set(byte, key),
        }
    }

    pub(super) fn remove(&mut self, byte: u8) {
        match self {
            Self::One(only, _) if *only == byte => *self = Self::None,
            Self::Many(many) => {
                many.remove(byte);
                if let (&[last], Some(byte)) = (&many.keys[..], many.first()) {
                    *self = Self::One(byte, last);
                }
            }
            Self::None | Self::One(..) => {}
        }
    }
}

impl Many {
    /// Where the child for `byte` is, or would be.
    fn place(&self, byte: u8) -> Result<usize, usize> {
        let (word, bit) = (usize::from(byte / 64), mask(byte));
        let before = self.bits.iter().take(word).map(|bits| bits.count_ones());
        let present = self.bits.get(word).copied().unwrap_or(0);
        let before =
            before.chain([(present & bit.wrapping_sub(1)).count_ones()]).fold(0, u32::saturating_add);
        let place = usize::try_from(before).unwrap_or(usize::MAX);
        if present & bit != 0 { Ok(place) } else { Err(place) }
    }

    fn set(&mut self, byte: u8, key: NodeKey) {
        match self.place(byte) {
            Ok(place) => {
                if let Some(present) = self.keys.get_mut(place) {
                    *present = key;
                }
            }
            Err(place) => {
                self.keys.insert(place.min(self.keys.len()), key);
                if let Some(bits) = self.bits.get_mut(usize::from(byte / 64)) {
                    *bits |= mask(byte);
                }
            }
        }
    }

    fn remove(&mut self, byte: u8) {
        if let Ok(place) = self.place(byte)
            && place < self.keys.len()
        {
            self.keys.remove(place);
            if let Some(bits) = self.bits.get_mut(usize::from(byte / 64)) {
                *bits &= !mask(byte);
            }
            if self.keys.len() < self.keys.capacity() / 4 {
                self.keys.shrink_to(self.keys.len().saturating_mul(2));
            }
        }
    }

    /// The lowest byte that leads to a child.
    fn first(&self) -> Option<u8> {
        let (word, bits) = (0_u8..).zip(self.bits).find(|(_, bits)| *bits != 0)?;
        u8::try_from(bits.trailing_zeros()).ok()?.checked_add(word.checked_mul(64)?)
    }
}

/// The bit for `byte` in its word.
fn mask(byte: u8) -> u64 {
    1_u64.checked_shl(u32::from(byte % 64)).unwrap_or(0)
}

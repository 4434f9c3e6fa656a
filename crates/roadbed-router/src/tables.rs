//! Hash tables under keys from the seed, and tables that give memory back.

use core::hash::BuildHasher;
use std::collections::VecDeque;

use siphasher::sip::SipHasher13;
use slab::Slab;

/// A table whose keys peers may choose: they cannot make them collide without the seed.
pub(crate) type HashMap<K, V> = hashbrown::HashMap<K, V, Keyed>;
/// A set whose keys peers may choose.
pub(crate) type HashSet<K> = hashbrown::HashSet<K, Keyed>;

/// SipHash-1-3 under a key drawn from the seed.
#[derive(Clone, Copy)]
pub(crate) struct Keyed {
    pub(crate) keys: (u64, u64),
}

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.keys.0, self.keys.1)
    }
}

/// Entries for which an empty table keeps its memory. Above, what a burst left behind is given back;
/// below, tables that fill and empty all the time do not allocate each time.
const SPARE: usize = 64;

/// A table that may have room to spare.
pub(crate) trait Relax {
    /// Gives memory back if the table is empty and large.
    fn relax(&mut self);
}

impl<T> Relax for Slab<T> {
    fn relax(&mut self) {
        if self.is_empty() && self.capacity() > SPARE {
            *self = Self::new();
        }
    }
}

impl<T> Relax for VecDeque<T> {
    fn relax(&mut self) {
        if self.is_empty() && self.capacity() > SPARE {
            *self = Self::new();
        }
    }
}

impl<K, V> Relax for HashMap<K, V>
where
    K: Eq + core::hash::Hash,
{
    fn relax(&mut self) {
        if self.is_empty() && self.capacity() > SPARE {
            self.shrink_to_fit();
        }
    }
}

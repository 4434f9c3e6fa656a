//! Hash tables under keys from the seed, and tables that give memory back.

use core::hash::BuildHasher;
use std::collections::VecDeque;

use siphasher::sip::SipHasher13;

/// A table whose hashes its owner computes, with a keyed hasher as well.
pub(crate) use hashbrown::HashTable;

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

/// Entries for which an empty table keeps its memory. Above, what a burst left behind is given back; below,
/// tables that fill and empty all the time do not allocate each time.
const SPARE: usize = 64;
/// Entries for which a table that is not empty keeps its memory.
const SPARE_IN_USE: usize = 512;

/// A table that may have room to spare. To be relaxed after each removal.
pub(crate) trait Relax {
    /// Gives memory back if the table is large and nearly empty. What is kept leaves room for as many
    /// entries again, so that shrinking costs each removal little on average.
    fn relax(&mut self);
}

/// The capacity to shrink to, if shrinking is worth it.
pub(crate) fn shrunk(len: usize, capacity: usize) -> Option<usize> {
    let spare = if len == 0 { SPARE } else { SPARE_IN_USE };
    (capacity > spare && len < capacity >> 3).then(|| len.saturating_mul(2))
}

impl<T> Relax for VecDeque<T> {
    fn relax(&mut self) {
        if let Some(capacity) = shrunk(self.len(), self.capacity()) {
            self.shrink_to(capacity);
        }
    }
}

impl<K, V> Relax for HashMap<K, V>
where
    K: Eq + core::hash::Hash,
{
    fn relax(&mut self) {
        if let Some(capacity) = shrunk(self.len(), self.capacity()) {
            self.shrink_to(capacity);
        }
    }
}

impl<K> Relax for HashSet<K>
where
    K: Eq + core::hash::Hash,
{
    fn relax(&mut self) {
        if let Some(capacity) = shrunk(self.len(), self.capacity()) {
            self.shrink_to(capacity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BURST: usize = 10_000;

    /// Removes all but one entry, and says how often the table moved.
    fn drain<T: Relax>(
        table: &mut T,
        mut remove: impl FnMut(&mut T, usize),
        capacity: fn(&T) -> usize,
    ) -> usize {
        let (mut moves, mut before) = (0, capacity(table));
        for entry in 1..BURST {
            remove(table, entry);
            table.relax();
            moves += usize::from(capacity(table) != before);
            before = capacity(table);
        }
        assert!(before <= SPARE_IN_USE, "{before} entries of room are left for one");
        moves
    }

    #[test]
    fn one_entry_that_stays_does_not_keep_the_memory_of_a_burst() {
        let keyed = Keyed { keys: (1, 2) };
        let mut map = HashMap::with_hasher(keyed);
        let mut set = HashSet::with_hasher(keyed);
        let mut queue = VecDeque::new();
        for entry in 0..BURST {
            map.insert(entry, entry);
            set.insert(entry);
            queue.push_back(entry);
        }
        drain(&mut map, |map, entry| assert!(map.remove(&entry).is_some()), HashMap::capacity);
        drain(&mut set, |set, entry| assert!(set.remove(&entry)), HashSet::capacity);
        let moves = drain(&mut queue, |queue, _| assert!(queue.pop_front().is_some()), VecDeque::capacity);
        assert!(moves < 10, "{moves}");
    }

    #[test]
    fn who_does_not_know_the_key_finds_no_two_names_in_one_place() {
        let places = |key| {
            let keyed = Keyed { keys: (key, 0) };
            let place = |number: u32| keyed.hash_one(format!("com.example.{number}")) % 1024;
            (0..10_000).filter(|&number| place(number) == 0).collect::<Vec<u32>>()
        };
        let (one, other) = (places(1), places(2));
        assert!((1..40).contains(&one.len()) && (1..40).contains(&other.len()), "{one:?}, {other:?}");
        let both = one.iter().filter(|number| other.contains(number)).count();
        assert!(both < 5, "{both} names meet under both keys");
    }

    #[test]
    fn a_small_table_keeps_its_memory() {
        let mut queue = VecDeque::with_capacity(SPARE);
        queue.push_back(1);
        queue.pop_front();
        queue.relax();
        assert!(queue.capacity() >= SPARE);
    }
}

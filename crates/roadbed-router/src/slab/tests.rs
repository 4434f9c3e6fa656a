use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

keys! {
    /// A key of tests.
    TestKey,
}

#[derive(Clone, Debug)]
enum Operation {
    Insert(usize),
    /// Removes the live entries at these places of the model, from the given one on.
    Remove(usize, usize),
    Look(usize),
    Change(usize),
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        (1_usize..1_500).prop_map(Operation::Insert),
        (any::<usize>(), 1_usize..2_500).prop_map(|(at, count)| Operation::Remove(at, count)),
        any::<usize>().prop_map(Operation::Look),
        any::<usize>().prop_map(Operation::Change),
    ]
}

/// The table and what it should hold.
struct Pair {
    slab: Slab<TestKey, u64>,
    model: BTreeMap<TestKey, u64>,
    gone: BTreeSet<TestKey>,
    last: u64,
}

impl Pair {
    fn new(first: NonZeroU32) -> Self {
        Self { slab: Slab::starting_at(first), model: BTreeMap::new(), gone: BTreeSet::new(), last: 0 }
    }

    fn insert(&mut self) {
        self.last += 1;
        let value = self.last;
        let mut told = None;
        let key = self.slab.insert_with(|key| {
            told = Some(key);
            value
        });
        assert_eq!(told, Some(key));
        assert!(!self.gone.contains(&key), "{key:?} came back");
        assert_eq!(self.model.insert(key, value), None);
    }

    fn remove(&mut self, key: TestKey) {
        assert_eq!(self.slab.remove(key), self.model.remove(&key));
        self.gone.insert(key);
        assert_eq!(self.slab.remove(key), None);
    }

    fn some_key(&self, at: usize) -> Option<TestKey> {
        self.model.keys().nth(at % self.model.len().max(1)).copied()
    }

    fn run(&mut self, operation: &Operation) {
        match *operation {
            Operation::Insert(count) => (0..count).for_each(|_| self.insert()),
            Operation::Remove(at, count) => {
                let at = at % self.model.len().max(1);
                let keys: Vec<TestKey> = self.model.keys().skip(at).take(count).copied().collect();
                keys.into_iter().for_each(|key| self.remove(key));
            }
            Operation::Look(at) => {
                if let Some(key) = self.some_key(at) {
                    assert_eq!(self.slab.get(key), self.model.get(&key));
                }
                if let Some(gone) = self.gone.iter().nth(at % self.gone.len().max(1)) {
                    assert_eq!(self.slab.get(*gone), None);
                    assert_eq!(self.slab.get_mut(*gone), None);
                }
            }
            Operation::Change(at) => {
                if let Some(key) = self.some_key(at) {
                    *self.slab.get_mut(key).unwrap() += 1;
                    *self.model.get_mut(&key).unwrap() += 1;
                }
            }
        }
        assert_eq!((self.slab.len(), self.slab.is_empty()), (self.model.len(), self.model.is_empty()));
    }

    fn agree(&self) {
        assert!(self.slab.iter().eq(self.model.iter().map(|(&key, value)| (key, value))));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_slab_behaves_as_a_map_under_keys_that_never_come_back(
        operations in prop::collection::vec(operation(), 0..40),
        // Near the end of the generations slots are used up.
        uses_left in prop_oneof![Just(u32::MAX), 1_u32..6],
    ) {
        let mut pair = Pair::new(NonZeroU32::new(u32::MAX - (uses_left - 1)).unwrap());
        for operation in &operations {
            pair.run(operation);
        }
        pair.agree();
    }
}

#[test]
fn a_key_takes_eight_bytes_and_shows_its_type() {
    assert_eq!(size_of::<Option<TestKey>>(), 8);
    let mut slab = Slab::<TestKey, ()>::new();
    slab.insert(());
    assert_eq!(format!("{:?}", slab.insert(())), "TestKey(1.1)");
}

#[test]
fn a_slot_whose_generations_are_used_up_is_not_used_again() {
    let mut slab = Slab::<TestKey, u8>::starting_at(NonZeroU32::MAX);
    let first = slab.insert(1);
    assert_eq!(slab.remove(first), Some(1));
    let second = slab.insert(2);
    assert_ne!(first.slot(), second.slot());
    assert_eq!((slab.get(first), slab.get(second)), (None, Some(&2)));
    // A whole chunk, released and used up.
    let mut slab = Slab::<TestKey, u8>::starting_at(NonZeroU32::MAX);
    let old: BTreeSet<TestKey> = (0..CHUNK).map(|_| slab.insert(1)).collect();
    old.iter().for_each(|&key| assert_eq!(slab.remove(key), Some(1)));
    assert_eq!(slab.capacity(), 0);
    let new = slab.insert(2);
    assert!(usize::try_from(new.slot()).unwrap() >= CHUNK);
}

#[test]
fn a_chunk_that_was_released_does_not_begin_its_generations_again() {
    let mut slab = Slab::<TestKey, u8>::new();
    let keep = slab.insert(0);
    let mut seen = BTreeSet::new();
    for _ in 0..5 {
        let keys: Vec<TestKey> = (0..3 * CHUNK).map(|_| slab.insert(1)).collect();
        for key in keys {
            assert!(seen.insert(key), "{key:?} came back");
            assert_eq!(slab.remove(key), Some(1));
        }
        assert!(slab.capacity() <= CHUNK);
    }
    assert_eq!(slab.get(keep), Some(&0));
}

#[test]
fn the_lowest_chunk_with_room_is_filled_first() {
    let mut slab = Slab::<TestKey, usize>::new();
    let keys: Vec<TestKey> = (0..3 * CHUNK).map(|number| slab.insert(number)).collect();
    for &key in keys.iter().step_by(CHUNK).rev() {
        slab.remove(key);
    }
    let slots: Vec<u32> = (0..4).map(|number| slab.insert(number).slot()).collect();
    assert_eq!(slots, [0, 1024, 2048, 3072]);
}

#[test]
fn memory_comes_back_while_one_entry_lives_wherever_it_lies() {
    const BURST: usize = 1_000_000;
    for survivor in [0, BURST / 2, BURST - 1] {
        let mut slab = Slab::<TestKey, [u64; 4]>::new();
        let keys: Vec<TestKey> = (0..BURST).map(|_| slab.insert([7; 4])).collect();
        assert!(slab.capacity() < BURST + CHUNK);
        for (number, &key) in keys.iter().enumerate() {
            if number != survivor {
                slab.remove(key);
            }
        }
        assert_eq!((slab.len(), slab.get(keys[survivor])), (1, Some(&[7; 4])));
        // One chunk: the one it lies in.
        assert_eq!(slab.capacity(), CHUNK);
        slab.remove(keys[survivor]);
        assert_eq!(slab.capacity(), 0);
    }
}

#[test]
fn a_table_that_is_used_little_stays_small_and_does_not_allocate_each_time() {
    let mut slab = Slab::<TestKey, u64>::new();
    assert_eq!(slab.capacity(), 0);
    let first = slab.insert(1);
    assert!(slab.capacity() <= 4);
    slab.remove(first);
    let capacity = slab.capacity();
    for number in 0..100 {
        let key = slab.insert(number);
        slab.remove(key);
        assert_eq!(slab.capacity(), capacity);
    }
    // Nor does one that grows and shrinks by one at the edge of a chunk.
    let mut slab = Slab::<TestKey, u64>::new();
    (0..CHUNK).for_each(|_| _ = slab.insert(0));
    let edge = slab.insert(0);
    let capacity = slab.capacity();
    slab.remove(edge);
    for _ in 0..100 {
        let edge = slab.insert(0);
        slab.remove(edge);
        assert_eq!(slab.capacity(), capacity);
    }
}

#[test]
fn stale_keys_of_other_chunks_lead_nowhere() {
    let slab = Slab::<TestKey, u64>::new();
    for slot in [0, 1_023, 1_024, u32::MAX] {
        assert_eq!(slab.get(TestKey::new(slot, NonZeroU32::MIN)), None);
    }
    assert!(slab.get(TestKey::new(u32::MAX, NonZeroU32::MAX)).is_none());
}

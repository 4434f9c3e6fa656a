use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::id::MAX_ID;

fn id(number: u64) -> RequestId {
    RequestId::new(number).unwrap()
}

impl<T> IdRing<T> {
    /// What always holds.
    fn check(&self) {
        let entries = self.slots.iter().filter(|slot| slot.is_some()).count();
        assert_eq!(entries, self.live);
        assert_eq!(self.slots.is_empty(), self.live == 0);
        assert!(self.slots.len() as u64 <= span(self.live), "{} slots for {}", self.slots.len(), self.live);
    }
}

#[derive(Clone, Debug)]
enum Operation {
    /// Issues this many ids in sequence.
    Issue(u64),
    /// Answers the entry at this place of the model, and some that follow.
    Answer(usize, usize),
    /// Answers the latest.
    TakeBack,
    /// An id that follows nothing.
    Insert(u64),
    /// The sequence goes on behind this id.
    Jump(u64),
    Remove(u64),
}

fn operation() -> impl Strategy<Value = Operation> {
    let number = || prop_oneof![1_u64..300, MAX_ID - 100..=MAX_ID, 1..=MAX_ID];
    prop_oneof![
        6 => (1_u64..100).prop_map(Operation::Issue),
        6 => (any::<usize>(), 1_usize..120).prop_map(|(at, count)| Operation::Answer(at, count)),
        1 => Just(Operation::TakeBack),
        2 => number().prop_map(Operation::Insert),
        1 => number().prop_map(Operation::Jump),
        1 => number().prop_map(Operation::Remove),
    ]
}

proptest! {
    #[test]
    fn a_ring_behaves_as_a_map(operations in prop::collection::vec(operation(), 0..60)) {
        let (mut ring, mut model) = (IdRing::new(), BTreeMap::new());
        let (mut last, mut value) = (0, 0_u32);
        for operation in operations {
            match operation {
                Operation::Issue(count) => for _ in 0..count {
                    last = last % MAX_ID + 1;
                    value += 1;
                    prop_assert_eq!(ring.insert(id(last), value), model.insert(id(last), value));
                    ring.check();
                },
                Operation::Answer(at, count) => {
                    let at = at % model.len().max(1);
                    let ids: Vec<RequestId> = model.keys().skip(at).take(count).copied().collect();
                    for id in ids {
                        *ring.get_mut(id).unwrap() += 1;
                        *model.get_mut(&id).unwrap() += 1;
                        prop_assert_eq!(ring.remove(id), model.remove(&id));
                        ring.check();
                    }
                }
                Operation::TakeBack => {
                    if last > 0 {
                        prop_assert_eq!(ring.remove(id(last)), model.remove(&id(last)));
                    }
                }
                Operation::Insert(number) => {
                    value += 1;
                    prop_assert_eq!(ring.insert(id(number), value), model.insert(id(number), value));
                }
                Operation::Jump(number) => last = number,
                Operation::Remove(number) => {
                    prop_assert_eq!(ring.get(id(number)), model.get(&id(number)));
                    prop_assert_eq!(ring.remove(id(number)), model.remove(&id(number)));
                }
            }
            ring.check();
            prop_assert_eq!((ring.len(), ring.is_empty()), (model.len(), model.is_empty()));
            prop_assert!(ring.iter().eq(model.iter().map(|(&id, value)| (id, value))));
        }
        prop_assert!(ring.drain().eq(model));
        prop_assert!(ring.is_empty() && ring.iter().next().is_none());
    }
}

#[test]
fn one_call_stays_open_while_ten_million_pass_and_the_memory_is_constant() {
    const IN_FLIGHT: u64 = 32;
    let mut calls = IdRing::new();
    calls.insert(id(1), 0_u64);
    for number in 2..10_000_000 {
        calls.insert(id(number), number);
        if number > IN_FLIGHT + 1 {
            assert_eq!(calls.remove(id(number - IN_FLIGHT)), Some(number - IN_FLIGHT));
        }
        assert!(calls.slots.capacity() <= 256 && calls.apart_len() <= 1);
    }
    assert_eq!(calls.remove(id(1)), Some(0));
}

#[test]
fn in_sequence_nothing_is_kept_apart() {
    let mut calls = IdRing::new();
    for number in 4..100_000 {
        calls.insert(id(number), ());
        if number >= 1_004 {
            // A bit out of order.
            calls.remove(id((number - 1_000) ^ 3));
        }
        assert!(calls.apart.is_none());
    }
}

#[test]
fn the_memory_of_a_burst_is_given_back_while_one_entry_stays() {
    for survivor in [1, 50_000, 100_000] {
        let mut calls = IdRing::new();
        for number in 1..=100_000 {
            calls.insert(id(number), number);
        }
        for number in (1..=100_000).filter(|&number| number != survivor) {
            calls.remove(id(number));
        }
        assert_eq!((calls.len(), calls.get(id(survivor))), (1, Some(&survivor)));
        assert!(calls.slots.capacity() <= SPARE, "{}", calls.slots.capacity());
    }
}

#[test]
fn random_ids_and_one_that_is_far_ahead_cost_no_more_than_their_entries() {
    let mut calls = IdRing::new();
    calls.insert(RequestId::MAX, 0);
    // The ring goes on where most ids are.
    for number in 1..=1_000 {
        calls.insert(id(number), number);
        calls.check();
    }
    assert!(calls.apart_len() < 10, "{}", calls.apart_len());
    let mut calls = IdRing::new();
    for number in 1..10_000_u64 {
        calls.insert(id(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % MAX_ID + 1), number);
        assert!(calls.slots.len() <= 256);
    }
    assert_eq!(calls.len(), 9_999);
}

#[test]
fn after_the_last_id_comes_the_first() {
    let mut calls = IdRing::new();
    for number in (MAX_ID - 9..=MAX_ID).chain(1..=10) {
        calls.insert(id(number), number);
    }
    assert_eq!(calls.len(), 20);
    assert!(calls.iter().map(|(_, &number)| number).eq((1..=10).chain(MAX_ID - 9..=MAX_ID)));
}

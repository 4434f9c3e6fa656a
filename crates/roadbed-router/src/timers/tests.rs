use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::timers::hang::{FEW, MANY};

impl<K: Copy> Timers<K> {
    /// Checks that every slot, count and link agrees with the others.
    fn check(&self) {
        let mut seen = 0;
        let counted = self.check_slot(self.root, Place::Root, &mut seen);
        assert_eq!((counted, seen), (self.timers.len(), self.wheels.len()));
    }

    fn check_slot(&self, slot: Slot, place: Place, wheels: &mut usize) -> usize {
        match slot {
            Slot::Empty => 0,
            Slot::List(head) => {
                let (mut id, mut count) = (head, 0);
                loop {
                    let timer = self.timers.get(id).unwrap();
                    assert_eq!(timer.place, place);
                    assert_eq!(self.timers.get(timer.next).unwrap().previous, id);
                    count += 1;
                    id = timer.next;
                    if id == head {
                        return count;
                    }
                }
            }
            Slot::Wheel(key) => {
                *wheels += 1;
                let wheel = self.wheels.get(key).unwrap();
                assert_eq!(wheel.place, place);
                assert!(wheel.len > FEW && !self.is_idle(wheel), "{} {}", wheel.len, self.is_idle(wheel));
                let mut count = 0;
                for slot in 0..64 {
                    let below = Place::Wheel(key, slot);
                    let of_slot = self.check_slot(wheel.slot(slot), below, wheels);
                    if let Slot::List(head) = wheel.slot(slot) {
                        assert!(wheel.level() == 0 || of_slot <= usize::from(MANY));
                        let at = self.timers.get(head).unwrap().at;
                        assert!(wheel.covers(at) && wheel.slot_of(at) == slot);
                    }
                    count += of_slot;
                }
                assert_eq!(count, wheel.len);
                count
            }
        }
    }

    /// Whether a wheel tells nothing apart but what the one below does.
    fn is_idle(&self, wheel: &Wheel) -> bool {
        wheel.only().is_some_and(|slot| matches!(wheel.slot(slot), Slot::Wheel(_)))
    }
}

/// The wheels and what they should do.
#[derive(Default)]
struct Pair {
    timers: Timers<u32>,
    /// By time and order of setting.
    model: BTreeMap<(u64, u32), TimerId>,
    last: u32,
    now: u64,
}

impl Pair {
    fn set(&mut self, at: u64) {
        self.last += 1;
        let id = self.timers.set(Timestamp::from_micros(at), self.last);
        self.model.insert((at, self.last), id);
    }

    fn cancel(&mut self, at: usize) {
        let Some((&entry, &id)) = self.model.iter().nth(at % self.model.len().max(1)) else { return };
        assert_eq!(self.timers.at(id), Some(Timestamp::from_micros(entry.0)));
        self.model.remove(&entry);
        assert_eq!((self.timers.cancel(id), self.timers.cancel(id)), (Some(entry.1), None));
    }

    fn pass(&mut self, now: u64) {
        self.now = self.now.max(now);
        while let Some(key) = self.timers.pop(Timestamp::from_micros(self.now)) {
            let ((at, expected), _) = self.model.pop_first().unwrap();
            assert_eq!(key, expected);
            assert!(at <= self.now);
        }
        self.agree();
        assert!(self.timers.next().is_none_or(|(at, _)| at.as_micros() > self.now));
    }

    fn agree(&self) {
        let next = self.model.first_key_value().filter(|((at, _), _)| *at < u64::MAX);
        let next = next.map(|(&(at, key), _)| (Timestamp::from_micros(at), key));
        assert_eq!((self.timers.next(), self.timers.len()), (next, self.model.len()));
    }
}

#[derive(Clone, Debug)]
enum Operation {
    /// Timers at this distance from now, and in steps of the second number behind it.
    Set(u64, u64, u8),
    At(u64),
    Cancel(usize, u8),
    Pass(u64),
    PassTo(u64),
}

fn span() -> impl Strategy<Value = u64> {
    prop_oneof![
        0_u64..200,
        0_u64..100_000,
        0_u64..100_000_000,
        (0_u32..64).prop_map(|bits| 1 << bits),
        any::<u64>()
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        5 => (span(), prop_oneof![Just(0), span()], 1_u8..60).prop_map(|(at, step, count)| Operation::Set(at, step, count)),
        1 => prop_oneof![any::<u64>(), Just(u64::MAX), Just(0)].prop_map(Operation::At),
        5 => (any::<usize>(), 1_u8..60).prop_map(|(at, count)| Operation::Cancel(at, count)),
        3 => (0_u64..200_000_000).prop_map(Operation::Pass),
        1 => span().prop_map(Operation::PassTo),
    ]
}

proptest! {
    #[test]
    fn timers_expire_as_a_sorted_set_would_have_it(operations in prop::collection::vec(operation(), 0..40)) {
        let mut pair = Pair::default();
        for operation in operations {
            match operation {
                Operation::Set(after, step, count) => for number in 0..u64::from(count) {
                    let at = pair.now.saturating_add(after).saturating_add(step.saturating_mul(number));
                    pair.set(at);
                },
                Operation::At(at) => pair.set(at),
                Operation::Cancel(at, count) => (0..count).for_each(|_| pair.cancel(at)),
                Operation::Pass(span) => pair.pass(pair.now.saturating_add(span)),
                Operation::PassTo(now) => pair.pass(now),
            }
            pair.agree();
            pair.timers.check();
        }
        pair.pass(u64::MAX);
        // What is left is set for the end of time, and never expires.
        prop_assert!(pair.model.keys().all(|&(at, _)| at == u64::MAX));
        while !pair.model.is_empty() {
            pair.cancel(0);
        }
        pair.timers.check();
        prop_assert_eq!((pair.timers.wheels.len(), pair.timers.timers.len()), (0, 0));
    }
}

#[test]
fn timers_of_one_time_expire_in_the_order_of_setting() {
    let mut timers = Timers::default();
    let at = Timestamp::from_micros(12_345_678);
    for number in 0..10_000_u32 {
        timers.set(at, number);
    }
    for number in 0..10_000 {
        assert_eq!(timers.pop(at), Some(number));
    }
    assert_eq!((timers.pop(Timestamp::MAX), timers.len()), (None, 0));
}

#[test]
fn a_timer_at_the_end_of_time_never_expires() {
    let mut timers = Timers::default();
    let id = timers.set(Timestamp::MAX, ());
    assert_eq!((timers.next(), timers.pop(Timestamp::MAX), timers.len()), (None, None, 1));
    assert_eq!(timers.cancel(id), Some(()));
}

#[test]
fn a_few_timers_need_no_wheel() {
    let mut timers = Timers::default();
    for number in 0..u64::from(MANY) {
        timers.set(Timestamp::from_micros(1 << (number * 4)), number);
    }
    assert_eq!(timers.wheels.len(), 0);
}

#[test]
fn memory_comes_back_while_one_timer_runs() {
    let mut timers = Timers::default();
    let set = |timers: &mut Timers<u32>, number: u32| {
        timers.set(Timestamp::from_micros(u64::from(number.wrapping_mul(0x9e37_79b9))), number)
    };
    let ids: Vec<TimerId> = (0..100_000).map(|number| set(&mut timers, number)).collect();
    let wheels = timers.wheels.len();
    assert!(wheels < 15_000, "{wheels}");
    for &id in &ids[1..] {
        timers.cancel(id);
    }
    assert_eq!((timers.len(), timers.wheels.len()), (1, 0));
    assert!(timers.timers.capacity() <= 1024 && timers.wheels.capacity() <= 1024);
    assert_eq!(timers.pop(Timestamp::MAX), Some(0));
}

//! Hanging timers on wheels, and wheels on wheels.

use super::wheel::{Place, Slot, TimerId, Wheel, WheelKey, level_between};
use super::{Timer, Timers};

/// Timers of different times that one slot may list; more are told apart by a wheel.
pub(super) const MANY: u8 = 16;
/// Timers for which no wheel is kept.
pub(super) const FEW: usize = 4;

impl<K: Copy> Timers<K> {
    /// Puts a timer that hangs nowhere where its time belongs.
    pub(super) fn hang(&mut self, id: TimerId, at: u64) {
        let mut place = Place::Root;
        while let Slot::Wheel(key) = self.slot(place) {
            let key = self.covering(key, at);
            let Some(wheel) = self.wheels.get_mut(key) else { return };
            wheel.len = wheel.len.saturating_add(1);
            place = Place::Wheel(key, wheel.slot_of(at));
        }
        self.append(place, id);
        let is_of_one_time = matches!(place, Place::Wheel(key, _) if self.level(key) == 0);
        if !is_of_one_time && self.length(place).is_some_and(|length| *length > MANY) {
            self.split(place);
        }
    }

    /// Takes a timer off the slot that lists it.
    pub(super) fn unhang(&mut self, id: TimerId) {
        let Some(&Timer { place, previous, next, .. }) = self.timers.get(id) else { return };
        if next == id {
            self.put(place, Slot::Empty);
        } else {
            if let Some(timer) = self.timers.get_mut(previous) {
                timer.next = next;
            }
            if let Some(timer) = self.timers.get_mut(next) {
                timer.previous = previous;
            }
            if self.slot(place) == Slot::List(id) {
                self.put(place, Slot::List(next));
            }
        }
        if let Some(length) = self.length(place) {
            *length = length.saturating_sub(1);
        }
        let mut place = place;
        while let Place::Wheel(key, _) = place {
            let Some(wheel) = self.wheels.get_mut(key) else { return };
            wheel.len = wheel.len.saturating_sub(1);
            place = wheel.place;
            self.simplify(key);
        }
    }

    /// The wheel at `key`, or a new one that it hangs on and that covers `at` as well.
    fn covering(&mut self, key: WheelKey, at: u64) -> WheelKey {
        let Some(wheel) = self.wheels.get(key).filter(|wheel| !wheel.covers(at)) else { return key };
        let (within, len, place) = (wheel.at(), wheel.len, wheel.place);
        let mut above = Wheel::new(level_between(within, at), at, place);
        let slot = above.slot_of(within);
        above.len = len;
        above.set(slot, Slot::Wheel(key));
        let above = self.wheels.insert(above);
        if let Some(wheel) = self.wheels.get_mut(key) {
            wheel.place = Place::Wheel(above, slot);
        }
        self.put(place, Slot::Wheel(above));
        above
    }

    /// Hangs a wheel where a list has become long.
    fn split(&mut self, place: Place) {
        let listed = self.take_list(place);
        let mut times = listed.iter().filter_map(|&id| Some(self.timers.get(id)?.at));
        let Some(first) = times.next() else { return };
        let level = times.map(|at| level_between(first, at)).max().unwrap_or(0);
        let mut wheel = Wheel::new(level, first, place);
        wheel.len = listed.len();
        let key = self.wheels.insert(wheel);
        self.put(place, Slot::Wheel(key));
        for id in listed {
            let slot =
                self.timers.get(id).zip(self.wheels.get(key)).map(|(timer, wheel)| wheel.slot_of(timer.at));
            self.append(Place::Wheel(key, slot.unwrap_or(0)), id);
        }
        if let Place::Wheel(above, _) = place {
            self.simplify(above);
        }
    }

    /// Leaves a wheel out that is not needed any more.
    fn simplify(&mut self, key: WheelKey) {
        let Some(wheel) = self.wheels.get(key) else { return };
        let place = wheel.place;
        if let Some(Slot::Wheel(below)) = wheel.only().map(|slot| wheel.slot(slot)) {
            self.put(place, Slot::Wheel(below));
            if let Some(below) = self.wheels.get_mut(below) {
                below.place = place;
            }
            self.wheels.remove(key);
        } else if wheel.len <= FEW && wheel.occupied().all(|slot| matches!(slot, Slot::List(_))) {
            let slots = (0..=u8::MAX).take(64);
            let listed: Vec<TimerId> =
                slots.flat_map(|slot| self.take_list(Place::Wheel(key, slot))).collect();
            self.put(place, Slot::Empty);
            for id in listed {
                self.append(place, id);
            }
            self.wheels.remove(key);
        }
    }

    /// Adds a timer behind the others that a slot lists.
    fn append(&mut self, place: Place, id: TimerId) {
        let head = match self.slot(place) {
            Slot::List(head) => head,
            Slot::Empty | Slot::Wheel(_) => id,
        };
        let last = if head == id { id } else { self.timers.get(head).map_or(id, |head| head.previous) };
        if let Some(timer) = self.timers.get_mut(id) {
            (timer.place, timer.previous, timer.next) = (place, last, head);
        }
        if head == id {
            self.put(place, Slot::List(id));
        } else {
            if let Some(last) = self.timers.get_mut(last) {
                last.next = id;
            }
            if let Some(head) = self.timers.get_mut(head) {
                head.previous = id;
            }
        }
        if let Some(length) = self.length(place) {
            *length = length.saturating_add(1);
        }
    }

    /// Empties a slot, and returns what it listed.
    fn take_list(&mut self, place: Place) -> Vec<TimerId> {
        let mut listed = Vec::new();
        let Slot::List(head) = self.slot(place) else { return listed };
        let mut id = head;
        while let Some(timer) = self.timers.get(id) {
            listed.push(id);
            id = timer.next;
            if id == head {
                break;
            }
        }
        self.put(place, Slot::Empty);
        if let Some(length) = self.length(place) {
            *length = 0;
        }
        listed
    }

    fn slot(&self, place: Place) -> Slot {
        match place {
            Place::Root => self.root,
            Place::Wheel(key, slot) => self.wheels.get(key).map_or(Slot::Empty, |wheel| wheel.slot(slot)),
        }
    }

    fn put(&mut self, place: Place, value: Slot) {
        match place {
            Place::Root => self.root = value,
            Place::Wheel(key, slot) => {
                if let Some(wheel) = self.wheels.get_mut(key) {
                    wheel.set(slot, value);
                }
            }
        }
    }

    fn length(&mut self, place: Place) -> Option<&mut u8> {
        match place {
            Place::Root => Some(&mut self.root_length),
            Place::Wheel(key, slot) => self.wheels.get_mut(key)?.length(slot),
        }
    }

    fn level(&self, key: WheelKey) -> u8 {
        self.wheels.get(key).map_or(0, Wheel::level)
    }
}

//! Everything that waits for a time: one hierarchy of wheels.

mod hang;
#[cfg(test)]
mod tests;
mod wheel;

use roadbed_core::time::Timestamp;

use crate::keys::SeatKey;
use crate::names::AuthorizationId;
use crate::slab::Slab;
pub(crate) use wheel::TimerId;
use wheel::{Place, Slot, Wheel, WheelKey};

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimerKey {
    /// The answer to GOODBYE is awaited.
    Goodbye(SeatKey),
    /// What is queued for a peer has to move.
    Queue(SeatKey),
    /// It is awaited whether a request is allowed.
    Question(AuthorizationId),
}

/// Timers that name what they are for by a `K`, and expire in the order of their times; of equal times, in the
/// order in which they were set.
///
/// A wheel has 64 slots, which stand for six bits of the time, and eleven wheels, one below the other, tell all
/// times of 64 bits apart. There is a wheel only where more than a few timers have to be told apart, and wheels
/// that would have one slot in use are left out. So setting and canceling a timer takes some steps for each of
/// at most eleven wheels, however many timers there are and wherever their times lie; the next time is exact and
/// known at once; and the wheels are given back as the timers end.
pub(crate) struct Timers<K> {
    timers: Slab<TimerId, Timer<K>>,
    wheels: Slab<WheelKey, Wheel>,
    root: Slot,
    /// Timers in the root's own list.
    root_length: u8,
    /// The one that expires first.
    first: Option<TimerId>,
}

struct Timer<K> {
    at: u64,
    key: K,
    /// The slot that lists it.
    place: Place,
    /// Its neighbours in the circle of timers of that slot.
    previous: TimerId,
    next: TimerId,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        let (timers, wheels) = (Slab::new(), Slab::new());
        Self { timers, wheels, root: Slot::Empty, root_length: 0, first: None }
    }
}

impl<K: Copy> Timers<K> {
    /// Sets a timer. One at [`Timestamp::MAX`] never expires.
    pub(crate) fn set(&mut self, at: Timestamp, key: K) -> TimerId {
        let at = at.as_micros();
        let place = Place::Root;
        let id = self.timers.insert_with(|id| Timer { at, key, place, previous: id, next: id });
        self.hang(id, at);
        if self.first.and_then(|first| self.timers.get(first)).is_none_or(|first| at < first.at) {
            self.first = Some(id);
        }
        id
    }

    /// Takes a timer back. One that expired or was taken back is no error.
    pub(crate) fn cancel(&mut self, id: TimerId) -> Option<K> {
        self.unhang(id);
        let timer = self.timers.remove(id)?;
        if self.first == Some(id) {
            self.first = self.find_first();
        }
        Some(timer.key)
    }

    /// The earliest time, and what it is for.
    pub(crate) fn next(&self) -> Option<(Timestamp, K)> {
        let timer = self.timers.get(self.first?).filter(|timer| timer.at < u64::MAX)?;
        Some((Timestamp::from_micros(timer.at), timer.key))
    }

    /// Takes the earliest timer if its time has come.
    pub(crate) fn pop(&mut self, now: Timestamp) -> Option<K> {
        self.next().filter(|&(at, _)| at <= now)?;
        self.cancel(self.first?)
    }

    /// When a timer expires; `None` when it is no more.
    pub(crate) fn at(&self, id: TimerId) -> Option<Timestamp> {
        self.timers.get(id).map(|timer| Timestamp::from_micros(timer.at))
    }

    pub(crate) fn len(&self) -> usize {
        self.timers.len()
    }

    fn find_first(&self) -> Option<TimerId> {
        let (mut slot, mut level) = (self.root, u8::MAX);
        while let Slot::Wheel(key) = slot {
            let wheel = self.wheels.get(key)?;
            level = wheel.level();
            slot = wheel.slot(wheel.first()?);
        }
        let Slot::List(head) = slot else { return None };
        if level == 0 {
            // All are of one time, and stand in the order in which they were set.
            return Some(head);
        }
        let (mut earliest, mut id) = ((self.timers.get(head)?.at, head), head);
        loop {
            id = self.timers.get(id)?.next;
            if id == head {
                return Some(earliest.1);
            }
            let at = self.timers.get(id)?.at;
            if at < earliest.0 {
                earliest = (at, id);
            }
        }
    }
}

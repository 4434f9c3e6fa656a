//! One wheel: 64 slots, chosen by six bits of the time.

use crate::slab::keys;

keys! {
    /// A timer that runs.
    TimerId,
    /// A wheel.
    WheelKey,
}

/// Bits of the time that one wheel tells apart.
const BITS: u32 = 6;
/// Slots of a wheel.
const SLOTS: usize = 1 << BITS;

/// What a slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Empty,
    /// The first of its timers, which is linked with the others in a circle.
    List(TimerId),
    /// A wheel that tells the timers apart.
    Wheel(WheelKey),
}

/// Where a slot is: the root, or a wheel and a place on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Root,
    Wheel(WheelKey, u8),
}

/// A wheel whose slots stand for the values of six bits. All its timers agree in the bits above.
pub(super) struct Wheel {
    /// Which six bits: 0 for the lowest, up to 10.
    level: u8,
    /// A time within what the wheel covers.
    at: u64,
    /// Where the wheel itself hangs.
    pub(super) place: Place,
    /// Timers on this wheel and on those that hang on it.
    pub(super) len: usize,
    /// The slots that are not empty.
    occupied: u64,
    slots: [Slot; SLOTS],
    /// How many timers the slots list, up to 255.
    lengths: [u8; SLOTS],
}

/// The level of the wheel that tells two times apart; 0 when they are equal.
pub(super) fn level_between(one: u64, other: u64) -> u8 {
    let highest = (one ^ other).checked_ilog2().unwrap_or(0);
    u8::try_from(highest / BITS).unwrap_or(0)
}

impl Wheel {
    pub(super) fn new(level: u8, at: u64, place: Place) -> Self {
        let (slots, lengths) = ([Slot::Empty; SLOTS], [0; SLOTS]);
        Self { level, at, place, len: 0, occupied: 0, slots, lengths }
    }

    pub(super) fn level(&self) -> u8 {
        self.level
    }

    /// A time within what the wheel covers.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Whether a time belongs on this wheel: it does not differ in the bits above.
    pub(super) fn covers(&self, at: u64) -> bool {
        level_between(self.at, at) <= self.level
    }

    /// The slot for a time.
    pub(super) fn slot_of(&self, at: u64) -> u8 {
        let shifted = at.checked_shr(u32::from(self.level).saturating_mul(BITS)).unwrap_or(0);
        u8::try_from(shifted % (1 << BITS)).unwrap_or(0)
    }

    pub(super) fn slot(&self, slot: u8) -> Slot {
        self.slots.get(usize::from(slot)).copied().unwrap_or(Slot::Empty)
    }

    pub(super) fn set(&mut self, slot: u8, value: Slot) {
        if let Some(place) = self.slots.get_mut(usize::from(slot)) {
            *place = value;
        }
        let bit = 1_u64.checked_shl(slot.into()).unwrap_or(0);
        if value == Slot::Empty { self.occupied &= !bit } else { self.occupied |= bit }
    }

    pub(super) fn length(&mut self, slot: u8) -> Option<&mut u8> {
        self.lengths.get_mut(usize::from(slot))
    }

    /// The first slot that is not empty.
    pub(super) fn first(&self) -> Option<u8> {
        (self.occupied != 0).then(|| u8::try_from(self.occupied.trailing_zeros()).unwrap_or(0))
    }

    /// The only slot that is not empty.
    pub(super) fn only(&self) -> Option<u8> {
        self.first().filter(|_| self.occupied.is_power_of_two())
    }

    /// The slots that are not empty, in order.
    pub(super) fn occupied(&self) -> impl Iterator<Item = Slot> {
        self.slots.iter().copied().filter(|&slot| slot != Slot::Empty)
    }
}

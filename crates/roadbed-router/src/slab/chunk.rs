//! A run of slots that are allocated together.

use core::num::NonZeroU32;

/// Slots in a chunk.
pub(super) const CHUNK: usize = 1024;
/// Slots for which the first chunk begins with room.
const FIRST_ROOM: usize = 4;
/// No slot: the end of a list of free ones.
const NONE: u16 = u16::MAX;

enum State<T> {
    Occupied(T),
    /// Free; the next free slot of the chunk.
    Free(u16),
}

struct Slot<T> {
    /// Of the entry in it, or of the next one.
    generation: NonZeroU32,
    state: State<T>,
}

/// At most [`CHUNK`] slots. A chunk whose entries are all gone can be [released](Self::release): it holds no
/// memory then, but remembers which generations it has used up.
pub(super) struct Chunk<T> {
    slots: Vec<Slot<T>>,
    live: u16,
    /// The first free slot, or [`NONE`].
    free: u16,
    /// The first generation of slots that have none yet; `None` when all are used up.
    first: Option<NonZeroU32>,
}

impl<T> Chunk<T> {
    pub(super) const fn new(first: NonZeroU32) -> Self {
        Self { slots: Vec::new(), live: 0, free: NONE, first: Some(first) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Whether an entry can be inserted.
    pub(super) fn has_room(&self) -> bool {
        self.free != NONE || (self.slots.len() < CHUNK && self.first.is_some())
    }

    /// Slots that are allocated.
    pub(super) fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    /// Inserts what `make` makes for the place it is given: a slot of this chunk, and its generation. `None`
    /// when there is no room.
    pub(super) fn insert(
        &mut self,
        is_first: bool,
        make: impl FnOnce(u16, NonZeroU32) -> T,
    ) -> Option<(u16, NonZeroU32)> {
        let place = self.free;
        if let Some(slot) = self.slots.get_mut(usize::from(place)) {
            let State::Free(next) = slot.state else { return None };
            let generation = slot.generation;
            slot.state = State::Occupied(make(place, generation));
            self.free = next;
            self.live = self.live.saturating_add(1);
            return Some((place, generation));
        }
        let generation = self.first?;
        let place = u16::try_from(self.slots.len()).ok().filter(|&place| usize::from(place) < CHUNK)?;
        if self.slots.len() == self.slots.capacity() {
            // The first chunk of a small table stays small; the others are full sooner or later.
            let room = if is_first { self.slots.len().max(FIRST_ROOM) } else { CHUNK };
            self.slots.reserve_exact(room.min(CHUNK.saturating_sub(self.slots.len())));
        }
        self.slots.push(Slot { generation, state: State::Occupied(make(place, generation)) });
        self.live = self.live.saturating_add(1);
        Some((place, generation))
    }

    pub(super) fn get(&self, place: usize, generation: NonZeroU32) -> Option<&T> {
        match self.slots.get(place)? {
            Slot { generation: present, state: State::Occupied(entry) } if *present == generation => {
                Some(entry)
            }
            _ => None,
        }
    }

    pub(super) fn get_mut(&mut self, place: usize, generation: NonZeroU32) -> Option<&mut T> {
        match self.slots.get_mut(place)? {
            Slot { generation: present, state: State::Occupied(entry) } if *present == generation => {
                Some(entry)
            }
            _ => None,
        }
    }

    pub(super) fn remove(&mut self, place: usize, generation: NonZeroU32) -> Option<T> {
        let slot = self.slots.get_mut(place)?;
        if slot.generation != generation || matches!(slot.state, State::Free(_)) {
            return None;
        }
        let State::Occupied(entry) = core::mem::replace(&mut slot.state, State::Free(self.free)) else {
            return None;
        };
        self.live = self.live.saturating_sub(1);
        // A slot whose generations are used up stays free for good: a key must never come back.
        if let Some(next) = generation.checked_add(1) {
            slot.generation = next;
            self.free = u16::try_from(place).unwrap_or(NONE);
        }
        Some(entry)
    }

    /// Gives the memory of a chunk back that holds no entry.
    pub(super) fn release(&mut self) {
        let is_used_up = |slot: &Slot<T>| slot.generation == NonZeroU32::MAX;
        let latest = self.slots.iter().map(|slot| slot.generation).max();
        if self.slots.iter().any(is_used_up) {
            self.first = None;
        } else {
            self.first = self.first.max(latest);
        }
        self.slots = Vec::new();
        self.free = NONE;
    }

    /// The entries and their places, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, NonZeroU32, &T)> {
        self.slots.iter().enumerate().filter_map(|(place, slot)| match &slot.state {
            State::Occupied(entry) => Some((place, slot.generation, entry)),
            State::Free(_) => None,
        })
    }
}

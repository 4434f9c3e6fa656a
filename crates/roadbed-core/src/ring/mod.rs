//! Entries under request ids that mostly follow one another: what is in flight.

#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use core::iter::Peekable;

use crate::id::RequestId;

/// The span of ids that is always kept in the ring, however few of them are in flight.
const SPAN: u64 = 64;
/// How often the number of entries in the ring its span may be.
const SPAN_FACTOR: u64 = 4;
/// The room in slots for which a ring that is not used keeps its memory: every session has some.
const SPARE: usize = 16;

/// A map whose keys are request ids in flight.
///
/// Ids are issued one after the other, and most answers come in about that order. So the entries lie in a ring,
/// by the distance of their ids: no hashing, no search, no allocation. Entries that stay behind while the
/// others pass by, and ids that follow no sequence at all, move to an ordered map. The ring spans at most four
/// times as many ids as it has entries (or 64), so its memory is that of the entries whatever the ids are;
/// and every operation takes constant time on average, or logarithmic in the number of entries in the map.
///
/// ```
/// use roadbed_core::id::RequestId;
/// use roadbed_core::ring::IdRing;
///
/// let mut calls = IdRing::new();
/// let id = |number| RequestId::new(number).unwrap();
/// calls.insert(id(1), "a call that takes long");
/// for number in 2..1_000 {
///     calls.insert(id(number), "a quick one");
///     assert_eq!(calls.remove(id(number)), Some("a quick one"));
/// }
/// assert_eq!(calls.get(id(1)), Some(&"a call that takes long"));
/// assert_eq!(calls.len(), 1);
/// ```
#[derive(Clone, Debug)]
pub struct IdRing<T> {
    /// The id of the first slot.
    base: u64,
    slots: VecDeque<Option<T>>,
    /// Entries in `slots`.
    live: usize,
    /// Entries that are not within the span of the ring. Most rings never have any.
    #[expect(clippy::box_collection, reason = "two words less in each of very many idle sessions")]
    apart: Option<Box<BTreeMap<RequestId, T>>>,
}

impl<T> Default for IdRing<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> IdRing<T> {
    /// Makes a map without entries; it holds no memory.
    pub const fn new() -> Self {
        Self { base: 0, slots: VecDeque::new(), live: 0, apart: None }
    }

    /// Returns how many entries there are.
    pub fn len(&self) -> usize {
        self.live.saturating_add(self.apart_len())
    }

    /// Says whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Says whether there is an entry under `id`.
    pub fn contains(&self, id: RequestId) -> bool {
        self.get(id).is_some()
    }

    /// Returns the entry under `id`.
    pub fn get(&self, id: RequestId) -> Option<&T> {
        self.place(id)
            .and_then(|place| self.slots.get(place)?.as_ref())
            .or_else(|| self.apart.as_ref()?.get(&id))
    }

    /// Returns the entry under `id`, to be changed.
    pub fn get_mut(&mut self, id: RequestId) -> Option<&mut T> {
        let slot = self.place(id).and_then(|place| self.slots.get_mut(place)?.as_mut());
        slot.or_else(|| self.apart.as_mut()?.get_mut(&id))
    }

    /// Puts an entry under `id`, and returns the one that it replaces.
    pub fn insert(&mut self, id: RequestId, entry: T) -> Option<T> {
        if let Some(known) = self.apart.as_mut().and_then(|apart| apart.get_mut(&id)) {
            return Some(core::mem::replace(known, entry));
        }
        if let Some(slot) = self.place(id).and_then(|place| self.slots.get_mut(place)) {
            let replaced = slot.replace(entry);
            self.live = self.live.saturating_add(usize::from(replaced.is_none()));
            return replaced;
        }
        self.make_way(id);
        if self.slots.is_empty() {
            self.base = id.get();
        } else if id.get() < self.base {
            return self.apart.get_or_insert_default().insert(id, entry);
        }
        // `make_way` has bounded how many these are.
        while self.end() < id.get() {
            self.slots.push_back(None);
        }
        self.slots.push_back(Some(entry));
        self.live = self.live.saturating_add(1);
        None
    }

    /// Takes out the entry under `id`.
    pub fn remove(&mut self, id: RequestId) -> Option<T> {
        let slot = self.place(id).and_then(|place| self.slots.get_mut(place));
        let Some(entry) = slot.and_then(Option::take) else {
            let entry = self.apart.as_mut()?.remove(&id);
            self.apart.take_if(|apart| apart.is_empty());
            return entry;
        };
        self.live = self.live.saturating_sub(1);
        self.trim();
        Some(entry)
    }

    /// The entries, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (RequestId, &T)> {
        let ring = (self.base..).zip(&self.slots);
        let ring = ring.filter_map(|(id, slot)| Some((RequestId::new(id).ok()?, slot.as_ref()?)));
        merge(ring, self.apart.iter().flat_map(|apart| apart.iter()).map(|(&id, entry)| (id, entry)))
    }

    /// Takes out all entries, in the order of their ids.
    pub fn drain(&mut self) -> impl Iterator<Item = (RequestId, T)> + use<T> {
        let Self { base, slots, apart, .. } = core::mem::take(self);
        let ring = (base..).zip(slots);
        merge(
            ring.filter_map(|(id, slot)| Some((RequestId::new(id).ok()?, slot?))),
            apart.into_iter().flat_map(|apart| *apart),
        )
    }

    fn apart_len(&self) -> usize {
        self.apart.as_ref().map_or(0, |apart| apart.len())
    }

    /// The id behind the last slot.
    fn end(&self) -> u64 {
        self.base.saturating_add(u64::try_from(self.slots.len()).unwrap_or(u64::MAX))
    }

    /// Where in the ring `id` lies, if it does.
    fn place(&self, id: RequestId) -> Option<usize> {
        let place = usize::try_from(id.get().checked_sub(self.base)?).ok()?;
        (place < self.slots.len()).then_some(place)
    }

    /// Moves entries out of the ring so that `id`, which is not within it, can get a slot behind the last;
    /// unless the ring lies ahead of it and most entries are there.
    fn make_way(&mut self, id: RequestId) {
        if id.get() >= self.base {
            while id.get().saturating_sub(self.base) >= span(self.live.saturating_add(1))
                && self.set_first_apart()
            {}
        } else if self.live.saturating_mul(4) <= self.apart_len() {
            // The sequence began anew, or one id far ahead was an exception.
            while self.set_first_apart() {}
        }
    }

    /// Shortens the ring to what it may span, and gives back memory that it does not need.
    fn trim(&mut self) {
        while let Some(None) = self.slots.back() {
            self.slots.pop_back();
        }
        while let Some(None) = self.slots.front() {
            self.set_first_apart();
        }
        while u64::try_from(self.slots.len()).unwrap_or(u64::MAX) > span(self.live) && self.set_first_apart()
        {
        }
        // What stays leaves room for as many slots again, so that shrinking costs each removal little.
        if self.slots.capacity() > SPARE && self.slots.len() < self.slots.capacity() / 8 {
            self.slots.shrink_to(self.slots.len().saturating_mul(2).max(SPARE));
        }
    }

    /// Takes the first slot off the ring; what is in it is kept apart. `false` when there is none.
    fn set_first_apart(&mut self) -> bool {
        let Some(slot) = self.slots.pop_front() else { return false };
        if let (Some(entry), Ok(id)) = (slot, RequestId::new(self.base)) {
            self.live = self.live.saturating_sub(1);
            self.apart.get_or_insert_default().insert(id, entry);
        }
        self.base = self.base.saturating_add(1);
        true
    }
}

/// The ids that a ring with this many entries may span.
fn span(live: usize) -> u64 {
    u64::try_from(live).unwrap_or(u64::MAX).saturating_mul(SPAN_FACTOR).max(SPAN)
}

/// Two sequences in order, as one.
fn merge<K: Ord, V>(
    one: impl IntoIterator<Item = (K, V)>,
    other: impl IntoIterator<Item = (K, V)>,
) -> impl Iterator<Item = (K, V)> {
    struct Merge<A: Iterator, B: Iterator>(Peekable<A>, Peekable<B>);

    impl<K: Ord, V, A: Iterator<Item = (K, V)>, B: Iterator<Item = (K, V)>> Iterator for Merge<A, B> {
        type Item = (K, V);

        fn next(&mut self) -> Option<(K, V)> {
            match (self.0.peek(), self.1.peek()) {
                (Some((one, _)), Some((other, _))) if other < one => self.1.next(),
                (None, _) => self.1.next(),
                _ => self.0.next(),
            }
        }
    }

    Merge(one.into_iter().peekable(), other.into_iter().peekable())
}

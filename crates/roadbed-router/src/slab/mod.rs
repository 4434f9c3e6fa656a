//! Tables whose entries are named by typed keys that never mean another entry.
//!
//! Entries lie in chunks of 1,024 slots. A chunk without entries gives its memory back while entries in other
//! chunks live, and new entries go to the lowest chunk with room, so that the others can run empty. Growing
//! never moves more than the first chunk.

mod chunk;
mod key;
#[cfg(test)]
mod tests;
mod vacancies;

use core::marker::PhantomData;
use core::num::NonZeroU32;

use chunk::{CHUNK, Chunk};
pub(crate) use key::{Key, keys};
use vacancies::Vacancies;

/// Slots for which an empty table keeps its memory: tables that fill and empty all the time do not allocate
/// each time.
const SPARE: usize = 64;

/// A table of `T`s under keys `K`. Insertion, access and removal take the same few steps whatever it holds.
pub(crate) struct Slab<K, T> {
    chunks: Vec<Chunk<T>>,
    vacancies: Vacancies,
    len: usize,
    /// An empty chunk whose memory is kept for the next entry.
    spare: Option<usize>,
    /// The first generation of new chunks.
    first: NonZeroU32,
    keys: PhantomData<fn() -> K>,
}

impl<K: Key, T> Slab<K, T> {
    pub(crate) fn new() -> Self {
        Self::starting_at(NonZeroU32::MIN)
    }

    fn starting_at(first: NonZeroU32) -> Self {
        Self {
            chunks: Vec::new(),
            vacancies: Vacancies::default(),
            len: 0,
            spare: None,
            first,
            keys: PhantomData,
        }
    }

    /// Inserts an entry. (Should all of the 2^32 slots ever be taken, the entry is dropped and its key leads
    /// nowhere, as if it had been removed at once.)
    pub(crate) fn insert(&mut self, entry: T) -> K {
        self.insert_with(|_| entry)
    }

    /// Inserts an entry that holds its own key.
    pub(crate) fn insert_with(&mut self, make: impl FnOnce(K) -> T) -> K {
        let index = self.vacancies.first().unwrap_or_else(|| self.add_chunk());
        let place = self.chunks.get_mut(index).and_then(|chunk| {
            let inserted =
                chunk.insert(index == 0, |place, generation| make(key(index, place.into(), generation)));
            inserted.map(|inserted| (inserted, chunk.has_room()))
        });
        let Some(((place, generation), has_room)) = place else { return K::new(u32::MAX, NonZeroU32::MAX) };
        if !has_room {
            self.vacancies.set(index, false);
        }
        if self.spare == Some(index) {
            self.spare = None;
        }
        self.len = self.len.saturating_add(1);
        key(index, place.into(), generation)
    }

    pub(crate) fn get(&self, key: K) -> Option<&T> {
        let (chunk, place) = split(key);
        self.chunks.get(chunk)?.get(place, key.generation())
    }

    pub(crate) fn get_mut(&mut self, key: K) -> Option<&mut T> {
        let (chunk, place) = split(key);
        self.chunks.get_mut(chunk)?.get_mut(place, key.generation())
    }

    /// Takes an entry out, and gives memory back that is needed no longer.
    pub(crate) fn remove(&mut self, key: K) -> Option<T> {
        let (index, place) = split(key);
        let chunk = self.chunks.get_mut(index)?;
        let entry = chunk.remove(place, key.generation())?;
        self.len = self.len.saturating_sub(1);
        let (is_empty, has_room) = (chunk.is_empty(), chunk.has_room());
        self.vacancies.set(index, has_room);
        if is_empty {
            self.emptied(index);
        }
        // What is left, and as much again, finds room in the chunks it lies in or in few others.
        if self.len < CHUNK && self.spare_capacity() > SPARE {
            self.release_spare();
        }
        Some(entry)
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The entries, in the order of their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, &T)> {
        self.chunks.iter().enumerate().flat_map(|(index, chunk)| {
            chunk.iter().map(move |(place, generation, entry)| (key(index, place, generation), entry))
        })
    }

    /// Slots that are allocated. Costs a look at each chunk.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.chunks.iter().map(Chunk::capacity).fold(0, usize::saturating_add)
    }

    /// Adds a chunk behind the others. There is none for the last slots: `u32::MAX` names no entry.
    fn add_chunk(&mut self) -> usize {
        let index = self.chunks.len();
        let is_last = u32::try_from(index.saturating_add(1).saturating_mul(CHUNK)).is_err();
        if !is_last {
            self.chunks.push(Chunk::new(self.first));
            self.vacancies.set(index, true);
        }
        index
    }

    /// Keeps one chunk that ran empty, and releases any other.
    fn emptied(&mut self, index: usize) {
        let kept = self.spare.filter(|&spare| spare != index).map_or(index, |spare| spare.min(index));
        if let Some(spare) = self.spare.replace(kept)
            && spare != index
        {
            self.release(spare.max(index));
        }
    }

    fn spare_capacity(&self) -> usize {
        self.spare.and_then(|spare| self.chunks.get(spare)).map_or(0, Chunk::capacity)
    }

    fn release_spare(&mut self) {
        if let Some(spare) = self.spare.take() {
            self.release(spare);
        }
    }

    fn release(&mut self, index: usize) {
        if let Some(chunk) = self.chunks.get_mut(index) {
            chunk.release();
            self.vacancies.set(index, chunk.has_room());
        }
    }
}

impl<K: Key, T> Default for Slab<K, T> {
    fn default() -> Self {
        Self::new()
    }
}

fn key<K: Key>(chunk: usize, place: usize, generation: NonZeroU32) -> K {
    let slot = chunk.saturating_mul(CHUNK).saturating_add(place);
    K::new(u32::try_from(slot).unwrap_or(u32::MAX), generation)
}

/// The chunk and the place in it.
fn split(key: impl Key) -> (usize, usize) {
    let slot = usize::try_from(key.slot()).unwrap_or(usize::MAX);
    (slot / CHUNK, slot % CHUNK)
}

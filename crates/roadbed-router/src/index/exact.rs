//! URIs that match themselves.

use roadbed_core::uri::Uri;

use crate::tables::{HashMap, Keyed, Relax};

/// A hash table under a key from the seed.
pub(super) struct Exact<K>(HashMap<Uri, K>);

impl<K: Copy> Exact<K> {
    pub(super) fn new(hasher: Keyed) -> Self {
        Self(HashMap::with_hasher(hasher))
    }

    pub(super) fn get(&self, uri: &Uri) -> Option<K> {
        self.0.get(uri).copied()
    }

    pub(super) fn insert(&mut self, uri: &Uri, key: K) -> Option<K> {
        self.0.insert(uri.clone(), key)
    }

    pub(super) fn remove(&mut self, uri: &Uri) -> Option<K> {
        let removed = self.0.remove(uri);
        self.0.relax();
        removed
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

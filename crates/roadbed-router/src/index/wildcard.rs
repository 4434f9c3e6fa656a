//! Wildcards: one hash table, probed once for each mask in use.

use core::hash::{BuildHasher, Hasher};
use core::ops::ControlFlow;

use roadbed_core::limits::Limits;
use roadbed_core::uri::{MatchPolicy, Uri};

use super::bounds::OverBound;
use super::masks::{Mask, Masks, Shape};
use super::steps::Meter;
use crate::tables::{HashTable, Keyed, shrunk};

/// Components that a mask has bits for.
const MAX_COMPONENTS: usize = 32;

struct Entry<K> {
    hash: u64,
    shape: Shape,
    pattern: Uri,
    key: K,
}

/// Patterns that match URIs of as many components, of which those agree that are not empty in the pattern.
pub(super) struct Wildcards<K, S> {
    masks: Masks<S>,
    table: HashTable<Entry<K>>,
    hasher: Keyed,
}

impl<K: Copy, S: Copy + Ord> Wildcards<K, S> {
    pub(super) fn new(hasher: Keyed) -> Self {
        Self { masks: Masks::new(), table: HashTable::new(), hasher }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn get(&self, pattern: &Uri) -> Option<K> {
        let (hash, _) = self.hash_pattern(pattern)?;
        self.table.find(hash, |entry| entry.pattern == *pattern).map(|entry| entry.key)
    }

    pub(super) fn check(&self, pattern: &Uri, session: S, limits: &Limits) -> Result<(), OverBound> {
        let found = pattern.as_bytes().split(is_dot).count();
        let limit = limits.pattern_components.min(MAX_COMPONENTS);
        let shape = shape(pattern).filter(|_| found <= limit);
        let Some(shape) = shape else { return Err(OverBound::Components { found, limit }) };
        let (found, limit) = (shape.mask.wildcards().count(), limits.pattern_wildcards);
        if found > limit {
            return Err(OverBound::Wildcards { found, limit });
        }
        if self.masks.is_in_use(shape) {
            return Ok(());
        }
        let components = usize::from(shape.components);
        let (found, limit) = (self.masks.of(shape.components).len(), limits.pattern_masks);
        if found >= limit {
            return Err(OverBound::Masks { components, found, limit });
        }
        let (found, limit) = (self.masks.alone(session, shape.components), limits.pattern_masks_alone);
        if found >= limit {
            return Err(OverBound::MasksAlone { components, found, limit });
        }
        Ok(())
    }

    pub(super) fn insert(&mut self, pattern: &Uri, key: K) -> Option<K> {
        let (hash, shape) = self.hash_pattern(pattern)?;
        if let Some(entry) = self.table.find_mut(hash, |entry| entry.pattern == *pattern) {
            return Some(core::mem::replace(&mut entry.key, key));
        }
        self.masks.add(shape, self.salt(shape));
        let entry = Entry { hash, shape, pattern: pattern.clone(), key };
        self.table.insert_unique(hash, entry, |entry| entry.hash);
        None
    }

    pub(super) fn remove(&mut self, pattern: &Uri) -> Option<K> {
        let (hash, shape) = self.hash_pattern(pattern)?;
        let found = self.table.find_entry(hash, |entry| entry.pattern == *pattern).ok()?;
        let (entry, _) = found.remove();
        self.masks.subtract(shape);
        if let Some(capacity) = shrunk(self.table.len(), self.table.capacity()) {
            self.table.shrink_to(capacity, |entry| entry.hash);
        }
        Some(entry.key)
    }

    pub(super) fn hold(&mut self, pattern: &Uri, session: S) {
        if let Some(shape) = shape(pattern) {
            self.masks.hold(shape, session);
        }
    }

    pub(super) fn release(&mut self, pattern: &Uri, session: S) {
        if let Some(shape) = shape(pattern) {
            self.masks.release(shape, session);
        }
    }

    /// Finds the patterns that match `uri`, by ascending masks. A URI of more components than patterns may have
    /// matches none.
    pub(super) fn walk<B>(
        &self,
        uri: &Uri,
        meter: &mut impl Meter,
        visit: &mut impl FnMut(K) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if self.table.is_empty() {
            return ControlFlow::Continue(());
        }
        let components = uri.as_bytes().split(is_dot).take(MAX_COMPONENTS.saturating_add(1)).count();
        let masks = u8::try_from(components).map_or(&[][..], |components| self.masks.of(components));
        if masks.is_empty() {
            return ControlFlow::Continue(());
        }
        let (mut hashes, mut sum) = ([0_u64; MAX_COMPONENTS], 0_u64);
        for (place, component) in (0_u8..).zip(uri.as_bytes().split(is_dot)) {
            let hash = self.hash_component(place, component);
            sum = sum.wrapping_add(hash);
            if let Some(slot) = hashes.get_mut(usize::from(place)) {
                *slot = hash;
            }
        }
        for in_use in masks {
            meter.probe();
            let skipped = in_use.mask.wildcards().filter_map(|place| hashes.get(place));
            let hash =
                skipped.fold(in_use.salt.wrapping_add(sum), |hash, skipped| hash.wrapping_sub(*skipped));
            let found = self.table.find(hash, |entry| {
                meter.comparison();
                entry.hash == hash
                    && entry.shape.mask == in_use.mask
                    && entry.pattern.matches(MatchPolicy::Wildcard, uri)
            });
            if let Some(entry) = found {
                visit(entry.key)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// The hash of a pattern: the sum of the hashes of its components that are not empty, and one for its shape.
    /// So those for a URI cost a subtraction for each wildcard. (What is found by its hash is compared.)
    fn hash_pattern(&self, pattern: &Uri) -> Option<(u64, Shape)> {
        let shape = shape(pattern)?;
        let components = (0_u8..).zip(pattern.as_bytes().split(is_dot));
        let hash = components
            .filter(|(_, component)| !component.is_empty())
            .map(|(place, component)| self.hash_component(place, component))
            .fold(self.salt(shape), u64::wrapping_add);
        Some((hash, shape))
    }

    fn hash_component(&self, place: u8, component: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u8(place);
        hasher.write(component);
        hasher.finish()
    }

    fn salt(&self, shape: Shape) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        // No component has this place.
        hasher.write_u8(u8::MAX);
        hasher.write_u8(shape.components);
        hasher.write_u32(shape.mask.0);
        hasher.finish()
    }

    #[cfg(test)]
    pub(super) fn is_blank(&self) -> bool {
        self.masks.is_empty() && self.table.is_empty()
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.table.capacity()
    }
}

/// The shape of a pattern; `None` when it has more components than a mask has bits.
fn shape(pattern: &Uri) -> Option<Shape> {
    let (mut components, mut mask) = (0_u8, 0_u32);
    for component in pattern.as_bytes().split(is_dot) {
        if usize::from(components) >= MAX_COMPONENTS {
            return None;
        }
        if component.is_empty() {
            mask |= Mask::bit(components.into());
        }
        components = components.saturating_add(1);
    }
    Some(Shape { components, mask: Mask(mask) })
}

fn is_dot(byte: &u8) -> bool {
    *byte == b'.'
}

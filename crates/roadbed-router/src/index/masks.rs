//! Which masks are in use, and who keeps them so.

use std::collections::BTreeMap;

/// The components of a pattern that are empty: the highest bit is the first component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mask(pub(super) u32);

/// How many components a pattern has, and which of them are empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shape {
    pub(super) components: u8,
    pub(super) mask: Mask,
}

impl Mask {
    /// The components that are empty.
    pub(super) fn wildcards(self) -> impl Iterator<Item = usize> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let first = rest.leading_zeros();
            rest &= !Self::bit(first);
            (first < u32::BITS).then(|| usize::try_from(first).unwrap_or(0))
        })
    }

    /// The mask of which only the component at this place is empty.
    pub(super) fn bit(place: u32) -> u32 {
        (1_u32 << 31).checked_shr(place).unwrap_or(0)
    }
}

/// A mask that is in use.
pub(super) struct MaskInUse {
    pub(super) mask: Mask,
    /// What the hashes of its patterns begin with.
    pub(super) salt: u64,
    patterns: usize,
}

/// The masks in use for each number of components, and the sessions that hold patterns of each.
pub(super) struct Masks<S> {
    /// For one component, two, …: the masks in ascending order.
    in_use: Vec<Vec<MaskInUse>>,
    /// How many patterns of a shape a session holds.
    holders: BTreeMap<Shape, BTreeMap<S, usize>>,
    /// How many masks for a number of components a session holds that no other does.
    alone: BTreeMap<(S, u8), usize>,
}

impl<S: Copy + Ord> Masks<S> {
    pub(super) fn new() -> Self {
        Self { in_use: Vec::new(), holders: BTreeMap::new(), alone: BTreeMap::new() }
    }

    /// The masks in use for a number of components, in ascending order.
    pub(super) fn of(&self, components: u8) -> &[MaskInUse] {
        let place = usize::from(components).checked_sub(1);
        place.and_then(|place| self.in_use.get(place)).map_or(&[], Vec::as_slice)
    }

    pub(super) fn is_in_use(&self, shape: Shape) -> bool {
        self.of(shape.components).binary_search_by_key(&shape.mask, |known| known.mask).is_ok()
    }

    /// How many masks for a number of components `session` keeps in use alone.
    pub(super) fn alone(&self, session: S, components: u8) -> usize {
        self.alone.get(&(session, components)).copied().unwrap_or(0)
    }

    /// Counts one more pattern of a shape.
    pub(super) fn add(&mut self, shape: Shape, salt: u64) {
        let Some(place) = usize::from(shape.components).checked_sub(1) else { return };
        if self.in_use.len() <= place {
            self.in_use.resize_with(place.saturating_add(1), Vec::new);
        }
        let Some(masks) = self.in_use.get_mut(place) else { return };
        match masks.binary_search_by_key(&shape.mask, |known| known.mask) {
            Ok(place) => {
                if let Some(known) = masks.get_mut(place) {
                    known.patterns = known.patterns.saturating_add(1);
                }
            }
            Err(place) => masks.insert(place, MaskInUse { mask: shape.mask, salt, patterns: 1 }),
        }
    }

    /// Counts one pattern of a shape less.
    pub(super) fn subtract(&mut self, shape: Shape) {
        let place = usize::from(shape.components).checked_sub(1);
        let Some(masks) = place.and_then(|place| self.in_use.get_mut(place)) else { return };
        let Ok(place) = masks.binary_search_by_key(&shape.mask, |known| known.mask) else { return };
        let Some(known) = masks.get_mut(place) else { return };
        known.patterns = known.patterns.saturating_sub(1);
        if known.patterns == 0 {
            masks.remove(place);
            if masks.len() < masks.capacity() / 4 {
                masks.shrink_to(masks.len().saturating_mul(2));
            }
            while self.in_use.last().is_some_and(Vec::is_empty) {
                self.in_use.pop();
            }
        }
    }

    /// Notes that `session` holds one more pattern of a shape.
    pub(super) fn hold(&mut self, shape: Shape, session: S) {
        let holders = self.holders.entry(shape).or_default();
        let before = sole(holders);
        let held = holders.entry(session).or_insert(0);
        *held = held.saturating_add(1);
        let after = sole(holders);
        self.moved(shape.components, before, after);
    }

    /// Notes that `session` holds one pattern of a shape less.
    pub(super) fn release(&mut self, shape: Shape, session: S) {
        let Some(holders) = self.holders.get_mut(&shape) else { return };
        let before = sole(holders);
        let Some(held) = holders.get_mut(&session) else { return };
        *held = held.saturating_sub(1);
        if *held == 0 {
            holders.remove(&session);
        }
        let after = sole(holders);
        if holders.is_empty() {
            self.holders.remove(&shape);
        }
        self.moved(shape.components, before, after);
    }

    /// A mask for this number of components was held by one session alone, and is now by another, or neither.
    fn moved(&mut self, components: u8, before: Option<S>, after: Option<S>) {
        if before == after {
            return;
        }
        if let Some(session) = after {
            let alone = self.alone.entry((session, components)).or_insert(0);
            *alone = alone.saturating_add(1);
        }
        if let Some(session) = before
            && let Some(alone) = self.alone.get_mut(&(session, components))
        {
            *alone = alone.saturating_sub(1);
            if *alone == 0 {
                self.alone.remove(&(session, components));
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.in_use.is_empty() && self.holders.is_empty() && self.alone.is_empty()
    }
}

/// The only holder.
fn sole<S: Copy + Ord>(holders: &BTreeMap<S, usize>) -> Option<S> {
    holders.first_key_value().filter(|_| holders.len() == 1).map(|(session, _)| *session)
}

//! Which subscriptions and registrations a URI leads to: one index for broker and dealer.
//!
//! Three parts, one for each match policy, none of whose costs grows with the number of patterns, whoever
//! chooses them:
//!
//! - *exact*: a hash table under a key from the seed;
//! - *prefix*: a path-compressed trie over bytes. One walk along the URI finds all prefixes of it;
//! - *wildcard*: patterns are sorted by how many components they have and which of them are empty (their
//!   *mask*). For each mask that is in use a URI costs one probe of a hash table. A trie over components
//!   would have to follow every combination of literal and empty components, which peers can make thousands.
//!
//! Matches come in the order of the specification's precedence ("Calls matching multiple registrations"): exact,
//! then prefixes from the longest to the shortest, then wildcards with the longest portion of components before
//! each wildcard first. With the first component as the highest bit of a mask, that is the ascending order of masks.

mod bounds;
mod exact;
mod masks;
mod prefix;
pub(crate) mod quota;
mod steps;
#[cfg(test)]
mod tests;
mod wildcard;

use core::ops::ControlFlow;

use roadbed_core::limits::Limits;
use roadbed_core::uri::{MatchPolicy, Uri};

use crate::tables::Keyed;
pub(crate) use bounds::OverBound;
use exact::Exact;
use prefix::Prefixes;
use steps::Meter;
use wildcard::Wildcards;

/// An index over URIs and patterns. `K` names what is found, `S` the sessions that hold patterns.
pub(crate) struct UriIndex<K, S> {
    exact: Exact<K>,
    prefixes: Prefixes<K>,
    wildcards: Wildcards<K, S>,
}

impl<K: Copy, S: Copy + Ord> UriIndex<K, S> {
    pub(crate) fn new(hasher: Keyed) -> Self {
        Self { exact: Exact::new(hasher), prefixes: Prefixes::default(), wildcards: Wildcards::new(hasher) }
    }

    /// Returns what stands under this very URI or pattern.
    pub(crate) fn get(&self, pattern: &Uri, policy: MatchPolicy) -> Option<K> {
        match policy {
            MatchPolicy::Exact => self.exact.get(pattern),
            MatchPolicy::Prefix => self.prefixes.get(pattern.as_bytes()),
            MatchPolicy::Wildcard => self.wildcards.get(pattern),
        }
    }

    /// Checks that `session` may hold a pattern, whether that is in the index or not.
    ///
    /// # Errors
    /// [`OverBound`] names the limit that is reached.
    pub(crate) fn check(
        &self,
        pattern: &Uri,
        policy: MatchPolicy,
        session: S,
        limits: &Limits,
    ) -> Result<(), OverBound> {
        match policy {
            MatchPolicy::Wildcard => self.wildcards.check(pattern, session, limits),
            MatchPolicy::Exact | MatchPolicy::Prefix => Ok(()),
        }
    }

    /// Puts `key` under a URI or pattern, which is shared and so must be [detached](Uri::detach), and returns
    /// what it replaces. Patterns of more components than masks
    /// have bits, which [`check`](Self::check) refuses, are not put anywhere.
    pub(crate) fn insert(&mut self, pattern: &Uri, policy: MatchPolicy, key: K) -> Option<K> {
        match policy {
            MatchPolicy::Exact => self.exact.insert(pattern, key),
            MatchPolicy::Prefix => self.prefixes.insert(pattern.as_bytes(), key),
            MatchPolicy::Wildcard => self.wildcards.insert(pattern, key),
        }
    }

    /// Takes a URI or pattern out.
    pub(crate) fn remove(&mut self, pattern: &Uri, policy: MatchPolicy) -> Option<K> {
        match policy {
            MatchPolicy::Exact => self.exact.remove(pattern),
            MatchPolicy::Prefix => self.prefixes.remove(pattern.as_bytes()),
            MatchPolicy::Wildcard => self.wildcards.remove(pattern),
        }
    }

    /// Notes that `session` holds a pattern: who keeps a mask in use alone is bounded.
    pub(crate) fn hold(&mut self, pattern: &Uri, policy: MatchPolicy, session: S) {
        if policy == MatchPolicy::Wildcard {
            self.wildcards.hold(pattern, session);
        }
    }

    /// Takes back what [`hold`](Self::hold) noted.
    pub(crate) fn release(&mut self, pattern: &Uri, policy: MatchPolicy, session: S) {
        if policy == MatchPolicy::Wildcard {
            self.wildcards.release(pattern, session);
        }
    }

    /// Finds everything that matches `uri`, in the order of precedence.
    pub(crate) fn all(&self, uri: &Uri, visit: &mut impl FnMut(K)) {
        let _: ControlFlow<()> = self.walk(uri, &mut (), &mut |key| {
            visit(key);
            ControlFlow::Continue(())
        });
    }

    /// Finds what matches `uri` best.
    pub(crate) fn best(&self, uri: &Uri) -> Option<K> {
        self.walk(uri, &mut (), &mut ControlFlow::Break).break_value()
    }

    /// How many URIs and patterns there are.
    pub(crate) fn len(&self) -> usize {
        self.exact.len().saturating_add(self.prefixes.len()).saturating_add(self.wildcards.len())
    }

    fn walk<B>(
        &self,
        uri: &Uri,
        meter: &mut impl Meter,
        visit: &mut impl FnMut(K) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if let Some(key) = self.exact.get(uri) {
            visit(key)?;
        }
        self.prefixes.walk(uri.as_bytes(), meter, visit)?;
        self.wildcards.walk(uri, meter, visit)
    }
}

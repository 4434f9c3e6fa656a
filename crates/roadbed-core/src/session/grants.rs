//! What the router granted and who uses it: subscriptions and registrations with their handlers.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::uri::{MatchPolicy, Uri};

/// What was asked for. Routers grant equal targets under the same id.
pub(super) type Target = (Uri, MatchPolicy);

/// Grants of the router by id `W`, each with the handlers `H` attached to it.
///
/// A grant goes back when its last handler leaves. There is one race in that: an equal request may be on
/// its way, whose answer will carry the same id. Giving the grant back then would take it from the handler
/// to come, so the grant is *kept* until no equal request is awaited any more.
#[derive(Debug)]
pub(super) struct Grants<W, H> {
    grants: BTreeMap<W, Grant<H>>,
    handlers: BTreeMap<H, W>,
    /// How many requests for a target wait for their answer.
    awaited: BTreeMap<Target, usize>,
    awaited_total: usize,
    /// Grants without handlers, kept for requests on their way.
    kept: BTreeMap<Target, W>,
}

#[derive(Debug)]
struct Grant<H> {
    target: Target,
    handlers: Vec<H>,
}

/// What happens to a grant when a handler leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Release<W> {
    /// Others use it, or will.
    Shared,
    /// It goes back to the router.
    Last(W),
}

impl<W, H> Default for Grants<W, H> {
    fn default() -> Self {
        Self {
            grants: BTreeMap::new(),
            handlers: BTreeMap::new(),
            awaited: BTreeMap::new(),
            awaited_total: 0,
            kept: BTreeMap::new(),
        }
    }
}

impl<W: Copy + Ord, H: Copy + Ord> Grants<W, H> {
    /// Handlers there are, and requests for more.
    pub(super) fn len(&self) -> usize {
        self.handlers.len().saturating_add(self.awaited_total)
    }

    /// The handlers of a grant, oldest first.
    pub(super) fn handlers(&self, id: W) -> &[H] {
        self.grants.get(&id).map_or(&[], |grant| &grant.handlers)
    }

    /// The grant that a handler is attached to.
    pub(super) fn of(&self, handler: H) -> Option<W> {
        self.handlers.get(&handler).copied()
    }

    /// A request for `target` goes out.
    pub(super) fn request(&mut self, target: &Target) {
        let count = self.awaited.entry(target.clone()).or_default();
        *count = count.saturating_add(1);
        self.awaited_total = self.awaited_total.saturating_add(1);
    }

    /// The router granted `target`. Returns a grant that goes back, if there is one.
    pub(super) fn granted(&mut self, target: Target, id: W, handler: H) -> Option<W> {
        // Not to go back when the last request for it is settled.
        if self.kept.get(&target) == Some(&id) {
            self.kept.remove(&target);
        }
        let back = self.settle(&target);
        let grant = self.grants.entry(id).or_insert_with(|| Grant { target, handlers: Vec::new() });
        // It may have been granted, and kept, for another target: then it is in use again.
        if self.kept.get(&grant.target) == Some(&id) {
            self.kept.remove(&grant.target);
        }
        grant.handlers.push(handler);
        self.handlers.insert(handler, id);
        back
    }

    /// The router refused `target`. Returns a grant that goes back, if there is one.
    pub(super) fn refused(&mut self, target: &Target) -> Option<W> {
        self.settle(target)
    }

    /// A request for `target` was answered.
    fn settle(&mut self, target: &Target) -> Option<W> {
        self.awaited_total = self.awaited_total.saturating_sub(1);
        match self.awaited.get_mut(target) {
            Some(count) if *count > 1 => {
                *count = count.saturating_sub(1);
                return None;
            }
            _ => self.awaited.remove(target),
        };
        let back = self.kept.remove(target)?;
        self.grants.remove(&back);
        Some(back)
    }

    /// A handler leaves; `None` when it is not attached.
    pub(super) fn release(&mut self, handler: H) -> Option<Release<W>> {
        let id = self.handlers.remove(&handler)?;
        let grant = self.grants.get_mut(&id)?;
        grant.handlers.retain(|other| *other != handler);
        if !grant.handlers.is_empty() {
            return Some(Release::Shared);
        }
        if self.awaited.contains_key(&grant.target) {
            let other = self.kept.insert(grant.target.clone(), id);
            let Some(other) = other.filter(|other| *other != id) else { return Some(Release::Shared) };
            self.grants.remove(&other);
            return Some(Release::Last(other));
        }
        self.grants.remove(&id);
        Some(Release::Last(id))
    }

    /// The router took a grant back. Returns its handlers, oldest first.
    pub(super) fn revoke(&mut self, id: W) -> Vec<H> {
        let Some(grant) = self.grants.remove(&id) else { return Vec::new() };
        if self.kept.get(&grant.target) == Some(&id) {
            self.kept.remove(&grant.target);
        }
        for handler in &grant.handlers {
            self.handlers.remove(handler);
        }
        grant.handlers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(uri: &'static str) -> Target {
        (Uri::from_static(uri), MatchPolicy::Exact)
    }

    fn granted(grants: &mut Grants<u64, u32>, id: u64, handler: u32) {
        grants.request(&target("a"));
        assert_eq!(grants.granted(target("a"), id, handler), None);
    }

    #[test]
    fn the_last_handler_gives_the_grant_back() {
        let mut grants = Grants::default();
        granted(&mut grants, 7, 1);
        granted(&mut grants, 7, 2);
        assert_eq!(grants.handlers(7), [1, 2]);
        assert_eq!(grants.release(1), Some(Release::Shared));
        assert_eq!(grants.release(1), None);
        assert_eq!(grants.release(2), Some(Release::Last(7)));
        assert_eq!(grants.len(), 0);
    }

    #[test]
    fn a_grant_is_kept_for_an_equal_request_on_its_way() {
        let mut grants = Grants::default();
        granted(&mut grants, 7, 1);
        grants.request(&target("a"));
        grants.request(&target("b"));
        assert_eq!(grants.release(1), Some(Release::Shared));
        assert!(grants.handlers(7).is_empty());
        assert_eq!(grants.granted(target("a"), 7, 2), None);
        assert_eq!(grants.release(2), Some(Release::Last(7)));
    }

    #[test]
    fn a_kept_grant_goes_back_when_the_request_fails_or_gets_another_id() {
        for refuse in [true, false] {
            let mut grants = Grants::default();
            granted(&mut grants, 7, 1);
            grants.request(&target("a"));
            assert_eq!(grants.release(1), Some(Release::Shared));
            let back = if refuse { grants.refused(&target("a")) } else { grants.granted(target("a"), 8, 2) };
            assert_eq!(back, Some(7));
            assert!(grants.handlers(7).is_empty());
        }
    }

    #[test]
    fn revocation_forgets_every_handler_and_a_kept_grant() {
        let mut grants = Grants::default();
        granted(&mut grants, 7, 1);
        granted(&mut grants, 7, 2);
        assert_eq!(grants.revoke(7), [1, 2]);
        assert!(grants.revoke(7).is_empty());
        assert_eq!(grants.release(1), None);
        granted(&mut grants, 7, 3);
        grants.request(&target("a"));
        grants.release(3);
        assert!(grants.revoke(7).is_empty());
        assert_eq!(grants.refused(&target("a")), None);
    }

    /// Routers that ignore `match` do this.
    #[test]
    fn a_grant_kept_for_one_target_and_used_by_another_stays() {
        let mut grants = Grants::default();
        granted(&mut grants, 7, 1);
        grants.request(&target("a"));
        assert_eq!(grants.release(1), Some(Release::Shared));
        grants.request(&target("b"));
        assert_eq!(grants.granted(target("b"), 7, 2), None);
        assert_eq!(grants.refused(&target("a")), None);
        assert_eq!(grants.handlers(7), [2]);
        assert_eq!(grants.release(2), Some(Release::Last(7)));
        assert_eq!(grants.len(), 0);
    }
}

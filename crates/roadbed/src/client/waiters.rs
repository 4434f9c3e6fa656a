//! Requests of one kind that wait for their answers, each perhaps only up to a time.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use futures_channel::oneshot;
use roadbed_core::time::Timestamp;

use crate::error::Error;

/// Who waits for one answer.
pub(crate) type Waiter<T> = oneshot::Sender<Result<T, Error>>;

/// Those who wait, by the id of their request.
#[derive(Debug)]
pub(crate) struct Waiters<I, T> {
    entries: HashMap<I, (Waiter<T>, Option<Timestamp>)>,
    deadlines: BTreeSet<(Timestamp, I)>,
}

impl<I, T> Default for Waiters<I, T> {
    fn default() -> Self {
        Self { entries: HashMap::new(), deadlines: BTreeSet::new() }
    }
}

impl<I: Copy + Eq + Hash + Ord, T> Waiters<I, T> {
    /// Lets a request wait until `until`.
    pub(super) fn insert(&mut self, id: I, waiter: Waiter<T>, until: Option<Timestamp>) {
        self.entries.insert(id, (waiter, until));
        self.deadlines.extend(until.map(|at| (at, id)));
    }

    /// The request was answered, or given up.
    pub(super) fn remove(&mut self, id: &I) -> Option<Waiter<T>> {
        let (waiter, until) = self.entries.remove(id)?;
        if let Some(at) = until {
            self.deadlines.remove(&(at, *id));
        }
        Some(waiter)
    }

    /// The next request whose time is over.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<(I, Waiter<T>)> {
        let (_, id) = *self.deadlines.first().filter(|(at, _)| *at <= now)?;
        self.remove(&id).map(|waiter| (id, waiter))
    }

    /// When the time of the next one is over.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert!(self.deadlines.len() <= self.entries.len(), "deadlines of requests that are over");
        self.entries.len()
    }
}

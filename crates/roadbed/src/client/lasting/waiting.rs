//! Requests that wait for a session: what they may do, and how many there are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use roadbed_core::time::Timestamp;

use super::state::After;
use crate::client::shared::Shared;
use crate::error::{Disconnected, Error, Operation, TimedOut};

/// How many requests wait for a session, unless it is said otherwise, and how many bytes of payload they hold.
const REQUESTS: usize = 1024;
const BYTES: usize = 1 << 20;

/// What becomes of requests while a [`Client`](super::Client) is not connected.
///
/// Only what was not sent yet ever waits, and no longer than its timeout. A call whose session is lost before its
/// result came fails with [`Error::Ended`]: it may have run, so it is not sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WhileDisconnected {
    /// They wait for the first session, however many attempts it takes: a program need not know when it is there. Once
    /// there was one, calls and publications [fail](Self::Fail) while there is none; subscriptions and registrations
    /// that are awaited wait for the next one, as they are carried over to it. As many wait as with
    /// [`wait`](Self::wait).
    #[default]
    WaitForFirst,
    /// They fail at once with [`Error::Disconnected`], which says when the next attempt begins.
    Fail,
    /// They wait for the next session, and are sent when it is there.
    Wait {
        /// How long each waits at most; then it fails with [`Disconnected::TooLong`]. The deadline of a call
        /// goes on meanwhile.
        at_most: Duration,
        /// How many wait at a time, all handles of the client together. Beyond it they fail with
        /// [`Disconnected::TooMany`].
        requests: usize,
        /// How many bytes of payload they hold together. Beyond it they fail with
        /// [`Disconnected::TooLarge`].
        bytes: usize,
    },
}

impl WhileDisconnected {
    /// They wait for at most so long: up to 1,024 of them, with up to 1 MiB of payload.
    pub const fn wait(at_most: Duration) -> Self {
        Self::Wait { at_most, requests: REQUESTS, bytes: BYTES }
    }

    /// What that means for a request, or what is declared, of which it is known whether it waits by itself.
    const fn settled(self, waits: bool) -> Self {
        match self {
            Self::WaitForFirst if waits => Self::wait(Duration::MAX),
            Self::WaitForFirst => Self::Fail,
            Self::Fail | Self::Wait { .. } => self,
        }
    }
}

/// A place among those who wait; none at first. It remembers how long one waited in all.
#[derive(Debug, Default)]
pub(crate) struct Place {
    ticket: Option<Ticket>,
    spent: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Ticket {
    number: u64,
    since: Timestamp,
    until: Option<Timestamp>,
    /// It waits for a session, and not only for the time or a change.
    is_bounded: bool,
}

impl Place {
    /// Until when it may wait.
    pub(crate) fn until(&self) -> Option<Timestamp> {
        self.ticket.and_then(|ticket| ticket.until)
    }
}

/// What somebody who asks for a session says of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) now: Timestamp,
    /// The deadline of it all.
    pub(crate) until: Option<Timestamp>,
    /// The payload.
    pub(crate) size: usize,
    pub(crate) policy: WhileDisconnected,
}

impl Asked {
    /// Waits for a session by itself, or does not.
    pub(super) const fn settled(self, waits: bool) -> Self {
        Self { policy: self.policy.settled(waits), ..self }
    }
}

/// What somebody who asks for a session gets.
#[derive(Debug)]
pub(crate) enum Bound {
    Session(Arc<Shared>),
    /// Woken when there is one.
    Waits {
        /// Since now.
        is_new: bool,
    },
    Not(Error),
}

/// Those who wait.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    entries: BTreeMap<u64, Entry>,
    last: u64,
    /// Of those that are bounded.
    requests: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    waker: Option<Waker>,
    until: Option<Timestamp>,
    /// What is bounded.
    size: Option<usize>,
}

impl Waiting {
    /// Waits without a bound for a change, or until `until`: not a request, but a future of ours. Whether it is new.
    pub(super) fn stay(
        &mut self,
        place: &mut Place,
        now: Timestamp,
        until: Option<Timestamp>,
        waker: &Waker,
        after: &mut After,
    ) -> bool {
        match place.ticket {
            Some(ticket) if !ticket.is_bounded => {
                after.let_go(self.renew(ticket, waker));
                false
            }
            _ => {
                self.leave(place, now, after);
                self.enter(place, now, until, None, waker);
                true
            }
        }
    }

    /// Lets a request wait, as far as it may.
    pub(super) fn wait(
        &mut self,
        place: &mut Place,
        asked: Asked,
        retry_in: Option<Duration>,
        waker: &Waker,
        after: &mut After,
    ) -> Result<bool, Error> {
        let Asked { now, until, size, policy } = asked;
        if place.ticket.is_some_and(|ticket| !ticket.is_bounded) {
            self.leave(place, now, after);
        }
        if until.is_some_and(|at| at <= now) {
            self.leave(place, now, after);
            return Err(TimedOut::new(Operation::Other, None, None).into());
        }
        if let Some(ticket) = place.ticket {
            if ticket.until.is_some_and(|at| at <= now) {
                self.leave(place, now, after);
                return Err(Disconnected::TooLong { waited: place.spent }.into());
            }
            after.let_go(self.renew(ticket, waker));
            return Ok(false);
        }
        let WhileDisconnected::Wait { at_most, requests, bytes } = policy else {
            return Err(Disconnected::Now { retry_in }.into());
        };
        if self.requests >= requests {
            return Err(Disconnected::TooMany { limit: requests }.into());
        }
        if self.bytes.saturating_add(size) > bytes {
            return Err(Disconnected::TooLarge { size, limit: bytes }.into());
        }
        // However often there was a session that was gone before anything could be sent.
        let Some(left) = at_most.checked_sub(place.spent).filter(|left| !left.is_zero() || at_most.is_zero())
        else {
            return Err(Disconnected::TooLong { waited: place.spent }.into());
        };
        let at = (at_most < Duration::MAX).then(|| now + left);
        self.enter(place, now, until.into_iter().chain(at).min(), Some(size), waker);
        Ok(true)
    }

    fn enter(
        &mut self,
        place: &mut Place,
        since: Timestamp,
        until: Option<Timestamp>,
        size: Option<usize>,
        waker: &Waker,
    ) {
        self.last += 1;
        self.requests += usize::from(size.is_some());
        self.bytes += size.unwrap_or(0);
        self.entries.insert(self.last, Entry { waker: Some(waker.clone()), until, size });
        place.ticket = Some(Ticket { number: self.last, since, until, is_bounded: size.is_some() });
    }

    /// Stores the waker of this time, and returns the one that it replaces.
    fn renew(&mut self, ticket: Ticket, waker: &Waker) -> Option<Waker> {
        let entry = self.entries.get_mut(&ticket.number)?;
        if entry.waker.as_ref().is_some_and(|stored| stored.will_wake(waker)) {
            return None;
        }
        entry.waker.replace(waker.clone())
    }

    /// Gives the place up.
    pub(super) fn leave(&mut self, place: &mut Place, now: Timestamp, after: &mut After) {
        let Some(ticket) = place.ticket.take() else { return };
        if ticket.is_bounded {
            place.spent += now.saturating_since(ticket.since);
        }
        let Some(entry) = self.entries.remove(&ticket.number) else { return };
        if let Some(size) = entry.size {
            self.requests -= 1;
            self.bytes -= size;
        }
        after.let_go(entry.waker);
    }

    /// Wakes everybody, the first first: there is a session, or there will be none. Who they are is kept
    /// until they have had their turn.
    pub(super) fn rouse(&mut self) -> impl Iterator<Item = Waker> {
        self.entries.values_mut().filter_map(|entry| entry.waker.take())
    }

    /// Wakes those whose time is over. Returns when the next one's is.
    pub(super) fn expire(&mut self, now: Timestamp, wakers: &mut Vec<Waker>) -> Option<Timestamp> {
        let mut next = None;
        for entry in self.entries.values_mut() {
            let Some(at) = entry.until else { continue };
            if at <= now {
                wakers.extend(entry.waker.take());
            } else {
                // Also of those who were woken for another reason: they may wait on.
                next = Some(next.map_or(at, |next: Timestamp| next.min(at)));
            }
        }
        next
    }

    /// How many wait, for tests of what is left behind.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert!(self.entries.len() >= self.requests);
        self.entries.len()
    }
}

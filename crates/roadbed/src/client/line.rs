//! Requests that wait for room in the output, in the order in which they came.

use std::collections::{BTreeMap, BTreeSet};
use std::task::Waker;
use std::time::Duration;

use roadbed_core::time::Timestamp;

/// How many are called at a time. Each that was served, or gave up, makes way for the next one.
const AT_ONCE: usize = 16;

/// Who was called and has not come back so long keeps nobody waiting: not every future that exists is polled.
const PATIENCE: Duration = Duration::from_millis(100);

/// The line. Whatever happens to it, its cost is logarithmic in the number of those who wait.
#[derive(Debug, Default)]
pub(super) struct Line {
    waiting: BTreeMap<u64, (Waker, Option<Timestamp>)>,
    /// The times up to which they wait.
    deadlines: BTreeSet<(Timestamp, u64)>,
    /// Who was called, and has not come back.
    called: BTreeSet<u64>,
    /// When to call others instead.
    recall: Option<Timestamp>,
    last_ticket: u64,
    /// Entries that were looked at.
    #[cfg(test)]
    steps: usize,
}

impl Line {
    /// Whether a request has to wait although there is room: others came before it.
    pub(super) fn is_before(&self, ticket: Option<u64>) -> bool {
        match ticket {
            Some(ticket) if self.called.contains(&ticket) => false,
            Some(ticket) => self.waiting.first_key_value().is_some_and(|(first, _)| *first < ticket),
            None => !self.waiting.is_empty(),
        }
    }

    /// Lets a request wait; `ticket` keeps its place. Returns what is to be dropped when the lock is free.
    pub(super) fn wait(
        &mut self,
        ticket: &mut Option<u64>,
        waker: &Waker,
        until: Option<Timestamp>,
    ) -> Option<Waker> {
        let before = match *ticket {
            Some(ticket) => self.remove(ticket),
            None => None,
        };
        let ticket = *ticket.get_or_insert_with(|| {
            self.last_ticket += 1;
            self.last_ticket
        });
        self.waiting.insert(ticket, (waker.clone(), until));
        self.deadlines.extend(until.map(|at| (at, ticket)));
        before
    }

    /// A request does not wait any more. Returns what is to be dropped when the lock is free.
    pub(super) fn leave(&mut self, ticket: &mut Option<u64>) -> Option<Waker> {
        ticket.take().and_then(|ticket| self.remove(ticket))
    }

    /// There is room: calls the next ones.
    pub(super) fn call(&mut self, now: impl FnOnce() -> Timestamp, wakers: &mut Vec<Waker>) {
        if self.waiting.is_empty() || self.called.len() >= AT_ONCE {
            return;
        }
        self.recall = Some(now() + PATIENCE);
        while self.called.len() < AT_ONCE
            && let Some((ticket, _)) = self.waiting.first_key_value()
        {
            let ticket = *ticket;
            wakers.extend(self.remove(ticket));
            self.called.insert(ticket);
        }
    }

    /// Nothing will ever have to wait again.
    pub(super) fn call_all(&mut self, wakers: &mut Vec<Waker>) {
        wakers.extend(std::mem::take(&mut self.waiting).into_values().map(|(waker, _)| waker));
        self.deadlines.clear();
        self.called.clear();
        self.recall = None;
    }

    /// Calls those whose time has passed.
    pub(super) fn expire(&mut self, now: Timestamp, wakers: &mut Vec<Waker>) {
        while let Some((at, ticket)) = self.deadlines.first().copied()
            && at <= now
        {
            wakers.extend(self.remove(ticket));
        }
        if self.recall.is_some_and(|at| at <= now) {
            self.called.clear();
            self.recall = None;
        }
    }

    /// When to call [`expire`](Self::expire) next.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let recall = self.recall.filter(|_| !self.waiting.is_empty());
        self.deadlines.first().map(|(at, _)| *at).into_iter().chain(recall).min()
    }

    fn remove(&mut self, ticket: u64) -> Option<Waker> {
        #[cfg(test)]
        {
            self.steps += 1;
        }
        self.called.remove(&ticket);
        let (waker, until) = self.waiting.remove(&ticket)?;
        if let Some(at) = until {
            self.deadlines.remove(&(at, ticket));
        }
        Some(waker)
    }

    /// How many wait.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Timestamp = Timestamp::ZERO;

    /// So many who wait, each a microsecond longer than the one before.
    fn line(count: u64) -> (Line, Vec<Option<u64>>) {
        let mut line = Line::default();
        let tickets = (1..=count).map(|number| {
            let (mut ticket, until) = (None, T0 + Duration::from_secs(60) + Duration::from_micros(number));
            assert!(line.wait(&mut ticket, Waker::noop(), Some(until)).is_none());
            ticket
        });
        let tickets = tickets.collect();
        (line, tickets)
    }

    #[test]
    fn many_who_wait_cost_a_step_each() {
        const COUNT: u64 = 10_000;
        let (mut line, mut tickets) = line(COUNT);
        assert_eq!((line.len(), line.steps), (10_000, 0));
        let (mut wakers, mut served) = (Vec::new(), 0);
        // Room for three at a time; the next ones are called whenever one was served.
        while served < tickets.len() {
            line.call(|| T0, &mut wakers);
            assert_eq!(line.called.len(), AT_ONCE.min(tickets.len() - served));
            for ticket in tickets.iter_mut().skip(served).take(3) {
                assert!(!line.is_before(*ticket));
                line.leave(ticket);
                served += 1;
            }
        }
        assert_eq!(wakers.len(), tickets.len());
        // Called once, and gone once.
        assert_eq!(line.steps, 2 * tickets.len());
        assert_eq!((line.len(), line.deadline()), (0, None));
    }

    #[test]
    fn the_first_to_come_is_the_first_to_be_served() {
        let (mut line, mut tickets) = line(20);
        let mut wakers = Vec::new();
        assert!(line.is_before(None) && line.is_before(tickets[1]) && !line.is_before(tickets[0]));
        line.call(|| T0, &mut wakers);
        assert_eq!(wakers.len(), AT_ONCE);
        // There was no room for the second one after all: it is not put behind anybody.
        line.wait(&mut tickets[1], Waker::noop(), None);
        assert!(!line.is_before(tickets[0]) && !line.is_before(tickets[1]) && line.is_before(tickets[19]));
        line.leave(&mut tickets[0]);
        line.call(|| T0, &mut wakers);
        assert!(line.called.contains(&2));
    }

    #[test]
    fn one_who_was_called_and_does_not_come_keeps_nobody_waiting() {
        let (mut line, _) = line(20);
        let mut wakers = Vec::new();
        line.call(|| T0, &mut wakers);
        line.call(|| T0, &mut wakers);
        assert_eq!((wakers.len(), line.deadline()), (AT_ONCE, Some(T0 + PATIENCE)));
        line.expire(T0 + PATIENCE, &mut wakers);
        line.call(|| T0, &mut wakers);
        assert_eq!((wakers.len(), line.len(), line.deadline()), (20, 0, None));
    }

    #[test]
    fn those_whose_time_has_passed_are_called_and_no_others() {
        let (mut line, tickets) = line(20);
        let mut wakers = Vec::new();
        let until = T0 + Duration::from_secs(60);
        assert_eq!(line.deadline(), Some(until + Duration::from_micros(1)));
        line.expire(until + Duration::from_micros(5), &mut wakers);
        assert_eq!((wakers.len(), line.len(), line.steps), (5, 15, 5));
        assert!(!line.is_before(tickets[5]) && line.is_before(tickets[6]));
        line.call_all(&mut wakers);
        assert_eq!((wakers.len(), line.deadline()), (20, None));
    }
}

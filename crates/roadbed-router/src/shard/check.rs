//! What a shard counts, and whether its tables agree.

use super::Shard;
use super::seat::Stage;
use crate::stats::RouterStats;

impl Shard {
    /// Returns what there is, and what happened. Costs a look at every peer and realm. Connections without session are
    /// the lobby's, so `peers` counts only those that sit here.
    pub fn stats(&self) -> RouterStats {
        let mut totals = [0_usize; 8];
        for (_, realm) in self.realms.iter() {
            for (total, part) in totals.iter_mut().zip(realm.totals()) {
                *total = total.saturating_add(part);
            }
        }
        let [sessions, subscriptions, subscribers, registrations, calls, abandoned, questions, waiting] =
            totals;
        let (queued_messages, queued_bytes) = self.out.totals();
        RouterStats {
            peers: self.seats.len(),
            sessions,
            realms: self.realms.len(),
            subscriptions,
            subscribers,
            registrations,
            calls,
            abandoned,
            questions,
            waiting,
            timers: self.out.timers.len(),
            queued_messages,
            queued_bytes,
            queued_events: self.out.events.len(),
            counters: self.out.counters,
        }
    }

    /// Checks that all tables agree with each other; for tests, as it looks at everything.
    ///
    /// # Errors
    /// What does not agree.
    pub fn check_invariants(&self) -> Result<(), String> {
        self.out.check()?;
        for (_, realm) in self.realms.iter() {
            realm.check(&self.out)?;
            if realm.is_temporary && realm.is_empty() {
                return Err(format!("realm {} is to go with its last session, and is empty", realm.uri));
            }
        }
        let mut joined = 0_usize;
        for (key, seat) in self.seats.iter() {
            if let Some(at) = seat.deadline()
                && seat.timer().and_then(|timer| self.out.timers.at(timer)) != Some(at)
            {
                return Err(format!("{:?} has a deadline without timer", seat.peer));
            }
            if matches!(seat.stage, Stage::Joined { .. }) {
                joined = joined.saturating_add(1);
                match self.session(key) {
                    Some(info) if info.peer == seat.peer && self.ids.get(info.id) == Some(key) => {}
                    _ => return Err(format!("{:?} has no session of its own", seat.peer)),
                }
            }
        }
        let RouterStats { sessions, questions, .. } = self.stats();
        if questions != self.out.questions || !self.out.effects.is_empty() {
            let (counted, effects) = (self.out.questions, self.out.effects.len());
            return Err(format!(
                "{questions} questions are open, {counted} counted; {effects} effects are left"
            ));
        }
        if sessions != joined || self.ids.len() != joined || self.out.len() != self.seats.len() {
            let (ids, queues, seats) = (self.ids.len(), self.out.len(), self.seats.len());
            return Err(format!(
                "{joined} seats are taken, {sessions} sessions, {ids} ids; {seats} seats, {queues} queues"
            ));
        }
        Ok(())
    }
}

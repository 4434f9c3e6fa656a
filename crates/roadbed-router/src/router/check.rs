//! What a router counts, and whether its tables agree.

use super::Router;
use crate::peer::Stage;
use crate::stats::{Counters, RouterStats};

impl Router {
    /// What there is, and what happened. Costs a look at every peer and realm.
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
            peers: self.peers.len(),
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

    /// Returns what happened so far. Costs nothing.
    pub const fn counters(&self) -> Counters {
        self.out.counters
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
                return Err(format!("realm {} was made on demand and is empty", realm.uri));
            }
        }
        let mut joined = 0_usize;
        for (key, peer) in self.peers.iter() {
            if peer.id.0 != key {
                return Err(format!("{:?} stands under {key:?}", peer.id));
            }
            if let Some((at, _)) = peer.deadline()
                && peer.timer().and_then(|timer| self.out.timers.at(timer)) != Some(at)
            {
                return Err(format!("{:?} has a deadline without timer", peer.id));
            }
            if matches!(peer.stage, Stage::Joined { .. }) {
                joined = joined.saturating_add(1);
                match self.session(peer.id) {
                    Some(info) if info.peer == peer.id && self.gate.ids.contains(info.id) => {}
                    _ => return Err(format!("{:?} has no session of its own", peer.id)),
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
        if sessions != joined || self.gate.ids.len() != joined || self.out.len() != self.peers.len() {
            let (ids, queues, peers) = (self.gate.ids.len(), self.out.len(), self.peers.len());
            return Err(format!(
                "{joined} peers joined, {sessions} sessions, {ids} ids; {peers} peers, {queues} queues"
            ));
        }
        Ok(())
    }
}

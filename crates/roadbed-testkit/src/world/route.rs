//! What a router's driver does: lets its ports exchange with the router.

use super::{ClientId, Slot, World};
use crate::line::{Log, Progress};

impl World {
    /// Everybody takes one turn.
    #[track_caller]
    pub(super) fn round(&mut self) -> Progress {
        let mut progress = Progress::from_other(self.run_timers());
        for index in self.turns() {
            let Slot { side, line, end } = &mut self.slots[index];
            let mut log = Log { transcript: self.transcript.as_mut(), line: index };
            progress = progress.max(line.round(self.now, side.end_mut(), end, &mut log));
            progress = progress.max(Progress::from_other(self.hear(index)));
            progress = progress.max(Progress::from_other(self.deliver()));
        }
        progress.max(Progress::from_other(self.deliver()))
    }

    /// The order of turns.
    fn turns(&mut self) -> Vec<usize> {
        let mut turns: Vec<usize> = (0..self.slots.len()).collect();
        if self.is_shuffled {
            for last in (1..turns.len()).rev() {
                turns.swap(last, self.rng.below(last as u64 + 1) as usize);
            }
        }
        turns
    }

    fn run_timers(&mut self) -> bool {
        let is_due = self.router.poll_timeout().is_some_and(|at| at <= self.now);
        if is_due {
            self.router.handle_timeout(self.now);
            let next = self.router.poll_timeout();
            assert!(
                next.is_none_or(|at| at > self.now),
                "router: at {:?} the next time-out is {next:?}",
                self.now
            );
        }
        is_due
    }

    /// One end exchanges with the router all it has to.
    fn hear(&mut self, index: usize) -> bool {
        let end = &mut self.slots[index].end;
        let mut any = false;
        while end.is_ready || end.port.wants_exchange() {
            any = true;
            end.is_ready = false;
            let before = end.port.peer();
            end.port.exchange(&mut self.router, self.now);
            end.port.advance(self.now);
            let after = end.port.peer();
            if before != after {
                before.map(|peer| self.peers.remove(&peer));
                after.map(|peer| self.peers.insert(peer, index));
            }
        }
        any
    }

    /// Serves the peers that the router names.
    fn deliver(&mut self) -> bool {
        let mut any = false;
        while let Some(peer) = self.router.poll_ready() {
            let Some(&index) = self.peers.get(&peer) else { continue };
            self.slots[index].end.is_ready = true;
            any |= self.hear(index);
            let Slot { side, line, end } = &mut self.slots[index];
            if end.port.must_drop() {
                line.reset(self.now, side.end_mut(), end);
                self.hear(index);
            }
        }
        self.router_events.extend(std::iter::from_fn(|| self.router.poll_event()));
        any
    }

    /// Checks what has to be true at any time: the router's tables, its list of peers, and the bounds of
    /// every queue.
    ///
    /// # Errors
    /// What is not.
    pub fn check_invariants(&self) -> Result<(), String> {
        self.router.check_invariants()?;
        let attached = self.router.stats().peers;
        if attached != self.peers.len() {
            return Err(format!("{attached} peers are attached, {} links are open", self.peers.len()));
        }
        let limits = &self.links.limits;
        for (index, Slot { side, end, .. }) in self.slots.iter().enumerate() {
            let id = ClientId(index);
            let bound = (64 << 10) + (1 << 24);
            let queued = end.port.queued();
            if queued > bound {
                return Err(format!("the link of {id:?} holds {queued} bytes, more than {bound}"));
            }
            if end.port.has_ended() && end.port.peer().is_some() {
                return Err(format!("the link of {id:?} is closed, its peer still attached"));
            }
            if let super::Side::Client(client) = side {
                let session = client.connection.session();
                if client.is_closed() && session.pending_requests() + session.pending_invocations() > 0 {
                    return Err(format!("{id:?} is closed and has something pending"));
                }
            }
        }
        let stats = self.router.stats();
        let bound = limits.output_size.saturating_mul(roadbed_router::OVERRUN_FACTOR) + (1 << 24);
        if stats.queued_bytes > bound.saturating_mul(stats.peers.max(1)) {
            return Err(format!("{} bytes are queued for {} peers", stats.queued_bytes, stats.peers));
        }
        Ok(())
    }
}

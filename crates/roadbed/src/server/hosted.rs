//! What stands behind a shard's lock: the shard, how the connections of its peers are reached, and its time.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::Waker;

use roadbed_core::time::Timestamp;
use roadbed_router::{PeerId, Shard, ShardId};

use super::after::After;
use super::mailbox::{Mail, Mailbox};
use crate::guard::Sleeper;

/// A shard, and who is in it.
pub(super) struct Hosted {
    pub(super) shard: Shard,
    id: ShardId,
    peers: HashMap<PeerId, Arc<Mailbox>>,
    timer: TimerState,
}

/// The task that waits for the shard's deadlines.
#[derive(Default)]
struct TimerState {
    is_running: bool,
    sleeper: Sleeper,
    until: Option<Timestamp>,
}

impl Hosted {
    pub(super) fn new(shard: Shard, id: ShardId) -> Self {
        Self { shard, id, peers: HashMap::new(), timer: TimerState::default() }
    }

    /// A peer comes to the shard.
    pub(super) fn insert(&mut self, peer: PeerId, mailbox: &Arc<Mailbox>) {
        self.peers.insert(peer, Arc::clone(mailbox));
    }

    /// A peer has left the shard.
    pub(super) fn remove(&mut self, peer: PeerId, after: &mut After) {
        self.peers.remove(&peer);
        if self.peers.is_empty() {
            self.peers = HashMap::new();
            // Nothing is left to wait for.
            if self.shard.poll_timeout().is_none() {
                after.wakers.extend(self.timer.sleeper.rouse());
            }
        }
    }

    /// After any change: tells the drivers of the peers that the shard names, but not that of `but`, which has just
    /// exchanged; and sees to the time.
    pub(super) fn settle(&mut self, but: Option<PeerId>, after: &mut After) {
        let mail = Mail { is_ready: true, ..Mail::default() };
        while let Some(peer) = self.shard.poll_ready() {
            if Some(peer) != but
                && let Some(mailbox) = self.peers.get(&peer)
            {
                after.wakers.extend(mailbox.post(mail));
            }
        }
        let Some(at) = self.shard.poll_timeout() else { return };
        if !self.timer.is_running {
            self.timer.is_running = true;
            self.timer.until = None;
            after.timers.push(self.id);
        } else if self.timer.until.is_some_and(|until| at < until) {
            after.wakers.extend(self.timer.sleeper.rouse());
        }
    }

    /// Runs the deadlines that are due. Says when the next one is, for which `waker` sleeps; `None` ends the timer's
    /// task.
    pub(super) fn run_timers(
        &mut self,
        now: Timestamp,
        waker: &Waker,
        after: &mut After,
    ) -> Option<Timestamp> {
        if self.shard.poll_timeout().is_some_and(|at| at <= now) {
            self.shard.handle_timeout(now);
        }
        self.timer.until = self.shard.poll_timeout();
        match self.timer.until {
            Some(_) => after.replaced.extend(self.timer.sleeper.sleep(waker)),
            None => self.timer.is_running = false,
        }
        self.timer.until
    }

    /// The timer's task is gone before its time, or the router is: whom to wake, if anybody.
    pub(super) fn stop_timer(&mut self) -> Option<Waker> {
        self.timer.is_running = false;
        self.timer.sleeper.rouse()
    }
}

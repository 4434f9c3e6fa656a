//! What has to wait until every lock is free: it runs foreign code.

use std::task::Waker;

use futures_channel::oneshot;
use roadbed_router::{RouterEvent, ShardId};

/// What is done when every lock is free again.
#[derive(Default)]
pub(super) struct After {
    pub(super) wakers: Vec<Waker>,
    /// Wakers that others replaced, and that may own their tasks.
    pub(super) replaced: Vec<Waker>,
    /// An event to be told, and then all that follow: nobody else is telling.
    pub(super) event: Option<RouterEvent>,
    pub(super) empty: Vec<oneshot::Sender<()>>,
    /// Shards that have a deadline, and no task that waits for it.
    pub(super) timers: Vec<ShardId>,
}

impl After {
    /// Adds what another change brought about.
    pub(super) fn add(&mut self, mut other: Self) {
        self.wakers.append(&mut other.wakers);
        self.replaced.append(&mut other.replaced);
        // Only one of them can have one: whoever takes an event is the one who tells.
        self.event = self.event.take().or(other.event);
        self.empty.append(&mut other.empty);
        self.timers.append(&mut other.timers);
    }
}

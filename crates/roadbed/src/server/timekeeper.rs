//! The task that waits for the deadlines of one shard. It runs while there are any, and ends with the router.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use roadbed_core::time::Timestamp;
use roadbed_router::ShardId;

use super::{RouterHandle, Shared};
use crate::drive::MOMENT;
use crate::runtime::Timer;

pub(super) struct Timekeeper {
    /// Weak: deadlines do not keep a router alive.
    router: Weak<Shared>,
    shard: ShardId,
    timer: Box<dyn Timer>,
    /// The deadline that is waited for.
    armed: Option<Timestamp>,
    /// When it is judged, if it is noticed late: the process was stopped, and what the peers sent in time may lie in
    /// their sockets.
    judged: Option<Timestamp>,
    is_done: bool,
}

impl Timekeeper {
    pub(super) fn new(router: &RouterHandle, shard: ShardId) -> Self {
        Self {
            router: Arc::downgrade(&router.0),
            shard,
            timer: router.0.runtime.timer(),
            armed: None,
            judged: None,
            is_done: false,
        }
    }
}

impl Future for Timekeeper {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        loop {
            let Some(router) = this.router.upgrade().map(RouterHandle) else { break };
            let now = router.0.runtime.now();
            if this.judged.is_none() && this.armed.is_some_and(|at| at.saturating_add(MOMENT) < now) {
                this.judged = Some(now.saturating_add(MOMENT));
            }
            if let Some(at) = this.judged {
                ready!(this.timer.poll_at(cx, at));
            }
            this.judged = None;
            let now = router.0.runtime.now();
            let next =
                router.with_shard(this.shard, |hosted, after| hosted.run_timers(now, cx.waker(), after));
            let Some(at) = next else { break };
            this.armed = Some(at);
            ready!(this.timer.poll_at(cx, at));
        }
        this.is_done = true;
        Poll::Ready(())
    }
}

impl Drop for Timekeeper {
    fn drop(&mut self) {
        if !self.is_done
            && let Some(router) = self.router.upgrade()
            && let Some(hosted) = router.shards.get(self.shard.index())
        {
            // The next change starts another one.
            let _ = hosted.with(|hosted, (): &mut ()| hosted.stop_timer());
        }
    }
}

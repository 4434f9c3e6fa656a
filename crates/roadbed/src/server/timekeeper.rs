//! The task that waits for a router's own deadlines. It runs while there are any, and ends with the router.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use super::{RouterHandle, Shared};
use crate::runtime::Timer;

pub(super) struct Timekeeper {
    /// Weak: deadlines do not keep a router alive.
    router: Weak<Shared>,
    timer: Box<dyn Timer>,
    is_done: bool,
}

impl Timekeeper {
    pub(super) fn new(router: &RouterHandle) -> Self {
        Self { router: Arc::downgrade(&router.0), timer: router.0.runtime.timer(), is_done: false }
    }
}

impl Future for Timekeeper {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        loop {
            let next = this.router.upgrade().map(RouterHandle).and_then(|router| {
                let now = router.0.runtime.now();
                router.with(|state, after| state.run_timers(now, cx.waker(), after))
            });
            let Some(at) = next else {
                this.is_done = true;
                return Poll::Ready(());
            };
            if this.timer.poll_at(cx, at).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Timekeeper {
    fn drop(&mut self) {
        if !self.is_done
            && let Some(router) = self.router.upgrade()
        {
            // The next change starts another one.
            let _ = router.state.with(|state, (): &mut ()| state.stop_timer());
        }
    }
}

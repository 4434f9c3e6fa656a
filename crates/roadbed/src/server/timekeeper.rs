//! The task that waits for a router's own deadlines. It runs while there are any, and ends with the router.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use roadbed_core::time::Timestamp;

use super::{RouterHandle, Shared};
use crate::runtime::Timer;

/// How much later than a deadline is late; and how long connections then get to read what waits.
const MOMENT: Duration = Duration::from_millis(1);

pub(super) struct Timekeeper {
    /// Weak: deadlines do not keep a router alive.
    router: Weak<Shared>,
    timer: Box<dyn Timer>,
    /// The deadline that is waited for.
    armed: Option<Timestamp>,
    /// When it is judged, if it is noticed late: the process was stopped, and what the peers sent in time may lie in
    /// their sockets.
    judged: Option<Timestamp>,
    is_done: bool,
}

impl Timekeeper {
    pub(super) fn new(router: &RouterHandle) -> Self {
        Self {
            router: Arc::downgrade(&router.0),
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
            let router = this.router.upgrade().map(RouterHandle);
            if let (Some(router), Some(armed), None) = (&router, this.armed, this.judged) {
                let now = router.0.runtime.now();
                this.judged = (armed.saturating_add(MOMENT) < now).then(|| now.saturating_add(MOMENT));
            }
            if let (Some(_), Some(at)) = (&router, this.judged)
                && this.timer.poll_at(cx, at).is_pending()
            {
                return Poll::Pending;
            }
            this.judged = None;
            let next = router.and_then(|router| {
                let now = router.0.runtime.now();
                router.with(|state, after| state.run_timers(now, cx.waker(), after))
            });
            let Some(at) = next else {
                this.is_done = true;
                return Poll::Ready(());
            };
            this.armed = Some(at);
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

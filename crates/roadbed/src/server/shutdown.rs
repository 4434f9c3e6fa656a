//! The end of a router.

use std::future::{Future, IntoFuture, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_channel::oneshot;
use roadbed_core::time::Timestamp;
use roadbed_router::SHUTDOWN_GRACE;

use super::RouterHandle;
use crate::drive::LINGER;
use crate::fuse::Fused;
use crate::runtime::Timer;

/// The end of a router, to be awaited or waited for. Both give the number of connections that are left, mostly 0.
#[derive(Debug)]
#[must_use = "nothing is shut down before it is awaited"]
pub struct Shutdown {
    router: RouterHandle,
    patience: Duration,
}

impl Shutdown {
    pub(super) fn new(router: RouterHandle, patience: Duration) -> Self {
        Self { router, patience }
    }

    /// Waits in this thread.
    ///
    /// # Panics
    /// In a task of the runtime that drives the connections, where that can tell: it would wait for itself.
    pub fn wait(self) -> usize {
        let runtime = Arc::clone(&self.router.0.runtime);
        crate::park::wait_or_panic(&*runtime, self.run())
    }

    async fn run(self) -> usize {
        let Self { router, patience } = self;
        let runtime = &router.0.runtime;
        let now = runtime.now();
        let deadline = now.saturating_add(patience);
        let mut empty = router.with_lobby(|entrance, _| {
            entrance.lobby.shutdown();
            entrance.wait_until_empty()
        });
        for shard in router.shards() {
            router.with_shard(shard, |hosted, _| hosted.shard.shutdown(now, deadline));
        }
        let mut timer = runtime.timer();
        // Until then the router cuts off by itself who does not answer it; what is left has never become a peer, or is
        // being closed.
        if by(&mut timer, deadline.saturating_add(SHUTDOWN_GRACE), &mut empty).await {
            return 0;
        }
        router.with_lobby(super::entrance::Entrance::lose_all);
        // Now every driver has something to do, and nothing to wait for; if it is driven.
        if by(&mut timer, deadline.saturating_add(LINGER), &mut empty).await {
            return 0;
        }
        router.connections()
    }
}

/// Waits until no connection is left, but no longer than this. Says whether none is.
async fn by(timer: &mut Box<dyn Timer>, at: Timestamp, empty: &mut oneshot::Receiver<()>) -> bool {
    poll_fn(|cx| {
        if Pin::new(&mut *empty).poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        timer.poll_at(cx, at).map(|()| false)
    })
    .await
}

impl IntoFuture for Shutdown {
    type Output = usize;
    type IntoFuture = Pin<Box<dyn Future<Output = usize> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(Fused::new(self.run()))
    }
}

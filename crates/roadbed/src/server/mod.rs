//! An embedded router: the pure core behind one lock, and a driver for each peer.
//!
//! ```
//! use std::sync::Arc;
//!
//! use roadbed::core::transport::TransportDetails;
//! use roadbed::core::uri::Uri;
//! use roadbed::runtime::{ByteStream, Runtime};
//! use roadbed::server::{Authentication, RouterConfig, RouterHandle};
//!
//! fn serve(stream: impl ByteStream, runtime: Arc<dyn Runtime>) -> Result<(), Box<dyn std::error::Error>> {
//!     let config = RouterConfig::new().realm(Uri::new("realm1")?, Authentication::new().anonymous("guest"));
//!     let router = RouterHandle::new(config, Arc::clone(&runtime))?;
//!     runtime.spawn(Box::pin(router.accept(stream, TransportDetails::local())));
//!     Ok(())
//! }
//! ```

mod admission;
#[cfg(test)]
mod admission_tests;
mod backoff;
mod builder;
mod peer;
mod state;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use roadbed_core::link::LinkConfig;
use roadbed_core::message::RawDict;
use roadbed_core::transport::TransportDetails;
use roadbed_core::uri::Uri;
pub use roadbed_router::{
    Authentication, AuthenticationRequest, ConfigError, Counters, DecisionId, Grant, NotAwaited, PeerId,
    RouterConfig, RouterEvent, RouterStats, SessionInfo, TicketTable,
};

pub use backoff::Backoff;
pub use builder::Builder;
pub use peer::PeerDriver;

use self::state::{After, State};
use crate::client::{self, Joining, Settings};
use crate::drive::Run;
use crate::error::Error;
use crate::fuse::Fused;
use crate::guard::Guarded;
use crate::memory;
use crate::runtime::{ByteStream, Runtime};

/// Bytes on their way in each direction between a local session and the router.
const LOCAL_PIPE: usize = 64 << 10;

/// What is called with what happens in a router.
type Observer = dyn Fn(&RouterHandle, RouterEvent) + Send + Sync;

/// A router that peers can be attached to. Clones are the same router.
///
/// All protocol state is behind one lock, and nothing waits for a peer while that is held. The router
/// lives as long as a clone, or the driver of a peer.
#[derive(Clone)]
pub struct RouterHandle(Arc<Shared>);

struct Shared {
    state: Guarded<State>,
    runtime: Arc<dyn Runtime>,
    link: LinkConfig,
    observer: Option<Arc<Observer>>,
    /// How TLS is answered, and whether nothing else is.
    #[cfg(feature = "tls")]
    tls: Option<(roadbed_tls::TlsServerConfig, bool)>,
}

impl RouterHandle {
    /// A router without peers, and with every default of [`Builder`].
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration cannot work.
    pub fn new(config: RouterConfig, runtime: Arc<dyn Runtime>) -> Result<Self, ConfigError> {
        Self::builder(config).start(runtime)
    }

    /// A router to be set up further.
    pub fn builder(config: RouterConfig) -> Builder {
        Builder::new(config)
    }

    /// Serves a peer over an accepted stream: spawn what it returns. It is done when the stream can be
    /// dropped; dropped before, it takes the peer with it.
    pub fn accept<S: ByteStream>(&self, stream: S, details: TransportDetails) -> Run<PeerDriver, S> {
        Run::new(Arc::new(self.accept_driver(details)), stream, Arc::clone(&self.0.runtime))
    }

    /// As [`accept`](Self::accept), for those who drive the halves themselves.
    pub fn accept_driver(&self, details: TransportDetails) -> PeerDriver {
        PeerDriver::new(self.clone(), details)
    }

    /// Joins a session of this process, without a socket: the router's own procedures and subscribers.
    /// Both drivers are spawned.
    ///
    /// # Errors
    /// [`Error::Config`] when the settings cannot work.
    pub fn attach_local(&self, settings: &Settings) -> Result<Joining, Error> {
        let runtime = &self.0.runtime;
        let serializer = settings.serializers.first().copied();
        let serializer = serializer.ok_or(crate::url::UrlError::NoSerializer)?;
        let details = TransportDetails::local();
        let (joining, driver) = client::open(settings, Arc::clone(runtime), serializer, details.clone())?;
        let (here, there) = memory::pipe(LOCAL_PIPE);
        let peer = PeerDriver::local(self.clone(), details);
        runtime.spawn(Box::pin(Run::new(Arc::new(peer), there, Arc::clone(runtime))));
        runtime.spawn(Box::pin(driver.run(here)));
        Ok(joining)
    }

    /// Lets a peer in that [`RouterEvent::Authenticate`] asked for.
    ///
    /// # Errors
    /// [`NotAwaited`] when the answer comes too late.
    pub fn grant(&self, decision: DecisionId, grant: Grant) -> Result<(), NotAwaited> {
        let now = self.0.runtime.now();
        self.with(|state, _| state.router.accept(now, decision, grant))
    }

    /// Asks a peer for proof that [`RouterEvent::Authenticate`] asked for.
    ///
    /// # Errors
    /// [`NotAwaited`] when the answer comes too late.
    pub fn challenge(&self, decision: DecisionId, extra: RawDict) -> Result<(), NotAwaited> {
        let now = self.0.runtime.now();
        self.with(|state, _| state.router.challenge(now, decision, extra))
    }

    /// Refuses a peer that [`RouterEvent::Authenticate`] asked for.
    ///
    /// # Errors
    /// [`NotAwaited`] when the answer comes too late.
    pub fn deny(&self, decision: DecisionId, reason: &Uri, message: &str) -> Result<(), NotAwaited> {
        let now = self.0.runtime.now();
        self.with(|state, _| state.router.deny(now, decision, reason, message))
    }

    /// Ends the session of a peer with GOODBYE, such as `wamp.close.killed`.
    pub fn kill(&self, peer: PeerId, reason: &Uri, message: &str) {
        let now = self.0.runtime.now();
        self.with(|state, _| state.router.kill(now, peer, reason, message));
    }

    /// What is there, and what happened so far.
    pub fn stats(&self) -> RouterStats {
        self.with(|state, _| state.router.stats())
    }

    /// How many streams are open: peers, those that say goodbye, and those that have said nothing yet.
    pub fn connections(&self) -> usize {
        self.with(|state, _| state.len())
    }

    /// Says GOODBYE to everybody, refuses whoever comes from now on, and waits until all have gone: await
    /// it, or `wait()` for it. Who has not gone after `patience` is cut off.
    pub fn shutdown(&self, patience: Duration) -> Shutdown {
        Shutdown { router: self.clone(), patience }
    }

    /// Lets `act` at the state, carries the router's output to the links, and wakes whoever is concerned.
    fn with<R>(&self, act: impl FnOnce(&mut State, &mut After) -> R) -> R {
        let now = self.0.runtime.now();
        let (result, after) = self.0.state.with(|state, after| {
            let result = act(state, after);
            state.settle(now, after);
            result
        });
        let After { wakers, event, empty } = after;
        wakers.into_iter().for_each(std::task::Waker::wake);
        for waiter in empty {
            // Whoever waited may be gone.
            let _ = waiter.send(());
        }
        if let Some(event) = event {
            self.tell(event);
        }
        result
    }

    /// Tells the observer what happened, one event after the other, until nothing is left to tell. Others
    /// that find something to tell meanwhile leave it to this thread, so the order of the router is kept.
    fn tell(&self, event: RouterEvent) {
        let Some(observer) = &self.0.observer else { return };
        let mut next = Some(event);
        while let Some(event) = next {
            // What the observer left behind is its owner's affair.
            let _ = catch_unwind(AssertUnwindSafe(|| observer(self, event)));
            (next, ()) = self.0.state.with(|state, (): &mut ()| state.next_to_tell());
        }
    }
}

impl fmt::Debug for RouterHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouterHandle").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

/// The end of a router, to be awaited or waited for.
#[derive(Debug)]
#[must_use = "nothing is shut down before it is awaited"]
pub struct Shutdown {
    router: RouterHandle,
    patience: Duration,
}

impl Shutdown {
    /// Waits in this thread.
    pub fn wait(self) {
        crate::park::block_on(self.run());
    }

    async fn run(self) {
        let Self { router, patience } = self;
        let runtime = &router.0.runtime;
        let now = runtime.now();
        let deadline = now + patience;
        let mut empty = router.with(|state, _| {
            state.router.shutdown(now, deadline);
            state.wait_until_empty()
        });
        let mut timer = runtime.timer();
        let is_empty = poll_fn(|cx| {
            if Pin::new(&mut empty).poll(cx).is_ready() {
                return Poll::Ready(true);
            }
            timer.poll_at(cx, deadline).map(|()| false)
        });
        if !is_empty.await {
            let now = runtime.now();
            let empty = router.with(|state, after| {
                state.lose_all(now, after);
                state.wait_until_empty()
            });
            // The drivers are awake, and have nothing left to wait for.
            let _ = empty.await;
        }
    }
}

impl IntoFuture for Shutdown {
    type Output = ();
    type IntoFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(Fused::new(self.run()))
    }
}

//! An embedded router: the pure core behind one lock, and a driver with its own port for each peer.
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
#[cfg(test)]
mod ending_tests;
mod mailbox;
mod peer;
mod requests;
mod shutdown;
mod state;
#[cfg(test)]
mod tests;
mod timekeeper;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use roadbed_core::link::LinkConfig;
use roadbed_core::message::RawDict;
use roadbed_core::transport::TransportDetails;
use roadbed_core::uri::Uri;
pub use roadbed_router::{
    Access, AccessOptions, Authentication, AuthenticationRequest, Authorization, AuthorizationId,
    AuthorizationRequest, Authorizer, ConfigError, ConnectionRefusal, Counters, DecisionId, Grant,
    NotAwaited, PayloadPolicy, PeerId, PublishError, RealmConfig, RouterConfig, RouterEvent, RouterStats,
    SessionInfo, TicketTable, Verb, Verdict,
};

pub use backoff::Backoff;
pub use builder::Builder;
pub use peer::PeerDriver;
pub use shutdown::Shutdown;

use self::state::{After, State};
use self::timekeeper::Timekeeper;
use crate::client::{self, Joining, Settings};
use crate::drive::Run;
use crate::error::Error;
use crate::guard::Guarded;
use crate::memory;
use crate::runtime::{ByteStream, Runtime};

/// Bytes on their way in each direction between a local session and the router.
const LOCAL_PIPE: usize = 64 << 10;

/// What is called with what happens in a router.
type Observer = dyn Fn(&RouterHandle, RouterEvent) + Send + Sync;

/// A router that peers can be attached to. Clones are the same router.
///
/// The router is behind one lock, which is held for bounded exchanges and never while bytes are decoded or framed: each
/// connection does that for itself. The router lives as long as a clone, or the driver of a peer.
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

impl Drop for Shared {
    fn drop(&mut self) {
        // The task that keeps the time notices that there is nothing left to do.
        let (waker, ()) = self.state.with(|state, (): &mut ()| state.stop_timer());
        if let Some(waker) = waker {
            waker.wake();
        }
    }
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
        self.attach(settings, None)
    }

    /// As [`attach_local`](Self::attach_local), for a session that the embedder vouches for: it is let in with the
    /// authid and role of `grant`, whatever the realm asks of others. Peers from the network cannot have this.
    ///
    /// ```
    /// use roadbed::client::{Joining, Settings};
    /// use roadbed::server::{Grant, RouterHandle};
    ///
    /// fn join(router: &RouterHandle) -> Result<Joining, roadbed::Error> {
    ///     router.attach_trusted(&Settings::new("realm1"), Grant::new("backend", "service"))
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] when the settings cannot work.
    pub fn attach_trusted(&self, settings: &Settings, grant: Grant) -> Result<Joining, Error> {
        self.attach(settings, Some(grant))
    }

    fn attach(&self, settings: &Settings, grant: Option<Grant>) -> Result<Joining, Error> {
        let runtime = &self.0.runtime;
        let serializer = settings.serializers.first().copied();
        let serializer = serializer.ok_or(crate::url::UrlError::NoSerializer)?;
        let details = TransportDetails::local();
        let (joining, driver) = client::open(settings, Arc::clone(runtime), serializer, details)?;
        let (here, there) = memory::pipe(LOCAL_PIPE);
        let peer = PeerDriver::local(self.clone(), grant);
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
        self.with(|state, _| state.router.grant(now, decision, grant))
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

    /// Shuts the router down: await it, or `wait()` for it. New connections and new requests are refused from now on.
    /// Sessions without a call in flight are sent GOODBYE `wamp.close.system_shutdown` at once, callers and callees as
    /// soon as their calls have ended. After `patience`, calls that have not ended are answered with that error, their
    /// sessions too are sent GOODBYE, and peers that do not answer are cut off. It takes
    /// [`LINGER`](crate::drive::LINGER) more than `patience` at most, and gives the number of connections that are left
    /// even then, whose drivers do not run: mostly 0.
    pub fn shutdown(&self, patience: Duration) -> Shutdown {
        Shutdown::new(self.clone(), patience)
    }

    /// Lets `act` at the state, finds out whom it concerns, and carries that out.
    fn with<R>(&self, act: impl FnOnce(&mut State, &mut After) -> R) -> R {
        let (result, after) = self.0.state.with(|state, after| {
            let result = act(state, after);
            state.settle(None, after);
            result
        });
        self.carry_out(after);
        result
    }

    /// As [`with`](Self::with), for a connection that is locked itself: what follows is left in `after`. `act` says
    /// which peer has just exchanged.
    fn locked(&self, after: &mut After, act: impl FnOnce(&mut State, &mut After) -> Option<PeerId>) {
        let ((), more) = self.0.state.with(|state, after| {
            let peer = act(state, after);
            state.settle(peer, after);
        });
        after.add(more);
    }

    /// Does what had to wait until every lock was free.
    fn carry_out(&self, after: After) {
        let After { wakers, replaced, event, empty, starts_timer } = after;
        // A waker below may panic.
        let telling = event.map(|event| (event, Turn { router: self, is_over: false }));
        wakers.into_iter().for_each(std::task::Waker::wake);
        drop(replaced);
        for waiter in empty {
            // Whoever waited may be gone.
            let _ = waiter.send(());
        }
        if starts_timer {
            self.0.runtime.spawn(Box::pin(Timekeeper::new(self)));
        }
        if let Some((event, turn)) = telling {
            self.tell(event, turn);
        }
    }

    /// Tells the observer what happened, one event after the other, until nothing is left to tell. Others
    /// that find something to tell meanwhile leave it to this thread, so the order of the router is kept.
    fn tell(&self, event: RouterEvent, mut turn: Turn<'_>) {
        let Some(observer) = &self.0.observer else { return };
        let mut next = Some(event);
        while let Some(event) = next {
            // What the observer left behind is its owner's affair.
            let _ = catch_unwind(AssertUnwindSafe(|| observer(self, event)));
            let after: After;
            (next, after) = self.0.state.with(|state, after: &mut After| {
                let next = state.next_to_tell();
                // Peers that waited for this to be told are read again.
                state.post(None, after);
                next
            });
            turn.is_over = next.is_none();
            after.wakers.into_iter().for_each(std::task::Waker::wake);
        }
    }
}

/// The turn to tell the observer, which one thread has at a time. Dropped before there is nothing left to tell, as when a
/// waker panics, it is given up.
struct Turn<'a> {
    router: &'a RouterHandle,
    is_over: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            let _ = self.router.0.state.with(|state, (): &mut ()| state.stop_telling());
        }
    }
}

impl fmt::Debug for RouterHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A look, and nothing else: formatting must not wake or tell anybody.
        let ((connections, counters), ()) =
            self.0.state.with(|state, (): &mut ()| (state.len(), state.router.counters()));
        let mut shown = f.debug_struct("RouterHandle");
        shown.field("connections", &connections).field("counters", &counters).finish_non_exhaustive()
    }
}

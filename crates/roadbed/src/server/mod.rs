//! An embedded router: the pure core, each of its parts behind a lock of its own, and a driver with its own port for
//! each peer.
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
mod after;
mod backoff;
mod builder;
#[cfg(test)]
mod ending_tests;
mod entrance;
mod hosted;
mod mailbox;
mod peer;
mod requests;
mod shutdown;
mod telling;
#[cfg(test)]
mod tests;
mod timekeeper;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use roadbed_core::id::SessionId;
use roadbed_core::link::LinkConfig;
use roadbed_core::message::RawDict;
use roadbed_core::transport::TransportDetails;
use roadbed_core::uri::Uri;
pub use roadbed_router::{
    Access, AccessOptions, Authentication, AuthenticationRequest, Authorization, AuthorizationId,
    AuthorizationRequest, Authorizer, ConfigError, ConnectionRefusal, Counters, DecisionId, Grant,
    NotAwaited, PayloadPolicy, PeerId, PublishError, RealmConfig, RouterConfig, RouterEvent, RouterStats,
    SessionInfo, ShardId, TicketTable, Verb, Verdict,
};

pub use backoff::Backoff;
pub use builder::Builder;
pub use peer::PeerDriver;
pub use shutdown::Shutdown;

use self::after::After;
use self::entrance::Entrance;
use self::hosted::Hosted;
use self::telling::{Telling, Turn};
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
/// Its lobby and each of its shards are behind a lock of their own, which is held for bounded exchanges and never while
/// bytes are decoded or framed: each connection does that for itself. The router lives as long as a clone, or the
/// driver of a peer.
#[derive(Clone)]
pub struct RouterHandle(Arc<Shared>);

/// Locks are taken in this order, and never two in one line of it: a connection's own; the lobby's or a shard's; that
/// of the events that wait for the observer, or a mailbox's. What runs foreign code (wakers, the observer) is collected
/// in [`After`] and run when all are free.
struct Shared {
    entrance: Guarded<Entrance>,
    shards: Box<[Guarded<Hosted>]>,
    telling: Telling,
    runtime: Arc<dyn Runtime>,
    link: LinkConfig,
    /// How TLS is answered, and whether nothing else is.
    #[cfg(feature = "tls")]
    tls: Option<(roadbed_tls::TlsServerConfig, bool)>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        for hosted in &self.shards {
            // The task that keeps the time notices that there is nothing left to do.
            let (waker, ()) = hosted.with(|hosted, (): &mut ()| hosted.stop_timer());
            if let Some(waker) = waker {
                waker.wake();
            }
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
        self.with_lobby(|entrance, _| entrance.lobby.grant(decision, grant))
    }

    /// Asks a peer for proof that [`RouterEvent::Authenticate`] asked for.
    ///
    /// # Errors
    /// [`NotAwaited`] when the answer comes too late.
    pub fn challenge(&self, decision: DecisionId, extra: RawDict) -> Result<(), NotAwaited> {
        self.with_lobby(|entrance, _| entrance.lobby.challenge(decision, extra))
    }

    /// Refuses a peer that [`RouterEvent::Authenticate`] asked for.
    ///
    /// # Errors
    /// [`NotAwaited`] when the answer comes too late.
    pub fn deny(&self, decision: DecisionId, reason: &Uri, message: &str) -> Result<(), NotAwaited> {
        self.with_lobby(|entrance, _| entrance.lobby.deny(decision, reason, message))
    }

    /// Ends a session with GOODBYE; the reason is such as `wamp.close.killed`. Returns whether there was such a
    /// session.
    pub fn kill(&self, session: SessionId, reason: &Uri, message: &str) -> bool {
        let now = self.0.runtime.now();
        let shard = ShardId::of_session(session, self.0.shards.len());
        self.with_shard(shard, |hosted, _| hosted.shard.kill(now, session, reason, message))
    }

    /// Opens a realm while the router runs.
    ///
    /// # Errors
    /// [`ConfigError`] when the realm cannot work, or is there already.
    ///
    /// ```
    /// use roadbed::core::uri::Uri;
    /// use roadbed::server::{Authentication, ConfigError, RealmConfig, RouterHandle};
    ///
    /// fn add_tenant(router: &RouterHandle, realm: Uri) -> Result<(), ConfigError> {
    ///     router.add_realm(&RealmConfig::new(realm, Authentication::new().anonymous("tenant")))
    /// }
    /// ```
    pub fn add_realm(&self, realm: &RealmConfig) -> Result<(), ConfigError> {
        let shard = self.with_lobby(|entrance, _| entrance.lobby.place_realm(realm))?;
        // In this order: who is let in finds the realm.
        self.with_shard(shard, |hosted, _| hosted.shard.add_realm(realm));
        self.with_lobby(|entrance, _| entrance.lobby.open_realm(&realm.uri));
        Ok(())
    }

    /// Closes a realm while the router runs: no peer is let into it any more, and its sessions are sent GOODBYE
    /// `wamp.close.close_realm`. Returns whether there was such a realm.
    pub fn remove_realm(&self, realm: &Uri) -> bool {
        let now = self.0.runtime.now();
        let Some(shard) = self.with_lobby(|entrance, _| entrance.lobby.remove_realm(realm)) else {
            return false;
        };
        self.with_shard(shard, |hosted, _| hosted.shard.remove_realm(now, realm));
        true
    }

    /// Returns what is there, and what happened so far: the sum of the lobby and all shards, one looked at after the
    /// other.
    pub fn stats(&self) -> RouterStats {
        let (peers, counters, queued) = self.with_lobby(|entrance, _| {
            (entrance.lobby.peers(), entrance.lobby.counters(), entrance.lobby.queued_events())
        });
        let mut stats = RouterStats::default();
        for shard in self.shards() {
            stats.add(&self.with_shard(shard, |hosted, _| hosted.shard.stats()));
        }
        stats.peers = peers;
        stats.counters.add(&counters);
        stats.queued_events += queued + self.0.telling.len();
        stats
    }

    /// Returns how many streams are open: peers, those that say goodbye, and those that have said nothing yet.
    pub fn connections(&self) -> usize {
        self.with_lobby(|entrance, _| entrance.len())
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

    fn shards(&self) -> impl Iterator<Item = ShardId> + use<> {
        (0..self.0.shards.len()).map(ShardId::new)
    }

    /// Lets `act` at the lobby, finds out whom it concerns, and carries that out.
    fn with_lobby<R>(&self, act: impl FnOnce(&mut Entrance, &mut After) -> R) -> R {
        let mut after = After::default();
        let result = self.in_lobby(&mut after, |entrance, after| (act(entrance, after), None));
        self.carry_out(after);
        result
    }

    /// Lets `act` at a shard, finds out whom it concerns, and carries that out.
    fn with_shard<R>(&self, shard: ShardId, act: impl FnOnce(&mut Hosted, &mut After) -> R) -> R {
        let mut after = After::default();
        let result = self.in_shard(shard, &mut after, |hosted, after| (act(hosted, after), None));
        self.carry_out(after);
        result
    }

    /// As [`with_lobby`](Self::with_lobby), for a connection that is locked itself: what follows is left in `after`.
    /// `act` says which peer has just exchanged.
    fn in_lobby<R>(
        &self,
        after: &mut After,
        act: impl FnOnce(&mut Entrance, &mut After) -> (R, Option<PeerId>),
    ) -> R {
        let (result, more) = self.0.entrance.with(|entrance, more: &mut After| {
            if self.0.telling.is_congested() {
                entrance.lobby.set_congested(true);
            }
            let (result, peer) = act(entrance, more);
            self.0.telling.collect(|| entrance.lobby.poll_event(), more);
            entrance.post(peer, more);
            result
        });
        after.add(more);
        result
    }

    /// As [`with_shard`](Self::with_shard), for a connection that is locked itself: what follows is left in `after`.
    /// `act` says which peer has just exchanged.
    fn in_shard<R>(
        &self,
        shard: ShardId,
        after: &mut After,
        act: impl FnOnce(&mut Hosted, &mut After) -> (R, Option<PeerId>),
    ) -> R {
        let (result, more) =
            self.0.shards[shard.index() % self.0.shards.len()].with(|hosted, more: &mut After| {
                if self.0.telling.is_congested() {
                    hosted.shard.set_congested(true);
                }
                let (result, peer) = act(hosted, more);
                self.0.telling.collect(|| hosted.shard.poll_event(), more);
                hosted.settle(peer, more);
                result
            });
        after.add(more);
        result
    }

    /// The observer has caught up: peers that had to wait for it go on.
    fn decongest(&self, after: &mut After) {
        self.in_lobby(after, |entrance, _| (entrance.lobby.set_congested(false), None));
        for shard in self.shards() {
            self.in_shard(shard, after, |hosted, _| (hosted.shard.set_congested(false), None));
        }
    }

    /// Does what had to wait until every lock was free.
    fn carry_out(&self, after: After) {
        let After { wakers, replaced, event, empty, timers } = after;
        // A waker below may panic.
        let telling = event.map(|event| Turn::new(self, event));
        wakers.into_iter().for_each(std::task::Waker::wake);
        drop(replaced);
        for waiter in empty {
            // Whoever waited may be gone.
            let _ = waiter.send(());
        }
        for shard in timers {
            self.0.runtime.spawn(Box::pin(Timekeeper::new(self, shard)));
        }
        if let Some(turn) = telling {
            turn.tell();
        }
    }
}

impl fmt::Debug for RouterHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A look, and nothing else: formatting must not wake or tell anybody.
        let (connections, ()) = self.0.entrance.with(|entrance, (): &mut ()| entrance.len());
        let mut shown = f.debug_struct("RouterHandle");
        shown.field("connections", &connections).field("shards", &self.0.shards.len()).finish_non_exhaustive()
    }
}

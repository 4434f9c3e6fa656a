//! Setting a router up.

use std::fmt;
use std::sync::Arc;

use roadbed_core::link::LinkConfig;
use roadbed_core::serializer::Serializer;
use roadbed_core::transport::LivenessConfig;
use roadbed_core::transport::websocket::{OriginPolicy, PathRule, Subprotocol, WebSocketServerConfig};
use roadbed_router::{ConfigError, Lobby, RouterConfig, RouterEvent, Shard, ShardId};

use super::entrance::Entrance;
use super::hosted::Hosted;
use super::telling::Telling;
use super::{Observer, RouterHandle, Shared};
use crate::guard::Guarded;
use crate::runtime::Runtime;

/// A router to be set up, and started.
///
/// ```
/// use roadbed::core::serializer::Serializer;
/// use roadbed::core::uri::Uri;
/// use roadbed::server::{Authentication, RouterConfig, RouterEvent, RouterHandle};
///
/// let config = RouterConfig::new().realm(Uri::new("realm1")?, Authentication::new().anonymous("guest"));
/// let builder = RouterHandle::builder(config).serializers(&[Serializer::Cbor]).on_event(|_, event| {
///     if let RouterEvent::Refused { message, .. } = event {
///         eprintln!("refused: {message}");
///     }
/// });
/// # Ok::<(), roadbed::core::uri::UriError>(())
/// ```
#[must_use]
pub struct Builder {
    config: RouterConfig,
    link: LinkConfig,
    websocket: Option<WebSocketServerConfig>,
    observer: Option<Arc<Observer>>,
    max_connections: Option<usize>,
    shards: usize,
    #[cfg(feature = "tls")]
    tls: Option<(roadbed_tls::TlsServerConfig, bool)>,
}

impl Builder {
    pub(super) fn new(config: RouterConfig) -> Self {
        let link = LinkConfig::default().limits(config.limits.clone());
        Self {
            config,
            link,
            websocket: Some(WebSocketServerConfig::default()),
            observer: None,
            max_connections: None,
            shards: 1,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Sets the serializers that peers may ask for. Default: all.
    pub fn serializers(mut self, serializers: &[Serializer]) -> Self {
        self.link = self.link.serializers(serializers);
        self
    }

    /// Sets how WebSocket peers are served, on the same port as everything else; `None`: not at all. Default:
    /// at every path, and of browsers' pages those of the own origin. Of the subprotocols those stay whose
    /// [`serializers`](Self::serializers) are allowed; how much is received, and when peers are pinged, is the same
    /// on every transport.
    pub fn websocket(mut self, config: impl Into<Option<WebSocketServerConfig>>) -> Self {
        self.websocket = config.into();
        self
    }

    /// Sets which pages browsers may connect from.
    ///
    /// ```
    /// use roadbed::core::transport::websocket::OriginPolicy;
    /// use roadbed::server::{RouterConfig, RouterHandle};
    ///
    /// let origins = OriginPolicy::allow(["https://app.example"])?;
    /// let builder = RouterHandle::builder(RouterConfig::new()).origins(origins);
    /// # Ok::<(), roadbed::core::error::ConfigError>(())
    /// ```
    pub fn origins(mut self, origins: OriginPolicy) -> Self {
        self.websocket = self.websocket.map(|websocket| websocket.origins(origins));
        self
    }

    /// Adds a path for WebSocket peers, with or without a realm; from then on other paths are not served.
    pub fn path(mut self, rule: PathRule) -> Self {
        self.websocket = self.websocket.map(|websocket| websocket.path(rule));
        self
    }

    /// Sets when peers are pinged.
    pub fn liveness(mut self, liveness: LivenessConfig) -> Self {
        self.link = self.link.liveness(liveness);
        self
    }

    /// Sets how many connections are served at a time; sessions of this process
    /// ([`attach_local`](RouterHandle::attach_local)) are not counted. Default: as many as come.
    ///
    /// Further peers are refused in their own terms and told to come back: RawSocket clients by error 4, WebSocket
    /// clients by status 503 with `Retry-After`; over TLS the same inside of it, once the handshake is done. Those
    /// that say nothing have the same deadlines as others. When as many connections are being refused as are
    /// served, further ones are closed without a word. [`Counters::connections_refused`] counts both.
    ///
    /// [`Counters::connections_refused`]: super::Counters::connections_refused
    pub fn max_connections(mut self, count: usize) -> Self {
        self.max_connections = Some(count);
        self
    }

    /// Sets into how many shards the realms are divided, each of them behind a lock of its own: as many realms as there
    /// are shards can be busy at a time, on as many cores. Default: 1, which serves several cores already, as
    /// connections decode and frame outside of the lock. Which realm is where:
    /// [`RealmConfig::shard`](super::RealmConfig::shard).
    pub fn shards(mut self, count: usize) -> Self {
        self.shards = count.max(1);
        self
    }

    /// Calls `observer` with every event of the router: sessions joined and left, peers refused, and
    /// questions to be answered with [`grant`](RouterHandle::grant), [`challenge`](RouterHandle::challenge)
    /// or [`deny`](RouterHandle::deny), now or later.
    ///
    /// Events come one at a time, in the order in which they happened, on the driver that found the first of
    /// them: what takes long belongs into a task of its own. What the observer itself brings about, such as
    /// by [`kill`](RouterHandle::kill), comes after it has returned.
    pub fn on_event(mut self, observer: impl Fn(&RouterHandle, RouterEvent) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Speaks TLS with whoever begins with it, on the same port as everything else: the first byte tells.
    /// Sessions over it are told by [`TransportDetails::is_secure`], and have a channel binding.
    ///
    /// ```
    /// use roadbed::core::uri::Uri;
    /// use roadbed::server::{Authentication, RouterConfig, RouterHandle};
    /// use roadbed::tls::{Identity, TlsConfigError, TlsServerConfig};
    ///
    /// fn set_up(config: RouterConfig, chain: &[u8], key: &[u8]) -> Result<(), TlsConfigError> {
    ///     let tls = TlsServerConfig::new(Identity::from_pem(chain, key)?)?;
    ///     let builder = RouterHandle::builder(config).tls_required(tls);
    /// #   drop(builder);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// [`TransportDetails::is_secure`]: roadbed_core::transport::TransportDetails::is_secure
    #[cfg(feature = "tls")]
    pub fn tls(mut self, config: roadbed_tls::TlsServerConfig) -> Self {
        self.tls = Some((config, false));
        self
    }

    /// As [`tls`](Self::tls), and serves nothing else: HTTP clients without TLS are answered status 400 in the clear,
    /// others a TLS alert, and closed. Sessions of this process ([`attach_local`](RouterHandle::attach_local)) need
    /// none.
    #[cfg(feature = "tls")]
    pub fn tls_required(mut self, config: roadbed_tls::TlsServerConfig) -> Self {
        self.tls = Some((config, true));
        self
    }

    /// Starts the router.
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration cannot work.
    pub fn start(self, runtime: Arc<dyn Runtime>) -> Result<RouterHandle, ConfigError> {
        let Self {
            config,
            mut link,
            websocket,
            observer,
            max_connections,
            shards,
            #[cfg(feature = "tls")]
            tls,
        } = self;
        config.check()?;
        if let Some(websocket) = websocket {
            let is_allowed = |subprotocol: &Subprotocol| link.serializers.contains(&subprotocol.serializer);
            let subprotocols: Vec<_> = websocket.subprotocols.iter().copied().filter(is_allowed).collect();
            // None at all would stand for peers that speak no WAMP.
            if !subprotocols.is_empty() {
                link = link.websocket(websocket.subprotocols(&subprotocols));
            }
        }
        let (config, now) = (config.into_shared(), runtime.now());
        let host = |index| {
            let id = ShardId::new(index);
            Guarded::new(Hosted::new(Shard::new(Arc::clone(&config), id, shards, runtime.seed(), now), id))
        };
        let lobby = Lobby::new(Arc::clone(&config), shards, runtime.seed());
        Ok(RouterHandle(Arc::new(Shared {
            entrance: Guarded::new(Entrance::new(lobby, max_connections)),
            shards: (0..shards).map(host).collect(),
            telling: Telling::new(observer, config.limits.queued_events),
            runtime,
            link,
            #[cfg(feature = "tls")]
            tls,
        })))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("config", &self.config)
            .field("link", &self.link)
            .finish_non_exhaustive()
    }
}

//! Setting a router up.

use std::fmt;
use std::sync::Arc;

use roadbed_core::link::LinkConfig;
use roadbed_core::serializer::Serializer;
use roadbed_core::transport::LivenessConfig;
use roadbed_core::transport::websocket::{OriginPolicy, PathRule, Subprotocol, WebSocketServerConfig};
use roadbed_router::{ConfigError, Router, RouterConfig, RouterEvent};

use super::state::State;
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
}

impl Builder {
    pub(super) fn new(config: RouterConfig) -> Self {
        let link = LinkConfig::default().limits(config.limits.clone());
        Self { config, link, websocket: Some(WebSocketServerConfig::default()), observer: None }
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

    /// Starts the router.
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration cannot work.
    pub fn start(self, runtime: Arc<dyn Runtime>) -> Result<RouterHandle, ConfigError> {
        let Self { config, mut link, websocket, observer } = self;
        config.check()?;
        if let Some(websocket) = websocket {
            let is_allowed = |subprotocol: &Subprotocol| link.serializers.contains(&subprotocol.serializer);
            let subprotocols: Vec<_> = websocket.subprotocols.iter().copied().filter(is_allowed).collect();
            // None at all would stand for peers that speak no WAMP.
            if !subprotocols.is_empty() {
                link = link.websocket(websocket.subprotocols(&subprotocols));
            }
        }
        let router = Router::new(config.into_shared(), runtime.seed(), runtime.now(), runtime.utc());
        let state = Guarded::new(State::new(router, observer.is_some()));
        Ok(RouterHandle(Arc::new(Shared { state, runtime, link, observer })))
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

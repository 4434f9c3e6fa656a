//! Settings of a router's end.

use alloc::sync::Arc;

use crate::error::ConfigError;
use crate::limits::Limits;
use crate::serializer::Serializer;
use crate::transport::websocket::WebSocketServerConfig;
use crate::transport::{LivenessConfig, RawSocketServerConfig};

/// What a router accepts from its peers. Cheap to clone; every link of a listener shares one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LinkConfig {
    /// Bounds and deadlines.
    pub limits: Limits,
    /// When a peer is pinged.
    pub liveness: LivenessConfig,
    /// The serializers that RawSocket clients may ask for. Default: all built in.
    pub serializers: Arc<[Serializer]>,
    /// Whether RawSocket clients are served. Default: yes.
    pub rawsocket: bool,
    /// How WebSocket clients are served, if they are. `max_receive` and `liveness` are those of this
    /// configuration, whatever they say there. Default: they are not.
    pub websocket: Option<Arc<WebSocketServerConfig>>,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            liveness: LivenessConfig::default(),
            serializers: Arc::from(Serializer::ALL),
            rawsocket: true,
            websocket: None,
        }
    }
}

impl LinkConfig {
    /// Sets [`LinkConfig::limits`].
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets [`LinkConfig::liveness`].
    #[must_use]
    pub fn liveness(mut self, liveness: LivenessConfig) -> Self {
        self.liveness = liveness;
        self
    }

    /// Sets [`LinkConfig::serializers`].
    #[must_use]
    pub fn serializers(mut self, serializers: &[Serializer]) -> Self {
        self.serializers = Arc::from(serializers);
        self
    }

    /// Sets [`LinkConfig::rawsocket`].
    #[must_use]
    pub fn rawsocket(mut self, is_served: bool) -> Self {
        self.rawsocket = is_served;
        self
    }

    /// Sets [`LinkConfig::websocket`].
    #[must_use]
    pub fn websocket(mut self, config: WebSocketServerConfig) -> Self {
        self.websocket = Some(Arc::new(config));
        self
    }

    /// Checks the configuration.
    ///
    /// # Errors
    /// [`ConfigError`] names the first thing that cannot work.
    pub fn check(&self) -> Result<(), ConfigError> {
        if !self.rawsocket && self.websocket.is_none() {
            return Err(ConfigError::NoTransport);
        }
        Ok(self.limits.check()?)
    }

    pub(super) fn rawsocket_server(&self) -> RawSocketServerConfig {
        let mut config =
            RawSocketServerConfig::default().max_receive(self.limits.message_size).liveness(self.liveness);
        config.serializers = self.serializers.clone();
        config
    }
}

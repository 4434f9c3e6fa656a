//! Settings of a router's end.

use alloc::sync::Arc;

use crate::error::ConfigError;
use crate::limits::Limits;
use crate::serializer::Serializer;
use crate::transport::{LivenessConfig, RawSocketServerConfig};

/// What a router accepts from its peers. Cheap to clone; every link of a listener shares one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LinkConfig {
    /// Bounds and deadlines.
    pub limits: Limits,
    /// When a peer is pinged.
    pub liveness: LivenessConfig,
    /// The serializers that clients may ask for. Default: all built in.
    pub serializers: Arc<[Serializer]>,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            liveness: LivenessConfig::default(),
            serializers: Arc::from(Serializer::ALL),
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

    /// Checks the configuration.
    ///
    /// # Errors
    /// [`ConfigError`] names the first thing that cannot work.
    pub fn check(&self) -> Result<(), ConfigError> {
        Ok(self.limits.check()?)
    }

    pub(super) fn rawsocket(&self) -> RawSocketServerConfig {
        let mut config =
            RawSocketServerConfig::default().max_receive(self.limits.message_size).liveness(self.liveness);
        config.serializers = self.serializers.clone();
        config
    }
}

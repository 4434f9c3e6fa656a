//! Settings of the two ends.

use alloc::sync::Arc;

use crate::limits::Limits;
use crate::serializer::Serializer;
use crate::transport::LivenessConfig;

/// What a RawSocket client asks for.
///
/// ```
/// use roadbed_core::serializer::Serializer;
/// use roadbed_core::transport::RawSocketClientConfig;
///
/// let config = RawSocketClientConfig::new(Serializer::MsgPack).max_receive(4 << 20);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RawSocketClientConfig {
    /// The serializer asked for; a RawSocket client names exactly one.
    pub serializer: Serializer,
    /// Bytes of the largest message to receive. What is announced and enforced is the largest power of two
    /// up to it, within 512 B and 16 MiB. Default: that of [`Limits::message_size`].
    pub max_receive: usize,
    /// Liveness pings.
    pub liveness: LivenessConfig,
}

impl RawSocketClientConfig {
    /// The defaults with this serializer.
    pub fn new(serializer: Serializer) -> Self {
        let max_receive = Limits::default().message_size;
        Self { serializer, max_receive, liveness: LivenessConfig::default() }
    }

    /// Sets [`RawSocketClientConfig::max_receive`].
    #[must_use]
    pub fn max_receive(mut self, bytes: usize) -> Self {
        self.max_receive = bytes;
        self
    }

    /// Sets [`RawSocketClientConfig::liveness`].
    #[must_use]
    pub fn liveness(mut self, liveness: LivenessConfig) -> Self {
        self.liveness = liveness;
        self
    }
}

/// What a RawSocket server accepts. Cheap to clone.
///
/// ```
/// use roadbed_core::serializer::Serializer;
/// use roadbed_core::transport::RawSocketServerConfig;
///
/// let config = RawSocketServerConfig::default().serializers(&[Serializer::Cbor, Serializer::Json]);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RawSocketServerConfig {
    /// The serializers clients may ask for. Default: all built in.
    pub serializers: Arc<[Serializer]>,
    /// As [`RawSocketClientConfig::max_receive`].
    pub max_receive: usize,
    /// Liveness pings.
    pub liveness: LivenessConfig,
}

impl Default for RawSocketServerConfig {
    fn default() -> Self {
        Self {
            serializers: Arc::from(Serializer::ALL),
            max_receive: Limits::default().message_size,
            liveness: LivenessConfig::default(),
        }
    }
}

impl RawSocketServerConfig {
    /// Sets [`RawSocketServerConfig::serializers`].
    #[must_use]
    pub fn serializers(mut self, serializers: &[Serializer]) -> Self {
        self.serializers = Arc::from(serializers);
        self
    }

    /// Sets [`RawSocketServerConfig::max_receive`].
    #[must_use]
    pub fn max_receive(mut self, bytes: usize) -> Self {
        self.max_receive = bytes;
        self
    }

    /// Sets [`RawSocketServerConfig::liveness`].
    #[must_use]
    pub fn liveness(mut self, liveness: LivenessConfig) -> Self {
        self.liveness = liveness;
        self
    }
}

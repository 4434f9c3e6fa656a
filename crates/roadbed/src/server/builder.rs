//! Setting a router up.

use std::fmt;
use std::sync::Arc;

use roadbed_core::link::LinkConfig;
use roadbed_core::serializer::Serializer;
use roadbed_core::transport::LivenessConfig;
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
    observer: Option<Arc<Observer>>,
}

impl Builder {
    pub(super) fn new(config: RouterConfig) -> Self {
        let link = LinkConfig::default().limits(config.limits.clone());
        Self { config, link, observer: None }
    }

    /// Sets the serializers that peers may ask for. Default: all.
    pub fn serializers(mut self, serializers: &[Serializer]) -> Self {
        self.link = self.link.serializers(serializers);
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
        let Self { config, link, observer } = self;
        config.check()?;
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

//! From a URL to a session, whatever the runtime.

use std::future::{Future, IntoFuture};
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use roadbed_core::transport::TransportDetails;

use super::open::open;
use super::session::Session;
use super::settings::Settings;
use crate::error::Error;
use crate::fuse::Fused;
use crate::runtime::{ByteStream, Runtime};
use crate::url::{Address, Attempts, Url};

/// How an adapter opens connections.
pub trait Connector: Send + Sync + 'static {
    /// A connected stream.
    type Stream: ByteStream;

    /// The services of the runtime.
    fn runtime(&self) -> Arc<dyn Runtime>;

    /// Connects, and says what is known of the peer.
    fn open(
        &self,
        address: &Address,
    ) -> impl Future<Output = io::Result<(Self::Stream, TransportDetails)>> + Send;
}

/// A session to be joined: await it, or, where the adapter is a blocking one, `wait()` for it.
///
/// Adapters return it from their `connect`.
#[derive(Clone, Debug)]
#[must_use = "nothing is connected before it is awaited"]
pub struct Connect<C> {
    pub(crate) connector: C,
    pub(crate) url: String,
    pub(crate) settings: Settings,
}

impl<C> Connect<C> {
    /// Connects to `url`, as `connector` does it.
    pub fn new(connector: C, url: impl Into<String>) -> Self {
        Self { connector, url: url.into(), settings: Settings::without_realm() }
    }

    /// Sets everything anew.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }
}

impl<C: Connector> Connect<C> {
    async fn connect(self) -> Result<Session, Error> {
        let Self { connector, url, settings } = self;
        let url: Url = url.parse()?;
        let runtime = connector.runtime();
        let mut attempts = Attempts::new(&url, &settings.serializers)?;
        loop {
            let (stream, details) = connector.open(url.address()).await?;
            let (joining, driver) = open(&settings, Arc::clone(&runtime), attempts.serializer(), details)?;
            runtime.spawn(Box::pin(driver.run(stream)));
            match joining.await {
                Err(error) if attempts.retry(&error) => {}
                result => return result,
            }
        }
    }
}

impl<C: Connector> IntoFuture for Connect<C> {
    type Output = Result<Session, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Session, Error>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(Fused::new(self.connect()))
    }
}

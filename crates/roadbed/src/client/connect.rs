//! From a URL to a session, whatever the runtime.

use std::future::{Future, IntoFuture};
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use roadbed_core::transport::TransportDetails;

use super::attempts::{Attempt, Attempts};
use super::session::Session;
use super::settings::Settings;
use crate::error::Error;
use crate::fuse::Fused;
use crate::runtime::{ByteStream, Runtime};
use crate::url::Address;

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
    pub(crate) urls: Vec<String>,
    pub(crate) settings: Settings,
}

impl<C> Connect<C> {
    /// Connects to `url`, as `connector` does it. [`url`](crate::url) says what there is to connect to.
    pub fn new(connector: C, url: impl Into<String>) -> Self {
        Self { connector, urls: vec![url.into()], settings: Settings::without_realm() }
    }

    /// Names one more address, to be tried when there is no router at those before: it cannot be reached,
    /// breaks off, speaks something else or is shutting down. A router that refuses the session ends the search.
    ///
    /// An address that others can read along at must not come behind a secure one
    /// ([`UrlError::Downgrade`](crate::url::UrlError::Downgrade)).
    pub fn or(mut self, url: impl Into<String>) -> Self {
        self.urls.push(url.into());
        self
    }

    /// Sets everything anew.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }
}

impl<C: Connector> Connect<C> {
    async fn connect(self) -> Result<Session, Error> {
        let mut attempts = Attempts::new(&self.urls, &self.settings)?;
        loop {
            match attempt(&self.connector, &self.settings, attempts.now()).await {
                Err(error) if attempts.retry(&error) => {}
                result => return result,
            }
        }
    }
}

/// Tries one way to a session.
pub(crate) async fn attempt<C: Connector>(
    connector: &C,
    settings: &Settings,
    attempt: &Attempt,
) -> Result<Session, Error> {
    let runtime = connector.runtime();
    let (stream, details) = connector.open(attempt.address()).await.map_err(|error| attempt.failed(error))?;
    let (joining, driver) = attempt.open(settings, Arc::clone(&runtime), details)?;
    runtime.spawn(Box::pin(driver.run(stream)));
    joining.await
}

impl<C: Connector> IntoFuture for Connect<C> {
    type Output = Result<Session, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Session, Error>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(Fused::new(self.connect()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::memory::Pipe;
    use crate::testing::sim::Sim;

    /// Counts how often it is asked to connect.
    #[derive(Clone, Default)]
    struct Counting(Sim, Arc<AtomicUsize>);

    impl Connector for Counting {
        type Stream = Pipe;

        fn runtime(&self) -> Arc<dyn Runtime> {
            self.0.runtime()
        }

        async fn open(&self, _: &Address) -> io::Result<(Pipe, TransportDetails)> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Err(io::ErrorKind::ConnectionRefused.into())
        }
    }

    #[test]
    fn nothing_is_connected_for_settings_that_cannot_work() {
        let connector = Counting::default();
        let connect = || Connect::new(connector.clone(), "rs://localhost");
        let error = connector.0.block_on(connect().realm("no realm").into_future()).unwrap_err();
        assert!(matches!(error, Error::Config(_)), "{error}");
        assert_eq!(connector.1.load(Ordering::Relaxed), 0);
        let error = connector.0.block_on(connect().realm("realm1").into_future()).unwrap_err();
        assert!(
            matches!(error.root(), Error::Io(_)) && error.to_string().contains("rs://localhost"),
            "{error}"
        );
        assert_eq!(connector.1.load(Ordering::Relaxed), 1);
    }
}

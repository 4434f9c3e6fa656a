//! Accepting connections for a router.

use std::future::Future;
use std::io;

use roadbed::core::transport::TransportDetails;
use roadbed::server::{Backoff, RouterHandle};
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::Stream;

/// What connections are accepted from.
pub trait Listener: Send + 'static {
    /// Waits for the next one. Dropping the future loses no connection.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Stream, TransportDetails)>> + Send;
}

impl Listener for TcpListener {
    async fn accept(&mut self) -> io::Result<(Stream, TransportDetails)> {
        loop {
            let (stream, _) = Self::accept(self).await?;
            // Options cannot be set on a connection that is reset already: that is its peer's affair, and the next one is
            // accepted at once.
            if let Ok(accepted) = Stream::tcp(stream) {
                return Ok(accepted);
            }
        }
    }
}

#[cfg(unix)]
impl Listener for UnixListener {
    async fn accept(&mut self) -> io::Result<(Stream, TransportDetails)> {
        let (stream, _) = Self::accept(self).await?;
        Ok(Stream::unix(stream))
    }
}

/// Serves everybody who connects, each in a task of its own, until [`Serving::stop`].
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use roadbed_tokio::roadbed::core::uri::Uri;
/// use roadbed_tokio::roadbed::server::{Authentication, RouterConfig, RouterHandle};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = RouterConfig::new().realm(Uri::new("realm1")?, Authentication::new().anonymous("guest"));
/// let router = RouterHandle::new(config, Arc::new(roadbed_tokio::Tokio::current()))?;
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let url = format!("rs://{}", listener.local_addr()?);
/// let serving = roadbed_tokio::serve(listener, &router);
///
/// let session = roadbed_tokio::connect(url).realm("realm1").await?;
/// session.leave().await?;
///
/// serving.stop().await;
/// router.shutdown(Duration::from_secs(5)).await;
/// # Ok(()) }
/// ```
pub fn serve(listener: impl Listener, router: &RouterHandle) -> Serving {
    Serving(tokio::spawn(accept_all(listener, router.clone())))
}

async fn accept_all(mut listener: impl Listener, router: RouterHandle) {
    let mut backoff = Backoff::new();
    loop {
        match listener.accept().await {
            Ok((stream, details)) => {
                backoff.accepted();
                drop(tokio::spawn(router.accept(stream, details)));
            }
            Err(error) => {
                if let Some(pause) = backoff.failed(&error) {
                    sleep(pause).await;
                }
            }
        }
    }
}

/// A listener at work. It goes on when this is dropped.
#[derive(Debug)]
pub struct Serving(JoinHandle<()>);

impl Serving {
    /// Closes the listener. Those who are connected stay: see [`RouterHandle::shutdown`].
    pub async fn stop(self) {
        self.0.abort();
        // It was canceled, or has panicked in a listener of the user's: it is gone either way.
        let _ = self.0.await;
    }
}

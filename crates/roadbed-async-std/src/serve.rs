//! Accepting connections for a router.

use std::future::Future;
use std::io;
use std::net::TcpListener;
#[cfg(unix)]
use std::os::unix::net::UnixListener;

use async_io::{Async, Timer};
use futures_channel::oneshot;
use futures_lite::future::or;
use roadbed::core::transport::TransportDetails;
use roadbed::runtime::Runtime;
use roadbed::server::{Backoff, RouterHandle};

use crate::{AsyncIo, Stream};

/// What connections are accepted from.
pub trait Listener: Send + 'static {
    /// Waits for the next one. Dropping the future loses no connection.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Stream, TransportDetails)>> + Send;
}

impl Listener for Async<TcpListener> {
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
impl Listener for Async<UnixListener> {
    async fn accept(&mut self) -> io::Result<(Stream, TransportDetails)> {
        let (stream, _) = Self::accept(self).await?;
        Ok(Stream::unix(stream))
    }
}

/// Serves everybody who connects, each in a task of its own, until [`Serving::stop`].
///
/// ```
/// use std::net::TcpListener;
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use async_io::Async;
/// use roadbed_async_std::roadbed::core::uri::Uri;
/// use roadbed_async_std::roadbed::server::{Authentication, RouterConfig, RouterHandle};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> { async_io::block_on(async {
/// let config = RouterConfig::new().realm(Uri::new("realm1")?, Authentication::new().anonymous("guest"));
/// let router = RouterHandle::new(config, Arc::new(roadbed_async_std::AsyncIo::default()))?;
/// let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
/// let url = format!("rs://{}", listener.get_ref().local_addr()?);
/// let serving = roadbed_async_std::serve(listener, &router);
///
/// let session = roadbed_async_std::connect(url).realm("realm1").await?;
/// session.leave().await?;
///
/// serving.stop().await;
/// router.shutdown(Duration::from_secs(5)).await;
/// # Ok(()) }) }
/// ```
#[cfg(any(feature = "async-std", feature = "smol"))]
pub fn serve(listener: impl Listener, router: &RouterHandle) -> Serving {
    serve_on(&AsyncIo::default(), listener, router)
}

/// As [`serve`](crate::serve), with tasks where `runtime` runs them.
pub fn serve_on(runtime: &AsyncIo, listener: impl Listener, router: &RouterHandle) -> Serving {
    let (stop, stopped) = oneshot::channel();
    let (gone, is_gone) = oneshot::channel();
    let accepting = accept_all(runtime.clone(), listener, router.clone());
    runtime.spawn(Box::pin(async move {
        let stopped = async {
            if stopped.await.is_err() {
                // Dropped without a word, the listener goes on.
                std::future::pending::<()>().await;
            }
        };
        or(accepting, stopped).await;
        // Whoever stopped it may not care.
        let _ = gone.send(());
    }));
    Serving { stop, is_gone }
}

async fn accept_all(runtime: AsyncIo, mut listener: impl Listener, router: RouterHandle) {
    let mut backoff = Backoff::new();
    loop {
        match listener.accept().await {
            Ok((stream, details)) => {
                backoff.accepted();
                runtime.spawn(Box::pin(router.accept(stream, details)));
            }
            Err(error) => {
                if let Some(pause) = backoff.failed(&error) {
                    Timer::after(pause).await;
                }
            }
        }
    }
}

/// A listener at work. It goes on when this is dropped.
#[derive(Debug)]
pub struct Serving {
    stop: oneshot::Sender<()>,
    is_gone: oneshot::Receiver<()>,
}

impl Serving {
    /// Closes the listener. Those who are connected stay: see [`RouterHandle::shutdown`].
    pub async fn stop(self) {
        // It has panicked in a listener of the user's, or hears this: it is gone either way.
        let _ = self.stop.send(());
        let _ = self.is_gone.await;
    }
}

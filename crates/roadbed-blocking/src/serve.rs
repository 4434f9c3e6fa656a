//! Accepting connections for a router.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use roadbed::blocking::start;
use roadbed::core::transport::TransportDetails;
use roadbed::server::{Backoff, RouterHandle};
use socket2::SockRef;

use crate::{Stream, threads};

/// What connections are accepted from.
pub trait Listener: Send + Sync + 'static {
    /// Waits for the next one.
    ///
    /// # Errors
    /// What the operating system says.
    fn accept(&self) -> io::Result<(Stream, TransportDetails)>;

    /// Lets the thread that waits in [`accept`](Self::accept) return from it, now and ever after, with
    /// whatever result.
    fn interrupt(&self);
}

impl Listener for TcpListener {
    fn accept(&self) -> io::Result<(Stream, TransportDetails)> {
        loop {
            let (stream, _) = Self::accept(self)?;
            // Options cannot be set on a connection that is reset already: that is its peer's affair, and the next one is
            // accepted at once.
            if let Ok(accepted) = Stream::tcp(stream) {
                return Ok(accepted);
            }
        }
    }

    fn interrupt(&self) {
        // Not every system lets go of a listener that is shut down, but everyone of a connection.
        if SockRef::from(self).shutdown(Shutdown::Both).is_err()
            && let Ok(address) = self.local_addr()
        {
            drop(TcpStream::connect(address));
        }
    }
}

#[cfg(unix)]
impl Listener for UnixListener {
    fn accept(&self) -> io::Result<(Stream, TransportDetails)> {
        let (stream, _) = Self::accept(self)?;
        Ok(Stream::unix(stream))
    }

    fn interrupt(&self) {
        if SockRef::from(self).shutdown(Shutdown::Both).is_err()
            && let Ok(address) = self.local_addr()
        {
            drop(UnixStream::connect_addr(&address));
        }
    }
}

/// Serves everybody who connects, until [`Serving::stop`].
///
/// ```
/// use std::time::Duration;
///
/// use roadbed_blocking::roadbed::core::uri::Uri;
/// use roadbed_blocking::roadbed::server::{Authentication, RouterConfig, RouterHandle};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = RouterConfig::new().realm(Uri::new("realm1")?, Authentication::new().anonymous("guest"));
/// let router = RouterHandle::new(config, roadbed_blocking::threads())?;
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let url = format!("rs://{}", listener.local_addr()?);
/// let serving = roadbed_blocking::serve(listener, &router)?;
///
/// let session = roadbed_blocking::connect(url).realm("realm1").wait()?;
/// session.leave().wait()?;
///
/// serving.stop();
/// router.shutdown(Duration::from_secs(5)).wait();
/// # Ok(()) }
/// ```
///
/// # Errors
/// When the operating system has no thread for it.
pub fn serve(listener: impl Listener, router: &RouterHandle) -> io::Result<Serving> {
    let is_stopped = Arc::new(AtomicBool::new(false));
    let listener = Arc::new(listener);
    let accepting = Accepting {
        listener: Arc::clone(&listener),
        router: router.clone(),
        is_stopped: Arc::clone(&is_stopped),
    };
    let thread = thread::Builder::new().name("roadbed-accept".into()).spawn(move || accepting.run())?;
    Ok(Serving { listener, is_stopped, thread })
}

struct Accepting<L> {
    listener: Arc<L>,
    router: RouterHandle,
    is_stopped: Arc<AtomicBool>,
}

impl<L: Listener> Accepting<L> {
    fn run(&self) {
        let mut backoff = Backoff::new();
        loop {
            let accepted = self.listener.accept();
            if self.is_stopped.load(Ordering::Acquire) {
                return;
            }
            let result = accepted
                .and_then(|(stream, details)| start(self.router.accept_driver(details), stream, threads()));
            match result {
                Ok(()) => backoff.accepted(),
                Err(error) => {
                    if let Some(pause) = backoff.failed(&error) {
                        // Who stops it wakes it.
                        thread::park_timeout(pause);
                    }
                }
            }
        }
    }
}

/// A listener at work. It goes on when this is dropped.
pub struct Serving {
    listener: Arc<dyn Listener>,
    is_stopped: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Serving {
    /// Closes the listener. Those who are connected stay: see [`RouterHandle::shutdown`].
    pub fn stop(self) {
        self.is_stopped.store(true, Ordering::Release);
        self.listener.interrupt();
        self.thread.thread().unpark();
        // It has panicked in a listener of the user's, or returned: it is gone either way.
        let _ = self.thread.join();
    }
}

impl std::fmt::Debug for Serving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Serving").finish_non_exhaustive()
    }
}

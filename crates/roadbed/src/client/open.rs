//! From a transport to a session: the driver of a connection, and joining over it.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use futures_channel::oneshot;
use roadbed_core::connection::{Connection, Endpoint};
use roadbed_core::transport::{HttpConnect, TransportDetails};

use super::hooks;
use super::session::Session;
use super::settings::Settings;
use super::shared::{After, Shared};
use super::state::State;
use crate::drive::{Drive, Layered, Output, Room, Run, Tunnel, layered};
use crate::error::Error;
use crate::fuse::Fused;
use crate::runtime::{ByteStream, Runtime};

/// Opens a connection over a transport that is there already: run the [`Driver`], await the [`Joining`].
/// Adapters do this for their sockets; do it yourself for a transport of your own. A serializer stands for a
/// RawSocket that asks for it.
///
/// ```
/// use roadbed::client::{self, Session, Settings};
/// use roadbed::core::{serializer::Serializer, transport::TransportDetails};
/// use roadbed::runtime::{ByteStream, Runtime};
/// # use std::sync::Arc;
///
/// async fn join(stream: impl ByteStream, runtime: Arc<dyn Runtime>) -> Result<Session, roadbed::Error> {
///     let settings = Settings::new("realm1");
///     let details = TransportDetails::local();
///     let (joining, driver) = client::open(&settings, Arc::clone(&runtime), Serializer::Cbor, details)?;
///     runtime.spawn(Box::pin(driver.run(stream)));
///     joining.await
/// }
/// ```
///
/// # Errors
/// [`Error::Config`] when the settings cannot work.
pub fn open(
    settings: &Settings,
    runtime: Arc<dyn Runtime>,
    endpoint: impl Into<Endpoint>,
    details: TransportDetails,
) -> Result<(Joining, Driver), Error> {
    let (joining, core) = prepare(settings, runtime, &endpoint.into(), None)?;
    core.transport_ready(details);
    Ok((joining, Driver(Layered::Plain(core))))
}

/// As [`open`], with TLS between the transport and the session: the router has to be `host`, as
/// [`Settings::tls`] says, or nothing is sent to it. `details` say what is known of the stream below TLS; that
/// it is secure, and its channel binding, is added when the handshake is done.
///
/// # Errors
/// [`Error::Config`] when the settings cannot work, [`Error::TlsConfig`] when TLS cannot begin.
#[cfg(feature = "tls")]
pub fn open_secure(
    settings: &Settings,
    runtime: Arc<dyn Runtime>,
    endpoint: impl Into<Endpoint>,
    details: TransportDetails,
    host: &str,
    protocol: roadbed_tls::Protocol,
) -> Result<(Joining, Driver), Error> {
    use roadbed_tls::{TlsClientConfig, TlsLayer};

    /// What the system trusts, read once.
    static SYSTEM: OnceLock<TlsClientConfig> = OnceLock::new();

    let config = match (&settings.tls, SYSTEM.get()) {
        (Some(config), _) | (None, Some(config)) => config,
        (None, None) => {
            let system = TlsClientConfig::system()?;
            SYSTEM.get_or_init(|| system)
        }
    };
    let layer = TlsLayer::client(config, host, protocol, runtime.now(), runtime.utc())?;
    let (joining, core) = prepare(settings, Arc::clone(&runtime), &endpoint.into(), Some(details))?;
    let secure = crate::drive::Secure::new(core, layer, runtime);
    Ok((joining, Driver(Layered::Secure(Box::new(secure)))))
}

/// A session to be joined over a transport of which nothing is known yet, or only what `expected` says.
fn prepare(
    settings: &Settings,
    runtime: Arc<dyn Runtime>,
    endpoint: &Endpoint,
    expected: Option<TransportDetails>,
) -> Result<(Joining, Core), Error> {
    let config = settings.config.clone().build()?;
    let now = runtime.now();
    let connection = Connection::client(config, endpoint, runtime.seed(), now, runtime.utc());
    let (opening, opened) = oneshot::channel();
    let state = State::new(connection, opening);
    let shared = Arc::new(Shared::new(state, runtime, settings.clone()));
    // Dropped before the session is joined, it gives up.
    let session = Session::new(Arc::clone(&shared));
    let place = Arc::new(OnceLock::new());
    let joined = Fused::new(join(session, Arc::clone(&shared), opened, Arc::clone(&place)));
    let joining = Joining { joined, place, runtime: Arc::clone(&shared.runtime) };
    Ok((joining, Core { shared, expected: Mutex::new(expected) }))
}

async fn join(
    session: Session,
    shared: Arc<Shared>,
    opened: oneshot::Receiver<Result<(), Error>>,
    place: Arc<OnceLock<String>>,
) -> Result<Session, Error> {
    let result =
        opened.await.unwrap_or_else(|oneshot::Canceled| Err(shared.with(|state, _| state.end()).into()));
    result.map_err(|error| match place.get() {
        Some(address) => error.at(address),
        None => error,
    })?;
    if let Some(hook) = &shared.hooks.on_join {
        hook(session.clone()).await?;
    }
    hooks::call(shared.hooks.on_ready.as_ref(), &session);
    Ok(session)
}

/// A session that is being joined: await it, or `wait()` for it. Dropped, it gives up, and the driver ends.
#[must_use = "dropped, it gives up"]
pub struct Joining {
    joined: Fused<Result<Session, Error>>,
    /// The address that its errors name.
    place: Arc<OnceLock<String>>,
    runtime: Arc<dyn Runtime>,
}

impl Joining {
    /// Waits in this thread.
    ///
    /// # Errors
    /// Why the session was not joined.
    pub fn wait(self) -> Result<Session, Error> {
        let runtime = Arc::clone(&self.runtime);
        crate::park::wait_for(&*runtime, self)
    }

    /// Names the address in its errors.
    pub(crate) fn at(self, address: String) -> Self {
        // It has one address for good.
        let _ = self.place.set(address);
        self
    }
}

impl Future for Joining {
    type Output = Result<Session, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.joined).poll(cx)
    }
}

impl fmt::Debug for Joining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Joining").finish_non_exhaustive()
    }
}

/// The driver's end of a connection: both halves of it, see [`Drive`]. Dropped, the connection is lost.
#[derive(Debug)]
pub struct Driver(Layered<Core>);

/// The driver's end of the connection itself, above whatever layers are under it.
#[derive(Debug)]
struct Core {
    shared: Arc<Shared>,
    /// What is known of a transport that is not ready yet.
    expected: Mutex<Option<TransportDetails>>,
}

impl Driver {
    /// Drives the connection over `stream`; the future is done when the stream can be dropped.
    pub fn run<S: ByteStream>(self, stream: S) -> Run<Self, S> {
        let runtime = Arc::clone(self.runtime());
        Run::new(Arc::new(self), stream, runtime)
    }

    /// The same connection, whose stream leads to an HTTP proxy: that is asked with `connect` first.
    pub(crate) fn through(self, connect: HttpConnect) -> Self {
        let runtime = Arc::clone(self.runtime());
        Self(Layered::Tunneled(Box::new(Tunnel::new(self.0, connect, runtime))))
    }

    /// The runtime it was opened with.
    pub fn runtime(&self) -> &Arc<dyn Runtime> {
        &self.0.inner().shared.runtime
    }
}

impl Core {
    /// The transport is there; the session may be asked for.
    fn transport_ready(&self, details: TransportDetails) {
        hooks::call(self.shared.hooks.on_connect.as_ref(), &details);
        let now = self.shared.now();
        self.shared.with(|state, _| state.connection.transport_ready(now, details));
    }
}

impl Drive for Driver {
    layered!(0);
}

impl Drive for Core {
    fn room(&self, input: &mut BytesMut, waker: &Waker) -> Room {
        let now = self.shared.now();
        self.shared.with(|state, after| {
            state.awake(waker);
            if !input.is_empty() {
                state.feed(now, input, &self.shared, after);
            }
            if state.has_ended() {
                Room::Discard
            } else if state.connection.wants_input() {
                Room::Read(state.connection.input_hint())
            } else {
                state.reader_sleeps(waker, after);
                Room::Wait
            }
        })
    }

    fn feed(&self, input: &mut BytesMut) {
        let now = self.shared.now();
        self.shared.with(|state, after| state.feed(now, input, &self.shared, after));
    }

    fn eof(&self, input: &mut BytesMut) {
        let now = self.shared.now();
        self.shared.with(|state, after| {
            state.feed(now, input, &self.shared, after);
            state.connection.handle_eof(now);
        });
    }

    fn broke(&self, error: io::Error) {
        // The first error is the cause, and those after it are consequences.
        self.shared.with(|state, _| {
            state.io.get_or_insert_with(|| Arc::new(error));
            state.written.broke();
        });
    }

    fn lost(&self) {
        let now = self.shared.now();
        self.shared.with(|state, _| state.connection.handle_lost(now));
    }

    fn expire(&self) {
        let now = self.shared.now();
        self.shared.with(|state, after| state.run_timers(now, after));
    }

    fn secured(&self, channel_binding: Option<Bytes>) {
        let expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut details) = expected {
            details.is_secure = true;
            details.channel_binding = channel_binding;
            self.transport_ready(details);
        }
    }

    fn failed(&self, error: Error) {
        let now = self.shared.now();
        self.shared.with(|state, after| {
            state.opened(Err(error), after);
            state.connection.handle_lost(now);
        });
    }

    fn output(&self, can_write: bool, waker: &Waker) -> Output {
        self.shared.with(|state, after: &mut After| {
            if can_write {
                state.written.all_written(state.connection.queued(), after);
            }
            let bytes = if can_write { state.connection.poll_transmit() } else { None };
            if let Some(bytes) = bytes {
                state.written.take(bytes.len());
                self.shared.has_more.store(state.connection.queued() > 0, Ordering::Relaxed);
                return Output::Write(bytes);
            }
            // Only now, with the output fetched, the last event may come.
            state.take_events(&self.shared, after);
            if state.has_ended() {
                return Output::End;
            }
            Output::Idle(state.writer_sleeps(waker, can_write, after))
        })
    }

    fn more(&self) -> Option<Bytes> {
        // Asked by the same thread as `output`, and a hint otherwise.
        if !self.shared.has_more.load(Ordering::Relaxed) {
            return None;
        }
        self.shared.with(|state, _| {
            let bytes = state.connection.poll_transmit()?;
            state.written.take(bytes.len());
            Some(bytes)
        })
    }

    fn expects_more(&self) -> bool {
        self.shared.has_told_several()
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.lost();
    }
}

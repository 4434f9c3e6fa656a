//! From a transport to a session: the driver of a connection, and joining over it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use futures_channel::oneshot;
use roadbed_core::connection::{Connection, Endpoint};
use roadbed_core::transport::TransportDetails;

use super::hooks;
use super::session::Session;
use super::settings::Settings;
use super::shared::{After, Shared};
use super::state::State;
use crate::drive::{Drive, Output, Room, Run};
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
    let config = settings.config.clone().build()?;
    hooks::call(settings.hooks.on_connect.as_ref(), &details);
    let now = runtime.now();
    let endpoint = endpoint.into();
    let mut connection = Connection::client(config, &endpoint, runtime.seed(), now, runtime.utc());
    connection.transport_ready(now, details);
    let (opening, opened) = oneshot::channel();
    let state = State::new(connection, opening);
    let Settings { hooks, call_deadline, queues, .. } = settings.clone();
    let shared = Arc::new(Shared::new(state, runtime, hooks, call_deadline, queues));
    // Dropped before the session is joined, it gives up.
    let session = Session::new(Arc::clone(&shared));
    let joining = Joining(Fused::new(join(session, Arc::clone(&shared), opened)));
    Ok((joining, Driver(shared)))
}

async fn join(
    session: Session,
    shared: Arc<Shared>,
    opened: oneshot::Receiver<Result<(), Error>>,
) -> Result<Session, Error> {
    match opened.await {
        Ok(result) => result?,
        Err(oneshot::Canceled) => {
            return Err(shared.with(|state, _| state.end_reason()).into());
        }
    }
    if let Some(hook) = &shared.hooks.on_join {
        hook(session.clone()).await?;
    }
    hooks::call(shared.hooks.on_ready.as_ref(), &session);
    Ok(session)
}

/// A session that is being joined: await it, or `wait()` for it. Dropped, it gives up, and the driver ends.
#[must_use = "dropped, it gives up"]
pub struct Joining(Fused<Result<Session, Error>>);

impl Joining {
    /// Waits in this thread.
    ///
    /// # Errors
    /// Why the session was not joined.
    pub fn wait(self) -> Result<Session, Error> {
        crate::park::block_on(self)
    }
}

impl Future for Joining {
    type Output = Result<Session, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl fmt::Debug for Joining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Joining").finish_non_exhaustive()
    }
}

/// The driver's end of a connection: both halves of it, see [`Drive`]. Dropped, the connection is lost.
#[derive(Debug)]
pub struct Driver(Arc<Shared>);

impl Driver {
    /// Drives the connection over `stream`; the future is done when the stream can be dropped.
    pub fn run<S: ByteStream>(self, stream: S) -> Run<Self, S> {
        let runtime = Arc::clone(&self.0.runtime);
        Run::new(Arc::new(self), stream, runtime)
    }

    /// The runtime it was opened with.
    pub fn runtime(&self) -> &Arc<dyn Runtime> {
        &self.0.runtime
    }
}

impl Drive for Driver {
    fn room(&self, input: &mut BytesMut, waker: &Waker) -> Room {
        let now = self.0.now();
        self.0.with(|state, after| {
            state.awake(waker);
            if !input.is_empty() {
                state.feed(now, input, &self.0, after);
            }
            if state.has_ended() {
                Room::Discard
            } else if state.connection.wants_input() {
                Room::Read(state.connection.input_hint())
            } else {
                state.reader_sleeps(waker);
                Room::Wait
            }
        })
    }

    fn feed(&self, input: &mut BytesMut) {
        let now = self.0.now();
        self.0.with(|state, after| state.feed(now, input, &self.0, after));
    }

    fn eof(&self, input: &mut BytesMut) {
        let now = self.0.now();
        self.0.with(|state, after| {
            state.feed(now, input, &self.0, after);
            state.connection.handle_eof(now);
        });
    }

    fn lost(&self) {
        let now = self.0.now();
        self.0.with(|state, _| state.connection.handle_lost(now));
    }

    fn failed(&self, error: Error) {
        let now = self.0.now();
        self.0.with(|state, after| {
            state.opened(Err(error), after);
            state.connection.handle_lost(now);
        });
    }

    fn output(&self, can_write: bool, waker: &Waker) -> Output {
        let now = self.0.now();
        self.0.with(|state, after: &mut After| {
            state.run_timers(now, after);
            let bytes = if can_write { state.connection.poll_transmit() } else { None };
            if let Some(bytes) = bytes {
                return Output::Write(bytes);
            }
            // Only now, with the output fetched, the last event may come.
            state.take_events(&self.0, after);
            if state.has_ended() {
                return Output::End;
            }
            Output::Idle(state.writer_sleeps(waker, can_write))
        })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.lost();
    }
}

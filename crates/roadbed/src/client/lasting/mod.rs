//! A client that outlives its sessions: it connects, and connects anew when the session is lost.

mod builder;
mod declared;
mod dial;
mod events;
mod ready;
mod registration;
mod restore;
mod retry;
mod state;
mod subscription;
mod supervise;
#[cfg(test)]
mod tests;
mod waiting;

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use roadbed_core::uri::Uri;

use super::call::Call;
use super::flush::Flush;
use super::handler::HandlerError;
use super::invocation::Invocation;
use super::publish::Publish;
use super::register;
use super::session::{Session, request};
use super::via::Via;
use crate::error::Error;
use crate::fuse::Fused;
use crate::payload::{IntoPayload, IntoReply};

pub use builder::ClientBuilder;
pub use events::{ClientEvent, Events, WaitEvents};
pub use registration::{ClientRegister, ClientRegistration};
pub use retry::{Backoff, RetryPolicy};
pub(crate) use state::Lasting;
pub use subscription::{ClientSubscribe, ClientSubscription, Missed, WaitClientSubscription};
pub use waiting::WhileDisconnected;
pub(crate) use waiting::{Asked, Bound, Place};

/// A long-lived client: one session after the other, each with the same subscriptions and registrations. Clones
/// are the same client; all of them may be used from anywhere.
///
/// A task of its own connects and joins, watches the end of the session, waits as its [`RetryPolicy`] says,
/// and connects anew. Sessions are counted: the [`generation`](Self::generation) is in every
/// [event](Self::events).
///
/// * [`subscribe`](Self::subscribe) and [`register`](Self::register) *declare*: what they give stays over all
///   sessions, and every session is asked for it once, before anything else. Events that were published
///   in between are gone; [`Missed::Gap`] stands in their place.
/// * [`call`](Self::call) and [`publish`](Self::publish) need a session. They wait for the first one; without a later
///   one they fail with [`Error::Disconnected`], or wait for it; see [`WhileDisconnected`]. What was sent and not
///   answered when the session was lost fails with [`Error::Ended`] and is never sent again: it may have been carried
///   out.
/// * What the router takes back in the middle of a session stays declared: [`ClientEvent::Revoked`] and
///   [`Missed::Revoked`] say so, and the next session is asked for it again.
/// * [`session`](Self::session) gives the session itself, for everything else. To leave it ends the client.
///
/// When the last clone is dropped the client says GOODBYE, whatever subscriptions and registrations are left;
/// [`close`](Self::close) waits for that. (A handler that holds a clone keeps the client for as long as it is
/// declared.)
///
/// ```
/// use roadbed::client::{Client, ClientBuilder, ClientEvent, Invocation, WhileDisconnected};
/// use std::time::Duration;
///
/// // `builder` comes from an adapter: `roadbed_tokio::client("rs://127.0.0.1:8080").realm("realm1")`
/// async fn example(builder: ClientBuilder) -> Result<(), Box<dyn std::error::Error>> {
///     let client = builder.while_disconnected(WhileDisconnected::wait(Duration::from_secs(10))).start()?;
///     let add = |inv: Invocation| async move { Ok(inv.args::<(i64, i64)>().map(|(a, b)| a + b)?) };
///     client.register("com.example.add", add).declare()?.detach();
///     let sum: i64 = client.call("com.example.add", (2, 3)).returning().await?;
///     let mut events = client.events();
///     while let Some(event) = events.next().await {
///         match event {
///             Ok(ClientEvent::Lost { error, .. }) => eprintln!("lost: {error}"),
///             Ok(ClientEvent::GaveUp { error }) => return Err(error.into()),
///             Ok(_) => {}
///             Err(lagged) => eprintln!("too slow: {lagged}"),
///         }
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Client {
    handle: Arc<Handle>,
    waits: WhileDisconnected,
}

struct Handle(Arc<Lasting>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Client {
    fn new(lasting: Arc<Lasting>, waits: WhileDisconnected) -> Self {
        Self { handle: Arc::new(Handle(lasting)), waits }
    }

    fn lasting(&self) -> &Arc<Lasting> {
        &self.handle.0
    }

    /// The same client, whose requests do something else while there is no session.
    #[must_use]
    pub fn while_disconnected(&self, waits: WhileDisconnected) -> Self {
        Self { handle: Arc::clone(&self.handle), waits }
    }

    /// Calls a procedure; as [`Session::call`].
    pub fn call<K>(&self, procedure: impl AsRef<str>, args: impl IntoPayload<K>) -> Call {
        let via = self.via();
        let request = request(&via, procedure.as_ref(), args);
        Call::new(via, request)
    }

    /// Publishes an event; as [`Session::publish`].
    pub fn publish<K>(&self, topic: impl AsRef<str>, args: impl IntoPayload<K>) -> Publish {
        let via = self.via();
        let request = request(&via, topic.as_ref(), args);
        Publish::new(via, request)
    }

    /// Waits until everything queued so far was written to the socket; as [`Session::flush`]. Without a session there
    /// is nothing to write: it fails or waits as calls do.
    pub fn flush(&self) -> Flush {
        Flush::new(self.via())
    }

    fn via(&self) -> Via {
        Via::Client(Arc::clone(self.lasting()), self.waits)
    }

    /// Subscribes to a topic, in every session.
    pub fn subscribe(&self, topic: impl AsRef<str>) -> ClientSubscribe {
        ClientSubscribe::new(self.lasting(), self.waits, Uri::from_wire(topic.as_ref().into()))
    }

    /// Registers a procedure, in every session; `handler` is as that of [`Session::register`].
    pub fn register<H, F, R, K>(&self, procedure: impl AsRef<str>, handler: H) -> ClientRegister
    where
        H: Fn(Invocation) -> F + Send + Sync + 'static,
        F: Future<Output = Result<R, HandlerError>> + Send + 'static,
        R: IntoReply<K> + Send + 'static,
        K: 'static,
    {
        let procedure = Uri::from_wire(procedure.as_ref().into());
        ClientRegister::new(self.lasting(), self.waits, procedure, register::start(handler))
    }

    /// The session there is, or else the next one: await it, or `wait()` for it. It fails when the client has
    /// ended.
    pub fn session(&self) -> NextSession {
        NextSession { client: Arc::clone(self.lasting()), place: Place::default(), is_done: false }
    }

    /// What happens to the client from now on.
    pub fn events(&self) -> Events {
        let client = self.lasting();
        Events::new(client.with(|state, _| state.watch()), Arc::clone(&client.runtime))
    }

    /// How many sessions there were, the present one included.
    pub fn generation(&self) -> u64 {
        self.lasting().with(|state, _| state.generation)
    }

    /// Whether there is a session now.
    pub fn is_connected(&self) -> bool {
        self.lasting().with(|state, _| state.session().is_some())
    }

    /// Leaves the realm and ends the client, for all its handles: await it, or `wait()` for it.
    pub fn close(&self) -> Close {
        Close(Arc::clone(self.lasting()))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("generation", &self.generation()).finish_non_exhaustive()
    }
}

/// The next session of a client.
///
/// Polled again after its result, it stays pending and wakes nobody.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct NextSession {
    client: Arc<Lasting>,
    place: Place,
    is_done: bool,
}

impl NextSession {
    /// Waits in this thread. Never do that where a runtime runs its tasks.
    ///
    /// # Errors
    /// Why the client has ended; [`Error::WaitInTask`] where the runtime can tell that it would wait for itself.
    pub fn wait(self) -> Result<Session, Error> {
        let runtime = Arc::clone(&self.client.runtime);
        crate::park::wait_for(&*runtime, self)
    }
}

impl Future for NextSession {
    type Output = Result<Session, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.is_done {
            return Poll::Pending;
        }
        let now = this.client.runtime.now();
        let poll = this.client.with(|state, after| {
            let result = match &state.phase {
                state::Phase::Joined(session) => Ok(session.clone()),
                state::Phase::Leaving | state::Phase::Over(..) => Err(state.end()),
                _ => {
                    state.waiting.stay(&mut this.place, now, None, cx.waker(), after);
                    return Poll::Pending;
                }
            };
            state.waiting.leave(&mut this.place, now, after);
            Poll::Ready(result)
        });
        this.is_done = poll.is_ready();
        poll
    }
}

impl Drop for NextSession {
    fn drop(&mut self) {
        self.client.leave(std::mem::take(&mut self.place));
    }
}

/// The end of a client to be asked for.
#[derive(Debug)]
#[must_use = "nothing ends before it is awaited"]
pub struct Close(Arc<Lasting>);

impl Close {
    /// Waits in this thread. Never do that where a runtime runs its tasks.
    ///
    /// # Errors
    /// As when it is awaited: why it gave up before, or why it could not say GOODBYE.
    pub fn wait(self) -> Result<(), Error> {
        let runtime = Arc::clone(&self.0.runtime);
        crate::park::wait_for(&*runtime, self.close())
    }

    async fn close(self) -> Result<(), Error> {
        self.0.stop();
        match self.0.with(|state, _| state.wait_for_end()) {
            Ok(result) => result,
            Err(wait) => wait.await.unwrap_or(Err(Error::Canceled)),
        }
    }
}

impl IntoFuture for Close {
    type Output = Result<(), Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(Fused::new(self.close()))
    }
}

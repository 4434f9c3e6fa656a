//! A joined session, to be asked for things.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use roadbed_core::error::CloseReason;
use roadbed_core::id::SessionId;
use roadbed_core::message::WelcomeDetails;
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::uri::{MAX_URI_LENGTH, MatchPolicy, Uri, UriRules};

use super::call::Call;
use super::flush::{self, Flush};
use super::handler::HandlerError;
use super::hooks::Closed;
use super::invocation::Invocation;
use super::publish::Publish;
use super::register::{Register, RegisterQueue};
use super::shared::Shared;
use super::subscribe::Subscribe;
use super::via::Via;
use crate::error::{End, Error};
use crate::fuse::Fused;
use crate::payload::{IntoPayload, IntoReply};

/// One joined session. Clones are the same session; all of them may be used from anywhere.
///
/// When the last clone is dropped the session says GOODBYE behind what is queued, whatever subscriptions and
/// registrations are left, and ends within the [limits](roadbed_core::limits::Limits) for that, as long as its driver
/// runs: where the runtime or the process ends first, [`flush`](Self::flush) or [`leave`](Self::leave) before. (A
/// handler that holds a clone keeps the session for as long as it is registered.)
///
/// Every method makes a request that is sent when it is awaited, or waited for with `wait()`.
#[derive(Clone)]
pub struct Session(Arc<Handle>);

struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        let now = self.0.now();
        self.0.with(|state, _| state.connection.close(now));
    }
}

impl Session {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self(Arc::new(Handle(shared)))
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0.0
    }

    /// Calls a procedure: with a tuple or a list of arguments, `()` for none, or a
    /// [`Payload`] that is encoded already.
    pub fn call<K>(&self, procedure: impl AsRef<str>, args: impl IntoPayload<K>) -> Call {
        let via = Via::from(Arc::clone(self.shared()));
        let request = request(&via, procedure.as_ref(), args);
        Call::new(via, request)
    }

    /// Publishes an event: with a tuple or a list of arguments, `()` for none, or a [`Payload`] that is
    /// encoded already.
    pub fn publish<K>(&self, topic: impl AsRef<str>, args: impl IntoPayload<K>) -> Publish {
        let via = Via::from(Arc::clone(self.shared()));
        let request = request(&via, topic.as_ref(), args);
        Publish::new(via, request)
    }

    /// Subscribes to a topic.
    pub fn subscribe(&self, topic: impl AsRef<str>) -> Subscribe {
        Subscribe::new(self.shared(), Uri::from_wire(topic.as_ref().into()))
    }

    /// Registers a procedure. Each invocation runs `handler` in a task of its own; when its caller gives
    /// up, that task is dropped.
    ///
    /// ```
    /// # use roadbed::client::{Invocation, Session};
    /// # async fn example(session: Session) -> Result<(), roadbed::Error> {
    /// let add = session
    ///     .register("com.example.add", |inv: Invocation| async move {
    ///         let (a, b) = inv.args::<(i64, i64)>()?;
    ///         Ok(a + b)
    ///     })
    ///     .await?;
    /// # add.unregister().await }
    /// ```
    pub fn register<H, F, R, K>(&self, procedure: impl AsRef<str>, handler: H) -> Register
    where
        H: Fn(Invocation) -> F + Send + Sync + 'static,
        F: Future<Output = Result<R, HandlerError>> + Send + 'static,
        R: IntoReply<K> + Send + 'static,
        K: 'static,
    {
        Register::new(self.shared(), Uri::from_wire(procedure.as_ref().into()), handler)
    }

    /// Registers a procedure whose invocations are taken from a queue and answered one by one.
    pub fn register_queue(&self, procedure: impl AsRef<str>) -> RegisterQueue {
        RegisterQueue::new(self.shared(), Uri::from_wire(procedure.as_ref().into()))
    }

    /// Waits until everything queued so far was written to the socket: await it, or `wait()` for it. Publications that
    /// are not acknowledged are queued, and no more, when they have been awaited; a program that ends then takes them
    /// with it.
    ///
    /// ```
    /// # async fn example(session: roadbed::client::Session) -> Result<(), roadbed::Error> {
    /// for number in 0..500 {
    ///     session.publish("com.example.tick", (number,)).await?;
    /// }
    /// session.flush().await?;
    /// # Ok(()) }
    /// ```
    pub fn flush(&self) -> Flush {
        flush::flush(self.shared())
    }

    /// Leaves the realm and closes the connection, after what is queued was written: await it, or `wait()` for it. What
    /// is pending fails at once.
    pub fn leave(&self) -> Leave {
        Leave { shared: Arc::clone(self.shared()), reason: None }
    }

    /// Waits for the end of the connection, by whichever side.
    pub async fn closed(&self) -> Closed {
        closed(self.shared()).await
    }

    /// The session's id.
    pub fn id(&self) -> SessionId {
        self.shared().joined.get().map_or(SessionId::MIN, |joined| joined.session)
    }

    /// What the router said in WELCOME: the realm, its roles, who the client is.
    pub fn details(&self) -> &WelcomeDetails {
        static NONE: std::sync::OnceLock<WelcomeDetails> = std::sync::OnceLock::new();
        let joined = self.shared().joined.get();
        joined.map_or_else(|| NONE.get_or_init(WelcomeDetails::default), |joined| &joined.details)
    }

    /// The serializer of the connection.
    pub fn serializer(&self) -> Serializer {
        self.shared().serializer()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("id", &self.id()).finish_non_exhaustive()
    }
}

/// The end of a session to be asked for.
#[derive(Debug)]
#[must_use = "nothing is sent before it is awaited"]
pub struct Leave {
    shared: Arc<Shared>,
    reason: Option<Uri>,
}

impl Leave {
    /// Sets the reason given to the router; by default `wamp.close.close_realm`.
    pub fn reason(mut self, reason: Uri) -> Self {
        self.reason = Some(reason);
        self
    }

    /// Waits in this thread.
    ///
    /// # Errors
    /// As when it is awaited.
    pub fn wait(self) -> Result<(), Error> {
        let runtime = Arc::clone(&self.shared.runtime);
        crate::park::wait_for(&*runtime, self.leave())
    }

    async fn leave(self) -> Result<(), Error> {
        let now = self.shared.now();
        let reason = self.reason;
        self.shared.with(|state, _| {
            if let Some(reason) = reason {
                // Without a session there is nothing to leave but the connection.
                let _ = state.connection.leave(now, Some(reason));
            }
            state.connection.close(now);
        });
        let Closed { reason, is_clean, io } = closed(&self.shared).await;
        if is_clean { Ok(()) } else { Err(End::new(reason).with_io(io).into()) }
    }
}

impl IntoFuture for Leave {
    type Output = Result<(), Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(Fused::new(self.leave()))
    }
}

async fn closed(shared: &Arc<Shared>) -> Closed {
    match shared.with(|state, _| state.wait_for_end()) {
        Ok(closed) => closed,
        Err(wait) => match wait.await {
            Ok(closed) => closed,
            Err(_) => Closed { reason: CloseReason::Eof, is_clean: false, io: None },
        },
    }
}

/// Checks the URI and encodes the arguments, both without the lock.
pub(super) fn request<K>(via: &Via, uri: &str, args: impl IntoPayload<K>) -> Result<(Uri, Payload), Error> {
    let uri = check(Uri::from_wire(uri.into()), MatchPolicy::Exact)?;
    Ok((uri, args.into_payload(via.serializer())?))
}

/// Checks a URI given by the user.
pub(super) fn check(uri: Uri, policy: MatchPolicy) -> Result<Uri, Error> {
    match uri.check(UriRules::Loose, policy, MAX_URI_LENGTH) {
        Ok(()) => Ok(uri),
        Err(error) => Err(Error::Uri { uri: uri.as_text().clone(), error }),
    }
}

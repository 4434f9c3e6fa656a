//! Calls.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_channel::oneshot;
use roadbed_core::error::PayloadError;
use roadbed_core::id::CallId;
use roadbed_core::message::ResultDetails;
use roadbed_core::options::{CallOptions, CancelMode};
use roadbed_core::payload::Payload;
use roadbed_core::session::Answer;
use roadbed_core::time::Timestamp;
use roadbed_core::uri::Uri;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::request::{Command, Request, Sending, Sent, request_future, timeout_setters};
use super::shared::After;
use super::state::State;
use super::via::Via;
use crate::error::{Error, Operation};
use crate::payload::{single, with_kwargs};

/// A call to be made: await it, or `wait()` for it. Nothing is sent before.
///
/// Dropping the future cancels the call. It fails with [`Error::Timeout`] when there is no result within
/// 60 s; see [`timeout`](Self::timeout).
///
/// ```
/// # async fn example(session: roadbed::client::Session) -> Result<(), roadbed::Error> {
/// let sum: i64 = session.call("com.example.add", (2, 3)).returning().await?;
/// let result = session.call("com.example.measure", ()).await?;
/// let (value, place) = result.args::<(f64, String)>()?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "nothing is sent before it is awaited"]
pub struct Call {
    via: Via,
    request: Result<(Uri, Payload), Error>,
    options: CallOptions,
    timeout: Option<Duration>,
}

impl Call {
    pub(crate) fn new(via: Via, request: Result<(Uri, Payload), Error>) -> Self {
        let timeout = via.request_timeout();
        Self { via, request, options: CallOptions::new(), timeout }
    }

    /// Adds keyword arguments: a struct or a map.
    pub fn kwargs(mut self, kwargs: impl Serialize) -> Self {
        let serializer = self.via.serializer();
        self.request =
            self.request.and_then(|(uri, args)| Ok((uri, with_kwargs(&args, serializer, &kwargs)?)));
        self
    }

    /// Asks the dealer, too, to end the call after this span. Dealers that do not announce `call_timeout` ignore
    /// it; [`timeout`](Self::timeout) does not depend on them.
    pub fn router_timeout(mut self, span: Duration) -> Self {
        // The wire has milliseconds, and 0 would be none at all.
        let millis = span.as_nanos().div_ceil(1_000_000).max(1);
        self.options.timeout = Some(u64::try_from(millis).unwrap_or(u64::MAX));
        self
    }

    /// Asks the dealer to tell the callee who calls.
    pub const fn disclose_me(mut self) -> Self {
        self.options.disclose_me = Some(true);
        self
    }

    /// Sets every option, in place of what was set before.
    pub fn options(mut self, options: CallOptions) -> Self {
        self.options = options;
        self
    }

    /// Reads the result as one value; `()` for none.
    pub const fn returning<T: DeserializeOwned>(self) -> Returning<T> {
        Returning { call: self, of: PhantomData }
    }

    fn into_request(self) -> Request<CallCommand> {
        let options = self.options;
        let command = self.request.map(|(procedure, payload)| CallCommand { procedure, payload, options });
        Request::new(self.via, command, self.timeout)
    }
}

timeout_setters!(Call, timeout);

request_future! {
    /// A call under way.
    Calling(CallCommand) of Call -> CallResult, |result| result
}

impl Calling {
    /// Cancels the call and goes on waiting for how it ends: with [`CancelMode::Kill`] that is what the
    /// callee answers. One that was not sent yet, because it was not polled or waits for room or a session, never
    /// is: it fails with [`Error::Canceled`]. To cancel it and wait for nothing, drop it.
    pub fn cancel(&mut self, mode: CancelMode) {
        self.0.cancel_unsent();
        self.0.while_waiting(|id, state, now| {
            // It may have ended meanwhile.
            let _ = state.connection.cancel(now, id, mode);
        });
    }
}

/// A call whose result is one value.
#[derive(Debug)]
#[must_use = "nothing is sent before it is awaited"]
pub struct Returning<T> {
    call: Call,
    of: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Returning<T> {
    /// Waits for the result in this thread; see [`Call::wait`].
    ///
    /// # Errors
    /// [`Error`], the same as when it is awaited.
    pub fn wait(self) -> Result<T, Error> {
        Ok(self.call.wait()?.get()?)
    }
}

impl<T: DeserializeOwned> IntoFuture for Returning<T> {
    type Output = Result<T, Error>;
    type IntoFuture = ReturningFuture<T>;

    fn into_future(self) -> ReturningFuture<T> {
        ReturningFuture { call: self.call.into_future(), of: PhantomData }
    }
}

/// A call under way whose result is one value.
///
/// Polled again after its result, it stays pending and wakes nobody.
#[derive(Debug)]
#[must_use = "nothing is sent before it is awaited"]
pub struct ReturningFuture<T> {
    call: Calling,
    of: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Future for ReturningFuture<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.call).poll(cx).map(|result| Ok(result?.get()?))
    }
}

/// What a call returned.
#[derive(Clone, Debug, PartialEq)]
pub struct CallResult(Answer);

impl CallResult {
    pub(crate) const fn new(answer: Answer) -> Self {
        Self(answer)
    }

    /// The only value; `()` or `None` for none.
    ///
    /// # Errors
    /// [`PayloadError::Type`] when there are more, or it is no `T`.
    pub fn get<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        single(&self.0.payload)
    }

    /// The values, as a tuple or a `Vec`.
    ///
    /// # Errors
    /// [`PayloadError::Type`] when they have another shape.
    pub fn args<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        self.0.payload.args()
    }

    /// The values with keywords, as a struct or a map.
    ///
    /// # Errors
    /// [`PayloadError::Type`] when they have another shape.
    pub fn kwargs<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        self.0.payload.kwargs()
    }

    /// The values, still encoded.
    pub const fn payload(&self) -> &Payload {
        &self.0.payload
    }

    /// Who answered, where that is told.
    pub fn details(&self) -> &ResultDetails {
        &self.0.details
    }
}

/// A call, ready to be sent.
#[derive(Debug)]
struct CallCommand {
    procedure: Uri,
    payload: Payload,
    options: CallOptions,
}

impl Command for CallCommand {
    type Id = CallId;
    type Answer = CallResult;
    type Output = CallResult;

    fn size(&self) -> usize {
        self.payload.len()
    }

    fn detach(&mut self) {
        self.payload = self.payload.detach();
    }

    fn names(&self) -> (Operation, Option<&Uri>) {
        (Operation::Call, Some(&self.procedure))
    }

    fn send(&mut self, sending: Sending<'_>) -> Result<Sent<CallId, CallResult>, Error> {
        let Sending { state, now, until, .. } = sending;
        let payload = std::mem::take(&mut self.payload);
        let result = state.connection.call(now, &self.procedure, payload, &self.options);
        let id = result.map_err(|error| state.refusal(error))?;
        if until.is_some() {
            // It is active, so this cannot fail.
            let _ = state.connection.set_call_deadline(id, until);
        }
        let (waiter, answer) = oneshot::channel();
        state.calls.insert(id, waiter);
        Ok(Sent::Waits(id, answer))
    }

    fn finish(&mut self, answer: CallResult) -> Result<CallResult, Error> {
        Ok(answer)
    }

    fn abandon(id: CallId, state: &mut State, now: Timestamp, _: &mut After) {
        state.calls.remove(&id);
        // It may have ended meanwhile.
        let _ = state.connection.cancel(now, id, CancelMode::KillNoWait);
    }
}

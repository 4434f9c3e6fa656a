//! Invocations, as a procedure of ours gets them.

use std::sync::Arc;

use roadbed_core::id::SessionId;
use roadbed_core::message::InvocationDetails;
use roadbed_core::options::CancelMode;
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::uri::Uri;
use serde::de::DeserializeOwned;

use super::handler::{ArgumentError, HandlerError};
use super::latch::Waiting;
use super::serving::{Invoked, Serving};
use super::shared::Shared;
use crate::error::Error;
use crate::payload::{IntoReply, single};

/// Somebody called a procedure of ours.
///
/// A handler answers by returning. One that was taken from [`Invocations`](super::Invocations) is answered
/// with [`reply`](Self::reply) or [`error`](Self::error); dropped without, its caller is told
/// `wamp.error.canceled`.
pub struct Invocation {
    invoked: Invoked,
    shared: Arc<Shared>,
    serving: Option<Serving>,
}

impl Invocation {
    pub(crate) const fn new(invoked: Invoked, shared: Arc<Shared>, serving: Option<Serving>) -> Self {
        Self { invoked, shared, serving }
    }

    /// The only argument, or `()` for none.
    ///
    /// # Errors
    /// [`ArgumentError`] when there are more, or it is no `T`. A handler passes it on with `?`.
    pub fn get<T: DeserializeOwned>(&self) -> Result<T, ArgumentError> {
        single(self.payload()).map_err(ArgumentError)
    }

    /// The arguments, as a tuple or a `Vec`.
    ///
    /// # Errors
    /// [`ArgumentError`] when they have another shape. A handler passes it on with `?`.
    pub fn args<T: DeserializeOwned>(&self) -> Result<T, ArgumentError> {
        self.payload().args().map_err(ArgumentError)
    }

    /// The keyword arguments, as a struct or a map.
    ///
    /// # Errors
    /// [`ArgumentError`] when they have another shape. A handler passes it on with `?`.
    pub fn kwargs<T: DeserializeOwned>(&self) -> Result<T, ArgumentError> {
        self.payload().kwargs().map_err(ArgumentError)
    }

    /// The arguments, still encoded.
    pub const fn payload(&self) -> &Payload {
        &self.invoked.payload
    }

    /// The procedure called: as it was registered, or, for a pattern, as the dealer tells it.
    pub fn procedure(&self) -> &Uri {
        self.invoked.details.procedure.as_ref().unwrap_or(&self.invoked.procedure)
    }

    /// The session that calls, where it is disclosed.
    pub fn caller(&self) -> Option<SessionId> {
        self.invoked.details.caller
    }

    /// What else was told of it.
    pub fn details(&self) -> &InvocationDetails {
        &self.invoked.details
    }

    /// Whether the caller has given up, or the session has ended.
    pub fn is_canceled(&self) -> bool {
        self.invoked.interrupt.get().is_some()
    }

    /// Waits until the caller gives up, or the session ends. With [`CancelMode::Kill`] it still waits for
    /// an answer. (The future of a handler is dropped then; this is for invocations taken from a queue.)
    pub async fn canceled(&self) -> CancelMode {
        Waiting::new(&self.invoked.interrupt).await
    }

    /// Answers with a result: one value, `()` for none, or a [`Reply`](crate::Reply).
    ///
    /// # Errors
    /// [`Error::Payload`] when it cannot be encoded, [`Error::Command`] when it is too large, or the
    /// caller has given up; the caller gets an error then.
    pub fn reply<K>(mut self, result: impl IntoReply<K>) -> Result<(), Error> {
        let serving = self.take_serving();
        match result.into_reply(self.shared.serializer()) {
            Ok(payload) => Ok(serving.yields(payload)?),
            Err(error) => {
                serving.fails(HandlerError::from(error.clone()));
                Err(error.into())
            }
        }
    }

    /// Answers with an error.
    pub fn error(mut self, error: impl Into<HandlerError>) {
        self.take_serving().fails(error.into());
    }

    /// The serializer of the session that was called.
    pub(super) fn serializer(&self) -> Serializer {
        self.shared.serializer()
    }

    /// Whoever answers first is heard; a handler's own answer comes to nothing then.
    fn take_serving(&mut self) -> Serving {
        self.serving.take().unwrap_or_else(|| Serving::new(&self.shared, &self.invoked))
    }
}

impl std::fmt::Debug for Invocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invocation")
            .field("procedure", self.procedure())
            .field("payload", self.payload())
            .finish_non_exhaustive()
    }
}

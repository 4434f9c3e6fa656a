//! Publications.

use std::time::Duration;

use futures_channel::oneshot;
use roadbed_core::id::{PublicationId, PublishId};
use roadbed_core::options::PublishOptions;
use roadbed_core::payload::Payload;
use roadbed_core::time::Timestamp;
use roadbed_core::uri::Uri;
use serde::Serialize;

use super::request::{Command, Request, Sending, Sent, request_future, timeout_setters};
use super::shared::After;
use super::state::State;
use super::via::Via;
use crate::error::{Error, Operation};
use crate::payload::with_kwargs;

/// An event to be published: await it, or `wait()` for it. Nothing is sent before.
///
/// Without [`acknowledge`](Self::acknowledge) that takes no longer than there is much output waiting, and
/// nothing more is heard of it, errors of the broker included. It is queued then, and not yet on its way: before a
/// program or its runtime ends, [`flush`](super::Session::flush) it, or leave the session.
#[derive(Debug)]
#[must_use = "nothing is sent before it is awaited"]
pub struct Publish {
    via: Via,
    request: Result<(Uri, Payload), Error>,
    options: PublishOptions,
    timeout: Option<Duration>,
}

impl Publish {
    pub(crate) fn new(via: Via, request: Result<(Uri, Payload), Error>) -> Self {
        let timeout = via.request_timeout();
        Self { via, request, options: PublishOptions::new(), timeout }
    }

    /// Adds keyword arguments: a struct or a map.
    pub fn kwargs(mut self, kwargs: impl Serialize) -> Self {
        let serializer = self.via.serializer();
        self.request =
            self.request.and_then(|(uri, args)| Ok((uri, with_kwargs(&args, serializer, &kwargs)?)));
        self
    }

    /// Whether this session's own subscriptions are left out. By default they are.
    pub const fn exclude_me(mut self, exclude: bool) -> Self {
        self.options.exclude_me = Some(exclude);
        self
    }

    /// Sets every option, in place of what was set before; `acknowledge` has its own method.
    pub fn options(mut self, options: PublishOptions) -> Self {
        self.options = options;
        self
    }

    /// Waits for the broker to say that it took the event, and under which id.
    pub const fn acknowledge(self) -> Acknowledged {
        Acknowledged(self)
    }

    fn into_request(self) -> Request<PublishCommand> {
        self.request_with(None)
    }

    fn request_with(self, acknowledge: Option<bool>) -> Request<PublishCommand> {
        let mut options = self.options;
        options.acknowledge = acknowledge;
        let command = self.request.map(|(topic, payload)| PublishCommand { topic, payload, options });
        Request::new(self.via, command, self.timeout)
    }
}

timeout_setters!(Publish, timeout);

/// An event to be published and acknowledged: await it, or `wait()` for it. Nothing is sent before.
#[derive(Debug)]
#[must_use = "nothing is sent before it is awaited"]
pub struct Acknowledged(Publish);

impl Acknowledged {
    fn into_request(self) -> Request<PublishCommand> {
        self.0.request_with(Some(true))
    }
}

timeout_setters!(Acknowledged, 0.timeout);

request_future! {
    /// A publication under way.
    Publishing(PublishCommand) of Publish -> (), |_| ()
}

request_future! {
    /// A publication under way that is acknowledged.
    Acknowledging(PublishCommand) of Acknowledged -> PublicationId, |id| id.unwrap_or(PublicationId::MIN)
}

/// A publication, ready to be sent.
#[derive(Debug)]
struct PublishCommand {
    topic: Uri,
    payload: Payload,
    options: PublishOptions,
}

impl Command for PublishCommand {
    type Id = PublishId;
    type Answer = Option<PublicationId>;
    type Output = Option<PublicationId>;

    fn size(&self) -> usize {
        self.payload.len()
    }

    fn detach(&mut self) {
        self.payload = self.payload.detach();
    }

    fn names(&self) -> (Operation, Option<&Uri>) {
        (Operation::Publish, Some(&self.topic))
    }

    fn send(&mut self, sending: Sending<'_>) -> Result<Sent<PublishId, Option<PublicationId>>, Error> {
        let Sending { state, now, until, .. } = sending;
        let payload = std::mem::take(&mut self.payload);
        let result = state.connection.publish(now, &self.topic, payload, &self.options);
        match result.map_err(|error| state.refusal(error))? {
            None => Ok(Sent::Done(None)),
            Some(id) => {
                let (waiter, answer) = oneshot::channel();
                state.publications.insert(id, waiter, until);
                Ok(Sent::Waits(id, answer))
            }
        }
    }

    fn finish(&mut self, answer: Option<PublicationId>) -> Result<Option<PublicationId>, Error> {
        Ok(answer)
    }

    fn abandon(id: PublishId, state: &mut State, _: Timestamp, _: &mut After) {
        state.publications.remove(&id);
    }
}

//! Events, as a subscription gives them.

use roadbed_core::error::PayloadError;
use roadbed_core::id::{PublicationId, SubscriptionId};
use roadbed_core::message::{EventDetails, Sparse};
use roadbed_core::payload::Payload;
use roadbed_core::uri::Uri;
use serde::de::DeserializeOwned;

use super::queue::Entry;
use crate::payload::single;

/// An event that somebody published.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub(crate) publication: PublicationId,
    pub(crate) subscription: SubscriptionId,
    pub(crate) details: Sparse<EventDetails>,
    pub(crate) payload: Payload,
}

impl Event {
    /// The only argument, or `()` for none.
    ///
    /// # Errors
    /// [`PayloadError::Type`] when there are more, or it is no `T`.
    pub fn get<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        single(&self.payload)
    }

    /// The arguments, as a tuple or a `Vec`.
    ///
    /// # Errors
    /// [`PayloadError::Type`] when they have another shape.
    pub fn args<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        self.payload.args()
    }

    /// The keyword arguments, as a struct or a map.
    ///
    /// # Errors
    /// [`PayloadError::Type`] when they have another shape.
    pub fn kwargs<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        self.payload.kwargs()
    }

    /// The arguments, still encoded. To keep them for long, [`detach`](Payload::detach) them from the
    /// buffer they were read into.
    pub const fn payload(&self) -> &Payload {
        &self.payload
    }

    /// The publication; every subscriber gets the same.
    pub const fn publication(&self) -> PublicationId {
        self.publication
    }

    /// The subscription it matched.
    pub const fn subscription(&self) -> SubscriptionId {
        self.subscription
    }

    /// The topic, when the subscription is a pattern.
    pub fn topic(&self) -> Option<&Uri> {
        self.details.topic.as_ref()
    }

    /// What else was told of it, such as its publisher.
    pub fn details(&self) -> &EventDetails {
        &self.details
    }
}

/// What a subscription's queue holds.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Event(Event),
    /// What follows was published to the session of this generation.
    Gap(u64),
    /// The router took the subscription back.
    Revoked,
}

impl Entry for Item {
    fn detach(self) -> Self {
        match self {
            Self::Event(event) => Self::Event(Event {
                details: if event.details.is_empty() {
                    Sparse::EMPTY
                } else {
                    Sparse::from(event.details.detach())
                },
                payload: event.payload.detach(),
                ..event
            }),
            mark @ (Self::Gap(_) | Self::Revoked) => mark,
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Event(event) if event.details.is_empty() => event.payload.len(),
            Self::Event(event) => event.payload.len().saturating_add(event.details.weight()),
            Self::Gap(_) | Self::Revoked => 0,
        }
    }
}

/// So many events were dropped, because nobody took them in time. Those after them follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} events were dropped")]
pub struct Lagged(pub u64);

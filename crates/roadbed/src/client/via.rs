//! What a request goes through: one session, or whichever a client has.

use std::sync::Arc;
use std::time::Duration;

use roadbed_core::serializer::Serializer;
use roadbed_core::time::Timestamp;

use super::lasting::{Lasting, WhileDisconnected};
use super::shared::Shared;
use crate::runtime::Runtime;

/// What a request goes through.
#[derive(Clone, Debug)]
pub(crate) enum Via {
    Session(Arc<Shared>),
    /// The session there is when it is sent, and what to do without one.
    Client(Arc<Lasting>, WhileDisconnected),
}

impl Via {
    /// What arguments are best encoded in. They are transcoded if it turns out otherwise.
    pub(crate) fn serializer(&self) -> Serializer {
        match self {
            Self::Session(shared) => shared.serializer(),
            Self::Client(client, _) => client.serializer(),
        }
    }

    pub(crate) fn request_timeout(&self) -> Option<Duration> {
        match self {
            Self::Session(shared) => shared.request_timeout,
            Self::Client(client, _) => client.request_timeout,
        }
    }

    pub(crate) fn runtime(&self) -> &dyn Runtime {
        match self {
            Self::Session(shared) => &*shared.runtime,
            Self::Client(client, _) => &*client.runtime,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        match self {
            Self::Session(shared) => shared.now(),
            Self::Client(client, _) => client.runtime.now(),
        }
    }
}

impl From<Arc<Shared>> for Via {
    fn from(shared: Arc<Shared>) -> Self {
        Self::Session(shared)
    }
}

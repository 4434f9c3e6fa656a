//! Why a request is not carried out, and how its session learns of it.

use roadbed_core::error::{PayloadError, uris};
use roadbed_core::id::RequestId;
use roadbed_core::message::MessageType;
use roadbed_core::uri::Uri;

use super::Origin;
use crate::keys::SessionKey;

/// Why a request is not carried out: what ERROR says. Boxed wherever it goes, so that what goes well costs a word.
#[derive(Clone, Debug)]
pub(crate) struct Denial {
    pub(crate) error: Uri,
    pub(crate) text: String,
    /// What is wrong with the payload, where it is the payload.
    pub(crate) payload: Option<PayloadError>,
}

impl Denial {
    pub(crate) fn new(error: &Uri, text: impl Into<String>) -> Box<Self> {
        Box::new(Self { error: error.clone(), text: text.into(), payload: None })
    }

    /// A limit of the session is reached.
    pub(crate) fn limit(name: &str, limit: usize) -> Box<Self> {
        Self::new(&uris::UNAVAILABLE, format!("the limit {name} is {limit}"))
    }

    /// The payload cannot be carried.
    pub(crate) fn payload(what: &str, error: PayloadError) -> Box<Self> {
        let mut denial = Self::new(&uris::INVALID_PAYLOAD, format!("the {what}: {error}"));
        denial.payload = Some(error);
        denial
    }
}

/// How an ERROR reaches the session that made a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answering {
    pub(crate) to: Option<(SessionKey, RequestId)>,
    pub(crate) kind: MessageType,
    /// It is a publication that asked for no acknowledgement, so nobody waits for an answer.
    pub(crate) is_silent: bool,
}

impl Answering {
    pub(crate) const fn new(origin: &Origin, kind: MessageType, is_silent: bool) -> Self {
        let to = match *origin {
            Origin::Session { session, request } => Some((session, request)),
            Origin::Router | Origin::Former(_) => None,
        };
        Self { to, kind, is_silent }
    }
}

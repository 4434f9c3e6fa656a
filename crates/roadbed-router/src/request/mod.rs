//! What peers, and the embedder, ask a realm for. A request goes three steps: it is *admitted* (`admit`), *authorized*
//! (the realm's authorizer, or the driver, says whether it may be), and *committed* (broker and dealer). Between the
//! last two it may wait.

mod admit;
mod denial;
mod origin;

use roadbed_core::id::{RegistrationId, RequestId, SubscriptionId};
use roadbed_core::message::{Call, MessageType, Publish, Register, Sparse, Subscribe};
use roadbed_core::options::{CallOptions, PublishOptions, RegisterOptions, SubscribeOptions};
use roadbed_core::payload::Payload;
use roadbed_core::uri::Uri;

pub(crate) use admit::{check_content, check_passthru, check_payload};
pub(crate) use denial::{Answering, Denial};
pub(crate) use origin::Origin;

use crate::authorizer::{Access, AccessOptions, Verb};
use crate::identity::SessionInfo;
use crate::keys::SessionKey;

/// A request: who asks, and what for.
pub(crate) struct Request {
    pub(crate) origin: Origin,
    /// The topic or procedure.
    pub(crate) uri: Uri,
    /// The verb, and its options.
    pub(crate) action: Action,
    /// Empty for SUBSCRIBE and REGISTER.
    pub(crate) payload: Payload,
}

/// What a request asks for, and how.
pub(crate) enum Action {
    Call(Sparse<CallOptions>),
    Publish(Sparse<PublishOptions>),
    Subscribe(Sparse<SubscribeOptions>),
    Register(Sparse<RegisterOptions>),
}

/// Takes back what a session has; that needs nobody's leave.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Release {
    Unsubscribe { request: RequestId, subscription: SubscriptionId },
    Unregister { request: RequestId, registration: RegistrationId },
}

impl Release {
    pub(crate) const fn request(&self) -> (MessageType, RequestId) {
        match *self {
            Self::Unsubscribe { request, .. } => (MessageType::Unsubscribe, request),
            Self::Unregister { request, .. } => (MessageType::Unregister, request),
        }
    }
}

impl Request {
    #[inline]
    pub(crate) fn call(session: SessionKey, call: Call) -> Self {
        let Call { request, options, procedure: uri, payload } = call;
        Self { origin: Origin::Session { session, request }, uri, action: Action::Call(options), payload }
    }

    #[inline]
    pub(crate) fn publish(session: SessionKey, publish: Publish) -> Self {
        let Publish { request, options, topic: uri, payload } = publish;
        Self { origin: Origin::Session { session, request }, uri, action: Action::Publish(options), payload }
    }

    #[inline]
    pub(crate) fn subscribe(session: SessionKey, subscribe: Subscribe) -> Self {
        let Subscribe { request, options, topic: uri } = subscribe;
        let (origin, action) = (Origin::Session { session, request }, Action::Subscribe(options));
        Self { origin, uri, action, payload: Payload::EMPTY }
    }

    #[inline]
    pub(crate) fn register(session: SessionKey, register: Register) -> Self {
        let Register { request, options, procedure: uri } = register;
        let (origin, action) = (Origin::Session { session, request }, Action::Register(options));
        Self { origin, uri, action, payload: Payload::EMPTY }
    }

    pub(crate) const fn verb(&self) -> Verb {
        self.action.verb()
    }

    /// How an ERROR reaches the session that asks.
    pub(crate) fn answering(&self) -> Answering {
        let is_silent = match &self.action {
            Action::Publish(options) => options.acknowledge != Some(true),
            _ => false,
        };
        Answering::new(&self.origin, self.verb().message_type(), is_silent)
    }

    /// The request as an authorizer sees it.
    pub(crate) fn access<'a>(&'a self, session: &'a SessionInfo) -> Access<'a> {
        let options = match &self.action {
            Action::Call(options) => AccessOptions::Call(options),
            Action::Publish(options) => AccessOptions::Publish(options),
            Action::Subscribe(options) => AccessOptions::Subscribe(options),
            Action::Register(options) => AccessOptions::Register(options),
        };
        Access::new(session, &self.uri, options)
    }

    /// The same, sharing no memory with a read buffer.
    pub(crate) fn detach(self) -> Self {
        let Self { origin, uri, action, payload } = self;
        Self { origin, uri: uri.detach(), action: action.detach(), payload: payload.detach() }
    }

    /// About how many bytes of memory it holds beside itself once it is detached.
    pub(crate) fn weight(&self) -> usize {
        let parts = [self.uri.as_str().len(), self.action.weight(), self.payload.len()];
        parts.into_iter().fold(0, usize::saturating_add)
    }
}

impl Action {
    pub(crate) const fn verb(&self) -> Verb {
        match self {
            Self::Call(_) => Verb::Call,
            Self::Publish(_) => Verb::Publish,
            Self::Subscribe(_) => Verb::Subscribe,
            Self::Register(_) => Verb::Register,
        }
    }

    fn detach(self) -> Self {
        match self {
            Self::Call(options) => {
                Self::Call(options.as_set().map_or(Sparse::EMPTY, |set| set.detach().into()))
            }
            Self::Publish(options) => {
                Self::Publish(options.as_set().map_or(Sparse::EMPTY, |set| set.detach().into()))
            }
            Self::Subscribe(options) => {
                Self::Subscribe(options.as_set().map_or(Sparse::EMPTY, |set| set.detach().into()))
            }
            Self::Register(options) => {
                Self::Register(options.as_set().map_or(Sparse::EMPTY, |set| set.detach().into()))
            }
        }
    }

    fn weight(&self) -> usize {
        let weight = match self {
            Self::Call(options) => options.as_set().map(CallOptions::weight),
            Self::Publish(options) => options.as_set().map(PublishOptions::weight),
            Self::Subscribe(options) => options.as_set().map(SubscribeOptions::weight),
            Self::Register(options) => options.as_set().map(RegisterOptions::weight),
        };
        weight.unwrap_or(0)
    }
}

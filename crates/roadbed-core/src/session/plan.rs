//! Commands in two steps: a [`Plan`] checks everything and builds the message without changing anything;
//! carrying it out changes the session. In between a connection encodes the message, so that one that
//! cannot be sent has used no id.

use super::pending::Request;
use super::{Session, SessionState};
use crate::error::CommandError;
use crate::id::RequestId;
use crate::message::Message;
use crate::role::{Feature, Role};
use crate::uri::{MAX_URI_LENGTH, MatchPolicy, Uri, UriError, UriRules};

/// A command that can be carried out.
#[must_use]
pub(crate) struct Plan {
    pub(crate) message: Message,
    pub(super) change: Change,
}

/// What carrying out a plan changes.
pub(super) enum Change {
    /// A request takes an id; it may wait for an answer.
    Request(RequestId, Option<Request>),
    /// An invocation is answered.
    Answer(RequestId),
    /// A challenge is answered.
    Authenticate,
}

impl Plan {
    pub(super) fn request(id: RequestId, message: impl Into<Message>, request: Option<Request>) -> Self {
        Self { message: message.into(), change: Change::Request(id, request) }
    }

    /// The request id taken, or the invocation answered.
    pub(crate) fn id(&self) -> RequestId {
        match self.change {
            Change::Request(id, _) | Change::Answer(id) => id,
            Change::Authenticate => RequestId::MIN,
        }
    }
}

impl Session {
    /// Carries a plan out and queues its message.
    pub(super) fn enact(&mut self, plan: Plan) -> RequestId {
        let id = plan.id();
        let Plan { message, change } = plan;
        self.transmit.push_back(message);
        self.apply(change);
        id
    }

    /// Carries a plan out whose message was sent by the layer below.
    pub(crate) fn commit(&mut self, plan: Plan) -> RequestId {
        let id = plan.id();
        self.apply(plan.change);
        id
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Request(id, request) => {
                match &request {
                    Some(Request::Subscribe(target)) => self.subscriptions.request(target),
                    Some(Request::Register(target)) => self.registrations.request(target),
                    _ => {}
                }
                self.pending.issue(id, request);
            }
            Change::Answer(id) => self.invocations.remove(id),
            Change::Authenticate => self.authenticated(),
        }
    }

    /// Checks that a session is joined and that both sides took their roles.
    pub(super) fn require(&self, ours: Role, theirs: Role) -> Result<(), CommandError> {
        if self.state != SessionState::Joined {
            return Err(CommandError::NotJoined);
        }
        if !self.config.roles.has(ours) {
            return Err(CommandError::RoleMissing(ours));
        }
        if !self.peer_roles().has(theirs) {
            return Err(CommandError::RoleMissing(theirs));
        }
        Ok(())
    }

    /// Whether both sides announced a feature.
    pub(super) fn agreed(&self, ours: Role, theirs: Role, feature: Feature) -> bool {
        self.config.roles.supports(ours, feature) && self.peer_roles().supports(theirs, feature)
    }

    /// Refuses sealed payloads unless both sides announced them: peers end the session over them
    /// (advanced profile, "Payload Passthru Mode").
    pub(super) fn check_passthru(
        &self,
        ours: Role,
        theirs: Role,
        passthru: &crate::message::PassThru,
    ) -> Result<(), CommandError> {
        let Some(attributes) = passthru.attributes() else { return Ok(()) };
        let feature = match attributes.enc_algo {
            Some(_) => Feature::PayloadTransparency,
            None => Feature::PayloadPassthruMode,
        };
        if self.agreed(ours, theirs, feature) { Ok(()) } else { Err(CommandError::FeatureMissing(feature)) }
    }
}

/// Refuses an option that would need a feature not implemented here.
pub(super) fn refuse(option: Option<bool>, feature: Feature) -> Result<(), CommandError> {
    if option == Some(true) { Err(CommandError::FeatureMissing(feature)) } else { Ok(()) }
}

/// Checks a URI that is about to be sent, or was received where nothing but a URI may stand. Many routers end the
/// session of a client over one that is none, and many clients that of its callers.
pub(super) fn check_uri(uri: &Uri, policy: MatchPolicy) -> Result<(), UriError> {
    uri.check(UriRules::Loose, policy, MAX_URI_LENGTH)
}

/// Refuses one more than `limit`.
pub(super) fn check_room(what: &'static str, count: usize, limit: usize) -> Result<(), CommandError> {
    if count >= limit { Err(CommandError::TooMany { what, count, limit }) } else { Ok(()) }
}

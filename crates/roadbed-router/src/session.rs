//! What a realm keeps for a session.

use std::collections::BTreeMap;
use std::sync::Arc;

use roadbed_core::error::{ProtocolViolation, ViolationKind};
use roadbed_core::id::{IdSequence, RegistrationId, RequestId, SubscriptionId};
use roadbed_core::message::MessageType;
use roadbed_core::ring::IdRing;

use crate::identity::SessionInfo;
use crate::keys::{InvocationKey, QueueKey, RegistrationKey, SubscriptionKey};
use crate::parking::Parked;

/// Where a session stands among the subscribers of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Membership {
    /// The subscription.
    pub(crate) subscription: SubscriptionKey,
    /// The subscriber's place in the order of subscribing.
    pub(crate) order: u64,
}

/// A joined session inside its realm.
pub(crate) struct Session {
    pub(crate) info: Arc<SessionInfo>,
    /// Its outgoing queue.
    pub(crate) queue: QueueKey,
    /// The last request that the client made.
    pub(crate) last_request: Option<RequestId>,
    pub(crate) subscriptions: BTreeMap<SubscriptionId, Membership>,
    /// Registrations, and their slots in the dealer.
    pub(crate) registrations: BTreeMap<RegistrationId, RegistrationKey>,
    /// Calls that wait for an answer, by the caller's request, and their slots in the dealer.
    pub(crate) calls: IdRing<InvocationKey>,
    /// Calls that ended for this session, though their callees have not answered.
    pub(crate) left_behind: usize,
    /// Invocations that the callee has not answered, and their slots in the dealer.
    pub(crate) invocations: IdRing<InvocationKey>,
    /// How many of `invocations` no caller waits for any more.
    pub(crate) abandoned: usize,
    pub(crate) issued: IssuedIds,
    /// What waits while it is decided whether a request is allowed.
    pub(crate) parked: Option<Box<Parked>>,
}

impl Session {
    pub(crate) fn new(info: Arc<SessionInfo>, queue: QueueKey) -> Self {
        Self {
            info,
            queue,
            last_request: None,
            subscriptions: BTreeMap::new(),
            registrations: BTreeMap::new(),
            calls: IdRing::new(),
            left_behind: 0,
            invocations: IdRing::new(),
            abandoned: 0,
            issued: IssuedIds::default(),
            parked: None,
        }
    }

    /// Notes the request id of a new request; with `is_strict` it must follow the one before.
    pub(crate) fn begin(
        &mut self,
        message: MessageType,
        request: RequestId,
        is_strict: bool,
    ) -> Result<(), ProtocolViolation> {
        let expected = IdSequence::successor(self.last_request.replace(request));
        if is_strict && request != expected {
            let kind = ViolationKind::NonSequential { found: request, expected };
            return Err(ProtocolViolation::new(Some(message), kind));
        }
        if self.parked.as_ref().is_some_and(|parked| parked.has_goodbye()) {
            return Err(ProtocolViolation::unexpected(message, "after GOODBYE"));
        }
        Ok(())
    }

    /// Checks that `request` is not the id of a call under way.
    pub(crate) fn check_fresh(&self, request: RequestId) -> Result<(), ProtocolViolation> {
        let waits = || self.parked.as_ref().is_some_and(|parked| parked.has_call(request));
        if self.calls.contains(request) || waits() {
            let state = "with the request id of a call that is not answered yet";
            return Err(ProtocolViolation::unexpected(MessageType::Call, state));
        }
        Ok(())
    }

    /// Returns how many calls are not answered, those among them that wait for a decision.
    pub(crate) fn open_calls(&self) -> usize {
        let waiting = self.parked.as_ref().map_or(0, |parked| parked.calls());
        self.calls.len().saturating_add(waiting)
    }

    /// Returns the invocations of others that this session caused and that are not answered.
    pub(crate) fn caused(&self) -> usize {
        self.calls.len().saturating_add(self.left_behind)
    }
}

/// The ids of invocations sent to one callee. A watermark tells an answer that comes late from an
/// answer to an invocation that never was; no table of past ids is needed.
#[derive(Clone, Debug, Default)]
pub(crate) struct IssuedIds {
    ids: IdSequence,
    /// After a wrap-around every id was issued once.
    has_wrapped: bool,
}

impl IssuedIds {
    pub(crate) fn next(&mut self, in_flight: impl Fn(RequestId) -> bool) -> RequestId {
        let last = self.ids.last();
        let id = self.ids.next_free(in_flight);
        self.has_wrapped |= last.is_some_and(|last| id < last);
        id
    }

    /// Whether `id` was issued at some time.
    pub(crate) fn was_issued(&self, id: RequestId) -> bool {
        self.has_wrapped || self.ids.last().is_some_and(|last| id <= last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> RequestId {
        RequestId::new(n).unwrap()
    }

    #[test]
    fn the_watermark_tells_late_from_never() {
        let mut ids = IssuedIds::default();
        assert!(!ids.was_issued(id(1)));
        assert_eq!(ids.next(|_| false), id(1));
        assert!(ids.was_issued(id(1)));
        assert!(!ids.was_issued(id(2)));
    }

    #[test]
    fn after_a_wrap_every_id_was_issued_and_those_in_flight_are_skipped() {
        let ids = IdSequence::continue_after(RequestId::MAX);
        let mut ids = IssuedIds { ids, has_wrapped: false };
        assert_eq!(ids.next(|id| id.get() < 3), id(3));
        assert!(ids.was_issued(RequestId::MAX));
    }
}

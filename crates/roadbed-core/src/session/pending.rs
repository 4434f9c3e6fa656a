//! Requests of ours that wait for an answer.

use super::grants::Target;
use crate::error::{ProtocolViolation, ViolationKind};
use crate::id::{IdSequence, RegisterId, RequestId, SubscribeId};
use crate::message::MessageType;
use crate::options::CancelMode;
use crate::ring::IdRing;
use crate::time::Timestamp;

/// A request that waits for its answer.
#[derive(Debug)]
pub(super) enum Request {
    Call(Call),
    Publish,
    Subscribe(Target),
    /// `None` when the session itself gives the subscription back, and nobody waits.
    Unsubscribe(Option<SubscribeId>),
    Register(Target),
    /// `None` as for `Unsubscribe`.
    Unregister(Option<RegisterId>),
}

#[derive(Debug, Default)]
pub(super) struct Call {
    pub(super) deadline: Option<Timestamp>,
    /// The mode of the CANCEL that was sent.
    pub(super) canceled: Option<CancelMode>,
}

impl Request {
    const fn message_type(&self) -> MessageType {
        match self {
            Self::Call(_) => MessageType::Call,
            Self::Publish => MessageType::Publish,
            Self::Subscribe(_) => MessageType::Subscribe,
            Self::Unsubscribe(_) => MessageType::Unsubscribe,
            Self::Register(_) => MessageType::Register,
            Self::Unregister(_) => MessageType::Unregister,
        }
    }
}

/// The requests of one session, and the sequence that numbers them.
#[derive(Debug, Default)]
pub(super) struct Pending {
    ids: IdSequence,
    /// The largest id issued; after a wrap-around that is the largest there is.
    highest: Option<RequestId>,
    requests: IdRing<Request>,
    counts: Counts,
}

/// How many requests of each limited type wait.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) calls: usize,
    /// Only those to be acknowledged.
    pub(super) publications: usize,
    pub(super) unsubscribes: usize,
    pub(super) unregisters: usize,
}

impl Counts {
    /// The count for this request; `Grants` counts those for subscriptions and registrations.
    const fn of(&mut self, request: &Request) -> Option<&mut usize> {
        match request {
            Request::Call(_) => Some(&mut self.calls),
            Request::Publish => Some(&mut self.publications),
            Request::Unsubscribe(_) => Some(&mut self.unsubscribes),
            Request::Unregister(_) => Some(&mut self.unregisters),
            Request::Subscribe(_) | Request::Register(_) => None,
        }
    }
}

impl Pending {
    /// The id that the next request takes. Nothing changes until [`issue`](Self::issue).
    pub(super) fn next_id(&self) -> RequestId {
        self.ids.clone().next_free(|id| self.requests.contains(id))
    }

    /// Uses `id`, which [`next_id`](Self::next_id) returned; `request` waits for an answer.
    pub(super) fn issue(&mut self, id: RequestId, request: Option<Request>) {
        self.ids = IdSequence::continue_after(id);
        self.highest = self.highest.max(Some(id));
        if let Some(request) = request {
            if let Some(count) = self.counts.of(&request) {
                *count = count.saturating_add(1);
            }
            self.requests.insert(id, request);
        }
    }

    /// Takes out the request of type `message_type` that `id` names. `None` for one that was issued and
    /// has ended since: answers may cross with whatever ended it.
    pub(super) fn answer(
        &mut self,
        answer: MessageType,
        message_type: MessageType,
        id: RequestId,
    ) -> Result<Option<Request>, ProtocolViolation> {
        match self.requests.get(id) {
            Some(request) if request.message_type() == message_type => Ok(self.remove(id)),
            Some(_) => Err(ProtocolViolation::unexpected(answer, "for a request of another type")),
            None if self.was_issued(id) => Ok(None),
            None => Err(ProtocolViolation::new(Some(answer), ViolationKind::UnknownRequest(id))),
        }
    }

    pub(super) fn remove(&mut self, id: RequestId) -> Option<Request> {
        let request = self.requests.remove(id)?;
        if let Some(count) = self.counts.of(&request) {
            *count = count.saturating_sub(1);
        }
        Some(request)
    }

    pub(super) fn call(&self, id: RequestId) -> Option<&Call> {
        match self.requests.get(id) {
            Some(Request::Call(call)) => Some(call),
            _ => None,
        }
    }

    pub(super) fn call_mut(&mut self, id: RequestId) -> Option<&mut Call> {
        match self.requests.get_mut(id) {
            Some(Request::Call(call)) => Some(call),
            _ => None,
        }
    }

    /// Takes everything out, in the order of ids; the sequence starts anew.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (RequestId, Request)> + use<> {
        core::mem::take(self).requests.drain()
    }

    fn was_issued(&self, id: RequestId) -> bool {
        self.highest.is_some_and(|highest| id <= highest)
    }

    /// How many requests of each limited type wait.
    pub(super) const fn counts(&self) -> Counts {
        self.counts
    }

    /// How many requests wait.
    pub(super) fn len(&self) -> usize {
        self.requests.len()
    }

    #[cfg(test)]
    pub(super) fn continue_after(&mut self, last: RequestId) {
        self.ids = IdSequence::continue_after(last);
        self.highest = Some(last);
    }
}

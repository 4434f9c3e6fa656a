//! Leaving: GOODBYE, ABORT, and every other way a session ends.

use alloc::boxed::Box;

use bytestring::ByteString;

use super::pending::Request;
use super::plan::check_uri;
use super::{Session, SessionEvent, SessionState};
use crate::error::{CloseReason, CommandError, Deadline, ProtocolViolation, RequestError, uris};
use crate::id::{PublishId, RegisterId, RequestId, SubscribeId};
use crate::message::{Abort, CloseDetails, Goodbye, MessageType, Sparse};
use crate::payload::Payload;
use crate::time::Timestamp;
use crate::uri::{MatchPolicy, Uri, detach};

impl Session {
    /// Leaves the realm: GOODBYE with `reason`, by default `wamp.close.close_realm`. What is pending ends
    /// at once. [`SessionEvent::Left`] follows when the router has answered, or after
    /// [`Limits::goodbye_timeout`](crate::limits::Limits::goodbye_timeout); then
    /// [`SessionEvent::Closed`], unless `stay_attached` is set.
    ///
    /// # Errors
    /// [`CommandError::NotJoined`] without a joined session; [`CommandError::InvalidUri`] when `reason` is no
    /// URI.
    pub fn leave(&mut self, now: Timestamp, reason: Option<Uri>) -> Result<(), CommandError> {
        self.observe(now);
        if self.state != SessionState::Joined {
            return Err(CommandError::NotJoined);
        }
        let reason = reason.unwrap_or_else(|| uris::CLOSE_REALM.clone());
        check_uri(&reason, MatchPolicy::Exact)?;
        self.say_goodbye(reason);
        Ok(())
    }

    fn say_goodbye(&mut self, reason: Uri) {
        self.send_goodbye(reason.clone());
        self.state = SessionState::Leaving;
        let deadline = self.now.saturating_add(self.config.limits.goodbye_timeout);
        self.timers.start(Deadline::Goodbye, deadline);
        self.farewell = Some(reason.clone());
        self.fail_pending(&CloseReason::Goodbye { reason, message: None, by_peer: false });
    }

    fn send_goodbye(&mut self, reason: Uri) {
        self.transmit.push_back(Goodbye { details: Sparse::EMPTY, reason }.into());
    }

    /// Ends session and transport in an orderly way: a joined session leaves first, one that is being
    /// joined is aborted.
    pub fn close(&mut self, now: Timestamp) {
        self.observe(now);
        self.is_closing = true;
        match self.state {
            SessionState::Joined => self.say_goodbye(uris::CLOSE_REALM.clone()),
            SessionState::Leaving | SessionState::Closed => {}
            SessionState::Idle => self.end(CloseReason::Local, true),
            SessionState::Joining | SessionState::Challenged | SessionState::Confirming => {
                self.send_abort(uris::CLOSE_REALM.clone(), None);
                self.end(CloseReason::Local, true);
            }
        }
    }

    /// Ends session and transport at once: ABORT with `reason`, by default `wamp.close.close_realm` (also for a
    /// reason that is no URI), and no waiting for the router. It also refuses a [`SessionEvent::Welcome`]. Without a
    /// session, nor one being joined, there is nothing to abort: the transport just closes.
    pub fn abort(&mut self, now: Timestamp, reason: Option<Uri>) {
        self.observe(now);
        if self.state != SessionState::Idle {
            let reason = reason.filter(|reason| check_uri(reason, MatchPolicy::Exact).is_ok());
            self.send_abort(reason.unwrap_or_else(|| uris::CLOSE_REALM.clone()), None);
        }
        self.end(CloseReason::Local, false);
    }

    /// ABORT, unless nothing was sent yet: the first message must be HELLO.
    pub(super) fn send_abort(&mut self, reason: Uri, message: Option<ByteString>) {
        if self.epoch > 0 && self.state != SessionState::Closed {
            let mut details = CloseDetails::new();
            details.message = message;
            self.transmit
                .push_back(Abort { details: details.into(), reason, payload: Payload::EMPTY }.into());
        }
    }

    pub(super) fn on_goodbye(&mut self, goodbye: &Goodbye) -> Result<(), ProtocolViolation> {
        if let Some(reason) = self.farewell.take() {
            // Any GOODBYE answers ours, one that crossed with it as well; that one may be followed by an
            // answer all the same.
            self.may_echo = goodbye.reason != uris::GOODBYE_AND_OUT;
            let message = goodbye.details.message.as_ref().map(detach);
            self.leave_with(CloseReason::Goodbye { reason, message, by_peer: false });
        } else {
            check_uri(&goodbye.reason, MatchPolicy::Exact)
                .map_err(|error| ProtocolViolation::invalid_uri(MessageType::Goodbye, "reason", error))?;
            self.send_goodbye(uris::GOODBYE_AND_OUT.clone());
            let message = goodbye.details.message.as_ref().map(detach);
            self.leave_with(CloseReason::Goodbye { reason: goodbye.reason.detach(), message, by_peer: true });
        }
        Ok(())
    }

    /// A GOODBYE that cannot be read answers ours like any other.
    pub(super) fn on_unreadable_goodbye(&mut self) {
        if let Some(reason) = self.farewell.take() {
            self.leave_with(CloseReason::Goodbye { reason, message: None, by_peer: false });
        }
    }

    /// GOODBYE was exchanged. The transport stays, if it was to stay; but not when the session was never
    /// joined: `Left` would have no `Joined`, so `Closed` has to tell.
    fn leave_with(&mut self, reason: CloseReason) {
        let was_joined = self.welcome.as_ref().is_some_and(|welcome| welcome.is_joined);
        if !was_joined || !self.config.stay_attached || self.is_closing {
            return self.end(reason, true);
        }
        self.forget(&reason);
        self.state = SessionState::Idle;
    }

    pub(super) fn on_abort(&mut self, abort: &Abort) {
        let message = abort.details.message.as_ref().map(detach);
        let (reason, payload) = (abort.reason.detach(), Box::new(abort.payload.detach()));
        // A router that saw a rule broken closes the transport; after any other refusal HELLO may come again.
        let is_refusal = matches!(self.state, SessionState::Joining | SessionState::Challenged)
            && reason != uris::PROTOCOL_VIOLATION;
        let reason = CloseReason::Abort { reason, message, payload };
        if is_refusal && self.config.stay_attached && !self.is_closing {
            self.forget(&reason);
            self.state = SessionState::Idle;
            self.events.push_back(SessionEvent::Refused { reason });
        } else {
            self.end(reason, false);
        }
    }

    /// The peer broke the protocol: ABORT, and nothing further is processed (basic profile, "Protocol
    /// Errors").
    pub(super) fn fail(&mut self, violation: ProtocolViolation) {
        let text = alloc::string::ToString::to_string(&violation);
        self.send_abort(uris::PROTOCOL_VIOLATION.clone(), Some(text.into()));
        self.end(CloseReason::PeerViolation(violation), false);
    }

    /// Ends everything; `Closed` is the last event.
    pub(crate) fn end(&mut self, reason: CloseReason, clean: bool) {
        if self.state == SessionState::Closed {
            return;
        }
        self.forget(&reason);
        self.state = SessionState::Closed;
        self.closed = Some(SessionEvent::Closed { reason, clean });
    }

    /// Forgets the session: what is pending fails, and `Left` follows if it was joined.
    fn forget(&mut self, reason: &CloseReason) {
        self.fail_pending(reason);
        self.timers.stop();
        self.farewell = None;
        if self.welcome.take().is_some_and(|welcome| welcome.is_joined) {
            self.events.push_back(SessionEvent::Left { reason: reason.clone() });
        }
    }

    /// Fails every pending request, in the order in which they were made, and drops every handler.
    fn fail_pending(&mut self, reason: &CloseReason) {
        self.timers.clear_calls();
        self.subscriptions = Default::default();
        self.registrations = Default::default();
        self.invocations = Default::default();
        for (id, request) in self.pending.drain() {
            self.fail_request(id, request, RequestError::Ended(reason.clone()));
        }
    }

    /// The one event that ends a request which failed.
    pub(super) fn fail_request(&mut self, id: RequestId, request: Request, error: RequestError) {
        let epoch = self.epoch;
        let event = match request {
            Request::Call(call) => return self.call_ended(id, &call, Err(error)),
            Request::Publish => {
                SessionEvent::Published { publish: PublishId::new(epoch, id), result: Err(error) }
            }
            Request::Subscribe(_) => {
                SessionEvent::Subscribed { handler: SubscribeId::new(epoch, id), result: Err(error) }
            }
            Request::Register(_) => {
                SessionEvent::Registered { handler: RegisterId::new(epoch, id), result: Err(error) }
            }
            Request::Unsubscribe(Some(handler)) => SessionEvent::Unsubscribed { handler, result: Err(error) },
            Request::Unregister(Some(handler)) => SessionEvent::Unregistered { handler, result: Err(error) },
            Request::Unsubscribe(None) | Request::Unregister(None) => return,
        };
        self.events.push_back(event);
    }
}

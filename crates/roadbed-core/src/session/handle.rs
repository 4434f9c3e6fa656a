//! What comes from outside: messages, violations, the end of the transport, time.

use super::pending::Request;
use super::state::{Verdict, verdict};
use super::{Session, SessionState};
use crate::error::{CloseReason, Deadline, ProtocolViolation, RequestError, WampError, uris};
use crate::id::RequestId;
use crate::message::{Error, Message, MessageType};
use crate::time::Timestamp;

impl Session {
    /// A message from the router.
    pub fn handle_message(&mut self, now: Timestamp, message: Message) {
        self.observe(now);
        let Some(message_type) = message.message_type() else {
            self.stats.unknown = self.stats.unknown.saturating_add(1);
            return;
        };
        if self.is_echo(&message) {
            return self.count_late();
        }
        match verdict(self.state, message_type) {
            Verdict::Ignore => self.count_late(),
            Verdict::Violation(state) => self.fail(ProtocolViolation::unexpected(message_type, state)),
            Verdict::Take => {
                if let Err(violation) = self.take(message) {
                    self.fail(violation);
                }
            }
        }
    }

    fn take(&mut self, message: Message) -> Result<(), ProtocolViolation> {
        match message {
            Message::Welcome(welcome) => self.on_welcome(welcome)?,
            Message::Challenge(challenge) => self.on_challenge(challenge)?,
            Message::Abort(abort) => self.on_abort(&abort),
            Message::Goodbye(goodbye) => self.on_goodbye(&goodbye)?,
            Message::Error(error) => self.on_error(error)?,
            Message::Published(published) => self.on_published(&published)?,
            Message::Subscribed(subscribed) => self.on_subscribed(&subscribed)?,
            Message::Unsubscribed(unsubscribed) => self.on_unsubscribed(unsubscribed)?,
            Message::Event(event) => self.on_event(event),
            Message::CallResult(result) => self.on_result(result)?,
            Message::Registered(registered) => self.on_registered(&registered)?,
            Message::Unregistered(unregistered) => self.on_unregistered(unregistered)?,
            Message::Invocation(invocation) => self.on_invocation(invocation)?,
            Message::Interrupt(interrupt) => self.on_interrupt(interrupt),
            // The table lets nothing else through.
            _ => {}
        }
        Ok(())
    }

    /// Whether this is the answer to a GOODBYE of ours that the router's own GOODBYE had answered
    /// already. Both crossed, so it may come as late as after the next HELLO.
    fn is_echo(&mut self, message: &Message) -> bool {
        let Message::Goodbye(goodbye) = message else { return false };
        let may_come = matches!(self.state, SessionState::Idle | SessionState::Joining);
        let is_echo = self.may_echo && may_come && goodbye.reason == uris::GOODBYE_AND_OUT;
        self.may_echo &= !is_echo;
        is_echo
    }

    fn on_error(&mut self, error: Error) -> Result<(), ProtocolViolation> {
        let Error { request_type, request, error: uri, payload, .. } = error;
        if request_type == MessageType::Invocation {
            let state = "for an INVOCATION, which only callees answer";
            return Err(ProtocolViolation::unexpected(MessageType::Error, state));
        }
        // The URI may be none: a router that does not check what callees say is not to blame for them.
        let error = RequestError::Wamp(WampError::with_payload(uri.detach(), payload.detach()));
        self.refused(request_type, request, error)
    }

    /// The router answers a request, but not with what was asked for.
    fn refused(
        &mut self,
        request_type: MessageType,
        request: RequestId,
        error: RequestError,
    ) -> Result<(), ProtocolViolation> {
        let Some(ended) = self.pending.answer(MessageType::Error, request_type, request)? else {
            self.count_late();
            return Ok(());
        };
        let (subscription, registration) = match &ended {
            Request::Subscribe(target) => (self.subscriptions.refused(target), None),
            Request::Register(target) => (None, self.registrations.refused(target)),
            _ => (None, None),
        };
        self.fail_request(request, ended, error);
        self.return_subscription(subscription);
        self.return_registration(registration);
        Ok(())
    }

    /// What a decoder or a transport found wrong. Where only an option or a URI is unsuitable it costs one
    /// request: an INVOCATION is answered `wamp.error.invalid_argument`, a request of ours that an ERROR or a RESULT
    /// answers ends with [`RequestError::Unreadable`], an EVENT or INTERRUPT is passed over. While leaving every such
    /// message is passed over. An ABORT ends the session however it reads. Everything else ends it with ABORT.
    pub fn handle_violation(&mut self, now: Timestamp, violation: ProtocolViolation) {
        self.observe(now);
        let message = violation.message();
        match self.state {
            SessionState::Closed => return,
            // ABORT is never answered.
            _ if message == Some(MessageType::Abort) => {
                return self.end(CloseReason::PeerViolation(violation), false);
            }
            SessionState::Leaving if message == Some(MessageType::Goodbye) => {
                return self.on_unreadable_goodbye();
            }
            SessionState::Leaving if message.is_some() => return self.count_late(),
            _ => {}
        }
        if let Err(violation) = self.pass_over(violation) {
            self.fail(violation);
        }
    }

    /// Answers or ends the one request that a violation costs; returns one that costs the session.
    fn pass_over(&mut self, violation: ProtocolViolation) -> Result<(), ProtocolViolation> {
        let is_open = matches!(self.state, SessionState::Joined | SessionState::Confirming);
        // What it says of its event is often the publisher's word, passed on.
        if is_open && violation.message() == Some(MessageType::Event) && violation.is_unsuitable_option() {
            self.count_late();
            return Ok(());
        }
        let (Some(request), Some(request_type)) = (violation.request(), violation.request_type()) else {
            return Err(violation);
        };
        match violation.message().filter(|_| is_open) {
            Some(MessageType::Invocation) => {
                self.check_invocation_id(request)?;
                let text = alloc::string::ToString::to_string(&violation);
                self.refuse_invocation(request, &uris::INVALID_ARGUMENT, &text);
                Ok(())
            }
            Some(MessageType::Error | MessageType::CallResult) if request_type != MessageType::Invocation => {
                self.refused(request_type, request, RequestError::Unreadable(violation))
            }
            Some(MessageType::Interrupt) => {
                self.count_late();
                Ok(())
            }
            _ => Err(violation),
        }
    }

    /// The transport ended. What is pending fails at once.
    pub fn handle_eof(&mut self, now: Timestamp) {
        self.observe(now);
        let is_clean = self.state == SessionState::Idle && self.epoch > 0;
        self.end(CloseReason::Eof, is_clean);
    }

    /// Ends what is due at `now`; at any other time it does nothing.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.observe(now);
        if let Some(deadline) = self.timers.expired_phase(self.now) {
            self.expire(deadline);
        }
        self.expire_calls();
    }

    fn expire(&mut self, deadline: Deadline) {
        let reason = match (deadline, self.state) {
            (Deadline::Decision, SessionState::Challenged) => &uris::CANNOT_AUTHENTICATE,
            _ => &uris::TIMEOUT,
        };
        // Our GOODBYE was the last word.
        if deadline != Deadline::Goodbye {
            let text = alloc::string::ToString::to_string(&deadline);
            self.send_abort(reason.clone(), Some(text.into()));
        }
        self.end(CloseReason::Timeout(deadline), false);
    }

    pub(super) fn count_late(&mut self) {
        self.stats.late = self.stats.late.saturating_add(1);
    }
}

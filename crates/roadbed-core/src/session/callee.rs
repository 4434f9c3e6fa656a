//! The callee: REGISTER, UNREGISTER, INVOCATION and its answers, INTERRUPT, revocation.

use alloc::string::ToString;

use super::grants::Release;
use super::pending::Request;
use super::plan::{Change, Plan, check_room, check_uri, refuse};
use super::{Session, SessionEvent};
use crate::error::{CommandError, ProtocolViolation, ViolationKind, WampError, uris};
use crate::id::{IdSequence, InvocationId, RegisterId, RegistrationId, RequestId};
use crate::message::{
    Error, Interrupt, Invocation, MessageType, Register, Registered, Sparse, Unregister, Unregistered, Yield,
    error_reply,
};
use crate::options::{CancelMode, RegisterOptions, YieldOptions};
use crate::payload::Payload;
use crate::ring::IdRing;
use crate::role::{Feature, Role};
use crate::serializer::{Malformed, Serializer};
use crate::time::Timestamp;
use crate::uri::{MatchPolicy, Uri};

/// The invocations that wait for our answer.
#[derive(Debug, Default)]
pub(super) struct Invocations {
    /// Whether each was interrupted in mode `kill`.
    active: IdRing<bool>,
    last: Option<RequestId>,
}

impl Invocations {
    pub(super) fn len(&self) -> usize {
        self.active.len()
    }

    pub(super) fn remove(&mut self, id: RequestId) {
        self.active.remove(id);
    }
}

impl Session {
    /// Registers a procedure. Exactly one [`SessionEvent::Registered`] follows.
    ///
    /// # Errors
    /// [`CommandError`]; no id was used then.
    pub fn register(
        &mut self,
        now: Timestamp,
        procedure: &Uri,
        options: &RegisterOptions,
    ) -> Result<RegisterId, CommandError> {
        self.observe(now);
        let plan = self.plan_register(procedure, options)?;
        Ok(RegisterId::new(self.epoch, self.enact(plan)))
    }

    pub(crate) fn plan_register(
        &self,
        procedure: &Uri,
        options: &RegisterOptions,
    ) -> Result<Plan, CommandError> {
        self.require(Role::Callee, Role::Dealer)?;
        check_uri(procedure, options.match_policy.unwrap_or_default())?;
        let limit = self.config.limits.registrations;
        check_room("registrations", self.registrations.len(), limit)?;
        // As for subscriptions: what was never answered has to be remembered.
        check_room("unregister requests", self.pending.counts().unregisters, limit.saturating_mul(2))?;
        let request = self.pending.next_id();
        let target = (procedure.detach(), options.match_policy.unwrap_or_default());
        let message = Register { request, options: options.clone().into(), procedure: procedure.clone() };
        Ok(Plan::request(request, message, Some(Request::Register(target))))
    }

    /// Ends a registration; no new invocation comes of it, and those that came can still be answered.
    /// Exactly one [`SessionEvent::Unregistered`] follows.
    ///
    /// # Errors
    /// [`CommandError::NotActive`] when it was never registered or is gone.
    pub fn unregister(&mut self, now: Timestamp, handler: RegisterId) -> Result<(), CommandError> {
        self.observe(now);
        self.require(Role::Callee, Role::Dealer)?;
        match self.registrations.release(handler).ok_or(CommandError::NotActive)? {
            Release::Shared => {
                self.events.push_back(SessionEvent::Unregistered { handler, result: Ok(()) });
            }
            Release::Last(registration) => self.send_unregister(registration, Some(handler)),
        }
        Ok(())
    }

    fn send_unregister(&mut self, registration: RegistrationId, handler: Option<RegisterId>) {
        let request = self.pending.next_id();
        self.pending.issue(request, Some(Request::Unregister(handler)));
        self.transmit.push_back(Unregister { request, registration, options: None }.into());
    }

    /// Gives a registration back that was kept for a handler which never came.
    pub(super) fn return_registration(&mut self, registration: Option<RegistrationId>) {
        if let Some(registration) = registration {
            self.send_unregister(registration, None);
        }
    }

    /// Answers an invocation with a result. It is over then.
    ///
    /// # Errors
    /// [`CommandError::NotActive`] when it was answered before or canceled without waiting.
    pub fn yield_result(
        &mut self,
        now: Timestamp,
        invocation: InvocationId,
        payload: Payload,
        options: &YieldOptions,
    ) -> Result<(), CommandError> {
        self.observe(now);
        let plan = self.plan_yield(invocation, payload, options)?;
        self.enact(plan);
        Ok(())
    }

    pub(crate) fn plan_yield(
        &self,
        invocation: InvocationId,
        payload: Payload,
        options: &YieldOptions,
    ) -> Result<Plan, CommandError> {
        let request = self.active_invocation(invocation)?;
        refuse(options.progress, Feature::ProgressiveCallResults)?;
        self.check_passthru(Role::Callee, Role::Dealer, &options.passthru)?;
        let message = Yield { request, options: options.clone().into(), payload }.into();
        Ok(Plan { message, change: Change::Answer(request) })
    }

    /// Answers an invocation with an error. It is over then.
    ///
    /// # Errors
    /// [`CommandError::NotActive`] when it was answered before or canceled without waiting;
    /// [`CommandError::InvalidUri`] when the error's URI is none, and then it still waits for an answer.
    pub fn invocation_error(
        &mut self,
        now: Timestamp,
        invocation: InvocationId,
        error: WampError,
    ) -> Result<(), CommandError> {
        self.observe(now);
        let plan = self.plan_error(invocation, error)?;
        self.enact(plan);
        Ok(())
    }

    pub(crate) fn plan_error(
        &self,
        invocation: InvocationId,
        error: WampError,
    ) -> Result<Plan, CommandError> {
        let request = self.active_invocation(invocation)?;
        let (request_type, details) = (MessageType::Invocation, Sparse::EMPTY);
        let WampError { uri: error, payload } = error;
        check_uri(&error, MatchPolicy::Exact)?;
        let message = Error { request_type, request, details, error, payload }.into();
        Ok(Plan { message, change: Change::Answer(request) })
    }

    fn active_invocation(&self, invocation: InvocationId) -> Result<RequestId, CommandError> {
        self.require(Role::Callee, Role::Dealer)?;
        let request = invocation.request();
        let is_active = invocation.epoch() == self.epoch && self.invocations.active.contains(request);
        if is_active { Ok(request) } else { Err(CommandError::NotActive) }
    }

    pub(super) fn on_registered(&mut self, registered: &Registered) -> Result<(), ProtocolViolation> {
        let Registered { request, registration } = *registered;
        match self.pending.answer(MessageType::Registered, MessageType::Register, request)? {
            Some(Request::Register(target)) => {
                let handler = RegisterId::new(self.epoch, request);
                let back = self.registrations.granted(target, registration, handler);
                self.events.push_back(SessionEvent::Registered { handler, result: Ok(registration) });
                self.return_registration(back);
            }
            _ => self.count_late(),
        }
        Ok(())
    }

    pub(super) fn on_unregistered(&mut self, message: Unregistered) -> Result<(), ProtocolViolation> {
        let Some(request) = message.request else { return self.on_registration_revoked(message) };
        match self.pending.answer(MessageType::Unregistered, MessageType::Unregister, request)? {
            Some(Request::Unregister(handler)) => {
                let ended = handler.map(|handler| SessionEvent::Unregistered { handler, result: Ok(()) });
                self.events.extend(ended);
            }
            _ => self.count_late(),
        }
        Ok(())
    }

    /// `[67, 0, {"registration": …}]` (advanced profile, "Registration Revocation").
    fn on_registration_revoked(&mut self, message: Unregistered) -> Result<(), ProtocolViolation> {
        let details = message.details.unwrap_or_default();
        let registration = details.registration.ok_or_else(|| {
            let missing = ViolationKind::Malformed(Malformed::MissingKey("registration"));
            ProtocolViolation::new(Some(MessageType::Unregistered), missing)
        })?;
        let handlers = self.registrations.revoke(registration);
        if handlers.is_empty() {
            self.count_late();
        }
        // It is kept longer than the read buffer should be.
        let reason = details.reason.as_ref().map(Uri::detach);
        self.events.extend(handlers.into_iter().map(|handler| SessionEvent::RegistrationRevoked {
            handler,
            registration,
            reason: reason.clone(),
        }));
        Ok(())
    }

    pub(super) fn on_invocation(&mut self, invocation: Invocation) -> Result<(), ProtocolViolation> {
        let Invocation { request, registration, details, payload } = invocation;
        self.check_invocation_id(request)?;
        let Some(&handler) = self.registrations.handlers(registration).first() else {
            // Sent before the dealer saw our UNREGISTER.
            self.refuse_invocation(
                request,
                &uris::NO_SUCH_PROCEDURE,
                "nothing is registered here under this id",
            );
            return Ok(());
        };
        if let Err(error) = payload.check() {
            self.refuse_invocation(request, &uris::INVALID_PAYLOAD, &error.to_string());
            return Ok(());
        }
        let (count, limit) = (self.invocations.len(), self.config.limits.pending_invocations);
        if count >= limit {
            let text = alloc::format!("{count} invocations wait for an answer, the limit is {limit}");
            self.refuse_invocation(request, &uris::UNAVAILABLE, &text);
            return Ok(());
        }
        self.invocations.active.insert(request, false);
        let invocation = InvocationId::new(self.epoch, request);
        self.events.push_back(SessionEvent::Invocation {
            invocation,
            registration,
            handler,
            details,
            payload,
        });
        Ok(())
    }

    /// An id that is not in use, and the next in sequence where that is asked for.
    pub(super) fn check_invocation_id(&mut self, request: RequestId) -> Result<(), ProtocolViolation> {
        let expected = IdSequence::successor(self.invocations.last);
        if self.config.strict_ids && request != expected {
            let kind = ViolationKind::NonSequential { found: request, expected };
            return Err(ProtocolViolation::new(Some(MessageType::Invocation), kind));
        }
        if self.invocations.active.contains(request) {
            let state = "with the id of an invocation that is not answered yet";
            return Err(ProtocolViolation::unexpected(MessageType::Invocation, state));
        }
        self.invocations.last = Some(request);
        Ok(())
    }

    /// Answers an invocation that the application never sees.
    pub(super) fn refuse_invocation(&mut self, request: RequestId, error: &Uri, text: &str) {
        let mut reply = error_reply(MessageType::Invocation, request, error.clone());
        reply.payload = Payload::from_args(Serializer::Cbor, &[text]).unwrap_or_default();
        self.transmit.push_back(reply.into());
    }

    pub(super) fn on_interrupt(&mut self, interrupt: Interrupt) {
        let Interrupt { request, options } = interrupt;
        let mode = options.mode.unwrap_or_default();
        let Some(is_interrupted) = self.invocations.active.get_mut(request) else {
            // It crossed with our answer.
            return self.count_late();
        };
        if mode != CancelMode::Kill {
            self.invocations.remove(request);
        } else if core::mem::replace(is_interrupted, true) {
            return self.count_late();
        }
        let invocation = InvocationId::new(self.epoch, request);
        let reason = options.reason.as_ref().map(Uri::detach);
        self.events.push_back(SessionEvent::Interrupted { invocation, mode, reason });
    }
}

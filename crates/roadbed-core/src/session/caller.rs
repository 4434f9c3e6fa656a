//! The caller: CALL, CANCEL, and the one event that ends each call.

use super::pending::{Call, Request};
use super::plan::{Plan, check_room, check_uri, refuse};
use super::{Answer, Session, SessionEvent};
use crate::error::{CommandError, ProtocolViolation, RequestError};
use crate::id::{CallId, RequestId};
use crate::message::{self, CallResult, Cancel, MessageType};
use crate::options::{CallOptions, CancelMode, CancelOptions};
use crate::payload::Payload;
use crate::role::{Feature, Role};
use crate::time::Timestamp;
use crate::uri::{MatchPolicy, Uri};

impl Session {
    /// Calls a procedure. It ends with exactly one [`SessionEvent::Result`].
    ///
    /// There is no deadline unless [`set_call_deadline`](Self::set_call_deadline) sets one; `timeout` in
    /// the options is for the dealer or the callee.
    ///
    /// # Errors
    /// [`CommandError`]; no id was used then.
    pub fn call(
        &mut self,
        now: Timestamp,
        procedure: &Uri,
        payload: Payload,
        options: &CallOptions,
    ) -> Result<CallId, CommandError> {
        self.observe(now);
        let plan = self.plan_call(procedure, payload, options)?;
        Ok(CallId::new(self.epoch, self.enact(plan)))
    }

    pub(crate) fn plan_call(
        &self,
        procedure: &Uri,
        payload: Payload,
        options: &CallOptions,
    ) -> Result<Plan, CommandError> {
        self.require(Role::Caller, Role::Dealer)?;
        check_uri(procedure, MatchPolicy::Exact)?;
        refuse(options.progress, Feature::ProgressiveCallInvocations)?;
        refuse(options.receive_progress, Feature::ProgressiveCallResults)?;
        self.check_passthru(Role::Caller, Role::Dealer, &options.passthru)?;
        check_room("calls", self.pending.counts().calls, self.config.limits.pending_calls)?;
        let request = self.pending.next_id();
        let (options, procedure) = (options.clone().into(), procedure.clone());
        let message = message::Call { request, options, procedure, payload };
        Ok(Plan::request(request, message, Some(Request::Call(Call::default()))))
    }

    /// Cancels a call. Its [`SessionEvent::Result`] still follows: what the dealer answers, which may be
    /// the result after all, or [`RequestError::Canceled`] at once when the dealer does not support
    /// canceling. Canceling it again changes nothing, except that `KillNoWait` ends the wait that `Kill`
    /// began.
    ///
    /// # Errors
    /// [`CommandError::NotActive`] when the call has ended.
    pub fn cancel(&mut self, now: Timestamp, call: CallId, mode: CancelMode) -> Result<(), CommandError> {
        self.observe(now);
        let id = self.active_call(call)?;
        if self.can_cancel() {
            self.send_cancel(id, mode);
        } else {
            self.end_call(id, Err(RequestError::Canceled));
        }
        Ok(())
    }

    /// Sets, moves or lifts the deadline of a call. When it passes the call ends with
    /// [`RequestError::Timeout`] at once, and the dealer is told to cancel it if it can.
    ///
    /// # Errors
    /// [`CommandError::NotActive`] when the call has ended.
    pub fn set_call_deadline(
        &mut self,
        call: CallId,
        deadline: Option<Timestamp>,
    ) -> Result<(), CommandError> {
        let id = self.active_call(call)?;
        if let Some(call) = self.pending.call_mut(id) {
            let before = core::mem::replace(&mut call.deadline, deadline);
            self.timers.set_call(id, before, deadline);
        }
        Ok(())
    }

    fn active_call(&self, call: CallId) -> Result<RequestId, CommandError> {
        let is_active = call.epoch() == self.epoch && self.pending.call(call.request()).is_some();
        if is_active { Ok(call.request()) } else { Err(CommandError::NotActive) }
    }

    fn can_cancel(&self) -> bool {
        self.agreed(Role::Caller, Role::Dealer, Feature::CallCanceling)
    }

    fn send_cancel(&mut self, id: RequestId, mode: CancelMode) {
        let Some(call) = self.pending.call_mut(id) else { return };
        let ends_the_wait = call.canceled == Some(CancelMode::Kill) && mode == CancelMode::KillNoWait;
        if call.canceled.is_none() || ends_the_wait {
            call.canceled = Some(mode);
            let options = CancelOptions::new().mode(mode).into();
            self.transmit.push_back(Cancel { request: id, options }.into());
        }
    }

    /// Ends the calls whose deadlines have passed.
    pub(super) fn expire_calls(&mut self) {
        while let Some(id) = self.timers.expired_call(self.now) {
            if self.can_cancel() {
                self.send_cancel(id, CancelMode::KillNoWait);
            }
            if let Some(call) = self.pending.call_mut(id) {
                call.deadline = None;
            }
            self.end_call(id, Err(RequestError::Timeout));
        }
    }

    fn end_call(&mut self, id: RequestId, result: Result<Answer, RequestError>) {
        if let Some(Request::Call(call)) = self.pending.remove(id) {
            self.call_ended(id, &call, result);
        }
    }

    /// Reports the end of a call that is no longer pending.
    pub(super) fn call_ended(&mut self, id: RequestId, call: &Call, result: Result<Answer, RequestError>) {
        self.timers.set_call(id, call.deadline, None);
        self.events.push_back(SessionEvent::Result { call: CallId::new(self.epoch, id), result });
    }

    pub(super) fn on_result(&mut self, result: CallResult) -> Result<(), ProtocolViolation> {
        let CallResult { request, details, payload } = result;
        let answer = MessageType::CallResult;
        // Some routers forward progress that nobody asked for; the call has not ended by it.
        if details.progress == Some(true) && self.pending.call(request).is_some() {
            self.count_late();
            return Ok(());
        }
        match self.pending.answer(answer, MessageType::Call, request)? {
            Some(Request::Call(call)) => self.call_ended(request, &call, Ok(Answer { details, payload })),
            _ => self.count_late(),
        }
        Ok(())
    }
}

//! The commands of a connection: those of its session, encoded at once.

use super::Connection;
use crate::error::{CommandError, WampError};
use crate::id::{CallId, InvocationId, PublishId, RegisterId, RequestId, SubscribeId};
use crate::message::RawDict;
use crate::options::{
    CallOptions, CancelMode, PublishOptions, RegisterOptions, SubscribeOptions, YieldOptions,
};
use crate::payload::Payload;
use crate::session::Plan;
use crate::time::Timestamp;
use crate::uri::Uri;

impl Connection {
    /// Calls a procedure; see [`Session::call`](crate::session::Session::call). A payload in another
    /// serializer than the connection's is transcoded.
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
        let plan = self.session.plan_call(procedure, payload, options)?;
        let id = self.request(now, plan)?;
        Ok(CallId::new(self.session.epoch(), id))
    }

    /// Cancels a call; see [`Session::cancel`](crate::session::Session::cancel).
    ///
    /// # Errors
    /// [`CommandError::NotActive`] when the call has ended.
    pub fn cancel(&mut self, now: Timestamp, call: CallId, mode: CancelMode) -> Result<(), CommandError> {
        self.observe(now);
        let result = self.session.cancel(now, call, mode);
        self.finish(now);
        result
    }

    /// Sets, moves or lifts the deadline of a call; see
    /// [`Session::set_call_deadline`](crate::session::Session::set_call_deadline).
    ///
    /// # Errors
    /// [`CommandError::NotActive`] when the call has ended.
    pub fn set_call_deadline(
        &mut self,
        call: CallId,
        deadline: Option<Timestamp>,
    ) -> Result<(), CommandError> {
        self.session.set_call_deadline(call, deadline)
    }

    /// Publishes an event; see [`Session::publish`](crate::session::Session::publish).
    ///
    /// # Errors
    /// [`CommandError`]; no id was used then.
    pub fn publish(
        &mut self,
        now: Timestamp,
        topic: &Uri,
        payload: Payload,
        options: &PublishOptions,
    ) -> Result<Option<PublishId>, CommandError> {
        self.observe(now);
        let plan = self.session.plan_publish(topic, payload, options)?;
        let id = self.request(now, plan)?;
        Ok(self.session.publish_handle(options, id))
    }

    /// Subscribes a handler; see [`Session::subscribe`](crate::session::Session::subscribe).
    ///
    /// # Errors
    /// [`CommandError`]; no id was used then.
    pub fn subscribe(
        &mut self,
        now: Timestamp,
        topic: &Uri,
        options: &SubscribeOptions,
    ) -> Result<SubscribeId, CommandError> {
        self.observe(now);
        let plan = self.session.plan_subscribe(topic, options)?;
        let id = self.request(now, plan)?;
        Ok(SubscribeId::new(self.session.epoch(), id))
    }

    /// Takes a handler away; see [`Session::unsubscribe`](crate::session::Session::unsubscribe).
    ///
    /// # Errors
    /// [`CommandError::NotActive`] when the handler was never subscribed or is gone.
    pub fn unsubscribe(&mut self, now: Timestamp, handler: SubscribeId) -> Result<(), CommandError> {
        self.observe(now);
        let result = self.session.unsubscribe(now, handler);
        self.finish(now);
        result
    }

    /// Registers a procedure; see [`Session::register`](crate::session::Session::register).
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
        let plan = self.session.plan_register(procedure, options)?;
        let id = self.request(now, plan)?;
        Ok(RegisterId::new(self.session.epoch(), id))
    }

    /// Ends a registration; see [`Session::unregister`](crate::session::Session::unregister).
    ///
    /// # Errors
    /// [`CommandError::NotActive`] when it was never registered or is gone.
    pub fn unregister(&mut self, now: Timestamp, handler: RegisterId) -> Result<(), CommandError> {
        self.observe(now);
        let result = self.session.unregister(now, handler);
        self.finish(now);
        result
    }

    /// Answers an invocation with a result; see
    /// [`Session::yield_result`](crate::session::Session::yield_result). Never refused for want of room.
    ///
    /// # Errors
    /// [`CommandError::NotActive`] when it was answered before or canceled without waiting. After any
    /// other error the invocation still waits for its answer.
    pub fn yield_result(
        &mut self,
        now: Timestamp,
        invocation: InvocationId,
        payload: Payload,
        options: &YieldOptions,
    ) -> Result<(), CommandError> {
        self.observe(now);
        let plan = self.session.plan_yield(invocation, payload, options)?;
        self.submit(now, plan).map(|_| ())
    }

    /// Answers an invocation with an error; see
    /// [`Session::invocation_error`](crate::session::Session::invocation_error). Never refused for want
    /// of room.
    ///
    /// # Errors
    /// As [`yield_result`](Self::yield_result).
    pub fn invocation_error(
        &mut self,
        now: Timestamp,
        invocation: InvocationId,
        error: WampError,
    ) -> Result<(), CommandError> {
        self.observe(now);
        let plan = self.session.plan_error(invocation, error)?;
        self.submit(now, plan).map(|_| ())
    }

    /// Answers a challenge; see [`Session::authenticate`](crate::session::Session::authenticate).
    ///
    /// # Errors
    /// [`CommandError::NotJoined`] when no challenge waits for an answer (any more).
    pub fn authenticate(
        &mut self,
        now: Timestamp,
        signature: &str,
        extra: RawDict,
    ) -> Result<(), CommandError> {
        self.observe(now);
        let plan = self.session.plan_authenticate(signature, extra)?;
        self.submit(now, plan).map(|_| ())
    }

    /// Accepts a WELCOME; see [`Session::accept_welcome`](crate::session::Session::accept_welcome).
    ///
    /// # Errors
    /// [`CommandError::NotJoined`] when no WELCOME waits to be accepted (any more).
    pub fn accept_welcome(&mut self, now: Timestamp) -> Result<(), CommandError> {
        self.observe(now);
        let result = self.session.accept_welcome(now);
        self.finish(now);
        result
    }

    /// Joins again on a transport that stayed; see [`Session::join`](crate::session::Session::join). The
    /// first HELLO goes out by itself.
    ///
    /// # Errors
    /// [`CommandError::AlreadyJoined`] when there is a session, or will be; [`CommandError::NotJoined`]
    /// when the transport is not open.
    pub fn join(&mut self, now: Timestamp) -> Result<(), CommandError> {
        self.observe(now);
        if !self.is_open() {
            return Err(CommandError::NotJoined);
        }
        let result = self.session.join(now);
        self.finish(now);
        result
    }

    /// Leaves the realm; see [`Session::leave`](crate::session::Session::leave).
    ///
    /// # Errors
    /// [`CommandError::NotJoined`] without a joined session.
    pub fn leave(&mut self, now: Timestamp, reason: Option<Uri>) -> Result<(), CommandError> {
        self.observe(now);
        let result = self.session.leave(now, reason);
        self.finish(now);
        result
    }

    /// Ends session and transport in an orderly way; see [`Session::close`](crate::session::Session::close).
    pub fn close(&mut self, now: Timestamp) {
        self.observe(now);
        self.session.close(now);
        self.finish(now);
    }

    /// Ends session and transport at once; see [`Session::abort`](crate::session::Session::abort). Fetch
    /// the output that is left, or drop it with [`handle_lost`](Self::handle_lost).
    pub fn abort(&mut self, now: Timestamp, reason: Option<Uri>) {
        self.observe(now);
        self.session.abort(now, reason);
        self.finish(now);
    }

    /// A new request: refused while too much output is queued.
    fn request(&mut self, now: Timestamp, plan: Plan) -> Result<RequestId, CommandError> {
        let (queued, limit) = (self.queued(), self.limits().output_size);
        if queued > limit {
            return Err(CommandError::WouldBlock { queued, limit });
        }
        self.submit(now, plan)
    }

    /// Sends a command's message, then carries the command out.
    fn submit(&mut self, now: Timestamp, plan: Plan) -> Result<RequestId, CommandError> {
        self.send(now, &plan.message)?;
        self.session.observe(now);
        Ok(self.session.commit(plan))
    }

    /// After a command that the session carried out by itself.
    fn finish(&mut self, now: Timestamp) {
        self.flush(now);
        self.settle(now);
    }
}

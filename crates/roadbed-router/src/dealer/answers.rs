//! What callees answer, and what callers are told of it.

use roadbed_core::error::{ProtocolViolation, ViolationKind, uris};
use roadbed_core::id::RequestId;
use roadbed_core::message::{CallResult, Error, MessageType, Sparse, Yield};
use roadbed_core::uri::Uri;

use super::Dealer;
use super::invocations::Pending;
use crate::context::Context;
use crate::events::RouterEvent;
use crate::fanout::Refused;
use crate::keys::{InvocationKey, SessionKey};
use crate::request::check_passthru;
use crate::stats::count;
use crate::text::short_text;
use crate::uris::{Names, check};

impl Dealer {
    /// YIELD.
    pub(crate) fn result(
        &mut self,
        context: &mut Context<'_>,
        key: SessionKey,
        result: Yield,
    ) -> Result<(), ProtocolViolation> {
        let Yield { request: id, options, payload } = result;
        check_passthru(MessageType::Yield, &options.passthru)?;
        let is_progress = options.progress == Some(true);
        let answered = self.answered(context, key, MessageType::Yield, id, !is_progress)?;
        let Some(invocation) = answered else { return Ok(()) };
        if is_progress {
            // INVOCATION asked for no progress; the call goes on.
            count(&mut context.out.counters.progress_dropped);
            return Ok(());
        }
        let taken = self.invocations.take(context.sessions, invocation);
        let Some((Pending { caller, request, .. }, Some(queue))) = taken else { return Ok(()) };
        let checked = context.check_payload(&payload).map_err(Refused::Payload);
        let result = CallResult { request, details: Sparse::EMPTY, payload };
        if let Err(refused) = checked.and_then(|()| context.out.reply(queue, result)) {
            let denial = context.undelivered("result", refused);
            context.refuse(caller, MessageType::Call, request, &denial.error, &denial.text);
        }
        Ok(())
    }

    /// ERROR from a callee.
    pub(crate) fn error(
        &mut self,
        context: &mut Context<'_>,
        key: SessionKey,
        error: Error,
    ) -> Result<(), ProtocolViolation> {
        let Error { request_type, request: id, details, error, payload } = error;
        if request_type != MessageType::Invocation {
            let state = "for a request that only clients make";
            return Err(ProtocolViolation::unexpected(MessageType::Error, state));
        }
        check_passthru(MessageType::Error, &details.passthru)?;
        let Some(invocation) = self.answered(context, key, MessageType::Error, id, true)? else {
            return Ok(());
        };
        if let Err(reason) = check(&error, Names::Outcome, &context.config.limits) {
            let violation = ProtocolViolation::invalid_uri(MessageType::Error, "error", reason);
            self.refuse_answer(context, invocation, &uris::INVALID_URI, &violation.to_string());
            return Ok(());
        }
        let taken = self.invocations.take(context.sessions, invocation);
        let Some((Pending { caller, request, .. }, Some(queue))) = taken else { return Ok(()) };
        let details = Sparse::EMPTY;
        let checked = context.check_payload(&payload).map_err(Refused::Payload);
        let answer = Error { request_type: MessageType::Call, request, details, error, payload };
        if let Err(refused) = checked.and_then(|()| context.out.reply(queue, answer)) {
            let denial = context.undelivered("error", refused);
            context.refuse(caller, MessageType::Call, request, &denial.error, &denial.text);
        }
        Ok(())
    }

    /// An answer that could not be read to its end. The caller is told; the callee goes on, as one bad answer is no
    /// reason to end all its others.
    pub(crate) fn unreadable_answer(
        &mut self,
        context: &mut Context<'_>,
        key: SessionKey,
        violation: &ProtocolViolation,
        id: RequestId,
        error: &Uri,
    ) -> Result<(), ProtocolViolation> {
        let message = violation.message().unwrap_or(MessageType::Yield);
        let Some(invocation) = self.answered(context, key, message, id, true)? else { return Ok(()) };
        self.refuse_answer(context, invocation, error, &violation.to_string());
        Ok(())
    }

    /// Ends a call whose callee answered with what cannot be passed on.
    fn refuse_answer(
        &mut self,
        context: &mut Context<'_>,
        invocation: InvocationKey,
        error: &Uri,
        text: &str,
    ) {
        let Some(Pending { caller, request, callee, .. }) =
            self.invocations.remove(context.sessions, invocation)
        else {
            return;
        };
        count(&mut context.out.counters.answers_refused);
        let text = format!("the callee answered what cannot be passed on: {text}");
        context.refuse(caller, MessageType::Call, request, error, &text);
        if let Some(callee) = context.sessions.get(callee).map(|session| session.info.id) {
            let realm = context.realm;
            context.out.inform(|| RouterEvent::AnswerRefused {
                realm: realm.clone(),
                callee,
                error: error.clone(),
                message: short_text(&text),
            });
        }
    }

    /// The invocation that `key` answers; `None` when it ended before, or its caller does not wait for it any more.
    fn answered(
        &mut self,
        context: &mut Context<'_>,
        key: SessionKey,
        message: MessageType,
        id: RequestId,
        is_final: bool,
    ) -> Result<Option<InvocationKey>, ProtocolViolation> {
        let Some(session) = context.sessions.get(key) else { return Ok(None) };
        match session.invocations.get(id) {
            Some(&invocation) => {
                if self.invocations.get(invocation).is_none_or(|pending| !pending.is_abandoned) {
                    return Ok(Some(invocation));
                }
                if is_final {
                    self.invocations.remove(context.sessions, invocation);
                }
            }
            None if !session.issued.was_issued(id) => {
                return Err(ProtocolViolation::new(Some(message), ViolationKind::UnknownRequest(id)));
            }
            None => {}
        }
        count(&mut context.out.counters.late_answers);
        Ok(None)
    }
}

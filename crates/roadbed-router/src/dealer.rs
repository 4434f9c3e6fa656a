//! Routes calls from callers to callees (basic profile, "Remote Procedure Calls"; advanced profile,
//! "Call Canceling").

use roadbed_core::error::{ProtocolViolation, ViolationKind, uris};
use roadbed_core::id::{RegistrationId, RequestId};
use roadbed_core::message::{
    Call, CallResult, Cancel, Error, Interrupt, Invocation, MessageType, Register, Registered, Sparse,
    Unregister, Unregistered, Yield,
};
use roadbed_core::options::{CancelMode, InterruptOptions, InvokePolicy, RegisterOptions};
use roadbed_core::uri::{MatchPolicy, Uri};

use crate::events::RouterEvent;
use crate::fanout::Refused;
use crate::index::UriIndex;
use crate::invocations::{Invocations, Pending};
use crate::keys::{InvocationKey, RegistrationKey, SessionKey};
use crate::realm::{Context, check_passthru};
use crate::session::Session;
use crate::slab::Slab;
use crate::stats::count;
use crate::tables::Keyed;
use crate::text::short_text;
use crate::uris::{Names, check};

/// A procedure that a callee answers.
struct Registration {
    id: RegistrationId,
    procedure: Uri,
    callee: SessionKey,
}

pub(crate) struct Dealer {
    procedures: UriIndex<RegistrationKey, SessionKey>,
    registrations: Slab<RegistrationKey, Registration>,
    invocations: Invocations,
    last_id: u64,
}

impl Dealer {
    pub(crate) fn new(hasher: Keyed) -> Self {
        Self {
            procedures: UriIndex::new(hasher),
            registrations: Slab::new(),
            invocations: Invocations::default(),
            last_id: 0,
        }
    }

    pub(crate) fn register(
        &mut self,
        context: &mut Context<'_>,
        key: SessionKey,
        register: &Register,
    ) -> Result<(), ProtocolViolation> {
        let Register { request, options, procedure } = register;
        let kind = MessageType::Register;
        context.begin_request(key, kind, *request)?;
        if let Some(text) = unsupported(options) {
            context.refuse(key, kind, *request, &uris::OPTION_NOT_ALLOWED, &text);
            return Ok(());
        }
        if let Err(text) = context.check_uri(procedure, false) {
            context.refuse(key, kind, *request, &uris::INVALID_URI, &text);
            return Ok(());
        }
        if self.procedures.get(procedure, MatchPolicy::Exact).is_some() {
            let text = format!("{procedure} is registered already");
            context.refuse(key, kind, *request, &uris::PROCEDURE_ALREADY_EXISTS, &text);
            return Ok(());
        }
        let limit = context.config.limits.registrations;
        let Some(session) = context.sessions.get_mut(key) else { return Ok(()) };
        if session.registrations.len() >= limit {
            context.refuse_limit(key, kind, *request, "registrations", limit);
            return Ok(());
        }
        self.last_id = self.last_id.saturating_add(1);
        let id = RegistrationId::new(self.last_id).unwrap_or(RegistrationId::MAX);
        let procedure = procedure.detach();
        let registration = Registration { id, procedure: procedure.clone(), callee: key };
        let registration = self.registrations.insert(registration);
        self.procedures.insert(&procedure, MatchPolicy::Exact, registration);
        session.registrations.insert(id, registration);
        let _ = context.reply(key, Registered { request: *request, registration: id });
        Ok(())
    }

    pub(crate) fn unregister(
        &mut self,
        context: &mut Context<'_>,
        key: SessionKey,
        unregister: &Unregister,
    ) -> Result<(), ProtocolViolation> {
        let request = unregister.request;
        context.begin_request(key, MessageType::Unregister, request)?;
        let Some(session) = context.sessions.get_mut(key) else { return Ok(()) };
        match session.registrations.remove(&unregister.registration) {
            // Invocations that are under way stay answerable: they name the callee, not the registration.
            Some(registration) => {
                self.release(registration);
                let _ = context.reply(key, Unregistered { request: Some(request), details: None });
            }
            None => {
                let text = format!("registration {} is not yours", unregister.registration);
                let error = &uris::NO_SUCH_REGISTRATION;
                context.refuse(key, MessageType::Unregister, request, error, &text);
            }
        }
        Ok(())
    }

    /// Checks that `request` is not the id of a call under way.
    pub(crate) fn check_fresh(
        &self,
        context: &Context<'_>,
        key: SessionKey,
        request: RequestId,
    ) -> Result<(), ProtocolViolation> {
        match context.sessions.get(key) {
            Some(session) if session.calls.contains(request) => Err(ProtocolViolation::unexpected(
                MessageType::Call,
                "with the request id of a call that is not answered yet",
            )),
            _ => Ok(()),
        }
    }

    pub(crate) fn call(
        &mut self,
        context: &mut Context<'_>,
        key: SessionKey,
        call: Call,
    ) -> Result<(), ProtocolViolation> {
        let Call { request, options, procedure, payload } = call;
        let kind = MessageType::Call;
        if options.progress == Some(true) {
            let feature = ViolationKind::NotAnnounced("progressive_call_invocations");
            return Err(ProtocolViolation::new(Some(kind), feature));
        }
        self.check_fresh(context, key, request)?;
        context.begin_request(key, kind, request)?;
        check_passthru(kind, &options.passthru)?;
        if let Err(text) = context.check_uri(&procedure, true) {
            context.refuse(key, kind, request, &uris::INVALID_URI, &text);
            return Ok(());
        }
        if options.disclose_me == Some(true) {
            let text = "callers are not disclosed by this router";
            context.refuse(key, kind, request, &uris::OPTION_DISALLOWED_DISCLOSE_ME, text);
            return Ok(());
        }
        if let Err(error) = context.check_payload(&payload) {
            context.refuse_undelivered(key, request, "call", Refused::Payload(error));
            return Ok(());
        }
        let Some(caller) = context.sessions.get(key) else { return Ok(()) };
        let caused = caller.caused();
        let limit = context.config.limits.pending_calls;
        if caller.calls.len() >= limit {
            count(&mut context.out.counters.calls_unavailable);
            context.refuse_limit(key, kind, request, "pending_calls", limit);
            return Ok(());
        }
        let found = self.procedures.best(&procedure);
        let Some(registration) = found.and_then(|found| self.registrations.get(found)) else {
            let text = format!("nobody registered {procedure}");
            context.refuse(key, kind, request, &uris::NO_SUCH_PROCEDURE, &text);
            return Ok(());
        };
        let Some(callee) = context.sessions.get_mut(registration.callee) else { return Ok(()) };
        let limit = context.config.limits.pending_invocations;
        if let Err(full) = Invocations::check_room(caused, callee.invocations.len(), limit) {
            count(&mut context.out.counters.calls_unavailable);
            context.refuse(key, kind, request, &uris::UNAVAILABLE, &full.to_string());
            return Ok(());
        }
        let before = callee.issued.clone();
        let id = callee.issued.next(|id| callee.invocations.contains(id));
        let details = Sparse::EMPTY;
        let invocation = Invocation { request: id, registration: registration.id, details, payload };
        if let Err(refused) = context.out.invocation(callee.queue, invocation) {
            // Nothing was sent, so the next invocation takes this id.
            callee.issued = before;
            context.refuse_undelivered(key, request, "call", refused);
            return Ok(());
        }
        count(&mut context.out.counters.invocations);
        let pending = Pending {
            caller: key,
            request,
            callee: registration.callee,
            id,
            is_interrupted: false,
            is_abandoned: false,
        };
        self.invocations.insert(context.sessions, pending);
        Ok(())
    }

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
        let Some(Pending { caller, request, .. }) = self.invocations.remove(context.sessions, invocation)
        else {
            return Ok(());
        };
        let checked = context.check_payload(&payload).map_err(Refused::Payload);
        let result = CallResult { request, details: Sparse::EMPTY, payload };
        if let Err(refused) = checked.and_then(|()| context.reply(caller, result)) {
            context.refuse_undelivered(caller, request, "result", refused);
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
        let Some(Pending { caller, request, .. }) = self.invocations.remove(context.sessions, invocation)
        else {
            return Ok(());
        };
        let details = Sparse::EMPTY;
        let checked = context.check_payload(&payload).map_err(Refused::Payload);
        let answer = Error { request_type: MessageType::Call, request, details, error, payload };
        if let Err(refused) = checked.and_then(|()| context.reply(caller, answer)) {
            context.refuse_undelivered(caller, request, "error", refused);
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

    pub(crate) fn cancel(&mut self, context: &mut Context<'_>, key: SessionKey, cancel: &Cancel) {
        let request = cancel.request;
        let invocation = context.sessions.get(key).and_then(|session| session.calls.get(request)).copied();
        let pending =
            invocation.and_then(|invocation| Some((invocation, *self.invocations.get(invocation)?)));
        let mode = cancel.options.mode.unwrap_or_default();
        // Answered already (the two crossed), canceled before, or never made: nothing to do. But a caller that
        // waits for the callee after `kill` may stop waiting.
        let counts = |pending: &Pending| !pending.is_interrupted || mode == CancelMode::KillNoWait;
        let Some((invocation, pending)) = pending.filter(|(_, pending)| counts(pending)) else {
            count(&mut context.out.counters.late_cancels);
            return;
        };
        // A callee that cannot be interrupted, or takes nothing more, leaves only `skip`.
        let is_told =
            mode != CancelMode::Skip && !pending.is_interrupted && interrupt(context, &pending, mode);
        if !is_told {
            self.invocations.abandon(context.sessions, invocation);
        } else if mode == CancelMode::Kill {
            self.invocations.mark_interrupted(invocation);
            return;
        } else {
            // It stops, and owes no answer.
            self.invocations.remove(context.sessions, invocation);
        }
        context.refuse(key, MessageType::Call, request, &uris::CANCELED, "canceled by the caller");
    }

    /// Answers the calls that a session waits for with this error; what their callees answer is late.
    pub(crate) fn give_up_calls(
        &mut self,
        context: &mut Context<'_>,
        key: SessionKey,
        error: &Uri,
        text: &str,
    ) {
        for slot in self.invocations.of_caller(context.sessions, key) {
            let Some(pending) = self.invocations.abandon(context.sessions, slot) else { continue };
            context.refuse(key, MessageType::Call, pending.request, error, text);
        }
    }

    /// Forgets a session that ends, and tells the other ends of its calls.
    pub(crate) fn leave(&mut self, context: &mut Context<'_>, key: SessionKey) {
        for invocation in self.invocations.of_caller(context.sessions, key) {
            let Some(pending) = self.invocations.abandon(context.sessions, invocation) else { continue };
            if pending.callee != key
                && !pending.is_interrupted
                && interrupt(context, &pending, CancelMode::KillNoWait)
            {
                self.invocations.remove(context.sessions, invocation);
            }
        }
        for invocation in self.invocations.of_callee(context.sessions, key) {
            let removed = self.invocations.remove(context.sessions, invocation);
            let Some(pending) = removed.filter(|pending| !pending.is_abandoned) else { continue };
            let text = "the callee left";
            context.refuse(pending.caller, MessageType::Call, pending.request, &uris::CANCELED, text);
        }
        let Some(session) = context.sessions.get_mut(key) else { return };
        for registration in std::mem::take(&mut session.registrations).into_values() {
            self.release(registration);
        }
    }

    /// Registrations, calls and abandoned invocations.
    pub(crate) fn totals(&self, sessions: &Slab<SessionKey, Session>) -> [usize; 3] {
        let (calls, abandoned) = self.invocations.totals(sessions);
        [self.registrations.len(), calls, abandoned]
    }

    pub(crate) fn check(&self, sessions: &Slab<SessionKey, Session>) -> Result<(), String> {
        if self.procedures.len() != self.registrations.len() {
            let (procedures, registrations) = (self.procedures.len(), self.registrations.len());
            return Err(format!("{procedures} procedures lead to {registrations} registrations"));
        }
        for (key, Registration { id, procedure, callee }) in self.registrations.iter() {
            let known = sessions.get(*callee).and_then(|session| session.registrations.get(id));
            if self.procedures.get(procedure, MatchPolicy::Exact) != Some(key) || known != Some(&key) {
                return Err(format!("{id:?} ({procedure}) does not agree with its callee, {callee:?}"));
            }
        }
        let known = sessions.iter().map(|(_, session)| session.registrations.len());
        let known = known.fold(0, usize::saturating_add);
        if known != self.registrations.len() {
            return Err(format!(
                "sessions know {known} registrations, the dealer {}",
                self.registrations.len()
            ));
        }
        self.invocations.check(sessions)
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

    fn release(&mut self, key: RegistrationKey) {
        if let Some(registration) = self.registrations.remove(key) {
            self.procedures.remove(&registration.procedure, MatchPolicy::Exact);
        }
    }
}

/// Sends INTERRUPT to the callee. Says whether that could be done.
fn interrupt(context: &mut Context<'_>, pending: &Pending, mode: CancelMode) -> bool {
    let Some(callee) = context.sessions.get(pending.callee) else { return false };
    if !callee.info.can_be_interrupted() {
        return false;
    }
    let mut options = InterruptOptions::default();
    options.mode = Some(mode);
    options.reason = Some(uris::CANCELED.clone());
    context.out.invocation(callee.queue, Interrupt { request: pending.id, options: options.into() }).is_ok()
}

/// The option of REGISTER that this router does not support and must not pass over: the callee would
/// get invocations that it did not ask for, or not those it did.
fn unsupported(options: &RegisterOptions) -> Option<String> {
    let name = match options {
        RegisterOptions { match_policy: Some(MatchPolicy::Prefix | MatchPolicy::Wildcard), .. } => {
            "match other than exact"
        }
        RegisterOptions { invoke: Some(invoke), .. } if *invoke != InvokePolicy::Single => {
            "invoke other than single"
        }
        RegisterOptions { concurrency: Some(_), .. } => "concurrency",
        RegisterOptions { force_reregister: Some(true), .. } => "force_reregister",
        RegisterOptions { disclose_caller: Some(true), .. } => "disclose_caller",
        _ => return None,
    };
    Some(format!("option {name} is not supported by this router"))
}

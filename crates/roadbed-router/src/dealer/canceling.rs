//! Calls that end before their callee has answered.

use roadbed_core::error::uris;
use roadbed_core::message::{Cancel, Interrupt, MessageType};
use roadbed_core::options::{CancelMode, InterruptOptions};
use roadbed_core::uri::Uri;

use super::Dealer;
use super::invocations::Pending;
use crate::context::Context;
use crate::keys::SessionKey;
use crate::stats::count;

impl Dealer {
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

    /// Ends the calls of a session that ends, those that it made and those that it was to answer.
    pub(super) fn leave_calls(&mut self, context: &mut Context<'_>, key: SessionKey) {
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

//! The last step of CALL: an invocation of the callee.

use roadbed_core::error::uris;
use roadbed_core::id::RequestId;
use roadbed_core::message::{Invocation, Sparse};
use roadbed_core::payload::Payload;
use roadbed_core::uri::Uri;

use super::Dealer;
use super::invocations::{Invocations, Pending};
use crate::context::Context;
use crate::keys::SessionKey;
use crate::request::Denial;
use crate::session::Session;
use crate::stats::count;

impl Dealer {
    pub(crate) fn call(
        &mut self,
        context: &mut Context<'_>,
        caller: SessionKey,
        request: RequestId,
        procedure: &Uri,
        payload: Payload,
    ) -> Result<(), Box<Denial>> {
        let found = self.procedures.best(procedure);
        let Some(registration) = found.and_then(|found| self.registrations.get(found)) else {
            return Err(Denial::new(&uris::NO_SUCH_PROCEDURE, format!("nobody registered {procedure}")));
        };
        let Some(caused) = context.sessions.get(caller).map(Session::caused) else { return Ok(()) };
        let Some(callee) = context.sessions.get_mut(registration.callee) else { return Ok(()) };
        let limit = context.config.limits.pending_invocations;
        if let Err(full) = Invocations::check_room(caused, callee.invocations.len(), limit) {
            count(&mut context.out.counters.calls_unavailable);
            return Err(Denial::new(&uris::UNAVAILABLE, full.to_string()));
        }
        let before = callee.issued.clone();
        let id = callee.issued.next(|id| callee.invocations.contains(id));
        let details = Sparse::EMPTY;
        let invocation = Invocation { request: id, registration: registration.id, details, payload };
        if let Err(refused) = context.out.invocation(callee.queue, invocation) {
            // Nothing was sent, so the next invocation takes this id.
            callee.issued = before;
            return Err(context.undelivered("call", refused));
        }
        count(&mut context.out.counters.invocations);
        let pending = Pending {
            caller,
            request,
            callee: registration.callee,
            id,
            is_interrupted: false,
            is_abandoned: false,
        };
        let key = self.invocations.insert(pending);
        callee.invocations.insert(id, key);
        if let Some(caller) = context.sessions.get_mut(caller) {
            caller.calls.insert(request, key);
        }
        Ok(())
    }
}

//! Routes calls from callers to callees (basic profile, "Remote Procedure Calls"; advanced profile,
//! "Call Canceling").

mod answers;
mod call;
mod canceling;
mod invocations;

use roadbed_core::error::uris;
use roadbed_core::id::{RegistrationId, RequestId};
use roadbed_core::message::{Registered, Unregistered};
use roadbed_core::uri::{MatchPolicy, Uri};

use self::invocations::Invocations;
use crate::context::Context;
use crate::index::UriIndex;
use crate::keys::{RegistrationKey, SessionKey};
use crate::request::Denial;
use crate::session::Session;
use crate::slab::Slab;
use crate::tables::Keyed;

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
        request: RequestId,
        procedure: &Uri,
    ) -> Result<(), Box<Denial>> {
        if self.procedures.get(procedure, MatchPolicy::Exact).is_some() {
            let text = format!("{procedure} is registered already");
            return Err(Denial::new(&uris::PROCEDURE_ALREADY_EXISTS, text));
        }
        let limit = context.config.limits.registrations;
        let Some(session) = context.sessions.get_mut(key) else { return Ok(()) };
        if session.registrations.len() >= limit {
            return Err(Denial::limit("registrations", limit));
        }
        self.last_id = self.last_id.saturating_add(1);
        let id = RegistrationId::new(self.last_id).unwrap_or(RegistrationId::MAX);
        let procedure = procedure.detach();
        let registration = Registration { id, procedure: procedure.clone(), callee: key };
        let registration = self.registrations.insert(registration);
        self.procedures.insert(&procedure, MatchPolicy::Exact, registration);
        session.registrations.insert(id, registration);
        let _ = context.reply(key, Registered { request, registration: id });
        Ok(())
    }

    pub(crate) fn unregister(
        &mut self,
        context: &mut Context<'_>,
        key: SessionKey,
        request: RequestId,
        registration: RegistrationId,
    ) -> Result<(), Box<Denial>> {
        let Some(session) = context.sessions.get_mut(key) else { return Ok(()) };
        let Some(known) = session.registrations.remove(&registration) else {
            let text = format!("registration {registration} is not yours");
            return Err(Denial::new(&uris::NO_SUCH_REGISTRATION, text));
        };
        // Invocations that are under way stay answerable: they name the callee, not the registration.
        self.release(known);
        let _ = context.reply(key, Unregistered { request: Some(request), details: None });
        Ok(())
    }

    /// Forgets a session that ends, and tells the other ends of its calls.
    pub(crate) fn leave(&mut self, context: &mut Context<'_>, key: SessionKey) {
        self.leave_calls(context, key);
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

    fn release(&mut self, key: RegistrationKey) {
        if let Some(registration) = self.registrations.remove(key) {
            self.procedures.remove(&registration.procedure, MatchPolicy::Exact);
        }
    }
}

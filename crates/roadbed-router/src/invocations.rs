//! Calls under way: each is a call of one session and an invocation of another, or of the same.

use roadbed_core::id::RequestId;

use crate::keys::{InvocationKey, SessionKey};
use crate::session::Session;
use crate::slab::Slab;

/// A call that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    /// The caller's session.
    pub(crate) caller: SessionKey,
    /// The caller's request.
    pub(crate) request: RequestId,
    /// The callee's session.
    pub(crate) callee: SessionKey,
    /// The invocation's id, in the callee's scope.
    pub(crate) id: RequestId,
    /// Whether the callee was told to stop and its answer is awaited.
    pub(crate) is_interrupted: bool,
}

/// All calls of a realm. Both sessions list what is in here; adding and removing keeps the three in step.
#[derive(Default)]
pub(crate) struct Invocations {
    pending: Slab<InvocationKey, Pending>,
}

impl Invocations {
    pub(crate) fn get(&self, key: InvocationKey) -> Option<&Pending> {
        self.pending.get(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    pub(crate) fn insert(&mut self, sessions: &mut Slab<SessionKey, Session>, pending: Pending) {
        let key = self.pending.insert(pending);
        if let Some(caller) = sessions.get_mut(pending.caller) {
            caller.calls.insert(pending.request, key);
        }
        if let Some(callee) = sessions.get_mut(pending.callee) {
            callee.invocations.insert(pending.id, key);
        }
    }

    pub(crate) fn remove(
        &mut self,
        sessions: &mut Slab<SessionKey, Session>,
        key: InvocationKey,
    ) -> Option<Pending> {
        let pending = self.pending.remove(key)?;
        if let Some(caller) = sessions.get_mut(pending.caller) {
            caller.calls.remove(pending.request);
        }
        if let Some(callee) = sessions.get_mut(pending.callee) {
            callee.invocations.remove(pending.id);
        }
        Some(pending)
    }

    pub(crate) fn mark_interrupted(&mut self, key: InvocationKey) {
        if let Some(pending) = self.pending.get_mut(key) {
            pending.is_interrupted = true;
        }
    }

    /// The calls that a session made, by request.
    pub(crate) fn of_caller(
        &self,
        sessions: &Slab<SessionKey, Session>,
        session: SessionKey,
    ) -> Vec<InvocationKey> {
        let Some(session) = sessions.get(session) else { return Vec::new() };
        session.calls.iter().map(|(_, &key)| key).collect()
    }

    /// The invocations that a session has to answer, by id.
    pub(crate) fn of_callee(
        &self,
        sessions: &Slab<SessionKey, Session>,
        session: SessionKey,
    ) -> Vec<InvocationKey> {
        let Some(session) = sessions.get(session) else { return Vec::new() };
        session.invocations.iter().map(|(_, &key)| key).collect()
    }

    pub(crate) fn check(&self, sessions: &Slab<SessionKey, Session>) -> Result<(), String> {
        for (key, pending) in self.pending.iter() {
            let caller = sessions.get(pending.caller).and_then(|session| session.calls.get(pending.request));
            let callee = sessions.get(pending.callee).and_then(|session| session.invocations.get(pending.id));
            if caller != Some(&key) || callee != Some(&key) {
                return Err(format!("{pending:?} does not agree with its sessions"));
            }
        }
        for (key, session) in sessions.iter() {
            let calls = self.pending.iter().filter(|(_, pending)| pending.caller == key).count();
            let invocations = self.pending.iter().filter(|(_, pending)| pending.callee == key).count();
            if calls != session.calls.len() || invocations != session.invocations.len() {
                return Err(format!("{key:?} lists calls or invocations that ended"));
            }
        }
        Ok(())
    }
}

//! Calls under way: each is a call of one session and an invocation of another, or of the same.

use roadbed_core::id::RequestId;

use crate::keys::{InvocationKey, SessionKey};
use crate::session::Session;
use crate::slab::Slab;

/// A call that waits for its answer, or an invocation that nobody waits for any more.
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
    /// The caller was answered, or left. The callee still works, so this counts for both until it answers.
    pub(crate) is_abandoned: bool,
}

/// All calls of a realm. The sessions list what is in here; adding and removing keeps the three in step.
#[derive(Default)]
pub(crate) struct Invocations {
    pending: Slab<InvocationKey, Pending>,
    abandoned: usize,
}

impl Invocations {
    pub(crate) fn get(&self, key: InvocationKey) -> Option<&Pending> {
        self.pending.get(key)
    }

    /// Calls that wait for an answer, and invocations that nobody waits for.
    pub(crate) fn totals(&self) -> (usize, usize) {
        (self.pending.len().saturating_sub(self.abandoned), self.abandoned)
    }

    /// Whether a callee takes one more invocation of this caller. While a callee holds more than half of its limit, a
    /// caller may have caused a quarter of what is free, so that others find room.
    pub(crate) fn has_room(caller: &Session, callee: &Session, limit: usize) -> bool {
        let held = callee.invocations.len();
        let free = limit.saturating_sub(held);
        free > 0 && (held < free || caller.caused < (free / 4).max(1))
    }

    pub(crate) fn insert(&mut self, sessions: &mut Slab<SessionKey, Session>, pending: Pending) {
        let key = self.pending.insert(pending);
        if let Some(caller) = sessions.get_mut(pending.caller) {
            caller.calls.insert(pending.request, key);
            caller.caused = caller.caused.saturating_add(1);
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
            caller.caused = caller.caused.saturating_sub(1);
            if !pending.is_abandoned {
                caller.calls.remove(pending.request);
            }
        }
        if let Some(callee) = sessions.get_mut(pending.callee) {
            callee.invocations.remove(pending.id);
            if pending.is_abandoned {
                callee.abandoned = callee.abandoned.saturating_sub(1);
            }
        }
        if pending.is_abandoned {
            self.abandoned = self.abandoned.saturating_sub(1);
        }
        Some(pending)
    }

    /// Ends a call for its caller. The invocation stays until the callee answers: it still costs the callee work, so
    /// it has to count.
    pub(crate) fn abandon(
        &mut self,
        sessions: &mut Slab<SessionKey, Session>,
        key: InvocationKey,
    ) -> Option<Pending> {
        let pending = self.pending.get_mut(key).filter(|pending| !pending.is_abandoned)?;
        pending.is_abandoned = true;
        self.abandoned = self.abandoned.saturating_add(1);
        if let Some(caller) = sessions.get_mut(pending.caller) {
            caller.calls.remove(pending.request);
        }
        if let Some(callee) = sessions.get_mut(pending.callee) {
            callee.abandoned = callee.abandoned.saturating_add(1);
        }
        Some(*pending)
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
            if (caller == Some(&key)) == pending.is_abandoned || callee != Some(&key) {
                return Err(format!("{pending:?} does not agree with its sessions"));
            }
        }
        for (key, session) in sessions.iter() {
            let count = |holds: fn(&Pending, SessionKey) -> bool| {
                self.pending.iter().filter(|(_, pending)| holds(pending, key)).count()
            };
            let counted = [
                count(|pending, key| pending.caller == key && !pending.is_abandoned),
                count(|pending, key| pending.caller == key),
                count(|pending, key| pending.callee == key),
                count(|pending, key| pending.callee == key && pending.is_abandoned),
            ];
            let known = [session.calls.len(), session.caused, session.invocations.len(), session.abandoned];
            if counted != known {
                return Err(format!("{key:?} knows {known:?} calls and invocations, there are {counted:?}"));
            }
        }
        let abandoned = self.pending.iter().filter(|(_, pending)| pending.is_abandoned).count();
        if abandoned != self.abandoned {
            return Err(format!("{abandoned} invocations are abandoned, {} were counted", self.abandoned));
        }
        Ok(())
    }
}

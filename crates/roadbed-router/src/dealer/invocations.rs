//! Calls under way: each is a call of one session and an invocation of another, or of the same.

use std::fmt;

use roadbed_core::id::RequestId;

use crate::keys::{InvocationKey, QueueKey, SessionKey};
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

/// All calls of a realm. The sessions list what is in here; removing keeps the three in step.
#[derive(Default)]
pub(crate) struct Invocations(Slab<InvocationKey, Pending>);

/// Why a callee takes no invocation more of a caller: its limit, and the caller's share of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoRoom {
    /// Invocations that the callee may have.
    pub(crate) limit: usize,
    /// How many more it takes.
    pub(crate) free: usize,
    /// How many of its callees' invocations this caller may have caused.
    pub(crate) share: usize,
}

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, free, share } = self;
        write!(f, "the limit pending_invocations is {limit}")?;
        if *free == 0 {
            return Ok(());
        }
        write!(f, "; one caller may have {share} unanswered while the callee takes {free} more")
    }
}

impl Invocations {
    pub(crate) fn get(&self, key: InvocationKey) -> Option<&Pending> {
        self.0.get(key)
    }

    /// Calls that wait for an answer, and invocations that nobody waits for.
    pub(crate) fn totals(&self, sessions: &Slab<SessionKey, Session>) -> (usize, usize) {
        let abandoned = sessions.iter().map(|(_, session)| session.abandoned);
        let abandoned = abandoned.fold(0, usize::saturating_add);
        (self.0.len().saturating_sub(abandoned), abandoned)
    }

    /// Checks that a callee that holds `held` invocations takes one more of a caller that `caused` so many. While a
    /// callee holds more than half of its limit, a caller may have caused a quarter of what is free, so that others
    /// find room.
    pub(crate) fn check_room(caused: usize, held: usize, limit: usize) -> Result<(), NoRoom> {
        let free = limit.saturating_sub(held);
        let share = (free / 4).max(1);
        if free > 0 && (held < free || caused < share) { Ok(()) } else { Err(NoRoom { limit, free, share }) }
    }

    /// Adds a call, which its caller and its callee are to list under this key.
    pub(crate) fn insert(&mut self, pending: Pending) -> InvocationKey {
        self.0.insert(pending)
    }

    pub(crate) fn remove(
        &mut self,
        sessions: &mut Slab<SessionKey, Session>,
        key: InvocationKey,
    ) -> Option<Pending> {
        self.take(sessions, key).map(|(pending, _)| pending)
    }

    /// Removes a call that is answered, and returns the queue of its caller with it.
    pub(super) fn take(
        &mut self,
        sessions: &mut Slab<SessionKey, Session>,
        key: InvocationKey,
    ) -> Option<(Pending, Option<QueueKey>)> {
        let pending = self.0.remove(key)?;
        let mut queue = None;
        if let Some(caller) = sessions.get_mut(pending.caller) {
            queue = Some(caller.queue);
            if pending.is_abandoned {
                caller.left_behind = caller.left_behind.saturating_sub(1);
            } else {
                caller.calls.remove(pending.request);
            }
        }
        if let Some(callee) = sessions.get_mut(pending.callee) {
            callee.invocations.remove(pending.id);
            if pending.is_abandoned {
                callee.abandoned = callee.abandoned.saturating_sub(1);
            }
        }
        Some((pending, queue))
    }

    /// Ends a call for its caller. The invocation stays until the callee answers: it still costs the callee work, so
    /// it has to count.
    pub(crate) fn abandon(
        &mut self,
        sessions: &mut Slab<SessionKey, Session>,
        key: InvocationKey,
    ) -> Option<Pending> {
        let pending = self.0.get_mut(key).filter(|pending| !pending.is_abandoned)?;
        pending.is_abandoned = true;
        if let Some(caller) = sessions.get_mut(pending.caller) {
            caller.calls.remove(pending.request);
            caller.left_behind = caller.left_behind.saturating_add(1);
        }
        if let Some(callee) = sessions.get_mut(pending.callee) {
            callee.abandoned = callee.abandoned.saturating_add(1);
        }
        Some(*pending)
    }

    pub(crate) fn mark_interrupted(&mut self, key: InvocationKey) {
        if let Some(pending) = self.0.get_mut(key) {
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
        for (key, pending) in self.0.iter() {
            let caller = sessions.get(pending.caller).and_then(|session| session.calls.get(pending.request));
            let callee = sessions.get(pending.callee).and_then(|session| session.invocations.get(pending.id));
            if (caller == Some(&key)) == pending.is_abandoned || callee != Some(&key) {
                return Err(format!("{pending:?} does not agree with its sessions"));
            }
        }
        for (key, session) in sessions.iter() {
            let count = |holds: fn(&Pending, SessionKey) -> bool| {
                self.0.iter().filter(|(_, pending)| holds(pending, key)).count()
            };
            let counted = [
                count(|pending, key| pending.caller == key && !pending.is_abandoned),
                count(|pending, key| pending.caller == key),
                count(|pending, key| pending.callee == key),
                count(|pending, key| pending.callee == key && pending.is_abandoned),
            ];
            let known = [session.calls.len(), session.caused(), session.invocations.len(), session.abandoned];
            if counted != known {
                return Err(format!("{key:?} knows {known:?} calls and invocations, there are {counted:?}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_share_where_it_is_the_share_that_is_used_up() {
        let text = |caused, held| Invocations::check_room(caused, held, 64).map_err(|full| full.to_string());
        assert_eq!(text(1000, 31), Ok(()), "less than half of it is in use");
        assert_eq!(text(7, 32), Ok(()));
        let share = "the limit pending_invocations is 64; one caller may have 8 unanswered while the callee takes 32 more";
        assert_eq!(text(8, 32), Err(share.to_owned()));
        assert_eq!(text(0, 63), Ok(()), "who has none finds room to the last");
        assert_eq!(text(0, 64), Err("the limit pending_invocations is 64".to_owned()));
    }
}

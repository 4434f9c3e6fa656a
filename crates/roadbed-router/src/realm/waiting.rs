//! Sessions that wait for a decision, and what they say meanwhile. Answers to invocations do not wait: a
//! procedure may decide, and its callee may be the very session that waits.

use roadbed_core::error::{ProtocolViolation, uris};
use roadbed_core::id::RequestId;
use roadbed_core::message::{Goodbye, MessageType};
use roadbed_core::uri::Uri;

use super::{Realm, commit_release};
use crate::effects::Effect;
use crate::keys::SessionKey;
use crate::parking::{Backlog, Waiting};
use crate::queue::Outbox;
use crate::request::{Answering, Denial, Origin};

impl Realm {
    /// Whether requests of a session wait for a decision.
    pub(crate) fn is_parked(&self, session: SessionKey) -> bool {
        self.sessions.get(session).is_some_and(|session| session.parked.is_some())
    }

    /// Lets something wait behind what a session asked for before, or turns it down when too much waits.
    pub(super) fn wait(&mut self, key: SessionKey, waiting: Waiting, out: &mut Outbox) {
        let Some(parked) = self.sessions.get_mut(key).and_then(|session| session.parked.as_mut()) else {
            return;
        };
        let answering = answering(key, &waiting);
        if let Err(denial) = parked.wait(waiting, &self.config.limits)
            && let Some(answering) = answering
        {
            let (mut context, ..) = self.parts(out);
            context.turn_down(answering, &denial);
        }
    }

    /// What waited behind a request has its turn, up to the next request that is to be decided on.
    pub(super) fn go_on(&mut self, key: SessionKey, mut backlog: Backlog, out: &mut Outbox) {
        while let Some(waiting) = backlog.pop() {
            match waiting {
                Waiting::Request(request) => self.authorize(key, request, out),
                Waiting::Release(release) => {
                    let (mut context, broker, dealer) = self.parts(out);
                    commit_release(&mut context, broker, dealer, key, release);
                }
                Waiting::Goodbye(goodbye) => return self.leave(key, goodbye, out),
            }
            if let Some(parked) = self.sessions.get_mut(key).and_then(|session| session.parked.as_mut()) {
                return parked.restore(backlog);
            }
        }
    }

    /// GOODBYE of a session. Given back when its turn is now; otherwise it waits behind what was asked for before.
    pub(crate) fn say_goodbye(
        &mut self,
        key: SessionKey,
        goodbye: Goodbye,
    ) -> Result<Option<Goodbye>, ProtocolViolation> {
        match self.sessions.get_mut(key).and_then(|session| session.parked.as_mut()) {
            None => Ok(Some(goodbye)),
            Some(parked) if parked.has_goodbye() => {
                Err(ProtocolViolation::unexpected(MessageType::Goodbye, "after GOODBYE"))
            }
            Some(parked) => {
                // It is always taken.
                let _ = parked.wait(Waiting::Goodbye(goodbye), &self.config.limits);
                Ok(None)
            }
        }
    }

    /// Takes the GOODBYE of a session that waits for its turn.
    pub(crate) fn take_goodbye(&mut self, key: SessionKey) -> Option<Goodbye> {
        self.sessions.get_mut(key)?.parked.as_mut()?.take_goodbye()
    }

    /// CANCEL of a call that waits, or that is decided on. Says whether there is one.
    pub(super) fn cancel_waiting(&mut self, key: SessionKey, request: RequestId, out: &mut Outbox) -> bool {
        let parked = self.sessions.get_mut(key).and_then(|session| session.parked.as_mut());
        if parked.and_then(|parked| parked.take_call(request)).is_none() {
            return false;
        }
        let (mut context, ..) = self.parts(out);
        let text = "canceled by the caller";
        context.refuse(key, MessageType::Call, request, &uris::CANCELED, text);
        true
    }

    /// Answers all that waits with this error. GOODBYE has its turn then.
    pub(crate) fn give_up_waiting(&mut self, key: SessionKey, error: &Uri, text: &str, out: &mut Outbox) {
        let question = self.sessions.get(key).and_then(|session| Some(session.parked.as_ref()?.question));
        let Some((_, parked)) = question.and_then(|question| self.close(question, out)) else { return };
        let (request, mut backlog) = parked.into_parts();
        let mut first = request.map(Waiting::Request);
        while let Some(waiting) = first.take().or_else(|| backlog.pop()) {
            if let Some(answering) = answering(key, &waiting) {
                let (mut context, ..) = self.parts(out);
                context.turn_down(answering, &Denial::new(error, text));
            }
            if let Waiting::Goodbye(goodbye) = waiting {
                self.leave(key, goodbye, out);
            }
        }
    }

    /// Forgets all that waits, with its session.
    pub(super) fn drop_waiting(&mut self, key: SessionKey, out: &mut Outbox) {
        if let Some(parked) = self.sessions.get(key).and_then(|session| session.parked.as_ref()) {
            self.close(parked.question, out);
        }
    }

    fn leave(&self, key: SessionKey, goodbye: Goodbye, out: &mut Outbox) {
        if let Some(session) = self.sessions.get(key) {
            out.effects.push_back(Effect::Leave(session.info.id, goodbye));
        }
    }

    /// Checks that questions, sessions and timers agree.
    pub(super) fn check_waiting(&self, out: &Outbox) -> Result<(), String> {
        for (question, &key) in self.questions.iter() {
            let parked = self.sessions.get(key).and_then(|session| session.parked.as_ref());
            let Some(parked) = parked.filter(|parked| parked.question == question) else {
                return Err(format!("{key:?} does not wait for {question:?}"));
            };
            if out.timers.at(parked.timer).is_none() {
                return Err(format!("{question:?} has no deadline"));
            }
            parked.check()?;
        }
        let parked = self.sessions.iter().filter(|(_, session)| session.parked.is_some()).count();
        if parked != self.questions.len() {
            return Err(format!("{parked} sessions wait, {} questions are open", self.questions.len()));
        }
        Ok(())
    }
}

/// How an ERROR reaches the maker of a request that waits; GOODBYE has none.
fn answering(session: SessionKey, waiting: &Waiting) -> Option<Answering> {
    match waiting {
        Waiting::Request(request) => Some(request.answering()),
        Waiting::Release(release) => {
            let (kind, request) = release.request();
            Some(Answering::new(&Origin::Session { session, request }, kind, false))
        }
        Waiting::Goodbye(_) => None,
    }
}

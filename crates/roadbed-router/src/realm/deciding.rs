//! The second step of a request: whether its session may make it.

use std::sync::Arc;

use roadbed_core::error::uris;

use super::{Realm, commit};
use crate::authorizer::{Authorization, AuthorizationRequest, Verdict};
use crate::effects::Effect;
use crate::events::NotAwaited;
use crate::keys::{QuestionKey, SessionKey};
use crate::names::AuthorizationId;
use crate::parking::{Parked, Waiting};
use crate::queue::Outbox;
use crate::request::{Denial, Request};
use crate::stats::count;
use crate::timers::TimerKey;
use crate::uris::reason;

impl Realm {
    /// Has it decided whether a session may make a request, as soon as those before it are decided on.
    pub(super) fn authorize_in_turn(&mut self, session: SessionKey, request: Request, out: &mut Outbox) {
        if self.is_parked(session) {
            self.wait(session, Waiting::Request(request), out);
        } else {
            self.authorize(session, request, out);
        }
    }

    /// Has it decided whether a session may make a request. Afterwards the request is done with, or the session parked.
    pub(super) fn authorize(&mut self, key: SessionKey, request: Request, out: &mut Outbox) {
        let Some(session) = self.sessions.get(key) else { return };
        let Some(authorizer) = &self.authorizer else { return self.judge(request, Verdict::allow(), out) };
        let access = request.access(&session.info);
        let verdict = match self.verdicts.get(&access) {
            Some(known) => known.clone(),
            None => match authorizer.authorize(&access) {
                Authorization::Ask => return self.ask(key, request, out),
                Authorization::Decided(verdict) => {
                    let generation = self.verdicts.generation();
                    self.verdicts.keep(&access, &verdict, generation);
                    verdict
                }
            },
        };
        self.judge(request, verdict, out);
    }

    /// Carries a request out, or turns it down.
    fn judge(&mut self, request: Request, verdict: Verdict, out: &mut Outbox) {
        match verdict.error {
            None => {
                let (mut context, broker, dealer) = self.parts(out);
                commit(&mut context, broker, dealer, request);
            }
            Some(error) => {
                let error = reason(&error, &uris::NOT_AUTHORIZED, &self.config.limits);
                let text = format!("you may not {} {}", request.verb(), request.uri);
                self.deny(&request, &Denial::new(error, text), out);
            }
        }
    }

    fn deny(&mut self, request: &Request, denial: &Denial, out: &mut Outbox) {
        count(&mut out.counters.denied);
        let (mut context, ..) = self.parts(out);
        context.turn_down(request.answering(), denial);
    }

    /// Leaves it to the driver whether a session may make a request. The session is parked until it has decided.
    fn ask(&mut self, key: SessionKey, request: Request, out: &mut Outbox) {
        let limit = self.config.limits.queued_events;
        let Some(session) = self.sessions.get_mut(key) else { return };
        // Questions that are not asked any more may still wait for the driver, so both are bounded.
        if out.questions >= limit || out.events.len() >= limit || out.is_congested {
            let (mut context, ..) = self.parts(out);
            return context.turn_down(request.answering(), &Denial::limit("queued_events", limit));
        }
        let question = self.questions.insert(key);
        out.questions = out.questions.saturating_add(1);
        let id = AuthorizationId { shard: self.shard, realm: self.key, question };
        let at = out.now.saturating_add(self.config.limits.decision_timeout);
        let timer = out.timers.set(at, TimerKey::Question(id));
        let request = request.detach();
        let match_policy = request.access(&session.info).match_policy;
        let asked = AuthorizationRequest {
            id,
            session: Arc::clone(&session.info),
            verb: request.verb(),
            uri: request.uri.clone(),
            match_policy,
        };
        session.parked = Some(Box::new(Parked::new(question, timer, request, self.verdicts.generation())));
        out.effects.push_back(Effect::Ask(Box::new(asked)));
    }

    /// The driver has decided. What waited behind the request goes on.
    pub(crate) fn decide(
        &mut self,
        question: QuestionKey,
        verdict: Verdict,
        out: &mut Outbox,
    ) -> Result<(), NotAwaited> {
        let (key, parked) = self.close(question, out).ok_or(NotAwaited)?;
        let generation = parked.generation;
        let (request, backlog) = parked.into_parts();
        if let Some(request) = request {
            if let Some(session) = self.sessions.get(key) {
                self.verdicts.keep(&request.access(&session.info), &verdict, generation);
            }
            self.judge(request, verdict, out);
        }
        self.go_on(key, backlog, out);
        Ok(())
    }

    /// The driver has not decided in time.
    pub(crate) fn undecided(&mut self, question: QuestionKey, out: &mut Outbox) {
        let Some((key, parked)) = self.close(question, out) else { return };
        let (request, backlog) = parked.into_parts();
        if let Some(request) = request {
            let text = format!("it was not decided in time whether you may {}", request.verb());
            self.deny(&request, &Denial::new(&uris::AUTHORIZATION_FAILED, text), out);
        }
        self.go_on(key, backlog, out);
    }

    /// Forgets what was said for whole roles, and keeps nothing of what is being decided now.
    pub(crate) fn forget_verdicts(&mut self) {
        self.verdicts.forget();
    }

    /// Closes a question. Its session is not parked any more.
    pub(super) fn close(
        &mut self,
        question: QuestionKey,
        out: &mut Outbox,
    ) -> Option<(SessionKey, Box<Parked>)> {
        let key = self.questions.remove(question)?;
        out.questions = out.questions.saturating_sub(1);
        let parked = self.sessions.get_mut(key)?.parked.take()?;
        out.timers.cancel(parked.timer);
        Some((key, parked))
    }
}

//! What the gate does with the lobby, and how the peer enters the shard of its realm.

use roadbed_core::error::{CloseReason, uris};
use roadbed_core::message::{Challenge, Hello};
use roadbed_core::role::Roles;
use roadbed_core::time::Timestamp;

use super::{Gate, Stage, methods};
use crate::claim::{Claim, Refusal, Verdict};
use crate::events::Outgoing;
use crate::lobby::{Answer, Lobby};
use crate::shard::{Entrant, NoEntry, Shard};

impl Gate {
    /// Visits the lobby: tells it what happened, asks for a realm or a decision, and hears what the driver decided.
    pub(crate) fn visit(&mut self, lobby: &mut Lobby, now: Timestamp) {
        self.tell(lobby);
        if lobby.is_shut_down() {
            self.shut_down();
        }
        match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Realm(asked) => {
                let (hello, roles) = &*asked;
                let verdict = self.admit(lobby, hello, *roles);
                self.apply(now, verdict);
            }
            Stage::Decision(claim) => match lobby.answer(self.id) {
                Some(answer) => self.apply(now, verdict(claim, answer)),
                None => self.stage = Stage::Decision(claim),
            },
            other => self.stage = other,
        }
        match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Question(question) => {
                let (claim, response) = *question;
                lobby.ask(self.id, |decision| claim.question(decision, &self.transport, response));
                self.stage = Stage::Decision(claim);
            }
            other => self.stage = other,
        }
        self.tell(lobby);
        self.is_held = self.seat().is_none() && lobby.holds(self.id);
    }

    /// Enters the shard of the realm, if the peer was let in.
    pub(crate) fn enter(&mut self, shard: &mut Shard, now: Timestamp) {
        // Nearly always there is nothing to do.
        if !matches!(self.stage, Stage::Entry(..)) {
            return;
        }
        match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Entry(entrant, _) => {
                let id = entrant.claim.shard;
                let entered =
                    shard.enter(now, self.id, self.serializer, self.max_send, &self.transport, entrant);
                match entered {
                    Ok(seat) => {
                        self.stage = Stage::Seated(id, seat);
                        self.asked = None;
                        self.deadline = None;
                    }
                    Err(NoEntry::Wait(entrant)) => self.stage = Stage::Entry(entrant, true),
                    Err(NoEntry::NoRealm(refusal)) => self.turn_away(now, refusal),
                    Err(NoEntry::Never(refusal)) => self.refuse(refusal, CloseReason::Local),
                }
            }
            other => self.stage = other,
        }
    }

    /// HELLO, in view of the realms.
    fn admit(&self, lobby: &mut Lobby, hello: &Hello, roles: Roles) -> Verdict {
        let realm = match methods::realm(&self.config, hello, &self.transport) {
            Ok(realm) => realm,
            Err(refusal) => return Verdict::Refuse(refusal),
        };
        let Some(way) = lobby.way(&realm) else { return Verdict::Refuse(Refusal::no_realm(&realm)) };
        if let Some(grant) = self.trusted.as_deref().cloned() {
            return Verdict::Join(Box::new(Claim::trusted(hello, realm, &way, roles)), grant);
        }
        let mut verdict = methods::hello(&self.config, hello, realm, roles, &way, &self.transport);
        if let Verdict::Join(_, grant) = &mut verdict {
            grant.authid = lobby.random().token();
        }
        verdict
    }

    pub(super) fn apply(&mut self, now: Timestamp, verdict: Verdict) {
        match verdict {
            Verdict::Challenge(claim, challenge) => match self.encode(challenge) {
                Some(challenge) => {
                    self.output.push_back(Outgoing::Message(challenge));
                    self.stage = Stage::Proof(claim);
                    self.resume_share(now);
                }
                None => {
                    let refusal = Refusal::new(&uris::AUTHENTICATION_FAILED, "the challenge cannot be sent");
                    self.refuse(refusal, CloseReason::Local);
                }
            },
            Verdict::Ask(claim, response) => {
                self.pause_share(now);
                self.stage = Stage::Question(Box::new((claim, response)));
            }
            Verdict::Join(claim, grant) => {
                // From here on the peer waits for us.
                self.deadline = None;
                self.stage = Stage::Entry(Box::new(Entrant { claim, grant }), false);
            }
            Verdict::Refuse(refusal) => self.turn_away(now, refusal),
        }
    }
}

/// What follows from the driver's answer.
fn verdict(claim: Box<Claim>, answer: Answer) -> Verdict {
    match answer {
        Answer::Grant(grant) => Verdict::Join(claim, grant),
        Answer::Challenge(extra) => {
            let challenge = Challenge { method: claim.method(), extra };
            Verdict::Challenge(claim, challenge)
        }
        Answer::Deny(refusal) => Verdict::Refuse(refusal),
    }
}

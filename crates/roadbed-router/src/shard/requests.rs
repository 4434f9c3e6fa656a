//! Requests that are decided on by the driver, what realms ask of the router, and the embedder's own publications.

use bytestring::ByteString;
use roadbed_core::error::uris;
use roadbed_core::id::PublicationId;
use roadbed_core::message::Goodbye;
use roadbed_core::options::PublishOptions;
use roadbed_core::payload::Payload;
use roadbed_core::time::Timestamp;
use roadbed_core::uri::Uri;

use super::Shard;
use super::seat::Stage;
use crate::authorizer::Verdict;
use crate::effects::Effect;
use crate::events::{NotAwaited, RouterEvent};
use crate::keys::{RealmKey, SeatKey, SessionKey};
use crate::names::AuthorizationId;
use crate::request::{Denial, Origin};
use crate::tables::Relax;
use crate::timers::TimerKey;

/// Why a [publication of the embedder](crate::Router::publish) was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// There is no such realm, or none at this time.
    #[error("realm {0} does not exist")]
    NoSuchRealm(Uri),
    /// A session would have been answered with this ERROR.
    #[error("{error}: {message}")]
    #[non_exhaustive]
    Refused {
        /// Its URI, such as `wamp.error.invalid_uri`.
        error: Uri,
        /// Its text.
        message: ByteString,
    },
}

impl Shard {
    /// Decides whether a request is allowed: the answer to [`RouterEvent::Authorize`]. It is carried out as things are
    /// now; what its session asked for meanwhile follows.
    ///
    /// # Errors
    /// [`NotAwaited`] when the answer comes too late, or was given before.
    pub fn authorize(
        &mut self,
        now: Timestamp,
        id: AuthorizationId,
        verdict: Verdict,
    ) -> Result<(), NotAwaited> {
        self.advance(now);
        let realm = self.realms.get_mut(id.realm).ok_or(NotAwaited)?;
        realm.decide(id.question, verdict, &mut self.out)?;
        self.drained();
        self.carry_out();
        Ok(())
    }

    /// Forgets all verdicts that were given [for whole roles](Verdict::for_role): call it when what may be done has
    /// changed. Verdicts on questions that are open now are not kept either.
    pub fn forget_verdicts(&mut self) {
        let keys: Vec<RealmKey> = self.realms.iter().map(|(key, _)| key).collect();
        for key in keys {
            if let Some(realm) = self.realms.get_mut(key) {
                realm.forget_verdicts();
            }
        }
    }

    /// Publishes an event without a session, in a realm of this shard: see
    /// [`Router::publish`](crate::Router::publish).
    ///
    /// # Errors
    /// [`PublishError`] when there is no such realm, or the topic, an option or the payload is refused there.
    pub fn publish(
        &mut self,
        now: Timestamp,
        realm: &Uri,
        topic: &Uri,
        options: PublishOptions,
        payload: Payload,
    ) -> Result<PublicationId, PublishError> {
        self.advance(now);
        let key = self.realm_keys.get(realm).copied();
        let Some(realm) = key.and_then(|key| self.realms.get_mut(key)) else {
            return Err(PublishError::NoSuchRealm(realm.clone()));
        };
        let published = realm.publish(&Origin::Router, topic, options.into(), payload, &mut self.out);
        self.carry_out();
        published.map_err(|denial| {
            let Denial { error, text, .. } = *denial;
            PublishError::Refused { error, message: text.into() }
        })
    }

    /// The deadline of a question passed.
    pub(super) fn undecided(&mut self, timer: TimerKey) {
        if let TimerKey::Question(AuthorizationId { realm, question, .. }) = timer
            && let Some(realm) = self.realms.get_mut(realm)
        {
            realm.undecided(question, &mut self.out);
        }
    }

    /// A session said GOODBYE.
    pub(super) fn goodbye(&mut self, key: SeatKey, realm: RealmKey, session: SessionKey, goodbye: Goodbye) {
        let Some(realm) = self.realms.get_mut(realm) else { return };
        match realm.say_goodbye(session, goodbye) {
            Ok(Some(goodbye)) => self.left(key, &goodbye),
            Ok(None) => {}
            Err(violation) => self.violated(key, violation),
        }
    }

    /// Does what realms and queues ask for. That may ask for more.
    pub(super) fn carry_out(&mut self) {
        while let Some(effect) = self.out.effects.pop_front() {
            self.out.effects.relax();
            match effect {
                Effect::Overrun(seat) => self.stalled(seat),
                Effect::Ask(request) => self.out.events.push_back(RouterEvent::Authorize(request)),
                Effect::Leave(session, goodbye) => {
                    if let Some(seat) = self.ids.get(session) {
                        self.left(seat, &goodbye);
                    }
                }
            }
        }
    }

    /// A session that is to be ended has said GOODBYE already, and waits for its turn: that is now.
    pub(super) fn let_leave(&mut self, key: SeatKey) {
        let Some(&Stage::Joined { realm, session }) = self.seats.get(key).map(|seat| &seat.stage) else {
            return;
        };
        let goodbye = self.realms.get_mut(realm).and_then(|realm| realm.take_goodbye(session));
        if let Some(goodbye) = goodbye {
            self.left(key, &goodbye);
        }
    }

    /// Answers the requests of a session that wait for a decision: the router shuts down.
    pub(super) fn give_up_waiting(&mut self, key: SeatKey, text: &str) {
        let Some(&Stage::Joined { realm, session }) = self.seats.get(key).map(|seat| &seat.stage) else {
            return;
        };
        if let Some(realm) = self.realms.get_mut(realm) {
            realm.give_up_waiting(session, &uris::SYSTEM_SHUTDOWN, text, &mut self.out);
        }
        self.carry_out();
    }
}

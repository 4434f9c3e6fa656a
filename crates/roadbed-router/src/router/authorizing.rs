//! Requests that are decided on by the driver, what realms ask of the router, and the embedder's own publications.

use bytestring::ByteString;
use roadbed_core::error::uris;
use roadbed_core::id::PublicationId;
use roadbed_core::message::Goodbye;
use roadbed_core::options::PublishOptions;
use roadbed_core::payload::Payload;
use roadbed_core::time::Timestamp;
use roadbed_core::uri::Uri;

use super::Router;
use crate::authorizer::Verdict;
use crate::effects::Effect;
use crate::events::{NotAwaited, RouterEvent};
use crate::keys::{PeerKey, RealmKey, SessionKey};
use crate::names::AuthorizationId;
use crate::peer::Stage;
use crate::request::{Denial, Origin};
use crate::tables::Relax;
use crate::timers::TimerKey;

/// Why a [publication of the embedder](Router::publish) was refused.
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

impl Router {
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
        self.close_overrun();
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

    /// Publishes an event without a session: the embedder's own. No authorizer is asked. The options' lists choose
    /// among the subscribers; `exclude_me` excludes nobody. With `acknowledge`, a payload that one of them cannot be
    /// given is an error, and then none of them gets it. An event that a slow subscriber loses is no error.
    ///
    /// ```
    /// use roadbed_core::options::PublishOptions;
    /// use roadbed_core::payload::Payload;
    /// use roadbed_core::serializer::Serializer;
    /// use roadbed_core::time::{Timestamp, UnixMicros};
    /// use roadbed_core::uri::Uri;
    /// use roadbed_router::{Authentication, Router, RouterConfig};
    ///
    /// let (now, realm) = (Timestamp::ZERO, Uri::new("realm1")?);
    /// let config = RouterConfig::new().realm(realm.clone(), Authentication::new().anonymous("guest"));
    /// let mut router = Router::new(config.into_shared(), [0; 32], now, UnixMicros::default());
    /// let payload = Payload::from_args(Serializer::Cbor, &("noon",))?;
    /// router.publish(now, &realm, &Uri::new("com.example.bell")?, PublishOptions::new(), payload)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
        self.close_overrun();
        published.map_err(|denial| {
            let Denial { error, text, .. } = *denial;
            PublishError::Refused { error, message: text.into() }
        })
    }

    /// The deadline of a question passed.
    pub(super) fn undecided(&mut self, timer: TimerKey) {
        if let TimerKey::Question(AuthorizationId { realm, question }) = timer
            && let Some(realm) = self.realms.get_mut(realm)
        {
            realm.undecided(question, &mut self.out);
        }
    }

    /// A session said GOODBYE.
    pub(super) fn goodbye(&mut self, key: PeerKey, realm: RealmKey, session: SessionKey, goodbye: Goodbye) {
        let Some(realm) = self.realms.get_mut(realm) else { return };
        match realm.say_goodbye(session, goodbye) {
            Ok(Some(goodbye)) => self.left(key, &goodbye),
            Ok(None) => {}
            Err(violation) => self.violated(key, violation),
        }
    }

    /// Does what a realm or a queue asks for.
    pub(super) fn carry_out(&mut self, effect: Effect) {
        self.out.effects.relax();
        match effect {
            Effect::Overrun(peer) => {
                if let Some(key) = self.key(peer) {
                    self.stalled(key);
                }
            }
            Effect::Ask(request) => self.out.events.push_back(RouterEvent::Authorize(request)),
            Effect::Leave(peer, goodbye) => {
                if let Some(key) = self.key(peer)
                    && self.is_joined(peer)
                {
                    self.left(key, &goodbye);
                }
            }
        }
    }

    /// A session that is to be ended has said GOODBYE already, and waits for its turn: that is now.
    pub(super) fn let_leave(&mut self, key: PeerKey) {
        let Some(&Stage::Joined { realm, session }) = self.peers.get(key).map(|peer| &peer.stage) else {
            return;
        };
        let goodbye = self.realms.get_mut(realm).and_then(|realm| realm.take_goodbye(session));
        if let Some(goodbye) = goodbye {
            self.left(key, &goodbye);
        }
    }

    /// Answers the requests of a session that wait for a decision: the router shuts down.
    pub(super) fn give_up_waiting(&mut self, key: PeerKey, text: &str) {
        let Some(&Stage::Joined { realm, session }) = self.peers.get(key).map(|peer| &peer.stage) else {
            return;
        };
        if let Some(realm) = self.realms.get_mut(realm) {
            realm.give_up_waiting(session, &uris::SYSTEM_SHUTDOWN, text, &mut self.out);
        }
        self.close_overrun();
    }
}

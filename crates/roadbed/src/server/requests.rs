//! What an embedder decides on requests, and what it publishes itself.

use roadbed_core::id::PublicationId;
use roadbed_core::options::PublishOptions;
use roadbed_core::payload::Payload;
use roadbed_core::uri::Uri;
use roadbed_router::{AuthorizationId, NotAwaited, PublishError, Verdict};

use super::RouterHandle;

impl RouterHandle {
    /// Decides whether a request is allowed that [`RouterEvent::Authorize`](super::RouterEvent::Authorize) asks about.
    /// Where the observer cannot say it at once, it passes the question on and this is called later, from anywhere.
    ///
    /// ```
    /// use roadbed::server::{Authentication, Authorization, RouterConfig, RouterEvent, RouterHandle, Verdict};
    /// # use roadbed::core::uri::Uri;
    /// # use roadbed::runtime::Runtime;
    /// # use std::sync::Arc;
    ///
    /// # fn start(runtime: Arc<dyn Runtime>) -> Result<RouterHandle, Box<dyn std::error::Error>> {
    /// let config = RouterConfig::new()
    ///     .realm(Uri::new("realm1")?, Authentication::new().anonymous("guest"))
    ///     .authorizer(|_: &roadbed::server::Access<'_>| Authorization::Ask);
    /// let router = RouterHandle::builder(config).on_event(|router, event| {
    ///     if let RouterEvent::Authorize(request) = event {
    ///         let is_own = request.uri.as_str().starts_with(&*request.session.authid);
    ///         let verdict = if is_own { Verdict::allow() } else { Verdict::deny() };
    ///         // Too late is too late: the session has its answer.
    ///         let _ = router.authorize(request.id, verdict);
    ///     }
    /// });
    /// # Ok(router.start(runtime)?)
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`NotAwaited`] when the answer comes too late, or was given before.
    pub fn authorize(&self, id: AuthorizationId, verdict: Verdict) -> Result<(), NotAwaited> {
        let now = self.0.runtime.now();
        self.with_shard(id.shard(), |hosted, _| hosted.shard.authorize(now, id, verdict))
    }

    /// Forgets all verdicts that were given [for whole roles](Verdict::for_role): call it when what may be done has
    /// changed. Verdicts on questions that are open now are not kept either.
    pub fn forget_verdicts(&self) {
        for shard in self.shards() {
            self.with_shard(shard, |hosted, _| hosted.shard.forget_verdicts());
        }
    }

    /// Publishes an event without a session, whatever authorizers say; see
    /// [`Router::publish`](roadbed_router::Router::publish).
    ///
    /// ```
    /// use roadbed::core::options::PublishOptions;
    /// use roadbed::core::payload::Payload;
    /// use roadbed::core::serializer::Serializer;
    /// use roadbed::core::uri::Uri;
    /// use roadbed::server::RouterHandle;
    ///
    /// fn strike(router: &RouterHandle, hour: u64) -> Result<(), Box<dyn std::error::Error>> {
    ///     let (realm, topic) = (Uri::new("realm1")?, Uri::new("com.example.bell")?);
    ///     let payload = Payload::from_args(Serializer::MsgPack, &(hour,))?;
    ///     router.publish(&realm, &topic, PublishOptions::new(), payload)?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`PublishError`] when there is no such realm, or the topic, an option or the payload is refused there.
    pub fn publish(
        &self,
        realm: &Uri,
        topic: &Uri,
        options: PublishOptions,
        payload: Payload,
    ) -> Result<PublicationId, PublishError> {
        let now = self.0.runtime.now();
        let shard = self.with_lobby(|entrance, _| entrance.lobby.shard_of(realm));
        let shard = shard.ok_or_else(|| PublishError::NoSuchRealm(realm.clone()))?;
        self.with_shard(shard, |hosted, _| hosted.shard.publish(now, realm, topic, options, payload))
    }
}

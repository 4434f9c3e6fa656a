//! The subscriber: SUBSCRIBE, UNSUBSCRIBE, EVENT and revocation.

use super::grants::Release;
use super::pending::Request;
use super::plan::{Plan, check_room, check_uri};
use super::{Session, SessionEvent};
use crate::error::{CommandError, ProtocolViolation, ViolationKind};
use crate::id::{SubscribeId, SubscriptionId};
use crate::message::{Event, MessageType, Subscribe, Subscribed, Unsubscribe, Unsubscribed};
use crate::options::SubscribeOptions;
use crate::role::Role;
use crate::serializer::Malformed;
use crate::time::Timestamp;
use crate::uri::Uri;

impl Session {
    /// Subscribes a handler to a topic. Exactly one [`SessionEvent::Subscribed`] follows. Several
    /// handlers of one topic share a subscription; each may be unsubscribed by itself.
    ///
    /// # Errors
    /// [`CommandError`]; no id was used then.
    pub fn subscribe(
        &mut self,
        now: Timestamp,
        topic: &Uri,
        options: &SubscribeOptions,
    ) -> Result<SubscribeId, CommandError> {
        self.observe(now);
        let plan = self.plan_subscribe(topic, options)?;
        Ok(SubscribeId::new(self.epoch, self.enact(plan)))
    }

    pub(crate) fn plan_subscribe(
        &self,
        topic: &Uri,
        options: &SubscribeOptions,
    ) -> Result<Plan, CommandError> {
        self.require(Role::Subscriber, Role::Broker)?;
        check_uri(topic, options.match_policy.unwrap_or_default())?;
        let limit = self.config.limits.subscriptions;
        check_room("subscriptions", self.subscriptions.len(), limit)?;
        // A broker that answers no UNSUBSCRIBE would otherwise have us remember ever more of them.
        check_room("unsubscribe requests", self.pending.counts().unsubscribes, limit.saturating_mul(2))?;
        let request = self.pending.next_id();
        let target = (topic.detach(), options.match_policy.unwrap_or_default());
        let message = Subscribe { request, options: options.clone().into(), topic: topic.clone() };
        Ok(Plan::request(request, message, Some(Request::Subscribe(target))))
    }

    /// Takes a handler away; no event reaches it from now on. Exactly one
    /// [`SessionEvent::Unsubscribed`] follows: at once while other handlers share the subscription, else
    /// when the broker has answered.
    ///
    /// # Errors
    /// [`CommandError::NotActive`] when the handler was never subscribed or is gone.
    pub fn unsubscribe(&mut self, now: Timestamp, handler: SubscribeId) -> Result<(), CommandError> {
        self.observe(now);
        self.require(Role::Subscriber, Role::Broker)?;
        match self.subscriptions.release(handler).ok_or(CommandError::NotActive)? {
            Release::Shared => {
                self.events.push_back(SessionEvent::Unsubscribed { handler, result: Ok(()) });
            }
            Release::Last(subscription) => self.send_unsubscribe(subscription, Some(handler)),
        }
        Ok(())
    }

    fn send_unsubscribe(&mut self, subscription: SubscriptionId, handler: Option<SubscribeId>) {
        let request = self.pending.next_id();
        self.pending.issue(request, Some(Request::Unsubscribe(handler)));
        self.transmit.push_back(Unsubscribe { request, subscription, options: None }.into());
    }

    /// Gives a subscription back that was kept for a handler which never came.
    pub(super) fn return_subscription(&mut self, subscription: Option<SubscriptionId>) {
        if let Some(subscription) = subscription {
            self.send_unsubscribe(subscription, None);
        }
    }

    pub(super) fn on_subscribed(&mut self, subscribed: &Subscribed) -> Result<(), ProtocolViolation> {
        let Subscribed { request, subscription } = *subscribed;
        match self.pending.answer(MessageType::Subscribed, MessageType::Subscribe, request)? {
            Some(Request::Subscribe(target)) => {
                let handler = SubscribeId::new(self.epoch, request);
                let back = self.subscriptions.granted(target, subscription, handler);
                self.events.push_back(SessionEvent::Subscribed { handler, result: Ok(subscription) });
                self.return_subscription(back);
            }
            _ => self.count_late(),
        }
        Ok(())
    }

    pub(super) fn on_unsubscribed(&mut self, message: Unsubscribed) -> Result<(), ProtocolViolation> {
        let Some(request) = message.request else { return self.on_subscription_revoked(message) };
        match self.pending.answer(MessageType::Unsubscribed, MessageType::Unsubscribe, request)? {
            Some(Request::Unsubscribe(handler)) => {
                let ended = handler.map(|handler| SessionEvent::Unsubscribed { handler, result: Ok(()) });
                self.events.extend(ended);
            }
            _ => self.count_late(),
        }
        Ok(())
    }

    /// `[35, 0, {"subscription": …}]` (advanced profile, "Subscription Revocation").
    fn on_subscription_revoked(&mut self, message: Unsubscribed) -> Result<(), ProtocolViolation> {
        let details = message.details.unwrap_or_default();
        let subscription = details.subscription.ok_or_else(|| {
            let missing = ViolationKind::Malformed(Malformed::MissingKey("subscription"));
            ProtocolViolation::new(Some(MessageType::Unsubscribed), missing)
        })?;
        let handlers = self.subscriptions.revoke(subscription);
        if handlers.is_empty() {
            self.count_late();
        }
        // It is kept longer than the read buffer should be.
        let reason = details.reason.as_ref().map(Uri::detach);
        self.events.extend(handlers.into_iter().map(|handler| SessionEvent::SubscriptionRevoked {
            handler,
            subscription,
            reason: reason.clone(),
        }));
        Ok(())
    }

    pub(super) fn on_event(&mut self, event: Event) {
        let Event { subscription, publication, details, payload } = event;
        if self.subscriptions.handlers(subscription).is_empty() {
            // Sent before the broker saw our UNSUBSCRIBE.
            return self.count_late();
        }
        self.events.push_back(SessionEvent::Event { subscription, publication, details, payload });
    }
}

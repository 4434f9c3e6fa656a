//! Routes events from publishers to subscribers (basic profile, "Publish and Subscribe").

mod publish;
mod receivers;

use std::collections::BTreeMap;

use roadbed_core::error::uris;
use roadbed_core::id::{RequestId, SubscriptionId};
use roadbed_core::message::{Subscribed, Unsubscribed};
use roadbed_core::uri::{MatchPolicy, Uri};

use crate::context::Context;
use crate::index::UriIndex;
use crate::keys::{SessionKey, SubscriptionKey};
use crate::request::Denial;
use crate::session::{Membership, Session};
use crate::slab::Slab;
use crate::tables::Keyed;

/// A topic with its subscribers.
struct Subscription {
    id: SubscriptionId,
    topic: Uri,
    /// The subscribers, in the order of subscribing.
    subscribers: BTreeMap<u64, SessionKey>,
}

pub(crate) struct Broker {
    topics: UriIndex<SubscriptionKey, SessionKey>,
    subscriptions: Slab<SubscriptionKey, Subscription>,
    last_id: u64,
    last_order: u64,
}

impl Broker {
    pub(crate) fn new(hasher: Keyed) -> Self {
        Self { topics: UriIndex::new(hasher), subscriptions: Slab::new(), last_id: 0, last_order: 0 }
    }

    pub(crate) fn subscribe(
        &mut self,
        context: &mut Context<'_>,
        key: SessionKey,
        request: RequestId,
        topic: &Uri,
    ) -> Result<(), Box<Denial>> {
        let limit = context.config.limits.subscriptions;
        let Some(session) = context.sessions.get_mut(key) else { return Ok(()) };
        let found = self.topics.get(topic, MatchPolicy::Exact);
        let existing = found.and_then(|found| self.subscriptions.get(found));
        if let Some(subscription) = existing.filter(|known| session.subscriptions.contains_key(&known.id)) {
            let subscription = subscription.id;
            let _ = context.reply(key, Subscribed { request, subscription });
            return Ok(());
        }
        if session.subscriptions.len() >= limit {
            return Err(Denial::limit("subscriptions", limit));
        }
        let entry = found.unwrap_or_else(|| self.create(topic));
        let Some(subscription) = self.subscriptions.get_mut(entry) else { return Ok(()) };
        self.last_order = self.last_order.saturating_add(1);
        let membership = Membership { subscription: entry, order: self.last_order };
        subscription.subscribers.insert(membership.order, key);
        session.subscriptions.insert(subscription.id, membership);
        // The router is one machine: SUBSCRIBED is queued before any event can be.
        let _ = context.reply(key, Subscribed { request, subscription: subscription.id });
        Ok(())
    }

    pub(crate) fn unsubscribe(
        &mut self,
        context: &mut Context<'_>,
        key: SessionKey,
        request: RequestId,
        subscription: SubscriptionId,
    ) -> Result<(), Box<Denial>> {
        let Some(session) = context.sessions.get_mut(key) else { return Ok(()) };
        let Some(membership) = session.subscriptions.remove(&subscription) else {
            let text = format!("subscription {subscription} is not yours");
            return Err(Denial::new(&uris::NO_SUCH_SUBSCRIPTION, text));
        };
        self.release(membership);
        let _ = context.reply(key, Unsubscribed { request: Some(request), details: None });
        Ok(())
    }

    /// Forgets a session that ends.
    pub(crate) fn leave(&mut self, context: &mut Context<'_>, key: SessionKey) {
        let Some(session) = context.sessions.get_mut(key) else { return };
        for membership in std::mem::take(&mut session.subscriptions).into_values() {
            self.release(membership);
        }
    }

    /// Subscriptions and subscribers.
    pub(crate) fn totals(&self) -> (usize, usize) {
        let subscribers = self.subscriptions.iter().map(|(_, subscription)| subscription.subscribers.len());
        (self.subscriptions.len(), subscribers.fold(0, usize::saturating_add))
    }

    pub(crate) fn check(&self, sessions: &Slab<SessionKey, Session>) -> Result<(), String> {
        if self.topics.len() != self.subscriptions.len() {
            let (topics, subscriptions) = (self.topics.len(), self.subscriptions.len());
            return Err(format!("{topics} topics lead to {subscriptions} subscriptions"));
        }
        let mut members = 0_usize;
        for (key, subscription) in self.subscriptions.iter() {
            let Subscription { id, topic, subscribers } = subscription;
            if self.topics.get(topic, MatchPolicy::Exact) != Some(key) || subscribers.is_empty() {
                return Err(format!("{id:?} ({topic}) has no subscriber, or its topic leads elsewhere"));
            }
            for (&order, &session) in subscribers {
                members = members.saturating_add(1);
                let membership = sessions.get(session).and_then(|session| session.subscriptions.get(id));
                if membership != Some(&Membership { subscription: key, order }) {
                    return Err(format!("{id:?} lists {session:?}, which does not agree"));
                }
            }
        }
        let known = sessions.iter().map(|(_, session)| session.subscriptions.len());
        let known = known.fold(0, usize::saturating_add);
        if known != members {
            return Err(format!("sessions know {known} subscriptions, subscriptions {members} subscribers"));
        }
        Ok(())
    }

    fn create(&mut self, topic: &Uri) -> SubscriptionKey {
        self.last_id = self.last_id.saturating_add(1);
        let id = SubscriptionId::new(self.last_id).unwrap_or(SubscriptionId::MAX);
        let topic = topic.detach();
        let subscription = Subscription { id, topic: topic.clone(), subscribers: BTreeMap::new() };
        let key = self.subscriptions.insert(subscription);
        self.topics.insert(&topic, MatchPolicy::Exact, key);
        key
    }

    /// Takes a subscriber away, and the subscription with its last one.
    fn release(&mut self, membership: Membership) {
        let Some(subscription) = self.subscriptions.get_mut(membership.subscription) else { return };
        subscription.subscribers.remove(&membership.order);
        if subscription.subscribers.is_empty() {
            let ended = self.subscriptions.remove(membership.subscription);
            ended.and_then(|ended| self.topics.remove(&ended.topic, MatchPolicy::Exact));
        }
    }
}

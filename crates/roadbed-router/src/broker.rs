//! Routes events from publishers to subscribers (basic profile, "Publish and Subscribe").

use std::collections::BTreeMap;

use bytestring::ByteString;
use roadbed_core::error::{PayloadError, ProtocolViolation, uris};
use roadbed_core::id::{PublicationId, RequestId, SessionId, SubscriptionId};
use roadbed_core::message::{
    Event, MessageType, Publish, Published, Sparse, Subscribe, Subscribed, Unsubscribe, Unsubscribed,
};
use roadbed_core::options::PublishOptions;
use roadbed_core::uri::{MatchPolicy, Uri};

use crate::events::RouterEvent;
use crate::fanout::{Fanout, Refused};
use crate::index::UriIndex;
use crate::keys::{SessionKey, SubscriptionKey};
use crate::realm::{Context, check_passthru};
use crate::session::{Membership, Session, SessionInfo};
use crate::slab::Slab;
use crate::stats::count;
use crate::tables::Keyed;

/// A topic that somebody is subscribed to.
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
        subscribe: &Subscribe,
    ) -> Result<(), ProtocolViolation> {
        let Subscribe { request, options, topic } = subscribe;
        let kind = MessageType::Subscribe;
        context.begin_request(key, kind, *request)?;
        if let Some(policy @ (MatchPolicy::Prefix | MatchPolicy::Wildcard)) = options.match_policy {
            let text = format!("option match: {} is not supported by this router", policy.name());
            context.refuse(key, kind, *request, &uris::OPTION_NOT_ALLOWED, &text);
            return Ok(());
        }
        if let Err(text) = context.check_uri(topic, true) {
            context.refuse(key, kind, *request, &uris::INVALID_URI, &text);
            return Ok(());
        }
        let limit = context.config.limits.subscriptions;
        let Some(session) = context.sessions.get_mut(key) else { return Ok(()) };
        let found = self.topics.get(topic, MatchPolicy::Exact);
        let existing = found.and_then(|found| self.subscriptions.get(found));
        if let Some(subscription) = existing.filter(|known| session.subscriptions.contains_key(&known.id)) {
            let subscription = subscription.id;
            let _ = context.reply(key, Subscribed { request: *request, subscription });
            return Ok(());
        }
        if session.subscriptions.len() >= limit {
            context.refuse_limit(key, kind, *request, "subscriptions", limit);
            return Ok(());
        }
        let entry = found.unwrap_or_else(|| self.create(topic));
        let Some(subscription) = self.subscriptions.get_mut(entry) else { return Ok(()) };
        self.last_order = self.last_order.saturating_add(1);
        let membership = Membership { subscription: entry, order: self.last_order };
        subscription.subscribers.insert(membership.order, key);
        session.subscriptions.insert(subscription.id, membership);
        // The router is one machine: SUBSCRIBED is queued before any event can be.
        let _ = context.reply(key, Subscribed { request: *request, subscription: subscription.id });
        Ok(())
    }

    pub(crate) fn unsubscribe(
        &mut self,
        context: &mut Context<'_>,
        key: SessionKey,
        unsubscribe: &Unsubscribe,
    ) -> Result<(), ProtocolViolation> {
        let request = unsubscribe.request;
        context.begin_request(key, MessageType::Unsubscribe, request)?;
        let Some(session) = context.sessions.get_mut(key) else { return Ok(()) };
        match session.subscriptions.remove(&unsubscribe.subscription) {
            Some(membership) => {
                self.release(membership);
                let _ = context.reply(key, Unsubscribed { request: Some(request), details: None });
            }
            None => {
                let text = format!("subscription {} is not yours", unsubscribe.subscription);
                context.refuse(key, MessageType::Unsubscribe, request, &uris::NO_SUCH_SUBSCRIPTION, &text);
            }
        }
        Ok(())
    }

    pub(crate) fn publish(
        &mut self,
        context: &mut Context<'_>,
        key: SessionKey,
        publish: Publish,
    ) -> Result<(), ProtocolViolation> {
        let Publish { request, mut options, topic, payload } = publish;
        context.begin_request(key, MessageType::Publish, request)?;
        check_passthru(MessageType::Publish, &options.passthru)?;
        let is_acknowledged = options.acknowledge == Some(true);
        let refusal = match context.check_uri(&topic, false) {
            Err(text) => Some((&uris::INVALID_URI, text)),
            Ok(()) if options.disclose_me == Some(true) => {
                let text = "publishers are not disclosed by this router".to_owned();
                Some((&uris::OPTION_DISALLOWED_DISCLOSE_ME, text))
            }
            Ok(()) => None,
        };
        if let Some((error, text)) = refusal {
            // Without acknowledgement nobody waits for an answer, so none is sent.
            if is_acknowledged {
                context.refuse(key, MessageType::Publish, request, error, &text);
            } else {
                count(&mut context.out.counters.publications_refused);
            }
            return Ok(());
        }
        let publication = context.random.publication();
        if let Err(error) = context.check_payload(&payload) {
            refuse_payload(context, key, request, is_acknowledged, publication, error);
            return Ok(());
        }
        let found = self.topics.get(&topic, MatchPolicy::Exact);
        let Some(subscription) = found.and_then(|found| self.subscriptions.get(found)) else {
            accept(context, key, request, is_acknowledged, publication);
            return Ok(());
        };
        let receivers = Receivers::new(&mut options);
        context.out.prepare_arena();
        let includes_publisher = options.exclude_me == Some(false);
        let details = Sparse::EMPTY;
        let mut event = Fanout::new(Event { subscription: subscription.id, publication, details, payload });
        let is_receiver = |subscriber: SessionKey, session: &Session| {
            (subscriber != key || includes_publisher) && receivers.include(&options, &session.info)
        };
        if is_acknowledged {
            // All receivers or none: a publisher that asks hears of it, and can say it in another way.
            let sessions = subscription.subscribers.values().filter_map(|&subscriber| {
                context.sessions.get(subscriber).filter(|session| is_receiver(subscriber, session))
            });
            let mut queues = sessions.map(|session| session.queue);
            if let Some(error) = queues.find_map(|queue| context.out.try_event(queue, &mut event).err()) {
                refuse_payload(context, key, request, is_acknowledged, publication, error);
                return Ok(());
            }
        }
        accept(context, key, request, is_acknowledged, publication);
        let mut undeliverable: Option<PayloadError> = None;
        for &subscriber in subscription.subscribers.values() {
            let Some(session) = context.sessions.get(subscriber) else { continue };
            if !is_receiver(subscriber, session) {
                continue;
            }
            match context.out.event(session.queue, &mut event) {
                Ok(()) => count(&mut context.out.counters.events),
                Err(Refused::Full { .. } | Refused::Closed) => {
                    count(&mut context.out.counters.events_dropped);
                }
                Err(Refused::TooLarge { .. }) => count(&mut context.out.counters.events_too_large),
                Err(Refused::PayloadKnown) => count(&mut context.out.counters.events_undeliverable),
                Err(Refused::Payload(error)) => {
                    count(&mut context.out.counters.events_undeliverable);
                    undeliverable.get_or_insert(error);
                }
            }
        }
        if let Some(error) = undeliverable {
            tell_undeliverable(context, key, publication, error);
        }
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

/// Counts a publication, and acknowledges it where that was asked for.
fn accept(
    context: &mut Context<'_>,
    publisher: SessionKey,
    request: RequestId,
    is_acknowledged: bool,
    publication: PublicationId,
) {
    count(&mut context.out.counters.publications);
    if is_acknowledged {
        let _ = context.reply(publisher, Published { request, publication });
    }
}

/// Refuses a publication whose payload cannot be carried to its receivers.
fn refuse_payload(
    context: &mut Context<'_>,
    publisher: SessionKey,
    request: RequestId,
    is_acknowledged: bool,
    publication: PublicationId,
    error: PayloadError,
) {
    if is_acknowledged {
        let text = format!("the publication: {error}");
        context.refuse(publisher, MessageType::Publish, request, &uris::INVALID_PAYLOAD, &text);
    } else {
        count(&mut context.out.counters.publications_refused);
        tell_undeliverable(context, publisher, publication, error);
    }
}

fn tell_undeliverable(
    context: &mut Context<'_>,
    publisher: SessionKey,
    publication: PublicationId,
    error: PayloadError,
) {
    let Some(session) = context.sessions.get(publisher) else { return };
    let (realm, publisher) = (context.realm, session.info.id);
    context.out.inform(|| RouterEvent::Undeliverable { realm: realm.clone(), publisher, publication, error });
}

/// Which subscribers a publication is for (advanced profile, "subscriber black- and whitelisting"). A
/// list that is there counts even when it is empty; all lists have to agree.
struct Receivers {
    is_restricted: bool,
}

impl Receivers {
    /// Sorts the lists, so that each subscriber costs a search only.
    fn new(options: &mut Sparse<PublishOptions>) -> Self {
        let is_restricted = options.exclude.is_some()
            || options.eligible.is_some()
            || options.exclude_authid.is_some()
            || options.exclude_authrole.is_some()
            || options.eligible_authid.is_some()
            || options.eligible_authrole.is_some();
        // Empty options are not allocated; asking for them mutably would.
        if !is_restricted {
            return Self { is_restricted };
        }
        let options = &mut **options;
        for list in [&mut options.exclude, &mut options.eligible].into_iter().flatten() {
            list.sort_unstable();
        }
        let names = [
            &mut options.exclude_authid,
            &mut options.exclude_authrole,
            &mut options.eligible_authid,
            &mut options.eligible_authrole,
        ];
        for list in names.into_iter().flatten() {
            list.sort_unstable();
        }
        Self { is_restricted }
    }

    fn include(&self, options: &PublishOptions, info: &SessionInfo) -> bool {
        let has_id = |list: &Vec<SessionId>| list.binary_search(&info.id).is_ok();
        let has_authid = |list: &Vec<ByteString>| list.binary_search(&info.authid).is_ok();
        let has_authrole = |list: &Vec<ByteString>| list.binary_search(&info.authrole).is_ok();
        !self.is_restricted
            || (options.eligible.as_ref().is_none_or(has_id)
                && options.eligible_authid.as_ref().is_none_or(has_authid)
                && options.eligible_authrole.as_ref().is_none_or(has_authrole)
                && !options.exclude.as_ref().is_some_and(has_id)
                && !options.exclude_authid.as_ref().is_some_and(has_authid)
                && !options.exclude_authrole.as_ref().is_some_and(has_authrole))
    }
}

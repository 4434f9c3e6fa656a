//! The last step of PUBLISH: an event for each receiver.

use roadbed_core::error::PayloadError;
use roadbed_core::id::PublicationId;
use roadbed_core::message::{Event, Published, Sparse};
use roadbed_core::options::PublishOptions;
use roadbed_core::payload::Payload;
use roadbed_core::uri::{MatchPolicy, Uri};

use super::Broker;
use super::receivers::Receivers;
use crate::context::Context;
use crate::events::RouterEvent;
use crate::fanout::{Fanout, Refused};
use crate::keys::SessionKey;
use crate::request::{Denial, Origin};
use crate::session::Session;
use crate::stats::count;

impl Broker {
    pub(crate) fn publish(
        &mut self,
        context: &mut Context<'_>,
        origin: &Origin,
        mut options: Sparse<PublishOptions>,
        topic: &Uri,
        payload: Payload,
    ) -> Result<PublicationId, Box<Denial>> {
        let publication = context.random.publication();
        let is_acknowledged = options.acknowledge == Some(true);
        let found = self.topics.get(topic, MatchPolicy::Exact);
        let Some(subscription) = found.and_then(|found| self.subscriptions.get(found)) else {
            accept(context, origin, is_acknowledged, publication);
            return Ok(publication);
        };
        let receivers = Receivers::new(&mut options);
        context.out.prepare_arena();
        let excluded = if options.exclude_me == Some(false) { None } else { origin.session() };
        let details = Sparse::EMPTY;
        let mut event = Fanout::new(Event { subscription: subscription.id, publication, details, payload });
        let is_receiver = |subscriber: SessionKey, session: &Session| {
            Some(subscriber) != excluded && receivers.include(&options, &session.info)
        };
        if is_acknowledged {
            // All receivers or none: a publisher that asks hears of it, and can say it in another way.
            let sessions = subscription.subscribers.values().filter_map(|&subscriber| {
                context.sessions.get(subscriber).filter(|session| is_receiver(subscriber, session))
            });
            let mut queues = sessions.map(|session| session.queue);
            if let Some(error) = queues.find_map(|queue| context.out.try_event(queue, &mut event).err()) {
                return Err(Denial::payload("publication", error));
            }
        }
        accept(context, origin, is_acknowledged, publication);
        let mut undeliverable: Option<PayloadError> = None;
        for &subscriber in subscription.subscribers.values() {
            let Some(session) = context.sessions.get(subscriber) else { continue };
            if !is_receiver(subscriber, session) {
                continue;
            }
            match context.out.event(session.queue, &mut event) {
                Ok(()) => count(&mut context.out.counters.events),
                Err(Refused::Full { .. } | Refused::AllFull { .. } | Refused::Closed) => {
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
            let publisher = context.session_id(origin);
            let realm = context.realm;
            context.out.inform(|| RouterEvent::Undeliverable {
                realm: realm.clone(),
                publisher,
                publication,
                error,
            });
        }
        Ok(publication)
    }
}

/// Counts a publication, and acknowledges it where that was asked for.
fn accept(context: &mut Context<'_>, origin: &Origin, is_acknowledged: bool, publication: PublicationId) {
    count(&mut context.out.counters.publications);
    if let (true, &Origin::Session { session, request }) = (is_acknowledged, origin) {
        let _ = context.reply(session, Published { request, publication });
    }
}

//! A subscription of a [`TestClient`].

use roadbed_core::id::SubscribeId;
use roadbed_core::payload::Payload;
use roadbed_core::session::SessionEvent;
use serde::de::DeserializeOwned;

use super::TestClient;

/// A subscription of a [`TestClient`], and the events that came of it.
pub struct TestSubscription {
    client: TestClient,
    handler: SubscribeId,
}

impl TestSubscription {
    pub(super) const fn new(client: TestClient, handler: SubscribeId) -> Self {
        Self { client, handler }
    }

    /// The payloads of the events since the last call, in order.
    pub fn payloads(&self) -> Vec<Payload> {
        self.client.shared().settle();
        self.client.desk(|desk| {
            desk.subscriptions
                .get_mut(&self.handler)
                .map(|events| events.drain(..).collect())
                .unwrap_or_default()
        })
    }

    /// The args of the events since the last call, in order.
    ///
    /// # Panics
    /// When the args of one are no `A`.
    #[track_caller]
    pub fn received<A: DeserializeOwned>(&self) -> Vec<A> {
        let read = |payload: &Payload| match payload.args() {
            Ok(args) => args,
            Err(error) => panic!("an event: {error}"),
        };
        self.payloads().iter().map(read).collect()
    }

    /// Ends the subscription, and waits for it.
    ///
    /// # Panics
    /// When it has ended before.
    #[track_caller]
    pub fn unsubscribe(self) {
        let handler = self.handler;
        let result = self.client.with(|connection, now| connection.unsubscribe(now, handler));
        if let Err(error) = result {
            panic!("it cannot be unsubscribed: {error}");
        }
        self.client.shared().wait(self.client.id(), |event| match event {
            SessionEvent::Unsubscribed { handler: ended, .. } if *ended == handler => Some(()),
            _ => None,
        });
    }
}

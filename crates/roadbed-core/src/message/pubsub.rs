//! Messages between publishers, the broker and subscribers (basic profile, "Publish and Subscribe").

use super::details::{EventDetails, UnsubscribedDetails};
use super::element::bodies;
use super::sparse::Sparse;
use crate::id::{PublicationId, RequestId, SubscriptionId};
use crate::options::{PublishOptions, ReleaseOptions, SubscribeOptions};
use crate::payload::Payload;
use crate::uri::Uri;

bodies! {
    /// `[16, Request, Options, Topic]`, with or without payload: publish an event.
    Publish {
        /// The request.
        request: [RequestId],
        /// Who receives it, whether it is acknowledged.
        options: [Sparse<PublishOptions>],
        /// The topic.
        topic: [Uri],
        ; /// The event.
        payload: Payload
    }

    /// `[17, PUBLISH.Request, Publication]`: an acknowledged event was published.
    Published {
        /// The request.
        request: [RequestId],
        /// The publication.
        publication: [PublicationId],
    }

    /// `[32, Request, Options, Topic]`: subscribe to a topic.
    Subscribe {
        /// The request.
        request: [RequestId],
        /// How the topic matches.
        options: [Sparse<SubscribeOptions>],
        /// The topic, or a pattern of topics.
        topic: [Uri],
    }

    /// `[33, SUBSCRIBE.Request, Subscription]`: the subscription stands.
    Subscribed {
        /// The request.
        request: [RequestId],
        /// The subscription.
        subscription: [SubscriptionId],
    }

    /// `[34, Request, SUBSCRIBED.Subscription]`: unsubscribe.
    Unsubscribe {
        /// The request.
        request: [RequestId],
        /// The subscription.
        subscription: [SubscriptionId],
        ; /// Options of forwarding routers.
        options: Option<ReleaseOptions>
    }

    /// `[35, UNSUBSCRIBE.Request]`: the subscription ended. With request 0 and details the broker took
    /// it back (advanced profile, "subscription revocation").
    Unsubscribed {
        /// The request; `None` (0) when the broker took the subscription back.
        request: [Option<RequestId>],
        ; /// Which subscription the broker took back, and why.
        details: Option<UnsubscribedDetails>
    }

    /// `[36, SUBSCRIBED.Subscription, PUBLISHED.Publication, Details]`, with or without payload: an
    /// event.
    Event {
        /// The subscription it matched.
        subscription: [SubscriptionId],
        /// The publication.
        publication: [PublicationId],
        /// Topic and publisher, where they are told.
        details: [Sparse<EventDetails>],
        ; /// The event.
        payload: Payload
    }

    /// `[337, PUBLISHED.Publication]`: a subscriber acknowledges an event.
    EventReceived {
        /// The publication.
        publication: [PublicationId],
    }
}

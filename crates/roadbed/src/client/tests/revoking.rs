//! A router that takes back what it granted.

use std::future::{Future, IntoFuture};
use std::pin::pin;

use roadbed_core::message::{Message, Unregistered, UnregisteredDetails, Unsubscribed, UnsubscribedDetails};
use roadbed_core::uri::Uri;

use super::*;
use crate::client::Ending;
use crate::error::Error;
use crate::testing::wire::Wire;

fn why() -> Uri {
    Uri::new("com.example.enough").unwrap()
}

/// The router takes everything of this session back.
pub(in crate::client) fn revoke_all(session: &Session, wire: &Wire) {
    let (subscriptions, registrations) = session.shared().with(|state, _| {
        let known = state.connection.session();
        let subscriptions: Vec<_> = state.subscriptions.keys().map(|id| known.subscription(*id)).collect();
        let registrations: Vec<_> = state.registrations.keys().map(|id| known.registration(*id)).collect();
        (subscriptions, registrations)
    });
    for subscription in subscriptions {
        let mut details = UnsubscribedDetails::default();
        (details.subscription, details.reason) = (subscription, Some(why()));
        let message: Message = Unsubscribed { request: None, details: Some(details) }.into();
        wire.say(&message, session.serializer());
    }
    for registration in registrations {
        let mut details = UnregisteredDetails::default();
        (details.registration, details.reason) = (registration, Some(why()));
        let message: Message = Unregistered { request: None, details: Some(details) }.into();
        wire.say(&message, session.serializer());
    }
}

#[test]
fn its_users_are_told() {
    let world = World::new();
    let (session, wire) = world.session_over_wire();
    let (mut events, registration, mut calls) = world
        .sim
        .block_on(async {
            let events = session.subscribe("com.example.t").await?;
            let registration = session.register("com.example.p", |_: Invocation| async { Ok(()) }).await?;
            Ok::<_, Error>((events, registration, session.register_queue("com.example.q").await?))
        })
        .unwrap();
    world.sim.block_on(session.publish("com.example.t", (1,)).exclude_me(false).into_future()).unwrap();
    world.sim.settle();
    assert!(events.is_active() && registration.is_active() && calls.is_active());
    let mut ended = Box::pin(registration.ended());
    assert!(world.sim.poll_once(ended.as_mut(), 50).is_pending());

    revoke_all(&session, &wire);
    let is_revoked = |ending| matches!(ending, Ending::Revoked { reason: Some(reason) } if reason == why());
    assert!(is_revoked(world.sim.block_on(ended)));
    assert!(is_revoked(world.sim.block_on(registration.ended())));
    // What came before is still there.
    assert!(matches!(world.sim.block_on(events.next()), Some(Ok(_))));
    assert_eq!(world.sim.block_on(events.next()), None);
    assert!(is_revoked(world.sim.block_on(events.ended())));
    assert!(world.sim.block_on(calls.next()).is_none());
    assert!(is_revoked(world.sim.block_on(calls.ended())));
    assert!(!events.is_active() && !registration.is_active() && !calls.is_active());
    // The session goes on.
    let again = world.sim.block_on(session.subscribe("com.example.u").into_future()).unwrap();
    assert!(again.is_active());
}

#[test]
fn other_ends_are_told_apart() {
    let world = World::new();
    let session = world.session();
    let subscribe = |topic: &str| world.sim.block_on(session.subscribe(topic).into_future()).unwrap();
    let (given, kept) = (subscribe("com.example.s"), subscribe("com.example.t"));
    let (first, second) = (given.ended(), kept.ended());
    drop(given);
    assert!(matches!(world.sim.block_on(first), Ending::Given));
    {
        let mut waiting = pin!(second.clone());
        assert!(
            world
                .sim
                .poll_once(waiting.as_mut() as std::pin::Pin<&mut dyn Future<Output = _>>, 50)
                .is_pending()
        );
    }
    world.sim.block_on(session.leave().into_future()).unwrap();
    let Ending::Session(end) = world.sim.block_on(second) else { panic!() };
    assert!(end.was_joined());
}

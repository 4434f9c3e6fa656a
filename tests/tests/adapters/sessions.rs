//! How sessions begin and end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_lite::future::poll_once;
use roadbed::client::{Closed, Session, Settings};
use roadbed::core::error::uris;
use roadbed::core::message::RawDict;
use roadbed::core::uri::Uri;
use roadbed::server::{Authentication, AuthenticationRequest, Grant, RealmConfig, RouterHandle, TicketTable};
use roadbed::{Error, Veto};

use crate::adapter::Adapter;
use crate::calls::{dig, greet};
use crate::world::{Log, Outcome, World, config, eventually, in_time, settings, told};

/// What is worth telling of an end.
fn ended(closed: &Closed) -> String {
    format!("{}, clean: {}", closed.reason, closed.is_clean)
}

pub(crate) async fn clean_leave<A: Adapter>(world: &World<A>) -> Outcome {
    let session = world.session().await;
    let observer = session.clone();
    in_time(session.leave()).await?;
    let closed = in_time(observer.closed()).await;
    assert!(closed.is_clean, "{closed:?}");
    world.note(ended(&closed));
    world.note(told(observer.call("com.example.greet", ()).await));
    world.note(told(observer.subscribe("com.example.tick").await));
    world.note(told(observer.leave().await));
    eventually(|| world.router.connections() == 0).await;
    Ok(())
}

pub(crate) async fn dropped_session_leaves<A: Adapter>(world: &World<A>) -> Outcome {
    let session = world.session().await;
    let mut events = session.subscribe("com.example.tick").await?;
    eventually(|| world.router.stats().sessions == 1).await;
    drop(session);
    assert!(in_time(events.next()).await.is_none());
    eventually(|| world.router.connections() == 0).await;
    world.note("the subscription has ended, and nobody is connected");
    Ok(())
}

/// Whoever waits when the session leaves is told so.
pub(crate) async fn leave_with_calls_pending<A: Adapter>(world: &World<A>) -> Outcome {
    let callee = world.session().await;
    let _dig = callee.register("com.example.dig", dig).await?;
    let session = world.session().await;
    let mut events = session.subscribe("com.example.tick").await?;
    let mut invocations = session.register_queue("com.example.task").await?;
    let mut call = Box::pin(session.call("com.example.dig", ()).into_future());
    assert!(poll_once(&mut call).await.is_none());
    eventually(|| world.router.stats().calls == 1).await;
    in_time(session.leave()).await?;
    world.note(told(in_time(call).await));
    assert!(in_time(events.next()).await.is_none());
    assert!(in_time(invocations.next()).await.is_none());
    eventually(|| world.router.stats().calls == 0).await;
    world.note("its streams have ended, and so has its call");
    Ok(())
}

/// Settings whose hooks write down that they were called.
fn noting(log: &Log) -> Settings {
    let log = || log.clone();
    let (connect, welcome, join, ready) = (log(), log(), log(), log());
    let (leave, disconnect) = (log(), log());
    settings()
        .on_connect(move |_| connect.note("connect"))
        .on_welcome(move |details| {
            welcome.note(format!("welcome as {}", details.authrole.as_deref().unwrap_or_default()));
            Ok(())
        })
        .on_join(move |session| {
            let join = join.clone();
            async move {
                session.subscribe("com.example.tick").await?.detach();
                join.note("join, and subscribed");
                Ok(())
            }
        })
        .on_ready(move |_| ready.note("ready"))
        .on_leave(move |reason| leave.note(format!("leave: {reason}")))
        .on_disconnect(move |closed| disconnect.note(format!("disconnect: {}", ended(closed))))
}

pub(crate) async fn hooks_in_their_turn<A: Adapter>(world: &World<A>) -> Outcome {
    let log = world.log();
    let session = in_time(world.join(noting(&log))).await?;
    assert_eq!(world.router.stats().subscriptions, 1);
    world.note("joined");
    // The hooks are called by whoever drives the session, and that may be while this goes on.
    let leaving = session.leave().into_future();
    drop(session);
    in_time(leaving).await?;
    eventually(move || log.has("disconnect")).await;
    // A hook that fails while joining ends the session.
    let log = world.log();
    let joining = noting(&log).on_join(|session| async move { session.call("a.b", ()).await.map(drop) });
    let refused = told(in_time(world.join(joining)).await);
    eventually(|| world.router.connections() == 0).await;
    // Hooks may end later than the connection.
    let log = world.log();
    eventually(move || log.count("disconnect") == 2).await;
    world.note(refused);
    Ok(())
}

pub(crate) async fn vetoed_welcome<A: Adapter>(world: &World<A>) -> Outcome {
    let settings = settings().on_welcome(|_| Err(Veto::new("not this one")));
    world.note(told(in_time(world.join(settings)).await));
    eventually(|| world.router.connections() == 0).await;
    world.note("nobody is connected");
    Ok(())
}

pub(crate) async fn tickets<A: Adapter>(world: &World<A>) -> Outcome {
    let table = TicketTable::new().principal("joe", "secret", "friend");
    let other = world.another(config().realm(Uri::new("private")?, Authentication::new().ticket(table)));
    let joe = || settings().realm("private").authid("joe");
    let session = in_time(other.join(joe().ticket("secret"))).await?;
    let details = session.details();
    world.note(format!("{:?} as {:?}", details.authid.as_deref(), details.authrole.as_deref()));
    session.publish("com.example.tick", ()).acknowledge().await?;
    for settings in [
        joe().ticket("guess"),
        joe(),
        settings().realm("private").authid("eve").ticket("secret"),
        joe().on_challenge("ticket", |_| Err(Veto::new("not to this router"))),
    ] {
        let error = in_time(other.join(settings)).await.unwrap_err();
        assert!(!error.is_retryable());
        world.note(told(Err::<(), _>(error)));
    }
    let hook = joe().on_challenge("ticket", |_| Ok("secret".to_owned()));
    in_time(other.join(hook)).await?.leave().await?;
    drop(session);
    other.close().await;
    Ok(())
}

/// Both ends know whether others can read along, and agree by what they are bound together.
pub(crate) async fn what_is_known_of_the_transport<A: Adapter>(world: &World<A>) -> Outcome {
    let other = world.another(config().realm(Uri::new("polite")?, Authentication::new().dynamic("x-word")));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let transports = Arc::clone(&seen);
    let settings =
        settings().realm("polite").authid("joe").on_challenge("x-word", |_| Ok("please".to_owned()));
    let settings = settings
        .on_connect(move |transport| transports.lock().unwrap().push(transport.channel_binding.clone()));
    let session = in_time(other.join(settings)).await?;
    let (way, here, there) = (world.way, seen.lock().unwrap().clone(), other.transports());
    // It was asked twice, before and after the challenge.
    assert_eq!((here.len(), there.len()), (1, 2), "{there:?}");
    assert_eq!((there[0].is_secure, here[0].is_some()), (way.is_secure(), way.is_secure()), "{there:?}");
    assert_eq!(there[0].channel_binding, here[0]);
    assert_eq!(there[0].request.as_ref().map(|request| request.path()), way.path());
    world.note("both say the same of it");
    drop(session);
    other.close().await;
    Ok(())
}

/// Answers the questions of routers whose authentication is the application's: asks for a word first.
pub(crate) fn decide(router: &RouterHandle, request: &AuthenticationRequest) {
    let decision = request.decision;
    // The peer may be gone, and its question with it.
    let _ = match &request.response {
        None => router.challenge(decision, RawDict::EMPTY),
        Some(response) if &*response.signature == "please" => {
            router.grant(decision, Grant::new("joe", "friend"))
        }
        Some(_) => router.deny(decision, &uris::AUTHENTICATION_DENIED, "that was not the word"),
    };
}

pub(crate) async fn challenges_decided_by_the_application<A: Adapter>(world: &World<A>) -> Outcome {
    let other = world.another(config().realm(Uri::new("polite")?, Authentication::new().dynamic("x-word")));
    let saying = |word: &'static str| {
        settings().realm("polite").authid("joe").on_challenge("x-word", move |_| Ok(word.to_owned()))
    };
    let session = in_time(other.join(saying("please"))).await?;
    world.note(format!("let in as {:?}", session.details().authrole.as_deref()));
    world.note(told(in_time(other.join(saying("now"))).await));
    drop(session);
    other.close().await;
    Ok(())
}

pub(crate) async fn killed_by_the_router<A: Adapter>(world: &World<A>) -> Outcome {
    let session = world.session().await;
    let _greet = session.register("com.example.greet", greet).await?;
    let mut events = session.subscribe("com.example.tick").await?;
    let bystander = world.session().await;
    world.kill(&session, "enough");
    let closed = in_time(session.closed()).await;
    world.note(ended(&closed));
    assert!(in_time(events.next()).await.is_none());
    world.note(told(session.call("com.example.greet", ("joe",)).await));
    // Its procedures are gone with it, and others stay.
    world.note(told(bystander.call("com.example.greet", ("joe",)).await));
    Ok(())
}

/// Connecting once more gives a session of its own; what is left of the first stays dead.
pub(crate) async fn joined_again<A: Adapter>(world: &World<A>) -> Outcome {
    let first = world.session().await;
    let registration = first.register("com.example.greet", greet).await?;
    let subscription = first.subscribe("com.example.tick").await?;
    in_time(first.leave()).await?;
    let second = world.session().await;
    assert_ne!(first.id(), second.id());
    let _greet = second.register("com.example.greet", greet).await?;
    let _events = second.subscribe("com.example.tick").await?;
    world.note(told(registration.unregister().await));
    world.note(told(subscription.unsubscribe().await));
    world.note(told(second.call("com.example.greet", ("joe",)).returning::<String>().await));
    let stats = world.router.stats();
    world.note(format!("{} registration, {} subscription", stats.registrations, stats.subscriptions));
    Ok(())
}

pub(crate) async fn wrong_realm<A: Adapter>(world: &World<A>) -> Outcome {
    let error = in_time(world.join(settings().realm("realm2"))).await.unwrap_err();
    assert_eq!(error.uri().ok_or("no URI")?.as_str(), "wamp.error.no_such_realm");
    assert!(!error.is_retryable());
    world.note(told(Err::<(), _>(error)));
    let error = in_time(world.join(settings().realm("no realm"))).await.unwrap_err();
    assert!(matches!(error, Error::Config(_)));
    world.note(told(Err::<(), _>(error)));
    Ok(())
}

pub(crate) async fn realms_apart<A: Adapter>(world: &World<A>) -> Outcome {
    let realm = Uri::new("realm2")?;
    let other = world.another(config().realm(realm, Authentication::new().anonymous("guest")));
    let here = other.session().await;
    let there = in_time(other.join(settings().realm("realm2"))).await?;
    let _greet = here.register("com.example.greet", greet).await?;
    let mut events = here.subscribe("com.example.tick").await?;
    world.note(told(there.call("com.example.greet", ("joe",)).await));
    there.publish("com.example.tick", ("there",)).acknowledge().await?;
    let publish = here.publish("com.example.tick", ("here",)).exclude_me(false);
    publish.acknowledge().await?;
    world.note(in_time(events.next()).await.ok_or("ended")??.get::<String>()?);
    // The same name in another realm is another procedure.
    let _greet = there.register("com.example.greet", greet).await?;
    world.note(there.call("com.example.greet", ("joe",)).returning::<String>().await?);
    drop((here, there));
    other.close().await;
    Ok(())
}

/// A realm is opened and closed while others are in use.
pub(crate) async fn realms_come_and_go<A: Adapter>(world: &World<A>) -> Outcome {
    let tenant = RealmConfig::new(Uri::new("com.example.tenant")?, Authentication::new().anonymous("tenant"));
    let settings = || settings().realm("com.example.tenant");
    let here = world.session().await;
    let _greet = here.register("com.example.greet", greet).await?;
    world.note(told(in_time(world.join(settings())).await.map(drop)));
    world.router.add_realm(&tenant)?;
    assert!(world.router.add_realm(&tenant).is_err(), "it is there already");
    let there = in_time(world.join(settings())).await?;
    world.note(there.details().authrole.as_deref().unwrap_or_default());
    let _greet = there.register("com.example.greet", greet).await?;
    world.note(there.call("com.example.greet", ("joe",)).returning::<String>().await?);
    assert!(world.router.remove_realm(&tenant.uri));
    assert!(!world.router.remove_realm(&tenant.uri), "it is gone");
    world.note(ended(&in_time(there.closed()).await));
    world.note(told(in_time(world.join(settings())).await.map(drop)));
    assert_eq!(world.router.stats().realms, 1);
    world.note(here.call("com.example.greet", ("ann",)).returning::<String>().await?);
    Ok(())
}

/// Clones are the same session: it lasts as long as one of them, in whichever task.
pub(crate) async fn clones<A: Adapter>(world: &World<A>) -> Outcome {
    let session = world.session().await;
    let _greet = session.register("com.example.greet", greet).await?;
    let (sender, receiver) = std::sync::mpsc::channel();
    let mut ids = Vec::new();
    for number in 0..4 {
        let (clone, sender): (Session, _) = (session.clone(), sender.clone());
        ids.push(clone.id());
        world.adapter.runtime().spawn(Box::pin(async move {
            let name = format!("clone {number}");
            let answer = clone.call("com.example.greet", (&name,)).returning::<String>().await;
            let _ = sender.send((number, told(answer)));
        }));
    }
    assert!(ids.iter().all(|id| *id == session.id()));
    let mut answers = Vec::new();
    eventually(|| {
        answers.extend(receiver.try_iter());
        answers.len() == 4
    })
    .await;
    answers.sort();
    world.note(format!("{answers:?}"));
    assert_eq!(world.router.stats().sessions, 1);
    Ok(())
}

pub(crate) async fn router_shuts_down<A: Adapter>(world: &World<A>) -> Outcome {
    let callee = world.session().await;
    let _dig = callee.register("com.example.dig", dig).await?;
    let caller = world.session().await;
    let mut events = caller.subscribe("com.example.tick").await?;
    let mut call = Box::pin(caller.call("com.example.dig", ()).into_future());
    assert!(poll_once(&mut call).await.is_none());
    eventually(|| world.router.stats().calls == 1).await;
    in_time(world.router.shutdown(Duration::from_secs(10))).await;
    assert_eq!(world.router.connections(), 0);
    let error = in_time(call).await.unwrap_err();
    // Whichever of the two the router says GOODBYE to first.
    let uri = error.uri().ok_or("no URI")?.as_str();
    assert!(uri == "wamp.close.system_shutdown" || uri == "wamp.error.canceled", "{error:?}");
    assert!(in_time(events.next()).await.is_none());
    for session in [callee, caller] {
        world.note(ended(&in_time(session.closed()).await));
    }
    // Whoever comes now is refused.
    let error = in_time(world.join(settings())).await.unwrap_err();
    world.note(format!("worth another try: {}", error.is_retryable()));
    Ok(())
}

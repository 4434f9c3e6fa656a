//! Requests that the application decides on, later and from elsewhere; and what it publishes itself.

use futures_channel::mpsc;
use futures_lite::StreamExt;
use futures_lite::future::zip;
use roadbed::client::{HandlerError, Invocation};
use roadbed::core::options::PublishOptions;
use roadbed::core::payload::Payload;
use roadbed::core::serializer::Serializer;
use roadbed::core::uri::Uri;
use roadbed::server::{
    Access, Authorization, AuthorizationRequest, NotAwaited, PublishError, RouterEvent, Verdict,
};

use crate::adapter::Adapter;
use crate::world::{Outcome, World, config, eventually, in_time, settings, told};

/// The application is asked about names that say so.
fn by_name(access: &Access<'_>) -> Authorization {
    match access.uri.as_str().rsplit_once('.') {
        Some((_, "asked")) => Authorization::Ask,
        Some((_, "denied")) => Verdict::deny().into(),
        _ => Verdict::allow().into(),
    }
}

/// A router whose questions go to whoever takes them.
fn guarded<A: Adapter>(world: &World<A>) -> (World<A>, mpsc::UnboundedReceiver<AuthorizationRequest>) {
    let (sender, questions) = mpsc::unbounded();
    let observer = move |_: &_, event| {
        if let RouterEvent::Authorize(request) = event {
            // The scenario may have ended.
            let _ = sender.unbounded_send(*request);
        }
    };
    let other = world.another_with(config().authorizer(by_name), |builder| builder.on_event(observer));
    (other, questions)
}

pub(crate) async fn decided_later<A: Adapter>(world: &World<A>) -> Outcome {
    let (other, mut questions) = guarded(world);
    let session = in_time(other.join(settings())).await?;
    world.note(told(in_time(session.subscribe("com.example.denied")).await.map(drop)));
    // The first one waits for the application, the second one for the first.
    let asked = session.subscribe("com.example.asked").into_future();
    let behind = async { told(session.publish("com.example.tick", ()).acknowledge().await.map(drop)) };
    let deciding = async {
        let question = questions.next().await.ok_or("no question")?;
        world.note(format!("asked whether {} may {}", question.session.authrole, question.verb));
        eventually(|| other.router.stats().waiting == 2).await;
        assert_eq!(other.router.stats().subscriptions, 0);
        other.router.authorize(question.id, Verdict::allow())?;
        assert_eq!(other.router.authorize(question.id, Verdict::deny()), Err(NotAwaited));
        Ok::<_, Box<dyn std::error::Error>>(())
    };
    let ((events, behind), decided) = in_time(zip(zip(asked, behind), deciding)).await;
    decided?;
    let mut events = events?;
    world.note(behind);
    // The application needs nobody's leave.
    let (realm, topic) = (Uri::new("realm1")?, Uri::new("com.example.asked")?);
    let payload = Payload::from_args(Serializer::Json, &("from the router",))?;
    other.router.publish(&realm, &topic, PublishOptions::new(), payload)?;
    let event = in_time(events.next()).await.ok_or("ended")??;
    world.note(format!("{:?} of {:?}", event.get::<String>()?, event.details().publisher));
    let refused = other.router.publish(&Uri::new("nowhere")?, &topic, PublishOptions::new(), Payload::EMPTY);
    assert!(matches!(refused, Err(PublishError::NoSuchRealm(_))), "{refused:?}");
    session.leave().await?;
    other.close().await;
    Ok(())
}

/// A procedure decides, and the session that has it is the one that is decided on.
pub(crate) async fn decided_by_the_session_itself<A: Adapter>(world: &World<A>) -> Outcome {
    let (other, mut questions) = guarded(world);
    let (session, driver) = (in_time(other.join(settings())).await?, in_time(other.join(settings())).await?);
    let may = |invocation: Invocation| async move {
        let topic: String = invocation.get()?;
        Ok::<_, HandlerError>(topic.starts_with("com.example.good"))
    };
    let _may = session.register("com.example.may", may).await?;
    for topic in ["com.example.good.asked", "com.example.bad.asked"] {
        let publishing = async { told(session.publish(topic, ()).acknowledge().await.map(drop)) };
        let deciding = async {
            let question = questions.next().await.ok_or("no question")?;
            let topic = question.uri.as_str().to_owned();
            let is_allowed = driver.call("com.example.may", (topic,)).returning::<bool>().await?;
            let verdict = if is_allowed { Verdict::allow() } else { Verdict::deny() };
            other.router.authorize(question.id, verdict)?;
            Ok::<_, Box<dyn std::error::Error>>(())
        };
        let (published, decided) = in_time(zip(publishing, deciding)).await;
        decided?;
        world.note(published);
    }
    session.leave().await?;
    driver.leave().await?;
    other.close().await;
    Ok(())
}

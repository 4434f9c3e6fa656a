//! The subscriber, on async-std: waits for one event, then leaves.

use roadbed_async_std::roadbed::core::serializer::Serializer;
use roadbed_async_std::roadbed::core::value::{Dict, Value};
use tokio::sync::oneshot::Sender;

use crate::{Failure, say};

/// Listens until something was published.
pub(crate) async fn run(url: &str, ready: Sender<()>) -> Result<(), Failure> {
    let session = roadbed_async_std::connect(url).realm("realm1").serializer(Serializer::Cbor).await?;
    say("subscriber", &format!("joined on async-std in CBOR over a Unix socket, session {}", session.id()));
    let mut news = session.subscribe("com.example.news").await?;
    say("subscriber", "listens to com.example.news");
    ready.send(()).map_err(|()| "nobody waits")?;

    let event = news.next().await.ok_or("the session ended")??;
    let headline: String = event.get()?;
    let page = event.kwargs::<Dict>()?.get("page").and_then(Value::as_u64).unwrap_or_default();
    say("subscriber", &format!("read {headline:?} on page {page}"));
    session.leave().await?;
    say("subscriber", "left");
    Ok(())
}

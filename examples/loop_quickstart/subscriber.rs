//! The subscriber: waits for one event, then leaves.

use std::sync::mpsc::Sender;

use roadbed_core::options::SubscribeOptions;
use roadbed_core::serializer::Serializer;
use roadbed_core::session::{ClientConfig, SessionEvent};
use roadbed_core::uri::Uri;
use roadbed_core::value::{Dict, Value};
use roadbed_examples::client_loop::ClientLoop;
use roadbed_examples::stream::Socket;

use crate::{Outcome, say};

/// Listens until something was published.
pub(crate) fn run(url: &str, ready: &Sender<()>) -> Outcome {
    let config = ClientConfig::new(Uri::new("realm1")?).build()?;
    let mut client = ClientLoop::new(Socket::connect(url)?, config, Serializer::Cbor);
    let topic = Uri::new("com.example.news")?;
    while let Some(event) = client.next_event()? {
        let now = client.now();
        match event {
            SessionEvent::Joined { session, .. } => {
                say("subscriber", &format!("joined in CBOR over a Unix socket, session {session}"));
                client.connection.subscribe(now, &topic, &SubscribeOptions::new())?;
            }
            SessionEvent::Subscribed { result, .. } => {
                result?;
                say("subscriber", &format!("listens to {topic}"));
                ready.send(())?;
            }
            SessionEvent::Event { payload, publication, .. } => {
                let (headline,) = payload.args::<(String,)>()?;
                let details = payload.kwargs::<Dict>()?;
                let page = details.get("page").and_then(Value::as_u64).unwrap_or_default();
                say("subscriber", &format!("read {headline:?} on page {page}, publication {publication}"));
                client.connection.leave(now, None)?;
            }
            SessionEvent::Closed { reason, clean } => {
                say("subscriber", &format!("ends: {reason}, clean: {clean}"));
            }
            _ => {}
        }
    }
    Ok(())
}

//! The callee: `com.example.greet`, and `com.example.dig`, which takes for ever.

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;

use roadbed_core::error::{WampError, uris};
use roadbed_core::id::InvocationId;
use roadbed_core::options::{CancelMode, RegisterOptions, YieldOptions};
use roadbed_core::payload::{Binary, Payload};
use roadbed_core::serializer::Serializer;
use roadbed_core::session::{ClientConfig, SessionEvent};
use roadbed_core::uri::Uri;
use roadbed_examples::client_loop::ClientLoop;
use roadbed_examples::stream::Socket;

use crate::{Outcome, say};

const PROCEDURES: [&str; 3] = ["com.example.greet", "com.example.dig", "com.example.reverse"];

#[derive(serde::Deserialize)]
struct Manner {
    #[serde(default)]
    loud: bool,
}

/// Serves until the router says GOODBYE.
pub(crate) fn run(url: &str, ready: &Sender<()>) -> Outcome {
    let config = ClientConfig::new(Uri::new("realm1")?).build()?;
    let mut client = ClientLoop::new(Socket::connect(url)?, config, Serializer::MsgPack);
    // Which procedure stands behind a handler.
    let mut procedures = BTreeMap::new();
    while let Some(event) = client.next_event()? {
        let now = client.now();
        match event {
            SessionEvent::Joined { session, .. } => {
                say("callee", &format!("joined in MessagePack over TCP, session {session}"));
                for procedure in PROCEDURES {
                    let uri = Uri::new(procedure)?;
                    let handler = client.connection.register(now, &uri, &RegisterOptions::new())?;
                    procedures.insert(handler, procedure);
                }
            }
            SessionEvent::Registered { handler, result } => {
                result?;
                say("callee", &format!("offers {}", procedures[&handler]));
                if procedures.keys().next_back() == Some(&handler) {
                    ready.send(())?;
                }
            }
            SessionEvent::Invocation { invocation, handler, payload, .. } => {
                answer(&mut client, invocation, procedures[&handler], &payload)?;
            }
            SessionEvent::Interrupted { invocation, mode, .. } => {
                say("callee", "was interrupted, and stops digging");
                if mode == CancelMode::Kill {
                    let canceled = WampError::new(uris::CANCELED.clone());
                    client.connection.invocation_error(now, invocation, canceled)?;
                }
            }
            SessionEvent::Closed { reason, clean } => {
                say("callee", &format!("ends: {reason}, clean: {clean}"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn answer(client: &mut ClientLoop, invocation: InvocationId, procedure: &str, payload: &Payload) -> Outcome {
    let now = client.now();
    match procedure {
        "com.example.greet" => match payload.args::<(String,)>() {
            Ok((name,)) => {
                let Manner { loud } = payload.kwargs()?;
                let mut greeting = format!("Hello, {name}");
                if loud {
                    greeting = greeting.to_uppercase() + "!";
                }
                let result = Payload::from_args(Serializer::MsgPack, &(greeting,))?;
                client.connection.yield_result(now, invocation, result, &YieldOptions::new())?;
            }
            Err(error) => {
                let reason = Payload::from_args(Serializer::MsgPack, &(error.to_string(),))?;
                let error = WampError::with_payload(uris::INVALID_ARGUMENT.clone(), reason);
                client.connection.invocation_error(now, invocation, error)?;
            }
        },
        "com.example.reverse" => {
            let (Binary(bytes),) = payload.args()?;
            let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
            let result = Payload::from_args(Serializer::MsgPack, &(Binary::from(reversed),))?;
            client.connection.yield_result(now, invocation, result, &YieldOptions::new())?;
        }
        _ => say("callee", "starts to dig, which takes for ever"),
    }
    Ok(())
}

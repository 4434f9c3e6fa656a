//! The callee, on tokio: `com.example.greet`, `com.example.reverse`, and `com.example.dig`, which takes for
//! ever.

use roadbed_tokio::roadbed::client::{HandlerError, Invocation, Session};
use roadbed_tokio::roadbed::core::payload::Binary;
use roadbed_tokio::roadbed::core::serializer::Serializer;

use crate::{Failure, say};

#[derive(serde::Deserialize)]
struct Manner {
    #[serde(default)]
    loud: bool,
}

/// Joins and offers its procedures; they are served for as long as the session lasts.
pub(crate) async fn join(url: &str) -> Result<Session, Failure> {
    let session = roadbed_tokio::connect(url).realm("realm1").serializer(Serializer::MsgPack).await?;
    say("callee", &format!("joined on tokio in MessagePack over RawSocket, session {}", session.id()));
    session.register("com.example.greet", greet).await?.detach();
    session.register("com.example.reverse", reverse).await?.detach();
    session.register("com.example.dig", dig).await?.detach();
    say("callee", "offers com.example.greet, com.example.reverse and com.example.dig");
    Ok(session)
}

async fn greet(invocation: Invocation) -> Result<String, HandlerError> {
    let name: String = invocation.get()?;
    let Manner { loud } = invocation.kwargs()?;
    if name.is_empty() {
        return Err(HandlerError::new("com.example.error.nobody").args(&("a greeting needs a name",)));
    }
    let greeting = format!("Hello, {name}");
    Ok(if loud { greeting.to_uppercase() + "!" } else { greeting })
}

async fn reverse(invocation: Invocation) -> Result<Binary, HandlerError> {
    let Binary(bytes) = invocation.get()?;
    Ok(Binary::from(bytes.iter().rev().copied().collect::<Vec<u8>>()))
}

async fn dig(_: Invocation) -> Result<(), HandlerError> {
    /// Says so when the handler is dropped, which is what an interrupt does to it.
    struct Spade;
    impl Drop for Spade {
        fn drop(&mut self) {
            say("callee", "was interrupted, and stops digging");
        }
    }
    let _spade = Spade;
    say("callee", "starts to dig, which takes for ever");
    std::future::pending().await
}

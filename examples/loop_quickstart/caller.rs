//! The caller: one step after the other, each begun when the one before has ended.

use roadbed_core::error::RequestError;
use roadbed_core::id::CallId;
use roadbed_core::options::{CallOptions, CancelMode, PublishOptions};
use roadbed_core::payload::{Binary, Payload};
use roadbed_core::serializer::Serializer;
use roadbed_core::session::{ClientConfig, SessionEvent};
use roadbed_core::uri::Uri;
use roadbed_core::value::{Dict, Value};
use roadbed_examples::client_loop::ClientLoop;
use roadbed_examples::stream::Socket;

use crate::{Outcome, say};

/// Tells the whole story.
pub(crate) fn run(url: &str) -> Outcome {
    let config = ClientConfig::new(Uri::new("realm1")?).build()?;
    let mut caller = Caller(ClientLoop::new(Socket::connect(url)?, config, Serializer::Json));
    let SessionEvent::Joined { session, .. } = caller.next()? else { return Err("not joined".into()) };
    say("caller", &format!("joined in JSON over TCP, session {session}"));

    // Positional and keyword arguments.
    let manner = Dict::from([("loud", Value::from(true))]);
    let call = caller.call("com.example.greet", Payload::build(Serializer::Json, &("World",), &manner)?)?;
    let (greeting,) = caller.result(call)??.args::<(String,)>()?;
    say("caller", &format!("was greeted: {greeting}"));

    // The callee refuses a number for a name, and says why.
    let call = caller.call("com.example.greet", Payload::from_args(Serializer::Json, &(42,))?)?;
    match caller.result(call)? {
        Err(RequestError::Wamp(error)) => {
            let (why,) = error.payload.args::<(String,)>()?;
            say("caller", &format!("was refused with {error}: {why}"));
        }
        other => return Err(format!("expected a refusal, got {other:?}").into()),
    }

    // A call that nobody wants to wait for.
    let call = caller.call("com.example.dig", Payload::EMPTY)?;
    let now = caller.0.now();
    caller.0.connection.cancel(now, call, CancelMode::KillNoWait)?;
    match caller.result(call)? {
        Err(RequestError::Wamp(error)) if error.is_canceled() => {
            say("caller", &format!("gave up on digging: {error}"));
        }
        other => return Err(format!("expected a canceled call, got {other:?}").into()),
    }

    // Bytes are bytes, though JSON has none.
    let bytes = Binary::from(vec![1, 2, 3, 255]);
    let call = caller.call("com.example.reverse", Payload::from_args(Serializer::Json, &(bytes,))?)?;
    let (Binary(bytes),) = caller.result(call)??.args()?;
    say("caller", &format!("got its bytes back to front: {:?}", &bytes[..]));

    // A publication that the router acknowledges.
    let page = Dict::from([("page", Value::from(1))]);
    let news = Payload::build(Serializer::Json, &("WAMP without the I/O",), &page)?;
    let options = PublishOptions::new().acknowledge(true);
    let now = caller.0.now();
    caller.0.connection.publish(now, &Uri::new("com.example.news")?, news, &options)?;
    let SessionEvent::Published { result, .. } = caller.next()? else { return Err("not published".into()) };
    say("caller", &format!("published {}", result?));

    let now = caller.0.now();
    caller.0.connection.leave(now, None)?;
    loop {
        if let SessionEvent::Closed { reason, clean } = caller.next()? {
            say("caller", &format!("ends: {reason}, clean: {clean}"));
            return Ok(());
        }
    }
}

struct Caller(ClientLoop);

impl Caller {
    fn next(&mut self) -> Result<SessionEvent, Box<dyn std::error::Error + Send + Sync>> {
        self.0.next_event()?.ok_or_else(|| "the connection has ended".into())
    }

    fn call(
        &mut self,
        procedure: &str,
        payload: Payload,
    ) -> Result<CallId, Box<dyn std::error::Error + Send + Sync>> {
        let now = self.0.now();
        Ok(self.0.connection.call(now, &Uri::new(procedure)?, payload, &CallOptions::new())?)
    }

    /// How `call` ends.
    fn result(
        &mut self,
        call: CallId,
    ) -> Result<Result<Payload, RequestError>, Box<dyn std::error::Error + Send + Sync>> {
        loop {
            match self.next()? {
                SessionEvent::Result { call: id, result } if id == call => {
                    return Ok(result.map(|answer| answer.payload));
                }
                SessionEvent::Closed { reason, .. } => return Err(reason.into()),
                _ => {}
            }
        }
    }
}

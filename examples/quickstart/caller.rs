//! The caller, a plain thread: one step after the other.

use std::collections::BTreeMap;
use std::time::Duration;

use roadbed_blocking::roadbed::Error;
use roadbed_blocking::roadbed::core::payload::Binary;
use roadbed_blocking::roadbed::core::serializer::Serializer;

use crate::{Failure, say};

/// Tells the whole story.
pub(crate) fn run(url: &str) -> Result<(), Failure> {
    let session = roadbed_blocking::connect(url).realm("realm1").serializer(Serializer::Json).wait()?;
    say("caller", &format!("joined on a thread in JSON over WebSocket, session {}", session.id()));

    // Positional and keyword arguments.
    let manner = BTreeMap::from([("loud", true)]);
    let greeting: String = session.call("com.example.greet", ("World",)).kwargs(manner).returning().wait()?;
    say("caller", &format!("was greeted: {greeting}"));

    // The callee refuses, and says why.
    match session.call("com.example.greet", ("",)).wait() {
        Err(error @ Error::Wamp(_)) => {
            let (why,) = error.args::<(String,)>()?;
            say("caller", &format!("was refused with {error}: {why}"));
        }
        other => return Err(format!("expected a refusal, got {other:?}").into()),
    }

    // A call that nobody wants to wait for any longer: it is canceled, here and at the callee.
    match session.call("com.example.dig", ()).timeout(Duration::from_millis(200)).wait() {
        Err(Error::Timeout(_)) => say("caller", "gave up on digging after 200 ms"),
        other => return Err(format!("expected to give up, got {other:?}").into()),
    }

    // Bytes are bytes, though JSON has none.
    let Binary(bytes) =
        session.call("com.example.reverse", (Binary::from(vec![1, 2, 3, 255]),)).returning().wait()?;
    say("caller", &format!("got its bytes back to front: {:?}", &bytes[..]));

    // A publication that the router acknowledges.
    let page = BTreeMap::from([("page", 1)]);
    let publish = session.publish("com.example.news", ("WAMP without the I/O",)).kwargs(page);
    let publication = publish.acknowledge().wait()?;
    say("caller", &format!("published the news, and the router has it: publication {publication}"));
    session.leave().wait()?;
    say("caller", "left");
    Ok(())
}

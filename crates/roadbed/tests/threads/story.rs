use std::thread;
use std::time::Duration;

use roadbed::client::Invocation;
use roadbed::core::serializer::Serializer;
use roadbed::{Error, Reply};

use crate::net::Server;

#[test]
fn everything_can_be_waited_for() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::start();
    let callee = server.connect().serializer(Serializer::MsgPack).wait()?;
    let session = server.connect().serializer(Serializer::Json).wait()?;
    let add = callee
        .register("com.example.add", |inv: Invocation| async move {
            let (a, b) = inv.args::<(i64, i64)>()?;
            Ok(Reply::new((a + b, a * b), ()))
        })
        .wait()?;
    let mut upper = callee.register_queue("com.example.upper").wait()?;
    let worker = thread::spawn(move || {
        for call in upper.wait().take(3) {
            match call.get::<String>() {
                Ok(text) => call.reply(text.to_uppercase()).unwrap(),
                Err(error) => call.error(error),
            }
        }
    });
    let (sum, product) = session.call("com.example.add", (2, 3)).wait()?.args::<(i64, i64)>()?;
    assert_eq!((sum, product), (5, 6));
    assert_eq!(session.call("com.example.upper", ("a",)).returning::<String>().wait()?, "A");
    let error = session.call("com.example.upper", (1,)).wait().unwrap_err();
    assert_eq!(error.uri().unwrap().as_str(), "wamp.error.invalid_argument");

    let mut events = session.subscribe("com.example.tick").wait()?;
    for number in 0..10 {
        callee.publish("com.example.tick", (number,)).wait()?;
    }
    for (expected, event) in events.wait().take(10).enumerate() {
        assert_eq!(event?.get::<usize>()?, expected);
    }
    assert!(matches!(events.wait_for(Duration::from_millis(30)), Err(Error::Timeout(_))));
    events.unsubscribe().wait()?;
    add.unregister().wait()?;
    assert_eq!(session.call("com.example.upper", ("b",)).returning::<String>().wait()?, "B");
    worker.join().unwrap();
    session.leave().wait()?;
    drop(callee);
    server.assert_empty();
    Ok(())
}

#[test]
fn a_local_session_needs_no_socket() {
    let server = Server::start();
    let settings = roadbed::client::Settings::new("realm1");
    let local = server.router.attach_local(&settings).unwrap().wait().unwrap();
    local.register("com.example.one", |_| async { Ok(1) }).wait().unwrap().detach();
    let session = server.connect().wait().unwrap();
    assert_eq!(session.call("com.example.one", ()).returning::<i32>().wait().unwrap(), 1);
    server.router.shutdown(Duration::from_secs(5)).wait();
    server.assert_empty();
    assert!(session.call("com.example.one", ()).wait().unwrap_err().is_retryable());
}

#[test]
fn the_serializer_is_chosen_by_preference() {
    let server = Server::with(|builder| builder.serializers(&[Serializer::Json]));
    let session = server.connect().wait().unwrap();
    assert_eq!(session.serializer(), Serializer::Json);
    let error = server.connect().serializers(&[Serializer::Cbor, Serializer::MsgPack]).wait().unwrap_err();
    assert!(matches!(error.root(), Error::Ended(_)) && !error.is_retryable(), "{error}");
    drop(session);
    server.assert_empty();
}

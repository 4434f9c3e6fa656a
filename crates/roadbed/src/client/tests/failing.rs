//! What callers learn of a handler that fails.

use std::fmt;
use std::future::IntoFuture;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use roadbed_core::error::WampError;
use roadbed_core::transport::TransportDetails;
use roadbed_core::uri::Uri;

use super::*;
use crate::client::{ApplicationError, HandlerError, Internal, open};
use crate::error::Error;
use crate::memory::pipe;
use crate::runtime::ByteStream;

#[derive(Debug)]
struct Overdrawn(u64);

impl fmt::Display for Overdrawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} are missing", self.0)
    }
}

impl std::error::Error for Overdrawn {}

impl ApplicationError for Overdrawn {
    fn uri(&self) -> &str {
        "com.example.error.overdrawn"
    }

    fn describe(&self, error: HandlerError) -> HandlerError {
        error.args(&(self.0,))
    }
}

struct NoUri;

impl ApplicationError for NoUri {
    fn uri(&self) -> &str {
        "no uri"
    }
}

#[derive(Debug)]
struct Outer(io::Error);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the database is away")
    }
}

impl std::error::Error for Outer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

fn fails(number: u64) -> Result<(), HandlerError> {
    match number {
        0 => Err(Overdrawn(7))?,
        1 => Err(Outer(io::Error::other("10.0.0.7 refused"))).internal()?,
        2 => Err(NoUri)?,
        3 => Err(WampError::new(Uri::from_wire("#bad".into())))?,
        4 => Err(Error::from(WampError::new(Uri::from_wire(String::new().into()))))?,
        5 => panic!("at the disco"),
        6 => Err("a text of ours").internal()?,
        _ => {}
    }
    Ok(())
}

/// What a caller is told, in words.
fn told(callee: &Settings) -> Vec<String> {
    let world = World::new();
    let (session, caller) = (world.join(callee), world.session());
    let register = session.register("com.example.p", |inv: Invocation| async move { fails(inv.get()?) });
    let _registration = world.sim.block_on(register.into_future()).unwrap();
    let call =
        |number: u64| world.sim.block_on(caller.call("com.example.p", (number,)).into_future()).unwrap_err();
    assert_eq!(call(0).args::<(u64,)>().unwrap(), (7,));
    (0..7).map(|number| call(number).to_string()).collect()
}

#[test]
fn callers_see_what_is_meant_for_them() {
    let internal = "wamp.error.runtime_error";
    let expected =
        ["com.example.error.overdrawn", internal, internal, internal, internal, internal, internal];
    assert_eq!(told(&settings()), expected);
}

#[test]
fn during_development_they_see_it_all() {
    let told = told(&settings().expose_errors(true));
    let internal = |text: &str| format!("wamp.error.runtime_error: {text}");
    assert_eq!(told[0], "com.example.error.overdrawn");
    assert_eq!(told[1], internal("the database is away: 10.0.0.7 refused"));
    assert!(
        told[2].starts_with(&internal("")) && told[3].starts_with(&internal("\"#bad\" is no URI")),
        "{told:?}"
    );
    assert!(told[4].starts_with(&internal("\"\" is no URI")), "{told:?}");
    assert_eq!(told[5], internal("the handler panicked: at the disco"));
    assert_eq!(told[6], internal("a text of ours"));
}

/// What comes over a pipe, or goes.
fn by_hand<T>(act: impl FnOnce(&mut Context<'_>) -> Poll<io::Result<T>>) -> Option<T> {
    match act(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result.unwrap()),
        Poll::Pending => None,
    }
}

/// A router whose WELCOME cannot be taken is sent ABORT, before the connection ends.
#[test]
fn a_welcome_that_is_none_is_answered_with_abort() {
    let bad = [
        r#"[2,1,{}]"#,
        r#"[2,1,{"roles":7}]"#,
        r#"[2,1,{"roles":{"broker":{}},"authid":7}]"#,
        r#"[2,1,{"roles":{"broker":{}},"agent":7}]"#,
        r#"[2,0,{"roles":{"broker":{}}}]"#,
    ];
    for welcome in bad {
        let world = World::new();
        let (here, mut there) = pipe(64 << 10);
        let (runtime, details) = (world.sim.runtime(), TransportDetails::local());
        let (joining, driver) = open(&settings(), Arc::clone(&runtime), Serializer::Json, details).unwrap();
        runtime.spawn(Box::pin(driver.run(here)));
        world.sim.settle();
        let mut said = BytesMut::with_capacity(4096);
        by_hand(|cx| there.poll_read(cx, &mut said)).unwrap();
        assert_eq!(said.first_chunk(), Some(b"\x7F\xB1\0\0"));
        let length = u32::try_from(welcome.len()).unwrap().to_be_bytes();
        let answer = [b"\x7F\xF1\0\0", &length[..], welcome.as_bytes()].concat();
        assert_eq!(by_hand(|cx| there.poll_write(cx, &answer)), Some(answer.len()));
        world.sim.settle();
        let error = world.sim.block_on(joining).unwrap_err();
        assert!(error.to_string().contains("WELCOME"), "{error}");
        while by_hand(|cx| there.poll_read(cx, &mut said)).is_some_and(|count| count > 0) {
            said.reserve(4096);
        }
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(said.contains(r#"[1,"realm1""#), "HELLO: {said}");
        assert!(said.contains(r#"[3,"#) && said.contains("wamp.error.protocol_violation"), "ABORT: {said}");
    }
}

//! The reference loops of the examples: the cores over blocking sockets, without handles.

use std::thread;
use std::time::Instant;

use roadbed_core::options::{CallOptions, RegisterOptions, YieldOptions};
use roadbed_core::payload::{Binary, Payload};
use roadbed_core::serializer::Serializer;
use roadbed_core::session::{ClientConfig, SessionEvent};
use roadbed_core::uri::Uri;
use roadbed_examples::client_loop::ClientLoop;
use roadbed_examples::router_loop::RouterLoop;
use roadbed_examples::stream::{Listener, Socket};

use crate::PROCEDURE;
use crate::adapter::{REALM, config};
use crate::calls::argument;
use crate::protocol::{self, Load};

/// Serves by the router loop.
pub(crate) fn serve() {
    let router = RouterLoop::start(config().into_shared());
    let listener = Listener::bind("rs://127.0.0.1:0").expect("a free port");
    let url = listener.url().expect("it is bound");
    router.listen(listener);
    protocol::ready(url.trim_start_matches("rs://"));
    protocol::until_orphaned();
}

fn join(address: &str) -> ClientLoop {
    let config = ClientConfig::new(Uri::from_static(REALM)).build().expect("a complete configuration");
    let socket = Socket::connect(&format!("rs://{address}")).expect("a connection");
    let mut client = ClientLoop::new(socket, config, Serializer::MsgPack);
    assert!(matches!(client.next_event(), Ok(Some(SessionEvent::Joined { .. }))));
    client
}

/// A caller in this thread and a callee in one of its own.
pub(crate) fn load(address: &str) {
    let procedure = Uri::from_static(PROCEDURE);
    let mut callee = join(address);
    callee.connection.register(callee.now(), &procedure, &RegisterOptions::new()).expect("a registration");
    assert!(matches!(callee.next_event(), Ok(Some(SessionEvent::Registered { result: Ok(_), .. }))));
    thread::spawn(move || {
        while let Ok(Some(event)) = callee.next_event() {
            if let SessionEvent::Invocation { invocation, payload, .. } = event {
                let (argument,) = payload.args::<(Binary,)>().expect("binary");
                let result = Payload::from_args(Serializer::MsgPack, &(argument,)).expect("binary");
                let now = callee.now();
                let yielded = callee.connection.yield_result(now, invocation, result, &YieldOptions::new());
                yielded.expect("an answer is awaited");
            }
        }
    });
    let mut caller = join(address);
    protocol::run_rounds(|load| round(&mut caller, &procedure, load));
}

fn round(caller: &mut ClientLoop, procedure: &Uri, load: Load) -> u64 {
    let until = Instant::now() + load.span;
    let argument = argument(load.bytes);
    let call = |caller: &mut ClientLoop| {
        let payload = Payload::from_args(Serializer::MsgPack, &(&argument,)).expect("binary");
        let called = caller.connection.call(caller.now(), procedure, payload, &CallOptions::new());
        called.expect("a session");
    };
    (0..load.in_flight).for_each(|_| call(caller));
    let (mut calls, mut waiting) = (0, load.in_flight);
    while waiting > 0 {
        match caller.next_event() {
            Ok(Some(SessionEvent::Result { result, .. })) => {
                let (result,) = result.expect("a result").payload.args::<(Binary,)>().expect("binary");
                assert_eq!(result.len(), load.bytes);
                calls += 1;
                if Instant::now() < until { call(caller) } else { waiting -= 1 }
            }
            Ok(Some(SessionEvent::Writable)) => {}
            other => panic!("unexpected: {other:?}"),
        }
    }
    calls
}

//! The same callers and callee on every adapter, and a router served by the same one.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Instant;

use bytes::Bytes;
use roadbed::client::{HandlerError, Invocation, Session};
use roadbed::runtime::Runtime;
use roadbed_core::payload::Binary;

use crate::PROCEDURE;
use crate::adapter::Adapter;
use crate::protocol::{self, Load};

/// Serves by an adapter.
pub(crate) fn serve(name: &str) {
    let adapter = Adapter::named(name);
    protocol::ready(&adapter.serve());
    protocol::until_orphaned();
}

/// Calls and is called by an adapter.
pub(crate) fn load(name: &str, address: &str) {
    let adapter = Adapter::named(name);
    let (callee, caller) = (adapter.join(address), adapter.join(address));
    let registered = adapter.wait(async { callee.register(PROCEDURE, echo).await });
    registered.expect("a registration").detach();
    let runtime = adapter.runtime();
    protocol::run_rounds(|load| match adapter {
        Adapter::Blocking => threads(&caller, load),
        _ => tasks(&caller, &runtime, load),
    });
}

async fn echo(invocation: Invocation) -> Result<Binary, HandlerError> {
    Ok(invocation.get()?)
}

/// The argument of every call.
pub(crate) fn argument(bytes: usize) -> Binary {
    Binary(Bytes::from(vec![7; bytes]))
}

/// Callers as tasks of a runtime, each of which waits for its result before it calls again.
fn tasks(caller: &Session, runtime: &Arc<dyn Runtime>, load: Load) -> u64 {
    let until = Instant::now() + load.span;
    let (done, results) = mpsc::channel();
    for _ in 0..load.in_flight {
        let (caller, done) = (caller.clone(), done.clone());
        runtime.spawn(Box::pin(async move {
            let argument = argument(load.bytes);
            let mut calls = 0_u64;
            while Instant::now() < until {
                let result = caller.call(PROCEDURE, (&argument,)).returning::<Binary>().await;
                assert_eq!(result.expect("a result").len(), load.bytes);
                calls += 1;
            }
            // The parent may be gone.
            let _ = done.send(calls);
        }));
    }
    drop(done);
    let counts: Vec<u64> = results.iter().collect();
    assert_eq!(counts.len(), load.in_flight, "a caller panicked");
    counts.iter().sum()
}

/// Callers as threads.
fn threads(caller: &Session, load: Load) -> u64 {
    let until = Instant::now() + load.span;
    let call = || {
        let argument = argument(load.bytes);
        let mut calls = 0_u64;
        while Instant::now() < until {
            let result = caller.call(PROCEDURE, (&argument,)).returning::<Binary>().wait();
            assert_eq!(result.expect("a result").len(), load.bytes);
            calls += 1;
        }
        calls
    };
    thread::scope(|scope| {
        let callers: Vec<_> = (0..load.in_flight).map(|_| scope.spawn(call)).collect();
        callers.into_iter().map(|caller| caller.join().expect("no caller panics")).sum()
    })
}

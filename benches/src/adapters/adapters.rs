//! Roadbed's own: the same client code on every adapter, and a router served by the same one.

use std::net::TcpListener;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Instant;

use async_io::Async;
use bytes::Bytes;
use roadbed::client::{Invocation, Session};
use roadbed::runtime::Runtime;
use roadbed::server::{Authentication, RouterConfig, RouterHandle};
use roadbed_async_std::AsyncIo;
use roadbed_core::payload::Binary;
use roadbed_core::serializer::Serializer;
use roadbed_core::uri::Uri;
use roadbed_tokio::Tokio;

use crate::protocol::{self, Load};
use crate::{PROCEDURE, REALM};

/// A router with one realm, open to everybody.
pub(crate) fn config() -> RouterConfig {
    RouterConfig::new().realm(Uri::from_static(REALM), Authentication::new().anonymous("guest"))
}

fn router(runtime: Arc<dyn Runtime>) -> RouterHandle {
    RouterHandle::new(config(), runtime).expect("the configuration is complete")
}

/// Serves by an adapter.
pub(crate) fn serve(name: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    match name {
        "tokio" => {
            let runtime = tokio::runtime::Runtime::new().expect("threads for a runtime");
            let _inside = runtime.enter();
            listener.set_nonblocking(true).expect("a socket");
            let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
            drop(roadbed_tokio::serve(listener, &router(Arc::new(Tokio::current()))));
            protocol::ready(&address);
            protocol::until_orphaned();
        }
        "async-std" | "smol" => {
            let runtime = async_io_runtime(name);
            let listener = Async::new(listener).expect("a socket");
            drop(roadbed_async_std::serve_on(&runtime, listener, &router(Arc::new(runtime.clone()))));
            protocol::ready(&address);
            protocol::until_orphaned();
        }
        "blocking" => {
            let serving = roadbed_blocking::serve(listener, &router(roadbed_blocking::threads()));
            drop(serving.expect("a thread"));
            protocol::ready(&address);
            protocol::until_orphaned();
        }
        other => panic!("no adapter {other}"),
    }
}

fn async_io_runtime(name: &str) -> AsyncIo {
    if name == "smol" { AsyncIo::smol() } else { AsyncIo::async_std() }
}

/// Calls and is called by an adapter.
pub(crate) fn load(name: &str, address: &str) {
    let url = format!("rs://{address}");
    match name {
        "tokio" => {
            let runtime = tokio::runtime::Runtime::new().expect("threads for a runtime");
            let join = || {
                let connect = roadbed_tokio::connect(&url).realm(REALM).serializer(Serializer::MsgPack);
                runtime.block_on(async { connect.await }).expect("a session")
            };
            let (callee, caller) = (join(), join());
            runtime
                .block_on(async { callee.register(PROCEDURE, echo).await })
                .expect("a registration")
                .detach();
            let runtime: Arc<dyn Runtime> = Arc::new(Tokio::on(runtime.handle().clone()));
            protocol::run_rounds(|load| tasks(&caller, &runtime, load));
        }
        "async-std" | "smol" => {
            let runtime = async_io_runtime(name);
            let join = || {
                let connect = roadbed_async_std::connect_on(runtime.clone(), &url);
                let connect = connect.realm(REALM).serializer(Serializer::MsgPack);
                async_io::block_on(async { connect.await }).expect("a session")
            };
            let (callee, caller) = (join(), join());
            let register = async { callee.register(PROCEDURE, echo).await };
            async_io::block_on(register).expect("a registration").detach();
            let runtime: Arc<dyn Runtime> = Arc::new(runtime);
            protocol::run_rounds(|load| tasks(&caller, &runtime, load));
        }
        "blocking" => {
            let join = || {
                let connect = roadbed_blocking::connect(&url).realm(REALM).serializer(Serializer::MsgPack);
                connect.wait().expect("a session")
            };
            let (callee, caller) = (join(), join());
            callee.register(PROCEDURE, echo).wait().expect("a registration").detach();
            protocol::run_rounds(|load| threads(&caller, load));
        }
        other => panic!("no adapter {other}"),
    }
}

async fn echo(invocation: Invocation) -> Result<Binary, roadbed::client::HandlerError> {
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

//! The adapters as subjects.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_io::Async;
use roadbed::Error;
use roadbed::client::{Calling, Invocation, Registration, Session, Subscription};
use roadbed::runtime::Runtime;
use roadbed::server::RouterHandle;
use roadbed_async_std::AsyncIo;
use roadbed_core::error::WampError;
use roadbed_core::id::SessionId;
use roadbed_core::options::CancelMode;
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::uri::Uri;
use tokio::runtime::Builder;

use crate::client::{Client, Outcome, Procedure};
use crate::subject::{Joining, Serving, Setup, Subject};

/// How long a router waits for its peers to go.
const PATIENCE: Duration = Duration::from_secs(5);

/// Listeners on a free port, and at this path; and the port.
fn listen(path: &Path) -> (TcpListener, UnixListener, u16) {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = tcp.local_addr().unwrap().port();
    (tcp, UnixListener::bind(path).unwrap(), port)
}

fn router(setup: Setup, runtime: Arc<dyn Runtime>) -> RouterHandle {
    setup.builder().start(runtime).unwrap()
}

/// What an adapter has to be told about a router that it serves already.
fn serving(port: u16, router: RouterHandle, stop: impl FnOnce() + 'static) -> Serving {
    let stats = router.clone();
    let end = move || {
        stop();
        router.shutdown(PATIENCE).wait();
        assert_eq!(router.connections(), 0);
    };
    Serving { port, stats: Box::new(move || stats.stats()), end: Box::new(end) }
}

pub(crate) struct Tokio;

impl Subject for Tokio {
    fn name(&self) -> &'static str {
        "tokio"
    }

    fn serve(&self, setup: Setup, path: &Path) -> Serving {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let guard = runtime.enter();
        let (tcp, unix, port) = listen(path);
        tcp.set_nonblocking(true).unwrap();
        unix.set_nonblocking(true).unwrap();
        let router = router(setup, Arc::new(roadbed_tokio::Tokio::current()));
        let tcp = roadbed_tokio::serve(tokio::net::TcpListener::from_std(tcp).unwrap(), &router);
        let unix = roadbed_tokio::serve(tokio::net::UnixListener::from_std(unix).unwrap(), &router);
        drop(guard);
        // The runtime goes with the last that needs it.
        let runtime = Arc::new(runtime);
        let until_the_end = Arc::clone(&runtime);
        let mut serving = serving(port, router, move || {
            runtime.block_on(tcp.stop());
            runtime.block_on(unix.stop());
        });
        let end = serving.end;
        serving.end = Box::new(move || {
            end();
            drop(until_the_end);
        });
        serving
    }

    fn join(&self, url: &str, joining: Joining) -> Result<Box<dyn Client>, Uri> {
        // One thread has to be enough.
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let joined = runtime.block_on(roadbed_tokio::connect(url).settings(joining.settings()).into_future());
        Ok(Box::new(TokioClient(Handles::new(joined)?, runtime)))
    }
}

/// The adapter over async-io, on one of its executors.
macro_rules! async_io_subject {
    ($subject:ident, $name:literal, $runtime:expr) => {
        pub(crate) struct $subject;

        impl Subject for $subject {
            fn name(&self) -> &'static str {
                $name
            }

            fn serve(&self, setup: Setup, path: &Path) -> Serving {
                let (tcp, unix, port) = listen(path);
                let runtime = $runtime;
                let router = router(setup, Arc::new(runtime.clone()));
                let tcp = roadbed_async_std::serve_on(&runtime, Async::new(tcp).unwrap(), &router);
                let unix = roadbed_async_std::serve_on(&runtime, Async::new(unix).unwrap(), &router);
                serving(port, router, move || {
                    async_io::block_on(tcp.stop());
                    async_io::block_on(unix.stop());
                })
            }

            fn join(&self, url: &str, joining: Joining) -> Result<Box<dyn Client>, Uri> {
                let connect = roadbed_async_std::connect_on($runtime, url).settings(joining.settings());
                let joined = async_io::block_on(connect.into_future());
                Ok(Box::new(AsyncIoClient(Handles::new(joined)?)))
            }
        }
    };
}

async_io_subject!(AsyncStd, "async-std", AsyncIo::async_std());
async_io_subject!(Smol, "smol", AsyncIo::smol());

pub(crate) struct Blocking;

impl Subject for Blocking {
    fn name(&self) -> &'static str {
        "blocking"
    }

    fn serve(&self, setup: Setup, path: &Path) -> Serving {
        let (tcp, unix, port) = listen(path);
        let router = router(setup, roadbed_blocking::threads());
        let tcp = roadbed_blocking::serve(tcp, &router).unwrap();
        let unix = roadbed_blocking::serve(unix, &router).unwrap();
        serving(port, router, move || {
            tcp.stop();
            unix.stop();
        })
    }

    fn join(&self, url: &str, joining: Joining) -> Result<Box<dyn Client>, Uri> {
        let joined = roadbed_blocking::connect(url).settings(joining.settings()).wait();
        Ok(Box::new(BlockingClient(Handles::new(joined)?)))
    }
}

/// The handles that a client has at a time.
struct Handles {
    session: Session,
    calling: Option<Calling>,
    subscription: Option<Subscription>,
    registration: Option<Registration>,
}

impl Handles {
    /// Of a session, unless the router refused it.
    fn new(joined: Result<Session, Error>) -> Result<Self, Uri> {
        match joined {
            Ok(session) => Ok(Self { session, calling: None, subscription: None, registration: None }),
            Err(error) => Err(error.uri().unwrap_or_else(|| panic!("{error}")).clone()),
        }
    }
}

/// What the other side answered.
fn outcome(result: Result<roadbed::client::CallResult, Error>) -> Outcome {
    match result {
        Ok(result) => Ok(result.payload().clone()),
        Err(Error::Wamp(error)) => Err(WampError::clone(&error)),
        Err(error) => panic!("{error}"),
    }
}

/// A client over the handles. `$finish!(self, request)` is how this adapter's users wait for a request.
macro_rules! client_over_handles {
    ($client:ident, $finish:ident, $wait:ident) => {
        impl Client for $client {
            fn serializer(&self) -> Serializer {
                self.0.session.serializer()
            }

            fn session(&self) -> SessionId {
                self.0.session.id()
            }

            fn call(&mut self, procedure: &str, payload: Payload) -> Outcome {
                outcome($finish!(self, self.0.session.call(procedure, payload)))
            }

            fn start(&mut self, procedure: &str) {
                let mut calling = self.0.session.call(procedure, ()).into_future();
                // The first poll sends it.
                let polled = $wait!(self, futures_lite::future::poll_once(&mut calling));
                assert!(polled.is_none(), "{polled:?}");
                self.0.calling = Some(calling);
            }

            fn cancel(&mut self, mode: CancelMode) -> Outcome {
                let mut calling = self.0.calling.take().unwrap();
                calling.cancel(mode);
                outcome($wait!(self, calling))
            }

            fn publish(&mut self, topic: &str, payload: Payload) {
                $finish!(self, self.0.session.publish(topic, payload).acknowledge()).unwrap();
            }

            fn subscribe(&mut self, topic: &str) {
                self.0.subscription = Some($finish!(self, self.0.session.subscribe(topic)).unwrap());
            }

            fn event(&mut self) -> Payload {
                let subscription = self.0.subscription.as_mut().unwrap();
                $wait!(self, subscription.next()).unwrap().unwrap().payload().clone()
            }

            fn unsubscribe(&mut self) {
                $finish!(self, self.0.subscription.take().unwrap().unsubscribe()).unwrap();
            }

            fn register(&mut self, procedure: &str, answer: Procedure) {
                let serializer = self.serializer();
                let handler =
                    move |invocation: Invocation| async move { Ok(answer(invocation.payload(), serializer)) };
                let registration = $finish!(self, self.0.session.register(procedure, handler)).unwrap();
                self.0.registration = Some(registration);
            }

            fn unregister(&mut self) {
                $finish!(self, self.0.registration.take().unwrap().unregister()).unwrap();
            }

            fn leave(self: Box<Self>) {
                $finish!(self, self.0.session.leave()).unwrap();
                let closed = $wait!(self, self.0.session.closed());
                assert!(closed.is_clean, "{closed:?}");
            }
        }
    };
}

struct TokioClient(Handles, tokio::runtime::Runtime);

macro_rules! on_tokio {
    ($self:ident, $request:expr) => {
        $self.1.block_on($request.into_future())
    };
}

client_over_handles!(TokioClient, on_tokio, on_tokio);

struct AsyncIoClient(Handles);

macro_rules! on_async_io {
    ($self:ident, $request:expr) => {
        async_io::block_on($request.into_future())
    };
}

client_over_handles!(AsyncIoClient, on_async_io, on_async_io);

struct BlockingClient(Handles);

macro_rules! blocking {
    ($self:ident, $request:expr) => {
        $request.wait()
    };
}

client_over_handles!(BlockingClient, blocking, on_async_io);

//! Roadbed's adapters, each behind the same few functions.

use std::future::Future;
use std::net::TcpListener;
use std::sync::Arc;

use async_io::Async;
use roadbed::client::Session;
use roadbed::runtime::Runtime;
use roadbed::server::{Authentication, RouterConfig, RouterHandle};
use roadbed_async_std::AsyncIo;
use roadbed_core::serializer::Serializer;
use roadbed_core::uri::Uri;
use roadbed_tokio::Tokio;

/// All of them.
pub(crate) const ADAPTERS: [&str; 4] = ["tokio", "async-std", "smol", "blocking"];

/// What all sessions join.
pub(crate) const REALM: &str = "realm1";

/// A router with one realm, open to everybody.
pub(crate) fn config() -> RouterConfig {
    RouterConfig::new().realm(Uri::from_static(REALM), Authentication::new().anonymous("guest"))
}

/// An adapter, with a runtime as programs have it by default.
pub(crate) enum Adapter {
    Tokio(tokio::runtime::Runtime),
    AsyncIo(AsyncIo),
    Blocking,
}

impl Adapter {
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "tokio" => Self::Tokio(tokio::runtime::Runtime::new().expect("threads for a runtime")),
            "async-std" => Self::AsyncIo(AsyncIo::async_std()),
            "smol" => Self::AsyncIo(AsyncIo::smol()),
            "blocking" => Self::Blocking,
            other => panic!("no adapter {other}; there are {}", ADAPTERS.join(", ")),
        }
    }

    pub(crate) fn runtime(&self) -> Arc<dyn Runtime> {
        match self {
            Self::Tokio(runtime) => Arc::new(Tokio::on(runtime.handle().clone())),
            Self::AsyncIo(runtime) => Arc::new(runtime.clone()),
            Self::Blocking => roadbed_blocking::threads(),
        }
    }

    /// Serves a router for as long as the process lives; returns the address.
    pub(crate) fn serve(&self) -> String {
        let router = RouterHandle::new(config(), self.runtime()).expect("the configuration is complete");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        match self {
            Self::Tokio(runtime) => {
                let _inside = runtime.enter();
                listener.set_nonblocking(true).expect("a socket");
                let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
                drop(roadbed_tokio::serve(listener, &router));
            }
            Self::AsyncIo(runtime) => {
                let listener = Async::new(listener).expect("a socket");
                drop(roadbed_async_std::serve_on(runtime, listener, &router));
            }
            Self::Blocking => drop(roadbed_blocking::serve(listener, &router).expect("a thread")),
        }
        address
    }

    /// Joins over TCP, in MessagePack.
    pub(crate) fn join(&self, address: &str) -> Session {
        let url = format!("rs://{address}");
        let session = match self {
            Self::Tokio(_) => {
                let connect = roadbed_tokio::connect(url).realm(REALM).serializer(Serializer::MsgPack);
                self.wait(async { connect.await })
            }
            Self::AsyncIo(runtime) => {
                let connect = roadbed_async_std::connect_on(runtime.clone(), url);
                let connect = connect.realm(REALM).serializer(Serializer::MsgPack);
                self.wait(async { connect.await })
            }
            Self::Blocking => {
                roadbed_blocking::connect(url).realm(REALM).serializer(Serializer::MsgPack).wait()
            }
        };
        session.expect("a session")
    }

    /// Waits for a future in this thread.
    pub(crate) fn wait<F: Future>(&self, future: F) -> F::Output {
        match self {
            Self::Tokio(runtime) => runtime.block_on(future),
            Self::AsyncIo(_) | Self::Blocking => async_io::block_on(future),
        }
    }
}

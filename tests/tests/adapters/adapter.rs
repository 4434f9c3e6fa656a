//! What the scenarios need of an adapter.

use std::future::Future;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use async_io::Async;
use futures_channel::oneshot;
use roadbed::Error;
use roadbed::client::{Session, Settings};
use roadbed::runtime::Runtime;
use roadbed::server::RouterHandle;
use roadbed_async_std::AsyncIo;
use roadbed_examples::own_loop::{self, OwnLoop};
use roadbed_examples::stream;

/// Ends the service of a listener.
pub(crate) type Stop = Box<dyn FnOnce() + Send>;

/// A listener of the standard library, as adapters get it.
pub(crate) enum Listening {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A runtime with its adapter.
pub(crate) trait Adapter: Clone + Send + Sync + 'static {
    const NAME: &'static str;

    fn start() -> Self;
    /// Nothing is asked of it any more.
    fn end(self) {}
    /// Runs a test.
    fn block_on<T>(&self, future: impl Future<Output = T>) -> T;
    /// The services for a router.
    fn runtime(&self) -> Arc<dyn Runtime>;
    fn connect(&self, url: &str, settings: Settings) -> impl Future<Output = Result<Session, Error>> + Send;
    fn serve(&self, listener: Listening, router: &RouterHandle) -> Stop;
    /// As `serve`, but accepting fails a few times, as with too many open files.
    fn serve_badly(&self, listener: TcpListener, failures: usize, router: &RouterHandle) -> Stop;
}

/// Waits in a thread of its own: other steps of the scenario go on.
async fn beside<T: Send + 'static>(wait: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        // The scenario may have given up.
        let _ = sender.send(wait());
    });
    receiver.await.unwrap()
}

/// The error of a process that has too many files open.
fn too_many_files() -> std::io::Error {
    std::io::Error::from_raw_os_error(24)
}

#[derive(Clone, Copy)]
pub(crate) struct Tokio;

impl Adapter for Tokio {
    const NAME: &'static str = "tokio";

    fn start() -> Self {
        Self
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        // One thread has to be enough.
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap().block_on(future)
    }

    fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::new(roadbed_tokio::Tokio::current())
    }

    async fn connect(&self, url: &str, settings: Settings) -> Result<Session, Error> {
        roadbed_tokio::connect(url).settings(settings).await
    }

    fn serve(&self, listener: Listening, router: &RouterHandle) -> Stop {
        let serving = match listener {
            Listening::Tcp(listener) => roadbed_tokio::serve(into_tokio(listener), router),
            Listening::Unix(listener) => {
                listener.set_nonblocking(true).unwrap();
                roadbed_tokio::serve(tokio::net::UnixListener::from_std(listener).unwrap(), router)
            }
        };
        Box::new(move || drop(tokio::spawn(serving.stop())))
    }

    fn serve_badly(&self, listener: TcpListener, failures: usize, router: &RouterHandle) -> Stop {
        struct Bad(tokio::net::TcpListener, usize);
        impl roadbed_tokio::Listener for Bad {
            async fn accept(
                &mut self,
            ) -> std::io::Result<(roadbed_tokio::Stream, roadbed::core::transport::TransportDetails)>
            {
                if self.1 > 0 {
                    self.1 -= 1;
                    return Err(too_many_files());
                }
                roadbed_tokio::Listener::accept(&mut self.0).await
            }
        }
        let serving = roadbed_tokio::serve(Bad(into_tokio(listener), failures), router);
        Box::new(move || drop(tokio::spawn(serving.stop())))
    }
}

fn into_tokio(listener: TcpListener) -> tokio::net::TcpListener {
    listener.set_nonblocking(true).unwrap();
    tokio::net::TcpListener::from_std(listener).unwrap()
}

/// The adapter over async-io, on one of its executors.
macro_rules! async_io_adapter {
    ($adapter:ident, $name:literal, $runtime:expr) => {
        #[derive(Clone, Copy)]
        pub(crate) struct $adapter;

        impl Adapter for $adapter {
            const NAME: &'static str = $name;

            fn start() -> Self {
                Self
            }

            fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
                async_io::block_on(future)
            }

            fn runtime(&self) -> Arc<dyn Runtime> {
                Arc::new($runtime)
            }

            async fn connect(&self, url: &str, settings: Settings) -> Result<Session, Error> {
                roadbed_async_std::connect_on($runtime, url).settings(settings).await
            }

            fn serve(&self, listener: Listening, router: &RouterHandle) -> Stop {
                let serving = match listener {
                    Listening::Tcp(listener) => {
                        roadbed_async_std::serve_on(&$runtime, Async::new(listener).unwrap(), router)
                    }
                    Listening::Unix(listener) => {
                        roadbed_async_std::serve_on(&$runtime, Async::new(listener).unwrap(), router)
                    }
                };
                Box::new(move || $runtime.spawn(Box::pin(serving.stop())))
            }

            fn serve_badly(&self, listener: TcpListener, failures: usize, router: &RouterHandle) -> Stop {
                let bad = BadAsync(Async::new(listener).unwrap(), failures);
                let serving = roadbed_async_std::serve_on(&$runtime, bad, router);
                Box::new(move || $runtime.spawn(Box::pin(serving.stop())))
            }
        }
    };
}

async_io_adapter!(AsyncStd, "async-std", AsyncIo::async_std());
async_io_adapter!(Smol, "smol", AsyncIo::smol());

struct BadAsync(Async<TcpListener>, usize);

impl roadbed_async_std::Listener for BadAsync {
    async fn accept(
        &mut self,
    ) -> std::io::Result<(roadbed_async_std::Stream, roadbed::core::transport::TransportDetails)> {
        if self.1 > 0 {
            self.1 -= 1;
            return Err(too_many_files());
        }
        roadbed_async_std::Listener::accept(&mut self.0).await
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Blocking;

impl Adapter for Blocking {
    const NAME: &'static str = "blocking";

    fn start() -> Self {
        Self
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        // The scenarios are futures; the adapter does not know, and its own way to wait has tests of its
        // own. Their deadlines are async-io's.
        async_io::block_on(future)
    }

    fn runtime(&self) -> Arc<dyn Runtime> {
        roadbed_blocking::threads()
    }

    async fn connect(&self, url: &str, settings: Settings) -> Result<Session, Error> {
        let connect = roadbed_blocking::connect(url).settings(settings);
        beside(move || connect.wait()).await
    }

    fn serve(&self, listener: Listening, router: &RouterHandle) -> Stop {
        let serving = match listener {
            Listening::Tcp(listener) => roadbed_blocking::serve(listener, router),
            Listening::Unix(listener) => roadbed_blocking::serve(listener, router),
        };
        let serving = serving.unwrap();
        Box::new(move || serving.stop())
    }

    fn serve_badly(&self, listener: TcpListener, failures: usize, router: &RouterHandle) -> Stop {
        use std::sync::atomic::{AtomicUsize, Ordering};

        struct Bad(TcpListener, AtomicUsize);
        impl roadbed_blocking::Listener for Bad {
            fn accept(
                &self,
            ) -> std::io::Result<(roadbed_blocking::Stream, roadbed::core::transport::TransportDetails)>
            {
                if self.1.load(Ordering::Relaxed) > 0 {
                    self.1.fetch_sub(1, Ordering::Relaxed);
                    return Err(too_many_files());
                }
                roadbed_blocking::Listener::accept(&self.0)
            }

            fn interrupt(&self) {
                self.0.interrupt();
            }
        }
        let serving = roadbed_blocking::serve(Bad(listener, AtomicUsize::new(failures)), router).unwrap();
        Box::new(move || serving.stop())
    }
}

/// No adapter: a loop of one's own.
#[derive(Clone)]
pub(crate) struct Own(OwnLoop);

impl Adapter for Own {
    const NAME: &'static str = "own-loop";

    fn start() -> Self {
        Self(OwnLoop::start())
    }

    fn end(self) {
        self.0.stop();
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        // The loop has a thread of its own, and nothing of the scenario runs there but handlers.
        async_io::block_on(future)
    }

    fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::new(self.0.clone())
    }

    async fn connect(&self, url: &str, settings: Settings) -> Result<Session, Error> {
        let (own, url) = (self.0.clone(), url.to_owned());
        beside(move || own.connect(&url, &settings)).await
    }

    fn serve(&self, listener: Listening, router: &RouterHandle) -> Stop {
        let listener = match listener {
            Listening::Tcp(listener) => stream::Listener::Tcp(listener),
            Listening::Unix(listener) => stream::Listener::Unix(listener),
        };
        let serving = self.0.serve(listener, router).unwrap();
        Box::new(move || serving.stop())
    }

    fn serve_badly(&self, listener: TcpListener, failures: usize, router: &RouterHandle) -> Stop {
        struct Bad(stream::Listener, usize);
        impl own_loop::Accept for Bad {
            fn set_nonblocking(&self) -> std::io::Result<()> {
                self.0.set_nonblocking(true)
            }

            fn accept(&mut self) -> std::io::Result<stream::Socket> {
                if self.1 > 0 {
                    self.1 -= 1;
                    return Err(too_many_files());
                }
                self.0.accept()
            }
        }
        let serving = self.0.serve(Bad(stream::Listener::Tcp(listener), failures), router).unwrap();
        Box::new(move || serving.stop())
    }
}

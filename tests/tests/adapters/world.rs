//! A router on real sockets, for one scenario at a time.

use std::error::Error as StdError;
use std::future::Future;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_io::Timer;
use roadbed::client::{Session, Settings};
use roadbed::core::uri::Uri;
use roadbed::server::{Authentication, RouterConfig, RouterHandle};

use crate::adapter::{Adapter, Listening, Stop};

pub(crate) type Outcome = Result<(), Box<dyn StdError>>;

/// Whatever is expected of the other end comes sooner than that, on a busy machine too.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// A router, and how to reach it.
pub(crate) struct World<A> {
    pub(crate) adapter: A,
    pub(crate) router: RouterHandle,
    /// Where sessions of the scenario connect to: TCP, or a Unix socket.
    pub(crate) url: String,
    /// The TCP address, to put a relay before it.
    pub(crate) tcp: std::net::SocketAddr,
    stops: Vec<Stop>,
    path: PathBuf,
}

impl<A: Adapter> World<A> {
    pub(crate) fn new(adapter: A) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let realm = Uri::new("realm1").unwrap();
        let config = RouterConfig::new().realm(realm, Authentication::new().anonymous("guest"));
        let router = RouterHandle::new(config, adapter.runtime()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tcp = listener.local_addr().unwrap();
        let path = std::env::temp_dir().join(format!("roadbed-{}-{count}.sock", std::process::id()));
        let unix = UnixListener::bind(&path).unwrap();
        let stops = vec![
            adapter.serve(Listening::Tcp(listener), &router),
            adapter.serve(Listening::Unix(unix), &router),
        ];
        Self { adapter, router, url: format!("rs://{tcp}"), tcp, stops, path }
    }

    /// A joined session.
    pub(crate) async fn session(&self) -> Session {
        self.session_at(&self.url).await
    }

    pub(crate) async fn session_at(&self, url: &str) -> Session {
        in_time(self.adapter.connect(url, settings())).await.unwrap()
    }

    /// Ends the service, and waits until nothing is left of anybody.
    pub(crate) async fn close(self) {
        self.stops.into_iter().for_each(|stop| stop());
        let start = Instant::now();
        in_time(self.router.shutdown(Duration::from_secs(8))).await;
        assert!(start.elapsed() < Duration::from_secs(7), "connections that had to be cut off");
        assert_eq!(self.router.connections(), 0);
        let stats = self.router.stats();
        assert_eq!((stats.peers, stats.sessions), (0, 0));
        std::fs::remove_file(&self.path).unwrap();
    }
}

/// Joins the realm, with nothing else set.
pub(crate) fn settings() -> Settings {
    Settings::new("realm1")
}

/// How often each of the callers of an endurance test calls.
pub(crate) fn calls() -> u32 {
    std::env::var("ROADBED_CALLS").map_or(Ok(200), |calls| calls.parse()).unwrap()
}

/// A scenario.
type Running<'w> = Pin<Box<dyn Future<Output = Outcome> + 'w>>;

/// Runs a scenario over TCP, and again over a Unix socket.
pub(crate) fn run<A: Adapter>(adapter: A, scenario: impl for<'w> Fn(&'w World<A>) -> Running<'w>) {
    adapter.block_on(async {
        for is_unix in [false, true] {
            let mut world = World::new(adapter);
            if is_unix {
                world.url = format!("unix:{}", world.path.display());
            }
            let limit = async {
                Timer::after(Duration::from_secs(60) + Duration::from_millis(20) * calls()).await;
                Err(format!("it hangs on {} at {}", adapter.name(), world.url).into())
            };
            let result = futures_lite::future::or(scenario(&world), limit).await;
            result.unwrap();
            world.close().await;
        }
    });
}

/// The result of a future that must not take long.
#[track_caller]
pub(crate) fn in_time<T>(future: impl IntoFuture<Output = T>) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    futures_lite::future::or(future.into_future(), async move {
        Timer::after(SOON).await;
        panic!("it takes too long at {caller}");
    })
}

/// Asks again and again until it is so.
#[track_caller]
pub(crate) fn eventually(mut is_so: impl FnMut() -> bool) -> impl Future<Output = ()> {
    in_time(async move {
        while !is_so() {
            Timer::after(Duration::from_millis(5)).await;
        }
    })
}

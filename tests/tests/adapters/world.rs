//! A router, for one scenario at a time, and a way to reach it.

use std::error::Error as StdError;
use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use async_io::Timer;
use roadbed::Error;
use roadbed::client::{Session, Settings};
use roadbed::core::error::uris;
use roadbed::core::transport::TransportDetails;
use roadbed::core::uri::Uri;
use roadbed::server::{Authentication, Builder, RouterConfig, RouterEvent, RouterHandle};

use crate::adapter::{Adapter, Listening, Stop};
use crate::certificates;
use crate::way::Way;

pub(crate) type Outcome = Result<(), Box<dyn StdError>>;

/// Whatever is expected of the other end comes sooner than that, on a busy machine too.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// What a scenario has seen: the same wherever it runs.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    /// Whether something was noted that begins like this.
    pub(crate) fn has(&self, beginning: &str) -> bool {
        self.count(beginning) > 0
    }

    /// How often something was noted that begins like this.
    pub(crate) fn count(&self, beginning: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|what| what.starts_with(beginning)).count()
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A router, and how to reach it.
pub(crate) struct World<A> {
    pub(crate) adapter: A,
    pub(crate) router: RouterHandle,
    pub(crate) way: Way,
    /// Where the router listens, unless it is reached in memory: `host:port`, or the path of a Unix socket.
    pub(crate) place: String,
    /// The same, as a URL.
    pub(crate) url: String,
    log: Log,
    transports: Arc<Mutex<Vec<TransportDetails>>>,
    stops: Vec<Stop>,
    path: Option<PathBuf>,
}

/// A router that lets everybody in.
pub(crate) fn config() -> RouterConfig {
    let realm = Uri::new("realm1").unwrap();
    RouterConfig::new().realm(realm, Authentication::new().anonymous("guest"))
}

impl<A: Adapter> World<A> {
    pub(crate) fn new(adapter: &A, way: Way, log: &Log) -> Self {
        Self::with(adapter, way, log, config(), |builder| builder)
    }

    /// One more router, reached in the same way.
    pub(crate) fn another(&self, config: RouterConfig) -> Self {
        self.another_with(config, |builder| builder)
    }

    /// The same, set up further.
    pub(crate) fn another_with(&self, config: RouterConfig, set_up: impl FnOnce(Builder) -> Builder) -> Self {
        Self::with(&self.adapter, self.way, &self.log, config, set_up)
    }

    fn with(
        adapter: &A,
        way: Way,
        log: &Log,
        config: RouterConfig,
        set_up: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let transports: Arc<Mutex<Vec<TransportDetails>>> = Arc::default();
        let asked = Arc::clone(&transports);
        let builder = RouterHandle::builder(config).shards(2).tls(certificates::server()).on_event(
            move |router, event| {
                if let RouterEvent::Authenticate(request) = event {
                    asked.lock().unwrap().push((*request.transport).clone());
                    crate::sessions::decide(router, &request);
                }
            },
        );
        let router = set_up(builder).start(adapter.runtime()).unwrap();
        let (mut stops, mut path) = (Vec::new(), None);
        // One listener for all that can come through it: its first bytes tell what a connection speaks.
        let place = if Way::TCP.contains(&way) {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let place = listener.local_addr().unwrap().to_string();
            stops.push(adapter.serve(Listening::Tcp(listener), &router));
            place
        } else if Way::UNIX.contains(&way) {
            let name = format!("roadbed-{}-{count}.sock", std::process::id());
            let path = path.insert(std::env::temp_dir().join(name));
            let listener = UnixListener::bind(&*path).unwrap();
            stops.push(adapter.serve(Listening::Unix(listener), &router));
            path.display().to_string()
        } else {
            String::new()
        };
        let url = way.url(&place);
        let (adapter, log) = (adapter.clone(), log.clone());
        Self { adapter, router, way, place, url, log, transports, stops, path }
    }

    /// A joined session.
    #[track_caller]
    pub(crate) fn session(&self) -> impl Future<Output = Session> {
        let joining = in_time(self.join(settings()));
        async { joining.await.unwrap() }
    }

    /// Joins, or is refused.
    pub(crate) async fn join(&self, settings: Settings) -> Result<Session, Error> {
        match self.way {
            Way::Memory => self.router.attach_local(&settings)?.await,
            _ => self.adapter.connect(&self.url, settings).await,
        }
    }

    /// A session over an address of its own, such as that of a relay.
    pub(crate) async fn session_at(&self, url: &str) -> Session {
        in_time(self.adapter.connect(url, settings())).await.unwrap()
    }

    /// Ends a session from the router's side.
    pub(crate) fn kill(&self, session: &Session, message: &str) {
        assert!(self.router.kill(session.id(), &uris::KILLED, message));
    }

    /// How those were connected whom the application was asked about, one after the other.
    pub(crate) fn transports(&self) -> Vec<TransportDetails> {
        self.transports.lock().unwrap().clone()
    }

    /// Writes down what was seen.
    pub(crate) fn note(&self, what: impl Into<String>) {
        self.log.note(what);
    }

    pub(crate) fn log(&self) -> Log {
        self.log.clone()
    }

    /// Ends the service, and waits until nothing is left of anybody.
    pub(crate) async fn close(self) {
        self.stops.into_iter().for_each(|stop| stop());
        let start = Instant::now();
        in_time(self.router.shutdown(Duration::from_secs(15))).await;
        assert!(start.elapsed() < Duration::from_secs(14), "connections that had to be cut off");
        assert_eq!(self.router.connections(), 0);
        let stats = self.router.stats();
        assert_eq!((stats.peers, stats.sessions, stats.calls, stats.timers), (0, 0, 0, 0));
        assert_eq!((stats.subscriptions, stats.registrations, stats.queued_bytes), (0, 0, 0));
        if let Some(path) = self.path {
            std::fs::remove_file(path).unwrap();
        }
    }
}

/// Joins the realm, and trusts the routers of this suite; nothing else is set.
pub(crate) fn settings() -> Settings {
    Settings::new("realm1").tls(certificates::client())
}

/// How often each of the callers of an endurance test calls.
pub(crate) fn calls() -> u32 {
    std::env::var("ROADBED_CALLS").map_or(Ok(60), |calls| calls.parse()).unwrap()
}

/// A scenario.
pub(crate) type Running<'w> = Pin<Box<dyn Future<Output = Outcome> + 'w>>;
pub(crate) type Scenario<A> = for<'w> fn(&'w World<A>) -> Running<'w>;

/// Runs a scenario, and says what it has seen.
pub(crate) fn run<A: Adapter>(scenario: Scenario<A>, way: Way) -> Result<Vec<String>, String> {
    let adapter = A::start();
    let log = Log::default();
    let result = adapter.block_on(async {
        let world = World::new(&adapter, way, &log);
        let limit = async {
            Timer::after(Duration::from_secs(60) + Duration::from_millis(20) * calls()).await;
            Err("it hangs".into())
        };
        let result = futures_lite::future::or(scenario(&world), limit).await;
        result.map_err(|error| error.to_string())?;
        world.close().await;
        Ok(())
    });
    adapter.end();
    result.map(|()| log.take())
}

/// What is worth telling of a result: the same wherever it comes from.
pub(crate) fn told<T: Debug>(result: Result<T, Error>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => {
            // Without the address, which is another one in every place.
            let error = error.root();
            let kind = match error {
                Error::Wamp(_) => "error",
                Error::Ended(_) => "ended",
                Error::Io(_) => "io",
                Error::Command(_) | Error::Payload(_) | Error::Uri { .. } => "refused here",
                _ => "failed",
            };
            let again = if error.is_retryable() { ", worth another try" } else { "" };
            let text = error.to_string();
            // Nor with the operating system's words for a lost connection: a reset is none on Unix sockets.
            let text = match error {
                Error::Ended(end) => {
                    end.io().and_then(|io| text.strip_suffix(&format!(": {io}"))).unwrap_or(&text)
                }
                _ => &text,
            };
            format!("{kind}: {text}{again}")
        }
    }
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

/// All results, in the order of their futures.
pub(crate) async fn all<T>(futures: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut waiting: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    poll_fn(|cx| {
        let mut is_done = true;
        for (future, result) in waiting.iter_mut().filter(|(_, result)| result.is_none()) {
            match future.as_mut().poll(cx) {
                Poll::Ready(output) => *result = Some(output),
                Poll::Pending => is_done = false,
            }
        }
        if is_done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    waiting.into_iter().map(|(_, result)| result.unwrap()).collect()
}

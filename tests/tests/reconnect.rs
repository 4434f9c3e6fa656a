//! A router that is stopped and started again on the same port, and a client on every runtime: it is back,
//! with its subscription and its registration.

use std::future::{Future, IntoFuture};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use async_io::Timer;
use roadbed::client::{
    Client, ClientBuilder, ClientEvent, Invocation, Missed, RetryPolicy, WhileDisconnected,
};
use roadbed::core::uri::Uri;
use roadbed::server::{Authentication, RouterConfig, RouterHandle};
use roadbed_async_std::AsyncIo;

/// Whatever is expected comes sooner than that, on a busy machine too.
const SOON: Duration = Duration::from_secs(20);

/// A router on threads of its own, so that it has nothing to do with the runtime of the client.
struct Router {
    handle: RouterHandle,
    serving: roadbed_blocking::Serving,
}

impl Router {
    fn start(address: SocketAddr) -> (Self, SocketAddr) {
        let start = Instant::now();
        // Connections of the one before may hold the port for a moment.
        let listener = loop {
            match TcpListener::bind(address) {
                Ok(listener) => break listener,
                Err(error) => assert!(start.elapsed() < SOON, "{error}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let address = listener.local_addr().unwrap();
        let guests = Authentication::new().anonymous("guest");
        let config = RouterConfig::new().realm(Uri::new("realm1").unwrap(), guests);
        let handle = RouterHandle::new(config, roadbed_blocking::threads()).unwrap();
        let serving = roadbed_blocking::serve(listener, &handle).unwrap();
        (Self { handle, serving }, address)
    }

    fn stop(self) {
        self.serving.stop();
        self.handle.shutdown(Duration::from_secs(5)).wait();
        assert_eq!(self.handle.connections(), 0);
    }
}

async fn in_time<T>(future: impl IntoFuture<Output = T>) -> T {
    let limit = async {
        Timer::after(SOON).await;
        panic!("it takes too long");
    };
    futures_lite::future::or(future.into_future(), limit).await
}

/// `build` has to be called in the runtime.
async fn story(build: impl FnOnce(&str) -> ClientBuilder) {
    let (router, address) = Router::start(SocketAddr::from(([127, 0, 0, 1], 0)));
    let policy = RetryPolicy::new().first(Duration::from_millis(50)).longest(Duration::from_millis(200));
    let waits = WhileDisconnected::wait(SOON);
    let builder = build(&format!("rs://{address}")).realm("realm1").retry(policy);
    let client: Client = builder.while_disconnected(waits).start().unwrap();
    let mut events = client.events();
    let mut ticks = in_time(client.subscribe("com.example.tick")).await.unwrap();
    let double = |inv: Invocation| async move { Ok(2 * inv.get::<u64>()?) };
    client.register("com.example.double", double).declare().unwrap().detach();
    let publish = || client.publish("com.example.tick", (7,)).exclude_me(false).acknowledge();

    in_time(publish()).await.unwrap();
    assert_eq!(in_time(ticks.next()).await.unwrap().unwrap().get::<u8>().unwrap(), 7);
    assert_eq!(in_time(client.call("com.example.double", (4,)).returning::<u64>()).await.unwrap(), 8);

    let Some(Ok(ClientEvent::Connected { generation: 1 })) = in_time(events.next()).await else { panic!() };
    let stopping = blocking(move || router.stop());
    let Some(Ok(ClientEvent::Lost { generation: 1, .. })) = in_time(events.next()).await else { panic!() };
    in_time(stopping).await;
    let Some(Ok(ClientEvent::Failed { .. })) = in_time(events.next()).await else { panic!() };
    // Sent while nobody is there to take it.
    let mut call = Box::pin(client.call("com.example.double", (21,)).returning::<u64>().into_future());
    assert!(futures_lite::future::poll_once(&mut call).await.is_none());
    let (router, _) = Router::start(address);
    assert_eq!(in_time(call).await.unwrap(), 42);
    in_time(publish()).await.unwrap();
    let gap = in_time(ticks.next()).await.unwrap().unwrap_err();
    assert_eq!(gap, Missed::Gap { generation: 2 });
    assert_eq!(in_time(ticks.next()).await.unwrap().unwrap().get::<u8>().unwrap(), 7);
    assert_eq!(router.handle.stats().sessions, 1);
    in_time(client.close()).await.unwrap();
    assert!(in_time(ticks.next()).await.is_none());
    in_time(blocking(move || router.stop())).await;
}

/// What waits gets a thread.
fn blocking(act: impl FnOnce() + Send + 'static) -> impl Future<Output = ()> {
    let (done, is_done) = futures_channel::oneshot::channel();
    std::thread::spawn(move || {
        act();
        let _ = done.send(());
    });
    async move { is_done.await.unwrap() }
}

#[test]
fn on_tokio() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().unwrap();
    runtime.block_on(story(|url| roadbed_tokio::client(url)));
}

#[test]
fn on_async_std() {
    async_io::block_on(story(|url| roadbed_async_std::client_on(AsyncIo::async_std(), url)));
}

#[test]
fn on_smol() {
    async_io::block_on(story(|url| roadbed_async_std::client_on(AsyncIo::smol(), url)));
}

#[test]
fn on_threads() {
    async_io::block_on(story(|url| roadbed_blocking::client(url)));
}

/// The same without a single `await`.
#[test]
fn waited_for() {
    let (router, address) = Router::start(SocketAddr::from(([127, 0, 0, 1], 0)));
    let policy = RetryPolicy::new().first(Duration::from_millis(50));
    let url = format!("rs://{address}");
    let waits = WhileDisconnected::wait(SOON);
    let builder = roadbed_blocking::client(url).realm("realm1").retry(policy).while_disconnected(waits);
    let client = builder.start().unwrap();
    let mut events = client.events();
    let mut ticks = client.subscribe("com.example.tick").wait().unwrap();
    let publish = || client.publish("com.example.tick", (7,)).exclude_me(false).acknowledge().wait();
    publish().unwrap();
    assert_eq!(ticks.wait_for(SOON).unwrap().unwrap().unwrap().get::<u8>().unwrap(), 7);
    router.stop();
    assert!(events.wait().any(|event| matches!(event, Ok(ClientEvent::Failed { .. }))));
    assert!(matches!(publish(), Err(roadbed::Error::Disconnected(_))));
    // Nobody comes: it waits no longer than it may, in this thread.
    let start = Instant::now();
    let patient = client.while_disconnected(WhileDisconnected::wait(Duration::from_millis(100)));
    let error = patient.call("com.example.none", ()).wait().unwrap_err();
    assert!(matches!(error, roadbed::Error::Disconnected(_)), "{error}");
    assert!(start.elapsed() >= Duration::from_millis(100) && start.elapsed() < SOON);
    let (router, _) = Router::start(address);
    client.session().wait().unwrap();
    publish().unwrap();
    let gap = ticks.wait_for(SOON).unwrap().unwrap().unwrap_err();
    assert_eq!(gap, Missed::Gap { generation: 2 });
    assert_eq!(ticks.wait_for(SOON).unwrap().unwrap().unwrap().get::<u8>().unwrap(), 7);
    // Both are handles of the same client.
    drop((client, patient));
    assert!(ticks.wait().next().is_none());
    router.stop();
}

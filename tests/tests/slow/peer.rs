//! A peer that is played by the test, and the driver that a router has for it, whose heap is measured.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use rcgen::{CertificateParams, KeyPair};
use roadbed::drive::Run;
use roadbed::runtime::{ByteStream, Runtime, Task, Timer};
use roadbed::server::{PeerDriver, RouterConfig, RouterHandle};
use roadbed::tls::{Identity, Protocol, Roots, TlsClientConfig, TlsLayer, TlsServerConfig};
use roadbed_core::time::{Timestamp, UnixMicros};
use roadbed_core::transport::TransportDetails;
use roadbed_tests::alloc::measure;

/// Room on the way to the peer; more is not written while it does not read.
const WINDOW: usize = 64 << 10;

/// A router whose time the test moves.
pub(crate) fn router(config: RouterConfig, tls: Option<&Tls>) -> (Clock, RouterHandle) {
    let clock = Clock::default();
    let mut builder = RouterHandle::builder(config);
    if let Some(tls) = tls {
        builder = builder.tls(tls.server.clone());
    }
    (clock.clone(), builder.start(Arc::new(clock)).unwrap())
}

/// Certificates for both ends.
pub(crate) struct Tls {
    client: TlsClientConfig,
    server: TlsServerConfig,
}

impl Tls {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        // Simulated time begins here.
        params.not_before = rcgen::date_time_ymd(1970, 1, 1);
        let pem = params.self_signed(&key).unwrap().pem();
        let identity = Identity::from_pem(pem.as_bytes(), key.serialize_pem().as_bytes()).unwrap();
        let roots = Roots::from_pem(pem.as_bytes()).unwrap();
        Self { client: TlsClientConfig::new(roots).unwrap(), server: TlsServerConfig::new(identity).unwrap() }
    }

    pub(crate) fn client(&self) -> TlsLayer {
        let (now, utc) = (Timestamp::ZERO, UnixMicros::default());
        TlsLayer::client(&self.client, "localhost", Protocol::Raw, now, utc).unwrap()
    }

    pub(crate) fn client_hello(&self) -> Vec<u8> {
        let mut client = self.client();
        std::iter::from_fn(|| client.poll_transmit()).flatten().collect()
    }
}

/// The peer, and the router's driver for it.
pub(crate) struct Peer {
    driver: Pin<Box<Run<PeerDriver, Stream>>>,
    line: Arc<Mutex<Line>>,
    is_done: bool,
    kept: isize,
}

impl Peer {
    pub(crate) fn attach(router: &RouterHandle) -> Self {
        let line = Arc::new(Mutex::new(Line::new()));
        let stream = Stream(Arc::clone(&line));
        let (driver, usage) =
            measure(|| Box::pin(router.accept(stream, TransportDetails::tcp("192.0.2.1:4711", false))));
        let mut peer = Self { driver, line, is_done: false, kept: usage.kept };
        peer.poll();
        peer
    }

    /// Says something, and lets the router hear it.
    pub(crate) fn say(&mut self, bytes: &[u8]) {
        self.line.lock().unwrap().up.extend_from_slice(bytes);
        self.poll();
    }

    /// What the router has said, if the peer reads.
    pub(crate) fn heard(&mut self) -> Vec<u8> {
        self.line.lock().unwrap().heard.split_off(0)
    }

    pub(crate) fn set_reading(&mut self, is_reading: bool) {
        self.line.lock().unwrap().is_reading = is_reading;
    }

    /// Lets the driver do what it can.
    pub(crate) fn poll(&mut self) {
        for _ in 0..8 {
            if self.is_done {
                return;
            }
            let mut cx = Context::from_waker(Waker::noop());
            let (poll, usage) = measure(|| self.driver.as_mut().poll(&mut cx));
            self.kept += usage.kept;
            self.is_done = poll.is_ready();
        }
    }

    /// Bytes that the router holds for it.
    pub(crate) fn held(&self) -> usize {
        usize::try_from(self.kept).unwrap_or(0)
    }

    /// Whether the router has ended its side.
    pub(crate) fn has_ended(&self) -> bool {
        self.is_done || self.line.lock().unwrap().is_shut
    }

    /// Whether the driver is done with it.
    pub(crate) const fn is_done(&self) -> bool {
        self.is_done
    }
}

/// Both directions, in memory that was there before.
struct Line {
    up: Vec<u8>,
    heard: Vec<u8>,
    is_reading: bool,
    is_shut: bool,
}

impl Line {
    fn new() -> Self {
        let room = || Vec::with_capacity(2 * WINDOW);
        Self { up: room(), heard: room(), is_reading: true, is_shut: false }
    }
}

struct Stream(Arc<Mutex<Line>>);

impl ByteStream for Stream {
    fn poll_read(&mut self, _: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        let mut line = self.0.lock().unwrap();
        let count = line.up.len().min(buffer.capacity() - buffer.len());
        if count == 0 {
            return Poll::Pending;
        }
        buffer.extend_from_slice(&line.up[..count]);
        line.up.drain(..count);
        Poll::Ready(Ok(count))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut line = self.0.lock().unwrap();
        if !line.is_reading {
            return Poll::Pending;
        }
        line.heard.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().unwrap().is_shut = true;
        Poll::Ready(Ok(()))
    }
}

/// A runtime whose time stands still until it is told otherwise. Drivers are polled by the test; what the router
/// spawned for itself, whenever time passes.
#[derive(Clone, Default)]
pub(crate) struct Clock(Arc<AtomicU64>, Arc<Mutex<Vec<Task>>>);

impl Clock {
    pub(crate) fn advance(&self, span: Duration) {
        self.0.fetch_add(u64::try_from(span.as_micros()).unwrap(), Ordering::Relaxed);
        self.run();
    }

    pub(crate) fn go_to(&self, at: Timestamp) {
        self.0.fetch_max(at.as_micros(), Ordering::Relaxed);
        self.run();
    }

    fn run(&self) {
        let mut tasks = std::mem::take(&mut *self.1.lock().unwrap());
        tasks.retain_mut(|task| task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        self.1.lock().unwrap().append(&mut tasks);
    }

    pub(crate) fn time(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}

impl Runtime for Clock {
    fn now(&self) -> Timestamp {
        self.time()
    }

    fn utc(&self) -> UnixMicros {
        UnixMicros::default()
    }

    fn seed(&self) -> [u8; 32] {
        [7; 32]
    }

    fn spawn(&self, task: Task) {
        self.1.lock().unwrap().push(task);
    }

    fn timer(&self) -> Box<dyn Timer> {
        Box::new(self.clone())
    }
}

impl Timer for Clock {
    fn poll_at(&mut self, _: &mut Context<'_>, at: Timestamp) -> Poll<()> {
        if self.time() >= at { Poll::Ready(()) } else { Poll::Pending }
    }
}

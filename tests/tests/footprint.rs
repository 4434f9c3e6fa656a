//! What a session holds while it has nothing to do: pinned, so that it does not grow unnoticed.
//!
//! Every side is measured by itself: only its own code runs inside of [`measure`], and wires between the sides
//! are memory that was there before. What is measured is on the heap, with the drivers in boxes of their
//! own, as tasks are. docs/performance.md has the figures; what TLS adds is in the test `secure`.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use std::{future::Future, io};

use bytes::{Bytes, BytesMut};
use roadbed::client::{self, Driver, Joining, Session, Settings};
use roadbed::drive::Run;
use roadbed::runtime::{ByteStream, Runtime, Task, Timer};
use roadbed::server::{Authentication, PeerDriver, RouterConfig, RouterHandle};
use roadbed_core::connection::{Connection, Endpoint};
use roadbed_core::link::LinkConfig;
use roadbed_core::payload::Binary;
use roadbed_core::serializer::{Encoded, Serializer};
use roadbed_core::session::{ClientConfig, SessionEvent};
use roadbed_core::time::{Timestamp, UnixMicros};
use roadbed_core::transport::TransportDetails;
use roadbed_core::transport::websocket::{
    DeflateConfig, DeflateParams, MessageEvent, MessageKind, MessageStream, MessageStreamConfig, Subprotocol,
    WebSocketClientConfig, WebSocketServerConfig,
};
use roadbed_core::uri::Uri;
use roadbed_router::{Port, Router};
use roadbed_tests::alloc::{Counting, measure};

#[global_allocator]
static COUNTING: Counting = Counting;

const SESSIONS: usize = 1000;
/// Bytes of a large message.
const LARGE: usize = 100_000;
const NOW: Timestamp = Timestamp::ZERO;
const REALM: Uri = Uri::from_static("realm1");

/// The bounds, in bytes of heap.
const CONNECTION: usize = 3_600;
const PORT: usize = 3_700;
const WEBSOCKET_CONNECTION: usize = 4_900;
const WEBSOCKET_PORT: usize = 4_900;
const DEFLATE_CONNECTION: usize = 5_200;
const DEFLATE_PORT: usize = 5_300;
/// A compressing sender, beside four windows; and a receiver, whose window is always a large one.
const SENDER: isize = 252_000;
const RECEIVER: isize = 50_000;
/// Places for events and output, which stay.
const QUEUES: isize = 2_000;
// The line of those who wait for room, hooks in order and the reason of an end took 260 bytes more.
const CLIENT: usize = 6_500;
// Port, mailbox and details of the transport, outside of the lock of the router, took 840 bytes more.
// So did the gate of a connection, which is no part of a shard.
const PEER: usize = 4_100;
const CLIENT_AFTER: usize = 10_000;
// The deadline of a message and the counts of invocations took 50 bytes more.
const PEER_AFTER: usize = 4_500;

/// Bytes a session.
fn each(kept: isize) -> usize {
    usize::try_from(kept).unwrap() / SESSIONS
}

/// Fails when a session holds more than it should, or so much less that the figure here is out of date.
fn pin(what: &str, bytes: usize, expected: usize) {
    println!("{what}: {bytes} bytes");
    assert!(bytes <= expected, "{what} holds {bytes} bytes, more than {expected}");
    assert!(bytes * 2 > expected, "{what} holds {bytes} bytes, much less than {expected}: lower the bound");
}

fn router_config() -> RouterConfig {
    RouterConfig::new().realm(REALM, Authentication::new().anonymous("guest"))
}

#[test]
fn cores() {
    let rawsocket = || Endpoint::rawsocket(Serializer::MsgPack);
    cores_over("RawSocket", rawsocket, &LinkConfig::default(), CONNECTION, PORT);
}

#[test]
fn cores_over_websocket() {
    let client = || {
        let subprotocols = [Subprotocol::plain(Serializer::MsgPack)];
        WebSocketClientConfig::new("example.com", "/ws").unwrap().subprotocols(&subprotocols)
    };
    let link = LinkConfig::default().websocket(WebSocketServerConfig::default());
    let plain = || Endpoint::websocket(client());
    cores_over("WebSocket", plain, &link, WEBSOCKET_CONNECTION, WEBSOCKET_PORT);

    // Compression was agreed on; no message was large enough for it so far.
    let deflate = DeflateConfig::default();
    let link = LinkConfig::default().websocket(WebSocketServerConfig::default().deflate(deflate));
    let compressed = || Endpoint::websocket(client().deflate(deflate));
    cores_over("WebSocket with deflate", compressed, &link, DEFLATE_CONNECTION, DEFLATE_PORT);
}

/// What compressing holds from message to message, by window; and that it is nothing without context takeover.
#[test]
fn windows() {
    let message = Encoded::from(Bytes::from("{\"order\":4711,\"express\":true},".repeat(100)));
    let kept = |params: DeflateParams, is_server: bool| {
        let config = MessageStreamConfig::default().deflate(Some(params));
        let ends = [MessageStream::client(&config, [7; 32], NOW), MessageStream::server(&config, NOW)];
        let [client, server] = ends;
        let (mut sender, mut receiver) = if is_server { (server, client) } else { (client, server) };
        let (mut wire, mut kept) = (Vec::with_capacity(4096), [0; 2]);
        // The first message is what makes the state; the queues have their places by then.
        for message in [&Encoded::from(Bytes::from_static(b"{}")), &message, &message] {
            let ((), usage) = measure(|| {
                sender.send(NOW, MessageKind::Text, message).unwrap();
                while let Some(bytes) = sender.poll_transmit() {
                    wire.extend_from_slice(&bytes);
                }
            });
            kept[0] += usage.kept;
            let ((), usage) = measure(|| {
                receiver.handle_input(NOW, &mut BytesMut::from(&wire[..]));
                assert!(matches!(receiver.poll_event(), Some(MessageEvent::Message { .. })));
            });
            kept[1] += usage.kept;
            wire.clear();
        }
        kept
    };
    for bits in 9..=15 {
        let params = DeflateParams {
            client_max_window_bits: bits,
            server_max_window_bits: bits,
            ..DeflateParams::default()
        };
        let [sender, receiver] = kept(params, true);
        println!("window bits {bits}: sender {sender}, receiver {receiver}");
        assert_eq!(kept(params, false), [sender, receiver], "the roles differ");
        let most_sender = SENDER + (4 << bits);
        assert!(sender <= most_sender, "a sender holds {sender}, more than {most_sender}");
        assert!(receiver <= RECEIVER, "a receiver holds {receiver}, more than {RECEIVER}");
    }
    let params = DeflateParams {
        client_no_context_takeover: true,
        server_no_context_takeover: true,
        ..DeflateParams::default()
    };
    for is_server in [true, false] {
        let [sender, receiver] = kept(params, is_server);
        assert!(sender < QUEUES && receiver < QUEUES, "{sender} and {receiver} bytes are kept");
    }
}

/// A client and its router, joined over a transport.
fn cores_over(
    name: &str,
    endpoint: impl Fn() -> Endpoint,
    link_config: &LinkConfig,
    client_bound: usize,
    peer_bound: usize,
) {
    let config = ClientConfig::new(REALM).build().unwrap();
    let mut now = Timestamp::ZERO;
    let mut router = Router::new(router_config().into_shared(), [7; 32], now, UnixMicros::default());
    let (mut connections, mut ports) = (Vec::with_capacity(SESSIONS), Vec::with_capacity(SESSIONS));
    let (mut clients, mut peers) = (0, 0);
    for number in 0..SESSIONS {
        let (mut up, mut down) = (Vec::with_capacity(4096), Vec::with_capacity(4096));
        let endpoint = endpoint();
        let (mut connection, usage) = measure(|| {
            let seed = [u8::try_from(number % 251).unwrap(); 32];
            let mut connection = Box::new(Connection::client(
                Arc::clone(&config),
                &endpoint,
                seed,
                now,
                UnixMicros::default(),
            ));
            connection.transport_ready(now, TransportDetails::local());
            connection
        });
        clients += usage.kept;
        let (mut port, usage) = measure(|| Box::new(Port::new(link_config, TransportDetails::local(), now)));
        peers += usage.kept;
        let mut is_joined = false;
        while !is_joined {
            now = now.next();
            let ((), usage) = measure(|| {
                connection.handle_input(now, &mut BytesMut::from(&down[..]));
                is_joined = matches!(connection.poll_event(), Some(SessionEvent::Joined { .. }));
                while let Some(bytes) = connection.poll_transmit() {
                    up.extend_from_slice(&bytes);
                }
            });
            clients += usage.kept;
            down.clear();
            let ((), usage) = measure(|| {
                port.serve(&mut router, now, &mut BytesMut::from(&up[..]));
                while router.poll_ready().is_some() || router.poll_event().is_some() {}
                while let Some(bytes) = port.poll_transmit() {
                    down.extend_from_slice(&bytes);
                }
            });
            peers += usage.kept;
            up.clear();
        }
        connections.push(connection);
        ports.push(port);
    }
    assert_eq!(router.stats().sessions, SESSIONS);
    pin(&format!("a connection over {name}"), each(clients), client_bound);
    pin(&format!("a port over {name}, and its session in the router"), each(peers), peer_bound);
}

#[test]
fn drivers_with_handles() {
    let clock = Arc::new(Clock::default());
    let router = RouterHandle::new(router_config(), Arc::clone(&clock) as Arc<dyn Runtime>).unwrap();
    let settings = Settings::new("realm1");
    let mut pairs = Vec::with_capacity(SESSIONS);
    for _ in 0..SESSIONS {
        pairs.push(Pair::new(&clock, &router, &settings));
    }
    assert_eq!(router.stats().sessions, SESSIONS);
    silence(&clock, &mut pairs);
    let (clients, peers) = total(&pairs);
    pin("a client's session with its driver", each(clients), CLIENT);
    pin("a router's peer with its driver", each(peers), PEER);

    // What large messages need goes when they have gone.
    for pair in &mut pairs {
        pair.large_round_trip();
    }
    silence(&clock, &mut pairs);
    let (clients_after, peers_after) = total(&pairs);
    pin("a client's session after large messages", each(clients_after), CLIENT_AFTER);
    pin("a router's peer after large messages", each(peers_after), PEER_AFTER);
}

/// A second in which nothing happens.
fn silence(clock: &Clock, pairs: &mut [Pair]) {
    clock.advance(Duration::from_secs(1));
    pairs.iter_mut().for_each(Pair::settle);
}

fn total(pairs: &[Pair]) -> (isize, isize) {
    pairs.iter().fold((0, 0), |(clients, peers), pair| (clients + pair.client_kept, peers + pair.peer_kept))
}

/// A client and its peer, and what each of them has kept.
struct Pair {
    client: Pin<Box<Run<Driver, Wire>>>,
    peer: Pin<Box<Run<PeerDriver, Wire>>>,
    session: Option<Session>,
    up: Direction,
    down: Direction,
    client_kept: isize,
    peer_kept: isize,
}

impl Pair {
    fn new(clock: &Arc<Clock>, router: &RouterHandle, settings: &Settings) -> Self {
        let wire = || Arc::new(Mutex::new(Vec::with_capacity(4096)));
        let (up, down) = (wire(), wire());
        let runtime = Arc::clone(clock) as Arc<dyn Runtime>;
        let there = Wire { input: Arc::clone(&up), output: Arc::clone(&down) };
        let (peer, in_peer) = measure(|| Box::pin(router.accept(there, TransportDetails::local())));
        let here = Wire { input: Arc::clone(&down), output: Arc::clone(&up) };
        let ((mut joining, client), in_client): ((Joining, _), _) = measure(|| {
            let details = TransportDetails::local();
            let (joining, driver) = client::open(settings, runtime, Serializer::MsgPack, details).unwrap();
            (joining, Box::pin(driver.run(here)))
        });
        let (client_kept, peer_kept) = (in_client.kept, in_peer.kept);
        let mut pair = Self { client, peer, session: None, up, down, client_kept, peer_kept };
        pair.settle();
        let (session, usage) = measure(move || match Pin::new(&mut joining).poll(&mut cx()) {
            Poll::Ready(result) => result.unwrap(),
            Poll::Pending => panic!("not joined"),
        });
        pair.client_kept += usage.kept;
        pair.session = Some(session);
        pair.settle();
        pair
    }

    /// Lets both drivers run until neither has anything to say.
    fn settle(&mut self) {
        loop {
            let ((), usage) = measure(|| assert!(self.client.as_mut().poll(&mut cx()).is_pending()));
            self.client_kept += usage.kept;
            let ((), usage) = measure(|| assert!(self.peer.as_mut().poll(&mut cx()).is_pending()));
            self.peer_kept += usage.kept;
            if self.up.lock().unwrap().is_empty() && self.down.lock().unwrap().is_empty() {
                return;
            }
        }
    }

    /// A publication that comes back as an event, and then is not subscribed to any more.
    fn large_round_trip(&mut self) {
        for direction in [&self.up, &self.down] {
            direction.lock().unwrap().reserve(2 * LARGE);
        }
        let session = self.session.clone().unwrap();
        let length = self.run(async move {
            let mut events = session.subscribe("com.example.large").await.unwrap();
            let bytes = Binary::from(vec![7; LARGE]);
            let publish = session.publish("com.example.large", (bytes,)).exclude_me(false);
            publish.acknowledge().await.unwrap();
            let length = events.next().await.unwrap().unwrap().payload().len();
            events.unsubscribe().await.unwrap();
            length
        });
        assert!(length > LARGE);
        for direction in [&self.up, &self.down] {
            direction.lock().unwrap().shrink_to(4096);
        }
    }

    /// Runs a future of the client's.
    fn run<T>(&mut self, future: impl Future<Output = T>) -> T {
        let (mut future, usage) = measure(|| Box::pin(future));
        self.client_kept += usage.kept;
        loop {
            let (poll, usage) = measure(|| future.as_mut().poll(&mut cx()));
            self.client_kept += usage.kept;
            if let Poll::Ready(result) = poll {
                let ((), usage) = measure(|| drop(future));
                self.client_kept += usage.kept;
                return result;
            }
            self.settle();
        }
    }
}

fn cx() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

/// Bytes on their way in one direction.
type Direction = Arc<Mutex<Vec<u8>>>;

/// An end of two directions.
struct Wire {
    input: Direction,
    output: Direction,
}

impl ByteStream for Wire {
    fn poll_read(&mut self, _: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        let mut input = self.input.lock().unwrap();
        let count = input.len().min(buffer.capacity() - buffer.len());
        if count == 0 {
            return Poll::Pending;
        }
        buffer.extend_from_slice(&input[..count]);
        input.drain(..count);
        Poll::Ready(Ok(count))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.output.lock().unwrap().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A runtime whose time stands still until it is told otherwise. Drivers are polled by the test.
#[derive(Default)]
struct Clock {
    micros: Arc<AtomicU64>,
    seeds: AtomicU64,
}

impl Clock {
    fn advance(&self, span: Duration) {
        self.micros.fetch_add(u64::try_from(span.as_micros()).unwrap(), Ordering::Relaxed);
    }
}

impl Runtime for Clock {
    fn now(&self) -> Timestamp {
        Timestamp::ZERO + Duration::from_micros(self.micros.load(Ordering::Relaxed))
    }

    fn seed(&self) -> [u8; 32] {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seeds.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        seed
    }

    fn spawn(&self, task: Task) {
        // The timer of the router, which these connections need not; it stays, as long as the router may name it.
        std::mem::forget(task);
    }

    fn timer(&self) -> Box<dyn Timer> {
        Box::new(Alarm(Arc::clone(&self.micros)))
    }
}

struct Alarm(Arc<AtomicU64>);

impl Timer for Alarm {
    fn poll_at(&mut self, _: &mut Context<'_>, at: Timestamp) -> Poll<()> {
        let now = Timestamp::ZERO + Duration::from_micros(self.0.load(Ordering::Relaxed));
        if now >= at { Poll::Ready(()) } else { Poll::Pending }
    }
}

//! What a peer says before it resets the connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use bytes::{Bytes, BytesMut};
use roadbed::Error;
use roadbed::client::Session;
use roadbed::core::error::CloseReason;
use roadbed::core::limits::Limits;
use roadbed::core::payload::Binary;
use roadbed::core::serializer::Serializer;
use roadbed::runtime::SystemClock;
use roadbed::server::RouterEvent;
use roadbed::tls::{Protocol, TlsLayer};
use roadbed_examples::clock::utc;
use roadbed_testkit::Carrier;
use roadbed_tests::frames::Framing;

use crate::adapter::Adapter;
use crate::certificates;
use crate::way::Way;
use crate::world::{Outcome, World, config, eventually, in_time, settings};

/// How often each is tried: some ends depend on who is faster.
const ROUNDS: usize = 2;

/// Large enough for the buffers of every kernel to be full before it is sent.
const LARGE: usize = 8 << 20;

trait Duplex: Read + Write + Send {}

impl<S: Read + Write + Send> Duplex for S {}

/// One end of a connection, by hand. Dropped, it closes with whatever was not read: that resets a connection.
struct ByHand {
    socket: Box<dyn Duplex>,
    tls: Option<Box<TlsLayer>>,
    ciphertext: BytesMut,
    clock: SystemClock,
    framing: Framing,
}

impl ByHand {
    fn new(socket: Box<dyn Duplex>, way: Way, is_client: bool) -> Self {
        let carrier = if way.path().is_some() { Carrier::WebSocket } else { Carrier::RawSocket };
        let clock = SystemClock::start();
        let protocol = if way.path().is_some() { Protocol::Http } else { Protocol::Raw };
        let tls = way.is_secure().then(|| {
            Box::new(match is_client {
                true => TlsLayer::client(&certificates::client(), "localhost", protocol, clock.now(), utc())
                    .unwrap(),
                false => TlsLayer::server(&certificates::server(), clock.now(), utc()),
            })
        });
        let serializer = if is_client { Serializer::Json } else { Serializer::MsgPack };
        let framing = Framing { carrier, serializer, is_client };
        Self { socket, tls, ciphertext: BytesMut::new(), clock, framing }
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut bytes = Bytes::copy_from_slice(bytes);
        while !bytes.is_empty() {
            let Some(layer) = &mut self.tls else { return self.socket.write_all(&bytes).unwrap() };
            layer.send(&mut bytes);
            while let Some(out) = layer.poll_transmit() {
                self.socket.write_all(&out).unwrap();
            }
            if !bytes.is_empty() {
                // The handshake is not done.
                self.fill(&mut BytesMut::new());
            }
        }
    }

    /// Reads once.
    fn fill(&mut self, plaintext: &mut BytesMut) {
        let mut buffer = [0; 16 << 10];
        let count = self.socket.read(&mut buffer).unwrap();
        assert_ne!(count, 0, "the other end is gone");
        let Some(layer) = &mut self.tls else { return plaintext.extend_from_slice(&buffer[..count]) };
        self.ciphertext.extend_from_slice(&buffer[..count]);
        loop {
            let before = self.ciphertext.len();
            layer.handle_input(self.clock.now(), &mut self.ciphertext, plaintext);
            while let Some(out) = layer.poll_transmit() {
                self.socket.write_all(&out).unwrap();
            }
            if self.ciphertext.len() == before {
                return;
            }
        }
    }

    /// Reads until so many bytes have come, or more.
    fn read(&mut self, count: usize) -> BytesMut {
        let mut all = BytesMut::new();
        while all.len() < count {
            self.fill(&mut all);
        }
        all
    }

    /// Reads up to these bytes.
    fn read_up_to(&mut self, end: &[u8]) -> BytesMut {
        let mut all = BytesMut::new();
        while !all.windows(end.len()).any(|bytes| bytes == end) {
            self.fill(&mut all);
        }
        all
    }

    fn say(&mut self, json: &str) {
        let message = self.framing.message(json);
        self.write(&message);
    }
}

/// What is said at last.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Words {
    Abort,
    Goodbye,
    Close,
}

impl Words {
    const ALL: [Self; 3] = [Self::Abort, Self::Goodbye, Self::Close];

    fn are_spoken(self, way: Way) -> bool {
        self != Self::Close || way.path().is_some()
    }

    fn say(self, peer: &mut ByHand) {
        match self {
            Self::Abort => peer.say(r#"[3,{"message":"too much"},"wamp.error.payload_size_exceeded"]"#),
            Self::Goodbye => peer.say(r#"[6,{},"wamp.close.killed"]"#),
            Self::Close => {
                let close = peer.framing.close(1008);
                peer.write(&close);
            }
        }
    }

    fn are(self, reason: &CloseReason) -> bool {
        match reason {
            CloseReason::Abort { reason, .. } => {
                self == Self::Abort && reason.as_str() == "wamp.error.payload_size_exceeded"
            }
            CloseReason::Goodbye { reason, by_peer, .. } => {
                self == Self::Goodbye && reason.as_str() == "wamp.close.killed" && *by_peer
            }
            CloseReason::ClosedByPeer { code, .. } => self == Self::Close && *code == 1008,
            _ => false,
        }
    }
}

/// A router by hand, for one client: takes the beginning of a message, says why it wants no more, and is gone.
fn router(way: Way, words: Words) -> (String, Option<PathBuf>) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let serve = move |socket: Box<dyn Duplex>| {
        let mut peer = ByHand::new(socket, way, false);
        let request = match way.path() {
            Some(_) => peer.read_up_to(b"\r\n\r\n"),
            None => peer.read(4),
        };
        let answer = peer.framing.answer(&request);
        peer.write(&answer);
        // HELLO, or the beginning of it; over WebSocket it is masked.
        peer.read(20);
        peer.say(r#"[2,1,{"roles":{"broker":{},"dealer":{}}}]"#);
        peer.read(64 << 10);
        words.say(&mut peer);
    };
    if Way::UNIX.contains(&way) {
        let name =
            format!("roadbed-{}-words{}.sock", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        let listener = UnixListener::bind(&path).unwrap();
        thread::spawn(move || serve(Box::new(listener.accept().unwrap().0)));
        return (way.url(path.display()), Some(path));
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = way.url(listener.local_addr().unwrap());
    thread::spawn(move || serve(Box::new(listener.accept().unwrap().0)));
    (url, None)
}

/// A client is told what the router said, though writing to it has failed: in its call, and of its session.
pub(crate) async fn of_a_router<A: Adapter>(world: &World<A>) -> Outcome {
    for words in Words::ALL.into_iter().filter(|words| words.are_spoken(world.way)) {
        for _ in 0..ROUNDS {
            let (url, path) = router(world.way, words);
            // On WebSocket nobody says how much is too much, so the own limit counts.
            let limits = Limits::default().message_size(2 * LARGE).output_size(2 * LARGE);
            let settings = settings().serializers(&[Serializer::MsgPack]).limits(limits);
            let session: Session = in_time(world.adapter.connect(&url, settings)).await?;
            let watching = session.clone();
            let bytes = Binary::from(vec![7; LARGE]);
            let error = in_time(session.call("com.example.store", (bytes,))).await.unwrap_err();
            let Error::Ended(end) = error.root() else { panic!("{words:?}: {error:?}") };
            assert!(words.are(end.reason()) && !error.is_retryable(), "{words:?}: {error:?}");
            let closed = in_time(watching.closed()).await;
            assert!(words.are(&closed.reason), "{words:?}: {closed:?}");
            path.into_iter().for_each(|path| std::fs::remove_file(path).unwrap());
        }
    }
    world.note("the reasons of the router");
    Ok(())
}

/// A subscriber by hand, which does not read what it subscribed to.
fn subscriber(way: Way, place: &str) -> ByHand {
    let socket: Box<dyn Duplex> = match place.parse::<SocketAddr>() {
        Ok(address) => Box::new(TcpStream::connect(address).unwrap()),
        Err(_) => Box::new(UnixStream::connect(place).unwrap()),
    };
    let mut peer = ByHand::new(socket, way, true);
    let request = peer.framing.request();
    peer.write(&request);
    match way.path() {
        Some(_) => peer.read_up_to(b"\r\n\r\n"),
        None => peer.read(4),
    };
    peer.say(r#"[1,"realm1",{"roles":{"subscriber":{}}}]"#);
    peer.read_up_to(b"}");
    peer.say(r#"[32,1,{},"com.example.bytes"]"#);
    peer.read_up_to(b"[33,1,");
    peer
}

/// Runs what blocks on a thread of its own: the router under test may need this one.
async fn elsewhere<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = futures_channel::oneshot::channel();
    thread::spawn(move || drop(sender.send(work())));
    receiver.await.unwrap()
}

/// A router knows what a client said, though writing to it has failed.
pub(crate) async fn of_a_client<A: Adapter>(world: &World<A>) -> Outcome {
    let left: Arc<Mutex<Vec<CloseReason>>> = Arc::default();
    let seen = Arc::clone(&left);
    let router = world.another_with(config(), |builder| {
        builder.on_event(move |_, event| {
            if let RouterEvent::Left { reason, .. } = event {
                seen.lock().unwrap().push(reason);
            }
        })
    });
    let publisher = router.session().await;
    for words in Words::ALL.into_iter().filter(|words| words.are_spoken(world.way)) {
        let (way, place) = (world.way, router.place.clone());
        let mut peer = elsewhere(move || subscriber(way, &place)).await;
        // Whatever the sockets hold, and what the router writes beyond that.
        let bytes = Binary::from(vec![7; 256 << 10]);
        for _ in 0..LARGE / bytes.len() * 2 {
            in_time(publisher.publish("com.example.bytes", (bytes.clone(),)).acknowledge()).await?;
        }
        elsewhere(move || words.say(&mut peer)).await;
        eventually(|| !left.lock().unwrap().is_empty()).await;
        let reasons = std::mem::take(&mut *left.lock().unwrap());
        assert!(matches!(&reasons[..], [reason] if words.are(reason)), "{words:?}: {reasons:?}");
    }
    world.note("the reasons of a client");
    in_time(publisher.leave()).await?;
    router.close().await;
    Ok(())
}

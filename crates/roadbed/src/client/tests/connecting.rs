//! From addresses to a session: which are tried, in what order, and through what.

use std::future::{IntoFuture, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use roadbed_core::error::{CloseReason, ConfigError, Deadline, uris};
use roadbed_core::limits::Limits;
use roadbed_core::transport::{ProxyError, TransportDetails};

use super::*;
use crate::Error;
use crate::client::{Connect, Connector};
use crate::memory::{Pipe, pipe};
use crate::runtime::{ByteStream, Runtime};
use crate::server::RouterHandle;
use crate::testing::tls;
use crate::tls::TlsError;
use crate::url::{Address, UrlError};

/// What listens at an address.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Nobody,
    Router,
    /// A proxy in front of the router, that answers in these pieces.
    Proxy(&'static [&'static str]),
    /// Takes what it is told, and says this.
    Says(&'static [u8]),
    /// Hangs up.
    Ends,
}
use Place::{Ends, Nobody, Proxy, Router, Says};

const TUNNEL: Place = Proxy(&["HTTP/1.1 200 Connection established\r\n\r\n"]);

/// Hosts by name, and what was asked of them.
#[derive(Clone)]
pub(super) struct Network {
    sim: Sim,
    router: RouterHandle,
    hosts: Vec<(&'static str, Place)>,
    seen: Arc<Mutex<Vec<String>>>,
    traffic: Arc<Mutex<Vec<u8>>>,
}

/// A stream of which everything is noted.
pub(super) struct Tapped {
    pipe: Pipe,
    traffic: Arc<Mutex<Vec<u8>>>,
}

impl Network {
    pub(super) fn new(world: &World, hosts: &[(&'static str, Place)]) -> Self {
        let (sim, router) = (world.sim.clone(), world.router.clone());
        Self { sim, router, hosts: hosts.to_vec(), seen: Arc::default(), traffic: Arc::default() }
    }

    pub(super) fn connect(&self, url: &str) -> Connect<Self> {
        Connect::new(self.clone(), url).realm("realm1")
    }

    pub(super) fn join(&self, connect: Connect<Self>) -> Result<Session, Error> {
        self.sim.block_on(connect.into_future())
    }

    fn seen(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }

    /// What clients sent and received since this was asked last.
    pub(super) fn traffic(&self) -> Vec<u8> {
        std::mem::take(&mut *self.traffic.lock().unwrap())
    }
}

impl ByteStream for Tapped {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        let filled = buffer.len();
        let poll = self.pipe.poll_read(cx, buffer);
        self.traffic.lock().unwrap().extend(&buffer[filled..]);
        poll
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let poll = self.pipe.poll_write(cx, bytes);
        if let Poll::Ready(Ok(count)) = poll {
            self.traffic.lock().unwrap().extend(&bytes[..count]);
        }
        poll
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pipe.poll_shutdown(cx)
    }
}

impl Connector for Network {
    type Stream = Tapped;

    fn runtime(&self) -> Arc<dyn Runtime> {
        self.sim.runtime()
    }

    async fn open(&self, address: &Address) -> io::Result<(Tapped, TransportDetails)> {
        self.seen.lock().unwrap().push(address.to_string());
        let name = match address {
            Address::Tcp { host, .. } => host.as_str(),
            Address::Unix(_) => "unix",
        };
        let place = self.hosts.iter().find(|(host, _)| *host == name).map_or(Nobody, |(_, place)| *place);
        let (here, there) = pipe(1 << 16);
        match place {
            Nobody => return Err(io::ErrorKind::ConnectionRefused.into()),
            Ends => drop(there),
            Router | Proxy(_) | Says(_) => {
                self.sim.runtime().spawn(Box::pin(self.clone().serve(place, there)));
            }
        }
        let here = Tapped { pipe: here, traffic: Arc::clone(&self.traffic) };
        Ok((here, TransportDetails::tcp(address.to_string(), true)))
    }
}

impl Network {
    async fn serve(self, place: Place, mut stream: Pipe) {
        match place {
            Proxy(pieces) => {
                let mut head = BytesMut::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.reserve(1);
                    let read = poll_fn(|cx| Pin::new(&mut stream).poll_read(cx, &mut head)).await;
                    if !matches!(read, Ok(count) if count > 0) {
                        return;
                    }
                }
                self.seen.lock().unwrap().push(String::from_utf8(head.to_vec()).unwrap());
                for piece in pieces {
                    let _ = poll_fn(|cx| stream.poll_write(cx, piece.as_bytes())).await;
                    let mut timer = self.sim.runtime().timer();
                    let later = self.sim.now() + Duration::from_millis(5);
                    poll_fn(|cx| timer.poll_at(cx, later)).await;
                }
                if !pieces.concat().contains(" 200 ") {
                    return;
                }
            }
            Says(bytes) => {
                let _ = poll_fn(|cx| stream.poll_write(cx, bytes)).await;
                // Until the other side has had enough.
                let mut input = BytesMut::new();
                loop {
                    input.reserve(512);
                    match poll_fn(|cx| stream.poll_read(cx, &mut input)).await {
                        Ok(count) if count > 0 => {}
                        _ => return,
                    }
                }
            }
            _ => {}
        }
        self.router.accept(stream, TransportDetails::local()).await;
    }
}

#[test]
fn addresses_are_tried_in_order_until_there_is_a_router() {
    let world = World::new();
    let no_rawsocket = Says(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let network =
        Network::new(&world, &[("ends", Ends), ("web", no_rawsocket), ("router", Router), ("other", Router)]);
    let connect =
        network.connect("rs://nobody").or("rs://ends").or("rs://web").or("rs://router").or("rs://other");
    let session = network.join(connect).unwrap();
    assert_eq!(network.seen(), ["rs://nobody:8080", "rs://ends:8080", "rs://web:8080", "rs://router:8080"]);
    drop(session);
    world.assert_empty();
}

#[test]
fn the_last_error_is_told() {
    let world = World::new();
    let network = Network::new(&world, &[("ends", Ends)]);
    let error = network.join(network.connect("rs://ends").or("rs://nobody")).unwrap_err();
    assert!(
        matches!(error.root(), Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused),
        "{error}"
    );
    let error = network.join(network.connect("rs://nobody").or("unix:a").or("rs://ends")).unwrap_err();
    assert!(matches!(error.root(), Error::Ended(_)), "{error}");
    assert_eq!(network.seen().len(), 5);
}

#[test]
fn a_router_that_refuses_ends_the_search() {
    let world = World::new();
    let network = Network::new(&world, &[("router", Router), ("other", Router)]);
    let connect = network.connect("rs://router").or("rs://other").realm("nowhere");
    let error = network.join(connect).unwrap_err();
    assert_eq!(error.uri(), Some(&uris::NO_SUCH_REALM));
    assert_eq!(network.seen(), ["rs://router:8080"]);
    // One that is going down does not.
    world.sim.block_on(world.router.shutdown(Duration::ZERO).into_future());
    let error = network.join(network.connect("rs://router").or("rs://other")).unwrap_err();
    assert_eq!(error.uri(), Some(&uris::SYSTEM_SHUTDOWN));
    assert_eq!(network.seen(), ["rs://router:8080", "rs://other:8080"]);
}

#[test]
fn every_serializer_is_tried_before_the_next_address() {
    let world = World::with(Default::default(), |builder| builder.serializers(&[Serializer::Json]));
    let network = Network::new(&world, &[("router", Router)]);
    let serializers = [Serializer::Cbor, Serializer::Json];
    let session = network.join(network.connect("rs://router").or("rs://other").serializers(&serializers));
    drop(session.unwrap());
    assert_eq!(network.seen(), ["rs://router:8080", "rs://router:8080"]);
    let named = network.connect("rs://router?serializer=cbor").or("rs://other").serializers(&serializers);
    assert!(network.join(named).is_err());
    assert_eq!(network.seen(), ["rs://router:8080", "rs://other:8080"]);
}

#[test]
fn what_cannot_work_is_found_before_anything_is_connected() {
    let world = World::new();
    let network = Network::new(&world, &[("router", Router)]);
    let connect = || network.connect("rs://router");
    let url = |connect: Connect<Network>| match network.join(connect) {
        Err(Error::Url(error)) => error,
        other => panic!("{other:?}"),
    };
    let config = |connect: Connect<Network>| match network.join(connect) {
        Err(Error::Config(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(url(connect().or("router")), UrlError::Scheme("router".into()));
    assert_eq!(url(connect().serializers(&[])), UrlError::NoSerializer);
    assert_eq!(url(connect().proxy("proxy:3128")), UrlError::Proxy);
    let web = || connect().or("ws://router/ws?secret");
    assert_eq!(config(web().header("Host", "x")), ConfigError::Header("Host".into()));
    assert_eq!(config(web().header("X", "a\r\nb")), ConfigError::Header("X".into()));
    assert_eq!(config(web().header("Origin", "x")), ConfigError::Header("Origin".into()));
    assert_eq!(config(web().origin("a\r\nb")), ConfigError::Header("Origin".into()));
    assert_eq!(config(web().cookie("a", "b; c")), ConfigError::Header("Cookie".into()));
    assert_eq!(url(connect().or("ws://a b/")), UrlError::Host("a b".into()));
    let zone = "rs://[fe80::1%25lo]:8080";
    assert_eq!(url(connect().or(zone).proxy("http://proxy")), UrlError::Zone(zone.into()));
    assert_eq!(config(connect().or("ws://a/ b")), ConfigError::RequestTarget("/ b".into()));
    let through = connect().or("rs://a b").proxy("http://proxy");
    assert_eq!(url(through), UrlError::Host("a b".into()));
    assert_eq!(network.seen(), [""; 0]);
}

#[test]
fn secure_addresses_are_spoken_to_over_tls_or_not_at_all() {
    let world = World::with(Limits::default(), |builder| builder.tls_required(tls::server()));
    let network = Network::new(&world, &[(tls::HOST, Router), ("impostor", Router), ("proxy", TUNNEL)]);
    let url = format!("rss://{}", tls::HOST);
    let secure = Arc::new(Mutex::new(Vec::new()));
    let connect = |urls: &[&str]| {
        let log = Arc::clone(&secure);
        let connect = network.connect(urls[0]).tls(tls::client());
        let connect = connect.on_connect(move |details| log.lock().unwrap().push(details.is_secure));
        urls[1..].iter().fold(connect, |connect, url| connect.or(*url))
    };
    network.join(connect(&[&url])).unwrap();
    network.join(connect(&[&format!("wss://{}/ws", tls::HOST)])).unwrap();
    network.join(connect(&[&url]).proxy("http://proxy:3128")).unwrap();
    assert!(network.seen().iter().any(|seen| seen == "rs://proxy:3128"));
    // Whoever cannot show who it is, is passed over.
    let error = network.join(connect(&["rss://impostor"])).unwrap_err();
    assert!(matches!(error.root(), Error::Tls(TlsError::Certificate(_))), "{error}");
    network.join(connect(&["rss://impostor", &url])).unwrap();
    // The transport was never there for those who were refused.
    assert_eq!(*secure.lock().unwrap(), [true; 4]);

    let world = World::new();
    let network = Network::new(&world, &[(tls::HOST, Says(b"\x7F\xB1\0\0"))]);
    let error = network.join(network.connect(&url).tls(tls::client())).unwrap_err();
    assert!(matches!(error.root(), Error::Tls(TlsError::NotTls)), "{error}");
}

#[test]
fn settings_show_no_secret() {
    let settings = settings().header("Authorization", "Bearer 4711").proxy("http://joe:4711@proxy");
    let text = format!("{settings:?}");
    assert!(text.contains("Authorization") && text.contains("joe") && !text.contains("4711"), "{text}");
}

#[test]
fn a_session_through_a_proxy() {
    let world = World::new();
    let in_pieces = Proxy(&["HTTP/1.1 ", "200 OK\r\nVia: x\r", "\n\r", "\n"]);
    let network = Network::new(&world, &[("proxy", TUNNEL), ("slow", in_pieces)]);
    for proxy in ["proxy", "slow"] {
        let connect = network.connect("rs://[::1]:9000").proxy(format!("http://joe:secret@{proxy}:3128"));
        let session = network.join(connect).unwrap();
        let seen = network.seen();
        assert_eq!(seen[0], format!("rs://{proxy}:3128"));
        assert!(seen[1].starts_with("CONNECT [::1]:9000 HTTP/1.1\r\nHost: [::1]:9000\r\n"), "{seen:?}");
        assert!(seen[1].contains("\r\nProxy-Authorization: Basic am9lOnNlY3JldA==\r\n"), "{seen:?}");
        let echo = |inv: Invocation| async move { Ok(inv.get::<String>()?) };
        let registration =
            world.sim.block_on(session.register("com.example.echo", echo).into_future()).unwrap();
        let text = "x".repeat(100_000);
        let call = session.call("com.example.echo", (&text,)).into_future();
        assert_eq!(world.sim.block_on(call).unwrap().get::<String>().unwrap(), text);
        drop((registration, session));
        world.assert_empty();
    }
}

/// Who talks to a proxy on the same machine does not talk to a router there.
#[test]
fn nothing_behind_a_proxy_is_taken_for_local() {
    let world = World::new();
    let network = Network::new(&world, &[("localhost", TUNNEL), ("router", Router)]);
    let is_local = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&is_local);
    let connect = |url: &str| {
        let told = Arc::clone(&told);
        network.connect(url).on_connect(move |details| told.lock().unwrap().push(details.is_private()))
    };
    drop(network.join(connect("rs://router")).unwrap());
    drop(network.join(connect("rs://router").proxy("http://localhost")).unwrap());
    assert_eq!(*is_local.lock().unwrap(), [true, false]);
}

#[test]
fn unix_sockets_need_no_proxy() {
    let world = World::new();
    let network = Network::new(&world, &[("unix", Router)]);
    drop(network.join(network.connect("unix:/a.sock").proxy("http://proxy")).unwrap());
    assert_eq!(network.seen(), ["unix:/a.sock"]);
}

#[test]
fn a_proxy_that_opens_no_tunnel() {
    let world = World::new();
    let refuses = Proxy(&["HTTP/1.1 407 Who are you?\r\nProxy-Authenticate: Basic\r\n\r\n", "tell me"]);
    let hosts = [
        ("refuses", refuses),
        ("stays", Says(b"HTTP/1.1 407 Who?\r\nContent-Length: 99\r\n\r\ntell me")),
        ("ends", Ends),
        ("breaks", Proxy(&["HTTP/1.1 "])),
        ("odd", Says(b"\x05\x00\r\n")),
    ];
    let network = Network::new(&world, &hosts);
    let join = |proxy: &str| {
        let error = network.join(network.connect("rs://router").proxy(proxy)).unwrap_err();
        let is_retryable = error.is_retryable();
        match error.root().clone() {
            Error::Proxy(error) => (error, is_retryable),
            other => panic!("{other:?}"),
        }
    };
    let (ProxyError::Refused(refusal), false) = join("http://refuses") else { panic!("refused") };
    assert_eq!((refusal.status(), &**refusal.text()), (407, "tell me"));
    assert_eq!(refusal.header("proxy-authenticate"), Some("Basic"));
    // A text that does not end is waited for no longer than a moment.
    let start = world.sim.now();
    let (ProxyError::Refused(refusal), false) = join("http://stays") else { panic!("refused") };
    assert_eq!(world.sim.now().saturating_since(start), Duration::from_secs(1));
    assert_eq!((refusal.status(), &**refusal.text()), (407, "tell me"));
    assert_eq!(join("http://ends"), (ProxyError::Truncated { received: 0 }, true));
    assert_eq!(join("http://breaks"), (ProxyError::Truncated { received: 9 }, true));
    assert!(matches!(join("http://odd"), (ProxyError::Head(_), false)));
    world.assert_empty();
}

#[test]
fn a_proxy_that_says_nothing_is_given_up() {
    let world = World::new();
    let network = Network::new(&world, &[("silent", Says(b""))]);
    let start = world.sim.now();
    let error = network.join(network.connect("rs://router").proxy("http://silent")).unwrap_err();
    assert!(
        matches!(error.root(), Error::Ended(reason) if **reason == CloseReason::Timeout(Deadline::Join)),
        "{error}"
    );
    // 5 s more for what was to be sent.
    assert_eq!(world.sim.now().saturating_since(start), Duration::from_secs(35));
    world.assert_empty();
}

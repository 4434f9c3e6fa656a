use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use roadbed_core::connection::Endpoint;
use roadbed_core::error::{CloseReason, Deadline};
use roadbed_core::limits::Limits;
use roadbed_core::serializer::Serializer;
use roadbed_core::time::Timestamp;
use roadbed_core::transport::TransportDetails;
use roadbed_core::transport::websocket::WebSocketClientConfig;
use roadbed_core::uri::Uri;

use crate::Error;
use crate::client::{Invocation, Joining, Session, Settings, open, open_secure};
use crate::memory::{Pipe, pipe};
use crate::runtime::{ByteStream, Runtime};
use crate::server::{Authentication, Builder, Grant, RouterConfig, RouterEvent, RouterHandle, TicketTable};
use crate::testing::sim::Sim;
use crate::testing::tls::{HOST, client, server, stranger};
use crate::testing::wire::Wire;
use crate::testing::{World, settings};
use crate::tls::{Protocol, TlsError, TlsEvent, TlsLayer};

fn world(set_up: impl FnOnce(Builder) -> Builder) -> World {
    World::with(Limits::default(), |builder| set_up(builder.tls(server())))
}

fn remote() -> TransportDetails {
    TransportDetails::tcp("192.0.2.1:4711", false)
}

/// A session on its way through TLS, over a wire that can be tampered with.
fn joining(world: &World, settings: &Settings, serializer: Serializer) -> (Joining, Wire) {
    let (here, there) = pipe(16 << 10);
    let (wire, stream) = Wire::around(here);
    let runtime = world.sim.runtime();
    let (joining, driver) =
        open_secure(settings, world.sim.runtime(), serializer, remote(), HOST, Protocol::Raw).unwrap();
    runtime.spawn(Box::pin(world.router.accept(there, remote())));
    runtime.spawn(Box::pin(driver.run(stream)));
    (joining, wire)
}

fn join(world: &World, settings: &Settings) -> Result<Session, Error> {
    world.sim.block_on(joining(world, settings, Serializer::Cbor).0)
}

fn trusting() -> Settings {
    settings().tls(client())
}

/// Calls through the router, with so many bytes in each direction.
fn echo(world: &World, session: &Session, bytes: usize) {
    let text = "x".repeat(bytes);
    let call = session.call("com.example.echo", (&text,)).returning::<String>();
    assert_eq!(world.sim.block_on(async { call.await }).unwrap(), text);
}

fn serve_echo(world: &World, session: &Session) {
    let echo = |inv: Invocation| async move { Ok(inv.get::<String>()?) };
    world.sim.block_on(async { session.register("com.example.echo", echo).await }).unwrap().detach();
}

#[test]
fn sessions_in_every_serializer() {
    let world = world(|builder| builder);
    for serializer in Serializer::ALL {
        let (joining, _wire) = joining(&world, &trusting(), serializer);
        let session = world.sim.block_on(joining).unwrap();
        assert_eq!(session.serializer(), serializer);
        serve_echo(&world, &session);
        for bytes in [0, 1_000, 16_384, 40_000, 300_000] {
            echo(&world, &session, bytes);
        }
        world.sim.block_on(async { session.leave().await }).unwrap();
        world.assert_empty();
    }
}

#[test]
fn however_little_goes_at_a_time() {
    for bytes in [1, 2, 3, 7, 100, 1400] {
        let world = world(|builder| builder);
        let (joining, wire) = joining(&world, &trusting(), Serializer::MsgPack);
        wire.limit(bytes);
        let session = world.sim.block_on(joining).unwrap();
        serve_echo(&world, &session);
        echo(&world, &session, 10_000);
        drop(session);
        world.assert_empty();
    }
}

#[test]
fn both_ends_are_told_of_the_channel() {
    let sim = Sim::default();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let questions = Arc::clone(&asked);
    let realm = Uri::new("realm1").unwrap();
    let config = RouterConfig::new().realm(realm, Authentication::new().dynamic("x-key"));
    let router = RouterHandle::builder(config)
        .tls(server())
        .on_event(move |router, event| {
            if let RouterEvent::Authenticate(request) = event {
                router.grant(request.decision, Grant::new("joe", "user")).unwrap();
                questions.lock().unwrap().push(request.transport.clone());
            }
        })
        .start(sim.runtime())
        .unwrap();
    let world = World { sim, router };
    let connected = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&connected);
    let settings = trusting()
        .authid("joe")
        .on_challenge("x-key", |_| Ok(String::new()))
        .on_connect(move |details| log.lock().unwrap().push(details.clone()));
    let _session = join(&world, &settings).unwrap();
    let (asked, connected) = (asked.lock().unwrap().remove(0), connected.lock().unwrap().remove(0));
    assert!(asked.is_secure && connected.is_secure);
    assert_eq!(connected.peer, remote().peer);
    assert_eq!(asked.channel_binding.as_ref().unwrap().len(), 32);
    assert_eq!(asked.channel_binding, connected.channel_binding);
}

#[test]
fn a_ticket_may_go_through_tls_and_not_beside_it() {
    let sim = Sim::default();
    let table = TicketTable::new().principal("joe", "secret", "user");
    let realm = Uri::new("realm1").unwrap();
    let config = RouterConfig::new().realm(realm, Authentication::new().ticket(table));
    let router = RouterHandle::builder(config).tls(server()).start(sim.runtime()).unwrap();
    let world = World { sim, router };
    let settings = trusting().authid("joe").ticket("secret");
    assert_eq!(join(&world, &settings).unwrap().details().authrole.as_deref(), Some("user"));
    let error = join_plain(&world, &settings).unwrap_err();
    assert!(!error.is_retryable(), "{error}");
}

fn join_plain(world: &World, settings: &Settings) -> Result<Session, Error> {
    join_at(world, settings, Serializer::Json.into(), 16 << 10)
}

/// Joins without TLS, over a pipe that holds so many bytes.
fn join_at(world: &World, settings: &Settings, endpoint: Endpoint, room: usize) -> Result<Session, Error> {
    let (here, there) = pipe(room);
    let runtime = world.sim.runtime();
    let (joining, driver) = open(settings, world.sim.runtime(), endpoint, remote()).unwrap();
    runtime.spawn(Box::pin(world.router.accept(there, remote())));
    runtime.spawn(Box::pin(driver.run(here)));
    world.sim.block_on(joining)
}

#[test]
fn one_port_serves_both_unless_it_may_not() {
    let world = world(|builder| builder);
    let plain = join_plain(&world, &settings()).unwrap();
    let secure = join(&world, &trusting()).unwrap();
    serve_echo(&world, &plain);
    echo(&world, &secure, 1000);
    drop((plain, secure));
    world.assert_empty();

    let world = World::with(Limits::default(), |builder| builder.tls_required(server()));
    // Who does not speak TLS is told so in its own terms, and does not come back.
    let websocket = || Endpoint::websocket(WebSocketClientConfig::new("router", "/ws").unwrap());
    for room in [1, 16 << 10] {
        for (endpoint, told) in [
            (Serializer::Json.into(), "this port wants TLS: connect with rss:// instead of rs://"),
            (websocket(), "400 Bad Request: This port speaks TLS only: connect with wss:// or https://."),
        ] {
            let error = join_at(&world, &settings(), endpoint, room).unwrap_err();
            assert!(error.to_string().ends_with(told) && !error.is_retryable(), "{error}");
        }
    }
    // It took no time.
    assert_eq!(world.sim.now(), Timestamp::ZERO);
    join(&world, &trusting()).unwrap();
    // What is inside the process needs no certificate.
    drop(world.session());
    world.assert_empty();
}

#[test]
fn a_router_that_nobody_vouches_for_is_told_nothing() {
    let world = world(|builder| builder);
    let error = join(&world, &settings().tls(stranger())).unwrap_err();
    assert!(matches!(error.root(), Error::Tls(TlsError::Certificate(_))) && !error.is_retryable(), "{error}");
    let other = trusting().tls(client().server_name("other.example").unwrap());
    let error = join(&world, &other).unwrap_err();
    assert!(matches!(error.root(), Error::Tls(TlsError::Certificate(_))), "{error}");
    assert_eq!(world.router.stats().counters.joined, 0);
    world.assert_empty();
}

#[test]
fn a_router_without_tls_is_told_from_one_with() {
    let world = World::new();
    let error = join(&world, &trusting()).unwrap_err();
    assert!(matches!(error.root(), Error::Tls(TlsError::NotTls)) && !error.is_retryable(), "{error}");
    world.assert_empty();
}

#[test]
fn a_handshake_that_stops_ends_at_its_deadline() {
    let world = world(|builder| builder);
    // Nothing, one byte, half a record.
    let now = Timestamp::ZERO;
    let mut layer = TlsLayer::client(&client(), HOST, Protocol::Raw, now, Default::default()).unwrap();
    let hello = layer.poll_transmit().unwrap();
    for count in [0, 1, 5, hello.len() / 2, hello.len()] {
        let (mut here, there) = pipe(16 << 10);
        world.sim.runtime().spawn(Box::pin(world.router.accept(there, remote())));
        write(&mut here, &hello[..count]);
        world.sim.pass(Duration::from_millis(4_900));
        assert_eq!(world.router.connections(), 1, "{count}");
        world.sim.pass(Duration::from_millis(200) + crate::drive::LINGER);
        assert_eq!(world.router.connections(), 0, "{count}");
        drop(here);
    }
    world.assert_empty();

    // And a router that never answers.
    let (here, there) = pipe(16 << 10);
    let settings = trusting();
    let runtime = world.sim.runtime();
    let (joining, driver) =
        open_secure(&settings, world.sim.runtime(), Serializer::Cbor, remote(), HOST, Protocol::Raw).unwrap();
    runtime.spawn(Box::pin(driver.run(here)));
    let start = world.sim.now();
    let error = world.sim.block_on(joining).unwrap_err();
    let Error::Ended(reason) = error.root() else { panic!("{error}") };
    assert_eq!(**reason, CloseReason::Timeout(Deadline::Join));
    assert!(world.sim.now().saturating_since(start) <= Duration::from_secs(36));
    world.sim.pass(Duration::from_secs(5));
    assert_eq!(world.sim.tasks(), 0);
    drop(there);
}

#[test]
fn an_end_without_a_goodbye_is_an_end() {
    let world = world(|builder| builder);
    let (joining, wire) = joining(&world, &trusting(), Serializer::Cbor);
    let session = world.sim.block_on(joining).unwrap();
    wire.break_off();
    let error =
        world.sim.block_on(async { session.call("com.example.nobody", ()).no_timeout().await }).unwrap_err();
    assert!(error.is_retryable(), "{error}");
    drop(session);
    world.assert_empty();
}

/// What the other side does with bytes in hand.
struct Script {
    pipe: Pipe,
    layer: TlsLayer,
    plaintext: BytesMut,
    has_ended: bool,
}

impl Script {
    fn new(pipe: Pipe) -> Self {
        let now = Timestamp::ZERO;
        let layer = TlsLayer::client(&client(), HOST, Protocol::Raw, now, Default::default()).unwrap();
        Self { pipe, layer, plaintext: BytesMut::new(), has_ended: false }
    }

    /// Exchanges bytes until nothing comes any more.
    fn run(&mut self, world: &World) {
        let now = Timestamp::ZERO;
        loop {
            while let Some(bytes) = self.layer.poll_transmit() {
                write(&mut self.pipe, &bytes);
            }
            world.sim.settle();
            let mut input = BytesMut::with_capacity(1 << 16);
            match self.pipe.poll_read(&mut Context::from_waker(Waker::noop()), &mut input) {
                Poll::Ready(Ok(0)) => return self.has_ended = true,
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => panic!("{error}"),
                Poll::Pending => return,
            }
            while !input.is_empty() {
                self.layer.handle_input(now, &mut input, &mut self.plaintext);
            }
        }
    }

    fn events(&mut self) -> Vec<TlsEvent> {
        std::iter::from_fn(|| self.layer.poll_event()).collect()
    }
}

fn write(pipe: &mut Pipe, bytes: &[u8]) {
    if !bytes.is_empty() {
        let poll = pipe.poll_write(&mut Context::from_waker(Waker::noop()), bytes);
        assert!(matches!(poll, Poll::Ready(Ok(count)) if count == bytes.len()), "{poll:?}");
    }
}

#[test]
fn ends_are_announced_in_both_directions() {
    for is_ours in [true, false] {
        let world = world(|builder| builder);
        let (here, there) = pipe(1 << 20);
        world.sim.runtime().spawn(Box::pin(world.router.accept(there, remote())));
        let mut peer = Script::new(here);
        peer.run(&world);
        // A RawSocket handshake, JSON.
        peer.layer.send(&mut bytes::Bytes::from_static(b"\x7F\xF1\x00\x00"));
        peer.run(&world);
        assert_eq!(&peer.plaintext[..], b"\x7F\xB1\x00\x00");
        if is_ours {
            // What is no message ends it.
            peer.layer.send(&mut bytes::Bytes::from_static(b"\x00\x00\x00\x01!"));
        } else {
            peer.layer.close();
        }
        peer.run(&world);
        let announced = [TlsEvent::Open, TlsEvent::PeerClosed];
        // Who has closed does not listen any more.
        assert_eq!(peer.events(), announced[..if is_ours { 2 } else { 1 }]);
        assert!(peer.has_ended);
        assert_eq!(peer.plaintext.len() > 4, is_ours, "an ABORT, if one is due");
        drop(peer);
        world.assert_empty();
    }
}

#[test]
fn what_cannot_be_delivered_is_not_read() {
    let world = world(|builder| builder);
    let (joining, wire) = joining(&world, &trusting(), Serializer::Cbor);
    let session = world.sim.block_on(joining).unwrap();
    let other = world.session();
    serve_echo(&world, &other);
    // The router answers, and nobody reads: it stops reading, and then gives up.
    wire.deafen(true);
    let text = "x".repeat(300_000);
    let mut calls: Vec<_> = (0..60)
        .map(|_| Box::pin(IntoFuture::into_future(session.call("com.example.echo", (&text,)))))
        .collect();
    for call in &mut calls {
        let _ = world.sim.poll_once(call.as_mut(), 0);
    }
    world.sim.settle();
    wire.deafen(false);
    let mut answers = 0;
    for call in calls {
        answers += usize::from(world.sim.block_on(call).is_ok());
    }
    assert_eq!(answers, 60);
    drop((session, other));
    world.assert_empty();
}

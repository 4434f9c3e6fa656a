//! Clients that lose their sessions, under simulated time.

mod connecting;
mod declared;
mod ending;
mod flapping;
mod forgetting;
mod waiting;

use std::future::{IntoFuture, pending};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use roadbed_core::time::Timestamp;
use roadbed_core::transport::TransportDetails;

use super::*;
use crate::client::{Connect, Connector};
use crate::memory::pipe;
use crate::runtime::{ByteStream, Runtime};
use crate::server::RouterHandle;
use crate::testing::World;
use crate::testing::sim::Sim;
use crate::testing::wire::{Tampered, Wire};
use crate::url::Address;

/// What happens to those who connect.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Up,
    Fails(io::ErrorKind),
    /// Opening never ends.
    Hangs,
    /// Takes what it is told and says nothing.
    Silent,
    /// Says this, whatever it is told.
    Says(&'static [u8]),
}

/// A place to connect to that can be taken down and put up again.
#[derive(Clone)]
struct Site(Arc<Mutex<Inner>>);

struct Inner {
    sim: Sim,
    router: RouterHandle,
    mode: Mode,
    /// When somebody came, and where to.
    seen: Vec<(Timestamp, String)>,
    wires: Vec<Wire>,
    silent: Vec<crate::memory::Pipe>,
}

impl Site {
    fn new(world: &World) -> Self {
        let (sim, router) = (world.sim.clone(), world.router.clone());
        let (seen, wires, silent) = Default::default();
        Self(Arc::new(Mutex::new(Inner { sim, router, mode: Mode::Up, seen, wires, silent })))
    }

    fn set(&self, mode: Mode) {
        self.0.lock().unwrap().mode = mode;
    }

    /// Another router takes over.
    fn replace(&self, world: &World) {
        self.0.lock().unwrap().router = world.router.clone();
    }

    /// Does something to every connection.
    fn each(&self, act: impl Fn(&Wire)) {
        let wires = std::mem::take(&mut self.0.lock().unwrap().wires);
        wires.iter().for_each(act);
        self.0.lock().unwrap().wires = wires;
    }

    /// Breaks every connection, now.
    fn cut(&self) {
        let wires = std::mem::take(&mut self.0.lock().unwrap().wires);
        wires.iter().for_each(Wire::break_off);
    }

    /// How often somebody came.
    fn count(&self) -> usize {
        self.0.lock().unwrap().seen.len()
    }

    /// Between two who came, in milliseconds.
    fn gaps(&self) -> Vec<u128> {
        let seen = &self.0.lock().unwrap().seen;
        let gap = |pair: &[(Timestamp, String)]| pair[1].0.saturating_since(pair[0].0).as_millis();
        seen.windows(2).map(gap).collect()
    }

    fn builder(&self) -> ClientBuilder {
        Connect::new(self.clone(), "rs://router").realm("realm1").into_client().retry(plain())
    }

    fn client(&self) -> Client {
        self.builder().start().unwrap()
    }
}

impl Connector for Site {
    type Stream = Tampered;

    fn runtime(&self) -> Arc<dyn Runtime> {
        self.0.lock().unwrap().sim.runtime()
    }

    async fn open(&self, address: &Address) -> io::Result<(Tampered, TransportDetails)> {
        let mode = {
            let mut inner = self.0.lock().unwrap();
            let now = inner.sim.now();
            inner.seen.push((now, address.to_string()));
            inner.mode
        };
        match (mode, address) {
            (_, Address::Tcp { host, .. }) if host == "nobody" => {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            (Mode::Fails(kind), _) => return Err(kind.into()),
            (Mode::Hangs, _) => return pending().await,
            (Mode::Up | Mode::Silent | Mode::Says(_), _) => {}
        }
        let (here, mut there) = pipe(64 << 10);
        let (wire, stream) = Wire::around(here);
        let mut inner = self.0.lock().unwrap();
        inner.wires.push(wire);
        match mode {
            Mode::Silent => inner.silent.push(there),
            Mode::Says(bytes) => {
                let said = Pin::new(&mut there).poll_write(&mut Context::from_waker(Waker::noop()), bytes);
                assert!(matches!(said, Poll::Ready(Ok(count)) if count == bytes.len()));
                inner.silent.push(there);
            }
            _ => {
                let serving = inner.router.accept(there, TransportDetails::local());
                inner.sim.runtime().spawn(Box::pin(serving));
            }
        }
        Ok((stream, TransportDetails::local()))
    }
}

/// A policy without chance: 1, 2, 4, 8 seconds.
fn plain() -> RetryPolicy {
    RetryPolicy::new().jitter(0.0).first(seconds(1)).longest(seconds(8))
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The same client, waiting for a session for as long as it takes.
fn patient(client: &Client) -> Client {
    client.while_disconnected(WhileDisconnected::wait(seconds(3600)))
}

/// The next event in few words.
fn next(world: &World, events: &mut Events) -> String {
    let Some(event) = world.sim.block_on(events.next()) else { return "end".into() };
    let when = |retry_in: Option<Duration>| {
        retry_in.map_or_else(|| "never".into(), |delay| format!("in {}", delay.as_millis()))
    };
    match event.unwrap() {
        ClientEvent::Connected { generation } => format!("connected {generation}"),
        ClientEvent::Failed { attempts, retry_in, .. } => format!("failed {attempts}, {}", when(retry_in)),
        ClientEvent::Lost { generation, retry_in, .. } => format!("lost {generation}, {}", when(retry_in)),
        ClientEvent::Refused { uri, retry_in, .. } => format!("refused {uri}, {}", when(retry_in)),
        ClientEvent::Revoked { uri, .. } => format!("revoked {uri}"),
        ClientEvent::GaveUp { .. } => "gave up".into(),
    }
}

/// Nothing of the client is left but what its handles hold.
#[track_caller]
fn assert_idle(client: &Client, declared: usize) {
    let entries = client.lasting().with(|state, _| state.entries());
    assert_eq!(entries, declared);
}

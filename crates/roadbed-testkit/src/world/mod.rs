//! A router and its clients in memory.

mod route;
mod side;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use roadbed_core::connection::{Connection, Endpoint};
use roadbed_core::link::LinkConfig;
use roadbed_core::session::{ClientConfig, SessionEvent};
use roadbed_core::time::{Timestamp, UnixMicros};
use roadbed_core::transport::TransportDetails;
use roadbed_router::{PeerId, Port, Router, RouterConfig, RouterEvent};

use self::side::{RouterEnd, Side};
use crate::carrier::every_carrier;
use crate::end::{Client, End};
use crate::line::{Circles, Line, earlier};
use crate::pair::{DRIVE_STEPS, client_at};
use crate::rng::Rng;
use crate::script::Script;
use crate::transcript::Transcript;
use crate::wire::{Conditions, Wire};

/// Names a client of a [`World`]. It is never used again for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(usize);

/// A router, any number of clients, and the wires between them, under one clock: no sockets, no threads, no
/// waiting. The same seed and the same calls give the same bytes.
///
/// Commands go to a client's [`Connection`]; [`drive`](Self::drive) carries the bytes; then ask for the
/// [`events`](Self::events). For tests that only want a router to call through,
/// [`TestRouter`](crate::TestRouter) is less to write.
///
/// ```
/// use std::time::Duration;
/// use roadbed_core::options::SubscribeOptions;
/// use roadbed_core::serializer::Serializer;
/// use roadbed_core::session::{ClientConfig, SessionEvent};
/// use roadbed_core::uri::Uri;
/// use roadbed_router::{Authentication, RouterConfig};
/// use roadbed_testkit::World;
///
/// let realm = Uri::new("realm1")?;
/// let config = RouterConfig::new().realm(realm.clone(), Authentication::new().anonymous("guest"));
/// let mut world = World::new(config);
/// let client = world.connect(ClientConfig::new(realm).build()?, Serializer::MsgPack);
/// world.drive();
/// assert!(matches!(world.events(client)[..], [SessionEvent::Joined { .. }]));
///
/// let topic = Uri::new("com.example.tick")?;
/// world.with(client, |connection, now| connection.subscribe(now, &topic, &SubscribeOptions::new()))?;
/// world.up(client).stall();
/// world.advance(Duration::from_secs(1));
/// assert_eq!(world.events(client), []);
/// world.up(client).resume();
/// world.drive();
/// assert!(matches!(world.events(client)[..], [SessionEvent::Subscribed { result: Ok(_), .. }]));
/// world.check_invariants()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct World {
    router: Router,
    router_events: Vec<RouterEvent>,
    links: LinkConfig,
    slots: Vec<Slot>,
    peers: BTreeMap<PeerId, usize>,
    conditions: Conditions,
    rng: Rng,
    is_shuffled: bool,
    now: Timestamp,
    transcript: Option<Transcript>,
}

/// A client, its way to the router, and the router's end of that.
#[derive(Debug)]
struct Slot {
    side: Side,
    line: Line,
    end: RouterEnd,
}

impl World {
    /// A world with this router, at time zero, and the seed 0.
    ///
    /// # Panics
    /// When the configuration is wrong.
    pub fn new(config: RouterConfig) -> Self {
        Self::with_seed(config, 0)
    }

    /// A world in which everything drawn at random depends on `seed`. Its router serves every transport on one
    /// port.
    ///
    /// # Panics
    /// When the configuration is wrong.
    pub fn with_seed(config: RouterConfig, seed: u64) -> Self {
        let links = every_carrier(LinkConfig::default().limits(config.limits.clone()));
        Self::with_links(config, links, seed)
    }

    /// A world with a configuration of its own for the router's links: serializers, liveness, WebSocket.
    ///
    /// # Panics
    /// When a configuration is wrong.
    pub fn with_links(config: RouterConfig, links: LinkConfig, seed: u64) -> Self {
        config.check().expect("the router's configuration is right");
        links.check().expect("the links' configuration is right");
        let mut rng = Rng::new(seed);
        let now = Timestamp::ZERO;
        Self {
            router: Router::new(config.into_shared(), rng.seed(), now, UnixMicros::default()),
            router_events: Vec::new(),
            links,
            slots: Vec::new(),
            peers: BTreeMap::new(),
            conditions: Conditions::new(),
            rng,
            is_shuffled: false,
            now,
            transcript: None,
        }
    }

    /// The conditions on the wires of clients that connect from now on.
    pub fn set_conditions(&mut self, conditions: Conditions) {
        self.conditions = conditions;
    }

    /// Whether clients and router take their turns in an order drawn at random, instead of one by one.
    pub fn set_shuffled(&mut self, is_shuffled: bool) {
        self.is_shuffled = is_shuffled;
    }

    /// Connects a client, over a transport that counts as local. It joins by itself. A serializer alone stands for
    /// RawSocket; a [`Carrier`](crate::Carrier) has the endpoints of all transports.
    pub fn connect(&mut self, config: Arc<ClientConfig>, endpoint: impl Into<Endpoint>) -> ClientId {
        self.connect_over(config, endpoint, TransportDetails::local())
    }

    /// Connects a client over a transport of which both sides know this.
    pub fn connect_over(
        &mut self,
        config: Arc<ClientConfig>,
        endpoint: impl Into<Endpoint>,
        details: TransportDetails,
    ) -> ClientId {
        let seed = self.rng.seed();
        let client = client_at(config, &endpoint.into(), seed, self.now, details.clone());
        self.attach(Side::Client(Box::new(client)), details)
    }

    /// Connects a scripted client.
    pub fn connect_script(&mut self, script: Script) -> ClientId {
        self.attach(Side::Script(Box::new(script)), TransportDetails::local())
    }

    fn attach(&mut self, side: Side, details: TransportDetails) -> ClientId {
        let line = Line::new(&mut self.rng, &self.conditions);
        let port = Port::new(&self.links, details, self.now);
        self.slots.push(Slot { side, line, end: RouterEnd::new(port) });
        ClientId(self.slots.len() - 1)
    }

    /// The present time.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// A client's connection.
    ///
    /// # Panics
    /// When it is a script.
    pub fn client(&mut self, id: ClientId) -> &mut Connection {
        &mut self.end(id).connection
    }

    /// A client with its application.
    ///
    /// # Panics
    /// When it is a script.
    pub fn end(&mut self, id: ClientId) -> &mut Client {
        match &mut self.slots[id.0].side {
            Side::Client(client) => client,
            Side::Script(_) => panic!("{id:?} is a script"),
        }
    }

    /// Gives a command to a client.
    ///
    /// # Panics
    /// When it is a script.
    pub fn with<T>(&mut self, id: ClientId, command: impl FnOnce(&mut Connection, Timestamp) -> T) -> T {
        let now = self.now;
        command(self.client(id), now)
    }

    /// A scripted client.
    ///
    /// # Panics
    /// When it is none.
    pub fn script(&mut self, id: ClientId) -> &mut Script {
        match &mut self.slots[id.0].side {
            Side::Script(script) => script,
            Side::Client(_) => panic!("{id:?} is no script"),
        }
    }

    /// The events of a client since the last call.
    ///
    /// # Panics
    /// When it is a script.
    pub fn events(&mut self, id: ClientId) -> Vec<SessionEvent> {
        self.end(id).events()
    }

    /// The next event of a client.
    ///
    /// # Panics
    /// When it is a script.
    pub fn next_event(&mut self, id: ClientId) -> Option<SessionEvent> {
        self.end(id).next_event()
    }

    /// The router, to look at it.
    pub const fn router(&self) -> &Router {
        &self.router
    }

    /// Gives a command to the router.
    pub fn with_router<T>(&mut self, command: impl FnOnce(&mut Router, Timestamp) -> T) -> T {
        command(&mut self.router, self.now)
    }

    /// The events of the router since the last call.
    pub fn router_events(&mut self) -> Vec<RouterEvent> {
        self.router_events.extend(std::iter::from_fn(|| self.router.poll_event()));
        std::mem::take(&mut self.router_events)
    }

    /// The router's name for a client, from its transport handshake to the end of its transport.
    pub fn peer(&self, id: ClientId) -> Option<PeerId> {
        self.slots[id.0].end.port.peer()
    }

    /// The wire from a client to the router.
    pub fn up(&mut self, id: ClientId) -> &mut Wire {
        &mut self.slots[id.0].line.up.wire
    }

    /// The wire from the router to a client.
    pub fn down(&mut self, id: ClientId) -> &mut Wire {
        &mut self.slots[id.0].line.down.wire
    }

    /// Stops everything between a client and the router.
    pub fn stall(&mut self, id: ClientId) {
        self.up(id).stall();
        self.down(id).stall();
    }

    /// Ends [`stall`](Self::stall).
    pub fn resume(&mut self, id: ClientId) {
        self.up(id).resume();
        self.down(id).resume();
    }

    /// Pulls the cable: nothing arrives any more, in either direction, and nobody is told.
    pub fn black_hole(&mut self, id: ClientId) {
        self.up(id).black_hole();
        self.down(id).black_hole();
    }

    /// Breaks a client's stream in both directions; both sides notice at once.
    pub fn kill(&mut self, id: ClientId) {
        let Slot { side, line, end } = &mut self.slots[id.0];
        line.reset(self.now, side.end_mut(), end);
    }

    /// Whether both ends of a client's line have ended.
    pub fn is_over(&self, id: ClientId) -> bool {
        let Slot { side, end, .. } = &self.slots[id.0];
        side.end().is_finished() && end.is_finished()
    }

    /// Records from now on what is written on every line.
    pub fn record(&mut self) {
        self.transcript.get_or_insert_default();
    }

    /// What was recorded.
    pub fn transcript(&self) -> Transcript {
        self.transcript.clone().unwrap_or_default()
    }

    /// Does what can be done now; when there is nothing, moves the clock to the next arrival or time-out
    /// and does what is due then. Says whether there was anything.
    #[track_caller]
    pub fn step(&mut self) -> bool {
        self.settle() || self.next().is_some_and(|at| self.go_to(at))
    }

    /// Steps until nothing is under way. Deadlines on the way are met, those after it are not waited for.
    ///
    /// # Panics
    /// When that takes more than a million steps.
    #[track_caller]
    pub fn drive(&mut self) {
        assert!(self.drive_bounded(DRIVE_STEPS), "bytes are under way after {DRIVE_STEPS} steps");
    }

    /// Steps until nothing is under way, at most `steps` times. Says whether it got there.
    #[track_caller]
    pub fn drive_bounded(&mut self, steps: usize) -> bool {
        self.settle();
        for _ in 0..steps {
            if self.next_read().is_none() {
                return true;
            }
            self.step();
        }
        false
    }

    /// Lets time pass, with everything that happens meanwhile.
    #[track_caller]
    pub fn advance(&mut self, span: Duration) {
        let until = self.now + span;
        self.settle();
        while let Some(at) = self.next().filter(|at| *at <= until) {
            self.go_to(at);
        }
        self.go_to(until);
    }

    #[track_caller]
    fn go_to(&mut self, at: Timestamp) -> bool {
        self.now = self.now.max(at);
        self.settle()
    }

    /// When bytes arrive next.
    fn next_read(&self) -> Option<Timestamp> {
        let reads = self.slots.iter().map(|slot| slot.line.next_read(slot.side.end(), &slot.end));
        reads.fold(None, earlier)
    }

    /// When anything happens next.
    fn next(&self) -> Option<Timestamp> {
        let ends =
            self.slots.iter().map(|slot| earlier(slot.side.end().poll_timeout(), slot.end.poll_timeout()));
        earlier(self.next_read(), ends.fold(self.router.poll_timeout(), earlier))
    }

    /// Does everything that can be done now.
    #[track_caller]
    fn settle(&mut self) -> bool {
        let (mut circles, mut any) = (Circles::default(), false);
        while circles.go_on(self.round()) {
            any = true;
        }
        any
    }
}

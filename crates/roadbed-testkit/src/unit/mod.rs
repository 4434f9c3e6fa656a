//! For tests of applications: a router to call through, in a few lines.

mod client;
mod subscription;

use std::cell::{RefCell, RefMut};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use roadbed_core::connection::Endpoint;
use roadbed_core::error::{CloseReason, WampError};
use roadbed_core::id::{RegisterId, SubscribeId};
use roadbed_core::options::YieldOptions;
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::session::{ClientConfig, SessionEvent};
use roadbed_core::uri::Uri;
use roadbed_router::{Authentication, RouterConfig};

pub use self::client::TestClient;
pub use self::subscription::TestSubscription;
use crate::world::{ClientId, World};

/// Fake time after which an answer that does not come is given up.
const PATIENCE: Duration = Duration::from_secs(3600);

/// A router in memory, for unit tests of what is built on WAMP: no sockets, no threads, no waiting.
///
/// ```
/// use roadbed_testkit::TestRouter;
///
/// let router = TestRouter::new("realm1");
/// let (alice, bob) = (router.join(), router.join());
/// alice.register_fn("com.example.add", |(a, b): (i64, i64)| Ok(a + b));
/// let sum: i64 = bob.call("com.example.add", &(2, 3))?;
/// assert_eq!(sum, 5);
///
/// let ticks = alice.subscribe("com.example.tick");
/// bob.publish("com.example.tick", &("tick", 1));
/// assert_eq!(ticks.received::<(String, i64)>(), [("tick".to_owned(), 1)]);
/// # Ok::<(), roadbed_core::error::RequestError>(())
/// ```
///
/// Methods wait, in fake time, until their answer is there. What only a test's mistake can cause is a
/// panic: a procedure name that is no URI, a command of a client that has left.
#[derive(Clone)]
pub struct TestRouter {
    shared: Rc<Shared>,
    realm: Uri,
}

type Handler = Rc<dyn Fn(&Payload, Serializer) -> Result<Payload, WampError>>;

/// The world, and what the clients' applications have to remember.
struct Shared {
    world: RefCell<World>,
    desks: RefCell<BTreeMap<ClientId, Desk>>,
}

/// What one client's application remembers.
#[derive(Default)]
struct Desk {
    procedures: BTreeMap<RegisterId, Handler>,
    subscriptions: BTreeMap<SubscribeId, VecDeque<Payload>>,
    /// Events that somebody waits for.
    answers: Vec<SessionEvent>,
    closed: Option<CloseReason>,
}

impl TestRouter {
    /// A router with one realm that lets everybody in.
    ///
    /// # Panics
    /// When `realm` is no URI.
    pub fn new(realm: &str) -> Self {
        let realm = uri(realm);
        let config = RouterConfig::new().realm(realm.clone(), Authentication::new().anonymous("anonymous"));
        Self::with(config, realm.as_str())
    }

    /// A router of any configuration; clients join `realm` unless they say otherwise.
    ///
    /// # Panics
    /// When the configuration is wrong, or `realm` no URI.
    pub fn with(config: RouterConfig, realm: &str) -> Self {
        let shared = Shared { world: RefCell::new(World::new(config)), desks: RefCell::default() };
        Self { shared: Rc::new(shared), realm: uri(realm) }
    }

    /// Joins a client that speaks CBOR.
    ///
    /// # Panics
    /// When it is not let in.
    #[track_caller]
    pub fn join(&self) -> TestClient {
        match self.join_with(self.client_config(), Serializer::Cbor) {
            Ok(client) => client,
            Err(reason) => panic!("the client is not let in: {reason}"),
        }
    }

    /// What a client needs to join the realm; add what a test is about.
    pub fn client_config(&self) -> ClientConfig {
        ClientConfig::new(self.realm.clone())
    }

    /// Joins a client of this configuration. A serializer alone stands for RawSocket; a
    /// [`Carrier`](crate::Carrier) has the endpoints of all transports.
    ///
    /// # Errors
    /// Why it was not let in.
    ///
    /// # Panics
    /// When the configuration is wrong.
    #[track_caller]
    pub fn join_with(
        &self,
        config: ClientConfig,
        endpoint: impl Into<Endpoint>,
    ) -> Result<TestClient, CloseReason> {
        let config = config.build().expect("the client's configuration is right");
        let id = self.shared.world.borrow_mut().connect(config, endpoint);
        self.shared.desks.borrow_mut().insert(id, Desk::default());
        let client = TestClient::new(Rc::clone(&self.shared), id);
        let outcome = self.shared.wait(id, |event| match event {
            SessionEvent::Joined { .. } => Some(Ok(())),
            SessionEvent::Closed { reason, .. } => Some(Err(reason.clone())),
            _ => None,
        });
        outcome.map(|()| client)
    }

    /// Lets time pass, with everything that happens meanwhile.
    pub fn advance(&self, span: Duration) {
        let until = self.world().now() + span;
        loop {
            self.shared.settle();
            let mut world = self.world();
            let left = until.saturating_since(world.now());
            if left.is_zero() {
                return;
            }
            world.advance(left.min(Duration::from_secs(1)));
        }
    }

    /// The world underneath, for network conditions, the router's counters, and everything else. Let go of
    /// it before the next call to a client.
    pub fn world(&self) -> RefMut<'_, World> {
        self.shared.world.borrow_mut()
    }
}

impl Shared {
    /// Moves bytes and runs handlers until neither is left.
    fn settle(&self) {
        loop {
            self.world.borrow_mut().drive();
            let ids: Vec<ClientId> = self.desks.borrow().keys().copied().collect();
            let mut any = false;
            for id in ids {
                // One by one: a handler may wait for other events of the same client.
                loop {
                    let event = self.world.borrow_mut().next_event(id);
                    let Some(event) = event else { break };
                    any = true;
                    self.dispatch(id, event);
                }
            }
            if !any {
                return;
            }
        }
    }

    /// Waits for the event that `pick` picks.
    #[track_caller]
    fn wait<T>(&self, id: ClientId, mut pick: impl FnMut(&SessionEvent) -> Option<T>) -> T {
        let until = self.world.borrow().now() + PATIENCE;
        loop {
            self.settle();
            let mut desks = self.desks.borrow_mut();
            let answers = &mut desks.entry(id).or_default().answers;
            if let Some(index) = answers.iter().position(|event| pick(event).is_some()) {
                let answer = answers.remove(index);
                if let Some(picked) = pick(&answer) {
                    return picked;
                }
            }
            drop(desks);
            let mut world = self.world.borrow_mut();
            assert!(world.step() && world.now() < until, "no answer comes: nobody has anything left to do");
        }
    }

    fn dispatch(&self, id: ClientId, event: SessionEvent) {
        if let Some((procedure, serializer)) = self.procedure(id, &event) {
            let SessionEvent::Invocation { invocation, payload, .. } = event else { return };
            // Nothing is borrowed while it runs: it may call, too.
            let result = procedure(&payload, serializer);
            // The invocation may have been canceled meanwhile, and the session may have ended.
            let _ = self.world.borrow_mut().with(id, |connection, now| match result {
                Ok(result) => connection.yield_result(now, invocation, result, &YieldOptions::new()),
                Err(error) => connection.invocation_error(now, invocation, error),
            });
            return;
        }
        let mut desks = self.desks.borrow_mut();
        let desk = desks.entry(id).or_default();
        match event {
            SessionEvent::Event { subscription, payload, .. } => {
                for handler in self.world.borrow_mut().client(id).session().handlers(subscription) {
                    desk.subscriptions.entry(*handler).or_default().push_back(payload.clone());
                }
            }
            event => {
                if let SessionEvent::Closed { reason, .. } = &event {
                    desk.closed = Some(reason.clone());
                }
                desk.answers.push(event);
            }
        }
    }

    /// The function that answers this event, if it is an invocation of one.
    fn procedure(&self, id: ClientId, event: &SessionEvent) -> Option<(Handler, Serializer)> {
        let SessionEvent::Invocation { handler, .. } = event else { return None };
        let procedure = self.desks.borrow().get(&id)?.procedures.get(handler).cloned()?;
        Some((procedure, self.world.borrow_mut().client(id).serializer()?))
    }
}

#[track_caller]
fn uri(text: &str) -> Uri {
    match Uri::new(text) {
        Ok(uri) => uri,
        Err(error) => panic!("{text:?} is no URI: {error}"),
    }
}

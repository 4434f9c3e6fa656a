//! What the tests of this crate share: a router with sessions under simulated time, over a wire that can be
//! tampered with.

pub(crate) mod owner;
pub(crate) mod tls;
pub(crate) mod wire;

pub(crate) use crate::sim;

use std::time::Duration;

use roadbed_core::limits::Limits;
use roadbed_core::serializer::Serializer;
use roadbed_core::transport::TransportDetails;
use roadbed_core::uri::Uri;

use self::sim::Sim;
use self::wire::Wire;
use crate::client::{Session, Settings, open};
use crate::server::{Authentication, Builder, RouterConfig, RouterHandle};

/// A router, and the runtime that it lives in.
pub(crate) struct World {
    pub(crate) sim: Sim,
    pub(crate) router: RouterHandle,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default(), |builder| builder)
    }

    pub(crate) fn with(limits: Limits, set_up: impl FnOnce(Builder) -> Builder) -> Self {
        Self::build(Sim::default(), limits, set_up)
    }

    /// One more router in the same runtime.
    pub(crate) fn on(sim: Sim) -> Self {
        Self::build(sim, Limits::default(), |builder| builder)
    }

    pub(crate) fn build(sim: Sim, limits: Limits, set_up: impl FnOnce(Builder) -> Builder) -> Self {
        let realm = Uri::new("realm1").unwrap();
        let guests = Authentication::new().anonymous("guest");
        let config = RouterConfig::new().realm(realm, guests).limits(limits);
        let router = set_up(RouterHandle::builder(config)).start(sim.runtime()).unwrap();
        Self { sim, router }
    }

    pub(crate) fn join(&self, settings: &Settings) -> Session {
        self.sim.block_on(self.router.attach_local(settings).unwrap()).unwrap()
    }

    /// A session that anybody may look into.
    pub(crate) fn session(&self) -> Session {
        self.join(&settings())
    }

    /// A session over a wire that can be tampered with.
    pub(crate) fn session_over_wire(&self) -> (Session, Wire) {
        let (here, there) = crate::memory::pipe(64 << 10);
        let (wire, stream) = Wire::around(here);
        let details = TransportDetails::local();
        let runtime = self.sim.runtime();
        let (joining, driver) =
            open(&settings(), self.sim.runtime(), Serializer::Cbor, details.clone()).unwrap();
        runtime.spawn(Box::pin(self.router.accept(there, details)));
        runtime.spawn(Box::pin(driver.run(stream)));
        (self.sim.block_on(joining).unwrap(), wire)
    }

    /// Nothing of anybody is left.
    #[track_caller]
    pub(crate) fn assert_empty(&self) {
        self.sim.pass(Duration::from_secs(30));
        assert_eq!(self.router.connections(), 0);
        assert_eq!(self.sim.tasks(), 0);
        let stats = self.router.stats();
        assert_eq!((stats.peers, stats.sessions, stats.calls, stats.timers), (0, 0, 0, 0));
    }
}

pub(crate) fn settings() -> Settings {
    Settings::new("realm1")
}

//! Sessions over an embedded router, under simulated time.

mod basics;
mod dropping;
mod ending;
mod hooks;
mod queues;
mod wire;

use roadbed_core::serializer::Serializer;
use roadbed_core::uri::Uri;

use self::wire::Wire;
use super::{Invocation, Session, Settings};
use crate::server::{Authentication, RouterConfig, RouterHandle};
use crate::sim::Sim;

/// A router, and the runtime that it lives in.
struct World {
    sim: Sim,
    router: RouterHandle,
}

impl World {
    fn new() -> Self {
        let sim = Sim::default();
        let realm = Uri::new("realm1").unwrap();
        let config = RouterConfig::new().realm(realm, Authentication::new().anonymous("guest"));
        let router = RouterHandle::new(config, sim.runtime()).unwrap();
        Self { sim, router }
    }

    fn join(&self, settings: &Settings) -> Session {
        self.sim.block_on(self.router.attach_local(settings).unwrap()).unwrap()
    }

    /// A session that anybody may look into.
    fn session(&self) -> Session {
        self.join(&settings())
    }

    /// A session over a wire that can be tampered with.
    fn session_over_wire(&self) -> (Session, Wire) {
        let (here, there) = crate::memory::pipe(64 << 10);
        let (wire, stream) = Wire::around(here);
        let details = roadbed_core::transport::TransportDetails::local();
        let runtime = self.sim.runtime();
        let (joining, driver) =
            super::open(&settings(), self.sim.runtime(), Serializer::Cbor, details.clone()).unwrap();
        runtime.spawn(Box::pin(self.router.accept(there, details)));
        runtime.spawn(Box::pin(driver.run(stream)));
        (self.sim.block_on(joining).unwrap(), wire)
    }

    /// Nothing of anybody is left.
    #[track_caller]
    fn assert_empty(&self) {
        self.sim.pass(std::time::Duration::from_secs(30));
        assert_eq!(self.router.connections(), 0);
        assert_eq!(self.sim.tasks(), 0);
        let stats = self.router.stats();
        assert_eq!((stats.peers, stats.sessions, stats.calls, stats.timers), (0, 0, 0, 0));
    }
}

fn settings() -> Settings {
    Settings::new("realm1")
}

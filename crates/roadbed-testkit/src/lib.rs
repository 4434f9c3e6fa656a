//! Tests without sockets: a WAMP router, its clients and the network between them, in memory and under fake
//! time. No thread is started, no clock is read, no test waits, and equal seeds give equal bytes.
//!
//! # Testing an application
//!
//! [`TestRouter`] lets clients join, register, call, subscribe and publish, each in a line. Handlers are
//! plain functions. Here a service is tested together with the trouble it may meet:
//!
//! ```
//! use std::time::Duration;
//! use roadbed_core::error::RequestError;
//! use roadbed_testkit::{Conditions, TestRouter};
//!
//! let router = TestRouter::new("realm1");
//! let (service, user) = (router.join(), router.join());
//! service.register_fn("com.example.greet", |(name,): (String,)| Ok(format!("Hello, {name}!")));
//! assert_eq!(user.call::<String>("com.example.greet", &("Ada",)).unwrap(), "Hello, Ada!");
//!
//! // Whoever joins now does so over a slow network.
//! router.world().set_conditions(Conditions::new().latency(Duration::from_millis(300)));
//! let far = router.join();
//! assert_eq!(far.call::<String>("com.example.greet", &("Bob",)).unwrap(), "Hello, Bob!");
//!
//! // The service vanishes.
//! service.vanish();
//! let Err(RequestError::Wamp(error)) = user.call::<String>("com.example.greet", &("Eve",)) else { panic!() };
//! assert_eq!(error.uri.as_str(), "wamp.error.no_such_procedure");
//! ```
//!
//! # Testing what speaks WAMP
//!
//! * [`World`]: a router and any number of clients, with a hand on every wire: delays, cuts, stalls, pulled
//!   cables.
//! * [`Pair`]: a client connection and what plays its router, or the other way round.
//! * [`Carrier`]: the transports, for tests that run over each of them.
//! * [`Script`]: a peer of either side that sends what it is told, right or wrong.
//! * [`Wire`] and [`End`]: the parts of which these are made, for protocols of your own.
//! * [`Chunking`] and [`assert_same_under_chunking`]: what arrives in how many pieces must not matter.
//! * [`Transcript`]: two runs, compared byte by byte.
#![forbid(unsafe_code)]

mod carrier;
mod chunks;
mod end;
mod line;
mod pair;
mod rng;
mod script;
mod transcript;
mod unit;
mod wire;
mod world;

pub use carrier::{Carrier, every_carrier};
pub use chunks::{Chunking, assert_same_under_chunking};
pub use end::{Client, End, LinkEnd};
pub use pair::{Pair, client, link};
pub use rng::Rng;
pub use script::Script;
pub use transcript::Transcript;
pub use unit::{TestClient, TestRouter, TestSubscription};
pub use wire::{Conditions, Pieces, Read, Wire};
pub use world::{ClientId, World};

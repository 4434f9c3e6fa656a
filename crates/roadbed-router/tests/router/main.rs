//! What a router does, seen from its peers.

mod attempts;
mod authorizing;
mod calls;
mod canceling;
mod chaos;
mod deciding;
mod determinism;
mod errors;
mod joining;
mod leaving;
mod limits;
mod model;
mod net;
mod parking;
mod payloads;
mod publishing;
mod pubsub;
mod queues;
mod shards;
mod shutdown;
mod tickets;
mod upgrades;
mod uris;
mod verdicts;
mod violations;

//! WAMP v2 clients and routers for any runtime.
#![forbid(unsafe_code)]

pub mod blocking;
pub mod client;
pub mod drive;
mod error;
mod guard;
pub mod memory;
mod park;
mod payload;
pub mod runtime;
#[cfg(feature = "router")]
pub mod server;
#[cfg(test)]
mod sim;
pub mod url;

mod sync {
    pub(crate) use std::sync::Mutex;
}

pub use error::{Error, Veto};
pub use payload::{IntoPayload, IntoReply, Reply};
pub use roadbed_core as core;

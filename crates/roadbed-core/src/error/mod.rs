//! Errors, sorted by whose they are: a [`ProtocolViolation`] is the peer's fault, a [`CommandError`] the
//! caller's, a [`PayloadError`] the data's, a [`ConfigError`] the configuration's; a [`RequestError`] is how a request
//! can end, a [`CloseReason`] how a session can.

mod close;
mod command;
mod config;
mod payload;
mod said;
pub mod uris;
mod violation;
mod wamp;

pub use close::{CloseReason, Deadline};
pub use command::{CommandError, RequestError};
pub use config::ConfigError;
pub use payload::PayloadError;
pub use violation::{ProtocolViolation, ViolationKind};
pub use wamp::WampError;

//! Errors: what a peer did wrong, what a command may not do, what a payload does not hold.

mod payload;
pub mod uris;

pub use payload::PayloadError;

//! Errors: what a peer did wrong, what a command may not do, what a payload does not hold.

pub mod uris;

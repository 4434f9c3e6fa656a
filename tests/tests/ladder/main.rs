//! Messages of every size, over every transport, in every serializer and both directions: up to the limit they
//! arrive as they were sent; over it the sender is told, and the session lives; who gets one anyway closes.
//!
//! `cargo test -p roadbed-tests --test ladder -- --nocapture` prints the tables.

mod anyway;
mod refused;
mod steps;
mod tls;

//! The reference loops: what it takes to drive Roadbed over the standard library's blocking sockets.
//!
//! [`client_loop`] drives a [`Connection`](roadbed_core::connection::Connection), [`router_loop`] serves a
//! [`Router`](roadbed_router::Router). Both are meant to be read, and to be written anew for the event loop
//! you have; docs/embedding.md goes through them line by line. [`secure_loop`] is the client's with TLS in
//! between. [`own_loop`] runs sessions and a router with
//! their handles instead, all in one thread that never waits for a socket.

pub mod client_loop;
pub mod clock;
pub mod own_loop;
pub mod router_loop;
pub mod secure_loop;
pub mod stream;

/// The code in the README compiles.
#[doc = include_str!("../../README.md")]
#[cfg(doctest)]
pub struct Readme;

/// The code in docs/embedding.md compiles.
#[doc = include_str!("../../docs/embedding.md")]
#[cfg(doctest)]
pub struct Embedding;

/// The code in docs/security.md compiles.
#[doc = include_str!("../../docs/security.md")]
#[cfg(doctest)]
pub struct Security;

/// The code in docs/custom-transport.md compiles.
#[doc = include_str!("../../docs/custom-transport.md")]
#[cfg(doctest)]
pub struct CustomTransport;

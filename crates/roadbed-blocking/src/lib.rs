//! Roadbed without a runtime: WAMP clients and embedded routers over the standard library's sockets, with
//! two threads a connection.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let session = roadbed_blocking::connect("rs://127.0.0.1:8080").realm("realm1").wait()?;
//! let sum: i64 = session.call("com.example.add", (2, 3)).returning().wait()?;
//! println!("2 + 3 = {sum}");
//!
//! let mut ticks = session.subscribe("com.example.tick").wait()?;
//! session.publish("com.example.tick", (1,)).exclude_me(false).acknowledge().wait()?;
//! if let Some(Ok(event)) = ticks.wait().next() {
//!     println!("tick {}", event.get::<i64>()?);
//! }
//! session.leave().wait()?;
//! # Ok(()) }
//! ```
//!
//! What a session can be asked for is in [`roadbed::client`]; it is the same on every runtime, and here every
//! request ends in `wait()`. This crate only opens sockets; [`roadbed::blocking`] drives them.
//!
//! # Threads
//!
//! One thread of a connection reads, the other one writes and runs the timers; both sleep while there is
//! nothing to do. While a peer takes nothing of what is written, a third one keeps the time. Invocations of
//! handlers run in further threads, none of which waits for another one: so handlers may block, and may
//! `wait()` for calls of their own. These threads are used again, and end after a second without work.
#![forbid(unsafe_code)]

mod connect;
#[cfg(feature = "router")]
mod serve;
mod stream;

pub use connect::{Sockets, client, connect, threads};
pub use roadbed;
#[cfg(feature = "router")]
pub use serve::{Listener, Serving, serve};
pub use stream::Stream;

/// The code in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

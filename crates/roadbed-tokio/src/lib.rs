//! Roadbed on tokio: WAMP clients and embedded routers over WebSocket and RawSocket,
//! on TCP, TLS (feature `tls`) and Unix sockets.
//!
//! ```no_run
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let session = roadbed_tokio::connect("rs://127.0.0.1:8080").realm("realm1").await?;
//! let sum: i64 = session.call("com.example.add", (2, 3)).returning().await?;
//! println!("2 + 3 = {sum}");
//!
//! let mut ticks = session.subscribe("com.example.tick").await?;
//! session.publish("com.example.tick", (1,)).exclude_me(false).acknowledge().await?;
//! if let Some(Ok(event)) = ticks.next().await {
//!     println!("tick {}", event.get::<i64>()?);
//! }
//! session.leave().await?;
//! # Ok(()) }
//! ```
//!
//! What a session can be asked for is in [`roadbed::client`]; it is the same on every runtime. This crate
//! only opens sockets, moves their bytes, and keeps time.
//!
//! Every connection is one task. The runtime needs its I/O and time drivers
//! ([`enable_all`](tokio::runtime::Builder::enable_all)); one thread is enough.
#![forbid(unsafe_code)]

mod connect;
mod runtime;
#[cfg(feature = "router")]
mod serve;
mod stream;

pub use connect::{Sockets, client, connect};
pub use roadbed;
pub use runtime::Tokio;
#[cfg(feature = "router")]
pub use serve::{Listener, Serving, serve};
pub use stream::Stream;

/// The code in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

//! Roadbed on smol and async-std: WAMP clients and embedded routers over WebSocket and RawSocket,
//! on TCP, TLS (feature `tls`) and Unix sockets.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> { async_io::block_on(async {
//! let session = roadbed_async_std::connect("rs://127.0.0.1:8080").realm("realm1").await?;
//! let sum: i64 = session.call("com.example.add", (2, 3)).returning().await?;
//! println!("2 + 3 = {sum}");
//!
//! let mut ticks = session.subscribe("com.example.tick").await?;
//! session.publish("com.example.tick", (1,)).exclude_me(false).acknowledge().await?;
//! if let Some(Ok(event)) = ticks.next().await {
//!     println!("tick {}", event.get::<i64>()?);
//! }
//! session.leave().await?;
//! # Ok(()) }) }
//! ```
//!
//! What a session can be asked for is in [`roadbed::client`]; it is the same on every runtime. This crate
//! only opens sockets, moves their bytes, and keeps time.
//!
//! # Which executor
//!
//! Sockets and timers are those of `async-io`, which smol and async-std share. Only where tasks run makes a
//! difference: with the feature `async-std`, on by default, in async-std's executor; with the feature `smol`
//! and without `async-std` in smol's; with neither where you say, see [`AsyncIo::new`]. async-std is
//! discontinued: new programs are better off with smol.
//!
//! # Waiting in threads
//!
//! Every request also has a `wait()`, for threads that run no tasks. These executors do not say whether a thread runs a
//! task of theirs, so a `wait()` in a task is not found out, as it is on tokio: it blocks a thread of the executor, and
//! for ever if that is the one that would drive the connection. In a task use `.await`.
#![forbid(unsafe_code)]

mod connect;
mod runtime;
#[cfg(feature = "router")]
mod serve;
mod stream;

pub use connect::{Sockets, client_on, connect_on};
#[cfg(any(feature = "async-std", feature = "smol"))]
pub use connect::{client, connect};
pub use roadbed;
pub use runtime::AsyncIo;
#[cfg(all(feature = "router", any(feature = "async-std", feature = "smol")))]
pub use serve::serve;
#[cfg(feature = "router")]
pub use serve::{Listener, Serving, serve_on};
pub use stream::Stream;

/// The code in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

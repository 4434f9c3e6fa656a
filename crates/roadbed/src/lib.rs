//! WAMP v2 clients and routers for any runtime.
//!
//! The protocol itself is in `roadbed-core` and `roadbed-router`, state machines without I/O. This crate puts
//! handles on them that are pleasant to use (sessions, calls, subscriptions, registrations, an embedded
//! router), and drivers that move their bytes. It opens no sockets and knows no runtime; that is what the
//! adapters add, and there is little of it:
//!
//! | adapter | runtime |
//! |---|---|
//! | `roadbed-tokio` | tokio |
//! | `roadbed-async-std` | async-std and smol, over `futures-io` and `async-io` |
//! | `roadbed-blocking` | none: the standard library's sockets and threads |
//!
//! # A session
//!
//! ```
//! use roadbed::client::{Invocation, Session};
//!
//! // `session` comes from an adapter: `roadbed_tokio::connect("rs://127.0.0.1:8080").realm("realm1").await?`
//! async fn example(session: Session) -> Result<(), Box<dyn std::error::Error>> {
//!     let add = session
//!         .register("com.example.add", |inv: Invocation| async move {
//!             let (a, b) = inv.args::<(i64, i64)>()?;
//!             Ok(a + b)
//!         })
//!         .await?;
//!     let sum: i64 = session.call("com.example.add", (2, 3)).returning().await?;
//!
//!     let mut ticks = session.subscribe("com.example.tick").await?;
//!     session.publish("com.example.tick", (sum,)).exclude_me(false).acknowledge().await?;
//!     if let Some(Ok(event)) = ticks.next().await {
//!         println!("tick {}", event.get::<i64>()?);
//!     }
//!     add.unregister().await?;
//!     session.leave().await?;
//!     Ok(())
//! }
//! ```
//!
//! Every request can be awaited, or, in a thread that may wait, ended with `.wait()`; streams have a `wait()`
//! that makes them iterators. Where a blocking adapter drives the connection, that is the way to use it:
//!
//! ```
//! # use roadbed::client::Session;
//! fn example(session: &Session) -> Result<i64, roadbed::Error> {
//!     session.call("com.example.add", (2, 3)).returning().wait()
//! }
//! ```
//!
//! In a task of the runtime that drives the connection, a wait would keep what it waits for from coming. On tokio it
//! fails at once there: with [`Error::WaitInTask`], and where the result has no place for an error, as with those
//! iterators and with `RouterHandle::shutdown`, with a panic. The executors of async-std and smol do not say whether a
//! thread runs a task of theirs: there such a wait blocks the thread, perhaps for ever, so do not wait in a task at all.
//!
//! # A client that stays
//!
//! A [`Client`](client::Client) is for longer than one session. It connects anew when that is lost, as its
//! [`RetryPolicy`](client::RetryPolicy) says, and asks every session for the subscriptions and registrations that were
//! declared. It is set up as a session is, by `client` in place of `connect`, and started.
//!
//! A future of this crate that has given its result stays pending if it is polled again, and wakes nobody;
//! none of them panics. (Those of `async fn`s, such as [`Session::closed`](client::Session::closed), are the
//! compiler's, and do.)
//!
//! # What is dropped is given up
//!
//! | dropped | what happens |
//! |---|---|
//! | a request that was not awaited | nothing was sent |
//! | the future of a call | CANCEL `killnowait`; where the dealer cannot cancel, its result is ignored |
//! | the future of a subscription or registration | it is taken back as soon as it is granted |
//! | a [`Subscription`](client::Subscription) | it unsubscribes, unless it was detached |
//! | a [`Registration`](client::Registration) | it unregisters, unless it was detached |
//! | an [`Invocation`](client::Invocation) from a queue | its caller is told `wamp.error.canceled` |
//! | the last [`Session`](client::Session) | GOODBYE |
//! | the last [`Client`](client::Client) | GOODBYE, if there is a session; it does not connect any more |
//! | what a client [subscribed](client::ClientSubscription) or [registered](client::ClientRegistration) | it is taken back, in this session and all that follow |
//! | a driver | the connection is lost; everybody who waits gets an error |
//!
//! # Bounds
//!
//! A driver never stops reading for one slow consumer. A subscription holds 1,024 events or 1 MiB; then the
//! oldest are dropped, and [`Lagged`](client::Lagged) says how many. A registration holds 1,024 invocations;
//! then callers are told `wamp.error.unavailable`. Requests wait while more than 1 MiB of output does, and
//! calls end after 60 s, this wait included. Of those that wait for a client's next session there are 1,024 with
//! 1 MiB at most, where they may wait at all. All of it can be set; see [`Settings`](client::Settings).
//!
//! # Writing an adapter
//!
//! 1. Implement [`Runtime`](runtime::Runtime): a clock, a timer, a way to spawn, randomness.
//! 2. Implement [`ByteStream`](runtime::ByteStream) for the runtime's sockets.
//! 3. Implement [`Connector`](client::Connector), and give its [`Connect`](client::Connect) to the users.
//! 4. Accept, and spawn what `server::RouterHandle::accept` returns (feature `router`).
//!
//! For transports that are there already, [`client::open`] is enough. For an event loop of your own, see
//! [`drive::Drive`]; for threads, [`blocking`].
#![forbid(unsafe_code)]

pub mod blocking;
pub mod client;
pub mod drive;
pub mod error;
mod fuse;
mod guard;
pub mod memory;
mod park;
mod payload;
mod pool;
pub mod runtime;
#[cfg(feature = "router")]
pub mod server;
#[cfg(any(test, feature = "sim"))]
#[doc(hidden)]
pub mod sim;
#[cfg(test)]
mod testing;
pub mod url;

/// The mutex under [`guard`], which the model checker replaces.
mod sync {
    pub(crate) use std::sync::Mutex;
}

pub use error::{Disconnected, Error, Veto};
pub use payload::{AsItIs, IntoPayload, IntoReply, Reply, ViaSerde};
pub use roadbed_core as core;
#[cfg(feature = "tls")]
pub use roadbed_tls as tls;

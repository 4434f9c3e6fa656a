//! WAMP v2 without the I/O: the client's protocol engine, and everything a router shares with it.
//!
//! WAMP (the [Web Application Messaging Protocol](https://wamp-proto.org)) is remote procedure calls and
//! publish/subscribe through a router. This crate holds the protocol as pure state machines: bytes and time
//! go in, bytes and events come out. There is no socket, clock, thread or randomness in it, so it runs in
//! any event loop, and the same inputs always give the same outputs.
//!
//! # The loop
//!
//! A [`Connection`](connection::Connection) is what a client drives: transport, serializer and session in
//! one. Every driver, whatever runtime it is for, is this loop:
//!
//! ```
//! use std::io::{Read, Write};
//!
//! use bytes::BytesMut;
//! use roadbed_core::connection::Connection;
//! use roadbed_core::session::SessionEvent;
//! use roadbed_core::time::Timestamp;
//!
//! /// Moves bytes and time until something happens; `None` after the last event.
//! fn next_event(
//!     connection: &mut Connection,
//!     socket: &mut (impl Read + Write),
//!     input: &mut BytesMut,
//!     clock: impl Fn() -> Timestamp,
//! ) -> std::io::Result<Option<SessionEvent>> {
//!     loop {
//!         // What is due, and what is left in the buffer. Both do nothing when there is nothing.
//!         connection.handle_timeout(clock());
//!         connection.handle_input(clock(), input);
//!
//!         // What the core has for the outside: bytes first, so that nobody waits for them.
//!         while let Some(bytes) = connection.poll_transmit() {
//!             socket.write_all(&bytes)?;
//!         }
//!         if let Some(event) = connection.poll_event() {
//!             return Ok(Some(event));
//!         }
//!         if !connection.wants_input() && connection.poll_timeout().is_none() {
//!             return Ok(None);
//!         }
//!
//!         // What the outside has for the core. A real driver waits here no longer than `poll_timeout`.
//!         let filled = input.len();
//!         input.resize(filled + connection.input_hint(), 0);
//!         let count = socket.read(&mut input[filled..])?;
//!         input.truncate(filled + count);
//!         if count == 0 {
//!             connection.handle_eof(clock());
//!         }
//!     }
//! }
//!
//! # // A router that fits into memory: it lets everybody in, and adds up what it is asked to.
//! # use roadbed_core::{id::SessionId, link::{Link, LinkConfig, LinkEvent}, message::*, role::*};
//! # struct Socket { link: Link, unread: BytesMut, now: Timestamp }
//! # impl Socket {
//! #     fn connect() -> Self {
//! #         let now = Timestamp::ZERO;
//! #         Self { link: Link::server(&LinkConfig::default(), now), unread: BytesMut::new(), now }
//! #     }
//! #     fn answer(&mut self, message: Message) {
//! #         let serializer = self.link.serializer().unwrap();
//! #         let mut out = BytesMut::new();
//! #         let encoded = serializer.encode_chunks(&message, &mut out).unwrap();
//! #         self.link.send(self.now, &encoded).unwrap();
//! #     }
//! # }
//! # impl Write for Socket {
//! #     fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
//! #         self.unread.extend_from_slice(bytes);
//! #         self.link.handle_input(self.now, &mut self.unread);
//! #         while let Some(event) = self.link.poll_event() {
//! #             match event {
//! #                 LinkEvent::Message(Message::Hello(_)) => {
//! #                     let mut details = WelcomeDetails::new();
//! #                     details.roles = Some(Roles::NONE.with(Role::Dealer, &[]));
//! #                     let session = SessionId::new(4711).unwrap();
//! #                     self.answer(Welcome { session, details: details.into() }.into());
//! #                 }
//! #                 LinkEvent::Message(Message::Call(call)) => {
//! #                     let (a, b) = call.payload.args::<(i64, i64)>().unwrap();
//! #                     let payload = Payload::from_args(Serializer::Json, &(a + b,)).unwrap();
//! #                     let details = Default::default();
//! #                     self.answer(CallResult { request: call.request, details, payload }.into());
//! #                 }
//! #                 LinkEvent::Message(Message::Goodbye(_)) => {
//! #                     let reason = roadbed_core::error::uris::GOODBYE_AND_OUT.clone();
//! #                     self.answer(Goodbye { details: Default::default(), reason }.into());
//! #                 }
//! #                 _ => {}
//! #             }
//! #         }
//! #         Ok(bytes.len())
//! #     }
//! #     fn flush(&mut self) -> std::io::Result<()> { Ok(()) }
//! # }
//! # impl Read for Socket {
//! #     fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
//! #         let Some(bytes) = self.link.poll_transmit() else { return Ok(0) };
//! #         room[..bytes.len()].copy_from_slice(&bytes);
//! #         Ok(bytes.len())
//! #     }
//! # }
//! // And this is an application on top of it.
//! use roadbed_core::connection::Endpoint;
//! use roadbed_core::options::CallOptions;
//! use roadbed_core::payload::Payload;
//! use roadbed_core::serializer::Serializer;
//! use roadbed_core::session::ClientConfig;
//! use roadbed_core::time::UnixMicros;
//! use roadbed_core::transport::TransportDetails;
//! use roadbed_core::uri::Uri;
//!
//! let mut socket = Socket::connect(); // any `Read + Write`; here one with a router in it
//! let clock = || Timestamp::ZERO;
//!
//! let config = ClientConfig::new(Uri::new("realm1")?).build()?;
//! let endpoint = Endpoint::rawsocket(Serializer::Json);
//! let seed = [7; 32]; // from the operating system, in earnest
//! let mut connection = Connection::client(config, &endpoint, seed, clock(), UnixMicros::default());
//! connection.transport_ready(clock(), TransportDetails::local());
//!
//! let mut input = BytesMut::new();
//! let mut sum = None;
//! while let Some(event) = next_event(&mut connection, &mut socket, &mut input, clock)? {
//!     match event {
//!         SessionEvent::Joined { .. } => {
//!             let arguments = Payload::from_args(Serializer::Json, &(2, 3))?;
//!             connection.call(clock(), &Uri::new("com.example.add")?, arguments, &CallOptions::new())?;
//!         }
//!         SessionEvent::Result { result, .. } => {
//!             (sum,) = result?.payload.args::<(Option<i64>,)>()?;
//!             connection.leave(clock(), None)?;
//!         }
//!         SessionEvent::Closed { clean, .. } => assert!(clean),
//!         _ => {}
//!     }
//! }
//! assert_eq!(sum, Some(5));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What to rely on
//!
//! Every state machine here ([`Connection`](connection::Connection), [`Session`](session::Session),
//! [`Link`](link::Link), [`Transport`](transport::Transport)) has the same four families of methods: getters;
//! `handle_*`, by which the outside tells it what happened; commands, WAMP's verbs; and `poll_*`, by which
//! it tells the outside what it has. `handle_*` return nothing: what follows from them is polled.
//!
//! * Commands never block. They take effect as a whole, or not at all and say why
//!   ([`CommandError`](error::CommandError)).
//! * Every command that expects an answer ends in exactly one event, whatever happens to the session.
//! * No input from a peer panics, recurses, or makes us hold more than [`Limits`](limits::Limits) allow. A
//!   peer's fault ends its session with ABORT `wamp.error.protocol_violation` and a
//!   [`ProtocolViolation`](error::ProtocolViolation) that names what, where and which limit.
//! * Payloads stay encoded until you ask for them: [`Payload`](payload::Payload).
//!
//! # Where to start
//!
//! | you have | you drive |
//! |---|---|
//! | a byte stream to a router | [`Connection`](connection::Connection) |
//! | a transport that carries whole messages | [`Session`](session::Session) with [`Message`](message::Message)s |
//! | byte streams from clients, and a router core | [`Link`](link::Link), one for each, with the crate `roadbed-router` |
//! | encoded messages | [`Serializer`](serializer::Serializer) alone |
//!
//! # Features
//!
//! `std` (on by default) gives typed access to MessagePack payloads, because the crate behind it needs the
//! standard library. Without it this crate is `no_std` with `alloc`; everything else works.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::panic
    )
)]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

pub mod auth;
pub mod connection;
pub mod error;
pub mod id;
pub mod limits;
pub mod link;
pub mod message;
pub mod options;
pub mod payload;
pub mod ring;
pub mod role;
pub mod serializer;
pub mod session;
pub mod time;
pub mod transport;
pub mod uri;
pub mod value;

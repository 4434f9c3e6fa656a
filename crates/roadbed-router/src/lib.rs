//! A WAMP v2 router without the I/O: the basic profile, call canceling, publisher exclusion and subscriber
//! lists; anonymous, ticket and dynamic authentication; an [`Authorizer`] for each realm.
//!
//! A [`Router`] never sees a byte or a socket, reads no clock and draws no randomness but from the seed it is given.
//! What lies between it and a connection is a [`Port`]: bytes of RawSocket or WebSocket, or whole messages, in and out.
//!
//! # A router in memory
//!
//! Two clients join over whole messages; one subscribes, the other publishes.
//!
//! ```
//! use bytes::{Bytes, BytesMut};
//! use roadbed_core::limits::Limits;
//! use roadbed_core::serializer::Serializer;
//! use roadbed_core::time::{Timestamp, UnixMicros};
//! use roadbed_core::transport::TransportDetails;
//! use roadbed_core::uri::Uri;
//! use roadbed_router::{Authentication, Port, Router, RouterConfig};
//!
//! let now = Timestamp::ZERO; // a driver's clock
//! let seed = [7; 32]; // a driver's randomness
//! let config = RouterConfig::new().realm(Uri::new("realm1")?, Authentication::new().anonymous("guest"));
//! config.check()?;
//! let mut router = Router::new(config.into_shared(), seed, now, UnixMicros::default());
//! let port = || Port::messages(&Limits::default(), Serializer::Json, 1 << 20, TransportDetails::local(), now);
//! let (mut publisher, mut subscriber) = (port(), port());
//!
//! // What a driver does for a message that it has received.
//! let mut say = |port: &mut Port, message: &'static str| {
//!     port.serve(&mut router, now, &mut BytesMut::new());
//!     if !message.is_empty() {
//!         port.handle_message(now, &Bytes::from_static(message.as_bytes()));
//!         port.serve(&mut router, now, &mut BytesMut::new());
//!     }
//! };
//! say(&mut publisher, r#"[1,"realm1",{"roles":{"publisher":{}}}]"#);
//! say(&mut subscriber, r#"[1,"realm1",{"roles":{"subscriber":{}}}]"#);
//! assert!(publisher.is_joined() && subscriber.is_joined());
//! say(&mut subscriber, r#"[32,1,{},"com.example.tick"]"#);
//! say(&mut publisher, r#"[16,1,{},"com.example.tick",[42]]"#);
//! // The router names the subscriber now (`poll_ready`), as something waits for it.
//! say(&mut subscriber, "");
//!
//! let received = std::iter::from_fn(|| subscriber.poll_message()).map(|message| message.to_bytes());
//! let [welcome, subscribed, event] = &received.collect::<Vec<_>>()[..] else { panic!("three messages") };
//! assert!(welcome.starts_with(b"[2,") && subscribed.starts_with(b"[33,1,"));
//! assert!(event.starts_with(b"[36,") && event.ends_with(b"[42]]"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a driver does
//!
//! A driver keeps a [`Port`] for each connection, which does most of it:
//!
//! 1. Hand what was read to the port, and let it [exchange](Port::exchange) with the router: [`Port::serve`].
//! 2. Serve each peer that [`poll_ready`](Router::poll_ready) names. Write what [`Port::poll_transmit`] gives.
//! 3. Call [`Port::handle_timeout`] and [`Router::handle_timeout`] when their `poll_timeout` says so.
//! 4. Take every [`poll_event`](Router::poll_event), and answer [`RouterEvent::Authenticate`] and
//!    [`RouterEvent::Authorize`].
//! 5. Drop the transport when [`Port::must_drop`], or flush and close it when [`Port::has_ended`].
//!
//! # On several cores
//!
//! A [`Router`] is made of a [`Lobby`], which knows the realms and the connections, and one [`Shard`], which holds
//! realms with their sessions. A driver for many cores keeps these parts itself: one lobby and as many shards as it
//! likes, each behind a lock of its own. [`Port::next_exchange`] says which of them a connection needs next; a
//! connection with a session needs the shard of its realm, and nothing else. The crate `roadbed` does it like this.
//!
//! # What is refused, and how
//!
//! | request | condition | ERROR |
//! |---|---|---|
//! | any | the URI breaks the rules in force, or is too long | `wamp.error.invalid_uri` |
//! | PUBLISH, REGISTER | the URI begins with `wamp.`, which is the specification's | `wamp.error.invalid_uri` |
//! | any | a known option has a wrong type or value | `wamp.error.invalid_argument` |
//! | SUBSCRIBE, REGISTER | `match` other than `exact` | `wamp.error.option_not_allowed` |
//! | REGISTER | `invoke` other than `single`; `concurrency`, `force_reregister`, `disclose_caller` | the same |
//! | CALL, PUBLISH | `disclose_me` | `wamp.error.option_disallowed.disclose_me` |
//! | CALL, PUBLISH, SUBSCRIBE, REGISTER | the realm's [`Authorizer`] or the driver denies it | `wamp.error.not_authorized`, or as they say |
//! | the same | the driver does not decide in time | `wamp.error.authorization_failed` |
//! | REGISTER | the procedure is registered, by whomever | `wamp.error.procedure_already_exists` |
//! | UNREGISTER, UNSUBSCRIBE | it is not the peer's own | `wamp.error.no_such_registration`, `…_subscription` |
//! | CALL | nobody registered the procedure | `wamp.error.no_such_procedure` |
//! | CALL | canceled, or the callee left | `wamp.error.canceled` |
//! | CALL | the callee's ERROR names no URI, or too long a one | `wamp.error.invalid_uri` |
//! | CALL | an option of the callee's YIELD or ERROR has a wrong type | `wamp.error.invalid_argument` |
//! | CALL | the recipient's serializer cannot carry the payload | `wamp.error.invalid_payload` |
//! | CALL | the message is larger than the recipient accepts | `wamp.error.payload_size_exceeded` |
//! | CALL | too much waits for the callee | `wamp.error.unavailable` |
//! | any | a limit of the session is reached; the text names it | `wamp.error.unavailable` |
//!
//! They are looked at in this order: what is wrong with the request itself, whether it is allowed, and what there is.
//!
//! While the driver decides on a request of a session ([`RouterEvent::Authorize`]), later requests of that session wait
//! and keep their order; too many of them, or too large ones, are answered with `wamp.error.unavailable`
//! ([`Limits::backlog_length`](roadbed_core::limits::Limits), `backlog_size`), and so is what would ask the driver one
//! question too many (`queued_events`). Faults of a request are answered at once. YIELD, ERROR and EVENT_RECEIVED
//! do not wait, CANCEL takes a CALL out that waits, and GOODBYE comes last: until then the session is established, and
//! nothing but YIELD, ERROR, CANCEL and EVENT_RECEIVED may follow.
//!
//! PUBLISH is answered only if it asked for an acknowledgement; otherwise a refused one is counted, whatever is wrong
//! with it. A CANCEL with a wrong option is passed over and counted. Options of features that are not announced
//! and whose absence harms nobody count as unknown and are passed over: `timeout`, `receive_progress`,
//! `retain`, `get_retained`, `forward_timeout`, the keys of sharding, `forward_for`. Nothing that a client
//! says about identities is passed on.
//!
//! An ERROR, GOODBYE or ABORT whose text is too long for its recipient goes without the text, and WELCOME without as
//! many details as it takes. No text that is no URI goes from one peer to another where a URI belongs: an
//! application's ERROR is passed on as the callee chose it if it is one by the loose rules, and otherwise the caller is
//! told, the callee goes on, and the driver learns of it ([`RouterEvent::AnswerRefused`]).
//!
//! A HELLO that breaks no rule and is refused all the same (an unknown realm, a wrong ticket) leaves the transport
//! open for another one, as GOODBYE does; after [`Limits::join_attempts`](roadbed_core::limits::Limits::join_attempts)
//! of them it is closed. YIELD, ERROR, CANCEL and EVENT_RECEIVED that cross the peer's own GOODBYE are dropped and
//! counted. GOODBYE needs a URI as its reason; ABORT ends the peer whatever it says, and is never answered.
//!
//! HELLO needs a role of a client, but roles are no permissions: a session may do what it did not announce,
//! and only features that change what it is sent count. (Today that is a callee's `call_canceling`; without
//! it no INTERRUPT is sent, and every cancel mode is `skip`.)
//!
//! Broken protocol ends the session with ABORT `wamp.error.protocol_violation`. That includes a CALL with
//! `progress` and sealed payloads (`ppt_*`, `enc_*`), as those features are not announced, and a CALL with the
//! id of a call under way. Answers to invocations that were issued and have ended are dropped, whoever ended
//! them. Request ids need only be sequential with [`RouterConfig::strict_ids`].
//!
//! # Slow peers
//!
//! The router holds each peer's outgoing queue and counts its bytes, and [`MESSAGE_COST`] for each message.
//! Over the budget ([`Limits::output_size`](roadbed_core::limits::Limits)) events are dropped and counted,
//! calls of this callee answered with `wamp.error.unavailable`, and replies queued all the same; but the peer is
//! not to be read, and is closed when it takes nothing for [`STALL_TIMEOUT`] or at [`OVERRUN_FACTOR`] times
//! the budget. INTERRUPT counts as the call does: where it has no room, the call is canceled as by `skip`. All queues
//! together have a budget too ([`Limits::total_output_size`](roadbed_core::limits::Limits)), above which those that
//! hold more than a fair share are treated alike.
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

mod auth;
mod authorizer;
mod broker;
mod claim;
mod config;
mod context;
mod dealer;
mod effects;
mod events;
mod fanout;
mod gate;
mod identity;
mod ids;
#[allow(dead_code, reason = "broker and dealer refuse patterns so far")]
mod index;
mod keys;
mod lobby;
mod names;
mod parking;
mod port;
mod queue;
mod realm;
mod request;
mod router;
mod session;
mod shard;
mod slab;
mod stats;
mod tables;
mod text;
mod timers;
mod uris;
mod verdicts;

pub use auth::{AuthMethod, Authentication, Grant, TicketTable};
pub use authorizer::{Access, AccessOptions, Authorization, AuthorizationRequest, Authorizer, Verb, Verdict};
pub use config::{ConfigError, PayloadPolicy, RealmConfig, RouterConfig};
pub use events::{AuthenticationRequest, ConnectionRefusal, NotAwaited, Response, RouterEvent};
pub use identity::SessionInfo;
pub use lobby::Lobby;
pub use names::{AuthorizationId, DecisionId, Exchange, PeerId, ShardId};
pub use port::Port;
pub use queue::{MESSAGE_COST, OVERRUN_FACTOR, STALL_TIMEOUT};
pub use router::Router;
pub use shard::{PublishError, SHUTDOWN_GRACE, Shard};
pub use stats::{Counters, RouterStats};

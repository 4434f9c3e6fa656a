//! A WAMP v2 router without the I/O: the basic profile, call canceling, publisher exclusion and subscriber
//! lists; anonymous, ticket and dynamic authentication; an [`Authorizer`] for each realm.
//!
//! A [`Router`] takes messages and gives encoded messages; it never sees a byte or a socket, reads no
//! clock and draws no randomness but from the seed it is given. What lies between it and a connection is a [`Port`]:
//! bytes of RawSocket or WebSocket, or whole messages, in and out.
//!
//! # A router in memory
//!
//! Two clients join; one subscribes, the other publishes.
//!
//! ```
//! use bytes::BytesMut;
//! use roadbed_core::id::RequestId;
//! use roadbed_core::limits::Limits;
//! use roadbed_core::message::{Hello, HelloDetails, Message, Publish, Sparse, Subscribe};
//! use roadbed_core::payload::Payload;
//! use roadbed_core::role::{Role, Roles};
//! use roadbed_core::serializer::Serializer;
//! use roadbed_core::time::{Timestamp, UnixMicros};
//! use roadbed_core::transport::TransportDetails;
//! use roadbed_core::uri::Uri;
//! use roadbed_router::{Authentication, Outgoing, PeerId, Router, RouterConfig};
//!
//! // What a driver does for each peer that `poll_ready` names; here the messages are collected.
//! fn deliver(router: &mut Router) -> Vec<(PeerId, Message)> {
//!     let mut delivered = Vec::new();
//!     while let Some(peer) = router.poll_ready() {
//!         while let Some(Outgoing::Message(encoded)) = router.poll_outgoing(peer) {
//!             let mut bytes = BytesMut::new();
//!             encoded.chunks().iter().for_each(|chunk| bytes.extend_from_slice(chunk));
//!             let message = Serializer::Cbor.decode(&bytes.freeze(), &Limits::default()).unwrap();
//!             delivered.push((peer, message));
//!         }
//!     }
//!     delivered
//! }
//!
//! let realm = Uri::new("realm1")?;
//! let config = RouterConfig::new().realm(realm.clone(), Authentication::new().anonymous("guest"));
//! config.check()?;
//! let now = Timestamp::ZERO; // a driver's clock
//! let seed = [7; 32]; // a driver's randomness
//! let mut router = Router::new(config.into_shared(), seed, now, UnixMicros::default());
//!
//! let mut details = HelloDetails::default();
//! details.roles = Some(Roles::NONE.with(Role::Publisher, &[]).with(Role::Subscriber, &[]));
//! let hello = Hello { realm: Some(realm), details: details.into() };
//! let publisher = router.attach(now, Serializer::Cbor, 1 << 20, TransportDetails::local());
//! let subscriber = router.attach(now, Serializer::Cbor, 1 << 20, TransportDetails::local());
//! router.handle_message(now, publisher, hello.clone().into());
//! router.handle_message(now, subscriber, hello.into());
//! assert!(router.is_joined(publisher) && router.is_joined(subscriber));
//! deliver(&mut router); // WELCOME, twice
//!
//! let (request, topic) = (RequestId::new(1)?, Uri::new("com.example.tick")?);
//! let options = Sparse::EMPTY;
//! router.handle_message(now, subscriber, Subscribe { request, options, topic: topic.clone() }.into());
//! let payload = Payload::from_args(Serializer::Cbor, &(42,))?;
//! router.handle_message(now, publisher, Publish { request, options: Sparse::EMPTY, topic, payload }.into());
//!
//! let delivered = deliver(&mut router);
//! let [(_, Message::Subscribed(_)), (to, Message::Event(event))] = &delivered[..] else { panic!() };
//! assert_eq!((*to, event.payload.args::<(i64,)>()?), (subscriber, (42,)));
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
//! The router itself knows peers, messages, and time: [`attach`](Router::attach),
//! [`handle_message`](Router::handle_message), [`poll_outgoing`](Router::poll_outgoing), [`detach`](Router::detach) are
//! what a port calls, and what tests may call instead.
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
//! the budget. INTERRUPT counts as the call does: where it has no room, the call is canceled as by `skip`.
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
mod config;
mod dealer;
mod effects;
mod events;
mod fanout;
mod gate;
mod ids;
#[allow(dead_code, reason = "broker and dealer refuse patterns so far")]
mod index;
mod keys;
mod names;
mod parking;
mod peer;
mod port;
mod queue;
mod realm;
mod request;
mod router;
mod session;
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
pub use events::{AuthenticationRequest, ConnectionRefusal, NotAwaited, Outgoing, Response, RouterEvent};
pub use names::{AuthorizationId, DecisionId, PeerId};
pub use port::Port;
pub use queue::{MESSAGE_COST, OVERRUN_FACTOR, STALL_TIMEOUT};
pub use router::{PublishError, Router, SHUTDOWN_GRACE};
pub use session::SessionInfo;
pub use stats::{Counters, RouterStats};

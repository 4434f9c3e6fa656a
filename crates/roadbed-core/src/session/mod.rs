//! The client session: WAMP without bytes.
//!
//! [`Session`] turns commands into [`Message`]s and the router's messages into [`SessionEvent`]s. It remembers
//! everything that has to be remembered in between: ids, pending requests, handlers, deadlines. Users of
//! byte streams drive a [`Connection`](crate::connection::Connection), which holds one; users of transports
//! that carry whole messages drive it directly.
//!
//! ```
//! use roadbed_core::id::{PublicationId, SessionId};
//! use roadbed_core::message::{Message, Published, Welcome, WelcomeDetails};
//! use roadbed_core::options::PublishOptions;
//! use roadbed_core::payload::Payload;
//! use roadbed_core::role::{Role, Roles};
//! use roadbed_core::session::{ClientConfig, Session, SessionEvent};
//! use roadbed_core::time::{Timestamp, UnixMicros};
//! use roadbed_core::transport::TransportDetails;
//! use roadbed_core::uri::Uri;
//!
//! let now = Timestamp::ZERO;
//! let config = ClientConfig::new(Uri::new("realm1")?).build()?;
//! let mut session = Session::new(config, now, UnixMicros::default());
//! session.transport_ready(now, TransportDetails::local());
//! session.join(now)?;
//! assert!(matches!(session.poll_transmit(), Some(Message::Hello(_))));
//!
//! // The router answers.
//! let mut details = WelcomeDetails::new();
//! details.roles = Some(Roles::NONE.with(Role::Broker, &[]));
//! session.handle_message(now, Welcome { session: SessionId::new(42)?, details: details.into() }.into());
//! assert!(matches!(session.poll_event(), Some(SessionEvent::Joined { .. })));
//!
//! let topic = Uri::new("com.example.tick")?;
//! let options = PublishOptions::new().acknowledge(true);
//! let publish = session.publish(now, &topic, Payload::EMPTY, &options)?;
//! let Some(Message::Publish(message)) = session.poll_transmit() else { panic!() };
//! let publication = PublicationId::new(1234)?;
//! session.handle_message(now, Published { request: message.request, publication }.into());
//! let Some(SessionEvent::Published { publish: handle, result }) = session.poll_event() else { panic!() };
//! assert_eq!(Some(handle), publish);
//! assert_eq!(result, Ok(publication));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod callee;
mod caller;
mod config;
mod event;
mod grants;
mod handle;
mod join;
mod leave;
mod pending;
mod plan;
mod publisher;
mod state;
mod subscriber;
#[cfg(test)]
mod tests;
mod timers;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;

pub use config::ClientConfig;
pub use event::{Answer, SessionEvent};
pub(crate) use plan::Plan;
pub use state::SessionState;
pub use timers::TimeoutReason;

use self::callee::Invocations;
use self::grants::Grants;
use self::pending::Pending;
use self::timers::Timers;
use crate::id::{RegisterId, RegistrationId, SessionId, SubscribeId, SubscriptionId};
use crate::message::{Message, WelcomeDetails};
use crate::role::Roles;
use crate::time::{Timestamp, UnixMicros};
use crate::transport::TransportDetails;
use crate::uri::Uri;

/// A client session over whole messages; see the [module](self) for an example.
///
/// Feed it what happens (`handle_*`), give it commands, then drain [`poll_transmit`](Self::poll_transmit)
/// and [`poll_event`](Self::poll_event), and sleep until the next message or
/// [`poll_timeout`](Self::poll_timeout). Nothing in it blocks, panics on what a peer sends, or looks at a
/// clock.
pub struct Session {
    config: Arc<ClientConfig>,
    transport: TransportDetails,
    state: SessionState,
    /// The latest time seen.
    now: Timestamp,
    utc: UnixMicros,
    /// Which HELLO on this transport this is; 0 before the first.
    epoch: u32,
    /// CHALLENGEs received since HELLO.
    challenges: u32,
    welcome: Option<Welcomed>,
    pending: Pending,
    subscriptions: Grants<SubscriptionId, SubscribeId>,
    registrations: Grants<RegistrationId, RegisterId>,
    invocations: Invocations,
    timers: Timers,
    /// The reason of our GOODBYE.
    farewell: Option<Uri>,
    /// The router said GOODBYE of its own while ours was under way; it may still answer ours.
    may_echo: bool,
    /// The transport closes when the session has ended, even with `stay_attached`.
    is_closing: bool,
    transmit: VecDeque<Message>,
    events: VecDeque<SessionEvent>,
    /// The last event; comes when everything before it is drained.
    closed: Option<SessionEvent>,
    stats: SessionStats,
}

/// What WELCOME said.
struct Welcomed {
    session: SessionId,
    details: Box<WelcomeDetails>,
    roles: Roles,
    /// `Joined` was reported.
    is_joined: bool,
}

/// Counters of what a session passed over; for logs and tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionStats {
    /// Messages of unknown types from 256 to 1023.
    pub unknown: u64,
    /// Known messages that came too late to matter: answers to what had ended, events of ended
    /// subscriptions, anything but GOODBYE and ABORT while leaving. Also EVENT and INTERRUPT with an option of a wrong
    /// type.
    pub late: u64,
}

impl Session {
    /// A session over a transport that was opened at `now`, or will be; `utc` is the wall clock then.
    /// Nothing is sent before [`join`](Self::join). Take `config` from [`ClientConfig::build`], which checks
    /// it; values out of their range are not noticed here.
    pub fn new(config: Arc<ClientConfig>, now: Timestamp, utc: UnixMicros) -> Self {
        Self {
            config,
            transport: TransportDetails::default(),
            state: SessionState::Idle,
            now,
            utc,
            epoch: 0,
            challenges: 0,
            welcome: None,
            pending: Pending::default(),
            subscriptions: Grants::default(),
            registrations: Grants::default(),
            invocations: Invocations::default(),
            timers: Timers::default(),
            farewell: None,
            may_echo: false,
            is_closing: false,
            transmit: VecDeque::new(),
            events: VecDeque::new(),
            closed: None,
            stats: SessionStats::default(),
        }
    }

    /// What is known of the transport. Call it before `join`; until then the transport counts as one
    /// that others can read.
    pub fn transport_ready(&mut self, now: Timestamp, details: TransportDetails) {
        self.observe(now);
        self.transport = details;
    }

    /// Corrects the wall clock.
    pub fn set_utc(&mut self, utc: UnixMicros) {
        self.utc = utc;
    }

    /// The wall clock as it was given last.
    pub const fn utc(&self) -> UnixMicros {
        self.utc
    }

    /// Where the session stands.
    pub const fn state(&self) -> SessionState {
        self.state
    }

    /// The session's id, from WELCOME to its end.
    pub fn session_id(&self) -> Option<SessionId> {
        self.welcome.as_ref().map(|welcome| welcome.session)
    }

    /// What the router said in WELCOME; `None` without a session.
    pub fn details(&self) -> Option<&WelcomeDetails> {
        self.welcome.as_ref().map(|welcome| &*welcome.details)
    }

    /// The roles and features of the router; none without a session.
    pub fn peer_roles(&self) -> Roles {
        self.welcome.as_ref().map_or(Roles::NONE, |welcome| welcome.roles)
    }

    /// The configuration.
    pub const fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }

    /// The handlers that share a subscription, oldest first.
    pub fn handlers(&self, subscription: SubscriptionId) -> &[SubscribeId] {
        self.subscriptions.handlers(subscription)
    }

    /// The subscription of a handler, from SUBSCRIBED until it is unsubscribed or revoked.
    pub fn subscription(&self, handler: SubscribeId) -> Option<SubscriptionId> {
        self.subscriptions.of(handler)
    }

    /// The registration of a handler, from REGISTERED until it is unregistered or revoked.
    pub fn registration(&self, handler: RegisterId) -> Option<RegistrationId> {
        self.registrations.of(handler)
    }

    /// How many requests wait for their answer.
    pub fn pending_requests(&self) -> usize {
        self.pending.len()
    }

    /// How many invocations wait for ours.
    pub fn pending_invocations(&self) -> usize {
        self.invocations.len()
    }

    /// What was passed over.
    pub const fn stats(&self) -> SessionStats {
        self.stats
    }

    /// Whether to deliver more messages: false while as many events as
    /// [`Limits::queued_events`](crate::limits::Limits::queued_events) wait to be polled, and after the
    /// end.
    pub fn wants_input(&self) -> bool {
        self.state != SessionState::Closed && self.events.len() < self.config.limits.queued_events
    }

    /// The next message to send.
    pub fn poll_transmit(&mut self) -> Option<Message> {
        self.transmit.pop_front()
    }

    /// The next event. [`SessionEvent::Closed`] comes last, exactly once, and not before everything was
    /// taken from [`poll_transmit`](Self::poll_transmit).
    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        self.events.pop_front().or_else(|| self.closed.take_if(|_| self.transmit.is_empty()))
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), strictly later than the last `now` given.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let (at, _) = self.timers.next(self.epoch)?;
        Some(at.max(self.now.next()))
    }

    /// What [`poll_timeout`](Self::poll_timeout) waits for; for logs.
    pub fn timeout_reason(&self) -> Option<TimeoutReason> {
        self.timers.next(self.epoch).map(|(_, reason)| reason)
    }

    /// Time does not go back.
    pub(crate) fn observe(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    /// Which HELLO on this transport this is: part of every handle.
    pub(crate) const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Whether nothing but `Closed` is left to be polled.
    pub(crate) fn is_spent(&self) -> bool {
        self.events.is_empty() && self.closed.is_some()
    }

    /// Adds an event that the layer below found.
    pub(crate) fn push_event(&mut self, event: SessionEvent) {
        if self.state != SessionState::Closed {
            self.events.push_back(event);
        }
    }
}

/// A summary: messages may carry credentials.
impl core::fmt::Debug for Session {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Session")
            .field("state", &self.state)
            .field("epoch", &self.epoch)
            .field("session", &self.session_id())
            .field("pending", &self.pending.len())
            .field("subscriptions", &self.subscriptions.len())
            .field("registrations", &self.registrations.len())
            .field("invocations", &self.invocations.len())
            .field("events", &self.events.len())
            .finish_non_exhaustive()
    }
}

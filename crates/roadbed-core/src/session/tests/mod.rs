//! Tests of the session against a scripted router.

mod callee;
mod caller;
mod deadlines;
mod join;
mod leave;
mod property;
mod pubsub;
mod states;
mod uris;

use std::sync::Arc;
use std::time::Duration;
use std::vec::Vec;

use super::{ClientConfig, Session, SessionEvent, SessionState};
use crate::error::CloseReason;
use crate::id::{PublicationId, RegistrationId, RequestId, SessionId, SubscriptionId};
use crate::message::{
    Abort, Error, Goodbye, Message, MessageType, Registered, Sparse, Subscribed, Welcome, WelcomeDetails,
};
use crate::payload::Payload;
use crate::role::{Feature, Role, Roles};
use crate::time::{Timestamp, UnixMicros};
use crate::transport::TransportDetails;
use crate::uri::Uri;

const SECOND: Duration = Duration::from_secs(1);
const T0: Timestamp = Timestamp::ZERO;

fn uri(text: &'static str) -> Uri {
    Uri::from_static(text)
}

fn request(id: u64) -> RequestId {
    RequestId::new(id).unwrap()
}

fn subscription(id: u64) -> SubscriptionId {
    SubscriptionId::new(id).unwrap()
}

fn registration(id: u64) -> RegistrationId {
    RegistrationId::new(id).unwrap()
}

fn publication(id: u64) -> PublicationId {
    PublicationId::new(id).unwrap()
}

fn config() -> ClientConfig {
    ClientConfig::new(uri("realm1"))
}

/// A router with both roles that cancels calls.
fn router_roles() -> Roles {
    Roles::NONE.with(Role::Broker, &[]).with(Role::Dealer, &[Feature::CallCanceling])
}

fn welcome_by(roles: Roles) -> Message {
    let mut details = WelcomeDetails::new();
    details.roles = Some(roles);
    Welcome { session: SessionId::new(4711).unwrap(), details: details.into() }.into()
}

fn goodbye(reason: &'static str) -> Message {
    Goodbye { details: Sparse::EMPTY, reason: uri(reason) }.into()
}

fn abort(reason: &'static str) -> Message {
    Abort { details: Sparse::EMPTY, reason: uri(reason), payload: Payload::EMPTY }.into()
}

fn error(request_type: MessageType, id: u64, error: &'static str) -> Message {
    let (details, payload) = (Sparse::EMPTY, Payload::EMPTY);
    Error { request_type, request: request(id), details, error: uri(error), payload }.into()
}

fn subscribed(id: u64, granted: u64) -> Message {
    Subscribed { request: request(id), subscription: subscription(granted) }.into()
}

fn registered(id: u64, granted: u64) -> Message {
    Registered { request: request(id), registration: registration(granted) }.into()
}

/// A session that has not said HELLO.
fn idle(config: ClientConfig) -> Session {
    let mut session = Session::new(config.build().unwrap(), T0, UnixMicros::default());
    session.transport_ready(T0, TransportDetails::local());
    session
}

/// A session that waits for WELCOME.
fn joining(config: ClientConfig) -> Session {
    let mut session = idle(config);
    session.join(T0).unwrap();
    assert!(matches!(session.poll_transmit(), Some(Message::Hello(_))));
    session
}

fn joined_by(config: ClientConfig, roles: Roles) -> Session {
    let mut session = joining(config);
    session.handle_message(T0, welcome_by(roles));
    assert!(matches!(session.poll_event(), Some(SessionEvent::Joined { .. })));
    session
}

/// A session that is open.
fn joined(config: ClientConfig) -> Session {
    joined_by(config, router_roles())
}

fn sent(session: &mut Session) -> Vec<Message> {
    core::iter::from_fn(|| session.poll_transmit()).collect()
}

fn events(session: &mut Session) -> Vec<SessionEvent> {
    core::iter::from_fn(|| session.poll_event()).collect()
}

fn sent_types(session: &mut Session) -> Vec<MessageType> {
    sent(session).iter().map(|message| message.message_type().unwrap()).collect()
}

/// Checks that the session ended with ABORT for this violation, and returns the events before `Closed`.
#[track_caller]
fn expect_violation(session: &mut Session, text: &str) -> Vec<SessionEvent> {
    let sent = sent(session);
    let Some(Message::Abort(abort)) = sent.last() else { panic!("no ABORT in {sent:?}") };
    assert_eq!(abort.reason, "wamp.error.protocol_violation");
    assert_eq!(abort.details.message.as_deref(), Some(text));
    let mut events = events(session);
    match events.pop() {
        Some(SessionEvent::Closed { reason: CloseReason::PeerViolation(violation), clean: false }) => {
            assert_eq!(std::string::ToString::to_string(&violation), text);
        }
        other => panic!("no violation: {other:?}"),
    }
    assert_eq!(session.state(), SessionState::Closed);
    events
}

fn shared(config: ClientConfig) -> Arc<ClientConfig> {
    config.build().unwrap()
}

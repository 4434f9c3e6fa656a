//! Messages before WELCOME.

use roadbed_core::error::ProtocolViolation;
use roadbed_core::message::{Hello, Message, MessageType};
use roadbed_core::role::{Role, Roles};
use roadbed_core::time::Timestamp;

use super::{After, Gate, Stage, methods};
use crate::gate::refusing::Asked;
use crate::stats::count;

/// A client has at least one of these (basic profile, "Client: Role and Feature Announcement").
const CLIENT_ROLES: [Role; 4] = [Role::Publisher, Role::Subscriber, Role::Caller, Role::Callee];

impl Gate {
    /// A message of the peer. Call it only while it [hears](Self::hears).
    pub(crate) fn handle_message(&mut self, now: Timestamp, message: Message) {
        let stage = std::mem::replace(&mut self.stage, Stage::Ended);
        match (stage, message) {
            (Stage::Ended, _) => {}
            (Stage::Hello(after), Message::Hello(hello)) => {
                if after != After::Nothing {
                    self.begin_share(now, self.config.limits.handshake_timeout);
                }
                self.hello(hello);
            }
            (Stage::Proof(claim), Message::Authenticate(proof)) => {
                self.apply(now, methods::authenticate(claim, &proof));
            }
            (stage, Message::Abort(abort)) => {
                self.stage = stage;
                self.aborted(&abort);
            }
            (stage, Message::Unknown(_)) => {
                self.stage = stage;
                count(&mut self.notes().counters.ignored_messages);
            }
            (stage, other) => {
                self.stage = stage;
                let message_type = other.message_type().unwrap_or(MessageType::Hello);
                if self.has_just_left() && self.crosses(message_type) {
                    return;
                }
                let state = "before the session was established";
                self.violated(ProtocolViolation::unexpected(message_type, state));
            }
        }
    }

    /// What the peer sent cannot be read. Call it only while it [hears](Self::hears).
    pub(crate) fn handle_violation(&mut self, violation: ProtocolViolation) {
        match (&self.stage, violation.message()) {
            (Stage::Ended, _) => {}
            (_, Some(MessageType::Abort)) => self.unreadable_abort(violation),
            (_, Some(message)) if self.has_just_left() && violation.request().is_some() => {
                if !self.crosses(message) {
                    self.violated(violation);
                }
            }
            _ => self.violated(violation),
        }
    }

    fn hello(&mut self, hello: Hello) {
        self.asked = Some(Box::new(Asked::new(&hello, self.config.limits.uri_length)));
        let is_client = |roles: &Roles| CLIENT_ROLES.iter().any(|&role| roles.has(role));
        match hello.details.roles.filter(is_client) {
            Some(roles) => self.stage = Stage::Realm(Box::new((hello, roles))),
            None => {
                self.stage = Stage::Hello(After::Nothing);
                let state = "without a role of a client";
                self.violated(ProtocolViolation::unexpected(MessageType::Hello, state));
            }
        }
    }

    /// Whether the peer said GOODBYE, and nothing since that counts.
    fn has_just_left(&self) -> bool {
        matches!(self.stage, Stage::Hello(After::Goodbye))
    }

    /// Counts a message that belongs to the session which its client has just left: the handler of an invocation
    /// may end while the session is leaving. Says whether it can be one.
    fn crosses(&mut self, message: MessageType) -> bool {
        let counters = &mut self.notes().counters;
        match message {
            MessageType::Yield | MessageType::Error => count(&mut counters.late_answers),
            MessageType::Cancel => count(&mut counters.late_cancels),
            MessageType::EventReceived => count(&mut counters.ignored_messages),
            _ => return false,
        }
        true
    }
}

//! Joining: HELLO, CHALLENGE, AUTHENTICATE, WELCOME.

use alloc::boxed::Box;

use bytestring::ByteString;

use super::plan::{Change, Plan};
use super::{Session, SessionEvent, SessionState, Welcomed};
use crate::auth::AuthError;
use crate::error::{CloseReason, CommandError, Deadline, ProtocolViolation, ViolationKind, uris};
use crate::message::{
    Authenticate, Challenge, Hello, HelloDetails, MessageType, RawDict, Welcome, WelcomeDetails,
};
use crate::serializer::Malformed;
use crate::time::Timestamp;
use crate::uri::{Uri, detach};

/// CHALLENGEs answered before a WELCOME: the specification has two rounds, for two factors.
const MAX_CHALLENGES: u32 = 4;

impl Session {
    /// Sends HELLO. [`SessionEvent::Joined`] follows, or [`SessionEvent::Closed`] says why not; the router
    /// has [`Limits::join_timeout`](crate::limits::Limits::join_timeout) for its part.
    ///
    /// After a session has ended on a transport that stays, another one can be joined; its ids begin anew.
    ///
    /// # Errors
    /// [`CommandError::AlreadyJoined`] when there is a session, or will be; [`CommandError::NotJoined`]
    /// after the end.
    pub fn join(&mut self, now: Timestamp) -> Result<(), CommandError> {
        self.observe(now);
        let deadline = self.now.saturating_add(self.config.limits.join_timeout);
        self.join_until(now, deadline)
    }

    pub(crate) fn join_until(&mut self, now: Timestamp, deadline: Timestamp) -> Result<(), CommandError> {
        self.observe(now);
        match self.state {
            SessionState::Idle => {}
            SessionState::Closed => return Err(CommandError::NotJoined),
            _ => return Err(CommandError::AlreadyJoined),
        }
        self.epoch = self.epoch.saturating_add(1);
        self.challenges = 0;
        self.state = SessionState::Joining;
        self.timers.start(Deadline::Join, deadline);
        let hello = self.hello();
        self.transmit.push_back(hello.into());
        Ok(())
    }

    fn hello(&self) -> Hello {
        let config = &self.config;
        let mut details = HelloDetails::new();
        details.roles = Some(config.roles);
        details.agent = Some(config.agent.clone());
        details.authid.clone_from(&config.authid);
        details.authrole.clone_from(&config.authrole);
        let methods = config.offered_methods();
        details.authmethods = (!methods.is_empty()).then_some(methods);
        details.authextra.clone_from(&config.authextra);
        details.extra = config.hello_extra.clone();
        Hello { realm: config.realm.clone(), details: details.into() }
    }

    pub(super) fn on_challenge(&mut self, challenge: Challenge) -> Result<(), ProtocolViolation> {
        self.challenges = self.challenges.saturating_add(1);
        if self.challenges > MAX_CHALLENGES {
            return Err(ProtocolViolation::unexpected(MessageType::Challenge, "once too often"));
        }
        let config = &self.config;
        let known = config.credentials.iter().find(|known| known.method() == &*challenge.method);
        if let Some(credential) = known {
            match credential.answer(&challenge, &self.transport, config.allow_insecure_ticket) {
                Ok(answer) => self.transmit.push_back(answer.into()),
                Err(error) => self.cannot_authenticate(error),
            }
        } else if config.external_auth_methods.contains(&challenge.method) {
            self.state = SessionState::Challenged;
            self.timers.pause_join(self.now, config.limits.decision_timeout);
            let Challenge { method, extra } = challenge;
            self.events.push_back(SessionEvent::Challenge { method, extra });
        } else {
            self.cannot_authenticate(AuthError::not_offered(&challenge.method));
        }
        Ok(())
    }

    /// Ends the join: we cannot answer the router's challenge.
    pub(crate) fn cannot_authenticate(&mut self, error: AuthError) {
        let message = match &error {
            AuthError::NotOffered(_) => "the authentication method was not offered",
            AuthError::InsecureTransport => "the transport is not private enough for a ticket",
            AuthError::Unsendable => "the answer to the challenge cannot be sent",
        };
        self.send_abort(uris::CANNOT_AUTHENTICATE.clone(), Some(ByteString::from_static(message)));
        self.end(CloseReason::CannotAuthenticate(error), false);
    }

    /// Answers [`SessionEvent::Challenge`]. The router's next word is another challenge, WELCOME or ABORT.
    ///
    /// # Errors
    /// [`CommandError::NotJoined`] when no challenge waits for an answer (any more).
    pub fn authenticate(
        &mut self,
        now: Timestamp,
        signature: &str,
        extra: RawDict,
    ) -> Result<(), CommandError> {
        self.observe(now);
        let plan = self.plan_authenticate(signature, extra)?;
        self.enact(plan);
        Ok(())
    }

    pub(crate) fn plan_authenticate(&self, signature: &str, extra: RawDict) -> Result<Plan, CommandError> {
        if self.state != SessionState::Challenged {
            return Err(CommandError::NotJoined);
        }
        let message = Authenticate { signature: signature.into(), extra }.into();
        Ok(Plan { message, change: Change::Authenticate })
    }

    /// AUTHENTICATE is under way: it is the router's turn.
    pub(super) fn authenticated(&mut self) {
        self.state = SessionState::Joining;
        self.timers.resume_join(self.now);
    }

    pub(super) fn on_welcome(&mut self, welcome: Welcome) -> Result<(), ProtocolViolation> {
        let Welcome { session, details } = welcome;
        let Some(roles) = details.roles else {
            let missing = ViolationKind::Malformed(Malformed::MissingKey("roles"));
            return Err(ProtocolViolation::new(Some(MessageType::Welcome), missing));
        };
        let details = Box::new(kept(details.into_inner(), self.config.realm.as_ref()));
        self.welcome = Some(Welcomed { session, details: details.clone(), roles, is_joined: false });
        if self.config.confirm_welcome {
            self.state = SessionState::Confirming;
            self.timers.pause_join(self.now, self.config.limits.decision_timeout);
            self.events.push_back(SessionEvent::Welcome { session, details });
        } else {
            self.joined();
        }
        Ok(())
    }

    /// Accepts [`SessionEvent::Welcome`]; [`SessionEvent::Joined`] follows at once. To refuse it, call
    /// `abort`.
    ///
    /// # Errors
    /// [`CommandError::NotJoined`] when no WELCOME waits to be accepted (any more).
    pub fn accept_welcome(&mut self, now: Timestamp) -> Result<(), CommandError> {
        self.observe(now);
        if self.state != SessionState::Confirming {
            return Err(CommandError::NotJoined);
        }
        self.joined();
        Ok(())
    }

    fn joined(&mut self) {
        let Some(welcome) = &mut self.welcome else { return };
        self.state = SessionState::Joined;
        self.timers.stop();
        welcome.is_joined = true;
        let (session, details) = (welcome.session, welcome.details.clone());
        self.events.push_back(SessionEvent::Joined { session, details });
    }
}

/// What is kept of WELCOME for the whole session: copied out of the read buffer, with the realm.
fn kept(details: WelcomeDetails, asked: Option<&Uri>) -> WelcomeDetails {
    let text = |text: Option<ByteString>| text.as_ref().map(detach);
    let realm = details.realm.as_ref().or(asked).map(Uri::detach);
    let mut kept = WelcomeDetails::new();
    kept.realm = realm;
    kept.roles = details.roles;
    kept.agent = text(details.agent);
    kept.authid = text(details.authid);
    kept.authrole = text(details.authrole);
    kept.authmethod = text(details.authmethod);
    kept.authprovider = text(details.authprovider);
    kept.authextra = details.authextra.as_ref().map(RawDict::detach);
    kept.extra = details.extra.detach();
    kept
}

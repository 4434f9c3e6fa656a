//! What flows through a connection: frames up into the session, messages down into the transport.

use alloc::vec;
use alloc::vec::Vec;

use super::Connection;
use crate::auth::AuthError;
use crate::error::{CloseReason, CommandError, Deadline, PayloadError, uris};
use crate::message::{Abort, Error, Goodbye, Message, Sparse};
use crate::payload::Payload;
use crate::session::SessionState;
use crate::time::Timestamp;
use crate::transport::{TransportClose, TransportError, TransportEvent};

/// How the agent of a router begins that is known to answer RawSocket PINGs.
const OWN_AGENT: &str = "roadbed";

/// Unfetched bytes of ERRORs that the session answers by itself, at which input is no longer consumed.
const MAX_REPLIES: usize = 64 << 10;

impl Connection {
    /// Takes what the transport found, as long as there is room for events. Says whether there was
    /// anything.
    pub(super) fn pump(&mut self, now: Timestamp) -> bool {
        let mut any = false;
        loop {
            if self.session.state() != SessionState::Closed && !self.has_room() {
                self.stall();
                return any;
            }
            let Some(event) = self.transport.poll_event() else { return any };
            any = true;
            match event {
                TransportEvent::Open { .. } => self.opened(now),
                TransportEvent::Message(bytes) => self.received(now, &bytes),
                TransportEvent::Closed { reason } => self.transport_closed(now, reason),
            }
            self.flush(now);
            self.settle(now);
        }
    }

    /// Whether the session takes more messages: a router that does not read the answers it provokes is
    /// not read from either.
    pub(super) fn has_room(&self) -> bool {
        self.session.wants_input() && self.replies < MAX_REPLIES
    }

    /// The application does not take its events: the peer is not to blame for silence.
    pub(super) fn stall(&mut self) {
        if self.session.state() != SessionState::Closed {
            self.is_stalled = true;
            self.transport.suspend_liveness();
        }
    }

    pub(super) fn resume(&mut self, now: Timestamp) {
        if self.is_stalled && self.has_room() {
            self.is_stalled = false;
            self.transport.resume_liveness(now);
        }
    }

    fn opened(&mut self, now: Timestamp) {
        self.was_open = true;
        // The session is idle, so this cannot fail.
        let _ = self.session.join_until(now, self.join_by);
    }

    fn received(&mut self, now: Timestamp, bytes: &bytes::Bytes) {
        let Some(serializer) = self.transport.serializer() else { return };
        if self.session.state() == SessionState::Closed {
            return;
        }
        match serializer.decode(bytes, self.limits()) {
            Ok(message) => self.session.handle_message(now, message),
            Err(violation) => self.session.handle_violation(now, violation),
        }
    }

    fn transport_closed(&mut self, now: Timestamp, reason: TransportClose) {
        match reason {
            TransportClose::Local => {}
            TransportClose::Eof => self.session.handle_eof(now),
            TransportClose::Peer { code, reason } => match CloseReason::from_close_frame(code, reason) {
                CloseReason::Eof => self.session.handle_eof(now),
                reason => self.session.end(reason, false),
            },
            TransportClose::Timeout => {
                // Whoever is gone fetches nothing.
                self.is_released = true;
                self.session.end(CloseReason::Timeout(Deadline::Liveness), false);
            }
            // A stream cut inside a frame is a loss, not a fault of the peer's.
            TransportClose::Failed(error) if error.is_truncation() => {
                self.session.end(CloseReason::Eof, false);
            }
            TransportClose::Failed(error) => self.session.handle_violation(now, error.into()),
        }
    }

    /// Follows the session: the receive limit is the smaller one until WELCOME, and a router of our own
    /// kind is known to answer pings.
    pub(super) fn settle(&mut self, now: Timestamp) {
        let is_raised = matches!(
            self.session.state(),
            SessionState::Confirming | SessionState::Joined | SessionState::Leaving
        );
        if !self.was_open || is_raised == self.is_raised {
            return;
        }
        self.is_raised = is_raised;
        let limits = self.limits();
        let limit = if is_raised { limits.message_size } else { limits.authentication_message_size };
        self.transport.set_receive_limit(limit);
        let agent = self.session.details().and_then(|details| details.agent.as_deref());
        if agent.is_some_and(|agent| agent.starts_with(OWN_AGENT)) {
            self.transport.activate_liveness(now);
        }
    }

    /// Sends what the session queued by itself; closes the transport when the session has ended.
    pub(super) fn flush(&mut self, now: Timestamp) {
        while let Some(message) = self.session.poll_transmit() {
            let before = self.queued();
            let is_sent = self.send(now, &message).is_ok()
                || shorter(&message).iter().any(|message| self.send(now, message).is_ok());
            if !is_sent {
                self.unsendable(&message);
            } else if let Message::Error(_) = message {
                let size = self.queued().saturating_sub(before);
                self.replies = self.replies.saturating_add(size);
                self.replies_end = self.queued();
            }
        }
        if self.session.state() == SessionState::Closed && self.linger.is_none() {
            self.linger = Some(self.now.saturating_add(self.limits().goodbye_timeout));
            self.transport.close(now);
        }
    }

    /// Encodes a message and queues it in the transport; on failure nothing has changed.
    pub(super) fn send(&mut self, now: Timestamp, message: &Message) -> Result<(), CommandError> {
        let serializer = self.transport.serializer().ok_or(CommandError::NotJoined)?;
        let limit = self.transport.max_send();
        let encoded =
            serializer.encode_within(message, limit, &mut self.arena).map_err(|error| match error {
                PayloadError::TooLarge { size, limit } => CommandError::TooLarge { size, limit },
                error => error.into(),
            })?;
        self.transport.send(now, &encoded).map_err(|error| match error {
            TransportError::TooLarge { size, limit } => CommandError::TooLarge { size, limit },
            _ => CommandError::NotJoined,
        })?;
        self.is_blocked |= self.transport.queued() > self.high_water();
        Ok(())
    }

    /// Without HELLO or AUTHENTICATE there will be no session. The other messages that a session sends by
    /// itself fit any peer, at least when shortened; they fail only when the transport has ended, and nobody waits
    /// for them then.
    fn unsendable(&mut self, message: &Message) {
        match message {
            Message::Hello(_) => {
                self.session.end(CloseReason::CannotAuthenticate(AuthError::Unsendable), false);
            }
            Message::Authenticate(_) => self.session.cannot_authenticate(AuthError::Unsendable),
            _ => {}
        }
    }
}

/// What says as much as it can in fewer bytes, for routers that accept only small messages; the shortest last.
fn shorter(message: &Message) -> Vec<Message> {
    match message {
        Message::Hello(hello) => {
            let mut hello = hello.clone();
            hello.details.agent = None;
            vec![hello.into()]
        }
        Message::Abort(abort) => {
            let bare = Abort { details: Sparse::EMPTY, payload: Payload::EMPTY, ..abort.clone() };
            let other = Abort { reason: uris::CLOSE_REALM.clone(), ..bare.clone() };
            vec![bare.into(), other.into()]
        }
        Message::Goodbye(_) => {
            vec![Goodbye { details: Sparse::EMPTY, reason: uris::CLOSE_REALM.clone() }.into()]
        }
        Message::Error(error) => {
            vec![Error { details: Sparse::EMPTY, payload: Payload::EMPTY, ..error.clone() }.into()]
        }
        _ => Vec::new(),
    }
}

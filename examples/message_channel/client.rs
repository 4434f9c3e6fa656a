//! A client's end of the line: a [`Session`], driven with whole messages.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use bytes::BytesMut;
use roadbed_core::error::CommandError;
use roadbed_core::session::{ClientConfig, Session, SessionEvent, SessionState};
use roadbed_core::time::Timestamp;
use roadbed_core::transport::TransportDetails;
use roadbed_core::uri::Uri;
use roadbed_examples::clock::{Clock, utc};

use super::channel::{SERIALIZER, ToClient, ToRouter, WINDOW};
use crate::Failure;

/// A session, and its line to the router.
pub(crate) struct Client {
    /// For commands; they go out with the next [`next_event`](Self::next_event).
    pub(crate) session: Session,
    line: u64,
    to_router: Sender<(u64, ToRouter)>,
    from_router: Receiver<ToClient>,
    /// Messages that the router has not taken yet.
    ahead: usize,
    clock: Clock,
}

impl Client {
    /// Opens line number `line`, and says HELLO over it.
    pub(crate) fn connect(line: u64, router: &Sender<(u64, ToRouter)>) -> Result<Self, Failure> {
        let (to_client, from_router) = channel();
        router.send((line, ToRouter::Open(to_client)))?;
        let (config, clock) = (ClientConfig::new(Uri::new("realm1")?).build()?, Clock::start());
        let mut session = Session::new(config, clock.now(), utc());
        // Nobody else can listen here: even passwords may be sent.
        session.transport_ready(clock.now(), TransportDetails::local());
        session.join(clock.now())?;
        Ok(Self { session, line, to_router: router.clone(), from_router, ahead: 0, clock })
    }

    /// Gives a command.
    pub(crate) fn command<T>(
        &mut self,
        command: impl FnOnce(&mut Session, Timestamp) -> Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        command(&mut self.session, self.clock.now())
    }

    /// Carries messages until something happens; `None` after the last event.
    pub(crate) fn next_event(&mut self) -> Option<SessionEvent> {
        loop {
            self.session.handle_timeout(self.clock.now());
            while self.ahead < WINDOW
                && let Some(message) = self.session.poll_transmit()
            {
                self.ahead += 1;
                // Without a router the line has ended, and the channel says so below.
                let mut bytes = BytesMut::new();
                if SERIALIZER.encode(&message, &mut bytes).is_ok() {
                    let _ = self.to_router.send((self.line, ToRouter::Message(bytes.freeze())));
                }
            }
            if let Some(event) = self.session.poll_event() {
                return Some(event);
            }
            if self.session.state() == SessionState::Closed && self.ahead < WINDOW {
                return None;
            }
            let received = match self.session.poll_timeout() {
                Some(at) => self.from_router.recv_timeout(at.saturating_since(self.clock.now())),
                None => self.from_router.recv_timeout(Duration::MAX),
            };
            let now = self.clock.now();
            match received {
                Ok(ToClient::Message(message)) => {
                    let _ = self.to_router.send((self.line, ToRouter::Taken));
                    // Limits hold here as well: this is where a message comes from outside.
                    match SERIALIZER.decode(&message.to_bytes(), &self.session.config().limits) {
                        Ok(message) => self.session.handle_message(now, message),
                        Err(violation) => self.session.handle_violation(now, violation),
                    }
                }
                Ok(ToClient::Taken) => self.ahead -= 1,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.session.handle_eof(now);
                    // What is left to be sent has nowhere to go.
                    while self.session.poll_transmit().is_some() {}
                    self.ahead = 0;
                }
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.to_router.send((self.line, ToRouter::Gone));
    }
}

//! The time that a peer has until WELCOME. It stands still while it is our turn.

use std::time::Duration;

use roadbed_core::error::{CloseReason, Deadline, uris};
use roadbed_core::time::Timestamp;

use super::Gate;
use crate::claim::Refusal;

/// What is left of a peer's share of the time to WELCOME.
#[derive(Debug, Default)]
pub(super) struct Share {
    left: Duration,
    /// Since when it runs; `None` while it stands still.
    since: Option<Timestamp>,
}

impl Gate {
    /// The peer's share of the time to WELCOME begins.
    pub(super) fn begin_share(&mut self, now: Timestamp, share: Duration) {
        self.share = Share { left: share, since: None };
        self.resume_share(now);
    }

    /// It is the peer's turn, again or still.
    pub(super) fn resume_share(&mut self, now: Timestamp) {
        self.use_share(now);
        self.share.since = Some(now);
        self.deadline = Some((now.saturating_add(self.share.left), Deadline::Join));
    }

    /// It is the driver's turn: the peer's share stands still.
    pub(super) fn pause_share(&mut self, now: Timestamp) {
        self.use_share(now);
        self.deadline = Some((now.saturating_add(self.config.limits.decision_timeout), Deadline::Decision));
    }

    fn use_share(&mut self, now: Timestamp) {
        if let Some(since) = self.share.since.take() {
            self.share.left = self.share.left.saturating_sub(now.saturating_since(since));
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        self.deadline.map(|(at, _)| at)
    }

    /// A deadline that is due at `now`, if any, has passed.
    pub(crate) fn handle_timeout(&mut self, now: Timestamp) {
        let Some((_, why)) = self.deadline.take_if(|(at, _)| *at <= now) else { return };
        let close = CloseReason::Timeout(why);
        match why {
            Deadline::Join => {
                let message = "no session was established in time";
                self.refuse(Refusal::new(&uris::TIMEOUT, message), close);
            }
            Deadline::Decision => {
                let message = "it was not decided in time who you are";
                self.refuse(Refusal::new(&uris::AUTHENTICATION_FAILED, message), close);
            }
            _ => self.close(close, false),
        }
    }
}

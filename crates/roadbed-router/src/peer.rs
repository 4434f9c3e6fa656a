//! What the router knows of one peer: where it stands between HELLO and its end.

use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use roadbed_core::error::{CloseReason, Deadline};
use roadbed_core::limits::Limits;
use roadbed_core::message::Hello;
use roadbed_core::time::Timestamp;
use roadbed_core::transport::TransportDetails;
use roadbed_core::uri::Uri;

use crate::auth::Grant;
use crate::gate::{After, Gated};
use crate::keys::{QueueKey, RealmKey, SessionKey};
use crate::names::PeerId;
use crate::queue::Outbox;
use crate::text::short_text;
use crate::timers::{TimerId, TimerKey};

/// Where a peer stands.
pub(crate) enum Stage {
    /// Before WELCOME.
    Gated(Gated),
    /// In a realm.
    Joined { realm: RealmKey, session: SessionKey },
    /// It was sent GOODBYE; only its answer counts.
    Leaving(CloseReason),
    /// It was sent its last message; nothing from it counts.
    Ended,
}

/// What a peer asked for in HELLO, cut to a bounded size. Nothing of it is proven.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) realm: Option<Uri>,
    pub(crate) authid: Option<ByteString>,
}

impl Asked {
    pub(crate) fn new(hello: &Hello, uri_length: usize) -> Self {
        Self {
            realm: hello.realm.as_ref().filter(|realm| realm.as_str().len() <= uri_length).map(Uri::detach),
            authid: hello.details.authid.as_deref().map(short_text),
        }
    }
}

pub(crate) struct Peer {
    pub(crate) id: PeerId,
    pub(crate) queue: QueueKey,
    pub(crate) transport: Arc<TransportDetails>,
    /// What the driver lets it in as, whatever the realm asks of others.
    pub(crate) trusted: Option<Box<Grant>>,
    /// What it asked for in HELLO, until it is let in: for the event that says it was refused.
    pub(crate) asked: Option<Box<Asked>>,
    pub(crate) stage: Stage,
    /// Not read until the driver has taken its events.
    pub(crate) is_held: bool,
    /// HELLOs that were refused.
    pub(crate) refusals: u32,
    /// Names the question to the driver that is open, if any; older answers do not count.
    pub(crate) round: u32,
    /// What is left of the peer's share of the time to WELCOME, at `share_since`.
    share: Duration,
    /// Since when the share runs; `None` while it stands still.
    share_since: Option<Timestamp>,
    deadline: Option<(Timestamp, Deadline)>,
    /// The timer of the deadline.
    timer: Option<TimerId>,
}

impl Peer {
    pub(crate) fn new(
        id: PeerId,
        queue: QueueKey,
        transport: TransportDetails,
        trusted: Option<Grant>,
    ) -> Self {
        Self {
            id,
            queue,
            transport: Arc::new(transport),
            trusted: trusted.map(Box::new),
            asked: None,
            stage: Stage::Gated(Gated::Hello(After::Nothing)),
            is_held: false,
            refusals: 0,
            round: 0,
            share: Duration::ZERO,
            share_since: None,
            deadline: None,
            timer: None,
        }
    }

    /// The timer of the deadline.
    pub(crate) fn timer(&self) -> Option<TimerId> {
        self.timer
    }

    pub(crate) fn deadline(&self) -> Option<(Timestamp, Deadline)> {
        self.deadline
    }

    /// Whether another HELLO may follow: GOODBYE was exchanged, or the last HELLO refused.
    pub(crate) fn is_between_sessions(&self) -> bool {
        matches!(self.stage, Stage::Gated(Gated::Hello(After::Goodbye | After::Refusal)))
    }

    /// Whether it said GOODBYE, and nothing since that counts.
    pub(crate) fn has_just_left(&self) -> bool {
        matches!(self.stage, Stage::Gated(Gated::Hello(After::Goodbye)))
    }

    /// Whether it is not read for the sake of the driver: only those without session cause events for it.
    pub(crate) fn waits_for_the_driver(&self) -> bool {
        self.is_held && matches!(self.stage, Stage::Gated(_))
    }

    /// The largest message that it may send now, in bytes.
    pub(crate) fn receive_limit(&self, limits: &Limits) -> usize {
        match &self.stage {
            // What was under way when its session ended may still come.
            Stage::Joined { .. } | Stage::Leaving(_) | Stage::Gated(Gated::Hello(After::Goodbye)) => {
                limits.message_size
            }
            Stage::Gated(Gated::Proof(_)) => limits.authentication_message_size,
            Stage::Gated(_) | Stage::Ended => limits.handshake_message_size,
        }
    }

    /// The peer's share of the time to WELCOME begins.
    pub(crate) fn begin_share(&mut self, share: Duration, out: &mut Outbox) {
        self.share = share;
        self.share_since = None;
        self.resume_share(out);
    }

    /// It is the peer's turn, again or still.
    pub(crate) fn resume_share(&mut self, out: &mut Outbox) {
        self.use_share(out.now);
        self.share_since = Some(out.now);
        self.set_deadline(out.now.saturating_add(self.share), Deadline::Join, out);
    }

    /// It is our turn: the peer's share stands still.
    pub(crate) fn pause_share(&mut self, decision: Duration, out: &mut Outbox) {
        self.use_share(out.now);
        self.set_deadline(out.now.saturating_add(decision), Deadline::Decision, out);
    }

    fn use_share(&mut self, now: Timestamp) {
        if let Some(since) = self.share_since.take() {
            self.share = self.share.saturating_sub(now.saturating_since(since));
        }
    }

    pub(crate) fn set_deadline(&mut self, at: Timestamp, why: Deadline, out: &mut Outbox) {
        self.clear_deadline(out);
        self.deadline = Some((at, why));
        self.timer = Some(out.timers.set(at, TimerKey::Peer(self.id)));
    }

    pub(crate) fn clear_deadline(&mut self, out: &mut Outbox) {
        self.deadline = None;
        if let Some(timer) = self.timer.take() {
            out.timers.cancel(timer);
        }
    }

    /// The deadline passed, and its timer is gone.
    pub(crate) fn take_deadline(&mut self) -> Option<Deadline> {
        self.timer = None;
        self.deadline.take().map(|(_, why)| why)
    }
}

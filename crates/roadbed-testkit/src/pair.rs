//! One client and what plays its router, under one clock.

use std::sync::Arc;
use std::time::Duration;

use roadbed_core::connection::{Connection, Endpoint};
use roadbed_core::link::{Link, LinkConfig};
use roadbed_core::session::ClientConfig;
use roadbed_core::time::{Timestamp, UnixMicros};
use roadbed_core::transport::TransportDetails;

use crate::end::{Client, End, LinkEnd};
use crate::line::{Circles, Line, Log, earlier};
use crate::rng::Rng;
use crate::transcript::Transcript;
use crate::wire::{Conditions, Wire};

/// Steps after which `drive` gives up.
pub(crate) const DRIVE_STEPS: usize = 1_000_000;

/// A client connection over a transport that counts as private, begun at time zero. A serializer alone stands
/// for RawSocket; a [`Carrier`](crate::Carrier) has the endpoints of all transports.
pub fn client(config: Arc<ClientConfig>, endpoint: impl Into<Endpoint>) -> Client {
    client_at(config, &endpoint.into(), [0; 32], Timestamp::ZERO, TransportDetails::local())
}

pub(crate) fn client_at(
    config: Arc<ClientConfig>,
    endpoint: &Endpoint,
    seed: [u8; 32],
    now: Timestamp,
    details: TransportDetails,
) -> Client {
    let utc = UnixMicros::from_micros(now.as_micros());
    let mut connection = Connection::client(config, endpoint, seed, now, utc);
    connection.transport_ready(now, details);
    Client::new(connection)
}

/// A router's link, begun at time zero.
pub fn link(config: &LinkConfig) -> LinkEnd {
    LinkEnd::new(Link::server(config, Timestamp::ZERO))
}

/// Two ends joined by two [`Wire`]s, with a clock that moves only when nothing else can happen. Usually
/// one of them is a [`Client`] and the other a [`LinkEnd`] or a [`Script`](crate::Script).
///
/// ```
/// use roadbed_core::message::MessageType;
/// use roadbed_core::serializer::Serializer;
/// use roadbed_core::session::{ClientConfig, SessionEvent};
/// use roadbed_core::uri::Uri;
/// use roadbed_testkit::{Pair, Script, client};
///
/// // A client, and a router that the test plays.
/// let config = ClientConfig::new(Uri::new("realm1")?).build()?;
/// let mut pair = Pair::new(client(config, Serializer::Cbor), Script::router());
/// pair.drive();
/// pair.router.expect(MessageType::Hello);
/// pair.router.welcome();
/// pair.drive();
/// assert!(matches!(pair.client.next_event(), Some(SessionEvent::Joined { .. })));
///
/// // The router vanishes without a word.
/// pair.down().cut_after(0);
/// pair.drive();
/// assert!(pair.client.is_closed());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Pair<A, B> {
    /// The end that connected.
    pub client: A,
    /// The end that accepted.
    pub router: B,
    line: Line,
    now: Timestamp,
    transcript: Option<Transcript>,
}

impl<A: End, B: End> Pair<A, B> {
    /// Joins two ends by wires without delay, at time zero.
    pub fn new(client: A, router: B) -> Self {
        Self::with(client, router, 0, &Conditions::new())
    }

    /// Joins two ends by wires under these conditions; what the wires draw at random depends on `seed`.
    pub fn with(client: A, router: B, seed: u64, conditions: &Conditions) -> Self {
        let line = Line::new(&mut Rng::new(seed), conditions);
        Self { client, router, line, now: Timestamp::ZERO, transcript: None }
    }

    /// The present time.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The wire from client to router.
    pub fn up(&mut self) -> &mut Wire {
        &mut self.line.up.wire
    }

    /// The wire from router to client.
    pub fn down(&mut self) -> &mut Wire {
        &mut self.line.down.wire
    }

    /// Records the bytes that both ends write from now on.
    pub fn record(&mut self) {
        self.transcript.get_or_insert_default();
    }

    /// What was recorded.
    pub fn transcript(&self) -> Transcript {
        self.transcript.clone().unwrap_or_default()
    }

    /// The stream breaks in both directions, and both ends notice.
    pub fn reset(&mut self) {
        self.line.reset(self.now, &mut self.client, &mut self.router);
    }

    /// Does what can be done now; when there is nothing, moves the clock to the next arrival or time-out
    /// and does what is due then. Says whether there was anything.
    pub fn step(&mut self) -> bool {
        self.settle() || self.next().is_some_and(|at| self.go_to(at))
    }

    /// Steps until nothing is under way. Deadlines on the way are met, those after it are not waited for.
    ///
    /// # Panics
    /// When that takes more than a million steps.
    #[track_caller]
    pub fn drive(&mut self) {
        assert!(self.drive_bounded(DRIVE_STEPS), "bytes are under way after {DRIVE_STEPS} steps");
    }

    /// Steps until nothing is under way, at most `steps` times. Says whether it got there.
    #[track_caller]
    pub fn drive_bounded(&mut self, steps: usize) -> bool {
        self.settle();
        for _ in 0..steps {
            if self.line.next_read(&self.client, &self.router).is_none() {
                return true;
            }
            self.step();
        }
        false
    }

    /// Lets time pass, with everything that happens meanwhile.
    #[track_caller]
    pub fn advance(&mut self, span: Duration) {
        let until = self.now + span;
        self.settle();
        while let Some(at) = self.next().filter(|at| *at <= until) {
            self.go_to(at);
        }
        self.go_to(until);
    }

    fn go_to(&mut self, at: Timestamp) -> bool {
        self.now = self.now.max(at);
        self.settle()
    }

    fn next(&self) -> Option<Timestamp> {
        let timeouts = earlier(self.client.poll_timeout(), self.router.poll_timeout());
        earlier(self.line.next_read(&self.client, &self.router), timeouts)
    }

    #[track_caller]
    fn settle(&mut self) -> bool {
        let (mut circles, mut any) = (Circles::default(), false);
        loop {
            let mut log = Log { transcript: self.transcript.as_mut(), line: 0 };
            let progress = self.line.round(self.now, &mut self.client, &mut self.router, &mut log);
            if !circles.go_on(progress) {
                return any;
            }
            any = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use roadbed_core::link::LinkEvent;
    use roadbed_core::message::Message;
    use roadbed_core::serializer::Serializer;
    use roadbed_core::session::SessionEvent;
    use roadbed_core::uri::Uri;

    use super::*;
    use crate::wire::Pieces;

    /// What a client says reaches a link and back over any network.
    #[test]
    fn a_client_and_a_link() {
        let conditions = Conditions::new().latency(Duration::from_millis(10)).pieces(Pieces::Bytewise);
        let config = ClientConfig::new(Uri::from_static("realm1")).build().unwrap();
        let ends = (client(config, Serializer::MsgPack), link(&LinkConfig::default()));
        let mut pair = Pair::with(ends.0, ends.1, 1, &conditions);
        pair.record();
        pair.drive();
        let (now, events) = (pair.now(), pair.router.events());
        assert_eq!(now, Timestamp::from_micros(30_000), "there, back, and there again");
        assert!(matches!(events[..], [LinkEvent::Open { .. }, LinkEvent::Message(Message::Hello(_))]));
        pair.router.link.close(now);
        pair.drive();
        assert!(matches!(pair.router.events()[..], [LinkEvent::Closed { .. }]));
        assert!(matches!(pair.client.events()[..], [SessionEvent::Closed { .. }]));
        assert_eq!(pair.transcript().len(), 3);
    }

    #[test]
    fn time_passes_only_when_nothing_else_can_happen() {
        let config = ClientConfig::new(Uri::from_static("realm1")).build().unwrap();
        let mut pair = Pair::new(client(config, Serializer::Json), crate::Script::raw());
        assert!(pair.step());
        assert_eq!(pair.now(), Timestamp::ZERO);
        assert!(pair.step());
        assert_eq!(pair.now(), Timestamp::ZERO + Duration::from_secs(30), "the deadline to join");
        pair.reset();
        pair.advance(Duration::from_secs(60));
        assert!(pair.client.is_closed() && !pair.step());
    }
}

//! RawSocket, both ends, through [`Transport`].
//!
//! * How a stream is cut into reads changes neither the events nor the bytes sent.
//! * With messages sent, time passing and reading suspended in between: one `Closed`, as the last event;
//!   timeouts lie in the future; nothing is queued without bound; the output holds whole frames.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use roadbed_core::serializer::{Encoded, Serializer};
use roadbed_core::time::Timestamp;
use roadbed_core::transport::{
    LivenessConfig, LivenessMode, RawSocket, RawSocketClientConfig, RawSocketServerConfig, Transport,
    TransportError, TransportEvent, TransportRole,
};

use crate::check_text;
use crate::source::Source;

/// Undelivered events of one call: the bound of the transport, and `Open` and `Closed`.
const MAX_EVENTS: usize = 66;
/// Bytes of PONGs after which a transport stops reading, and one more PONG of the largest size.
const MAX_CONTROL: usize = (64 << 10) + (16 << 20);

/// The end that connects.
pub fn rawsocket_client(data: &[u8]) {
    both(TransportRole::Client, data);
}

/// The end that accepts.
pub fn rawsocket_server(data: &[u8]) {
    both(TransportRole::Server, data);
}

/// How a transport is made: read from the first bytes.
#[derive(Clone, Copy)]
struct Setup {
    role: TransportRole,
    serializer: Serializer,
    max_receive: usize,
    /// The receive limit until the first message.
    limit: usize,
    liveness: LivenessMode,
}

impl Setup {
    fn read(role: TransportRole, source: &mut Source<'_>) -> Self {
        Self {
            role,
            serializer: source.choose(&Serializer::ALL),
            max_receive: source.choose(&[1 << 20, 512, 1024, 16 << 20]),
            limit: source.choose(&[usize::MAX, 16, 600]),
            liveness: source.choose(&[LivenessMode::Auto, LivenessMode::On, LivenessMode::Off]),
        }
    }

    fn make(self) -> Transport {
        let liveness = LivenessConfig::default().mode(self.liveness);
        let socket = match self.role {
            TransportRole::Client => RawSocket::client(
                &RawSocketClientConfig::new(self.serializer).max_receive(self.max_receive).liveness(liveness),
            ),
            TransportRole::Server => RawSocket::server(
                &RawSocketServerConfig::default()
                    .serializers(&[self.serializer, Serializer::Cbor])
                    .max_receive(self.max_receive)
                    .liveness(liveness),
            ),
        };
        let mut transport = Transport::from(socket);
        transport.set_receive_limit(self.limit);
        transport
    }
}

fn both(role: TransportRole, data: &[u8]) {
    let mut source = Source::new(data);
    let setup = Setup::read(role, &mut source);
    let cuts = source.bytes(8).to_vec();
    let stream = source.clone().rest();
    let whole = run(setup, stream, &[]);
    assert_eq!(run(setup, stream, &cuts), whole, "cut into pieces of {cuts:?} octets");
    assert_eq!(run(setup, stream, &[0]), whole, "octet by octet");
    Clocked::new(setup).run(source);
}

/// What a transport makes of a stream that comes in pieces of so many octets, one more than given, in
/// turn, and then ends.
fn run(setup: Setup, stream: &[u8], cuts: &[u8]) -> (Vec<TransportEvent>, Vec<u8>) {
    let mut transport = setup.make();
    let (mut events, mut sent, mut input) = (vec![], vec![], BytesMut::new());
    let mut rest = stream;
    for turn in 0.. {
        let len = cuts.get(turn % cuts.len().max(1)).map_or(rest.len(), |&cut| usize::from(cut) + 1);
        let (piece, behind) = rest.split_at(len.min(rest.len()));
        rest = behind;
        input.extend_from_slice(piece);
        loop {
            transport.handle_input(Timestamp::ZERO, &mut input);
            let has_stalled = !transport.wants_input();
            let before = events.len();
            drain(&mut transport, setup, &mut events, &mut sent);
            assert!(events.len() - before <= MAX_EVENTS, "{} events of one call", events.len() - before);
            if !has_stalled || is_closed(&events) {
                break;
            }
        }
        check_hint(&transport, setup, &input);
        if rest.is_empty() {
            break;
        }
    }
    transport.handle_eof(Timestamp::ZERO);
    drain(&mut transport, setup, &mut events, &mut sent);
    check_end(&transport, &events);
    (events, sent)
}

fn drain(transport: &mut Transport, setup: Setup, events: &mut Vec<TransportEvent>, sent: &mut Vec<u8>) {
    while let Some(event) = transport.poll_event() {
        assert!(!is_closed(events), "{event:?} after Closed");
        if let TransportEvent::Message(message) = &event {
            assert!(message.len() <= setup.max_receive);
            transport.set_receive_limit(usize::MAX);
        }
        if let TransportEvent::Closed { reason: roadbed_core::transport::TransportClose::Failed(error) } =
            &event
        {
            check_text(error);
        }
        events.push(event);
    }
    while let Some(bytes) = transport.poll_transmit() {
        assert!(!bytes.is_empty(), "an empty write");
        sent.extend_from_slice(&bytes);
    }
    assert_eq!(transport.queued(), 0);
}

fn is_closed(events: &[TransportEvent]) -> bool {
    matches!(events.last(), Some(TransportEvent::Closed { .. }))
}

fn check_hint(transport: &Transport, setup: Setup, input: &BytesMut) {
    let hint = transport.input_hint();
    assert!(hint >= 1);
    assert!(hint <= (64 << 10).max(2 * input.len()), "a hint of {hint} for {} bytes", input.len());
    assert!(input.len() <= setup.max_receive + 4, "{} bytes are left in the buffer", input.len());
}

fn check_end(transport: &Transport, events: &[TransportEvent]) {
    assert!(is_closed(events), "no Closed at the end");
    assert!(!transport.wants_input() && !transport.is_open());
    assert_eq!(transport.poll_timeout(), None, "a timer of a closed transport");
}

/// A transport with everything that can happen to one.
struct Clocked {
    setup: Setup,
    transport: Transport,
    now: Timestamp,
    /// The latest time that the transport was told.
    told: Timestamp,
    input: BytesMut,
    events: Vec<TransportEvent>,
    sent: Vec<u8>,
}

impl Clocked {
    fn new(setup: Setup) -> Self {
        let transport = setup.make();
        let (input, events, sent) = (BytesMut::new(), vec![], vec![]);
        Self { setup, transport, now: Timestamp::ZERO, told: Timestamp::ZERO, input, events, sent }
    }

    fn run(mut self, mut source: Source<'_>) {
        // The peer agrees, or nothing much would happen.
        if source.flag() {
            self.feed(&[0x7F, 0x50 | self.setup.serializer.rawsocket_id(), 0, 0]);
        }
        while !source.is_empty() {
            self.step(&mut source);
            self.check();
        }
        self.transport.handle_eof(self.now);
        while !is_closed(&self.events) {
            self.transport.handle_input(self.now, &mut self.input);
            self.drain();
        }
        check_end(&self.transport, &self.events);
        self.check_frames();
    }

    fn step(&mut self, source: &mut Source<'_>) {
        match source.below(16) {
            0..=2 => self.feed(source.bytes(64)),
            3..=5 => {
                let body = source.bytes(300);
                let kind = source.choose(&[0, 1, 2, 3, 8]);
                let [_, high, mid, low] = u32::try_from(body.len()).unwrap_or(0).to_be_bytes();
                self.feed(&[&[kind, high, mid, low], body].concat());
            }
            6..=8 => self.send(source),
            9 => self.tell(Transport::handle_timeout),
            10 => self.now = self.now + Duration::from_millis(source.number() % 100_000),
            11 => {
                if let Some(at) = self.transport.poll_timeout() {
                    self.now = self.now.max(at);
                    self.tell(Transport::handle_timeout);
                }
            }
            12 => self.transport.suspend_liveness(),
            13 => self.tell(Transport::resume_liveness),
            14 => match source.below(8) {
                0 => self.tell(Transport::handle_eof),
                1 => self.tell(Transport::close),
                2 => self.tell(Transport::activate_liveness),
                _ => self.transport.set_receive_limit(source.choose(&[0, 16, 600, usize::MAX])),
            },
            _ => self.drain(),
        }
    }

    fn tell(&mut self, what: fn(&mut Transport, Timestamp)) {
        self.told = self.now;
        what(&mut self.transport, self.now);
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        if self.transport.wants_input() {
            self.told = self.now;
            self.transport.handle_input(self.now, &mut self.input);
        }
    }

    fn send(&mut self, source: &mut Source<'_>) {
        let body = Bytes::copy_from_slice(source.bytes(600));
        let (is_open, queued) = (self.transport.is_open(), self.transport.queued());
        self.told = self.now;
        match self.transport.send(self.now, &Encoded::from(body.clone())) {
            Ok(()) => {
                // After a fault of the peer it may still be told why, so that `is_open` need not be true.
                assert!(body.len() <= self.transport.max_send());
                assert_eq!(self.transport.queued(), queued + body.len() + 4);
            }
            Err(error) => {
                check_text(&error);
                let is_too_large = matches!(error, TransportError::TooLarge { .. });
                assert!(!is_open || is_too_large, "{error}");
                assert_eq!(self.transport.queued(), queued, "a refused message was queued");
            }
        }
    }

    fn drain(&mut self) {
        drain(&mut self.transport, self.setup, &mut self.events, &mut self.sent);
    }

    fn check(&self) {
        assert!(self.transport.poll_timeout().is_none_or(|at| at > self.told), "a timeout in the past");
        assert!(self.transport.input_hint() >= 1);
        assert!(self.transport.queued() <= MAX_CONTROL + (1 << 20));
    }

    /// What was sent is a handshake and whole frames.
    fn check_frames(&self) {
        let Some((_, mut rest)) = self.sent.split_first_chunk::<4>() else {
            return assert!(self.sent.is_empty(), "half a handshake");
        };
        while let Some((&[kind, high, mid, low], behind)) = rest.split_first_chunk() {
            let len = usize::from(high) << 16 | usize::from(mid) << 8 | usize::from(low);
            assert!(kind <= 2 && len <= behind.len(), "a broken frame of kind {kind} and {len} bytes");
            rest = &behind[len..];
        }
        assert!(rest.is_empty(), "half a header");
    }
}

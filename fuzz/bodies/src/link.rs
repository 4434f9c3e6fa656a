//! The router's end of a connection: [`Link`].
//!
//! How a stream is cut into reads changes neither the events nor the bytes sent. `Closed` comes once, as the
//! last event; after a violation that cannot be answered no message comes; timeouts lie in the future.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use roadbed_core::limits::Limits;
use roadbed_core::link::{Link, LinkConfig, LinkEvent};
use roadbed_core::serializer::{Encoded, Serializer};
use roadbed_core::time::Timestamp;
use roadbed_core::transport::{LivenessConfig, LivenessMode};

use crate::check_text;
use crate::samples;
use crate::source::Source;
use crate::speech::{Other, Speech};

/// A link under input, output and time.
pub fn link(data: &[u8]) {
    let mut source = Source::new(data);
    let speech = Speech::choose(&mut source);
    let mode = source.choose(&[LivenessMode::Auto, LivenessMode::On]);
    let limits = match source.below(3) {
        0 => Limits::default(),
        1 => Limits::default().message_size(1024).handshake_message_size(512),
        _ => Limits::default().uri_length(64).depth(3).list_length(2).envelope_size(600),
    };
    let offered: &[Serializer] = if source.flag() { &[Serializer::Cbor] } else { &Serializer::ALL };
    let config = LinkConfig::default()
        .limits(limits)
        .liveness(LivenessConfig::default().mode(mode))
        .serializers(offered);
    let config = if speech.is_websocket { config.websocket(speech.server_config()) } else { config };
    config.check().expect("the configuration is right");
    let cuts = source.bytes(8).to_vec();

    let stream = source.clone().rest();
    let whole = stream_in_pieces(&config, stream, &[]);
    assert_eq!(stream_in_pieces(&config, stream, &cuts), whole, "cut into pieces of {cuts:?} octets");
    assert_eq!(stream_in_pieces(&config, stream, &[0]), whole, "octet by octet");
    World::new(&config).run(source, speech);
}

/// The events and the output of a stream that comes in pieces of so many octets, one more than given.
fn stream_in_pieces(config: &LinkConfig, stream: &[u8], cuts: &[u8]) -> (Vec<LinkEvent>, Vec<u8>) {
    let mut world = World::new(config);
    let mut rest = stream;
    for turn in 0.. {
        let len = cuts.get(turn % cuts.len().max(1)).map_or(rest.len(), |&cut| usize::from(cut) + 1);
        let (piece, behind) = rest.split_at(len.min(rest.len()));
        rest = behind;
        world.feed(piece);
        world.settle();
        if rest.is_empty() {
            break;
        }
    }
    world.end();
    if world.is_over || config.websocket.is_some() {
        // Pings behind what ends the link are answered if they came in the same read; and of many that came
        // in one read, a WebSocket answers some.
        world.sent.clear();
    }
    (world.events, world.sent)
}

struct World {
    link: Link,
    now: Timestamp,
    /// The latest time that the link was told.
    told: Timestamp,
    input: BytesMut,
    /// The other end, where it is a WebSocket.
    other: Option<Other>,
    events: Vec<LinkEvent>,
    sent: Vec<u8>,
    is_over: bool,
}

impl World {
    fn new(config: &LinkConfig) -> Self {
        let now = Timestamp::ZERO;
        let link = Link::server(config, now);
        let (input, other) = (BytesMut::new(), None);
        Self { link, now, told: now, input, other, events: vec![], sent: vec![], is_over: false }
    }

    fn tell(&mut self, what: fn(&mut Link, Timestamp)) {
        self.told = self.now;
        what(&mut self.link, self.now);
    }

    fn run(mut self, mut source: Source<'_>, speech: Speech) {
        if source.flag() {
            let serializer = source.choose(&Serializer::ALL);
            if speech.is_websocket {
                let mut other = Other::client(speech, serializer);
                let request = other.output();
                self.other = Some(other);
                self.feed(&request);
                self.settle();
            } else {
                self.feed(&[0x7F, 0x50 | serializer.rawsocket_id(), 0, 0]);
            }
        }
        while !source.is_empty() {
            self.step(&mut source);
            assert!(self.link.poll_timeout().is_none_or(|at| at > self.told), "a timeout in the past");
            assert_eq!(self.link.poll_timeout().is_some(), self.link.timeout_reason().is_some());
            assert!(self.link.input_hint() >= 1);
        }
        self.end();
    }

    fn step(&mut self, source: &mut Source<'_>) {
        match source.below(20) {
            0..=6 => {
                let (name, json) = source.choose(samples::MESSAGES);
                let now = self.now;
                if let (Some(other), Some(serializer)) = (&mut self.other, self.link.serializer()) {
                    let mut body = BytesMut::new();
                    if name != "unknown" && serializer.encode(&samples::parse(json), &mut body).is_ok() {
                        other.send(now, body.freeze());
                    }
                    let frame = other.output();
                    self.feed(&frame);
                    return self.settle();
                }
                let mut frame = BytesMut::from(&[0; 4][..]);
                if let Some(serializer) = self.link.serializer().filter(|_| name != "unknown") {
                    serializer
                        .encode(&samples::parse(json), &mut frame)
                        .expect("a sample has a place everywhere");
                }
                let length = u32::try_from(frame.len() - 4).unwrap_or(0).to_be_bytes();
                frame[1..4].copy_from_slice(&length[1..]);
                self.feed(&frame);
            }
            7 => self.feed(source.bytes(64)),
            8 => {
                let body = source.bytes(200);
                let kind = source.choose(&[0, 1, 2, 3]);
                self.feed(&[&[kind, 0, 0, u8::try_from(body.len()).unwrap_or(0)], body].concat());
            }
            9 | 10 => {
                let body = Bytes::copy_from_slice(source.bytes(600));
                let queued = self.link.queued();
                self.told = self.now;
                if let Err(error) = self.link.send(self.now, &Encoded::from(body)) {
                    check_text(&error);
                    assert_eq!(self.link.queued(), queued);
                }
            }
            11 => self.link.set_receive_limit(Limits::default().message_size),
            12 => self.link.set_receive_limit(Limits::default().handshake_message_size),
            13 => self.link.pause(),
            14 => self.tell(Link::resume),
            15 => self.now = self.now + Duration::from_millis(source.number() % 40_000),
            16 => {
                self.now = self.now.max(self.link.poll_timeout().unwrap_or(self.now));
                self.tell(Link::handle_timeout);
            }
            17 => match source.below(8) {
                0 => self.tell(Link::close),
                1 => self.tell(Link::handle_lost),
                2 if self.link.wants_input() => self.tell(Link::handle_eof),
                3 => self.tell(Link::activate_liveness),
                _ => self.tell(Link::handle_timeout),
            },
            18 => return,
            _ => return self.fetch(),
        }
        self.settle();
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        self.read();
    }

    fn read(&mut self) {
        if self.link.wants_input() {
            self.told = self.now;
            self.link.handle_input(self.now, &mut self.input);
        }
    }

    /// As a driver does: events and output until there is nothing more to read.
    fn settle(&mut self) {
        loop {
            let before = (self.input.len(), self.events.len());
            self.fetch();
            while let Some(event) = self.link.poll_event() {
                self.happened(event);
            }
            self.read();
            if before == (self.input.len(), self.events.len()) {
                return;
            }
        }
    }

    fn fetch(&mut self) {
        while let Some(bytes) = self.link.poll_transmit() {
            assert!(!bytes.is_empty(), "an empty write");
            self.sent.extend_from_slice(&bytes);
            if let Some(other) = &mut self.other {
                other.hear(self.now, &bytes);
                let answer = other.output();
                self.input.extend_from_slice(&answer);
            }
        }
    }

    fn happened(&mut self, event: LinkEvent) {
        assert!(!matches!(self.events.last(), Some(LinkEvent::Closed { .. })), "{event:?} after Closed");
        match &event {
            LinkEvent::Open { .. } => assert!(self.events.is_empty(), "open twice"),
            LinkEvent::Message(message) => assert!(!self.is_over, "{message:?} after a violation"),
            LinkEvent::Violation(violation) => {
                check_text(violation);
                assert!(!self.is_over, "{violation} after another violation");
                self.is_over = violation.request().is_none();
            }
            LinkEvent::Closed { reason } => check_text(reason),
            _ => {}
        }
        self.events.push(event);
        if self.is_over && matches!(self.events.last(), Some(LinkEvent::Violation(_))) {
            // What an owner does: ABORT, and close.
            let _ = self.link.send(self.now, &Encoded::from(Bytes::from_static(b"[3]")));
            self.tell(Link::close);
        }
    }

    fn end(&mut self) {
        self.settle();
        if self.link.wants_input() {
            self.tell(Link::handle_eof);
            self.settle();
        }
        if !matches!(self.events.last(), Some(LinkEvent::Closed { .. })) {
            self.tell(Link::handle_lost);
            self.settle();
        }
        assert!(matches!(self.events.last(), Some(LinkEvent::Closed { .. })), "no Closed at the end");
        assert_eq!(self.link.poll_timeout(), None, "a timer after Closed");
        assert!(!self.link.is_writable() && !self.link.wants_input() && !self.link.is_open());
    }
}

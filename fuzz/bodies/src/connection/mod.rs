//! A client [`Connection`], with everything around it: bytes, commands, time.
//!
//! Every command that was accepted ends in exactly one event, before its session's `Left`; `Closed` comes
//! once, as the last event; a refused command changes nothing; timeouts lie in the future; the output is whole
//! frames with messages that decode. How the input is cut changes nothing.

mod commands;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use roadbed_core::connection::Connection;
use roadbed_core::id::{CallId, InvocationId, RegisterId, SubscribeId};
use roadbed_core::limits::Limits;
use roadbed_core::serializer::Serializer;
use roadbed_core::session::{ClientConfig, SessionEvent, SessionState};
use roadbed_core::time::{Timestamp, UnixMicros};
use roadbed_core::transport::{LivenessConfig, LivenessMode, TransportDetails};
use roadbed_core::uri::Uri;

use crate::answers::Answers;
use crate::check_text;
use crate::samples;
use crate::source::Source;
use crate::speech::{Other, Speech};

/// A client connection under commands, input and time.
pub fn connection(data: &[u8]) {
    let whole = World::run(data, false);
    // As often as not would do, but shrinking is easier when it does not depend on the input.
    if data.len().is_multiple_of(4) {
        assert_eq!(World::run(data, true), whole, "octet by octet it comes to something else");
    }
}

struct World {
    connection: Connection,
    answers: Answers,
    serializer: Serializer,
    now: Timestamp,
    /// The latest time that the connection was told.
    told: Timestamp,
    input: BytesMut,
    output: BytesMut,
    is_shaken: bool,
    is_split: bool,
    /// The other end, where it is a WebSocket.
    other: Option<Other>,
    /// What waits for its event: the command and its handle, as text.
    open: BTreeMap<String, usize>,
    calls: Vec<CallId>,
    subscribed: Vec<SubscribeId>,
    registered: Vec<RegisterId>,
    invocations: Vec<InvocationId>,
    is_joined: bool,
    is_closed: bool,
    /// All events and all messages sent, in order.
    transcript: Vec<String>,
}

fn config(source: &mut Source<'_>, serializer: Serializer) -> (Arc<ClientConfig>, TransportDetails) {
    let bits = source.byte();
    let limits = match source.below(4) {
        0 | 1 => Limits::default(),
        2 => Limits::default().queued_events(3).pending_calls(2).subscriptions(2).registrations(2),
        _ => Limits::default().output_high_water(300).output_size(900).handshake_message_size(4096),
    };
    let mut config = ClientConfig::new(Uri::from_static("realm1"))
        .limits(limits)
        .strict_ids(bits & 1 != 0)
        .confirm_welcome(bits & 2 != 0)
        .stay_attached(bits & 4 != 0);
    if bits & 8 != 0 {
        config = config.authid("joe").ticket("secret!!!").external_auth_method("x_asked");
    }
    let mode = [LivenessMode::Auto, LivenessMode::On][usize::from(bits >> 4 & 1)];
    config = config.liveness(LivenessConfig::default().mode(mode));
    let details =
        if bits & 32 == 0 { TransportDetails::local() } else { TransportDetails::tcp("1.2.3.4:5", false) };
    let _ = serializer;
    (config.build().expect("the configuration is right"), details)
}

impl World {
    fn run(data: &[u8], is_split: bool) -> Vec<String> {
        let mut source = Source::new(data);
        let speech = Speech::choose(&mut source);
        let serializer = source.choose(&Serializer::ALL);
        let (config, details) = config(&mut source, serializer);
        let (now, utc) = (Timestamp::ZERO, UnixMicros::default());
        let endpoint = speech.endpoint(serializer);
        let mut connection = Connection::client(config, &endpoint, [0; 32], now, utc);
        connection.transport_ready(now, details);
        let mut world = Self {
            connection,
            answers: Answers::new(serializer),
            serializer,
            now,
            told: now,
            input: BytesMut::new(),
            output: BytesMut::new(),
            is_shaken: false,
            is_split,
            other: speech.is_websocket.then(|| Other::server(speech)),
            open: BTreeMap::new(),
            calls: Vec::new(),
            subscribed: Vec::new(),
            registered: Vec::new(),
            invocations: Vec::new(),
            is_joined: false,
            is_closed: false,
            transcript: Vec::new(),
        };
        if source.byte() < 250 && world.other.is_none() {
            world.feed(&[0x7F, source.choose(&[0xF0, 0xF0, 0x00]) | serializer.rawsocket_id(), 0, 0]);
        }
        world.fetch();
        while !source.is_empty() {
            world.step(&mut source);
            world.check();
        }
        world.end();
        world.transcript
    }

    fn tell(&mut self) -> Timestamp {
        self.told = self.now;
        self.now
    }

    fn step(&mut self, source: &mut Source<'_>) {
        match source.below(32) {
            0..=11 => self.command(source),
            12..=22 => {
                let message = self.answers.message(source);
                let mut body = BytesMut::new();
                if self.serializer.encode(&message, &mut body).is_ok() {
                    self.frame(0, &body);
                }
            }
            23 => {
                let kind = source.choose(&[1, 1, 2, 0]);
                self.frame(kind, source.bytes(40));
            }
            24 if source.below(4) == 0 => self.feed(source.bytes(40)),
            25 => self.now = self.now + Duration::from_millis(source.number() % 40_000),
            26 => {
                let at = self.connection.poll_timeout().unwrap_or(self.now);
                self.now = self.now.max(at);
                let now = self.tell();
                self.connection.handle_timeout(now);
            }
            27 => {
                let now = self.tell();
                match source.below(8) {
                    0 => self.connection.handle_lost(now),
                    1 if self.connection.wants_input() => self.connection.handle_eof(now),
                    _ => self.connection.handle_timeout(now),
                }
            }
            28 if source.below(4) == 0 => {
                let (name, json) = source.choose(samples::MESSAGES);
                if name != "unknown" {
                    let mut body = BytesMut::new();
                    let _ = self.serializer.encode(&samples::parse(json), &mut body);
                    self.frame(0, &body);
                }
            }
            // The application is busy, or the network: nothing is fetched.
            29 => return,
            30 => return self.fetch(),
            _ => return self.take_events(),
        }
        self.fetch();
        self.take_events();
    }

    fn ended(&mut self, what: &str, handle: impl Debug) {
        let key = format!("{what} {handle:?}");
        match self.open.get_mut(&key) {
            Some(1) => drop(self.open.remove(&key)),
            Some(times) => *times -= 1,
            None => panic!("an end of what was not begun, or ended before: {key}"),
        }
    }

    fn frame(&mut self, kind: u8, body: &[u8]) {
        if let Some(other) = &mut self.other {
            let frame = match kind {
                0 => {
                    other.send(self.now, Bytes::copy_from_slice(body));
                    other.output()
                }
                // A PING, or a PONG that nobody waits for.
                _ => [&[0x88 | kind, u8::try_from(body.len()).unwrap_or(0)], body].concat(),
            };
            return self.feed(&frame);
        }
        let [_, high, mid, low] = u32::try_from(body.len()).unwrap_or(0).to_be_bytes();
        self.feed(&[&[kind, high, mid, low], body].concat());
    }

    fn feed(&mut self, bytes: &[u8]) {
        let now = self.tell();
        let pieces = if self.is_split { bytes.chunks(1) } else { bytes.chunks(bytes.len().max(1)) };
        for piece in pieces {
            self.input.extend_from_slice(piece);
            if self.connection.wants_input() {
                self.connection.handle_input(now, &mut self.input);
            }
        }
    }

    /// The other side reads what was written.
    fn fetch(&mut self) {
        while let Some(bytes) = self.connection.poll_transmit() {
            assert!(!bytes.is_empty(), "an empty write");
            self.output.extend_from_slice(&bytes);
        }
        if let Some(other) = &mut self.other {
            for body in other.hear(self.now, &self.output.split()) {
                self.sent(&body);
            }
            let answer = self.other.as_mut().map(Other::output).unwrap_or_default();
            if !answer.is_empty() {
                self.feed(&answer);
            }
            return;
        }
        if !self.is_shaken && self.output.len() >= 4 {
            self.is_shaken = true;
            let _handshake = self.output.split_to(4);
        }
        while let Some(&[kind, high, mid, low]) = self.output.first_chunk().filter(|_| self.is_shaken) {
            let len = usize::from(high) << 16 | usize::from(mid) << 8 | usize::from(low);
            assert!(kind <= 2 && len + 4 <= self.output.len(), "a broken frame");
            let body = self.output.split_to(4 + len).freeze().slice(4..);
            if kind == 0 {
                self.sent(&body);
            }
        }
    }

    /// A message that was sent is one.
    fn sent(&mut self, body: &Bytes) {
        let limits = Limits::default().message_size(16 << 20);
        let message = self.serializer.decode(body, &limits);
        let message = message.unwrap_or_else(|violation| panic!("sent {body:?}: {violation}"));
        self.transcript.push(format!("{message:?}"));
        self.answers.receive(message);
    }

    fn take_events(&mut self) {
        loop {
            while let Some(event) = self.connection.poll_event() {
                self.happened(&event);
                self.transcript.push(format!("{event:?}"));
            }
            let before = self.input.len();
            if !self.connection.wants_input() {
                return;
            }
            let now = self.tell();
            self.connection.handle_input(now, &mut self.input);
            if self.input.len() == before && self.connection.wants_input() {
                break;
            }
        }
        while let Some(event) = self.connection.poll_event() {
            self.happened(&event);
            self.transcript.push(format!("{event:?}"));
        }
    }

    fn happened(&mut self, event: &SessionEvent) {
        assert!(!self.is_closed, "{event:?} after Closed");
        match event {
            SessionEvent::Joined { .. } => {
                assert!(!self.is_joined, "joined twice");
                self.is_joined = true;
            }
            SessionEvent::Result { call, .. } => self.ended("call", call),
            SessionEvent::Published { publish, .. } => self.ended("publish", publish),
            SessionEvent::Subscribed { handler, .. } => self.ended("subscribe", handler),
            SessionEvent::Unsubscribed { handler, .. } => self.ended("unsubscribe", handler),
            SessionEvent::Registered { handler, .. } => self.ended("register", handler),
            SessionEvent::Unregistered { handler, .. } => self.ended("unregister", handler),
            SessionEvent::Invocation { invocation, .. } => self.invocations.push(*invocation),
            SessionEvent::Left { reason } => {
                check_text(reason);
                assert!(self.is_joined, "left without having joined");
                self.is_joined = false;
                assert!(self.open.is_empty(), "the session ended before {:?}", self.open);
            }
            SessionEvent::Closed { reason, .. } => {
                check_text(reason);
                assert!(!self.is_joined, "closed before Left");
                self.is_closed = true;
            }
            _ => {}
        }
    }

    fn check(&self) {
        assert!(self.connection.poll_timeout().is_none_or(|at| at > self.told), "a timeout in the past");
        assert_eq!(self.connection.poll_timeout().is_some(), self.connection.timeout_reason().is_some());
        assert!(self.connection.input_hint() >= 1);
        if self.is_closed {
            assert_eq!(self.connection.session().state(), SessionState::Closed);
            assert_eq!(self.connection.poll_timeout(), None, "a timer after Closed");
            assert!(!self.connection.wants_input() && !self.connection.is_attached());
        }
    }

    /// The transport ends; everything is over then.
    fn end(&mut self) {
        self.fetch();
        self.take_events();
        let now = self.tell();
        self.connection.handle_lost(now);
        self.take_events();
        assert!(self.is_closed, "no Closed at the end");
        assert!(self.open.is_empty(), "without an end: {:?}", self.open);
        assert_eq!(self.connection.session().pending_requests(), 0);
        assert_eq!(self.connection.session().pending_invocations(), 0);
        self.check();
    }
}

//! A peer that does what a test tells it, right or wrong.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use roadbed_core::connection::Endpoint;
use roadbed_core::id::SessionId;
use roadbed_core::limits::Limits;
use roadbed_core::message::{Hello, HelloDetails, Message, MessageType, Welcome, WelcomeDetails};
use roadbed_core::role::{Feature, Role, Roles};
use roadbed_core::serializer::Encoded;
use roadbed_core::session::ClientConfig;
use roadbed_core::time::Timestamp;
use roadbed_core::transport::websocket::WebSocket;
use roadbed_core::transport::{
    RawSocket, RawSocketClientConfig, RawSocketServerConfig, Sniff, Transport, TransportClose,
    TransportEvent, sniff,
};
use roadbed_core::uri::Uri;

use crate::carrier;
use crate::end::End;

/// Bytes of a message that a script receives.
const LARGE: usize = 16 << 20;

/// A scripted peer, for either side: it sends what it is told to, bytes or messages, and keeps what it
/// receives. It answers nothing by itself, but for
/// the transport's handshake, PINGs, and on WebSocket Close frames.
///
/// ```
/// use roadbed_core::message::MessageType;
/// use roadbed_core::serializer::Serializer;
/// use roadbed_core::uri::Uri;
/// use roadbed_router::{Authentication, RouterConfig};
/// use roadbed_testkit::{Script, World};
///
/// // An odd client: it says HELLO, and then something that is no message.
/// let config = RouterConfig::new().realm(Uri::new("realm1")?, Authentication::new().anonymous("guest"));
/// let mut world = World::new(config);
/// let odd = world.connect_script(Script::client(Serializer::Json));
/// world.script(odd).hello("realm1");
/// world.drive();
/// world.script(odd).expect(MessageType::Welcome);
/// world.script(odd).send_frame(b"[\"HELLO\"]");
/// world.drive();
/// world.script(odd).expect(MessageType::Abort);
/// assert!(world.script(odd).is_ended());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Script {
    /// `None`: bytes only.
    transport: Option<Transport>,
    /// A router that has not heard yet what its client speaks.
    is_listening: bool,
    now: Timestamp,
    limits: Limits,
    /// What waits for the handshake.
    waiting: VecDeque<Waiting>,
    output: VecDeque<Bytes>,
    messages: VecDeque<Message>,
    bytes: BytesMut,
    is_reading: bool,
    is_hung_up: bool,
    is_ended: bool,
}

#[derive(Debug)]
enum Waiting {
    Message(Box<Message>),
    Frame(Bytes),
}

impl Script {
    /// A client; the handshake of its transport goes out by itself. A serializer alone stands for RawSocket; a
    /// [`Carrier`](crate::Carrier) has the endpoints of all transports.
    pub fn client(endpoint: impl Into<Endpoint>) -> Self {
        let transport = match endpoint.into() {
            Endpoint::RawSocket { serializer } => {
                RawSocket::client(&RawSocketClientConfig::new(serializer).max_receive(LARGE)).into()
            }
            Endpoint::WebSocket(config) => WebSocket::client(&config.max_receive(LARGE), [9; 32]).into(),
            other => panic!("a script does not speak {other:?}"),
        };
        Self::with(Some(transport))
    }

    /// A router that speaks whatever the client asks for.
    pub fn router() -> Self {
        let transport = RawSocket::server(&RawSocketServerConfig::default().max_receive(LARGE));
        Self { is_listening: true, ..Self::with(Some(transport.into())) }
    }

    /// A peer of either side that writes bytes and nothing else: not even a handshake.
    pub fn raw() -> Self {
        Self::with(None)
    }

    fn with(transport: Option<Transport>) -> Self {
        Self {
            transport,
            is_listening: false,
            now: Timestamp::ZERO,
            limits: Limits::default().message_size(LARGE),
            waiting: VecDeque::new(),
            output: VecDeque::new(),
            messages: VecDeque::new(),
            bytes: BytesMut::new(),
            is_reading: true,
            is_hung_up: false,
            is_ended: false,
        }
    }

    /// Sends a message, as soon as the handshake is done.
    ///
    /// # Panics
    /// When the peer is [`raw`](Self::raw), or the message cannot be encoded.
    pub fn send(&mut self, message: impl Into<Message>) {
        self.waiting.push_back(Waiting::Message(Box::new(message.into())));
        self.flush();
    }

    /// Sends a frame with any body, as soon as the handshake is done.
    ///
    /// # Panics
    /// When the peer is [`raw`](Self::raw).
    pub fn send_frame(&mut self, body: &[u8]) {
        self.waiting.push_back(Waiting::Frame(Bytes::copy_from_slice(body)));
        self.flush();
    }

    /// Writes any bytes, at once.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.flush();
        if !bytes.is_empty() {
            self.output.push_back(Bytes::copy_from_slice(bytes));
        }
    }

    /// Sends HELLO, with every role and feature of a client.
    ///
    /// # Panics
    /// When `realm` is no URI.
    pub fn hello(&mut self, realm: &str) {
        let mut details = HelloDetails::new();
        details.roles = Some(ClientConfig::honoured_roles());
        let realm = Uri::new(realm).expect("the realm is a URI");
        self.send(Hello { realm: Some(realm), details: details.into() });
    }

    /// Sends WELCOME for session 1, with both roles of a router and every feature.
    pub fn welcome(&mut self) {
        let mut details = WelcomeDetails::new();
        let roles = [Role::Broker, Role::Dealer];
        details.roles = Some(roles.into_iter().fold(Roles::NONE, |all, role| all.with(role, Feature::ALL)));
        self.send(Welcome { session: SessionId::MIN, details: details.into() });
    }

    /// The next message received. Frames that are no message are passed over.
    pub fn receive(&mut self) -> Option<Message> {
        self.messages.pop_front()
    }

    /// The next message received, which has to be of this type.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn expect(&mut self, message_type: MessageType) -> Message {
        match self.messages.pop_front() {
            Some(message) if message.message_type() == Some(message_type) => message,
            other => panic!("expected {message_type}, received {other:?}"),
        }
    }

    /// The bytes received since the last call, by a [`raw`](Self::raw) peer.
    pub fn receive_bytes(&mut self) -> Bytes {
        self.bytes.split().freeze()
    }

    /// Whether to read. A peer that does not read fills the wires and then the other side.
    pub fn set_reading(&mut self, is_reading: bool) {
        self.is_reading = is_reading;
    }

    /// Ends the stream, without a word.
    pub fn hang_up(&mut self) {
        self.is_hung_up = true;
    }

    /// Whether the other side has ended its stream, or it broke.
    pub const fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Hands to the transport what waits, and takes from it what is to be written.
    fn flush(&mut self) {
        let Some(transport) = &mut self.transport else {
            assert!(self.waiting.is_empty(), "a raw peer sends bytes only");
            return;
        };
        if let Some(serializer) = transport.serializer() {
            while let Some(waiting) = self.waiting.pop_front() {
                let mut body = BytesMut::new();
                match waiting {
                    Waiting::Message(message) => {
                        serializer.encode(&message, &mut body).expect("the message can be encoded");
                    }
                    Waiting::Frame(frame) => body.extend_from_slice(&frame),
                }
                // It fails when the transport has ended: nobody hears it any more.
                let _ = transport.send(self.now, &Encoded::from(body.freeze()));
            }
        }
        self.output.extend(std::iter::from_fn(|| transport.poll_transmit()));
    }

    /// Takes what the transport found.
    fn hear(&mut self) {
        while let Some(event) = self.transport.as_mut().and_then(Transport::poll_event) {
            match event {
                TransportEvent::Message(bytes) => {
                    let serializer = self.transport.as_ref().and_then(Transport::serializer);
                    let message = serializer.map(|serializer| serializer.decode(&bytes, &self.limits));
                    self.messages.extend(message.and_then(Result::ok));
                }
                TransportEvent::Closed { reason } => self.is_ended |= reason != TransportClose::Local,
                _ => {}
            }
        }
        self.flush();
    }
}

impl End for Script {
    fn handle_input(&mut self, now: Timestamp, input: &mut BytesMut) {
        self.now = now;
        if self.is_listening && !input.is_empty() {
            self.is_listening = false;
            if sniff(input) == Sniff::Http {
                let config = carrier::server().max_receive(LARGE);
                self.transport = Some(WebSocket::server(Arc::new(config)).into());
            }
        }
        match &mut self.transport {
            Some(transport) => transport.handle_input(now, input),
            None => self.bytes.unsplit(input.split()),
        }
        self.hear();
    }

    fn handle_eof(&mut self, now: Timestamp) {
        self.now = now;
        if let Some(transport) = &mut self.transport {
            transport.handle_eof(now);
        }
        self.hear();
        self.is_ended = true;
    }

    fn handle_lost(&mut self, now: Timestamp) {
        self.now = now;
        self.is_ended = true;
        self.is_hung_up = true;
        self.output.clear();
    }

    fn handle_timeout(&mut self, _: Timestamp) {}

    fn poll_transmit(&mut self) -> Option<Bytes> {
        self.flush();
        self.output.pop_front()
    }

    /// A script has no timers: it does only what it is told.
    fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }

    fn wants_input(&self) -> bool {
        self.is_reading && !self.is_ended
    }

    fn take_events(&mut self) -> bool {
        false
    }

    fn is_finished(&self) -> bool {
        self.is_hung_up && self.output.is_empty()
    }
}

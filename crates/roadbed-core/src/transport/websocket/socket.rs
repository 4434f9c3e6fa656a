//! One end of a connection, from the opening handshake to the Close frame.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use bytes::{Bytes, BytesMut};
use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};

use super::batching::{Batching, kind, overhead};
use super::{
    Agreed, ClientHandshake, MessageEvent, MessageStream, MessageStreamConfig, ServerHandshake, ServerStep,
    Subprotocol, UpgradeError, UpgradeRequest, WebSocketClientConfig, WebSocketError, WebSocketServerConfig,
    close,
};
use crate::limits::MAX_MESSAGE_SIZE;
use crate::serializer::{Encoded, Serializer};
use crate::time::Timestamp;
use crate::transport::{LivenessConfig, TransportClose, TransportError, TransportEvent, TransportRole};

/// Bytes to reserve for a read during the handshake.
const HEAD_READ: usize = 2 << 10;

/// One end of a WAMP connection over WebSocket ("WebSocket Transport" in the specification): the opening
/// handshake, then frames, with one WAMP message in each WebSocket message or a batch of them.
///
/// JSON travels as text, everything else as binary; the other kind is a violation. A WebSocket peer does not
/// announce how much it accepts: [`max_send`](Self::max_send) is what the configuration says, and otherwise what
/// this end accepts itself. The handshake has
/// no deadline here; whoever owns the transport sets one.
///
/// ```
/// use bytes::BytesMut;
/// use roadbed_core::serializer::Serializer;
/// use roadbed_core::time::Timestamp;
/// use roadbed_core::transport::TransportEvent;
/// use roadbed_core::transport::websocket::{Subprotocol, WebSocket, WebSocketClientConfig};
///
/// let now = Timestamp::ZERO;
/// let config = WebSocketClientConfig::new("example.com", "/ws")?
///     .subprotocols(&[Subprotocol::plain(Serializer::Cbor), Subprotocol::plain(Serializer::Json)]);
/// let mut client = WebSocket::client(&config, [7; 32]); // the seed is random, in earnest
/// let mut server = WebSocket::server(Default::default());
///
/// let mut request = BytesMut::from(&client.poll_transmit().unwrap()[..]);
/// server.handle_input(now, &mut request);
/// let mut answer = BytesMut::from(&server.poll_transmit().unwrap()[..]);
/// client.handle_input(now, &mut answer);
/// for end in [&mut client, &mut server] {
///     assert!(matches!(end.poll_event(), Some(TransportEvent::Open { serializer: Serializer::Cbor, .. })));
/// }
/// assert_eq!(server.request().unwrap().path(), "/ws");
/// # Ok::<(), roadbed_core::error::ConfigError>(())
/// ```
pub struct WebSocket {
    role: TransportRole,
    state: State,
    /// What is written before there are frames.
    head: Option<Bytes>,
    /// What is reported before there are frames: `Open`, or `Closed`.
    event: Option<TransportEvent>,
    /// On a server: what the client asked for.
    request: Option<Arc<UpgradeRequest>>,
    subprotocol: Subprotocol,
    batching: Batching,
    settings: MessageStreamConfig,
    /// As configured: if nothing is said, what is received is also sent.
    max_send: Option<usize>,
    receive_limit: usize,
    /// The owner does not read.
    is_suspended: bool,
    /// Bytes the last `handle_input` left in the buffer; only during the handshake.
    left: usize,
    /// The stream ended while something waited to be polled.
    eof: bool,
    now: Timestamp,
}

enum State {
    /// The client's handshake, and what its masks come from.
    Connecting(Box<ClientHandshake>, [u8; 32]),
    Accepting(ServerHandshake),
    Open(Box<MessageStream>),
    /// The handshake failed, or we closed before its end.
    Closed,
}

impl WebSocket {
    /// The end that connects. Its request is ready to be written at once. `seed` has to be random and new for
    /// each connection: the key of the handshake and the masks come from it.
    pub fn client(config: &WebSocketClientConfig, seed: [u8; 32]) -> Self {
        let mut random = ChaCha20Rng::from_seed(seed);
        let (mut nonce, mut masks) = ([0; 16], [0; 32]);
        random.fill_bytes(&mut nonce);
        random.fill_bytes(&mut masks);
        let handshake = ClientHandshake::new(config, nonce);
        let settings = settings(config.max_receive, config.liveness);
        #[cfg(feature = "deflate")]
        let settings = match &config.deflate {
            Some(deflate) => settings.compress_from(deflate.threshold),
            None => settings,
        };
        let head = handshake.request();
        let state = State::Connecting(Box::new(handshake), masks);
        let mut client = Self::new(state, settings, config.max_send);
        client.head = Some(head);
        client
    }

    /// The end that accepts. It answers the client's request.
    pub fn server(config: Arc<WebSocketServerConfig>) -> Self {
        let settings = settings(config.max_receive, config.liveness);
        #[cfg(feature = "deflate")]
        let settings = match &config.deflate {
            Some(deflate) => settings.compress_from(deflate.threshold),
            None => settings,
        };
        let max_send = config.max_send;
        Self::new(State::Accepting(ServerHandshake::new(config)), settings, max_send)
    }

    fn new(state: State, settings: MessageStreamConfig, max_send: Option<usize>) -> Self {
        let role = match state {
            State::Connecting(..) => TransportRole::Client,
            _ => TransportRole::Server,
        };
        Self {
            role,
            state,
            head: None,
            event: None,
            request: None,
            // Until one is agreed on; without one nothing opens.
            subprotocol: Subprotocol::plain(Serializer::Json),
            batching: Batching::No,
            max_send,
            receive_limit: settings.max_receive,
            settings,
            is_suspended: false,
            left: 0,
            eof: false,
            now: Timestamp::ZERO,
        }
    }

    /// On a server, before the request is read: the transport below is TLS, which decides what the server's own
    /// origin is. Default: no.
    pub fn set_secure(&mut self, is_secure: bool) {
        if let State::Accepting(handshake) = &mut self.state {
            handshake.set_secure(is_secure);
        }
    }

    /// Replaces the liveness and the limit on received messages of the configuration; before the handshake is
    /// done.
    pub(crate) fn override_settings(&mut self, max_receive: usize, liveness: LivenessConfig) {
        self.settings.max_receive = max_receive;
        self.settings.liveness = liveness;
        self.receive_limit = max_receive;
    }

    /// The end this is.
    pub const fn role(&self) -> TransportRole {
        self.role
    }

    /// On a server: the request that the connection began with, once it was accepted.
    pub const fn request(&self) -> Option<&Arc<UpgradeRequest>> {
        self.request.as_ref()
    }

    /// What both ends speak; `None` before the handshake is done.
    pub fn subprotocol(&self) -> Option<Subprotocol> {
        matches!(self.state, State::Open(_)).then_some(self.subprotocol)
    }

    /// The serializer agreed on; `None` before the handshake is done.
    pub fn serializer(&self) -> Option<Serializer> {
        self.subprotocol().map(|subprotocol| subprotocol.serializer)
    }

    /// Whether the handshake is done and neither end has closed.
    pub fn is_open(&self) -> bool {
        matches!(&self.state, State::Open(stream) if stream.is_open())
    }

    /// Whether our Close frame waits for the peer's: read on until then.
    pub fn is_closing(&self) -> bool {
        matches!(&self.state, State::Open(stream) if stream.is_closing())
    }

    /// Bytes of the largest message that can be sent; 0 before the handshake is done.
    pub fn max_send(&self) -> usize {
        match &self.state {
            State::Open(stream) => stream.max_send().saturating_sub(overhead(self.subprotocol)),
            _ => 0,
        }
    }

    /// Bounds received messages to `bytes`, or to the configuration's `max_receive` if that is less; a whole batch
    /// to what one such message takes in it. A larger one is an error, but not before all events ahead of it have been
    /// polled.
    pub fn set_receive_limit(&mut self, bytes: usize) {
        self.receive_limit = bytes;
        if let State::Open(stream) = &mut self.state {
            stream.set_receive_limit(bytes.saturating_add(overhead(self.subprotocol)));
        }
    }

    /// Consumes what it can from the front of `input`. Pass the same buffer every time, with new bytes
    /// appended. After the end, `input` is emptied and ignored.
    pub fn handle_input(&mut self, now: Timestamp, input: &mut BytesMut) {
        self.now = self.now.max(now);
        let shaken = match &mut self.state {
            State::Connecting(handshake, masks) => match handshake.read(now, input) {
                Ok(None) => None,
                Ok(Some(agreed)) => Some(Ok((agreed, Some(*masks)))),
                Err(error) => Some(Err(Some(error))),
            },
            State::Accepting(handshake) => match handshake.read(input) {
                ServerStep::More => None,
                ServerStep::Upgraded { agreed, request, response } => {
                    self.head = Some(response);
                    self.request = Some(request);
                    Some(Ok((agreed, None)))
                }
                ServerStep::Answered { response, error } => {
                    self.head = Some(response);
                    Some(Err(error))
                }
            },
            State::Open(stream) => {
                // `Open`, and what a batch holds, have to be seen before what comes after.
                if self.event.is_none() && self.batching.is_empty() {
                    // Answers given by now come before the answer to a Close frame.
                    self.batching.flush(now, self.subprotocol, stream);
                    stream.handle_input(now, input);
                    if core::mem::take(&mut self.eof) {
                        stream.handle_eof(now);
                    }
                }
                return;
            }
            State::Closed => return input.clear(),
        };
        match shaken {
            None => self.left = input.len(),
            Some(Ok((agreed, masks))) => self.open(now, agreed, masks),
            Some(Err(error)) => {
                input.clear();
                self.end(match error {
                    Some(error) => TransportClose::Failed(WebSocketError::Upgrade(error).into()),
                    // Somebody looked at the page, and got it.
                    None => TransportClose::Peer { code: None, reason: Default::default() },
                });
            }
        }
    }

    fn open(&mut self, now: Timestamp, agreed: Agreed, masks: Option<[u8; 32]>) {
        let Some(subprotocol) = agreed.subprotocol else {
            // Only a configuration that names no subprotocol comes here; WAMP cannot be spoken then.
            return self
                .end(TransportClose::Failed(WebSocketError::Upgrade(UpgradeError::NoSubprotocol).into()));
        };
        self.subprotocol = subprotocol;
        self.batching = Batching::new(subprotocol);
        let max_send = self.max_send.unwrap_or(self.settings.max_receive).min(MAX_MESSAGE_SIZE);
        let room = overhead(subprotocol);
        let config = self.settings.clone().only(kind(subprotocol)).deflate(agreed.deflate);
        let config = config
            .max_send(max_send.saturating_add(room))
            .max_receive(self.settings.max_receive.saturating_add(room));
        let mut stream = match masks {
            Some(seed) => MessageStream::client(&config, seed, now),
            None => MessageStream::server(&config, now),
        };
        stream.set_receive_limit(self.receive_limit.saturating_add(room));
        if self.is_suspended {
            stream.suspend_liveness();
        }
        let serializer = subprotocol.serializer;
        self.event = Some(TransportEvent::Open { serializer, max_send });
        self.state = State::Open(Box::new(stream));
    }

    /// On a server: skips the opening handshake, which somebody else has done; frames follow, without extensions.
    pub(crate) fn upgrade(&mut self, now: Timestamp, subprotocol: Subprotocol, request: Arc<UpgradeRequest>) {
        self.now = self.now.max(now);
        self.request = Some(request);
        self.open(now, Agreed { subprotocol: Some(subprotocol), deflate: None }, None);
    }

    /// The end before there are frames.
    fn end(&mut self, reason: TransportClose) {
        self.state = State::Closed;
        self.event = Some(TransportEvent::Closed { reason });
    }

    /// On a server, before the handshake is done: refuses the client with status 503, to be tried again after so
    /// long, and closes. Nothing of the request is read.
    pub fn refuse(&mut self, why: &str, retry_after: Duration) {
        if let State::Accepting(_) = self.state {
            self.head = Some(ServerHandshake::refuse(why, retry_after));
            let error = UpgradeError::Unavailable(why.into());
            self.end(TransportClose::Failed(WebSocketError::Upgrade(error).into()));
        }
    }

    /// On a server, before the handshake is done: answers that there is no WebSocket to be had, and closes.
    pub(crate) fn turn_away(&mut self, error: UpgradeError) {
        if let State::Accepting(_) = self.state {
            self.head = Some(ServerHandshake::turn_away(&error));
            self.end(TransportClose::Failed(WebSocketError::Upgrade(error).into()));
        }
    }

    /// The peer ended its stream: an error in the handshake or in a message, elsewhere the end.
    pub fn handle_eof(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        match &mut self.state {
            State::Open(_) if self.event.is_some() || !self.batching.is_empty() => self.eof = true,
            State::Open(stream) => stream.handle_eof(now),
            State::Closed => {}
            State::Connecting(..) | State::Accepting(_) => {
                let truncated = UpgradeError::Truncated { received: self.left };
                let error = self.give_up().unwrap_or(truncated);
                self.end(TransportClose::Failed(WebSocketError::Upgrade(error).into()));
            }
        }
    }

    /// The refusal whose text is waited for.
    fn give_up(&mut self) -> Option<UpgradeError> {
        match &mut self.state {
            State::Connecting(handshake, _) => handshake.give_up(),
            _ => None,
        }
    }

    /// Runs the timers due at `now`: liveness, and the waits for the peer's Close frame and for the text of a refusal.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        let refused = match &mut self.state {
            State::Open(stream) => return stream.handle_timeout(now),
            State::Connecting(handshake, _) => handshake.handle_timeout(self.now),
            _ => None,
        };
        if let Some(error) = refused {
            self.end(TransportClose::Failed(WebSocketError::Upgrade(error).into()));
        }
    }

    /// Queues one message.
    ///
    /// # Errors
    /// As [`MessageStream::send`], and [`TransportError::NotOpen`] before the handshake is done.
    pub fn send(&mut self, now: Timestamp, message: &Encoded) -> Result<(), TransportError> {
        self.now = self.now.max(now);
        match &mut self.state {
            State::Open(stream) => self.batching.send(now, self.subprotocol, message, stream),
            State::Connecting(..) | State::Accepting(_) => Err(TransportError::NotOpen),
            State::Closed => Err(TransportError::Closed),
        }
    }

    /// Closes from our side: with a Close frame behind what is queued, which the peer has 5 s to answer. After a
    /// fault of the peer's the frame says what it was. While the text of a refusal is waited for, that refusal is
    /// still why it ended.
    pub fn close(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        match &mut self.state {
            State::Open(stream) => {
                self.batching.flush(now, self.subprotocol, stream);
                stream.close(now, close::NORMAL, "");
            }
            State::Connecting(..) | State::Accepting(_) => {
                let refused = self.give_up().map(|error| WebSocketError::Upgrade(error).into());
                self.end(refused.map_or(TransportClose::Local, TransportClose::Failed));
            }
            State::Closed => {}
        }
    }

    /// The next bytes to write, in order.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        if let Some(head) = self.head.take() {
            return Some(head);
        }
        let State::Open(stream) = &mut self.state else { return None };
        self.batching.flush(self.now, self.subprotocol, stream);
        stream.poll_transmit()
    }

    /// The next event, in order; [`TransportEvent::Closed`] is the last one and comes exactly once.
    pub fn poll_event(&mut self) -> Option<TransportEvent> {
        if let Some(event) = self.event.take() {
            return Some(event);
        }
        let State::Open(stream) = &mut self.state else { return None };
        loop {
            if let Some(message) = self.batching.next() {
                // The peer is not to blame for silence while nobody listens.
                if self.batching.is_empty() {
                    stream.release();
                } else {
                    stream.hold();
                }
                match message {
                    Ok(message) => return Some(TransportEvent::Message(message)),
                    Err(error) => stream.fault(WebSocketError::Batch(error).into(), close::INVALID_DATA),
                }
            }
            match stream.poll_event()? {
                MessageEvent::Closed { reason } => return Some(TransportEvent::Closed { reason }),
                MessageEvent::Message { body, .. } => match self.batching.receive(self.subprotocol, body) {
                    Ok(Some(message)) => return Some(TransportEvent::Message(message)),
                    Ok(None) => {}
                    Err(error) => stream.fault(WebSocketError::Batch(error).into(), close::INVALID_DATA),
                },
            }
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); strictly later than the last `now`.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        match &self.state {
            State::Open(stream) => stream.poll_timeout(),
            State::Connecting(handshake, _) => handshake.poll_timeout().map(|at| at.max(self.now.next())),
            _ => None,
        }
    }

    /// How many bytes to reserve in the read buffer before the next read: at least 1. As
    /// [`MessageStream::input_hint`]; during the handshake no more than 2 KiB beyond what arrived.
    pub fn input_hint(&self) -> usize {
        match &self.state {
            State::Open(stream) => stream.input_hint(),
            _ => {
                // What is left of the room that there is: half a head does not make the buffer grow.
                let used = self.left.checked_rem(HEAD_READ).unwrap_or(0);
                let room = HEAD_READ.saturating_sub(used);
                room.min(super::MAX_HEAD.saturating_sub(self.left)).max(1)
            }
        }
    }

    /// Returns how many bytes there are of a message or a frame whose rest has not arrived; `None` between two of them,
    /// before the handshake is done and while the owner has to poll events first.
    pub fn begun(&self) -> Option<usize> {
        match &self.state {
            State::Open(stream) if self.batching.is_empty() => stream.begun(),
            _ => None,
        }
    }

    /// Whether to read on: false while the event that the handshake is done waits to be polled, or
    /// messages of a batch, or what [`MessageStream::wants_input`] names, and after the end.
    pub fn wants_input(&self) -> bool {
        match &self.state {
            State::Open(stream) => self.event.is_none() && self.batching.is_empty() && stream.wants_input(),
            State::Closed => false,
            State::Connecting(..) | State::Accepting(_) => true,
        }
    }

    /// Returns whether messages travel in batches and all of the last one were polled. Taking the next batch apart may
    /// show a fault, which decides what the Close frame says: first act on the messages that were polled.
    pub(crate) fn is_between_batches(&self) -> bool {
        self.subprotocol.batched && self.batching.is_empty()
    }

    /// Bytes of output not yet polled.
    pub fn queued(&self) -> usize {
        let head = self.head.as_ref().map_or(0, Bytes::len);
        let frames = match &self.state {
            State::Open(stream) => stream.queued(),
            _ => 0,
        };
        head.saturating_add(frames).saturating_add(self.batching.queued())
    }

    /// Stops the liveness timer while the owner does not read.
    pub fn suspend_liveness(&mut self) {
        self.is_suspended = true;
        if let State::Open(stream) = &mut self.state {
            stream.suspend_liveness();
        }
    }

    /// Ends [`suspend_liveness`](Self::suspend_liveness); the silence counts from `now`.
    pub fn resume_liveness(&mut self, now: Timestamp) {
        self.is_suspended = false;
        if let State::Open(stream) = &mut self.state {
            stream.resume_liveness(now);
        }
    }

    /// Changes nothing: WebSocket peers answer pings from the beginning.
    pub fn activate_liveness(&mut self, now: Timestamp) {
        if let State::Open(stream) = &mut self.state {
            stream.activate_liveness(now);
        }
    }
}

fn settings(max_receive: usize, liveness: LivenessConfig) -> MessageStreamConfig {
    MessageStreamConfig::default().max_receive(max_receive).liveness(liveness)
}

/// A summary: buffers may carry credentials.
impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state: &dyn fmt::Debug = match &self.state {
            State::Connecting(..) => &"Connecting",
            State::Accepting(_) => &"Accepting",
            State::Open(stream) => stream,
            State::Closed => &"Closed",
        };
        f.debug_struct("WebSocket")
            .field("role", &self.role)
            .field("subprotocol", &self.subprotocol())
            .field("state", state)
            .finish_non_exhaustive()
    }
}

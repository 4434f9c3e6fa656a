//! Messages over WebSocket frames, after the opening handshake.

mod assembly;
mod config;
mod event;
mod read;
#[cfg(test)]
mod tests;
mod write;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::fmt;
use core::time::Duration;

use bytes::{Bytes, BytesMut};
use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;

use self::read::Reading;
#[cfg(feature = "deflate")]
use super::deflate::Deflate;
use crate::time::Timestamp;
use crate::transport::liveness::{Liveness, LivenessAction};
use crate::transport::output::OutputQueue;
use crate::transport::read_size::ReadSize;
use crate::transport::{FramePart, TransportClose, TransportError, TransportRole};

pub(super) use assembly::Assembly;
pub use config::MessageStreamConfig;
pub use event::{MessageEvent, MessageKind};

/// Undelivered events at which input is no longer consumed.
const MAX_EVENTS: usize = 64;

/// One end of a WebSocket connection after its opening handshake (RFC 6455, and RFC 7692 for compression).
///
/// It knows messages, not WAMP: most users want [`WebSocket`](super::WebSocket). Its contract is that of every
/// [transport](crate::transport): the caller owns the read buffer and passes it again, events are polled,
/// output is fetched.
///
/// # Receiving
///
/// A message that comes in one uncompressed frame is a slice of the read buffer, unmasked in place. Anything
/// else is gathered in a buffer that grows with what arrives, up to the receive limit. Text is checked as it
/// arrives. PINGs are answered: with one PONG each while up to 16 wait to be fetched; of further ones the last
/// is answered (section 5.5.3).
///
/// # Closing
///
/// [`close`](Self::close) sends a Close frame behind the queued messages and waits for the peer's, up to
/// [`MessageStreamConfig::close_timeout`]; what arrives meanwhile is discarded. A Close frame of the peer's is
/// answered with its own code. After a fault the owner may still [`send`](Self::send) why; its `close` then
/// sends the code that names the fault, and waits for nothing.
///
/// ```
/// use bytes::{Bytes, BytesMut};
/// use roadbed_core::serializer::Encoded;
/// use roadbed_core::time::Timestamp;
/// use roadbed_core::transport::websocket::{MessageEvent, MessageKind, MessageStream, MessageStreamConfig};
///
/// let (now, config) = (Timestamp::ZERO, MessageStreamConfig::default());
/// let mut client = MessageStream::client(&config, [7; 32], now); // the seed is random, in earnest
/// let mut server = MessageStream::server(&config, now);
///
/// client.send(now, MessageKind::Text, &Encoded::from(Bytes::from_static(b"hello")))?;
/// let mut input = BytesMut::from(&client.poll_transmit().unwrap()[..]);
/// assert_eq!(input.len(), 2 + 4 + 5); // header, mask, masked text
/// server.handle_input(now, &mut input);
/// let Some(MessageEvent::Message { kind: MessageKind::Text, body }) = server.poll_event() else { panic!() };
/// assert_eq!(body, "hello");
/// # Ok::<(), roadbed_core::transport::TransportError>(())
/// ```
pub struct MessageStream {
    masking: Masking,
    phase: Phase,
    reading: Reading,
    assembly: Assembly,
    #[cfg(feature = "deflate")]
    deflate: Option<Box<Deflate>>,
    /// A fault in bytes that are consumed already; it waits for the events before it.
    fault: Option<Box<TransportError>>,
    max_receive: usize,
    /// Bytes of a received message allowed now.
    receive_limit: usize,
    max_send: usize,
    only: Option<MessageKind>,
    #[cfg(feature = "deflate")]
    compress_from: usize,
    close_timeout: Duration,
    /// Bytes the last `handle_input` left in the buffer.
    left: usize,
    read_size: ReadSize,
    /// The last `handle_input` stopped before the end of what it could consume.
    stalled: bool,
    /// It did so before something that the owner should see only after what came before: a fault, a PING, a
    /// Close frame.
    held: bool,
    /// The stream ended while stalled.
    eof: bool,
    events: VecDeque<MessageEvent>,
    /// Bytes that the waiting events, and those polled since there was none, hold beside the read buffer.
    gathered: usize,
    messages: OutputQueue,
    /// PONGs to be sent, oldest first.
    pongs: VecDeque<Bytes>,
    /// A PING of ours is to be sent.
    ping_due: bool,
    /// Our Close frame is among the queued messages, or sent.
    close_queued: bool,
    liveness: Liveness,
    owner_suspended: bool,
    hold: Hold,
}

/// Whether the owner still has to take what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    No,
    Yes,
    /// Not any more, since a time that is not known.
    Over,
}

/// Who masks: clients, with a fresh key for each frame.
enum Masking {
    Client(Box<ChaCha20Rng>),
    Server,
}

/// How far the stream has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// Our Close frame is out; the peer has until then to answer.
    Closing(Timestamp),
    /// The peer's fault ended it. The owner may say why, and then `close` with this code.
    Faulted(u16),
    Closed,
}

impl MessageStream {
    /// The end that connected. Its masks come from `seed`, which has to be random and new for each connection.
    pub fn client(config: &MessageStreamConfig, seed: [u8; 32], now: Timestamp) -> Self {
        Self::new(Masking::Client(Box::new(ChaCha20Rng::from_seed(seed))), config, now)
    }

    /// The end that accepted.
    pub fn server(config: &MessageStreamConfig, now: Timestamp) -> Self {
        Self::new(Masking::Server, config, now)
    }

    fn new(masking: Masking, config: &MessageStreamConfig, now: Timestamp) -> Self {
        let mut liveness = Liveness::new(config.liveness);
        liveness.open(now);
        liveness.activate(now);
        #[cfg(feature = "deflate")]
        let is_client = matches!(masking, Masking::Client(_));
        Self {
            masking,
            phase: Phase::Open,
            reading: Reading::Header,
            assembly: Assembly::default(),
            #[cfg(feature = "deflate")]
            deflate: config.deflate.map(|params| Box::new(Deflate::new(params, is_client))),
            fault: None,
            max_receive: config.max_receive,
            receive_limit: config.max_receive,
            max_send: config.max_send,
            only: config.only,
            #[cfg(feature = "deflate")]
            compress_from: config.compress_from,
            close_timeout: config.close_timeout,
            left: 0,
            read_size: ReadSize::new(),
            stalled: false,
            held: false,
            eof: false,
            events: VecDeque::new(),
            gathered: 0,
            messages: OutputQueue::default(),
            pongs: VecDeque::new(),
            ping_due: false,
            close_queued: false,
            liveness,
            owner_suspended: false,
            hold: Hold::No,
        }
    }

    /// The end this is.
    pub const fn role(&self) -> TransportRole {
        match self.masking {
            Masking::Client(_) => TransportRole::Client,
            Masking::Server => TransportRole::Server,
        }
    }

    /// Whether messages flow: neither end has closed.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether our Close frame waits for the peer's. Go on reading until it came or the time is over.
    pub const fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing(_))
    }

    /// Bytes of the largest message that can be sent.
    pub const fn max_send(&self) -> usize {
        self.max_send
    }

    /// Bounds received messages to `bytes`, or to [`MessageStreamConfig::max_receive`] if that is less. A
    /// message over it is an error, but not before all events ahead of it have been polled.
    pub fn set_receive_limit(&mut self, bytes: usize) {
        self.receive_limit = bytes.min(self.max_receive);
    }

    /// Consumes what it can from the front of `input`; a partial frame may stay. Pass the same buffer every
    /// time, with new bytes appended. After the end, `input` is emptied and ignored.
    pub fn handle_input(&mut self, now: Timestamp, input: &mut BytesMut) {
        self.read(now, input);
    }

    /// The peer ended its stream: an end without a Close frame between messages, an error inside one.
    ///
    /// While more may be left in the buffer because [`wants_input`](Self::wants_input) was false, this takes
    /// effect after the `handle_input` that consumes it.
    pub fn handle_eof(&mut self, now: Timestamp) {
        self.liveness.observe(now);
        if self.phase == Phase::Open && self.stalled && self.left > 0 {
            self.eof = true;
            return;
        }
        let reason = match (self.phase, self.reading.missing(self.left)) {
            (Phase::Faulted(_) | Phase::Closed, _) => return,
            (Phase::Closing(_), _) => TransportClose::Local,
            (Phase::Open, Some((part, received, expected))) => {
                TransportClose::Failed(TransportError::Truncated { part, received, expected })
            }
            // Between the frames of one message.
            (Phase::Open, None) if self.assembly.message.is_some() => {
                let (part, received, expected) = (FramePart::Header, 0, 2);
                TransportClose::Failed(TransportError::Truncated { part, received, expected })
            }
            (Phase::Open, None) => TransportClose::Eof,
        };
        self.finish(reason);
    }

    /// Pings a silent peer or gives it up, or stops waiting for its Close frame, if that is due at `now`.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        let now = self.liveness.observe(now);
        self.end_hold(now);
        if let Phase::Closing(until) = self.phase
            && until <= now
        {
            self.finish(TransportClose::Local);
        }
        match self.liveness.handle_timeout(now) {
            Some(LivenessAction::Ping) => self.ping_due = true,
            Some(LivenessAction::Gone) => self.finish(TransportClose::Timeout),
            None => {}
        }
    }

    /// The next event, in order; [`MessageEvent::Closed`] is the last one and comes exactly once.
    pub fn poll_event(&mut self) -> Option<MessageEvent> {
        let event = self.events.pop_front();
        if self.events.is_empty() {
            self.gathered = 0;
        }
        event
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); strictly later than the last `now`.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Closing(until) if until < Timestamp::MAX => Some(until.max(self.liveness.last().next())),
            _ => self.liveness.poll_timeout(),
        }
    }

    /// How many bytes to reserve in the read buffer before the next read: at least 1.
    ///
    /// It begins at 2 KiB, grows to 64 KiB while reads fill the buffer and shrinks again when they do not.
    /// Inside a larger frame it at most doubles what has arrived, so a header alone gets no memory.
    pub fn input_hint(&self) -> usize {
        let (wish, frame) = match self.reading {
            Reading::Whole { header, .. } => (
                self.left.saturating_mul(2).max(self.read_size.get()),
                header.len.saturating_add(header.size),
            ),
            _ => (self.read_size.get(), self.receive_limit.saturating_add(super::frame::MAX_HEADER)),
        };
        wish.min(frame).saturating_sub(self.left).max(1)
    }

    /// Returns how many bytes there are of a message or a frame whose rest has not arrived; `None` between two of them
    /// and while the owner has to poll events first.
    pub fn begun(&self) -> Option<usize> {
        let is_begun = self.left > 0 || self.assembly.message.is_some();
        (is_begun && self.is_open() && !self.stalled).then(|| self.left.saturating_add(self.assembly.len()))
    }

    /// Whether to read on: false while 64 events wait to be polled, while those that are no slices of the read
    /// buffer (because they were fragmented or compressed) hold as much as the receive limit, while events wait to be
    /// polled ahead of something that has to wait for them, and after the end. When it is true again, call
    /// `handle_input` even without new bytes.
    pub fn wants_input(&self) -> bool {
        match self.phase {
            Phase::Open => {
                self.events.is_empty()
                    || (self.events.len() < MAX_EVENTS && self.gathered < self.receive_limit && !self.held)
            }
            Phase::Closing(_) => true,
            Phase::Faulted(_) | Phase::Closed => false,
        }
    }

    /// In [`LivenessMode::Auto`](crate::transport::LivenessMode::Auto) pings run from the beginning; this
    /// changes nothing.
    pub fn activate_liveness(&mut self, now: Timestamp) {
        self.liveness.activate(now);
    }

    /// Stops the liveness timer while the owner does not read. While this stream itself does not want
    /// input, the timer stands still without being told.
    pub fn suspend_liveness(&mut self) {
        self.owner_suspended = true;
        self.liveness.suspend();
    }

    /// Ends [`suspend_liveness`](Self::suspend_liveness); the silence counts from `now`.
    pub fn resume_liveness(&mut self, now: Timestamp) {
        self.liveness.observe(now);
        self.owner_suspended = false;
        self.resume_timer(now);
    }

    /// The owner was given more than it has taken: nothing is to be read until it has, so the timer stands still.
    pub(super) fn hold(&mut self) {
        if self.phase == Phase::Open && self.hold == Hold::No {
            self.hold = Hold::Yes;
            self.liveness.suspend();
        }
    }

    /// Ends [`hold`](Self::hold). What time it is now is not known before the next call that says so: the silence
    /// counts from then.
    pub(super) fn release(&mut self) {
        if self.hold == Hold::Yes {
            self.hold = Hold::Over;
            self.resume_timer(self.liveness.last());
        }
    }

    /// The first time that is told after [`release`](Self::release).
    fn end_hold(&mut self, now: Timestamp) {
        if self.hold == Hold::Over {
            self.hold = Hold::No;
            self.liveness.suspend();
            self.resume_timer(now);
        }
    }

    fn resume_timer(&mut self, now: Timestamp) {
        if !self.owner_suspended && !self.stalled && self.hold != Hold::Yes {
            self.liveness.resume(now);
        }
    }

    /// Whether messages can be sent: it is open, or the peer's fault may be explained.
    pub(super) const fn takes_messages(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Faulted(_))
    }

    /// The owner found a fault in a message that this stream delivered: what came after it is dropped.
    pub(super) fn fault(&mut self, error: TransportError, code: u16) {
        if self.phase == Phase::Open {
            self.events.clear();
            self.gathered = 0;
            self.finish(TransportClose::Failed(error));
            self.phase = Phase::Faulted(code);
        }
    }

    /// The end: reports it, and gives back what only a living stream needs.
    fn finish(&mut self, reason: TransportClose) {
        if matches!(self.phase, Phase::Faulted(_) | Phase::Closed) {
            return;
        }
        self.phase = Phase::Closed;
        self.reading = Reading::Header;
        self.assembly.clear();
        self.liveness.stop();
        self.ping_due = false;
        self.events.push_back(MessageEvent::Closed { reason });
    }
}

/// A summary: buffers may carry credentials.
impl fmt::Debug for MessageStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageStream")
            .field("role", &self.role())
            .field("phase", &self.phase)
            .field("receive_limit", &self.receive_limit)
            .field("events", &self.events.len())
            .field("queued", &self.queued())
            .finish_non_exhaustive()
    }
}

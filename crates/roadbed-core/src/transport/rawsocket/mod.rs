//! RawSocket: a handshake of four octets, then frames with a header of four octets.

mod config;
mod error;
mod frame;
mod handshake;
mod read;
#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::fmt;

use bytes::{Bytes, BytesMut};

use self::frame::{HEADER_LEN, Header};
use super::liveness::{Liveness, LivenessAction};
use super::output::OutputQueue;
use super::read_size::ReadSize;
use super::{FrameKind, FramePart, TransportClose, TransportError, TransportEvent, TransportRole};
use crate::serializer::{Encoded, Serializer};
use crate::time::Timestamp;

pub use config::{RawSocketClientConfig, RawSocketServerConfig};
pub use error::{HandshakeError, RawSocketError};

/// Undelivered events at which input is no longer consumed.
const MAX_EVENTS: usize = 64;
/// Unsent bytes of answers to the peer (PONGs above all) at which input is no longer consumed. Every PING has
/// to be answered exactly once, so a peer that pings without reading is not read from either.
const MAX_CONTROL: usize = 64 << 10;

/// One end of a RawSocket connection ("RawSocket Transport" in the specification).
///
/// Each end announces in the handshake how large a message it accepts, and that limits what the *other* one
/// sends. What we announce, the largest power of two up to the configured `max_receive`, is also what is
/// enforced. [`set_receive_limit`](Self::set_receive_limit) can lower it for a while. Messages sent have at
/// most 2^24 − 1 bytes whatever the peer announces; one of exactly 2^24 is accepted if it is within the limit.
///
/// A PING is answered with one PONG, which overtakes queued messages. PONGs that nobody asked for are ignored.
/// The handshake has no deadline here; whoever owns the transport sets one.
///
/// ```
/// use bytes::BytesMut;
/// use roadbed_core::time::Timestamp;
/// use roadbed_core::transport::{RawSocket, RawSocketServerConfig, TransportEvent};
///
/// let mut server = RawSocket::server(&RawSocketServerConfig::default());
/// // Handshake (CBOR, up to 16 MiB) and a message of two bytes in one read.
/// let mut input = BytesMut::from(&b"\x7F\xF3\x00\x00\x00\x00\x00\x02\x80\x00"[..]);
/// server.handle_input(Timestamp::ZERO, &mut input);
///
/// assert!(matches!(server.poll_event(), Some(TransportEvent::Open { max_send: 0xFF_FFFF, .. })));
/// assert!(matches!(server.poll_event(), Some(TransportEvent::Message(message)) if message.len() == 2));
/// assert_eq!(server.poll_transmit().unwrap(), &b"\x7F\xB3\x00\x00"[..]); // 1 MiB, CBOR
/// ```
pub struct RawSocket {
    end: End,
    phase: Phase,
    serializer: Option<Serializer>,
    /// The limit announced, as in the handshake.
    length_code: u8,
    /// Bytes of a received frame allowed now: the limit announced or less.
    receive_limit: usize,
    /// Bytes of a frame the peer accepts; 0 before the handshake is done.
    max_send: usize,
    /// The header of the frame at the front of the buffer, once it has been checked.
    header: Option<Header>,
    /// Bytes the last `handle_input` left in the buffer.
    left: usize,
    read_size: ReadSize,
    /// The last `handle_input` stopped before the end of what it could consume.
    stalled: bool,
    /// It did so before a faulty frame, to let the owner see first what came before: that may raise the
    /// limit, or has to be answered.
    held: bool,
    /// The peer's fault ended the transport, but not what is sent: the owner may say why.
    may_explain: bool,
    /// The stream ended while stalled.
    eof: bool,
    events: VecDeque<TransportEvent>,
    /// Handshake, PINGs and PONGs. They go out before messages.
    control: OutputQueue,
    messages: OutputQueue,
    liveness: Liveness,
    owner_suspended: bool,
}

enum End {
    Client(Serializer),
    Server(Arc<[Serializer]>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Handshake,
    Open,
    Closed,
}

impl RawSocket {
    /// The end that connects. Its handshake is ready to be written at once.
    pub fn client(config: &RawSocketClientConfig) -> Self {
        let liveness = Liveness::new(config.liveness);
        let mut client = Self::new(End::Client(config.serializer), config.max_receive, liveness);
        client.control.push_frame(&handshake::encode(client.length_code, config.serializer), &[]);
        client
    }

    /// The end that accepts. It answers the client's handshake.
    pub fn server(config: &RawSocketServerConfig) -> Self {
        let liveness = Liveness::new(config.liveness);
        Self::new(End::Server(config.serializers.clone()), config.max_receive, liveness)
    }

    fn new(end: End, max_receive: usize, liveness: Liveness) -> Self {
        let length_code = handshake::length_code(max_receive);
        Self {
            end,
            phase: Phase::Handshake,
            serializer: None,
            length_code,
            receive_limit: handshake::length(length_code),
            max_send: 0,
            header: None,
            left: 0,
            read_size: ReadSize::new(),
            stalled: false,
            held: false,
            may_explain: false,
            eof: false,
            events: VecDeque::new(),
            control: OutputQueue::default(),
            messages: OutputQueue::default(),
            liveness,
            owner_suspended: false,
        }
    }

    /// The end this is.
    pub fn role(&self) -> TransportRole {
        match self.end {
            End::Client(_) => TransportRole::Client,
            End::Server(_) => TransportRole::Server,
        }
    }

    /// Whether the handshake is done and the transport not yet closed.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// The serializer agreed on; `None` before the handshake is done.
    pub fn serializer(&self) -> Option<Serializer> {
        self.serializer
    }

    /// Bytes of the largest message the peer accepts, at most 2^24 − 1; 0 before the handshake is done.
    pub fn max_send(&self) -> usize {
        self.max_send
    }

    /// Bytes of the largest message announced to the peer.
    pub fn max_receive(&self) -> usize {
        handshake::length(self.length_code)
    }

    /// Bounds received frames to `bytes`, or to [`max_receive`](Self::max_receive) if that is less.
    ///
    /// Set it to the smaller limit before WELCOME and to the full one after. A frame over it is an error, but
    /// not before all events ahead of that frame have been polled: a WELCOME and a large message in one read
    /// work when the owner raises the limit on seeing WELCOME. A frame whose header is already accepted stays
    /// so.
    pub fn set_receive_limit(&mut self, bytes: usize) {
        self.receive_limit = bytes.min(self.max_receive());
    }

    /// Consumes whole frames from the front of `input`; a partial frame stays. Pass the same buffer every
    /// time, with new bytes appended. After the end, `input` is emptied and ignored.
    pub fn handle_input(&mut self, now: Timestamp, input: &mut BytesMut) {
        self.read(now, input);
    }

    /// The peer ended its stream: a clean close between frames, an error in the handshake or in a frame.
    ///
    /// While whole frames may be left in the buffer because [`wants_input`](Self::wants_input) was false,
    /// this takes effect after the `handle_input` that consumes them.
    pub fn handle_eof(&mut self, now: Timestamp) {
        self.liveness.observe(now);
        if self.stalled && self.left > 0 {
            self.eof = true;
            return;
        }
        let (part, received, expected) = match (self.phase, self.header) {
            (Phase::Closed, _) => return,
            (Phase::Handshake, _) => (FramePart::Handshake, self.left, handshake::LEN),
            (Phase::Open, Some(header)) => {
                (FramePart::Body, self.left.saturating_sub(HEADER_LEN), header.len)
            }
            (Phase::Open, None) if self.left > 0 => (FramePart::Header, self.left, HEADER_LEN),
            (Phase::Open, None) => return self.finish(TransportClose::Eof),
        };
        self.finish(TransportClose::Failed(TransportError::Truncated { part, received, expected }));
    }

    /// Pings a silent peer or gives it up, if that is due at `now`.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.liveness.observe(now);
        match self.liveness.handle_timeout(now) {
            Some(LivenessAction::Ping) => {
                self.control.push_frame(&Header::encode(FrameKind::Ping, 0), &[]);
            }
            Some(LivenessAction::Gone) => self.finish(TransportClose::Timeout),
            None => {}
        }
    }

    /// Queues one message. Large payloads in it are shared, not copied.
    ///
    /// # Errors
    /// [`TransportError::TooLarge`] over [`max_send`](Self::max_send): nothing is queued and the transport
    /// stays open. [`TransportError::NotOpen`] before the handshake is done, [`TransportError::Closed`] after
    /// the end; but after a fault of the peer's the reason can still be sent, until [`close`](Self::close).
    pub fn send(&mut self, now: Timestamp, message: &Encoded) -> Result<(), TransportError> {
        self.liveness.observe(now);
        match self.phase {
            Phase::Handshake => return Err(TransportError::NotOpen),
            Phase::Closed if !self.may_explain => return Err(TransportError::Closed),
            Phase::Open | Phase::Closed => {}
        }
        let (size, limit) = (message.len(), self.max_send);
        if size > limit {
            return Err(TransportError::TooLarge { size, limit });
        }
        self.messages.push_frame(&Header::encode(FrameKind::Message, size), message.chunks());
        Ok(())
    }

    /// Closes from our side. Queued output still drains; further input is discarded. RawSocket has no closing
    /// frame: the end of the stream is the message.
    pub fn close(&mut self, now: Timestamp) {
        self.liveness.observe(now);
        self.may_explain = false;
        self.finish(TransportClose::Local);
    }

    /// On a server before the handshake is done: refuses the client with `error` and closes, without waiting
    /// for the client's request. At any other time, and on a client, it is [`close`](Self::close).
    pub fn refuse(&mut self, now: Timestamp, error: HandshakeError) {
        if self.phase == Phase::Handshake && self.role() == TransportRole::Server {
            self.liveness.observe(now);
            self.control.push_frame(&handshake::refusal(error), &[]);
            self.finish(TransportClose::Failed(RawSocketError::Refused(error).into()));
        } else {
            self.close(now);
        }
    }

    /// The next bytes to write, in order. Small frames come together, up to 64 KiB a chunk.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        // A PONG may overtake messages, but not cut one in two.
        let control = if self.messages.at_boundary() { self.control.pop() } else { None };
        control.or_else(|| self.messages.pop())
    }

    /// The next event, in order; [`TransportEvent::Closed`] is the last one and comes exactly once.
    pub fn poll_event(&mut self) -> Option<TransportEvent> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) for liveness; strictly later than the last `now`.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.liveness.poll_timeout()
    }

    /// How many bytes to reserve in the read buffer before the next read: at least 1.
    ///
    /// It begins at 2 KiB, grows to 64 KiB while reads fill the buffer and shrinks again when they do not.
    /// Inside a larger frame it at most doubles what has arrived, so a header alone gets no memory. The buffer
    /// never has to hold more than one frame of the receive limit.
    pub fn input_hint(&self) -> usize {
        let (wish, frame) = match self.header {
            Some(header) => (self.left.saturating_mul(2).max(self.read_size.get()), header.len),
            None => (self.read_size.get(), self.receive_limit),
        };
        wish.min(frame.saturating_add(HEADER_LEN)).saturating_sub(self.left).max(1)
    }

    /// Returns how many bytes there are of a frame whose rest has not arrived; `None` between two of them, before the
    /// handshake is done and while the owner has to poll events first.
    pub const fn begun(&self) -> Option<usize> {
        let is_begun = matches!(self.phase, Phase::Open) && self.left > 0 && !self.stalled;
        if is_begun { Some(self.left) } else { None }
    }

    /// Whether to read on: false while 64 events wait to be polled or 64 KiB of answers to be written, while
    /// events wait to be polled ahead of a faulty frame, and after the end. When it is true
    /// again, call `handle_input` even without new bytes.
    pub fn wants_input(&self) -> bool {
        self.phase != Phase::Closed
            && self.events.len() < MAX_EVENTS
            && self.control.queued() < MAX_CONTROL
            && (self.events.is_empty() || !self.held)
    }

    /// Bytes of output not yet polled.
    pub fn queued(&self) -> usize {
        self.control.queued().saturating_add(self.messages.queued())
    }

    /// In [`LivenessMode::Auto`](super::LivenessMode::Auto): the peer is known to answer PINGs, begin.
    pub fn activate_liveness(&mut self, now: Timestamp) {
        self.liveness.activate(now);
    }

    /// Stops the liveness timer while the owner does not read. While this transport itself does not want
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

    fn resume_timer(&mut self, now: Timestamp) {
        if !self.owner_suspended && !self.stalled {
            self.liveness.resume(now);
        }
    }

    fn finish(&mut self, reason: TransportClose) {
        if self.phase != Phase::Closed {
            self.phase = Phase::Closed;
            self.header = None;
            self.liveness.stop();
            self.events.push_back(TransportEvent::Closed { reason });
        }
    }
}

/// A summary: buffers may carry credentials.
impl fmt::Debug for RawSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawSocket")
            .field("role", &self.role())
            .field("phase", &self.phase)
            .field("serializer", &self.serializer)
            .field("max_send", &self.max_send)
            .field("receive_limit", &self.receive_limit)
            .field("events", &self.events.len())
            .field("queued", &self.queued())
            .finish_non_exhaustive()
    }
}

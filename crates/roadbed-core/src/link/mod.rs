//! The router's end of a connection: transport and serializer, from bytes to messages.
//!
//! A router keeps one [`Link`] for each peer. It holds no session: messages go up as they come, and encoded
//! messages go down as they are given. What little it remembers is whether the peer may still speak.
//!
//! ```
//! use bytes::BytesMut;
//! use roadbed_core::link::{Link, LinkConfig, LinkEvent};
//! use roadbed_core::message::Message;
//! use roadbed_core::time::Timestamp;
//!
//! let now = Timestamp::ZERO;
//! let mut link = Link::server(&LinkConfig::default(), now);
//! // A client's RawSocket handshake (JSON, up to 1 MiB) and its HELLO, in one read.
//! let hello = b"[1,\"realm1\",{\"roles\":{\"caller\":{}}}]";
//! let mut input = BytesMut::from(&b"\x7F\xB1\x00\x00\x00\x00\x00"[..]);
//! input.extend_from_slice(&[hello.len() as u8]);
//! input.extend_from_slice(hello);
//! link.handle_input(now, &mut input);
//!
//! assert!(matches!(link.poll_event(), Some(LinkEvent::Open { max_send: 0x10_0000, .. })));
//! assert!(matches!(link.poll_event(), Some(LinkEvent::Message(Message::Hello(_)))));
//! assert_eq!(link.poll_transmit().unwrap(), &b"\x7F\xB1\x00\x00"[..]);
//! ```

mod config;
#[cfg(test)]
mod tests;

use alloc::sync::Arc;
use core::time::Duration;

use bytes::{Bytes, BytesMut};

pub use config::LinkConfig;

use crate::error::{CloseReason, Deadline, ProtocolViolation};
use crate::limits::Limits;
use crate::message::Message;
use crate::serializer::{Encoded, Serializer};
use crate::session::TimeoutReason;
use crate::time::Timestamp;
use crate::transport::websocket::{
    Subprotocol, UpgradeError, UpgradeRequest, WebSocket, WebSocketServerConfig,
};
use crate::transport::{
    HandshakeError, LivenessConfig, RawSocket, Sniff, Transport, TransportClose, TransportError,
    TransportEvent, sniff,
};

/// Output, in bytes, up to which a link asks for more. A router keeps the rest in its own queues, where it
/// can still be dropped.
const WRITABLE: usize = 64 << 10;

/// Bytes of a message for which its sender has a second more.
const SLOWEST: usize = 4 << 10;

/// What HTTP clients are told that are refused.
const NO_ROOM: &str = "There are too many connections; try again later.";

/// The router's end of a connection; see the [module](self) for an example.
///
/// Drive it as a [`Connection`](crate::connection::Connection): the caller owns the read buffer, `handle_*`
/// return nothing, [`LinkEvent::Closed`] comes last, and output is fetched until the end.
pub struct Link {
    transport: Transport,
    limits: Limits,
    liveness: LivenessConfig,
    /// The latest time seen.
    now: Timestamp,
    /// Until when the transport's handshake has to be done.
    open_by: Timestamp,
    /// Messages are passed on: the peer has broken no rule, and we have not closed.
    is_heard: bool,
    /// The peer has sent a message.
    has_spoken: bool,
    is_paused: bool,
    /// Whether the transport below is TLS.
    is_secure: bool,
    /// What to speak if the first octet is a letter of HTTP. Until then, and otherwise, it is RawSocket.
    websocket: Option<Arc<WebSocketServerConfig>>,
    /// Whether it is decided what is spoken.
    is_chosen: bool,
    /// Whoever speaks is refused, and told to come back after so long.
    refusal: Option<Duration>,
    /// Bytes of the message decoded last.
    last_size: usize,
    /// Since when the peer owes the rest of a message.
    owed_since: Option<Timestamp>,
    end: End,
}

/// How far the end has come.
enum End {
    /// Not yet.
    Open,
    /// `Closed` waits until output was fetched, but not longer than this.
    Draining(CloseReason, Timestamp),
    /// `Closed` waits for nothing.
    Due(CloseReason),
    /// `Closed` was reported.
    Reported,
}

/// What a link found.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LinkEvent {
    /// The transport's handshake is done.
    Open {
        /// The serializer both ends use.
        serializer: Serializer,
        /// Bytes of the largest message the peer accepts.
        max_send: usize,
        /// The HTTP request, when it is a WebSocket: for
        /// [`TransportDetails::request`](crate::transport::TransportDetails::request).
        request: Option<Arc<UpgradeRequest>>,
    },
    /// The peer sent a message.
    Message(Message),
    /// The peer sent something that is none, or not an acceptable one. If the violation names a
    /// [`request`](ProtocolViolation::request), answer that with ERROR and go on. Otherwise nothing more
    /// comes of this peer: send ABORT, and call [`Link::close`].
    Violation(ProtocolViolation),
    /// The end; nothing follows.
    Closed {
        /// Why.
        reason: CloseReason,
    },
}

impl Link {
    /// The router's end of a transport that was accepted at `now`: RawSocket or WebSocket, as the
    /// configuration allows; where it allows both, the client's first octet decides. The peer has
    /// [`Limits::handshake_timeout`] for the transport's handshake; what it has left of that for HELLO is
    /// the router's affair. Have the configuration [checked](LinkConfig::check) once, before the first link.
    pub fn server(config: &LinkConfig, now: Timestamp) -> Self {
        let mut link = Self {
            transport: RawSocket::server(&config.rawsocket_server()).into(),
            limits: config.limits.clone(),
            liveness: config.liveness,
            now,
            open_by: now.saturating_add(config.limits.handshake_timeout),
            is_heard: true,
            has_spoken: false,
            is_paused: false,
            is_secure: false,
            websocket: config.websocket.clone(),
            is_chosen: false,
            refusal: None,
            last_size: 0,
            owed_since: None,
            end: End::Open,
        };
        if !config.rawsocket {
            link.speak_websocket();
        }
        link.set_receive_limit(config.limits.handshake_message_size);
        link
    }

    /// Makes the router's end of a WebSocket whose opening handshake somebody else has done, such as an HTTP server
    /// that hands an upgraded connection over: `request` was answered with status 101 and `subprotocol`, without
    /// extensions. [`LinkEvent::Open`] comes at once; bytes that were read behind the request are handed to
    /// [`handle_input`](Self::handle_input) as any others. Origins and paths are the HTTP server's affair.
    pub fn upgraded(
        config: &LinkConfig,
        subprotocol: Subprotocol,
        request: Arc<UpgradeRequest>,
        now: Timestamp,
    ) -> Self {
        let settings = config.websocket.clone().unwrap_or_default();
        let mut websocket = WebSocket::server(settings);
        websocket.override_settings(config.limits.message_size, config.liveness);
        websocket.set_receive_limit(config.limits.handshake_message_size);
        websocket.upgrade(now, subprotocol, request);
        let mut link = Self::server(config, now);
        link.websocket = None;
        link.transport = websocket.into();
        link
    }

    /// The transport below is TLS. Call it before the first `handle_input`: it decides what the server's own
    /// origin is for browsers. Default: no.
    pub fn set_secure(&mut self, is_secure: bool) {
        self.is_secure = is_secure;
        if let Transport::WebSocket(websocket) = &mut self.transport {
            websocket.set_secure(is_secure);
        }
    }

    /// There is no room for this peer: it is refused in its own terms as soon as it says something. RawSocket clients
    /// are told error 4, "maximum connection count reached"; HTTP clients status 503, and when to try again. Call it
    /// before the first `handle_input`. Whoever says nothing still has its deadline.
    pub fn refuse(&mut self, retry_after: Duration) {
        self.refusal = Some(retry_after);
    }

    fn refuse_now(&mut self, now: Timestamp, retry_after: Duration) {
        match &mut self.transport {
            Transport::RawSocket(rawsocket) => rawsocket.refuse(now, HandshakeError::ConnectionLimit),
            Transport::WebSocket(websocket) => websocket.refuse(NO_ROOM, retry_after),
        }
    }

    /// Chooses the transport by the first octets: one port for all. Those of RawSocket, HTTP and TLS differ;
    /// whatever else comes is for RawSocket to refuse. `false` while there are too few of them.
    fn choose(&mut self, input: &[u8]) -> bool {
        if self.is_chosen {
            return true;
        }
        match sniff(input) {
            Sniff::More => return false,
            // TLS is not spoken here, or it would not have come so far: that is told in HTTP, as browsers expect.
            Sniff::Http | Sniff::Tls if self.websocket.is_some() => self.speak_websocket(),
            Sniff::Http => self.turn_away(UpgradeError::NoHttp),
            Sniff::Tls => self.turn_away(UpgradeError::Tls),
            _ => self.websocket = None,
        }
        self.is_chosen = true;
        true
    }

    fn turn_away(&mut self, error: UpgradeError) {
        let mut websocket = WebSocket::server(Arc::default());
        websocket.turn_away(error);
        self.transport = websocket.into();
    }

    fn speak_websocket(&mut self) {
        self.is_chosen = true;
        let Some(config) = self.websocket.take() else { return };
        let mut websocket = WebSocket::server(config);
        websocket.override_settings(self.limits.message_size, self.liveness);
        websocket.set_receive_limit(self.limits.handshake_message_size);
        websocket.set_secure(self.is_secure);
        self.transport = websocket.into();
        if self.is_paused {
            self.transport.suspend_liveness();
        }
    }

    /// Consumes whole frames from the front of `input`; a partial frame stays. Pass the same buffer every
    /// time, with new bytes appended. After the end, `input` is emptied and ignored.
    pub fn handle_input(&mut self, now: Timestamp, input: &mut BytesMut) {
        self.observe(now);
        if matches!(self.end, End::Open) {
            if !self.choose(input) {
                return;
            }
            if !input.is_empty()
                && let Some(retry_after) = self.refusal.take()
            {
                self.refuse_now(now, retry_after);
            }
        }
        self.transport.handle_input(now, input);
        self.follow_message();
    }

    /// Notes since when the peer owes the rest of a message.
    fn follow_message(&mut self) {
        let is_owed = !self.is_paused && self.transport.begun().is_some();
        self.owed_since = is_owed.then(|| self.owed_since.unwrap_or(self.now));
    }

    /// When the rest of a message that the peer has begun has to be here.
    fn message_deadline(&self) -> Option<Timestamp> {
        let since = self.owed_since.filter(|_| matches!(self.end, End::Open))?;
        let seconds = u64::try_from(self.transport.begun()? / SLOWEST).unwrap_or(u64::MAX);
        let time = self.limits.message_timeout.saturating_add(Duration::from_secs(seconds));
        Some(since.saturating_add(time))
    }

    /// The peer ended its stream. Output that is queued can still be fetched.
    pub fn handle_eof(&mut self, now: Timestamp) {
        self.observe(now);
        self.transport.handle_eof(now);
    }

    /// The stream broke: nothing can be read or written any more. Queued output is dropped.
    pub fn handle_lost(&mut self, now: Timestamp) {
        self.observe(now);
        self.transport.close(now);
        self.transport.handle_eof(now);
        self.end_with(CloseReason::Eof, false);
        if let End::Draining(reason, _) = &self.end {
            self.end = End::Due(reason.clone());
        }
        while self.transport.poll_transmit().is_some() {}
    }

    /// Runs the timers due at `now`; at any other time it does nothing.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.observe(now);
        self.transport.handle_timeout(now);
        match &self.end {
            End::Open if !self.was_open() && self.open_by <= self.now => {
                self.transport.close(now);
                self.end_with(CloseReason::Timeout(Deadline::Join), true);
            }
            End::Open if self.message_deadline().is_some_and(|at| at <= self.now) => {
                self.is_heard = false;
                self.transport.close(now);
                self.end_with(CloseReason::Timeout(Deadline::Message), true);
            }
            End::Draining(reason, until) if *until <= self.now => self.end = End::Due(reason.clone()),
            _ => {}
        }
    }

    /// Queues an encoded message.
    ///
    /// # Errors
    /// [`TransportError::TooLarge`] when the peer does not accept messages of this size; nothing was queued
    /// then. [`TransportError::NotOpen`] before [`LinkEvent::Open`], [`TransportError::Closed`] after the
    /// end.
    pub fn send(&mut self, now: Timestamp, message: &Encoded) -> Result<(), TransportError> {
        self.observe(now);
        self.transport.send(now, message)
    }

    /// Sets the size in bytes of the largest message that the peer may send from now on. It begins with
    /// [`Limits::handshake_message_size`]; what it is later depends on what the router awaits from the peer, so ask
    /// the router whenever it was given something.
    pub fn set_receive_limit(&mut self, bytes: usize) {
        self.transport.set_receive_limit(bytes);
    }

    /// The peer is known to answer pings: starts them in mode
    /// [`LivenessMode::Auto`](crate::transport::LivenessMode::Auto).
    pub fn activate_liveness(&mut self, now: Timestamp) {
        self.observe(now);
        self.transport.activate_liveness(now);
    }

    /// Stops reading from the peer until [`resume`](Self::resume): it has too much output waiting. Its
    /// silence is not held against it.
    pub fn pause(&mut self) {
        self.is_paused = true;
        self.owed_since = None;
        self.transport.suspend_liveness();
    }

    /// Reads from the peer again. Call [`handle_input`](Self::handle_input) even without new bytes.
    pub fn resume(&mut self, now: Timestamp) {
        self.observe(now);
        self.is_paused = false;
        self.follow_message();
        self.transport.resume_liveness(now);
    }

    /// Closes from our side; what the peer sent and nobody has polled is dropped. Queued output still
    /// drains, for up to [`Limits::goodbye_timeout`]; then [`LinkEvent::Closed`] follows.
    pub fn close(&mut self, now: Timestamp) {
        self.observe(now);
        self.is_heard = false;
        self.transport.close(now);
        self.end_with(CloseReason::Local, true);
    }

    /// The next bytes to write, in order.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.transport.poll_transmit()
    }

    /// The next event, in order. Messages are decoded as they are polled.
    pub fn poll_event(&mut self) -> Option<LinkEvent> {
        while let Some(event) = self.transport.poll_event() {
            if let Some(event) = self.take(event) {
                return Some(event);
            }
        }
        let is_due = match self.end {
            End::Open | End::Reported => false,
            End::Draining(..) => {
                let transport = &self.transport;
                // A peer that never sent a message is not waited for: it may as well never answer a Close frame.
                let is_closing = self.has_spoken && transport.is_closing();
                transport.queued() == 0 && !transport.is_open() && !is_closing
            }
            End::Due(_) => true,
        };
        if !is_due {
            return None;
        }
        match core::mem::replace(&mut self.end, End::Reported) {
            End::Draining(reason, _) | End::Due(reason) => Some(LinkEvent::Closed { reason }),
            End::Open | End::Reported => None,
        }
    }

    fn take(&mut self, event: TransportEvent) -> Option<LinkEvent> {
        match event {
            TransportEvent::Open { serializer, max_send } => {
                let request = self.transport.request().cloned();
                Some(LinkEvent::Open { serializer, max_send, request })
            }
            TransportEvent::Message(bytes) if self.is_heard => {
                self.has_spoken = true;
                // What is left in the buffer is another message.
                self.owed_since = None;
                self.follow_message();
                self.decode(&bytes)
            }
            TransportEvent::Message(_) => None,
            TransportEvent::Closed { reason } => self.transport_closed(reason),
        }
    }

    fn decode(&mut self, bytes: &Bytes) -> Option<LinkEvent> {
        self.last_size = bytes.len();
        match self.transport.serializer()?.decode(bytes, &self.limits) {
            Ok(message) => Some(LinkEvent::Message(message)),
            Err(violation) => {
                self.is_heard = violation.request().is_some();
                Some(LinkEvent::Violation(violation))
            }
        }
    }

    fn transport_closed(&mut self, reason: TransportClose) -> Option<LinkEvent> {
        match reason {
            TransportClose::Local => {}
            // Nobody is left to fetch anything from us, or to answer.
            TransportClose::Eof => self.end_with(CloseReason::Eof, false),
            TransportClose::Failed(error) if error.is_truncation() => self.end_with(CloseReason::Eof, false),
            // The answer to its Close frame has to be fetched.
            TransportClose::Peer { code, reason } => {
                self.end_with(CloseReason::from_close_frame(code, reason), true);
            }
            TransportClose::Timeout => {
                self.end_with(CloseReason::Timeout(Deadline::Liveness), false);
            }
            TransportClose::Failed(error) => {
                let violation = ProtocolViolation::from(error);
                let was_heard = core::mem::replace(&mut self.is_heard, false);
                if self.was_open() && was_heard {
                    // Closed waits for the owner's ABORT and its `close`.
                    return Some(LinkEvent::Violation(violation));
                }
                self.transport.close(self.now);
                self.end_with(CloseReason::PeerViolation(violation), true);
            }
        }
        None
    }

    fn end_with(&mut self, reason: CloseReason, drains: bool) {
        if let End::Open = self.end {
            self.end = if drains {
                End::Draining(reason, self.now.saturating_add(self.limits.goodbye_timeout))
            } else {
                End::Due(reason)
            };
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), strictly later than the last `now` given.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.next_timeout().map(|(at, _)| at.max(self.now.next()))
    }

    /// What [`poll_timeout`](Self::poll_timeout) waits for; for logs.
    pub fn timeout_reason(&self) -> Option<TimeoutReason> {
        self.next_timeout().map(|(_, reason)| reason)
    }

    fn next_timeout(&self) -> Option<(Timestamp, TimeoutReason)> {
        let own = match self.end {
            End::Open if !self.was_open() && self.is_heard => {
                Some((self.open_by, TimeoutReason::Deadline(Deadline::Join)))
            }
            End::Open => self.message_deadline().map(|at| (at, TimeoutReason::Deadline(Deadline::Message))),
            End::Draining(_, until) => Some((until, TimeoutReason::Linger)),
            _ => None,
        };
        let liveness = self.transport.poll_timeout().map(|at| (at, TimeoutReason::Liveness));
        own.into_iter().chain(liveness).filter(|(at, _)| *at < Timestamp::MAX).min_by_key(|(at, _)| *at)
    }

    /// How many bytes to reserve in the read buffer before the next read.
    pub fn input_hint(&self) -> usize {
        self.transport.input_hint()
    }

    /// Whether to read on: false while events wait to be polled, while it is paused, and after the end.
    /// When it is true again, call [`handle_input`](Self::handle_input) even without new bytes.
    pub fn wants_input(&self) -> bool {
        (!self.is_paused || self.transport.is_closing()) && self.transport.wants_input()
    }

    /// Whether to send more: fewer than 64 KiB are queued, and nothing has ended. After a violation it still
    /// takes the ABORT.
    pub fn is_writable(&self) -> bool {
        matches!(self.end, End::Open) && self.was_open() && self.transport.queued() < WRITABLE
    }

    /// Returns how many bytes more to send before [`is_writable`](Self::is_writable) turns false; 0 when it is false.
    pub fn room(&self) -> usize {
        if self.is_writable() { WRITABLE.saturating_sub(self.transport.queued()) } else { 0 }
    }

    /// Returns the encoded size in bytes of the message that [`poll_event`](Self::poll_event) gave last.
    pub const fn last_message_size(&self) -> usize {
        self.last_size
    }

    /// Returns whether messages travel in batches, and the last one is done. The next [`poll_event`](Self::poll_event)
    /// may find a fault in the next batch, which decides how the transport is closed: act on the messages that were
    /// polled before it.
    pub fn is_between_batches(&self) -> bool {
        match &self.transport {
            Transport::WebSocket(websocket) => websocket.is_between_batches(),
            Transport::RawSocket(_) => false,
        }
    }

    /// Bytes of output not fetched yet.
    pub fn queued(&self) -> usize {
        self.transport.queued()
    }

    /// Whether the transport's handshake is done and the transport not closed.
    pub fn is_open(&self) -> bool {
        self.transport.is_open()
    }

    /// The serializer agreed on; `None` before [`LinkEvent::Open`].
    pub fn serializer(&self) -> Option<Serializer> {
        self.transport.serializer()
    }

    /// Bytes of the largest message the peer accepts; 0 before [`LinkEvent::Open`].
    pub fn max_send(&self) -> usize {
        self.transport.max_send()
    }

    fn was_open(&self) -> bool {
        self.transport.serializer().is_some()
    }

    fn observe(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }
}

/// A summary: buffers may carry credentials.
impl core::fmt::Debug for Link {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Link").field("transport", &self.transport).finish_non_exhaustive()
    }
}

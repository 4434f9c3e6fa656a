//! The client connection: transport, serializer and session in one, from bytes to events.
//!
//! [`Connection`] is what a client driver drives. The loop is always the same: hand in what was read, fetch
//! what is to be written, take the events, sleep until more bytes or the next time-out.
//!
//! ```
//! use bytes::BytesMut;
//! use roadbed_core::connection::{Connection, Endpoint};
//! use roadbed_core::serializer::Serializer;
//! use roadbed_core::session::{ClientConfig, SessionEvent};
//! use roadbed_core::time::{Timestamp, UnixMicros};
//! use roadbed_core::transport::TransportDetails;
//! use roadbed_core::uri::Uri;
//!
//! let now = Timestamp::ZERO;
//! let config = ClientConfig::new(Uri::new("realm1")?).build()?;
//! let endpoint = Endpoint::rawsocket(Serializer::Json);
//! let mut connection = Connection::client(config, &endpoint, [0; 32], now, UnixMicros::default());
//! connection.transport_ready(now, TransportDetails::tcp("127.0.0.1:8080", true));
//! assert_eq!(connection.poll_transmit().unwrap(), &b"\x7F\xB1\x00\x00"[..]); // the RawSocket handshake
//!
//! // What a driver reads from the socket: the router's handshake; HELLO follows by itself.
//! let mut input = BytesMut::from(&b"\x7F\xF1\x00\x00"[..]);
//! connection.handle_input(now, &mut input);
//! assert!(connection.poll_transmit().unwrap()[4..].starts_with(b"[1,\"realm1\","));
//!
//! // WELCOME, in a frame of its own.
//! let welcome = b"[2,4711,{\"roles\":{\"broker\":{},\"dealer\":{}}}]";
//! input.extend_from_slice(&[0, 0, 0, welcome.len() as u8]);
//! input.extend_from_slice(welcome);
//! connection.handle_input(now, &mut input);
//! assert!(matches!(connection.poll_event(), Some(SessionEvent::Joined { .. })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod commands;
mod endpoint;
mod pump;
#[cfg(test)]
mod tests;

use alloc::sync::Arc;

use bytes::{Bytes, BytesMut};

pub use endpoint::Endpoint;

use crate::error::{CloseReason, Deadline};
use crate::serializer::Serializer;
use crate::session::{ClientConfig, Session, SessionEvent, SessionState, TimeoutReason};
use crate::time::{Timestamp, UnixMicros};
use crate::transport::{Transport, TransportDetails};

/// A client connection, from bytes to events; see the [module](self) for the loop around it.
///
/// The contract, which every state machine of this crate keeps:
///
/// 1. The caller owns the read buffer, appends to it, and passes the same one again;
///    [`handle_input`](Self::handle_input) takes whole frames off its front.
/// 2. Nothing is returned from `handle_*`; what happened comes from [`poll_event`](Self::poll_event), with
///    [`SessionEvent::Closed`] last, after all output was fetched.
/// 3. While [`wants_input`](Self::wants_input) is false, do not read. When it is true again, call
///    `handle_input` even without new bytes.
/// 4. Commands never block. Above the high-water mark [`is_writable`](Self::is_writable) is false; far above
///    it new requests are refused, answers and goodbyes never.
/// 5. Every command that expects an answer ends in exactly one event.
/// 6. [`poll_timeout`](Self::poll_timeout) lies strictly after the last `now`; calls at other times do no
///    harm.
/// 7. Ids that name nothing give an error value; no input panics.
pub struct Connection {
    session: Session,
    transport: Transport,
    /// Where messages are encoded.
    arena: BytesMut,
    /// The latest time seen.
    now: Timestamp,
    /// Until when the transport has to be open, and a session joined.
    join_by: Timestamp,
    /// The transport was open once.
    was_open: bool,
    /// The receive limit is that of an open session.
    is_raised: bool,
    /// The event queue was full: there may be more in the transport or the buffer.
    is_stalled: bool,
    /// More output is queued than the high-water mark allows; `Writable` is due.
    is_blocked: bool,
    /// Bytes of answers that the session gave by itself and that were not all fetched yet.
    replies: usize,
    /// Bytes of output to be fetched until they are.
    replies_end: usize,
    /// Until when `Closed` waits for output to be fetched.
    linger: Option<Timestamp>,
    /// `Closed` no longer waits for output.
    is_released: bool,
}

impl Connection {
    /// A client connection over a transport that was opened at `now`, or is being opened. The router has
    /// [`Limits::join_timeout`](crate::limits::Limits::join_timeout) from here to WELCOME. HELLO goes out
    /// by itself when the transport's handshake is done. Take `config` from [`ClientConfig::build`], which
    /// checks it; values out of their range are not noticed here.
    ///
    /// `seed` has to be random and new for each connection: it is the only source of randomness (RawSocket
    /// needs none, WebSocket masks with it). `utc` is the wall clock at `now`.
    pub fn client(
        config: Arc<ClientConfig>,
        endpoint: &Endpoint,
        seed: [u8; 32],
        now: Timestamp,
        utc: UnixMicros,
    ) -> Self {
        Self {
            transport: endpoint.connect(&config, seed),
            join_by: now.saturating_add(config.limits.join_timeout),
            session: Session::new(config, now, utc),
            arena: BytesMut::new(),
            now,
            was_open: false,
            is_raised: true,
            is_stalled: false,
            is_blocked: false,
            replies: 0,
            replies_end: 0,
            linger: None,
            is_released: false,
        }
    }

    /// What is known of the transport: call it before the first `handle_input`. Until then the transport
    /// counts as one that others can read.
    pub fn transport_ready(&mut self, now: Timestamp, details: TransportDetails) {
        self.observe(now);
        self.session.transport_ready(now, details);
    }

    /// Corrects the wall clock.
    pub fn set_utc(&mut self, utc: UnixMicros) {
        self.session.set_utc(utc);
    }

    /// Consumes whole frames from the front of `input`; a partial frame stays. Pass the same buffer every
    /// time, with new bytes appended. After the end, `input` is emptied and ignored.
    pub fn handle_input(&mut self, now: Timestamp, input: &mut BytesMut) {
        self.observe(now);
        self.resume(now);
        while self.has_room() {
            self.transport.handle_input(now, input);
            if !self.pump(now) {
                return;
            }
        }
        if self.session.state() == SessionState::Closed {
            // Only the peer's part of closing still matters.
            self.transport.handle_input(now, input);
            self.pump(now);
        } else {
            self.stall();
        }
    }

    /// The peer ended its stream. What is pending fails at once; output that is queued can still be
    /// fetched. Call it only while [`wants_input`](Self::wants_input) is true; otherwise it takes effect
    /// with the `handle_input` that follows.
    pub fn handle_eof(&mut self, now: Timestamp) {
        self.observe(now);
        self.transport.handle_eof(now);
        self.pump(now);
    }

    /// The stream broke: nothing can be read or written any more. What is pending fails at once, and
    /// queued output is dropped.
    pub fn handle_lost(&mut self, now: Timestamp) {
        self.observe(now);
        if !self.was_open {
            // What refused the handshake is known, even if its last words are cut off.
            self.transport.handle_eof(now);
            self.pump(now);
        }
        self.session.handle_eof(now);
        self.transport.close(now);
        self.transport.handle_eof(now);
        self.pump(now);
        self.is_released = true;
        while self.transport.poll_transmit().is_some() {}
    }

    /// Runs the timers due at `now`; at any other time it does nothing.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.observe(now);
        let now = self.now;
        if !self.was_open && self.join_by <= now {
            // Closed, it tells what refused the handshake, if anything did.
            self.transport.close(now);
            self.pump(now);
            self.session.end(CloseReason::Timeout(Deadline::Join), false);
        }
        if self.linger.is_some_and(|at| at <= now) {
            self.is_released = true;
        }
        self.session.handle_timeout(now);
        self.transport.handle_timeout(now);
        self.flush(now);
        self.pump(now);
    }

    /// The next bytes to write, in order.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        let bytes = self.transport.poll_transmit();
        let fetched = bytes.as_ref().map_or(0, Bytes::len);
        self.replies_end = self.replies_end.saturating_sub(fetched);
        if self.replies_end == 0 {
            self.replies = 0;
        }
        // Half of it has to drain: whoever waits for room is to find some.
        if self.is_blocked && self.transport.queued() <= self.high_water() / 2 {
            self.is_blocked = false;
            self.session.push_event(SessionEvent::Writable);
        }
        bytes
    }

    /// The next event, in order. [`SessionEvent::Closed`] comes last, exactly once, when all output was
    /// fetched; it stops waiting for that after
    /// [`Limits::goodbye_timeout`](crate::limits::Limits::goodbye_timeout).
    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        let waits = !self.is_released && (self.transport.queued() > 0 || self.transport.is_closing());
        if self.session.is_spent() && waits {
            return None;
        }
        let event = self.session.poll_event();
        if let Some(SessionEvent::Closed { .. }) = event {
            self.is_released = true;
        }
        event
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
        let is_opening = !self.was_open && self.session.state() != SessionState::Closed;
        let open = is_opening.then_some((self.join_by, TimeoutReason::Deadline(Deadline::Join)));
        let session = self.session.poll_timeout().zip(self.session.timeout_reason());
        let liveness = self.transport.poll_timeout().map(|at| (at, TimeoutReason::Liveness));
        let linger = self.linger.filter(|_| !self.is_released).map(|at| (at, TimeoutReason::Linger));
        let all = open.into_iter().chain(session).chain(liveness).chain(linger);
        all.filter(|(at, _)| *at < Timestamp::MAX).min_by_key(|(at, _)| *at)
    }

    /// How many bytes to reserve in the read buffer before the next read.
    pub fn input_hint(&self) -> usize {
        self.transport.input_hint()
    }

    /// Whether to read on: false while as many events as
    /// [`Limits::queued_events`](crate::limits::Limits::queued_events) wait to be polled, while answers to
    /// the peer have to be fetched before more of them can be made, and after the end. It is true while the
    /// peer's answer to our Close frame is awaited.
    pub fn wants_input(&self) -> bool {
        self.transport.is_closing() || self.has_room() && (self.is_stalled || self.transport.wants_input())
    }

    /// Whether output flows: no more than
    /// [`Limits::output_high_water`](crate::limits::Limits::output_high_water) bytes are queued, and, after more were,
    /// no more than half of that. When it turns true again, [`SessionEvent::Writable`] says so.
    pub const fn is_writable(&self) -> bool {
        !self.is_blocked
    }

    /// Bytes of output not fetched yet.
    pub fn queued(&self) -> usize {
        self.transport.queued()
    }

    /// Whether the transport is open: its handshake is done, and it is not closed.
    pub fn is_open(&self) -> bool {
        self.transport.is_open()
    }

    /// Whether the transport is open and carries no session, so that `join` is possible.
    pub fn is_attached(&self) -> bool {
        self.is_open() && self.session.state() == SessionState::Idle
    }

    /// The serializer agreed on; `None` before the transport is open.
    pub fn serializer(&self) -> Option<Serializer> {
        self.transport.serializer()
    }

    /// The session inside, to be asked: its state, id, details, handlers, counters.
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// Time does not go back.
    fn observe(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    /// Queued output above which `is_writable()` is false: whoever is refused for want of room has to hear
    /// of it when there is room again.
    pub(super) fn high_water(&self) -> usize {
        self.limits().output_high_water.min(self.limits().output_size)
    }

    fn limits(&self) -> &crate::limits::Limits {
        &self.session.config().limits
    }
}

/// A summary: buffers may carry credentials.
impl core::fmt::Debug for Connection {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Connection")
            .field("session", &self.session)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

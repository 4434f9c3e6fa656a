//! How a peer is served: one [`Port`] for each connection, the router side's twin of a client's `Connection`.

mod exchange;
mod framing;
#[cfg(test)]
mod tests;
mod whole;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use roadbed_core::error::CloseReason;
use roadbed_core::limits::Limits;
use roadbed_core::link::{Link, LinkConfig, LinkEvent};
use roadbed_core::message::Message;
use roadbed_core::serializer::{Encoded, Serializer};
use roadbed_core::time::Timestamp;
use roadbed_core::transport::TransportDetails;
use roadbed_core::transport::websocket::{Subprotocol, UpgradeRequest};

use self::framing::Framing;
use self::whole::Whole;
use crate::auth::Grant;
use crate::events::{ConnectionRefusal, Outgoing};
use crate::gate::Gate;
use crate::names::PeerId;

/// Messages of a joined peer that one [`Port::exchange`] hands over at most.
const BATCH: usize = 64;
/// Bytes of messages, encoded, at which a batch is full.
const BATCH_BYTES: usize = 256 << 10;
/// Room in bytes for which more output is asked of the router.
const WORTHWHILE: usize = 32 << 10;
/// How the agent of a client begins that is known to answer pings. Others may drop a RawSocket connection over one.
const OWN_AGENT: &str = "roadbed";

/// One connection of a router, from bytes to the [`Router`](crate::Router) and back: what serves a peer.
///
/// Whoever drives the connection owns its port; it needs no lock but the driver's own. Everything that costs time in
/// proportion to bytes (masks, inflating, decoding, framing, compressing) happens here, without the router. The router
/// is needed for [`exchange`](Self::exchange) alone, which hands over a bounded batch of decoded messages and takes
/// what waits for this peer, still encoded; so a router behind a lock is held for that, and for nothing else.
///
/// The port also follows its session: how large messages may be before HELLO, before WELCOME and after it, whether the
/// peer is read from, and that RawSocket peers are pinged once they are known to answer.
///
/// The loop, where one thread has both the port and the router:
///
/// 1. Bytes were read, the router [named](crate::Router::poll_ready) the peer, or a time-out is due
///    ([`handle_timeout`](Self::handle_timeout)): call [`serve`](Self::serve).
/// 2. Write what [`poll_transmit`](Self::poll_transmit) gives. If [`wants_exchange`](Self::wants_exchange) is true
///    afterwards, go to 1.
/// 3. [Drop](Self::must_drop) the transport, or flush and close it when it [has ended](Self::has_ended).
/// 4. Read when [`wants_input`](Self::wants_input), and sleep until [`poll_timeout`](Self::poll_timeout).
///
/// ```
/// use bytes::BytesMut;
/// use roadbed_core::link::LinkConfig;
/// use roadbed_core::time::{Timestamp, UnixMicros};
/// use roadbed_core::transport::TransportDetails;
/// use roadbed_core::uri::Uri;
/// use roadbed_router::{Authentication, Port, Router, RouterConfig};
///
/// let now = Timestamp::ZERO;
/// let config = RouterConfig::new().realm(Uri::new("realm1")?, Authentication::new().anonymous("guest"));
/// config.check()?;
/// let links = LinkConfig::default().limits(config.limits.clone());
/// let mut router = Router::new(config.into_shared(), [7; 32], now, UnixMicros::default());
///
/// let mut port = Port::new(&links, TransportDetails::local(), now);
/// // A client's RawSocket handshake (JSON, up to 1 MiB) and its HELLO, in one read.
/// let hello = b"[1,\"realm1\",{\"roles\":{\"caller\":{}}}]";
/// let mut input = BytesMut::from(&b"\x7F\xB1\x00\x00\x00\x00\x00"[..]);
/// input.extend_from_slice(&[hello.len() as u8]);
/// input.extend_from_slice(hello);
/// port.serve(&mut router, now, &mut input);
///
/// assert!(port.is_joined() && input.is_empty());
/// let mut written = Vec::new();
/// while let Some(bytes) = port.poll_transmit() {
///     written.extend_from_slice(&bytes);
/// }
/// assert!(written[8..].starts_with(b"[2,")); // WELCOME, behind the handshake and a header
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Port {
    framing: Framing,
    /// How the peer is connected, until its gate knows.
    details: Option<Box<TransportDetails>>,
    grant: Option<Box<Grant>>,
    /// From the transport's handshake to its end.
    gate: Option<Gate>,
    /// Decoded, to be handed over.
    pending: VecDeque<LinkEvent>,
    pending_bytes: usize,
    /// The router's answer to the last of `pending` decides how the next message is judged.
    is_held: bool,
    /// Taken from the router, to be framed.
    staged: VecDeque<Outgoing>,
    staged_bytes: usize,
    /// The router may hold more for this peer than there was room for.
    has_more: bool,
    /// Why the connection was refused, until the router was told.
    refusal: Option<ConnectionRefusal>,
    is_refused: bool,
    /// What the framing was told last; 0: nothing yet.
    receive_limit: usize,
    is_joined: bool,
    /// The peer is pinged, as far as that is configured.
    is_live: bool,
    is_paused: bool,
    /// The last `handle_input` left bytes in the buffer that nobody has looked at.
    is_behind: bool,
    /// The peer ended its stream behind such bytes.
    is_eof_due: bool,
    must_drop: bool,
    has_ended: bool,
    /// Why the router closes the connection.
    closing: Option<Box<CloseReason>>,
    /// The latest time seen.
    now: Timestamp,
}

impl Port {
    /// Makes the port of a transport that carries bytes and was accepted at `now`, or when `details` say: RawSocket or
    /// WebSocket, as the configuration allows and the client begins. TLS, if any, is below it.
    pub fn new(config: &LinkConfig, details: TransportDetails, now: Timestamp) -> Self {
        let mut link = Link::server(config, now);
        link.set_secure(details.is_secure);
        Self::over(Framing::Link(link), details, now)
    }

    /// Makes the port of a WebSocket that an HTTP server has upgraded: `request` was answered with status 101 and
    /// `subprotocol`, without extensions. Hand bytes that were read behind the request to
    /// [`handle_input`](Self::handle_input). Origins and paths are the HTTP server's affair.
    pub fn upgraded(
        config: &LinkConfig,
        subprotocol: Subprotocol,
        request: Arc<UpgradeRequest>,
        details: TransportDetails,
        now: Timestamp,
    ) -> Self {
        let link = Link::upgraded(config, subprotocol, request, now);
        Self::over(Framing::Link(link), details, now)
    }

    /// Makes the port of a transport that carries whole messages, so nothing is framed: use
    /// [`handle_message`](Self::handle_message) and [`poll_message`](Self::poll_message). `max_send` is the size in
    /// bytes of the largest message that the peer accepts; what it may send is in the limits.
    pub fn messages(
        limits: &Limits,
        serializer: Serializer,
        max_send: usize,
        details: TransportDetails,
        now: Timestamp,
    ) -> Self {
        Self::over(Framing::Whole(Whole::new(limits.clone(), serializer, max_send)), details, now)
    }

    fn over(framing: Framing, mut details: TransportDetails, now: Timestamp) -> Self {
        // A peer has one deadline for all of it: TLS, the transport, HELLO.
        details.opened.get_or_insert(now);
        let mut port = Self {
            framing,
            details: Some(Box::new(details)),
            grant: None,
            gate: None,
            pending: VecDeque::new(),
            pending_bytes: 0,
            is_held: false,
            staged: VecDeque::new(),
            staged_bytes: 0,
            has_more: false,
            refusal: None,
            is_refused: false,
            receive_limit: 0,
            is_joined: false,
            is_live: false,
            is_paused: false,
            is_behind: false,
            is_eof_due: false,
            must_drop: false,
            has_ended: false,
            closing: None,
            now,
        };
        port.fill();
        port
    }

    /// Lets this peer in as `grant` says, whatever the realm asks of others: for sessions of the embedder's own.
    /// Nothing that a peer sends can have this effect.
    #[must_use]
    pub fn trusted(mut self, grant: Grant) -> Self {
        self.grant = Some(Box::new(grant));
        self
    }

    /// Sets how many bytes of output a port of [whole messages](Self::messages) takes from the router before they are
    /// polled; at least one message. What waits in the router can still be dropped for a slow peer, what the port has
    /// taken cannot. Default: 64 KiB.
    #[must_use]
    pub fn window(mut self, bytes: usize) -> Self {
        if let Framing::Whole(whole) = &mut self.framing {
            whole.set_window(bytes);
        }
        self
    }

    /// Tells that the transport below turned out to be TLS. Call it before the first `handle_input`.
    pub fn set_secure(&mut self, channel_binding: Option<Bytes>) {
        if let Some(details) = &mut self.details {
            details.is_secure = true;
            details.channel_binding = channel_binding;
        }
        if let Framing::Link(link) = &mut self.framing {
            link.set_secure(true);
        }
    }

    /// Refuses the peer for want of room, in its own terms, as soon as it says something: see [`Link::refuse`]. The
    /// router counts it and tells its driver with the next exchange.
    pub fn refuse(&mut self, retry_after: Duration) {
        self.is_refused = true;
        self.refusal = Some(ConnectionRefusal::TooMany);
        match &mut self.framing {
            Framing::Link(link) => link.refuse(retry_after),
            Framing::Whole(whole) => whole.handle_lost(),
        }
    }

    /// Consumes whole frames from the front of `input` and decodes them; a partial frame stays. Pass the same buffer
    /// every time, with new bytes appended, and also without new bytes after each exchange: what the router answered
    /// may let more of it be read.
    pub fn handle_input(&mut self, now: Timestamp, input: &mut BytesMut) {
        self.observe(now);
        loop {
            self.frame();
            let may_read = self.wants_input();
            if let Framing::Link(link) = &mut self.framing
                && may_read
            {
                link.handle_input(now, input);
                if std::mem::take(&mut self.is_eof_due) {
                    link.handle_eof(now);
                }
            }
            if !self.fill() {
                break;
            }
        }
        self.is_behind = !input.is_empty() && !self.wants_input();
    }

    /// Takes one encoded message, on a port of [whole messages](Self::messages). Call it while
    /// [`wants_input`](Self::wants_input) is true.
    pub fn handle_message(&mut self, now: Timestamp, message: &Bytes) {
        self.observe(now);
        self.frame();
        if let Framing::Whole(whole) = &mut self.framing {
            whole.handle_message(message);
        }
        self.advance(now);
    }

    /// The peer ended its stream. Output that is queued can still be fetched. While [`wants_input`](Self::wants_input)
    /// is false and the read buffer is not empty, this takes effect with the `handle_input` that consumes the rest.
    pub fn handle_eof(&mut self, now: Timestamp) {
        self.observe(now);
        self.frame();
        if self.is_behind {
            self.is_eof_due = true;
            return;
        }
        match &mut self.framing {
            Framing::Link(link) => link.handle_eof(now),
            Framing::Whole(whole) => whole.end(CloseReason::Eof),
        }
        self.advance(now);
    }

    /// The stream broke: nothing can be read or written any more. Queued output is dropped.
    pub fn handle_lost(&mut self, now: Timestamp) {
        self.observe(now);
        self.staged = VecDeque::new();
        self.staged_bytes = 0;
        self.framing.handle_lost(now);
        self.advance(now);
    }

    /// Runs the timers due at `now`; at any other time it does nothing.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.observe(now);
        self.frame();
        self.framing.handle_timeout(now);
        if let Some(gate) = &mut self.gate {
            gate.handle_timeout(now);
        }
        self.advance(now);
    }

    /// Frames what an exchange took, and decodes what it made room for. Every `handle_*` and `poll_transmit` do the
    /// same by themselves: call it after an exchange that none of these follows at once.
    pub fn advance(&mut self, now: Timestamp) {
        self.observe(now);
        self.pass_gate();
        self.frame();
        while self.fill() {
            self.frame();
        }
    }

    /// Returns the next bytes to write, in order. When there are none, ask [`wants_exchange`](Self::wants_exchange).
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.frame();
        let Framing::Link(link) = &mut self.framing else { return None };
        let bytes = link.poll_transmit();
        if bytes.is_none() {
            // The end may have waited for the last output to be fetched.
            self.fill();
        }
        bytes
    }

    /// Returns the next message to carry to the peer, on a port of [whole messages](Self::messages). Ask only as far as
    /// the peer takes them: what waits in the router can still be dropped for a slow peer.
    pub fn poll_message(&mut self) -> Option<Encoded> {
        self.frame();
        let Framing::Whole(whole) = &mut self.framing else { return None };
        let message = whole.poll_message();
        if message.is_none() {
            self.fill();
        }
        message
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout): strictly later than the last `now` given. The
    /// router's own deadlines are not among them.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let of_gate = self.gate.as_ref().and_then(Gate::poll_timeout);
        let at = self.framing.poll_timeout().into_iter().chain(of_gate).min()?;
        Some(at.max(self.now.next()))
    }

    /// Returns whether to read on. False while decoded messages wait to be exchanged, while the router wants no more of
    /// this peer, and after the end. When it turns true again, call `handle_input` even without new bytes.
    pub fn wants_input(&self) -> bool {
        // What a transport answers by itself (a ping, a Close frame, a fault) must not overtake the router's answers to
        // the messages ahead of it.
        let is_level = match &self.framing {
            Framing::Link(_) => self.pending.is_empty(),
            Framing::Whole(_) => true,
        };
        is_level && !self.is_full() && self.framing.wants_input()
    }

    /// Returns how many bytes to reserve in the read buffer before the next read.
    pub fn input_hint(&self) -> usize {
        match &self.framing {
            Framing::Link(link) => link.input_hint(),
            Framing::Whole(_) => 0,
        }
    }

    /// Returns the bytes of output that were not fetched yet; what waits in the router is not counted.
    pub fn queued(&self) -> usize {
        self.framing.queued().saturating_add(self.staged_bytes)
    }

    /// Returns whether the end was reported to the router: nothing more comes or goes. Flush what was fetched, then
    /// close.
    pub const fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Returns whether to drop the transport at once, without a flush: the peer takes nothing.
    pub const fn must_drop(&self) -> bool {
        self.must_drop
    }

    /// Returns why the router closes the connection, once it does.
    pub fn closing(&self) -> Option<&CloseReason> {
        self.closing.as_deref()
    }

    /// Returns the peer's name in the router, from the transport's handshake to its end.
    pub fn peer(&self) -> Option<PeerId> {
        self.gate.as_ref().map(Gate::id)
    }

    /// Returns whether the peer had a session after the last exchange.
    pub const fn is_joined(&self) -> bool {
        self.is_joined
    }

    fn observe(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    fn room(&self) -> usize {
        self.framing.room().saturating_sub(self.staged_bytes)
    }

    fn is_full(&self) -> bool {
        ((self.is_held || self.is_paused) && self.framing.is_open())
            || self.pending.len() >= BATCH
            || self.pending_bytes >= BATCH_BYTES
    }

    /// Decodes while there is room, and lets the gate judge it. Says whether anything came of it.
    fn fill(&mut self) -> bool {
        let mut any = false;
        while !self.is_full() && (self.pending.is_empty() || !self.framing.is_between_batches()) {
            let Some(event) = self.framing.poll_event() else { break };
            any = true;
            self.is_held = match &event {
                // WELCOME raises the limit on the message behind it, the end of a session lowers it.
                LinkEvent::Message(message) => {
                    self.pending_bytes = self.pending_bytes.saturating_add(self.framing.last_message_size());
                    !self.is_joined || matches!(message, Message::Goodbye(_) | Message::Abort(_))
                }
                // ABORT has to leave before what comes behind can end the transport.
                LinkEvent::Violation(violation) => !self.is_joined || violation.request().is_none(),
                _ => false,
            };
            self.pending.push_back(event);
        }
        if any {
            self.pass_gate();
        }
        any
    }

    /// Frames what was taken from the router.
    fn frame(&mut self) {
        while let Some(outgoing) = self.staged.pop_front() {
            match outgoing {
                Outgoing::Message(message) => self.framing.send(self.now, message),
                Outgoing::Close(reason) => {
                    self.closing = Some(Box::new(reason));
                    self.framing.close(self.now);
                }
                Outgoing::Left => {}
            }
        }
        self.staged_bytes = 0;
        release(&mut self.staged);
    }
}

/// Gives the memory of a queue back that ran empty, but for what a steady trickle needs.
fn release<T>(queue: &mut VecDeque<T>) {
    if queue.is_empty() && queue.capacity() > 4 {
        *queue = VecDeque::new();
    }
}

/// A summary: buffers may carry credentials.
impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port")
            .field("peer", &self.peer())
            .field("is_joined", &self.is_joined)
            .field("has_ended", &self.has_ended)
            .finish_non_exhaustive()
    }
}

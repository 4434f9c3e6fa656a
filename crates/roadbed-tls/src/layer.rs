//! The layer between a socket and a protocol.

use std::collections::VecDeque;
use std::fmt;

use bytes::{Buf, Bytes, BytesMut};
use roadbed_core::time::{Timestamp, UnixMicros};
use rustls::ProtocolVersion;
use rustls::pki_types::CertificateDer;

use crate::client::{Protocol, TlsClientConfig};
use crate::clock::Clock;
use crate::error::{TlsConfigError, TlsError};
use crate::record::Record;
use crate::server::TlsServerConfig;
use crate::side::Side;
use crate::{ALERT_RECORD, HANDSHAKE_RECORD};

/// Bytes of a peer that are looked at before the handshake is done. Chains of certificates take a few
/// KiB.
pub const HANDSHAKE_LIMIT: usize = 24 << 10;

/// Plaintext that one call gives, and a record more at most.
const PLAINTEXT_LIMIT: usize = 16 << 10;
/// Ciphertext above which no more plaintext is taken.
const OUTPUT_LIMIT: usize = 64 << 10;
/// Plaintext that is encrypted at once: a record's worth.
const RECORD: usize = 16 << 10;
/// What rustls reads at once.
const PIECE: usize = 4 << 10;
/// What is worth reading at once while a lot is coming: a record, and what is around it.
const BULK: usize = RECORD + 512;

/// What happened to a connection.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TlsEvent {
    /// The handshake is done: bytes can be sent, and the peer is known as far as it is ever known. Comes before
    /// the first plaintext counts.
    Open,
    /// The peer sent `close_notify`: all that it sent is there, and nothing follows. We may still send. Counts
    /// after the plaintext.
    PeerClosed,
    /// The connection failed; nothing more comes of it. Write what [`TlsLayer::poll_transmit`] still has, and
    /// close. Counts after the plaintext.
    Failed(TlsError),
}

/// One end of a TLS connection; see the [crate](crate) for an example.
///
/// It is driven as the state machines of `roadbed_core` are: the caller owns the read buffer, `handle_*`
/// return nothing, consequences are [events](Self::poll_event), output is [polled](Self::poll_transmit). It has
/// no deadlines of its own: whoever waits for a session waits for this, too.
pub struct TlsLayer {
    side: Side,
    clock: Clock,
    events: VecDeque<TlsEvent>,
    output: BytesMut,
    stage: Stage,
    /// Bytes received before the handshake was done.
    received: usize,
    /// Where in a record the handshake stands.
    record: Record,
    /// The peer sends in bulk.
    is_bulk: bool,
    /// `close_notify` was sent, or is not worth sending. Nothing is read any more: to a fault behind that,
    /// rustls would answer with a second last word, which a debug build of it takes for a bug.
    is_closed: bool,
    has_ems: bool,
    binding: Option<Bytes>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Handshaking,
    Open,
    PeerClosed,
    Failed,
}

impl TlsLayer {
    /// The client's end of a connection to `host`, a name or an IP address. ClientHello can be fetched at once.
    ///
    /// # Errors
    /// [`TlsConfigError::ServerName`]; [`TlsConfigError::Rustls`] when the operating system has no randomness.
    pub fn client(
        config: &TlsClientConfig,
        host: &str,
        protocol: Protocol,
        now: Timestamp,
        utc: UnixMicros,
    ) -> Result<Self, TlsConfigError> {
        let clock = Clock::new(now, utc);
        let (connection, has_ems) = config.connect(host, protocol, &clock)?;
        let mut layer = Self::new(Side::Client(Box::new(connection)), clock);
        layer.has_ems = has_ems;
        layer.flush();
        Ok(layer)
    }

    /// The server's end of a connection.
    pub fn server(config: &TlsServerConfig, now: Timestamp, utc: UnixMicros) -> Self {
        let side = Side::Accepting(Box::default(), config.clone());
        Self::new(side, Clock::new(now, utc))
    }

    fn new(side: Side, clock: Clock) -> Self {
        Self {
            side,
            clock,
            events: VecDeque::new(),
            output: BytesMut::new(),
            stage: Stage::Handshaking,
            received: 0,
            record: Record::default(),
            is_bulk: false,
            is_closed: false,
            has_ems: false,
            binding: None,
        }
    }

    /// Corrects the wall clock.
    pub fn set_utc(&mut self, now: Timestamp, utc: UnixMicros) {
        self.clock.set_utc(now, utc);
    }

    /// Takes bytes off the front of `ciphertext`, and appends what they say to `plaintext`. One call appends 16 KiB,
    /// and a record more at most: call it again, when there is room for more, until `ciphertext` is empty. After
    /// the end, `ciphertext` is emptied and ignored.
    pub fn handle_input(&mut self, now: Timestamp, ciphertext: &mut BytesMut, plaintext: &mut BytesMut) {
        self.clock.observe(now);
        if !ciphertext.is_empty() {
            self.is_bulk = ciphertext.len() >= PIECE;
        }
        let limit = plaintext.len().saturating_add(PLAINTEXT_LIMIT);
        while !ciphertext.is_empty() && plaintext.len() < limit {
            if self.is_closed || matches!(self.stage, Stage::PeerClosed | Stage::Failed) {
                ciphertext.clear();
                break;
            }
            if let Err(error) = self.step(ciphertext, plaintext) {
                self.fail(error);
            }
        }
        self.flush();
        if self.stage == Stage::Open && !self.is_closed {
            self.side.release();
        }
    }

    /// The peer ended its stream. Without `close_notify` before, that is a failure. Call it when what was read has
    /// been handled.
    pub fn handle_eof(&mut self, now: Timestamp) {
        self.clock.observe(now);
        match self.stage {
            _ if self.is_closed => {}
            Stage::Handshaking => self.fail(TlsError::HandshakeTruncated),
            Stage::Open => self.fail(TlsError::Truncated),
            Stage::PeerClosed | Stage::Failed => {}
        }
    }

    /// Encrypts bytes off the front of `plaintext`, as many as there is [room](Self::is_writable) for, and takes
    /// them away. After [`close`](Self::close), or a failure, it takes none.
    pub fn send(&mut self, plaintext: &mut Bytes) {
        while self.is_writable() && !plaintext.is_empty() {
            let record = plaintext.get(..RECORD).unwrap_or(plaintext);
            let count = self.side.encrypt(record);
            self.flush();
            plaintext.advance(count);
            if count == 0 {
                return;
            }
        }
        if plaintext.is_empty() {
            // Empty as it is, it would keep alive what it was a part of.
            *plaintext = Bytes::new();
        }
    }

    /// Ends the connection: says so (`close_notify`), and takes nothing more in either direction. No event follows;
    /// write what [`poll_transmit`](Self::poll_transmit) still has, and close.
    pub fn close(&mut self) {
        if !self.is_closed {
            self.is_closed = true;
            self.side.send_close_notify();
            self.flush();
        }
    }

    /// The next bytes to write, in order.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        // Given away whole: an idle connection keeps no buffer for output.
        if self.output.is_empty() { None } else { Some(std::mem::take(&mut self.output).freeze()) }
    }

    /// What happened, in order.
    pub fn poll_event(&mut self) -> Option<TlsEvent> {
        self.events.pop_front()
    }

    /// Bytes to write.
    pub fn queued(&self) -> usize {
        self.output.len()
    }

    /// How many bytes are worth reading at once: 4 KiB, or a record while the peer sends a lot.
    pub const fn input_hint(&self) -> usize {
        if self.is_bulk { BULK } else { PIECE }
    }

    /// Whether [`send`](Self::send) takes anything: the handshake is done, nothing is closed, and less than
    /// 64 KiB wait to be written.
    pub fn is_writable(&self) -> bool {
        !self.is_closed
            && matches!(self.stage, Stage::Open | Stage::PeerClosed)
            && self.output.len() < OUTPUT_LIMIT
    }

    /// Whether the handshake is still going on.
    pub const fn is_handshaking(&self) -> bool {
        matches!(self.stage, Stage::Handshaking)
    }

    /// The `tls-exporter` channel binding of RFC 9266, 32 bytes: both ends of this connection have the same, and
    /// nobody else has. None before the handshake is done; none in TLS 1.2 if the configuration, one of
    /// rustls's, does not insist on the extended master secret (RFC 7627), without which a man in the middle could
    /// bring two connections to the same value.
    pub fn channel_binding(&self) -> Option<&Bytes> {
        self.binding.as_ref()
    }

    /// The certificates that the peer has shown, its own first; none before the handshake is done.
    pub fn peer_certificates(&self) -> &[CertificateDer<'static>] {
        self.side.common().and_then(|common| common.peer_certificates()).unwrap_or_default()
    }

    /// What both sides have agreed by ALPN to speak.
    pub fn alpn(&self) -> Option<&[u8]> {
        self.side.common().and_then(|common| common.alpn_protocol())
    }

    /// On a server: the host that the client asked for (SNI).
    pub fn server_name(&self) -> Option<&str> {
        self.side.server_name()
    }

    /// The version of TLS, once that is agreed.
    pub fn version(&self) -> Option<ProtocolVersion> {
        self.side.common().and_then(rustls::CommonState::protocol_version)
    }

    /// Takes one piece of `ciphertext`; never nothing without a failure.
    fn step(&mut self, ciphertext: &mut BytesMut, plaintext: &mut BytesMut) -> Result<(), TlsError> {
        let mut limit = PIECE;
        if self.stage == Stage::Handshaking {
            let is_first = self.received == 0;
            if is_first && !matches!(ciphertext.first(), Some(&HANDSHAKE_RECORD | &ALERT_RECORD)) {
                self.is_closed = true;
                self.output.clear();
                return Err(TlsError::NotTls);
            }
            // One record at a time, however many came together: what is behind the last one of the handshake is
            // not part of it.
            limit = limit.min(self.record.rest()).min(HANDSHAKE_LIMIT.saturating_sub(self.received));
        }
        let first: [u8; 5] = std::array::from_fn(|index| ciphertext.get(index).copied().unwrap_or_default());
        let count = self.side.read(ciphertext, limit);
        self.record.advance(first, count);
        if count == 0 && limit == 0 {
            return Err(TlsError::HandshakeTooLarge { limit: HANDSHAKE_LIMIT });
        }
        if count == 0 {
            return Err(TlsError::Protocol(rustls::Error::General("nothing more is read".into())));
        }
        self.received = self.received.saturating_add(count);
        let progress = self.side.process(&self.clock, &mut self.has_ems, &mut self.output);
        if self.stage == Stage::Handshaking {
            if progress.is_ok() && self.side.common().is_some_and(|common| !common.is_handshaking()) {
                self.opened();
            } else {
                return progress.map(drop).map_err(TlsError::from);
            }
        }
        // What came before the fault is genuine.
        self.side.take_plaintext(plaintext);
        if progress?.peer_has_closed {
            self.stage = Stage::PeerClosed;
            self.events.push_back(TlsEvent::PeerClosed);
        }
        // Answers to what was received must not pile up behind each other unseen.
        self.flush();
        Ok(())
    }

    fn opened(&mut self) {
        self.stage = Stage::Open;
        let has_binding = self.has_ems || self.version() == Some(ProtocolVersion::TLSv1_3);
        if has_binding {
            self.binding = self.side.channel_binding().map(|bytes| Bytes::copy_from_slice(&bytes));
        }
        self.events.push_back(TlsEvent::Open);
    }

    fn fail(&mut self, error: TlsError) {
        self.stage = Stage::Failed;
        self.events.push_back(TlsEvent::Failed(error));
    }

    /// Takes over what rustls has to say. Nothing is left in it, so nothing piles up there.
    fn flush(&mut self) {
        self.side.take_output(&mut self.output);
    }
}

impl fmt::Debug for TlsLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsLayer")
            .field("stage", &self.stage)
            .field("version", &self.version())
            .field("queued", &self.queued())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
impl TlsLayer {
    /// What an idle layer holds for output.
    pub(crate) fn output_capacity(&self) -> usize {
        self.output.capacity()
    }
}

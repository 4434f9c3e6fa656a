//! A client's loop with TLS: a [`Connection`] over a [`TlsLayer`] over a blocking socket.

use std::io;
use std::net::Shutdown;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use roadbed_core::connection::{Connection, Endpoint};
use roadbed_core::session::{ClientConfig, SessionEvent};
use roadbed_core::time::Timestamp;
use roadbed_core::transport::TransportDetails;
use roadbed_tls::{Protocol, TlsClientConfig, TlsEvent, TlsLayer};

use crate::client_loop::{is_timeout, patience};
use crate::clock::{Clock, seed, utc};
use crate::stream::Socket;

/// A connection, its TLS, and its socket.
pub struct SecureLoop {
    /// The connection, for commands; they go out with the next [`next_event`](Self::next_event).
    pub connection: Connection,
    layer: TlsLayer,
    socket: Socket,
    details: TransportDetails,
    ciphertext: BytesMut,
    plaintext: BytesMut,
    /// Given by the connection, and not encrypted yet.
    pending: Bytes,
    clock: Clock,
}

impl SecureLoop {
    /// Speaks TLS with `host`, and inside it what `endpoint` says, over a connected socket.
    ///
    /// # Errors
    /// A host that cannot stand in a certificate.
    pub fn new(
        socket: Socket,
        host: &str,
        tls: &TlsClientConfig,
        config: Arc<ClientConfig>,
        endpoint: impl Into<Endpoint>,
    ) -> Result<Self, roadbed_tls::TlsConfigError> {
        let (clock, endpoint) = (Clock::start(), endpoint.into());
        let protocol = match endpoint {
            Endpoint::WebSocket(_) => Protocol::Http,
            _ => Protocol::Raw,
        };
        let layer = TlsLayer::client(tls, host, protocol, clock.now(), utc())?;
        let connection = Connection::client(config, &endpoint, seed(), clock.now(), utc());
        let (ciphertext, plaintext, pending) = (BytesMut::new(), BytesMut::new(), Bytes::new());
        let details = socket.details();
        Ok(Self { connection, layer, socket, details, ciphertext, plaintext, pending, clock })
    }

    /// The time to give to commands.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How it is connected; with a channel binding once the handshake is done.
    pub fn details(&self) -> &TransportDetails {
        &self.details
    }

    /// Moves bytes and time until something happens; `None` after the last event.
    ///
    /// # Errors
    /// What TLS says of the peer, and what the operating system says, if it is not about the peer.
    pub fn next_event(&mut self) -> io::Result<Option<SessionEvent>> {
        loop {
            let now = self.clock.now();
            self.connection.handle_timeout(now);
            self.receive(now)?;
            self.transmit(now);
            if let Some(event) = self.connection.poll_event() {
                if matches!(event, SessionEvent::Closed { .. }) {
                    self.layer.close();
                    self.transmit(now);
                    self.socket.end(Shutdown::Both);
                }
                return Ok(Some(event));
            }
            let Some(wait) = patience(&self.connection, self.clock) else { return Ok(None) };
            self.socket.wait_at_most(wait)?;
            match self.socket.read_some(&mut self.ciphertext, self.layer.input_hint()) {
                Ok(0) => self.layer.handle_eof(self.clock.now()),
                Ok(_) => {}
                Err(error) if is_timeout(&error) => {}
                Err(_) => self.connection.handle_lost(self.clock.now()),
            }
        }
    }

    /// From the socket's side to the connection's.
    fn receive(&mut self, now: Timestamp) -> io::Result<()> {
        loop {
            self.layer.handle_input(now, &mut self.ciphertext, &mut self.plaintext);
            let mut has_ended = false;
            while let Some(event) = self.layer.poll_event() {
                match event {
                    TlsEvent::Open => {
                        self.details.is_secure = true;
                        self.details.channel_binding = self.layer.channel_binding().cloned();
                        self.connection.transport_ready(now, self.details.clone());
                    }
                    TlsEvent::Failed(error) if !error.is_retryable() => return Err(io::Error::other(error)),
                    // The end of the stream, announced or not: what came before it counts.
                    _ => has_ended = true,
                }
            }
            self.connection.handle_input(now, &mut self.plaintext);
            if has_ended {
                self.connection.handle_eof(now);
            }
            // One turn gives a record or two of plaintext, however much was read.
            if self.ciphertext.is_empty() || !self.connection.wants_input() {
                return Ok(());
            }
        }
    }

    /// From the connection's side to the socket's.
    fn transmit(&mut self, now: Timestamp) {
        loop {
            if self.pending.is_empty() {
                self.pending = self.connection.poll_transmit().unwrap_or_default();
            }
            self.layer.send(&mut self.pending);
            let Some(bytes) = self.layer.poll_transmit() else { return };
            if self.socket.write_all(&bytes).is_err() {
                self.connection.handle_lost(now);
            }
        }
    }
}

//! A client's loop: a [`Connection`] over a blocking socket.

use std::io;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use roadbed_core::connection::{Connection, Endpoint};
use roadbed_core::session::{ClientConfig, SessionEvent};
use roadbed_core::time::Timestamp;

use crate::clock::{Clock, seed, utc};
use crate::stream::Socket;

/// A connection and its socket.
pub struct ClientLoop {
    /// The connection, for commands; they go out with the next [`next_event`](Self::next_event).
    pub connection: Connection,
    socket: Socket,
    input: BytesMut,
    clock: Clock,
}

impl ClientLoop {
    /// Speaks what `endpoint` says over a connected socket: RawSocket, when that is a serializer, or WebSocket. HELLO
    /// goes out by itself.
    pub fn new(socket: Socket, config: Arc<ClientConfig>, endpoint: impl Into<Endpoint>) -> Self {
        let clock = Clock::start();
        let endpoint = endpoint.into();
        let mut connection = Connection::client(config, &endpoint, seed(), clock.now(), utc());
        connection.transport_ready(clock.now(), socket.details());
        Self { connection, socket, input: BytesMut::new(), clock }
    }

    /// The time to give to commands.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Moves bytes and time until something happens; `None` after the last event.
    ///
    /// # Errors
    /// What the operating system says, if it is not about the peer: that becomes an event.
    pub fn next_event(&mut self) -> io::Result<Option<SessionEvent>> {
        loop {
            // What is due, and what is left in the buffer; when there is nothing, neither does anything.
            let now = self.clock.now();
            self.connection.handle_timeout(now);
            self.connection.handle_input(now, &mut self.input);

            // What the core has for the outside: bytes first, so that nobody waits for them.
            while let Some(bytes) = self.connection.poll_transmit() {
                if self.socket.write_all(&bytes).is_err() {
                    self.connection.handle_lost(now);
                }
            }
            if let Some(event) = self.connection.poll_event() {
                if matches!(event, SessionEvent::Closed { .. }) {
                    self.socket.end(Shutdown::Both);
                }
                return Ok(Some(event));
            }

            // What the outside has for the core: bytes, the end, or only the passing of time.
            let Some(wait) = patience(&self.connection, self.clock) else { return Ok(None) };
            self.socket.wait_at_most(wait)?;
            match self.socket.read_some(&mut self.input, self.connection.input_hint()) {
                Ok(0) => self.connection.handle_eof(self.clock.now()),
                Ok(_) => {}
                Err(error) if is_timeout(&error) => {}
                Err(_) => self.connection.handle_lost(self.clock.now()),
            }
        }
    }
}

/// How long to wait for bytes at most; `None` when the connection has ended.
pub(crate) fn patience(connection: &Connection, clock: Clock) -> Option<Option<Duration>> {
    match connection.poll_timeout() {
        Some(at) => {
            let wait = at.saturating_since(clock.now());
            // A socket takes a wait of zero for "as long as it takes".
            Some(Some(wait.max(Duration::from_millis(1))))
        }
        None if connection.wants_input() => Some(None),
        None => None,
    }
}

/// Whether a read ended because of its time limit.
pub(crate) fn is_timeout(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}

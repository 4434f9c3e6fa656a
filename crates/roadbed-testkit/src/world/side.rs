//! The two ends of a client's line.

use bytes::{Bytes, BytesMut};
use roadbed_core::time::Timestamp;
use roadbed_router::Port;

use crate::end::{Client, End};
use crate::script::Script;

/// The client's end.
#[derive(Debug)]
pub(super) enum Side {
    Client(Box<Client>),
    Script(Box<Script>),
}

impl Side {
    pub(super) fn end(&self) -> &dyn End {
        match self {
            Self::Client(client) => &**client,
            Self::Script(script) => &**script,
        }
    }

    pub(super) fn end_mut(&mut self) -> &mut dyn End {
        match self {
            Self::Client(client) => &mut **client,
            Self::Script(script) => &mut **script,
        }
    }
}

/// The router's end of a line: its port, on the wire.
#[derive(Debug)]
pub(super) struct RouterEnd {
    pub(super) port: Port,
    /// The router named its peer.
    pub(super) is_ready: bool,
}

impl RouterEnd {
    pub(super) const fn new(port: Port) -> Self {
        Self { port, is_ready: false }
    }
}

impl End for RouterEnd {
    fn handle_input(&mut self, now: Timestamp, input: &mut BytesMut) {
        self.port.handle_input(now, input);
    }

    fn handle_eof(&mut self, now: Timestamp) {
        self.port.handle_eof(now);
    }

    fn handle_lost(&mut self, now: Timestamp) {
        self.port.handle_lost(now);
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        self.port.handle_timeout(now);
    }

    fn poll_transmit(&mut self) -> Option<Bytes> {
        self.port.poll_transmit()
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.port.poll_timeout()
    }

    fn wants_input(&self) -> bool {
        self.port.wants_input()
    }

    /// What came is for the router, which the world hands it to.
    fn take_events(&mut self) -> bool {
        false
    }

    fn is_finished(&self) -> bool {
        self.port.has_ended()
    }
}

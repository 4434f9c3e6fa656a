//! A router and its clients in memory: what a driver would do, with buffers for sockets and no clock.

use std::collections::BTreeMap;

use bytes::BytesMut;
use roadbed_core::connection::{Connection, Endpoint};
use roadbed_core::link::LinkConfig;
use roadbed_core::serializer::Serializer;
use roadbed_core::session::{ClientConfig, SessionEvent};
use roadbed_core::time::{Timestamp, UnixMicros};
use roadbed_core::transport::TransportDetails;
use roadbed_core::uri::Uri;
use roadbed_router::{Authentication, PeerId, Port, Router, RouterConfig};

/// Everything between two applications, RawSocket frames included.
pub(crate) struct Network {
    router: Router,
    clients: Vec<Client>,
    by_peer: BTreeMap<PeerId, usize>,
    now: Timestamp,
}

struct Client {
    connection: Connection,
    port: Port,
    /// Bytes that the router has read, and bytes that the client has read.
    up: BytesMut,
    down: BytesMut,
    /// What arrives is dropped: only the router's share of the work is of interest.
    is_deaf: bool,
}

impl Network {
    /// A router without clients.
    pub(crate) fn new() -> Self {
        let config = RouterConfig::new().realm(realm(), Authentication::new().anonymous("guest"));
        let now = Timestamp::ZERO;
        let router = Router::new(config.into_shared(), [7; 32], now, UnixMicros::default());
        Self { router, clients: Vec::new(), by_peer: BTreeMap::new(), now }
    }

    /// A client that has joined.
    pub(crate) fn join(&mut self, serializer: Serializer) -> usize {
        let config = ClientConfig::new(realm()).build().unwrap();
        let endpoint = Endpoint::rawsocket(serializer);
        let mut connection = Connection::client(config, &endpoint, [8; 32], self.now, UnixMicros::default());
        connection.transport_ready(self.now, TransportDetails::local());
        self.clients.push(Client {
            connection,
            port: Port::new(&LinkConfig::default(), TransportDetails::local(), self.now),
            up: BytesMut::new(),
            down: BytesMut::new(),
            is_deaf: false,
        });
        let client = self.clients.len() - 1;
        for _ in 0..4 {
            self.send(client);
        }
        assert!(matches!(self.event(client), SessionEvent::Joined { .. }));
        client
    }

    /// From now on what arrives at this client is dropped.
    pub(crate) fn deafen(&mut self, client: usize) {
        self.clients[client].is_deaf = true;
    }

    /// Gives a command to a client, and carries what comes of it as far as it goes.
    pub(crate) fn with<T>(
        &mut self,
        client: usize,
        command: impl FnOnce(&mut Connection, Timestamp) -> T,
    ) -> T {
        self.now = self.now.next();
        let result = command(&mut self.clients[client].connection, self.now);
        self.send(client);
        result
    }

    /// The next event of a client, which is there.
    pub(crate) fn event(&mut self, client: usize) -> SessionEvent {
        self.clients[client].connection.poll_event().expect("the event has arrived")
    }

    /// From a client to the router, and from there to everybody.
    fn send(&mut self, client: usize) {
        let now = self.now;
        let Client { connection, port, up, .. } = &mut self.clients[client];
        while let Some(bytes) = connection.poll_transmit() {
            up.extend_from_slice(&bytes);
        }
        let before = port.peer();
        port.handle_input(now, up);
        while port.wants_exchange() {
            port.exchange(&mut self.router, now);
            port.handle_input(now, up);
        }
        if before.is_none()
            && let Some(peer) = port.peer()
        {
            self.by_peer.insert(peer, client);
        }
        self.clients[client].receive(now);
        while let Some(peer) = self.router.poll_ready() {
            let client = &mut self.clients[self.by_peer[&peer]];
            client.port.exchange(&mut self.router, now);
            client.receive(now);
        }
    }
}

impl Client {
    /// From its port to the client.
    fn receive(&mut self, now: Timestamp) {
        while let Some(bytes) = self.port.poll_transmit() {
            if !self.is_deaf {
                self.down.extend_from_slice(&bytes);
            }
        }
        if !self.down.is_empty() {
            self.connection.handle_input(now, &mut self.down);
        }
    }
}

fn realm() -> Uri {
    Uri::from_static("realm1")
}

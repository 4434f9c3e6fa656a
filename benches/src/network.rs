//! A router and its clients in memory: what a driver would do, with buffers for sockets and no clock.

use std::collections::BTreeMap;

use bytes::BytesMut;
use roadbed_core::connection::{Connection, Endpoint};
use roadbed_core::link::{Link, LinkConfig, LinkEvent};
use roadbed_core::serializer::Serializer;
use roadbed_core::session::{ClientConfig, SessionEvent};
use roadbed_core::time::{Timestamp, UnixMicros};
use roadbed_core::transport::TransportDetails;
use roadbed_core::uri::Uri;
use roadbed_router::{Authentication, Outgoing, PeerId, Router, RouterConfig};

/// Everything between two applications, RawSocket frames included.
pub(crate) struct Network {
    router: Router,
    clients: Vec<Client>,
    by_peer: BTreeMap<PeerId, usize>,
    now: Timestamp,
}

struct Client {
    connection: Connection,
    link: Link,
    /// Bytes that the router has read, and bytes that the client has read.
    up: BytesMut,
    down: BytesMut,
    peer: Option<PeerId>,
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
            link: Link::server(&LinkConfig::default(), self.now),
            up: BytesMut::new(),
            down: BytesMut::new(),
            peer: None,
            is_deaf: false,
        });
        let client = self.clients.len() - 1;
        for _ in 0..4 {
            self.send(client);
        }
        assert!(matches!(self.event(client), SessionEvent::Joined { .. }));
        self.clients[client].link.set_receive_limit(roadbed_core::limits::Limits::default().message_size);
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
        let Client { connection, link, up, peer, .. } = &mut self.clients[client];
        while let Some(bytes) = connection.poll_transmit() {
            up.extend_from_slice(&bytes);
        }
        link.handle_input(now, up);
        while let Some(event) = link.poll_event() {
            match (event, *peer) {
                (LinkEvent::Open { serializer, max_send, .. }, _) => {
                    let id = self.router.attach(now, serializer, max_send, TransportDetails::local());
                    *peer = Some(id);
                    self.by_peer.insert(id, client);
                }
                (LinkEvent::Message(message), Some(peer)) => self.router.handle_message(now, peer, message),
                (event, _) => panic!("unexpected: {event:?}"),
            }
        }
        // Of an idle router only the handshake's answer has to be fetched from the link itself.
        self.clients[client].receive(now);
        while let Some(peer) = self.router.poll_ready() {
            let client = &mut self.clients[self.by_peer[&peer]];
            while let Some(outgoing) = self.router.poll_outgoing(peer) {
                let Outgoing::Message(message) = outgoing else { panic!("unexpected: {outgoing:?}") };
                client.link.send(now, &message).unwrap();
            }
            client.receive(now);
        }
    }
}

impl Client {
    /// From its link to the client.
    fn receive(&mut self, now: Timestamp) {
        while let Some(bytes) = self.link.poll_transmit() {
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

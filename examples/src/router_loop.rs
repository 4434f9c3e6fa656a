//! A router's loop: a [`Router`] served over blocking sockets, with two threads a connection.
//!
//! All protocol state sits behind one mutex, and nothing waits for a peer while it is held: the reader of
//! a connection reads, locks and hands the bytes in; its writer locks, takes bytes out and writes; one
//! more thread runs the timers.

use std::collections::BTreeMap;
use std::io;
use std::net::Shutdown;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use roadbed_core::link::{Link, LinkConfig, LinkEvent};
use roadbed_core::time::Timestamp;
use roadbed_core::transport::TransportDetails;
use roadbed_core::transport::websocket::WebSocketServerConfig;
use roadbed_router::{Outgoing, PeerId, Router, RouterConfig, RouterStats};

use crate::clock::{Clock, seed, utc};
use crate::stream::{Listener, Socket};

/// How long a closed connection waits for the peer to close its side.
const LINGER: Duration = Duration::from_secs(2);

/// How much to read at once of what nobody wants any more.
const DISCARD: usize = 4096;

/// A router and the threads that serve it. Clones share it.
#[derive(Clone)]
pub struct RouterLoop {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Something changed: output, a deadline, room for input, an end.
    changed: Condvar,
    clock: Clock,
    config: LinkConfig,
}

struct State {
    router: Router,
    connections: BTreeMap<u64, Connection>,
    /// Which connection belongs to a peer of the router.
    peers: BTreeMap<PeerId, u64>,
    last_key: u64,
}

/// What the loop keeps of a connection.
struct Connection {
    link: Link,
    input: BytesMut,
    details: TransportDetails,
    /// Its name in the router, once the transport's handshake is done.
    peer: Option<PeerId>,
    /// `Closed` was reported: output ends, input is discarded.
    has_ended: bool,
    /// The peer has ended its side, or the socket is broken.
    is_silent: bool,
}

impl RouterLoop {
    /// A router that nobody can reach yet.
    pub fn start(config: Arc<RouterConfig>) -> Self {
        let clock = Clock::start();
        let link =
            LinkConfig::default().limits(config.limits.clone()).websocket(WebSocketServerConfig::default());
        let router = Router::new(config, seed(), clock.now(), utc());
        let state =
            Mutex::new(State { router, connections: BTreeMap::new(), peers: BTreeMap::new(), last_key: 0 });
        let shared = Arc::new(Shared { state, changed: Condvar::new(), clock, config: link });
        let timers = Arc::downgrade(&shared);
        thread::spawn(move || {
            while let Some(shared) = timers.upgrade() {
                shared.run_timers();
            }
        });
        Self { shared }
    }

    /// Accepts connections in a thread of its own, for as long as the process lives.
    pub fn listen(&self, listener: Listener) {
        let shared = Arc::clone(&self.shared);
        thread::spawn(move || {
            while let Ok(socket) = listener.accept() {
                // A socket that is gone already is no reason to stop.
                let _ = shared.serve(socket);
            }
        });
    }

    /// How many peers, sessions and other things there are.
    pub fn stats(&self) -> RouterStats {
        self.shared.lock().router.stats()
    }

    /// Waits until every peer is gone, at most for `patience`, and says what is left.
    pub fn wait_until_empty(&self, patience: Duration) -> RouterStats {
        let mut state = self.shared.lock();
        let until = self.shared.clock.now() + patience;
        while !state.connections.is_empty() && self.shared.clock.now() < until {
            state = self.shared.wait(state, Some(until));
        }
        state.router.stats()
    }

    /// Says GOODBYE to everybody, and waits until all are gone, at most for `patience`.
    pub fn shutdown(&self, patience: Duration) {
        let mut state = self.shared.lock();
        let deadline = self.shared.clock.now() + patience;
        state.router.shutdown(self.shared.clock.now(), deadline);
        self.shared.settle(&mut state);
        while !state.connections.is_empty() && self.shared.clock.now() < deadline {
            state = self.shared.wait(state, Some(deadline));
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The core does not panic; if a thread of ours does, the others can go on.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change, or until `until`.
    fn wait<'s>(&self, state: MutexGuard<'s, State>, until: Option<Timestamp>) -> MutexGuard<'s, State> {
        let longest = Duration::from_secs(1);
        let span = until.map_or(longest, |at| at.saturating_since(self.clock.now()).min(longest));
        self.changed.wait_timeout(state, span).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Starts the two threads of a connection.
    fn serve(self: &Arc<Self>, mut socket: Socket) -> io::Result<()> {
        let mut output = socket.duplicate()?;
        // A peer that takes nothing for so long is as good as gone, and must not hold a thread.
        output.write_at_most(self.config.limits.goodbye_timeout)?;
        let key = {
            let mut state = self.lock();
            state.last_key += 1;
            let now = self.clock.now();
            let connection = Connection {
                link: Link::server(&self.config, now),
                input: BytesMut::new(),
                details: socket.details().opened(now),
                peer: None,
                has_ended: false,
                is_silent: false,
            };
            let key = state.last_key;
            state.connections.insert(key, connection);
            key
        };
        let (reader, writer) = (Arc::clone(self), Arc::clone(self));
        thread::spawn(move || {
            let mut buffer = BytesMut::new();
            while let Some(room) = reader.room(key) {
                buffer.clear();
                let result = socket.read_some(&mut buffer, room);
                reader.input(key, result, &buffer);
            }
        });
        thread::spawn(move || {
            while let Some(bytes) = writer.output(key) {
                if output.write_all(&bytes).is_err() {
                    writer.lost(key);
                }
            }
            // Closing at once could reset the connection and take the last message with it.
            output.end(Shutdown::Write);
            writer.linger(key);
            output.end(Shutdown::Both);
        });
        Ok(())
    }

    /// Waits until a connection may be read, and says how much at most; `None` when there is nothing to
    /// read any more.
    fn room(&self, key: u64) -> Option<usize> {
        let mut state = self.lock();
        loop {
            let connection = state.connections.get(&key).filter(|connection| !connection.is_silent)?;
            if connection.has_ended {
                return Some(DISCARD);
            }
            if connection.link.wants_input() {
                return Some(connection.link.input_hint());
            }
            state = self.wait(state, None);
        }
    }

    /// Hands in what a read gave.
    fn input(&self, key: u64, result: io::Result<usize>, bytes: &[u8]) {
        let (mut state, now) = (self.lock(), self.clock.now());
        let Some(connection) = state.connections.get_mut(&key) else { return };
        match result {
            Ok(0) => {
                connection.is_silent = true;
                connection.link.handle_eof(now);
            }
            Ok(_) => connection.input.extend_from_slice(bytes),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => {
                connection.is_silent = true;
                connection.link.handle_lost(now);
            }
        }
        state.read(key, now);
        self.settle(&mut state);
    }

    /// Waits for bytes to write; `None` when the connection has ended and nothing is left.
    fn output(&self, key: u64) -> Option<Bytes> {
        let (mut state, now) = (self.lock(), self.clock.now());
        loop {
            let connection = state.connections.get_mut(&key)?;
            if let Some(bytes) = connection.link.poll_transmit() {
                // There is room again: for what the router holds back, and perhaps for input.
                state.pull(key, now);
                state.read(key, now);
                self.settle(&mut state);
                return Some(bytes);
            }
            if connection.has_ended {
                return None;
            }
            state = self.wait(state, None);
        }
    }

    /// Nothing can be written any more.
    fn lost(&self, key: u64) {
        let (mut state, now) = (self.lock(), self.clock.now());
        if let Some(connection) = state.connections.get_mut(&key) {
            connection.link.handle_lost(now);
        }
        state.read(key, now);
        self.settle(&mut state);
    }

    /// Waits until the peer has ended its side too, but not for long, and forgets the connection.
    fn linger(&self, key: u64) {
        let mut state = self.lock();
        let until = self.clock.now() + LINGER;
        while state.connections.get(&key).is_some_and(|connection| !connection.is_silent)
            && self.clock.now() < until
        {
            state = self.wait(state, Some(until));
        }
        state.connections.remove(&key);
        self.changed.notify_all();
    }

    /// Runs what is due, then waits for the next deadline, or a second at most.
    fn run_timers(&self) {
        let (mut state, now) = (self.lock(), self.clock.now());
        state.router.handle_timeout(now);
        let keys: Vec<u64> = state.connections.keys().copied().collect();
        for key in keys {
            if let Some(connection) = state.connections.get_mut(&key) {
                connection.link.handle_timeout(now);
            }
            state.read(key, now);
        }
        self.settle(&mut state);
        let links = state.connections.values().filter_map(|connection| connection.link.poll_timeout());
        let next = links.chain(state.router.poll_timeout()).min();
        drop(self.wait(state, next));
    }

    /// Carries what the router has for its peers to their links, and wakes whoever waits for that.
    fn settle(&self, state: &mut State) {
        let now = self.clock.now();
        while let Some(peer) = state.router.poll_ready() {
            if let Some(&key) = state.peers.get(&peer) {
                state.pull(key, now);
            }
        }
        // What happened in the router is for logs; this loop keeps none.
        while state.router.poll_event().is_some() {}
        self.changed.notify_all();
    }
}

impl State {
    /// Takes what a connection's link has read to the router.
    fn read(&mut self, key: u64, now: Timestamp) {
        loop {
            let Some(connection) = self.connections.get_mut(&key) else { return };
            connection.link.handle_input(now, &mut connection.input);
            let Some(event) = connection.link.poll_event() else { return };
            match (event, connection.peer) {
                (LinkEvent::Open { serializer, max_send, request }, _) => {
                    let mut details = connection.details.clone();
                    details.request = request;
                    let peer = self.router.attach(now, serializer, max_send, details);
                    connection.peer = Some(peer);
                    self.peers.insert(peer, key);
                }
                (LinkEvent::Message(message), Some(peer)) => {
                    self.router.handle_message(now, peer, message);
                }
                (LinkEvent::Violation(violation), Some(peer)) => {
                    self.router.handle_violation(now, peer, violation);
                }
                (LinkEvent::Closed { reason }, peer) => {
                    connection.has_ended = true;
                    if let Some(peer) = peer {
                        self.peers.remove(&peer);
                        self.router.detach(now, peer, reason);
                    }
                }
                // Nothing comes before Open, and new kinds of events want a new version of this loop.
                _ => {}
            }
            // WELCOME has to be seen before the next message: it raises the limit on that.
            self.pull(key, now);
        }
    }

    /// Takes what the router has for a connection to its link, while that has room.
    fn pull(&mut self, key: u64, now: Timestamp) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        let Some(peer) = connection.peer else { return };
        let link = &mut connection.link;
        if self.router.must_drop(peer) {
            link.handle_lost(now);
        }
        while link.is_writable() {
            match self.router.poll_outgoing(peer) {
                Some(Outgoing::Message(message)) => {
                    // Messages over the peer's limit never leave the router.
                    let _ = link.send(now, &message);
                }
                Some(Outgoing::Close(_)) => link.close(now),
                None => break,
            }
        }
        link.set_receive_limit(self.router.receive_limit(peer));
        let agent = self.router.session(peer).and_then(|session| session.agent.as_ref());
        // Others may drop the connection when they are pinged over RawSocket.
        if agent.is_some_and(|agent| agent.starts_with("roadbed")) {
            link.activate_liveness(now);
        }
        if self.router.wants_input(peer) {
            link.resume(now);
        } else {
            link.pause();
        }
    }
}

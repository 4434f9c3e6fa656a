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
use roadbed_core::link::LinkConfig;
use roadbed_core::time::Timestamp;
use roadbed_core::transport::websocket::WebSocketServerConfig;
use roadbed_router::{PeerId, Port, Router, RouterConfig, RouterStats};

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
    port: Port,
    input: BytesMut,
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
                port: Port::new(&self.config, socket.details(), now),
                input: BytesMut::new(),
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
            if connection.port.has_ended() {
                return Some(DISCARD);
            }
            if connection.port.wants_input() {
                return Some(connection.port.input_hint());
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
                connection.port.handle_eof(now);
            }
            Ok(_) => connection.input.extend_from_slice(bytes),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => {
                connection.is_silent = true;
                connection.port.handle_lost(now);
            }
        }
        state.serve(key, now);
        self.settle(&mut state);
    }

    /// Waits for bytes to write; `None` when the connection has ended and nothing is left.
    fn output(&self, key: u64) -> Option<Bytes> {
        let (mut state, now) = (self.lock(), self.clock.now());
        loop {
            let port = &mut state.connections.get_mut(&key)?.port;
            let bytes = port.poll_transmit();
            if port.wants_exchange() {
                // There is room again: for what the router holds back, and perhaps for input.
                state.serve(key, now);
                self.settle(&mut state);
            }
            if bytes.is_some() {
                return bytes;
            }
            let port = &state.connections.get(&key)?.port;
            if port.has_ended() {
                return None;
            }
            if port.queued() > 0 {
                continue;
            }
            state = self.wait(state, None);
        }
    }

    /// Nothing can be written any more.
    fn lost(&self, key: u64) {
        let (mut state, now) = (self.lock(), self.clock.now());
        if let Some(connection) = state.connections.get_mut(&key) {
            connection.port.handle_lost(now);
        }
        state.serve(key, now);
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
                connection.port.handle_timeout(now);
            }
            state.serve(key, now);
        }
        self.settle(&mut state);
        let ports = state.connections.values().filter_map(|connection| connection.port.poll_timeout());
        let next = ports.chain(state.router.poll_timeout()).min();
        drop(self.wait(state, next));
    }

    /// Carries what the router has for its peers to their links, and wakes whoever waits for that.
    fn settle(&self, state: &mut State) {
        let now = self.clock.now();
        while let Some(peer) = state.router.poll_ready() {
            if let Some(&key) = state.peers.get(&peer) {
                state.serve(key, now);
            }
        }
        // What happened in the router is for logs; this loop keeps none.
        while state.router.poll_event().is_some() {}
        self.changed.notify_all();
    }
}

impl State {
    /// Serves a connection: hands in what was read, and takes what the router has for it.
    fn serve(&mut self, key: u64, now: Timestamp) {
        let Some(Connection { port, input, .. }) = self.connections.get_mut(&key) else { return };
        let before = port.peer();
        port.serve(&mut self.router, now, input);
        let after = port.peer();
        if before != after {
            before.map(|peer| self.peers.remove(&peer));
            after.map(|peer| self.peers.insert(peer, key));
        }
    }
}

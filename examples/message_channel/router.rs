//! The router's end of all lines: a [`Router`], and one inbox.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use bytes::Bytes;
use roadbed_core::limits::Limits;
use roadbed_core::transport::TransportDetails;
use roadbed_examples::clock::{Clock, seed, utc};
use roadbed_router::{PeerId, Port, Router, RouterConfig, RouterStats};

use super::channel::{SERIALIZER, ToClient, ToRouter, WINDOW};

/// A router without transports.
pub(crate) struct Exchange {
    router: Router,
    lines: BTreeMap<u64, Line>,
    /// Which line belongs to a peer of the router.
    peers: BTreeMap<PeerId, u64>,
    limits: Limits,
    clock: Clock,
}

/// What is kept of a line.
struct Line {
    port: Port,
    to_client: Sender<ToClient>,
    /// Messages that the client has not taken yet.
    ahead: usize,
    /// Messages that the router did not want yet; as many as the window at most.
    waiting: VecDeque<Bytes>,
}

impl Exchange {
    pub(crate) fn new(config: Arc<RouterConfig>) -> Self {
        let (clock, limits) = (Clock::start(), config.limits.clone());
        let router = Router::new(config, seed(), clock.now(), utc());
        Self { router, lines: BTreeMap::new(), peers: BTreeMap::new(), limits, clock }
    }

    /// Serves whoever writes to `inbox`, until nobody can any more.
    pub(crate) fn run(mut self, inbox: &Receiver<(u64, ToRouter)>) -> RouterStats {
        loop {
            let ports = self.lines.values().filter_map(|line| line.port.poll_timeout());
            let next = ports.chain(self.router.poll_timeout()).min();
            let wait = next.map(|at| at.saturating_since(self.clock.now()));
            match inbox.recv_timeout(wait.unwrap_or(Duration::MAX)) {
                Ok((line, what)) => self.take(line, what),
                Err(RecvTimeoutError::Timeout) => self.expire(),
                Err(RecvTimeoutError::Disconnected) => return self.router.stats(),
            }
            // Cost follows activity: the router names the peers that something came up for.
            while let Some(peer) = self.router.poll_ready() {
                if let Some(&line) = self.peers.get(&peer) {
                    self.serve(line);
                }
            }
            // What happened in the router is for logs; nobody keeps one here.
            while self.router.poll_event().is_some() {}
        }
    }

    fn expire(&mut self) {
        let now = self.clock.now();
        self.router.handle_timeout(now);
        let keys: Vec<u64> = self.lines.keys().copied().collect();
        for key in keys {
            self.lines.get_mut(&key).into_iter().for_each(|line| line.port.handle_timeout(now));
            self.serve(key);
        }
    }

    fn take(&mut self, key: u64, what: ToRouter) {
        let now = self.clock.now();
        if let ToRouter::Open(to_client) = what {
            let port = Port::messages(
                &self.limits,
                SERIALIZER,
                self.limits.message_size,
                TransportDetails::local(),
                now,
            );
            self.lines.insert(key, Line { port, to_client, ahead: 0, waiting: VecDeque::new() });
            return self.serve(key);
        }
        let Some(line) = self.lines.get_mut(&key) else { return };
        match what {
            ToRouter::Open(_) => {}
            ToRouter::Message(message) => line.waiting.push_back(message),
            ToRouter::Taken => line.ahead = line.ahead.saturating_sub(1),
            ToRouter::Gone => line.port.handle_eof(now),
        }
        self.serve(key);
    }

    /// Lets a line exchange with the router all that is welcome on both sides.
    fn serve(&mut self, key: u64) {
        let now = self.clock.now();
        let Some(line) = self.lines.get_mut(&key) else { return };
        let before = line.port.peer();
        loop {
            line.port.exchange(&mut self.router, now);
            line.port.advance(now);
            // Taken only while there is room: what waits stays in the router, which can drop events for a client that
            // is too slow, and counts every byte.
            while line.ahead < WINDOW
                && let Some(message) = line.port.poll_message()
            {
                line.ahead += 1;
                let _ = line.to_client.send(ToClient::Message(message));
            }
            if line.port.wants_input()
                && let Some(message) = line.waiting.pop_front()
            {
                let _ = line.to_client.send(ToClient::Taken);
                line.port.handle_message(now, &message);
            }
            if !line.port.wants_exchange() {
                break;
            }
        }
        let after = line.port.peer();
        if before != after {
            before.map(|peer| self.peers.remove(&peer));
            after.map(|peer| self.peers.insert(peer, key));
        }
        if line.port.has_ended() {
            // Dropping the channel tells the client.
            self.lines.remove(&key);
        }
    }
}

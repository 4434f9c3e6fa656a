//! The router's end of all lines: a [`Router`], and one inbox.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use roadbed_core::error::CloseReason;
use roadbed_core::message::Message;
use roadbed_core::transport::TransportDetails;
use roadbed_examples::clock::{Clock, seed, utc};
use roadbed_router::{Outgoing, PeerId, Router, RouterConfig, RouterStats};

use super::channel::{SERIALIZER, ToClient, ToRouter, WINDOW};

/// A router without transports.
pub(crate) struct Exchange {
    router: Router,
    lines: BTreeMap<u64, Line>,
    /// Which line belongs to a peer of the router.
    peers: BTreeMap<PeerId, u64>,
    /// The largest message that clients accept, in bytes.
    max_receive: usize,
    clock: Clock,
}

/// What is kept of a line.
struct Line {
    peer: PeerId,
    to_client: Sender<ToClient>,
    /// Messages that the client has not taken yet.
    ahead: usize,
    /// Messages that the router did not want yet; as many as the window at most.
    waiting: VecDeque<Message>,
}

impl Exchange {
    pub(crate) fn new(config: Arc<RouterConfig>) -> Self {
        let (clock, max_receive) = (Clock::start(), config.limits.message_size);
        let router = Router::new(config, seed(), clock.now(), utc());
        Self { router, lines: BTreeMap::new(), peers: BTreeMap::new(), max_receive, clock }
    }

    /// Serves whoever writes to `inbox`, until nobody can any more.
    pub(crate) fn run(mut self, inbox: &Receiver<(u64, ToRouter)>) -> RouterStats {
        loop {
            let wait = self.router.poll_timeout().map(|at| at.saturating_since(self.clock.now()));
            match inbox.recv_timeout(wait.unwrap_or(Duration::MAX)) {
                Ok((line, what)) => self.take(line, what),
                Err(RecvTimeoutError::Timeout) => self.router.handle_timeout(self.clock.now()),
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

    fn take(&mut self, key: u64, what: ToRouter) {
        if let ToRouter::Open(to_client) = what {
            let details = TransportDetails::local();
            let peer = self.router.attach(self.clock.now(), SERIALIZER, self.max_receive, details);
            self.lines.insert(key, Line { peer, to_client, ahead: 0, waiting: VecDeque::new() });
            self.peers.insert(peer, key);
            return;
        }
        let Some(line) = self.lines.get_mut(&key) else { return };
        match what {
            ToRouter::Open(_) => {}
            ToRouter::Message(message) => line.waiting.push_back(message),
            ToRouter::Taken => line.ahead = line.ahead.saturating_sub(1),
            ToRouter::Gone => return self.close(key, CloseReason::Eof),
        }
        self.serve(key);
    }

    /// Carries what the router has for a client as far as there is room, then what the client has for the
    /// router as far as that is welcome.
    fn serve(&mut self, key: u64) {
        let Some(line) = self.lines.get_mut(&key) else { return };
        if self.router.must_drop(line.peer) {
            return self.close(key, CloseReason::Local);
        }
        // Pulled only while there is room: what waits stays in the router, which can drop events for a
        // client that is too slow, and counts every byte.
        while line.ahead < WINDOW {
            match self.router.poll_outgoing(line.peer) {
                Some(Outgoing::Message(message)) => {
                    line.ahead += 1;
                    let _ = line.to_client.send(ToClient::Message(message));
                }
                Some(Outgoing::Close(reason)) => return self.close(key, reason),
                None => break,
            }
        }
        while self.router.wants_input(line.peer)
            && let Some(message) = line.waiting.pop_front()
        {
            let _ = line.to_client.send(ToClient::Taken);
            self.router.handle_message(self.clock.now(), line.peer, message);
        }
    }

    /// The end of a line, which dropping the channel tells the client.
    fn close(&mut self, key: u64, reason: CloseReason) {
        let Some(line) = self.lines.remove(&key) else { return };
        self.peers.remove(&line.peer);
        self.router.detach(self.clock.now(), line.peer, reason);
    }
}

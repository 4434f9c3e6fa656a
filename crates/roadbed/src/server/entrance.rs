//! What stands behind the lobby's lock: the lobby, and how connections are reached that have no session.

use std::collections::HashMap;
use std::sync::Arc;

use futures_channel::oneshot;
use roadbed_router::{Lobby, PeerId};
use slab::Slab;

use super::admission::{Admission, Place};
use super::after::After;
use super::mailbox::{Mail, Mailbox};

/// Every connection of a router, and the lobby that they enter by.
pub(super) struct Entrance {
    pub(super) lobby: Lobby,
    connections: Slab<Arc<Mailbox>>,
    /// The mailboxes of those that the lobby has named.
    peers: HashMap<PeerId, Arc<Mailbox>>,
    room: Admission,
    empty: Vec<oneshot::Sender<()>>,
}

impl Entrance {
    pub(super) fn new(lobby: Lobby, max_connections: Option<usize>) -> Self {
        Self {
            lobby,
            connections: Slab::new(),
            peers: HashMap::new(),
            room: Admission::new(max_connections),
            empty: Vec::new(),
        }
    }

    /// How many connections there are.
    pub(super) fn len(&self) -> usize {
        self.connections.len()
    }

    /// A connection was accepted, or made inside of this process.
    pub(super) fn insert(&mut self, mailbox: &Arc<Mailbox>, is_ours: bool) -> (usize, Place) {
        let place = if is_ours { Place::Free } else { self.room.enter() };
        (self.connections.insert(Arc::clone(mailbox)), place)
    }

    /// The name of a connection changed.
    pub(super) fn rename(&mut self, before: Option<PeerId>, after: Option<PeerId>, mailbox: &Arc<Mailbox>) {
        if let Some(peer) = before {
            self.peers.remove(&peer);
        }
        if let Some(peer) = after {
            self.peers.insert(peer, Arc::clone(mailbox));
        }
        if self.peers.is_empty() {
            self.peers = HashMap::new();
        }
    }

    /// A connection has ended, and is only being closed.
    pub(super) fn retire(&mut self, place: Place) -> Place {
        self.room.retire(place)
    }

    /// The driver of a connection is gone.
    pub(super) fn remove(&mut self, key: usize, place: Place, after: &mut After) {
        if self.connections.try_remove(key).is_some() {
            self.room.leave(place);
        }
        if self.connections.is_empty() {
            self.connections = Slab::new();
            after.empty.append(&mut self.empty);
        }
    }

    /// Ready when no connection is left.
    pub(super) fn wait_until_empty(&mut self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        if self.connections.is_empty() {
            // It has just been created, so it takes what it is sent.
            let _ = sender.send(());
        } else {
            self.empty.push(sender);
        }
        receiver
    }

    /// Breaks every connection.
    pub(super) fn lose_all(&mut self, after: &mut After) {
        let mail = Mail { is_lost: true, ..Mail::default() };
        after.wakers.extend(self.connections.iter().filter_map(|(_, mailbox)| mailbox.post(mail)));
    }

    /// Tells the drivers of the connections that the lobby names, but not that of `but`, which has just exchanged.
    pub(super) fn post(&mut self, but: Option<PeerId>, after: &mut After) {
        let mail = Mail { is_called: true, ..Mail::default() };
        while let Some(peer) = self.lobby.poll_ready() {
            if Some(peer) != but
                && let Some(mailbox) = self.peers.get(&peer)
            {
                after.wakers.extend(mailbox.post(mail));
            }
        }
    }
}

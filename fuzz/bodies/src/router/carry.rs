//! What drivers do: carry messages between clients, links and the router.

use bytes::{Bytes, BytesMut};
use roadbed_core::error::CloseReason;
use roadbed_core::limits::Limits;
use roadbed_core::serializer::Serializer;
use roadbed_core::transport::TransportDetails;
use roadbed_router::{Outgoing, Port};

use super::{Peer, Pipe, World};
use crate::client::Client;
use crate::source::Source;

impl World {
    pub(super) fn connect(&mut self, slot: usize, source: &mut Source<'_>) {
        if self.peers[slot].is_some() {
            return;
        }
        let serializer = source.choose(&Serializer::ALL);
        let bits = source.byte();
        let mut peer = Peer { client: Client::new(serializer), id: None, pipe: None, is_slow: false };
        if bits & 1 == 0 {
            let limit = [1 << 20, 4096, 300, 1 << 20][usize::from(bits >> 1 & 3)];
            let details = if bits & 8 == 0 {
                TransportDetails::local()
            } else {
                TransportDetails::tcp("1.2.3.4:5", false)
            };
            let now = self.tell();
            peer.id = Some(self.router.attach(now, serializer, limit, details));
            self.peers[slot] = Some(peer);
        } else {
            let port = Port::new(&self.links, TransportDetails::local(), self.now);
            let (input, output) = (BytesMut::new(), BytesMut::new());
            peer.pipe = Some(Box::new(Pipe { port, input, output, is_shaken: false }));
            self.peers[slot] = Some(peer);
            self.raw_tame(slot, &[0x7F, 0xF0 | serializer.rawsocket_id(), 0, 0]);
        }
    }

    /// A client says something; directly, or through its link. Whether the messages made are bounded.
    pub(super) fn speak(&mut self, slot: usize, source: &mut Source<'_>) -> bool {
        let Some(peer) = &mut self.peers[slot] else { return true };
        let (client, id) = (&mut peer.client, peer.id);
        if let Some(pipe) = &peer.pipe {
            if !pipe.port.wants_input() || !pipe.input.is_empty() {
                return true;
            }
            let (message, mut frame) = (client.message(source), BytesMut::from(&[0; 4][..]));
            if client.serializer().encode(&message, &mut frame).is_err() {
                client.go_wild();
                return true;
            }
            let length = u32::try_from(frame.len() - 4).unwrap_or(0).to_be_bytes();
            frame[1..4].copy_from_slice(&length[1..]);
            self.raw_tame(slot, &frame);
            return false;
        }
        let Some(id) = id.filter(|&id| self.router.wants_input(id)) else { return true };
        let message = client.message(source);
        self.told = self.now;
        self.router.handle_message(self.now, id, message);
        true
    }

    pub(super) fn raw(&mut self, slot: usize, bytes: &[u8]) {
        if let Some(peer) = &mut self.peers[slot] {
            peer.client.go_wild();
        }
        self.raw_tame(slot, bytes);
    }

    pub(super) fn raw_tame(&mut self, slot: usize, bytes: &[u8]) {
        if let Some(pipe) = self.pipe(slot) {
            pipe.input.extend_from_slice(bytes);
        }
        self.read(slot);
    }

    pub(super) fn pipe(&mut self, slot: usize) -> Option<&mut Pipe> {
        self.peers[slot].as_mut()?.pipe.as_deref_mut()
    }

    /// Lets a port exchange with the router all it has to.
    pub(super) fn read(&mut self, slot: usize) {
        let now = self.now;
        let Some(peer) = &mut self.peers[slot] else { return };
        let Some(Pipe { port, input, .. }) = peer.pipe.as_deref_mut() else { return };
        port.handle_input(now, input);
        self.exchange(slot);
    }

    /// The same, and once at least.
    fn exchange(&mut self, slot: usize) {
        let now = self.tell();
        loop {
            let Some(peer) = &mut self.peers[slot] else { return };
            let Some(Pipe { port, input, .. }) = peer.pipe.as_deref_mut() else { return };
            port.exchange(&mut self.router, now);
            port.handle_input(now, input);
            peer.id = port.peer();
            let (has_ended, is_slow) = (port.has_ended(), peer.is_slow);
            if has_ended {
                self.peers[slot] = None;
                return;
            }
            if !is_slow {
                self.fetch(slot);
            }
            if !self.pipe(slot).is_some_and(|pipe| pipe.port.wants_exchange()) {
                return;
            }
        }
    }

    /// Carries what the router has for a peer.
    pub(super) fn pull(&mut self, slot: usize) {
        let Some(peer) = &mut self.peers[slot] else { return };
        let Some(id) = peer.id else { return };
        let must_drop = self.router.must_drop(id);
        match &mut peer.pipe {
            None if must_drop => self.lose(slot),
            None if peer.is_slow => {}
            None => {
                while let Some(outgoing) = self.router.poll_outgoing(id) {
                    match outgoing {
                        Outgoing::Message(encoded) => {
                            self.delivered += 1;
                            let bytes = Bytes::from(encoded.chunks().concat());
                            receive(&mut self.digest, &mut peer.client, &bytes);
                        }
                        Outgoing::Close(_) => {
                            assert!(self.router.poll_outgoing(id).is_none(), "something follows Close");
                            return self.lose(slot);
                        }
                    }
                }
            }
            Some(_) => self.exchange(slot),
        }
    }

    /// A client reads what its link wrote.
    pub(super) fn fetch(&mut self, slot: usize) {
        let Some(peer) = &mut self.peers[slot] else { return };
        let Some(pipe) = &mut peer.pipe else { return };
        while let Some(bytes) = pipe.port.poll_transmit() {
            pipe.output.extend_from_slice(&bytes);
        }
        if !pipe.is_shaken && pipe.output.len() >= 4 {
            pipe.is_shaken = true;
            let _handshake = pipe.output.split_to(4);
        }
        while let Some(&[kind, high, mid, low]) = pipe.output.first_chunk().filter(|_| pipe.is_shaken) {
            let len = usize::from(high) << 16 | usize::from(mid) << 8 | usize::from(low);
            let frame = pipe.output.split_to(4 + len).freeze().slice(4..);
            if kind == 0 {
                self.delivered += 1;
                receive(&mut self.digest, &mut peer.client, &frame);
            }
        }
    }

    /// The transport of a peer is gone.
    pub(super) fn lose(&mut self, slot: usize) {
        let now = self.now;
        if let Some(pipe) = self.pipe(slot) {
            pipe.port.handle_lost(now);
            return self.exchange(slot);
        }
        if let Some(Peer { id: Some(id), .. }) = self.peers[slot].take() {
            self.told = now;
            self.router.detach(now, id, CloseReason::Eof);
        }
    }
}

/// Gives a client what was sent to it, and remembers every byte.
fn receive(digest: &mut u64, client: &mut Client, bytes: &Bytes) {
    for &byte in bytes {
        *digest = (*digest ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3).rotate_left(5);
    }
    let decoded = client.serializer().decode(bytes, &Limits::default().message_size(16 << 20));
    client.receive(decoded.unwrap_or_else(|violation| panic!("the router sent {bytes:?}: {violation}")));
}

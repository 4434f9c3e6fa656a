//! What drivers do: carry messages between clients, ports and the router.

use bytes::{Bytes, BytesMut};
use roadbed_core::limits::Limits;
use roadbed_core::serializer::Serializer;
use roadbed_core::transport::TransportDetails;
use roadbed_router::Port;

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
        let client = Client::new(serializer);
        if bits & 1 == 0 {
            let limit = [1 << 20, 4096, 300, 1 << 20][usize::from(bits >> 1 & 3)];
            let details = if bits & 8 == 0 {
                TransportDetails::local()
            } else {
                TransportDetails::tcp("1.2.3.4:5", false)
            };
            let port = Port::messages(&self.links.limits, serializer, limit, details, self.now);
            // Some take one message at a time, so the others wait in the router.
            let port = Box::new(if bits & 16 == 0 { port.window(1) } else { port });
            self.peers[slot] = Some(Peer { client, port, pipe: None, is_slow: false });
            self.exchange(slot);
        } else {
            let port = Box::new(Port::new(&self.links, TransportDetails::local(), self.now));
            self.peers[slot] = Some(Peer { client, port, pipe: Some(Pipe::default()), is_slow: false });
            self.raw_tame(slot, &[0x7F, 0xF0 | serializer.rawsocket_id(), 0, 0]);
        }
    }

    /// A client says something. Whether the messages made are bounded.
    pub(super) fn speak(&mut self, slot: usize, source: &mut Source<'_>) -> bool {
        let Some(Peer { client, port, pipe, .. }) = &mut self.peers[slot] else { return true };
        if !port.wants_input() || pipe.as_ref().is_some_and(|pipe| !pipe.input.is_empty()) {
            return true;
        }
        let message = client.message(source);
        let mut frame = BytesMut::from(&[0; 4][..]);
        if client.serializer().encode(&message, &mut frame).is_err() {
            client.go_wild();
            return true;
        }
        if pipe.is_none() {
            port.handle_message(self.now, &frame.freeze().slice(4..));
            self.exchange(slot);
            return true;
        }
        let length = u32::try_from(frame.len() - 4).unwrap_or(0).to_be_bytes();
        frame[1..4].copy_from_slice(&length[1..]);
        self.raw_tame(slot, &frame);
        false
    }

    /// Bytes of any kind arrive.
    pub(super) fn raw(&mut self, slot: usize, bytes: &[u8]) {
        let Some(Peer { client, port, pipe, .. }) = &mut self.peers[slot] else { return };
        client.go_wild();
        if pipe.is_none() && port.wants_input() {
            port.handle_message(self.now, &Bytes::copy_from_slice(bytes));
        }
        self.raw_tame(slot, bytes);
    }

    fn raw_tame(&mut self, slot: usize, bytes: &[u8]) {
        if let Some(Peer { pipe: Some(pipe), .. }) = &mut self.peers[slot] {
            pipe.input.extend_from_slice(bytes);
        }
        self.read(slot);
    }

    /// Lets a port exchange with the router all it has to.
    pub(super) fn read(&mut self, slot: usize) {
        let now = self.now;
        let Some(peer) = &mut self.peers[slot] else { return };
        peer.read(now);
        self.exchange(slot);
    }

    /// The same, and once at least.
    pub(super) fn exchange(&mut self, slot: usize) {
        let now = self.tell();
        loop {
            let Some(peer) = &mut self.peers[slot] else { return };
            peer.port.exchange(&mut self.router, now);
            peer.read(now);
            if peer.port.has_ended() {
                self.peers[slot] = None;
                return;
            }
            // What was fetched made room for more.
            let has_room = !peer.is_slow && self.fetch(slot);
            let wants = |peer: &Peer| peer.port.wants_exchange();
            if !has_room && !self.peers[slot].as_ref().is_some_and(wants) {
                return;
            }
        }
    }

    /// A client reads what was sent to it. Says whether there was anything.
    fn fetch(&mut self, slot: usize) -> bool {
        let Some(Peer { client, port, pipe, .. }) = &mut self.peers[slot] else { return false };
        let before = self.delivered;
        let Some(pipe) = pipe else {
            while let Some(encoded) = port.poll_message() {
                self.delivered += 1;
                receive(&mut self.digest, client, &Bytes::from(encoded.chunks().concat()));
            }
            return self.delivered > before;
        };
        while let Some(bytes) = port.poll_transmit() {
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
                receive(&mut self.digest, client, &frame);
            }
        }
        self.delivered > before
    }

    /// The transport of a peer is gone.
    pub(super) fn lose(&mut self, slot: usize) {
        let Some(peer) = &mut self.peers[slot] else { return };
        peer.port.handle_lost(self.now);
        self.exchange(slot);
        assert!(self.peers[slot].is_none(), "a port without transport goes on");
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

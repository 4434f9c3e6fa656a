//! What a port exchanges with the lobby, with the shard of its peer's realm, and with a router that is both.

use std::collections::VecDeque;

use bytes::BytesMut;
use roadbed_core::error::CloseReason;
use roadbed_core::link::LinkEvent;
use roadbed_core::time::Timestamp;

use super::{OWN_AGENT, Port, WORTHWHILE, release};
use crate::events::{ConnectionRefusal, Outgoing};
use crate::gate::Gate;
use crate::keys::SeatKey;
use crate::lobby::Lobby;
use crate::names::{Exchange, ShardId};
use crate::router::Router;
use crate::shard::Shard;

impl Port {
    /// Exchanges with a router: hands over what was decoded, 64 messages or about 256 KiB at most, and takes what
    /// waits for this peer as far as there is room. Nothing is decoded or framed meanwhile. Call it when
    /// [`wants_exchange`](Self::wants_exchange) is true and when the router [names](Router::poll_ready) the peer; then
    /// [`handle_input`](Self::handle_input) or [`advance`](Self::advance).
    pub fn exchange(&mut self, router: &mut Router, now: Timestamp) {
        let (lobby, shard) = router.parts();
        if self.gate.as_ref().and_then(Gate::seat).is_none() {
            self.exchange_with_lobby(lobby, now);
        }
        self.exchange_with_shard(shard, now);
        if self.next_exchange() == Some(Exchange::Lobby) {
            self.exchange_with_lobby(lobby, now);
        }
        router.settle();
    }

    /// Exchanges with the lobby alone. Call it when [`next_exchange`](Self::next_exchange) says so and when the lobby
    /// [names](Lobby::poll_ready) the peer.
    pub fn exchange_with_lobby(&mut self, lobby: &mut Lobby, now: Timestamp) {
        self.observe(now);
        if let Some(refusal) = self.refusal.take() {
            lobby.refused(self.details.as_deref().cloned().unwrap_or_default(), refusal);
        }
        if self.gate.is_none()
            && let Some(&LinkEvent::Open { serializer, max_send, .. }) = self.pending.front()
            && let Some(LinkEvent::Open { request, .. }) = self.pending.pop_front()
        {
            let mut details = self.details.take().map(|details| *details).unwrap_or_default();
            if request.is_some() {
                details.request = request;
            }
            self.gate = Some(Gate::new(lobby, self.now, serializer, max_send, details, self.grant.take()));
        }
        self.pass_gate();
        if let Some(gate) = &mut self.gate {
            gate.visit(lobby, self.now);
        }
        self.pass_gate();
        self.depart(lobby);
    }

    /// Exchanges with the shard in which the peer is, or is to be ([`shard`](Self::shard)). Call it when
    /// [`next_exchange`](Self::next_exchange) says so and when that shard [names](Shard::poll_ready) the peer.
    pub fn exchange_with_shard(&mut self, shard: &mut Shard, now: Timestamp) {
        self.observe(now);
        let Some(gate) = &mut self.gate else { return };
        gate.enter(shard, self.now);
        match gate.seat() {
            Some((_, seat)) => {
                self.hand_over(shard, seat);
                self.pull(shard, seat);
                self.follow(shard);
            }
            None => self.pass_gate(),
        }
    }

    /// Does all that can be done without writing: exchanges with the router, hands in what is left in `input`, and
    /// again, until there is nothing more. For drivers that have the router at hand.
    pub fn serve(&mut self, router: &mut Router, now: Timestamp, input: &mut BytesMut) {
        self.handle_input(now, input);
        loop {
            self.exchange(router, now);
            self.handle_input(now, input);
            if !self.wants_exchange() {
                return;
            }
        }
    }

    /// Returns whether an exchange has something to do by itself, whatever the router has for this peer.
    pub fn wants_exchange(&self) -> bool {
        self.next_exchange().is_some()
    }

    /// Returns with what an exchange has something to do by itself, for drivers that have the parts of a router apart.
    pub fn next_exchange(&self) -> Option<Exchange> {
        if self.refusal.is_some() {
            return Some(Exchange::Lobby);
        }
        let Some(gate) = &self.gate else {
            return (!self.pending.is_empty()).then_some(Exchange::Lobby);
        };
        if let Some(wanted) = gate.wants() {
            return Some(wanted);
        }
        let Some((shard, _)) = gate.seat() else { return self.is_over().then_some(Exchange::Lobby) };
        let is_welcome = !self.is_paused || !self.framing.is_open();
        let has_input = !self.pending.is_empty() && is_welcome;
        let is_worthwhile = self.room() >= self.framing.window().min(WORTHWHILE);
        (has_input || (self.has_more && is_worthwhile)).then_some(Exchange::Shard(shard))
    }

    /// Returns the shard in which the peer is, or is to be; `None` before it was let into a realm and between two.
    pub fn shard(&self) -> Option<ShardId> {
        self.gate.as_ref().and_then(Gate::shard)
    }

    /// Whether the transport has ended, and the router was not told yet.
    fn is_over(&self) -> bool {
        matches!(self.pending.back(), Some(LinkEvent::Closed { .. }))
    }

    /// Lets the gate judge what the peer said, and takes its answers.
    pub(super) fn pass_gate(&mut self) {
        let Some(gate) = self.gate.as_mut().filter(|gate| gate.seat().is_none()) else { return };
        while gate.hears() {
            match self.pending.pop_front() {
                Some(LinkEvent::Message(message)) => gate.handle_message(self.now, message),
                Some(LinkEvent::Violation(violation)) => gate.handle_violation(violation),
                Some(other) => {
                    self.pending.push_front(other);
                    break;
                }
                None => break,
            }
        }
        self.is_joined = false;
        let (limit, is_held, is_settled) = (gate.receive_limit(), gate.is_held(), gate.hears());
        while let Some(outgoing) = self.gate.as_mut().and_then(Gate::poll_outgoing) {
            self.stage(outgoing);
        }
        self.limit(limit);
        self.pause(is_held);
        if is_settled {
            self.heard();
        }
    }

    /// The end of a transport, whose peer has no seat any more.
    fn depart(&mut self, lobby: &mut Lobby) {
        if !self.is_over() || self.gate.as_ref().and_then(Gate::seat).is_some() {
            return;
        }
        let closed = self.pending.pop_back();
        self.pending = VecDeque::new();
        match (self.gate.take(), closed) {
            (Some(gate), _) => lobby.close(gate.id()),
            (None, Some(LinkEvent::Closed { reason: CloseReason::PeerViolation(violation) }))
                if !self.is_refused =>
            {
                let details = self.details.take().map(|details| *details).unwrap_or_default();
                lobby.refused(details, ConnectionRefusal::Handshake(violation));
            }
            _ => {}
        }
        self.has_ended = true;
        self.is_joined = false;
        self.has_more = false;
    }

    fn hand_over(&mut self, shard: &mut Shard, seat: SeatKey) {
        let is_open = self.framing.is_open();
        while let Some(event) = self.pending.front() {
            // What a peer sent that the shard does not want yet stays here.
            let is_end = matches!(event, LinkEvent::Closed { .. });
            if is_open && !is_end && !shard.wants_input(seat) {
                return;
            }
            match self.pending.pop_front() {
                Some(LinkEvent::Message(message)) => shard.handle_message(self.now, seat, message),
                Some(LinkEvent::Violation(violation)) => shard.handle_violation(self.now, seat, violation),
                Some(LinkEvent::Closed { reason }) => {
                    shard.leave(self.now, seat, reason.clone());
                    if let Some(gate) = &mut self.gate {
                        gate.end();
                    }
                    // The lobby is told next.
                    self.pending.push_back(LinkEvent::Closed { reason });
                    return;
                }
                // Nothing opens twice.
                _ => {}
            }
        }
        self.heard();
    }

    /// Takes what the shard has for the peer, while there is room: what waits there can still be dropped.
    fn pull(&mut self, shard: &mut Shard, seat: SeatKey) {
        // First, and whether there is room or not: there may never be any more.
        if shard.must_drop(seat) {
            self.must_drop = true;
            self.staged = VecDeque::new();
            self.staged_bytes = 0;
            self.framing.handle_lost(self.now);
            if let Some(Outgoing::Close(reason)) = shard.poll_outgoing(seat) {
                self.closing = Some(Box::new(reason));
            }
        }
        self.has_more = true;
        loop {
            // The end needs no room, and may be all that is left.
            let has_room = self.room() > 0;
            let outgoing = if has_room { shard.poll_outgoing(seat) } else { shard.poll_end(seat) };
            match outgoing {
                Some(Outgoing::Left) => {
                    shard.leave(self.now, seat, CloseReason::Local);
                    if let Some(gate) = &mut self.gate {
                        gate.left(self.now);
                    }
                    self.has_more = false;
                    return;
                }
                Some(outgoing) => {
                    let is_last = matches!(outgoing, Outgoing::Close(_));
                    self.stage(outgoing);
                    if is_last {
                        self.has_more = false;
                        return;
                    }
                }
                None => {
                    self.has_more = !has_room;
                    return;
                }
            }
        }
    }

    /// Follows the session: the receive limit, pings, and whether the peer is read from.
    fn follow(&mut self, shard: &Shard) {
        let Some(gate) = &self.gate else { return };
        let Some((_, seat)) = gate.seat() else { return self.pass_gate() };
        let limit = gate.receive_limit();
        let is_joined = shard.is_joined(seat);
        if is_joined && !self.is_joined && !self.is_live {
            let agent = shard.session(seat).and_then(|session| session.agent.as_deref());
            if agent.is_some_and(|agent| agent.starts_with(OWN_AGENT)) {
                self.is_live = true;
                self.framing.activate_liveness(self.now);
            }
        }
        self.is_joined = is_joined;
        self.limit(limit);
        self.pause(!shard.wants_input(seat));
    }

    fn stage(&mut self, outgoing: Outgoing) {
        if let Outgoing::Message(message) = &outgoing {
            self.staged_bytes = self.staged_bytes.saturating_add(message.len());
        }
        self.staged.push_back(outgoing);
    }

    /// All that was decoded is judged.
    fn heard(&mut self) {
        if self.pending.is_empty() {
            self.pending_bytes = 0;
            self.is_held = false;
            release(&mut self.pending);
        }
    }

    fn limit(&mut self, limit: usize) {
        if limit != self.receive_limit {
            self.receive_limit = limit;
            self.framing.set_receive_limit(limit);
        }
    }

    fn pause(&mut self, is_paused: bool) {
        if is_paused != self.is_paused {
            self.is_paused = is_paused;
            self.framing.set_paused(self.now, is_paused);
        }
    }
}

//! What a router's driver does: between its links and the router.

use roadbed_core::link::LinkEvent;
use roadbed_core::time::Timestamp;
use roadbed_router::{Outgoing, Router};

use super::side::Port;
use super::{ClientId, Slot, World};
use crate::line::{Log, Progress};

/// How the agent of a client begins that is known to answer pings.
const OWN_AGENT: &str = "roadbed";

impl World {
    /// Everybody takes one turn.
    #[track_caller]
    pub(super) fn round(&mut self) -> Progress {
        let mut progress = Progress::from_other(self.run_timers());
        for index in self.turns() {
            let Slot { side, line, port } = &mut self.slots[index];
            let mut log = Log { transcript: self.transcript.as_mut(), line: index };
            progress = progress.max(line.round(self.now, side.end_mut(), &mut port.end, &mut log));
            progress = progress.max(Progress::from_other(self.hear(index)));
            progress = progress.max(Progress::from_other(self.deliver()));
        }
        progress.max(Progress::from_other(self.deliver()))
    }

    /// The order of turns.
    fn turns(&mut self) -> Vec<usize> {
        let mut turns: Vec<usize> = (0..self.slots.len()).collect();
        if self.is_shuffled {
            for last in (1..turns.len()).rev() {
                turns.swap(last, self.rng.below(last as u64 + 1) as usize);
            }
        }
        turns
    }

    fn run_timers(&mut self) -> bool {
        let is_due = self.router.poll_timeout().is_some_and(|at| at <= self.now);
        if is_due {
            self.router.handle_timeout(self.now);
            let next = self.router.poll_timeout();
            assert!(
                next.is_none_or(|at| at > self.now),
                "router: at {:?} the next time-out is {next:?}",
                self.now
            );
        }
        is_due
    }

    /// Passes on what a link found.
    fn hear(&mut self, index: usize) -> bool {
        let now = self.now;
        let mut any = false;
        loop {
            let port = &mut self.slots[index].port;
            // What a peer sent that the router does not want to hear of yet stays in its link.
            if port.is_paused && port.end.link.is_open() {
                return any;
            }
            let Some(event) = port.end.next_event() else { return any };
            any = true;
            match (event, port.peer) {
                (LinkEvent::Open { serializer, max_send, request }, _) => {
                    let mut details = port.details.clone();
                    details.request = request;
                    let peer = self.router.attach(now, serializer, max_send, details);
                    port.peer = Some(peer);
                    self.peers.insert(peer, index);
                }
                (LinkEvent::Message(message), Some(peer)) => self.router.handle_message(now, peer, message),
                (LinkEvent::Violation(violation), Some(peer)) => {
                    self.router.handle_violation(now, peer, violation);
                }
                (LinkEvent::Closed { reason }, Some(peer)) => {
                    self.router.detach(now, peer, reason);
                    self.peers.remove(&peer);
                    port.peer = None;
                    port.is_ready = false;
                }
                _ => {}
            }
            follow(&self.router, now, &mut self.slots[index].port);
        }
    }

    /// Carries what the router has to say to the links, as far as they take it.
    fn deliver(&mut self) -> bool {
        let now = self.now;
        while let Some(peer) = self.router.poll_ready() {
            if let Some(&index) = self.peers.get(&peer) {
                self.slots[index].port.is_ready = true;
            }
        }
        let mut any = false;
        for Slot { side, line, port } in &mut self.slots {
            let Some(peer) = port.peer else { continue };
            if port.is_ready && self.router.must_drop(peer) {
                line.reset(now, side.end_mut(), &mut port.end);
            }
            // Before what follows: WELCOME lets the peer send more.
            follow(&self.router, now, port);
            while port.is_ready && (port.end.link.is_writable() || !port.end.link.is_open()) {
                match self.router.poll_outgoing(peer) {
                    None => port.is_ready = false,
                    Some(outgoing) => {
                        send(now, port, &outgoing);
                        any = true;
                    }
                }
            }
            follow(&self.router, now, port);
        }
        self.router_events.extend(std::iter::from_fn(|| self.router.poll_event()));
        any
    }

    /// Checks what has to be true at any time: the router's tables, its list of peers, and the bounds of
    /// every queue.
    ///
    /// # Errors
    /// What is not.
    pub fn check_invariants(&self) -> Result<(), String> {
        self.router.check_invariants()?;
        let attached = self.router.stats().peers;
        if attached != self.peers.len() {
            return Err(format!("{attached} peers are attached, {} links are open", self.peers.len()));
        }
        let limits = &self.links.limits;
        for (index, Slot { side, port, .. }) in self.slots.iter().enumerate() {
            let id = ClientId(index);
            let bound = (64 << 10) + (1 << 24);
            let queued = port.end.link.queued();
            if queued > bound {
                return Err(format!("the link of {id:?} holds {queued} bytes, more than {bound}"));
            }
            if port.end.is_closed() && port.peer.is_some() {
                return Err(format!("the link of {id:?} is closed, its peer still attached"));
            }
            if let super::Side::Client(client) = side {
                let session = client.connection.session();
                if client.is_closed() && session.pending_requests() + session.pending_invocations() > 0 {
                    return Err(format!("{id:?} is closed and has something pending"));
                }
            }
        }
        let stats = self.router.stats();
        let bound = limits.output_size.saturating_mul(roadbed_router::OVERRUN_FACTOR) + (1 << 24);
        if stats.queued_bytes > bound.saturating_mul(stats.peers.max(1)) {
            return Err(format!("{} bytes are queued for {} peers", stats.queued_bytes, stats.peers));
        }
        Ok(())
    }
}

/// Makes a link follow its session: the receive limit, pings, and whether it is read from.
fn follow(router: &Router, now: Timestamp, port: &mut Port) {
    let Some(peer) = port.peer else { return };
    port.end.link.set_receive_limit(router.receive_limit(peer));
    let session = router.session(peer);
    if session.is_some() != port.is_raised {
        port.is_raised = session.is_some();
        let agent = session.and_then(|session| session.agent.as_deref());
        if agent.is_some_and(|agent| agent.starts_with(OWN_AGENT)) {
            port.end.link.activate_liveness(now);
        }
    }
    let is_paused = !router.wants_input(peer);
    if is_paused != port.is_paused {
        port.is_paused = is_paused;
        if is_paused { port.end.link.pause() } else { port.end.link.resume(now) }
    }
}

fn send(now: Timestamp, port: &mut Port, outgoing: &Outgoing) {
    match outgoing {
        // It fails when the transport has ended; that is told soon.
        Outgoing::Message(encoded) => drop(port.end.link.send(now, encoded)),
        Outgoing::Close(_) => port.end.link.close(now),
    }
}

//! How a peer that was let in takes its seat: WELCOME is the first of its messages.

use std::sync::Arc;

use roadbed_core::error::uris;
use roadbed_core::message::Welcome;
use roadbed_core::serializer::Serializer;
use roadbed_core::time::Timestamp;
use roadbed_core::transport::TransportDetails;

use super::Shard;
use super::seat::{Seat, Stage};
use crate::auth::Grant;
use crate::claim::{Claim, Refusal, SHORTER};
use crate::config::RealmConfig;
use crate::events::RouterEvent;
use crate::fanout::Refused;
use crate::keys::{QueueKey, RealmKey, SeatKey};
use crate::names::PeerId;
use crate::queue::Outbox;
use crate::stats::count;

/// A peer that was let in.
pub(crate) struct Entrant {
    pub(crate) claim: Box<Claim>,
    pub(crate) grant: Grant,
}

/// Why a peer that was let in has no seat.
pub(crate) enum NoEntry {
    /// It has to wait for the observer; [`Shard::poll_ready`] will name it.
    Wait(Box<Entrant>),
    /// The realm is not there any more.
    NoRealm(Refusal),
    /// Nobody is let in, or it does not accept WELCOME.
    Never(Refusal),
}

impl Shard {
    /// Establishes a session. It enters the tables of its realm only after WELCOME is queued.
    pub(crate) fn enter(
        &mut self,
        now: Timestamp,
        peer: PeerId,
        serializer: Serializer,
        max_receive: usize,
        transport: &Arc<TransportDetails>,
        entrant: Box<Entrant>,
    ) -> Result<SeatKey, NoEntry> {
        self.advance(now);
        if self.is_shut_down {
            return Err(NoEntry::Never(Refusal::shutdown()));
        }
        if self.out.is_congested {
            self.waiting.insert(peer);
            return Err(NoEntry::Wait(entrant));
        }
        let Entrant { claim, grant } = *entrant;
        let realm = self.realm_for(&claim).map_err(NoEntry::NoRealm)?;
        let key = self.seats.insert_with(|key| {
            let queue = self.out.open(peer, key, serializer, max_receive);
            Seat::new(peer, queue, Arc::clone(transport))
        });
        let Some(seat) = self.seats.get_mut(key) else { return Err(NoEntry::Never(Refusal::shutdown())) };
        let id = self.ids.draw(key);
        let (info, welcome) = claim.welcome(peer, id, grant, &self.config);
        if !say_welcome(&mut self.out, seat.queue, welcome) {
            self.vacate(key);
            self.ids.release(id);
            self.close_realm_if_done(realm);
            let refusal = Refusal::new(&uris::AUTHENTICATION_FAILED, "the peer does not accept WELCOME");
            return Err(NoEntry::Never(refusal));
        }
        let info = Arc::new(info);
        if let Some(entered) = self.realms.get_mut(realm) {
            let session = entered.attach_joined(Arc::clone(&info), seat.queue);
            seat.stage = Stage::Joined { realm, session };
        }
        count(&mut self.out.counters.joined);
        let transport = Arc::clone(transport);
        self.out.events.push_back(RouterEvent::Joined { peer, session: info, transport });
        Ok(key)
    }

    /// Frees a seat, with what is queued there.
    pub(super) fn vacate(&mut self, key: SeatKey) {
        if let Some(mut seat) = self.seats.remove(key) {
            seat.clear_deadline(&mut self.out);
            self.out.remove(seat.queue);
        }
    }

    /// The realm that a peer was let into. One that is not listed is made for its first session.
    fn realm_for(&mut self, claim: &Claim) -> Result<RealmKey, Refusal> {
        match self.realm_keys.get(&claim.realm) {
            Some(&key) => Ok(key),
            None if !claim.is_listed => {
                let authentication = self.config.auto_create.clone().unwrap_or_default();
                let realm = RealmConfig::new(claim.realm.clone(), authentication);
                Ok(self.open_realm(&realm, true))
            }
            _ => Err(Refusal::no_realm(&claim.realm)),
        }
    }
}

/// Queues WELCOME, with as many details as the peer accepts. Says whether it accepts any.
fn say_welcome(out: &mut Outbox, queue: QueueKey, mut welcome: Welcome) -> bool {
    for shorten in SHORTER {
        match out.reply(queue, welcome.clone()) {
            Err(Refused::TooLarge { .. }) => shorten(&mut welcome.details),
            result => return result.is_ok(),
        }
    }
    out.reply(queue, welcome).is_ok()
}

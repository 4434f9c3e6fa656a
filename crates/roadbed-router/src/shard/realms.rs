//! The realms of a shard: which there are, and how they come and go.

use std::sync::Arc;

use roadbed_core::error::uris;
use roadbed_core::time::Timestamp;
use roadbed_core::uri::Uri;

use super::Shard;
use super::seat::Stage;
use crate::config::RealmConfig;
use crate::keys::{RealmKey, SeatKey};
use crate::realm::Realm;
use crate::tables::Relax;

impl Shard {
    /// Opens a realm while the shard runs. [`Lobby::place_realm`](crate::Lobby::place_realm) tells in which shard; tell
    /// the lobby afterwards. A realm of this name that was made on demand stays, with this configuration.
    pub fn add_realm(&mut self, realm: &RealmConfig) {
        match self.realm_keys.get(&realm.uri).and_then(|&key| self.realms.get_mut(key)) {
            Some(open) => open.list(realm),
            None => drop(self.open_realm(realm, false)),
        }
    }

    /// Closes a realm while the shard runs: its sessions are sent GOODBYE `wamp.close.close_realm`, as by
    /// [`kill`](Self::kill). Take it from the [lobby](crate::Lobby::remove_realm) first. Costs a look at every session
    /// of the shard.
    pub fn remove_realm(&mut self, now: Timestamp, realm: &Uri) {
        self.advance(now);
        let Some(&key) = self.realm_keys.get(realm) else { return };
        if let Some(realm) = self.realms.get_mut(key) {
            realm.is_temporary = true;
        }
        let of_realm = |stage: &Stage| matches!(stage, Stage::Joined { realm, .. } if *realm == key);
        let seats: Vec<SeatKey> =
            self.seats.iter().filter(|(_, seat)| of_realm(&seat.stage)).map(|(seat, _)| seat).collect();
        let deadline = self.out.now.saturating_add(self.config.limits.goodbye_timeout);
        for seat in seats {
            self.say_goodbye(seat, &uris::CLOSE_REALM, "the realm is closed", deadline);
        }
        self.close_realm_if_done(key);
        self.carry_out();
    }

    pub(super) fn open_realm(&mut self, realm: &RealmConfig, is_temporary: bool) -> RealmKey {
        let config = Arc::clone(&self.config);
        let (shard, random) = (self.id, self.random.fork());
        let make = |key| Realm::new(shard, key, config, realm, is_temporary, random);
        let key = self.realms.insert_with(make);
        self.realm_keys.insert(realm.uri.clone(), key);
        key
    }

    /// A realm that was made on demand, or is taken away, goes with its last session.
    pub(super) fn close_realm_if_done(&mut self, key: RealmKey) {
        if self.realms.get(key).is_some_and(|realm| realm.is_temporary && realm.is_empty())
            && let Some(realm) = self.realms.remove(key)
        {
            self.realm_keys.remove(&realm.uri);
            self.realm_keys.relax();
        }
    }
}

//! Which realm is in which shard, and how clients get into it.

use core::hash::BuildHasher;

use roadbed_core::uri::Uri;

use super::Lobby;
use crate::auth::{Authentication, Way};
use crate::config::{ConfigError, RealmConfig};
use crate::names::ShardId;
use crate::tables::Relax;

/// A realm that is always there.
#[derive(Debug)]
pub(super) struct Listed {
    authentication: Authentication,
    shard: ShardId,
    /// Its shard has it. Until then nobody is let in, and no other of this name has a place.
    is_open: bool,
}

impl Lobby {
    /// Returns the shard in which a realm is, or would be made.
    pub fn shard_of(&self, realm: &Uri) -> Option<ShardId> {
        self.way(realm).map(|way| way.shard)
    }

    /// Returns the shard for a realm that is to be added while the router runs: hand it to that
    /// [shard](crate::Shard::add_realm), then call [`open_realm`](Self::open_realm). While realms are made on demand, a
    /// realm has the shard that it would be made in, whatever its configuration says.
    ///
    /// # Errors
    /// [`ConfigError`] when the realm cannot work, or is there already, or is just being added.
    pub fn place_realm(&mut self, realm: &RealmConfig) -> Result<ShardId, ConfigError> {
        self.config.check_realm(realm)?;
        if self.realms.contains_key(&realm.uri) {
            return Err(ConfigError::DuplicateRealm(realm.uri.clone()));
        }
        let shard = match self.way(&realm.uri) {
            Some(way) => way.shard,
            None => self.next_shard(realm),
        };
        self.list(realm, shard, false);
        Ok(shard)
    }

    /// A realm that has a [place](Self::place_realm) is open there: peers are let into it from now on.
    pub fn open_realm(&mut self, realm: &Uri) {
        if let Some(listed) = self.realms.get_mut(realm) {
            listed.is_open = true;
        }
    }

    /// Takes a realm away while the router runs: no peer is let into it any more. Returns where it was, for
    /// [`Shard::remove_realm`](crate::Shard::remove_realm); `None` if there is no such realm, or it was made on demand.
    pub fn remove_realm(&mut self, realm: &Uri) -> Option<ShardId> {
        let listed = self.realms.remove(realm)?;
        self.realms.relax();
        Some(listed.shard)
    }

    /// Deals a realm out that does not say which shard it wants.
    pub(super) fn next_shard(&mut self, realm: &RealmConfig) -> ShardId {
        let shard = realm.shard_of(self.next_shard, self.shards);
        self.next_shard = self.next_shard.wrapping_add(1);
        shard
    }

    pub(super) fn list(&mut self, realm: &RealmConfig, shard: ShardId, is_open: bool) {
        let authentication = realm.authentication.clone();
        self.realms.insert(realm.uri.clone(), Listed { authentication, shard, is_open });
    }

    pub(crate) fn way(&self, realm: &Uri) -> Option<Way<'_>> {
        if let Some(Listed { authentication, shard, is_open: true }) = self.realms.get(realm) {
            return Some(Way { authentication, shard: *shard, is_listed: true });
        }
        let authentication = self.config.auto_create.as_ref()?;
        let hash = usize::try_from(self.hasher.hash_one(realm) & u64::from(u32::MAX)).unwrap_or(0);
        let shard = ShardId(hash.checked_rem(self.shards).unwrap_or(0));
        Some(Way { authentication, shard, is_listed: false })
    }
}

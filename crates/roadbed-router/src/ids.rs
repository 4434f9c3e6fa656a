//! Randomness from the seed: ids of global scope, tokens, keys of hash tables.

use bytestring::ByteString;
use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use roadbed_core::id::{PublicationId, SessionId};

use crate::keys::SeatKey;
use crate::names::ShardId;
use crate::tables::{HashMap, Keyed, Relax};

/// Letters of a token; 32 of them, so that five bits choose one without bias.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Letters in a token: 120 bits.
const TOKEN_LENGTH: usize = 24;

/// The only source of randomness: ChaCha20 over the seed.
pub(crate) struct Random(ChaCha20Rng);

impl Random {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// A seed for a part that has a source of its own.
    pub(crate) fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.0.fill_bytes(&mut seed);
        seed
    }

    /// An independent source for a part that may run apart.
    pub(crate) fn fork(&mut self) -> Self {
        Self::new(self.seed())
    }

    /// Keys for hash tables.
    pub(crate) fn hasher(&mut self) -> Keyed {
        Keyed { keys: (self.0.next_u64(), self.0.next_u64()) }
    }

    /// 0 to 2^53 − 1, uniformly: the ids are exactly 2^53 many, so nothing has to be rejected.
    fn below_two_to_the_53(&mut self) -> u64 {
        self.0.next_u64() >> 11
    }

    pub(crate) fn publication(&mut self) -> PublicationId {
        let id = self.below_two_to_the_53().saturating_add(1);
        PublicationId::new(id).unwrap_or(PublicationId::MAX)
    }

    /// A name that nobody can guess.
    pub(crate) fn token(&mut self) -> ByteString {
        let mut token = String::with_capacity(TOKEN_LENGTH);
        for _ in 0..TOKEN_LENGTH {
            let index = usize::try_from(self.0.next_u32() & 31).unwrap_or(0);
            token.push(char::from(ALPHABET.get(index).copied().unwrap_or(b'a')));
        }
        ByteString::from(token)
    }
}

/// The sessions alive in a shard, by id. The ids of all shards are disjoint without a table that they share: of `n`
/// shards, each draws those that leave its own index when divided by `n`.
pub(crate) struct SessionIds {
    random: Random,
    shard: u64,
    shards: u64,
    live: HashMap<SessionId, SeatKey>,
}

impl SessionIds {
    pub(crate) fn new(mut random: Random, shard: ShardId, shards: usize) -> Self {
        let hasher = random.hasher();
        let [shard, shards] = [shard.0, shards.max(1)].map(|n| u64::try_from(n).unwrap_or(u64::MAX));
        Self { random, shard, shards, live: HashMap::with_hasher(hasher) }
    }

    /// Draws an id for a session that sits there.
    pub(crate) fn draw(&mut self, seat: SeatKey) -> SessionId {
        loop {
            let drawn = self.random.below_two_to_the_53();
            let rest = drawn.checked_rem(self.shards).unwrap_or(0);
            let id = drawn.saturating_sub(rest).saturating_add(self.shard).saturating_add(1);
            // The last few numbers may belong to no group that is whole.
            let Ok(id) = SessionId::new(id) else { continue };
            if !self.live.contains_key(&id) {
                self.live.insert(id, seat);
                return id;
            }
        }
    }

    pub(crate) fn release(&mut self, id: SessionId) {
        self.live.remove(&id);
        self.live.relax();
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<SeatKey> {
        self.live.get(&id).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.live.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slab::Slab;

    #[test]
    fn ids_spread_over_the_whole_range() {
        let mut random = Random::new([7; 32]);
        let ids: Vec<u64> = (0..4_000).map(|_| random.below_two_to_the_53()).collect();
        let half = 1_u64 << 52;
        let upper = ids.iter().filter(|&&id| id > half).count();
        assert!((1_800..2_200).contains(&upper), "{upper}");
        let mut unique = ids.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), ids.len());
    }

    #[test]
    fn equal_seeds_give_equal_values_and_forks_differ() {
        let (mut a, mut b) = (Random::new([1; 32]), Random::new([1; 32]));
        assert_eq!(a.publication(), b.publication());
        let mut fork = a.fork();
        assert_ne!(fork.publication(), a.publication());
        assert_eq!(b.fork().token().len(), TOKEN_LENGTH);
    }

    #[test]
    fn the_ids_of_shards_are_disjoint_and_tell_the_shard() {
        let seat = Slab::<SeatKey, ()>::new().insert(());
        for shards in [1, 2, 3, 7] {
            for index in 0..shards {
                let mut ids = SessionIds::new(Random::new([0; 32]), ShardId(index), shards);
                let drawn: Vec<_> = (0..1_000).map(|_| ids.draw(seat)).collect();
                assert!(drawn.iter().all(|&id| ShardId::of_session(id, shards) == ShardId(index)));
                assert_eq!(ids.len(), 1_000);
                assert_eq!(ids.get(drawn[0]), Some(seat));
                drawn.into_iter().for_each(|id| ids.release(id));
                assert_eq!(ids.len(), 0);
            }
        }
    }
}

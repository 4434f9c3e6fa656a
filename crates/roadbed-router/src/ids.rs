//! Randomness from the seed: ids of global scope, tokens, keys of hash tables.

use bytestring::ByteString;
use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use roadbed_core::id::{PublicationId, SessionId};

use crate::tables::{HashSet, Keyed, Relax};

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

    /// An independent source for a part that may run apart.
    pub(crate) fn fork(&mut self) -> Self {
        let mut seed = [0; 32];
        self.0.fill_bytes(&mut seed);
        Self::new(seed)
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

    pub(crate) fn session(&mut self) -> SessionId {
        let id = self.below_two_to_the_53().saturating_add(1);
        SessionId::new(id).unwrap_or(SessionId::MAX)
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

/// The sessions alive anywhere in this router. Their ids are drawn here, so that no two are equal.
pub(crate) struct SessionIds {
    random: Random,
    live: HashSet<SessionId>,
}

impl SessionIds {
    pub(crate) fn new(mut random: Random) -> Self {
        let hasher = random.hasher();
        Self { random, live: HashSet::with_hasher(hasher) }
    }

    pub(crate) fn draw(&mut self) -> SessionId {
        loop {
            let id = self.random.session();
            if self.live.insert(id) {
                return id;
            }
        }
    }

    pub(crate) fn release(&mut self, id: SessionId) {
        self.live.remove(&id);
        self.live.relax();
    }

    pub(crate) fn len(&self) -> usize {
        self.live.len()
    }

    pub(crate) fn contains(&self, id: SessionId) -> bool {
        self.live.contains(&id)
    }

    pub(crate) fn token(&mut self) -> ByteString {
        self.random.token()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_spread_over_the_whole_range() {
        let mut random = Random::new([7; 32]);
        let ids: Vec<u64> = (0..4_000).map(|_| random.session().get()).collect();
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
        assert_eq!(a.session(), b.session());
        let mut fork = a.fork();
        assert_ne!(fork.session(), a.session());
        assert_eq!(b.fork().token().len(), TOKEN_LENGTH);
    }

    #[test]
    fn a_live_id_is_never_drawn_again() {
        let mut ids = SessionIds::new(Random::new([0; 32]));
        let id = ids.draw();
        assert!(ids.contains(id));
        ids.release(id);
        assert_eq!(ids.len(), 0);
    }
}

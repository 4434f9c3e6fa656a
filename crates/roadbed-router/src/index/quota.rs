//! How many events of one publication a session is sent.

/// Counts the matches of one publication that a session took: each subscription that matches is an event of its
/// own, so overlapping patterns multiply what a publisher sends. Matches come in the order of precedence, so those
/// that say most about the topic are kept.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MatchQuota {
    publication: u64,
    taken: usize,
}

impl MatchQuota {
    /// Takes one more match of `publication`, a number that no other publication of the realm has; `false` when
    /// `limit` were taken.
    pub(crate) fn take(&mut self, publication: u64, limit: usize) -> bool {
        if self.publication != publication {
            *self = Self { publication, taken: 0 };
        }
        let is_within = self.taken < limit;
        self.taken = self.taken.saturating_add(usize::from(is_within));
        is_within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_publication_counts_anew() {
        let mut quota = MatchQuota::default();
        let taken =
            |quota: &mut MatchQuota, publication| (0..9).filter(|_| quota.take(publication, 4)).count();
        assert_eq!([taken(&mut quota, 1), taken(&mut quota, 1), taken(&mut quota, 2)], [4, 0, 4]);
        assert!(!MatchQuota::default().take(1, 0));
    }
}

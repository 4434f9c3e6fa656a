//! What a search costs, counted.

/// Counts the steps of a search; `()` counts nothing.
pub(super) trait Meter {
    /// A node of the trie is looked at, and so many bytes of it are compared.
    fn node(&mut self, bytes: usize);

    /// A mask is tried: a probe of the hash table.
    fn probe(&mut self);

    /// An entry of the hash table is looked at.
    fn comparison(&mut self);
}

impl Meter for () {
    fn node(&mut self, _: usize) {}

    fn probe(&mut self) {}

    fn comparison(&mut self) {}
}

/// The steps of a search.
#[cfg(test)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Steps {
    pub(super) nodes: usize,
    pub(super) bytes: usize,
    pub(super) probes: usize,
    pub(super) comparisons: usize,
}

#[cfg(test)]
impl Steps {
    pub(super) fn total(&self) -> usize {
        self.nodes + self.bytes + self.probes + self.comparisons
    }
}

#[cfg(test)]
impl Meter for Steps {
    fn node(&mut self, bytes: usize) {
        self.nodes += 1;
        self.bytes += bytes;
    }

    fn probe(&mut self) {
        self.probes += 1;
    }

    fn comparison(&mut self) {
        self.comparisons += 1;
    }
}

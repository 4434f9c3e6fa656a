//! Keys: a slot, and which of the slot's entries is meant.

use core::num::NonZeroU32;

/// Names one entry of a [`Slab`](super::Slab), once and for all: when the entry is gone, its key leads nowhere,
/// even after its slot was given to others.
pub(crate) trait Key: Copy + Ord + core::fmt::Debug {
    /// Makes the key of the entry that is `generation` in `slot`.
    fn new(slot: u32, generation: NonZeroU32) -> Self;

    /// Returns the place in the slab.
    fn slot(self) -> u32;

    /// Returns which of the slot's entries is meant.
    fn generation(self) -> NonZeroU32;
}

/// Declares types of keys. They take eight bytes, `Option` included, and are ordered by slot.
macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name {
            slot: u32,
            generation: core::num::NonZeroU32,
        }

        impl $crate::slab::Key for $name {
            fn new(slot: u32, generation: core::num::NonZeroU32) -> Self {
                Self { slot, generation }
            }

            fn slot(self) -> u32 {
                self.slot
            }

            fn generation(self) -> core::num::NonZeroU32 {
                self.generation
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!(stringify!($name), "({}.{})"), self.slot, self.generation)
            }
        }
    )*};
}

pub(crate) use keys;

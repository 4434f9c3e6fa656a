//! What a wire does to bytes.

use std::time::Duration;

/// In how many pieces a [`Wire`](super::Wire) delivers what was written to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pieces {
    /// Each write arrives as one read.
    #[default]
    AsWritten,
    /// Everything that has arrived is one read.
    Coalesced,
    /// One byte a read.
    Bytewise,
    /// Reads of random length, which join writes and cut them.
    Random,
}

/// What a [`Wire`](super::Wire) does to the bytes on their way. The default: no delay, pieces as they were written.
///
/// ```
/// use std::time::Duration;
/// use roadbed_testkit::{Conditions, Pieces};
///
/// let modem = Conditions::new().latency(Duration::from_millis(150)).bandwidth(7_000).pieces(Pieces::Random);
/// # let _ = modem;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conditions {
    /// How long every byte is under way.
    pub latency: Duration,
    /// Up to this much longer, drawn anew for each write. The order is kept.
    pub jitter: Duration,
    /// The time between two reads, at least.
    pub pause: Duration,
    /// Bytes a second; `None` for no bound.
    pub bandwidth: Option<u64>,
    /// Bytes under way above which the writer has to wait. Default 256 KiB.
    pub window: usize,
    /// In how many pieces it arrives.
    pub pieces: Pieces,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            latency: Duration::ZERO,
            jitter: Duration::ZERO,
            pause: Duration::ZERO,
            bandwidth: None,
            window: 256 << 10,
            pieces: Pieces::AsWritten,
        }
    }
}

macro_rules! setters {
    ($($name:ident: $type:ty => $value:expr),* $(,)?) => {$(
        #[doc = concat!("Sets [`Conditions::", stringify!($name), "`].")]
        #[must_use]
        pub fn $name(mut self, $name: $type) -> Self {
            self.$name = $value;
            self
        }
    )*};
}

impl Conditions {
    /// The default.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        latency: Duration => latency, jitter: Duration => jitter, pause: Duration => pause,
        bandwidth: u64 => Some(bandwidth), window: usize => window, pieces: Pieces => pieces,
    }
}

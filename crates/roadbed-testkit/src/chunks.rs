//! Cutting a byte stream into reads: what arrives in how many pieces must not matter.

use std::fmt::Debug;

use bytes::Bytes;

use crate::rng::Rng;

/// A way of cutting a byte stream into pieces. None of them is empty.
///
/// ```
/// use roadbed_testkit::Chunking;
///
/// let pieces = Chunking::Bytewise.cut(b"abc");
/// assert_eq!(pieces, ["a", "b", "c"]);
/// assert_eq!(Chunking::Random(7).cut(b"the same seed"), Chunking::Random(7).cut(b"the same seed"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Chunking {
    /// Everything at once.
    Whole,
    /// One byte at a time.
    Bytewise,
    /// In two, before the byte of this index.
    At(usize),
    /// At places that depend on this seed; short pieces and long ones.
    Random(u64),
}

impl Chunking {
    /// Cuts `bytes`.
    pub fn cut(&self, bytes: &[u8]) -> Vec<Bytes> {
        let mut rest = Bytes::copy_from_slice(bytes);
        let mut rng = Rng::new(match self {
            Self::Random(seed) => *seed,
            _ => 0,
        });
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let wish = match self {
                Self::Whole => rest.len(),
                Self::Bytewise => 1,
                Self::At(index) if pieces.is_empty() && *index > 0 => *index,
                Self::At(_) => rest.len(),
                Self::Random(_) => random_len(&mut rng),
            };
            pieces.push(rest.split_to(wish.clamp(1, rest.len())));
        }
        pieces
    }
}

/// A length from 1 to 64 KiB, with every order of magnitude equally likely: headers and handshakes are
/// cut as often as bodies.
pub(crate) fn random_len(rng: &mut Rng) -> usize {
    let magnitude = rng.below(17);
    usize::try_from(1 + rng.below(1 << magnitude)).unwrap_or(1)
}

/// Runs `scenario` over `bytes` cut in many ways and checks that its outcome is always that of the
/// whole. Returns that outcome.
///
/// It tries one byte at a time, 16 random cuts, and every cut in two (of long streams: 64 of those).
///
/// ```
/// use bytes::BytesMut;
/// use roadbed_core::time::Timestamp;
/// use roadbed_core::transport::{RawSocket, RawSocketServerConfig, Transport};
/// use roadbed_testkit::assert_same_under_chunking;
///
/// // A handshake that asks for CBOR, and a PING.
/// let stream = b"\x7F\xF3\x00\x00\x01\x00\x00\x02hi";
/// let answer = assert_same_under_chunking(stream, |pieces| {
///     let mut server = Transport::from(RawSocket::server(&RawSocketServerConfig::default()));
///     let (mut input, mut output) = (BytesMut::new(), Vec::new());
///     for piece in pieces {
///         input.extend_from_slice(piece);
///         server.handle_input(Timestamp::ZERO, &mut input);
///         output.extend(std::iter::from_fn(|| server.poll_transmit()).flatten());
///     }
///     output
/// });
/// assert_eq!(answer, b"\x7F\xB3\x00\x00\x02\x00\x00\x02hi");
/// ```
///
/// # Panics
/// When an outcome differs; the message names the cut.
#[track_caller]
pub fn assert_same_under_chunking<T: PartialEq + Debug>(
    bytes: &[u8],
    mut scenario: impl FnMut(&[Bytes]) -> T,
) -> T {
    let whole = scenario(&Chunking::Whole.cut(bytes));
    let stride = bytes.len().div_ceil(64).max(1);
    let stride = if bytes.len() <= 256 { 1 } else { stride };
    let ways = std::iter::once(Chunking::Bytewise)
        .chain((0..16).map(Chunking::Random))
        .chain((1..bytes.len()).step_by(stride).map(Chunking::At));
    for way in ways {
        let outcome = scenario(&way.cut(bytes));
        assert!(outcome == whole, "cut {way:?}: the outcome is\n{outcome:#?}\nbut of the whole\n{whole:#?}");
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_keeps_the_bytes() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        let ways =
            [Chunking::Whole, Chunking::Bytewise, Chunking::At(0), Chunking::At(999), Chunking::Random(1)];
        for way in ways {
            let pieces = way.cut(&bytes);
            assert_eq!(pieces.concat(), bytes, "{way:?}");
            assert!(pieces.iter().all(|piece| !piece.is_empty()), "{way:?}");
        }
        assert_eq!(Chunking::At(400).cut(&bytes).iter().map(Bytes::len).collect::<Vec<_>>(), [400, 600]);
        assert!(Chunking::Whole.cut(&[]).is_empty());
    }

    #[test]
    #[should_panic(expected = "cut Bytewise")]
    fn a_scenario_that_sees_the_cuts_is_caught() {
        assert_same_under_chunking(b"ab", |pieces| pieces.len() == 2 && pieces[0] == "a");
    }
}

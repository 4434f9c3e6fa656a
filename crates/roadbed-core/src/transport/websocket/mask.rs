//! Masking: XOR with a key of four octets (RFC 6455 section 5.3).

/// Octets masked in one go; the compiler makes vector instructions of it.
const BLOCK: usize = 32;

/// A masking key.
pub(super) type Key = [u8; 4];

/// Masks or unmasks `data`, which begins `offset` octets into the payload.
pub(super) fn apply(key: Key, offset: usize, data: &mut [u8]) {
    let key = rotated(key, offset);
    let word = u32::from_ne_bytes(key);
    let wide = u64::from(word) | (u64::from(word) << 32);
    let (blocks, rest) = data.as_chunks_mut::<BLOCK>();
    for block in blocks {
        for word in block.as_chunks_mut::<8>().0 {
            *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
        }
    }
    let (words, rest) = rest.as_chunks_mut::<4>();
    for octets in words {
        *octets = (u32::from_ne_bytes(*octets) ^ word).to_ne_bytes();
    }
    for (octet, key) in rest.iter_mut().zip(key) {
        *octet ^= key;
    }
}

/// The key as it applies `offset` octets into the payload.
fn rotated([a, b, c, d]: Key, offset: usize) -> Key {
    match offset & 3 {
        0 => [a, b, c, d],
        1 => [b, c, d, a],
        2 => [c, d, a, b],
        _ => [d, a, b, c],
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn by_the_book(key: Key, offset: usize, data: &mut [u8]) {
        for (index, octet) in data.iter_mut().enumerate() {
            *octet ^= key[(offset + index) % 4];
        }
    }

    #[test]
    fn every_length_and_offset() {
        for len in 0..200 {
            for offset in 0..9 {
                let plain: Vec<u8> = (0..len).collect();
                let (mut ours, mut theirs) = (plain.clone(), plain);
                apply([0xA1, 0x00, 0x5C, 0xFF], offset, &mut ours);
                by_the_book([0xA1, 0x00, 0x5C, 0xFF], offset, &mut theirs);
                assert_eq!(ours, theirs, "{len} from {offset}");
            }
        }
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(key: Key, data: Vec<u8>, cuts in prop::collection::vec(0..40_usize, 0..8)) {
            let mut whole = data.clone();
            apply(key, 0, &mut whole);
            let (mut pieces, mut at) = (data.clone(), 0);
            for cut in cuts {
                let end = (at + cut).min(data.len());
                apply(key, at, &mut pieces[at..end]);
                at = end;
            }
            apply(key, at, &mut pieces[at..]);
            prop_assert_eq!(&pieces, &whole);
            apply(key, 0, &mut whole);
            prop_assert_eq!(whole, data);
        }
    }
}

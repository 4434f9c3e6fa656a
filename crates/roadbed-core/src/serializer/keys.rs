//! The keys of kwargs: text, each of them once.

use alloc::vec::Vec;

use super::{Malformed, ReadError, Reader, Seq};

/// Keys compared one by one. Beyond that they are sorted.
const FEW: usize = 16;

/// Passes over the entries of a dict that has just been opened and begins a payload, validated as
/// [`Reader::skip`] does. Says what no peer can be given, if there is anything: also a key that is no
/// text, or stands twice.
///
/// Keys are compared by hashes of 64 bits, in memory of 8 bytes a key: two different ones of one hash do
/// not come about by chance, and cost whoever looks for them only the request they are in.
pub(crate) fn skip_kwargs<'a, R: Reader<'a>>(
    reader: &mut R,
    opened: Seq,
) -> Result<Option<ReadError>, ReadError> {
    let start = reader.offset();
    if reader.depth() == 0 {
        return Err(ReadError::new(start, Malformed::TooDeep { limit: 0 }));
    }
    let mut seq = opened;
    let mut few = [0_u64; FEW];
    let mut count = 0_usize;
    let mut found = None;
    while reader.more(&mut seq)? {
        let at = reader.value_start();
        match reader.key() {
            Ok(key) => {
                let hash = hash(key.as_bytes());
                if few.iter().take(count).any(|known| *known == hash) {
                    found.get_or_insert(ReadError::new(at, Malformed::DuplicateKey));
                }
                if let Some(place) = few.get_mut(count) {
                    *place = hash;
                }
            }
            Err(error) if error.kind.is_bad_key() => {
                reader.rewind(at);
                reader.skip_key(1)?;
                found.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
        reader.skip(1)?;
        count = count.saturating_add(1);
    }
    if count > FEW && found.is_none() {
        let end = reader.offset();
        reader.rewind(start);
        found = find_double(reader, opened, start, count)?;
        reader.rewind(end);
    }
    let blemish = reader.blemish();
    Ok(found.or(blemish))
}

/// Goes over `count` keys, which are text, once more.
#[cold]
fn find_double<'a, R: Reader<'a>>(
    reader: &mut R,
    mut seq: Seq,
    start: usize,
    count: usize,
) -> Result<Option<ReadError>, ReadError> {
    let mut hashes = Vec::with_capacity(count);
    while reader.more(&mut seq)? {
        hashes.push(hash(reader.key()?.as_bytes()));
        reader.skip(1)?;
    }
    Ok(has_double(&mut hashes).then(|| ReadError::new(start, Malformed::DuplicateKey)))
}

/// Whether a hash stands twice.
pub(super) fn has_double(hashes: &mut [u64]) -> bool {
    hashes.sort_unstable();
    hashes.windows(2).any(|pair| pair.first() == pair.last())
}

/// A hash of one key, quick and without state.
pub(super) fn hash(key: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| (hash.rotate_left(29) ^ word).wrapping_mul(FACTOR);
    let (words, tail) = key.as_chunks::<8>();
    let hash = words.iter().fold(key.len() as u64, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let last = tail.iter().fold(0, |last, byte| last << 8 | u64::from(*byte));
    mix(hash, last)
}

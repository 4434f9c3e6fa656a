//! What every serializer can say, in values that are well-formed in one of them.

use alloc::vec::Vec;

use bytes::Bytes;

use super::keys::{has_double, hash};
use super::walk::{Step, Walk};
use super::{Kind, Malformed, ReadError, Reader, Scalar, Serializer};
use crate::limits::MAX_DEPTH;

/// Says what in an encoded value one of the serializers cannot say, and where; `None` when all can. Takes
/// 8 bytes for each key of the dicts that are open at a time.
pub(crate) fn not_portable(
    serializer: Serializer,
    value: &Bytes,
) -> Result<Option<(&'static str, usize)>, ReadError> {
    with_format!(serializer, (Reader, _Writer) => {
        find(Walk::new(<Reader<'_>>::new(value, MAX_DEPTH), MAX_DEPTH, 0))
    })
}

fn find<'a, R: Reader<'a>>(mut walk: Walk<R>) -> Result<Option<(&'static str, usize)>, ReadError> {
    // The hashes of the keys of each open dict; none for a list.
    let mut open: Vec<Vec<u64>> = Vec::new();
    loop {
        match walk.step()? {
            Step::Open { .. } => {
                open.push(Vec::new());
                if let Some(what) = walk.reader.oddity_at(walk.start()) {
                    return Ok(Some((what, walk.start())));
                }
            }
            Step::Close { .. } => {
                if open.pop().is_some_and(|mut keys| has_double(&mut keys)) {
                    return Ok(Some(("a dict key that stands twice", walk.reader.offset())));
                }
            }
            Step::Key => {
                let at = walk.reader.value_start();
                match walk.reader.key() {
                    Ok(key) if key.starts_with('\0') => return Ok(Some(("a key that begins with NUL", at))),
                    Ok(key) => {
                        if let Some(keys) = open.last_mut() {
                            keys.push(hash(key.as_bytes()));
                        }
                    }
                    Err(error) if error.kind.is_bad_key() => {
                        return Ok(Some(("a dict key that is not text", at)));
                    }
                    Err(error) => return Err(error),
                }
            }
            Step::Leaf => {
                let at = walk.start();
                if let Some(what) = walk.reader.oddity_at(at) {
                    return Ok(Some((what, at)));
                }
                let what = match walk.reader.scalar() {
                    Ok(Scalar::Float(value)) if !value.is_finite() => "NaN or an infinity",
                    Ok(Scalar::Text(text)) if text.starts_with('\0') => "text that begins with NUL",
                    Ok(_) => continue,
                    Err(error) => match error.kind {
                        Malformed::NumberOutOfRange => "a number beyond 64 bits",
                        Malformed::LoneSurrogate => "text with half of a surrogate pair",
                        Malformed::WrongType { found: Kind::Other, .. } => "a value of no WAMP type",
                        _ => return Err(error),
                    },
                };
                return Ok(Some((what, at)));
            }
            Step::Done => return Ok(None),
        }
    }
}

//! What the two binary formats share: steps over the front of the unread bytes, and floats.

use bytes::Bytes;

use super::reader::Malformed;

/// What can be wrong with the bytes of one value, small enough to travel in a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    End,
    Byte(u8),
    Utf8,
    Deep,
}

impl Flaw {
    /// The public name; `depth` is the limit in force.
    pub(super) const fn malformed(self, depth: usize) -> Malformed {
        match self {
            Self::End => Malformed::UnexpectedEnd,
            Self::Byte(byte) => Malformed::UnexpectedByte(byte),
            Self::Utf8 => Malformed::InvalidUtf8,
            Self::Deep => Malformed::TooDeep { limit: depth },
        }
    }
}

/// A part of a value and the bytes behind it.
pub(super) type Part<'a, T> = Result<(T, &'a [u8]), Flaw>;

/// The next `N` bytes.
#[inline(always)]
pub(super) fn chunk<const N: usize>(rest: &[u8]) -> Part<'_, [u8; N]> {
    match rest.split_first_chunk() {
        Some((chunk, rest)) => Ok((*chunk, rest)),
        None => Err(Flaw::End),
    }
}

/// A big-endian number of one byte.
#[inline(always)]
pub(super) fn be8(rest: &[u8]) -> Part<'_, u8> {
    chunk(rest).map(|(bytes, rest)| (u8::from_be_bytes(bytes), rest))
}

/// A big-endian number of two bytes.
#[inline(always)]
pub(super) fn be16(rest: &[u8]) -> Part<'_, u16> {
    chunk(rest).map(|(bytes, rest)| (u16::from_be_bytes(bytes), rest))
}

/// A big-endian number of four bytes.
#[inline(always)]
pub(super) fn be32(rest: &[u8]) -> Part<'_, u32> {
    chunk(rest).map(|(bytes, rest)| (u32::from_be_bytes(bytes), rest))
}

/// A big-endian number of eight bytes.
#[inline(always)]
pub(super) fn be64(rest: &[u8]) -> Part<'_, u64> {
    chunk(rest).map(|(bytes, rest)| (u64::from_be_bytes(bytes), rest))
}

/// A length on the wire as one in memory. What memory cannot hold is behind the end of any input.
#[inline(always)]
pub(super) fn length<T: TryInto<usize>>((length, rest): (T, &[u8])) -> Part<'_, usize> {
    match length.try_into() {
        Ok(length) => Ok((length, rest)),
        Err(_) => Err(Flaw::End),
    }
}

/// The next `length` bytes.
#[inline(always)]
pub(super) fn take(rest: &[u8], length: usize) -> Part<'_, &[u8]> {
    rest.split_at_checked(length).ok_or(Flaw::End)
}

/// Passes over `length` bytes.
#[inline(always)]
pub(super) fn pass(rest: &[u8], length: usize) -> Result<&[u8], Flaw> {
    rest.get(length..).ok_or(Flaw::End)
}

/// Passes over `length` bytes of text and validates them.
#[inline(always)]
pub(super) fn pass_text(rest: &[u8], length: usize) -> Result<&[u8], Flaw> {
    let (text, behind) = take(rest, length)?;
    if (length <= SHORT && is_short_ascii(text, rest)) || is_utf8(text) {
        Ok(behind)
    } else {
        Err(Flaw::Utf8)
    }
}

/// Text, validated.
#[inline(always)]
pub(super) fn checked<'a>((bytes, rest): (&'a [u8], &'a [u8])) -> Part<'a, &'a str> {
    match core::str::from_utf8(bytes) {
        Ok(text) => Ok((text, rest)),
        Err(_) => Err(Flaw::Utf8),
    }
}

/// The `length` bytes of `input` before its end `rest`, shared.
#[inline(always)]
pub(super) fn shared(input: &Bytes, length: usize, rest: &[u8]) -> Bytes {
    let end = input.len().wrapping_sub(rest.len());
    input.slice(end.wrapping_sub(length)..end)
}

/// Checks that the unread bytes can hold as many values as a container announces, each at least one
/// byte. A dict's entry is two values.
#[inline(always)]
pub(super) fn room(rest: &[u8], entries: usize, is_dict: bool) -> Result<(), Flaw> {
    let most = if is_dict { rest.len() / 2 } else { rest.len() };
    if entries <= most { Ok(()) } else { Err(Flaw::End) }
}

/// Keys and names are mostly no longer than this, and ASCII, which is quicker to see than to ask for.
const SHORT: usize = 32;

/// Whether a text is ASCII. `unread` begins with it.
#[inline(always)]
fn is_short_ascii(text: &[u8], unread: &[u8]) -> bool {
    let (words, tail) = text.as_chunks::<8>();
    let mut seen = 0_u64;
    if let Some(last) = text.last_chunk::<8>() {
        for word in words {
            seen |= u64::from_ne_bytes(*word);
        }
        // The last word overlaps the one before: nothing is left to be seen byte by byte.
        seen |= u64::from_ne_bytes(*last);
    } else if let Some(word) = unread.first_chunk::<8>() {
        // What follows the text is masked out.
        let bits = u32::try_from(tail.len().saturating_mul(8)).unwrap_or_default();
        seen = u64::from_le_bytes(*word) & 1_u64.wrapping_shl(bits).wrapping_sub(1);
    } else {
        for byte in tail {
            seen |= u64::from(*byte);
        }
    }
    seen & 0x8080_8080_8080_8080 == 0
}

/// Looking for ASCII first is quicker: it stops early where there is other text, and mostly there is none.
#[inline(never)]
fn is_utf8(text: &[u8]) -> bool {
    text.is_ascii() || core::str::from_utf8(text).is_ok()
}

/// The bits of the 32-bit float of the same value, if there is one. All NaNs become the same one, so
/// that output does not depend on the machine.
pub(super) fn narrow(value: f64) -> Option<u32> {
    if value.is_nan() {
        return Some(0x7fc0_0000);
    }
    let narrow = value as f32;
    (f64::from(narrow).to_bits() == value.to_bits()).then(|| narrow.to_bits())
}

/// The value of a float of 16 bits.
pub(super) fn half(bits: u16) -> f64 {
    let exponent = u64::from((bits >> 10) & 0x1f);
    let fraction = u64::from(bits & 0x3ff);
    let magnitude = match exponent {
        // Subnormal: the fraction counts units of 2^-24, which f64 holds exactly.
        0 => f64::from(bits & 0x3ff) * f64::from_bits(0x3e70_0000_0000_0000),
        31 if fraction == 0 => f64::INFINITY,
        31 => f64::NAN,
        // The bias grows from 15 to 1023, the fraction from 10 to 52 bits.
        _ => f64::from_bits((exponent.wrapping_add(1023 - 15) << 52) | (fraction << 42)),
    };
    if bits >> 15 == 0 { magnitude } else { -magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every length, every place of one byte that is not ASCII, and whatever follows the text.
    #[test]
    fn text_is_validated_to_the_byte() {
        for length in 0..=2 * SHORT {
            for behind in [0, 1, 7, 8] {
                let mut bytes = alloc::vec![b'a'; length];
                bytes.resize(length + behind, 0xff);
                assert_eq!(pass_text(&bytes, length).map(<[u8]>::len), Ok(behind), "{length} + {behind}");
                for at in 0..length {
                    let mut bad = bytes.clone();
                    bad[at] = 0xff;
                    assert_eq!(pass_text(&bad, length), Err(Flaw::Utf8), "{at} of {length} + {behind}");
                }
            }
        }
        assert_eq!(pass_text("é".as_bytes(), 2), Ok(&[][..]));
        assert_eq!(pass_text("é".as_bytes(), 1), Err(Flaw::Utf8));
        assert_eq!(pass_text(b"abc", 4), Err(Flaw::End));
    }
}

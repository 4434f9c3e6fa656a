//! The head of an item behind its tags.

use super::*;
use crate::serializer::Kind;

const POSITIVE_BIGNUM: u64 = 2;
const NEGATIVE_BIGNUM: u64 = 3;

/// An item's initial byte and argument.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    pub(super) initial: u8,
    /// A value, a length or the bits of a float; 0 where the length is indefinite.
    pub(super) argument: u64,
    /// The innermost tag says that these bytes are a number. `true` for a negative one.
    pub(super) bignum: Option<bool>,
    /// What follows the head.
    pub(super) rest: &'a [u8],
}

impl<'a> Head<'a> {
    /// Reads a head and up to `tags` tags before it.
    #[inline]
    pub(super) fn read(rest: &'a [u8], tags: usize) -> Result<Self, Flaw> {
        let (initial, behind) = be8(rest)?;
        if major(initial) == TAG {
            return Self::tagged(rest, tags);
        }
        Self::untagged(initial, behind)
    }

    #[inline]
    fn untagged(initial: u8, rest: &'a [u8]) -> Result<Self, Flaw> {
        if info(initial) == INDEFINITE && matches!(major(initial), BYTES..=DICT) {
            return Ok(Self { initial, argument: 0, bignum: None, rest });
        }
        let (argument, rest) = argument(initial, rest)?;
        if initial == SIMPLE_8 && argument < 32 {
            return Err(Flaw::Byte(low_byte(argument)));
        }
        Ok(Self { initial, argument, bignum: None, rest })
    }

    #[cold]
    fn tagged(mut rest: &'a [u8], tags: usize) -> Result<Self, Flaw> {
        let mut innermost = None;
        for _ in 0..=tags {
            let (initial, behind) = be8(rest)?;
            if major(initial) != TAG {
                let mut head = Self::untagged(initial, behind)?;
                if head.major() == BYTES {
                    head.bignum = match innermost {
                        Some(POSITIVE_BIGNUM) => Some(false),
                        Some(NEGATIVE_BIGNUM) => Some(true),
                        _ => None,
                    };
                }
                return Ok(head);
            }
            let (tag, behind) = argument(initial, behind)?;
            innermost = Some(tag);
            rest = behind;
        }
        Err(Flaw::Deep)
    }

    #[inline(always)]
    pub(super) const fn major(&self) -> u8 {
        major(self.initial)
    }

    #[inline(always)]
    pub(super) const fn is_indefinite(&self) -> bool {
        info(self.initial) == INDEFINITE
    }

    pub(super) const fn kind(&self) -> Kind {
        match self.major() {
            UNSIGNED | NEGATIVE => Kind::Integer,
            BYTES if self.bignum.is_some() => Kind::Integer,
            BYTES => Kind::Binary,
            TEXT => Kind::Text,
            LIST => Kind::List,
            DICT => Kind::Dict,
            _ => match self.initial {
                FALSE | TRUE => Kind::Bool,
                NULL | UNDEFINED => Kind::Null,
                FLOAT16 | FLOAT32 | FLOAT64 => Kind::Float,
                _ => Kind::Other,
            },
        }
    }
}

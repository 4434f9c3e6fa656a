//! The header of a frame (RFC 6455 section 5.2).

use super::error::FrameError;
use super::mask::Key;
use crate::transport::TransportRole;

/// Octets of the longest header: two, eight of length, four of mask.
pub(super) const MAX_HEADER: usize = 14;
/// Bytes of the largest payload of a control frame.
pub(super) const MAX_CONTROL: usize = 125;

const FIN: u8 = 0b1000_0000;
/// RSV1: the message is compressed (RFC 7692 section 6).
const COMPRESSED: u8 = 0b0100_0000;
const OTHER_RESERVED: u8 = 0b0011_0000;
const OPCODE: u8 = 0b0000_1111;
const MASKED: u8 = 0b1000_0000;
const LENGTH: u8 = 0b0111_1111;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    const fn from_octet(octet: u8) -> Result<Self, FrameError> {
        Ok(match octet & OPCODE {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            found => return Err(FrameError::Opcode { found }),
        })
    }

    const fn to_octet(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    pub(super) const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// A frame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The message ends with this frame.
    pub(super) fin: bool,
    /// The message that begins with this frame is compressed.
    pub(super) compressed: bool,
    pub(super) opcode: Opcode,
    pub(super) mask: Option<Key>,
    /// Bytes of the payload.
    pub(super) len: usize,
    /// Octets of the header itself.
    pub(super) size: usize,
}

/// What the front of a buffer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decoded {
    Header(Header),
    /// Not enough: a header of at least so many octets.
    Partial(usize),
}

impl Header {
    /// Reads the header of a frame from the peer of `role`. Which faults it finds depends on the octets that
    /// are there, never on how they came.
    ///
    /// It has one caller. Inlined there, a header stays in registers; through memory it would come in other
    /// pieces than it went, which the processor has to wait for.
    #[inline(always)]
    pub(super) fn decode(input: &[u8], role: TransportRole, deflate: bool) -> Result<Decoded, FrameError> {
        let Some(&[first, second]) = input.first_chunk::<2>() else { return Ok(Decoded::Partial(2)) };
        let opcode = Opcode::from_octet(first)?;
        let (fin, compressed) = (first & FIN != 0, first & COMPRESSED != 0);
        // Only the first frame of a message may say that it is compressed.
        let may_be_compressed = deflate && matches!(opcode, Opcode::Text | Opcode::Binary);
        if first & OTHER_RESERVED != 0 || (compressed && !may_be_compressed) {
            return Err(FrameError::ReservedBits { octet: first });
        }
        let is_masked = second & MASKED != 0;
        match role {
            TransportRole::Server if !is_masked => return Err(FrameError::Unmasked),
            TransportRole::Client if is_masked => return Err(FrameError::Masked),
            _ => {}
        }
        let short = second & LENGTH;
        if opcode.is_control() {
            let opcode = opcode.to_octet();
            if !fin {
                return Err(FrameError::FragmentedControl { opcode });
            }
            if usize::from(short) > MAX_CONTROL {
                return Err(FrameError::LongControl { opcode });
            }
        }
        let Some((len, length_size)) = Self::length(short, input)? else {
            return Ok(Decoded::Partial(Self::size(short, is_masked)));
        };
        let Some(mask) = Self::mask(is_masked, input, length_size) else {
            return Ok(Decoded::Partial(Self::size(short, is_masked)));
        };
        Ok(Decoded::Header(Self { fin, compressed, opcode, mask, len, size: Self::size(short, is_masked) }))
    }

    const fn size(short: u8, is_masked: bool) -> usize {
        let length = match short {
            126 => 4,
            127 => 10,
            _ => 2_usize,
        };
        if is_masked { length.saturating_add(4) } else { length }
    }

    /// The length, and the octets up to its end.
    fn length(short: u8, input: &[u8]) -> Result<Option<(usize, usize)>, FrameError> {
        let extended = input.get(2..).unwrap_or_default();
        let (length, size, least) = match short {
            126 => match extended.first_chunk::<2>() {
                Some(octets) => (u64::from(u16::from_be_bytes(*octets)), 4, 126),
                None => return Ok(None),
            },
            127 => match extended.first_chunk::<8>() {
                Some(octets) => (u64::from_be_bytes(*octets), 10, 1 << 16),
                None => return Ok(None),
            },
            short => (u64::from(short), 2, 0),
        };
        if length < least {
            return Err(FrameError::PaddedLength { length });
        }
        if length >> 63 != 0 {
            return Err(FrameError::HugeLength { length });
        }
        // Where it does not fit, no limit allows it either.
        Ok(Some((usize::try_from(length).unwrap_or(usize::MAX), size)))
    }

    fn mask(is_masked: bool, input: &[u8], at: usize) -> Option<Option<Key>> {
        if is_masked { input.get(at..)?.first_chunk::<4>().map(|key| Some(*key)) } else { Some(None) }
    }

    /// The header of a whole message, or of a control frame.
    pub(super) fn encode(opcode: Opcode, compressed: bool, len: usize, mask: Option<Key>) -> Encoded {
        let first = FIN | if compressed { COMPRESSED } else { 0 } | opcode.to_octet();
        let masked = if mask.is_some() { MASKED } else { 0 };
        // Behind the last octet that counts there is room for a key of zeros.
        let [k, l, m, n] = mask.unwrap_or_default();
        let (octets, size) = match (u8::try_from(len), u16::try_from(len)) {
            (Ok(short @ ..=125), _) => ([first, masked | short, k, l, m, n, 0, 0, 0, 0, 0, 0, 0, 0], 2_usize),
            (_, Ok(length)) => {
                let [a, b] = length.to_be_bytes();
                ([first, masked | 126, a, b, k, l, m, n, 0, 0, 0, 0, 0, 0], 4)
            }
            _ => {
                let [a, b, c, d, e, f, g, h] = u64::try_from(len).unwrap_or(u64::MAX).to_be_bytes();
                ([first, masked | 127, a, b, c, d, e, f, g, h, k, l, m, n], 10)
            }
        };
        Encoded { octets, size: if mask.is_some() { size.saturating_add(4) } else { size } }
    }
}

/// A header, written.
pub(super) struct Encoded {
    octets: [u8; MAX_HEADER],
    size: usize,
}

impl Encoded {
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.octets.get(..self.size).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::transport::TransportRole::{Client, Server};

    const KEY: Key = [1, 2, 3, 4];

    fn header(bytes: &[u8], role: TransportRole) -> Result<Decoded, FrameError> {
        Header::decode(bytes, role, true)
    }

    #[test]
    fn lengths_take_their_shortest_form() {
        for (len, size) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10), (1 << 30, 10)] {
            for (mask, role, extra) in [(None, Client, 0), (Some(KEY), Server, 4)] {
                let encoded = Header::encode(Opcode::Binary, false, len, mask);
                assert_eq!(encoded.as_bytes().len(), size + extra);
                let expected = Header {
                    fin: true,
                    compressed: false,
                    opcode: Opcode::Binary,
                    mask,
                    len,
                    size: size + extra,
                };
                assert_eq!(header(encoded.as_bytes(), role), Ok(Decoded::Header(expected)));
                for cut in 0..size + extra {
                    let wanted = if cut < 2 { 2 } else { size + extra };
                    assert_eq!(header(&encoded.as_bytes()[..cut], role), Ok(Decoded::Partial(wanted)));
                }
            }
        }
    }

    /// T-81.
    #[test]
    fn lengths_that_are_padded_or_huge() {
        for (octets, error) in [
            (vec![0x82, 126, 0, 125], FrameError::PaddedLength { length: 125 }),
            (vec![0x82, 126, 0, 0], FrameError::PaddedLength { length: 0 }),
            (vec![0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], FrameError::PaddedLength { length: 65_535 }),
            (vec![0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], FrameError::HugeLength { length: 1 << 63 }),
            ([&[0x82, 127][..], &[0xFF; 8]].concat(), FrameError::HugeLength { length: u64::MAX }),
        ] {
            assert_eq!(header(&octets, Client), Err(error));
        }
        let most = [&[0x82, 127, 0x7F][..], &[0xFF; 7]].concat();
        let Ok(Decoded::Header(read)) = header(&most, Client) else { panic!("2^63 - 1 is a length") };
        assert_eq!(read.len, usize::try_from(i64::MAX).unwrap_or(usize::MAX));
    }

    /// Every first octet, with and without compression negotiated.
    #[test]
    fn every_first_octet() {
        for octet in 0..=u8::MAX {
            for deflate in [false, true] {
                let (fin, rsv, opcode) = (octet & 0x80 != 0, octet >> 4 & 7, octet & 15);
                let error = match opcode {
                    3..=7 | 11..=15 => Some(FrameError::Opcode { found: opcode }),
                    _ if rsv & 3 != 0 => Some(FrameError::ReservedBits { octet }),
                    _ if rsv == 4 && !(deflate && matches!(opcode, 1 | 2)) => {
                        Some(FrameError::ReservedBits { octet })
                    }
                    8..=10 if !fin => Some(FrameError::FragmentedControl { opcode }),
                    _ => None,
                };
                let read = Header::decode(&[octet, 0], Client, deflate);
                match error {
                    Some(error) => assert_eq!(read, Err(error)),
                    None => assert!(matches!(read, Ok(Decoded::Header(header)) if header.fin == fin)),
                }
            }
        }
    }

    /// T-86 and T-87, as far as a header shows it.
    #[test]
    fn masks_and_long_control_frames() {
        assert_eq!(header(&[0x82, 0], Server), Err(FrameError::Unmasked));
        assert_eq!(header(&[0x82, 0x80, 0, 0, 0, 0], Client), Err(FrameError::Masked));
        for opcode in [8, 9, 10] {
            for short in [126, 127] {
                let error = Err(FrameError::LongControl { opcode });
                assert_eq!(header(&[0x80 | opcode, short], Client), error);
                assert_eq!(header(&[0x80 | opcode, 0x80 | short], Server), error);
            }
            assert!(matches!(header(&[0x80 | opcode, 125], Client), Ok(Decoded::Header(_))));
        }
    }

    proptest! {
        #[test]
        fn a_longer_buffer_finds_the_same(bytes in any::<Vec<u8>>(), is_server: bool, deflate: bool) {
            let role = if is_server { Server } else { Client };
            let whole = Header::decode(&bytes, role, deflate);
            for cut in 0..bytes.len() {
                match Header::decode(&bytes[..cut], role, deflate) {
                    Ok(Decoded::Partial(size)) => prop_assert!(size > cut),
                    found => prop_assert_eq!(&found, &whole),
                }
            }
        }
    }
}

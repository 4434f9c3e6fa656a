//! The header of a frame: `RRRRXTTT` and a length of 24 bits.

use super::RawSocketError;
use crate::transport::FrameKind;

/// Octets of a frame header.
pub(super) const HEADER_LEN: usize = 4;
/// Bytes of the largest message sent. One byte more would need the X bit, which deployed peers mask away.
pub(super) const MAX_SEND: usize = (1 << 24) - 1;

const RESERVED: u8 = 0b1111_0000;
const EXTRA_LENGTH: u8 = 0b0000_1000;
const TYPE: u8 = 0b0000_0111;

/// A frame header, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: FrameKind,
    /// Bytes of the payload, up to 2^24.
    pub(super) len: usize,
}

impl Header {
    pub(super) fn decode([first, high, middle, low]: [u8; HEADER_LEN]) -> Result<Self, RawSocketError> {
        if first & RESERVED != 0 {
            return Err(RawSocketError::ReservedBits { octet: first });
        }
        let kind = match first & TYPE {
            0 => FrameKind::Message,
            1 => FrameKind::Ping,
            2 => FrameKind::Pong,
            found => return Err(RawSocketError::FrameType { found }),
        };
        let length = u32::from_be_bytes([0, high, middle, low]);
        let length = match (first & EXTRA_LENGTH != 0, length) {
            (false, length) => length,
            (true, 0) => 1 << 24,
            (true, length) => return Err(RawSocketError::FrameLength { length }),
        };
        Ok(Self { kind, len: usize::try_from(length).unwrap_or(usize::MAX) })
    }

    /// The header of a frame of up to [`MAX_SEND`] bytes; callers have checked that.
    pub(super) fn encode(kind: FrameKind, len: usize) -> [u8; HEADER_LEN] {
        debug_assert!(len <= MAX_SEND);
        let code = match kind {
            FrameKind::Message => 0,
            FrameKind::Ping => 1,
            FrameKind::Pong => 2,
        };
        let [_, high, middle, low] = u32::try_from(len.min(MAX_SEND)).unwrap_or(0).to_be_bytes();
        [code, high, middle, low]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_first_octet() {
        for first in 0..=u8::MAX {
            let short = Header::decode([first, 0, 0, 5]);
            let empty = Header::decode([first, 0, 0, 0]);
            let kind = match first & 7 {
                0 => FrameKind::Message,
                1 => FrameKind::Ping,
                _ => FrameKind::Pong,
            };
            if first >= 16 {
                let error = Err(RawSocketError::ReservedBits { octet: first });
                assert_eq!((short, empty), (error, error));
            } else if first & 7 > 2 {
                let error = Err(RawSocketError::FrameType { found: first & 7 });
                assert_eq!((short, empty), (error, error));
            } else if first & 8 != 0 {
                assert_eq!(short, Err(RawSocketError::FrameLength { length: 5 }));
                assert_eq!(empty, Ok(Header { kind, len: 1 << 24 }));
            } else {
                assert_eq!(short, Ok(Header { kind, len: 5 }));
                assert_eq!(empty, Ok(Header { kind, len: 0 }));
            }
        }
    }

    #[test]
    fn headers_survive_the_way() {
        for kind in [FrameKind::Message, FrameKind::Ping, FrameKind::Pong] {
            for len in [0, 1, 255, 256, 65_535, 65_536, MAX_SEND] {
                assert_eq!(Header::decode(Header::encode(kind, len)), Ok(Header { kind, len }));
            }
        }
        assert_eq!(Header::encode(FrameKind::Message, MAX_SEND), [0, 0xFF, 0xFF, 0xFF]);
        assert_eq!(Header::encode(FrameKind::Pong, 0x01_0203), [2, 1, 2, 3]);
    }
}

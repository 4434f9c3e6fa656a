//! The four octets each end says first: `7F LS 00 00`, or `7F E0 00 00` to refuse.

use super::{HandshakeError, RawSocketError};
use crate::limits::{MAX_MESSAGE_SIZE, MIN_MESSAGE_SIZE};
use crate::serializer::Serializer;

/// Octets of a handshake.
pub(super) const LEN: usize = 4;
pub(super) const MAGIC: u8 = 0x7F;
/// The length 0 of the handshake stands for 2^9 bytes.
const MIN_EXPONENT: u32 = 9;

/// The receive limit as the four bits of the handshake. Rounded down to a power of two: what is announced is
/// a promise to the peer, so it must not exceed what the owner allows.
pub(super) fn length_code(max_receive: usize) -> u8 {
    let exponent = max_receive.clamp(MIN_MESSAGE_SIZE, MAX_MESSAGE_SIZE).ilog2();
    u8::try_from(exponent.saturating_sub(MIN_EXPONENT)).unwrap_or(0)
}

/// Bytes that the four length bits stand for.
pub(super) fn length(code: u8) -> usize {
    MIN_MESSAGE_SIZE.checked_shl(u32::from(code & 0x0F)).unwrap_or(MAX_MESSAGE_SIZE)
}

/// A request, or a reply that accepts.
pub(super) fn encode(length_code: u8, serializer: Serializer) -> [u8; LEN] {
    [MAGIC, (length_code << 4) | serializer.rawsocket_id(), 0, 0]
}

/// A reply that refuses.
pub(super) fn refusal(error: HandshakeError) -> [u8; LEN] {
    [MAGIC, error.code() << 4, 0, 0]
}

/// Reads a client's request: the serializer and the bytes the client is willing to receive. The magic octet
/// has been checked. Reserved octets come first: they might change the meaning of the others one day.
pub(super) fn read_request(
    [_, octet, high, low]: [u8; LEN],
    accepted: &[Serializer],
) -> Result<(Serializer, usize), RawSocketError> {
    check_reserved(high, low)?;
    let requested = octet & 0x0F;
    match Serializer::from_rawsocket_id(requested).filter(|serializer| accepted.contains(serializer)) {
        Some(serializer) => Ok((serializer, length(octet >> 4))),
        None => Err(RawSocketError::UnsupportedSerializer { requested }),
    }
}

/// Reads a server's reply: the bytes the server is willing to receive. In a refusal the code counts and
/// nothing else.
pub(super) fn read_reply(
    [_, octet, high, low]: [u8; LEN],
    requested: Serializer,
) -> Result<usize, RawSocketError> {
    let (upper, answered) = (octet >> 4, octet & 0x0F);
    if answered == 0 {
        return Err(RawSocketError::Refused(HandshakeError::from_code(upper)));
    }
    check_reserved(high, low)?;
    if answered != requested.rawsocket_id() {
        return Err(RawSocketError::SerializerMismatch { requested: requested.rawsocket_id(), answered });
    }
    Ok(length(upper))
}

/// The refusal a faulty request deserves, if it came from a RawSocket client at all.
pub(super) fn refusal_for(error: RawSocketError) -> Option<HandshakeError> {
    match error {
        RawSocketError::UnsupportedSerializer { .. } => Some(HandshakeError::SerializerUnsupported),
        RawSocketError::ReservedOctets { .. } => Some(HandshakeError::ReservedBits),
        _ => None,
    }
}

fn check_reserved(high: u8, low: u8) -> Result<(), RawSocketError> {
    match u16::from_be_bytes([high, low]) {
        0 => Ok(()),
        found => Err(RawSocketError::ReservedOctets { found }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announces_the_power_of_two_below_the_limit() {
        for (max_receive, code, bytes) in [
            (0, 0, 512),
            (512, 0, 512),
            (1023, 0, 512),
            (1024, 1, 1024),
            (1_000_000, 10, 1 << 19),
            (1 << 20, 11, 1 << 20),
            ((1 << 24) - 1, 14, 1 << 23),
            (1 << 24, 15, 1 << 24),
            (usize::MAX, 15, 1 << 24),
        ] {
            assert_eq!(length_code(max_receive), code, "{max_receive}");
            assert_eq!(length(code), bytes, "{max_receive}");
        }
    }

    #[test]
    fn every_second_octet_of_a_request() {
        for octet in 0..=u8::MAX {
            let result = read_request([MAGIC, octet, 0, 0], &[Serializer::Json, Serializer::Cbor]);
            let expected = match octet & 0x0F {
                1 => Ok((Serializer::Json, 1 << (9 + (octet >> 4)))),
                3 => Ok((Serializer::Cbor, 1 << (9 + (octet >> 4)))),
                requested => Err(RawSocketError::UnsupportedSerializer { requested }),
            };
            assert_eq!(result, expected);
        }
    }

    #[test]
    fn every_second_octet_of_a_reply() {
        for octet in 0..=u8::MAX {
            let result = read_reply([MAGIC, octet, 0, 0], Serializer::MsgPack);
            let expected = match (octet >> 4, octet & 0x0F) {
                (code, 0) => Err(RawSocketError::Refused(HandshakeError::from_code(code))),
                (code, 2) => Ok(512 << code),
                (_, answered) => Err(RawSocketError::SerializerMismatch { requested: 2, answered }),
            };
            assert_eq!(result, expected);
        }
    }

    #[test]
    fn refusals_keep_their_codes() {
        for code in 1..=15 {
            assert_eq!(HandshakeError::from_code(code).code(), code);
            assert_eq!(refusal(HandshakeError::from_code(code)), [0x7F, code << 4, 0, 0]);
        }
        // Code 0 must never be sent.
        assert_eq!(HandshakeError::Unknown(0).code(), 15);
        assert_eq!(HandshakeError::Unknown(16).code(), 15);
    }
}

//! Close frames: codes, reasons, and which of them may be sent (RFC 6455 section 7.4).

use bytestring::ByteString;

use super::error::FrameError;

/// The purpose is fulfilled.
pub(super) const NORMAL: u16 = 1000;
/// The peer broke the protocol.
pub(super) const PROTOCOL_ERROR: u16 = 1002;
/// A message of a kind that is not accepted.
pub(super) const UNSUPPORTED: u16 = 1003;
/// A message that is not what its kind says: text that is not UTF-8.
pub(super) const INVALID_DATA: u16 = 1007;
/// A message that is too large.
pub(super) const TOO_BIG: u16 = 1009;

/// Bytes of a reason: a control frame has room for 125, and the code takes two.
const MAX_REASON: usize = 123;

/// Whether a Close frame may carry this code: those of the registry that are meant to be sent, and the
/// ranges for libraries and applications. 1004 has no meaning; 1005, 1006 and 1015 stand for things that
/// happened without a code.
pub(super) const fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// Reads a Close frame: its code, if it has one, and its reason.
pub(super) fn decode(payload: &[u8]) -> Result<(Option<u16>, ByteString), FrameError> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok((None, ByteString::new())) } else { Err(FrameError::CloseLength) };
    };
    let code = u16::from_be_bytes(*code);
    if !may_be_sent(code) {
        return Err(FrameError::CloseCode { code });
    }
    match core::str::from_utf8(reason) {
        Ok(reason) => Ok((Some(code), ByteString::from(reason))),
        Err(_) => Err(FrameError::CloseReason),
    }
}

/// The payload of a Close frame. A code that must not be sent becomes 1000; a reason that is too long is
/// cut at a character.
#[derive(Clone, Copy, Debug)]
pub(super) struct Payload {
    bytes: [u8; MAX_REASON + 2],
    len: usize,
}

impl Payload {
    /// Without a code there is no reason either.
    pub(super) fn new(code: Option<u16>, reason: &str) -> Self {
        let mut payload = Self { bytes: [0; MAX_REASON + 2], len: 0 };
        if let Some(code) = code {
            let code = if may_be_sent(code) { code } else { NORMAL };
            let octets = code.to_be_bytes().into_iter().chain(shortened(reason).bytes());
            for (slot, octet) in payload.bytes.iter_mut().zip(octets) {
                *slot = octet;
                payload.len = payload.len.saturating_add(1);
            }
        }
        payload
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// As much of a reason as fits, cut at a character.
fn shortened(reason: &str) -> &str {
    let end = (0..=MAX_REASON).rev().find(|end| reason.is_char_boundary(*end)).unwrap_or(0);
    if reason.len() <= MAX_REASON { reason } else { reason.get(..end).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    #[test]
    fn every_code() {
        for code in 0..=u16::MAX {
            let expected = match code {
                1000 | 1001 | 1002 | 1003 | 1007 | 1008 | 1009 | 1010 | 1011 | 1012 | 1013 | 1014 => true,
                3000..=4999 => true,
                _ => false,
            };
            assert_eq!(may_be_sent(code), expected, "{code}");
            let read = decode(&code.to_be_bytes());
            let wanted =
                if expected { Ok((Some(code), "".into())) } else { Err(FrameError::CloseCode { code }) };
            assert_eq!(read, wanted);
        }
    }

    #[test]
    fn payloads() {
        assert_eq!(decode(b""), Ok((None, "".into())));
        assert_eq!(decode(b"\x03"), Err(FrameError::CloseLength));
        assert_eq!(decode(b"\x03\xE8bye"), Ok((Some(1000), "bye".into())));
        assert_eq!(decode(b"\x03\xE8\xFF"), Err(FrameError::CloseReason));
        assert_eq!(decode(b"\x03\xE8\xE2\x82"), Err(FrameError::CloseReason));
    }

    #[test]
    fn what_is_written_can_be_read() {
        assert_eq!(Payload::new(None, "no code, no reason").as_bytes(), b"");
        for (code, reason) in [(1000, ""), (1009, "too large"), (4999, "€")] {
            let payload = Payload::new(Some(code), reason);
            assert_eq!(decode(payload.as_bytes()), Ok((Some(code), reason.into())));
        }
        assert_eq!(Payload::new(Some(1005), "").as_bytes(), 1000_u16.to_be_bytes());
        let long: String = "€".repeat(60);
        let payload = Payload::new(Some(1000), &long);
        assert_eq!(payload.as_bytes().len(), 2 + 123);
        assert_eq!(decode(payload.as_bytes()).unwrap().1.chars().count(), 41);
        let shifted = alloc::format!("a{long}");
        assert_eq!(Payload::new(Some(1000), &shifted).as_bytes().len(), 2 + 121);
    }
}

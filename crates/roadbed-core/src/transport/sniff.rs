//! What a connection is going to speak, from its first bytes: one port for everything.

use bytes::Bytes;

use super::websocket::{ServerHandshake, UpgradeError};

/// The first byte of a TLS record that holds an alert: what a TLS server answers to anything but TLS.
pub(super) const TLS_ALERT: u8 = 0x15;

/// What the first bytes of a connection say about the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Sniff {
    /// Too few bytes to tell.
    More,
    /// The magic octet of RawSocket.
    RawSocket,
    /// A TLS handshake record.
    Tls,
    /// The letters that begin an HTTP method: an upgrade to WebSocket, or a browser that looks in.
    Http,
    /// None of them.
    Unknown,
}

/// Tells from the first bytes of a connection, as the client sent them, what it speaks. Nothing is consumed:
/// the bytes go to whatever is found.
///
/// Two bytes are enough: RawSocket begins with 0x7F, a TLS record with 0x16 0x03, and HTTP with a letter.
/// Whether what follows the letter is HTTP in truth is for its parser to say, which answers in HTTP.
///
/// ```
/// use roadbed_core::transport::{Sniff, sniff};
///
/// assert_eq!(sniff(b""), Sniff::More);
/// assert_eq!(sniff(b"\x7F\xF1\0\0"), Sniff::RawSocket);
/// assert_eq!(sniff(b"GET /ws HTTP/1.1\r\n"), Sniff::Http);
/// ```
pub const fn sniff(first: &[u8]) -> Sniff {
    match first {
        [] | [0x16] => Sniff::More,
        [0x7F, ..] => Sniff::RawSocket,
        [0x16, 0x03, ..] => Sniff::Tls,
        [b'A'..=b'Z' | b'a'..=b'z', ..] => Sniff::Http,
        _ => Sniff::Unknown,
    }
}

/// What a port that takes TLS only answers to a client whose connection begins with `first`, and speaks no TLS, before
/// it closes: in HTTP where that is spoken, status 400 with a text, and else the alert of a TLS server.
///
/// ```
/// use roadbed_core::transport::answer_without_tls;
///
/// let answer = answer_without_tls(b"GET /ws HTTP/1.1\r\n");
/// assert!(answer.starts_with(b"HTTP/1.1 400 Bad Request\r\n") && answer.ends_with(b" connect with wss:// or https://.\n"));
/// ```
pub fn answer_without_tls(first: &[u8]) -> Bytes {
    match sniff(first) {
        Sniff::Http => ServerHandshake::turn_away(&UpgradeError::NoTls),
        _ => Bytes::from_static(&UNEXPECTED_MESSAGE),
    }
}

/// A fatal alert, `unexpected_message`, of TLS 1.2 (RFC 8446, section 6): every version has it.
const UNEXPECTED_MESSAGE: [u8; 7] = [TLS_ALERT, 3, 3, 0, 2, 2, 10];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_first_byte() {
        for byte in 0..=u8::MAX {
            let expected = match byte {
                0x7F => Sniff::RawSocket,
                0x16 => Sniff::More,
                byte if byte.is_ascii_alphabetic() => Sniff::Http,
                _ => Sniff::Unknown,
            };
            assert_eq!(sniff(&[byte]), expected, "{byte:#x}");
        }
        for byte in 0..=u8::MAX {
            let expected = if byte == 3 { Sniff::Tls } else { Sniff::Unknown };
            assert_eq!(sniff(&[0x16, byte]), expected, "{byte:#x}");
        }
    }

    #[test]
    fn more_bytes_never_change_the_verdict() {
        for stream in
            [&b"GET / HTTP/1.1\r\n"[..], b"\x7F\xF1\0\0", b"\x16\x03\x01\x02\0\x01", b"\x16\x02", b"\0"]
        {
            let mut known = None;
            for len in 0..=stream.len() {
                match (sniff(&stream[..len]), known) {
                    (Sniff::More, known) => assert_eq!(known, None),
                    (found, None) => known = Some(found),
                    (found, Some(known)) => assert_eq!(found, known),
                }
            }
            assert!(known.is_some());
        }
    }
}

//! The key of the handshake: proof that the server speaks WebSocket and read this very request.

use alloc::string::String;

use base64ct::{Base64, Encoding};
use sha1::{Digest, Sha1};

/// Appended to the key (RFC 6455, section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// 16 bytes in base64.
const KEY_LEN: usize = 24;

/// The client's key of these bytes.
pub(super) fn key(nonce: &[u8; 16]) -> String {
    Base64::encode_string(nonce)
}

/// Whether a client's key is 16 bytes in base64.
pub(super) fn is_key(key: &[u8]) -> bool {
    let mut nonce = [0; 18];
    key.len() == KEY_LEN && Base64::decode(key, &mut nonce).is_ok_and(|nonce| nonce.len() == 16)
}

/// The server's answer to a key.
pub(super) fn accept(key: &[u8]) -> String {
    Base64::encode_string(&Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 6455, section 1.3.
    #[test]
    fn the_example_of_the_specification() {
        assert_eq!(key(b"the sample nonce"), "dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn keys() {
        assert!(is_key(b"dGhlIHNhbXBsZSBub25jZQ=="));
        for wrong in [
            &b""[..],
            b"dGhlIHNhbXBsZSBub25jZQ",
            b"dGhlIHNhbXBsZSBub25jZQ= ",
            b"dGhlIHNhbXBsZSBub25jZXg=",
            b"dGhlIHNhbXBsZSBub25jZXh4",
            b"dGhlIHNhbXBsZSBub25j!Q==",
            b"====dGhlIHNhbXBsZSBub25j",
        ] {
            assert!(!is_key(wrong), "{wrong:?}");
        }
    }
}

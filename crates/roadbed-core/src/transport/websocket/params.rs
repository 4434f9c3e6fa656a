//! What the two ends agreed on for compression.

/// The parameters of permessage-deflate (RFC 7692 section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateParams {
    /// The client forgets what it sent after each message.
    pub client_no_context_takeover: bool,
    /// The server forgets what it sent after each message.
    pub server_no_context_takeover: bool,
    /// The client's window: 9 to 15 bits.
    pub client_max_window_bits: u8,
    /// The server's window: 9 to 15 bits.
    pub server_max_window_bits: u8,
}

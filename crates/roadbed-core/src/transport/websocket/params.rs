//! What the two ends agreed on for compression.

/// How both ends of a connection compress: the parameters of permessage-deflate (RFC 7692, section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateParams {
    /// The client begins each message with an empty window.
    pub client_no_context_takeover: bool,
    /// The server begins each message with an empty window.
    pub server_no_context_takeover: bool,
    /// The client's window is 2 to the power of this, 9 to 15.
    pub client_max_window_bits: u8,
    /// The server's window is 2 to the power of this, 9 to 15.
    pub server_max_window_bits: u8,
}

impl Default for DeflateParams {
    fn default() -> Self {
        Self {
            client_no_context_takeover: false,
            server_no_context_takeover: false,
            client_max_window_bits: 15,
            server_max_window_bits: 15,
        }
    }
}

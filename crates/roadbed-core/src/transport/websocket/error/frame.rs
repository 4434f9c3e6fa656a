//! What a peer did wrong in its frames.

use crate::transport::websocket::{MessageKind, close};

/// A fault in the frames of a WebSocket peer. It ends the stream; the peer is told by a Close frame with
/// [`close_code`](Self::close_code).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A reserved bit is set that no negotiated extension gives a meaning here (RFC 6455 section 5.2).
    #[error("reserved bits set in a frame header that begins with 0x{octet:02X}")]
    ReservedBits {
        /// The header's first octet.
        octet: u8,
    },
    /// An opcode from 3 to 7 or from 11 to 15.
    #[error("frame of the unknown opcode {found}")]
    Opcode {
        /// The opcode.
        found: u8,
    },
    /// A control frame without the FIN bit (section 5.5).
    #[error("fragmented control frame with opcode {opcode}")]
    FragmentedControl {
        /// Its opcode.
        opcode: u8,
    },
    /// A control frame with more than 125 bytes (section 5.5).
    #[error("control frame with opcode {opcode} of more than 125 bytes")]
    LongControl {
        /// Its opcode.
        opcode: u8,
    },
    /// On a server: a frame that is not masked (section 5.1).
    #[error("a frame from a client is not masked")]
    Unmasked,
    /// On a client: a frame that is masked (section 5.1).
    #[error("a frame from a server is masked")]
    Masked,
    /// A length that would fit into fewer octets (section 5.2).
    #[error("frame length {length} is not in its shortest form")]
    PaddedLength {
        /// The length.
        length: u64,
    },
    /// A length of 2^63 or more (section 5.2).
    #[error("frame length {length} has its highest bit set")]
    HugeLength {
        /// The length.
        length: u64,
    },
    /// A continuation, while no message is unfinished (section 5.4).
    #[error("continuation frame without a message to continue")]
    NothingToContinue,
    /// A new message, while another one is unfinished (section 5.4).
    #[error("a message begins before the fragmented one ended")]
    Interleaved,
    /// A message of a kind that is not accepted: in WAMP, JSON comes as text, everything else as binary.
    #[error("a {found} message, where only the other kind is accepted")]
    Kind {
        /// What came.
        found: MessageKind,
    },
    /// A text message that is not UTF-8 (section 8.1).
    #[error("text message is not UTF-8 from byte {offset} on")]
    Utf8 {
        /// Bytes of the message before the first wrong character.
        offset: usize,
    },
    /// A Close frame of one byte: half a code (section 5.5.1).
    #[error("close frame with half a code")]
    CloseLength,
    /// A Close frame with a code that must not be sent (section 7.4).
    #[error("close frame with the code {code}, which must not be sent")]
    CloseCode {
        /// The code.
        code: u16,
    },
    /// A Close frame with a reason that is not UTF-8 (section 5.5.1).
    #[error("the reason in a close frame is not UTF-8")]
    CloseReason,
    /// A compressed message that cannot be inflated (RFC 7692).
    #[error("compressed message is malformed")]
    Deflate,
    /// A compressed message that becomes too large. What it would have become is not known.
    #[error("compressed message inflates to more than {limit} bytes")]
    Inflated {
        /// Bytes allowed.
        limit: usize,
    },
}

impl FrameError {
    /// The code of the Close frame that answers it: 1007 for text that is none and for data that cannot be
    /// inflated, 1009 for a message too large, 1003 for one of the wrong kind, 1002 for everything else.
    pub const fn close_code(&self) -> u16 {
        match self {
            Self::Utf8 { .. } | Self::CloseReason | Self::Deflate => close::INVALID_DATA,
            Self::Inflated { .. } => close::TOO_BIG,
            Self::Kind { .. } => close::UNSUPPORTED,
            _ => close::PROTOCOL_ERROR,
        }
    }
}

//! Faults in the terms of the RawSocket transport.

/// Why a server refuses a handshake: the error codes of the specification's "Handshake" section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// Code 1.
    #[error("serializer unsupported")]
    SerializerUnsupported,
    /// Code 2.
    #[error("maximum message length unacceptable")]
    LengthUnacceptable,
    /// Code 3.
    #[error("use of reserved bits")]
    ReservedBits,
    /// Code 4.
    #[error("maximum connection count reached")]
    ConnectionLimit,
    /// A code without a meaning: 0 or 5 to 15 when received. Sent as it is from 1 to 15, else as 15.
    #[error("error code {0}")]
    Unknown(u8),
}

impl HandshakeError {
    pub(super) const fn from_code(code: u8) -> Self {
        match code {
            1 => Self::SerializerUnsupported,
            2 => Self::LengthUnacceptable,
            3 => Self::ReservedBits,
            4 => Self::ConnectionLimit,
            code => Self::Unknown(code),
        }
    }

    /// The code on the wire, 1 to 15.
    pub const fn code(self) -> u8 {
        match self {
            Self::SerializerUnsupported => 1,
            Self::LengthUnacceptable => 2,
            Self::ReservedBits => 3,
            Self::ConnectionLimit => 4,
            Self::Unknown(code @ 1..=15) => code,
            Self::Unknown(_) => 15,
        }
    }
}

/// A fault of a peer, or a refusal, in the terms of RawSocket. It ends the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RawSocketError {
    /// The first octet of the handshake is not 0x7F: the peer does not speak RawSocket.
    #[error("not a RawSocket handshake: it begins with 0x{found:02X} instead of 0x7F{}", hint(*.found))]
    BadMagic {
        /// The octet received.
        found: u8,
    },
    /// On a client: the server answered in TLS.
    #[error("this port wants TLS: connect with rss:// instead of rs://")]
    WantsTls,
    /// The server refused the handshake; on a server, the refusal the owner asked for.
    #[error("handshake refused: {0}")]
    Refused(HandshakeError),
    /// On a server: the client asked for a serializer that is not on offer. It was refused with code 1.
    #[error("handshake asks for serializer {requested}, which is not on offer")]
    UnsupportedSerializer {
        /// The serializer's number; 0 is illegal.
        requested: u8,
    },
    /// On a client: the server accepted with another serializer than the one asked for.
    #[error("handshake asked for serializer {requested}, the server answered {answered}")]
    SerializerMismatch {
        /// The number asked for.
        requested: u8,
        /// The number answered.
        answered: u8,
    },
    /// The reserved octets of the handshake are not zero. A server refuses with code 3.
    #[error("reserved octets of the handshake are 0x{found:04X}")]
    ReservedOctets {
        /// The third and fourth octet.
        found: u16,
    },
    /// The reserved bits of a frame header are not zero.
    #[error("reserved bits set in a frame header that begins with 0x{octet:02X}")]
    ReservedBits {
        /// The header's first octet.
        octet: u8,
    },
    /// A frame of a type from 3 to 7.
    #[error("frame of the unknown type {found}")]
    FrameType {
        /// The type.
        found: u8,
    },
    /// The 25th length bit together with others: only exactly 2^24 bytes can be meant by it.
    #[error("frame header has the extra length bit set and a length of {length}")]
    FrameLength {
        /// The lower 24 bits.
        length: u32,
    },
}

/// What the first octet may mean.
const fn hint(found: u8) -> &'static str {
    match found {
        b'H' => ", as HTTP does: connect with ws:// instead of rs://",
        _ => "",
    }
}

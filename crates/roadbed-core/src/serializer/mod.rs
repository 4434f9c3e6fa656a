//! Serializers: messages to bytes and back.

/// Runs `$run` with `$Reader` and `$Writer` naming the reader and writer of `$serializer`.
macro_rules! with_format {
    ($serializer:expr, ($Reader:ident, $Writer:ident) => $run:expr) => {
        match $serializer {
            $crate::serializer::Serializer::Json => {
                type $Reader<'a> = $crate::serializer::json::JsonReader<'a>;
                type $Writer<'o> = $crate::serializer::json::JsonWriter<'o>;
                $run
            }
            $crate::serializer::Serializer::MsgPack => {
                type $Reader<'a> = $crate::serializer::msgpack::MsgPackReader<'a>;
                type $Writer<'o> = $crate::serializer::msgpack::MsgPackWriter<'o>;
                $run
            }
            $crate::serializer::Serializer::Cbor => {
                type $Reader<'a> = $crate::serializer::cbor::CborReader<'a>;
                type $Writer<'o> = $crate::serializer::cbor::CborWriter<'o>;
                $run
            }
        }
    };
}

pub(crate) mod batched;
mod binary;
mod cbor;
mod envelope;
mod json;
pub(crate) mod keys;
mod lengths;
mod msgpack;
mod outbound;
pub(crate) mod parts;
pub(crate) mod portable;
mod reader;
mod transcode;
pub(crate) mod typed;
mod values;
mod walk;
mod writer;

pub use batched::BatchError;
pub(crate) use cbor::holds_binary;
pub(crate) use outbound::CHAIN_THRESHOLD;
pub use outbound::{Encoded, Outbound};
pub use reader::{Kind, Malformed, ReadError};
pub(crate) use reader::{Number, Reader, Scalar, Seq};
pub(crate) use transcode::transcode_value;
pub(crate) use writer::Writer;

/// A WAMP serialization format.
///
/// ```
/// use bytes::Bytes;
/// use roadbed_core::limits::Limits;
/// use roadbed_core::message::Message;
/// use roadbed_core::serializer::Serializer;
///
/// let received = Bytes::from_static(b"[50,1,{},[\"two\",2]]");
/// let Message::CallResult(result) = Serializer::Json.decode(&received, &Limits::default())? else { panic!() };
/// assert_eq!(result.payload.args::<(String, u8)>()?, ("two".into(), 2));
///
/// // The same message for a peer of another serializer.
/// let mut out = bytes::BytesMut::new();
/// Serializer::MsgPack.encode(&result.into(), &mut out)?;
/// assert_eq!(&out[..], b"\x94\x32\x01\x80\x92\xa3two\x02");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Serializer {
    /// JSON, in text frames; binary travels as `"\u0000"` + base64.
    Json,
    /// MessagePack (version 5, `bin` apart from `str`).
    MsgPack,
    /// CBOR (RFC 8949).
    Cbor,
}

impl Serializer {
    /// Every serializer built in, by their numbers in RawSocket's handshake.
    pub const ALL: [Self; 3] = [Self::Json, Self::MsgPack, Self::Cbor];

    /// Every serializer built in, in the order in which clients ask for them unless they are told otherwise: the
    /// compact ones first, and of these the one that more routers speak. A router takes what the client prefers.
    pub const PREFERENCE: [Self; 3] = [Self::MsgPack, Self::Cbor, Self::Json];

    /// Its name in URLs, subprotocols and configuration: `json`, `msgpack` or `cbor`.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::MsgPack => "msgpack",
            Self::Cbor => "cbor",
        }
    }

    /// The serializer of this name.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|serializer| serializer.id() == id)
    }

    /// Whether messages are bytes (binary frames) rather than UTF-8 text.
    pub const fn is_binary(self) -> bool {
        !matches!(self, Self::Json)
    }

    /// The WebSocket subprotocol: `wamp.2.json`, `wamp.2.msgpack` or `wamp.2.cbor`.
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => "wamp.2.json",
            Self::MsgPack => "wamp.2.msgpack",
            Self::Cbor => "wamp.2.cbor",
        }
    }

    /// The serializer's number in the RawSocket handshake: 1, 2 or 3.
    pub const fn rawsocket_id(self) -> u8 {
        match self {
            Self::Json => 1,
            Self::MsgPack => 2,
            Self::Cbor => 3,
        }
    }

    /// The serializer with this number in the RawSocket handshake.
    pub fn from_rawsocket_id(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|serializer| serializer.rawsocket_id() == id)
    }
}

impl core::fmt::Display for Serializer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.id())
    }
}

//! The names by which WAMP's serializations are negotiated.

use core::fmt;

use crate::serializer::Serializer;

/// A WebSocket subprotocol of WAMP: a serializer, and whether a WebSocket message holds one WAMP message or
/// many ("WebSocket Transport" and "Batched WebSocket Transport" in the specification).
///
/// ```
/// use roadbed_core::serializer::Serializer;
/// use roadbed_core::transport::websocket::Subprotocol;
///
/// let batched = Subprotocol { serializer: Serializer::Json, batched: true };
/// assert_eq!(batched.name(), "wamp.2.json.batched");
/// assert_eq!(Subprotocol::parse("wamp.2.json.batched"), Some(batched));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subprotocol {
    /// How messages are encoded.
    pub serializer: Serializer,
    /// Whether a WebSocket message holds a batch of them.
    pub batched: bool,
}

impl Subprotocol {
    /// Every subprotocol built in: one message at a time first.
    pub const ALL: [Self; 6] = {
        let [json, msgpack, cbor] = Serializer::ALL;
        [
            Self::plain(json),
            Self::plain(msgpack),
            Self::plain(cbor),
            Self::batched(json),
            Self::batched(msgpack),
            Self::batched(cbor),
        ]
    };

    /// One WAMP message in each WebSocket message.
    pub const fn plain(serializer: Serializer) -> Self {
        Self { serializer, batched: false }
    }

    /// Any number of WAMP messages in each WebSocket message.
    pub const fn batched(serializer: Serializer) -> Self {
        Self { serializer, batched: true }
    }

    /// Its name in the handshake.
    pub const fn name(self) -> &'static str {
        match (self.serializer, self.batched) {
            (serializer, false) => serializer.subprotocol(),
            (Serializer::Json, true) => "wamp.2.json.batched",
            (Serializer::MsgPack, true) => "wamp.2.msgpack.batched",
            (Serializer::Cbor, true) => "wamp.2.cbor.batched",
        }
    }

    /// The subprotocol of this name. Case counts.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|subprotocol| subprotocol.name() == name)
    }
}

impl fmt::Display for Subprotocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for subprotocol in Subprotocol::ALL {
            assert_eq!(Subprotocol::parse(subprotocol.name()), Some(subprotocol));
        }
        for other in
            ["", "wamp", "wamp.2", "WAMP.2.JSON", "wamp.2.json ", "wamp.2.json.batchedx", "wamp.2.ubjson"]
        {
            assert_eq!(Subprotocol::parse(other), None, "{other:?}");
        }
    }
}

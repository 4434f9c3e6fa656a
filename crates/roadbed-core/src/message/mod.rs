//! The messages of WAMP: the 24 of the specification, and EVENT_RECEIVED.
//!
//! One struct a message, grouped as in the specification: the session, publish and subscribe, remote
//! procedure calls. Each is defined by a table of its elements in wire order; payloads stay
//! encoded ([`Payload`]).
//!
//! ```
//! use roadbed_core::id::{RequestId, SubscriptionId};
//! use roadbed_core::limits::Limits;
//! use roadbed_core::message::{Message, Subscribed};
//! use roadbed_core::serializer::Serializer;
//!
//! let message = Message::from(Subscribed {
//!     request: RequestId::new(1)?,
//!     subscription: SubscriptionId::new(42)?,
//! });
//! let mut out = bytes::BytesMut::new();
//! Serializer::Json.encode(&message, &mut out)?;
//! assert_eq!(&out[..], b"[33,1,42]");
//! assert_eq!(Serializer::Json.decode(&out.freeze(), &Limits::default())?, message);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub(crate) mod attributes;
pub(crate) mod detach;
mod details;
mod element;
mod passthru;
mod pubsub;
mod rpc;
mod session;
pub(crate) mod sparse;
pub(crate) mod table;
mod tail;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

pub use attributes::{Forward, RawDict};
pub use details::{
    CloseDetails, ErrorDetails, EventDetails, HelloDetails, InvocationDetails, ResultDetails,
    UnregisteredDetails, UnsubscribedDetails, WelcomeDetails,
};
pub(crate) use element::{Body, BodyError, Elements};
pub use passthru::{EncAlgo, PassThru, PassThruAttributes};
pub use pubsub::{
    Event, EventReceived, Publish, Published, Subscribe, Subscribed, Unsubscribe, Unsubscribed,
};
pub use rpc::{
    Call, CallResult, Cancel, Interrupt, Invocation, Register, Registered, Unregister, Unregistered, Yield,
};
pub use session::{Abort, Authenticate, Challenge, Error, Goodbye, Hello, Signature, Welcome};
pub use sparse::Sparse;
pub use table::{ElementInfo, KeyInfo};

use crate::id::RequestId;
use crate::payload::Payload;

/// Which side of a session sends a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// Only clients.
    Client,
    /// Only routers.
    Router,
    /// Either side.
    Both,
}

macro_rules! messages {
    ($($variant:ident = $code:literal $name:literal from $sender:ident;)*) => {
        /// Any message.
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum Message {
            $(#[doc = concat!($name, ", code ", stringify!($code), ".")] $variant($variant),)*
            /// A message of a type from 256 to 1023 that is not known. Receivers ignore and count it.
            Unknown(UnknownMessage),
        }

        /// The type of a message.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum MessageType {
            $(#[doc = concat!($name, ", code ", stringify!($code), ".")] $variant = $code,)*
        }

        impl MessageType {
            /// Every message type, by code.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its number on the wire.
            pub const fn code(self) -> u64 {
                self as u64
            }

            /// Its name in the specification.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The type with this number.
            pub const fn from_code(code: u64) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }

            /// Who may send it.
            pub const fn sender(self) -> Sender {
                match self { $(Self::$variant => Sender::$sender,)* }
            }
        }

        impl Message {
            /// Its type; `None` for an unknown one.
            pub const fn message_type(&self) -> Option<MessageType> {
                match self { $(Self::$variant(_) => Some(MessageType::$variant),)* Self::Unknown(_) => None }
            }

            /// The payload, for messages that can carry one.
            pub fn payload(&self) -> Option<&Payload> {
                match self { $(Self::$variant(body) => body.payload(),)* Self::Unknown(_) => None }
            }
        }

        $(impl From<$variant> for Message {
            fn from(message: $variant) -> Self {
                Self::$variant(message)
            }
        })*

        /// Calls `$run!(Type)` for the message type in `$type`.
        macro_rules! dispatch_type {
            ($message_type:expr, $run:ident) => {
                match $message_type { $($crate::message::MessageType::$variant => $run!($variant),)* }
            };
        }
        pub(crate) use dispatch_type;

        /// Calls `$run!(body)` for the body of `$message`, or evaluates `$unknown`.
        macro_rules! dispatch_message {
            ($message:expr, $run:ident, $unknown:expr) => {
                match $message {
                    $($crate::message::Message::$variant(body) => $run!(body),)*
                    $crate::message::Message::Unknown(_) => $unknown,
                }
            };
        }
        pub(crate) use dispatch_message;
    };
}

messages! {
    Hello = 1 "HELLO" from Client;
    Welcome = 2 "WELCOME" from Router;
    Abort = 3 "ABORT" from Both;
    Challenge = 4 "CHALLENGE" from Router;
    Authenticate = 5 "AUTHENTICATE" from Client;
    Goodbye = 6 "GOODBYE" from Both;
    Error = 8 "ERROR" from Both;
    Publish = 16 "PUBLISH" from Client;
    Published = 17 "PUBLISHED" from Router;
    Subscribe = 32 "SUBSCRIBE" from Client;
    Subscribed = 33 "SUBSCRIBED" from Router;
    Unsubscribe = 34 "UNSUBSCRIBE" from Client;
    Unsubscribed = 35 "UNSUBSCRIBED" from Router;
    Event = 36 "EVENT" from Router;
    Call = 48 "CALL" from Client;
    Cancel = 49 "CANCEL" from Client;
    CallResult = 50 "RESULT" from Router;
    Register = 64 "REGISTER" from Client;
    Registered = 65 "REGISTERED" from Router;
    Unregister = 66 "UNREGISTER" from Client;
    Unregistered = 67 "UNREGISTERED" from Router;
    Invocation = 68 "INVOCATION" from Router;
    Interrupt = 69 "INTERRUPT" from Router;
    Yield = 70 "YIELD" from Client;
    EventReceived = 337 "EVENT_RECEIVED" from Client;
}

/// A well-formed message of a type that is not known here, from 256 to 1023.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownMessage {
    /// The type's number.
    pub code: u16,
}

impl MessageType {
    /// Whether a request of this type may be answered with ERROR.
    pub const fn is_answered_by_error(self) -> bool {
        matches!(
            self,
            Self::Publish
                | Self::Subscribe
                | Self::Unsubscribe
                | Self::Call
                | Self::Register
                | Self::Unregister
                | Self::Invocation
        )
    }

    /// Whether the request id of this type is the next of its sender's sequence.
    pub const fn takes_request_id(self) -> bool {
        matches!(
            self,
            Self::Publish
                | Self::Subscribe
                | Self::Unsubscribe
                | Self::Call
                | Self::Register
                | Self::Unregister
                | Self::Invocation
        )
    }
}

impl core::fmt::Display for MessageType {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

/// An ERROR answer to `request`, without payload.
pub(crate) fn error_reply(request_type: MessageType, request: RequestId, error: crate::uri::Uri) -> Error {
    Error { request_type, request, details: Sparse::EMPTY, error, payload: Payload::EMPTY }
}

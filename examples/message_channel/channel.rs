//! What goes over the channels: messages, and leave to send more of them.
//!
//! A channel of the standard library is ordered and loses nothing, but it has no end that a flood would run
//! into. So each side may be [`WINDOW`] messages ahead of the other, and no more.

use std::sync::mpsc::Sender;

use bytes::Bytes;
use roadbed_core::serializer::{Encoded, Serializer};

/// Messages on their way that the other side has not taken yet, at most.
pub(crate) const WINDOW: usize = 16;

/// What messages are encoded in, on both sides. Binary, and the cheapest to read.
pub(crate) const SERIALIZER: Serializer = Serializer::MsgPack;

/// From a client to the router.
pub(crate) enum ToRouter {
    /// Here I am, and this is how you reach me.
    Open(Sender<ToClient>),
    /// A message, encoded.
    Message(Bytes),
    /// I took a message of yours.
    Taken,
    /// I am gone.
    Gone,
}

/// From the router to a client. When the router closes the line, it drops its end of the channel.
pub(crate) enum ToClient {
    /// A message. The router encodes what it queues, once for all who receive it.
    Message(Encoded),
    /// I took a message of yours.
    Taken,
}

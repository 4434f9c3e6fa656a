//! Hostile input: whatever a peer sends, decoding ends in a message or in a typed error that names
//! what is wrong, where, and which limit was passed. It never panics, recurses or allocates beyond its
//! bounds. Most of it runs in a thread with a stack of 64 KiB.

mod attributes;
mod elements;
mod forwarding;
mod memory;
mod nesting;
mod sizes;
mod stacks;
mod text;
mod truncation;
mod uris;
mod websocket;

use bytes::Bytes;
use roadbed_core::error::ProtocolViolation;
use roadbed_core::limits::Limits;
use roadbed_core::message::Message;
use roadbed_core::serializer::Serializer;
use roadbed_tests::alloc::Counting;
use roadbed_tests::wire::Wire;

#[global_allocator]
static COUNTING: Counting = Counting;

/// The stack that decoding has to live with.
const STACK: usize = 64 << 10;

/// Runs `code` in a thread with a stack of 64 KiB. Panics are passed on.
fn in_small_stack<T: Send + 'static>(code: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(code).unwrap();
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn decode(serializer: Serializer, bytes: impl Into<Bytes>) -> Result<Message, ProtocolViolation> {
    serializer.decode(&bytes.into(), &Limits::default())
}

/// Decodes the message with these elements.
fn send(serializer: Serializer, elements: &Wire) -> Result<Message, ProtocolViolation> {
    decode(serializer, elements.encode(serializer))
}

/// The text of the error that the message with these elements causes.
fn refusal(serializer: Serializer, elements: &Wire) -> String {
    match send(serializer, elements) {
        Ok(message) => panic!("{serializer} accepted {message:?}"),
        Err(error) => error.to_string(),
    }
}

/// Elements of a message from values of different types.
macro_rules! message {
    ($($element:expr),* $(,)?) => {
        roadbed_tests::wire::Wire::List(vec![$(roadbed_tests::wire::Wire::from($element)),*])
    };
}
use message;

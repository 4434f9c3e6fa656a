//! What forwarding a message costs: no copy of a large payload, a known number of allocations.

use bytes::{Bytes, BytesMut};
use roadbed_core::id::{PublicationId, RegistrationId, RequestId, SubscriptionId};
use roadbed_core::limits::Limits;
use roadbed_core::message::{Event, Invocation, Message, Sparse};
use roadbed_core::serializer::{Encoded, Outbound, Serializer};
use roadbed_tests::alloc::{Usage, measure};
use roadbed_tests::wire::{Wire, dict, list, text};

use super::message;

/// Allocations of a message that is received, forwarded and encoded, in a loop with warm buffers.
///
/// * up to 16 KiB: none. The payload is a slice of the read buffer, the encoding one of the arena.
/// * above: three, the notes where large parts belong, the list of chunks, and the same to be shared.
/// * one more when the options received are not empty.
///
/// Every further receiver of an event costs none.
const SMALL: usize = 0;
const LARGE: usize = 3;
const OPTIONS: usize = 1;

/// A read buffer with one message in it, as a transport has it.
fn receive(buffer: &mut BytesMut, bytes: &[u8]) -> Bytes {
    buffer.extend_from_slice(bytes);
    buffer.split_to(bytes.len()).freeze()
}

fn payload(size: usize, is_binary: bool) -> Wire {
    if is_binary { Wire::Binary(vec![7; size]) } else { text("x".repeat(size)) }
}

/// Decodes a CALL and encodes the INVOCATION that carries its payload.
fn forward_call(serializer: Serializer, received: &Bytes, arena: &mut BytesMut) -> Encoded {
    let Ok(Message::Call(call)) = serializer.decode(received, &Limits::default()) else { panic!() };
    let invocation = Invocation {
        request: RequestId::MIN,
        registration: RegistrationId::MIN,
        details: Sparse::EMPTY,
        payload: call.payload,
    };
    Outbound::new(invocation).encode(serializer, arena).unwrap()
}

/// Decodes a PUBLISH and encodes the EVENT that carries its payload, for several receivers.
fn forward_event(serializer: Serializer, received: &Bytes, arena: &mut BytesMut) -> Encoded {
    let Ok(Message::Publish(publish)) = serializer.decode(received, &Limits::default()) else { panic!() };
    let mut outbound = Outbound::new(Event {
        subscription: SubscriptionId::MIN,
        publication: PublicationId::MIN,
        details: Sparse::EMPTY,
        payload: publish.payload,
    });
    let first = outbound.encode(serializer, arena).unwrap();
    for _ in 0..100 {
        let next = outbound.encode(serializer, arena).unwrap();
        assert_eq!(next.chunks()[0].as_ptr(), first.chunks()[0].as_ptr());
    }
    first
}

type Forward = fn(Serializer, &Bytes, &mut BytesMut) -> Encoded;

/// What the hundredth of a hundred messages costs.
fn warm(forward: Forward, serializer: Serializer, message: &[u8]) -> Usage {
    let mut buffer = BytesMut::with_capacity(256 * (message.len() + 64));
    let mut arena = BytesMut::with_capacity(256 * (message.len() + 64));
    let mut usage = None;
    for _ in 0..100 {
        let received = receive(&mut buffer, message);
        usage = Some(measure(|| forward(serializer, &received, &mut arena)).1);
    }
    usage.unwrap()
}

#[test]
fn a_forwarded_message_costs_a_known_number_of_allocations() {
    for serializer in Serializer::ALL {
        for is_binary in [true, false] {
            for (size, expected) in
                [(0, SMALL), (350, SMALL), (12_000, SMALL), (25_000, LARGE), (64 << 10, LARGE)]
            {
                let args = || list([payload(size, is_binary)]);
                let call = |options| message![48, 7, options, text("com.example.add"), args()];
                let publish = |options| message![16, 7, options, text("com.example.tick"), args()];
                let options = dict([("acknowledge", Wire::Bool(true))]);
                for (name, forward, elements, expected) in [
                    ("CALL", forward_call as Forward, call(dict([])), expected),
                    (
                        "CALL with options",
                        forward_call,
                        call(dict([("timeout", Wire::from(9))])),
                        expected + OPTIONS,
                    ),
                    ("PUBLISH", forward_event, publish(dict([])), expected),
                    ("PUBLISH with options", forward_event, publish(options), expected + OPTIONS),
                ] {
                    let usage = warm(forward, serializer, &elements.encode(serializer));
                    let place = format!("{name} of {size} in {serializer}");
                    println!("{place}: {usage:?}");
                    assert_eq!(usage.allocations, expected, "{place}: {usage:?}");
                    assert!(usage.peak < 1024, "{place}: {usage:?}");
                }
            }
        }
    }
}

#[test]
fn large_payloads_are_chained_and_never_copied() {
    for serializer in Serializer::ALL {
        for (args, kwargs) in [(20_000, 0), (0, 20_000), (20_000, 300_000), (300, 20_000), (1 << 20, 1)] {
            let elements = message![
                48,
                7,
                dict([]),
                text("com.example.add"),
                list([payload(args, true)]),
                dict([("k", payload(kwargs, false))]),
            ];
            let received = Bytes::from(elements.encode(serializer));
            let mut arena = BytesMut::with_capacity(64 << 10);
            let (encoded, usage) = measure(|| forward_call(serializer, &received, &mut arena));
            let place = format!("{args} and {kwargs} in {serializer}: {usage:?}");
            let inside = |chunk: &Bytes| received.as_ptr_range().contains(&chunk.as_ptr());
            let (chained, copied): (Vec<_>, Vec<_>) =
                encoded.chunks().iter().filter(|chunk| !chunk.is_empty()).partition(|chunk| inside(chunk));
            let large = [args, kwargs].iter().filter(|size| **size > 16 << 10).count();
            assert_eq!(chained.len(), large, "{place}");
            assert!(chained.iter().all(|chunk| chunk.len() > 16 << 10), "{place}");
            let copied: usize = copied.iter().map(|chunk| chunk.len()).sum();
            assert!(copied < 600, "{place}");
            assert!(usage.peak < 1024, "{place}");

            // The chunks together are what would have been written in one piece.
            let Ok(Message::Call(call)) = serializer.decode(&received, &Limits::default()) else { panic!() };
            let mut whole = BytesMut::new();
            let invocation = Invocation {
                request: RequestId::MIN,
                registration: RegistrationId::MIN,
                details: Sparse::EMPTY,
                payload: call.payload,
            };
            serializer.encode(&invocation.into(), &mut whole).unwrap();
            assert_eq!(encoded.len(), whole.len(), "{place}");
            assert!(encoded.chunks().concat() == whole, "{place}");
        }
    }
}

#[test]
fn an_arena_is_shared_by_many_messages() {
    for serializer in Serializer::ALL {
        let call = message![48, 7, dict([]), text("com.example.add"), list([payload(20_000, false)])];
        let received = Bytes::from(call.encode(serializer));
        let mut arena = BytesMut::with_capacity(64 << 10);
        arena.extend_from_slice(b"begun");
        let all: Vec<_> = (0..100).map(|_| forward_call(serializer, &received, &mut arena)).collect();
        assert_eq!(arena, b"begun"[..]);
        for encoded in &all {
            assert_eq!(encoded.chunks().concat(), all[0].chunks().concat());
        }
    }
}

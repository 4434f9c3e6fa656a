//! Whole messages: [`Serializer::decode`] and [`Serializer::encode`].
//!
//! * What decodes under small limits decodes to the same under large ones, and what only large ones allow is
//!   refused by a limit.
//! * What was decoded can be encoded, decodes to the same again, and its encoding is a fixed point.
//! * Encoded for another serializer it comes back unchanged, or the error says what cannot be carried.
//! * Payloads are slices of the input, or nothing of them can be read, in the same words everywhere.

use bytes::{Bytes, BytesMut};
use roadbed_core::error::{PayloadError, ProtocolViolation, ViolationKind};
use roadbed_core::limits::Limits;
use roadbed_core::message::{Message, MessageType};
use roadbed_core::payload::Binary;
use roadbed_core::serializer::{Malformed, Serializer};
use roadbed_core::value::Value;

use crate::check_text;

/// A JSON message.
pub fn json_message(data: &[u8]) {
    message(Serializer::Json, data);
}

/// A MessagePack message.
pub fn msgpack_message(data: &[u8]) {
    message(Serializer::MsgPack, data);
}

/// A CBOR message.
pub fn cbor_message(data: &[u8]) {
    message(Serializer::Cbor, data);
}

/// Limits that short inputs reach.
fn small() -> Limits {
    Limits::default().message_size(512).envelope_size(512).depth(3).uri_length(20).list_length(2)
}

/// Limits for what another serializer makes longer: control characters, base64.
fn large() -> Limits {
    Limits::default().message_size(16 << 20).envelope_size(16 << 20)
}

fn message(serializer: Serializer, data: &[u8]) {
    let input = Bytes::copy_from_slice(data);
    let strictly = serializer.decode(&input, &small());
    match (serializer.decode(&input, &Limits::default()), strictly) {
        (Ok(message), strictly) => {
            match strictly {
                Ok(same) => assert_eq!(same, message, "limits change the message"),
                Err(violation) => {
                    check_violation(&violation, data);
                    assert!(is_limit(&violation), "{violation} is not for a limit");
                }
            }
            if let Some(error) = message.payload().and_then(|payload| payload.check().err()) {
                return check_unreadable(&message, &error);
            }
            check_shared(&message, &input);
            check_bare(&message);
            check_extra(&message);
            if !matches!(message, Message::Unknown(_)) {
                round_trip(serializer, &message);
                for other in Serializer::ALL {
                    there_and_back(serializer, other, &message);
                }
            }
        }
        (Err(violation), Err(strictly)) => {
            check_violation(&violation, data);
            check_violation(&strictly, data);
        }
        (Err(violation), Ok(_)) => panic!("only small limits let it through: {violation}"),
    }
}

fn check_violation(violation: &ProtocolViolation, data: &[u8]) {
    check_text(violation);
    assert!(violation.offset().is_none_or(|offset| offset <= data.len()), "{violation}: beyond the input");
    assert!(violation.key().is_none() || violation.element().is_some(), "{violation}: a key of nothing");
    if violation.is_answered() {
        let is_answered = violation.request_type().is_some_and(MessageType::is_answered_by_error);
        assert!(is_answered && violation.request().is_some(), "{violation}: there is no answer to it");
    }
}

/// The request can be answered; the payload goes nowhere.
fn check_unreadable(message: &Message, error: &PayloadError) {
    check_text(error);
    assert!(matches!(error, PayloadError::Unreadable { .. }), "{error:?}");
    let payload = message.payload().expect("it was the payload's error");
    assert_eq!(payload.args::<Value>().as_ref(), Err(error));
    assert_eq!(payload.kwargs::<Value>().as_ref(), Err(error));
    assert_eq!(payload.check_portable().as_ref(), Err(error));
    for serializer in Serializer::ALL {
        assert_eq!(encode(serializer, message).as_ref(), Err(error));
    }
}

fn is_limit(violation: &ProtocolViolation) -> bool {
    matches!(
        violation.kind(),
        ViolationKind::Malformed(Malformed::TooDeep { .. } | Malformed::TooLong { .. })
    )
}

/// Decoding does not copy payloads.
fn check_shared(message: &Message, input: &Bytes) {
    let Some(payload) = message.payload() else { return };
    let range = input.as_ptr_range();
    for part in [payload.raw_args(), payload.raw_kwargs(), payload.raw_bare()].into_iter().flatten() {
        assert!(range.contains(&part.as_ptr()), "a payload was copied");
    }
}

/// The element of payload transparency is binary or text.
fn check_bare(message: &Message) {
    let Some(payload) = message.payload().filter(|payload| payload.raw_bare().is_some()) else { return };
    let (binary, text) = (payload.bare::<Binary>(), payload.bare::<String>());
    assert!(
        binary.is_ok() || text.is_ok() || payload.serializer() == Serializer::Json,
        "{binary:?} {text:?}"
    );
    for error in [binary.err(), text.err(), payload.args::<Vec<Value>>().err()].into_iter().flatten() {
        check_text(&error);
        assert!(matches!(error, PayloadError::Type { .. }), "{error:?}");
    }
}

/// Unknown keys are read when asked for.
fn check_extra(message: &Message) {
    let dict = match message {
        Message::Hello(message) => &message.details.extra,
        Message::Challenge(message) => &message.extra,
        Message::Publish(message) => &message.options.extra,
        Message::Call(message) => &message.options.extra,
        Message::Event(message) => &message.details.extra,
        _ => return,
    };
    assert_eq!(dict.detach(), *dict);
    for key in dict.keys() {
        assert!(dict.raw(key).is_some());
        match (dict.value(key), dict.get::<Value>(key)) {
            (Ok(value), Ok(typed)) => assert!(value.is_some() && typed.is_some()),
            (value, typed) => {
                for error in [value.err(), typed.err()].into_iter().flatten() {
                    check_text(&error);
                }
            }
        }
    }
}

fn round_trip(serializer: Serializer, message: &Message) {
    let canonical = encode(serializer, message).expect("what was decoded can be encoded");
    let again = decode(serializer, &canonical);
    assert_eq!(again, *message, "another message after {canonical:?}");
    assert_eq!(encode(serializer, &again).as_ref(), Ok(&canonical), "the encoding is no fixed point");
}

/// Carries a message to another serializer and back. Its first trip may lose what the other format does
/// not have (CBOR tags, widths of numbers); what arrived there must survive every further trip.
fn there_and_back(from: Serializer, to: Serializer, message: &Message) {
    let there = match encode(to, message) {
        Ok(there) => there,
        Err(error) => {
            check_text(&error);
            assert!(from != to && matches!(error, PayloadError::NotRepresentable { .. }), "{error:?}");
            return;
        }
    };
    let arrived = decode(to, &there);
    assert_eq!(arrived.message_type(), message.message_type());
    let back = encode(from, &arrived).expect("what was carried there can be carried back");
    let returned = decode(from, &back);
    assert_eq!(encode(to, &returned).as_ref(), Ok(&there), "{from} to {to}: changed on the way back");
    assert_eq!(decode(to, &there), arrived);
    round_trip(to, &arrived);
}

fn decode(serializer: Serializer, bytes: &Bytes) -> Message {
    let decoded = serializer.decode(bytes, &large());
    decoded
        .unwrap_or_else(|violation| panic!("{serializer} cannot read what it wrote: {violation}: {bytes:?}"))
}

/// Encodes in both ways, behind bytes that must stay as they are.
fn encode(serializer: Serializer, message: &Message) -> Result<Bytes, PayloadError> {
    const BEFORE: &[u8] = b"before";
    let (mut out, mut arena) = (BytesMut::from(BEFORE), BytesMut::from(BEFORE));
    let copied = serializer.encode(message, &mut out);
    let chunks = serializer.encode_chunks(message, &mut arena);
    assert_eq!(&arena[..], BEFORE, "encode_chunks left bytes in the arena");
    if let Err(error) = copied {
        assert_eq!(&out[..], BEFORE, "an error left bytes behind");
        assert_eq!(chunks.err(), Some(error.clone()));
        return Err(error);
    }
    let bytes = out.freeze().slice(BEFORE.len()..);
    let chunks = chunks.expect("both ways of encoding succeed together");
    assert_eq!(chunks.len(), bytes.len());
    assert_eq!(chunks.chunks().concat(), bytes, "two encodings of one message");
    Ok(bytes)
}

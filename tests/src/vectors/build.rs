//! Messages built from their JSON form through the public API.

use bytes::Bytes;
use roadbed_core::limits::{Limits, MAX_DEPTH};
use roadbed_core::message::*;
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::value::Value;
use serde_json::{Value as Json, json};

use super::attributes::FromJson;
use crate::wire::unbase64;

/// A message built from its elements, independently of every decoder under test.
pub struct Built;

impl Built {
    /// The message with these elements; its payload is in `serializer`.
    ///
    /// # Panics
    /// When the elements are not those of a message.
    pub fn message(elements: &Json, serializer: Serializer) -> Message {
        let e = elements.as_array().expect("a list").as_slice();
        match e.first().and_then(Json::as_u64).expect("a message type") {
            1 => Hello { realm: get(e, 1), details: get(e, 2) }.into(),
            2 => Welcome { session: get(e, 1), details: get(e, 2) }.into(),
            3 => Abort { details: get(e, 1), reason: get(e, 2), payload: tail(e, 3, serializer) }.into(),
            4 => Challenge { method: get(e, 1), extra: get(e, 2) }.into(),
            5 => Authenticate { signature: get::<bytestring::ByteString>(e, 1).into(), extra: get(e, 2) }
                .into(),
            6 => Goodbye { details: get(e, 1), reason: get(e, 2) }.into(),
            8 => Error {
                request_type: MessageType::from_code(get(e, 1)).expect("a message type"),
                request: get(e, 2),
                details: get(e, 3),
                error: get(e, 4),
                payload: tail(e, 5, serializer),
            }
            .into(),
            16 => {
                let (request, options, topic) = (get(e, 1), get(e, 2), get(e, 3));
                Publish { request, options, topic, payload: tail(e, 4, serializer) }.into()
            }
            17 => Published { request: get(e, 1), publication: get(e, 2) }.into(),
            32 => Subscribe { request: get(e, 1), options: get(e, 2), topic: get(e, 3) }.into(),
            33 => Subscribed { request: get(e, 1), subscription: get(e, 2) }.into(),
            34 => Unsubscribe { request: get(e, 1), subscription: get(e, 2), options: last(e, 3) }.into(),
            35 => Unsubscribed { request: request_or_zero(e), details: last(e, 2) }.into(),
            36 => {
                let (subscription, publication, details) = (get(e, 1), get(e, 2), get(e, 3));
                Event { subscription, publication, details, payload: tail(e, 4, serializer) }.into()
            }
            337 => EventReceived { publication: get(e, 1) }.into(),
            _ => Self::call(e, serializer),
        }
    }

    fn call(e: &[Json], serializer: Serializer) -> Message {
        match e[0].as_u64() {
            Some(48) => {
                let (request, options, procedure) = (get(e, 1), get(e, 2), get(e, 3));
                Call { request, options, procedure, payload: tail(e, 4, serializer) }.into()
            }
            Some(49) => Cancel { request: get(e, 1), options: get(e, 2) }.into(),
            Some(50) => {
                CallResult { request: get(e, 1), details: get(e, 2), payload: tail(e, 3, serializer) }.into()
            }
            Some(64) => Register { request: get(e, 1), options: get(e, 2), procedure: get(e, 3) }.into(),
            Some(65) => Registered { request: get(e, 1), registration: get(e, 2) }.into(),
            Some(66) => {
                Unregister { request: get(e, 1), registration: get(e, 2), options: last(e, 3) }.into()
            }
            Some(67) => Unregistered { request: request_or_zero(e), details: last(e, 2) }.into(),
            Some(68) => {
                let (request, registration, details) = (get(e, 1), get(e, 2), get(e, 3));
                Invocation { request, registration, details, payload: tail(e, 4, serializer) }.into()
            }
            Some(69) => Interrupt { request: get(e, 1), options: get(e, 2) }.into(),
            Some(70) => {
                Yield { request: get(e, 1), options: get(e, 2), payload: tail(e, 3, serializer) }.into()
            }
            code => panic!("there is no message type {code:?}"),
        }
    }
}

fn get<T: FromJson>(elements: &[Json], index: usize) -> T {
    T::from_json(elements.get(index).expect("another element"))
}

fn last<T: FromJson>(elements: &[Json], index: usize) -> Option<T> {
    elements.get(index).map(T::from_json)
}

/// UNSUBSCRIBED and UNREGISTERED answer no request when they revoke.
fn request_or_zero(elements: &[Json]) -> Option<roadbed_core::id::RequestId> {
    (elements[1] != 0).then(|| get(elements, 1))
}

fn tail(elements: &[Json], index: usize, serializer: Serializer) -> Payload {
    let encode = |json: &Json| serializer.encode_value(&value(json)).expect("a value for every format");
    match (elements.get(index).map(value), elements.get(index + 1)) {
        (None, _) => Payload::EMPTY,
        (Some(Value::Binary(bytes)), None) => Payload::binary(serializer, &bytes),
        (Some(Value::Text(text)), None) => bare_text(serializer, &text),
        (Some(_), kwargs) => {
            let args = Some(encode(&elements[index]));
            Payload::from_raw(serializer, args, kwargs.map(encode), MAX_DEPTH).expect("a list and a dict")
        }
    }
}

/// A bare payload that is text. Nothing but a decoder makes one: senders are meant to use binary.
fn bare_text(serializer: Serializer, text: &str) -> Payload {
    let message = json!([48, 1, {"enc_algo": "mqtt"}, "p", text]).to_string();
    let mut message = Serializer::Json.decode(&message.into(), &Limits::default()).expect("a CALL");
    take_payload(&mut message).transcode(serializer, MAX_DEPTH).expect("text goes anywhere")
}

/// A JSON value as a [`Value`]; strings that begin with NUL are binary.
///
/// # Panics
/// On a string that begins with NUL and is not base64 behind it.
pub fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => (*value).into(),
        Json::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(value), _) => value.into(),
            (_, Some(value)) => value.into(),
            _ => number.as_f64().expect("a float").into(),
        },
        Json::String(text) => match text.strip_prefix('\0') {
            Some(base64) => Value::Binary(unbase64(base64).expect("base64").into()),
            None => text.as_str().into(),
        },
        Json::Array(items) => Value::List(items.iter().map(value).collect()),
        Json::Object(entries) => {
            Value::Dict(entries.iter().map(|(key, json)| (key.clone(), value(json))).collect())
        }
    }
}

/// The args, kwargs and bare element of a payload, decoded.
///
/// # Panics
/// When they cannot be: a decoder has checked them.
pub fn contents(payload: &Payload) -> [Option<Value>; 3] {
    let limits = Limits::default().depth(MAX_DEPTH);
    let decode = |bytes: &Bytes| payload.serializer().decode_value(bytes, &limits).expect("a payload");
    [payload.raw_args(), payload.raw_kwargs(), payload.raw_bare()].map(|part| part.map(decode))
}

/// Takes the payload out of a message, leaving an empty one; for comparing the rest.
pub fn take_payload(message: &mut Message) -> Payload {
    let payload = match message {
        Message::Abort(body) => &mut body.payload,
        Message::Error(body) => &mut body.payload,
        Message::Publish(body) => &mut body.payload,
        Message::Event(body) => &mut body.payload,
        Message::Call(body) => &mut body.payload,
        Message::CallResult(body) => &mut body.payload,
        Message::Invocation(body) => &mut body.payload,
        Message::Yield(body) => &mut body.payload,
        _ => return Payload::EMPTY,
    };
    std::mem::replace(payload, Payload::EMPTY)
}

//! Messages with wrong elements: types that do not exist, too few or too many elements, integers that
//! are no ids, values of another type.

use roadbed_core::error::ViolationKind;
use roadbed_core::message::{Message, MessageType};
use roadbed_core::serializer::Serializer;
use roadbed_tests::wire::{Wire, dict, list, text};

use super::{decode, message, refusal, send};

/// What an element is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Is {
    Request,
    /// An id whose element has this name.
    Id(&'static str),
    Dict(&'static str),
    Uri(&'static str),
    Text(&'static str),
    /// The realm of HELLO, which may be null.
    Realm,
    /// The request of a message that also tells of a revocation, with 0.
    RequestOrZero,
    RequestType,
}

use Is::*;

/// Each message: what its elements are behind the type, and how many may follow.
static TABLE: &[(MessageType, &[Is], usize)] = &[
    (MessageType::Hello, &[Realm, Dict("details")], 0),
    (MessageType::Welcome, &[Id("session"), Dict("details")], 0),
    (MessageType::Abort, &[Dict("details"), Uri("reason")], 2),
    (MessageType::Challenge, &[Text("method"), Dict("extra")], 0),
    (MessageType::Authenticate, &[Text("signature"), Dict("extra")], 0),
    (MessageType::Goodbye, &[Dict("details"), Uri("reason")], 0),
    (MessageType::Error, &[RequestType, Request, Dict("details"), Uri("error")], 2),
    (MessageType::Publish, &[Request, Dict("options"), Uri("topic")], 2),
    (MessageType::Published, &[Request, Id("publication")], 0),
    (MessageType::Subscribe, &[Request, Dict("options"), Uri("topic")], 0),
    (MessageType::Subscribed, &[Request, Id("subscription")], 0),
    (MessageType::Unsubscribe, &[Request, Id("subscription")], 1),
    (MessageType::Unsubscribed, &[RequestOrZero], 1),
    (MessageType::Event, &[Id("subscription"), Id("publication"), Dict("details")], 2),
    (MessageType::Call, &[Request, Dict("options"), Uri("procedure")], 2),
    (MessageType::Cancel, &[Request, Dict("options")], 0),
    (MessageType::CallResult, &[Request, Dict("details")], 2),
    (MessageType::Register, &[Request, Dict("options"), Uri("procedure")], 0),
    (MessageType::Registered, &[Request, Id("registration")], 0),
    (MessageType::Unregister, &[Request, Id("registration")], 1),
    (MessageType::Unregistered, &[RequestOrZero], 1),
    (MessageType::Invocation, &[Request, Id("registration"), Dict("details")], 2),
    (MessageType::Interrupt, &[Request, Dict("options")], 0),
    (MessageType::Yield, &[Request, Dict("options")], 2),
    (MessageType::EventReceived, &[Id("publication")], 0),
];

/// The elements of a valid message, as short as it may be.
fn shortest(message: MessageType, elements: &[Is]) -> Vec<Wire> {
    let behind = elements.iter().map(|element| match element {
        Request | Id(_) | RequestOrZero => Wire::from(5),
        Dict(_) => dict([]),
        Uri(_) | Text(_) | Realm => text("a"),
        RequestType => Wire::from(48),
    });
    std::iter::once(Wire::from(message.code())).chain(behind).collect()
}

#[test]
fn the_table_is_complete() {
    let listed: Vec<_> = TABLE.iter().map(|(message, ..)| *message).collect();
    assert_eq!(listed, MessageType::ALL);
}

#[test]
fn messages_of_wrong_length() {
    for (message, elements, optional) in TABLE {
        let (min, max) = (elements.len() + 1, elements.len() + 1 + optional);
        for serializer in Serializer::ALL {
            let mut long = shortest(*message, elements);
            for found in 1..min {
                let error = send(serializer, &list(&long[..found])).unwrap_err();
                assert_eq!(
                    *error.kind(),
                    ViolationKind::Length { found, min, max },
                    "{message} {serializer}"
                );
                let plural = if found == 1 { "" } else { "s" };
                let expected = if min == max { min.to_string() } else { format!("{min} to {max}") };
                let text = format!("{message}: {found} element{plural}, expected {expected}");
                assert_eq!(error.to_string(), text);
            }
            while long.len() < max {
                let is_args = *optional == 2 && long.len() == min;
                long.push(if is_args { list([Wire::from(1)]) } else { dict([]) });
                send(serializer, &list(long.clone())).unwrap();
            }
            for extra in [1, 2, 1000] {
                let mut longer = long.clone();
                longer.resize(max + extra, Wire::Null);
                let error = send(serializer, &list(longer)).unwrap_err();
                let kind = ViolationKind::Length { found: max + 1, min, max };
                assert_eq!(*error.kind(), kind, "{message} {serializer}");
                assert_eq!(error.request(), None);
            }
        }
    }
}

/// Values, and whether each is an id.
fn id_values() -> Vec<(Wire, bool)> {
    let max = 1_u64 << 53;
    let ids = [1, 23, 255, 65_536, max - 1, max].map(|id: u64| (Wire::from(id), true));
    let others = [0, max + 1, 1 << 63, u64::MAX].map(|id| (Wire::from(id), false));
    let negative = [-1, -24, i128::from(i64::MIN)].map(|id| (Wire::Int(id), false));
    let floats = [1.0, 1.5, -1.0, 1e15].map(|float| (Wire::Float(float), false));
    let more = [Wire::Null, Wire::Bool(true), Wire::Bool(false), text("1"), text(""), list([]), dict([])];
    let more = more.into_iter().chain([Wire::Binary(vec![1])]).map(|value| (value, false));
    ids.into_iter().chain(others).chain(negative).chain(floats).chain(more).collect()
}

#[test]
fn ids_in_every_position() {
    for (message, elements, _) in TABLE {
        for (index, element) in elements.iter().enumerate() {
            let name = match element {
                Request | RequestOrZero => "request",
                Id(name) => name,
                _ => continue,
            };
            for (value, is_id) in id_values() {
                for serializer in Serializer::ALL {
                    let mut elements = shortest(*message, elements);
                    elements[index + 1] = value.clone();
                    let place = format!("{message} {name} {value:?} {serializer}");
                    match send(serializer, &list(elements)) {
                        Ok(_) => {
                            let is_zero = *element == RequestOrZero && value == Wire::from(0);
                            assert!(is_id || is_zero, "{place} was accepted");
                        }
                        Err(error) => {
                            assert!(!is_id, "{place}: {error}");
                            assert_eq!(error.element(), Some(name), "{place}: {error}");
                            assert!(error.to_string().starts_with(&format!("{message} {name} at byte ")));
                            assert_eq!(error.request(), None, "{place}: {error}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn elements_of_another_type() {
    let values = [
        Wire::Null,
        Wire::Bool(true),
        Wire::from(1),
        Wire::Int(-1),
        Wire::Float(0.5),
        text("a"),
        Wire::Binary(vec![0xff]),
        list([]),
        dict([]),
    ];
    for (message, elements, optional) in TABLE {
        let tails: &[Is] = match (optional, message) {
            (1, MessageType::Unsubscribe | MessageType::Unregister) => &[Dict("options")],
            (1, _) => &[Dict("details")],
            _ => &[],
        };
        for (index, element) in elements.iter().chain(tails).enumerate() {
            for value in &values {
                let (name, fits) = match element {
                    Dict(name) => (*name, matches!(value, Wire::Dict(_))),
                    Uri(name) | Text(name) => (*name, matches!(value, Wire::Text(_))),
                    Realm => ("realm", matches!(value, Wire::Text(_) | Wire::Null)),
                    RequestType => ("request_type", false),
                    _ => continue,
                };
                for serializer in Serializer::ALL {
                    let mut elements = shortest(*message, elements);
                    elements.resize(elements.len().max(index + 2), Wire::Null);
                    elements[index + 1] = value.clone();
                    let place = format!("{message} {name} {value:?} {serializer}");
                    match send(serializer, &list(elements)) {
                        Ok(_) => assert!(fits, "{place} was accepted"),
                        Err(error) => {
                            assert!(!fits, "{place}: {error}");
                            assert_eq!(error.element(), Some(name), "{place}: {error}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn payloads_of_another_type() {
    for serializer in Serializer::ALL {
        for value in
            [Wire::Bool(true), Wire::from(1), Wire::Float(0.5), text("a"), Wire::Binary(vec![1]), dict([])]
        {
            let error = refusal(serializer, &message![48, 1, dict([]), text("p"), value]);
            assert!(
                error.starts_with("CALL arguments at byte ") && error.contains("expected a list"),
                "{error}"
            );
        }
        for value in [Wire::Bool(true), Wire::from(1), text("a"), Wire::Binary(vec![1]), list([])] {
            let error = refusal(serializer, &message![48, 1, dict([]), text("p"), list([]), value]);
            let start = "CALL keyword arguments at byte ";
            assert!(error.starts_with(start) && error.contains("expected a dict"), "{error}");
        }
        // A bare payload takes the place of both.
        let sealed = dict([("enc_algo", text("mqtt"))]);
        let error = refusal(serializer, &message![48, 1, sealed, text("p"), text("x"), dict([])]);
        assert_eq!(error, "CALL: 6 elements, expected 4 to 6", "{serializer}");
    }
}

#[test]
fn types_that_do_not_exist() {
    for serializer in Serializer::ALL {
        for code in (0..256).chain([1024, 1025, 65_535, 65_536, 1 << 32, u64::MAX]) {
            if MessageType::from_code(code).is_some() {
                continue;
            }
            let error = send(serializer, &message![code, 1]).unwrap_err();
            assert_eq!(*error.kind(), ViolationKind::UnknownType(code));
            assert_eq!(error.to_string(), format!("message: there is no message type {code}"));
        }
        for code in 256..1024 {
            let found = send(serializer, &message![code, 1, text("x"), dict([("y", list([]))])]);
            match found {
                Ok(Message::Unknown(unknown)) => assert_eq!(i32::from(unknown.code), code),
                other => assert!(code == 337 && other.is_err(), "{code}: {other:?}"),
            }
        }
        // Ignored messages must be well-formed too.
        for cut in 1..6 {
            let bytes = message![256, 1, text("xyz")].encode(serializer);
            decode(serializer, bytes[..bytes.len() - cut].to_vec()).unwrap_err();
        }
    }
}

#[test]
fn trailing_bytes() {
    for serializer in Serializer::ALL {
        for (message, elements, _) in TABLE {
            for (behind, count) in [(&b"\x01"[..], 1), (b"[]", 2), (b"\xc0\xc0\xc0", 3)] {
                let mut bytes = list(shortest(*message, elements)).encode(serializer);
                let length = bytes.len();
                bytes.extend(behind);
                let error = decode(serializer, bytes).unwrap_err();
                let what = if count == 1 { "byte follows" } else { "bytes follow" };
                let text = format!("{message} at byte {length}: {count} {what} the end of the message");
                assert_eq!(error.to_string(), text);
            }
        }
        let mut unknown = message![256].encode(serializer);
        unknown.push(b'1');
        decode(serializer, unknown).unwrap_err();
    }
}

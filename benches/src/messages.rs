//! The messages that are measured.

use bytes::{Bytes, BytesMut};
use roadbed_core::id::{PublicationId, RequestId, SubscriptionId};
use roadbed_core::message::{Call, Event, EventDetails, Message, Sparse};
use roadbed_core::options::CallOptions;
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::uri::Uri;
use roadbed_core::value::{Dict, Value};

/// What a message carries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// One small integer.
    Integer,
    /// An order, as a web shop would pass it: about 350 bytes of JSON.
    Order,
    /// The same, in a message with options or details.
    OrderWithOptions,
    /// One ASCII string of 64 KiB.
    Text,
    /// One binary of 64 KiB.
    Binary,
}

impl Content {
    pub(crate) const ALL: [Self; 5] =
        [Self::Integer, Self::Order, Self::OrderWithOptions, Self::Text, Self::Binary];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Order => "350 B",
            Self::OrderWithOptions => "350 B, options",
            Self::Text => "64 KiB text",
            Self::Binary => "64 KiB binary",
        }
    }

    pub(crate) fn args(self) -> Value {
        match self {
            Self::Integer => list([23_u8.into()]),
            Self::Order | Self::OrderWithOptions => {
                list(["2026-11-000117".into(), 3_u8.into(), 149.85.into(), true.into()])
            }
            Self::Text => {
                let text: String =
                    "The quick brown fox jumps over the lazy dog. ".chars().cycle().take(LARGE).collect();
                list([text.into()])
            }
            Self::Binary => {
                let mut state = 1_u32;
                let bytes = std::iter::repeat_with(|| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    state.to_be_bytes()[0]
                });
                list([bytes.take(LARGE).collect::<Vec<u8>>().into()])
            }
        }
    }

    pub(crate) fn kwargs(self) -> Option<Value> {
        let is_order = matches!(self, Self::Order | Self::OrderWithOptions);
        is_order.then(|| {
            let customer = Dict::from([
                ("id", Value::from(4_711_u32)),
                ("name", "Jonna Lindström".into()),
                ("email", "jonna.lindstrom@example.com".into()),
                ("since", "2019-03-27T08:15:30Z".into()),
            ]);
            let item = |sku: &str, count: u32, price: f64| {
                Value::from(Dict::from([
                    ("sku", Value::from(sku)),
                    ("count", count.into()),
                    ("price", price.into()),
                ]))
            };
            let items = list([item("WS-2040-BL", 2, 49.95), item("TR-0017", 1, 49.95)]);
            let dict = Dict::from([
                ("customer", Value::from(customer)),
                ("items", items),
                ("express", false.into()),
                ("voucher", ().into()),
                ("note", "leave it with the neighbours".into()),
            ]);
            dict.into()
        })
    }

    pub(crate) fn payload(self, serializer: Serializer) -> Payload {
        match self.kwargs() {
            Some(kwargs) => Payload::build(serializer, &self.args(), &kwargs).unwrap(),
            None => Payload::from_args(serializer, &self.args()).unwrap(),
        }
    }
}

fn list<const N: usize>(values: [Value; N]) -> Value {
    values.into_iter().collect()
}

/// Bytes of a large text or binary.
const LARGE: usize = 64 << 10;

/// A message with this content, by the name of its type.
pub(crate) fn message(name: &str, content: Content, payload: Payload) -> Message {
    let has_options = content == Content::OrderWithOptions;
    match name {
        "CALL" => {
            let options = CallOptions::new().timeout(5_000).receive_progress(true).disclose_me(true);
            Message::from(Call {
                request: RequestId::new(1_234).unwrap(),
                options: if has_options { options.into() } else { Sparse::EMPTY },
                procedure: Uri::from_static("com.example.shop.order.create"),
                payload,
            })
        }
        _ => {
            let mut details = EventDetails::new();
            details.topic = Some(Uri::from_static("com.example.shop.order.created"));
            details.publisher = Some(3_141_592_653_589_793.try_into().unwrap());
            details.publisher_authid = Some("shop".into());
            Message::from(Event {
                subscription: SubscriptionId::new(1_234).unwrap(),
                publication: PublicationId::new(2_718_281_828_459_045).unwrap(),
                details: if has_options { details.into() } else { Sparse::EMPTY },
                payload,
            })
        }
    }
}

/// The message as it lies in a read buffer: a part of a larger shared allocation.
pub(crate) fn encode(serializer: Serializer, message: &Message) -> Bytes {
    let mut buffer = BytesMut::with_capacity(256 << 10);
    serializer.encode(message, &mut buffer).unwrap();
    let length = buffer.len();
    buffer.resize(length + 4, 0);
    buffer.split_to(length).freeze()
}

//! Decoding and encoding whole messages, against `wampproto` and against decoding everything.

use bytes::{Bytes, BytesMut};
use roadbed_core::limits::Limits;
use roadbed_core::message::Message;
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::value::Value;
use wampproto::serializers::cbor::CBORSerializer;
use wampproto::serializers::json::JSONSerializer;
use wampproto::serializers::msgpack::MsgPackSerializer;
use wampproto::serializers::serializer::Serializer as Theirs;

use crate::harness::{Bench, Contender};
use crate::messages::{Content, encode, message};

/// Bytes that many encoded messages share.
const ARENA: usize = 1 << 18;

pub(crate) fn benches() -> Vec<Bench> {
    let mut benches = Vec::new();
    for bench in [decode, encode_message] {
        for serializer in Serializer::ALL {
            for name in ["CALL", "EVENT"] {
                for content in Content::ALL {
                    benches.push(bench(serializer, name, content));
                }
            }
        }
    }
    benches
}

fn title(serializer: Serializer, name: &str, content: Content) -> String {
    format!("{serializer} {name} {}", content.name())
}

/// wampproto's JSON has no binary: it refuses to write any, and reads text.
fn is_foreign(serializer: Serializer, content: Content) -> bool {
    serializer == Serializer::Json && content == Content::Binary
}

fn theirs(serializer: Serializer) -> Box<dyn Theirs> {
    match serializer {
        Serializer::Json => Box::new(JSONSerializer {}),
        Serializer::MsgPack => Box::new(MsgPackSerializer {}),
        Serializer::Cbor => Box::new(CBORSerializer {}),
        _ => unreachable!("a serializer that this benchmark does not know"),
    }
}

fn decode(serializer: Serializer, name: &'static str, content: Content) -> Bench {
    let bytes = encode(serializer, &message(name, content, content.payload(serializer)));
    let limits = Limits::default();

    let ours = {
        let (bytes, limits) = (bytes.clone(), limits.clone());
        Contender::new("roadbed", move || serializer.decode(&bytes, &limits).unwrap())
    };
    let wampproto = if is_foreign(serializer, content) {
        Contender::unable("wampproto")
    } else {
        // It takes the bytes by value.
        let (bytes, theirs) = (bytes.clone(), theirs(serializer));
        Contender::with_input(
            "wampproto",
            move || bytes.to_vec(),
            move |bytes| theirs.deserialize(bytes).unwrap(),
        )
    };
    let everything = {
        let bytes = bytes.clone();
        Contender::new("roadbed+Value", move || {
            let message = serializer.decode(&bytes, &limits).unwrap();
            let payload = message.payload().unwrap();
            let args: Value = payload.args().unwrap();
            let kwargs: Option<Value> = payload.raw_kwargs().map(|_| payload.kwargs().unwrap());
            (message, args, kwargs)
        })
    };
    let serde = serde_value(serializer, content, &bytes);
    Bench {
        group: "decode",
        name: title(serializer, name, content),
        bytes: bytes.len(),
        things: 1,
        contenders: vec![ours, wampproto, everything, serde],
    }
}

/// Everything into serde_json's `Value`, which has no binary.
fn serde_value(serializer: Serializer, content: Content, bytes: &Bytes) -> Contender {
    const NAME: &str = "json::Value";
    let bytes = bytes.clone();
    type Tree = serde_json::Value;
    match serializer {
        _ if content == Content::Binary => Contender::unable(NAME),
        Serializer::Json => Contender::new(NAME, move || serde_json::from_slice::<Tree>(&bytes).unwrap()),
        Serializer::MsgPack => Contender::new(NAME, move || rmp_serde::from_slice::<Tree>(&bytes).unwrap()),
        _ => Contender::new(NAME, move || ciborium::from_reader::<Tree, _>(&bytes[..]).unwrap()),
    }
}

fn encode_message(serializer: Serializer, name: &'static str, content: Content) -> Bench {
    let message = message(name, content, content.payload(serializer));
    let bytes = encode(serializer, &message);

    let ours = {
        let (message, mut arena) = (message.clone(), BytesMut::with_capacity(ARENA));
        Contender::new("roadbed", move || serializer.encode_chunks(&message, &mut arena).unwrap())
    };
    let wampproto = if is_foreign(serializer, content) {
        Contender::unable("wampproto")
    } else {
        let theirs = theirs(serializer);
        let message = theirs.deserialize(bytes.to_vec()).unwrap();
        Contender::new("wampproto", move || theirs.serialize(&*message).unwrap())
    };
    let copied = {
        let (message, mut arena) = (message.clone(), BytesMut::with_capacity(ARENA));
        Contender::new("one chunk", move || {
            serializer.encode(&message, &mut arena).unwrap();
            arena.split().freeze()
        })
    };
    let built = {
        let (mut message, mut arena) = (message, BytesMut::with_capacity(ARENA));
        let (args, kwargs) = (content.args(), content.kwargs());
        Contender::new("Value+roadbed", move || {
            let payload = match &kwargs {
                Some(kwargs) => Payload::build(serializer, &args, kwargs),
                None => Payload::from_args(serializer, &args),
            };
            *payload_mut(&mut message) = payload.unwrap();
            serializer.encode_chunks(&message, &mut arena).unwrap()
        })
    };
    Bench {
        group: "encode",
        name: title(serializer, name, content),
        bytes: bytes.len(),
        things: 1,
        contenders: vec![ours, wampproto, built, copied],
    }
}

fn payload_mut(message: &mut Message) -> &mut Payload {
    match message {
        Message::Call(call) => &mut call.payload,
        Message::Event(event) => &mut event.payload,
        _ => unreachable!("a message that this benchmark does not make"),
    }
}

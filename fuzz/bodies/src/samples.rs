//! What the seed corpus is made of.

use bytes::{Bytes, BytesMut};
use roadbed_core::limits::Limits;
use roadbed_core::message::Message;
use roadbed_core::serializer::Serializer;

/// Messages of every type, in JSON, some with every option.
pub const MESSAGES: &[(&str, &str)] = &[
    (
        "hello",
        r#"[1,"realm1",{"roles":{"caller":{"features":{"call_canceling":true}},"subscriber":{}},"agent":"a/1","authid":"joe","authmethods":["ticket","anonymous"],"authextra":{"k":[1]}}]"#,
    ),
    (
        "hello_any_realm",
        r#"[1,null,{"roles":{"callee":{},"publisher":{"features":{"publisher_exclusion":true}}}}]"#,
    ),
    (
        "welcome",
        r#"[2,9129137332,{"realm":"realm1","roles":{"broker":{},"dealer":{"features":{"call_canceling":true}}},"agent":"b","authid":"joe","authrole":"user","authmethod":"ticket","authprovider":"static"}]"#,
    ),
    ("abort", r#"[3,{"message":"no such realm"},"wamp.error.no_such_realm",["x"],{"y":1}]"#),
    ("challenge", r#"[4,"ticket",{"nonce":"n"}]"#),
    ("authenticate", r#"[5,"secret!!!",{"channel":null}]"#),
    ("goodbye", r#"[6,{"message":"bye","resumable":true},"wamp.close.normal"]"#),
    ("error", r#"[8,48,7,{"callee":3,"callee_authid":"joe"},"com.example.error",["wrong",-1],{"at":2.5}]"#),
    (
        "publish",
        r#"[16,1,{"acknowledge":true,"exclude_me":false,"exclude":[1,2],"eligible_authid":["joe"],"retain":true,"disclose_me":true,"x_own":{"a":[1,"b"]}},"com.example.topic",[1,"é",null],{"size":"small"}]"#,
    ),
    (
        "publish_sealed",
        "[16,2,{\"ppt_scheme\":\"x_own\",\"enc_algo\":\"cryptobox\",\"enc_key\":\"k\",\"enc_serializer\":\"json\"},\"com.example.topic\",\"\\u0000AAEC\"]",
    ),
    ("published", "[17,1,4429313566]"),
    ("subscribe", r#"[32,3,{"match":"wildcard","get_retained":true,"nkey":"k"},"com..topic"]"#),
    ("subscribed", "[33,3,5512315355]"),
    ("unsubscribe", r#"[34,4,5512315355,{"forward_for":[{"session":1,"authid":"a","authrole":"r"}]}]"#),
    ("unsubscribed", "[35,4]"),
    ("unsubscribed_revoked", r#"[35,0,{"subscription":5512315355,"reason":"wamp.revoked"}]"#),
    (
        "event",
        r#"[36,5512315355,4429313566,{"topic":"com.example.topic","publisher":1,"publisher_authid":"joe","trustlevel":2,"retained":true,"x_acknowledged_delivery":true},["Hello, world!"]]"#,
    ),
    (
        "call",
        r#"[48,5,{"timeout":250,"receive_progress":true,"disclose_me":true,"rkey":"r","forward_for":[{"session":1}]},"com.example.add",[2,3],{"unit":"m"}]"#,
    ),
    ("call_plain", r#"[48,6,{},"com.example.now"]"#),
    ("cancel", r#"[49,5,{"mode":"killnowait"}]"#),
    ("result", r#"[50,5,{"progress":true,"callee":4,"callee_authrole":"r"},[5],{"more":[true,false,{}]}]"#),
    (
        "register",
        r#"[64,7,{"match":"prefix","invoke":"roundrobin","concurrency":2,"force_reregister":true,"forward_timeout":true},"com.example.add"]"#,
    ),
    ("registered", "[65,7,2103333224]"),
    ("unregister", "[66,8,2103333224]"),
    ("unregistered", r#"[67,0,{"registration":2103333224,"reason":"wamp.revoked"}]"#),
    (
        "invocation",
        r#"[68,9,2103333224,{"procedure":"com.example.add","timeout":9,"receive_progress":true,"caller":1,"caller_authid":"joe","caller_authrole":"u","trustlevel":0,"transaction_hash":"h"},[2,3]]"#,
    ),
    ("interrupt", r#"[69,9,{"mode":"kill","reason":"wamp.error.canceled"}]"#),
    ("yield", r#"[70,9,{"progress":false,"callee":1,"transaction_hash":"h"},[],{"sum":5}]"#),
    ("event_received", "[337,4429313566]"),
    ("unknown", r#"[999,{"any":[[]]}]"#),
];

/// Values in JSON.
pub const VALUES: &[(&str, &str)] = &[
    (
        "scalars",
        r#"[null,true,false,0,-1,23,24,255,256,65536,4294967296,18446744073709551615,-9223372036854775808]"#,
    ),
    ("floats", r#"[0.0,-0.0,1.0,1.5,0.1,1e300,5e-324,-2.5,16777217.0]"#),
    (
        "text",
        r#"["","a","\"\\\/\b\f\n\r\t","é\u00e9\ud83d\ude00","\u0001","0123456789012345678901234567890123456789"]"#,
    ),
    ("binary", r#"["\u0000","\u0000AA==","\u0000AAECAwQFBgcICQ=="]"#),
    ("dict", r#"{"a":1,"b":{"c":[]},"é":"","a":2,"":null}"#),
    ("nested", "[[[[[[[[[[{\"a\":[{}]}]]]]]]]]]]"),
];

/// Values that JSON does not have, in MessagePack.
pub const MSGPACK_VALUES: &[(&str, &[u8])] = &[
    ("wide", b"\x95\xcf\0\0\0\0\0\0\0\x01\xd3\xff\xff\xff\xff\xff\xff\xff\xff\xcb\x3f\xf8\0\0\0\0\0\0\xda\0\x01a\xdc\0\0"),
    ("odd_keys", b"\x83\x01\xc0\xc4\x01a\x01\xc3\x02"),
    ("extensions", b"\x92\xd4\0\0\xd6\xff\0\0\0\0"),
];

/// Values that JSON does not have, in CBOR.
pub const CBOR_VALUES: &[(&str, &[u8])] = &[
    ("indefinite", b"\x9f\x7f\x61a\x62bc\xff\x5f\x41\x01\x40\xff\xbf\x61k\xf6\xff\xff"),
    ("tags", b"\x84\xc1\x01\xc2\x41\x09\xc3\x41\0\xd9\xd9\xf7\x80"),
    ("halves", b"\x84\xf9\x3c\0\xf9\x7e\0\xfa\x7f\x80\0\0\xf7"),
    ("odd_keys", b"\xa2\x01\x02\xf5\xf4"),
];

/// The samples of whole messages in `serializer`, by name.
pub fn messages(serializer: Serializer) -> Vec<(&'static str, Vec<u8>)> {
    let encoded = MESSAGES.iter().map(|&(name, json)| match parse(json) {
        Message::Unknown(unknown) if serializer.is_binary() => {
            let [high, low] = unknown.code.to_be_bytes();
            let head = if serializer == Serializer::Cbor { 0x19 } else { 0xcd };
            let list = if serializer == Serializer::Cbor { 0x82 } else { 0x92 };
            (name, vec![list, head, high, low, 0])
        }
        Message::Unknown(_) => (name, json.into()),
        message => (name, encode(serializer, &message)),
    });
    encoded.collect()
}

/// The samples of values in `serializer`, by name.
pub fn values(serializer: Serializer) -> Vec<(&'static str, Vec<u8>)> {
    let carried = VALUES.iter().map(|&(name, json)| {
        let value =
            Serializer::Json.decode_value(&json.into(), &Limits::default()).expect("a sample is well-formed");
        let encoded = serializer.encode_value(&value).expect("a sample has a place everywhere");
        (name, encoded.to_vec())
    });
    let own = match serializer {
        Serializer::Json => VALUES.iter().map(|&(name, json)| (name, json.into())).collect(),
        Serializer::MsgPack => MSGPACK_VALUES.iter().map(|&(name, bytes)| (name, bytes.into())).collect(),
        Serializer::Cbor => CBOR_VALUES.iter().map(|&(name, bytes)| (name, bytes.into())).collect(),
        _ => Vec::new(),
    };
    if serializer == Serializer::Json { own } else { carried.chain(own).collect() }
}

/// Reads a sample.
pub fn parse(json: &'static str) -> Message {
    let decoded = Serializer::Json.decode(&Bytes::from_static(json.as_bytes()), &Limits::default());
    decoded.unwrap_or_else(|violation| panic!("{violation}: {json}"))
}

fn encode(serializer: Serializer, message: &Message) -> Vec<u8> {
    let mut out = BytesMut::new();
    serializer.encode(message, &mut out).expect("a sample has a place everywhere");
    out.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use roadbed_core::message::MessageType;

    #[test]
    fn every_type_has_a_sample() {
        for &message_type in MessageType::ALL {
            let is_sampled =
                MESSAGES.iter().any(|&(_, json)| parse(json).message_type() == Some(message_type));
            assert!(is_sampled, "no sample of {message_type}");
        }
    }

    #[test]
    fn samples_decode_in_every_serializer() {
        for serializer in Serializer::ALL {
            for (name, bytes) in messages(serializer) {
                let decoded = serializer.decode(&bytes.into(), &Limits::default());
                decoded.unwrap_or_else(|violation| panic!("{name} in {serializer}: {violation}"));
            }
        }
    }
}

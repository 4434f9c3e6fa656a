//! What a message means must not depend on how it was written.

use bytes::{Bytes, BytesMut};

use super::*;
use crate::limits::Limits;
use crate::serializer::Serializer;

fn json(text: &'static str) -> Message {
    Serializer::Json.decode(&Bytes::from_static(text.as_bytes()), &Limits::default()).unwrap()
}

#[test]
fn empty_and_absent_are_equal() {
    for (written, plain) in [
        ("[34,4,5,{}]", "[34,4,5]"),
        ("[66,4,5,{}]", "[66,4,5]"),
        ("[35,4,{}]", "[35,4]"),
        ("[67,0,{\"reason\":null}]", "[67,0]"),
        ("[48,1,{\"enc_algo\":null},\"a\"]", "[48,1,{},\"a\"]"),
        ("[48,1,{\"timeout\":null},\"a\",null,{}]", "[48,1,{},\"a\"]"),
    ] {
        assert_eq!(json(written), json(plain), "{written}");
        let mut out = BytesMut::new();
        Serializer::Json.encode(&json(written), &mut out).unwrap();
        assert_eq!(out, plain);
    }
}

/// JSON takes it for binary, so a JSON peer could not read what a binary peer wrote.
#[test]
fn no_text_in_an_envelope_begins_with_nul() {
    let topic = b"\x94\x10\x01\x80\xa2\0a";
    let option = b"\x94\x10\x01\x81\xa9ppt_keyid\xa2\0k\xa1a";
    let list = b"\x94\x10\x01\x81\xafeligible_authid\x91\xa1\0\xa1a";
    let signature = b"\x93\x05\xa1\0\x80";
    let as_binary = b"\x94\x10\x01\x81\xa9ppt_keyid\xc4\x02\0k\xa1a";
    for (message, place) in [
        (&topic[..], "PUBLISH topic"),
        (option, "PUBLISH options.ppt_keyid"),
        (list, "PUBLISH options.eligible_authid"),
        (signature, "AUTHENTICATE signature"),
        (as_binary, "PUBLISH options.ppt_keyid"),
    ] {
        let violation =
            Serializer::MsgPack.decode(&Bytes::from_static(message), &Limits::default()).unwrap_err();
        let text = alloc::string::ToString::to_string(&violation);
        assert!(text.starts_with(place) && text.contains("NUL"), "{text}");
    }
}

#[test]
fn a_key_may_come_once_even_if_it_is_null() {
    for (message, place) in [
        ("[48,1,{\"timeout\":null,\"timeout\":5},\"a\"]", "CALL options.timeout"),
        ("[48,1,{\"timeout\":5,\"timeout\":null},\"a\"]", "CALL options.timeout"),
        ("[48,1,{\"enc_key\":null,\"enc_key\":null},\"a\"]", "CALL options.enc_key"),
        ("[48,1,{\"forward_for\":[{\"session\":null,\"session\":1}]},\"a\"]", "CALL options.forward_for"),
        ("[48,1,{\"x\":null,\"x\":1},\"a\"]", "CALL options"),
        ("[1,\"a\",{\"roles\":{\"caller\":{},\"caller\":{}}}]", "HELLO details.roles"),
        ("[1,\"a\",{\"roles\":{\"caller\":{\"features\":{},\"features\":{}}}}]", "HELLO details.roles"),
        ("[1,\"a\",{\"roles\":{\"caller\":{\"features\":null,\"features\":{}}}}]", "HELLO details.roles"),
        (
            "[1,\"a\",{\"roles\":{\"caller\":{\"features\":{\"call_timeout\":false,\"call_timeout\":true}}}}]",
            "HELLO details.roles",
        ),
    ] {
        let bytes = Bytes::copy_from_slice(message.as_bytes());
        let violation = Serializer::Json.decode(&bytes, &Limits::default()).expect_err(message);
        let text = alloc::string::ToString::to_string(&violation);
        assert!(text.starts_with(place) && text.contains("stands twice"), "{message}: {text}");
        assert_eq!(violation.request(), None);
    }
    // Two spellings of one feature are two keys; peers that write both mean well.
    json(
        "[1,\"a\",{\"roles\":{\"caller\":{\"features\":{\"call_canceling\":true,\"call_cancelling\":true}}}}]",
    );
}

#[test]
fn credentials_are_not_shown() {
    for message in [
        "[1,\"a\",{\"authextra\":{\"token\":\"secret!!!\"},\"roles\":{},\"x_key\":\"secret!!!\"}]",
        "[4,\"x_otp\",{\"token\":\"secret!!!\"}]",
        "[5,\"secret!!!\",{\"token\":\"secret!!!\"}]",
    ] {
        let message = json(message);
        let shown = alloc::format!("{message:?}");
        assert!(!shown.contains("secret"), "{shown}");
        let mut arena = BytesMut::new();
        let encoded = Serializer::Json.encode_chunks(&message, &mut arena).unwrap();
        assert!(!alloc::format!("{encoded:?}").contains("secret"));
        let event = crate::transport::TransportEvent::Message(encoded.chunks()[0].clone());
        assert!(!alloc::format!("{event:?}").contains("secret"));
    }
}

#[test]
fn what_is_sent_holds_neither_binary_nor_text_that_looks_like_it() {
    let mut extra = RawDict::default();
    assert!(extra.set("x_key", &crate::payload::Binary::from(b"abc")).is_err());
    assert!(extra.set("x_key", &["\0abc"]).is_err());
    assert!(extra.is_empty());
    for message in [
        Message::from(Authenticate { signature: "\0secret".into(), extra: RawDict::default() }),
        Challenge { method: "\0".into(), extra: RawDict::default() }.into(),
    ] {
        for serializer in Serializer::ALL {
            assert!(serializer.encode(&message, &mut BytesMut::new()).is_err());
        }
    }
}

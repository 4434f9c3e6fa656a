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

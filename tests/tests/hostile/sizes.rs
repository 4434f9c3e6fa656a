//! Limits on sizes: the envelope, URIs, lists, unknown keys.

use roadbed_core::limits::Limits;
use roadbed_core::message::Message;
use roadbed_core::serializer::Serializer;
use roadbed_tests::wire::{Wire, dict, list, text};

use super::{message, refusal, send};

#[test]
fn the_envelope_is_limited_and_the_payload_is_not() {
    let large = || text("x".repeat(70_000));
    let many = || list(vec![Wire::from(1); 70_000]);
    for serializer in Serializer::ALL {
        for (place, elements) in [
            ("CALL options", message![48, 1, dict([("x", large())]), text("p")]),
            ("CALL options", message![48, 1, dict([("x", many())]), text("p")]),
            ("CALL options", message![48, 1, dict([("rkey", large())]), text("p")]),
            ("CHALLENGE extra", message![4, text("ticket"), dict([("x", large())])]),
            ("CHALLENGE method", message![4, large(), dict([])]),
            ("AUTHENTICATE signature", message![5, large(), dict([])]),
            ("HELLO details", message![1, text("r"), dict([("authextra", dict([("x", large())]))])]),
            ("UNSUBSCRIBE options", message![34, 1, 2, dict([("x", large())])]),
        ] {
            let error = refusal(serializer, &elements);
            assert!(error.starts_with(place), "{serializer} {place}: {error}");
            assert!(error.contains("the envelope has ") && error.ends_with("the limit is 65536"), "{error}");
        }
        let payload = message![48, 1, dict([]), text("p"), list([large(), many()]), dict([("k", large())])];
        send(serializer, &payload).unwrap();

        // To the byte: an envelope is everything before the payload.
        let with_option = |length: usize| message![48, 1, dict([("x", text("y".repeat(length)))]), text("p")];
        let envelope = |length| {
            let message = with_option(length).encode(serializer);
            message.len() - usize::from(serializer == Serializer::Json)
        };
        let fits = 60_000 + (65_536 - envelope(60_000));
        assert_eq!(envelope(fits), 65_536);
        send(serializer, &with_option(fits)).unwrap();
        let error = refusal(serializer, &with_option(fits + 1));
        assert!(error.ends_with("the envelope has 65537 bytes, the limit is 65536"), "{error}");
    }
}

#[test]
fn uris_are_limited() {
    for serializer in Serializer::ALL {
        let uri = |length| text("u".repeat(length));
        for (is_answered, place, elements) in [
            (true, "SUBSCRIBE topic", message![32, 7, dict([]), uri(1025)]),
            (true, "CALL procedure", message![48, 7, dict([]), uri(1025), list([Wire::from(1)])]),
            (true, "REGISTER procedure", message![64, 7, dict([]), uri(5000)]),
            (false, "PUBLISH topic", message![16, 7, dict([]), uri(1025)]),
            (true, "PUBLISH topic", message![16, 7, dict([("acknowledge", Wire::Bool(true))]), uri(1025)]),
            (false, "ABORT reason", message![3, dict([]), uri(1025)]),
            (false, "ERROR error", message![8, 48, 7, dict([]), uri(1025)]),
            (false, "HELLO realm", message![1, uri(1025), dict([])]),
            (false, "EVENT details.topic", message![36, 1, 2, dict([("topic", uri(1025))])]),
            (true, "INVOCATION details.procedure", message![68, 7, 2, dict([("procedure", uri(1025))])]),
        ] {
            let error = send(serializer, &elements).unwrap_err();
            let shown = error.to_string();
            assert!(shown.starts_with(&format!("{place} at byte ")), "{shown}");
            assert!(shown.contains("the URI has ") && shown.ends_with("the limit is 1024"), "{shown}");
            assert_eq!(error.is_answered(), is_answered, "{serializer} {shown}");
        }
        send(serializer, &message![48, 7, dict([]), uri(1024)]).unwrap();
        let limits = Limits::default().uri_length(3);
        let bytes = message![48, 7, dict([]), uri(4)].encode(serializer);
        let error = serializer.decode(&bytes.into(), &limits).unwrap_err().to_string();
        assert!(error.ends_with("the URI has 4 bytes, the limit is 3"), "{error}");
    }
}

#[test]
fn lists_are_limited() {
    for serializer in Serializer::ALL {
        for (key, item) in [
            ("exclude", Wire::from(1)),
            ("eligible", Wire::from(1)),
            ("exclude_authid", text("a")),
            ("exclude_authrole", text("a")),
            ("eligible_authid", text("a")),
            ("eligible_authrole", text("a")),
        ] {
            let publish = |count: usize| {
                let options =
                    dict([("acknowledge", Wire::Bool(true)), (key, list(vec![item.clone(); count]))]);
                message![16, 7, options, text("t")]
            };
            send(serializer, &publish(4096)).unwrap();
            for count in [4097, 10_000] {
                let error = send(serializer, &publish(count)).unwrap_err();
                let shown = error.to_string();
                assert!(shown.starts_with(&format!("PUBLISH options.{key} at byte ")), "{shown}");
                assert!(shown.ends_with(&format!("has {count} entries, the limit is 4096")), "{shown}");
                assert!(error.request().is_some(), "{shown}");
            }
        }
        let methods = list(vec![text("a"); 4097]);
        let error = refusal(serializer, &message![1, text("r"), dict([("authmethods", methods)])]);
        assert!(
            error.contains("HELLO details.authmethods") && error.ends_with("the limit is 4096"),
            "{error}"
        );
    }
}

#[test]
fn forwarders_are_limited() {
    for serializer in Serializer::ALL {
        let call = |count| {
            let forwarders = list(vec![dict([("session", Wire::from(1))]); count]);
            message![48, 7, dict([("forward_for", forwarders)]), text("p")]
        };
        send(serializer, &call(64)).unwrap();
        let error = send(serializer, &call(65)).unwrap_err();
        let shown = error.to_string();
        assert!(shown.ends_with("the list of forwarders has 65 entries, the limit is 64"), "{shown}");
        assert!(error.request().is_some());
    }
}

#[test]
fn unknown_keys_are_limited() {
    let many = |count: usize| Wire::Dict((0..count).map(|n| (text(format!("x{n}")), Wire::Null)).collect());
    for serializer in Serializer::ALL {
        for with_dict in [
            (|dict: Wire| message![48, 1, dict, text("p")]) as fn(Wire) -> Wire,
            |dict| message![4, text("ticket"), dict],
            |dict| message![34, 1, 2, dict],
        ] {
            let message = send(serializer, &with_dict(many(256))).unwrap();
            assert!(!matches!(message, Message::Unknown(_)));
            for count in [257, 5000] {
                let error = refusal(serializer, &with_dict(many(count)));
                assert!(error.ends_with("has 257 entries, the limit is 256"), "{error}");
            }
        }
    }
}

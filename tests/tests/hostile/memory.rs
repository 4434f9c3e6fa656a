//! What decoding costs in memory: nothing for the payload, a bounded amount for the envelope.

use bytes::{Bytes, BytesMut};
use roadbed_core::error::PayloadError;
use roadbed_core::id::RequestId;
use roadbed_core::limits::{Limits, MAX_DEPTH};
use roadbed_core::message::{Message, Publish, Sparse};
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::uri::Uri;
use roadbed_tests::alloc::{Usage, measure};
use roadbed_tests::vectors::own;
use roadbed_tests::wire::{Wire, dict, list, text};

use super::message;

/// Bytes of heap for each byte of the envelope, at most.
const PER_BYTE: usize = 40;
/// Bytes of heap beyond that: the options themselves, the group of `ppt_*` and `enc_*`, a handle that
/// shares the read buffer, an error.
const CONSTANT: usize = 1 << 10;
/// Where there are forwarders (`forward_for`), also what 64 of them take: each may be one byte long.
const FORWARDERS: usize = 64 * 112;

/// Bytes of a message without its payload.
fn envelope(message: &Message, whole: usize) -> usize {
    whole - message.payload().map_or(0, Payload::len)
}

/// Decodes and asserts the bound; errors are held against all of the input.
fn check(serializer: Serializer, bytes: &Bytes, limits: &Limits, place: &str) -> Usage {
    let (found, usage) = measure(|| serializer.decode(bytes, limits));
    let size = match &found {
        Ok(message) => envelope(message, bytes.len()),
        Err(_) => bytes.len().min(limits.envelope_size),
    };
    let constant = if place.contains("forwarders") { CONSTANT + FORWARDERS } else { CONSTANT };
    let allowed = PER_BYTE * size + constant;
    assert!(usage.peak <= allowed, "{place}: {} bytes for {size}: {usage:?}", usage.peak);
    usage
}

#[test]
fn every_vector_stays_within_its_bound() {
    let limits = Limits::default();
    let mut worst = 0.0_f64;
    for case in own::load("messages.json").iter().chain(&own::load("payloads.json")) {
        for serializer in Serializer::ALL {
            let bytes = case.bytes(serializer);
            let place = format!("{} {serializer}", case.name());
            let usage = check(serializer, &bytes, &limits, &place);
            worst = worst.max(usage.peak as f64 / bytes.len() as f64);
        }
    }
    for (file, key) in [("lenient.json", "input"), ("invalid.json", "input")] {
        for case in own::load(file) {
            let serializer = case.serializer();
            check(serializer, &case.field(key, serializer), &limits, case.name());
        }
    }
    println!("at worst {worst:.1} bytes of heap for each byte of a vector");
}

/// Envelopes made to cost much: the cheapest bytes for the most memory.
fn costly() -> Vec<(&'static str, Wire)> {
    let options = |key, value| message![16, 1, dict([(key, value)]), text("t")];
    let letters = || (b'a'..=b'z').chain(b'A'..=b'Z').map(|letter| text(char::from(letter)));
    let short_keys = |value: fn() -> Wire| Wire::Dict(letters().map(|key| (key, value())).collect());
    vec![
        ("empty names", options("exclude_authid", list(vec![text(""); 4096]))),
        ("short names", options("exclude_authid", list(vec![text("a"); 4096]))),
        ("names to be unescaped", options("exclude_authid", list(vec![text("\n"); 4096]))),
        ("small ids", options("eligible", list(vec![Wire::from(1); 4096]))),
        ("too many names", options("exclude_authid", list(vec![text(""); 60_000]))),
        ("too many ids", options("eligible", list(vec![Wire::from(1); 60_000]))),
        ("empty forwarders", options("forward_for", list(vec![dict([]); 64]))),
        ("too many forwarders", options("forward_for", list(vec![dict([]); 4096]))),
        ("forwarders with one more key", options("forward_for", list(vec![dict([("a", Wire::Null)]); 64]))),
        ("forwarders with many keys", options("forward_for", list(vec![short_keys(|| Wire::Null); 64]))),
        ("short keys", message![4, text("m"), short_keys(|| Wire::from(1))]),
        ("empty lists for keys", message![4, text("m"), short_keys(|| list([]))]),
        (
            "256 keys",
            message![
                4,
                text("m"),
                Wire::Dict((0..256).map(|n| (text(format!("{n:x}")), 1.into())).collect())
            ],
        ),
        ("five lists", {
            let names = || list(vec![text(""); 4096]);
            let keys = ["exclude_authid", "exclude_authrole", "eligible_authid", "eligible_authrole"];
            message![16, 1, Wire::Dict(keys.iter().map(|key| (text(*key), names())).collect()), text("t")]
        }),
        ("one enc_algo", message![48, 1, dict([("enc_algo", text("mqtt"))]), text("p"), text("")]),
        ("a long URI with escapes", message![48, 1, dict([]), text("\n".repeat(1024))]),
        ("a long signature with escapes", message![5, text("\n".repeat(20_000)), dict([])]),
        (
            "a long key with escapes",
            message![4, text("m"), dict([("\n".repeat(20_000).as_str(), Wire::Null)])],
        ),
    ]
}

#[test]
fn costly_envelopes_stay_within_their_bound() {
    for (name, elements) in costly() {
        for serializer in Serializer::ALL {
            let bytes = Bytes::from(elements.encode(serializer));
            let usage = check(serializer, &bytes, &Limits::default(), &format!("{name} in {serializer}"));
            println!("{name} in {serializer}: {} bytes of input, {usage:?}", bytes.len());
        }
    }
}

#[test]
fn the_largest_envelope_costs_40_bytes_a_byte_at_most() {
    // Whatever the input, the heap never exceeds 40 times the 64 KiB that an envelope may have.
    let limits = Limits::default();
    for (name, elements) in costly() {
        for serializer in Serializer::ALL {
            let bytes = Bytes::from(elements.encode(serializer));
            let (_, usage) = measure(|| serializer.decode(&bytes, &limits));
            assert!(usage.peak <= PER_BYTE * limits.envelope_size, "{name} in {serializer}: {usage:?}");
        }
    }
}

#[test]
fn payloads_cost_nothing() {
    let payloads = || {
        [
            ("text", text("x".repeat(1 << 20))),
            ("binary", Wire::Binary(vec![7; 1 << 20])),
            ("escapes", text("\n".repeat(1 << 19))),
            ("integers", list(vec![Wire::from(1); 1 << 18])),
            ("floats", list(vec![Wire::Float(0.1); 1 << 16])),
            ("lists", list(vec![list([]); 1 << 18])),
            ("dicts", list(vec![dict([("k", Wire::Null)]); 1 << 16])),
            ("depth", (0..62).fold(Wire::from(1), |value, _| list([value]))),
        ]
    };
    for serializer in Serializer::ALL {
        let small = message![48, 1, dict([("timeout", Wire::from(1))]), text("p"), list([Wire::from(1)])];
        let small = Bytes::from(small.encode(serializer));
        let (_, expected) = measure(|| serializer.decode(&small, &Limits::default()).unwrap());
        for (name, payload) in payloads() {
            let options = dict([("timeout", Wire::from(1))]);
            let call = message![48, 1, options, text("p"), list([payload.clone()]), dict([("k", payload)])];
            let bytes = Bytes::from(call.encode(serializer));
            for depth in [64, MAX_DEPTH] {
                let limits = Limits::default().depth(depth);
                let (message, usage) = measure(|| serializer.decode(&bytes, &limits).unwrap());
                assert_eq!(usage, expected, "{name} in {serializer}");
                drop(message);
            }
        }
    }
}

#[test]
fn broken_payloads_cost_nothing() {
    for serializer in Serializer::ALL {
        let payload = list(vec![text("x".repeat(100)); 10_000]);
        let bytes = Bytes::from(message![48, 1, dict([]), text("p"), payload].encode(serializer));
        for end in (1..bytes.len()).step_by(4999) {
            let cut = bytes.slice(..end);
            let (_, usage) = measure(|| serializer.decode(&cut, &Limits::default()).unwrap_err());
            assert!(usage.peak <= CONSTANT, "{serializer} cut at {end}: {usage:?}");
        }
    }
}

/// One MiB of control characters is six in JSON: a recipient that accepts less is not worth writing them.
#[test]
fn what_a_recipient_does_not_accept_is_not_written() {
    const SIZE: usize = 1 << 20;
    let limit = SIZE;
    let many = Payload::from_args(Serializer::MsgPack, &vec!["\u{1}"; SIZE / 8]).unwrap();
    let one = Payload::from_args(Serializer::MsgPack, &("\u{1}".repeat(SIZE),)).unwrap();
    for payload in [many, one] {
        let options = Sparse::EMPTY;
        let request = RequestId::MIN;
        let publish = Publish { request, options, topic: Uri::from_static("com.example.t"), payload }.into();
        let (result, usage) = measure(|| {
            let mut arena = BytesMut::new();
            Serializer::Json.encode_within(&publish, limit / 4, &mut arena)
        });
        assert!(matches!(result, Err(PayloadError::TooLarge { .. })), "{result:?}");
        assert!(usage.peak <= 2 * limit, "{usage:?}");
    }
}

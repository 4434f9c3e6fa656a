//! Payloads given as raw bytes: checked, carried to other serializers, read as types.

use std::collections::BTreeMap;

use bytes::Bytes;
use roadbed_core::error::PayloadError;
use roadbed_core::limits::{Limits, MAX_DEPTH};
use roadbed_core::payload::{Binary, Payload};
use roadbed_core::serializer::Serializer;
use roadbed_core::value::{Dict, Value};
use serde::de::DeserializeOwned;

use crate::check_text;
use crate::source::Source;

/// Nesting that typed access reads in every format.
const TYPED_DEPTH: usize = 120;

/// A payload in one serializer, read from fuzz input: args, kwargs, or both.
fn payload(data: &[u8]) -> Option<(Payload, usize, Source<'_>)> {
    let mut source = Source::new(data);
    let serializer = source.choose(&Serializer::ALL);
    let depth = source.choose(&[64, 3, TYPED_DEPTH, MAX_DEPTH]);
    let form = source.below(3);
    let mut tail = source.clone();
    let (args, kwargs) = match form {
        0 => (Some(source.rest()), None),
        1 => (None, Some(source.rest())),
        _ => (Some(tail.bytes(255)), Some(tail.clone().rest())),
    };
    let share = |part: Option<&[u8]>| part.map(Bytes::copy_from_slice);
    match Payload::from_raw(serializer, share(args), share(kwargs), depth) {
        Ok(payload) => {
            assert_eq!(payload.detach(), payload);
            Some((payload, depth, tail))
        }
        Err(error) => {
            check_text(&error);
            assert!(matches!(error, PayloadError::Malformed(_)), "{error:?}");
            None
        }
    }
}

/// Carries a payload from one serializer to another and back: [`Payload::transcode`].
///
/// What arrives is what decoding to [`Value`] and encoding in the other serializer gives, and it survives
/// every further trip.
pub fn transcode(data: &[u8]) {
    let Some((payload, depth, _)) = payload(data) else { return };
    for to in Serializer::ALL {
        let there = match payload.transcode(to, depth) {
            Ok(there) => there,
            Err(error) => {
                check_text(&error);
                assert!(payload.check_portable().is_err(), "{error}: all can say it");
                let is_typed = matches!(error, PayloadError::NotRepresentable { .. });
                assert!(is_typed && to != payload.serializer(), "{error:?}");
                continue;
            }
        };
        if to == payload.serializer() {
            assert_eq!(there, payload);
            continue;
        }
        if payload.check_portable().is_ok() {
            assert_eq!(there.check_portable(), Ok(()), "what all can say stays that");
        }
        compare(payload.serializer(), payload.raw_args(), to, there.raw_args());
        compare(payload.serializer(), payload.raw_kwargs(), to, there.raw_kwargs());
        let back =
            there.transcode(payload.serializer(), depth).expect("what was carried can be carried back");
        assert_eq!(back.transcode(to, depth).as_ref(), Ok(&there), "changed on the way back");
    }
}

/// Two roads to the same bytes: transcoding, and a value in between.
fn compare(from: Serializer, before: Option<&Bytes>, to: Serializer, after: Option<&Bytes>) {
    assert_eq!(before.is_some(), after.is_some(), "a part came or went");
    let (Some(before), Some(after)) = (before, after) else { return };
    let limits = Limits::default().depth(MAX_DEPTH).message_size(16 << 20);
    // Dict keys that are not text pass between binary formats, but are no values.
    if let Ok(value) = from.decode_value(before, &limits) {
        assert_eq!(to.encode_value(&value).as_ref(), Ok(after), "{from} to {to}: {value:?}");
    }
}

/// Reads a payload as types: [`Payload::args`], [`Payload::arg`], [`Payload::kwargs`].
///
/// Reading it as [`Value`] agrees with [`Serializer::decode_value`], element by element, and what is built
/// from that value again reads the same.
pub fn payload_typed(data: &[u8]) {
    let Some((payload, _, _)) = payload(data) else { return };
    read::<()>(&payload);
    read::<(i64, String)>(&payload);
    read::<Vec<u8>>(&payload);
    read::<Vec<Option<f64>>>(&payload);
    read::<(Binary, Option<Binary>)>(&payload);
    read::<BTreeMap<String, Value>>(&payload);
    read::<Vec<Vec<bool>>>(&payload);
    read::<Tagged>(&payload);

    let serializer = payload.serializer();
    let limits = Limits::default().depth(TYPED_DEPTH);
    let plain = |part: Option<&Bytes>| serializer.decode_value(part?, &limits).ok();
    if let Some(value @ Value::List(_)) = plain(payload.raw_args()) {
        let values = value.as_list().unwrap_or_default();
        if let Ok(read) = payload.args::<Vec<Value>>() {
            assert_eq!(read, values, "typed access reads the same");
        }
        for payload in [canonical(serializer, &value), Payload::from_args(serializer, &value)] {
            let payload = payload.expect("what was read can be built");
            assert_eq!(payload.args::<Vec<Value>>().as_deref(), Ok(values));
            for (index, value) in values.iter().enumerate().take(8) {
                assert_eq!(payload.arg::<Value>(index).as_ref(), Ok(value), "args[{index}]");
            }
            check_text(&payload.arg::<Value>(values.len()).expect_err("an argument behind the last"));
        }
    }
    if let Some(Value::Dict(dict)) = plain(payload.raw_kwargs()) {
        if let Ok(read) = payload.kwargs::<Dict>() {
            assert_eq!(read, dict, "typed access reads the same");
        }
        let built = Payload::build(serializer, &(), &dict).expect("what was read can be built");
        assert_eq!(built.kwargs::<Dict>().as_ref(), Ok(&dict));
    }
}

/// Args written as a value, not through serde.
fn canonical(serializer: Serializer, args: &Value) -> Result<Payload, PayloadError> {
    Payload::from_raw(serializer, Some(serializer.encode_value(args)?), None, MAX_DEPTH)
}

/// A struct as applications have them.
#[derive(Debug, serde::Deserialize, serde::Serialize)]
struct Tagged {
    id: u32,
    #[serde(default)]
    label: Option<String>,
    #[serde(flatten)]
    more: BTreeMap<String, Value>,
}

fn read<T: DeserializeOwned>(payload: &Payload) {
    let results = [payload.args::<T>().err(), payload.kwargs::<T>().err(), payload.arg::<T>(0).err()];
    for error in results.into_iter().flatten() {
        check_text(&error);
        assert!(matches!(error, PayloadError::Type { .. }), "{error:?}");
    }
}

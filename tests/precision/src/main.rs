//! Any crate of a program can turn on `arbitrary_precision` of serde_json, for all of them. Its numbers are then texts
//! inside, and structs of a secret name to serde: payloads must not care.

use bytes::Bytes;
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::value::{Dict, Value};
use serde_json::json;

fn main() {
    // The feature is on: otherwise the digits would be lost.
    let long = "0.10000000000000000000000000001";
    assert_eq!(serde_json::from_str::<serde_json::Value>(long).unwrap().to_string(), long);

    let half = Payload::from_raw(Serializer::Json, Some(Bytes::from_static(b"[0.5]")), None, 64).unwrap();
    let args = half.args::<Vec<serde_json::Value>>().unwrap();
    assert_eq!((args.len(), args[0].as_f64()), (1, Some(0.5)));
    assert_eq!(half.args::<(f64,)>().unwrap(), (0.5,));
    assert_eq!(half.args::<Vec<Value>>().unwrap(), [Value::from(0.5)]);

    let numbers = [json!(0.5), json!(7), json!(-7), json!(u64::MAX), json!(i64::MIN), json!({"deep": [1.25]})];
    for serializer in [Serializer::Json, Serializer::MsgPack, Serializer::Cbor] {
        let payload = Payload::build(serializer, &numbers, &json!({"rate": 0.25})).unwrap();
        assert_eq!(payload.args::<Vec<serde_json::Value>>().unwrap(), numbers, "{serializer}");
        let values = payload.args::<(f64, u8, i8, u64, i64, Dict)>().unwrap();
        let deep = Dict::from([("deep", Value::from(vec![Value::from(1.25)]))]);
        assert_eq!(values, (0.5, 7, -7, u64::MAX, i64::MIN, deep), "{serializer}");
        assert_eq!(payload.kwargs::<Dict>().unwrap(), Dict::from([("rate", Value::from(0.25))]), "{serializer}");
        // Beyond 64 bits nothing is rounded in silence.
        let beyond: serde_json::Value = serde_json::from_str("18446744073709551616").unwrap();
        assert!(Payload::from_args(serializer, &[beyond]).is_err(), "{serializer}");
    }
}

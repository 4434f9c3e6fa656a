//! Calls and events through a router in memory, from one application's command to the other's event.

use std::collections::HashMap;

use roadbed_core::options::{CallOptions, PublishOptions, RegisterOptions, SubscribeOptions, YieldOptions};
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::session::SessionEvent;
use roadbed_core::uri::Uri;
use roadbed_core::value::Value;
use wampproto::dealer::Dealer;
use wampproto::messages::call::Call;
use wampproto::messages::invocation::Invocation;
use wampproto::messages::register::Register;
use wampproto::messages::yield_::Yield;
use wampproto::serializers::msgpack::MsgPackSerializer;
use wampproto::serializers::serializer::Serializer as _;
use wampproto::types::SessionDetails;

use crate::harness::{Bench, Contender};
use crate::messages::{Content, encode, message};
use crate::network::Network;

const CONTENTS: [Content; 4] = [Content::Integer, Content::Order, Content::Text, Content::Binary];

const SUBSCRIBERS: u32 = 1_000;

pub(crate) fn benches() -> Vec<Bench> {
    CONTENTS.into_iter().map(round_trip).chain(CONTENTS.into_iter().map(fan_out)).collect()
}

fn bytes(name: &str, content: Content) -> usize {
    encode(Serializer::MsgPack, &message(name, content, content.payload(Serializer::MsgPack))).len()
}

/// Caller → router → callee → router → caller; the callee returns what it got.
fn round_trip(content: Content) -> Bench {
    let same = |name, serializer| {
        let (mut echo, payload) = (Echo::new(serializer, serializer), content.payload(serializer));
        Contender::new(name, move || echo.call(payload.clone()))
    };
    let typed = {
        let mut echo = Echo::new(Serializer::MsgPack, Serializer::MsgPack);
        let (args, kwargs) = (content.args(), content.kwargs().unwrap_or_else(|| Vec::<Value>::new().into()));
        let has_kwargs = content.kwargs().is_some();
        Contender::new("msgpack+Value", move || {
            let payload = match has_kwargs {
                true => Payload::build(Serializer::MsgPack, &args, &kwargs),
                false => Payload::from_args(Serializer::MsgPack, &args),
            };
            let result = echo.call(payload.unwrap());
            let args: Value = result.args().unwrap();
            let kwargs: Option<Value> = result.raw_kwargs().map(|_| result.kwargs().unwrap());
            (args, kwargs)
        })
    };
    let mixed = {
        let mut echo = Echo::new(Serializer::Json, Serializer::Cbor);
        let payload = content.payload(Serializer::Json);
        Contender::new("json→cbor", move || echo.call(payload.clone()))
    };
    Bench {
        group: "rpc round trip",
        name: content.name().to_owned(),
        bytes: bytes("CALL", content),
        things: 1,
        contenders: vec![
            same("msgpack", Serializer::MsgPack),
            wampproto_dealer(content),
            same("cbor", Serializer::Cbor),
            same("json", Serializer::Json),
            mixed,
            typed,
        ],
    }
}

/// A caller, a callee that echoes, and the router between them.
struct Echo {
    network: Network,
    caller: usize,
    callee: usize,
    procedure: Uri,
    call: CallOptions,
    answer: YieldOptions,
}

impl Echo {
    fn new(caller: Serializer, callee: Serializer) -> Self {
        let mut network = Network::new();
        let (caller, callee) = (network.join(caller), network.join(callee));
        let procedure = Uri::from_static("com.example.shop.order.create");
        network.with(callee, |connection, now| {
            connection.register(now, &procedure, &RegisterOptions::new()).unwrap()
        });
        assert!(matches!(network.event(callee), SessionEvent::Registered { result: Ok(_), .. }));
        let (call, answer) = (CallOptions::new(), YieldOptions::new());
        Self { network, caller, callee, procedure, call, answer }
    }

    fn call(&mut self, payload: Payload) -> Payload {
        let Self { network, caller, callee, procedure, call, answer } = self;
        network.with(*caller, |connection, now| connection.call(now, procedure, payload, call).unwrap());
        let SessionEvent::Invocation { invocation, payload, .. } = network.event(*callee) else {
            panic!("no invocation")
        };
        network.with(*callee, |connection, now| {
            connection.yield_result(now, invocation, payload, answer).unwrap();
        });
        let SessionEvent::Result { result: Ok(result), .. } = network.event(*caller) else {
            panic!("no result")
        };
        result.payload
    }
}

/// The same way through wampproto's dealer, in MessagePack: no sessions of clients, no transport.
fn wampproto_dealer(content: Content) -> Contender {
    const CALLER: i64 = 1;
    const CALLEE: i64 = 2;
    let wire = MsgPackSerializer {};
    let mut dealer = Dealer::new();
    for id in [CALLER, CALLEE] {
        let details = SessionDetails::new(id, "realm1".into(), "guest".into(), "guest".into(), false);
        dealer.add_session(details).unwrap();
    }
    let procedure = "com.example.shop.order.create".to_owned();
    let register = Register { request_id: 1, options: HashMap::new(), procedure };
    dealer.receive_message(CALLEE, &register).unwrap().expect("the callee is answered");

    let call = message("CALL", content, content.payload(Serializer::MsgPack));
    let call = wire.deserialize(encode(Serializer::MsgPack, &call).to_vec()).unwrap();
    let Some(Call { procedure, args, kwargs, .. }) = call.as_any().downcast_ref() else {
        unreachable!("it was decoded from a CALL")
    };
    let mut call = Call {
        request_id: 0,
        options: HashMap::new(),
        procedure: procedure.clone(),
        args: args.clone(),
        kwargs: kwargs.clone(),
    };
    Contender::new("wampproto", move || {
        call.request_id += 1;
        let received = wire.deserialize(wire.serialize(&call).unwrap()).unwrap();
        let routed = dealer.receive_message(CALLER, &*received).unwrap().expect("it is routed");
        let invocation = wire.deserialize(wire.serialize(&*routed.message).unwrap()).unwrap();
        let Some(Invocation { request_id, args, kwargs, .. }) = invocation.as_any().downcast_ref() else {
            panic!("no invocation")
        };
        let answer = Yield {
            request_id: *request_id,
            options: HashMap::new(),
            args: args.clone(),
            kwargs: kwargs.clone(),
        };
        let received = wire.deserialize(wire.serialize(&answer).unwrap()).unwrap();
        let routed = dealer.receive_message(CALLEE, &*received).unwrap().expect("it is routed");
        assert_eq!(routed.recipient, CALLER);
        wire.deserialize(wire.serialize(&*routed.message).unwrap()).unwrap()
    })
}

/// Publisher → router → a thousand subscribers.
fn fan_out(content: Content) -> Bench {
    Bench {
        group: "fan-out 1 → 1000, each event",
        name: content.name().to_owned(),
        bytes: bytes("EVENT", content),
        things: SUBSCRIBERS,
        contenders: vec![
            Contender::later("router", move || everybody(content, true, &[Serializer::MsgPack])),
            Contender::later("3 formats", move || everybody(content, true, &Serializer::ALL)),
            Contender::later("+ clients", move || everybody(content, false, &[Serializer::MsgPack])),
        ],
    }
}

/// A publisher and its subscribers, who drop what arrives if they are deaf.
fn everybody(content: Content, are_deaf: bool, serializers: &[Serializer]) -> Contender {
    let mut network = Network::new();
    let topic = Uri::from_static("com.example.shop.order.created");
    let publisher = network.join(Serializer::MsgPack);
    let subscribers: Vec<usize> = (0..SUBSCRIBERS)
        .zip(serializers.iter().cycle())
        .map(|(_, serializer)| {
            let subscriber = network.join(*serializer);
            network.with(subscriber, |connection, now| {
                connection.subscribe(now, &topic, &SubscribeOptions::new()).unwrap()
            });
            assert!(matches!(network.event(subscriber), SessionEvent::Subscribed { result: Ok(_), .. }));
            if are_deaf {
                network.deafen(subscriber);
            }
            subscriber
        })
        .collect();
    let (payload, options) = (content.payload(Serializer::MsgPack), PublishOptions::new());
    Contender::new("fan-out", move || {
        network.with(publisher, |connection, now| {
            connection.publish(now, &topic, payload.clone(), &options).unwrap()
        });
        if !are_deaf {
            for subscriber in &subscribers {
                assert!(matches!(network.event(*subscriber), SessionEvent::Event { .. }));
            }
        }
    })
}

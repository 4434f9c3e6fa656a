//! The client's side: a connection that has everything pending, and what a router may answer.

use bytes::Bytes;
use roadbed_core::options::{CallOptions, PublishOptions, RegisterOptions, SubscribeOptions};
use roadbed_core::payload::Payload;
use roadbed_core::session::{ClientConfig, SessionEvent};
use roadbed_core::uri::Uri;
use roadbed_testkit::{Chunking, Pair, Script, client};
use roadbed_tests::frames::{Framing, Written};

/// What a router may send to a client whose requests 1 to 6 are SUBSCRIBE, REGISTER, CALL, PUBLISH, CALL
/// and SUBSCRIBE. The order is a good one; others are not.
pub(crate) const MESSAGES: &[&str] = &[
    r#"[33,1,7]"#,
    r#"[36,7,1001,{},["first",1]]"#,
    r#"[65,2,8]"#,
    r#"[68,1,8,{},[1,2],{"key":"value"}]"#,
    r#"[68,2,8,{}]"#,
    r#"[50,3,{},["a result"]]"#,
    r#"[17,4,1002]"#,
    r#"[36,7,1003,{"topic":"com.example.topic"},[],{"second":2}]"#,
    r#"[8,48,5,{},"com.example.error",["because"]]"#,
    r#"[69,1,{"mode":"killnowait"}]"#,
    r#"[69,2,{"mode":"kill"}]"#,
    r#"[8,32,6,{},"wamp.error.not_authorized"]"#,
    r#"[36,99,1004,{},["for nobody"]]"#,
    r#"[67,0,{"registration":8,"reason":"com.example.enough"}]"#,
    r#"[6,{"message":"the end"},"wamp.close.system_shutdown"]"#,
];

/// What came of it.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) events: Vec<SessionEvent>,
    pub(crate) written: Written,
    pub(crate) closed: Option<String>,
}

/// The good stream, with a PING before each message.
pub(crate) fn whole(framing: Framing) -> Vec<u8> {
    let messages = MESSAGES.iter().enumerate();
    messages
        .flat_map(|(index, message)| [framing.ping(&[index as u8]), framing.message(message)])
        .collect::<Vec<_>>()
        .concat()
}

/// Joins, makes the requests, and feeds `pieces`; then the stream ends. The application only listens.
pub(crate) fn run(framing: Framing, pieces: &[Bytes]) -> Outcome {
    let config = ClientConfig::new(Uri::from_static("realm1")).build().expect("the configuration is right");
    let mut pair = Pair::new(client(config, framing.carrier.endpoint(framing.serializer)), Script::raw());
    pair.drive();
    let request = pair.router.receive_bytes();
    let welcome = r#"[2,4711,{"roles":{"broker":{},"dealer":{"features":{"call_canceling":true}}}}]"#;
    let beginning = [framing.answer(&request), framing.message(welcome)].concat();
    for piece in Chunking::Random(pieces.len() as u64).cut(&beginning) {
        pair.router.send_bytes(&piece);
        pair.drive();
    }
    let (now, connection) = (pair.now(), &mut pair.client.connection);
    let (topic, procedure) =
        (Uri::from_static("com.example.topic"), Uri::from_static("com.example.procedure"));
    let acknowledged = PublishOptions::new().acknowledge(true);
    connection.subscribe(now, &topic, &SubscribeOptions::new()).expect("request 1");
    connection.register(now, &procedure, &RegisterOptions::new()).expect("request 2");
    let late = connection.call(now, &procedure, Payload::EMPTY, &CallOptions::new()).expect("request 3");
    connection.publish(now, &topic, Payload::EMPTY, &acknowledged).expect("request 4");
    connection.call(now, &procedure, Payload::EMPTY, &CallOptions::new()).expect("request 5");
    connection.subscribe(now, &topic, &SubscribeOptions::new()).expect("request 6");
    assert!(late.request().get() == 3 && connection.session().pending_requests() == 6);

    for piece in pieces {
        pair.router.send_bytes(piece);
        pair.drive();
    }
    pair.router.hang_up();
    pair.drive();

    let session = pair.client.connection.session();
    assert_eq!((session.pending_requests(), session.pending_invocations()), (0, 0));
    assert!(pair.client.is_closed());
    assert_eq!(pair.client.connection.poll_timeout(), None);
    let events = pair.client.events();
    check_ends(&events);
    let closed = events.last().and_then(|event| match event {
        SessionEvent::Closed { reason, .. } => Some(reason.to_string()),
        _ => None,
    });
    let written = [request, pair.router.receive_bytes()].concat();
    let written = Written::parse(&written, Framing { is_client: true, ..framing });
    Outcome { events, written, closed }
}

/// Each of the six requests has exactly one end.
fn check_ends(events: &[SessionEvent]) {
    let mut ended: Vec<u64> = events
        .iter()
        .filter_map(|event| match event {
            SessionEvent::Subscribed { handler, .. } => Some(handler.request()),
            SessionEvent::Registered { handler, .. } => Some(handler.request()),
            SessionEvent::Published { publish, .. } => Some(publish.request()),
            SessionEvent::Result { call, .. } => Some(call.request()),
            _ => None,
        })
        .map(roadbed_core::id::RequestId::get)
        .collect();
    ended.sort_unstable();
    assert_eq!(ended, [1, 2, 3, 4, 5, 6], "{events:#?}");
}

//! Answers that are no upgrade, and proxies that open no way: their status, headers and text are the same however they
//! are cut, and a router's answer does not depend on how the request was.

use bytes::{Bytes, BytesMut};
use roadbed_core::connection::Endpoint;
use roadbed_core::error::CloseReason;
use roadbed_core::link::LinkConfig;
use roadbed_core::session::{ClientConfig, SessionEvent};
use roadbed_core::time::Timestamp;
use roadbed_core::transport::websocket::{UpgradeError, WebSocketClientConfig, WebSocketServerConfig};
use roadbed_core::transport::{HttpConnect, ProxyError};
use roadbed_core::uri::Uri;
use roadbed_testkit::{Pair, Script, assert_same_under_chunking, client, link};

const HEAD: &str = "HTTP/1.1 403 Forbidden\r\nWWW-Authenticate: Basic\r\n";
/// What follows the head, and the text that is told of it.
const BODIES: &[(&str, &str)] = &[
    ("Content-Length: 11\r\n\r\ngo away now", "go away now"),
    ("Content-Length: 11\r\n\r\ngo away now, and more", "go away now"),
    ("Content-Length: 99\r\n\r\ngo away now", "go away now"),
    ("\r\ngo away now", "go away now"),
    ("Transfer-Encoding: chunked\r\n\r\n3\r\ngo \r\n8;a=b\r\naway now\r\n0\r\n\r\n", "go away now"),
    ("Transfer-Encoding: chunked\r\n\r\n3\r\ngo \r\n8\r\naway", "go away"),
    ("Content-Length: 0\r\n\r\n", ""),
    ("Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1F\x0B\x08\x00", ""),
];

/// Feeds `pieces` to a client that opens a WebSocket; then the stream ends.
fn upgrade(pieces: &[Bytes]) -> CloseReason {
    let config = ClientConfig::new(Uri::from_static("realm1")).build().expect("the configuration is right");
    let endpoint = WebSocketClientConfig::new("router.example", "/ws").expect("it is right");
    let mut pair = Pair::new(client(config, Endpoint::websocket(endpoint)), Script::raw());
    pair.drive();
    for piece in pieces {
        pair.router.send_bytes(piece);
        pair.drive();
    }
    pair.router.hang_up();
    pair.drive();
    match pair.client.events().pop() {
        Some(SessionEvent::Closed { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

/// The same to a client that asks a proxy.
fn tunnel(pieces: &[Bytes]) -> ProxyError {
    let mut connect = HttpConnect::new("router.example", 443).expect("it is right");
    let mut input = BytesMut::new();
    for piece in pieces {
        input.extend_from_slice(piece);
        match connect.read(Timestamp::ZERO, &mut input) {
            Ok(is_open) => assert!(!is_open),
            Err(error) => return error,
        }
    }
    connect.handle_eof(input.len())
}

#[test]
fn a_client_is_refused_in_the_same_words() {
    for (body, text) in BODIES {
        let stream = format!("{HEAD}{body}");
        let reason = assert_same_under_chunking(stream.as_bytes(), upgrade);
        let Some(UpgradeError::Refused(refusal)) = reason.upgrade_error() else { panic!("{reason}") };
        assert_eq!((refusal.status(), &**refusal.text()), (403, *text), "{body:?}");
        assert_eq!(refusal.header("www-authenticate"), Some("Basic"));
        let ProxyError::Refused(refusal) = assert_same_under_chunking(stream.as_bytes(), tunnel) else {
            panic!("{body:?}")
        };
        assert_eq!((refusal.status(), &**refusal.text()), (403, *text), "{body:?}");
        assert_eq!(refusal.header("www-authenticate"), Some("Basic"));
    }
}

/// Each request that a router refuses, and what it answers.
#[test]
fn a_router_refuses_in_the_same_words() {
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (request, status) in [
        (format!("GET /ws HTTP/1.1\r\nHost: h\r\n{upgrade}Sec-WebSocket-Protocol: soap\r\n\r\n"), 400),
        (format!("GET /ws HTTP/1.1\r\nHost: h\r\nOrigin: http://evil\r\n{upgrade}\r\n"), 403),
        ("GET /ws HTTP/1.1\r\nHost: h\r\n\r\n".into(), 404),
        ("GET / HTTP/1.1\r\nHost: h\r\n\r\n".into(), 200),
        ("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n".into(), 200),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody".into(), 405),
        ("GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n".into(), 400),
        ("GET / HTTP/2.0\r\n\r\n".into(), 400),
    ] {
        let answer = assert_same_under_chunking(request.as_bytes(), |pieces| {
            let config = LinkConfig::default().websocket(WebSocketServerConfig::default());
            let mut pair = Pair::new(Script::raw(), link(&config));
            for piece in pieces {
                pair.client.send_bytes(piece);
                pair.drive();
            }
            pair.client.hang_up();
            pair.drive();
            pair.client.receive_bytes()
        });
        let answer = String::from_utf8(answer.to_vec()).expect("text");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {answer}");
    }
}
